"""The deep belief net as a scikit-learn classifier."""

from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.utils import _safe_indexing, check_consistent_length, column_or_1d, indexable
from sklearn.utils.multiclass import check_classification_targets, is_multilabel

from skdbn._dbn_base import DeepBeliefNet
from skdbn._training.checks import (
    check_choice,
    check_labels,
    check_real,
    check_some_labels,
    masked_labels,
    means_no_label,
)
from skdbn._training.rows import UNLABELLED


class DBNClassifier(ClassifierMixin, DeepBeliefNet):
    """Deep belief net: pretrained layer by layer, fine-tuned as a classifier.

    `fit` has three phases. Each hidden layer is trained as a restricted Boltzmann machine on
    the hidden probabilities of the one below; a softmax layer is trained on top while the
    layers below are frozen; then backpropagation trains all layers.

    The columns of the data may be probabilities, zeros and ones, or measurements of any scale, side
    by side. No scaler is needed. Where `y` is a matrix of zeros and ones, rows have any number of
    labels, and the top layer is a logistic one.

    Where only some rows have labels, the others help too: ``DBNClassifier(unlabeled=-1)`` pretrains
    on all rows, and fine-tuning keeps the prediction for each of them as it is when the row is
    moved a little.

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
        Step size of the solver. "auto" is 1e-3; for fewer than 10,000 rows with labels it is one
        over the number of units of the widest layer, but within 2e-3 and 1e-2.
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
        rows with labels, which a net learns by heart without it, and else 0.
    input_noise : float, default=0.0
        Standard deviation of the noise of mean 0 that is added to each feature during fine-tuning,
        where a feature is what the network sees.
    adversarial : float, default=0.0
        Length of the step, in the Euclidean norm of what the network sees, that moves each row to
        where its loss grows the most before fine-tuning trains on it ("adversarial training").
    virtual_adversarial : float or "auto", default="auto"
        Length of the step, in the same norm, that moves each row, with or without a label, to where
        the prediction for it changes nearly the most. Fine-tuning adds the mean divergence of the
        predictions there from those for the rows themselves to the loss ("virtual adversarial
        training"). 0 trains on the rows with labels alone. "auto" is 0.3 of the median distance
        between neighbours, among up to 2000 rows that are drawn; 0 where all rows have labels, and
        where a short trial says that the step would lead the predictions far from what the labelled
        rows alone say. Not for several labels.
    label_smoothing : float, default=0.0
        Share in [0, 1) of the probability of each row's label that fine-tuning spreads evenly over
        all classes. It can lower the error; the probabilities become less certain than they should.
    class_weight : dict, "balanced" or None, default=None
        How much the rows of each class count, multiplied by `sample_weight`. "balanced" gives all
        classes the same total weight; classes missing from a dict have weight 1. Class weights do
        not affect pretraining or the scaling of columns. Not for several labels.
    unlabeled : int, float, str or None, default=None
        The value of `y` that marks rows without a label, such as -1 or "". NaN stands for all
        missing values: NaN, None and the NA of pandas. Such rows are no class; they are left out of
        `score`, of class weights, and of what early stopping holds out. With None all rows have
        labels. Not for several labels.
    batch_size : int or "auto", default="auto"
        Rows in a minibatch of the softmax and the fine-tuning phase. "auto" makes a hundred
        minibatches of a pass, of 2 to 100 rows. With a virtual adversarial step a pass goes over
        all rows, and each minibatch also gets as many labelled rows, or all when there are fewer.
    early_stopping : bool or "loss", default=False
        Whether to hold rows out and to end fine-tuning when their accuracy does not rise, or with
        "loss" when their loss does not fall; the weights of the best pass are kept.
    validation_fraction : float, default=0.1
        Share of the rows held out from all phases when `early_stopping` is set and `fit` is
        given no `X_val`.
    n_iter_no_change : int, default=10
        Passes without a rise of the accuracy, or a fall of the loss, by `tol` after which early
        stopping stops.
    tol : float, default=1e-4
        Smallest rise or fall that counts for early stopping.
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
        Class labels; of several labels their numbers.
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
        on: with noise, dropout and adversarial steps. Labels count in full, smoothed or not. The
        mean divergence of virtual adversarial steps is added.
    validation_scores_ : list of float
        Accuracy on the held-out rows after each pass of fine-tuning, when the last fit had any: the
        share of rows whose label, or all of whose labels, are right, where rows count by their
        weights and those of their classes. The machines in `rbms_` watch the same rows.
    validation_loss_curve_ : list of float
        Mean cross-entropy of the held-out rows after each of these passes, in nats.
    best_validation_score_ : float
        The best accuracy of the last fit, which with ``early_stopping=True`` is that of the weights
        that were kept.
    best_validation_loss_ : float
        The lowest loss instead, with ``early_stopping="loss"``.
    virtual_adversarial_ : float
        Length of the virtual adversarial step, 0 where there is none.
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
    DBNRegressor : The same for numbers.
    RBMTransformer : One layer.
    sklearn.neural_network.MLPClassifier : A network without pretraining.

    Notes
    -----
    The computation happens in the type of X, float32 or float64; float32 is about twice as
    fast. Beside X, `fit` holds the activations of two neighbouring layers at most, and a copy of
    the rows with labels where others have none; prediction works in blocks of rows, and warns
    (`DataRangeWarning`) when many values are far from those of the rows that were fitted.

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
    Miyato, Maeda, Koyama and Ishii (2018), "Virtual adversarial training: a regularization method
    for supervised and semi-supervised learning".
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
        virtual_adversarial="auto",
        label_smoothing=0.0,
        class_weight=None,
        unlabeled=None,
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
        self.virtual_adversarial = virtual_adversarial
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.unlabeled = unlabeled
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # -- training

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Make one pass of fine-tuning over some of the rows.

        The first call pretrains the layers, unless `pretrain` is False, and trains the top one on
        its rows, which should be many and mixed: they also say what the columns stand for, and what
        "auto" means from then on. Every call fine-tunes, and goes on with the optimizer and the
        random numbers of the one before; the step size follows `learning_rate` over `finetune_iter`
        calls, and stays where it is when that is "auto".

        After `fit` the calls fine-tune alone, and a step size of "auto" is a tenth of what it was.
        Nothing is held out: `early_stopping` has no effect here.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or an indicator of several labels. Rows may be without a label, as
            `unlabeled` says, but not all of a call. The first call that has such rows says how long
            a virtual adversarial step of "auto" is.
        classes : array-like of shape (n_classes,), default=None
            All classes that there will be. They must be given in the first call when its rows do
            not have them all.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts, relative to the rows of all calls.

        Returns
        -------
        DBNClassifier
            The classifier itself.

        Raises
        ------
        ValueError
            When X, y or a parameter is not what is allowed, a class is new, or the step size has
            fallen to 0.
        DivergenceError
            When a weight or intercept is not finite after the pass; the classifier is then as it
            was before the call.

        Warns
        -----
        DataRangeWarning
            When the first X has too few rows to tell the scale of its columns, or many values of a
            later one are far from those of the first.
        InterruptedTrainingWarning
            When training was interrupted from the keyboard.
        """
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            raise ValueError(
                "class_weight == 'balanced' needs all rows at once, and partial_fit has a part of "
                "them. Pass a dict of weights, or sample_weight: sklearn.utils.class_weight."
                "compute_sample_weight('balanced', y) makes one."
            )
        return self._go_on_with_part(X, y, sample_weight, classes=classes)

    _fitted = (
        *DeepBeliefNet._fitted,
        "classes_",
        "softmax_loss_curve_",
        "virtual_adversarial_",
    )
    _top, _may_watch, _rules_of_targets = "softmax", ("loss",), {"multi_output": True}

    @property
    def _watches(self):
        """What early stopping watches."""
        return "loss" if self.early_stopping == "loss" else "score"

    def _check_head(self):
        """Check the weights of the classes, and what marks rows without one."""
        marker = self.unlabeled
        if marker is not None and (isinstance(marker, bool) or not isinstance(marker, Real | str)):
            raise TypeError(
                f"unlabeled == {marker!r}, must be the value of y that marks rows without a label: "
                "a number such as -1, a string, or float('nan') for missing values of all kinds; "
                "None where all rows have labels."
            )
        if isinstance(self.class_weight, str):
            check_choice(self.class_weight, "class_weight", ["balanced"])
        elif isinstance(self.class_weight, dict):
            for label, weight in self.class_weight.items():
                check_real(weight, f"class_weight[{label!r}]")
        elif self.class_weight is not None:
            raise TypeError(
                f"class_weight == {self.class_weight!r}, must be 'balanced', None, or a dict of "
                "the weight of each class."
            )

    def _read_targets(self, rows, goes_on, is_part=False, classes=None):
        """Return what the labels are, how many outputs there are, and what encodes labels."""
        labels = self._given_labels(rows.y, "y")
        check_classification_targets(labels)
        if is_multilabel(labels):
            return self._read_indicator(rows, goes_on, is_part, classes)
        given = np.unique(_flat(labels) if classes is None else classes)
        if goes_on and is_part and classes is None and self._head == "softmax":
            given = self.classes_
        if self.unlabeled is not None and means_no_label(given, self.unlabeled).any():
            raise ValueError(
                f"classes has {self.unlabeled!r}, but unlabeled says that it means no label. Leave "
                "it out."
            )
        self._check_same("softmax", given, goes_on)
        if len(given) < 2:
            raise ValueError(
                f"y has one class, {given.tolist()[0]!r}, in the rows of positive weight; "
                f"{type(self).__name__} needs at least two classes."
                + is_part
                * " Pass all that there will be in the first call, as classes."
            )

        def encode(rows, name):
            y = _flat(self._given_labels(rows.y, name), name)
            unknown = np.setdiff1d(y, given)
            if len(unknown):
                raise ValueError(
                    f"{name} has {unknown[0]}, which is not among the classes: {given}. "
                    "partial_fit takes all classes in its first call, as classes."
                    if is_part
                    else f"{name} has {unknown[0]}, which is not among the classes in y: {given}."
                )
            numbers = np.full(rows.X.shape[0], UNLABELLED)
            numbers[~np.ma.getmaskarray(rows.y).ravel()] = np.searchsorted(given, y)
            return rows._replace(y=numbers)

        if isinstance(self.class_weight, dict):
            unknown = [label for label in self.class_weight if label not in given.tolist()]
            if unknown and len(unknown) == len(self.class_weight):
                raise ValueError(
                    f"class_weight has a weight for {unknown[0]!r}, which is not among the classes "
                    f"in y: {given}."
                )
        return {"classes_": given, "_head": "softmax"}, len(given), encode

    def _read_indicator(self, rows, goes_on, is_part, classes):
        """Return the same of an indicator matrix of several labels."""
        if self.class_weight is not None:
            raise ValueError(
                "class_weight is for one class a row, and y is an indicator of several labels. "
                "Set class_weight=None; sample_weight weighs rows."
            )
        if isinstance(self.virtual_adversarial, Real) and self.virtual_adversarial > 0.0:
            raise ValueError(
                f"virtual_adversarial == {self.virtual_adversarial} is for one class a row, and y "
                "is an indicator of several labels. Set virtual_adversarial=0."
            )
        n_labels = rows.y.shape[1]
        y = _of_zeros_and_ones(rows.y, "y")
        if not goes_on and classes is None and (y.sum(axis=1) == 1).all():
            advice = f" If later rows have several, pass classes=range({n_labels})."
            raise ValueError(
                "y is one-hot: each row has exactly one label, its class. Pass y.argmax(axis=1) of "
                "an array (y.toarray().argmax(axis=1) of a sparse one), or y.idxmax(axis=1) of a "
                "DataFrame, which keeps the names." + advice * is_part
            )
        if classes is not None and len(classes) != n_labels:
            raise ValueError(
                f"classes has {len(classes)} entries, but y is an indicator of {n_labels} labels. "
                f"Pass classes=range({n_labels})."
            )
        self._check_same("logistic", np.arange(n_labels), goes_on)

        def encode(rows, name):
            if not is_multilabel(rows.y) or rows.y.shape[1] != n_labels:
                raise ValueError(
                    f"{name} has shape {np.shape(rows.y)}, must be an indicator of {n_labels} "
                    "labels, as y is."
                )
            return rows._replace(y=_of_zeros_and_ones(rows.y, name).astype(rows.X.dtype))

        return {"classes_": np.arange(n_labels), "_head": "logistic"}, n_labels, encode

    def _check_same(self, head, classes, goes_on):
        """Raise when a net that goes on was fitted to other classes."""
        if goes_on and (head != self._head or not np.array_equal(classes, self.classes_)):
            given, fitted = _described(head, classes), _described(self._head, self.classes_)
            raise ValueError(
                f"y has {given}, but the fitted network has {fitted}. To start anew, call fit with "
                "warm_start=False."
            )

    def _given_labels(self, y, name):
        """Return the labels of the rows that have one."""
        if not isinstance(y, np.ma.MaskedArray):
            return y
        check_some_labels(y.compressed(), self.unlabeled, name)
        return y.compressed()

    def _has_target(self, rows):
        """Tell of each row whether it has a label."""
        if rows.y.ndim > 1:  # an indicator of several labels
            return super()._has_target(rows)
        return rows.y != UNLABELLED

    def _weigh_classes(self, rows, held_out=None):
        """Return rows with weights times those of their classes, which the first ones balance."""
        if self.class_weight is None:
            return rows, held_out
        labels, n_classes = self.classes_.tolist(), len(self.classes_)
        if isinstance(self.class_weight, dict):
            by_class = np.array([self.class_weight.get(label, 1.0) for label in labels])
        else:
            counts = np.bincount(rows.y, weights=rows.weight, minlength=n_classes)
            by_class = counts.sum() / (n_classes * np.where(counts > 0.0, counts, np.inf))
        return tuple(_times(by_class, part) for part in (rows, held_out))

    def _targets_of(self, y):
        """Return labels, or indicators, as `fit` was given them."""
        if self._head != "softmax":
            return y.astype(int)
        labels, has_none = self.classes_[y], y == UNLABELLED
        if not has_none.any():
            return labels
        if labels.dtype.kind not in "iuf" or not isinstance(self.unlabeled, Real):
            labels = labels.astype(object)  # one array for both
        return np.where(has_none, self.unlabeled, labels)

    def _validate_targets(self, X, y, **rules):
        """Return rows and labels; labels of which some are missing as a masked array."""
        name = rules.get("name", "X").replace("X", "y")
        if self.unlabeled is None:
            check_labels(y, name, ", or set unlabeled=float('nan') if they are to have no label")
            return super()._validate_targets(X, y, **rules)
        labels = masked_labels(y, self.unlabeled, name)
        X, y = super()._validate_targets(X, labels.data, **rules)
        return X, np.ma.array(y, mask=labels.mask)

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
            In the order of `classes_`. Rows sum to 1, but for several labels, each of which has a
            probability of its own.
        """
        return self._outputs(self._read_new(X))

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
        """Return the most probable class, or the labels that are more probable than not.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or zeros and ones for several labels.
        """
        p = self.predict_proba(X)
        if self._head == "logistic":
            return (p > 0.5).astype(int)
        return self.classes_[p.argmax(axis=1)]

    def score(self, X, y, sample_weight=None):
        """Return the share of the rows whose label, or all of whose labels, are predicted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels. Rows that `unlabeled` marks are left out.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts.

        Returns
        -------
        float
            Accuracy.

        Raises
        ------
        ValueError
            When no row has a label.
        """
        if self.unlabeled is not None:
            check_consistent_length(X, y, sample_weight)
            labels = masked_labels(y, self.unlabeled)
            at = np.flatnonzero(~labels.mask)
            X, y = _safe_indexing(indexable(X)[0], at), labels.data[at]
            if sample_weight is not None:
                sample_weight = _safe_indexing(sample_weight, at)
        return super().score(X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = self.unlabeled is None
        return tags


def _times(by_class, rows):
    """Return rows with weights times those of their classes."""
    if rows is None:
        return None
    weight = by_class[rows.y] * (1.0 if rows.weight is None else rows.weight)
    if not weight.any():
        raise ValueError(
            "class_weight is zero for the class of every row: nothing is to be learned."
        )
    return rows._replace(weight=weight)


def _flat(y, name="y"):
    """Return labels of one class a row as a vector."""
    if issparse(y) or (y.ndim == 2 and y.shape[1] > 1):
        if name != "y":
            raise ValueError(
                f"{name} has shape {y.shape}, must be one class for each row, as y is."
            )
        raise ValueError(
            f"y has shape {y.shape} and values other than 0 and 1: pass one class for each row, or "
            "an indicator matrix of zeros and ones for several labels."
        )
    return column_or_1d(y, warn=True)


def _described(head, classes):
    """Return in words what a head predicts."""
    if head == "softmax":
        return f"the classes {classes}"
    return f"{len(classes)} labels in an indicator matrix"


def _of_zeros_and_ones(y, name):
    """Return an indicator matrix as an array; raise when it has other values."""
    y = y.toarray() if issparse(y) else y
    values = np.unique(y)
    if not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"{name} has several columns with the values {values}: an indicator of several labels "
            f"has zeros and ones. Pass {name} == {values.max()}."
        )
    return y
