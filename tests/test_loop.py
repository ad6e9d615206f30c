"""The one loop, and the state of a training."""

import numpy as np
import pytest

from skdbn._maths.engines import ENGINES
from skdbn._maths.optimizers import OPTIMIZERS, SGD
from skdbn._training.loop import Best, DivergenceError, Training, minimize


class Learner:
    """One parameter, whose gradient and held-out losses a test gives."""

    def __init__(self, gradient=lambda indices: -1.0, losses=()):
        self.parameters = np.zeros(1)
        self.given, self.losses, self.n_looks = gradient, losses, 0
        self.engine, self.n_samples, self.batch_size = ENGINES["numpy"](np.float64, 0), 10, 4
        self.visits = None

    def gradient(self, indices, scale):
        return np.full(1, scale * self.given(indices))

    def end_pass(self):
        loss = self.losses[self.n_looks] if self.losses else None
        self.n_looks += 1
        return {"loss_curve_": float(self.n_looks)}, loss

    def arrays(self, parameters):
        return {"weight_": parameters}

    def extras(self, best):
        return {"best_": best.loss}

    def get_state(self):
        return {"n_looks": self.n_looks}

    def set_state(self, state):
        self.n_looks = state["n_looks"]


class Estimator:
    """What a training takes from the estimator whose parameters it trains."""

    _fitted, tol = ("loss_curve_", "n_iter_", "weight_"), 0.0

    def __init__(self, n_iter_no_change):
        self.n_iter_no_change, self.loss_curve_, self.n_iter_ = n_iter_no_change, [], 0


def make_training(learner=None, optimizer=None, patience=None):
    learner = learner or Learner()
    optimizer = optimizer or SGD(learner.engine, 1, 1, 1.0, momentum=0.0)
    return Training(learner, optimizer, Estimator(patience), "Do this.", patience is not None)


def run(training, n_passes=3):
    """Make passes, each of which is finished; return what was finished after each."""
    finished = []

    def end_of_pass():
        training.end_pass()
        finished.append(training.finished)
        return training.has_enough()

    minimize(training, n_passes, end_of_pass=end_of_pass)
    return finished


# -- the loop


def test_every_pass_visits_every_row_once_in_a_new_order():
    batches = []

    def gradient(indices):
        batches.append(indices.copy())
        return 0.0

    run(make_training(Learner(gradient)))
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

    run(make_training(optimizer=Recorder()), n_passes=2)
    np.testing.assert_allclose(Recorder.seen, [0.0, 0.2, 0.4, 0.5, 0.7, 0.9])


def test_training_stops_when_the_end_of_a_pass_says_so():
    training = make_training()
    ended = []

    def end_of_pass():
        training.end_pass()
        ended.append(training.finished.n_passes)
        return ended[-1] == 2

    assert minimize(training, 5, end_of_pass=end_of_pass)
    assert ended == [1, 2]
    assert not minimize(training, 1, end_of_pass=end_of_pass)  # all were made before


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_parameters_that_are_not_finite_raise_with_the_pass_and_the_remedy(value):
    training = make_training()
    training.learner.given = lambda indices: value if training.finished.n_passes == 2 else 0.0
    message = "Training diverged in pass 3: a parameter is not finite. Do this."
    with pytest.raises(DivergenceError, match=message):
        run(training, n_passes=5)
    assert training.finished.n_passes == 2


def test_overflow_is_reported_as_divergence_and_not_as_a_numpy_warning():
    with pytest.raises(DivergenceError):
        run(make_training(Learner(lambda indices: np.float64(1e308) * 1e308)))


def test_loss_that_is_not_finite_is_divergence_too():
    training = make_training()
    training.learner.end_pass = lambda: ({"loss_curve_": np.inf}, None)
    with pytest.raises(DivergenceError, match="in pass 1: the loss is not finite. Do this."):
        run(training)


# -- what a pass leaves


def test_what_a_pass_leaves_is_a_copy_of_the_parameters_and_a_point_longer():
    training = make_training()
    first, second, third = run(training)
    assert first.attributes["weight_"] == [3.0]
    assert third.attributes["weight_"] == [9.0]
    assert not np.shares_memory(third.attributes["weight_"], training.learner.parameters)
    assert second.attributes["loss_curve_"] == [1.0, 2.0]
    assert first.attributes["loss_curve_"] == [1.0]  # not the same list
    assert [finished.attributes["n_iter_"] for finished in (first, second, third)] == [1, 2, 3]


def test_interruption_leaves_the_last_finished_pass():
    calls = []

    def gradient(indices):
        calls.append(1)
        if len(calls) == 8:  # in the middle of the third pass
            raise KeyboardInterrupt
        return -1.0

    training = make_training(Learner(gradient))
    with pytest.raises(KeyboardInterrupt):
        run(training, n_passes=5)
    assert training.finished.n_passes == 2
    assert training.outcome()["weight_"] == [6.0]


# -- early stopping


def test_best_pass_is_kept_and_only_a_fall_by_tol_counts():
    best = Best()
    losses = [3.0, 2.0, 1.95, 1.96, 1.5]
    n_passes = []
    for i, loss in enumerate(losses):
        best = best.after(loss, i, tol=0.1)
        n_passes.append(best.n_passes_without_fall)
    assert n_passes == [0, 0, 1, 2, 0]
    assert best.after(9.0, 5, tol=0.1)[::2] == (1.5, 4)
    assert Best().after(1.0, "a", 0.5).after(0.9, "b", 0.5).parameters == "b"


def test_tie_goes_to_the_pass_with_the_lower_second_loss_and_counts_as_no_fall():
    best = Best()
    for i, second_loss in enumerate([3.0, 2.0, 2.5, 2.0]):
        best = best.after(1.0, i, 0.0, second_loss)
    assert best == (1.0, 3, 1, 2.0)
    assert best.after(1.5, 4, 0.0, 0.0).parameters == 1


def test_training_stops_without_a_fall_and_ends_with_the_best_pass():
    losses = [5.0, 1.0, 2.0, 3.0, 0.0]
    training = make_training(Learner(losses=losses), patience=2)
    finished = run(training, n_passes=5)
    assert len(finished) == 4
    outcome = training.outcome()
    assert outcome["weight_"] == [6.0]  # of pass 2
    assert (outcome["best_"], outcome["n_iter_"], len(outcome["loss_curve_"])) == (1.0, 4, 4)
    only_watched = make_training(Learner(losses=losses))
    run(only_watched, n_passes=4)
    assert only_watched.outcome()["weight_"] == [12.0]


# -- the state


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("n_made", [1, 2, 3])
def test_training_goes_on_from_its_state_to_the_same_bits(name, n_made):
    def noisy(n_passes, state=None, parameters=None):
        learner = Learner(losses=[3.0, 1.0, 2.0, 4.0])
        optimizer = OPTIMIZERS[name](learner.engine, 1, 1, 0.1)
        learner.given = lambda indices: learner.engine.normal((1,))[0] * indices[0]
        training = make_training(learner, optimizer, patience=9)
        if state is not None:
            learner.parameters[:] = parameters
            training.set_state(state)
        # The learning-rate schedule is constant, so that fewer passes are the same passes.
        run(training, n_passes)
        return training

    part, whole = noisy(n_made), noisy(4)
    resumed = noisy(4, part.get_state(), part.learner.parameters)
    np.testing.assert_array_equal(resumed.learner.parameters, whole.learner.parameters)
    assert resumed.finished.best.loss == whole.finished.best.loss == 1.0
    np.testing.assert_array_equal(*(t.finished.best.parameters for t in (resumed, whole)))
    assert resumed.finished.n_passes == 4


@pytest.mark.parametrize("part", ["n_passes", "best", "engine", "optimizer", "learner"])
@pytest.mark.parametrize("value", [None, "x", -1, [], {"loss": 1}, {"tie_breaker": 1}])
def test_each_part_of_the_state_refuses_what_does_not_fit(part, value):
    training = make_training(Learner(losses=[1.0] * 3))
    run(training)
    state = {**training.get_state(), part: value}
    with pytest.raises((TypeError, ValueError, KeyError, AttributeError)):
        training.set_state(state)


@pytest.mark.parametrize("wrong", [np.zeros(2), np.zeros(1, np.float32), np.zeros((1, 1))])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_vectors_of_other_parameters_are_refused(name, wrong):
    engine = ENGINES["numpy"](np.float64, 0)
    training = make_training(Learner(losses=[1.0]), OPTIMIZERS[name](engine, 1, 1, 0.1))
    run(training, 1)
    state = training.get_state()
    for vectors in (state["optimizer"], state["best"]):
        for key in [key for key, value in vectors.items() if isinstance(value, np.ndarray)]:
            kept, vectors[key] = vectors[key], wrong
            with pytest.raises(ValueError, match=r"must have \(1,\) and float64"):
                training.set_state(state)
            vectors[key] = kept
    training.set_state(state)
