"""Data beside what comes back from the layers."""

import numpy as np
from sklearn.utils import _safe_indexing, check_scalar

from skdbn.inspection import machines, reconstruct
from skdbn.plotting._drawing import (
    draw,
    height_of,
    image_shape_of,
    limits_of,
    new_axes,
    state_scale,
)


class ReconstructionDisplay:
    """Data over their reconstructions from one layer, two layers and so on.

    Parameters
    ----------
    originals : ndarray of shape (n_samples, n_features)
        Data.
    reconstructions : list of ndarray of shape (n_samples, n_features)
        For each number of layers, from 1, what came back.
    image_shape : tuple of int, default=None
        Shape of the image of a row, guessed for square images.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (1 + n_layers,)
        Where `plot` drew.
    figure_ : Figure
        Figure of the axes.
    images_ : list of AxesImage
        One for each axes.

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.plotting import ReconstructionDisplay
    >>> X, X_test, _, _ = load_digits()
    >>> rbm = RBMTransformer(100, random_state=0).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(rbm, X_test)
    >>> len(display.axes_)
    2
    """

    def __init__(self, originals, reconstructions, *, image_shape=None):
        self.originals = originals
        self.reconstructions = reconstructions
        self.image_shape = image_shape

    @classmethod
    def from_estimator(cls, model, X, *, n_images=12, image_shape=None, ax=None):
        """Reconstruct the first rows of data and draw them.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.
        n_images : int, default=12
            How many rows at most.
        image_shape : tuple of int, default=None
            Shape of the image of a row, guessed for square images.
        ax : sequence of Axes, default=None
            Where to draw: one for the data and one for each layer; by default a new figure.

        Returns
        -------
        ReconstructionDisplay
            The display.
        """
        check_scalar(n_images, "n_images", (int, np.integer), min_val=1)
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        X = _safe_indexing(X, np.arange(min(n_images, n_rows)))
        layers = range(1, len(machines(model)) + 1)
        reconstructions = [reconstruct(model, X, n_layers) for n_layers in layers]
        originals = X.toarray() if hasattr(X, "toarray") else np.asarray(X, float)
        return cls(originals, reconstructions, image_shape=image_shape).plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : sequence of Axes, default=None
            Where to draw: one for the data and one for each layer; by default a new figure.

        Returns
        -------
        ReconstructionDisplay
            The display.
        """
        n_images, n_features = self.originals.shape
        shape = image_shape_of(n_features, self.image_shape)
        everything = [self.originals, *self.reconstructions]
        height = height_of(shape, 1, n_images) if shape else height_of(None, n_images, 1)
        self.figure_, self.axes_ = new_axes(ax, [height] * len(everything))
        limits = limits_of(np.concatenate(everything))
        titles = ["data"]
        for i, part in enumerate(self.reconstructions, 1):
            error = float(((part - self.originals) ** 2).mean())
            layers = "1 layer" if i == 1 else f"{i} layers"
            titles.append(f"reconstruction from {layers}, mean squared error {error:.4f}")
        self.images_ = [
            draw(axis, rows, shape, n_images, limits, title)
            for axis, rows, title in zip(self.axes_, everything, titles, strict=True)
        ]
        state_scale(self.figure_, self.images_[0], self.axes_, "value")
        return self
