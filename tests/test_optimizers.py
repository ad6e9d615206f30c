"""Optimizers against their recurrences, written out in double precision."""

import numpy as np
import pytest

from skdbn._engines import NumpyEngine
from skdbn._optimizers import OPTIMIZERS, SCHEDULES, SGD, Adam, cosine

ENGINE = NumpyEngine(np.float64, 0)


def gradients(n_steps, shape=(3, 2)):
    return np.random.default_rng(0).normal(size=(n_steps, *shape))


def test_sgd_follows_its_recurrence():
    parameter, velocity = np.ones((3, 2)), np.zeros((3, 2))
    expected = parameter.copy()
    optimizer = SGD(ENGINE, 0.1, momentum=0.8)
    for gradient in gradients(5):
        optimizer.step([parameter], [gradient.copy()])
        velocity = 0.8 * velocity - 0.1 * gradient
        expected = expected + velocity
        np.testing.assert_allclose(parameter, expected, rtol=1e-12)


def test_adam_follows_its_recurrence():
    parameter = np.ones((3, 2))
    expected, m, v = parameter.copy(), 0.0, 0.0
    optimizer = Adam(ENGINE, 0.01)
    for t, gradient in enumerate(gradients(5), start=1):
        optimizer.step([parameter], [gradient.copy()])
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        expected -= 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        np.testing.assert_allclose(parameter, expected, rtol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_reaches_the_minimum_of_a_quadratic(name):
    target = np.array([1.0, -2.0, 3.0])
    parameter = np.zeros(3)
    optimizer = OPTIMIZERS[name](ENGINE, 0.05, cosine)
    for i in range(1000):
        optimizer.step([parameter], [parameter - target], i / 1000)
    np.testing.assert_allclose(parameter, target, atol=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_is_the_gradient_of_a_penalty_on_matrices_only(name):
    gradient, parameter = gradients(1)[0], np.full((3, 2), 2.0)
    decayed, by_hand = parameter.copy(), parameter.copy()
    vector = np.ones(2)
    for target, penalty, weight_decay in ((decayed, 0.0, 0.3), (by_hand, 0.3, 0.0)):
        optimizer = OPTIMIZERS[name](ENGINE, 0.1, weight_decay=weight_decay)
        for _ in range(3):
            optimizer.step([target, vector], [gradient + penalty * target, np.zeros(2)])
    np.testing.assert_allclose(decayed, by_hand, rtol=1e-12)
    np.testing.assert_array_equal(vector, np.ones(2))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_schedule_multiplies_the_rate(name):
    moved = []
    for rate, schedule in ((0.1, lambda progress: progress), (0.025, SCHEDULES["constant"])):
        parameter = np.zeros(3)
        OPTIMIZERS[name](ENGINE, rate, schedule).step([parameter], [np.ones(3)], 0.25)
        moved.append(parameter)
    np.testing.assert_allclose(*moved, rtol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_keep_their_dtype(name):
    parameter = np.ones((3, 2), np.float32)
    optimizer = OPTIMIZERS[name](NumpyEngine(np.float32, 0), 0.1, weight_decay=0.1)
    optimizer.step([parameter], [np.ones((3, 2), np.float32)])
    assert parameter.dtype == np.float32


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_start_at_the_full_rate_and_never_rise(name):
    factors = [SCHEDULES[name](progress) for progress in np.linspace(0, 1, 11)]
    assert factors[0] == 1.0
    assert (np.diff(factors) <= 0).all()


def test_cosine_ends_at_zero():
    assert abs(cosine(1.0)) < 1e-15
    assert abs(cosine(0.5) - 0.5) < 1e-15
