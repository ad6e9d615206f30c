"""The frame of every fit: seeds, phases, callbacks, checkpoints, interruption.

The rule: an estimator calls the frame, and the frame knows nothing about what is trained. Fitted
attributes change all at once or not at all, so they agree with each other whenever a fit ends.
"""

import copy
import time
from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skdbn import _version
from skdbn._training.callbacks import CallbackSupportMixin, InertTask, forget_context
from skdbn._training.checks import (
    IMPUTER,
    MAX_SEED,
    check_labels,
    check_no_dates,
    check_no_text,
    check_values,
    floats_for,
    whole_number,
)
from skdbn._training.columns import warn_of_other_scale
from skdbn._training.diagnosis import warn, warn_of_other_version
from skdbn._training.loop import (
    DivergenceError,
    InterruptedTrainingWarning,
    LostRowsError,
    fitted_attributes,
    minimize,
)
from skdbn._training.threads import threads_for

CONTINUING = {  # advice after an interruption of a method
    "fit": "set warm_start=True and call fit again. Pretrained layers then make only the passes "
    "still missing; every other phase makes as many as its parameter sets.",
    "partial_fit": "call partial_fit again with the same rows.",
}
# Errors caused by a damaged file.
DAMAGES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@contextmanager
def damages_told(what):
    """Report any failure caused by a damaged file as a ValueError of one sentence."""
    try:
        yield
    except DAMAGES as error:
        raise ValueError(
            f"{what} is damaged: a part is missing or does not fit the others "
            f"({type(error).__name__}: {error})."
        ) from error


def _curve_label(name):
    """Return the name of a curve's points, such as "loss" for ``loss_curve_``."""
    return name.removesuffix("_curve_").removesuffix("s_").replace("_", " ")


def draw_seeds(estimator, uses):
    """Return a seed for each use, so that leaving out a phase does not change the others."""
    drawn = check_random_state(estimator.random_state).randint(MAX_SEED, size=len(uses))
    return dict(zip(uses, drawn.tolist(), strict=True))


class Run:
    """A fit in progress, as the context of a `with` statement.

    If the fit fails, the estimator's attributes are restored. Once training has started, Ctrl-C
    keeps what was learned and warns; where rows elsewhere are lost it is kept, too. Checkpoints
    find the run in the estimator's attribute `_run`.

    Parameters
    ----------
    estimator : TrainedEstimator
        Estimator to fit.
    state : dict, default=None
        Result of `get_state` in an earlier run, to continue from there.
    goes_on : bool, default=False
        Whether the fit continues an earlier one, if there was one.
    method : {"fit", "partial_fit"}, default="fit"
        Method that was called.
    """

    def __init__(self, estimator, state=None, goes_on=False, method="fit"):
        self.estimator, self.method = estimator, method
        # A flag that is neither True nor False is refused later, with a message.
        is_set = isinstance(goes_on, bool | np.bool_) and bool(goes_on)
        self.goes_on = hasattr(estimator, "n_iter_") and (is_set or state is not None)
        self.seeds = self.rows = self.held_out = None
        self._state = state  # of a checkpoint, until its phase comes
        self._before = vars(estimator).copy()
        self._started = self._interrupted = False
        self._task, self._told = InertTask(), {}
        self._phase, self._n_planned, self._n_made = "start", 0, 0
        self._training = self._publish = None

    def __enter__(self):
        self.estimator._run = self
        return self

    def __exit__(self, kind, error, traceback):
        vars(self.estimator).pop("_run", None)
        forget_context(self.estimator)
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt) and self._started
        if interrupted or self._interrupted:
            self._end_training()  # in case that was interrupted too
            warn(
                f"Training was interrupted after {self._n_made} of {self._n_planned} passes of "
                f"the phase {self._phase!r}: the estimator has the parameters of the last finished "
                "pass or, with early_stopping, of the best one. To continue, "
                f"{CONTINUING[self.method]}",
                InterruptedTrainingWarning,
            )
        elif kind is not None and not (issubclass(kind, LostRowsError) and self._started):
            self.estimator.__dict__ = self._before
        # `_told` refers to the run itself. Left in place it would keep the rows in memory until
        # the garbage collector runs, which arrays rarely trigger.
        self._told, self._before, self.rows, self.held_out = {}, None, None, None
        return interrupted

    # -- the start

    def draw_seeds(self, *uses):
        """Draw a seed for each use, or take those of the checkpoint."""
        self.seeds = draw_seeds(self.estimator, uses)
        if self._state is not None:
            with damages_told("The checkpoint"):
                seeds = self._state["seeds"]
                if not isinstance(self._state["phase"], str):
                    raise TypeError("the name of the phase is not a string")
                self.seeds = {use: whole_number(seeds[use], 0, MAX_SEED) for use in uses}

    def start(self, attributes):
        """Replace the fitted attributes of an earlier fit by these."""
        kept = {k: v for k, v in vars(self.estimator).items() if k not in self.estimator._fitted}
        self.estimator.__dict__ = {**kept, **attributes}
        self._started = True

    @contextmanager
    def callbacks_told(self, rows, held_out, n_subtasks, y):
        """Notify the callbacks that a fit begins and, after the block, that it ends.

        The result of the fit depends on the rows, on the held-out rows or None, and on no other
        data. `y` is passed to callbacks, or is a function that returns it. The block may end early
        by Ctrl-C; it must reach the phase of a checkpoint.
        """
        self.rows, self.held_out = rows, held_out
        self._told = {
            "estimator": self.estimator,
            "X": rows.whole,  # called only if a callback asks for X
            "y": y,
            "reconstruction_attributes": self._snapshot,
        }
        self._task = self.estimator._init_callback_context(max_subtasks=n_subtasks)
        self._task.call_on_fit_task_begin(**self._told)
        try:
            yield
        except KeyboardInterrupt:
            self._interrupted = True
        if self._state is not None and not self._interrupted:
            raise ValueError("The checkpoint is damaged: it names a phase that this fit lacks.")
        self._task.call_on_fit_task_end(**self._told)

    def _snapshot(self):
        """Return copies of the fitted attributes, as if training had stopped now."""
        return copy.deepcopy(fitted_attributes(self.estimator))

    # -- the phases

    def is_past(self, *phases):
        """Tell whether the next phases, given by name, come before the checkpoint."""
        return self._state is not None and self._state["phase"] not in phases

    def resumes(self, phase):
        """Tell whether the checkpoint was written in a phase."""
        return self._state is not None and self._state["phase"] == phase

    def go_through(self, phase, n_passes=0, build=None, publish=None, where="", verbose=0):
        """Make the passes of a phase; return whether it stopped early.

        Parameters
        ----------
        phase : str
            Name of the phase in tasks, checkpoints and printed lines; "fit" if the fit has no other
            phases.
        n_passes : int, default=0
            Number of passes to make; a checkpoint of the phase may have planned at most as many.
        build : callable, default=None
            Returns the `Training`. Not called if there are no passes.
        publish : callable, optional
            Called after each pass with all fitted attributes that training changed. By default they
            are set on the estimator.
        where : str, default=""
            Start of error messages.
        verbose : int, default=0
            If positive, print a line after each pass even if the estimator is not verbose.
        """
        if self.is_past(phase):
            return False
        state, self._state = self._state, None
        n_made = 0
        if state is not None:
            with damages_told("The checkpoint"):
                n_passes = whole_number(state["n_planned"], 0, n_passes)
                n_made = whole_number(state["training"]["n_passes"], 0, n_passes)
        task = self._task
        if phase != "fit":
            task = task.subcontext(task_name=phase, max_subtasks=n_passes - n_made)
            task.call_on_fit_task_begin(**self._told)
        stopped = False
        if n_passes > 0:
            self._phase, self._n_planned, self._n_made = phase, n_passes, n_made
            self._publish = publish or vars(self.estimator).update
            self._training = build()
            if state is not None:
                with damages_told("The checkpoint"):
                    self._training.set_state(state["training"])
            stopped = self._make_passes(task, where, verbose)
        if phase != "fit":
            task.call_on_fit_task_end(**self._told)
        return stopped

    def _make_passes(self, task, where, verbose):
        """Train, and publish the result of each pass."""
        training, current, start = self._training, None, time.perf_counter()

        def begin_of_pass():
            nonlocal current
            current = task.subcontext(task_name="pass")
            current.call_on_fit_task_begin(**self._told)

        def end_of_pass():
            points = training.end_pass()
            self._publish(training.finished.attributes)
            self._n_made = training.finished.n_passes
            self.report(self._pass(points, time.perf_counter() - start), verbose)
            asked = current.call_on_fit_task_end(**self._told)
            return asked or training.has_enough()

        try:
            with threads_for(training.learner.n_multiplications):
                return training.has_enough() or minimize(
                    training, self._n_planned, begin_of_pass=begin_of_pass, end_of_pass=end_of_pass
                )
        except DivergenceError as error:
            raise DivergenceError(f"{where}{error}") from error
        finally:
            self._end_training()

    def _end_training(self):
        """Publish the outcome of training; release it, and with it the rows of the phase."""
        if self._training is not None:
            self._publish(self._training.outcome())
            self._training = None

    def report(self, message, verbose=0):
        """Print a line of progress."""
        if verbose or self.estimator.verbose:
            print(f"[{type(self.estimator).__name__}] {message}", flush=True)

    def _pass(self, points, seconds):
        """Return a line about a pass: its losses and scores."""
        names = [name for name in points if "loss" in name or "score" in name]
        words = [_curve_label(name.removeprefix(f"{self._phase}_")) for name in names]
        shown = [f"{word} {points[name]:.5f}, " for word, name in zip(words, names, strict=True)]
        n_passes = f"pass {self._n_made} of {self._n_planned}"
        return f"{self._phase}: {n_passes}: {''.join(shown)}{seconds:.1f} s"

    def get_state(self):
        """Return the state that the rest of the fit depends on, besides estimator and data."""
        return {
            "phase": self._phase,
            "seeds": self.seeds,
            "n_planned": self._n_planned,
            "training": self._training.get_state(),
        }


class TrainedEstimator(CallbackSupportMixin, BaseEstimator):
    """Base class of estimators that are trained in passes.

    A subclass lists its fitted attributes in `_fitted`. A fit replaces them, callbacks get copies
    of them, and files contain them.
    """

    _fitted = ()
    _filler = IMPUTER  # of missing values

    def _validate(
        self,
        X,
        *y,
        dtype=None,
        reset=False,
        name="X",
        missing_allowed=False,
        filler=None,
        **rules_of_targets,
    ):
        """Return X as a C-contiguous array or a CSR matrix of floats, and y if given.

        `dtype` is the type to convert X to; by default X keeps its own if it is a float type.
        `name` is the caller's name for X, and `filler` is what error messages recommend to fill its
        missing values.
        """
        checked = getattr(X, "checked", None)
        if checked is not None:  # on a cluster
            filler = None if missing_allowed else filler or self._filler
            return checked(self, *y, dtype=dtype, reset=reset, filler=filler, **rules_of_targets)
        check_no_dates(X, name)
        dtype = floats_for(X) if dtype is None else dtype
        rules = {"accept_sparse": "csr", "dtype": dtype, "order": "C", "ensure_all_finite": False}
        rules.update(rules_of_targets)
        for labels in y:
            check_labels(labels, name.replace("X", "y"))
        try:
            checked = validate_data(self, X, *y, reset=reset, **rules)
        except ValueError as error:
            check_no_text(X, name, error)
            if name == "X":
                raise
            raise ValueError(f"{name}: {error}") from error
        X, *y = checked if y else [checked]
        if X.dtype.kind != "f":  # scikit-learn leaves sparse columns of booleans as they are
            X = X.astype(dtype[0] if isinstance(dtype, tuple) else dtype)
        columns = getattr(self, "feature_names_in_", None)
        check_values(X, name, columns, missing_allowed, filler or self._filler)
        return (X, *y) if y else X

    def _read_new(self, X, missing_allowed=False):
        """Return validated rows of new data."""
        check_is_fitted(self)
        X = self._validate(X, missing_allowed=missing_allowed)
        warn_of_other_scale(self, X)
        return X

    def __getstate__(self):
        state = {**super().__getstate__(), "_skdbn_version": _version.__version__}
        state.pop("_run", None)  # a copy made by a callback is not being fitted
        return state

    def __setstate__(self, state):
        version = state.pop("_skdbn_version", None)
        warn_of_other_version(version, f"This {type(self).__name__}")
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
