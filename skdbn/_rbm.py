"""The restricted Boltzmann machine as a scikit-learn transformer."""

import copy
import time
import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import _safe_indexing, check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skdbn._maths.boltzmann import (
    RBM,
    free_energy,
    gibbs_step,
    hidden_mean,
    idle_units,
    pseudo_log_likelihood,
    reconstruction_error,
    visible_mean,
)
from skdbn._maths.engines import ENGINES
from skdbn._maths.gradients import GRADIENTS, likelihood_gradient, reserve_phases
from skdbn._maths.optimizers import OPTIMIZERS
from skdbn._maths.units import UNITS, DataRangeWarning
from skdbn._training.callbacks import CallbackSupportMixin, PassTasks, with_callbacks
from skdbn._training.checks import (
    FLOATS,
    MAX_SEED,
    blocks,
    check_batch_size,
    check_choice,
    check_finite,
    check_integer,
    check_real,
    resolve_batch_size,
    split_rows,
    unchanged_on_error,
    value_range,
)
from skdbn._training.diagnosis import (
    FROM_CLASSIFIER,
    FROM_FIT,
    warn_of_growing_weights,
    warn_of_idle_units,
)
from skdbn._training.loop import (
    BestParameters,
    DivergenceError,
    InterruptedTrainingWarning,
    minimize,
)
from skdbn._version import __version__, warn_of_other_version

INITIAL_SCALE = 0.01  # standard deviation of the first weights
INITIAL_MOMENTUM, N_INITIAL_PASSES = 0.5, 5
SMALLEST_BATCH = 5  # of "auto"
N_MONITORED = 1000  # rows at most whose reconstruction error is watched
RANGE_TOLERANCE = 1e-6  # what scaling may miss the range by
LARGE_WEIGHT = 30.0  # far above what training on scaled data leads to
GROWTH = 1.01  # factor in a pass that counts as growth


CURVES = (
    "loss_curve_",
    "validation_loss_curve_",
    "free_energy_gap_curve_",
    "dead_units_curve_",
    "saturated_units_curve_",
)
PARAMETERS = ("components_", "intercept_visible_", "intercept_hidden_", "h_samples_")
FITTED = (*PARAMETERS, "n_iter_", *CURVES)
STATE = (
    *FITTED,
    "n_features_in_",
    "feature_names_in_",
    "_n_features_out",
    "_largest_weight",
    "_weights_grow",
    "_stopped",
)


class RBMTransformer(
    CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Restricted Boltzmann machine trained with contrastive divergence.

    A two-layer model of the data in which binary or gaussian hidden units learn features.
    `transform` gives the expected hidden units, `inverse_transform` the way back. It takes the
    place of :class:`sklearn.neural_network.BernoulliRBM` in a script: parameters and fitted
    attributes of the same names mean the same.

    Parameters
    ----------
    n_components : int, default=256
        Number of hidden units.
    visible_units : {"binary", "gaussian"}, default="binary"
        What the features are: binary units stand for values in [0, 1], taken as
        probabilities; gaussian units stand for real values, standardised to unit variance.
        Gaussian units want a lower `learning_rate`, 0.001 to 0.01.
    hidden_units : {"binary", "gaussian"}, default="binary"
        What the hidden units are.
    gradient : {"cd", "pcd"}, default="cd"
        Estimator of the gradient: contrastive divergence, which starts a Markov chain at the
        data, or persistent contrastive divergence, whose chains go on from minibatch to
        minibatch.
    n_gibbs_steps : int, default=1
        Steps of the chain for each minibatch.
    learning_rate : float, default=0.1
        Step size. Momentum multiplies its effect: by ten for a momentum of 0.9.
    momentum : float, default=0.9
        Momentum in [0, 1). The first five passes use at most 0.5.
    weight_decay : float, default=2e-4
        L2 penalty on the weights, not on the intercepts.
    batch_size : int or "auto", default="auto"
        Rows in a minibatch. "auto" makes a hundred minibatches of a pass, of 5 to 100 rows.
    n_iter : int, default=30
        Passes over the data.
    early_stopping : bool, default=False
        Whether to end training when the reconstruction error of held-out rows does not fall;
        the parameters of the best pass are kept.
    validation_fraction : float, default=0.1
        Share of the rows held out when `early_stopping` is set and `fit` is given no `X_val`.
    n_iter_no_change : int, default=10
        Passes without a fall of the held-out error by `tol` after which early stopping stops.
    tol : float, default=1e-4
        Smallest fall of the error that counts for early stopping.
    warm_start : bool, default=False
        Whether `fit` goes on from the parameters, the optimizer state, the chains and the
        random numbers that an earlier fit left, for `n_iter` more passes.
    random_state : int, RandomState instance or None, default=None
        Seed of the weights, the order of rows, and the states that are drawn.
    verbose : int, default=0
        Whether to print a line after each pass.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Weights.
    intercept_visible_ : ndarray of shape (n_features,)
        Intercepts of the visible units.
    intercept_hidden_ : ndarray of shape (n_components,)
        Intercepts of the hidden units.
    h_samples_ : ndarray of shape (batch_size, n_components)
        Hidden states drawn last; the chains of "pcd", of which a minibatch of n rows moves the
        first n.
    loss_curve_ : list of float
        Reconstruction error after each pass: the mean squared difference between data and
        ``inverse_transform(transform(X))``, on at most 1000 rows drawn at the start of a fit.
    validation_loss_curve_ : list of float
        The same of at most 1000 held-out rows, when there are any.
    free_energy_gap_curve_ : list of float
        Mean free energy of the held-out rows minus that of the watched training rows, in nats
        after each pass, when there are held-out rows. A gap that grows from pass to pass shows
        overfitting.
    dead_units_curve_ : list of float
        Share of hidden units after each pass whose value changes by less than 0.05 over the
        watched rows.
    saturated_units_curve_ : list of float
        Share of binary hidden units within 0.05 of 0 or 1 in every watched row.
    n_iter_ : int
        Passes behind the parameters.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during fit, when all are strings.

    See Also
    --------
    DBNClassifier : A stack of these machines, fine-tuned as a classifier.
    sklearn.neural_network.BernoulliRBM : Binary units, persistent contrastive divergence.

    Notes
    -----
    Dense arrays and CSR matrices of float32 and float64 are taken as they are, everything else
    is converted; the computation happens in the type of X. CSR input is made dense one
    minibatch at a time. Rows that are C-contiguous floats are not copied, a memory map included.
    `transform` and the other methods that take data work in blocks of rows.

    The same `random_state` gives bit-identical parameters run after run on one machine with the
    same number of threads. With another number of threads sums are rounded in another order, and
    predictions agree to float tolerance. In long training such a difference can tip a state
    that is drawn; the parameters then part in detail, as with another seed.

    References
    ----------
    Hinton (2002), "Training products of experts by minimizing contrastive divergence".
    Hinton (2010), "A practical guide to training restricted Boltzmann machines", whose section
    6 is the source of the free energy gap.
    Tieleman (2008), "Training restricted Boltzmann machines using approximations to the
    likelihood gradient".

    Examples
    --------
    >>> import numpy as np
    >>> from skdbn import RBMTransformer
    >>> X = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    >>> rbm = RBMTransformer(n_components=2, random_state=0).fit(X)
    >>> rbm.transform(X).shape
    (4, 2)
    >>> rbm.inverse_transform(rbm.transform(X)).shape
    (4, 3)
    """

    def __init__(
        self,
        n_components=256,
        *,
        visible_units="binary",
        hidden_units="binary",
        gradient="cd",
        n_gibbs_steps=1,
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=2e-4,
        batch_size="auto",
        n_iter=30,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.visible_units = visible_units
        self.hidden_units = hidden_units
        self.gradient = gradient
        self.n_gibbs_steps = n_gibbs_steps
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # -- training

    def fit(self, X, y=None, *, X_val=None):
        """Train the machine.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data; values in [0, 1] for binary visible units.
        y : None
            Ignored, but handed to callbacks.
        X_val : {array-like, sparse matrix} of shape (n_val_samples, n_features), default=None
            Held-out data that are watched, and with `early_stopping` end training; without
            `early_stopping` they change nothing.

        Returns
        -------
        RBMTransformer
            The fitted machine. After Ctrl-C it is the machine of the last finished pass.

        Raises
        ------
        ValueError
            When X or a parameter is not what is allowed.
        DivergenceError
            When a weight or intercept is not finite after a pass; the machine is then as it
            was before the call.

        Warns
        -----
        DataRangeWarning
            When X has values outside of what the visible units stand for.
        HiddenUnitsWarning
            When more than half of the hidden units are saturated after training, or all of them
            dead.
        GrowingWeightsWarning
            When weights are large and still grow.
        InterruptedTrainingWarning
            When training was interrupted from the keyboard.
        """
        with unchanged_on_error(self):
            self._fit(X, y, X_val, go_on=self.warm_start and hasattr(self, "components_"))
        return self

    def partial_fit(self, X, y=None):
        """Make one pass over a part of the data.

        The optimizer state, the chains and the random numbers go on from call to call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data; values in [0, 1] for binary visible units.
        y : None
            Ignored.

        Returns
        -------
        RBMTransformer
            The machine itself.

        Raises
        ------
        ValueError
            When X or a parameter is not what is allowed.
        DivergenceError
            When a weight or intercept is not finite after the pass; the machine is then as it
            was before the call.

        Warns
        -----
        DataRangeWarning
            When X has values outside of what the visible units stand for.
        InterruptedTrainingWarning
            When training was interrupted from the keyboard.
        """
        with unchanged_on_error(self):
            X = self._prepare(X, go_on := hasattr(self, "components_"), stacklevel=4)
            self._start_or_continue(X, go_on)
            self._run = {}
            try:
                self._make_passes(X, None, 1, [])
            except KeyboardInterrupt:
                self._warn_of_interruption(stacklevel=3)
            finally:
                del self._run
        return self

    @with_callbacks
    def _fit(
        self, X, y=None, X_val=None, *, go_on=False, n_passes=None, state=None, tasks=(), where=""
    ):
        """Train from the start, or go on for more passes, or from the state of a checkpoint.

        A classifier hands in its own `tasks`, to tell of each pass, and `where` in it the machine
        is, for messages.
        """
        stacklevel = FROM_CLASSIFIER if where else FROM_FIT
        X = self._prepare(X, go_on, stacklevel)
        # beside the seed of training, which a split leaves as it is
        split_seed = int(check_random_state(self.random_state).randint(MAX_SEED, size=2)[1])
        split_seed = split_seed if state is None else state["split_seed"]
        X, X_val, y = self._hold_out(X, X_val, y, split_seed)
        n_passes = self.n_iter if n_passes is None else n_passes
        n_made = 0 if state is None else state["n_passes"]
        task = self._init_callback_context(max_subtasks=n_passes - n_made)
        what = {"estimator": self, "X": X, "y": y, "reconstruction_attributes": self._snapshot}
        task.call_on_fit_task_begin(**what)
        self._start_or_continue(X, go_on)
        tasks = [PassTasks(task, **what), *tasks]
        self._run = {"split_seed": split_seed, "of": n_passes}
        try:
            self._make_passes(X, X_val, n_passes, tasks, state)
            self._warn_of_outcome(where)
        except KeyboardInterrupt:
            if where:
                raise  # for the classifier to warn of
            self._warn_of_interruption(stacklevel=5)
        finally:
            del self._run
        task.call_on_fit_task_end(**what)

    def _prepare(self, X, go_on, stacklevel):
        """Check the parameters and the data."""
        self._check_parameters()
        X = self._validate(X, self.components_.dtype if go_on else FLOATS, reset=not go_on)
        self._warn_of_range(X, stacklevel)
        return X

    def _hold_out(self, X, X_val, y, seed):
        """Return rows to train on, at most N_MONITORED rows to watch or None, and y."""
        if X_val is None and not self.early_stopping:
            return X, None, y
        if X_val is not None:
            X_val = self._validate(X_val, X.dtype)
        else:
            rows, held_out = split_rows(X.shape[0], self.validation_fraction, seed)
            y = y if y is None else _safe_indexing(y, rows)
            X, X_val = X[rows], X[held_out]
        engine = ENGINES["numpy"](X.dtype, seed)
        drawn = engine.permutation(X_val.shape[0])[:N_MONITORED]
        return X, engine.rows(X_val, drawn, engine.zeros(len(drawn), X.shape[1])), y

    def _start_or_continue(self, X, go_on):
        """Set or copy what training changes."""
        batch_size = resolve_batch_size(self.batch_size, X.shape[0], SMALLEST_BATCH)
        if go_on:
            self._continue(batch_size)
        else:
            self._start(X, batch_size)

    def _warn_of_interruption(self, stacklevel):
        warnings.warn(
            f"Training was interrupted after {self.n_iter_} passes: the machine is the one of the "
            "last finished pass. To go on, set warm_start=True, n_iter to the passes that are "
            "missing, and call fit again.",
            InterruptedTrainingWarning,
            stacklevel=stacklevel,
        )

    def _warn_of_outcome(self, where):
        """Warn when the machine has learned little or is about to run away."""
        if self.dead_units_curve_:
            warn_of_idle_units(self.dead_units_curve_[-1], self.saturated_units_curve_[-1], where)
        if self._weights_grow:
            warn_of_growing_weights(self._largest_weight, self.n_iter_, where)

    def _resume(self, X, y, X_val, _, state):
        """Go on from the state of a checkpoint."""
        self._fit(X, y, X_val, go_on=True, n_passes=state["of"], state=state)
        return self

    def _snapshot(self):
        """Return copies of the fitted attributes, as if training had stopped now."""
        return copy.deepcopy({name: getattr(self, name) for name in FITTED if hasattr(self, name)})

    def _check_parameters(self):
        check_integer(self.n_components, "n_components", 1)
        check_choice(self.visible_units, "visible_units", UNITS)
        check_choice(self.hidden_units, "hidden_units", UNITS)
        check_choice(self.gradient, "gradient", GRADIENTS)
        check_integer(self.n_gibbs_steps, "n_gibbs_steps", 1)
        check_real(self.learning_rate, "learning_rate", boundaries="neither")
        check_real(self.momentum, "momentum", maximum=1.0, boundaries="left")
        check_real(self.weight_decay, "weight_decay")
        check_batch_size(self.batch_size)
        check_integer(self.n_iter, "n_iter", 0)
        check_real(
            self.validation_fraction, "validation_fraction", maximum=1.0, boundaries="neither"
        )
        check_integer(self.n_iter_no_change, "n_iter_no_change", 1)
        check_real(self.tol, "tol")

    def _validate(self, X, dtype, reset=False):
        """Return X as a C-contiguous array or a CSR matrix of floats."""
        return validate_data(self, X, accept_sparse="csr", dtype=dtype, order="C", reset=reset)

    def _warn_of_range(self, X, stacklevel):
        """Warn when X has values that the visible units do not stand for."""
        low, high = UNITS[self.visible_units].support
        smallest, largest = value_range(X)
        if smallest < low - RANGE_TOLERANCE or largest > high + RANGE_TOLERANCE:
            warnings.warn(
                f"X has values from {smallest:.6g} to {largest:.6g}, but {self.visible_units} "
                f"visible units stand for values from {low:g} to {high:g}. Scale X with "
                "sklearn.preprocessing.MinMaxScaler, or standardise it and set "
                "visible_units='gaussian'.",
                DataRangeWarning,
                stacklevel=stacklevel,
            )

    def _start(self, X, batch_size):
        """Set every attribute that training changes to its first value."""
        seed = check_random_state(self.random_state).randint(MAX_SEED)
        self._engine = engine = ENGINES["numpy"](X.dtype, seed)
        n_features, n_components = X.shape[1], self.n_components
        self._optimizer = OPTIMIZERS["sgd"](engine, n_features * n_components, self.learning_rate)
        self.components_ = (INITIAL_SCALE * engine.normal((n_features, n_components))).T
        self.intercept_visible_ = engine.zeros(n_features)
        self.intercept_hidden_ = engine.zeros(n_components)
        hidden_units = UNITS[self.hidden_units](engine)
        self.h_samples_ = hidden_units.sample(
            hidden_units.mean(engine.zeros(batch_size, n_components))
        )
        for curve in CURVES:
            setattr(self, curve, [])
        self.n_iter_ = 0
        self._largest_weight, self._weights_grow, self._stopped = 0.0, False, False
        self._n_features_out = n_components

    def _continue(self, batch_size):
        """Copy what training changes, beside the parameters, so that an error can give it back."""
        if self.n_components != len(self.components_):
            raise ValueError(
                f"n_components == {self.n_components}, but the fitted machine has "
                f"{len(self.components_)} hidden units. Set warm_start=False to start anew, or "
                "clone the estimator."
            )
        self._engine, self._optimizer = copy.deepcopy((self._engine, self._optimizer))
        n_chains = max(len(self.h_samples_), batch_size)
        self.h_samples_ = np.resize(self.h_samples_, (n_chains, self.n_components))
        for curve in CURVES:
            setattr(self, curve, list(getattr(self, curve)))

    def _make_passes(self, X, X_val, n_passes, tasks, state=None):
        """Train a copy of the parameters, which takes their place at once."""
        engine, optimizer = self._engine, self._optimizer
        batch_size = resolve_batch_size(self.batch_size, X.shape[0], SMALLEST_BATCH)
        # A NumPy scalar, as from a grid of np.logspace, would make the arithmetic its own type.
        optimizer.learning_rate = float(self.learning_rate)
        optimizer.weight_decay = float(self.weight_decay)
        parameters, views = engine.packed(
            [self.components_.T, self.intercept_visible_, self.intercept_hidden_]
        )
        gradients, gradient_views = engine.packed(views)
        self.components_ = views[0].T
        self.intercept_visible_, self.intercept_hidden_ = views[1:]
        rbm = self._machine(engine)
        n_samples, n_features = X.shape
        drawn = self._monitored_rows(n_samples, batch_size) if state is None else state["watched"]
        watched = engine.rows(X, drawn, engine.zeros(len(drawn), n_features))
        best = BestParameters(parameters, self.tol)
        first_pass = 0
        if state is not None:
            first_pass = state["n_passes"]
            best.set_state(state["best"])
        self._run.update(watched=drawn, best=best, n_passes=first_pass)

        def begin_of_pass():
            for task in tasks:
                task.begin()

        def end_of_pass(n_made):
            self.n_iter_ += 1
            self._run["n_passes"] = n_made
            optimizer.momentum = self._momentum()
            self._look(rbm, watched, X_val)
            if not np.isfinite(self.loss_curve_[-1]):
                raise DivergenceError(
                    f"Training diverged in pass {n_made}: the reconstruction error is not finite. "
                    "Lower learning_rate or scale the data."
                )
            self._report(time.perf_counter() - start)
            if X_val is not None:
                best.watch(self.validation_loss_curve_[-1])
            asked = [task.end() for task in tasks]
            self._stopped = any(asked) or self._shall_stop(best)
            return self._stopped

        optimizer.momentum = self._momentum()
        start = time.perf_counter()
        if self._shall_stop(best):
            n_passes = first_pass  # it had stopped when the checkpoint was written
        minimize(
            parameters,
            self._gradient_of_rows(rbm, X, gradients, gradient_views),
            optimizer,
            n_samples=n_samples,
            batch_size=batch_size,
            n_passes=n_passes,
            engine=engine,
            begin_of_pass=begin_of_pass,
            end_of_pass=end_of_pass,
            first_pass=first_pass,
            remedy="Lower learning_rate or scale the data.",
        )
        if self.early_stopping:
            best.restore()
        engine.release()

    def _gradient_of_rows(self, rbm, X, gradients, gradient_views):
        """Return what `minimize` calls with the rows of a minibatch and a factor."""
        complete, chains, reserved = GRADIENTS[self.gradient], self.h_samples_, {}

        def gradient(indices, scale):
            n = len(indices)
            if n not in reserved:
                reserved[n] = reserve_phases(rbm, n, n)
            phases = reserved[n]
            rbm.engine.rows(X, indices, phases.v_pos)
            complete(rbm, phases, chains[:n], self.n_gibbs_steps)
            likelihood_gradient(rbm, phases, gradient_views, scale)
            return gradients

        return gradient

    def _shall_stop(self, best):
        """Tell whether early stopping ends training."""
        return self.early_stopping and best.n_passes_without_fall >= self.n_iter_no_change

    def _monitored_rows(self, n_samples, batch_size):
        """Draw the rows that are watched: a tenth, at most N_MONITORED."""
        n_monitored = min(N_MONITORED, max(batch_size, n_samples // 10), n_samples)
        return self._engine.permutation(n_samples)[:n_monitored]

    def _look(self, rbm, watched, X_val):
        """Add a point to each curve."""
        h = hidden_mean(rbm, watched)
        dead, saturated = idle_units(rbm, h)
        self.dead_units_curve_.append(float(dead.mean()))
        self.saturated_units_curve_.append(float(saturated.mean()))
        self.loss_curve_.append(reconstruction_error(rbm, watched, h))
        weights = float(np.abs(rbm.weights).max())
        self._weights_grow = weights > max(LARGE_WEIGHT, GROWTH * self._largest_weight)
        self._largest_weight = weights
        if X_val is not None:
            self.validation_loss_curve_.append(reconstruction_error(rbm, X_val))
            gap = free_energy(rbm, X_val).mean() - free_energy(rbm, watched).mean()
            self.free_energy_gap_curve_.append(float(gap))

    def _report(self, seconds):
        """Print a line of progress."""
        if self.verbose:
            print(
                f"[{type(self).__name__}] pass {self.n_iter_}: reconstruction error "
                f"{self.loss_curve_[-1]:.5f}, {seconds:.1f} s",
                flush=True,
            )

    def _momentum(self):
        """Return the momentum of the next pass."""
        if self.n_iter_ < N_INITIAL_PASSES:
            return min(float(self.momentum), INITIAL_MOMENTUM)
        return float(self.momentum)

    def _machine(self, engine):
        """Return the fitted arrays in the engine's type, without a copy when they have it."""
        return RBM(
            self.components_.T.astype(engine.dtype, copy=False),
            self.intercept_visible_.astype(engine.dtype, copy=False),
            self.intercept_hidden_.astype(engine.dtype, copy=False),
            UNITS[self.visible_units](engine),
            UNITS[self.hidden_units](engine),
            engine,
        )

    # -- inference

    def transform(self, X):
        """Return the expected hidden units given the data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Probabilities for binary hidden units, means for gaussian ones.
        """
        check_is_fitted(self)
        return self._hidden_mean(self._validate(X, FLOATS))

    def _hidden_mean(self, X):
        """Return `transform` of validated X as a plain array, whatever the output container."""
        return self._in_blocks(hidden_mean, X, self.components_.shape[0])

    def inverse_transform(self, X):
        """Return the expected visible units given values of the hidden ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Values of the hidden units, as `transform` returns them.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Probabilities for binary visible units, means for gaussian ones.
        """
        check_is_fitted(self)
        H = check_array(X, accept_sparse="csr", dtype=FLOATS, order="C")
        n_components, n_features = self.components_.shape
        if H.shape[1] != n_components:
            raise ValueError(
                f"X has {H.shape[1]} columns, but {type(self).__name__} has {n_components} "
                "hidden units: hand in what transform returns."
            )
        return self._in_blocks(visible_mean, H, n_features)

    def free_energy(self, X):
        """Return the free energy of the data.

        It is ``-log p(x)`` up to a constant that differs from machine to machine, so compare
        free energies of one machine only.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,)
            Free energies in nats.
        """
        check_is_fitted(self)
        return self._in_blocks(free_energy, self._validate(X, FLOATS))

    def score_samples(self, X):
        """Return the exact pseudo-log-likelihood of the data.

        It is the sum over features of the log-probability of each given all others, the same
        at every call and comparable across machines. It takes about as long as
        2 * n_features calls of `free_energy` without its matrix product.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data. A value between 0 and 1 is a probability: its two states are weighted.

        Returns
        -------
        ndarray of shape (n_samples,)
            Pseudo-log-likelihoods in nats.

        Raises
        ------
        ValueError
            When the visible units are not binary.
        """
        check_is_fitted(self)
        if not UNITS[self.visible_units].discrete:
            raise ValueError(
                "score_samples and score need binary visible units, but visible_units == "
                f"{self.visible_units!r}. Compare the reconstruction error of held-out data, "
                "((X - inverse_transform(transform(X))) ** 2).mean(), or the free_energy of "
                "training and held-out data under this machine."
            )
        return self._in_blocks(pseudo_log_likelihood, self._validate(X, FLOATS))

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

        Raises
        ------
        ValueError
            When the visible units are not binary.
        """
        return float(self.score_samples(X).mean())

    def _in_blocks(self, function, X, n_columns=None):
        """Apply a function of machine and rows to blocks of rows."""
        engine = ENGINES["numpy"](X.dtype, 0)
        rbm = self._machine(engine)
        n_samples, n_features = X.shape
        shape = (n_samples,) if n_columns is None else (n_samples, n_columns)
        result = engine.zeros(*shape)
        with np.errstate(over="ignore", invalid="ignore"):
            for block in blocks(n_samples):
                n_rows = block.stop - block.start
                rows = engine.rows(X, block, engine.buffer("rows", n_rows, n_features))
                if n_columns is None:
                    result[block] = function(rbm, rows)
                else:
                    function(rbm, rows, out=result[block])
                check_finite(result[block], function.__name__.replace("_", " "))
        return result

    # -- sampling

    def sample(self, n_samples=1, n_gibbs_steps=1000, start=None, random_state=None):
        """Draw visible states with Gibbs sampling.

        Parameters
        ----------
        n_samples : int, default=1
            Number of chains, which gives the number of rows.
        n_gibbs_steps : int, default=1000
            Steps of each chain.
        start : array-like of shape (n_samples, n_features), default=None
            Visible states to start at; by default states drawn without input from the hidden
            units.
        random_state : int, RandomState instance or None, default=None
            Seed of the states that are drawn.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Visible states.

        Raises
        ------
        ValueError
            When `start` has another shape or a number is out of range.
        """
        check_is_fitted(self)
        check_integer(n_samples, "n_samples", 1)
        check_integer(n_gibbs_steps, "n_gibbs_steps", 0)
        seed = check_random_state(random_state).randint(MAX_SEED)
        engine = ENGINES["numpy"](self.components_.dtype, seed)
        rbm = self._machine(engine)
        shape = (n_samples, self.components_.shape[1])
        if start is None:
            with np.errstate(over="ignore"):
                mean = rbm.visible_units.mean(engine.zeros(*shape) + rbm.intercept_visible)
            v = rbm.visible_units.sample(mean)
        else:
            v = self._validate(start, engine.dtype)
            if v.shape != shape:
                raise ValueError(
                    f"start has shape {v.shape}, must be (n_samples, n_features) == {shape}."
                )
            v = engine.rows(v, slice(None), engine.zeros(*shape))
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(n_gibbs_steps):
                v = gibbs_step(rbm, v)
        return check_finite(v, "chain")

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
        engine = self._engine
        v = self._validate(v, engine.dtype)
        v = engine.rows(v, slice(None), engine.zeros(*v.shape))
        with np.errstate(over="ignore", invalid="ignore"):
            return check_finite(gibbs_step(self._machine(engine), v), "chain")

    def __getstate__(self):
        return {**super().__getstate__(), "_skdbn_version": __version__}

    def __setstate__(self, state):
        version = state.pop("_skdbn_version", None)
        warn_of_other_version(version, f"This {type(self).__name__}")
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
