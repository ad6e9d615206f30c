"""What a model makes of the test rows, and how far its training came.

The rule: numbers in, numbers out.
"""

from typing import NamedTuple

import numpy as np
from sklearn.base import is_regressor
from sklearn.metrics import confusion_matrix


class Confusion(NamedTuple):
    """How many test rows of each class are taken for which class.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Labels of the model and of the test rows.
    counts : ndarray of int of shape (n_classes, n_classes)
        A line for each true class, a column for each that is predicted.
    """

    classes: object
    counts: object


class Misses(NamedTuple):
    """Test rows that a model gets wrong, the worst first; of a regressor all of them.

    Attributes
    ----------
    rows : ndarray of int
        Which of the test rows, from 0.
    true, predicted : ndarray
        What they are and what they are taken for.
    probability : ndarray or None
        Probability of the class that is predicted.
    """

    rows: object
    true: object
    predicted: object
    probability: object


class Phase(NamedTuple):
    """A phase of training, and how far it came; `n_planned` may be "auto"."""

    name: str
    n_made: int
    n_planned: object
    last_loss: object


def confusion(model, y, predicted):
    """Return how many rows of each class are taken for which class."""
    classes = np.union1d(model.classes_, y)
    return Confusion(classes, confusion_matrix(y, predicted, labels=classes))


def misses(model, X, y, predicted):
    """Return the rows that a model gets wrong.

    Rows of another class than the one that is predicted are ordered by its probability; of a
    regressor all rows are, by their error.
    """
    if is_regressor(model):
        rows = np.argsort(-np.abs(predicted - y), kind="stable")
        return Misses(rows, y[rows], predicted[rows], None)
    rows = np.flatnonzero(predicted != y)
    probability = None
    if hasattr(model, "predict_proba") and len(rows):
        columns = np.searchsorted(model.classes_, predicted[rows])
        probability = model.predict_proba(X[rows])[np.arange(len(rows)), columns]
        order = np.argsort(-probability, kind="stable")
        rows, probability = rows[order], probability[order]
    return Misses(rows, y[rows], predicted[rows], probability)


def shape_of_images(data):
    """Return what Displays take as the shape of the images of rows: measurements are none."""
    return False if data.image_shape is None and data.are_measurements else data.image_shape


def net_of(model):
    """Return the last step of a Pipeline, also of one within it, or the model itself."""
    while hasattr(model, "steps"):
        model = model.steps[-1][1]
    return model


def first_of(model):
    """Return the first step of a Pipeline, also of one within it, or the model itself."""
    while hasattr(model, "steps"):
        model = next(step for _, step in model.steps if step not in (None, "passthrough"))
    return model


def top_losses(net):
    """Return the losses of the phase of the top layer, as far as it came."""
    return getattr(net, f"{net._top}_loss_curve_", [])


def predicts(model):
    """Tell whether a pass of training was about what is to be predicted."""
    net = net_of(model)
    return bool(top_losses(net) or getattr(net, "loss_curve_", []))


def phases(model):
    """Return the phases of a net, those that are still to come included."""
    net = net_of(model)
    rbms = getattr(net, "rbms_", [])
    found = []
    for i in range(np.size(net.hidden_layer_sizes) if net.pretrain else 0):
        losses, n_planned = (rbms[i].loss_curve_, rbms[i].n_iter) if i < len(rbms) else ([], "")
        found.append((f"pretrain layer {i + 1}", losses, n_planned))
    found.append((net._top, top_losses(net), getattr(net, f"{net._top}_iter")))
    found.append(("finetune", getattr(net, "loss_curve_", []), net.finetune_iter))
    return [
        Phase(name, len(losses), n_planned, losses[-1] if losses else None)
        for name, losses, n_planned in found
    ]
