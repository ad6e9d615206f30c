"""Samples of a stack of machines against the exact distribution of the data in it."""

from copy import copy

import numpy as np
import pytest
from oracles import make_rbm, visible_distribution
from sklearn.frozen import FrozenEstimator

from skdbn import DBNClassifier, DBNRegressor, RBMTransformer

pytestmark = pytest.mark.filterwarnings(  # most trainings here are short on purpose
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)

RNG = np.random.default_rng(0)
X = RNG.integers(2, size=(40, 4)).astype(float)
Y = X[:, 0].astype(int)
SHORT = {"softmax_iter": 1, "finetune_iter": 1, "random_state": 0}
NET = DBNClassifier((3, 2), rbm=RBMTransformer(n_iter=1), **SHORT).fit(X, Y)
for machine in NET.rbms_:  # intercepts and weights that show when they are forgotten
    machine.components_ = RNG.normal(size=machine.components_.shape)
    machine.intercept_hidden_ = 2.0 * RNG.normal(size=len(machine.components_))
    machine.intercept_visible_ = 2.0 * RNG.normal(size=machine.components_.shape[1])


def exact_distribution(net):
    """All states of the data and their probabilities: the top machine, then once down."""
    lower, upper = (
        make_rbm(rbm.components_.T, rbm.intercept_visible_, rbm.intercept_hidden_)
        for rbm in net.rbms_
    )
    h, p_h = visible_distribution(upper)
    v, _ = visible_distribution(lower)
    p = 1.0 / (1.0 + np.exp(-(h @ lower.weights.T + lower.intercept_visible)))
    return v, p_h @ np.prod(np.where(v == 1, p[:, None], 1.0 - p[:, None]), axis=2)


def test_samples_of_a_net_have_its_exact_distribution():
    n_chains = 100_000
    v, p = exact_distribution(NET)
    drawn = NET.sample(n_chains, 100, random_state=1)
    index = (drawn @ 2.0 ** np.arange(3, -1, -1)).astype(int)
    np.testing.assert_array_equal(v[index], drawn)
    frequencies = np.bincount(index, minlength=len(p)) / n_chains
    assert (abs(frequencies - p) <= 4.0 * np.sqrt(p * (1.0 - p) / n_chains)).all()


def test_step_of_a_machine_leaves_its_exact_distribution_unchanged():
    rbm, n_chains = copy(NET.rbms_[1]), 100_000
    rbm.components_ = 8.0 * np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 1.0]])
    rbm.intercept_hidden_ = -0.5 * rbm.components_.sum(axis=1)
    rbm.intercept_visible_ = -0.5 * rbm.components_.sum(axis=0)
    v, p = visible_distribution(
        make_rbm(rbm.components_.T, rbm.intercept_visible_, rbm.intercept_hidden_)
    )
    start = v[np.random.default_rng(0).choice(len(p), n_chains, p=p)]
    drawn = rbm.sample(n_chains, 1, start=start, random_state=0)
    frequencies = np.bincount((drawn @ [4, 2, 1]).astype(int), minlength=len(p)) / n_chains
    assert (abs(frequencies - p) <= 4.0 * np.sqrt(p * (1.0 - p) / n_chains)).all()


def test_fine_tuning_changes_no_sample():
    net = DBNClassifier((3, 2), warm_start=True, **SHORT).fit(X, Y)
    before = net.sample(9, 5, random_state=0)
    weights = net.coefs_[0].copy()
    net.set_params(learning_rate_init=0.5, finetune_iter=5).fit(X, Y)
    assert (net.coefs_[0] != weights).any()
    np.testing.assert_array_equal(net.sample(9, 5, random_state=0), before)


TABLE = 50.0 + 10.0 * RNG.normal(size=(200, 3))
LOWER = RBMTransformer(4, hidden_units="gaussian", n_iter=30, random_state=0).fit(TABLE)
UPPER = RBMTransformer(3, n_iter=30, random_state=0).fit(3.0 + 2.0 * LOWER.transform(TABLE))
STACK = [FrozenEstimator(LOWER), FrozenEstimator(UPPER)]


@pytest.mark.parametrize(
    ("net", "row"),
    [
        (NET, X[0]),
        (DBNClassifier((4, 3), rbm=STACK, **SHORT).fit(TABLE, TABLE[:, 0] > 50), TABLE[0]),
        (DBNRegressor((4, 3), output_iter=1, finetune_iter=1).fit(TABLE, TABLE[:, 0]), TABLE[0]),
    ],
)
def test_start_goes_up_and_comes_down_in_the_units_of_the_data(net, row):
    # Without a step of the chain: up to the top machine, and down through the lower one.
    n_chains, lower = 20_000, net.rbms_[0]
    drawn = net.sample(n_chains, 0, start=np.tile(row, (n_chains, 1)), random_state=0)
    expected = lower.inverse_transform(lower.transform(row[None]))[0]
    error = drawn.std(axis=0) / np.sqrt(n_chains)
    assert (abs(drawn.mean(axis=0) - expected) < 4.0 * error).all()


def test_chains_leave_their_start_and_come_to_the_same():
    start = np.tile(X[0], (20_000, 1))
    v, p = exact_distribution(NET)
    mean = p @ v
    drawn = NET.sample(len(start), 100, start=start, random_state=0)
    assert (abs(drawn.mean(axis=0) - mean) < 4.0 * np.sqrt(mean * (1.0 - mean) / len(start))).all()


def test_samples_are_repeatable_and_their_arguments_checked():
    one, other = (NET.sample(6, 3, random_state=4) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert (NET.sample(6, 3, random_state=5) != one).any()
    with pytest.raises(ValueError, match=r"start has shape \(3, 4\), must be .* \(2, 4\)"):
        NET.sample(2, start=X[:3])
    with pytest.raises(ValueError, match="start: "):
        NET.sample(2, start=X[:2, :3])
    with pytest.raises(ValueError, match="n_samples"):
        NET.sample(0)


def test_net_without_machines_has_no_samples():
    net = DBNClassifier((3,), pretrain=False, **SHORT).fit(X, Y)
    with pytest.raises(AttributeError, match="sample"):
        net.sample()
