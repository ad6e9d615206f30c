"""Optimizers against their recurrences, written out in double precision."""

import numpy as np
import pytest

from skdbn._maths.engines.numpy import PIECE_SIZE, NumpyEngine
from skdbn._maths.optimizers import OPTIMIZERS, SCHEDULES, SGD, Adam, cosine

ENGINE = NumpyEngine(np.float64, 0)


def gradients(n_steps, n=6):
    return np.random.default_rng(0).normal(size=(n_steps, n))


def test_sgd_follows_its_recurrence():
    parameters, velocity = np.ones(6), np.zeros(6)
    expected = parameters.copy()
    optimizer = SGD(ENGINE, 6, 6, 0.1, momentum=0.8)
    for gradient in gradients(5):
        optimizer.step(parameters, optimizer.scale(0.0) * gradient)
        velocity = 0.8 * velocity - 0.1 * gradient
        expected = expected + velocity
        np.testing.assert_allclose(parameters, expected, rtol=1e-12)


@pytest.mark.parametrize("n", [6, PIECE_SIZE + 3])
def test_adam_follows_its_recurrence(n):
    parameters = np.ones(n)
    expected, m, v = parameters.copy(), 0.0, 0.0
    optimizer = Adam(ENGINE, n, n, 0.01)
    for t, gradient in enumerate(gradients(5, n), start=1):
        optimizer.step(parameters, gradient.copy())
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        expected -= 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        np.testing.assert_allclose(parameters, expected, rtol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_reaches_the_minimum_of_a_quadratic(name):
    target = np.array([1.0, -2.0, 3.0])
    parameters = np.zeros(3)
    optimizer = OPTIMIZERS[name](ENGINE, 3, 3, 0.05, cosine)
    for i in range(1000):
        scale = optimizer.scale(i / 1000)
        optimizer.step(parameters, scale * (parameters - target), i / 1000)
    np.testing.assert_allclose(parameters, target, atol=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_is_the_gradient_of_a_penalty_on_the_weights_only(name):
    decayed = np.array([2.0, 2.0, 2.0, 1.0])  # three weights and an intercept
    by_hand, is_weight = decayed.copy(), np.array([1.0, 1.0, 1.0, 0.0])
    gradient = np.array([0.3, -0.5, 1.0, 0.0])
    for target, penalty, weight_decay in ((decayed, 0.0, 0.3), (by_hand, 0.3, 0.0)):
        optimizer = OPTIMIZERS[name](ENGINE, 4, 3, 0.1, weight_decay=weight_decay)
        for _ in range(3):
            total = gradient + penalty * target * is_weight
            optimizer.step(target, optimizer.scale(0.0) * total)
    np.testing.assert_allclose(decayed, by_hand, rtol=1e-12)
    assert decayed[3] == 1.0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_schedule_multiplies_the_rate(name):
    moved = []
    for rate, schedule in ((0.1, lambda progress: progress), (0.025, SCHEDULES["constant"])):
        parameters = np.zeros(3)
        optimizer = OPTIMIZERS[name](ENGINE, 3, 3, rate, schedule)
        optimizer.step(parameters, optimizer.scale(0.25) * np.ones(3), 0.25)
        moved.append(parameters)
    np.testing.assert_allclose(*moved, rtol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_keep_their_dtype(name):
    parameters = np.ones(3, np.float32)
    optimizer = OPTIMIZERS[name](NumpyEngine(np.float32, 0), 3, 2, 0.1, weight_decay=0.1)
    optimizer.step(parameters, np.ones(3, np.float32))
    assert parameters.dtype == np.float32


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_start_at_the_full_rate_and_never_rise(name):
    factors = [SCHEDULES[name](progress) for progress in np.linspace(0, 1, 11)]
    assert factors[0] == 1.0
    assert (np.diff(factors) <= 0).all()


def test_cosine_ends_at_zero():
    assert abs(cosine(1.0)) < 1e-15
    assert abs(cosine(0.5) - 0.5) < 1e-15
