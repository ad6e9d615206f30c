"""The machine against enumeration of all its states."""

from itertools import product

import numpy as np
import pytest
from oracles import (
    GRID,
    log_likelihood,
    log_partition_function,
    make_rbm,
    random_rbm,
    sine_rbm,
    visible_distribution,
)
from scipy.special import logsumexp

from skdbn._maths.boltzmann import (
    free_energy,
    gibbs_step,
    hidden_mean,
    reconstruction_error,
    visible_mean,
)
from skdbn._maths.units import UNITS

PAIRS = list(product(UNITS, UNITS))


@pytest.mark.parametrize(
    ("n_visible", "n_hidden", "log_z"),
    [
        (4, 3, 5.147443445304912),
        (6, 4, 7.283814248596416),
        (9, 6, 16.662142564135145),
        (16, 8, 26.328370637592),
    ],
)
def test_log_z_agrees_with_known_values(n_visible, n_hidden, log_z):
    rbm = sine_rbm(n_visible, n_hidden)
    v = np.array(list(product([0.0, 1.0], repeat=n_visible)))
    np.testing.assert_allclose(logsumexp(-free_energy(rbm, v)), log_z, rtol=1e-12)


def test_log_z_of_a_gaussian_machine_agrees_with_the_known_value():
    # The known value has the energy |v - a|^2 / 2, ours v^2 / 2 - a.v: a constant apart.
    rbm = sine_rbm(4, 3, visible="gaussian")
    h = np.array(list(product([0.0, 1.0], repeat=3)))
    swapped = make_rbm(
        rbm.weights.T, rbm.intercept_hidden, rbm.intercept_visible, "binary", "gaussian"
    )
    log_z = logsumexp(-free_energy(swapped, h)) - (rbm.intercept_visible**2).sum() / 2
    np.testing.assert_allclose(log_z, 10.89240552717295, rtol=1e-12)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_log_z_is_the_same_summed_over_either_layer(visible, hidden):
    rbm = random_rbm(2, 2, visible, hidden)
    turned = make_rbm(rbm.weights.T, rbm.intercept_hidden, rbm.intercept_visible, hidden, visible)
    by_hand = log_partition_function(rbm)
    for machine in (rbm, turned):
        binary = machine.visible_units.binary
        values = [0.0, 1.0] if binary else GRID
        v = np.array(list(product(values, repeat=2)))
        log_volume = 0.0 if binary else 2 * np.log(GRID[1] - GRID[0])
        log_z = logsumexp(-free_energy(machine, v)) + log_volume
        np.testing.assert_allclose(log_z, by_hand, rtol=1e-8)


def test_free_energy_agrees_with_the_known_value():
    rbm = sine_rbm(6, 4)
    v = np.array([[1.0, 0.0, 1.0, 1.0, 0.0, 0.0]])
    np.testing.assert_allclose(free_energy(rbm, v), -3.7166158025815568, rtol=1e-12)
    np.testing.assert_allclose(
        -free_energy(rbm, v) - log_partition_function(rbm), -3.56719844601486, rtol=1e-12
    )


def test_flipping_a_visible_bit_leaves_the_distribution_unchanged():
    rbm = random_rbm(4, 3)
    weights, a = rbm.weights.copy(), rbm.intercept_visible.copy()
    b = rbm.intercept_hidden + weights[1]
    weights[1], a[1] = -weights[1], -a[1]
    flipped = make_rbm(weights, a, b)
    v = np.array(list(product([0.0, 1.0], repeat=4)))
    v_flipped = v.copy()
    v_flipped[:, 1] = 1 - v_flipped[:, 1]
    np.testing.assert_allclose(
        log_likelihood(rbm, v),
        -free_energy(flipped, v_flipped) - log_partition_function(flipped),
        rtol=1e-10,
    )


def test_stack_with_transposed_weights_keeps_the_distribution_of_the_first_machine():
    first = random_rbm(4, 3)
    second = make_rbm(first.weights.T, first.intercept_hidden, first.intercept_visible)
    h, p_h = visible_distribution(second)  # prior of the first machine's hidden layer
    v, p_v = visible_distribution(first)
    mean = visible_mean(first, h)
    p_v_given_h = np.prod(np.where(v[:, None] == 1, mean, 1 - mean), axis=2)
    np.testing.assert_allclose(p_v_given_h @ p_h, p_v, rtol=1e-10)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_gibbs_leaves_the_model_distribution_unchanged(visible, hidden):
    # Chains started at the exact distribution must stay there, however slowly the machine
    # mixes; only a wrong conditional makes them drift.
    n_chains, n_units = 200_000, 2
    rbm = random_rbm(n_units, n_units, visible, hidden, seed=1)
    states, p = visible_distribution(rbm)
    drawn = np.random.default_rng(0).choice(len(p), n_chains, p=p)
    v = gibbs_step(rbm, states[drawn])
    for feature in (
        lambda u: u[:, 0],
        lambda u: u[:, 1],
        lambda u: u[:, 0] * u[:, 1],
        lambda u: u[:, 0] ** 2,
        lambda u: np.tanh(u[:, 0] - u[:, 1]),
    ):
        exact = p @ feature(states)
        monte_carlo_error = np.sqrt((p @ feature(states) ** 2 - exact**2) / n_chains)
        assert abs(feature(v).mean() - exact) < 4.5 * monte_carlo_error + 1e-12


def test_gibbs_step_draws_every_state_as_often_as_it_should():
    n_chains = 200_000
    rbm = random_rbm(3, 3, seed=2)
    states, p = visible_distribution(rbm)
    v = gibbs_step(rbm, states[np.random.default_rng(0).choice(len(p), n_chains, p=p)])
    index = v @ 2.0 ** np.arange(2, -1, -1)
    frequencies = np.bincount(index.astype(int), minlength=8) / n_chains
    monte_carlo_error = np.sqrt(p * (1 - p) / n_chains).sum() / 2
    assert abs(frequencies - p).sum() / 2 < 4 * monte_carlo_error


def test_reconstruction_error_is_the_mean_squared_difference():
    rbm = random_rbm(5, 3)
    v = np.random.default_rng(0).random((7, 5))
    expected = ((v - visible_mean(rbm, hidden_mean(rbm, v))) ** 2).mean()
    np.testing.assert_allclose(reconstruction_error(rbm, v, hidden_mean(rbm, v)), expected)
