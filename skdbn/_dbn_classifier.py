"""The deep belief net as a scikit-learn classifier."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skdbn._dbn import (
    PERTURBATIONS,
    check_that_it_can_go_on,
    finetuning,
    network_of,
    passes_of_finetuning,
    pretrain,
    random_start,
    softmax_training,
)
from skdbn._layers import (
    check_fit_together,
    is_frozen,
    machines_of_layers,
    sizes_of_layers,
    with_parameters,
)
from skdbn._maths.engines import ENGINES
from skdbn._maths.network import forward
from skdbn._maths.optimizers import OPTIMIZERS, SCHEDULES
from skdbn._training.callbacks import with_callbacks
from skdbn._training.checks import (
    FLOATS,
    check_choice,
    check_flag,
    check_integer,
    check_real,
    check_schedule_of_passes,
)
from skdbn._training.columns import COLUMN_ATTRIBUTES, map_of, warn_of_other_scale
from skdbn._training.diagnosis import warn_unless_converged
from skdbn._training.fitting import Run, TrainedEstimator
from skdbn._training.loop import fitted_attributes
from skdbn._training.rows import Rows, hold_out, in_blocks


class DBNClassifier(ClassifierMixin, TrainedEstimator):
    """Deep belief net: pretrained layer by layer, fine-tuned as a classifier.

    `fit` has three phases. Each hidden layer is trained as a restricted Boltzmann machine on
    the hidden probabilities of the one below; a softmax layer is trained on top while the
    layers below are frozen; then backpropagation trains all layers.

    The columns of the data may be probabilities, zeros and ones, or measurements of any scale, side
    by side. No scaler is needed.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100, 100)
        Number of units of each hidden layer, the first above the data.
    rbm : RBMTransformer, sequence of RBMTransformer or FrozenEstimator, or None, default=None
        Template of the machines, cloned for each layer, or one for each layer. Its parameters
        can be searched as ``rbm__learning_rate`` and so on, in a list as
        ``rbm__0__learning_rate``; the classifier sets `n_components`, `random_state`, and above the
        first layer `visible_units`, which are what the hidden units below are. Callbacks belong on
        the classifier, not here. None stands for ``RBMTransformer()``. A fitted machine in a
        :class:`sklearn.frozen.FrozenEstimator` is used as it is: so the layers can be pretrained
        on other data, as when only some rows have labels.
    pretrain : bool, default=True
        Whether to pretrain. False starts at Glorot's random weights: the control that shows
        what pretraining is worth.
    softmax_iter : int, default=10
        Passes that train the softmax layer with the layers below frozen.
    finetune_iter : int or "auto", default="auto"
        Passes of backpropagation through all layers. "auto" is 10, or as many as make 3000
        minibatches where those are more.
    solver : {"adam", "sgd"}, default="adam"
        Optimizer of the softmax and the fine-tuning phase; "sgd" has momentum 0.9.
    learning_rate_init : float or "auto", default="auto"
        Step size of the solver. "auto" is 1e-3; for fewer than 10,000 rows it is one over the
        number of units of the widest layer, but within 2e-3 and 1e-2.
    learning_rate : {"cosine", "constant"}, default="cosine"
        How the step size goes on during fine-tuning: down to 0 along half a cosine, or not
        at all. It is constant during the softmax phase.
    alpha : float, default=0.0
        L2 penalty: ``alpha / 2 * sum(W^2)`` is added to the mean cross-entropy.
    dropout : float, default=0.0
        Probability in [0, 1) that a hidden unit is silenced during fine-tuning.
    input_dropout : float, default=0.0
        Probability in [0, 1) that a feature is silenced during fine-tuning.
    noise : float or "auto", default="auto"
        Standard deviation of the nearly normal noise of mean 1 that each hidden activation is
        multiplied by during fine-tuning ("Gaussian dropout"). "auto" is 0.3 for fewer than 10,000
        rows, which a net learns by heart without it, and else 0.
    input_noise : float, default=0.0
        Standard deviation of the noise of mean 0 that is added to each feature during fine-tuning,
        where a feature is what the network sees.
    adversarial : float, default=0.0
        Length of the step, in the Euclidean norm of what the network sees, that moves each row to
        where its loss grows the most before fine-tuning trains on it ("adversarial training").
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
    visible_units_ : ndarray of str of shape (n_features,)
        What each column is taken for, "binary" or "gaussian", with or without pretraining: see
        `visible_units` of the template.
    offset_, scale_ : ndarray of shape (n_features,)
        Mean and standard deviation of each column with a gaussian unit, of values without
        outliers; 0 and 1 for the others. The network sees ``(x - offset_) / scale_``; values of
        gaussian units beyond 5, and beyond those that are no outliers, are cut off.
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
        Accuracy on the held-out rows after each pass of fine-tuning, when the last fit had any.
        The machines in `rbms_` watch the same rows.
    best_validation_score_ : float
        The best of those of the last fit, which with `early_stopping` is that of the weights that
        were kept.
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
    works in blocks of rows, and warns (`DataRangeWarning`) when many values are far from those of
    the rows that were fitted.

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
    >>> from skdbn import DBNClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> DBNClassifier(random_state=0).fit(X, y).predict(X[:3])
    array([0, 0, 0])
    """

    def __init__(
        self,
        hidden_layer_sizes=(100, 100),
        *,
        rbm=None,
        pretrain=True,
        softmax_iter=10,
        finetune_iter="auto",
        solver="adam",
        learning_rate_init="auto",
        learning_rate="cosine",
        alpha=0.0,
        dropout=0.0,
        input_dropout=0.0,
        noise="auto",
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

    def set_params(self, **params):
        """Set parameters, also those of the template or the templates in `rbm`.

        Parameters
        ----------
        **params : dict
            Parameters. ``rbm__learning_rate`` and so on are those of a single template, which is
            made where `rbm` is None; ``rbm__0__learning_rate`` is that of the first one in a list.

        Returns
        -------
        DBNClassifier
            The classifier itself.

        Raises
        ------
        ValueError
            When there is no such parameter, or it is the number of hidden units, which
            `hidden_layer_sizes` gives.
        """
        of_templates = {name: params.pop(name) for name in [*params] if name.startswith("rbm__")}
        super().set_params(**params)
        if of_templates:
            self.rbm = with_parameters(self.rbm, of_templates)
        return self

    # -- training

    def fit(self, X, y, *, X_val=None, y_val=None):
        """Pretrain the layers, train the softmax layer, fine-tune the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
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
            When the visible units of the template are "binary" and X has values outside [0, 1],
            when many values of X_val are far from those of X, or many of X from those of the first
            fit, or of a frozen machine, that this one goes on from.
        HiddenUnitsWarning, GrowingWeightsWarning
            When pretraining of a layer went wrong.
        NotConvergedWarning
            When the loss still changes much in the last pass of fine-tuning, or is that of
            guessing.
        InterruptedTrainingWarning
            When training was interrupted from the keyboard.
        """
        with Run(self, goes_on=self.warm_start) as run:
            self._fit(run, X, y, X_val, y_val)
        return self

    @with_callbacks
    def _fit(self, run, X, y, X_val, y_val):
        """Go through the phases: each layer, the softmax layer, all layers."""
        templates = self._check_parameters()
        layers = [f"pretrain layer {i}" for i in range(1, len(templates) + 1)]
        run.draw_seeds(*layers, "split", "start", "softmax", "finetune")
        rows, classes = self._read_labelled(X, y, run.goes_on)
        check_fit_together(templates, rows.X.shape[1])
        held_out = self._read_held_out(X_val, y_val, rows.X.dtype, classes)
        rows, held_out = hold_out(self, rows, held_out, run.seeds["split"], rows.y)
        run.start(self._before_training(run, templates, rows, held_out, classes))
        if run.goes_on or is_frozen(templates[0]):
            warn_of_other_scale(self, rows.X)
        rows = rows._replace(columns=map_of(self))
        if held_out is not None:
            held_out = held_out._replace(columns=map_of(self))
            warn_of_other_scale(self, held_out.X, "X_val")
        n_phases = self.pretrain * len(layers) + 2
        with run.callbacks_told(rows, held_out, n_phases, lambda: classes[rows.y]):
            if self.pretrain and not run.is_past(*layers):
                pretrain(run, self, templates, rows, held_out)
            run.go_through(
                "softmax",
                self.softmax_iter,
                lambda: softmax_training(self, rows, run.seeds["softmax"]),
            )
            n_passes = passes_of_finetuning(self, rows.X.shape[0])
            stopped = run.go_through(
                "finetune",
                n_passes,
                lambda: finetuning(self, rows, held_out, run.seeds["finetune"]),
            )
            if min(n_passes, len(self.loss_curve_)) > 1 and not stopped:
                warn_unless_converged(self.loss_curve_[-n_passes:], rows.y)

    _fitted = (
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
        *COLUMN_ATTRIBUTES,
        "_hidden_units",
    )

    def _check_parameters(self):
        """Check all parameters; return an unfitted machine for each layer."""
        sizes = sizes_of_layers(self.hidden_layer_sizes)
        check_flag(self.pretrain, "pretrain")
        check_integer(self.softmax_iter, "softmax_iter", 0)
        if isinstance(self.finetune_iter, str):
            check_choice(self.finetune_iter, "finetune_iter", ["auto"])
        else:
            check_integer(self.finetune_iter, "finetune_iter", 0)
        check_choice(self.solver, "solver", OPTIMIZERS)
        if isinstance(self.learning_rate_init, str):
            check_choice(self.learning_rate_init, "learning_rate_init", ["auto"])
        else:
            check_real(self.learning_rate_init, "learning_rate_init", boundaries="neither")
        check_choice(self.learning_rate, "learning_rate", SCHEDULES)
        check_real(self.alpha, "alpha")
        for name, maximum in PERTURBATIONS.items():
            if name == "noise" and isinstance(self.noise, str):
                check_choice(self.noise, name, ["auto"])
            else:
                check_real(getattr(self, name), name, maximum=maximum, boundaries="left")
        check_schedule_of_passes(self)
        return machines_of_layers(self.rbm, sizes)

    def _read_labelled(self, X, y, goes_on):
        """Return rows of floats with the index of the class of each, and the classes."""
        dtype = self.coefs_[0].dtype if goes_on else FLOATS
        X, y = self._validate(X, y, dtype=dtype, reset=not goes_on)
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y has one class, {classes.tolist()[0]!r}; {type(self).__name__} needs at least "
                "two classes."
            )
        if goes_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"y has the classes {classes}, but the fitted network has {self.classes_}. Set "
                "warm_start=False to start anew."
            )
        return Rows(X, labels), classes

    def _read_held_out(self, X_val, y_val, dtype, classes):
        """Return the rows to watch that were given, or None."""
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val belong together: pass both or neither.")
        if X_val is None:
            return None
        X_val, y_val = self._validate(X_val, y_val, dtype=dtype, name="X_val")
        unknown = np.setdiff1d(y_val, classes)
        if len(unknown):
            raise ValueError(
                f"y_val has {unknown[0]}, which is not among the classes in y: {classes}."
            )
        return Rows(X_val, np.searchsorted(classes, y_val))

    def _before_training(self, run, templates, rows, held_out, classes):
        """Return the fitted attributes before the first pass."""
        if not run.goes_on:
            start = random_start(templates, rows, len(classes), run.seeds["start"])
            return {"classes_": classes, **start}
        check_that_it_can_go_on(self, templates)
        attributes = fitted_attributes(self)
        if held_out is None:
            attributes.pop("validation_scores_", None)
            attributes.pop("best_validation_score_", None)
        return attributes

    # -- inference

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
        X = self._validate(X)
        warn_of_other_scale(self, X)
        network = network_of(self, ENGINES["numpy"](X.dtype, 0))
        return in_blocks(forward, network, Rows(X, columns=map_of(self)), len(self.classes_))

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
