"""The one training loop.

Contrastive divergence and backpropagation are both "a gradient of a minibatch". Whatever must
hold for every training (the check for finite values, the end of a pass, interruption) is here
and nowhere else.
"""

import math

import numpy as np


class DivergenceError(ValueError):
    """Training led to parameters that are not finite."""


class InterruptedTrainingWarning(UserWarning):
    """Training was interrupted: the parameters are those of the last finished pass."""


class BestParameters:
    """The parameters of the pass with the lowest loss, for early stopping.

    Parameters
    ----------
    parameters : ndarray of shape (n_parameters,)
        What is trained.
    tol : float
        Smallest fall of the loss that counts.
    """

    def __init__(self, parameters, tol):
        self.parameters = parameters
        self.tol = tol
        self.loss = math.inf
        self.n_passes_without_fall = 0
        self.best = None

    def watch(self, loss):
        """Keep the parameters when the loss is the lowest; count passes without a fall by tol.

        Parameters
        ----------
        loss : float
            Loss after a pass, on rows that are not trained on.
        """
        fallen = loss < self.loss - self.tol
        self.n_passes_without_fall = 0 if fallen else self.n_passes_without_fall + 1
        if loss < self.loss:
            self.loss, self.best = loss, self.parameters.copy()

    def restore(self):
        """Write the best parameters where training left the last ones."""
        if self.best is not None:
            self.parameters[...] = self.best

    def get_state(self):
        """Return what has been kept.

        Returns
        -------
        dict
            Numbers and arrays.
        """
        best = None if self.best is None else self.best.copy()
        return {"loss": self.loss, "n_passes": self.n_passes_without_fall, "best": best}

    def set_state(self, state):
        """Go on from what was kept.

        Parameters
        ----------
        state : dict
            What `get_state` returned.
        """
        self.loss, self.n_passes_without_fall = state["loss"], state["n_passes"]
        self.best = state["best"]


def minimize(
    parameters,
    gradient,
    optimizer,
    *,
    n_samples,
    batch_size,
    n_passes,
    engine,
    end_of_pass,
    remedy,
    begin_of_pass=lambda: None,
    first_pass=0,
):
    """Make passes over shuffled minibatches.

    Parameters
    ----------
    parameters : ndarray of shape (n_parameters,)
        What to train, changed in place.
    gradient : callable
        Maps the row indices of a minibatch and a factor to the gradients of the parameters
        times the factor.
    optimizer : optimizer
        Member of `skdbn._maths.optimizers.OPTIMIZERS`.
    n_samples : int
        Number of rows.
    batch_size : int
        Rows in a minibatch; the last one of a pass may be shorter.
    n_passes : int
        Number of passes.
    engine : engine
        Where the order of the rows comes from.
    end_of_pass : callable
        Called with the number of finished passes. Training stops when it returns True.
    remedy : str
        What the user can do when training diverges: a sentence for the message.
    begin_of_pass : callable, optional
        Called before each pass.
    first_pass : int, default=0
        Passes of the n_passes that were made before, when training goes on.

    Raises
    ------
    DivergenceError
        When a parameter is not finite after a pass.
    KeyboardInterrupt
        When the user interrupts training. The parameters are then those of the last finished
        pass.
    """
    finished = parameters.copy()
    try:
        # What overflows leaves a parameter that is not finite, and that is reported here.
        with np.errstate(over="ignore", invalid="ignore"):
            for i in range(first_pass, n_passes):
                begin_of_pass()
                order = engine.permutation(n_samples)
                for start in range(0, n_samples, batch_size):
                    progress = (i + start / n_samples) / n_passes
                    scale = optimizer.scale(progress)
                    gradients = gradient(order[start : start + batch_size], scale)
                    optimizer.step(parameters, gradients, progress)
                if not engine.all_finite(parameters):
                    raise DivergenceError(
                        f"Training diverged in pass {i + 1}: a parameter is not finite. {remedy}"
                    )
                finished[...] = parameters
                if end_of_pass(i + 1):
                    break
    except KeyboardInterrupt:
        parameters[...] = finished
        raise
