"""Several labels in a row: an indicator matrix trains logistic outputs."""

import copy
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.utils import get_tags

from skdbn import DBNClassifier, RBMTransformer, load_model, save_model
from skdbn._maths.engines import ENGINES
from skdbn._maths.heads import HEADS
from skdbn._maths.network import Network, adversarial_direction, loss_gradient

# Trainings of a pass or two have learned little.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::skdbn.{category}")
    for category in ("HiddenUnitsWarning", "NotConvergedWarning")
]
RNG = np.random.default_rng(0)
N = 300
X = RNG.normal(size=(N, 4))
NOISE = 0.5 * RNG.normal(size=(N, 3))
Y = (X[:, :3] @ [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]] + NOISE > [0.0, 0.5, -1.0]) * 1
TRAIN, TEST = slice(0, 200), slice(200, N)
QUICK = {"rbm": RBMTransformer(n_iter=3), "softmax_iter": 2, "random_state": 0}


def net(**parameters):
    return DBNClassifier((20,), **{"finetune_iter": 3, **QUICK, **parameters})


def assert_same(one, other):
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def learned():
    return net(finetune_iter=40).fit(X[TRAIN], Y[TRAIN])


# -- what is learned


def test_every_label_is_learned_about_as_well_as_by_logistic_regression(learned):
    reference = OneVsRestClassifier(LogisticRegression()).fit(X[TRAIN], Y[TRAIN])
    p, p_reference = learned.predict_proba(X[TEST]), reference.predict_proba(X[TEST])
    for i in range(3):
        truth = Y[TEST][:, i]
        share = Y[TRAIN][:, i].mean()
        loss = log_loss(truth, p[:, i])
        assert loss < 0.6 * log_loss(truth, np.full(len(truth), share))
        assert loss < log_loss(truth, p_reference[:, i]) + 0.1
        assert ((p[:, i] > 0.5) == truth).mean() > ((p_reference[:, i] > 0.5) == truth).mean() - 0.1


def test_probabilities_are_those_of_each_label_alone(learned):
    p = learned.predict_proba(X)
    assert p.shape == (N, 3)
    assert (abs(p.sum(axis=1) - 1.0) > 0.1).mean() > 0.5  # they are no shares of one
    for i in range(3):  # calibrated: as many rows have a label as are expected to
        assert p[TRAIN][:, i].mean() == pytest.approx(Y[TRAIN][:, i].mean(), abs=0.05)
    h = learned.transform(X)
    scores = h @ learned.coefs_[-1] + learned.intercepts_[-1]
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-scores)), rtol=1e-9)


def test_predictions_are_labels_more_probable_than_not_and_scored_as_whole_rows(learned):
    predicted = learned.predict(X[TEST])
    assert predicted.dtype.kind == "i"
    np.testing.assert_array_equal(predicted, learned.predict_proba(X[TEST]) > 0.5)
    whole = (predicted == Y[TEST]).all(axis=1).mean()
    assert learned.score(X[TEST], Y[TEST]) == accuracy_score(Y[TEST], predicted) == whole
    weight = np.arange(1.0, 101.0)
    expected = np.average((predicted == Y[TEST]).all(axis=1), weights=weight)
    assert learned.score(X[TEST], Y[TEST], sample_weight=weight) == pytest.approx(expected)


def test_fitted_attributes_are_as_in_mlp_classifier(learned):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        reference = MLPClassifier((20,), max_iter=20, random_state=0).fit(X[TRAIN], Y[TRAIN])
    np.testing.assert_array_equal(learned.classes_, reference.classes_)
    assert learned.predict_proba(X).shape == reference.predict_proba(X).shape
    assert learned.predict(X).dtype == reference.predict(X).dtype
    np.testing.assert_allclose(
        learned.predict_log_proba(X), np.log(learned.predict_proba(X)), rtol=1e-12
    )


def test_labels_share_the_layers_below_and_nothing_else():
    # With the layers below frozen, each label is trained as if it were alone.
    options = {"finetune_iter": 0, "softmax_iter": 40, "solver": "sgd", "batch_size": 50}
    both = net(**options).fit(X, Y)
    for i in range(3):
        beside = np.column_stack([Y[:, i], Y[::-1, i], np.ones(N, int)])
        alone = net(**options).fit(X, beside)
        np.testing.assert_array_equal(both.coefs_[0], alone.coefs_[0])
    swapped = net(**options).fit(X, Y[:, [2, 0, 1]])
    reached, other = both.predict_proba(X), swapped.predict_proba(X)
    assert abs(reached[:, [2, 0, 1]] - other).max() < 0.2


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_loss_is_the_sum_of_the_cross_entropies_of_all_labels(share):
    rng, engine = np.random.default_rng(0), ENGINES["numpy"](np.float64, 0)
    weights, intercepts = rng.normal(size=(4, 3)), rng.normal(size=3)

    def cross_entropy(weights, target):
        p = 1 / (1 + np.exp(-(X @ weights + intercepts)))
        return -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum(axis=1).mean()

    head = HEADS["logistic"](engine)
    network = Network([weights], [intercepts], [], head, engine)
    out = [np.zeros((4, 3)), np.zeros(3)]
    y = 1.0 * Y
    loss, gradients = loss_gradient(network, X.copy(), y, out, label_smoothing=share)
    np.testing.assert_array_equal(y, Y)
    assert loss == pytest.approx(cross_entropy(weights, Y), rel=1e-12)
    # A share of each label's probability is spread over both of its states.
    target = np.where(Y == 1, 1 - share / 2, share / 2)
    for i, j in ((0, 0), (2, 1), (3, 2)):
        step = np.zeros((4, 3))
        step[i, j] = 1e-6
        above, below = (cross_entropy(weights + s, target) for s in (step, -step))
        assert gradients[0][i, j] == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-8)


def test_adversarial_direction_is_the_gradient_of_the_sum_over_all_labels():
    rng, engine = np.random.default_rng(0), ENGINES["numpy"](np.float64, 0)
    weights, intercepts = rng.normal(size=(4, 3)), rng.normal(size=3)
    network = Network([weights], [intercepts], [], HEADS["logistic"](engine), engine)
    p = 1 / (1 + np.exp(-(X @ weights + intercepts)))
    expected = (p - Y) @ weights.T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    direction = adversarial_direction(network, X.copy(), 1.0 * Y)
    np.testing.assert_allclose(direction, expected, rtol=1e-8, atol=1e-10)


def test_any_number_of_columns_counts_as_one_problem():
    wide = (RNG.uniform(size=(N, 30)) < 0.1).astype(int)
    model = net().fit(X, wide)
    assert model.predict_proba(X).shape == (N, 30)
    assert model.n_layers_ == 3
    assert model.intercepts_[-1].shape == (30,)


@pytest.mark.parametrize("value", [0, 1])
def test_label_that_every_row_has_or_none_is_learned(value):
    labels = np.column_stack([Y[:, 0], np.full(N, value)])
    model = net(finetune_iter=20).fit(X, labels)
    assert (model.predict(X)[:, 1] == value).all()
    assert abs(model.predict_proba(X)[:, 1] - value).max() < 0.1
    assert np.isfinite(model.loss_curve_).all()


# -- containers


@pytest.mark.parametrize(
    "container",
    [csr_matrix, csr_array, pd.DataFrame, np.asfortranarray, np.ndarray.tolist]
    + [partial(np.asarray, dtype=dtype) for dtype in (bool, float, np.float32, np.uint8)],
)
def test_indicator_in_every_container_gives_the_same_net(container):
    expected = net(early_stopping=True).fit(X, Y)
    model = net(early_stopping=True).fit(X, container(Y), sample_weight=np.ones(N))
    assert_same(model, expected)
    assert model.predict(X).dtype.kind == "i"
    parts = [net(), net()]
    for part in (slice(0, 100), slice(100, 150)):
        parts[0].partial_fit(X[part], Y[part])
        parts[1].partial_fit(X[part], container(Y[part]))
    assert_same(*parts)


def test_held_out_indicator_may_be_sparse():
    held_out = {"X_val": X[TEST], "sample_weight_val": np.arange(100)}
    dense = net().fit(X[TRAIN], Y[TRAIN], y_val=Y[TEST], **held_out)
    sparse = net().fit(X[TRAIN], Y[TRAIN], y_val=csr_matrix(Y[TEST]), **held_out)
    assert dense.validation_loss_curve_ == sparse.validation_loss_curve_
    assert dense.validation_scores_ == sparse.validation_scores_


def test_labels_of_the_caller_stay_as_they_are():
    y = Y.astype(float)
    kept = y.copy()
    net(label_smoothing=0.2, adversarial=0.1).fit(X, y)
    np.testing.assert_array_equal(y, kept)


# -- what is refused


def test_one_hot_rows_are_labels_with_advice_that_works():
    labels = RNG.integers(3, size=N)
    y = np.eye(3)[labels]
    message = (
        r"y is one-hot: .* pass y\.argmax\(axis=1\) if y is an array .* or y\.idxmax\(axis=1\) if"
    )
    for rows in (y, csr_matrix(y.astype(int))):
        with pytest.warns(DataConversionWarning, match=message) as caught:
            model = net().fit(X, rows)
        assert {warning.filename for warning in caught} == {__file__}
        assert model.predict_proba(X).shape == (N, 3)
        assert model._head == "logistic"
    assert_same(net().fit(X, y.argmax(axis=1)), net().fit(X, labels))
    names = ["heron", "kestrel", "owl"]
    named = net().fit(X, pd.DataFrame(y, columns=names).idxmax(axis=1))
    np.testing.assert_array_equal(named.classes_, names)
    assert_same(net().fit(X, csr_matrix(y).toarray().argmax(axis=1)), net().fit(X, labels))


def test_fold_whose_rows_happen_to_have_one_label_each_is_trained_on():
    y = np.eye(3, dtype=int)[RNG.integers(3, size=N)]
    y[:2] = 1  # in the first fold
    with pytest.warns(DataConversionWarning, match="y is one-hot"):
        scores = cross_val_score(net(), X, y, cv=3, error_score="raise")
    assert np.isfinite(scores).all()


def test_several_classes_in_a_row_are_refused():
    for y in (
        np.column_stack([RNG.integers(3, size=N), Y[:, 0]]),
        2 * Y + RNG.integers(2, size=(N, 3)),
    ):
        with pytest.raises(
            ValueError, match=r"shape \(300, \d\) .*one class for each row, or an ind"
        ):
            net().fit(X, y)


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (1, 2), (0, 5)])
def test_indicator_of_other_numbers_is_refused_with_advice_that_works(low, high):
    y = np.where(Y == 1, high, low)
    with pytest.raises(ValueError, match=rf"y has several columns .*\. Pass y == {high}\."):
        net().fit(X, y)
    assert_same(net().fit(X, y == high), net().fit(X, Y))
    with pytest.raises(ValueError, match=rf"y_val has several columns .*\. Pass y_val == {high}\."):
        net().fit(X, Y, X_val=X, y_val=y)


def test_missing_label_is_refused():
    y = np.where(np.arange(N)[:, None] == 7, np.nan, Y)
    with pytest.raises(ValueError, match=r"in row 7 \(.*rows\. Drop these rows from X and y\.$"):
        net().fit(X, y)


def test_held_out_rows_must_have_the_same_labels():
    for y_val in (Y[TEST][:, :2], Y[TEST][:, 0]):
        with pytest.raises(ValueError, match=r"y_val has shape .* an indicator matrix of 3 labels"):
            net().fit(X[TRAIN], Y[TRAIN], X_val=X[TEST], y_val=y_val)
    with pytest.raises(ValueError, match="y_val has shape .* one class for each row, like y"):
        net().fit(X[TRAIN], Y[TRAIN, 0], X_val=X[TEST], y_val=Y[TEST])


# -- training


def test_held_out_score_and_loss_are_those_of_whole_rows():
    weight = np.arange(100)
    model = net(finetune_iter=4).fit(
        X[TRAIN], Y[TRAIN], X_val=X[TEST], y_val=Y[TEST], sample_weight_val=weight
    )
    p, y = model.predict_proba(X[TEST]), Y[TEST]
    losses = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1)
    assert model.validation_loss_curve_[-1] == pytest.approx(np.average(losses, weights=weight))
    assert model.validation_scores_[-1] == pytest.approx(
        model.score(X[TEST], y, sample_weight=weight)
    )


@pytest.mark.parametrize("early_stopping", [True, "loss"])
def test_early_stopping_keeps_the_best_pass(early_stopping):
    model = net(early_stopping=early_stopping, n_iter_no_change=100, finetune_iter=12, noise=1.0)
    model.set_params(learning_rate="constant", learning_rate_init=0.1)
    model.fit(X[TRAIN], Y[TRAIN], X_val=X[TEST], y_val=Y[TEST])
    if early_stopping == "loss":
        assert model.best_validation_loss_ == min(model.validation_loss_curve_)
        p, y = model.predict_proba(X[TEST]), Y[TEST]
        loss = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1).mean()
        assert loss == pytest.approx(model.best_validation_loss_)
    else:
        assert model.best_validation_score_ == max(model.validation_scores_)
        assert model.score(X[TEST], Y[TEST]) == pytest.approx(model.best_validation_score_)


def test_early_stopping_takes_rows_from_the_training_rows():
    model = net(early_stopping=True, validation_fraction=0.2).fit(X, Y)
    assert len(model.validation_scores_) == 3


def test_warm_start_goes_on():
    model = net(warm_start=True).fit(X, Y)
    first = copy.deepcopy(model)
    model.fit(X, Y)
    assert model.n_iter_ == 6
    assert len(model.rbms_) == 1
    np.testing.assert_array_equal(model.rbms_[0].components_, first.rbms_[0].components_)
    chance = np.eye(3)[RNG.integers(3, size=N)]
    assert model.fit(X, chance).n_iter_ == 9  # of a net of several labels this is no one-hot y
    with pytest.raises(ValueError, match=r"2 labels .* To start anew, call set_params"):
        model.fit(X, Y[:, :2])
    model.set_params(warm_start=False).fit(X, Y[:, :2])


@pytest.mark.parametrize("name", ["label_smoothing", "adversarial", "dropout", "input_noise"])
def test_what_perturbs_training_changes_it(name):
    plain = net(noise=0.0).fit(X, Y)
    perturbed = net(noise=0.0, **{name: 0.3}).fit(X, Y)
    assert (plain.coefs_[-1] != perturbed.coefs_[-1]).any()
    assert perturbed.score(X, Y) > 0.05


def test_smoothed_labels_make_less_certain_probabilities():
    options = {"finetune_iter": 60, "noise": 0.0}
    p, smoothed = (
        net(label_smoothing=share, **options).fit(X, Y).predict_proba(X) for share in (0.0, 0.4)
    )
    assert np.quantile(p, 0.95) > 0.95
    assert np.quantile(smoothed, 0.95) < 0.9
    assert np.quantile(smoothed, 0.05) > 0.1


def test_rows_that_are_one_hot_by_chance_are_a_part():
    chance = np.eye(3, dtype=int)[RNG.integers(3, size=50)]
    model = net().partial_fit(X, Y)
    model.partial_fit(X[:50], chance)
    assert model.n_iter_ == 2
    with pytest.warns(DataConversionWarning, match=r"Otherwise pass classes=range\(3\) as well"):
        net().partial_fit(X[:50], chance)
    first = net().partial_fit(X[:50], chance, classes=range(3)).partial_fit(X, Y)
    assert first.predict_proba(X).shape == (N, 3)
    assert first._head == "logistic"
    with pytest.raises(ValueError, match=r"classes has 5 entries, .* 3 labels"):
        net().partial_fit(X, Y, classes=range(5))


# -- within scikit-learn


def test_tags_say_that_rows_may_have_several_labels():
    tags = get_tags(net())
    assert tags.classifier_tags.multi_label
    assert tags.classifier_tags.multi_class
    assert not tags.target_tags.multi_output


def test_cross_validation_predicts_probabilities():
    p = cross_val_predict(net(), X, Y, cv=3, method="predict_proba")
    assert p.shape == (N, 3)
    assert (p.argmax(axis=1) >= 0).all()
    assert log_loss(Y[:, 0], p[:, 0]) < log_loss(Y[:, 0], np.full(N, Y[:, 0].mean()))


@pytest.mark.parametrize("around", [ClassifierChain, MultiOutputClassifier, OneVsRestClassifier])
def test_wrappers_that_make_a_problem_of_each_label_work(around):
    model = around(net(finetune_iter=15)).fit(X[TRAIN], Y[TRAIN])
    assert (model.predict(X[TEST]) == Y[TEST]).mean() > 0.7


def test_model_of_several_labels_crosses_the_disk(tmp_path, learned):
    save_model(learned, tmp_path / "net.npz")
    loaded = load_model(tmp_path / "net.npz")
    np.testing.assert_array_equal(loaded.predict_proba(X), learned.predict_proba(X))
    assert_same(
        loaded.partial_fit(X[:50], Y[:50]), copy.deepcopy(learned).partial_fit(X[:50], Y[:50])
    )


def test_clone_can_be_fitted_to_classes_instead():
    model = net().fit(X, Y)
    assert_same(model.fit(X, Y[:, 0]), clone(model).fit(X, Y[:, 0]))
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)
