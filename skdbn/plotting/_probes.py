"""Visible patterns of layers and single hidden units."""

import numpy as np
from sklearn.utils import check_random_state, check_scalar

from skdbn.inspection import (
    bias_probe,
    hidden_activations,
    machine_input,
    unit_probe,
    visible_columns,
)
from skdbn.plotting._drawing import (
    GRAY,
    INCHES_OF_NAMES,
    LOWEST,
    draw,
    draw_grid,
    look_of,
    name_columns,
    named,
    new_axes,
    state_scale,
)

SELECTIONS = ("first", "selective", "random")


class BiasProbeDisplay:
    """Pattern of each layer with all its hidden units off, beside the mean of the data.

    Parameters
    ----------
    probes : ndarray of shape (n_layers, n_features)
        Pattern of each layer.
    mean : ndarray of shape (n_features,), default=None
        Mean of the data.
    image_shape : tuple of int or False, default=None
        Image shape of a row, inferred for square images; False for a heat map.
    columns : VisibleColumns, default=None
        Names and scales of the columns of a heat map.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_patterns,)
        Axes drawn on: the mean, if given, then the layers.
    figure_ : Figure
        Figure that contains the axes.
    images_ : list of AxesImage
        Image on each axes.

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.plotting import BiasProbeDisplay
    >>> X = load_digits()[0]
    >>> rbm = RBMTransformer(20, random_state=0).fit(X)
    >>> display = BiasProbeDisplay.from_estimator(rbm, X)
    >>> [axis.get_title() for axis in display.axes_]
    ['mean of the data', 'layer 1 off']
    """

    def __init__(self, probes, *, mean=None, image_shape=None, columns=None):
        self.probes = probes
        self.mean = mean
        self.image_shape = image_shape
        self.columns = columns

    @classmethod
    def from_estimator(
        cls, model, X=None, *, image_shape=None, feature_names=None, ax=None, cmap=GRAY
    ):
        """Compute the bias probes and draw them.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Data whose mean, on the scale that the first RBM sees, is drawn first.
        image_shape : tuple of int or False, default=None
            Image shape of a row, inferred for square images; False for a heat map.
        feature_names : array-like of str of shape (n_features,), default=None
            Column names of a heat map, by default those seen during fit.
        ax : Axes or sequence of Axes, default=None
            Axes to draw on: one for each pattern, or one to divide among them; by default in a new
            figure.
        cmap : str or Colormap, default="gray"
            Colour map.

        Returns
        -------
        BiasProbeDisplay
            The display.
        """
        mean = None
        if X is not None:
            mean = np.asarray(machine_input(model, X).mean(axis=0)).ravel()
        columns = named(visible_columns(model), feature_names)
        display = cls(bias_probe(model), mean=mean, image_shape=image_shape, columns=columns)
        return display.plot(ax, cmap=cmap)

    def plot(self, ax=None, *, cmap=GRAY):
        """Draw the probes.

        Parameters
        ----------
        ax : Axes or sequence of Axes, default=None
            Axes to draw on: one for each pattern, or one to divide among them; by default in a new
            figure.
        cmap : str or Colormap, default="gray"
            Colour map.

        Returns
        -------
        BiasProbeDisplay
            The display.
        """
        patterns = list(self.probes)
        titles = [f"layer {layer} off" for layer in range(1, len(patterns) + 1)]
        if self.mean is not None:
            patterns.insert(0, self.mean)
            titles.insert(0, "mean of the data")
        look = look_of(self, len(patterns[0]), cmap)
        drawn = look.standardized(np.asarray(patterns))
        if look.image_shape is not None:
            self.figure_, self.axes_ = new_axes(
                ax, [2.3], 2.2 * len(patterns) + 0.8, n_columns=len(patterns)
            )
        else:
            heights = [max(0.8, LOWEST / len(patterns))] * len(patterns)
            self.figure_, self.axes_ = new_axes(ax, heights, below=INCHES_OF_NAMES)
        limits, extend, what = look.scale(drawn)
        self.images_ = [
            draw(axis, pattern[None], look, 1, limits, title)
            for axis, pattern, title in zip(self.axes_, drawn, titles, strict=True)
        ]
        name_columns(self.axes_[-1], look)
        state_scale(self.figure_, self.images_[0], self.axes_, what, extend)
        return self


class UnitProbeDisplay:
    """Patterns of single hidden units of a layer, as a grid of images.

    Parameters
    ----------
    probes : ndarray of shape (n_drawn, n_features)
        Pattern of each unit that is drawn.
    units : ndarray of int of shape (n_drawn,)
        Indices of these units in the layer.
    layer : int
        Layer, counted from 1.
    n_columns : int, default=12
        Number of images per row of the grid.
    bias_subtracted : bool, default=True
        Whether the patterns are differences from the bias probe.
    image_shape : tuple of int or False, default=None
        Image shape of a row, inferred for square images; False for a heat map.
    columns : VisibleColumns, default=None
        Names and scales of the columns of a heat map.

    Attributes
    ----------
    ax_ : Axes
        Axes drawn on.
    figure_ : Figure
        Figure that contains the axes.
    image_ : AxesImage
        Image of the grid.

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.plotting import UnitProbeDisplay
    >>> rbm = RBMTransformer(100, random_state=0).fit(load_digits()[0])
    >>> display = UnitProbeDisplay.from_estimator(rbm, layer=1)
    >>> display.probes.shape
    (72, 64)
    """

    def __init__(
        self,
        probes,
        units,
        *,
        layer,
        n_columns=12,
        bias_subtracted=True,
        image_shape=None,
        columns=None,
    ):
        self.probes = probes
        self.units = units
        self.layer = layer
        self.n_columns = n_columns
        self.bias_subtracted = bias_subtracted
        self.image_shape = image_shape
        self.columns = columns

    @classmethod
    def from_estimator(
        cls,
        model,
        layer=1,
        *,
        n_rows=6,
        n_columns=12,
        units="first",
        X=None,
        subtract_bias=True,
        image_shape=None,
        feature_names=None,
        random_state=None,
        ax=None,
        cmap=GRAY,
    ):
        """Compute the probes of single units of a layer and draw them.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        layer : int, default=1
            Layer, counted from 1 next to the data.
        n_rows, n_columns : int, default=6, 12
            Size of the grid. A layer with fewer units fills only part of it.
        units : {"first", "selective", "random"} or array-like of int, default="first"
            Units to draw: the first ones; those whose activation varies most over X, the most
            variable first; random ones; or the given indices.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Data for "selective".
        subtract_bias : bool, default=True
            Whether to subtract the bias probe.
        image_shape : tuple of int or False, default=None
            Image shape of a row, inferred for square images; False for a heat map.
        feature_names : array-like of str of shape (n_features,), default=None
            Column names of a heat map, by default those seen during fit.
        random_state : int, RandomState instance or None, default=None
            Seed for "random".
        ax : Axes, default=None
            Axes to draw on; by default in a new figure.
        cmap : str or Colormap, default="gray"
            Colour map.

        Returns
        -------
        UnitProbeDisplay
            The display.

        Raises
        ------
        ValueError
            If `units` is invalid, or X is missing.
        """
        for name, value in (("n_rows", n_rows), ("n_columns", n_columns)):
            check_scalar(value, name, (int, np.integer), min_val=1)
        probes = unit_probe(model, layer, subtract_bias)
        chosen = _choose_units(model, layer, units, len(probes), X, random_state)
        chosen = chosen[: n_rows * n_columns] if isinstance(units, str) else chosen
        display = cls(
            probes[chosen],
            chosen,
            layer=layer,
            n_columns=n_columns,
            bias_subtracted=subtract_bias,
            image_shape=image_shape,
            columns=named(visible_columns(model), feature_names),
        )
        return display.plot(ax, cmap=cmap)

    def plot(self, ax=None, *, cmap=GRAY):
        """Draw the probes.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on; by default in a new figure.
        cmap : str or Colormap, default="gray"
            Colour map.

        Returns
        -------
        UnitProbeDisplay
            The display.
        """
        what = "minus bias probe" if self.bias_subtracted else "bias included"
        n_units = f"{len(self.probes)} units" if len(self.probes) > 1 else "1 unit"
        title = f"{n_units} of layer {self.layer}, one on at a time, {what}"
        look = look_of(self, self.probes.shape[1], cmap)
        drawn = look.standardized(self.probes, self.bias_subtracted)
        limits, extend, what = look.scale(drawn, self.bias_subtracted)
        self.figure_, self.ax_, self.image_ = draw_grid(
            ax, drawn, look, self.n_columns, limits, title
        )
        state_scale(self.figure_, self.image_, [self.ax_], what, extend)
        return self


def _choose_units(model, layer, units, n_units, X, random_state):
    """Return the indices of the units to draw."""
    if not isinstance(units, str):
        units = np.asarray(units)
        if units.ndim != 1 or units.dtype.kind not in "iu" or not len(units):
            raise ValueError(f"units == {units!r}, must be one of {SELECTIONS} or a list of units.")
        if units.min() < 0 or units.max() >= n_units:
            wrong = units.min() if units.min() < 0 else units.max()
            raise ValueError(f"units has {wrong}, must be from 0 to {n_units - 1}.")
        return units
    if units not in SELECTIONS:
        raise ValueError(f"units == {units!r}, must be one of {SELECTIONS} or a list of units.")
    if units == "random":
        return check_random_state(random_state).permutation(n_units)
    if units == "selective":
        if X is None:
            raise ValueError("units == 'selective' needs X, the data to compare the units on.")
        return np.argsort(-hidden_activations(model, X, layer).std(axis=0), kind="stable")
    return np.arange(n_units)
