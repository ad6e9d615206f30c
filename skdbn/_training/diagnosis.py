"""What is said of a training when it ends.

The rule: a warning has a category of its own, says what was measured, and what to do.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

FROM_FIT, FROM_CLASSIFIER = 6, 10  # calls from a warning up to the line of the user
MANY = 0.5  # share of hidden units that may be saturated
GUESSING = 0.95  # share of the loss of guessing above which nothing was learned
CONVERGED = 0.02  # change of the loss in a pass, as a share of the loss of guessing


class HiddenUnitsWarning(UserWarning):
    """Most hidden units say little about the data."""


class GrowingWeightsWarning(UserWarning):
    """Weights are large and still grow."""


class NotConvergedWarning(ConvergenceWarning):
    """Fine-tuning ended before the network had settled, or without learning."""


def warn_of_idle_units(dead, saturated, where=""):
    """Warn when most hidden units are stuck, or all of them say the same of every row.

    Units that are always off or always on count as saturated. Units that hardly move from where
    they began are no fault while others do move: a large layer on a small table has many.

    Parameters
    ----------
    dead, saturated : float
        Shares of the hidden units.
    where : str, default=""
        Which machine it is, as the begin of the message.

    Warns
    -----
    HiddenUnitsWarning
        When more than half of the units are saturated, or all are dead.
    """
    if saturated > MANY:
        finding = (
            f"{saturated:.0%} of the hidden units are saturated (within 0.05 of 0 or 1 in every "
            f"row) and {dead:.0%} are dead (the same in every row). Lower learning_rate, by ten "
            "say, or raise weight_decay."
        )
    elif dead == 1.0:
        finding = (
            "The hidden layer is constant: all units are dead, over the rows they change by less "
            "than 0.05. Raise n_iter or learning_rate, or look whether X varies."
        )
    else:
        return
    warnings.warn(
        where + finding, HiddenUnitsWarning, stacklevel=FROM_CLASSIFIER if where else FROM_FIT
    )


def warn_of_growing_weights(largest, n_passes, where=""):
    """Warn that training runs away.

    Parameters
    ----------
    largest : float
        The largest weight.
    n_passes : int
        Passes made.
    where : str, default=""
        Which machine it is, as the begin of the message.

    Warns
    -----
    GrowingWeightsWarning
        Always.
    """
    warnings.warn(
        f"{where}The largest weight is {largest:.3g} after {n_passes} passes and the weights still "
        "grow: training runs away. Lower learning_rate, raise weight_decay, or scale X.",
        GrowingWeightsWarning,
        stacklevel=FROM_CLASSIFIER if where else FROM_FIT,
    )


def warn_unless_converged(losses, labels):
    """Warn when fine-tuning ended before the network had settled, or without learning.

    Parameters
    ----------
    losses : sequence of float
        Mean cross-entropy of the last two passes, in nats.
    labels : ndarray of int of shape (n_samples,)
        Index of each row's class.

    Warns
    -----
    NotConvergedWarning
        When the last loss is near that of guessing by the shares of the classes, or changed by
        more than a fiftieth of it.
    """
    shares = np.bincount(labels) / len(labels)
    shares = shares[shares > 0]
    guessing = -float(shares @ np.log(shares))
    before, last = losses
    if last > GUESSING * guessing:
        finding = (
            f"Fine-tuning ended with a loss of {last:.4g}, and {guessing:.4g} is that of guessing: "
            "the network has learned next to nothing, or noise, dropout and adversarial steps hide "
            "what it learned. Raise finetune_iter, try another learning_rate_init, scale X, or "
            "lower what perturbs the rows."
        )
    elif abs(last - before) > CONVERGED * guessing:
        finding = (
            f"Fine-tuning has not converged: in its last pass the loss went from {before:.4g} to "
            f"{last:.4g}. Raise finetune_iter, or lower learning_rate_init if the loss rose."
        )
    else:
        return
    warnings.warn(finding, NotConvergedWarning, stacklevel=FROM_FIT)
