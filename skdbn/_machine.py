"""What a fitted restricted Boltzmann machine answers: features, energies, likelihoods, samples.

The rule: a method validates what it is given, reads it as states of the visible units, and leaves
the arithmetic to the mathematics. Nothing here trains.
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
)
from skdbn._maths.pseudo_likelihood import pseudo_log_likelihood
from skdbn._maths.units import UNITS, layer
from skdbn._training.checks import (
    FLOATS,
    MAX_SEED,
    check_choice,
    check_finite,
    check_integer,
    check_log_partition,
    check_values,
)
from skdbn._training.columns import check_zeros_and_ones, map_of
from skdbn._training.diagnosis import warn_of_gap
from skdbn._training.fitting import TrainedEstimator
from skdbn._training.rows import Rows, dense_blocks, in_blocks
from skdbn._training.threads import threads_for

MOST_ENUMERATED = {"auto": 20, "exact": 25, "ais": -1}  # binary units whose states are all visited


class Machine(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TrainedEstimator):
    """A fitted restricted Boltzmann machine, which `RBMTransformer` trains."""

    _filler = "impute"

    def _rows(self, X):
        """Return rows of data that are read as states of the visible units."""
        return Rows(X, columns=map_of(self))

    def _model(self, engine):
        """Return the fitted machine in the engine's type, without a copy when it has it."""
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
            Data. NaN is a missing value. It is filled in from the observed values by a mean field,
            so that what is expected is an approximation.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Probabilities for binary hidden units, means for gaussian ones.
        """
        return self._hidden_mean(self._read_new(X, missing_allowed=True))

    def _hidden_mean(self, X):
        """Return `transform` of validated X as a plain array, whatever the output container."""
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
        H = check_array(X, accept_sparse="csr", dtype=FLOATS, order="C", ensure_all_finite=False)
        check_values(H)
        n_components, n_features = self.components_.shape
        if H.shape[1] != n_components:
            raise ValueError(
                f"X has {H.shape[1]} columns, but {type(self).__name__} has {n_components} "
                "hidden units: pass what transform returns."
            )
        return self._into_data(self._in_blocks(visible_mean, Rows(H), n_features))

    def impute(self, X):
        """Return the data with expected values where they are missing.

        A value is expected given all others, one feature after another, two times over. The same
        X gives the same result at every call. Where features have several modes, the expected
        value can lie between them. To draw values, which vary as those of data do, call
        ``sample(given=X)``. For gaussian features it takes up to twice as long as `score_samples`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, NaN where a value is missing. Of a sparse matrix only values that are stored can
            be missing.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            X in the units of the data, unchanged where there is a value.

        Raises
        ------
        ValueError
            When weights of a gaussian unit are so large that its density has no integral.
        """
        X = self._read_new(X, missing_allowed=True)
        rows = self._rows(X)
        filled = self._into_data(self._in_blocks(imputed, rows, X.shape[1]))
        for block, given in dense_blocks(X):
            np.copyto(filled[block], given, where=~np.isnan(given))
        return filled

    def free_energy(self, X):
        """Return the free energy of the data.

        It is ``-log p(x)`` up to a constant that differs from machine to machine, so compare
        free energies of one machine only. Missing values are summed out in the units of the data,
        which is exact, so rows compare whatever they miss. It takes a sum over up to 2^20 states
        for each row that has some.

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
            When a row misses more than 20 values, or one that has a gaussian unit, unless the
            machine has at most 20 hidden units, all binary.
        """
        return self._free_energy(self._read_new(X, missing_allowed=True))

    def _free_energy(self, X):
        """Return the free energy of validated rows."""
        rows = self._rows(X)
        if not rows.has_missing():
            return self._in_blocks(free_energy, rows)
        self._check_that_sums_are_short(X)
        energies = self._in_blocks(free_energy_of_observed, rows)
        for block, are_missing in _gaps(X):  # summed over values of the data, not states of units
            energies[block] -= are_missing @ np.log(self.scale_)
        return energies

    def _check_that_sums_are_short(self, X):
        """Raise when the missing values of a row cannot be summed out."""
        model = self._model(ENGINES["numpy"](X.dtype, 0))
        for block, are_missing in _gaps(X):
            cannot = ~can_sum_out(model, are_missing)
            if cannot.any():
                row = int(np.argmax(cannot))
                raise ValueError(
                    f"X misses {np.count_nonzero(are_missing[row])} values in row "
                    f"{block.start + row} (counted from 0). The free energy sums over missing "
                    f"values only where at most {MOST_SUMMED} are missing, all with binary units, "
                    f"or the machine has at most {MOST_SUMMED} hidden units, all binary: it has "
                    f"{len(self.components_)} that are {self._units[1]}. Fill X with impute first."
                )

    def score_samples(self, X):
        """Return the pseudo-log-likelihood of the data.

        It is the sum over features of the log-probability of each given all others, or of its
        log-density in the units of the data where its unit is gaussian; values that are cut off
        count as the limit. It is exact, the same at every call, and comparable across machines of
        the same kinds of units. For binary features it takes about as long as 5 to 20 calls of
        `free_energy`, the longer the larger the weights are, up to several hundred where most
        weights exceed 1.5; for each gaussian feature about as long as 20 calls without their matrix
        product.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data without missing values. A value of a binary unit between 0 and 1 is a probability:
            its two states are weighted.

        Returns
        -------
        ndarray of shape (n_samples,)
            Pseudo-log-likelihoods in nats.
        """
        scores = self._in_blocks(pseudo_log_likelihood, self._rows(self._read_new(X)))
        scores -= np.log(self.scale_).sum()  # from densities of units to densities of data
        return scores

    def score(self, X, y=None):
        """Return the mean of `score_samples`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.
        y : None
            Ignored.

        Returns
        -------
        float
            Mean pseudo-log-likelihood in nats.
        """
        return float(self.score_samples(X).mean())

    # -- likelihood

    def log_partition(
        self, method="auto", *, n_temperatures=2000, n_chains=100, random_state=None, verbose=0
    ):
        """Return the log of the partition function, the constant that makes energies likelihoods.

        It is exact where the machine has a layer of few binary units, whose states are all visited,
        or gaussian units in both layers. Otherwise it is estimated by annealed importance sampling
        (AIS). Chains anneal from independent units up to the machine, which underestimates rather
        than overestimates, and from the machine down, which does the opposite. The value is
        Bennett's estimate from both directions.

        Parameters
        ----------
        method : {"auto", "exact", "ais"}, default="auto"
            "auto" is exact up to 20 binary units in the smaller layer, "exact" up to 25. Each unit
            doubles the time.
        n_temperatures : int, default=2000
            Steps of a chain in either direction, and Gibbs steps beforehand from `h_samples_`. Each
            temperature costs 10.5 products of `n_chains` rows. The defaults take about half a
            minute for 784 x 500 units in float32.
        n_chains : int, default=100
            Chains in either direction.
        random_state : int, RandomState instance or None, default=None
            Seed of the states that are drawn.
        verbose : int, default=0
            Whether to print a line after each part of the annealing.

        Returns
        -------
        LogPartition
            The `value` in nats between `lower` and `upper`, its `standard_error`, and the `method`.
            The bounds of an estimate hold those of both directions and three standard errors
            beyond.

        Raises
        ------
        ValueError
            When a parameter is not what is allowed, when there are too many units for "exact", when
            gaussian units drive each other so strongly that their density has no integral, or when
            weights are so large that a number overflows.

        Warns
        -----
        MixingWarning
            When the two directions are more than one nat apart, as they are where the chains of
            training stay where annealing does not lead.

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
            with np.errstate(over="ignore", invalid="ignore"):
                value = exact_log_partition(rbm)
            check_finite(np.float64(value), "partition function")
            return LogPartition(value, value, value, 0.0, "exact")
        if method == "exact":
            raise ValueError(
                f"method == 'exact' visits all states of a layer, and the smaller binary one has "
                f"{n_units} units, more than {MOST_ENUMERATED[method]}. Set method='ais'."
            )
        result, gap = self._annealed(n_temperatures, n_chains, seed, verbose)
        warn_of_gap(gap, n_temperatures)
        return result

    def _check_that_it_has_a_density(self, rbm):
        """Raise when gaussian units drive each other to infinity."""
        gain = largest_gain(rbm)
        if gain >= 1.0:
            raise ValueError(
                "The density of this machine has no integral: its gaussian layers drive each other "
                f"by a factor of {gain:.4g}, the largest singular value of the weights between "
                "them, which must be below 1. Train with more weight_decay or fewer passes, or set "
                "hidden_units='binary'."
            )

    def _annealed(self, n_temperatures, n_chains, seed, verbose):
        """Return the estimate of `log_partition`, and how far its two directions are apart."""

        def report(part):
            if verbose:
                seconds = time.perf_counter() - start
                print(f"[{type(self).__name__}] log_partition: {part}, {seconds:.1f} s", flush=True)

        start, dtype = time.perf_counter(), self.components_.dtype
        rbm = self._model(ENGINES["numpy"](dtype, seed))
        h = np.resize(self.h_samples_, (n_chains, len(self.components_)))
        with np.errstate(over="ignore", invalid="ignore"), threads_for(n_chains * rbm.weights.size):
            result, gap = estimated_log_partition(rbm, h, n_temperatures, report)
        check_finite(np.array([result.value, gap], dtype), "partition function")
        return result, gap

    def log_likelihood(self, X, log_partition=None):
        """Return the log-likelihood of the data.

        Unlike that of `score_samples`, these are probabilities of whole rows, which sum to 1 over
        all rows that there could be, and so compare machines of any size.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, NaN where a value is missing. The values of binary units must be zeros and ones.
        log_partition : LogPartition or float, default=None
            What `log_partition` returned, so that it is computed once for several calls. By default
            it is computed, with ``random_state=0``. Its bounds, passed as numbers, bound the
            likelihood: `lower` leads to the highest.

        Returns
        -------
        ndarray of shape (n_samples,)
            ``log p(x)`` in nats, of the observed values where others are missing. With gaussian
            visible units it is a log-density in the units of the data, where values that are cut
            off count as the limit.

        Raises
        ------
        ValueError
            When a value of a binary unit is neither 0 nor 1, when a row misses more values than
            `free_energy` sums out, or `log_partition` raises.

        Warns
        -----
        MixingWarning
            When `log_partition` warns.

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
        """Return a function of the machine and rows for all rows."""
        model = self._model(ENGINES["numpy"](rows.X.dtype, 0))
        return in_blocks(function, model, rows, n_columns)

    def _into_data(self, v):
        """Return states of the visible units as values of the data."""
        columns = map_of(self)
        if columns is None:
            return v
        with np.errstate(over="ignore"):
            return check_finite(columns.into_data(v), "way back to the data")

    # -- sampling

    def sample(self, n_samples=1, n_gibbs_steps=1000, start=None, random_state=None, *, given=None):
        """Draw visible states with Gibbs sampling, given some of them if wanted.

        Parameters
        ----------
        n_samples : int, default=1
            Number of chains, which gives the number of rows.
        n_gibbs_steps : int, default=1000
            Steps of each chain.
        start : array-like of shape (n_samples, n_features), default=None
            Visible states to start at; by default states drawn without input from the hidden
            units. Values that are given take the place of theirs.
        random_state : int, RandomState instance or None, default=None
            Seed of the states that are drawn.
        given : array-like of shape (n_samples, n_features) or (1, n_features), default=None
            What is known of the rows: NaN where a value is to be drawn. All others stay what they
            are, in every step, so that the chains draw from the distribution of the free values
            given these. Each row belongs to a chain, and a single row to all of them. When
            `n_samples` is 1, there are as many chains as rows.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Visible states, and the given values as they were given.

        Raises
        ------
        ValueError
            When `start` or `given` has another shape or a number is out of range.
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
        """Return `sample` of a stack of which this is the top machine, `below` from the data up.

        With `expected`, visible units of the data are not drawn, but expected given the hidden
        states above them. Values are `given` to a machine without others below.
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
            X = self._visible(rbm, self._hidden(rbm, v), expected and not below)
        if given is not None:
            X = clamped(rbm, X, given)
        for i, machine in reversed([*enumerate(below)]):
            rbm = machine._model_to_draw(random_state)
            X = machine._visible(rbm, X.astype(rbm.engine.dtype), expected and i == 0)
        return X

    def _model_to_draw(self, random_state):
        """Return the machine with random numbers of its own."""
        seed = random_state.randint(MAX_SEED)
        return self._model(ENGINES["numpy"](self.components_.dtype, seed))

    def _given(self, given, n_samples, engine):
        """Return a row for each chain, dense, with NaN where a value is to be drawn."""
        given = self._validate(given, dtype=engine.dtype, name="given", missing_allowed=True)
        if 1 not in (n_samples, given.shape[0]) and given.shape[0] != n_samples:
            raise ValueError(
                f"given has {given.shape[0]} rows and n_samples == {n_samples}: pass a row for "
                "each chain, or one row for all of them."
            )
        rows = Rows(given).states(engine)
        return rows.repeat(n_samples, axis=0) if len(rows) == 1 else rows

    def _start(self, below, rbm, n_samples, start):
        """Return the visible states at which chains start: of rows of data, or by chance."""
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
        """Return rows of data, validated before, as states of the visible units."""
        return self._rows(X.astype(engine.dtype, copy=False)).states(engine)

    def _hidden(self, rbm, v):
        """Return states of the hidden units given visible ones."""
        with np.errstate(over="ignore", invalid="ignore"):
            h = hidden_mean(rbm, v)
            return rbm.hidden_units.sample(h, out=h)

    def _visible(self, rbm, h, expected):
        """Return states of the visible units given hidden ones, or expectations, as data."""
        with np.errstate(over="ignore", invalid="ignore"):
            v = visible_mean(rbm, h)
            v = v if expected else rbm.visible_units.sample(v, out=v)
        return self._into_data(check_finite(v, "chain"))

    def gibbs(self, v):
        """Make one Gibbs step, as `BernoulliRBM.gibbs` does.

        Unlike `sample` it goes on with the machine's own random numbers from call to call.

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
        """Yield the states of chains and their free energies: at the start, and after each step."""
        rbm = self._model_to_draw(random_state)
        if start is None:
            v = self._start([], rbm, n_chains, None)
        else:
            v = self._states(rbm.engine, start)
        while True:
            with np.errstate(over="ignore", invalid="ignore"):
                energies = free_energy(rbm, v)
            yield v, energies
            v = self._chain(rbm, v, 1)

    def _chain(self, rbm, v, n_gibbs_steps, given=None):
        """Return the visible states at the end of Markov chains that start at `v`."""
        v = v if given is None else clamped(rbm, v, given)
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(n_gibbs_steps):
                v = gibbs_step(rbm, v, given)
        return check_finite(v, "chain")

    @property
    def _n_features_out(self):
        """Number of columns of `transform`, by the name that scikit-learn asks for."""
        return len(self.components_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _gaps(X):
    """Yield blocks of rows, and where they miss a value."""
    for block, rows in dense_blocks(X):
        yield block, np.isnan(rows)
