"""The regressor."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.metrics import (
    mean_absolute_error,
    mean_poisson_deviance,
    mean_squared_error,
    r2_score,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdbn import DBNRegressor, NotConvergedWarning, RBMTransformer
from skdbn._dbn_regressor import HEADS_OF_LOSSES

pytestmark = pytest.mark.filterwarnings(  # most trainings here are short on purpose
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)
RNG = np.random.default_rng(0)


def curve(X):
    """A function that no line comes near."""
    return np.sin(2.0 * X[:, 0]) + X[:, 1] ** 2


X, X_TEST = RNG.normal(size=(2, 300, 4))
Y, Y_TEST = curve(X) + 0.1 * RNG.normal(size=300), curve(X_TEST)
COUNTS = RNG.poisson(np.exp(0.5 * X[:, 0] + 0.5)).astype(float)
BOTH = np.column_stack([Y, 1e6 - 1e3 * X[:, 2]])
HELD_OUT = {"X_val": X_TEST, "y_val": Y_TEST}


def make_net(**parameters):
    """A net that is fitted in no time."""
    quick = {"rbm": RBMTransformer(n_iter=2), "output_iter": 2, "finetune_iter": 3}
    return DBNRegressor(**{"hidden_layer_sizes": (9, 7), "random_state": 0, **quick, **parameters})


def make_learner(**parameters):
    """A net that learns in a second."""
    quick = {"pretrain": False, "finetune_iter": 60, "noise": 0.0, "learning_rate_init": 0.01}
    return DBNRegressor(**{"hidden_layer_sizes": (30,), "random_state": 0, **quick, **parameters})


def assert_same_network(one, other):
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b)


# -- what training learns


def test_defaults_learn_a_curve_that_no_line_comes_near_and_warn_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = DBNRegressor(random_state=0).fit(X, Y)
    assert Ridge().fit(X, Y).score(X_TEST, Y_TEST) < 0.1
    assert net.score(X_TEST, Y_TEST) > 0.8
    assert net.score(X, Y) == r2_score(Y, net.predict(X))
    assert net.loss_curve_[-1] < net.loss_curve_[0]
    assert net.output_loss_curve_[-1] < net.output_loss_curve_[0]
    assert len(net.output_loss_curve_) == 10
    assert [machine.n_iter_ for machine in net.rbms_] == [30]


@pytest.mark.parametrize("loss", HEADS_OF_LOSSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loss_curve_ends_at_the_metric_of_its_loss_in_units_of_the_target(loss, dtype):
    # One pass over one minibatch looks at the rows before it moves the weights.
    options = {"loss": loss, "noise": 0.0, "batch_size": 300, "pretrain": False}
    before = make_net(**options, output_iter=0, finetune_iter=0).fit(X.astype(dtype), COUNTS)
    net = clone(before).set_params(finetune_iter=1).fit(X.astype(dtype), COUNTS)
    metric = {
        "squared_error": lambda *pair: 0.5 * mean_squared_error(*pair),
        "absolute_error": mean_absolute_error,
        "poisson": lambda *pair: 0.5 * mean_poisson_deviance(*pair),
    }[loss]
    expected = metric(COUNTS, before.predict(X.astype(dtype)))
    expected /= net.target_scale_[0] ** (2 if loss == "squared_error" else 1)
    np.testing.assert_allclose(net.loss_curve_, [expected], rtol=1e-4)


def test_every_loss_is_lowest_for_the_net_that_minimizes_it():
    y = np.exp(0.7 * X[:, 0] + RNG.normal(size=300))  # skewed: mean and median are apart
    predictions = {
        loss: make_learner(loss=loss, finetune_iter=30).fit(X, y).predict(X)
        for loss in ("squared_error", "absolute_error")
    }
    for metric, loss in (
        (mean_squared_error, "squared_error"),
        (mean_absolute_error, "absolute_error"),
    ):
        assert min(predictions, key=lambda name: metric(y, predictions[name])) == loss


def test_absolute_error_predicts_medians_and_squared_error_means():
    # Nothing can be learned from X; the mean of such targets is 1 and their median log 2.
    data, y = np.zeros((400, 2)), -np.log(1.0 - (np.arange(400) + 0.5) / 400)
    options = {"finetune_iter": 30, "learning_rate_init": 0.003}
    median = make_learner(loss="absolute_error", **options).fit(data, y).predict(data[:1])[0]
    mean = make_learner(**options).fit(data, y).predict(data[:1])[0]
    assert abs(median - np.median(y)) < 0.05
    assert abs(mean - y.mean()) < 0.05


def test_a_few_wild_targets_hardly_move_what_absolute_error_learns():
    wild = Y.copy()
    wild[::30] = 100.0
    scores = {
        loss: make_learner(loss=loss).fit(X, wild).score(X_TEST, Y_TEST)
        for loss in ("squared_error", "absolute_error")
    }
    assert scores["absolute_error"] > 0.6
    assert scores["squared_error"] < 0.0


@pytest.mark.parametrize("outlier", [1e4, 1e16, 1e36])
def test_scale_of_targets_ignores_a_value_that_stands_for_missing(outlier):
    rng = np.random.default_rng(0)
    most = np.where(rng.random(300) < 0.08, rng.normal(size=300), 0.0)
    for y in (200.0 * Y, most):
        wild = y.copy()
        wild[5] = outlier
        nets = [
            make_learner(loss="absolute_error", finetune_iter=2).fit(X, targets)
            for targets in (y, wild)
        ]
        plain, other = nets
        assert other.target_scale_ == pytest.approx(plain.target_scale_, rel=1.0)
        assert abs(other.predict(X)).max() < 10.0 * abs(y).max()


def test_wild_target_does_not_drown_the_others_in_the_loss_of_held_out_rows():
    wild = Y_TEST.copy()
    wild[0] = 1e12
    x, x_val = X.astype(np.float32), X_TEST.astype(np.float32)
    net = make_learner(loss="absolute_error", finetune_iter=5).fit(x, Y, X_val=x_val, y_val=wild)
    assert (np.diff(net.validation_loss_curve_) != 0.0).all()


@pytest.mark.parametrize("outlier", [1e25, 1e39, 1e150])
def test_wild_target_is_learned_and_scored_in_single_precision(outlier):
    wild, wild_val = Y.copy(), Y_TEST.copy()
    wild[3] = wild_val[5] = outlier
    exact, rounded = (
        make_learner(loss="absolute_error", finetune_iter=3).fit(
            X.astype(kind), wild, X_val=X_TEST.astype(kind), y_val=wild_val
        )
        for kind in (np.float64, np.float32)
    )
    assert rounded.validation_scores_ == pytest.approx(exact.validation_scores_)
    np.testing.assert_allclose(rounded.predict(X_TEST), exact.predict(X_TEST), atol=0.2)


def test_poisson_predicts_positive_means_of_counts():
    net = make_learner(loss="poisson", finetune_iter=20).fit(X, COUNTS)
    predicted = net.predict(10.0 * X_TEST.clip(-0.3, 0.3))
    assert predicted.min() > 0.0
    expected = np.exp(0.5 * X_TEST[:, 0] + 0.5)
    deviance = mean_poisson_deviance(expected, net.predict(X_TEST))
    assert deviance < 0.5 * mean_poisson_deviance(expected, np.full(300, COUNTS.mean()))
    np.testing.assert_array_equal(net.target_offset_, [0.0])
    np.testing.assert_allclose(net.target_scale_, [COUNTS.mean()])


# -- targets


@pytest.mark.parametrize("loss", HEADS_OF_LOSSES)
@pytest.mark.parametrize(("factor", "shift"), [(1e6, 3e6), (1e-6, -2e-6), (1e140, 0.0)])
def test_scale_of_the_target_does_not_matter(loss, factor, shift):
    y = Y
    if loss == "poisson":
        y, shift = COUNTS, 0.0
    plain = make_net(loss=loss).fit(X, y)
    net = make_net(loss=loss).fit(X, factor * y + shift)
    expected = factor * plain.predict(X) + shift
    np.testing.assert_allclose(net.predict(X), expected, rtol=0, atol=1e-6 * factor * y.std())
    np.testing.assert_allclose(net.loss_curve_, plain.loss_curve_, rtol=1e-6)
    np.testing.assert_allclose(net.target_scale_, factor * plain.target_scale_, rtol=1e-10)


def test_target_scale_is_that_of_the_weighted_rows():
    weight = RNG.integers(1, 4, 300)
    net = make_net().fit(X, Y, sample_weight=weight)
    repeated = np.repeat(Y, weight)
    np.testing.assert_allclose(net.target_offset_, [repeated.mean()])
    np.testing.assert_allclose(net.target_scale_, [repeated.std()])


@pytest.mark.parametrize("factor", [8e307, 1e-300])
def test_weights_of_any_size_are_those_of_the_rows(factor):
    weight = RNG.integers(0, 3, 300)
    nets = [make_net().fit(X, Y, sample_weight=w) for w in (weight, factor * weight)]
    np.testing.assert_allclose(nets[0].target_scale_, nets[1].target_scale_, rtol=1e-12)
    np.testing.assert_allclose(nets[0].predict(X), nets[1].predict(X), rtol=1e-6)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_several_targets_are_learned_side_by_side(loss):
    net = make_learner(loss=loss).fit(X, BOTH)
    predicted = net.predict(X_TEST)
    assert predicted.shape == (300, 2)
    expected = np.column_stack([Y_TEST, 1e6 - 1e3 * X_TEST[:, 2]])
    assert r2_score(expected, predicted, multioutput="raw_values").min() > 0.7


def test_column_of_targets_is_a_vector_of_them():
    one, other = make_net().fit(X, Y), make_net().fit(X, Y[:, None])
    assert_same_network(one, other)
    assert other.predict(X).shape == (300,)


@pytest.mark.parametrize(
    "container", [list, pd.Series, pd.DataFrame, lambda y: csr_matrix(y[:, None])]
)
def test_targets_of_every_container_give_the_same_network(container):
    assert_same_network(make_net().fit(X, container(Y)), make_net().fit(X, Y))


@pytest.mark.exhaustive
@pytest.mark.parametrize("loss", HEADS_OF_LOSSES)
@pytest.mark.parametrize("value", [3.1, 1e6, 1e-6])
def test_target_that_is_the_same_in_all_rows_is_predicted_and_warns_of_nothing(loss, value):
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotConvergedWarning)
        net = make_learner(loss=loss).fit(X, np.full(300, value))
    assert (net.predict(X_TEST) == value).all()


def test_target_that_varies_by_rounding_alone_does_not_vary():
    y = np.where(np.arange(300) % 3, 0.3, 0.1 + 0.2)
    assert y.std() > 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotConvergedWarning)
        net = make_learner(loss="absolute_error").fit(X, y)
    np.testing.assert_allclose(net.target_scale_, 0.3)


@pytest.mark.parametrize("loss", HEADS_OF_LOSSES)
@pytest.mark.parametrize("weight", [None, np.random.default_rng(0).uniform(0.1, 3.0, 300)])
def test_one_target_that_does_not_vary_leaves_the_other_one_as_learnable(loss, weight):
    positive = Y - Y.min()
    net = make_learner(loss=loss).fit(X, np.column_stack([positive, np.full(300, 0.1)]), weight)
    first, second = net.predict(X_TEST).T
    assert r2_score(Y_TEST - Y.min(), first) > 0.7
    assert (second == 0.1).all()  # of an error of 1e-9, R^2 would make -1e8


def test_target_that_does_not_vary_in_the_first_part_is_learned_from_the_next_ones():
    net = make_learner(learning_rate="constant", learning_rate_init=1e-2)
    net.partial_fit(X[:50], np.full(50, 2.0))
    assert (net.predict(X_TEST) == 2.0).all()
    for _ in range(100):
        net.partial_fit(X, Y)
    assert net.score(X_TEST, Y_TEST) > 0.7


@pytest.mark.parametrize(
    ("options", "y", "message"),
    [
        ({}, np.where(Y > 2, np.nan, Y), r"^y has a missing value \(NaN or None\) in row"),
        ({}, np.where(BOTH > 2, np.nan, BOTH), r"^y has a missing value \(NaN or None\) in row"),
        ({}, np.where(BOTH > 2, None, BOTH), r"^y has a missing value \(NaN or None\) in row"),
        ({}, np.where(Y > 2, np.inf, Y), "Input y contains infinity"),
        ({}, Y[:299], r"inconsistent numbers of samples: \[300, 299\]"),
        ({}, np.where(Y > 2, "high", "low"), "y has text, 'low'. Pass numbers"),
        ({}, None, "requires y to be passed"),
        ({}, 1e155 * Y, r"^y has values as large as \d.*e\+155, whose squares .* Divide"),
        ({}, np.datetime64("2020-01-01") + np.arange(300), "^y holds dates or time spans. Pass"),
        ({}, np.arange(300).astype("m8[D]"), "^y holds dates or time spans"),
        ({"loss": "poisson"}, Y, r"^y has the value -\d.*, but loss == 'poisson' allows no neg"),
        ({"loss": "poisson"}, -COUNTS, r"^y has the value -\d.* Set loss='squared_error'"),
        ({"loss": "poisson"}, 0.0 * Y, r"^y is 0 in every row, but loss == 'poisson' needs"),
    ],
)
def test_targets_that_cannot_be_learned_are_refused(options, y, message):
    net = make_net(**options)
    with pytest.raises(ValueError, match=message):
        net.fit(X, y)
    with pytest.raises(NotFittedError):
        net.predict(X)


@pytest.mark.parametrize(
    ("options", "y_val", "message"),
    [
        ({}, np.column_stack([Y, Y]), "y_val has 2 targets, but y has 1"),
        ({"loss": "poisson"}, -COUNTS, r"^y_val has the value -"),
        ({}, np.where(Y > 2, np.nan, Y), r"^y_val has a missing value"),
        ({}, None, "Only one of X_val and y_val is given"),
    ],
)
def test_held_out_targets_that_cannot_be_compared_are_refused(options, y_val, message):
    with pytest.raises(ValueError, match=message):
        make_net(**options).fit(X, COUNTS, X_val=X_TEST, y_val=y_val)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"loss": "huber"}, r"loss == 'huber', must be one of: 'squared_error', 'absolute_error'"),
        (
            {"early_stopping": "score"},
            r"early_stopping == 'score', must be True or False or 'loss'",
        ),
        ({"output_iter": -1}, r"output_iter == -1, must be >= 0"),
        ({"alpha": -0.1}, r"alpha == -0.1, must be >= 0"),
        ({"noise": "much"}, r"noise == 'much', must be one of: 'auto'"),
    ],
)
def test_wrong_parameter_is_named_with_what_is_allowed(parameters, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_net(**parameters).fit(X, Y)


# -- early stopping, warm start


@pytest.mark.parametrize("loss", HEADS_OF_LOSSES)
@pytest.mark.parametrize("held_out", [{}, {"X_val": X_TEST, "y_val": COUNTS[::-1]}])
def test_early_stopping_keeps_the_pass_of_the_lowest_held_out_loss(loss, held_out):
    options = {"early_stopping": True, "n_iter_no_change": 3, "learning_rate_init": 0.05}
    net = make_net(loss=loss, learning_rate="constant", finetune_iter=20, **options)
    net.fit(X, COUNTS, **held_out)
    losses = net.validation_loss_curve_
    assert len(losses) == len(net.validation_scores_) == net.n_iter_
    assert net.best_validation_loss_ == min(losses)
    assert np.argmin(losses) < len(losses) - 1  # else the test could not tell
    assert not hasattr(net, "best_validation_score_")
    if held_out:
        metric = {
            "squared_error": lambda *pair: 0.5 * mean_squared_error(*pair),
            "absolute_error": mean_absolute_error,
            "poisson": lambda *pair: 0.5 * mean_poisson_deviance(*pair),
        }[loss]
        expected = metric(held_out["y_val"], net.predict(X_TEST))
        expected /= net.target_scale_[0] ** (2 if loss == "squared_error" else 1)
        np.testing.assert_allclose(net.best_validation_loss_, expected, rtol=1e-6)
        score = net.validation_scores_[int(np.argmin(losses))]
        np.testing.assert_allclose(score, net.score(X_TEST, held_out["y_val"]), rtol=1e-6)


def test_held_out_rows_change_nothing_without_early_stopping():
    net = make_net().fit(X, Y, **HELD_OUT)
    assert len(net.validation_loss_curve_) == len(net.validation_scores_) == 3
    np.testing.assert_allclose(net.validation_scores_[-1], net.score(X_TEST, Y_TEST), rtol=1e-6)
    assert_same_network(net, make_net().fit(X, Y))
    assert not hasattr(make_net().fit(X, Y), "validation_loss_curve_")


def test_warm_start_goes_on_with_the_network_and_the_scale_of_its_targets():
    net = make_net(warm_start=True).fit(X, Y)
    machines, offset, losses = net.rbms_, net.target_offset_, list(net.loss_curve_)
    net.fit(X[:200], Y[:200] + 0.1)
    assert all(one is other for one, other in zip(net.rbms_, machines, strict=True))
    assert net.target_offset_ is offset
    assert net.n_iter_ == len(net.loss_curve_) == 6
    assert net.loss_curve_[:3] == losses
    assert net.loss_curve_[3] < losses[0]
    assert_same_network(make_net().fit(X, Y).fit(X, Y), make_net().fit(X, Y))


def test_warm_start_refuses_other_targets_losses_and_layers():
    net = make_net(warm_start=True).fit(X, Y)
    with pytest.raises(
        ValueError, match=r"'squared_error' and 1 targets, not .* and 2\. .* call set_params"
    ):
        net.fit(X, BOTH)
    with pytest.raises(
        ValueError, match=r"has loss == 'squared_error' .* not 'poisson' and 1\. To"
    ):
        net.set_params(loss="poisson").fit(X, COUNTS)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes == \(5,\), but .* \(9, 7\)"):
        net.set_params(loss="squared_error", hidden_layer_sizes=(5,)).fit(X, Y)


# -- input, and what scikit-learn does with it


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_computation_keeps_the_dtype_and_predictions_are_float64(dtype):
    net = make_net().fit(X.astype(dtype), Y)
    assert {array.dtype for array in net.coefs_ + net.intercepts_} == {np.dtype(dtype)}
    assert {machine.components_.dtype for machine in net.rbms_} == {np.dtype(dtype)}
    assert net.transform(X.astype(dtype)).dtype == dtype
    assert net.predict(X.astype(dtype)).dtype == np.float64


def test_targets_far_from_zero_keep_their_digits_in_float32():
    # In float32 numbers near 1e9 are 64 apart.
    net = make_learner().fit(X.astype(np.float32), 1e9 + Y)
    assert net.score(X_TEST.astype(np.float32), 1e9 + Y_TEST) > 0.7


@pytest.mark.parametrize("container", [csr_matrix, pd.DataFrame, np.asfortranarray])
def test_every_container_gives_the_same_network(container):
    net, expected = make_net().fit(container(X), Y), make_net().fit(X, Y)
    assert_same_network(net, expected)
    np.testing.assert_allclose(net.predict(container(X_TEST)), expected.predict(X_TEST), rtol=1e-6)


def test_prediction_is_that_of_the_network_written_out():
    net = make_net(pretrain=False).fit(X, BOTH)
    h = (np.clip(X, *net._limits) - net.offset_) / net.scale_
    for coef, intercept in zip(net.coefs_[:-1], net.intercepts_[:-1], strict=True):
        h = 1.0 / (1.0 + np.exp(-(h @ coef + intercept)))
    np.testing.assert_allclose(net.transform(X), h, rtol=1e-10)
    output = h @ net.coefs_[-1] + net.intercepts_[-1]
    expected = output * net.target_scale_ + net.target_offset_
    np.testing.assert_allclose(net.predict(X), expected, rtol=1e-10)


def test_grid_search_and_pipeline_choose_the_net_that_learns():
    pipeline = make_pipeline(StandardScaler(), make_learner())
    grid = {"dbnregressor__finetune_iter": [0, 60]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, Y)
    assert search.best_params_ == {"dbnregressor__finetune_iter": 60}
    assert search.score(X_TEST, Y_TEST) > 0.6


def test_template_is_searched_and_cloned():
    net = make_net().set_params(rbm__learning_rate=0.02, rbm__n_iter=1)
    assert clone(net).get_params()["rbm__learning_rate"] == 0.02
    assert [machine.n_iter_ for machine in net.fit(X, Y).rbms_] == [1, 1]


def test_same_seed_gives_the_same_network_and_another_seed_another():
    net = make_net().fit(X, Y)
    assert_same_network(net, make_net().fit(X, Y))
    assert (make_net(random_state=1).fit(X, Y).coefs_[0] != net.coefs_[0]).any()


def test_verbose_prints_a_line_for_each_pass_of_each_phase(capsys):
    make_net(verbose=1).fit(X, Y, **HELD_OUT)
    out = capsys.readouterr().out
    assert "[DBNRegressor] output: pass 2 of 2: loss " in out
    assert out.count("[DBNRegressor] finetune: pass ") == 3
    assert out.count("validation score") == 3


# -- targets of every kind


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_targets_that_begin_with_zeros_alone_are_learned_later(loss):
    net = DBNRegressor((9,), loss=loss, pretrain=False, finetune_iter="auto", random_state=0)
    net.partial_fit(X, 0.0 * Y)
    np.testing.assert_array_equal(net.target_scale_, [1.0])
    for _ in range(30):
        net.partial_fit(X, Y)
    assert net.score(X, Y) > 0.2


def test_small_differences_between_large_targets_are_learned():
    shifted = 1e9 + 0.01 * Y
    net, plain = (make_learner().fit(X, y) for y in (shifted, Y))
    assert net.score(X, shifted) == pytest.approx(plain.score(X, Y), abs=0.01)


@pytest.mark.parametrize("outlier", [1e4, 1e8])
def test_absolute_error_ignores_how_far_outliers_are(outlier):
    spoilt = np.where(np.arange(len(Y)) % 50 == 0, outlier, Y)
    clean = np.arange(len(Y)) % 50 != 0
    net = make_learner(loss="absolute_error").fit(X, spoilt)
    assert net.score(X[clean], Y[clean]) > 0.8
