"""Data and their reconstructions from each number of layers."""

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing, check_scalar, indexable

from skdbn.inspection import VisibleColumns, machines, reconstruct, visible_columns
from skdbn.plotting._drawing import (
    GRAY,
    INCHES_OF_NAMES,
    draw,
    height_of,
    look_of,
    name_columns,
    named,
    new_axes,
    state_scale,
)


class ReconstructionDisplay:
    """Data above their reconstructions from one layer, two layers and so on.

    Parameters
    ----------
    originals : ndarray of shape (n_samples, n_features)
        Data.
    reconstructions : list of ndarray of shape (n_samples, n_features)
        Reconstructions from each number of layers, starting with 1.
    image_shape : tuple of int or False, default=None
        Image shape of a row, inferred for square images; False for a heat map.
    columns : VisibleColumns, default=None
        Names and scales of the columns of a heat map.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (1 + n_layers,)
        Axes drawn on.
    figure_ : Figure
        Figure that contains the axes.
    images_ : list of AxesImage
        Image on each axes.

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

    def __init__(self, originals, reconstructions, *, image_shape=None, columns=None):
        self.originals = originals
        self.reconstructions = reconstructions
        self.image_shape = image_shape
        self.columns = columns

    @classmethod
    def from_estimator(
        cls,
        model,
        X,
        *,
        n_images=12,
        image_shape=None,
        feature_names=None,
        ax=None,
        cmap=GRAY,
    ):
        """Reconstruct the first rows of data and draw them.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data. Unless all columns are probabilities, a heat map shows each in standard deviations
            from its mean over all of X.
        n_images : int, default=12
            Number of rows to draw, at most.
        image_shape : tuple of int or False, default=None
            Image shape of a row, inferred for square images; False for a heat map.
        feature_names : array-like of str of shape (n_features,), default=None
            Column names of a heat map, by default those seen during fit.
        ax : Axes or sequence of Axes, default=None
            Axes to draw on: one for the data and one for each layer, or one to divide among them;
            by default in a new figure.
        cmap : str or Colormap, default="gray"
            Colour map.

        Returns
        -------
        ReconstructionDisplay
            The display.
        """
        check_scalar(n_images, "n_images", (int, np.integer), min_val=1)
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        drawn = _safe_indexing(indexable(X)[0], np.arange(min(n_images, n_rows)))
        layers = range(1, len(machines(model)) + 1)
        reconstructions = [reconstruct(model, drawn, n_layers) for n_layers in layers]
        originals = drawn.toarray() if hasattr(drawn, "toarray") else np.asarray(drawn, float)
        columns = named(_columns_of_data(model, X), feature_names)
        display = cls(originals, reconstructions, image_shape=image_shape, columns=columns)
        return display.plot(ax, cmap=cmap)

    def plot(self, ax=None, *, cmap=GRAY):
        """Draw the data and their reconstructions.

        Parameters
        ----------
        ax : Axes or sequence of Axes, default=None
            Axes to draw on: one for the data and one for each layer, or one to divide among them;
            by default in a new figure.
        cmap : str or Colormap, default="gray"
            Colour map.

        Returns
        -------
        ReconstructionDisplay
            The display.
        """
        n_images, n_features = self.originals.shape
        look = look_of(self, n_features, cmap)
        everything = [look.standardized(part) for part in (self.originals, *self.reconstructions)]
        heights = [height_of(look, 1 if look.image_shape else n_images, n_images)] * len(everything)
        below = INCHES_OF_NAMES if look.image_shape is None else 0.0
        self.figure_, self.axes_ = new_axes(ax, heights, below=below)
        is_known = ~np.isnan(everything[0])  # where values are missing there is no error
        drawn = np.concatenate([part[is_known] for part in everything])
        limits, extend, what = look.scale(drawn)
        titles = ["data"]
        if not is_known.all():
            shade = "hatched" if look.image_shape is None else "white"
            titles = [f"data, {shade} where values are missing"]
            self.axes_[0].patch.set(hatch="/////", edgecolor="gray")
        for i, part in enumerate(everything[1:], 1):
            error = float(((part - everything[0])[is_known] ** 2).mean())
            layers = "1 layer" if i == 1 else f"{i} layers"
            titles.append(f"reconstruction from {layers}, mean squared error {error:.4f}")
        self.images_ = [
            draw(axis, rows, look, n_images, limits, title, is_given=ax is not None)
            for axis, rows, title in zip(self.axes_, everything, titles, strict=True)
        ]
        name_columns(self.axes_[-1], look)
        state_scale(self.figure_, self.images_[0], self.axes_, what, extend)
        return self


def _columns_of_data(model, X):
    """Return names and scales of the columns of X, the input of the model."""
    columns = visible_columns(model)
    if not hasattr(model, "steps") and (columns.visible_units == "binary").all():
        return columns
    names = getattr(model, "feature_names_in_", columns.names)
    scaler = StandardScaler(with_mean=False).fit(X)  # accepts sparse rows, too
    kinds = np.full(len(scaler.mean_), "gaussian")
    return VisibleColumns(names, kinds, scaler.mean_, scaler.scale_)
