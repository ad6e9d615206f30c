"""The deep belief net as a scikit-learn regressor."""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import RegressorMixin

from skdbn._dbn_base import DeepBeliefNet
from skdbn._training.checks import check_choice, text_as_target
from skdbn._training.columns import ROUNDING, limits_without_outliers

UNITS_OF_ROUNDING = 16.0  # units in the last place by which equal targets may differ
LARGEST = np.sqrt(np.finfo(float).max)  # absolute value of a target
HEADS_OF_LOSSES = {"squared_error": "linear", "absolute_error": "absolute", "poisson": "poisson"}


class DBNRegressor(RegressorMixin, DeepBeliefNet):
    """Deep belief net: pretrained layer by layer, fine-tuned as a regressor.

    `fit` has three phases. Each hidden layer is trained as a restricted Boltzmann machine on the
    hidden probabilities of the one below; a linear layer on top is trained while the layers below
    are frozen; then backpropagation trains all layers. Before the last two phases, the weights of
    a layer whose units hardly differ from one row to the next are multiplied by a common factor,
    because fine-tuning is too brief to make them large: see `coefs_`.

    The columns of the data may hold probabilities, zeros and ones, or measurements on any scale,
    side by side, and there may be one target or several, on any scale. No scaler is needed. Columns
    within [0, 1] get binary units; if they hold measurements that lie there by nature,
    ``rbm=RBMTransformer(visible_units="gaussian")`` may learn them better.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Number of units of each hidden layer, from the bottom up.
    loss : {"squared_error", "absolute_error", "poisson"}, default="squared_error"
        What the net minimizes. "squared_error" predicts means; "absolute_error" predicts medians,
        which outliers among the targets hardly change; "poisson" predicts means, never negative, of
        counts or other targets that are 0 or more.
    rbm : RBMTransformer, sequence of RBMTransformer or FrozenEstimator, or None, default=None
        Template of the RBMs, cloned for each layer, or a list with one for each layer. Its
        parameters can be searched as ``rbm__learning_rate`` and so on, in a list as
        ``rbm__0__learning_rate``; the regressor sets `n_components`, `random_state` and, above the
        first layer, `visible_units`, which match the hidden units below. Callbacks belong on the
        regressor, not here. None stands for ``RBMTransformer()``. A fitted RBM in a
        :class:`sklearn.frozen.FrozenEstimator` is used as it is, so layers can be pretrained on
        other data, for example when only some rows have targets.
    pretrain : bool, default=True
        Whether to pretrain. False starts from Glorot's random weights: the control that shows what
        pretraining is worth.
    output_iter : int, default=10
        Passes over the data (epochs) that train the top layer while the layers below are frozen.
    finetune_iter : int or "auto", default="auto"
        Passes of backpropagation through all layers. "auto" makes 10, or as many as 4500
        minibatches take if that is more, but at most 100.
    solver : {"adam", "sgd"}, default="adam"
        Optimizer of the output and fine-tuning phases; "sgd" has momentum 0.9.
    learning_rate_init : float or "auto", default="auto"
        Step size of the solver. "auto" is 1e-3; for fewer than 10,000 rows it is 1 divided by the
        number of units of the widest hidden layer, but at least 2e-3 and at most 1e-2.
    learning_rate : {"cosine", "linear", "constant"}, default="cosine"
        How the step size changes during fine-tuning: it decreases to 0 along half a cosine or a
        straight line, or stays constant. It is constant during the output phase.
    alpha : float, default=0.0
        L2 penalty: ``alpha / 2 * sum(W^2)`` is added to the mean loss. The weights of
        measurements scaled to [0, 1] count times the standard deviations of these columns.
    dropout : float, default=0.0
        Probability in [0, 1) of setting a hidden unit to 0 during fine-tuning.
    input_dropout : float, default=0.0
        Probability in [0, 1) of setting a feature to 0 during fine-tuning.
    noise : float or "auto", default="auto"
        Standard deviation of the nearly normal noise of mean 1 that multiplies each hidden
        activation during fine-tuning ("Gaussian dropout"). "auto" is 0.3 for fewer than 10,000
        rows, which a net would otherwise memorize, and 0 otherwise.
    input_noise : float, default=0.0
        Standard deviation of the noise of mean 0 added to each feature, as the network sees it,
        during fine-tuning.
    adversarial : float, default=0.0
        Length of the step, in the Euclidean norm of what the network sees, by which each row is
        moved in the direction in which its loss grows most before fine-tuning trains on it
        ("adversarial training").
    batch_size : int or "auto", default="auto"
        Rows per minibatch of the output and fine-tuning phases. "auto" aims at a hundred
        minibatches per pass, with 2 to 100 rows each.
    early_stopping : bool or "loss", default=False
        Whether to hold out rows, stop fine-tuning when their loss no longer falls, and keep the
        weights of the best pass. True and "loss" mean the same here.
    validation_fraction : float, default=0.1
        Share of the rows to hold out from all phases when `early_stopping` is set and `fit` gets no
        `X_val`.
    n_iter_no_change : int, default=10
        Early stopping ends fine-tuning after this many passes in a row in which the loss does not
        fall by more than `tol`.
    tol : float, default=1e-4
        Smallest decrease of the loss that counts for early stopping.
    warm_start : bool, default=False
        Whether `fit` continues where an earlier one ended or was interrupted by Ctrl-C. Pretraining
        is topped up: each layer makes the passes still missing from its template's `n_iter`, so
        finished layers stay as they are unless `n_iter` was raised; if a layer is trained further,
        the network starts from the RBMs again. The top layer and fine-tuning make `output_iter` and
        `finetune_iter` more passes.
    random_state : int, RandomState instance or None, default=None
        Seed of all phases.
    verbose : int, default=0
        If positive, print a line after each pass.

    Attributes
    ----------
    target_offset_, target_scale_ : ndarray of shape (n_targets,)
        Mean and standard deviation of each target in the rows of `fit` or of the first
        `partial_fit`: the net learns ``(y - target_offset_) / target_scale_``. With
        "absolute_error" they are the median and a deviation from it that ignores outliers, with
        "poisson" 0 and the mean.
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
        Weights of each layer after fine-tuning, as in MLPRegressor. They start from the weights in
        `rbms_`, or from a multiple of these with which the inputs of the logistic units of a layer
        have a standard deviation of 1 (root mean square over the units), if they have less.
    intercepts_ : list of ndarray of shape (n_out,)
        Intercepts of each layer after fine-tuning.
    output_loss_curve_ : list of float
        Mean loss over each pass of the output phase. The loss is half the squared error, the
        absolute error, or half the deviance, in units of `target_scale_`, summed over the targets.
    loss_curve_ : list of float
        Mean loss over each pass of fine-tuning, on the rows as trained on: with noise, dropout and
        adversarial steps.
    validation_loss_curve_ : list of float
        Mean loss on the held-out rows after each pass of fine-tuning, if the last fit had any. The
        RBMs in `rbms_` monitor the same rows.
    validation_scores_ : list of float
        R^2 on the held-out rows after each of these passes.
    best_validation_loss_ : float
        Lowest loss on the held-out rows in the last fit; with `early_stopping` that of the weights
        kept.
    n_iter_ : int
        Number of passes of fine-tuning made.
    n_layers_ : int
        Number of layers, including the input and the top layer.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during fit, if all are strings.

    See Also
    --------
    DBNClassifier : The same for classes.
    sklearn.neural_network.MLPRegressor : A network without pretraining.

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

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skdbn import DBNRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> DBNRegressor(random_state=0).fit(X, y).predict(X[:3]).shape
    (3,)
    """

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        *,
        loss="squared_error",
        rbm=None,
        pretrain=True,
        output_iter=10,
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
        self.loss = loss
        self.rbm = rbm
        self.pretrain = pretrain
        self.output_iter = output_iter
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
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # -- training

    def partial_fit(self, X, y, sample_weight=None):
        """Make one pass of fine-tuning over some of the rows.

        The first call pretrains the layers, unless `pretrain` is False, and trains the top layer.
        Its rows should be many and mixed: they also determine the scales of the columns and the
        targets, and what "auto" means from then on. Every call fine-tunes, continuing with the
        optimizer and the random numbers of the call before; the step size follows `learning_rate`
        over `finetune_iter` calls, and stays constant if that is "auto".

        After `fit`, calls only fine-tune, and a step size of "auto" is a tenth of what it was. No
        rows are held out: `early_stopping` has no effect here.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, relative to the rows of all calls.

        Returns
        -------
        DBNRegressor
            The regressor.

        Raises
        ------
        ValueError
            If X, y or a parameter is invalid, or the step size has fallen to 0.
        DivergenceError
            If a weight or intercept is not finite after the pass; the regressor is then as it
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
        InterruptedTrainingWarning
            If training was interrupted from the keyboard.
        """
        return self._go_on_with_part(X, y, sample_weight)

    _fitted = (*DeepBeliefNet._fitted, "target_offset_", "target_scale_", "output_loss_curve_")
    _top, _watches, _may_watch = "output", "loss", ("loss",)
    _fewest_steps = 4500  # with "auto"; 3000 leave curves half learned
    _most_passes = 100  # below 90 rows, more passes memorize noise
    _rules_of_targets = {"multi_output": True, "y_numeric": True}

    def _check_head(self):
        """Check the loss."""
        check_choice(self.loss, "loss", HEADS_OF_LOSSES)

    def _read_targets(self, rows, goes_on, is_part=False):
        """Return the scale of the targets, their number, and an encoder of them."""
        y, head = self._as_columns(rows.y, "y"), HEADS_OF_LOSSES[self.loss]
        if goes_on:
            self._check_same(head, y.shape[1], is_part)
            offset, scale = self.target_offset_, self.target_scale_
        else:
            offset, scale = _offset_and_scale(y, rows.weighted().weight, self.loss)

        def encode(rows, name):
            y = self._as_columns(rows.y, name)
            if y.shape[1] != len(offset):
                raise ValueError(f"{name} has {y.shape[1]} targets, but y has {len(offset)}.")
            largest = np.sqrt(np.finfo(rows.X.dtype).max)  # a wild target has a finite square
            y = np.clip((y - offset) / scale, -largest, largest)
            return rows._replace(y=y.astype(rows.X.dtype))

        attributes = {"target_offset_": offset, "target_scale_": scale, "_head": head}
        return attributes, y.shape[1], encode

    def _before_training(self, run, templates, rows, *others, **known):
        """Return the fitted attributes before the first pass."""
        attributes = super()._before_training(run, templates, rows, *others, **known)
        if not run.goes_on:
            never_varies = (rows.y == rows.y[0]).all(axis=0)
            # Steps leave such a target at its offset, which is its value in all rows.
            attributes["coefs_"][-1][:, never_varies] = 0.0
        return attributes

    def _as_columns(self, y, name):
        """Return targets as one column each; raise if the net cannot learn them."""
        if y.dtype.kind in "mM":
            raise ValueError(
                f"{name} holds dates or time spans. Pass numbers, such as the days since the first "
                "date: (y - y.min()) / np.timedelta64(1, 'D')."
            )
        try:
            y = (y.toarray() if issparse(y) else y).astype(float)
        except ValueError as error:
            raise text_as_target(name, error) from error
        y = y.reshape(len(y), -1)
        largest = abs(y).max()
        if largest > LARGEST:
            raise ValueError(
                f"{name} has values as large as {largest:.6g}, whose squares are not finite. "
                "Divide the targets by a constant."
            )
        if self.loss == "poisson" and y.min() < 0.0:
            raise ValueError(
                f"{name} has the value {y.min():.6g}, but loss == 'poisson' allows no negative "
                "targets. Set loss='squared_error'."
            )
        return y

    def _check_same(self, head, n_targets, is_part):
        """Raise if a net to be trained further was fitted to other targets."""
        if (head, n_targets) != (self._head, len(self.target_scale_)):
            losses = {head: loss for loss, head in HEADS_OF_LOSSES.items()}
            how = "clone(model).partial_fit(X, y)"
            if not is_part:
                how = "set_params(warm_start=False) and fit"
            raise ValueError(
                f"The fitted network has loss == {losses[self._head]!r} and "
                f"{len(self.target_scale_)} targets, not {self.loss!r} and {n_targets}. To start "
                f"anew, call {how}."
            )

    def _targets_of(self, y):
        """Return targets in the form given to `fit`."""
        y = y * self.target_scale_ + self.target_offset_
        return y.ravel() if y.shape[1] == 1 else y

    # -- inference

    def predict(self, X):
        """Return the predicted targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predicted targets in float64; a vector if there is one target.
        """
        return self._targets_of(self._outputs(self._read_new(X)))

    def score(self, X, y, sample_weight=None):
        """Return R^2, the share of the variance of the targets that is explained.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        Returns
        -------
        float
            The coefficient of determination, at most 1; a mean over the targets.
        """
        return super().score(X, y.toarray() if issparse(y) else y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags


def _offset_and_scale(y, weight, loss):
    """Return what the targets are shifted and divided by before the net sees them."""
    if loss == "absolute_error":  # outliers must have no effect: clip, and use medians
        weight = np.ones(len(y)) if weight is None else weight.astype(float)
        y = np.clip(y, *limits_without_outliers(y, weight))
    largest = abs(y).max(axis=0)
    largest = np.where(largest > 0.0, largest, 1.0)
    shares = y / largest  # within [-1, 1], where squares are safe
    if loss == "absolute_error":
        half = 0.5 - ROUNDING  # the same for weights times 3
        mean = np.quantile(shares, half, axis=0, weights=weight, method="inverted_cdf")
    else:
        mean = np.average(shares, axis=0, weights=weight)
    mean = np.where((shares == shares[0]).all(axis=0), shares[0], mean)  # without rounding
    if loss == "poisson":
        if not (mean > 0.0).all():
            raise ValueError(
                f"y is 0 in every row{'' if len(mean) == 1 else ' of a column'}, but loss == "
                "'poisson' needs a target above 0. Set loss='squared_error'."
            )
        return np.zeros(len(mean)), largest * mean
    deviation = np.sqrt(np.average((shares - mean) ** 2, axis=0, weights=weight))
    varies = deviation > UNITS_OF_ROUNDING * np.finfo(float).eps
    return largest * mean, largest * np.where(varies, deviation, 1.0)
