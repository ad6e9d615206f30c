"""Samples from a model, and whether its chains can be trusted."""

import warnings

import numpy as np
from sklearn.utils import check_scalar

from skdbn.inspection import chain_statistics, machines, predictor, visible_columns
from skdbn.plotting._drawing import GRAY, draw_grid, look_of, named, new_axes, state_scale


class SampleDisplay:
    """Fantasies, which are samples from a model.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, n_features)
        Expected visible units at the end of each chain, given the hidden states.
    n_gibbs_steps : int
        Number of steps of each chain.
    n_columns : int, default=12
        Number of images per row of the grid.
    image_shape : tuple of int or False, default=None
        Image shape of a row, inferred for square images; False for a heat map.
    columns : VisibleColumns, default=None
        Names and scales of the columns of a heat map.
    predicted : sequence of str of shape (n_samples,), default=None
        Prediction for each sample.
    probability : array-like of shape (n_samples,), default=None
        Probability of the predicted class.
    trained_by : str, default=None
        Training method of the machine that the chains run in, for the title.

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
    >>> from skdbn.plotting import SampleDisplay
    >>> rbm = RBMTransformer(100, random_state=0).fit(load_digits()[0])
    >>> display = SampleDisplay.from_estimator(rbm, n_samples=24, random_state=0)
    >>> display.samples.shape
    (24, 64)
    """

    def __init__(
        self,
        samples,
        *,
        n_gibbs_steps,
        n_columns=12,
        image_shape=None,
        columns=None,
        predicted=None,
        probability=None,
        trained_by=None,
    ):
        self.samples = samples
        self.n_gibbs_steps = n_gibbs_steps
        self.n_columns = n_columns
        self.image_shape = image_shape
        self.columns = columns
        self.predicted = predicted
        self.probability = probability
        self.trained_by = trained_by

    @classmethod
    def from_estimator(
        cls,
        model,
        *,
        n_samples=36,
        n_gibbs_steps=1000,
        n_columns=12,
        image_shape=None,
        feature_names=None,
        random_state=None,
        ax=None,
        cmap=GRAY,
    ):
        """Run Gibbs chains in the top RBM and draw the samples.

        The hidden states at the end of a chain are passed down through the layers once, as in
        ``sample`` of a net, except that each layer below them is set to its expectations given the
        layer above instead of to noisy states drawn from them. If the model predicts, each fantasy
        is labelled with its prediction: the most probable class and its probability, or the value
        that a regressor predicts. The label is the opinion of the net, not part of the fantasy.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        n_samples : int, default=36
            Number of chains.
        n_gibbs_steps : int, default=1000
            Number of steps of each chain.
        n_columns : int, default=12
            Number of images per row of the grid.
        image_shape : tuple of int or False, default=None
            Image shape of a row, inferred for square images; False for a heat map.
        feature_names : array-like of str of shape (n_features,), default=None
            Column names of a heat map, by default those seen during fit.
        random_state : int, RandomState instance or None, default=None
            Seed of the chains.
        ax : Axes, default=None
            Axes to draw on; by default in a new figure.
        cmap : str or Colormap, default="gray"
            Colour map.

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
        predicted, probability = _opinion(model, samples)
        display = cls(
            samples,
            n_gibbs_steps=n_gibbs_steps,
            n_columns=n_columns,
            image_shape=image_shape,
            columns=named(visible_columns(model), feature_names),
            predicted=predicted,
            probability=probability,
            trained_by=f"{top.gradient.upper()}-{top.n_gibbs_steps}",
        )
        return display.plot(ax, cmap=cmap)

    def plot(self, ax=None, *, cmap=GRAY):
        """Draw the samples.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on; by default in a new figure.
        cmap : str or Colormap, default="gray"
            Colour map.

        Returns
        -------
        SampleDisplay
            The display.
        """
        n_samples = len(self.samples)
        fantasies = "1 fantasy" if n_samples == 1 else f"{n_samples} fantasies"
        title = f"{fantasies} after {self.n_gibbs_steps} Gibbs steps"
        if self.trained_by is not None:
            title += f" from noise, in a machine trained by {self.trained_by}"
        labels = []
        look = look_of(self, self.samples.shape[1], cmap)
        if self.predicted is not None:
            where = "beside" if look.image_shape is None else "above"
            title += f"\n{where} each: prediction of the net"
            shares = [""] * len(self.samples)
            if self.probability is not None:
                title += ", with its probability"
                shares = [f"{share:.0%}" for share in self.probability]
            labels = [*zip(self.predicted, shares, strict=True)]
        drawn = look.standardized(self.samples)
        limits, extend, what = look.scale(drawn)
        self.figure_, self.ax_, self.image_ = draw_grid(
            ax, drawn, look, self.n_columns, limits, title, labels
        )
        state_scale(self.figure_, self.image_, [self.ax_], what, extend)
        return self


def _opinion(model, samples):
    """Return predictions for samples as text, and their probabilities; None if there are none."""
    judge = predictor(model)
    if judge is None:
        return None, None
    with warnings.catch_warnings():  # samples have no names and may have odd values
        warnings.simplefilter("ignore", UserWarning)
        predicted = judge.predict(samples)
        if not hasattr(judge, "predict_proba"):
            values = predicted.reshape(len(samples), -1)  # of one target or several
            return [" ".join(f"{value:.4g}" for value in row) for row in values], None
        if predicted.ndim > 1:  # several labels, marked by 1
            return [",".join(map(str, np.flatnonzero(row))) or "none" for row in predicted], None
        return [str(label) for label in predicted], judge.predict_proba(samples).max(axis=1)


class MixingDisplay:
    """Free energies and overlaps along Gibbs chains, which show whether they forget their start.

    Parameters
    ----------
    statistics : list of ChainStatistics
        Statistics for each start, as `skdbn.inspection.chain_statistics` returns them.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (2,)
        Axes drawn on: free energies, then overlaps.
    figure_ : Figure
        Figure that contains the axes.
    lines_ : list of Line2D
        Curves, axes by axes: one for each chain, then one for each start.

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
        """Run Gibbs chains in the top RBM and draw their statistics.

        Parameters
        ----------
        model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
            A fitted model.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Data; some chains start at rows drawn from them, others at noise. Without data, all
            start at noise.
        n_chains : int, default=20
            Number of chains from each start.
        n_gibbs_steps : int, default=1000
            Number of steps of each chain.
        random_state : int, RandomState instance or None, default=None
            Seed of the rows and chains.
        ax : Axes or sequence of Axes, default=None
            Axes to draw on: two, or one to divide; by default in a new figure.

        Returns
        -------
        MixingDisplay
            The display.
        """
        return cls(chain_statistics(model, X, n_chains, n_gibbs_steps, random_state)).plot(ax)

    def plot(self, ax=None):
        """Draw the free energies and overlaps.

        Parameters
        ----------
        ax : Axes or sequence of Axes, default=None
            Axes to draw on: two, or one to divide; by default in a new figure.

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
