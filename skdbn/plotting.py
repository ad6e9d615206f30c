"""Pictures of what a model has learned: Displays in scikit-learn's convention.

``Display.from_estimator(model, ...)`` computes and draws; the instance keeps the numbers, and
`plot` draws them again, elsewhere or in another size. Models are what `skdbn.inspection` takes.

Rows of numbers are drawn as images where the features are pixels: a square number of features,
from 3 x 3 up, is taken for a square image, and `image_shape` says otherwise, for example (28, 20)
or (32, 32, 3). Other data are drawn as a heat map, a line for each row and a column for each
feature.

The rule: a picture shows numbers that the instance keeps, on one scale, which is stated.
Matplotlib is imported when something is drawn, and not before.
"""

import math

import numpy as np
from sklearn.utils import _safe_indexing, check_random_state, check_scalar

from skdbn.inspection import (
    bias_probe,
    chain_statistics,
    hidden_activations,
    machine_input,
    machines,
    reconstruct,
    unit_probe,
)

SMALLEST_SIDE = 3  # pixels, of an image whose shape is guessed
GAP = 1  # pixels between images
SHARE_IN_SCALE = 0.995  # of the differences from a bias probe
SHARE_OF_WIDTH = 0.9  # of a figure that the bar of the scale leaves
WIDTH = 9.0  # inches
SELECTIONS = ("first", "selective", "random")
KINDS = ("histogram", "image")
MOST_IN_A_ROW = 3  # axes of loss curves
MOST_MARKED = 50  # passes of a curve that has a dot for each
LOSSES = {  # what the loss of each head is
    "softmax": "cross-entropy in nats",
    "logistic": "cross-entropy in nats",
    "linear": "half the squared error",
    "absolute": "absolute error",
    "poisson": "half the deviance",
}
SCORES = {"softmax": "accuracy", "output": "R$^2$"}  # by the phase of the top layer


# -- images


def _image_shape(n_features, image_shape):
    """Return the shape of the image of a row; None when a row is no image."""
    if image_shape is None:
        side = math.isqrt(n_features)
        return (side, side) if side >= SMALLEST_SIDE and side * side == n_features else None
    shape = tuple(image_shape)
    if len(shape) not in (2, 3) or math.prod(shape) != n_features or shape[2:] not in ((), (3,)):
        raise ValueError(
            f"image_shape == {image_shape!r}, must be (height, width) or (height, width, 3) with "
            f"{n_features} values in all, one for each feature."
        )
    return shape


def _montage(rows, image_shape, n_columns):
    """Return images side by side in one array, nan between them; rows that are none as they are."""
    if image_shape is None:
        return rows
    height, width, *channels = image_shape
    n_rows = math.ceil(len(rows) / n_columns)
    step_down, step_right = height + GAP, width + GAP
    canvas = np.full((n_rows * step_down - GAP, n_columns * step_right - GAP, *channels), np.nan)
    for i, image in enumerate(rows.reshape(-1, *image_shape)):
        top, left = i // n_columns * step_down, i % n_columns * step_right
        canvas[top : top + height, left : left + width] = image
    return canvas


def _limits(values):
    """Return the ends of a scale that holds all values; [0, 1] when they are probabilities."""
    low, high = float(np.min(values)), float(np.max(values))
    if low >= 0.0 and high <= 1.0:
        return 0.0, 1.0
    return low, high if high > low else low + 1.0


def _symmetric_limits(values):
    """Return the ends of a scale around 0 that leaves out the few largest values.

    They would turn all others grey; the bar of the scale has pointed ends to say so.
    """
    sizes = np.abs(values)
    high = float(np.quantile(sizes, SHARE_IN_SCALE) or sizes.max()) or 1.0
    return -high, high


def _draw(ax, rows, image_shape, n_columns, limits, title):
    """Draw rows as a montage of images, or as a heat map, on an axes."""
    low, high = limits
    canvas = _montage(rows, image_shape, n_columns)
    if canvas.ndim == 3:  # colours are drawn as they are
        canvas = np.nan_to_num(np.clip((canvas - low) / (high - low), 0.0, 1.0), nan=1.0)
    image = ax.imshow(
        canvas,
        cmap="gray",
        vmin=low,
        vmax=high,
        interpolation="nearest",
        aspect="equal" if image_shape else "auto",
    )
    ax.set_axis_off()
    ax.set_title(title, fontsize="medium")
    return image


def _new_axes(ax, heights, width=WIDTH):
    """Return a figure and axes below each other, of the given heights in inches.

    Given axes are taken instead: one where one is needed, else a sequence of them.
    """
    import matplotlib.pyplot as plt

    if ax is not None:
        axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if len(axes) != len(heights):
            raise ValueError(f"ax has {len(axes)} axes, this picture needs {len(heights)}.")
        return axes[0].figure, axes
    figure, axes = plt.subplots(
        len(heights),
        1,
        figsize=(width, sum(heights) + 0.3),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    return figure, axes[:, 0]


def _state_scale(figure, image, axes, label, extend="neither"):
    """Put a bar beside the axes that states their common scale."""
    bar = figure.colorbar(image, ax=list(axes), fraction=0.02, pad=0.01, aspect=30, extend=extend)
    bar.set_label(label)
    return bar


def _height(image_shape, n_rows, n_columns, width=WIDTH):
    """Return the inches that n_rows of images need when n_columns fill the width."""
    if image_shape is None:
        return max(1.5, min(6.0, 0.2 * n_rows))
    scale = SHARE_OF_WIDTH * width / (n_columns * (image_shape[1] + GAP))
    return n_rows * (image_shape[0] + GAP) * scale + 0.3


def _draw_grid(ax, rows, image_shape, n_columns, limits, title):
    """Draw rows as a grid of images; return the figure, the axes and the image."""
    shape, n_rows = _image_shape(rows.shape[1], image_shape), len(rows)
    width, n_drawn = WIDTH, min(n_columns, n_rows)  # in a row of the grid
    if shape:
        width, n_rows = WIDTH * n_drawn / n_columns, math.ceil(n_rows / n_drawn)
    height = _height(shape, n_rows, n_drawn, width)
    figure, (ax,) = _new_axes(ax, [height], max(width, 4.0))
    return figure, ax, _draw(ax, rows, shape, n_drawn, limits, title)


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
        shape = _image_shape(n_features, self.image_shape)
        everything = [self.originals, *self.reconstructions]
        height = _height(shape, 1, n_images) if shape else _height(None, n_images, 1)
        self.figure_, self.axes_ = _new_axes(ax, [height] * len(everything))
        limits = _limits(np.concatenate(everything))
        titles = ["data"]
        for i, part in enumerate(self.reconstructions, 1):
            error = float(((part - self.originals) ** 2).mean())
            layers = "1 layer" if i == 1 else f"{i} layers"
            titles.append(f"reconstruction from {layers}, mean squared error {error:.4f}")
        self.images_ = [
            _draw(axis, rows, shape, n_images, limits, title)
            for axis, rows, title in zip(self.axes_, everything, titles, strict=True)
        ]
        _state_scale(self.figure_, self.images_[0], self.axes_, "value")
        return self


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
        shape = _image_shape(len(patterns[0]), self.image_shape)
        if ax is None and shape is not None:
            size = (2.2 * len(patterns) + 0.8, 2.6)
            ax = plt.subplots(1, len(patterns), figsize=size, layout="constrained")[1]
        self.figure_, self.axes_ = _new_axes(ax, [0.6] * len(patterns))
        limits = _limits(np.asarray(patterns))
        self.images_ = [
            _draw(axis, pattern[None], shape, 1, limits, title)
            for axis, pattern, title in zip(self.axes_, patterns, titles, strict=True)
        ]
        _state_scale(self.figure_, self.images_[0], self.axes_, "value")
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
            limits, extend = _symmetric_limits(self.probes), "both"
        else:
            what, label = "bias included", "value"
            limits, extend = _limits(self.probes), "neither"
        title = f"{len(self.probes)} units of layer {self.layer}, one on at a time, {what}"
        self.figure_, self.ax_, self.image_ = _draw_grid(
            ax, self.probes, self.image_shape, self.n_columns, limits, title
        )
        _state_scale(self.figure_, self.image_, [self.ax_], label, extend)
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


class SampleDisplay:
    """Fantasies: what a model draws by itself.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, n_features)
        Expected visible units at the ends of the chains, given the hidden states above them.
    n_gibbs_steps : int
        Steps of each chain.
    n_columns : int, default=12
        Images in a row.
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
    >>> from skdbn.plotting import SampleDisplay
    >>> rbm = RBMTransformer(100, random_state=0).fit(load_digits()[0])
    >>> display = SampleDisplay.from_estimator(rbm, n_samples=24, random_state=0)
    >>> display.samples.shape
    (24, 64)
    """

    def __init__(self, samples, *, n_gibbs_steps, n_columns=12, image_shape=None):
        self.samples = samples
        self.n_gibbs_steps = n_gibbs_steps
        self.n_columns = n_columns
        self.image_shape = image_shape

    @classmethod
    def from_estimator(
        cls,
        model,
        *,
        n_samples=36,
        n_gibbs_steps=1000,
        n_columns=12,
        image_shape=None,
        random_state=None,
        ax=None,
    ):
        """Run Gibbs chains in the top machine and draw what they come to.

        States go down through the layers as in ``sample`` of a net, but those of the data are not
        drawn: the picture shows what is expected of them, which spares it their noise.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        n_samples : int, default=36
            Number of chains.
        n_gibbs_steps : int, default=1000
            Steps of each chain.
        n_columns : int, default=12
            Images in a row.
        image_shape : tuple of int, default=None
            Shape of the image of a row, guessed for square images.
        random_state : int, RandomState instance or None, default=None
            Seed of the chains.
        ax : Axes, default=None
            Where to draw; by default a new figure.

        Returns
        -------
        SampleDisplay
            The display.
        """
        check_scalar(n_columns, "n_columns", (int, np.integer), min_val=1)
        *below, top = machines(model)
        samples = top._sample_stack(
            below, n_samples, n_gibbs_steps, random_state=random_state, expected=True
        )
        display = cls(
            samples, n_gibbs_steps=n_gibbs_steps, n_columns=n_columns, image_shape=image_shape
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
        SampleDisplay
            The display.
        """
        title = f"{len(self.samples)} fantasies after {self.n_gibbs_steps} Gibbs steps"
        self.figure_, self.ax_, self.image_ = _draw_grid(
            ax, self.samples, self.image_shape, self.n_columns, _limits(self.samples), title
        )
        _state_scale(self.figure_, self.image_, [self.ax_], "value")
        return self


class MixingDisplay:
    """Whether Gibbs chains forget where they started: free energies and overlaps along them.

    Parameters
    ----------
    statistics : list of ChainStatistics
        For each start, what `skdbn.inspection.chain_statistics` returns.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (2,)
        Where `plot` drew: free energies, and overlaps.
    figure_ : Figure
        Figure of the axes.
    lines_ : list of Line2D
        The curves, axes by axes: one for each chain, then one for each start.

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.plotting import MixingDisplay
    >>> X = load_digits()[0]
    >>> rbm = RBMTransformer(20, random_state=0).fit(X)
    >>> display = MixingDisplay.from_estimator(rbm, X, n_gibbs_steps=10, random_state=0)
    >>> [part.start for part in display.statistics]
    ['data', 'noise']
    """

    def __init__(self, statistics):
        self.statistics = statistics

    @classmethod
    def from_estimator(
        cls, model, X=None, *, n_chains=20, n_gibbs_steps=1000, random_state=None, ax=None
    ):
        """Run chains in the top machine and draw what they go through.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Data; chains start at rows drawn from them, beside those that start at noise.
        n_chains : int, default=20
            Number of chains of each start.
        n_gibbs_steps : int, default=1000
            Steps of each chain.
        random_state : int, RandomState instance or None, default=None
            Seed of the rows and of the chains.
        ax : sequence of Axes, default=None
            Where to draw: two; by default a new figure.

        Returns
        -------
        MixingDisplay
            The display.
        """
        return cls(chain_statistics(model, X, n_chains, n_gibbs_steps, random_state)).plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : sequence of Axes, default=None
            Where to draw: two; by default a new figure.

        Returns
        -------
        MixingDisplay
            The display.
        """
        self.figure_, self.axes_ = _new_axes(ax, [2.6, 2.2])
        energies, overlaps = self.axes_
        overlaps.axhline(0.0, color="0.8", linewidth=1.0)
        of_chains, of_starts = [], []
        for i, (start, free_energy, overlap) in enumerate(self.statistics):
            style = {"color": f"C{i}", "label": f"from {start}"}
            of_chains += energies.plot(free_energy, linewidth=0.6, alpha=0.6, **style)
            of_starts += overlaps.plot(overlap, **style)
        self.lines_ = of_chains + of_starts
        energies.set_ylabel("free energy in nats")
        overlaps.set_ylabel("overlap with the start")
        overlaps.legend()
        for axis in self.axes_:
            axis.set_xscale("symlog", linthresh=1.0)  # the start has a place, too
            axis.set_xlim(0.0, len(self.statistics[0].overlap) - 1)
            axis.set_xlabel("Gibbs step")
        return self


class LossCurveDisplay:
    """How each phase of training went, on its rows and on those held out.

    Parameters
    ----------
    curves : dict of str to list of sequence of float
        For each quantity, which names an axes, its curves: a value for each pass. There is a curve
        for each layer that has the quantity, or none where it is one of held-out rows alone.
    held_out : dict of str to list of sequence of float, default=None
        For some of these quantities, their curves on held-out rows, with nan for passes that had
        no such rows.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_quantities,)
        Where `plot` drew.
    figure_ : Figure
        Figure of the axes.
    lines_ : list of Line2D
        The curves, axes by axes. Those of held-out rows are dashed, in the colour of their layer.

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.plotting import LossCurveDisplay
    >>> rbm = RBMTransformer(20, n_iter=5, random_state=0).fit(load_digits()[0])
    >>> LossCurveDisplay.from_estimator(rbm).axes_[0].get_title()
    'pretrain: reconstruction error'
    """

    def __init__(self, curves, held_out=None):
        self.curves = curves
        self.held_out = held_out

    @classmethod
    def from_estimator(cls, model, *, ax=None):
        """Draw the curves that training left.

        Of machines these are the reconstruction error and, where rows were held out, the free
        energy gap; of a net the losses of its top layer and of fine-tuning, and the accuracy, or
        R^2 of a regressor, on the held-out rows. The losses of a regressor are those of targets in
        units of `target_scale_`.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        ax : sequence of Axes, default=None
            Where to draw: one for each quantity; by default a new figure.

        Returns
        -------
        LossCurveDisplay
            The display.

        Raises
        ------
        ValueError
            When there is no curve.
        """
        net = model.steps[-1][1] if hasattr(model, "steps") else model
        parts = []  # quantities, their curves on training rows and on those held out
        if getattr(net, "rbms_", True):  # a machine has none, and is one
            rbms = machines(model)
            errors = [_of_last_passes(rbm, "validation_loss_curve_") for rbm in rbms]
            gaps = [_of_last_passes(rbm, "free_energy_gap_curve_") for rbm in rbms]
            parts.append(("pretrain: reconstruction error", [x.loss_curve_ for x in rbms], errors))
            parts.append(("pretrain: free energy gap in nats", [], gaps))
        if hasattr(net, "rbms_"):
            loss, top_curve = LOSSES[net._head], getattr(net, f"{net._top}_loss_curve_")
            losses = _of_last_passes(net, "validation_loss_curve_")
            scores = _of_last_passes(net, "validation_scores_")
            parts.append((f"{net._top}: {loss}", [top_curve], []))
            parts.append((f"finetune: {loss}", [net.loss_curve_], [losses]))
            parts.append((f"finetune: {SCORES[net._top]} of held-out rows", [], [scores]))
        curves = {title: seen for title, seen, unseen in parts if any(seen) or any(unseen)}
        held_out = {title: unseen for title, _, unseen in parts if any(unseen)}
        if not curves:
            raise ValueError(
                f"model == {model!r} has no curves to draw: no phase of its training made a pass."
            )
        return cls(curves, held_out).plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : sequence of Axes, default=None
            Where to draw: one for each quantity; by default a new figure.

        Returns
        -------
        LossCurveDisplay
            The display.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            n_rows = math.ceil(len(self.curves) / MOST_IN_A_ROW)
            n_columns = math.ceil(len(self.curves) / n_rows)
            figure = plt.figure(figsize=(4.0 * n_columns, 3.0 * n_rows), layout="constrained")
            ax = [figure.add_subplot(n_rows, n_columns, i + 1) for i in range(len(self.curves))]
        self.figure_, self.axes_ = _new_axes(ax, [1.0] * len(self.curves))
        self.lines_ = []
        for axis, (title, curves) in zip(self.axes_, self.curves.items(), strict=True):
            held_out = (self.held_out or {}).get(title, [])
            lines = _draw_curves(axis, curves, "-", "training" if held_out else "")
            lines += _draw_curves(axis, held_out, "--", "held out" if curves else "")
            self.lines_ += lines
            axis.set_title(title, fontsize="medium")
            axis.set_xlabel("pass")
            axis.xaxis.get_major_locator().set_params(integer=True)
            if curves:  # losses; a score or a gap may be below 0
                axis.set_ylim(bottom=0.0)
            if len(lines) > 1:
                axis.legend()
        return self


def _of_last_passes(estimator, name):
    """Return a curve of held-out rows with nan for earlier passes, which had none."""
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


class ActivationDisplay:
    """Activations of the hidden units: dead and saturated units show at a glance.

    Parameters
    ----------
    activations : list of ndarray of shape (n_samples, n_units)
        For each layer, its activations.
    kind : {"histogram", "image"}, default="histogram"
        The share of activations at each height, or all of them, a line for each row of data
        and a column for each unit.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_layers,)
        Where `plot` drew.
    figure_ : Figure
        Figure of the axes.

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
    def from_estimator(cls, model, X, *, kind="histogram", ax=None):
        """Compute the activations of every layer and draw them.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.
        kind : {"histogram", "image"}, default="histogram"
            What to draw.
        ax : sequence of Axes, default=None
            Where to draw: one for each layer; by default a new figure.

        Returns
        -------
        ActivationDisplay
            The display.

        Raises
        ------
        ValueError
            When `kind` is not what is allowed.
        """
        layers = range(1, len(machines(model)) + 1)
        activations = [hidden_activations(model, X, layer) for layer in layers]
        return cls(activations, kind=kind).plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : sequence of Axes, default=None
            Where to draw: one for each layer; by default a new figure.

        Returns
        -------
        ActivationDisplay
            The display.

        Raises
        ------
        ValueError
            When `kind` is not what is allowed.
        """
        if self.kind not in KINDS:
            raise ValueError(f"kind == {self.kind!r}, must be one of {KINDS}.")
        height = 2.2 if self.kind == "histogram" else 3.0
        self.figure_, self.axes_ = _new_axes(ax, [height] * len(self.activations))
        for layer, (axis, H) in enumerate(zip(self.axes_, self.activations, strict=True), 1):
            if self.kind == "histogram":
                weights = np.full(H.size, 1.0 / H.size)
                axis.hist(H.ravel(), bins=50, range=_limits(H), weights=weights, color="0.3")
                axis.set_xlabel("activation")
                axis.set_ylabel("share")
                axis.set_title(f"layer {layer}, mean {H.mean():.3f}", fontsize="medium")
            else:
                low, high = _limits(H)
                image = axis.imshow(
                    H, cmap="gray", vmin=low, vmax=high, interpolation="nearest", aspect="auto"
                )
                axis.set_xlabel("unit")
                axis.set_ylabel("row of data")
                axis.set_title(f"layer {layer}", fontsize="medium")
                _state_scale(self.figure_, image, [axis], "activation")
        return self
