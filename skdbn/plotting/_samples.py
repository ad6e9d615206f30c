"""What a model draws by itself, and whether its chains can be believed."""

import numpy as np
from sklearn.utils import check_scalar

from skdbn.inspection import chain_statistics, machines
from skdbn.plotting._drawing import draw_grid, limits_of, new_axes, state_scale


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
        self.figure_, self.ax_, self.image_ = draw_grid(
            ax, self.samples, self.image_shape, self.n_columns, limits_of(self.samples), title
        )
        state_scale(self.figure_, self.image_, [self.ax_], "value")
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
        self.figure_, self.axes_ = new_axes(ax, [2.6, 2.2])
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
