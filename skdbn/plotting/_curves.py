"""How training went."""

import math
from typing import NamedTuple

import numpy as np

from skdbn.inspection import machines
from skdbn.plotting._drawing import new_axes, width_of

MOST_IN_A_ROW = 3  # most axes of loss curves side by side
AXES_WIDTH, AXES_HEIGHT = 4.0, 3.0  # inches
NARROWEST = 3.0  # inches, for a title
HEADROOM = 1.05  # top of the axes of a loss, relative to the highest: a flat curve lies below it
MOST_MARKED = 50  # passes of a curve that gets a dot for each
LOSSES = {  # by head
    "softmax": "cross-entropy in nats",
    "logistic": "cross-entropy in nats",
    "linear": "half the squared error",
    "absolute": "absolute error",
    "poisson": "half the deviance",
}
SCORES = {"softmax": "accuracy", "output": "R$^2$"}  # by the phase of the top layer


class LossCurveDisplay:
    """Curves of each phase of training, on the training rows and on held-out rows.

    Parameters
    ----------
    curves : dict of str to list of sequence of float
        Curves of each quantity, with a value for each pass; its name is the title of its axes.
        There is a curve for each layer that has the quantity, or none if only held-out rows have
        it.
    held_out : dict of str to list of sequence of float, default=None
        Curves of some of these quantities on held-out rows, NaN for passes without such rows.
    best : dict of str to list of (int or None), default=None
        For some of these quantities and each of their curves on held-out rows, the pass, counted
        from 1, whose parameters early stopping restored.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_quantities,)
        Axes drawn on.
    figure_ : Figure
        Figure that contains the axes.
    lines_ : list of Line2D
        Curves, axes by axes. Those of held-out rows are dashed, in the colour of their layer.
    marks_ : list of Line2D
        Rings around the best passes, axes by axes.

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.plotting import LossCurveDisplay
    >>> rbm = RBMTransformer(20, n_iter=5, random_state=0).fit(load_digits()[0])
    >>> LossCurveDisplay.from_estimator(rbm).axes_[0].get_title()
    'pretrain: reconstruction error'
    """

    def __init__(self, curves, held_out=None, best=None):
        self.curves = curves
        self.held_out = held_out
        self.best = best

    @classmethod
    def from_estimator(cls, model, *, ax=None):
        """Draw the curves recorded during training.

        For RBMs, these are the reconstruction error and, with held-out rows, the free energy gap;
        for a net, also the losses of its top layer and of fine-tuning, and the accuracy, or R^2 of
        a regressor, on held-out rows. The losses of a regressor are those of targets in units of
        `target_scale_`. A ring marks the best pass, restored by early stopping, except with
        ``warm_start``, whose curves span several fits with a best pass each.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        ax : Axes or sequence of Axes, default=None
            Axes to draw on: one for each quantity, or one to divide among them; by default in a new
            figure.

        Returns
        -------
        LossCurveDisplay
            The display.

        Raises
        ------
        ValueError
            If there is no curve.
        """
        quantities = [
            quantity
            for quantity in _quantities(model)
            if any(quantity.training) or any(quantity.held_out)
        ]
        if not quantities:
            raise ValueError(
                f"model == {model!r} has no curves to draw, because no phase of its training made "
                "a pass."
            )
        curves = {quantity.title: quantity.training for quantity in quantities}
        held_out = {part.title: part.held_out for part in quantities if any(part.held_out)}
        best = {part.title: part.best for part in quantities if any(part.best)}
        return cls(curves, held_out, best).plot(ax)

    def plot(self, ax=None):
        """Draw the curves.

        Parameters
        ----------
        ax : Axes or sequence of Axes, default=None
            Axes to draw on: one for each quantity, or one to divide among them; by default in a new
            figure.

        Returns
        -------
        LossCurveDisplay
            The display.
        """
        most = MOST_IN_A_ROW
        for given in np.asarray([] if ax is None else ax, dtype=object).flat:
            most = min(most, max(1, int(width_of(given) / NARROWEST)))
        n_rows = math.ceil(len(self.curves) / most)
        n_columns = math.ceil(len(self.curves) / n_rows)
        self.figure_, self.axes_ = new_axes(
            ax, [AXES_HEIGHT] * n_rows, AXES_WIDTH * n_columns, n_columns, n_axes=len(self.curves)
        )
        self.lines_, self.marks_ = [], []
        for axis, (title, curves) in zip(self.axes_, self.curves.items(), strict=True):
            held_out = (self.held_out or {}).get(title, [])
            lines = _draw_curves(axis, curves, "-", "training" if held_out else "")
            lines += _draw_curves(axis, held_out, "--", "held out" if curves else "")
            marks = _mark_best(axis, held_out, (self.best or {}).get(title, []))
            self.lines_ += lines
            self.marks_ += marks
            axis.set_title(title, fontsize="medium")
            axis.set_xlabel("pass")
            axis.xaxis.get_major_locator().set_params(integer=True)
            if curves:  # losses; a score or a gap may be below 0
                highest = np.nanmax(np.concatenate([line.get_ydata() for line in lines]))
                axis.set_ylim(0.0, max(axis.get_ylim()[1], HEADROOM * highest))
            if len(lines + marks) > 1:
                axis.legend()
        return self


class Quantity(NamedTuple):
    """Quantity drawn on one axes.

    Attributes
    ----------
    title : str
        Name of the quantity.
    training, held_out : list of list of float
        Curves on the training rows and on held-out rows, one for each layer that has them.
    best : list of (int or None)
        For each curve on held-out rows, the pass whose parameters early stopping restored.
    """

    title: str
    training: list
    held_out: list
    best: list


def _quantities(model):
    """Return the quantities recorded in each phase of training, without curves if none were."""
    net = model
    while hasattr(net, "steps"):
        net = net.steps[-1][1]
    quantities = []
    is_one_fit = not getattr(net, "warm_start", False)
    if getattr(net, "rbms_", True):  # a lone machine has no such attribute
        rbms = machines(model)
        errors = [_of_last_passes(rbm, "validation_loss_curve_") for rbm in rbms]
        gaps = [_of_last_passes(rbm, "free_energy_gap_curve_") for rbm in rbms]
        best = [
            _best_pass(rbm, error) if is_one_fit else None
            for rbm, error in zip(rbms, errors, strict=True)
        ]
        seen = [rbm.loss_curve_ for rbm in rbms]
        quantities.append(Quantity("pretrain: reconstruction error", seen, errors, best))
        quantities.append(Quantity("pretrain: free energy gap in nats", [], gaps, []))
    if hasattr(net, "rbms_"):
        loss = LOSSES[net._head]
        losses = _of_last_passes(net, "validation_loss_curve_")
        scores = _of_last_passes(net, "validation_scores_")
        lowest = [_best_pass(net, losses) if net._watches == "loss" else None]
        errors = [-score for score in scores]
        highest = [_best_pass(net, errors, losses) if net._watches == "score" else None]
        top_curve, score = getattr(net, f"{net._top}_loss_curve_"), SCORES[net._top]
        quantities += [
            Quantity(f"{net._top}: {loss}", [top_curve], [], []),
            Quantity(f"finetune: {loss}", [net.loss_curve_], [losses], lowest),
            Quantity(f"finetune: {score} of held-out rows", [], [scores], highest),
        ]
    return quantities


def _best_pass(estimator, curve, *others):
    """Return the pass that early stopping restored, counted from 1, or None if unknown.

    It is the lowest point of a curve; the others decide between passes that tie.
    """
    if not estimator.early_stopping or estimator.warm_start or not curve or math.isnan(curve[0]):
        return None
    passes = list(zip(curve, *others, strict=True))
    return passes.index(min(passes)) + 1


def _mark_best(ax, curves, passes):
    """Draw a ring around the best pass, if any, of each curve; return the rings."""
    marks = []
    for layer, (curve, best) in enumerate(zip(curves, passes, strict=False)):
        if best is not None:
            marks += ax.plot(
                [best],
                [curve[best - 1]],
                "o",
                markersize=10,
                markerfacecolor="none",
                color=f"C{layer}",
                label="" if marks else "best pass, restored",
            )
    return marks


def _of_last_passes(estimator, name):
    """Return a curve of held-out rows, NaN for earlier passes, which had no such rows."""
    curve, n_passes = getattr(estimator, name, []), len(estimator.loss_curve_)
    return [math.nan] * (n_passes - len(curve)) + curve if curve else []


def _draw_curves(ax, curves, style, rows):
    """Draw a curve for each layer on an axes, labelled by the layer and its rows; return lines."""
    lines = []
    for layer, curve in enumerate(curves, 1):
        layers = f"layer {layer}" if len(curves) > 1 else ""
        marker = "." if len(curve) <= MOST_MARKED else None
        lines += ax.plot(
            np.arange(1, len(curve) + 1),
            curve,
            style,
            marker=marker,
            color=f"C{layer - 1}",
            label=", ".join(filter(None, [layers, rows])),
        )
    return lines
