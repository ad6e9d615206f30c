"""How active the hidden units are."""

import numpy as np

from skdbn.inspection import hidden_activations, machines
from skdbn.plotting._drawing import GRAY, limits_of, new_axes, state_scale

KINDS = ("histogram", "image")


class ActivationDisplay:
    """Activations of the hidden units, which show dead and saturated units at a glance.

    Parameters
    ----------
    activations : list of ndarray of shape (n_samples, n_units)
        Activations of each layer.
    kind : {"histogram", "image"}, default="histogram"
        What to draw: the share of activations in each range of values, or every activation, with a
        line for each row of data and a column for each unit.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_layers,)
        Axes drawn on.
    figure_ : Figure
        Figure that contains the axes.

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.plotting import ActivationDisplay
    >>> X = load_digits()[0]
    >>> rbm = RBMTransformer(20, random_state=0).fit(X)
    >>> ActivationDisplay.from_estimator(rbm, X).activations[0].shape
    (1437, 20)
    """

    def __init__(self, activations, *, kind="histogram"):
        self.activations = activations
        self.kind = kind

    @classmethod
    def from_estimator(cls, model, X, *, kind="histogram", ax=None, cmap=GRAY):
        """Compute the activations of every layer and draw them.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.
        kind : {"histogram", "image"}, default="histogram"
            A histogram or an image of all activations.
        ax : Axes or sequence of Axes, default=None
            Axes to draw on: one for each layer, or one to divide among them; by default in a new
            figure.
        cmap : str or Colormap, default="gray"
            Colour map of an image.

        Returns
        -------
        ActivationDisplay
            The display.

        Raises
        ------
        ValueError
            If `kind` is invalid.
        """
        layers = range(1, len(machines(model)) + 1)
        activations = [hidden_activations(model, X, layer) for layer in layers]
        return cls(activations, kind=kind).plot(ax, cmap=cmap)

    def plot(self, ax=None, *, cmap=GRAY):
        """Draw the activations.

        Parameters
        ----------
        ax : Axes or sequence of Axes, default=None
            Axes to draw on: one for each layer, or one to divide among them; by default in a new
            figure.
        cmap : str or Colormap, default="gray"
            Colour map of an image.

        Returns
        -------
        ActivationDisplay
            The display.

        Raises
        ------
        ValueError
            If `kind` is invalid.
        """
        if self.kind not in KINDS:
            raise ValueError(f"kind == {self.kind!r}, must be one of {KINDS}.")
        height = 2.2 if self.kind == "histogram" else 3.0
        self.figure_, self.axes_ = new_axes(ax, [height] * len(self.activations))
        for layer, (axis, H) in enumerate(zip(self.axes_, self.activations, strict=True), 1):
            if self.kind == "histogram":
                weights = np.full(H.size, 1.0 / H.size)
                axis.hist(H.ravel(), bins=50, range=limits_of(H), weights=weights, color="0.3")
                axis.set_xlabel("activation")
                axis.set_ylabel("share")
                axis.set_title(f"layer {layer}, mean {H.mean():.3f}", fontsize="medium")
            else:
                low, high = limits_of(H)
                image = axis.imshow(
                    H, cmap=cmap, vmin=low, vmax=high, interpolation="nearest", aspect="auto"
                )
                axis.set_xlabel("unit")
                axis.set_ylabel("row of data")
                axis.set_title(f"layer {layer}", fontsize="medium")
                state_scale(self.figure_, image, [axis], "activation")
        return self
