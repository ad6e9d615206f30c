"""The pseudo-log-likelihood against the sum over the states of one unit at a time."""

import numpy as np
import pytest
from oracles import log_conditional, make_rbm, random_rbm, sine_rbm, visible_distribution
from scipy.special import logsumexp

from skdbn._maths.boltzmann import free_energy
from skdbn._maths.pseudo_likelihood import (
    RADII,
    _n_terms,
    _taylor_coefficients,
    pseudo_log_likelihood,
)
from skdbn._maths.units import UNITS, layer

ROWS = {  # uniform draws made rows of binary units
    "binary": np.rint,
    "grey": lambda u: u,
    "beyond 0 and 1": lambda u: 2.0 * u - 0.5,
}


def machine(scale, visible, hidden, dtype, n_visible=20, n_hidden=12):
    rng = np.random.default_rng(0)
    weights = scale * rng.normal(size=(n_visible, n_hidden))
    a, b = rng.normal(size=n_visible), 3.0 * rng.normal(size=n_hidden)
    return make_rbm(weights, a, b, visible, hidden, dtype=dtype)


def direct(rbm, v):
    return sum(log_conditional(rbm, v, i) for i in range(v.shape[1]))


def test_pseudo_log_likelihood_agrees_with_the_known_value():
    v = np.array([[1.0, 0.0, 1.0, 1.0, 0.0, 0.0]])
    result = pseudo_log_likelihood(sine_rbm(6, 4), v)
    np.testing.assert_allclose(result, -3.5661237397410726, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("scale", [0.01, 0.2, 1.0, 10.0, 1000.0])
@pytest.mark.parametrize("hidden", UNITS)
def test_binary_rows_agree_with_the_sum_over_both_states(hidden, scale, rows, dtype):
    rbm = machine(scale, "binary", hidden, dtype)
    v = ROWS[rows](np.random.default_rng(1).random((30, 20))).astype(dtype)
    result = pseudo_log_likelihood(rbm, v)
    assert result.dtype == dtype
    rtol = 20.0 * np.finfo(dtype).eps + 1e-13  # differences of energies have lost that much
    np.testing.assert_allclose(result, direct(rbm, v), rtol=rtol)


def test_weights_of_all_sizes_in_one_machine_agree():
    rbm = machine(1.0, "binary", "binary", float, 60, 40)
    rbm.weights[...] *= 10.0 ** np.random.default_rng(2).uniform(-3.0, 2.0, rbm.weights.shape)
    rbm.weights[3] = 0.0
    v = np.random.default_rng(1).random((700, 60))
    np.testing.assert_allclose(pseudo_log_likelihood(rbm, v), direct(rbm, v), rtol=1e-13)


@pytest.mark.parametrize("hidden", UNITS)
@pytest.mark.parametrize("kinds", [["gaussian"] * 6, ["gaussian", "binary", "binary"] * 2])
def test_gaussian_columns_agree_with_an_integral(kinds, hidden):
    rbm = machine(0.2, "gaussian", hidden, float, 6, 4)
    rbm = rbm._replace(visible_units=layer(np.array(kinds), rbm.engine))
    v = np.random.default_rng(1).random((5, 6))
    np.testing.assert_allclose(pseudo_log_likelihood(rbm, v), direct(rbm, v), atol=6e-8)


@pytest.mark.parametrize("hidden", UNITS)
def test_score_of_binary_units_is_never_positive(hidden):
    rbm = machine(1.0, "binary", hidden, float)
    v = 1e3 * np.random.default_rng(1).normal(size=(30, 20))  # a table that nobody scaled
    assert (pseudo_log_likelihood(rbm, v) <= 0.0).all()


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("eps", [1e-7, 1e-12])
def test_series_leaves_out_what_rounding_would(radius, eps):
    x, t = np.linspace(-30.0, 30.0, 601)[:, None], np.linspace(-radius, radius, 51)
    z, series = np.tanh(0.5 * x), 0.5 * t
    for k, coefficients in enumerate(_taylor_coefficients(_n_terms(radius, eps)), 1):
        powers = z ** (np.arange(len(coefficients)) * 2 + k % 2)
        series = series + powers @ np.array(coefficients)[:, None] * t**k
    exact = np.logaddexp(0.0, x + t) - np.logaddexp(0.0, x)
    assert (abs(series - exact) <= eps * abs(t) + 1e-14).all()


@pytest.mark.parametrize("hidden", UNITS)
def test_pseudo_log_likelihood_agrees_with_brute_force(hidden):
    rbm = random_rbm(5, 2, "binary", hidden)
    states, p = visible_distribution(rbm)
    p = {tuple(state): value for state, value in zip(states, p, strict=True)}
    expected = []
    for state in states:
        total = 0.0
        for i in range(len(state)):
            flipped = state.copy()
            flipped[i] = 1 - flipped[i]
            total += np.log(p[tuple(state)] / (p[tuple(state)] + p[tuple(flipped)]))
        expected.append(total)
    np.testing.assert_allclose(pseudo_log_likelihood(rbm, states), expected, rtol=1e-8)


def test_pseudo_log_likelihood_weights_the_states_of_a_grey_value():
    rbm = random_rbm(5, 3)
    v = np.array([[1.0, 0.0, 1.0, 1.0, 0.0]])
    on, off, grey = (v.copy() for _ in range(3))
    on[0, 2], off[0, 2], grey[0, 2] = 1.0, 0.0, 0.3

    def log_conditional(state, i):
        flipped = state.copy()
        flipped[0, i] = 1 - flipped[0, i]
        both = np.array([-free_energy(rbm, state)[0], -free_energy(rbm, flipped)[0]])
        return both[0] - logsumexp(both)

    only = make_rbm(
        rbm.weights, rbm.intercept_visible, rbm.intercept_hidden
    )  # the term of unit 2 alone, the others being functions of the grey value too
    total = pseudo_log_likelihood(only, grey)[0]
    others = 0.0
    for i in (0, 1, 3, 4):
        others += log_conditional(grey, i)
    expected = 0.3 * log_conditional(on, 2) + 0.7 * log_conditional(off, 2)
    np.testing.assert_allclose(total - others, expected, rtol=1e-10)
