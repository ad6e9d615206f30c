"""Measurements scaled to [0, 1]: the first layer is trained for standardized inputs."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from test_models import places, replaced

from skdbn import DBNClassifier, DBNRegressor, RBMTransformer, load_model, save_model
from skdbn._files.storage import read, write
from skdbn._learners import NetworkLearner
from skdbn._maths.engines import ENGINES
from skdbn._maths.heads import HEADS
from skdbn._maths.network import Network, loss_gradient
from skdbn._maths.optimizers import OPTIMIZERS
from skdbn._maths.units import UNITS
from skdbn._training.columns import map_of, measurements_standard
from skdbn._training.loop import Training
from skdbn._training.rows import Rows
from skdbn.datasets import load_digits

pytestmark = [
    pytest.mark.filterwarnings(f"ignore::skdbn.{category}")
    for category in ("HiddenUnitsWarning", "NotConvergedWarning")
]
RNG = np.random.default_rng(0)
N = 60
MEASURED = MinMaxScaler().fit_transform(RNG.normal(size=(N, 3)))
Y = RNG.integers(3, size=N)
WEIGHT = RNG.integers(1, 4, size=N)
KINDS_OF_COLUMNS = {
    "measured": MEASURED,
    "flags": RNG.integers(2, size=(N, 1)),
    "mostly dark": np.where(RNG.uniform(size=(N, 1)) < 0.2, 0.0, RNG.uniform(size=(N, 1))),
    "shares": RNG.uniform(0.01, 0.99, size=(N, 1)),
    "shares up to 1": RNG.permutation(np.linspace(0.2, 1.0, N))[:, None],
    "constant": np.full((N, 1), 0.4),
    "measured on another scale": RNG.normal(size=(N, 1)),
}
MIXED = np.hstack([*KINDS_OF_COLUMNS.values()])


def net(**parameters):
    quick = {"rbm": RBMTransformer(n_iter=2), "softmax_iter": 2, "finetune_iter": 3}
    return DBNClassifier((6, 5), **{**quick, "random_state": 0, **parameters})


def standard(X, weight=None):
    """The means and deviations that fine-tuning on X takes."""
    fitted = net(finetune_iter=0).fit(X, np.arange(len(X)) % 2)
    X = np.asarray(X, fitted.coefs_[0].dtype)
    rows = Rows(X, weight=weight, columns=map_of(fitted))
    return measurements_standard(rows, ENGINES["numpy"](X.dtype, 0))


def assert_same(one, other):
    arrays, others = one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_
    for a, b in zip(arrays, others, strict=True):
        np.testing.assert_array_equal(a, b)


# -- what is trained


def learner_of(X, first, **options):
    weights, intercept = first
    engine, rng = ENGINES["numpy"](np.float64, 0), np.random.default_rng(1)
    network = Network(
        [weights, rng.normal(size=(4, 3))],
        [intercept, rng.normal(size=3)],
        [UNITS["binary"](engine)],
        HEADS["softmax"](engine),
        engine,
    )
    return NetworkLearner(network, 0, Rows(X, Y), None, 16, "loss_curve_", **options)


def layers(X):
    """A first layer for measurements, their means and deviations, and the equivalent layer."""
    rng = np.random.default_rng(2)
    weights, intercept = rng.normal(size=(3, 4)), rng.normal(size=4)
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    equivalent = weights * deviation[:, None], intercept + mean @ weights
    return (weights, intercept), (mean, deviation), equivalent


@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_first_layer_is_trained_as_for_standardized_inputs(solver):
    given, (mean, deviation), equivalent = layers(MEASURED)
    learners = [
        learner_of(MEASURED, given, standard=(mean, deviation)),
        learner_of((MEASURED - mean) / deviation, equivalent),
    ]
    for learner in learners:
        n = len(learner.parameters)
        optimizer = OPTIMIZERS[solver](learner.engine, n, n - 7, 0.05)
        training = Training(learner, optimizer, net(), "")
        for i in range(3):
            training.make_pass(i, 3)
    ours, theirs = (learner.arrays(learner.parameters) for learner in learners)
    np.testing.assert_allclose(learners[0].parameters, learners[1].parameters, rtol=1e-8)
    weights, intercept = theirs["coefs_"][0], theirs["intercepts_"][0]
    np.testing.assert_allclose(ours["coefs_"][0], weights / deviation[:, None], rtol=1e-8)
    expected = intercept - (mean / deviation) @ weights
    np.testing.assert_allclose(ours["intercepts_"][0], expected, rtol=1e-8)
    assert abs(ours["coefs_"][0] - given[0]).max() > 0.1  # it learned


def test_gradient_is_that_of_the_trained_parameters():
    given, (mean, deviation), _ = layers(MEASURED)
    learner, batch = learner_of(MEASURED, given, standard=(mean, deviation)), np.arange(20)
    gradient, step = learner.gradient(batch, 1.0).copy(), 1e-6
    parameters, memory = learner.parameters, [view.copy() for view in learner.gradient_views]
    for i in range(len(parameters)):
        losses = []
        for sign in (1, -1):
            parameters[i] += sign * step
            losses.append(loss_gradient(learner.network, MEASURED[batch], Y[batch], memory)[0])
            parameters[i] -= sign * step
        assert gradient[i] == pytest.approx((losses[0] - losses[1]) / (2 * step), abs=1e-8)


# -- which columns


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_columns_that_are_seldom_0_and_1_are_standardized(weight):
    mean, deviation = standard(MIXED, None if weight is None else weight.astype(float))
    rows = np.repeat(np.arange(N), 1 if weight is None else weight)
    np.testing.assert_allclose(mean, [*MEASURED[rows].mean(axis=0), *[0] * 6], rtol=1e-12)
    np.testing.assert_allclose(deviation, [*MEASURED[rows].std(axis=0), *[1] * 6], rtol=1e-12)


def test_column_whose_ends_hardly_count_is_trained_as_it_is():
    column = np.where(np.arange(N) < 2, np.arange(N) % 2, 0.4)[:, None]
    assert standard(column, np.where(np.arange(N) < 2, 1e-20, 1.0)) is None
    assert standard(column, np.ones(N)) is not None


def test_one_value_in_ten_may_be_0_or_1():
    column = np.linspace(0.1, 0.9, 50)
    column[:5] = 0.0, 1.0, 0.0, 1.0, 0.0
    assert standard(column[:, None]) is None
    column[0] = 0.05
    assert standard(column[:, None]) is not None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_of_a_scaler_does_not_hide_the_ends(dtype):
    for seed in range(20):
        X = np.random.default_rng(seed).normal(size=(30, 5)) * 10.0**seed + 10.0 ** (seed + 1)
        _, deviation = standard(MinMaxScaler().fit_transform(X).astype(dtype))
        assert (deviation < 0.5).all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS_OF_COLUMNS if kind != "measured"])
def test_other_columns_are_trained_as_they_are(kind):
    assert standard(KINDS_OF_COLUMNS[kind]) is None


def test_digits_are_trained_as_they_are():
    assert standard(load_digits()[0][:500]) is None


# -- what it is worth


def test_regressor_learns_as_much_behind_a_minmaxscaler_as_behind_a_standardscaler():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(450, 6))
    y = X[:, 0] * X[:, 1] + np.sin(2.0 * X[:, 2]) + 0.5 * X[:, 3] + rng.normal(size=450) / 10.0
    r2 = []
    for scaler in (MinMaxScaler(), StandardScaler()):
        model = make_pipeline(scaler, DBNRegressor((40, 40), random_state=0))
        r2.append(model.fit(X[:300], y[:300]).score(X[300:], y[300:]))
        kinds = model[-1].visible_units_.tolist()
        assert kinds == ["binary" if len(r2) == 1 else "gaussian"] * 6
    assert r2[0] > r2[1] - 0.1  # 0.19 lower without


# -- equal fits


def test_row_of_weight_two_counts_twice():
    X, twice = MEASURED, np.repeat(np.arange(N), WEIGHT)
    exact = {"noise": 0.0, "finetune_iter": 20, "pretrain": False, "batch_size": 1000}
    weighted = net(**exact).fit(X, Y, sample_weight=WEIGHT)
    repeated = net(**exact).fit(X[twice], Y[twice])
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6)


def test_sparse_rows_lead_to_the_same_net():
    assert_same(net().fit(MIXED, Y), net().fit(csr_matrix(MIXED), Y))


def test_call_of_partial_fit_is_a_pass_of_fit(tmp_path):
    constant = {"finetune_iter": 1, "learning_rate": "constant", "learning_rate_init": 0.01}
    part = net(**constant).partial_fit(MIXED, Y, classes=[0, 1, 2])
    assert_same(part, net(**constant).fit(MIXED, Y))
    save_model(part, tmp_path / "net")
    loaded = load_model(tmp_path / "net")
    other = MIXED[::-1] * [0.9, 0.9, 0.9, *[1] * 6]  # the first part determines the means
    part.partial_fit(other, Y)
    assert_same(part, loaded.partial_fit(other, Y))
    np.testing.assert_array_equal(part._kept["standard"], standard(MIXED))


WRONG = [
    [1.0],
    "x",
    [np.full(9, 0.5), np.zeros(9)],
    [np.full(9, np.nan), np.ones(9)],
    [np.zeros(8), np.ones(8)],
    [np.zeros(9), np.ones(9, np.float32)],
]


@pytest.mark.parametrize("wrong", WRONG)
def test_damaged_means_in_a_file_are_noticed(tmp_path, wrong):
    path = tmp_path / "net"
    save_model(net().partial_fit(MIXED, Y, classes=[0, 1, 2]), path)
    content = read(path, "model")
    (place,) = (place for place in places(content["model"]) if place[-1] == "standard")
    write(path, "model", {**content, "model": replaced(content["model"], place, wrong)})
    with pytest.raises(ValueError, match="damaged"):
        load_model(path)


def test_net_of_an_older_version_goes_on_with_its_weights_as_they_are(tmp_path):
    path = tmp_path / "net"
    save_model(net().partial_fit(MIXED, Y, classes=[0, 1, 2]), path)
    content = read(path, "model")
    kept = content["model"]
    (place,) = (place for place in places(kept) if place[-1] == "standard")
    for key in place[:-1]:
        kept = kept[key]
    del kept["standard"]
    write(path, "model", content)
    assert load_model(path).partial_fit(MIXED, Y)._kept["standard"] is None
