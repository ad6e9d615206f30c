"""The deep belief net as a scikit-learn classifier."""

import math
import warnings
from itertools import pairwise

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skdbn._engines import ENGINES
from skdbn._network import Network, cross_entropy_gradient, forward, hidden_layers
from skdbn._optimizers import OPTIMIZERS, SCHEDULES
from skdbn._rbm import RBMTransformer
from skdbn._training import DivergenceError, InterruptedTrainingWarning, minimize
from skdbn._units import UNITS
from skdbn._validation import (
    FLOATS,
    MAX_SEED,
    blocks,
    check_batch_size,
    check_choice,
    check_integer,
    check_real,
    resolve_batch_size,
    unchanged_on_error,
)

SMALLEST_BATCH = 2  # of "auto"
FEW_ROWS = 10_000  # below which "auto" takes the higher of its rates
HIGH_RATE, LOW_RATE = 2e-3, 1e-3


class DBNClassifier(ClassifierMixin, BaseEstimator):
    """Deep belief net: pretrained layer by layer, fine-tuned as a classifier.

    `fit` has three phases. Each hidden layer is trained as a restricted Boltzmann machine on
    the hidden probabilities of the one below; a softmax layer is trained on top while the
    layers below are frozen; then backpropagation trains all layers.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(500, 500)
        Number of units of each hidden layer, the first above the data.
    rbm : RBMTransformer, sequence of RBMTransformer or None, default=None
        Template of the machines, cloned for each layer, or one for each layer. Its parameters
        can be searched as ``rbm__learning_rate`` and so on, all but `n_components` and
        `random_state`, which the classifier sets. None stands for ``RBMTransformer()``.
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
    batch_size : int or "auto", default="auto"
        Rows in a minibatch of the softmax and the fine-tuning phase. "auto" makes a hundred
        minibatches of a pass, of 2 to 100 rows.
    early_stopping : bool, default=False
        Whether to hold rows out and to end fine-tuning when their accuracy does not rise; the
        weights of the best pass are kept.
    validation_fraction : float, default=0.1
        Share of the rows held out from all phases when `early_stopping` is set.
    n_iter_no_change : int, default=10
        Passes without a rise of the accuracy by `tol` after which early stopping stops.
    tol : float, default=1e-4
        Smallest rise of the accuracy that counts for early stopping.
    warm_start : bool, default=False
        Whether `fit` goes on from the fitted network, for `softmax_iter` and `finetune_iter`
        more passes, and keeps the machines in `rbms_` instead of pretraining again.
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
        Mean cross-entropy in nats over each pass of fine-tuning.
    validation_scores_ : list of float
        Accuracy on the held-out rows after each pass of fine-tuning, with `early_stopping`.
    best_validation_score_ : float
        The best of them, which is the one of the weights that were kept.
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
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # -- training

    def fit(self, X, y):
        """Pretrain the layers, train the softmax layer, fine-tune the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data; values in [0, 1] for binary visible units.
        y : array-like of shape (n_samples,)
            Class labels, at least two different ones.

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
        InterruptedTrainingWarning
            When training was interrupted from the keyboard.
        """
        with unchanged_on_error(self):
            templates = self._check_parameters()
            go_on = self.warm_start and hasattr(self, "coefs_")
            X, labels = self._validate(X, y, go_on)
            # One seed for each use, so that a phase that is left out changes no other.
            *layer_seeds, split_seed, start_seed, softmax_seed, finetune_seed = check_random_state(
                self.random_state
            ).randint(MAX_SEED, size=len(templates) + 4)
            X, labels, held_out = self._hold_out(X, labels, split_seed)
            if go_on:
                self._continue(templates)
            else:
                self._start(X, templates, start_seed)
            try:
                if self.pretrain and not go_on:
                    self._pretrain(X, templates, layer_seeds)
                self._train_softmax(X, labels, softmax_seed)
                self._finetune(X, labels, held_out, finetune_seed)
            except KeyboardInterrupt:
                warnings.warn(
                    "Training was interrupted: the classifier holds what was learned up to "
                    "the last finished pass.",
                    InterruptedTrainingWarning,
                    stacklevel=2,
                )
        return self

    def _check_parameters(self):
        """Check all parameters; return an unfitted machine for each layer."""
        sizes = self.hidden_layer_sizes
        sizes = [sizes] if np.ndim(sizes) == 0 else list(sizes)
        if not sizes:
            raise ValueError(
                f"hidden_layer_sizes == {self.hidden_layer_sizes!r}, must have at least one layer."
            )
        for size in sizes:
            check_integer(size, "each of hidden_layer_sizes", 1)
        check_integer(self.softmax_iter, "softmax_iter", 0)
        check_integer(self.finetune_iter, "finetune_iter", 0)
        check_choice(self.solver, "solver", OPTIMIZERS)
        if isinstance(self.learning_rate_init, str):
            check_choice(self.learning_rate_init, "learning_rate_init", ["auto"])
        else:
            check_real(self.learning_rate_init, "learning_rate_init", boundaries="neither")
        check_choice(self.learning_rate, "learning_rate", SCHEDULES)
        check_real(self.alpha, "alpha")
        check_real(self.dropout, "dropout", maximum=1.0, boundaries="left")
        check_real(self.input_dropout, "input_dropout", maximum=1.0, boundaries="left")
        check_batch_size(self.batch_size)
        check_real(
            self.validation_fraction, "validation_fraction", maximum=1.0, boundaries="neither"
        )
        check_integer(self.n_iter_no_change, "n_iter_no_change", 1)
        check_real(self.tol, "tol")
        return [
            template.set_params(n_components=int(size))
            for template, size in zip(self._templates(len(sizes)), sizes, strict=True)
        ]

    def _templates(self, n_layers):
        """Return a clone of the template for each layer."""
        if self.rbm is None:
            return [RBMTransformer() for _ in range(n_layers)]
        given = self.rbm if isinstance(self.rbm, list | tuple) else [self.rbm] * n_layers
        if len(given) != n_layers:
            raise ValueError(
                f"rbm has {len(given)} templates, but hidden_layer_sizes == "
                f"{self.hidden_layer_sizes!r} has {n_layers} layers: hand in one for each "
                "layer, or a single one for all."
            )
        for template in given:
            if not isinstance(template, RBMTransformer):
                raise TypeError(
                    f"rbm == {template!r}, must be an RBMTransformer, a sequence of them (one "
                    "for each layer) or None."
                )
        return [clone(template) for template in given]

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
                f"y has one class, {classes[0]!r}; {type(self).__name__} needs at least two "
                "classes."
            )
        if go_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"y has the classes {classes}, but the fitted network has {self.classes_}. Set "
                "warm_start=False to start anew."
            )
        self.classes_ = classes
        return X, labels

    def _hold_out(self, X, labels, seed):
        """Return X and labels for training, and a pair of both that early stopping watches."""
        if not self.early_stopping:
            return X, labels, None
        X, X_held_out, labels, labels_held_out = train_test_split(
            X, labels, test_size=self.validation_fraction, stratify=labels, random_state=seed
        )
        return X, labels, (X_held_out, labels_held_out)

    def _start(self, X, templates, seed):
        """Make a network of random weights (Glorot and Bengio 2010)."""
        engine = ENGINES["numpy"](X.dtype, seed)
        sizes = [X.shape[1], *(rbm.n_components for rbm in templates), len(self.classes_)]
        self.coefs_, self.intercepts_ = [], []
        for n_in, n_out in pairwise(sizes):
            bound = math.sqrt(6.0 / (n_in + n_out))
            self.coefs_.append(2.0 * bound * (engine.uniform((n_in, n_out)) - 0.5))
            self.intercepts_.append(engine.zeros(n_out))
        self._hidden_units = [rbm.hidden_units for rbm in templates]
        self.rbms_ = []
        self.softmax_loss_curve_, self.loss_curve_ = [], []
        self.n_iter_ = 0
        self.n_layers_ = len(sizes)

    def _pretrain(self, X, templates, seeds):
        """Fit one machine after another, each on the output of the one below."""
        for i, (rbm, seed) in enumerate(zip(templates, seeds, strict=True)):
            if i > 0:
                X = self.rbms_[-1]._hidden_mean(X)
            layer = f"layer {i + 1} of {len(templates)}"
            self._report(f"pretraining {layer}: {X.shape[1]} to {rbm.n_components}")
            rbm.set_params(random_state=int(seed), verbose=max(rbm.verbose, self.verbose))
            try:
                rbm.fit(X)
            except DivergenceError as error:
                raise DivergenceError(f"Pretraining of {layer}: {error}") from error
            self.rbms_.append(rbm)
            self.coefs_[i] = rbm.components_.T.copy()
            self.intercepts_[i] = rbm.intercept_hidden_.copy()
            if rbm.n_iter_ < rbm.n_iter:
                raise KeyboardInterrupt  # which the machine took for its own

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
        self.softmax_loss_curve_ = list(self.softmax_loss_curve_)
        self.loss_curve_ = list(self.loss_curve_)

    def _train_softmax(self, X, labels, seed):
        """Train the top layer with the others frozen."""
        if self.softmax_iter == 0:
            return  # and spare the features
        engine = ENGINES["numpy"](X.dtype, seed)
        features = self._in_blocks(hidden_layers, X, self._network(engine), len(self.coefs_[-1]))
        parameters, views = engine.packed([self.coefs_[-1], self.intercepts_[-1]])
        self.coefs_[-1], self.intercepts_[-1] = views
        top = Network(views[:1], views[1:], [], engine)

        def end_of_pass(n_passes, loss):
            self.softmax_loss_curve_.append(loss)
            self._report(f"softmax pass {n_passes} of {self.softmax_iter}: loss {loss:.5f}")

        schedule = SCHEDULES["constant"]
        self._minimize(parameters, top, features, labels, self.softmax_iter, schedule, end_of_pass)

    def _finetune(self, X, labels, held_out, seed):
        """Train all layers; with early stopping keep the best weights."""
        engine, n_weights = ENGINES["numpy"](X.dtype, seed), len(self.coefs_)
        parameters, views = engine.packed([*self.coefs_, *self.intercepts_])
        self.coefs_, self.intercepts_ = views[:n_weights], views[n_weights:]
        best = _BestWeights(parameters, self.tol)

        def end_of_pass(n_passes, loss):
            self.loss_curve_.append(loss)
            self.n_iter_ += 1
            self._report(f"fine-tuning pass {n_passes} of {self.finetune_iter}: loss {loss:.5f}")
            if held_out is None:
                return False
            X_held_out, labels_held_out = held_out
            predicted = self._probabilities(X_held_out).argmax(axis=1)
            score = float((predicted == labels_held_out).mean())
            self.validation_scores_.append(score)
            self._report(f"validation accuracy {score:.4f}")
            best.watch(score)
            return best.n_passes_without_rise >= self.n_iter_no_change

        if held_out is not None:
            self.validation_scores_ = []
        try:
            self._minimize(
                parameters,
                self._network(engine),
                X,
                labels,
                self.finetune_iter,
                SCHEDULES[self.learning_rate],
                end_of_pass,
                dropout=self.dropout,
                input_dropout=self.input_dropout,
            )
        finally:
            if held_out is not None:
                self.best_validation_score_ = best.score
                best.restore()

    def _minimize(self, parameters, network, X, labels, n_passes, schedule, end_of_pass, **dropout):
        """Train a network whose arrays are views of the parameters."""
        engine = network.engine
        n_samples, n_features = X.shape
        gradients, gradient_views = engine.packed([*network.weights, *network.intercepts])
        n_weights = sum(weights.size for weights in network.weights)
        losses = []
        rate = self.learning_rate_init
        if rate == "auto":
            rate = HIGH_RATE if n_samples < FEW_ROWS else LOW_RATE

        def gradient(indices, scale):
            x = engine.rows(X, indices, engine.buffer("minibatch", len(indices), n_features))
            loss, _ = cross_entropy_gradient(
                network, x, labels[indices], gradient_views, scale, **dropout
            )
            losses.append(loss * len(indices))
            return gradients

        def end_of_counted_pass(n_passes):
            loss = sum(losses) / n_samples
            losses.clear()
            return end_of_pass(n_passes, loss)

        minimize(
            parameters,
            gradient,
            OPTIMIZERS[self.solver](engine, n_weights, rate, schedule, weight_decay=self.alpha),
            n_samples=n_samples,
            batch_size=resolve_batch_size(self.batch_size, n_samples, SMALLEST_BATCH),
            n_passes=n_passes,
            engine=engine,
            end_of_pass=end_of_counted_pass,
            remedy="Lower learning_rate_init or scale the data.",
        )

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
        with np.errstate(over="ignore"):
            for block in blocks(X.shape[0]):
                rows = engine.buffer("rows", block.stop - block.start, X.shape[1])
                result[block] = function(network, engine.rows(X, block, rows))
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class _BestWeights:
    """The weights of the pass with the best score, for early stopping."""

    def __init__(self, weights, tol):
        self.weights = weights
        self.tol = tol
        self.score = -math.inf
        self.n_passes_without_rise = 0
        self._best = None

    def watch(self, score):
        """Keep the weights when the score is the best; count passes without a rise by tol."""
        risen = score > self.score + self.tol
        self.n_passes_without_rise = 0 if risen else self.n_passes_without_rise + 1
        if score > self.score:
            self.score, self._best = score, self.weights.copy()

    def restore(self):
        """Write the best weights where training left the last ones."""
        if self._best is not None:
            self.weights[...] = self._best
