"""The one training loop, and the state of a training.

Contrastive divergence and backpropagation both give a gradient of a minibatch. They differ in their
learner: it has the vector `parameters`, which is trained in place, and the members

* ``rows``: the rows to learn from, unless they are always in memory;
* ``engine``, ``n_samples``, ``batch_size``: random numbers, rows in all and in a minibatch;
* ``visits``: indices of the rows that a pass visits, None if it visits each of them once;
* ``n_multiplications``: those of the largest product that a minibatch takes;
* ``gradient(indices, scale)``: the gradient of a minibatch, times a factor;
* ``end_pass()``: a point for each curve, and the loss of held-out rows or None;
* ``arrays(parameters)``: the fitted attributes that are views of a vector of parameters;
* ``extras(best)``: further fitted attributes at the end of a pass;
* ``carried()`` and ``carry(carried, n_iter)``: what a part of the rows passes on to the next one,
  on a cluster;
* ``get_state()`` and ``set_state(state)``: what later passes depend on, beside the parameters.

The rule: all that later passes depend on is in a `Training`, whose parts return their own states
and check the states given back to them. What training leaves in an estimator is a copy.
"""

import math
from typing import NamedTuple

from skdbn._training.checks import whole_number, without_alarms


class DivergenceError(ValueError):
    """Training led to parameters that are not finite."""


class LostRowsError(RuntimeError):
    """Rows on a cluster were lost; the estimator keeps the last finished pass."""


class InterruptedTrainingWarning(UserWarning):
    """Training was interrupted; the estimator keeps the last finished pass, or the best one."""


def fitted_attributes(estimator):
    """Return the fitted attributes that an estimator has."""
    fitted = vars(estimator)
    return {name: fitted[name] for name in estimator._fitted if name in fitted}


class Best(NamedTuple):
    """The pass with the lowest loss of held-out rows, for early stopping.

    The loss may be a score with the opposite sign. Of passes that tie, the best one has the lowest
    `tie_breaker`.
    """

    loss: float = math.inf
    n_passes_without_fall: int = 0
    parameters: object = None
    tie_breaker: float = math.inf

    def after(self, loss, parameters, tol, tie_breaker=0.0):
        """Return the best pass after one more; only a fall by more than `tol` resets the count."""
        fallen = loss < self.loss - tol
        n_passes = 0 if fallen else self.n_passes_without_fall + 1
        if (loss, tie_breaker) < (self.loss, self.tie_breaker):
            return Best(loss, n_passes, parameters, tie_breaker)
        return self._replace(n_passes_without_fall=n_passes)


class Finished(NamedTuple):
    """Result of the last finished pass. It is replaced as a whole, so its parts always agree."""

    n_passes: int
    attributes: dict
    best: Best


class Training:
    """A learner, its optimizer, and all that later passes depend on.

    Parameters
    ----------
    learner : learner
        Object to train.
    optimizer : optimizer
        Changes the parameters.
    estimator : TrainedEstimator
        Its fitted attributes are those before the first pass, which curves continue. Its
        `n_iter_no_change` and `tol` are used by early stopping.
    remedy : str
        Advice for users if training diverges: a sentence for the message.
    stops_early : bool, default=False
        Whether early stopping ends training and keeps the best pass.
    of_part : callable, optional
        Returns the same training on other rows; it is sent to the workers of a cluster.

    Attributes
    ----------
    others : list
        State of each group of rows on a cluster, except the first.
    """

    def __init__(self, learner, optimizer, estimator, remedy, stops_early=False, of_part=None):
        self.of_part, self.others = of_part, []
        self.learner, self.optimizer, self.engine = learner, optimizer, learner.engine
        self.patience = estimator.n_iter_no_change if stops_early else None
        self.tol, self.remedy = estimator.tol, remedy
        self.finished = Finished(0, fitted_attributes(estimator), Best())

    def make_pass(self, i, n_passes):
        """Make pass i of n_passes, on the workers if the rows are there."""
        rows = getattr(self.learner, "rows", None)
        elsewhere = getattr(getattr(rows, "X", None), "make_pass", None)
        if elsewhere is None:
            self.make_steps(i, n_passes)
        else:
            elsewhere(self, i, n_passes)

    def make_steps(self, begin, n_passes, share=1.0):
        """Make a step for each of the shuffled minibatches of a pass.

        The rows are a share of those of the pass. `begin` is the number of passes made before.
        """
        learner, optimizer = self.learner, self.optimizer
        visits, batch_size = learner.visits, learner.batch_size
        n_visits = learner.n_samples if visits is None else len(visits)
        order = self.engine.permutation(n_visits)
        if visits is not None:
            order = visits[order]
        for start in range(0, n_visits, batch_size):
            progress = (begin + share * (start / n_visits)) / n_passes
            scale = optimizer.scale(progress)
            gradients = learner.gradient(order[start : start + batch_size], scale)
            optimizer.step(learner.parameters, gradients, progress)

    def end_pass(self):
        """Evaluate a pass and keep a copy of its result; return the points of the curves."""
        n_passes, attributes, best = self.finished
        points, loss = self.learner.end_pass()
        if not math.isfinite(points.get("loss_curve_", 0.0)):
            raise self.divergence("the loss")
        parameters = self.learner.parameters.copy()
        if loss is not None:
            tie_breaker = points.get("validation_loss_curve_", 0.0)
            best = best.after(loss, parameters, self.tol, tie_breaker)
        attributes = {**attributes, **self.learner.arrays(parameters), **self.learner.extras(best)}
        for name, point in points.items():
            attributes[name] = [*attributes.get(name, []), point]
        attributes["n_iter_"] = len(attributes["loss_curve_"])  # others belong to other phases
        self.finished = Finished(n_passes + 1, attributes, best)
        return points

    def outcome(self):
        """Return the final fitted attributes: those of the best pass with early stopping."""
        _, attributes, best = self.finished
        if self.patience is None or best.parameters is None:
            return attributes
        return {**attributes, **self.learner.arrays(best.parameters)}

    def has_enough(self):
        """Tell whether early stopping ends training."""
        n_passes = self.finished.best.n_passes_without_fall
        return self.patience is not None and n_passes >= self.patience

    def divergence(self, what):
        """Return the error that `what` is not finite."""
        n_passes = self.finished.n_passes + 1
        return DivergenceError(
            f"Training diverged in pass {n_passes}: {what} is not finite. {self.remedy}"
        )

    def get_state(self):
        """Return the state that later passes depend on, besides the fitted attributes."""
        return {
            "n_passes": self.finished.n_passes,
            "best": self.finished.best._asdict(),
            "engine": self.engine.get_state(),
            "optimizer": self.optimizer.get_state(),
            "learner": self.learner.get_state(),
            "others": self.others,
        }

    def set_state(self, state):
        """Continue from a state. Parts raise if theirs does not fit."""
        best = Best(**state["best"])
        if not (isinstance(best.loss, float) and isinstance(best.tie_breaker, float)):
            raise TypeError("the best loss is not a number")
        whole_number(best.n_passes_without_fall)
        if best.parameters is not None:
            n = len(self.learner.parameters)
            best = best._replace(parameters=self.engine.given(best.parameters, (n,)))
        self.engine.set_state(state["engine"])
        self.optimizer.set_state(state["optimizer"])
        self.learner.set_state(state["learner"])
        self.others = list(state["others"])
        self.finished = Finished(whole_number(state["n_passes"]), self.finished.attributes, best)


def minimize(training, n_passes, *, begin_of_pass=lambda: None, end_of_pass):
    """Make passes over shuffled minibatches, up to n_passes including those before a checkpoint.

    `end_of_pass` is called after each pass, and stops training by returning True. Returns whether
    it did. Raises DivergenceError if a parameter is not finite after a pass.
    """
    # An overflow leaves a parameter that is not finite, which is reported here.
    with without_alarms():
        for i in range(training.finished.n_passes, n_passes):
            begin_of_pass()
            training.make_pass(i, n_passes)
            if not training.engine.all_finite(training.learner.parameters):
                raise training.divergence("a parameter")
            if end_of_pass():
                return True
    return False
