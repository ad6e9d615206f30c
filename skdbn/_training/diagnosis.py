"""Warnings at the end of training, and how a warning finds the line of the user.

The rule: a warning has a category of its own, says what was measured, and what to do.
"""

import contextlib
import copy
import os
import pickle
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning

from skdbn import _version

SATURATED = 0.05  # distance from 0 or 1 below which a probability counts as saturated
CONSTANT = 0.05  # range of activations below which a unit counts as dead
MANY = 0.75  # share of hidden units that may be saturated
GUESSING = 0.95  # share of the loss of guessing above which nothing was learned
NOTHING = 1e-9  # loss of guessing that is one of rounding
CONVERGED = 0.02  # change of the loss in a pass, as a share of the loss of guessing
MANY_DEVIATIONS = 3.0  # of passes whose loss scatters, within which it may change
GAP = 1.0  # nats between two estimates of the same quantity
LARGE_WEIGHT = 30.0  # far above what training on scaled data leads to
GROWTH = 1.01  # factor in a pass that counts as growth
# Code that stands between the line of a user and the one that warns.
BETWEEN = (
    *(f"{Path(module.__file__).parent}{os.sep}" for module in (_version, sklearn, joblib)),
    *(module.__file__ for module in (contextlib, copy, pickle)),
)


class HiddenUnitsWarning(UserWarning):
    """Most hidden units say little about the data."""


class GrowingWeightsWarning(UserWarning):
    """Weights are large and still grow."""


class FittedTemplateWarning(UserWarning):
    """A template is a fitted machine, and is trained anew."""


class NotConvergedWarning(ConvergenceWarning):
    """Fine-tuning ended before the network had settled, or without learning."""


class FewLabelsWarning(UserWarning):
    """Rows without labels led the network far from what the labelled rows alone say."""


class MixingWarning(UserWarning):
    """Markov chains of a machine do not get around, so that a likelihood cannot be trusted."""


class VersionWarning(UserWarning):
    """A saved model comes from another version of the package."""


def warn(message, category):
    """Warn at the line of the user that led here, directly or through scikit-learn."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(BETWEEN):
        frame = frame.f_back
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=frame.f_globals.get("__name__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def idle_units(h, are_discrete):
    """Return which hidden units hardly change over rows (dead), and which are always on or off.

    `h` are expected hidden states of shape (n_rows, n_hidden). Only discrete units saturate. A unit
    that is certain in every row, on in some and off in others, is not idle.
    """
    highest, lowest = h.max(axis=0), h.min(axis=0)
    stuck = (highest < SATURATED) | (lowest > 1.0 - SATURATED)
    return highest - lowest < CONSTANT, stuck & are_discrete


def warn_of_idle_units(dead, saturated, where=""):
    """Warn when most hidden units are stuck, or all of them say the same of every row.

    `dead` and `saturated` are shares of the hidden units. Units that are always off or always on
    count as saturated. Units that hardly move from where they began are no fault while others do
    move: a large layer on a small table has many. In a layer of a net, which `where` names, they
    are none at all: fine-tuning moves them, or says that the network has not learned.
    """
    if saturated > MANY:
        finding = (
            f"{saturated:.0%} of the hidden units are saturated (always off or always on, within "
            f"0.05) and {dead:.0%} are dead (the same in every row). Lower learning_rate tenfold, "
            "or raise weight_decay."
        )
    elif dead == 1.0 and not where:
        finding = (
            "The hidden layer is constant: no unit changes by more than 0.05 from row to row. "
            "Raise n_iter or learning_rate, or check that X varies."
        )
    else:
        return
    warn(where + finding, HiddenUnitsWarning)


def warn_of_growing_weights(largest_weights, where=""):
    """Warn when training runs away: the largest weight after each pass is large and grows."""
    before, largest = (0.0, 0.0, *largest_weights)[-2:]
    if largest > max(LARGE_WEIGHT, GROWTH * before):
        warn(
            f"{where}The largest weight is {largest:.3g} after {len(largest_weights)} passes and "
            "the weights still grow: training runs away. Lower learning_rate, raise weight_decay, "
            "or set visible_units='auto' where X is not within [0, 1].",
            GrowingWeightsWarning,
        )


def warn_unless_converged(losses, guessing):
    """Warn when fine-tuning ended before the network had settled, or without learning.

    `losses` are the mean losses of its passes, and `guessing` that of the best output that is the
    same for all rows, which is the measure. Means over the last tenth of the passes and the tenth
    before are compared, in view of how much passes scatter.
    """
    n = max(1, len(losses) // 10)
    parts = np.reshape(losses[-2 * n :], (2, n))
    before, last = parts.mean(axis=1)
    # The variance of one pass, from differences of neighbours, in which a trend hardly shows.
    variance = (np.diff(parts, axis=1) ** 2).sum() / max(1, 4 * (n - 1))
    scatter = np.sqrt(2.0 * variance / n)
    if guessing < NOTHING:  # all targets are the same: there is nothing to learn
        return
    if last > GUESSING * guessing:
        finding = (
            f"Fine-tuning ended with a loss of {last:.4g}, hardly better than that of guessing, "
            f"{guessing:.4g}: the network has learned next to nothing, or noise, dropout and "
            "adversarial steps hide what it learned. Raise finetune_iter, try another "
            "learning_rate_init, or lower what perturbs the rows."
        )
    elif abs(last - before) > n * CONVERGED * guessing + MANY_DEVIATIONS * scatter:
        finding = (
            f"Fine-tuning has not converged: at its end the loss went from {before:.4g} to "
            f"{last:.4g}. Raise finetune_iter, or lower learning_rate_init if the loss rose."
        )
    else:
        return
    warn(finding, NotConvergedWarning)


def warn_of_gap(gap, n_temperatures):
    """Warn when annealing from both ends gives two partition functions, so many nats apart."""
    if gap > GAP:
        warn(
            f"After {n_temperatures} temperatures the estimates of log Z from both directions are "
            f"{gap:.3g} nats apart: chains do not reach all that the machine holds probable, so "
            "do not trust the value. Pass ten times as many n_temperatures. If the gap "
            "stays, the machine has modes that chains do not leave: train it with a lower "
            "learning_rate or more weight_decay.",
            MixingWarning,
        )


def warn_of_other_version(version, what):
    """Warn when a saved object comes from another version, or from one that is not known."""
    if version != _version.__version__:
        warn(
            f"{what} was saved by skdbn {version or 'of unknown version'}, and this is skdbn "
            f"{_version.__version__}: it may behave differently. Fit it anew, or install the "
            "version that saved it.",
            VersionWarning,
        )
