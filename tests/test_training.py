"""The one loop."""

import numpy as np
import pytest

from skdbn._maths.engines import NumpyEngine
from skdbn._maths.optimizers import SGD
from skdbn._training.loop import DivergenceError, minimize


def run(gradient, optimizer=None, n_passes=3, end_of_pass=lambda n_passes: False, parameter=None):
    """Minimize over ten rows in minibatches of four; return the parameter."""
    engine = NumpyEngine(np.float64, 0)
    parameter = np.zeros(1) if parameter is None else parameter
    minimize(
        parameter,
        gradient,
        optimizer or SGD(engine, 1, 1.0, momentum=0.0),
        n_samples=10,
        batch_size=4,
        n_passes=n_passes,
        engine=engine,
        end_of_pass=end_of_pass,
        remedy="Do this.",
    )
    return parameter


def test_every_pass_visits_every_row_once_in_a_new_order():
    batches = []

    def gradient(indices, scale):
        batches.append(indices.copy())
        return np.zeros(1)

    run(gradient)
    assert [len(batch) for batch in batches] == [4, 4, 2] * 3
    passes = [np.concatenate(batches[i : i + 3]) for i in (0, 3, 6)]
    for order in passes:
        np.testing.assert_array_equal(np.sort(order), np.arange(10))
    assert any((passes[0] != order).any() for order in passes[1:])


def test_progress_rises_from_zero_towards_one():
    class Recorder:
        seen = []

        def scale(self, progress):
            return 1.0

        def step(self, parameters, gradients, progress):
            self.seen.append(progress)

    run(lambda indices, scale: np.zeros(1), Recorder(), n_passes=2)
    np.testing.assert_allclose(Recorder.seen, [0.0, 0.2, 0.4, 0.5, 0.7, 0.9])


def test_training_stops_when_the_end_of_a_pass_says_so():
    ended = []

    def end_of_pass(n_passes):
        ended.append(n_passes)
        return n_passes == 2

    run(lambda indices, scale: np.zeros(1), n_passes=5, end_of_pass=end_of_pass)
    assert ended == [1, 2]


def test_parameters_that_are_not_finite_raise_with_the_pass_and_the_remedy():
    passes = []

    def gradient(indices, scale):
        return np.array([np.nan if len(passes) == 2 else 0.0])

    def end_of_pass(n_passes):
        passes.append(n_passes)

    message = "Training diverged in pass 3: a parameter is not finite. Do this."
    with pytest.raises(DivergenceError, match=message):
        run(gradient, n_passes=5, end_of_pass=end_of_pass)
    assert passes == [1, 2]


def test_overflow_is_reported_as_divergence_and_not_as_a_numpy_warning():
    def gradient(indices, scale):
        return np.array([1e308]) * 1e308

    with pytest.raises(DivergenceError):
        run(gradient)


def test_interruption_gives_back_the_parameters_of_the_last_finished_pass():
    n_calls = 0

    def gradient(indices, scale):
        nonlocal n_calls
        n_calls += 1
        if n_calls == 8:  # in the middle of the third pass
            raise KeyboardInterrupt
        return np.full(1, -1.0)

    parameter = np.zeros(1)
    with pytest.raises(KeyboardInterrupt):
        run(gradient, n_passes=5, parameter=parameter)
    np.testing.assert_array_equal(parameter, [6.0])
