"""Weights of rows and of classes: a row of weight 2 is two rows, exactly where nothing is drawn."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from oracles import visible_distribution
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, recall_score
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from skdbn import DBNClassifier, DBNRegressor, RBMTransformer
from skdbn._dbn_regressor import HEADS_OF_LOSSES
from skdbn._learners import HEAVIEST, MachineLearner, NetworkLearner, _light_visits
from skdbn._maths.engines import ENGINES
from skdbn._maths.gradients import GRADIENTS
from skdbn._maths.heads import HEADS
from skdbn._maths.network import Network
from skdbn._maths.optimizers import OPTIMIZERS
from skdbn._maths.units import UNITS
from skdbn._training.rows import that_count
from skdbn.datasets import load_digits

# Trainings of a pass or two have learned little.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::skdbn.{category}")
    for category in ("HiddenUnitsWarning", "NotConvergedWarning")
]
RNG = np.random.default_rng(0)
N = 40
WEIGHT = RNG.integers(0, 4, N)
WEIGHT_VAL = RNG.integers(0, 4, N)
BINARY = (RNG.uniform(size=(N, 4)) < [0.2, 0.5, 0.7, 0.4]).astype(float)
MEASURED = RNG.normal(size=(N, 3)) * [1.0, 20.0, 1e4] + [0.0, 300.0, -5e4]
MEASURED[5], MEASURED[11], WEIGHT[5], WEIGHT[11] = [900.0, -4e4, 1e7], [-50.0, 9e3, -9e6], 2, 3
WEIGHT_VAL[[-6, -12]] = 0  # of the same rows, last ones first
TABLES = {"binary": BINARY, "gaussian": MEASURED, "mixed": np.hstack([MEASURED, BINARY])}
TARGETS = {
    "softmax": RNG.integers(3, size=N),
    "logistic": (RNG.uniform(size=(N, 3)) < 0.4).astype(int),
    "linear": RNG.normal(size=(N, 2)) * [1.0, 1e6] + [5.0, 2e6],
    "absolute": RNG.normal(size=(N, 2)) * [1.0, 1e6] + [5.0, 2e6],
    "poisson": RNG.poisson(3.0, size=N).astype(float),
}
WRONG = {
    "negative": (np.where(np.arange(N) == 3, -1.0, 1.0), r"negative in row 3 .*-1.*not negative"),
    "nan": (np.where(np.arange(N) == 4, np.nan, 1.0), "not finite in row 4"),
    "infinite": (np.where(np.arange(N) == 4, np.inf, 1.0), "not finite in row 4"),
    "short": (np.ones(N - 1), r"shape \(39,\), must have one weight for each row .*\(40,\)"),
    "column": (np.ones((N, 1)), r"shape \(40, 1\), must have one weight for each row"),
    "zero": (np.zeros(N), "zero in every row"),
}


def repeated(weight, *arrays):
    return [np.repeat(array, weight, axis=0) for array in arrays]


def machine(**parameters):
    quick = {"n_iter": 3, "batch_size": 10**6, "learning_rate": 0.05, "random_state": 0}
    return RBMTransformer(5, **{**quick, **parameters})


def net(head, **parameters):
    """A net of each kind that makes full-batch steps without noise."""
    quick = {"noise": 0.0, "finetune_iter": 3, "batch_size": 10**6, "random_state": 0}
    parameters = {**quick, "rbm": machine(), **parameters}
    for loss, its_head in HEADS_OF_LOSSES.items():
        if head == its_head:
            return DBNRegressor((6, 5), **{"loss": loss, "output_iter": 3, **parameters})
    return DBNClassifier((6, 5), **{"softmax_iter": 3, **parameters})


def numbers_of(model):
    """All numbers that training left, but the chains, of which there is one for each row."""
    result = {}
    for name, value in vars(model).items():
        if name == "rbms_":
            for i, rbm in enumerate(value):
                result.update({f"{i} {key}": array for key, array in numbers_of(rbm).items()})
        elif name in ("coefs_", "intercepts_"):
            result.update({f"{name} {i}": array for i, array in enumerate(value)})
        elif name in model._fitted and name.endswith("_") and name != "h_samples_":
            result[name] = np.asarray(value)
    return {name: array for name, array in result.items() if array.dtype.kind in "fiu"}


def assert_agree(one, other, rtol=1e-8, atol=1e-10):
    one, other = numbers_of(one), numbers_of(other)
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], rtol=rtol, atol=atol, err_msg=name)


def assert_same(one, other):
    assert_agree(one, other, rtol=0.0, atol=0.0)


@pytest.fixture
def nothing_is_drawn(monkeypatch):
    """Let states of units be their means, so that repeated rows have the same states."""

    def mean(self, mean, out=None):
        if out is None:
            return mean.copy()
        out[...] = mean
        return out

    for units in UNITS.values():
        monkeypatch.setattr(units, "sample", mean)


# -- exact: a row of weight 2 is two rows


def test_median_of_targets_is_that_of_repeated_rows_where_two_values_tie():
    passes = {"pretrain": False, "output_iter": 0, "finetune_iter": 0}
    model = DBNRegressor((2,), loss="absolute_error", random_state=0, **passes)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(5, 60))
        X, y, weight = rng.normal(size=(n, 1)), rng.normal(size=n), rng.integers(1, 4, n)
        models = [
            clone(model).fit(X, y, **weights)
            for X, y, weights in (
                (*repeated(weight, X, y), {}),
                (X, y, {"sample_weight": weight}),
                (X, y, {"sample_weight": 0.1 * weight}),
            )
        ]
        of_rows, of_weights, of_tenths = (model.target_offset_ for model in models)
        np.testing.assert_allclose(of_weights, of_rows, rtol=1e-12, err_msg=f"seed {seed}")
        np.testing.assert_allclose(of_tenths, of_rows, rtol=1e-12, err_msg=f"seed {seed}")


@pytest.mark.usefixtures("nothing_is_drawn")
@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("hidden_units", UNITS)
@pytest.mark.parametrize("centering", [False, True])
def test_machine_learns_from_weights_what_it_learns_from_repeated_rows(
    gradient, table, hidden_units, centering
):
    X, X_val = TABLES[table], TABLES[table][::-1] * 0.9
    rbm = machine(gradient=gradient, hidden_units=hidden_units, n_gibbs_steps=2)
    rbm.set_params(learning_rate=0.01, centering=centering)
    weighted = clone(rbm).fit(X, sample_weight=WEIGHT, X_val=X_val, sample_weight_val=WEIGHT_VAL)
    rows, held_out = *repeated(WEIGHT, X), *repeated(WEIGHT_VAL, X_val)
    assert_agree(weighted, clone(rbm).fit(rows, X_val=held_out))
    plain = clone(rbm).fit(X, X_val=X_val, sample_weight_val=WEIGHT_VAL > 0)
    for name, array in numbers_of(weighted).items():  # or the test shows nothing
        if name in ("components_", "intercept_visible_", "loss_curve_", *HELD_OUT):
            assert not np.allclose(array, numbers_of(plain)[name], rtol=1e-6, atol=0.0), name


HELD_OUT = ("validation_loss_curve_", "free_energy_gap_curve_")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scale_of_columns_is_that_of_repeated_rows_on_tables_with_outliers(dtype):
    # Heavy tails, and numbers of rows of which a tail is a whole number: sums of weights are
    # rounded there.
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(10, 60))
        X, weight = rng.standard_cauchy((n, 4)).astype(dtype), rng.integers(1, 4, n)
        rbm = RBMTransformer(2, n_iter=0, random_state=0)
        expected = clone(rbm).fit(*repeated(weight, X))
        for factor in (1.0, 0.1, 1 / 7, 1e300):
            fitted = clone(rbm).fit(X, sample_weight=weight * factor)
            for name in ("offset_", "scale_", "_limits"):
                np.testing.assert_allclose(
                    getattr(fitted, name), getattr(expected, name), rtol=1e-4, atol=1e-4
                )


def test_scale_of_many_rows_is_the_weighted_mean_and_deviation():
    X = np.random.default_rng(0).uniform(-1.0, 1.0, size=(3000, 2))  # some blocks of rows
    weight = np.where(np.arange(3000) > 2000, 5.0, 1.0) * (1.5 + X[:, 0])
    rbm = RBMTransformer(2, n_iter=0).fit(X, sample_weight=weight)
    mean = np.average(X, axis=0, weights=weight)
    variance = np.average((X - mean) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(rbm.offset_, mean, rtol=1e-10)
    np.testing.assert_allclose(rbm.scale_, np.sqrt(variance), rtol=1e-10)


def test_scale_of_columns_is_that_of_the_mirrored_table():
    for seed in range(20):
        X = np.random.default_rng(seed).standard_cauchy((20 + seed, 4))
        rbm, mirrored = (RBMTransformer(2, n_iter=0).fit(table) for table in (X, -X))
        np.testing.assert_allclose(rbm.scale_, mirrored.scale_)
        np.testing.assert_allclose(rbm.offset_, -mirrored.offset_)


@pytest.mark.usefixtures("nothing_is_drawn")
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("pretrain", [True, False])
def test_net_learns_from_weights_what_it_learns_from_repeated_rows(head, pretrain):
    X, y = TABLES["mixed"], TARGETS[head]
    X_val, y_val = X[::-1] * 0.9, y[::-1]
    model = net(head, pretrain=pretrain, adversarial=0.1, alpha=0.01)
    if hasattr(model, "label_smoothing"):
        model.set_params(label_smoothing=0.1)
    weighted = clone(model).fit(
        X, y, sample_weight=WEIGHT, X_val=X_val, y_val=y_val, sample_weight_val=WEIGHT_VAL
    )
    X_val, y_val = repeated(WEIGHT_VAL, X_val, y_val)
    expected = clone(model).fit(*repeated(WEIGHT, X, y), X_val=X_val, y_val=y_val)
    assert_agree(weighted, expected, rtol=1e-6, atol=1e-8)
    kinds = ("coefs_", "loss_curve_", "_loss_curve_", "validation_scores_")
    known, plain = (
        0,
        clone(model).fit(
            X, y, X_val=X[::-1] * 0.9, y_val=y[::-1], sample_weight_val=WEIGHT_VAL > 0
        ),
    )
    plain = numbers_of(plain)
    for name, array in numbers_of(weighted).items():
        if any(kind in name for kind in kinds) and not name.endswith("units_curve_"):
            known += not np.allclose(array, plain[name], rtol=1e-5, atol=0.0)
    assert known > 6


@pytest.mark.usefixtures("nothing_is_drawn")
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_top_layer_learns_from_weights_what_it_learns_from_repeated_rows(head, solver):
    X, y = TABLES["mixed"], TARGETS[head]
    model = net(head, finetune_iter=0, pretrain=False, solver=solver)
    weighted, expected, plain = (
        clone(model).fit(X, y, sample_weight=WEIGHT),
        clone(model).fit(*repeated(WEIGHT, X, y)),
        clone(model).fit(X, y),
    )
    assert_agree(weighted, expected, rtol=1e-6, atol=1e-8)
    assert not np.allclose(weighted.coefs_[-1], plain.coefs_[-1], rtol=1e-4)


@pytest.mark.usefixtures("nothing_is_drawn")
@pytest.mark.parametrize("head", HEADS)
def test_partial_fit_learns_from_weights_what_it_learns_from_repeated_rows(head):
    X, y = TABLES["mixed"], TARGETS[head]
    weighted, expected = net(head), net(head)
    for weight in (WEIGHT, WEIGHT[::-1]):
        weighted.partial_fit(X, y, sample_weight=weight)
        expected.partial_fit(*repeated(weight, X, y))
    assert_agree(weighted, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.usefixtures("nothing_is_drawn")
@pytest.mark.parametrize("gradient", GRADIENTS)
def test_partial_fit_of_a_machine_learns_from_weights_what_it_learns_from_repeats(gradient):
    X = TABLES["mixed"]
    weighted, expected = (machine(gradient=gradient, learning_rate=0.01) for _ in range(2))
    for weight in (WEIGHT, WEIGHT[::-1]):
        weighted.partial_fit(X, sample_weight=weight)
        expected.partial_fit(*repeated(weight, X))
    assert_agree(weighted, expected)


# -- what changes nothing

MODELS = {
    "machine cd": machine(batch_size=7),
    "machine pcd": machine(batch_size=7, gradient="pcd"),
    **{head: net(head, batch_size=7, noise=0.2, dropout=0.1) for head in HEADS},
}


def fit(model, X, weight, method="fit", rows=slice(None), **parameters):
    """Fit a clone of one of the models to a table of measurements."""
    y = TARGETS.get(model, TARGETS["softmax"])[rows]
    fitted = clone(MODELS[model]).set_params(**parameters)
    return getattr(fitted, method)(X, y, sample_weight=weight)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_zero_weight_leaves_a_row_out(model, method):
    X, kept = TABLES["mixed"], WEIGHT > 0
    weighted = fit(model, X, WEIGHT, method)
    assert_same(weighted, fit(model, X[kept], WEIGHT[kept], method, rows=kept))
    damaged = np.where(kept[:, None], X, 1e300)
    assert_same(weighted, fit(model, damaged, WEIGHT, method))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_weights_that_are_all_the_same_give_the_bits_of_no_weights(model, method):
    X, expected = TABLES["mixed"], fit(model, TABLES["mixed"], None, method)
    for weight in (np.ones(N), np.full(N, 0.3), 5):
        assert_same(expected, fit(model, X, weight, method))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("factor", [4.0, 2.0**-600, 2.0**900])
def test_constant_factor_of_all_weights_changes_nothing(model, factor):
    X = TABLES["mixed"]
    assert_same(fit(model, X, WEIGHT), fit(model, X, WEIGHT * factor))


@pytest.mark.parametrize("model", MODELS)
def test_weights_in_any_container_and_type_are_the_same(model):
    X, expected = TABLES["mixed"], fit(model, TABLES["mixed"], WEIGHT.astype(float))
    index = np.arange(N)[::-1]
    for weight in (WEIGHT, WEIGHT.tolist(), pd.Series(WEIGHT, index=index), WEIGHT.astype("f4")):
        assert_same(expected, fit(model, X, weight))
    frame = pd.DataFrame(X, columns=[f"column {i}" for i in range(X.shape[1])])
    assert_same(expected, fit(model, frame, pd.Series(WEIGHT)))


@pytest.mark.parametrize("model", MODELS)
def test_sparse_rows_are_weighted_as_dense_ones(model):
    X = TABLES["mixed"] * (RNG.uniform(size=TABLES["mixed"].shape) < 0.5)
    assert_same(fit(model, X, WEIGHT), fit(model, csr_matrix(X), WEIGHT))


@pytest.mark.parametrize("model", MODELS)
def test_float32_stays_float32_under_weights_of_float64(model):
    X = TABLES["mixed"].astype(np.float32)
    fitted = fit(model, X, WEIGHT.astype(np.float64) / 3)
    dtypes = {
        name: array.dtype
        for name, array in numbers_of(fitted).items()
        if array.ndim > 0 and "curve" not in name and "target" not in name and "scores" not in name
    }
    dtypes.pop("classes_", None)
    assert len(dtypes) >= 4
    assert set(dtypes.values()) == {np.dtype(np.float32)}, dtypes
    assert fitted.transform(X).dtype == np.float32
    assert that_count(X, None, WEIGHT / 3).weighted().weight.dtype == np.float32


@pytest.mark.parametrize("model", MODELS)
def test_caller_keeps_the_weights_as_they_were(model):
    weight = WEIGHT.astype(float)
    weight.setflags(write=False)
    fit(model, TABLES["mixed"], weight)
    np.testing.assert_array_equal(weight, WEIGHT)


# -- minibatches


def gradients_of_a_learner(learner, batches):
    return [learner.gradient(np.asarray(batch), 1.0).copy() for batch in batches]


def network_learner(head, rows):
    rng, engine = np.random.default_rng(1), ENGINES["numpy"](np.float64, 0)
    n_outputs = {"softmax": 3, "poisson": 1}.get(head, TARGETS[head].shape[-1])
    network = Network(
        [rng.normal(size=(4, 6)), rng.normal(size=(6, n_outputs))],
        [rng.normal(size=6), rng.normal(size=n_outputs)],
        [UNITS["binary"](engine)],
        HEADS[head](engine),
        engine,
    )
    return NetworkLearner(network, 0, rows, None, 10, "loss_curve_")


def machine_learner(gradient, rows):
    rbm = machine(gradient=gradient, batch_size=10, n_iter=1).fit(BINARY)
    rbm.components_ = np.random.default_rng(1).normal(size=rbm.components_.shape)
    return MachineLearner(rbm, rows, None, *rbm._restored())


def learner_of(kind, weight):
    y = TARGETS.get(kind)
    y = None if y is None else y[:, None] if kind == "poisson" else y
    rows = that_count(BINARY, y, weight).weighted()
    return machine_learner(kind, rows) if kind in GRADIENTS else network_learner(kind, rows)


POSITIVE = np.where(WEIGHT > 0, WEIGHT, 1)


@pytest.mark.parametrize("head", HEADS)
def test_row_counts_the_same_in_whatever_minibatch_it_is_drawn(head):
    # By the definition: the sum over a minibatch of w g / mean(w), where the mean is that of all
    # rows, over the number of rows in the minibatch.
    alone = gradients_of_a_learner(learner_of(head, None), np.arange(N)[:, None])
    for batch in (np.flatnonzero(POSITIVE == 1), np.flatnonzero(POSITIVE == 3), np.arange(7)):
        (together,) = gradients_of_a_learner(learner_of(head, POSITIVE), [batch])
        expected = sum(POSITIVE[i] * alone[i] for i in batch) / POSITIVE.mean() / len(batch)
        np.testing.assert_allclose(together, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", [*HEADS, "cd", "pcd"])  # "ptt" draws which states it swaps
@pytest.mark.usefixtures("nothing_is_drawn")
def test_minibatches_of_a_pass_add_up_to_the_gradient_of_all_rows(kind):
    batches = np.split(np.random.default_rng(2).permutation(N), [10, 20, 30])
    learner = learner_of(kind, POSITIVE)
    if kind == "pcd":  # the chains move from call to call
        learner.chains[...] = 0.5
        parts = []
        for batch in batches:
            learner.chains[...] = 0.5
            parts.append(learner.gradient(batch, 1.0).copy())
        whole = learner_of(kind, POSITIVE)
        whole.chains = np.full((N, learner.chains.shape[1]), 0.5)
    else:
        parts, whole = gradients_of_a_learner(learner, batches), learner_of(kind, POSITIVE)
        if kind == "cd":
            whole.chains = np.zeros((N, learner.chains.shape[1]))
    (expected,) = gradients_of_a_learner(whole, [np.arange(N)])
    np.testing.assert_allclose(np.mean(parts, axis=0), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.exhaustive
def test_shuffled_minibatches_of_weighted_rows_agree_with_repeated_rows_in_the_mean():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 2))
    y, weight = (X[:, 0] + rng.normal(size=12) > 0).astype(int), np.tile([1, 2, 5, 1], 3)
    again = repeated(weight, X, y)
    n_seeds, p = 40, {"weighted": [], "repeated": [], "plain": []}
    # Steps of "sgd" are linear in the gradient, so that their mean follows its mean; Adam divides
    # by the spread of gradients, which is another one where rows stand twice.
    model = DBNClassifier((4,), pretrain=False, softmax_iter=0, finetune_iter=20, solver="sgd")
    model.set_params(learning_rate_init=0.02)
    for seed in range(n_seeds):
        model.set_params(random_state=seed)
        # As many steps each: with all the rows a minibatch is larger.
        p["weighted"].append(model.set_params(batch_size=4).fit(X, y, weight).predict_proba(X))
        p["plain"].append(model.fit(X, y).predict_proba(X))
        model.set_params(batch_size=4 * len(again[0]) // 12)
        p["repeated"].append(model.fit(*again).predict_proba(X))
    p = {name: np.array(of_seeds)[..., 1] for name, of_seeds in p.items()}
    # The same seed starts at the same weights: what differs from pair to pair is the order.
    difference = p["weighted"] - p["repeated"]
    error = difference.std(axis=0) / np.sqrt(n_seeds)
    assert (abs(difference.mean(axis=0)) < 4.5 * error + 0.002).all()
    assert (abs((p["plain"] - p["repeated"]).mean(axis=0)) > 4.5 * error + 0.02).any()


@pytest.mark.exhaustive
@pytest.mark.parametrize("gradient", GRADIENTS)
def test_machine_of_weighted_rows_models_the_weighted_data(gradient):
    # At the maximum of the likelihood the mean of the visible units is that of the data, and
    # contrastive divergence ends nearby.
    rng = np.random.default_rng(0)
    X = (rng.uniform(size=(200, 4)) < 0.5).astype(float)
    weight = np.where(X[:, 0] > X[:, 1], 8.0, 1.0)
    expected = np.average(X, axis=0, weights=weight)
    assert abs(expected - X.mean(axis=0)).max() > 0.2
    means = []
    for seed in range(12):
        rbm = RBMTransformer(3, gradient=gradient, learning_rate=0.02, n_iter=40, momentum=0.0)
        rbm.set_params(random_state=seed, batch_size=20, weight_decay=0.0)
        rbm.fit(X, sample_weight=weight)
        states, p = visible_distribution(rbm._model(ENGINES["numpy"](np.float64, 0)))
        means.append(p @ states)
    error = np.std(means, axis=0) / np.sqrt(len(means))
    assert (abs(np.mean(means, axis=0) - expected) < 4 * error + 0.02).all()


# -- what is refused


@pytest.mark.parametrize("model", ["machine cd", "softmax", "linear"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_weights_are_refused(model, method, wrong):
    weight, message = WRONG[wrong]
    with pytest.raises(ValueError, match=f"sample_weight (is|has) .*{message.split(' ')[0]}"):
        fit(model, TABLES["mixed"], weight, method)
    with pytest.raises(ValueError, match=message):
        fit(model, TABLES["mixed"], weight, method)


@pytest.mark.parametrize("model", ["machine cd", "softmax", "linear"])
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_weights_of_held_out_rows_are_refused(model, wrong):
    weight, message = WRONG[wrong]
    y = TARGETS.get(model)
    data = {"X_val": TABLES["mixed"], "sample_weight_val": weight}
    if y is not None:
        data["y_val"] = y
    with pytest.raises(ValueError, match=f"sample_weight_val (is|has) .*{message.split(' ')[0]}"):
        clone(MODELS[model]).fit(TABLES["mixed"], y, **data)


@pytest.mark.parametrize("model", ["machine cd", "softmax", "linear"])
def test_weights_of_held_out_rows_that_are_not_there_are_refused(model):
    with pytest.raises(ValueError, match=r"sample_weight_val is given without X_val"):
        clone(MODELS[model]).fit(TABLES["mixed"], TARGETS.get(model), sample_weight_val=np.ones(N))


@pytest.mark.parametrize("model", ["machine cd", "softmax", "linear"])
def test_refused_weights_leave_the_fitted_model_alone(model):
    fitted = fit(model, TABLES["mixed"], WEIGHT)
    before = numbers_of(fitted)
    with pytest.raises(ValueError, match="negative"):
        fitted.partial_fit(TABLES["mixed"], TARGETS.get(model), sample_weight=-np.ones(N))
    assert all((before[name] == array).all() for name, array in numbers_of(fitted).items())


# -- held-out rows


@pytest.mark.parametrize("early_stopping", [True, "loss"])
def test_held_out_accuracy_and_loss_are_weighted(early_stopping):
    X, y = TABLES["mixed"], TARGETS["softmax"]
    model = net("softmax", early_stopping=early_stopping, class_weight={0: 3.0, 1: 0.5})
    model.set_params(n_iter_no_change=1000, finetune_iter=5, noise=0.5)
    held_out = {"X_val": X[::-1], "y_val": y[::-1], "sample_weight_val": WEIGHT_VAL}
    model.fit(X, y, sample_weight=WEIGHT, **held_out)
    weight = WEIGHT_VAL * np.array([3.0, 0.5, 1.0])[y[::-1]]
    p = model.predict_proba(X[::-1])
    if early_stopping == "loss":
        assert model.best_validation_loss_ == min(model.validation_loss_curve_)
        expected = log_loss(y[::-1], p, sample_weight=weight)
        assert model.best_validation_loss_ == pytest.approx(expected, rel=1e-9)
    else:
        assert model.best_validation_score_ == max(model.validation_scores_)
        expected = accuracy_score(y[::-1], p.argmax(axis=1), sample_weight=weight)
        assert model.best_validation_score_ == pytest.approx(expected, rel=1e-9)


def test_early_stopping_holds_rows_out_with_their_weights():
    X, y = TABLES["mixed"], TARGETS["softmax"]
    told = []

    class Spy(DBNClassifier):
        def _weigh_classes(self, rows, held_out):
            told.append((rows, held_out))
            return rows, held_out

    weight = np.arange(1.0, N + 1)
    Spy((4,), early_stopping=True, validation_fraction=0.3, random_state=0).fit(X, y, weight)
    ((rows, held_out),) = told
    for part in (rows, held_out):
        original = np.array([np.flatnonzero((row == X).all(axis=1))[0] for row in part.X])
        np.testing.assert_allclose(part.weight, weight[original] / weight[original].mean())
        np.testing.assert_array_equal(part.y, y[original])
    assert len(held_out.X) == 12


# -- weights of classes


def fit_classes(y, weight=None, method="fit", table="mixed", **parameters):
    model = clone(MODELS["softmax"]).set_params(**parameters)
    return getattr(model, method)(TABLES[table], y, sample_weight=weight)


# Sample weights say how often rows are drawn, and count in pretraining and in the scale of columns
# too: binary columns, which have none, and no pretraining leave what class weights count in.
LABELS_ALONE = {"table": "binary", "pretrain": False}


NAMES = np.array(["kestrel", "heron", "owl"])


DATES = np.array(["2020-01-01", "2021-02-03", "2024-12-31"], "M8[D]")
SPANS = DATES - DATES[0]


@pytest.mark.parametrize(
    "names",
    [
        *(np.arange(3), NAMES, np.array([-1.0, 0.0, 7.0])),
        *map(DATES.astype, ["M8[D]", "M8[ns]"]),
        *map(SPANS.astype, ["m8[D]", "m8[ns]"]),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_dict_of_class_weights_gives_the_bits_of_the_same_sample_weights(names, method):
    y = names[TARGETS["softmax"]]
    given = {names[0]: 3.0, names[2]: 0.25}  # the other one counts 1
    weight = np.select([y == names[0], y == names[2]], [3.0, 0.25], 1.0)
    assert_same(
        fit_classes(y, method=method, class_weight=given, **LABELS_ALONE),
        fit_classes(y, weight, method=method, **LABELS_ALONE),
    )


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("classes", "kinds"),
    [
        (DATES, (pd.Timestamp, lambda date: date.item(), str)),
        (SPANS.astype("m8[ns]"), (pd.Timedelta, lambda span: span.astype("m8[s]").item())),
    ],
)
def test_dates_and_spans_of_any_type_are_keys_of_class_weight(method, classes, kinds):
    y = classes[TARGETS["softmax"]]
    expected = fit_classes(
        y, method=method, class_weight=dict(zip(classes, [3.0, 1.0, 0.2], strict=True))
    )
    for kind in kinds:
        given = {kind(classes[0]): 3.0, kind(classes[2]): 0.2}
        assert_same(fit_classes(y, method=method, class_weight=given), expected)
    with pytest.raises(ValueError, match="class_weight has a weight for 'x', which is not among"):
        fit_classes(y, method=method, class_weight={"x": 1.0})


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_wrong_key_of_class_weight_is_refused_unless_all_classes_have_a_weight(method):
    y = NAMES[TARGETS["softmax"]]
    complete = dict.fromkeys(NAMES, 2.0)
    fit_classes(y, method=method, class_weight={**complete, "in other rows": 5.0})
    with pytest.raises(ValueError, match=r"class_weight has a weight for 'b ', which is not"):
        fit_classes(y, method=method, class_weight={NAMES[0]: 1.0, "b ": 50.0})
    for number in (31, np.int64(31), 10**30):  # of which unit?
        with pytest.raises(ValueError, match=rf"a weight for .*{number}.*'timedelta64\[D\]'"):
            fit_classes(SPANS[TARGETS["softmax"]], method=method, class_weight={number: 2.0})


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_pretraining_does_not_see_class_weights(method):
    y = TARGETS["softmax"]
    plain = fit_classes(y, method=method)
    weighted = fit_classes(y, method=method, class_weight={0: 9.0})
    for one, other in zip(plain.rbms_, weighted.rbms_, strict=True):
        np.testing.assert_array_equal(one.components_, other.components_)
    assert (plain.coefs_[-1] != weighted.coefs_[-1]).any()


def test_class_weights_multiply_sample_weights():
    y = TARGETS["softmax"]
    weight = WEIGHT * np.array([3.0, 1.0, 0.25])[y]
    model = fit_classes(y, WEIGHT, class_weight={0: 3.0, 2: 0.25}, **LABELS_ALONE)
    assert_agree(model, fit_classes(y, weight, **LABELS_ALONE))


def test_balanced_class_weights_are_those_of_scikit_learn():
    y = np.where(np.arange(N) < 5, 2, TARGETS["softmax"])
    weight = compute_sample_weight("balanced", y)
    balanced = fit_classes(y, class_weight="balanced", **LABELS_ALONE)
    assert_agree(balanced, fit_classes(y, weight, **LABELS_ALONE))


def test_balanced_classes_count_the_same_also_where_rows_have_weights():
    y, sample_weight = TARGETS["softmax"], WEIGHT * 1.0
    model, told = clone(MODELS["softmax"]).set_params(class_weight="balanced"), []
    original = model._weigh_classes
    model._weigh_classes = lambda *parts: told.append(original(*parts)) or told[0]
    model.fit(TABLES["mixed"], y, sample_weight)
    ((rows, _),) = told
    totals = np.bincount(rows.y, weights=rows.weight)
    np.testing.assert_allclose(totals, totals.mean())
    kept = sample_weight > 0
    ratio = rows.weight / sample_weight[kept]
    for label in range(3):
        np.testing.assert_allclose(ratio[y[kept] == label], ratio[y[kept] == label][0])


def test_class_of_weight_zero_is_known_and_not_learned():
    y = TARGETS["softmax"]
    model = fit_classes(y, class_weight={1: 0.0}, noise=0.0, finetune_iter=50)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    p = model.predict_proba(TABLES["mixed"])
    assert p[:, 1].max() < 0.1
    without = fit_classes(y, (y != 1).astype(float), finetune_iter=50, noise=0.0)
    np.testing.assert_array_equal(without.classes_, [0, 2])


def test_warm_start_goes_on_with_class_weights():
    y = TARGETS["softmax"]
    weight = np.array([4.0, 1.0, 1.0])[y]
    models = []
    for class_weight, sample_weight in (({0: 4.0}, None), (None, weight)):
        model = clone(MODELS["softmax"]).set_params(warm_start=True, class_weight=class_weight)
        model.set_params(pretrain=False)
        for _ in range(2):
            model.fit(TABLES["binary"], y, sample_weight)
        models.append(model)
    assert_same(*models)
    assert models[0].n_iter_ == 6


def test_rows_whose_classes_all_weigh_nothing_are_named():
    X, y = TABLES["binary"], TARGETS["softmax"]
    left_out = y == 0
    model = clone(MODELS["softmax"]).set_params(class_weight={0: 0.0})
    with pytest.raises(ValueError, match="the class of every row of X_val. Give a class that"):
        model.fit(X, y, X_val=X[left_out], y_val=y[left_out])
    model.partial_fit(X, y)
    with pytest.raises(ValueError, match="the class of every row of X. .*leave the rows out"):
        model.partial_fit(X[left_out], y[left_out])


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(("small", "large"), [(1.0, 1e50), (1e-200, 1e200)])
def test_weight_beside_which_all_others_vanish(early_stopping, small, large):
    X = TABLES["binary"].astype(np.float32)
    weight = np.full(len(X), small)
    weight[7] = large
    rbm = RBMTransformer(3, n_iter=2, early_stopping=early_stopping, random_state=0)
    assert np.isfinite(rbm.fit(X, sample_weight=weight).components_).all()
    model = clone(MODELS["softmax"]).set_params(early_stopping=early_stopping)
    assert np.isfinite(model.fit(X, TARGETS["softmax"], weight).loss_curve_).all()


@pytest.mark.parametrize(
    ("class_weight", "error", "message"),
    [
        ({5: 1.0}, ValueError, r"a weight for 5, which is not among the classes .*\[0 1 2\]"),
        ({"0": 1.0}, ValueError, r"a weight for '0', which is not among the classes"),
        ({0: -1.0}, ValueError, r"class_weight\[0\] == -1.0, must be >= 0"),
        ({0: np.nan}, ValueError, r"class_weight\[0\] == nan, must be finite"),
        ({0: "1"}, TypeError, r"class_weight\[0\] must be an instance of"),
        ({0: 0, 1: 0, 2: 0}, ValueError, "class_weight is 0 for the class of every row"),
        ("even", ValueError, "class_weight == 'even', must be one of: 'balanced'"),
        ([1.0, 2.0, 3.0], TypeError, "must be 'balanced', None, or a dict"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_wrong_class_weights_are_refused(class_weight, error, message, method):
    with pytest.raises(error, match=message):
        fit_classes(TARGETS["softmax"], method=method, class_weight=class_weight)


def test_partial_fit_refuses_balanced_weights_with_advice_that_works():
    y = TARGETS["softmax"]
    with pytest.raises(ValueError, match="Pass a dict of weights, or sample_weight") as caught:
        fit_classes(y, method="partial_fit", class_weight="balanced")
    (advice,) = [word for word in str(caught.value).split() if "compute_sample_weight" in word]
    assert advice == "sklearn.utils.class_weight.compute_sample_weight('balanced',"
    options = {"finetune_iter": 1, **LABELS_ALONE}
    followed = fit_classes(y, compute_sample_weight("balanced", y), "partial_fit", **options)
    assert_agree(followed, fit_classes(y, class_weight="balanced", **options))


def test_class_weights_are_refused_for_several_labels():
    for class_weight in ("balanced", {0: 2.0}):
        with pytest.raises(ValueError, match=r"several labels\. Set class_weight=None"):
            fit_classes(TARGETS["logistic"], class_weight=class_weight)
    fit_classes(TARGETS["logistic"], class_weight=None)


def test_rare_class_is_found_with_balanced_weights_alone():
    X, y = make_classification(
        1000, 8, n_informative=6, weights=[0.97], class_sep=0.5, flip_y=0.0, random_state=0
    )
    assert 0.02 < y.mean() < 0.05
    model = DBNClassifier((20,), finetune_iter=20, random_state=0)
    recall = {}
    for class_weight in (None, "balanced"):
        fitted = clone(model).set_params(class_weight=class_weight).fit(X[::2], y[::2])
        recall[class_weight] = recall_score(y[1::2], fitted.predict(X[1::2]))
    assert recall[None] < 0.3
    assert recall["balanced"] > 0.6


# -- within scikit-learn

IRIS = load_iris(return_X_y=True)
IRIS_WEIGHT = np.where(IRIS[1] == 2, 5.0, 1.0)
SMALL = DBNClassifier(
    (5,), rbm=RBMTransformer(n_iter=2), finetune_iter=3, learning_rate_init=0.02, random_state=0
)
SMALL_REGRESSOR = DBNRegressor((5,), rbm=RBMTransformer(n_iter=2), finetune_iter=3, random_state=0)


def test_weights_are_routed_through_pipeline_and_grid_search():
    X, y = IRIS
    with sklearn.config_context(enable_metadata_routing=True):
        rbm = RBMTransformer(4, n_iter=2, random_state=0).set_fit_request(sample_weight=True)
        last = clone(SMALL).set_fit_request(sample_weight=True)
        last.set_score_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), rbm, last)
        search = GridSearchCV(pipeline, {"dbnclassifier__alpha": [0.0, 0.1]}, cv=3)
        search.fit(X, y, sample_weight=IRIS_WEIGHT)
        best = search.best_estimator_
        scaled = StandardScaler().fit(X, sample_weight=IRIS_WEIGHT).transform(X)
        hidden = clone(rbm).fit(scaled, sample_weight=IRIS_WEIGHT)
        assert_same(hidden, best[1])
        alone = clone(SMALL).set_params(alpha=search.best_params_["dbnclassifier__alpha"])
        assert_same(alone.fit(hidden.transform(scaled), y, IRIS_WEIGHT), best[2])


@pytest.mark.parametrize("estimator", [RBMTransformer(), DBNClassifier(), DBNRegressor()])
def test_weights_can_be_requested_by_fit_and_partial_fit(estimator):
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = clone(estimator).set_fit_request(sample_weight=True, sample_weight_val=True)
        estimator.set_partial_fit_request(sample_weight=True)
        routing = estimator.get_metadata_routing()
    assert routing.fit.requests["sample_weight"] is True
    assert routing.fit.requests["sample_weight_val"] is True
    assert routing.partial_fit.requests["sample_weight"] is True


def test_cross_validation_passes_weights_on():
    X, y = IRIS
    weight = np.where(np.arange(len(y)) % 2, 1.0, 0.0)
    damaged = np.where(weight[:, None] > 0, X, 1e300)
    options = {"cv": 3, "return_estimator": True, "params": {"sample_weight": weight}}
    one, other = (
        cross_validate(SMALL, table, y, scoring=lambda *_: 0.0, **options)["estimator"]
        for table in (X, damaged)
    )
    for a, b in zip(one, other, strict=True):
        assert_same(a, b)


# Boosting makes most rows light, and those may be far from the heavy ones.
@pytest.mark.filterwarnings("ignore::skdbn.DataRangeWarning")
def test_boosting_works():
    X, y = IRIS
    boosted = AdaBoostClassifier(SMALL, n_estimators=4, random_state=0).fit(X, y)
    assert len(boosted.estimators_) > 1
    assert boosted.score(X, y) > 0.8
    target = X[:, 3]
    regressor = AdaBoostRegressor(SMALL_REGRESSOR, n_estimators=4, random_state=0)
    assert regressor.fit(X[:, :3], target).score(X[:, :3], target) > 0.5


def test_bagging_voting_and_calibration_pass_weights_on():
    X, y = IRIS
    heavy = IRIS_WEIGHT
    models = {
        "bagging": BaggingClassifier(SMALL, n_estimators=3, random_state=0),
        "calibration": CalibratedClassifierCV(SMALL, cv=3),
        "voting": VotingClassifier(
            [("net", SMALL), ("logistic", LogisticRegression(max_iter=1000))], voting="soft"
        ),
    }
    for name, model in models.items():
        plain, weighted = clone(model).fit(X, y), clone(model).fit(X, y, sample_weight=heavy)
        p, p_weighted = plain.predict_proba(X), weighted.predict_proba(X)
        assert p_weighted[:, 2].mean() > p[:, 2].mean(), name
        assert weighted.score(X, y) > 0.4, name  # it guesses a third, or trains little


def test_bagging_of_regressors_works():
    X, y = IRIS[0][:, :3], IRIS[0][:, 3]
    weight = np.where(IRIS[1] == 0, 1e-6, 1.0)
    bagged = BaggingRegressor(SMALL_REGRESSOR, n_estimators=3, random_state=0)
    assert clone(bagged).fit(X, y).score(X, y) > 0.5
    weighted = bagged.fit(X, y, sample_weight=weight)
    assert weighted.predict(X).mean() > clone(bagged).fit(X, y).predict(X).mean()


def test_weights_say_nothing_by_themselves():
    X, y = IRIS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DBNClassifier((16,), random_state=0).fit(X, y, sample_weight=IRIS_WEIGHT)


def test_few_heavy_rows_do_not_throw_a_machine_off():
    X = (load_digits()[0] > 0.5).astype(float)
    weight = np.where(np.arange(len(X)) < 15, 100.0, 1.0)
    rbm = RBMTransformer(64, n_iter=10, random_state=0).fit(X, sample_weight=weight)
    assert rbm.loss_curve_[-1] < 0.3 * X.var(axis=0).mean()
    assert rbm.saturated_units_curve_[-1] < 0.5


@pytest.mark.parametrize("gradient", ["cd", "pcd", "ptt"])
@pytest.mark.filterwarnings("ignore::skdbn.HiddenUnitsWarning")
def test_a_machine_learns_weighted_means_whatever_the_weights(gradient):
    X = np.ones((500, 2))  # the first column is always 1
    X[:, 1] = np.arange(500) < 5
    weight = np.where(X[:, 1] == 1, 99.0, 1.0)  # 495 for each value
    rbm = RBMTransformer(2, gradient=gradient, n_iter=60, random_state=0)
    rbm.set_params(learning_rate=0.05, learning_rate_schedule="linear")
    rbm.set_params(momentum=0.0, weight_decay=0.0).fit(X, sample_weight=weight)
    states = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    means = np.exp(rbm.log_likelihood(states)) @ states
    np.testing.assert_allclose(means, [1.0, 0.5], atol=0.03)


def test_heavy_rows_are_visited_often_rather_than_with_all_of_their_weight():
    visits, weight = _light_visits(np.array([0.0, 0.2, 1.5, 1.6, 40.0]))
    np.testing.assert_array_equal(np.bincount(visits), [0, 1, 1, 2, 27])
    np.testing.assert_allclose(np.bincount(visits, weight[visits]), [0.0, 0.2, 1.5, 1.6, 40.0])
    assert weight.max() <= HEAVIEST
