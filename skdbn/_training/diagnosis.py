"""Warnings at the end of training, and how a warning finds the user's line.

The rule: a warning has its own category, and states what was measured and what to do.
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
DEAD = 0.05  # range of activations below which a unit counts as dead
MOST_SATURATED = 0.75  # share of hidden units that may be saturated
GUESSING = 0.95  # share of the loss of guessing above which nothing was learned
WORSE = 2.0  # times the loss of guessing, which noise and dropout alone hardly reach
NOTHING = 1e-9  # loss of guessing that is only rounding error
CONVERGED = 0.02  # change of the loss in a pass, as a share of the loss of guessing
MANY_DEVIATIONS = 3.0  # standard errors by which a scattered loss may change
GAP_IN_NATS = 1.0  # nats between two estimates of the same quantity
LARGE_WEIGHT = 30.0  # far above the weights of training on scaled data
GROWTH = 1.01  # factor per pass that counts as growth
# Code that may lie between the user's line and the one that warns.
BETWEEN = (
    *(f"{Path(module.__file__).parent}{os.sep}" for module in (_version, sklearn, joblib)),
    *(module.__file__ for module in (contextlib, copy, pickle)),
)


class HiddenUnitsWarning(UserWarning):
    """Most hidden units carry little information about the data."""


class GrowingWeightsWarning(UserWarning):
    """Weights are large and still growing."""


class FittedTemplateWarning(UserWarning):
    """A template is a fitted RBM, but is trained from scratch."""


class NotConvergedWarning(ConvergenceWarning):
    """Fine-tuning ended before the network converged, or without learning."""


class FewLabelsWarning(UserWarning):
    """Labels are missing, or rows without labels, or these led far from what the others predict."""


class MixingWarning(UserWarning):
    """Markov chains of a machine mix badly, so a likelihood cannot be trusted."""


class VersionWarning(UserWarning):
    """A saved model comes from another version of the package."""


def warn(message, category):
    """Warn at the user's line that led here, directly or through scikit-learn."""
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


def advice_on_machine(advice, in_net):
    """Return advice that names parameters of a machine, each after the field {rbm}.

    In a net they are parameters of the template.
    """
    if not in_net:
        return advice.format(rbm="")
    of_a_list = " If rbm is a list, rbm__0__learning_rate is that of layer 1, and so on."
    return advice.format(rbm="rbm__") + of_a_list


def idle_units(h, are_binary):
    """Return which hidden units hardly vary over rows (dead), and which are saturated.

    `h` has expected hidden states, of shape (n_rows, n_hidden). A saturated unit is on in all rows,
    or off in all rows; only binary units saturate. A unit that is certainly on in some rows and
    certainly off in others is not idle.
    """
    highest, lowest = h.max(axis=0), h.min(axis=0)
    stuck = (highest < SATURATED) | (lowest > 1.0 - SATURATED)
    return highest - lowest < DEAD, stuck & are_binary


def warn_of_idle_units(dead, saturated, rate, is_range_given=False, where=""):
    """Warn if most hidden units are saturated, or all of them are the same in every row.

    `dead` and `saturated` are shares of the hidden units, `rate` is the learning rate, and
    `is_range_given` tells that the visible units take values within [0, 1], whatever X has. Units
    that are always off or always on count as saturated. Units that have hardly changed since the
    start are no fault while others have: a large layer on a small table has many. In a layer of a
    net, named by `where`, they are never a fault: fine-tuning changes them, or warns that the
    network has not learned.
    """
    if saturated > MOST_SATURATED:
        finding = (
            f"{saturated:.0%} of the hidden units are saturated (always off or always on, within "
            f"0.05) and {dead:.0%} are dead (the same in every row). "
        )
        advice = f"Lower {{rbm}}learning_rate, which was {rate:.3g}, tenfold or more."
        if is_range_given:
            advice += " If X is not within [0, 1], set {rbm}visible_units='auto' instead."
    elif dead == 1.0 and not where:
        finding = (
            "The hidden layer is constant: no unit changes by more than 0.05 from row to row. "
        )
        advice = (
            "Raise n_iter or learning_rate, set visible_units='gaussian' if X has measurements "
            "within [0, 1], or check that X varies."
        )
    else:
        return
    warn(where + finding + advice_on_machine(advice, bool(where)), HiddenUnitsWarning)


def warn_of_growing_weights(largest_weights, where=""):
    """Warn if training is diverging: the largest weight is large and grows from pass to pass."""
    before, largest = (0.0, 0.0, *largest_weights)[-2:]
    if largest > max(LARGE_WEIGHT, GROWTH * before):
        advice = (
            "Lower {rbm}learning_rate, raise {rbm}weight_decay, or set {rbm}visible_units='auto' "
            "if X is not within [0, 1]."
        )
        warn(
            f"{where}The largest weight is {largest:.3g} after {len(largest_weights)} passes and "
            f"still growing: training is diverging. {advice_on_machine(advice, bool(where))}",
            GrowingWeightsWarning,
        )


def warn_unless_converged(losses, guessing, has_binary=False):
    """Warn if fine-tuning ended before the network converged, or without learning.

    `losses` are the mean losses of its passes; `guessing` is the loss of the best constant output,
    which sets the scale. The means over the last tenth of the passes and the tenth before are
    compared, given the scatter of the passes. `has_binary` tells whether columns of the data have
    binary units because of their values.
    """
    n = max(1, len(losses) // 10)
    parts = np.reshape(losses[-2 * n :], (2, n))
    before, last = parts.mean(axis=1)
    # The variance of one pass, from differences of neighbours, which a trend hardly affects.
    variance = (np.diff(parts, axis=1) ** 2).sum() / max(1, 4 * (n - 1))
    scatter = np.sqrt(2.0 * variance / n)
    if guessing < NOTHING:  # all targets are the same: there is nothing to learn
        return
    if last > WORSE * guessing:
        finding = (
            f"Fine-tuning ended with a loss of {last:.4g}, far above that of guessing, "
            f"{guessing:.4g}: its steps are too long. Lower learning_rate_init, or set it to "
            "'auto'. If that does not help, lower noise, dropout and adversarial steps."
        )
    elif last > GUESSING * guessing:
        finding = (
            f"Fine-tuning ended with a loss of {last:.4g}, hardly better than that of guessing, "
            f"{guessing:.4g}: the network has learned next to nothing, or noise, dropout and "
            "adversarial steps hide what it learned. Raise finetune_iter, try another "
            "learning_rate_init, or lower noise, dropout and adversarial steps."
        )
        if has_binary:
            finding += (
                " If columns within [0, 1] are measurements, set rbm__visible_units='gaussian'. If "
                "rbm is a list, set rbm__0__visible_units."
            )
    elif abs(last - before) > n * CONVERGED * guessing + MANY_DEVIATIONS * scatter:
        finding = (
            f"Fine-tuning has not converged: at the end the loss went from {before:.4g} to "
            f"{last:.4g}. Raise finetune_iter, or lower learning_rate_init if the loss rose."
        )
    else:
        return
    warn(finding, NotConvergedWarning)


def warn_unless_some_are_unlabelled(has_none, marker):
    """Warn if no row lacks a label, as when a meta-estimator replaced the marker by a number."""
    if not has_none.any():
        warn(
            f"No row with a weight above 0 has the value of unlabeled, {marker!r}, in y, so all "
            "rows count as labelled. If they are, set unlabeled=None. Voting, bagging, stacking "
            "and one-vs-rest classifiers replace labels by numbers, so pass them labelled rows "
            "only.",
            FewLabelsWarning,
        )


def warn_of_unknown_labels(labels):
    """Warn of labels of scored rows that no training row had, as in an unlucky fold."""
    if len(labels):
        named = ", ".join(repr(label) for label in labels[:3].tolist())
        if labels.dtype.kind == "M":
            named = ", ".join(map(str, labels[:3]))
        warn(
            f"y has labels that no row had in fit: {named}{', ...' * (len(labels) > 3)}. Their "
            "rows count as errors. Fit rows with these labels, too. In a cross-validation, mark "
            "rows without a label with a number or text, not NaN or None, so that folds are "
            "stratified, and have at least two labelled rows of each class.",
            FewLabelsWarning,
        )


def warn_of_gap(gap, n_temperatures):
    """Warn if annealing from both ends gives partition functions that are `gap` nats apart."""
    if gap > GAP_IN_NATS:
        warn(
            f"After {n_temperatures} temperatures the estimates of log Z from both directions are "
            f"{gap:.3g} nats apart: chains do not reach all probable states, so do not trust the "
            "value. Raise n_temperatures tenfold. If the gap remains, the machine has modes that "
            "chains cannot leave. Train it with a lower learning_rate or a higher weight_decay.",
            MixingWarning,
        )


def warn_of_other_version(version, what, package="skdbn", current=None):
    """Warn if a saved object comes from another or an unknown version."""
    current = current or _version.__version__
    if version != current:
        warn(
            f"{what} was saved by {package} {version or 'of unknown version'}, but this is "
            f"{package} {current}: it may behave differently. Fit it anew, or install the version "
            "that saved it.",
            VersionWarning,
        )
