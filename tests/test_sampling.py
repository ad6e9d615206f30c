"""Sampling given some of the values, against enumeration."""

from itertools import product

import numpy as np
import pytest
from oracles import random_rbm
from scipy.sparse import csr_matrix
from scipy.special import softmax
from scipy.stats import norm
from sklearn.datasets import load_digits

from skdbn import RBMTransformer

pytestmark = pytest.mark.filterwarnings("ignore::skdbn.HiddenUnitsWarning")
nan = np.nan
EDGES = np.array([-np.inf, -1.0, 0.0, 1.0, 2.0, np.inf])  # of cells that real units are counted in
OFFSET, SCALE = 50.0, 10.0  # of the data of real units


def machine(kinds, n_hidden=3, seed=0):
    """A machine of strong weights and intercepts, whose gaussian columns have a scale."""
    rbm, is_gaussian = random_rbm(len(kinds), n_hidden, seed=seed), np.array(kinds) == "gaussian"
    fitted = RBMTransformer(n_hidden, n_iter=0).fit(np.eye(len(kinds)))
    fitted.components_, fitted.visible_units_ = rbm.weights.T, np.array(kinds)
    fitted.intercept_visible_, fitted.intercept_hidden_ = rbm[1:3]
    fitted.offset_ = np.where(is_gaussian, OFFSET, 0.0)
    fitted.scale_ = np.where(is_gaussian, SCALE, 1.0)
    fitted._limits = np.array([[-1e9], [1e9]]) * np.ones(len(kinds))
    return fitted


def conditional(rbm, given):
    """Visible and hidden states, their exact probabilities given some, and means of real units.

    A real unit that is free is integrated out, and NaN among the states.
    """
    units = (given - rbm.offset_) / rbm.scale_
    values = [
        [u] if known or kind == "gaussian" else [0.0, 1.0]
        for u, known, kind in zip(units, ~np.isnan(units), rbm.visible_units_, strict=True)
    ]
    v = np.array(list(product(*values)))
    h = np.array(list(product([0.0, 1.0], repeat=len(rbm.components_))))
    v, h = v.repeat(len(h), axis=0), np.tile(h, (len(v), 1))
    x = h @ rbm.components_ + rbm.intercept_visible_
    log_p = np.where(np.isnan(v), x * x / 2, v * x).sum(axis=1) + h @ rbm.intercept_hidden_
    return v, h, softmax(log_p), x


def cells(v, rbm):
    """The number of the cell of each state: binary units as they are, real ones by `EDGES`."""
    inside = np.digitize((v - rbm.offset_) / rbm.scale_, EDGES[1:-1])
    index = np.where(rbm.visible_units_ == "gaussian", inside, v).astype(int)
    n = np.where(rbm.visible_units_ == "gaussian", len(EDGES) - 1, 2)
    return np.ravel_multi_index(tuple(index.T), n), n


def exact_cells(rbm, given):
    """The exact probability of each cell."""
    v, _, p, x = conditional(rbm, given)
    n = cells(np.zeros((1, len(given))), rbm)[1]
    expected = np.zeros(n.prod())
    for state, probability, mean in zip(v, p, x, strict=True):
        shares = []
        for u, kind, centre, n_cells in zip(state, rbm.visible_units_, mean, n, strict=True):
            if np.isnan(u):
                shares.append(np.diff(norm.cdf(EDGES - centre)))
            else:
                cell = np.digitize(u, EDGES[1:-1]) if kind == "gaussian" else int(u)
                shares.append(np.eye(n_cells)[cell])
        joint = shares[0]
        for share in shares[1:]:
            joint = np.multiply.outer(joint, share)
        expected += probability * joint.ravel()
    return expected


def exact_start(rbm, given, n_chains):
    """Rows drawn from the exact distribution given some values."""
    rng = np.random.default_rng(0)
    v, _, p, x = conditional(rbm, given)
    drawn = rng.choice(len(p), n_chains, p=p)
    normal = x[drawn] + rng.normal(size=(n_chains, len(given)))
    return np.where(np.isnan(v[drawn]), normal, v[drawn]) * rbm.scale_ + rbm.offset_


def assert_distributed(drawn, rbm, given):
    expected, n = exact_cells(rbm, given), len(drawn)
    found = np.bincount(cells(drawn, rbm)[0], minlength=len(expected)) / n
    monte_carlo_error = np.sqrt(expected * (1 - expected) / n).sum() / 2
    assert abs(found - expected).sum() / 2 < 4 * monte_carlo_error


CASES = {
    "binary": (["binary"] * 5, [nan, 1.0, nan, 0.0, nan]),
    "gaussian": (["gaussian"] * 3, [nan, OFFSET + 4.0, nan]),
    "mixed, gaussian free": (["binary", "gaussian", "binary"], [nan, nan, 1.0]),
    "mixed, gaussian given": (["binary", "gaussian", "binary"], [nan, OFFSET - 7.0, nan]),
    "all free": (["binary", "gaussian", "binary"], [nan, nan, nan]),
}


@pytest.mark.parametrize("case", CASES)
def test_chains_that_start_at_the_exact_conditional_stay_there(case):
    kinds, given = CASES[case]
    rbm, given, n = machine(kinds), np.array(given), 100_000
    start = exact_start(rbm, given, n)
    assert_distributed(start, rbm, given)
    drawn = rbm.sample(n, 2, start=start, random_state=0, given=[given])
    assert_distributed(drawn, rbm, given)


@pytest.mark.parametrize("case", CASES)
def test_chains_from_the_default_start_reach_the_exact_conditional(case):
    kinds, given = CASES[case]
    rbm, given = machine(kinds), np.array(given)
    assert_distributed(rbm.sample(20_000, 100, random_state=0, given=[given]), rbm, given)


def test_given_values_come_back_as_they_were_given():
    rbm = machine(["binary", "gaussian", "gaussian"])
    given = np.array([[1.0, 1 / 3, nan], [nan, 2e9, 70.1]])  # one is beyond the limits
    drawn = rbm.sample(2, 5, random_state=0, given=given)
    is_given = ~np.isnan(given)
    np.testing.assert_array_equal(drawn[is_given], given[is_given])
    assert np.isfinite(drawn).all()


def test_each_row_of_what_is_given_has_a_chain_and_a_single_row_all():
    rbm = machine(["binary"] * 4)
    given = np.array([[1.0, nan, nan, nan], [0.0, nan, nan, nan], [nan] * 4])
    rows = rbm.sample(3, 5, random_state=0, given=given)
    np.testing.assert_array_equal(rbm.sample(n_gibbs_steps=5, random_state=0, given=given), rows)
    np.testing.assert_array_equal(rows[:2, 0], [1.0, 0.0])
    sparse = rbm.sample(3, 5, random_state=0, given=csr_matrix(given))
    np.testing.assert_array_equal(sparse, rows)
    repeated = np.repeat(given[:1], 6, axis=0)
    np.testing.assert_array_equal(
        rbm.sample(6, 5, random_state=0, given=given[:1]),
        rbm.sample(6, 5, random_state=0, given=repeated),
    )


def test_nothing_given_draws_what_is_drawn_without():
    rbm = machine(["binary"] * 4)
    free = rbm.sample(6, 5, random_state=0, given=[[nan] * 4])
    np.testing.assert_array_equal(free, rbm.sample(6, 5, random_state=0))


def test_start_says_only_where_free_values_begin():
    rbm = machine(["binary"] * 4)
    drawn = rbm.sample(2, 0, start=[[1.0, 1.0, 0.0, 1.0]] * 2, given=[[0.0, nan, nan, 1.0]])
    np.testing.assert_array_equal(drawn, [[0.0, 1.0, 0.0, 1.0]] * 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samples_have_the_type_of_the_machine(dtype):
    digits = (load_digits().data[:100] / 16).astype(dtype)
    rbm = RBMTransformer(8, n_iter=1, random_state=0).fit(digits)
    given = digits[:7].copy()
    given[:, 32:] = nan
    drawn = rbm.sample(7, 3, random_state=0, given=given)
    assert drawn.dtype == dtype
    np.testing.assert_array_equal(drawn[:, :32], digits[:7, :32])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[nan, 1.0]] * 3, "given has 3 rows, but n_samples == 5. Pass one row for each"),
        ([[nan, np.inf]] * 5, "given has a value that is infinite .* row 0, column 1"),
        ([[nan, 1.0, 0.0]], "given: X has 3 features"),
        ([nan, 1.0], "given: Expected 2D array"),
    ],
)
def test_message_says_what_is_wrong_with_what_is_given(given, message):
    with pytest.raises(ValueError, match=message):
        machine(["binary"] * 2).sample(5, 1, given=given)


def test_missing_values_are_refused_where_chains_start():
    with pytest.raises(ValueError, match=r"start has a missing value \(NaN\) in row 1, column 0"):
        machine(["binary"] * 2).sample(2, 1, start=[[1.0, 0.0], [nan, 0.0]])
