"""What layers and single hidden units draw on the visible units."""

import numpy as np
from sklearn.utils import check_random_state, check_scalar

from skdbn.inspection import bias_probe, hidden_activations, machine_input, unit_probe
from skdbn.plotting._drawing import (
    draw,
    draw_grid,
    image_shape_of,
    limits_of,
    new_axes,
    state_scale,
    symmetric_limits,
)

SELECTIONS = ("first", "selective", "random")


class BiasProbeDisplay:
    """What each layer draws when all its hidden units are off, beside the mean of the data.

    Parameters
    ----------
    probes : ndarray of shape (n_layers, n_features)
        A pattern for each layer.
    mean : ndarray of shape (n_features,), default=None
        Mean of the data.
    image_shape : tuple of int, default=None
        Shape of the image of a row, guessed for square images.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_patterns,)
        Where `plot` drew: the mean if there is one, then the layers.
    figure_ : Figure
        Figure of the axes.
    images_ : list of AxesImage
        One for each axes.

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

    def __init__(self, probes, *, mean=None, image_shape=None):
        self.probes = probes
        self.mean = mean
        self.image_shape = image_shape

    @classmethod
    def from_estimator(cls, model, X=None, *, image_shape=None, ax=None):
        """Probe a model and draw the probes.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Data, as the first machine sees them, whose mean is drawn first.
        image_shape : tuple of int, default=None
            Shape of the image of a row, guessed for square images.
        ax : sequence of Axes, default=None
            Where to draw: one for each pattern; by default a new figure.

        Returns
        -------
        BiasProbeDisplay
            The display.
        """
        mean = None
        if X is not None:
            mean = np.asarray(machine_input(model, X).mean(axis=0)).ravel()
        return cls(bias_probe(model), mean=mean, image_shape=image_shape).plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : sequence of Axes, default=None
            Where to draw: one for each pattern; by default a new figure.

        Returns
        -------
        BiasProbeDisplay
            The display.
        """
        import matplotlib.pyplot as plt

        patterns = list(self.probes)
        titles = [f"layer {layer} off" for layer in range(1, len(patterns) + 1)]
        if self.mean is not None:
            patterns.insert(0, self.mean)
            titles.insert(0, "mean of the data")
        shape = image_shape_of(len(patterns[0]), self.image_shape)
        if ax is None and shape is not None:
            size = (2.2 * len(patterns) + 0.8, 2.6)
            ax = plt.subplots(1, len(patterns), figsize=size, layout="constrained")[1]
        self.figure_, self.axes_ = new_axes(ax, [0.6] * len(patterns))
        limits = limits_of(np.asarray(patterns))
        self.images_ = [
            draw(axis, pattern[None], shape, 1, limits, title)
            for axis, pattern, title in zip(self.axes_, patterns, titles, strict=True)
        ]
        state_scale(self.figure_, self.images_[0], self.axes_, "value")
        return self


class UnitProbeDisplay:
    """What single hidden units of a layer draw: a grid of images.

    Parameters
    ----------
    probes : ndarray of shape (n_drawn, n_features)
        The pattern of each unit that is drawn.
    units : ndarray of int of shape (n_drawn,)
        Which units of the layer they are.
    layer : int
        Which layer, from 1.
    n_columns : int, default=12
        Images in a row.
    bias_subtracted : bool, default=True
        Whether the patterns are differences from the bias probe.
    image_shape : tuple of int, default=None
        Shape of the image of a row, guessed for square images.

    Attributes
    ----------
    ax_ : Axes
        Where `plot` drew.
    figure_ : Figure
        Figure of the axes.
    image_ : AxesImage
        The grid.

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
        self, probes, units, *, layer, n_columns=12, bias_subtracted=True, image_shape=None
    ):
        self.probes = probes
        self.units = units
        self.layer = layer
        self.n_columns = n_columns
        self.bias_subtracted = bias_subtracted
        self.image_shape = image_shape

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
        random_state=None,
        ax=None,
    ):
        """Probe single units of a layer and draw them.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        layer : int, default=1
            Which layer, from 1 next to the data.
        n_rows, n_columns : int, default=6, 12
            Size of the grid. A layer of fewer units fills a part of it.
        units : {"first", "selective", "random"} or array-like of int, default="first"
            Which units: the first ones; those whose activation varies most over X, the most
            variable first; units drawn at random; or these.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Data, for "selective".
        subtract_bias : bool, default=True
            Whether to subtract the bias probe.
        image_shape : tuple of int, default=None
            Shape of the image of a row, guessed for square images.
        random_state : int, RandomState instance or None, default=None
            Seed for "random".
        ax : Axes, default=None
            Where to draw; by default a new figure.

        Returns
        -------
        UnitProbeDisplay
            The display.

        Raises
        ------
        ValueError
            When `units` is not what is allowed, or X is missing.
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
        )
        return display.plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; by default a new figure.

        Returns
        -------
        UnitProbeDisplay
            The display.
        """
        if self.bias_subtracted:
            what, label = "minus bias probe", "difference of value"
            limits, extend = symmetric_limits(self.probes), "both"
        else:
            what, label = "bias included", "value"
            limits, extend = limits_of(self.probes), "neither"
        title = f"{len(self.probes)} units of layer {self.layer}, one on at a time, {what}"
        self.figure_, self.ax_, self.image_ = draw_grid(
            ax, self.probes, self.image_shape, self.n_columns, limits, title
        )
        state_scale(self.figure_, self.image_, [self.ax_], label, extend)
        return self


def _choose_units(model, layer, units, n_units, X, random_state):
    """Return the indices of the units to draw."""
    if not isinstance(units, str):
        units = np.asarray(units)
        if units.ndim != 1 or units.dtype.kind not in "iu" or not len(units):
            raise ValueError(f"units == {units!r}, must be one of {SELECTIONS} or a list of units.")
        if units.min() < 0 or units.max() >= n_units:
            raise ValueError(f"units has {units.max()}, must be from 0 to {n_units - 1}.")
        return units
    if units not in SELECTIONS:
        raise ValueError(f"units == {units!r}, must be one of {SELECTIONS} or a list of units.")
    if units == "random":
        return check_random_state(random_state).permutation(n_units)
    if units == "selective":
        if X is None:
            raise ValueError("units == 'selective' needs X, the data to be selective about.")
        return np.argsort(-hidden_activations(model, X, layer).std(axis=0), kind="stable")
    return np.arange(n_units)
