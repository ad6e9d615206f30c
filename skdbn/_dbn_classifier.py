"""The deep belief net as a scikit-learn classifier."""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import accuracy_score
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, is_multilabel

from skdbn._dbn_base import DeepBeliefNet
from skdbn._training.checks import (
    check_choice,
    check_labels,
    check_real,
    check_some_labels,
    masked_labels,
    means_no_label,
    sorted_classes,
    warn_of_column,
)
from skdbn._training.diagnosis import (
    warn,
    warn_of_unknown_labels,
    warn_unless_some_are_unlabelled,
)
from skdbn._training.rows import UNLABELLED


class DBNClassifier(ClassifierMixin, DeepBeliefNet):
    """Deep belief net: pretrained layer by layer, fine-tuned as a classifier.

    `fit` has three phases. Each hidden layer is trained as a restricted Boltzmann machine on the
    hidden probabilities of the one below; a softmax layer on top is trained while the layers below
    are frozen; then backpropagation trains all layers. Before the last two phases, the weights of
    a layer whose units hardly differ from one row to the next are multiplied by a common factor,
    because fine-tuning is too brief to make them large: see `coefs_`.

    The columns of the data may hold probabilities, zeros and ones, or measurements on any scale,
    side by side. No scaler is needed. If `y` is a matrix of zeros and ones (multilabel), each row
    has any number of labels, and the top layer is logistic.

    If only some rows have labels, the others help too: ``DBNClassifier(unlabeled=-1)`` pretrains on
    all rows, and fine-tuning keeps the prediction for each row nearly the same when the row moves a
    little.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100, 100)
        Number of units of each hidden layer, from the bottom up.
    rbm : RBMTransformer, sequence of RBMTransformer or FrozenEstimator, or None, default=None
        Template of the RBMs, cloned for each layer, or a list with one for each layer. Its
        parameters can be searched as ``rbm__learning_rate`` and so on, in a list as
        ``rbm__0__learning_rate``; the classifier sets `n_components`, `random_state` and, above the
        first layer, `visible_units`, which match the hidden units below. Callbacks belong on the
        classifier, not here. None stands for ``RBMTransformer()``. A fitted RBM in a
        :class:`sklearn.frozen.FrozenEstimator` is used as it is, so layers can be pretrained on
        other data, for example when only some rows have labels.
    pretrain : bool, default=True
        Whether to pretrain. False starts from Glorot's random weights: the control that shows what
        pretraining is worth.
    softmax_iter : int, default=10
        Passes over the data (epochs) that train the softmax layer while the layers below are
        frozen.
    finetune_iter : int or "auto", default="auto"
        Passes of backpropagation through all layers. "auto" makes 10, or as many as 3000
        minibatches take if that is more.
    solver : {"adam", "sgd"}, default="adam"
        Optimizer of the softmax and fine-tuning phases; "sgd" has momentum 0.9.
    learning_rate_init : float or "auto", default="auto"
        Step size of the solver. "auto" is 1e-3; for fewer than 10,000 rows with labels it is 1
        divided by the number of units of the widest hidden layer, but at least 2e-3 and at most
        1e-2.
    learning_rate : {"cosine", "linear", "constant"}, default="cosine"
        How the step size changes during fine-tuning: it decreases to 0 along half a cosine or a
        straight line, or stays constant. It is constant during the softmax phase.
    alpha : float, default=0.0
        L2 penalty: ``alpha / 2 * sum(W^2)`` is added to the mean cross-entropy. The weights of
        measurements scaled to [0, 1] count times the standard deviations of these columns.
    dropout : float, default=0.0
        Probability in [0, 1) of setting a hidden unit to 0 during fine-tuning.
    input_dropout : float, default=0.0
        Probability in [0, 1) of setting a feature to 0 during fine-tuning.
    noise : float or "auto", default="auto"
        Standard deviation of the nearly normal noise of mean 1 that multiplies each hidden
        activation during fine-tuning ("Gaussian dropout"). "auto" is 0.3 for fewer than 10,000 rows
        with labels, which a net would otherwise memorize, and 0 otherwise.
    input_noise : float, default=0.0
        Standard deviation of the noise of mean 0 added to each feature, as the network sees it,
        during fine-tuning.
    adversarial : float, default=0.0
        Length of the step, in the Euclidean norm of what the network sees, by which each row is
        moved in the direction in which its loss grows most before fine-tuning trains on it
        ("adversarial training").
    virtual_adversarial : float or "auto", default="auto"
        Length of the step, in the same norm, that moves each row, labelled or not, in nearly the
        direction in which its prediction changes most. Fine-tuning adds to the loss the mean
        divergence of the predictions there from those for the rows themselves ("virtual adversarial
        training"). 0 trains on the labelled rows alone. "auto" is 0.3 times the median distance
        of a row from its nearest neighbour, where one half of up to 2000 random rows is compared
        with the other half; it is 0 if all rows have labels, or if in a trial the predictions
        with the step differ much from those of the labelled rows alone. Not available for
        multilabel targets.
    label_smoothing : float, default=0.0
        Share in [0, 1) of the probability of each row's label that fine-tuning spreads evenly over
        all classes. It can lower the error, but makes the probabilities underconfident.
    class_weight : dict, "balanced" or None, default=None
        Weight of the rows of each class, multiplied by `sample_weight`. "balanced" gives all
        classes the same total weight; classes missing from a dict have weight 1. Class weights
        affect neither pretraining nor the scaling of columns. Not available for multilabel targets.
    unlabeled : int, float, str or None, default=None
        Value of `y` that marks rows without a label, such as -1 or "". NaN stands for all missing
        values: NaN, None and the NA of pandas. Such rows do not form a class; `score`, class
        weights and the rows held out for early stopping leave them out. With None, all rows have
        labels. Not available for multilabel targets. For cross-validation mark them with a number
        or text: scikit-learn cannot stratify folds by missing values.
    batch_size : int or "auto", default="auto"
        Rows per minibatch of the softmax and fine-tuning phases. "auto" aims at a hundred
        minibatches per pass, with 2 to 100 rows each. With a virtual adversarial step a pass goes
        over all rows, and each minibatch also gets as many labelled rows, or all of them if there
        are fewer.
    early_stopping : bool or "loss", default=False
        Whether to hold out rows, stop fine-tuning when their accuracy no longer rises (with "loss":
        when their loss no longer falls), and keep the weights of the best pass. Of passes with the
        same accuracy, the one with the lowest loss is the best.
    validation_fraction : float, default=0.1
        Share of the rows to hold out from all phases when `early_stopping` is set and `fit` gets no
        `X_val`.
    n_iter_no_change : int, default=10
        Early stopping ends fine-tuning after this many passes in a row in which the accuracy does
        not rise, or the loss fall, by more than `tol`.
    tol : float, default=1e-4
        Smallest improvement that counts for early stopping.
    warm_start : bool, default=False
        Whether `fit` continues where an earlier one ended or was interrupted by Ctrl-C. Pretraining
        is topped up: each layer makes the passes still missing from its template's `n_iter`, so
        finished layers stay as they are unless `n_iter` was raised; if a layer is trained further,
        the network starts from the RBMs again. The softmax layer and fine-tuning make
        `softmax_iter` and `finetune_iter` more passes.
    random_state : int, RandomState instance or None, default=None
        Seed of all phases.
    verbose : int, default=0
        If positive, print a line after each pass.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels of the rows of positive weight; for multilabel targets, the column numbers.
    visible_units_ : ndarray of str of shape (n_features,)
        Kind of the unit of each column, "binary" or "gaussian", with or without pretraining: see
        `visible_units` of the template.
    offset_, scale_ : ndarray of shape (n_features,)
        Mean and standard deviation, outliers clipped, of each column with a gaussian unit; 0 and 1
        for binary units. The network sees ``(x - offset_) / scale_``; values of gaussian units
        beyond both 5 and the range of the values that are not outliers are clipped, and those of
        binary units to [-0.5, 1.5] unless some of those fitted were outside [0, 1].
    rbms_ : list of RBMTransformer
        The RBMs as pretraining left them, with their visible intercepts; empty without pretraining.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer after fine-tuning, as in MLPClassifier. They start from the weights in
        `rbms_`, or from a multiple of these with which the inputs of the logistic units of a layer
        have a standard deviation of 1 (root mean square over the units), if they have less.
    intercepts_ : list of ndarray of shape (n_out,)
        Intercepts of each layer after fine-tuning.
    softmax_loss_curve_ : list of float
        Mean cross-entropy in nats over each pass of the softmax phase; of several labels, their
        sum.
    loss_curve_ : list of float
        Mean cross-entropy in nats over each pass of fine-tuning, on the rows as trained on: with
        noise, dropout and adversarial steps. It ignores label smoothing and includes the mean
        divergence of virtual adversarial steps.
    validation_scores_ : list of float
        Accuracy on the held-out rows after each pass of fine-tuning, if the last fit had any: the
        share of rows whose label, or all of whose labels, are right, weighted by rows and classes.
        The RBMs in `rbms_` monitor the same rows.
    validation_loss_curve_ : list of float
        Mean cross-entropy on the held-out rows after each of these passes, in nats.
    best_validation_score_ : float
        Best accuracy of the last fit, unless it had ``early_stopping="loss"``; with
        ``early_stopping=True`` that of the weights kept.
    best_validation_loss_ : float
        Lowest loss of the last fit, with ``early_stopping="loss"``.
    virtual_adversarial_ : float
        Length of the virtual adversarial step, 0 if there is none.
    n_iter_ : int
        Number of passes of fine-tuning made.
    n_layers_ : int
        Number of layers, including the input and the softmax layer.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during fit, if all are strings.

    See Also
    --------
    DBNRegressor : The same for numerical targets.
    RBMTransformer : One layer.
    sklearn.neural_network.MLPClassifier : A network without pretraining.

    Notes
    -----
    Computations use the type of X, float32 or float64; float32 is about twice as fast. Bytes,
    booleans, integers of up to 16 bits and float16 become float32, other types float64. Besides X,
    `fit` holds at most the activations of two neighbouring layers. Prediction works in blocks of
    rows and warns (`DataRangeWarning`) when many values are far from those of the rows fitted.

    The same `random_state` gives bit-identical parameters on one computer with the same number of
    threads. Another number of threads changes the order of rounding, and predictions agree to float
    tolerance. In long training such a difference can flip a state that is drawn; the parameters
    then differ in detail, as with another seed.

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

        The first call pretrains the layers, unless `pretrain` is False, and trains the top layer.
        Its rows should be many and mixed: they also determine the kinds and scales of the columns,
        and what "auto" means from then on. Every call fine-tunes, continuing with the optimizer and
        the random numbers of the call before; the step size follows `learning_rate` over
        `finetune_iter` calls, and stays constant if that is "auto".

        After `fit`, calls only fine-tune, and a step size of "auto" is a tenth of what it was. No
        rows are held out: `early_stopping` has no effect here.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or an indicator matrix of several labels. Rows may lack a label, marked by
            `unlabeled`, but not all rows of a call. The first call with such rows determines the
            length of a virtual adversarial step of "auto".
        classes : array-like of shape (n_classes,), default=None
            All classes that will occur. Required in the first call unless its rows have them all.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, relative to the rows of all calls.

        Returns
        -------
        DBNClassifier
            The classifier.

        Raises
        ------
        ValueError
            If X, y or a parameter is invalid, a class is new, or the step size has fallen to 0.
        DivergenceError
            If a weight or intercept is not finite after the pass; the classifier is then as it
            was before the call.

        Warns
        -----
        DataRangeWarning
            If `visible_units` of the template is "binary" and the first X has values outside
            [0, 1], if the first X has too few rows to determine the scales of its columns, or if
            many values of a later X are far from those of the first.
        HiddenUnitsWarning, GrowingWeightsWarning
            If pretraining in the first call left most units of a layer saturated, or weights still
            growing.
        FittedTemplateWarning
            If `rbm` in the first call is a fitted RBM, which is trained from scratch.
        DataConversionWarning
            If the first y is one-hot and `classes` is not given.
        InterruptedTrainingWarning
            If training was interrupted from the keyboard.
        """
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            raise ValueError(
                "class_weight == 'balanced' needs all rows at once, but partial_fit sees only a "
                "part of them. Pass a dict of weights, or sample_weight, computed from all labels "
                "by sklearn.utils.class_weight.compute_sample_weight('balanced', y)."
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
        """What early stopping monitors."""
        return "loss" if self.early_stopping == "loss" else "score"

    def _check_head(self):
        """Check the weights of the classes and the marker of rows without a label."""
        marker = self.unlabeled
        if marker is not None and (isinstance(marker, bool) or not isinstance(marker, Real | str)):
            raise TypeError(
                f"unlabeled == {marker!r}, must be the value of y that marks rows without a "
                "label: a number such as -1, a string, or float('nan') for missing values of all "
                "kinds. Use None if all rows have labels."
            )
        if isinstance(self.class_weight, str):
            check_choice(self.class_weight, "class_weight", ["balanced"])
        elif isinstance(self.class_weight, dict):
            for label, weight in self.class_weight.items():
                check_real(weight, f"class_weight[{label!r}]")
        elif self.class_weight is not None:
            raise TypeError(
                f"class_weight == {self.class_weight!r}, must be 'balanced', None, or a dict that "
                "maps classes to weights."
            )

    def _read_targets(self, rows, goes_on, is_part=False, classes=None):
        """Return fitted attributes of the head, the number of outputs, and an encoder of labels."""
        labels = self._given_labels(rows.y, "y")
        if self.unlabeled is not None and not is_part:
            warn_unless_some_are_unlabelled(np.ma.getmaskarray(rows.y), self.unlabeled)
        check_classification_targets(labels)
        if is_multilabel(labels):
            return self._read_indicator(rows, goes_on, is_part, classes)
        given = np.unique(_flat(labels)) if classes is None else self._listed(classes)
        if goes_on and is_part and classes is None and self._head == "softmax":
            given = self.classes_
        what = "y has" if classes is None else "classes lists"
        self._check_same("softmax", given, goes_on, is_part, what)
        if len(given) < 2:
            raise ValueError(
                f"y has only one class, {given.tolist()[0]!r}, in the rows of positive weight; "
                f"{type(self).__name__} needs at least two classes."
                + is_part
                * " List all classes in the first call: partial_fit(X, y, classes=...)."
            )

        def encode(rows, name):
            y = _flat(self._given_labels(rows.y, name), name)
            unknown = _unknown(y, given).tolist()
            if unknown:
                advice = (
                    " Start anew with all classes: clone(model).partial_fit(X, y, classes=...)."
                    if goes_on
                    else " List all classes: partial_fit(X, y, classes=...)."
                )
                raise ValueError(
                    f"{name} has {unknown[0]!r}, which is not among the classes"
                    + (f": {given}.{advice}" if is_part else f" in y: {given}.")
                )
            numbers = np.full(rows.X.shape[0], UNLABELLED)
            numbers[~np.ma.getmaskarray(rows.y).ravel()] = np.searchsorted(given, y)
            return rows._replace(y=numbers)

        self._check_keys_of_class_weight(given)
        return {"classes_": given, "_head": "softmax"}, len(given), encode

    def _listed(self, classes):
        """Return the argument `classes` as a sorted array."""
        entries = np.array(list(classes), object)
        if self.unlabeled is not None and means_no_label(entries, self.unlabeled).any():
            raise ValueError(
                f"classes contains {self.unlabeled!r}, the value of unlabeled, which marks rows "
                "without a label. Leave it out."
            )
        return sorted_classes(classes)

    def _check_keys_of_class_weight(self, classes):
        """Raise if class_weight has a key that is no class, and no key for some class."""
        if not isinstance(self.class_weight, dict):
            return
        keys = {_key(label, classes): label for label in self.class_weight}
        known = set(_keys(classes))
        unknown = [label for key, label in keys.items() if key not in known]
        if unknown and not known <= set(keys):  # complete keys may be of rows that are not here
            shown = repr(classes) if classes.dtype.kind in "mM" else classes
            raise ValueError(
                f"class_weight has a weight for {unknown[0]!r}, which is not among the classes in "
                f"y: {shown}. Use these classes as its keys."
            )

    def _read_indicator(self, rows, goes_on, is_part, classes):
        """Return the same as `_read_targets` for an indicator matrix of several labels."""
        if self.class_weight is not None:
            raise ValueError(
                "class_weight needs one class per row, but y is an indicator matrix of several "
                "labels. Set class_weight=None; to weight rows, pass sample_weight."
            )
        if isinstance(self.virtual_adversarial, Real) and self.virtual_adversarial > 0.0:
            raise ValueError(
                f"virtual_adversarial == {self.virtual_adversarial} needs one class per row, but "
                "y is an indicator matrix of several labels. Set virtual_adversarial=0."
            )
        n_labels = rows.y.shape[1]
        y = _of_zeros_and_ones(rows.y, "y")
        if not goes_on and classes is None and (y.sum(axis=1) == 1).all():
            warn(
                "y is one-hot: each row has exactly one label. The net learns the labels one by "
                "one, as if a row might have several. If they are classes, pass y.argmax(axis=1) "
                "if y is an array (y.toarray().argmax(axis=1) if it is sparse), or "
                "y.idxmax(axis=1) if it is a DataFrame, which keeps the names."
                + f" Otherwise pass classes=range({n_labels}) as well."
                * is_part,
                DataConversionWarning,
            )
        if classes is not None and len(classes) != n_labels:
            raise ValueError(
                f"classes has {len(classes)} entries, but y is an indicator matrix of {n_labels} "
                f"labels. Pass classes=range({n_labels})."
            )
        self._check_same("logistic", np.arange(n_labels), goes_on, is_part)

        def encode(rows, name):
            if not is_multilabel(rows.y) or rows.y.shape[1] != n_labels:
                raise ValueError(
                    f"{name} has shape {np.shape(rows.y)}, must be an indicator matrix of "
                    f"{n_labels} labels, like y."
                )
            return rows._replace(y=_of_zeros_and_ones(rows.y, name).astype(rows.X.dtype))

        return {"classes_": np.arange(n_labels), "_head": "logistic"}, n_labels, encode

    def _check_same(self, head, classes, goes_on, is_part, what="y has"):
        """Raise if a net to be trained further was fitted to other classes."""
        if goes_on and (head != self._head or not np.array_equal(classes, self.classes_)):
            given, fitted = _described(head, classes), _described(self._head, self.classes_)
            advice = "To start anew, call set_params(warm_start=False) and fit."
            if is_part:
                advice = "Start anew with all classes: clone(model).partial_fit(X, y, classes=...)."
            raise ValueError(f"{what} {given}, but the fitted network has {fitted}. {advice}")

    def _given_labels(self, y, name):
        """Return the labels of the labelled rows."""
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
        """Return rows with weights times those of their classes, balanced over `rows`."""
        if self.class_weight is None:
            return rows, held_out
        n_classes = len(self.classes_)
        if isinstance(self.class_weight, dict):
            items = self.class_weight.items()
            given = {_key(label, self.classes_): weight for label, weight in items}
            by_class = np.array([given.get(key, 1.0) for key in _keys(self.classes_)])
        else:
            counts = np.bincount(rows.y, weights=rows.weight, minlength=n_classes)
            by_class = counts.sum() / (n_classes * np.where(counts > 0.0, counts, np.inf))
        return _times(by_class, rows, "X"), _times(by_class, held_out, "X_val")

    def _targets_of(self, y):
        """Return labels, or indicators, in the form given to `fit`."""
        if self._head != "softmax":
            return y.astype(int)
        labels, has_none = self.classes_[y], y == UNLABELLED
        if not has_none.any():
            return labels
        if labels.dtype.kind not in "iuf" or not isinstance(self.unlabeled, Real):
            labels = labels.astype(object)  # one array for both
        return np.where(has_none, self.unlabeled, labels)

    def _validate_targets(self, X, y, **rules):
        """Return rows and labels, as a masked array if some labels are missing."""
        name, y = rules.get("name", "X").replace("X", "y"), _dense_column(y)
        if self.unlabeled is None:
            check_labels(y, name, ", or set unlabeled=float('nan') if they have no label")
            X, y = super()._validate_targets(X, y, **rules)
            warn_of_column(y, name)
            return X, y
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
            Probabilities in the order of `classes_`. Each row sums to 1, except for multilabel
            targets, where each label has its own probability.
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
            Class labels, or zeros and ones for multilabel targets.
        """
        p = self.predict_proba(X)
        if self._head == "logistic":
            return (p > 0.5).astype(int)
        return self.classes_[p.argmax(axis=1)]

    def score(self, X, y, sample_weight=None):
        """Return the share of rows whose label, or all of whose labels, are predicted correctly.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels. Rows marked by `unlabeled` are left out.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        Returns
        -------
        float
            Accuracy.

        Raises
        ------
        ValueError
            If no row has a label.

        Warns
        -----
        FewLabelsWarning
            If `unlabeled` is set and y has labels that no row had in `fit`.
        """
        if self.unlabeled is None:
            return super().score(X, _dense_column(y), sample_weight)
        labels = masked_labels(_dense_column(y), self.unlabeled)
        predicted = np.asarray(self.predict(X))
        check_consistent_length(labels, predicted, sample_weight)
        weight = None if sample_weight is None else np.asarray(sample_weight)[~labels.mask]
        labels, predicted = labels.compressed(), predicted[~labels.mask]
        accuracy = accuracy_score(labels, predicted, sample_weight=weight)
        counted = labels if weight is None else labels[weight > 0]
        warn_of_unknown_labels(_unknown(counted, self.classes_))
        return accuracy

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = self.unlabeled is None
        return tags


def _times(by_class, rows, name):
    """Return rows with weights times those of their classes."""
    if rows is None:
        return None
    weight = by_class[rows.y] * (1.0 if rows.weight is None else rows.weight)
    if not weight.any():
        raise ValueError(
            f"class_weight is 0 for the class of every row of {name}. Give a class that occurs in "
            "these rows a positive weight, or leave the rows out."
        )
    return rows._replace(weight=weight)


def _flat(y, name="y"):
    """Return labels, one class per row, as a vector."""
    if issparse(y) or (y.ndim == 2 and y.shape[1] > 1):
        if name != "y":
            raise ValueError(
                f"{name} has shape {y.shape}, must have one class for each row, like y."
            )
        raise ValueError(
            f"y has shape {y.shape} and values other than 0 and 1. Pass one class for each row, "
            "or an indicator matrix of zeros and ones for several labels."
        )
    return column_or_1d(y)


def _dense_column(y):
    """Return labels, of which a sparse column becomes a vector: one class for each row."""
    return y.toarray().ravel() if issparse(y) and y.shape[1:] == (1,) else y


def _keys(classes):
    """Return a key for each class."""
    labels = classes if classes.dtype.kind in "mM" else classes.tolist()
    return [_key(label, classes) for label in labels]


def _key(label, classes):
    """Return what a label is looked up by: itself, or the time or the span, whatever its type."""
    kind = classes.dtype.kind
    has_no_unit = isinstance(label, Integral) and not isinstance(label, np.timedelta64)
    if kind not in "mM" or has_no_unit:
        return label
    try:
        return (np.datetime64 if kind == "M" else np.timedelta64)(label).astype(f"{kind}8[ns]")
    except (TypeError, ValueError):
        return label


def _unknown(labels, classes):
    """Return the labels that are not among the classes."""
    labels = np.unique(labels)
    kinds = {array.dtype.kind for array in (labels, classes)}
    if "U" in kinds and kinds & set("biuf"):  # NumPy would compare the numbers as strings
        return labels
    # The other way overflows with large unsigned labels in old versions of NumPy.
    return labels[np.isin(labels, classes, invert=True, kind="sort")]


def _described(head, classes):
    """Describe in words what a head predicts."""
    if head == "softmax":
        return f"the classes {classes}"
    return f"{len(classes)} labels in an indicator matrix"


def _of_zeros_and_ones(y, name):
    """Return an indicator matrix as an array; raise if it has values other than 0 and 1."""
    y = y.toarray() if issparse(y) else y
    values = np.unique(y)
    if not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"{name} has several columns with the values {values}, but an indicator matrix of "
            f"several labels has only zeros and ones. Pass {name} == {values.max()}."
        )
    return y
