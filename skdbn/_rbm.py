"""The restricted Boltzmann machine as a scikit-learn transformer."""

from functools import partial

import numpy as np

from skdbn._learners import N_MONITORED, SMALLEST_BATCH, MachineLearner
from skdbn._machine import Machine
from skdbn._maths.engines import ENGINES
from skdbn._maths.gradients import GRADIENTS, estimator
from skdbn._maths.optimizers import OPTIMIZERS, SCHEDULES
from skdbn._maths.units import UNITS, layer
from skdbn._training.callbacks import with_callbacks, without_callbacks
from skdbn._training.checks import (
    check_auto_or,
    check_choice,
    check_flag,
    check_integer,
    check_real,
    check_schedule_of_passes,
    check_weight_of_held_out,
    resolve_batch_size,
)
from skdbn._training.columns import (
    COLUMN_ATTRIBUTES,
    GAUSSIAN,
    as_given,
    map_of,
    recognized,
    standardized,
    warn_of_empty_columns,
    warn_of_few_rows,
    warn_of_other_scale,
)
from skdbn._training.diagnosis import (
    advice_on_machine,
    warn_of_growing_weights,
    warn_of_idle_units,
)
from skdbn._training.fitting import Run
from skdbn._training.loop import Training, fitted_attributes
from skdbn._training.rows import Rows, hold_out, one_for_each_row, that_count

SEEDS = ("training", "split")  # drawn from random_state
INITIAL_SCALE = 0.01  # standard deviation of the initial weights
RATE, RATE_OF_GAUSSIAN_UNITS = 0.1, 0.005  # with "auto"
MANY_GAUSSIAN_UNITS = {"binary": 100, "gaussian": 10}  # visible ones, by the kind of hidden units
HELD_OUT_CURVES = ("validation_loss_curve_", "free_energy_gap_curve_")
CURVES = (
    "loss_curve_",
    *HELD_OUT_CURVES,
    "dead_units_curve_",
    "saturated_units_curve_",
    "log_partition_curve_",
)


class RBMTransformer(Machine):
    """Restricted Boltzmann machine.

    A two-layer model of the data whose hidden units, binary or gaussian, learn features. The
    columns of the data may hold probabilities, zeros and ones, or measurements on any scale.
    `transform` returns the expected values of the hidden units; `inverse_transform` maps them back
    to the data. The class can replace :class:`sklearn.neural_network.BernoulliRBM` in a script:
    parameters and fitted attributes of the same name mean the same. Defaults differ:
    ``gradient="pcd"`` with ``weight_decay=0`` follows the update rule of BernoulliRBM, except that
    each pass shuffles the rows; the default "cd" adds momentum and learns better features.

    Parameters
    ----------
    n_components : int, default=256
        Number of hidden units.
    visible_units : {"auto", "binary", "gaussian"}, default="auto"
        Kind of the visible units. Binary units take values in [0, 1], read as probabilities;
        gaussian units take real values, which the machine standardizes itself. With "auto", columns
        within [0, 1] get binary units and all others gaussian ones. A column that covers less than
        a quarter of [0, 1] also gets a gaussian unit, unless all data are within [0, 1] and some
        column with values between 0 and 1 covers more, as in images.
    hidden_units : {"binary", "gaussian"}, default="binary"
        Kind of the hidden units.
    gradient : {"cd", "pcd", "ptt"}, default="cd"
        Estimator of the gradient: contrastive divergence ("cd"), which starts Markov chains at the
        data; persistent contrastive divergence ("pcd"), whose chains continue from minibatch to
        minibatch; or parallel trajectory tempering ("ptt"), whose chains also swap states with
        earlier versions of the machine, so that none gets stuck in one mode, at 1.3 to 1.8 times
        the cost.
    n_gibbs_steps : int, default=1
        Steps of the chains for each minibatch.
    learning_rate : float or "auto", default="auto"
        Step size. "auto" is 0.1 if all units are binary and 0.005 otherwise; with more than 100
        gaussian visible units it is 0.5 divided by their number, and with more than 10 of them and
        gaussian hidden units 0.05 divided by it. Momentum multiplies its effect: a momentum of 0.9
        by ten. To model the data well, "pcd" and "ptt" need a lower rate, such as 0.01, and more
        passes.
    learning_rate_schedule : {"constant", "linear", "cosine"}, default="constant"
        How the rate changes: "linear" and "cosine" decrease it to 0 over the passes of a fit, which
        a high likelihood needs. `partial_fit` keeps it constant.
    centering : bool, default=False
        Whether to use the centred gradient, which measures the states of the units from their
        means. It reaches higher likelihoods with "pcd" and "ptt", and does not depend on which
        value is called 0 and which 1, except through `weight_decay`. The visible units start at the
        means of the data.
    sample_visible : bool, default=False
        Whether each minibatch draws zeros and ones, with the values of binary units as their
        probabilities, as a model of binary data needs. By default the machine learns the
        probabilities themselves.
    momentum : float or "auto", default="auto"
        Momentum in [0, 1). "auto" is 0.9 for "cd" and 0 for "pcd" and "ptt", whose chains cannot
        keep up with weights that move so fast. The first five passes use at most 0.5.
    weight_decay : float, default=2e-4
        L2 penalty on the weights; intercepts are not penalized.
    batch_size : int or "auto", default="auto"
        Rows per minibatch. "auto" aims at a hundred minibatches per pass, with 10 to 100 rows
        each.
    n_iter : int, default=30
        Passes over the data, elsewhere called epochs.
    early_stopping : bool, default=False
        Whether to stop training when the reconstruction error of held-out rows no longer falls, and
        to keep the parameters of the best pass.
    validation_fraction : float, default=0.1
        Share of the rows to hold out when `early_stopping` is set and `fit` gets no `X_val`.
    n_iter_no_change : int, default=10
        Early stopping ends training after this many passes in a row in which the held-out error
        does not fall by more than `tol`.
    tol : float, default=1e-4
        Smallest decrease of the error that counts for early stopping.
    warm_start : bool, default=False
        Whether `fit` continues an earlier fit for `n_iter` more passes, with its parameters,
        optimizer state, chains and random numbers. After early stopping the parameters are those of
        the best pass; everything else is as the last pass left it.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, the order of the rows and the states that are drawn.
    verbose : int, default=0
        If positive, print a line after each pass.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Weights.
    intercept_visible_ : ndarray of shape (n_features,)
        Intercepts of the visible units.
    intercept_hidden_ : ndarray of shape (n_components,)
        Intercepts of the hidden units.
    h_samples_ : ndarray of shape (batch_size, n_components)
        Hidden states of the last minibatch. With "pcd" and "ptt" they are the persistent chains; a
        minibatch of n rows advances the first n. A fit that continues with larger minibatches adds
        chains.
    visible_units_ : ndarray of str of shape (n_features,)
        Kind of each visible unit, "binary" or "gaussian", determined from the first rows fitted.
    offset_, scale_ : ndarray of shape (n_features,)
        Mean and standard deviation, outliers clipped, of each column with a gaussian unit: the unit
        stands for ``(x - offset_) / scale_``. Values beyond both five deviations and the range of
        the values that are not outliers are clipped. 0 and 1 for binary units, whose values are
        clipped to [-0.5, 1.5] unless some of those fitted were outside [0, 1].
    loss_curve_ : list of float
        Reconstruction error after each pass: the mean squared difference between X and
        ``inverse_transform(transform(X))`` in units of `scale_`. It is computed on the monitored
        rows: a tenth of all, at least a minibatch and at most 1000, drawn when a fit starts.
    validation_loss_curve_ : list of float
        The same for up to 1000 held-out rows; empty if the last fit had none.
    free_energy_gap_curve_ : list of float
        Mean free energy of the held-out rows minus that of the monitored training rows after each
        pass, in nats; empty if the last fit had no held-out rows. A gap that grows from pass to
        pass shows overfitting. Missing values are filled first, so the sign means nothing unless
        both sets miss values alike.
    dead_units_curve_ : list of float
        Share of dead hidden units after each pass: those whose value varies by less than 0.05 over
        the monitored rows.
    saturated_units_curve_ : list of float
        Share of saturated hidden units after each pass: binary ones that are off, or on, in every
        monitored row, within 0.05.
    log_partition_curve_ : list of float
        Log of the partition function after each pass with ``gradient="ptt"``, in nats, estimated
        from the swaps. With a hundred chains and a rate that has almost fallen to 0 it is correct
        to a few tenths; while the rate is high it may be several nats too low. NaN where chains do
        not overlap. Check it with `log_partition`.
    n_iter_ : int
        Number of passes made. With `early_stopping` the parameters are those of the best one.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during fit, if all are strings.

    See Also
    --------
    DBNClassifier : A stack of these machines, fine-tuned as a classifier.
    sklearn.neural_network.BernoulliRBM : Binary units, persistent contrastive divergence.

    Notes
    -----
    Dense arrays and CSR matrices of float32 and float64 are used as they are. Bytes, booleans,
    integers of up to 16 bits and float16 become float32, other types float64. Computations use that
    type. CSR input is made dense one minibatch at a time, and C-contiguous floats, which may be a
    memory map, are not copied, unless they have at most 2**20 values. `transform` and the other
    methods that take data work in blocks of rows. They warn (`DataRangeWarning`) when many values
    are far from those of the rows fitted.

    NaN in the data is a missing value. It is filled in from the observed values by a mean field.
    With "cd" the gradient is that of ``log p(observed | missing values as filled)``; with "pcd" and
    "ptt" it is that of ``log p(observed)``, with missing values drawn. Column statistics and
    reconstruction errors count only observed values. A column without values does no harm
    (`DataRangeWarning`), but its expected values are a guess. `impute` fills missing values,
    `free_energy` and `log_likelihood` sum them out where that is feasible, and `sample` draws them
    given the others.

    With ``gradient="ptt"`` a fitted machine keeps what further training needs: a few to some tens
    of earlier versions of its parameters, with chains for each. Pickles and model files contain
    them too.

    The same `random_state` gives bit-identical parameters on one computer with the same number of
    threads. Another number of threads changes the order of rounding, and predictions agree to float
    tolerance. In long training such a difference can flip a state that is drawn; the parameters
    then differ in detail, as with another seed.

    References
    ----------
    Hinton (2002), "Training products of experts by minimizing contrastive divergence".
    Hinton (2010), "A practical guide to training restricted Boltzmann machines", whose section
    6 is the source of the free energy gap.
    Salakhutdinov, Mnih and Hinton (2007), "Restricted Boltzmann machines for collaborative
    filtering", where missing units are left out rather than filled.
    Tieleman (2008), "Training restricted Boltzmann machines using approximations to the
    likelihood gradient".
    Melchior, Fischer and Wiskott (2016), "How to center deep Boltzmann machines".
    Béreux, Decelle, Furtlehner, Rosset and Seoane (2025), "Fast training and sampling of restricted
    Boltzmann machines".

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
        visible_units="auto",
        hidden_units="binary",
        gradient="cd",
        n_gibbs_steps=1,
        learning_rate="auto",
        learning_rate_schedule="constant",
        centering=False,
        sample_visible=False,
        momentum="auto",
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
        self.learning_rate_schedule = learning_rate_schedule
        self.centering = centering
        self.sample_visible = sample_visible
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

    def fit(self, X, y=None, sample_weight=None, *, X_val=None, sample_weight_val=None):
        """Train the machine.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, NaN where a value is missing.
        y : None
            Ignored, except that callbacks receive it if it has one entry per row.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, 0 or more: a row of weight 2 counts like two rows, a row of weight 0
            is left out.
        X_val : {array-like, sparse matrix} of shape (n_val_samples, n_features), default=None
            Held-out data to monitor. With `early_stopping` they decide when training stops;
            otherwise they do not affect it.
        sample_weight_val : array-like of shape (n_val_samples,), default=None
            Weights of the rows of `X_val`.

        Returns
        -------
        RBMTransformer
            The fitted machine. After Ctrl-C it has the parameters of the last finished pass or,
            with `early_stopping`, of the best one.

        Raises
        ------
        ValueError
            If X or a parameter is invalid.
        DivergenceError
            If a weight or intercept is not finite after a pass; the machine is then as it was
            before the call.

        Warns
        -----
        DataRangeWarning
            If `visible_units` is "binary" and X has values outside [0, 1], if a column has no
            value, or if many values of X_val are far from those of X or, when an earlier fit
            continues, many values of X far from those of the first.
        HiddenUnitsWarning
            If more than three quarters of the hidden units are saturated after training, or all are
            dead.
        GrowingWeightsWarning
            If weights are large and still growing.
        InterruptedTrainingWarning
            If training was interrupted from the keyboard.
        """
        with Run(self, goes_on=self.warm_start) as run:
            self._fit(run, X, y, sample_weight, X_val, None, sample_weight_val)
        return self

    def partial_fit(self, X, y=None, sample_weight=None):
        """Make one pass over part of the data.

        The optimizer state, the chains and the random numbers continue from call to call. The first
        call determines the kinds of the visible units and the scales of the columns.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, NaN where a value is missing.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, relative to the other rows of the call.

        Returns
        -------
        RBMTransformer
            The machine.

        Raises
        ------
        ValueError
            If X or a parameter is invalid.
        DivergenceError
            If a weight or intercept is not finite after the pass; the machine is then as it was
            before the call.

        Warns
        -----
        DataRangeWarning
            If `visible_units` is "binary" and the first X has values outside [0, 1], if the first X
            has too few rows to determine the scales of its columns or no value in a column, or if
            many values of a later X are far from those of the first.
        InterruptedTrainingWarning
            If training was interrupted from the keyboard.
        """
        with Run(self, goes_on=True, method="partial_fit") as run:
            run.draw_seeds(*SEEDS)
            rows = self._read(X, run.goes_on, sample_weight).weighted()
            run.start(self._starting(rows, run.seeds["training"], run.goes_on))
            if run.goes_on:
                warn_of_other_scale(self, rows.X)
            else:
                warn_of_few_rows(self, rows.X.shape[0])
            seed = run.seeds["split"]
            run.go_through("fit", 1, lambda: self._new_training(rows, None, seed, "constant"))
        return self

    @with_callbacks
    def _fit(self, run, X, y, sample_weight, X_val, _, sample_weight_val):
        """Hold out rows, make the passes, and warn of a bad outcome."""
        run.draw_seeds(*SEEDS)
        rows, held_out = self._read(X, run.goes_on, sample_weight, y), None
        check_weight_of_held_out(sample_weight_val, X_val)
        if X_val is not None:
            X_val = self._validate(X_val, dtype=rows.X.dtype, name="X_val", missing_allowed=True)
            held_out = that_count(X_val, None, sample_weight_val, "sample_weight_val")
        rows, held_out = hold_out(self, rows, held_out, run.seeds["split"])
        held_out = None if held_out is None else held_out._replace(y=None)
        y, rows = rows.y, rows._replace(y=None)
        run.start(self._starting(rows, run.seeds["training"], run.goes_on, held_out is not None))
        if run.goes_on:
            warn_of_other_scale(self, rows.X)
        if X_val is not None:
            warn_of_other_scale(self, held_out.X, "X_val")
        with run.callbacks_told(rows, held_out, self.n_iter, y):
            self._stopped = run.go_through(
                "fit", self.n_iter, lambda: self._new_training(rows, held_out, run.seeds["split"])
            )
            self._warn_of_outcome()

    _fitted = (
        "components_",
        "intercept_visible_",
        "intercept_hidden_",
        "h_samples_",
        "n_iter_",
        *CURVES,
        *COLUMN_ATTRIBUTES,
        "_units",  # kinds of the visible and the hidden units
        "_kept",  # state of the engine and the optimizer, for a fit that continues
        "_largest_weights",
        "_stopped",  # by early stopping or a callback
    )

    def _read(self, X, goes_on, weight=None, y=None):
        """Check the parameters and the data; return the rows that count."""
        self._check_parameters()
        dtype = self.components_.dtype if goes_on else None
        X = self._validate(X, dtype=dtype, reset=not goes_on, missing_allowed=True)
        return that_count(X, one_for_each_row(y, X.shape[0]), weight)

    def _check_parameters(self):
        """Raise unless every parameter is valid."""
        check_integer(self.n_components, "n_components", 1)
        check_choice(self.visible_units, "visible_units", ["auto", *UNITS])
        check_choice(self.hidden_units, "hidden_units", UNITS)
        check_choice(self.gradient, "gradient", GRADIENTS)
        check_integer(self.n_gibbs_steps, "n_gibbs_steps", 1)
        check_auto_or(check_real, self.learning_rate, "learning_rate", boundaries="neither")
        check_choice(self.learning_rate_schedule, "learning_rate_schedule", SCHEDULES)
        check_flag(self.centering, "centering")
        check_flag(self.sample_visible, "sample_visible")
        check_auto_or(check_real, self.momentum, "momentum", maximum=1.0, boundaries="left")
        check_real(self.weight_decay, "weight_decay")
        check_integer(self.n_iter, "n_iter", 0)
        check_schedule_of_passes(self)

    def _starting(self, rows, seed, goes_on, is_watched=False, columns=None):
        """Return the fitted attributes before the first pass.

        `columns` are determined from the rows unless they are given.
        """
        if goes_on:
            self._check_that_it_can_go_on()
            new_curves = {} if is_watched else {name: [] for name in HELD_OUT_CURVES}
            return {**fitted_attributes(self), **new_curves, "_stopped": False}
        engine = ENGINES["numpy"](rows.X.dtype, seed)
        (n_samples, n_features), n_components = rows.X.shape, self.n_components
        columns = self._columns_of(rows) if columns is None else columns
        weights = INITIAL_SCALE * engine.normal((n_features, n_components))
        hidden_units = UNITS[self.hidden_units](engine)
        n_chains = resolve_batch_size(self.batch_size, n_samples, SMALLEST_BATCH)
        chains = hidden_units.sample(hidden_units.mean(engine.zeros(n_chains, n_components)))
        n_parameters = weights.size + n_features + n_components
        rate = self._rate(columns.visible_units)
        optimizer = OPTIMIZERS["sgd"](engine, n_parameters, weights.size, rate)
        return {
            "components_": weights.T,
            "intercept_visible_": self._first_intercept(rows._replace(columns=columns), engine),
            "intercept_hidden_": engine.zeros(n_components),
            "h_samples_": chains,
            "n_iter_": 0,
            **{name: [] for name in CURVES},
            **columns.attributes(),
            "_units": (self.visible_units, self.hidden_units),
            "_kept": {"engine": engine.get_state(), "optimizer": optimizer.get_state()},
            "_largest_weights": [],
            "_stopped": False,
        }

    def _first_intercept(self, rows, engine):
        """Return the initial visible intercepts: with centering, those of the mean of some rows."""
        n_samples, n_features = rows.X.shape
        if not self.centering:
            return engine.zeros(n_features)
        drawn = engine.permutation(n_samples)[:N_MONITORED]
        x = rows.read(engine, drawn, engine.zeros(len(drawn), n_features))
        units = layer(rows.columns.visible_units, engine)
        counts = (~np.isnan(x)).astype(engine.dtype)
        if rows.weight is not None:
            counts *= rows.weight[drawn, None]
        sums, n_observed = np.nansum(x * counts, axis=0), counts.sum(axis=0)
        mean = units.mean(engine.zeros(1, n_features))  # for columns without values
        np.divide(sums, n_observed, out=mean[0], where=n_observed > 0.0)
        return units.input(mean)[0]

    def _check_that_it_can_go_on(self):
        """Raise if the parameters describe another machine than the fitted one."""
        advice = "To start anew, call set_params(warm_start=False) and fit."
        if self.n_components != len(self.components_):
            raise ValueError(
                f"n_components == {self.n_components}, but the fitted machine has "
                f"{len(self.components_)} hidden units. {advice}"
            )
        given = self.visible_units, self.hidden_units
        if given != self._units:
            raise ValueError(
                f"visible_units and hidden_units == {given}, but the fitted machine has "
                f"{self._units}. {advice}"
            )

    def _columns_of(self, rows):
        """Return the kinds of units and the scales of the columns of rows."""
        if rows.has_missing():
            warn_of_empty_columns(rows.X, getattr(self, "feature_names_in_", None))
        recognize = {"auto": recognized, GAUSSIAN: standardized}.get(self.visible_units)
        if recognize is None:
            return as_given(rows, self.visible_units, UNITS[self.visible_units].support)
        return recognize(rows, ENGINES["numpy"](rows.X.dtype, 0))

    def _rate(self, visible_units):
        """Return the step size for these kinds of visible units."""
        if self.learning_rate != "auto":
            return float(self.learning_rate)
        n_gaussian = int(np.count_nonzero(visible_units == GAUSSIAN))
        if n_gaussian == 0 and self.hidden_units != GAUSSIAN:
            return RATE
        many = MANY_GAUSSIAN_UNITS[self.hidden_units]
        return RATE_OF_GAUSSIAN_UNITS / max(1.0, n_gaussian / many)

    def _restored(self):
        """Return the engine, optimizer and offsets (or None) as the last pass left them."""
        engine = ENGINES["numpy"](self.components_.dtype, 0)
        engine.set_state(self._kept["engine"])
        n_weights = self.components_.size
        n_parameters = n_weights + self.intercept_visible_.size + self.intercept_hidden_.size
        # A NumPy scalar, as in a grid from np.logspace, would impose its type on the arithmetic.
        decay = float(self.weight_decay)
        rate = self._rate(self.visible_units_)
        optimizer = OPTIMIZERS["sgd"](engine, n_parameters, n_weights, rate, weight_decay=decay)
        optimizer.set_state(self._kept["optimizer"])
        offsets = self._kept.get("offsets")
        if offsets is not None:
            shapes = self.intercept_visible_.shape, self.intercept_hidden_.shape
            offsets = [engine.given(*pair) for pair in zip(offsets, shapes, strict=True)]
            if not all(map(engine.all_finite, offsets)):
                raise ValueError("an offset is not finite")
        return engine, optimizer, offsets

    def _restored_estimator(self, rbm):
        """Return the gradient estimator of a machine as the last pass left it."""
        restored, state = estimator(self.gradient, rbm), self._kept.get("estimator")
        if state is not None and hasattr(restored, "set_state"):
            restored.set_state(state)
        return restored

    def _new_training(self, rows, held_out, seed, schedule=None):
        """Return a training of the machine on rows, starting from its fitted attributes."""
        engine, optimizer, offsets = self._restored()
        optimizer.schedule = SCHEDULES[schedule or self.learning_rate_schedule]
        rows = rows._replace(columns=map_of(self))
        if held_out is not None:
            n_held_out, n_features = held_out.X.shape
            drawn = ENGINES["numpy"](rows.X.dtype, seed).permutation(n_held_out)[:N_MONITORED]
            memory = engine.zeros(len(drawn), n_features)
            x = held_out._replace(columns=map_of(self)).read(engine, drawn, memory)
            held_out = Rows(x, weight=held_out.weight_of(drawn))
        learner = MachineLearner(self, rows, held_out, engine, optimizer, offsets)
        in_net = not hasattr(self, "_run")  # it is the net that is being fitted
        advice = "Lower {rbm}learning_rate tenfold or more, or set it to 'auto'."
        if self.learning_rate == "auto":
            highest = optimizer.learning_rate / 10.0
            advice = f"Set {{rbm}}learning_rate to {highest:.3g} or less."
        remedy = advice_on_machine(advice, in_net)
        machine, how = without_callbacks(self), {"held_out": None, "seed": seed}
        of_part = partial(machine._new_training, **how, schedule=schedule)
        return Training(learner, optimizer, self, remedy, self.early_stopping, of_part)

    def _warn_of_outcome(self, where="", sees_data=True):
        """Warn if the machine has learned little or its weights are about to diverge."""
        if self.dead_units_curve_:
            warn_of_idle_units(
                self.dead_units_curve_[-1],
                self.saturated_units_curve_[-1],
                self._rate(self.visible_units_),
                sees_data and self.visible_units == "binary",
                where,
            )
        warn_of_growing_weights(self._largest_weights, where)
