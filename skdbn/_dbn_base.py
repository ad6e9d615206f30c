"""Code shared by the estimators of deep belief nets.

The rule: a subclass adds parameters, the encoding of its targets, and prediction.
"""

import math
from functools import partial

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skdbn._dbn import (
    PERTURBATIONS,
    SHARE_AFTER_FIT,
    beginning_of_parts,
    check_same_frozen,
    check_that_it_can_go_on,
    finetuning,
    finetuning_of_a_part,
    network_of,
    passes_of_finetuning,
    pretrain,
    random_start,
    rate_falls_from_part_to_part,
    top_training,
    try_step,
    warn_if_predictions_went_elsewhere,
)
from skdbn._layers import (
    check_fit_together,
    check_same_kinds,
    finetuned_machines,
    is_frozen,
    machines_of_layers,
    sizes_of_layers,
    warn_of_fitted_templates,
    with_parameters,
)
from skdbn._maths.engines import ENGINES
from skdbn._maths.heads import HEADS
from skdbn._maths.likelihood import Stack, bound_of_log_mass
from skdbn._maths.network import hidden_layers, outputs
from skdbn._maths.optimizers import OPTIMIZERS, SCHEDULES
from skdbn._training.callbacks import with_callbacks
from skdbn._training.checks import (
    MAX_SEED,
    check_auto_or,
    check_choice,
    check_flag,
    check_integer,
    check_log_partition,
    check_real,
    check_schedule_of_passes,
    check_weight_of_held_out,
    whole_number,
)
from skdbn._training.columns import (
    COLUMN_ATTRIBUTES,
    check_zeros_and_ones,
    map_of,
    warn_of_few_rows,
    warn_of_other_scale,
)
from skdbn._training.diagnosis import warn_unless_converged
from skdbn._training.fitting import Run, TrainedEstimator
from skdbn._training.loop import fitted_attributes
from skdbn._training.rows import Rows, hold_out, in_blocks, that_count

OF_HELD_OUT_ROWS = (
    "validation_scores_",
    "validation_loss_curve_",
    "best_validation_score_",
    "best_validation_loss_",
)
MAY_BE_AUTO = ("noise", "virtual_adversarial")
NOT_WATCHED = {"score": ("best_validation_loss_",), "loss": ("best_validation_score_",)}


def _is_pretrained(net):
    """Return True if a net pretrains its layers, else raise."""
    if not net.pretrain:
        raise AttributeError(
            f"This {type(net).__name__} has pretrain=False: only pretrained layers have a way "
            "back to the data."
        )
    return True


def _check_standard(standard, coef):
    """Raise unless means and deviations of the inputs, read from a file, fit the first layer."""
    engine = ENGINES["numpy"](coef.dtype, 0)
    mean, deviation = (engine.given(part, coef.shape[:1]) for part in standard)
    if not (engine.all_finite(mean) and engine.all_finite(deviation) and deviation.min() > 0.0):
        raise ValueError("the means or the deviations of the inputs are out of range")


class DeepBeliefNet(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TrainedEstimator):
    """Base class of deep belief nets, fine-tuned for what their head predicts.

    A subclass has the parameters and these members:

    * ``_top``: the name of the phase that trains the top layer;
    * ``_watches``: what early stopping monitors on the held-out rows, "score" or "loss", and
      ``_may_watch``: the strings that `early_stopping` may be;
    * ``_check_head()``: checks the subclass's own parameters;
    * ``_rules_of_targets``: arguments for scikit-learn's validation of the targets;
    * ``_read_targets(rows, goes_on)``: returns fitted attributes of the head, the number of
      outputs, and a function that encodes targets, given rows and the name of their targets.
      ``partial_fit`` also passes ``is_part=True``, and ``classes`` if there are any;
    * ``_targets_of(y)``: decodes targets.

    It may override ``_validate_targets``, ``_has_target``, ``_weigh_classes``,
    ``_before_training``, and the limits of ``finetune_iter="auto"``.
    """

    _fewest_steps, _most_passes = 3000, math.inf  # of fine-tuning, if `finetune_iter` is "auto"

    def set_params(self, **params):
        """Set parameters, including those of the template or templates in `rbm`.

        Parameters
        ----------
        **params : dict
            Parameters. ``rbm__learning_rate`` is that of a single template, which is created if
            `rbm` is None; ``rbm__0__learning_rate`` is that of the first template in a list.

        Returns
        -------
        DBNClassifier or DBNRegressor
            The estimator.

        Raises
        ------
        ValueError
            If there is no such parameter, or it is the number of hidden units, which
            `hidden_layer_sizes` sets.
        """
        of_templates = {name: params.pop(name) for name in [*params] if name.startswith("rbm__")}
        super().set_params(**params)
        if of_templates:
            self.rbm = with_parameters(self.rbm, of_templates)
        return self

    # -- training

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Pretrain the layers, train the top layer, fine-tune the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets: see the class.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, 0 or more, in all phases: a row of weight 2 counts like two rows, a
            row of weight 0 is left out.
        X_val : {array-like, sparse matrix} of shape (n_val_samples, n_features), default=None
            Held-out data to monitor. With `early_stopping` they decide when fine-tuning stops;
            otherwise they do not affect it.
        y_val : array-like of shape (n_val_samples,) or (n_val_samples, n_outputs), default=None
            Targets of `X_val`.
        sample_weight_val : array-like of shape (n_val_samples,), default=None
            Weights of the rows of `X_val`.

        Returns
        -------
        DBNClassifier or DBNRegressor
            The fitted estimator. After Ctrl-C it has the parameters of the last finished pass or,
            with `early_stopping`, of the best one.

        Raises
        ------
        ValueError
            If X, y, a weight or a parameter is invalid.
        DivergenceError
            If a weight or intercept is not finite after a pass; the estimator is then as it
            was before the call.

        Warns
        -----
        DataRangeWarning
            If `visible_units` of the template is "binary" and X has values outside [0, 1], if many
            values of X_val are far from those of X, or if many values of X are far from those of an
            earlier fit that continues or of a frozen RBM.
        HiddenUnitsWarning, GrowingWeightsWarning
            If pretraining left most units of a layer saturated, or weights still growing.
        FittedTemplateWarning
            If `rbm` is a fitted RBM, which is trained from scratch.
        NotConvergedWarning
            If the loss still changes much at the end of fine-tuning, or is no better than that of
            guessing.
        FewLabelsWarning
            If `unlabeled` is set and no row is without a label, or rows without labels led a
            classifier far from what the labelled rows alone predict.
        DataConversionWarning
            If y of a classifier is one-hot, so that it may have been meant as classes.
        InterruptedTrainingWarning
            If training was interrupted from the keyboard.
        """
        with Run(self, goes_on=self.warm_start) as run:
            self._fit(run, X, y, sample_weight, X_val, y_val, sample_weight_val)
        return self

    @with_callbacks
    def _fit(self, run, X, y, sample_weight, X_val, y_val, sample_weight_val):
        """Go through the phases: each layer, the top layer, all layers."""
        templates, layers = self._begin(run)
        rows, encode, start = self._read_rows(X, y, sample_weight, run.goes_on, templates)
        held_out = self._read_held_out(X_val, y_val, sample_weight_val, rows.X.dtype, encode)
        labels = rows.y if rows.y.ndim == 1 else None
        classes = start[0].get("classes_")
        rows, held_out = hold_out(self, rows, held_out, run.seeds["split"], labels, classes)
        run.start(self._before_training(run, templates, rows, held_out, start))
        if run.goes_on or is_frozen(templates[0]):
            warn_of_other_scale(self, rows.X)
        rows = rows._replace(columns=map_of(self))
        if held_out is not None:
            held_out = held_out._replace(columns=map_of(self))
            warn_of_other_scale(self, held_out.X, "X_val")
        watched = None if held_out is None else self._with_targets(held_out)
        weighed, watched = self._weigh_classes(self._with_targets(rows), watched)
        weighed, watched = weighed.weighted(), watched and watched.weighted()
        n_phases = self.pretrain * len(layers) + 2
        with run.callbacks_told(rows, held_out, n_phases, lambda: self._targets_of(rows.y)):
            if self.pretrain and not run.is_past(*layers):
                pretrain(run, self, templates, rows, held_out, weighed)
            n_passes = getattr(self, f"{self._top}_iter")
            run.go_through(
                self._top,
                n_passes,
                lambda: top_training(self, weighed, run.seeds[self._top]),
            )
            trial = self._decide_on_step(run, weighed, rows)
            all_rows = self._moved(rows)
            n_samples = (weighed if all_rows is None else all_rows).X.shape[0]
            n_passes = passes_of_finetuning(self, n_samples)
            stopped = run.go_through(
                "finetune",
                n_passes,
                lambda: finetuning(self, weighed, watched, run.seeds["finetune"], all_rows),
            )
            if min(n_passes, len(self.loss_curve_)) > 1 and not stopped:
                head = HEADS[self._head](ENGINES["numpy"](rows.X.dtype, 0))
                guessing = head.loss_of_guessing(weighed.y, weighed.weight)
                is_auto = not is_frozen(templates[0]) and templates[0].visible_units == "auto"
                has_binary = is_auto and "binary" in self.visible_units_
                warn_unless_converged(self.loss_curve_[-n_passes:], guessing, has_binary)
            if n_passes > 0 and trial is not None and all_rows is not None:
                warn_if_predictions_went_elsewhere(self, trial, rows)

    def _go_on_with_part(self, X, y, sample_weight, **known):
        """Make one pass of fine-tuning over some of the rows; pretrain on the first ones."""
        with Run(self, goes_on=True, method="partial_fit") as run:
            templates, layers = self._begin(run)
            self._check_that_calls_are_left()
            rows, _, start = self._read_rows(
                X, y, sample_weight, run.goes_on, templates, is_part=True, **known
            )
            weighted = rows.weighted()
            run.start(self._before_training(run, templates, weighted, None, start, is_part=True))
            if run.goes_on or is_frozen(templates[0]):
                warn_of_other_scale(self, rows.X)
            else:
                warn_of_few_rows(self, rows.X.shape[0])
            columns = map_of(self)
            rows, weighted = rows._replace(columns=columns), weighted._replace(columns=columns)
            weighed, _ = self._weigh_classes(self._with_targets(rows))
            is_first = not self.loss_curve_  # or follows an interrupted first call
            if is_first:
                if self.pretrain:
                    pretrain(run, self, templates, weighted, None, weighed.weighted())
                n_passes = getattr(self, f"{self._top}_iter")
                run.go_through(
                    self._top,
                    max(0, n_passes - len(getattr(self, f"{self._top}_loss_curve_"))),
                    lambda: top_training(self, weighed.weighted(), run.seeds[self._top]),
                )
            self._decide_on_step(run, weighed.weighted(), weighted, goes_on=not is_first)
            all_rows = self._moved(rows)
            run.go_through(
                "finetune",
                1,
                lambda: finetuning_of_a_part(self, weighed, run.seeds["finetune"], all_rows),
            )
        return self

    def _has_target(self, rows):
        """Tell of each row whether it has a target."""
        return np.ones(rows.X.shape[0], bool)

    def _with_targets(self, rows):
        """Return the rows that have targets."""
        has_target = self._has_target(rows)
        return rows if has_target.all() else rows.take(np.flatnonzero(has_target))

    def _weigh_classes(self, rows, held_out=None):
        """Return the rows with the weights for learning the targets."""
        return rows, held_out

    def _decide_on_step(self, run, weighed, rows, goes_on=False):
        """Set the length of the virtual adversarial step; return the trial of "auto", if any.

        Only the first rows of which some have no label are tried: later parts keep the length.
        """
        if not hasattr(self, "virtual_adversarial"):
            return None
        if self.virtual_adversarial != "auto":
            self.virtual_adversarial_ = float(self.virtual_adversarial)
            return None
        if goes_on and self._kept["has_tried"]:
            return None
        can_try, trial = weighed.X.shape[0] < rows.X.shape[0], None
        if not run.resumes("finetune"):
            self.virtual_adversarial_ = 0.0
            if can_try:
                trial = try_step(self, weighed, rows, run.seeds["finetune"])
                self.virtual_adversarial_ = trial.length
        self._kept = {**self._kept, "has_tried": can_try}
        if trial is None:
            return None
        run.report(
            f"virtual adversarial step tried: length {trial.length:.3g}, "
            f"kappa {trial.agreement:.2f}"
        )
        return trial

    def _moved(self, rows):
        """Return the rows of the virtual adversarial loss, or None if there is none."""
        return rows if getattr(self, "virtual_adversarial_", 0.0) > 0.0 else None

    def _check_that_calls_are_left(self):
        """Raise if the rate of partial_fit has fallen to 0."""
        n_calls = getattr(self, "_kept", {"n_calls": 0})["n_calls"]
        if rate_falls_from_part_to_part(self) and n_calls >= self.finetune_iter:
            raise ValueError(
                f"partial_fit was called {n_calls} times, but learning_rate == "
                f"{self.learning_rate!r} decreases the rate to 0 over finetune_iter == "
                f"{self.finetune_iter} calls. Start again with finetune_iter set to the number of "
                "calls you plan, or, to continue now, set learning_rate='constant' and a small "
                "learning_rate_init, such as 1e-4."
            )

    _fitted = (
        "rbms_",
        "coefs_",
        "intercepts_",
        "loss_curve_",
        *OF_HELD_OUT_ROWS,
        "n_iter_",
        "n_layers_",
        *COLUMN_ATTRIBUTES,
        "_hidden_units",
        "_head",
        "_kept",  # what the next call of partial_fit starts from
    )

    def _begin(self, run):
        """Check the parameters and draw the seeds; return the templates and names of the layers."""
        templates = self._check_parameters()
        layers = [f"pretrain layer {i}" for i in range(1, len(templates) + 1)]
        run.draw_seeds(*layers, "split", "start", self._top, "finetune")
        return templates, layers

    def _check_parameters(self):
        """Check all parameters; return the template or frozen RBM of each layer."""
        sizes = sizes_of_layers(self.hidden_layer_sizes)
        check_flag(self.pretrain, "pretrain")
        check_integer(getattr(self, f"{self._top}_iter"), f"{self._top}_iter", 0)
        check_auto_or(check_integer, self.finetune_iter, "finetune_iter", 0)
        check_choice(self.solver, "solver", OPTIMIZERS)
        check_auto_or(
            check_real, self.learning_rate_init, "learning_rate_init", boundaries="neither"
        )
        check_choice(self.learning_rate, "learning_rate", SCHEDULES)
        check_real(self.alpha, "alpha")
        for name, maximum in PERTURBATIONS.items():
            value = getattr(self, name, 0.0)
            check = partial(check_auto_or, check_real) if name in MAY_BE_AUTO else check_real
            check(value, name, maximum=maximum, boundaries="left")
        self._check_head()
        check_schedule_of_passes(self, self._may_watch)
        return machines_of_layers(self.rbm, sizes)

    def _read_rows(self, X, y, weight, goes_on, templates, **known):
        """Return rows with encoded targets, their encoder, and what training starts from."""
        dtype = self.coefs_[0].dtype if goes_on else None
        X, y = self._validate_targets(X, y, dtype=dtype, reset=not goes_on)
        check_fit_together(templates, X.shape[1], getattr(self, "feature_names_in_", None))
        rows = that_count(X, y, weight)
        attributes, n_outputs, encode = self._read_targets(rows, goes_on, **known)
        return encode(rows, "y"), encode, (attributes, n_outputs)

    def _validate_targets(self, X, y, **rules):
        """Return X, as an array or CSR matrix, and the targets as an array."""
        return self._validate(X, y, **rules, **self._rules_of_targets)

    def _read_held_out(self, X_val, y_val, weight, dtype, encode):
        """Return the given held-out rows, or None."""
        if (X_val is None) != (y_val is None):
            raise ValueError("Only one of X_val and y_val is given. Pass both or neither.")
        check_weight_of_held_out(weight, X_val)
        if X_val is None:
            return None
        X_val, y_val = self._validate_targets(X_val, y_val, dtype=dtype, name="X_val")
        return encode(that_count(X_val, y_val, weight, "sample_weight_val"), "y_val")

    def _before_training(self, run, templates, rows, held_out, start, is_part=False):
        """Return the fitted attributes before the first pass."""
        attributes, n_outputs = start
        if run.goes_on:
            check_that_it_can_go_on(self, templates)
            if not is_part:  # partial_fit does not look at the RBMs again
                check_same_frozen(self, templates)
            # Monitored in an earlier fit, but no longer.
            outdated = OF_HELD_OUT_ROWS if held_out is None else NOT_WATCHED[self._watches]
            attributes = {k: v for k, v in fitted_attributes(self).items() if k not in outdated}
        else:
            if self.pretrain:
                warn_of_fitted_templates(self.rbm)
            begun = random_start(templates, rows, n_outputs, run.seeds["start"])
            attributes = {**attributes, f"{self._top}_loss_curve_": [], **begun}
        if hasattr(self, "virtual_adversarial"):
            attributes.setdefault("virtual_adversarial_", 0.0)
        if not (is_part and run.goes_on):
            n_labelled = int(self._has_target(rows).sum())
            share = 1.0 if is_part else SHARE_AFTER_FIT
            attributes["_kept"] = beginning_of_parts(rows.X.shape[0], n_labelled, share)
        return attributes

    def _restored(self):
        """Return the training that partial_fit would continue; raise if its state does not fit."""
        whole_number(self._kept["n_calls"])
        check_flag(self._kept["has_tried"], "has_tried")
        for name in ("n_samples", "n_labelled"):
            whole_number(self._kept[name], 1)
        for name in {"share", "mean_weight", "mean_weight_of_all"} & {"share", *self._kept}:
            check_real(self._kept[name], name, boundaries="neither")
        if self._kept.get("standard") is not None:
            _check_standard(self._kept["standard"], self.coefs_[0])
        if "engine" in self._kept:
            check_choice(self._kept["solver"], "solver", OPTIMIZERS)
        row = np.zeros((1, self.n_features_in_), self.coefs_[0].dtype)
        return finetuning_of_a_part(self, Rows(row), 0)

    # -- inference

    def _outputs(self, X):
        """Return the outputs of the head for each row."""
        return self._in_blocks(outputs, X, len(self.intercepts_[-1]))

    def _in_blocks(self, function, X, n_columns):
        """Return the values of a function of the network for each row of new data."""
        rows = Rows(X, columns=map_of(self))
        return in_blocks(function, network_of(self, ENGINES["numpy"](X.dtype, 0)), rows, n_columns)

    def transform(self, X):
        """Return the top hidden layer of the fine-tuned network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_top)
            Expected values of the top hidden units.
        """
        return self._in_blocks(hidden_layers, self._read_new(X), self._n_features_out)

    @available_if(_is_pretrained)
    def inverse_transform(self, X):
        """Map values of the top hidden layer back to the data.

        The way down uses the RBMs as pretraining left them: fine-tuning only trains the way up. The
        longer it lasted, the less the RBMs fit what `transform` returns;
        `skdbn.inspection.reconstruct` goes up and down through the RBMs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_top)
            Values of the top hidden units, as `transform` returns them.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Expected values of the data.

        Raises
        ------
        AttributeError
            If `pretrain` is False.
        ValueError
            If a layer was not pretrained, or X has a wrong number of columns.
        """
        check_is_fitted(self)
        self._check_that_it_has_machines()
        for machine in reversed(self.rbms_):
            X = machine.inverse_transform(X)
        return X

    @available_if(_is_pretrained)
    def sample(self, n_samples=1, n_gibbs_steps=1000, start=None, random_state=None):
        """Draw samples from the model that pretraining left.

        Gibbs chains run in the top RBM. Their last states go down once through the RBMs below, each
        of which draws its states given those above. Fine-tuning only trains the way up and does not
        affect samples.

        Parameters
        ----------
        n_samples : int, default=1
            Number of chains: each gives one row.
        n_gibbs_steps : int, default=1000
            Steps of each chain.
        start : array-like of shape (n_samples, n_features), default=None
            Data to start at, passed up to the top RBM as expectations; by default the chains start
            at states drawn without input from the top hidden units.
        random_state : int, RandomState instance or None, default=None
            Seed of the states that are drawn.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Samples: zeros and ones for binary visible units, values in the units of the data for
            gaussian ones.

        Raises
        ------
        AttributeError
            If `pretrain` is False.
        ValueError
            If a layer was not pretrained, `start` has a wrong shape, or a number is out of
            range.

        References
        ----------
        Hinton, Osindero and Teh (2006), "A fast learning algorithm for deep belief nets".
        """
        check_is_fitted(self)
        self._check_that_it_has_machines()
        if start is not None:
            start = self._validate(start, name="start")
        *below, top = self.rbms_
        return top._sample_stack(below, n_samples, n_gibbs_steps, start, random_state)

    @available_if(_is_pretrained)
    def log_likelihood_bound(self, X, log_partition=None, n_samples=10, random_state=None):
        """Return a lower bound of the log-likelihood of the data under the stack of RBMs.

        The stack draws its top two layers from the top RBM, and each layer below given the one
        above. Its likelihood has no closed form; the variational bound replaces the unknown
        posterior of the hidden layers by the way up. All of this uses the RBMs as pretraining left
        them: fine-tuning only changes the way up of the network, so it affects neither the bound
        nor the likelihood.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data. The values of binary units must be zeros and ones.
        log_partition : LogPartition or float, default=None
            Result of ``rbms_[-1].log_partition()``, to compute it only once for several calls. By
            default it is computed.
        n_samples : int, default=10
            Number of draws of the hidden states for each row; the mean over the draws is returned.
        random_state : int, RandomState instance or None, default=None
            Seed of the states that are drawn.

        Returns
        -------
        ndarray of shape (n_samples,)
            Bounds of ``log p(x)`` in nats, with a random error of mean 0. With gaussian visible
            units p is a density in the units of the data. For a net with one hidden layer it is the
            log-likelihood of its RBM.

        Raises
        ------
        AttributeError
            If `pretrain` is False.
        ValueError
            If a layer was not pretrained, a value of a binary unit is neither 0 nor 1, or the
            visible units of a frozen RBM are of another kind than the hidden units below.

        Warns
        -----
        MixingWarning
            If the estimated partition function of the top RBM cannot be trusted.

        References
        ----------
        Hinton, Osindero and Teh (2006), "A fast learning algorithm for deep belief nets".
        Salakhutdinov and Murray (2008), "On the quantitative analysis of deep belief networks".
        """
        X = self._read_new(X)
        self._check_that_it_has_machines()
        check_integer(n_samples, "n_samples", 1)
        check_zeros_and_ones(self, X)
        check_same_kinds(self.rbms_)
        seeds = check_random_state(random_state).randint(MAX_SEED, size=2).tolist()
        if log_partition is None:
            log_partition = self.rbms_[-1].log_partition(random_state=seeds[0])
        constant = check_log_partition(log_partition) + float(np.log(self.scale_).sum())
        rows, engine = Rows(X, columns=map_of(self)), ENGINES["numpy"](X.dtype, seeds[1])
        maps = [(machine.offset_, machine.scale_) for machine in self.rbms_[1:]]
        stack = Stack([machine._model(engine) for machine in self.rbms_], maps)
        draws = [in_blocks(bound_of_log_mass, stack, rows) for _ in range(n_samples)]
        return np.mean(draws, axis=0) - constant

    def _finetuned_machines(self):
        """Return the RBMs with the weights that fine-tuning left."""
        check_is_fitted(self)
        self._check_that_it_has_machines()
        machines = finetuned_machines(self.rbms_, self.coefs_, self.intercepts_)
        if hasattr(self, "feature_names_in_"):
            machines[0].feature_names_in_ = self.feature_names_in_
        return machines

    def _check_that_it_has_machines(self):
        """Raise unless every hidden layer was pretrained."""
        n_layers = len(self.coefs_) - 1
        if len(self.rbms_) < n_layers:
            raise ValueError(
                f"{len(self.rbms_)} of {n_layers} hidden layers were pretrained, and one that was "
                "not has no way back to the data. Set pretrain=True and call fit."
            )

    @property
    def _n_features_out(self):
        """Number of columns of `transform`, under the name that scikit-learn expects."""
        return len(self.intercepts_[-2])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
