"""How a model predicts the test rows, and how far its training got.

The rule: numbers in, numbers out.
"""

from typing import NamedTuple

import numpy as np
from sklearn.base import is_regressor
from sklearn.metrics import confusion_matrix


class Confusion(NamedTuple):
    """Confusion matrix of the test rows.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Labels that the model knows or the test rows have.
    counts : ndarray of int of shape (n_classes, n_classes)
        Number of test rows for each true class (line) and predicted class (column).
    """

    classes: object
    counts: object


class Misses(NamedTuple):
    """Test rows that a model predicts wrongly, the worst first; for a regressor, all of them.

    Attributes
    ----------
    rows : ndarray of int
        Indices of the test rows.
    true, predicted : ndarray
        True and predicted targets.
    probability : ndarray or None
        Probability of the predicted class.
    """

    rows: object
    true: object
    predicted: object
    probability: object


class Phase(NamedTuple):
    """A phase of training: passes made and planned, and last loss; `n_planned` may be "auto"."""

    name: str
    n_made: int
    n_planned: object
    last_loss: object


def confusion(model, y, predicted):
    """Return the confusion matrix of rows."""
    classes = np.union1d(model.classes_, y)
    return Confusion(classes, confusion_matrix(y, predicted, labels=classes))


def misses(model, X, y, predicted):
    """Return the rows that a model predicts wrongly.

    Misclassified rows are ordered by the probability of the predicted class. For a regressor these
    are all rows, ordered by error.
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
    """Return `image_shape` for Displays, which is False for measurements of unknown shape."""
    return False if data.image_shape is None and data.are_measurements else data.image_shape


def net_of(model):
    """Return the last step of a Pipeline, even of a nested one, or the model itself."""
    while hasattr(model, "steps"):
        model = model.steps[-1][1]
    return model


def first_of(model):
    """Return the first step of a Pipeline, even of a nested one, or the model itself."""
    while hasattr(model, "steps"):
        model = next(step for _, step in model.steps if step not in (None, "passthrough"))
    return model


def top_losses(net):
    """Return the losses of the phase of the top layer, one for each pass so far."""
    return getattr(net, f"{net._top}_loss_curve_", [])


def predicts(model):
    """Tell whether any pass has trained the top layer, so that predictions mean something."""
    net = net_of(model)
    return bool(top_losses(net) or getattr(net, "loss_curve_", []))


def phases(model):
    """Return the phases of a net, including those still to come."""
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
