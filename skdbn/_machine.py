"""What a fitted restricted Boltzmann machine computes: features, energies, likelihoods, samples.

The rule: a method validates its input, reads it as states of the visible units, and leaves the
arithmetic to `_maths`. Nothing here trains.
"""

import time

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from skdbn._maths.boltzmann import (
    RBM,
    clamped,
    free_energy,
    gibbs_step,
    hidden_mean,
    independent_states,
    visible_mean,
)
from skdbn._maths.engines import ENGINES
from skdbn._maths.likelihood import (
    LogPartition,
    enumeration,
    estimated_log_partition,
    exact_log_partition,
    largest_gain,
)
from skdbn._maths.missing import (
    MOST_SUMMED,
    can_sum_out,
    free_energy_of_observed,
    hidden_mean_given_observed,
    imputed,
    pseudo_log_likelihood_of_observed,
)
from skdbn._maths.pseudo_likelihood import pseudo_log_likelihood
from skdbn._maths.units import UNITS, layer
from skdbn._training.checks import (
    MAX_SEED,
    check_choice,
    check_finite,
    check_integer,
    check_log_partition,
    check_values,
    floats_for,
    without_alarms,
)
from skdbn._training.columns import check_zeros_and_ones, columns_of, map_of
from skdbn._training.diagnosis import warn_of_gap
from skdbn._training.fitting import TrainedEstimator
from skdbn._training.rows import Rows, dense_blocks, in_blocks
from skdbn._training.threads import threads_for

MOST_ENUMERATED = {"auto": 20, "exact": 25, "ais": -1}  # binary units whose states are enumerated


class Machine(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TrainedEstimator):
    """A fitted restricted Boltzmann machine, which `RBMTransformer` trains."""

    _filler = "impute"

    def _rows(self, X):
        """Return rows of data, to be read as states of the visible units."""
        return Rows(X, columns=map_of(self))

    def _model(self, engine):
        """Return the fitted machine in the engine's type, copied only if converted."""
        return RBM(
            self.components_.T.astype(engine.dtype, copy=False),
            self.intercept_visible_.astype(engine.dtype, copy=False),
            self.intercept_hidden_.astype(engine.dtype, copy=False),
            layer(self.visible_units_, engine),
            UNITS[self._units[1]](engine),
            engine,
        )

    # -- inference

    def transform(self, X):
        """Return the expected hidden units given the data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data. NaN is a missing value; it is filled in from the observed values by a mean field,
            so the expected values are approximate.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Probabilities for binary hidden units, means for gaussian ones.
        """
        return self._hidden_mean(self._read_new(X, missing_allowed=True))

    def _hidden_mean(self, X):
        """Return `transform` of validated X as a plain array, whatever `set_output` asks for."""
        rows = self._rows(X)
        function = hidden_mean_given_observed if rows.has_missing() else hidden_mean
        return self._in_blocks(function, rows, len(self.components_))

    def inverse_transform(self, X):
        """Return the expected visible units given values of the hidden ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Values of the hidden units, as `transform` returns them.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Probabilities for binary visible units, means in the units of the data for gaussian
            ones.
        """
        check_is_fitted(self)
        rules = {"accept_sparse": "csr", "order": "C", "ensure_all_finite": False}
        H = check_array(X, dtype=floats_for(X), **rules)
        check_values(H, filler="what transform returns")
        n_components, n_features = self.components_.shape
        if H.shape[1] != n_components:
            raise ValueError(
                f"X has {H.shape[1]} columns, but {type(self).__name__} has {n_components} hidden "
                "units. Pass what transform returns."
            )
        return self._into_data(self._in_blocks(visible_mean, Rows(H), n_features))

    def impute(self, X):
        """Return the data with missing values replaced by expected ones.

        Each missing value becomes its expectation given all others, one feature after another, in
        two rounds. The same X always gives the same result. If a feature has several modes, its
        expected value can lie between them. To draw values that vary as in the data, call
        ``sample(given=X)``. Gaussian features take up to twice as long as in `score_samples`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, NaN where a value is missing. In a sparse matrix only stored values can be
            missing.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            X in the units of the data, unchanged where a value was given.

        Raises
        ------
        ValueError
            If the weights of a gaussian unit are so large that its density has no finite integral.
        """
        X = self._read_new(X, missing_allowed=True)
        rows = self._rows(X)
        filled = self._into_data(self._in_blocks(imputed, rows, X.shape[1]))
        for block, given in dense_blocks(X):
            np.copyto(filled[block], given, where=~np.isnan(given))
        return filled

    def free_energy(self, X):
        """Return the free energy of the data.

        It is ``-log p(x)`` up to a constant that differs from machine to machine, so only compare
        free energies of the same machine. Missing values are summed out exactly, in the units of
        the data, so rows with different missing values can be compared. Each row with missing
        values takes a sum over up to 2^20 states.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, NaN where a value is missing.

        Returns
        -------
        ndarray of shape (n_samples,)
            Free energies in nats.

        Raises
        ------
        ValueError
            If a row misses more than 20 values, or one with a gaussian unit, unless the machine has
            at most 20 hidden units, all binary.
        """
        return self._free_energy(self._read_new(X, missing_allowed=True))

    def _free_energy(self, X):
        """Return the free energy of validated rows."""
        rows = self._rows(X)
        if not rows.has_missing():
            return self._in_blocks(free_energy, rows)
        self._check_that_sums_are_short(X)
        energies = self._in_blocks(free_energy_of_observed, rows)
        for block, are_missing in _gaps(X):  # summed over data values, not states of units
            energies[block] -= are_missing @ np.log(self.scale_)
        return energies

    def _check_that_sums_are_short(self, X):
        """Raise if the missing values of a row cannot be summed out."""
        model = self._model(ENGINES["numpy"](X.dtype, 0))
        for block, are_missing in _gaps(X):
            cannot = ~can_sum_out(model, are_missing)
            if cannot.any():
                row = int(np.argmax(cannot))
                raise ValueError(
                    f"X misses {np.count_nonzero(are_missing[row])} values in row "
                    f"{block.start + row} (counted from 0). The free energy can sum over missing "
                    f"values only if at most {MOST_SUMMED} are missing, all with binary units, or "
                    f"if the machine has at most {MOST_SUMMED} hidden units, all binary; this one "
                    f"has {len(self.components_)}, which are {self._units[1]}. Fill X with impute "
                    "first."
                )

    def score_samples(self, X):
        """Return the pseudo-log-likelihood of the data.

        It is the sum over features of the log-probability of each given all others, or of the
        log-density in the units of the data if the unit is gaussian; clipped values count as the
        limit. It is exact, deterministic, and comparable across machines with the same kinds of
        units. In a row with missing values the sum is over the observed features, and the others
        have the states that the machine expects when nothing is observed: compare such sums on the
        same data only. Binary features take
        about as long as 5 to 20 calls of `free_energy`, longer the larger the weights, up to
        several hundred calls if most weights exceed 1.5; each gaussian feature takes about as long
        as 20 calls without their matrix product.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, NaN where a value is missing. A value of a binary unit between 0 and 1 is a
            probability: it weighs the scores of its two states, as 0 and 1 do if it lies beyond.

        Returns
        -------
        ndarray of shape (n_samples,)
            Pseudo-log-likelihoods in nats.
        """
        X = self._read_new(X, missing_allowed=True)
        rows, log_scale = self._rows(X), np.log(self.scale_)
        has_missing = rows.has_missing()
        function = pseudo_log_likelihood_of_observed if has_missing else pseudo_log_likelihood
        scores = self._in_blocks(function, rows)
        scores -= log_scale.sum()  # from densities of units to densities of data
        if has_missing:
            for block, given in dense_blocks(X):
                scores[block] += np.isnan(given) @ log_scale
        return scores

    def score(self, X, y=None):
        """Return the mean of `score_samples`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, NaN where a value is missing.
        y : None
            Ignored.

        Returns
        -------
        float
            Mean pseudo-log-likelihood in nats.
        """
        return float(np.asarray(self.score_samples(X)).mean())

    # -- likelihood

    def log_partition(
        self, method="auto", *, n_temperatures=2000, n_chains=100, random_state=None, verbose=0
    ):
        """Return the log of the partition function, which turns free energies into likelihoods.

        It is exact if one layer has few units, all binary, whose states are enumerated, or if both
        layers are gaussian. Otherwise it is estimated by annealed importance sampling (AIS). Chains
        anneal from independent units up to the machine, which tends to underestimate, and from the
        machine down, which tends to overestimate. The value is Bennett's estimate from both
        directions.

        Parameters
        ----------
        method : {"auto", "exact", "ais"}, default="auto"
            "auto" is exact for up to 20 binary units in the smaller layer, "exact" for up to 25.
            Each unit doubles the time.
        n_temperatures : int, default=2000
            Steps of each chain in either direction, and Gibbs steps from `h_samples_` before the
            way down. Each temperature costs 10.5 matrix products of `n_chains` rows. The defaults
            take half a minute to a minute for 784 x 500 units in float32.
        n_chains : int, default=100
            Number of chains in either direction.
        random_state : int, RandomState instance or None, default=None
            Seed of the states that are drawn.
        verbose : int, default=0
            If positive, print a line after each part of the annealing.

        Returns
        -------
        LogPartition
            The `value` in nats, its bounds `lower` and `upper`, its `standard_error`, and the
            `method`. The bounds of an estimate enclose those of both directions and three standard
            errors more.

        Raises
        ------
        ValueError
            If a parameter is invalid, there are too many units for "exact", gaussian units drive
            each other so strongly that their density has no finite integral, or weights are so
            large that a number overflows.

        Warns
        -----
        MixingWarning
            If the estimates from the two directions are more than one nat apart, as they are if the
            chains of training stay in modes that annealing does not reach.

        References
        ----------
        Neal (2001), "Annealed importance sampling".
        Salakhutdinov and Murray (2008), "On the quantitative analysis of deep belief networks".
        Burda, Grosse and Salakhutdinov (2015), "Accurate and conservative estimates of MRF
        log-likelihood using reverse annealing".
        Bennett (1976), "Efficient estimation of free energy differences from Monte Carlo data".

        Examples
        --------
        >>> from skdbn import RBMTransformer
        >>> from skdbn.datasets import load_digits
        >>> X = load_digits()[0] > 0.5
        >>> rbm = RBMTransformer(10, n_iter=5, random_state=0).fit(X)
        >>> exact = rbm.log_partition()
        >>> estimate = rbm.log_partition("ais", n_temperatures=200, random_state=0)
        >>> estimate.lower < exact.value < estimate.upper
        True
        """
        check_is_fitted(self)
        check_choice(method, "method", MOST_ENUMERATED)
        check_integer(n_temperatures, "n_temperatures", 1)
        check_integer(n_chains, "n_chains", 2)
        check_integer(verbose, "verbose", 0)
        seed = check_random_state(random_state).randint(MAX_SEED)
        rbm = self._model(ENGINES["numpy"](np.float64, 0))
        self._check_that_it_has_a_density(rbm)
        n_units, _ = enumeration(rbm)
        if n_units <= MOST_ENUMERATED[method]:
            with without_alarms():
                value = exact_log_partition(rbm)
            check_finite(np.float64(value), "partition function")
            return LogPartition(value, value, value, 0.0, "exact")
        if method == "exact":
            raise ValueError(
                "method == 'exact' enumerates all states of a layer, but the smaller binary one "
                f"has {n_units} units, more than {MOST_ENUMERATED[method]}. Set method='ais'."
            )
        result, gap = self._annealed(n_temperatures, n_chains, seed, verbose)
        warn_of_gap(gap, n_temperatures)
        return result

    def _check_that_it_has_a_density(self, rbm):
        """Raise if gaussian units drive each other to infinity."""
        gain = largest_gain(rbm)
        if gain >= 1.0:
            raise ValueError(
                "The density of this machine has no finite integral: its gaussian layers drive "
                f"each other by a factor of {gain:.4g}, the largest singular value of the weights "
                "between them, which must be below 1. Train with a higher weight_decay or fewer "
                "passes, or set hidden_units='binary'."
            )

    def _annealed(self, n_temperatures, n_chains, seed, verbose):
        """Return the estimate of `log_partition` and the gap between its two directions."""

        def report(part):
            if verbose:
                seconds = time.perf_counter() - start
                print(f"[{type(self).__name__}] log_partition: {part}, {seconds:.1f} s", flush=True)

        start, dtype = time.perf_counter(), self.components_.dtype
        rbm = self._model(ENGINES["numpy"](dtype, seed))
        h = np.resize(self.h_samples_, (n_chains, len(self.components_)))
        with without_alarms(), threads_for(n_chains * rbm.weights.size):
            result, gap = estimated_log_partition(rbm, h, n_temperatures, report)
        check_finite(np.array([result.value, gap], dtype), "partition function")
        return result, gap

    def log_likelihood(self, X, log_partition=None):
        """Return the log-likelihood of the data.

        Unlike `score_samples`, it gives probabilities of whole rows, which sum to 1 over all
        possible rows, so machines of any size can be compared.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, NaN where a value is missing. The values of binary units must be zeros and ones.
        log_partition : LogPartition or float, default=None
            Result of `log_partition`, to compute it only once for several calls. By default it is
            computed with ``random_state=0``. Its bounds, passed as numbers, give bounds of the
            likelihood: `lower` gives the highest.

        Returns
        -------
        ndarray of shape (n_samples,)
            ``log p(x)`` in nats; of the observed values if others are missing. With gaussian
            visible units it is a log-density in the units of the data, and clipped values count as
            the limit.

        Raises
        ------
        ValueError
            If a value of a binary unit is neither 0 nor 1, a row misses more values than
            `free_energy` can sum out, or `log_partition` raises.

        Warns
        -----
        MixingWarning
            If `log_partition` issues it.

        Examples
        --------
        >>> from skdbn import RBMTransformer
        >>> from skdbn.datasets import load_digits
        >>> X = load_digits()[0] > 0.5
        >>> rbm = RBMTransformer(10, n_iter=5, random_state=0).fit(X)
        >>> rbm.log_likelihood(X, rbm.log_partition()).shape == (len(X),)
        True
        """
        X = self._read_new(X, missing_allowed=True)
        check_zeros_and_ones(self, X)
        if log_partition is None:
            log_partition = self.log_partition(random_state=0)
        constant = check_log_partition(log_partition) + float(np.log(self.scale_).sum())
        return -self._free_energy(X) - constant

    def _in_blocks(self, function, rows, n_columns=None):
        """Return the values of a function of the machine for all rows, computed in blocks."""
        model = self._model(ENGINES["numpy"](rows.X.dtype, 0))
        return in_blocks(function, model, rows, n_columns)

    def _into_data(self, v):
        """Return states of the visible units as values of the data."""
        columns = columns_of(self)
        if columns.keep_the_scale:
            return v
        with np.errstate(over="ignore"):
            return check_finite(columns.into_data(v), "way back to the data")

    # -- sampling

    def sample(self, n_samples=1, n_gibbs_steps=1000, start=None, random_state=None, *, given=None):
        """Draw visible states by Gibbs sampling, optionally with some values given.

        Parameters
        ----------
        n_samples : int, default=1
            Number of chains: each gives one row.
        n_gibbs_steps : int, default=1000
            Steps of each chain.
        start : array-like of shape (n_samples, n_features), default=None
            Visible states to start at; by default they are drawn without input from the hidden
            units. Values in `given` replace those in `start`.
        random_state : int, RandomState instance or None, default=None
            Seed of the states that are drawn.
        given : array-like of shape (n_samples, n_features) or (1, n_features), default=None
            Known values of the rows, NaN where a value is to be drawn. Known values stay fixed in
            every step, so the chains draw from the distribution of the free values given the known
            ones. Each row is for one chain; a single row is for all of them. If `n_samples` is 1,
            there are as many chains as rows.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Visible states, with the given values unchanged.

        Raises
        ------
        ValueError
            If `start` or `given` has a wrong shape or a number is out of range.
        """
        check_is_fitted(self)
        return self._sample_stack([], n_samples, n_gibbs_steps, start, random_state, given=given)

    def _sample_stack(
        self,
        below,
        n_samples,
        n_gibbs_steps,
        start=None,
        random_state=None,
        *,
        expected=False,
        given=None,
    ):
        """Return `sample` of a stack: this machine on top of those in `below`, the lowest first.

        With `expected`, nothing is drawn below the hidden states of this machine: each layer is set
        to its expectations given the layer above. `given` is for a machine without others below.
        """
        check_integer(n_samples, "n_samples", 1)
        check_integer(n_gibbs_steps, "n_gibbs_steps", 0)
        random_state = check_random_state(random_state)
        rbm, states = self._model_to_draw(random_state), None
        if given is not None:
            given = self._given(given, n_samples, rbm.engine)
            n_samples, states = len(given), self._rows(given).states(rbm.engine)
        v = self._start(below, rbm, n_samples, start)
        if n_gibbs_steps == 0:
            X = self._into_data(v)
        else:
            v = self._chain(rbm, v, n_gibbs_steps - 1, states)
            X = self._visible(rbm, self._hidden(rbm, v), expected)
        if given is not None:
            X = clamped(rbm, X, given)
        for machine in reversed(below):
            rbm = machine._model_to_draw(random_state)
            X = machine._visible(rbm, X.astype(rbm.engine.dtype), expected)
        return X

    def _model_to_draw(self, random_state):
        """Return the machine with its own random numbers."""
        seed = random_state.randint(MAX_SEED)
        return self._model(ENGINES["numpy"](self.components_.dtype, seed))

    def _given(self, given, n_samples, engine):
        """Return one dense row for each chain, with NaN where a value is to be drawn."""
        given = self._validate(given, dtype=engine.dtype, name="given", missing_allowed=True)
        if 1 not in (n_samples, given.shape[0]) and given.shape[0] != n_samples:
            raise ValueError(
                f"given has {given.shape[0]} rows, but n_samples == {n_samples}. Pass one row for "
                "each chain, or one row for all of them."
            )
        rows = Rows(given).states(engine)
        return rows.repeat(n_samples, axis=0) if len(rows) == 1 else rows

    def _start(self, below, rbm, n_samples, start):
        """Return the visible states at which chains start: those of `start`, or random ones."""
        if start is None:
            with np.errstate(over="ignore"):
                return independent_states(rbm, n_samples)
        lowest = below[0] if below else self
        filler = None if below else "impute, or pass them as given"
        v = lowest._validate(start, dtype=lowest.components_.dtype, name="start", filler=filler)
        shape = (n_samples, lowest.components_.shape[1])
        if v.shape != shape:
            raise ValueError(
                f"start has shape {v.shape}, must be (n_samples, n_features) == {shape}."
            )
        for machine in below:
            v = machine._hidden_mean(v)
        return self._states(rbm.engine, v)

    def _states(self, engine, X):
        """Return validated rows of data as states of the visible units."""
        return self._rows(X.astype(engine.dtype, copy=False)).states(engine)

    def _hidden(self, rbm, v):
        """Return hidden states drawn given visible ones."""
        with without_alarms():
            h = hidden_mean(rbm, v)
            return rbm.hidden_units.sample(h, out=h)

    def _visible(self, rbm, h, expected):
        """Return visible units given hidden states, drawn or expected, as values of the data."""
        with without_alarms():
            v = visible_mean(rbm, h)
            v = v if expected else rbm.visible_units.sample(v, out=v)
        return self._into_data(check_finite(v, "chain"))

    def gibbs(self, v):
        """Make one Gibbs step, as `BernoulliRBM.gibbs` does.

        Unlike `sample`, it continues the machine's own random numbers from call to call, and like
        all data, the states given are clipped far from those of the training data.

        Parameters
        ----------
        v : array-like of shape (n_samples, n_features)
            Visible states to start at.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Visible states after one step.
        """
        check_is_fitted(self)
        engine, *_ = self._restored()
        v = self._validate(v, dtype=engine.dtype, name="v")
        v = self._chain(self._model(engine), self._states(engine, v), 1)
        self._kept = {**self._kept, "engine": engine.get_state()}
        return self._into_data(v)

    def _trace(self, n_chains, start, random_state):
        """Yield the states of chains and their free energies, at the start and after each step."""
        rbm = self._model_to_draw(random_state)
        if start is None:
            v = self._start([], rbm, n_chains, None)
        else:
            v = self._states(rbm.engine, start)
        while True:
            with without_alarms():
                energies = free_energy(rbm, v)
            yield v, energies
            v = self._chain(rbm, v, 1)

    def _chain(self, rbm, v, n_gibbs_steps, given=None):
        """Return the visible states of Markov chains after some steps from `v`."""
        v = v if given is None else clamped(rbm, v, given)
        with without_alarms():
            for _ in range(n_gibbs_steps):
                v = gibbs_step(rbm, v, given)
        return check_finite(v, "chain")

    @property
    def _n_features_out(self):
        """Number of columns of `transform`, under the name that scikit-learn expects."""
        return len(self.components_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _gaps(X):
    """Yield slices of rows, and a mask of their missing values."""
    for block, rows in dense_blocks(X):
        yield block, np.isnan(rows)
