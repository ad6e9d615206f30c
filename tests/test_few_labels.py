"""Rows without labels: what marks them, what is learned from them, and that they are no class."""

import copy
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from listeners import Listener
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

import skdbn._dbn
from skdbn import (
    DBNClassifier,
    FewLabelsWarning,
    InterruptedTrainingWarning,
    RBMTransformer,
    load_model,
    save_model,
)
from skdbn._learners import NetworkLearner
from skdbn._maths.engines import NumpyEngine
from skdbn._maths.heads import HEADS
from skdbn._maths.network import Network
from skdbn._maths.optimizers import OPTIMIZERS, SCHEDULES
from skdbn._training.rows import UNLABELLED, Rows, hold_out
from skdbn.datasets import load_digits

# Trainings of a pass or two have learned little.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::skdbn.{category}")
    for category in ("FewLabelsWarning", "HiddenUnitsWarning", "NotConvergedWarning")
]
RNG = np.random.default_rng(0)
N = 90
TRUTH = RNG.permutation(N) % 3
# The columns have their own scales, and gaps separate the classes: "auto" takes the step.
MEASURED = np.eye(3)[TRUTH] * 8.0 - 4.0 * (TRUTH == 1)[:, None] + RNG.normal(size=(N, 3))
X = np.hstack([MEASURED * [1.0, 50.0, 1e4], np.eye(3)[TRUTH] != (RNG.uniform(size=(N, 3)) < 0.05)])
IS_LABELLED = RNG.permutation(N) < 30
Y = np.where(IS_LABELLED, TRUTH, -1)
WEIGHT = RNG.integers(0, 4, N) / 2.0
NAMES = np.array(["heron", "kestrel", "owl", ""])  # the last one for rows without a label
OVERLAPPING = RNG.normal(size=(300, 10))  # no gap separates the two classes
TWO = (OVERLAPPING[:, 0] + OVERLAPPING[:, 1] > 0).astype(int)
FEW = np.where(np.arange(300) < 20, TWO, -1)
GAPS = OVERLAPPING * 0.3 + 4.0 * TWO[:, None] - 2.0
NUMBERS = pd.Series(TRUTH).astype("Int64").mask(~IS_LABELLED)
N_STEPS_OF_TRIAL = skdbn._dbn.N_STEPS_OF_TRIAL


@pytest.fixture(scope="module", autouse=True)
def short_trials():
    """Let the trial of a step make fewer minibatches, which find gaps of this width as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skdbn._dbn.N_STEPS_OF_TRIAL", 100)
        yield


def net(sizes=(20, 10), **parameters):
    quick = {
        "rbm": RBMTransformer(n_iter=2),
        "softmax_iter": 2,
        "finetune_iter": 3,
        "batch_size": 16,
        "unlabeled": -1,
        "random_state": 0,
    }
    return DBNClassifier(sizes, **{**quick, **parameters})


def assert_same(one, other, curves=True):
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)
    for a, b in zip(one.rbms_, other.rbms_, strict=True):
        np.testing.assert_array_equal(a.components_, b.components_, strict=True)
    assert one.virtual_adversarial_ == other.virtual_adversarial_
    for name in ("softmax_loss_curve_", "loss_curve_") if curves else ():
        assert getattr(one, name) == getattr(other, name)


def differ(one, other):
    return all((a != b).any() for a, b in zip(one.coefs_, other.coefs_, strict=True))


def objects(labels):
    """Labels in an array of any objects."""
    result = np.empty(len(labels), object)
    result[:] = labels
    return result


def with_few_labels(y, n_labels, seed=0):
    known, rng = np.full(len(y), -1), np.random.default_rng(seed)
    for label in np.unique(y):
        known[rng.permutation(np.flatnonzero(y == label))[:n_labels]] = label
    return known


@pytest.fixture(scope="module")
def fitted(short_trials):
    return net().fit(X, Y)


# -- which rows have no label


MARKED = {  # what marks them, and labels
    "float": (-1, Y.astype(float)),
    "of numpy": (np.int64(-1), Y.astype(np.int8)),
    "list of numbers": (-1, Y.tolist()),
    "series": (-1, pd.Series(Y, index=np.arange(N)[::-1])),
    "between the classes": (1, np.array([0, 2, 3, 1])[Y]),
    "above the classes": (99, np.array([0, 1, 2, 99])[Y]),
    "name": ("", NAMES[Y]),
    "longer name": ("not known", objects(np.where(Y < 0, "not known", NAMES[Y]))),
    "list of names": ("", NAMES[Y].tolist()),
    "number beside names": (-1, objects([-1 if i < 0 else NAMES[i] for i in Y])),
    "list of a number and names": (-1, [-1 if i < 0 else str(NAMES[i]) for i in Y]),
    "category": ("", pd.Categorical(NAMES[Y])),
    "series of categories": ("", pd.Series(NAMES[Y]).astype("category")),
    "no category": (np.nan, pd.Categorical.from_codes(Y, NAMES[:3])),
    "nan": (np.nan, np.where(Y < 0, np.nan, Y)),
    "nan of float32": (np.float32("nan"), np.where(Y < 0, np.nan, Y).astype(np.float32)),
    "nan beside names": (np.nan, objects([np.nan if i < 0 else NAMES[i] for i in Y])),
    "None beside names": (np.nan, objects([None if i < 0 else NAMES[i] for i in Y])),
    "None beside numbers": (np.nan, objects([None if i < 0 else i for i in Y])),
    "list with None": (np.nan, [None if i < 0 else str(NAMES[i]) for i in Y]),
    "NA beside numbers": (np.nan, NUMBERS),
    "NA beside names": (np.nan, pd.Series(NAMES[Y]).mask(Y < 0).astype("string")),
    "NA among any objects": (np.nan, objects([pd.NA if i < 0 else i for i in Y])),
}


@pytest.mark.parametrize(("unlabeled", "y"), MARKED.values(), ids=MARKED)
def test_whatever_marks_rows_without_labels_gives_the_same_bits(unlabeled, y, fitted):
    model = net(unlabeled=unlabeled).fit(X, y)
    assert_same(model, fitted)
    labels = np.unique(np.asarray(y, object)[IS_LABELLED])
    assert model.classes_.tolist() == labels.tolist()
    assert fitted.predict(X).tolist() == np.searchsorted(labels, model.predict(X)).tolist()
    assert model.score(X, y) == fitted.score(X, Y)


def test_column_of_labels_is_flattened_with_a_warning(fitted):
    with pytest.warns(DataConversionWarning, match=r"\(90, 1\). Pass y.squeeze\(\)") as caught:
        model = net().fit(X, Y[:, None])
    assert_same(model, fitted)
    found = [w.filename for w in caught if w.category is DataConversionWarning]
    assert found == [__file__]


def test_any_number_is_a_class_unless_it_is_said_to_mean_none():
    y = np.where(X[:, 0] > 0, 1, -1)
    model = net(unlabeled=None).fit(X, y)
    np.testing.assert_array_equal(model.classes_, [-1, 1])
    assert_same(model, net(unlabeled=None).fit(X, (y + 1) // 2))


@pytest.mark.parametrize(
    ("y", "marker", "right_one"),
    [(Y.astype(str), -1, "-1"), (Y, "-1", -1), (objects(Y.astype(str)), -1, "-1")],
    ids=["number for strings", "string for numbers", "number for objects"],
)
def test_marker_of_another_type_than_the_labels_is_refused(y, marker, right_one, fitted):
    message = f"y has the label {right_one!r}, but unlabeled == {marker!r}: .*={right_one!r}"
    with pytest.raises(ValueError, match=message):
        net(unlabeled=marker).fit(X, y)
    assert_same(net(unlabeled=right_one).fit(X, y), fitted)


def test_missing_label_that_is_not_the_marker_is_refused():
    y = np.where(np.arange(N) == 7, np.nan, Y)
    for labels in (y, objects([pd.NA if np.isnan(label) else int(label) for label in y])):
        with pytest.raises(ValueError, match=r"y has a missing value .* in row 7 .* first of 1 "):
            net().fit(X, labels)


@pytest.mark.parametrize("missing", [np.nan, None])
def test_advice_about_missing_labels_can_be_followed(missing, fitted):
    y = objects([missing if i < 0 else i for i in Y])
    for refuse in (net(unlabeled=None).fit, net(unlabeled=None).partial_fit):
        with pytest.raises(
            ValueError, match=r"^y has a missing value .* or set unlabeled="
        ) as error:
            refuse(X, y)
    (advice,) = re.findall(r"set unlabeled=(\S+) if ", str(error.value))
    assert advice == "float('nan')"
    assert_same(net(unlabeled=float("nan")).fit(X, y), fitted)
    with pytest.raises(ValueError, match=r"^y_val has a missing value .* set unlabeled=float"):
        net(unlabeled=None).fit(X, TRUTH, X_val=X, y_val=y)


def test_rows_without_labels_are_learned_from(fitted):
    assert fitted.virtual_adversarial_ > 0.0
    assert differ(fitted, net().fit(X[IS_LABELLED], Y[IS_LABELLED]))
    assert differ(fitted, net(virtual_adversarial=0).fit(X, Y))
    assert fitted.predict_proba(X).shape == (N, 3)
    assert np.isfinite(fitted.loss_curve_).all()


@pytest.mark.parametrize("batch_size", [16, "auto"])
@pytest.mark.parametrize("finetune_iter", [3, "auto"])
def test_without_virtual_adversarial_loss_the_other_rows_pretrain_and_do_nothing_else(
    batch_size, finetune_iter, monkeypatch
):
    monkeypatch.setattr(DBNClassifier, "_fewest_steps", 300)
    options = {"batch_size": batch_size, "finetune_iter": finetune_iter, "virtual_adversarial": 0}
    model = net(**options).fit(X, Y)
    machines = [FrozenEstimator(rbm) for rbm in model.rbms_]
    labelled = net(rbm=machines, unlabeled=None, **options).fit(X[IS_LABELLED], Y[IS_LABELLED])
    assert_same(model, labelled)
    assert model.virtual_adversarial_ == 0.0


def test_balanced_classes_are_those_of_the_rows_with_labels(fitted):
    counts = np.bincount(Y[IS_LABELLED])
    assert len(set(counts)) > 1
    given = {i: 30 / (3 * count) for i, count in enumerate(counts.tolist())}
    model = net(class_weight="balanced").fit(X, Y)
    assert_same(model, net(class_weight=given).fit(X, Y))
    assert differ(model, fitted)


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}])
def test_rows_that_all_have_labels_train_as_ever(options):
    plain = net(unlabeled=None, **options).fit(X, TRUTH)
    assert plain.virtual_adversarial_ == 0.0
    for others in ({"unlabeled": -1}, {"unlabeled": np.nan}, {"virtual_adversarial": 0}):
        assert_same(net(**{"unlabeled": None, **options, **others}).fit(X, TRUTH), plain)


@pytest.mark.filterwarnings("always::skdbn.FewLabelsWarning")
def test_fit_without_a_row_that_has_no_label_warns():
    message = r"No row with a weight above 0 has the value of unlabeled, -1.* set unlabeled=None"
    with pytest.warns(FewLabelsWarning, match=message):
        net().fit(X, TRUTH)
    with pytest.warns(FewLabelsWarning, match=message):
        VotingClassifier([("net", net())]).fit(X, Y)  # -1 becomes class 0
    with pytest.warns(FewLabelsWarning, match=message):
        net().fit(X, Y, sample_weight=(Y != -1) * 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FewLabelsWarning)
        net(unlabeled=None).fit(X, TRUTH)
        net(virtual_adversarial=0).fit(X, Y)
        net().partial_fit(X, TRUTH)


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_given_length_is_taken_with_and_without_labels(weight):
    for y in (Y, TRUTH):
        model = net(virtual_adversarial=0.5).fit(X, y, sample_weight=weight)
        assert model.virtual_adversarial_ == 0.5
        assert differ(model, net(virtual_adversarial=0).fit(X, y, sample_weight=weight))


def test_length_of_auto_is_a_length_that_could_be_given(fitted):
    length = fitted.virtual_adversarial_
    assert_same(net(virtual_adversarial=length).fit(X, Y), fitted)
    longer = net(virtual_adversarial=2.0 * length, noise=0.0).fit(X, Y)
    assert differ(longer, net(virtual_adversarial=length, noise=0.0).fit(X, Y))


def test_rates_and_noise_of_auto_are_those_for_the_rows_with_labels(fitted, monkeypatch):
    monkeypatch.setattr("skdbn._dbn.SMALL_TABLE", 31)
    assert_same(net().fit(X, Y), fitted)
    monkeypatch.setattr("skdbn._dbn.SMALL_TABLE", 30)
    assert differ(net().fit(X, Y), fitted)


@pytest.mark.parametrize(("virtual_adversarial", "n_passes"), [("auto", 10), (0, 30), (0.5, 10)])
def test_passes_and_minibatches_of_auto_are_those_of_the_rows_they_go_over(
    virtual_adversarial, n_passes, monkeypatch
):
    monkeypatch.setattr(DBNClassifier, "_fewest_steps", 450)  # in minibatches of two rows
    options = {"virtual_adversarial": virtual_adversarial, "batch_size": "auto"}
    model = net(finetune_iter="auto", **options).fit(X, Y)
    assert model.n_iter_ == n_passes
    options["batch_size"] = 2
    assert_same(net(finetune_iter=n_passes, **options).fit(X, Y), model)


def test_interrupted_trial_of_the_step_decides_nothing(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    model = net(virtual_adversarial="auto", warm_start=True)
    with monkeypatch.context() as patch:
        patch.setattr("skdbn._dbn._tried", interrupted)
        with pytest.warns(InterruptedTrainingWarning):
            model.fit(X, Y)
    assert model.virtual_adversarial_ == 0.0
    assert not model._kept["has_tried"]
    assert model.partial_fit(X, Y)._kept["has_tried"]


def test_score_takes_a_sparse_column_of_labels_as_fit_does():
    model, column = net().fit(X, Y), csr_matrix(Y[:, None])
    assert model.score(X, column) == model.score(X, Y)
    assert_same(net().fit(X, column), model)


# -- the minibatches


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("n_labelled", [5, 40])
def test_minibatch_has_as_many_rows_with_labels_and_every_row_has_its_own_weight(
    n_labelled, weight
):
    engine, n = NumpyEngine(np.float64, 0), 20
    network = Network([np.zeros((1, 3))], [np.zeros(3)], [], HEADS["softmax"](engine), engine)
    numbers = np.arange(float(N))[:, None]  # each row is its own number
    weight_of_all = None if weight is None else weight + 1.0
    labelled = Rows(numbers[:n_labelled], np.arange(n_labelled), weight_of_all)
    learner = NetworkLearner(
        network, 0, labelled, None, n, "loss_curve_", all_rows=Rows(numbers, None, weight)
    )
    assert learner.n_samples == N
    drawn = np.arange(50, 50 + n)
    x, y, of_rows = learner._minibatch(drawn)
    assert len(y) == len(np.unique(y)) == min(n, n_labelled)
    np.testing.assert_array_equal(x[: len(y), 0], y)
    np.testing.assert_array_equal(x[len(y) :, 0], drawn)
    if weight is None:
        assert of_rows is None
    else:
        np.testing.assert_array_equal(of_rows, [*weight[y] + 1.0, *weight[drawn]])
    others = [learner._minibatch(drawn)[1] for _ in range(20)]
    assert len(np.unique(others)) == n_labelled  # all get their turn


def test_loss_is_that_of_the_labels_and_the_divergence_of_all_rows():
    # At a rate of nearly zero, in one minibatch of all rows.
    options = {"pretrain": False, "softmax_iter": 0, "finetune_iter": 1, "noise": 0.0}
    options |= {"batch_size": N, "learning_rate_init": 1e-12}
    at, losses = IS_LABELLED, []
    for size in (1e-6, 0.5, 1.0):
        model = net(virtual_adversarial=size, **options).fit(X, Y)
        losses += model.loss_curve_
    expected = log_loss(Y[at], model.predict_proba(X[at]))
    assert losses[0] == pytest.approx(expected, abs=1e-8)
    assert losses[0] < losses[1] < losses[2]


# -- weights and held-out rows


def test_row_of_weight_zero_is_left_out_with_and_without_a_label():
    counts, weight = WEIGHT > 0, np.where(np.arange(N) % 2, 1.0, WEIGHT)
    model = net().fit(X, Y, sample_weight=np.where(counts, weight, 0.0))
    assert_same(model, net().fit(X[counts], Y[counts], sample_weight=weight[counts]))
    assert_same(net().fit(X, Y, sample_weight=np.full(N, 3.0)), net().fit(X, Y))


def test_class_whose_rows_all_have_weight_zero_is_no_class():
    first = np.flatnonzero(IS_LABELLED)[0]
    y, weight = Y.copy(), np.ones(N)
    y[first], weight[first] = 7, 0.0
    model = net().fit(X, y, sample_weight=weight)
    assert model.classes_.tolist() == [0, 1, 2]
    assert_same(model, net().fit(np.delete(X, first, 0), np.delete(Y, first)))
    net().fit(X, Y, X_val=X, y_val=y, sample_weight_val=weight)


def test_weights_of_rows_without_labels_count():
    weight = np.where(IS_LABELLED, 1.0, RNG.uniform(0.1, 3.0, N))
    machines = [FrozenEstimator(rbm) for rbm in net().fit(X, Y).rbms_]
    plain = net(rbm=machines).fit(X, Y)
    weighted = net(rbm=machines).fit(X, Y, sample_weight=weight)
    assert plain.softmax_loss_curve_ == weighted.softmax_loss_curve_
    assert differ(plain, weighted)


def test_held_out_rows_have_labels_of_each_class_its_share():
    y = RNG.permutation(np.repeat([0, 1, UNLABELLED], [40, 20, 30]))
    rows = Rows(np.arange(90.0)[:, None], y)
    model = net(early_stopping=True, validation_fraction=0.2)
    for seed in range(5):
        kept, held = hold_out(model, rows, None, seed, y, np.array(["a", "b"]))
        assert np.bincount(held.y).tolist() == [8, 4]
        assert np.bincount(kept.y + 1).tolist() == [30, 32, 16]
        assert sorted([*kept.X[:][:, 0], *held.X[:][:, 0]]) == list(range(90))
        for part in (kept, held):
            np.testing.assert_array_equal(part.y, y[part.X[:][:, 0].astype(int)])


@pytest.mark.parametrize("early_stopping", [True, "loss"])
def test_early_stopping_watches_rows_with_labels_and_trains_on_the_others(early_stopping):
    options = {"early_stopping": early_stopping, "validation_fraction": 0.2}
    model = net(**options).fit(X, Y)
    scores = 6.0 * np.array(model.validation_scores_)  # of 30 rows
    np.testing.assert_allclose(scores, scores.round(), atol=1e-12)
    assert differ(model, net(virtual_adversarial=0, **options).fit(X, Y))


@pytest.mark.parametrize("early_stopping", [False, True, "loss"])
@pytest.mark.parametrize("weight", [None, WEIGHT + 0.5])
def test_given_held_out_rows_count_where_they_have_labels(early_stopping, weight):
    options, at = {"early_stopping": early_stopping}, IS_LABELLED[::-1]
    held_out = X[::-1] * 0.9, Y[::-1]
    weights = (None, None) if weight is None else (weight, weight[at])
    model, labelled = (
        net(**options).fit(X, Y, X_val=x, y_val=y, sample_weight_val=weight_val)
        for (x, y), weight_val in zip(
            (held_out, (held_out[0][at], held_out[1][at])), weights, strict=True
        )
    )
    assert_same(model, labelled)
    np.testing.assert_allclose(
        model.validation_loss_curve_, labelled.validation_loss_curve_, rtol=1e-12
    )
    np.testing.assert_allclose(model.validation_scores_, labelled.validation_scores_, rtol=1e-12)


@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame, csr_matrix, np.ndarray.tolist])
def test_score_leaves_rows_without_labels_out(container, fitted):
    predicted = fitted.predict(X[IS_LABELLED])
    expected = accuracy_score(Y[IS_LABELLED], predicted)
    assert fitted.score(container(X), Y) == expected
    assert fitted.score(container(X[IS_LABELLED]), Y[IS_LABELLED]) == expected
    expected = accuracy_score(Y[IS_LABELLED], predicted, sample_weight=WEIGHT[IS_LABELLED])
    for weight in (WEIGHT, WEIGHT.tolist(), pd.Series(WEIGHT, index=np.arange(N)[::-1])):
        assert fitted.score(container(X), Y, sample_weight=weight) == pytest.approx(expected)


def test_score_refuses_another_number_of_labels(fitted):
    for x, y, weight in ((X, Y[:-5], None), (X[:-1], Y[:-1], np.ones(N)), (X[:10], Y, None)):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            fitted.score(x, y, sample_weight=weight)


# -- containers, and going on


@pytest.mark.parametrize("container", [pd.DataFrame, csr_matrix, csr_array, np.asfortranarray])
def test_rows_in_every_container_give_the_same_net(container, fitted):
    given = pd.DataFrame(X, columns=list("abcdef")) if container is pd.DataFrame else container(X)
    assert_same(net().fit(given, pd.Series(Y)), fitted)


def test_whatever_numpy_reads_may_be_labels(fitted):
    class Labels:
        def __array__(self, dtype=None, copy=None):
            return np.array(Y, dtype)

        def __len__(self):
            return N

    assert_same(net().fit(X, Labels()), fitted)
    assert fitted.score(X, Labels()) == fitted.score(X, Y)


def test_type_of_the_rows_is_kept(fitted):
    model = net().fit(X.astype(np.float32), Y)
    assert {array.dtype for array in model.coefs_ + model.intercepts_} == {np.dtype(np.float32)}
    assert type(model.virtual_adversarial_) is type(fitted.virtual_adversarial_) is float
    assert model.virtual_adversarial_ == pytest.approx(fitted.virtual_adversarial_, rel=1e-5)


def test_the_callers_arrays_stay_as_they_are():
    x, y = X.copy(), Y.copy()
    net(virtual_adversarial=0.5).fit(x, y)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def test_warm_start_goes_on(fitted):
    model = net(warm_start=True).fit(X, Y)
    first = copy.deepcopy(model)
    model.fit(X, Y)
    assert model.n_iter_ == 6
    assert model.virtual_adversarial_ == first.virtual_adversarial_ > 0.0
    np.testing.assert_array_equal(model.rbms_[0].components_, first.rbms_[0].components_)
    assert model.fit(X, TRUTH).virtual_adversarial_ == 0.0
    with pytest.raises(ValueError, match=r"classes \[0 1\], but .* To start anew"):
        model.fit(X, np.where(Y == 2, -1, Y))


@pytest.mark.parametrize("virtual_adversarial", ["auto", 0.0, 0.5])
@pytest.mark.parametrize("options", [{}, {"batch_size": "auto", "noise": 0.2}])
def test_one_part_is_a_fit_with_one_pass(virtual_adversarial, options):
    model = net(virtual_adversarial=virtual_adversarial, finetune_iter=1, **options)
    expected = clone(model).fit(X, Y)
    assert_same(model.partial_fit(X, Y), expected)


@pytest.mark.parametrize("virtual_adversarial", ["auto", 0])
def test_minibatches_of_auto_are_those_of_a_fit(virtual_adversarial):
    options = {"batch_size": "auto", "finetune_iter": 1, "pretrain": False}
    model = net(virtual_adversarial=virtual_adversarial, **options)
    many, y = np.repeat(X, 10, axis=0), np.repeat(Y, 10)
    many[:, 0] += np.arange(len(many)) / 1e3
    expected = clone(model).fit(many, y)
    assert_same(model.partial_fit(many, y), expected)


@pytest.mark.exhaustive
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_as_many_parts_as_passes_are_a_fit(schedule, solver, weight):
    rate = {"adam": 0.02, "sgd": 0.1}[solver]
    model = net(learning_rate=schedule, solver=solver, learning_rate_init=rate)
    model.set_params(pretrain=weight is None)
    expected = clone(model).fit(X, Y, sample_weight=weight)
    assert expected.virtual_adversarial_ > 0.0
    for _ in range(3):
        model.partial_fit(X, Y, sample_weight=weight)
    if weight is None:
        assert_same(model, expected)
    for one, other in zip(model.coefs_, expected.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-12)  # weights are rounded


def test_unit_of_the_weights_of_a_part_does_not_matter():
    rows = np.random.default_rng(0).random((200, 4))
    y = np.where(np.arange(200) < 20, rows[:, 0] > 0.5, -1)
    plain, heavy = (
        net((10,), finetune_iter=1).partial_fit(rows, y, sample_weight=np.full(200, factor))
        for factor in (1.0, 128.0)
    )
    assert heavy.virtual_adversarial_ == plain.virtual_adversarial_ > 0.0
    assert_same(heavy, plain)


def test_loss_of_a_part_does_not_depend_on_the_unit_of_its_weights():
    still = {"learning_rate_init": 1e-12, "noise": 0.0, "batch_size": N}
    model = net(virtual_adversarial=0.5, **still)
    for factor in (1.0, 10.0, 0.1):
        model.partial_fit(X, Y, sample_weight=np.full(N, factor))
    assert model.loss_curve_ == pytest.approx([model.loss_curve_[0]] * 3, rel=0.05)


def test_first_part_with_rows_without_labels_decides_about_the_step_of_all_parts(
    monkeypatch, tmp_path
):
    model, overlapping = net(finetune_iter=9), net(finetune_iter=9)
    length = model.partial_fit(X, Y).virtual_adversarial_
    assert length > 0.0
    assert overlapping.partial_fit(OVERLAPPING, FEW).virtual_adversarial_ == 0.0
    assert net(finetune_iter=9).partial_fit(GAPS, FEW).virtual_adversarial_ > 0.0
    monkeypatch.setattr("skdbn._dbn_base.try_step", None)  # nothing is tried again
    save_model(model, tmp_path / "net.npz")
    for part in (slice(0, 30), slice(30, N), IS_LABELLED):
        before = copy.deepcopy(model)
        assert model.partial_fit(X[part], Y[part]).virtual_adversarial_ == length
        before.virtual_adversarial_ = 0.0
        assert differ(model, before.partial_fit(X[part], Y[part]))
    loaded = load_model(tmp_path / "net.npz")
    assert loaded.partial_fit(X, TRUTH).virtual_adversarial_ == length
    assert overlapping.partial_fit(GAPS, FEW).virtual_adversarial_ == 0.0


def test_part_goes_on_with_the_step_of_a_fit(monkeypatch, fitted):
    models = copy.deepcopy(fitted), net().fit(OVERLAPPING, FEW)
    monkeypatch.setattr("skdbn._dbn_base.try_step", None)
    assert models[0].partial_fit(X, TRUTH).virtual_adversarial_ == fitted.virtual_adversarial_
    assert models[1].partial_fit(GAPS, FEW).virtual_adversarial_ == 0.0


@pytest.mark.parametrize("through_a_file", [False, True])
@pytest.mark.parametrize("way", ["fit", "partial_fit"])
def test_step_is_tried_once_there_are_rows_without_labels(
    way, through_a_file, monkeypatch, tmp_path
):
    model = getattr(net(finetune_iter=9), way)(X, TRUTH)
    assert model.virtual_adversarial_ == model.partial_fit(X, TRUTH).virtual_adversarial_ == 0.0
    if through_a_file:
        save_model(model, tmp_path / "net.npz")
        model = load_model(tmp_path / "net.npz")
    plain = copy.deepcopy(model).set_params(virtual_adversarial=0)
    length = model.partial_fit(X, Y).virtual_adversarial_
    assert length > 0.0
    assert differ(model, plain.partial_fit(X, Y))
    monkeypatch.setattr("skdbn._dbn_base.try_step", None)  # nothing is tried again
    for y in (TRUTH, Y):
        assert model.partial_fit(X, y).virtual_adversarial_ == length


def test_rows_without_labels_count_beside_those_of_other_parts():
    models = []
    for weight, rate in ((3.0, 0.01), (1.0, 0.03)):  # what a weight of 3 is to plain descent
        model = net(solver="sgd", learning_rate_init=0.01, virtual_adversarial=1.0)
        model.partial_fit(X, Y).set_params(learning_rate_init=rate)
        models.append(model.partial_fit(X, Y, sample_weight=np.full(N, weight)))
    for one, other in zip(models[0].coefs_, models[1].coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_na_marks_rows_of_a_part():
    model = net(unlabeled=np.nan).partial_fit(X, NUMBERS, classes=[0, 1, 2])
    assert_same(model, net().partial_fit(X, Y))


def test_part_may_lack_classes(fitted):
    two = np.where(Y == 2, -1, Y)
    model = net().partial_fit(X, two, classes=[0, 1, 2]).partial_fit(X, Y)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    assert copy.deepcopy(fitted).partial_fit(X, two).n_iter_ == 4


@pytest.mark.parametrize(
    ("unlabeled", "y"),
    [MARKED[name] for name in ("of numpy", "between the classes", "name", "longer name", "nan")]
    + [MARKED[name] for name in ("number beside names", "nan beside names")]
    + [("?", objects(["?" if i < 0 else i for i in Y.tolist()]))],
)
def test_callbacks_get_the_labels_as_they_were_given(unlabeled, y):
    pytest.importorskip("sklearn.callback", reason="came with scikit-learn 1.9")

    class Labels(Listener):
        def on_fit_task_end(self, estimator, context, *, X=None, y=None):
            self.X, self.y = X, y

    listener = Labels()
    net(unlabeled=unlabeled).set_callbacks(listener).fit(X, y)
    np.testing.assert_array_equal(listener.X, X)
    assert listener.y.dtype.kind in (y.dtype.kind, "O")
    pd.testing.assert_series_equal(pd.Series(listener.y), pd.Series(y), check_dtype=False)


@pytest.mark.parametrize("name", ["float", "nan", "name", "None beside names"])
def test_saved_net_keeps_what_marks_rows_without_labels(name, tmp_path):
    unlabeled, y = MARKED[name]
    model = net(unlabeled=unlabeled, finetune_iter=9).partial_fit(X, y)
    save_model(model, tmp_path / "net.npz")
    for loaded in (load_model(tmp_path / "net.npz"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(loaded.unlabeled, unlabeled)
        assert_same(loaded, model)
        assert loaded.score(X, y) == model.score(X, y)
        assert_same(loaded.partial_fit(X, y), copy.deepcopy(model).partial_fit(X, y))


# -- within scikit-learn


def test_score_warns_of_labels_that_the_net_never_saw():
    rng = np.random.default_rng(0)
    y = np.repeat(np.array(["a", "b", "c"], object), 40)
    X = rng.normal(size=(120, 2)) + 3.0 * np.repeat(np.eye(3)[:, :2], 40, axis=0)
    y[np.arange(120) % 4 > 0] = None
    model = net(unlabeled=np.nan, virtual_adversarial=0)
    with pytest.warns(FewLabelsWarning, match=r"labels that no row had in fit: 'c'\. .*stratified"):
        model.fit(X[:80], y[:80]).score(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FewLabelsWarning)
        model.score(X[:80], y[:80])
        assert model.score(X, y, sample_weight=np.arange(120) < 80) == model.score(X[:80], y[:80])
        scores = cross_val_score(model, X, y, cv=KFold(3, shuffle=True, random_state=0))
        assert np.isfinite(scores).all()
        filled = np.where(y == None, "", y)  # noqa: E711
        cross_val_score(clone(model).set_params(unlabeled=""), X, filled, cv=3)


def test_cross_validation_scores_the_rows_with_labels():
    scores = cross_val_score(net(), X, Y, cv=3)
    expected = [
        net().fit(X[train], Y[train]).score(X[test][Y[test] >= 0], Y[test][Y[test] >= 0])
        for train, test in StratifiedKFold(3).split(X, Y)
    ]
    np.testing.assert_array_equal(scores, expected)


def test_grid_search_in_a_pipeline_scores_the_rows_with_labels():
    model = make_pipeline(StandardScaler(), net())
    search = GridSearchCV(model, {"dbnclassifier__virtual_adversarial": [0, "auto"]}, cv=2)
    search.fit(X, Y)
    assert 0.0 < search.best_score_ <= 1.0
    labelled = search.score(X[IS_LABELLED], Y[IS_LABELLED])
    assert search.score(X, Y) == labelled == search.best_estimator_.score(X, Y)


# -- what is learned


@pytest.mark.exhaustive
def test_rows_without_labels_tell_digits_apart(monkeypatch):
    monkeypatch.setattr("skdbn._dbn.N_STEPS_OF_TRIAL", N_STEPS_OF_TRIAL)
    X, X_test, y, y_test = load_digits()
    y = with_few_labels(y, 10)
    model = DBNClassifier(
        (60,), rbm=RBMTransformer(n_iter=5), finetune_iter=20, unlabeled=-1, random_state=0
    )
    accuracy, plain = (
        clone(model).set_params(virtual_adversarial=x).fit(X, y).score(X_test, y_test)
        for x in ("auto", 0)
    )
    assert accuracy > plain + 0.02


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", [0, 1])
def test_rows_without_labels_tell_two_moons_apart(seed):
    X, y = make_moons(200, noise=0.06, random_state=seed)
    model = DBNClassifier(
        (50, 50),
        pretrain=False,
        finetune_iter=600,
        learning_rate_init=0.1,
        noise=0.0,
        batch_size=100,
        unlabeled=-1,
        random_state=seed,
    )
    accuracy, plain = (
        clone(model).set_params(virtual_adversarial=x).fit(X, with_few_labels(y, 3)).score(X, y)
        for x in (0.3, 0)
    )
    assert accuracy > 0.97
    assert plain < 0.9


# -- what is refused


NO_LABEL = "has no row with a label and a weight above 0: unlabeled =="
NOTHING = np.full(N, -1)
ONE = np.where(np.arange(N) == 3, 1, -1)
LABELS = np.column_stack([TRUTH > 0, TRUTH > 1, X[:, 0] > 0]).astype(int)


@pytest.mark.parametrize(
    ("parameters", "fit", "message"),
    [
        ({}, lambda net: net.fit(X, NOTHING), f"^y {NO_LABEL} -1 .* Label some rows"),
        ({}, lambda net: net.fit(X, Y, X_val=X, y_val=NOTHING), f"^y_val {NO_LABEL} -1 "),
        (
            {},
            lambda net: net.fit(X, Y, X_val=X, y_val=Y, sample_weight_val=(Y < 0) * 1.0),
            f"^y_val {NO_LABEL} -1 ",
        ),
        ({}, lambda net: net.fit(X, Y).score(X, NOTHING), f"^y {NO_LABEL} -1 "),
        ({}, lambda net: net.partial_fit(X, NOTHING), f"^y {NO_LABEL} -1 "),
        (
            {},
            lambda net: net.partial_fit(X, Y).partial_fit(X[:5], NOTHING[:5]),
            f"^y {NO_LABEL} -1 ",
        ),
        ({}, lambda net: net.fit(X, Y, sample_weight=(Y < 0) * 1.0), f"^y {NO_LABEL} -1 "),
        (
            {"unlabeled": ""},
            lambda net: net.fit(X, NAMES[Y], sample_weight=(Y < 0) * 1.0),
            f"^y {NO_LABEL} '' ",
        ),
        ({}, lambda net: net.fit(X, ONE), r"^y has only one class, 1, .*at least two classes"),
        (
            {},
            lambda net: net.partial_fit(X, ONE),
            "^y has only one class, 1, .*first call: partial_fit.*classes=",
        ),
        (
            {},
            lambda net: net.partial_fit(X, Y, classes=[-1, 0, 1, 2]),
            "^classes contains -1, the value of unlabeled, which .* Leave it out",
        ),
        (
            {"unlabeled": ""},
            lambda net: net.partial_fit(X, NAMES[Y], classes=NAMES),
            "^classes contains '', the value of unlabeled",
        ),
        (
            {"unlabeled": np.nan},
            lambda net: net.partial_fit(X, MARKED["nan"][1], classes=[0, 1, 2, np.nan]),
            "^classes contains nan, the value of unlabeled",
        ),
        ({}, lambda net: net.fit(X, LABELS), r"^unlabeled == -1 needs one class per row"),
        (
            {},
            lambda net: net.fit(X, csr_matrix(LABELS)),
            r"^unlabeled == -1 .* y has shape \(90, 3\). Set unlabeled=None",
        ),
        (
            {"unlabeled": None, "virtual_adversarial": 0.5},
            lambda net: net.fit(X, LABELS),
            r"^virtual_adversarial == 0.5 needs one class per row, .* Set virtual_adversarial=0",
        ),
        ({"virtual_adversarial": -0.5}, lambda net: net.fit(X, Y), "virtual_adversarial == -0.5"),
        (
            {"virtual_adversarial": "half"},
            lambda net: net.fit(X, Y),
            "^virtual_adversarial == 'half', must be one of: 'auto'",
        ),
        ({"virtual_adversarial": np.nan}, lambda net: net.fit(X, Y), "must be finite"),
        ({"virtual_adversarial": np.inf}, lambda net: net.fit(X, Y), "must be finite"),
        (
            {"early_stopping": True},
            lambda net: net.fit(X, np.where(np.arange(N) < 3, [0, 1, 1] * 30, -1)),
            "cannot hold out some of 3 rows with a label: .* Pass more rows",
        ),
    ],
)
def test_what_cannot_be_learned_is_refused_with_a_sentence(parameters, fit, message):
    with pytest.raises(ValueError, match=message):
        fit(net(**parameters))


@pytest.mark.parametrize(
    "unlabeled",
    [[-1], np.array([-1]), (None, -1), {-1}, {-1: 0}, True, np.False_, pd.NA, object(), 1j, b"?"],
    ids=lambda marker: type(marker).__name__,
)
@pytest.mark.parametrize("way", ["fit", "partial_fit"])
def test_marker_must_be_a_number_or_a_string(unlabeled, way):
    message = r"(?s)^unlabeled == .* must be the value of y .* -1, a string, or float\('nan'\)"
    with pytest.raises(TypeError, match=message):
        getattr(net(unlabeled=unlabeled), way)(X, Y)


def test_length_of_a_step_must_be_a_number_or_auto():
    with pytest.raises(TypeError, match="virtual_adversarial"):
        net(virtual_adversarial=None).fit(X, Y)


def test_labels_take_auto_where_rows_may_have_several():
    plain = net(unlabeled=None, virtual_adversarial=0).fit(X, LABELS)
    assert_same(net(unlabeled=None).fit(X, LABELS), plain)


def test_tag_says_whether_rows_may_have_several_labels():
    for unlabeled, may_have in ((None, True), (-1, False), (np.nan, False)):
        tags = get_tags(net(unlabeled=unlabeled)).classifier_tags
        assert tags.multi_label is may_have


def test_net_that_refuses_is_as_before(fitted):
    model = copy.deepcopy(fitted)
    with pytest.raises(ValueError, match="no row with a label"):
        model.fit(X, NOTHING)
    assert_same(model, fitted)
