"""The one training loop.

Contrastive divergence and backpropagation are both "a gradient of a minibatch". Whatever must
hold for every training (the check for finite values, the end of a pass, interruption) is here
and nowhere else.
"""

import numpy as np


class DivergenceError(ValueError):
    """Training led to parameters that are not finite."""


class InterruptedTrainingWarning(UserWarning):
    """Training was interrupted: the parameters are those of the last finished pass."""


def minimize(
    parameters, gradient, optimizer, *, n_samples, batch_size, n_passes, engine, end_of_pass, remedy
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
        Member of `skdbn._optimizers.OPTIMIZERS`.
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
            for i in range(n_passes):
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
