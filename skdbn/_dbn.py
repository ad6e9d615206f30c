"""The deep belief net as a scikit-learn classifier."""

import copy
import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skdbn._layers import (
    check_fit_together,
    is_frozen,
    machines_of_layers,
    random_arrays,
    sizes_of_layers,
    starting_arrays,
)
from skdbn._maths.engines import ENGINES
from skdbn._maths.network import Network, cross_entropy_gradient, forward, hidden_layers
from skdbn._maths.optimizers import OPTIMIZERS, SCHEDULES
from skdbn._maths.units import UNITS
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
)
from skdbn._training.diagnosis import FROM_FIT, warn_unless_converged
from skdbn._training.loop import (
    BestParameters,
    DivergenceError,
    InterruptedTrainingWarning,
    minimize,
)
from skdbn._version import __version__, warn_of_other_version

SMALLEST_BATCH = 2  # of "auto"
FEW_ROWS = 10_000  # below which "auto" takes the higher of its rates
HIGH_RATE, LOW_RATE = 2e-3, 1e-3
PERTURBATIONS = {  # of rows and labels in fine-tuning, with the limits they stay below
    "dropout": 1.0,
    "input_dropout": 1.0,
    "noise": None,
    "input_noise": None,
    "adversarial": None,
    "label_smoothing": 1.0,
}
PHASES = ("pretraining", "softmax", "fine-tuning")
FITTED = (
    "classes_",
    "rbms_",
    "coefs_",
    "intercepts_",
    "softmax_loss_curve_",
    "loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "n_iter_",
    "n_layers_",
    "_hidden_units",
)


class DBNClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Deep belief net: pretrained layer by layer, fine-tuned as a classifier.

    `fit` has three phases. Each hidden layer is trained as a restricted Boltzmann machine on
    the hidden probabilities of the one below; a softmax layer is trained on top while the
    layers below are frozen; then backpropagation trains all layers.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(500, 500)
        Number of units of each hidden layer, the first above the data.
    rbm : RBMTransformer, sequence of RBMTransformer or FrozenEstimator, or None, default=None
        Template of the machines, cloned for each layer, or one for each layer. Its parameters
        can be searched as ``rbm__learning_rate`` and so on, all but `n_components` and
        `random_state`, which the classifier sets. None stands for ``RBMTransformer()``. A fitted
        machine in a :class:`sklearn.frozen.FrozenEstimator` is used as it is: so the layers can be
        pretrained on other data, as when only some rows have labels.
    pretrain : bool, default=True
        Whether to pretrain. False starts at Glorot's random weights: the control that shows
        what pretraining is worth.
    softmax_iter : int, default=10
        Passes that train the softmax layer with the layers below frozen.
    finetune_iter : int, default=10
        Passes of backpropagation through all layers.
    solver : {"adam", "sgd"}, default="adam"
        Optimizer of the softmax and the fine-tuning phase; "sgd" has momentum 0.9.
    learning_rate_init : float or "auto", default="auto"
        Step size of the solver. "auto" is 1e-3, and 2e-3 for fewer than 10,000 rows, where ten
        passes are few steps.
    learning_rate : {"cosine", "constant"}, default="cosine"
        How the step size goes on during fine-tuning: down to 0 along half a cosine, or not
        at all. It is constant during the softmax phase.
    alpha : float, default=0.0
        L2 penalty: ``alpha / 2 * sum(W^2)`` is added to the mean cross-entropy.
    dropout : float, default=0.0
        Probability in [0, 1) that a hidden unit is silenced during fine-tuning.
    input_dropout : float, default=0.0
        Probability in [0, 1) that a feature is silenced during fine-tuning.
    noise : float, default=0.0
        Standard deviation of the nearly normal noise of mean 1 that each hidden activation is
        multiplied by during fine-tuning ("Gaussian dropout").
    input_noise : float, default=0.0
        Standard deviation of the noise of mean 0 that is added to each feature during fine-tuning.
    adversarial : float, default=0.0
        Length of the step, in the Euclidean norm of the features, that moves each row to where
        its loss grows the most before fine-tuning trains on it ("adversarial training").
    label_smoothing : float, default=0.0
        Share in [0, 1) of the probability of each row's label that fine-tuning spreads evenly over
        all classes. It can lower the error; the probabilities become less certain than they should.
    batch_size : int or "auto", default="auto"
        Rows in a minibatch of the softmax and the fine-tuning phase. "auto" makes a hundred
        minibatches of a pass, of 2 to 100 rows.
    early_stopping : bool, default=False
        Whether to hold rows out and to end fine-tuning when their accuracy does not rise; the
        weights of the best pass are kept.
    validation_fraction : float, default=0.1
        Share of the rows held out from all phases when `early_stopping` is set and `fit` is
        given no `X_val`.
    n_iter_no_change : int, default=10
        Passes without a rise of the accuracy by `tol` after which early stopping stops.
    tol : float, default=1e-4
        Smallest rise of the accuracy that counts for early stopping.
    warm_start : bool, default=False
        Whether `fit` goes on where an earlier one ended, by Ctrl-C or by itself. Pretraining:
        a machine makes the passes that it lacks of its template's `n_iter`, so that finished
        ones stay as they are unless `n_iter` was raised; where a machine was trained further,
        the network starts from the machines again. Softmax layer and fine-tuning:
        `softmax_iter` and `finetune_iter` more passes.
    random_state : int, RandomState instance or None, default=None
        Seed of all phases.
    verbose : int, default=0
        Whether to print a line after each pass.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    rbms_ : list of RBMTransformer
        The machines as pretraining left them, with their reverse intercepts; empty without
        pretraining.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer after fine-tuning, as in MLPClassifier.
    intercepts_ : list of ndarray of shape (n_out,)
        Intercepts of each layer after fine-tuning.
    softmax_loss_curve_ : list of float
        Mean cross-entropy in nats over each pass of the softmax phase.
    loss_curve_ : list of float
        Mean cross-entropy in nats over each pass of fine-tuning, of the rows as they are trained
        on: with noise, dropout and adversarial steps. Labels count in full, smoothed or not.
    validation_scores_ : list of float
        Accuracy on the held-out rows after each pass of fine-tuning, when there are any. The
        machines in `rbms_` watch the same rows.
    best_validation_score_ : float
        The best of them, which with `early_stopping` is the one of the weights that were kept.
    n_iter_ : int
        Passes of fine-tuning made.
    n_layers_ : int
        Number of layers, the input and the softmax layer included.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during fit, when all are strings.

    See Also
    --------
    RBMTransformer : One layer.
    sklearn.neural_network.MLPClassifier : A network without pretraining.

    Notes
    -----
    The computation happens in the type of X, float32 or float64; float32 is about twice as
    fast. Beside X, `fit` holds the activations of two neighbouring layers at most; prediction
    works in blocks of rows.

    The same `random_state` gives bit-identical parameters run after run on one machine with the
    same number of threads. With another number of threads sums are rounded in another order, and
    predictions agree to float tolerance. In long training such a difference can tip a state
    that is drawn; the parameters then part in detail, as with another seed.

    References
    ----------
    Hinton, Osindero and Teh (2006), "A fast learning algorithm for deep belief nets".
    Hinton and Salakhutdinov (2006), "Reducing the dimensionality of data with neural networks".
    Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting".
    Goodfellow, Shlens and Szegedy (2015), "Explaining and harnessing adversarial examples".
    Szegedy et al. (2016), "Rethinking the Inception architecture for computer vision".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> from skdbn import DBNClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = DBNClassifier(hidden_layer_sizes=(20, 20), random_state=0)
    >>> make_pipeline(MinMaxScaler(), net).fit(X, y).predict(X[:3])
    array([0, 0, 0])
    """

    def __init__(
        self,
        hidden_layer_sizes=(500, 500),
        *,
        rbm=None,
        pretrain=True,
        softmax_iter=10,
        finetune_iter=10,
        solver="adam",
        learning_rate_init="auto",
        learning_rate="cosine",
        alpha=0.0,
        dropout=0.0,
        input_dropout=0.0,
        noise=0.0,
        input_noise=0.0,
        adversarial=0.0,
        label_smoothing=0.0,
        batch_size="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.rbm = rbm
        self.pretrain = pretrain
        self.softmax_iter = softmax_iter
        self.finetune_iter = finetune_iter
        self.solver = solver
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
        self.alpha = alpha
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.noise = noise
        self.input_noise = input_noise
        self.adversarial = adversarial
        self.label_smoothing = label_smoothing
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # -- training

    def fit(self, X, y, *, X_val=None, y_val=None):
        """Pretrain the layers, train the softmax layer, fine-tune the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data; values in [0, 1] for binary visible units.
        y : array-like of shape (n_samples,)
            Class labels, at least two different ones.
        X_val : {array-like, sparse matrix} of shape (n_val_samples, n_features), default=None
            Held-out data that are watched, and with `early_stopping` end fine-tuning; without
            `early_stopping` they change nothing.
        y_val : array-like of shape (n_val_samples,), default=None
            Their labels.

        Returns
        -------
        DBNClassifier
            The fitted classifier. After Ctrl-C it holds what was learned up to the last
            finished pass.

        Raises
        ------
        ValueError
            When X, y or a parameter is not what is allowed.
        DivergenceError
            When a weight or intercept is not finite after a pass; the classifier is then as it
            was before the call.

        Warns
        -----
        DataRangeWarning
            When X has values outside of what the visible units stand for.
        HiddenUnitsWarning, GrowingWeightsWarning
            When pretraining of a layer went wrong.
        NotConvergedWarning
            When the loss still changes much in the last pass of fine-tuning, or is that of
            guessing.
        InterruptedTrainingWarning
            When training was interrupted from the keyboard.
        """
        with unchanged_on_error(self):
            return self._fit(X, y, X_val, y_val)

    @with_callbacks
    def _fit(self, X, y, X_val=None, y_val=None, state=None):
        """Go through the phases, from the start or from the state of a checkpoint."""
        templates = self._check_parameters()
        go_on = state is not None or (self.warm_start and hasattr(self, "coefs_"))
        X, labels = self._validate(X, y, go_on)
        check_fit_together(templates, X.shape[1])
        seeds = self._seeds(len(templates)) if state is None else state["seeds"]
        # One seed for each use, so that a phase that is left out changes no other.
        *layer_seeds, split_seed, start_seed, softmax_seed, finetune_seed = seeds
        X, labels, held_out = self._hold_out(X, labels, X_val, y_val, split_seed)
        if go_on:
            self._continue(templates)
        else:
            self._start(X, templates, start_seed)
        self._run = {"seeds": seeds, "phase": PHASES[0], "machine": None}
        what = self._what_callbacks_see(X, labels)
        task = self._init_callback_context(max_subtasks=self.pretrain * len(templates) + 2)
        task.call_on_fit_task_begin(**what)
        reached = 0 if state is None else PHASES.index(state["phase"])
        try:
            if self.pretrain and reached == 0:
                self._pretrain(X, held_out, templates, layer_seeds, task, what, state)
            if reached <= 1:
                of_phase = state if reached == 1 else None
                self._train_softmax(X, labels, softmax_seed, task, what, of_phase)
            of_phase = state if reached == 2 else None
            self._finetune(X, labels, held_out, finetune_seed, task, what, of_phase)
        except KeyboardInterrupt:
            warnings.warn(
                "Training was interrupted: the classifier holds what was learned up to the last "
                "finished pass. To go on, set warm_start=True and call fit again.",
                InterruptedTrainingWarning,
                stacklevel=4,
            )
        finally:
            del self._run
        task.call_on_fit_task_end(**what)
        return self

    def _seeds(self, n_layers):
        """Draw a seed for each use."""
        return check_random_state(self.random_state).randint(MAX_SEED, size=n_layers + 4).tolist()

    def _what_callbacks_see(self, X, labels):
        """Return what a callback is told at the begin and the end of a task."""
        return {
            "estimator": self,
            "X": X,
            "y": lambda: self.classes_[labels],
            "reconstruction_attributes": self._snapshot,
        }

    def _snapshot(self):
        """Return copies of the fitted attributes, as if training had stopped now."""
        attributes = {name: getattr(self, name) for name in FITTED if hasattr(self, name)}
        machine = vars(self).get("_run", {}).get("machine")
        if machine is not None:
            attributes["rbms_"] = rbms = [*self.rbms_[: self._run["layer"]], machine]
            attributes["coefs_"], attributes["intercepts_"] = self._started(rbms)
        return copy.deepcopy(attributes)

    def _check_parameters(self):
        """Check all parameters; return an unfitted machine for each layer."""
        sizes = sizes_of_layers(self.hidden_layer_sizes)
        check_integer(self.softmax_iter, "softmax_iter", 0)
        check_integer(self.finetune_iter, "finetune_iter", 0)
        check_choice(self.solver, "solver", OPTIMIZERS)
        if isinstance(self.learning_rate_init, str):
            check_choice(self.learning_rate_init, "learning_rate_init", ["auto"])
        else:
            check_real(self.learning_rate_init, "learning_rate_init", boundaries="neither")
        check_choice(self.learning_rate, "learning_rate", SCHEDULES)
        check_real(self.alpha, "alpha")
        for name, maximum in PERTURBATIONS.items():
            check_real(getattr(self, name), name, maximum=maximum, boundaries="left")
        check_batch_size(self.batch_size)
        check_real(
            self.validation_fraction, "validation_fraction", maximum=1.0, boundaries="neither"
        )
        check_integer(self.n_iter_no_change, "n_iter_no_change", 1)
        check_real(self.tol, "tol")
        return machines_of_layers(self.rbm, sizes)

    def _validate(self, X, y, go_on):
        """Return X as rows of floats, and the index of the class of each row."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=self.coefs_[0].dtype if go_on else FLOATS,
            order="C",
            reset=not go_on,
        )
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y has one class, {classes.tolist()[0]!r}; {type(self).__name__} needs at least "
                "two classes."
            )
        if go_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"y has the classes {classes}, but the fitted network has {self.classes_}. Set "
                "warm_start=False to start anew."
            )
        self.classes_ = classes
        return X, labels

    def _hold_out(self, X, labels, X_val, y_val, seed):
        """Return X and labels for training, and a pair of both that is watched, or None."""
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val belong together: hand in both or neither.")
        if X_val is not None:
            X_val, y_val = validate_data(
                self, X_val, y_val, accept_sparse="csr", dtype=X.dtype, order="C", reset=False
            )
            unknown = np.setdiff1d(y_val, self.classes_)
            if len(unknown):
                raise ValueError(
                    f"y_val has {unknown[0]}, which is none of the classes in y: {self.classes_}."
                )
            return X, labels, (X_val, np.searchsorted(self.classes_, y_val))
        if not self.early_stopping:
            return X, labels, None
        rows, held_out = split_rows(X.shape[0], self.validation_fraction, seed, labels)
        return X[rows], labels[rows], (X[held_out], labels[held_out])

    def _start(self, X, templates, seed):
        """Make a network of random weights."""
        engine = ENGINES["numpy"](X.dtype, seed)
        sizes = [X.shape[1], *(rbm.n_components for rbm in templates), len(self.classes_)]
        self.coefs_, self.intercepts_ = random_arrays(engine, sizes)
        self._hidden_units = [rbm.hidden_units for rbm in templates]
        self.rbms_, self.softmax_loss_curve_, self.loss_curve_ = [], [], []
        self.n_iter_ = 0
        self.n_layers_ = len(sizes)

    def _pretrain(self, X, held_out, templates, seeds, task, what, state):
        """Fit one machine after another, each on the output of the one below."""
        X_val = None if held_out is None else held_out[0]
        for i, (template, seed) in enumerate(zip(templates, seeds, strict=True)):
            if i > 0:
                X = self.rbms_[i - 1]._hidden_mean(X)
                X_val = None if X_val is None else self.rbms_[i - 1]._hidden_mean(X_val)
            machine, go_on, n_passes, of_machine = self._machine_of_layer(i, template, state)
            n_left = n_passes - (0 if of_machine is None else of_machine["n_passes"])
            layer = f"layer {i + 1} of {len(templates)}"
            layer_task = task.subcontext(task_name=f"pretrain layer {i + 1}", max_subtasks=n_left)
            layer_task.call_on_fit_task_begin(**what)
            if is_frozen(template):
                if i == 0:
                    machine._warn_of_range(X, FROM_FIT)
                if i == len(self.rbms_):
                    self._report(f"{layer} is given: {X.shape[1]} to {template.n_components}")
                    self.rbms_.append(machine)
                    self._start_from_machines()
            elif n_left > 0 or not go_on or of_machine is not None:
                self._report(f"pretraining {layer}: {X.shape[1]} to {template.n_components}")
                verbose = max(template.verbose, self.verbose)
                parameters = {**template.get_params(deep=False), "random_state": seed}
                machine.set_params(**{**parameters, "verbose": verbose})
                self._train_machine(
                    i,
                    machine,
                    X,
                    layer,
                    X_val=X_val,
                    go_on=go_on,
                    n_passes=n_passes,
                    state=of_machine,
                    tasks=[PassTasks(layer_task, **what)],
                )
            layer_task.call_on_fit_task_end(**what)

    def _machine_of_layer(self, i, template, state):
        """Return a machine, if it goes on, the passes of its fit, and its state in it."""
        if state is not None and state["layer"] == i:
            return state["rebuilt"], True, state["machine"]["of"], state["machine"]
        if is_frozen(template):
            return copy.deepcopy(template.estimator), True, 0, None
        if i == len(self.rbms_):
            return template, False, template.n_iter, None
        machine = copy.copy(self.rbms_[i])
        n_missing = 0 if machine._stopped else max(0, template.n_iter - machine.n_iter_)
        return machine, True, n_missing, None

    def _train_machine(self, i, machine, X, layer, **options):
        """Train the machine of a layer; the network starts from it."""
        self._run.update(machine=machine, layer=i)
        try:
            machine._fit(X, where=f"Pretraining of {layer}: ", **options)
        except DivergenceError as error:
            raise DivergenceError(f"Pretraining of {layer}: {error}") from error
        finally:
            self._run["machine"] = None
            if hasattr(machine, "components_"):
                self.rbms_[i:] = [machine, *self.rbms_[i + 1 :]]
                self._start_from_machines()

    def _start_from_machines(self):
        """Let the hidden layers that have a machine start from it."""
        self.coefs_, self.intercepts_ = self._started(self.rbms_)

    def _started(self, rbms):
        """Return coefs_ and intercepts_ with the layers of machines taken from them."""
        weights, intercepts = starting_arrays(rbms, self.coefs_[-1].dtype)
        n = len(rbms)
        return [*weights, *self.coefs_[n:]], [*intercepts, *self.intercepts_[n:]]

    def _continue(self, templates):
        """Copy what training changes, beside the parameters, so that an error can give it back."""
        sizes = [rbm.n_components for rbm in templates]
        fitted_sizes = [len(intercept) for intercept in self.intercepts_[:-1]]
        if sizes != fitted_sizes:
            raise ValueError(
                f"hidden_layer_sizes == {self.hidden_layer_sizes!r}, but the fitted network has "
                f"{tuple(fitted_sizes)}. Set warm_start=False to start anew."
            )
        self.coefs_, self.intercepts_ = list(self.coefs_), list(self.intercepts_)
        self.rbms_ = list(self.rbms_)
        self.softmax_loss_curve_ = list(self.softmax_loss_curve_)
        self.loss_curve_ = list(self.loss_curve_)

    def _train_softmax(self, X, labels, seed, task, what, state):
        """Train the top layer with the others frozen."""
        n_made = 0 if state is None else state["n_passes"]
        task = task.subcontext(task_name="softmax", max_subtasks=self.softmax_iter - n_made)
        task.call_on_fit_task_begin(**what)
        if self.softmax_iter > 0:  # else spare the features
            engine = ENGINES["numpy"](X.dtype, seed)
            features = self._in_blocks(
                hidden_layers, X, self._network(engine), len(self.coefs_[-1])
            )
            parameters, views = engine.packed([self.coefs_[-1], self.intercepts_[-1]])
            self.coefs_[-1], self.intercepts_[-1] = views

            def end_of_pass(n_passes, loss):
                self.softmax_loss_curve_.append(loss)
                self._report(f"softmax pass {n_passes} of {self.softmax_iter}: loss {loss:.5f}")

            self._minimize(
                parameters,
                Network(views[:1], views[1:], [], engine),
                features,
                labels,
                phase="softmax",
                n_passes=self.softmax_iter,
                schedule=SCHEDULES["constant"],
                end_of_pass=end_of_pass,
                tasks=PassTasks(task, **what),
                state=state,
            )
        task.call_on_fit_task_end(**what)

    def _finetune(self, X, labels, held_out, seed, task, what, state):
        """Train all layers; with early stopping keep the best weights."""
        n_made = 0 if state is None else state["n_passes"]
        task = task.subcontext(task_name="finetune", max_subtasks=self.finetune_iter - n_made)
        task.call_on_fit_task_begin(**what)
        engine, n_weights = ENGINES["numpy"](X.dtype, seed), len(self.coefs_)
        parameters, views = engine.packed([*self.coefs_, *self.intercepts_])
        self.coefs_, self.intercepts_ = views[:n_weights], views[n_weights:]
        best = BestParameters(parameters, self.tol)
        if state is not None:
            best.set_state(state["best"])
        elif held_out is not None:
            self.validation_scores_ = []

        def end_of_pass(n_passes, loss):
            self.loss_curve_.append(loss)
            self.n_iter_ += 1
            self._report(f"fine-tuning pass {n_passes} of {self.finetune_iter}: loss {loss:.5f}")
            if held_out is not None:
                self._score_held_out(held_out, best)
            return self._shall_stop(best)

        try:
            if not self._shall_stop(best):
                self._minimize(
                    parameters,
                    self._network(engine),
                    X,
                    labels,
                    phase="fine-tuning",
                    n_passes=self.finetune_iter,
                    schedule=SCHEDULES[self.learning_rate],
                    end_of_pass=end_of_pass,
                    tasks=PassTasks(task, **what),
                    state=state,
                    best=best,
                    # A NumPy scalar would make the arithmetic its own type.
                    **{name: float(getattr(self, name)) for name in PERTURBATIONS},
                )
        finally:
            if held_out is not None:
                self.best_validation_score_ = -best.loss
            if self.early_stopping:
                best.restore()
        task.call_on_fit_task_end(**what)
        if min(self.finetune_iter, len(self.loss_curve_)) > 1 and not self._shall_stop(best):
            warn_unless_converged(self.loss_curve_[-2:], labels)

    def _score_held_out(self, held_out, best):
        """Add the accuracy on held-out rows to its curve."""
        X, labels = held_out
        score = float((self._probabilities(X).argmax(axis=1) == labels).mean())
        self.validation_scores_ = [*self.validation_scores_, score]
        self._report(f"validation accuracy {score:.4f}")
        best.watch(-score)

    def _shall_stop(self, best):
        """Tell whether early stopping ends fine-tuning."""
        return self.early_stopping and best.n_passes_without_fall >= self.n_iter_no_change

    def _minimize(
        self,
        parameters,
        network,
        X,
        labels,
        *,
        phase,
        n_passes,
        schedule,
        end_of_pass,
        tasks,
        state,
        best=None,
        **perturbations,
    ):
        """Train a network whose arrays are views of the parameters."""
        engine = network.engine
        n_samples, n_features = X.shape
        gradients, gradient_views = engine.packed([*network.weights, *network.intercepts])
        n_weights = sum(weights.size for weights in network.weights)
        losses = []
        rate = self.learning_rate_init
        if rate == "auto":
            rate = HIGH_RATE if n_samples < FEW_ROWS else LOW_RATE
        optimizer = OPTIMIZERS[self.solver](
            engine, n_weights, float(rate), schedule, weight_decay=float(self.alpha)
        )
        if state is not None:
            engine.set_state(state["engine"])
            optimizer.set_state(state["optimizer"])
        first_pass = 0 if state is None else state["n_passes"]
        self._run.update(
            phase=phase, engine=engine, optimizer=optimizer, best=best, n_passes=first_pass
        )

        def gradient(indices, scale):
            x = engine.rows(X, indices, engine.buffer("minibatch", len(indices), n_features))
            loss, _ = cross_entropy_gradient(
                network, x, labels[indices], gradient_views, scale, **perturbations
            )
            losses.append(loss * len(indices))
            return gradients

        def end_of_counted_pass(n_made):
            loss = sum(losses) / n_samples
            losses.clear()
            self._run["n_passes"] = n_made
            stop = end_of_pass(n_made, loss)
            return tasks.end() or stop

        minimize(
            parameters,
            gradient,
            optimizer,
            n_samples=n_samples,
            batch_size=resolve_batch_size(self.batch_size, n_samples, SMALLEST_BATCH),
            n_passes=n_passes,
            engine=engine,
            begin_of_pass=tasks.begin,
            end_of_pass=end_of_counted_pass,
            first_pass=first_pass,
            remedy="Lower learning_rate_init or scale the data.",
        )

    def _resume(self, X, y, X_val, y_val, state):
        """Go on from the state of a checkpoint."""
        return self._fit(X, y, X_val, y_val, state)

    def _report(self, message):
        """Print a line of progress."""
        if self.verbose:
            print(f"[{type(self).__name__}] {message}", flush=True)

    # -- inference

    def _network(self, engine):
        """Return the fitted network in the engine's type, without a copy when it has it."""
        return Network(
            [coef.astype(engine.dtype, copy=False) for coef in self.coefs_],
            [intercept.astype(engine.dtype, copy=False) for intercept in self.intercepts_],
            [UNITS[name](engine) for name in self._hidden_units],
            engine,
        )

    def _in_blocks(self, function, X, network, n_columns):
        """Apply a function of network and rows to blocks of rows."""
        engine = network.engine
        result = engine.zeros(X.shape[0], n_columns)
        with np.errstate(over="ignore", invalid="ignore"):
            for block in blocks(X.shape[0]):
                memory = engine.buffer("rows", block.stop - block.start, X.shape[1])
                values = function(network, engine.rows(X, block, memory))
                result[block] = check_finite(values, "output of the network")
        return result

    def _probabilities(self, X):
        """Return `predict_proba` of validated X."""
        network = self._network(ENGINES["numpy"](X.dtype, 0))
        return self._in_blocks(forward, X, network, len(self.classes_))

    def predict_proba(self, X):
        """Return the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Rows that sum to 1, in the order of `classes_`.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, order="C", reset=False)
        return self._probabilities(X)

    def predict_log_proba(self, X):
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            ``log(predict_proba(X))``.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X):
        """Return the most probable class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def __getstate__(self):
        return {**super().__getstate__(), "_skdbn_version": __version__}

    def __setstate__(self, state):
        version = state.pop("_skdbn_version", None)
        warn_of_other_version(version, f"This {type(self).__name__}")
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
