"""Callbacks of scikit-learn, which came with its version 1.9.

The rule: the estimators import callback support from here alone. Under scikit-learn 1.8 the names
stand for parts that do nothing.
"""

import functools

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn 1.8

    class _InertTask:
        """A task of which nobody is told."""

        def subcontext(self, **_):
            """Return a task within this one."""
            return self

        def call_on_fit_task_begin(self, **_):
            """Tell nobody that the task begins."""

        def call_on_fit_task_end(self, **_):
            """Tell nobody that the task ends; nobody asks to stop."""
            return False

    class CallbackSupportMixin:
        """What an estimator needs so that `fit` can be written once for both versions."""

        def _init_callback_context(self, **_):
            return _InertTask()

    def with_callbacks(method):
        """Return the method in a wrapper, so that warnings point to the same line as in 1.9."""

        @functools.wraps(method)
        def wrapped(*arguments, **options):
            return method(*arguments, **options)

        return wrapped


class PassTasks:
    """Tells the callbacks of each pass of a phase.

    Parameters
    ----------
    task : CallbackContext
        The phase.
    **what : dict
        What the callbacks are told: the estimator, X, y, and reconstruction_attributes, which
        returns copies of the fitted attributes as if training had stopped now.
    """

    def __init__(self, task, **what):
        self._task = task
        self._what = what
        self._current = None

    def begin(self):
        """Begin a pass."""
        self._current = self._task.subcontext(task_name="pass")
        self._current.call_on_fit_task_begin(**self._what)

    def end(self):
        """End the pass.

        Returns
        -------
        bool
            Whether a callback asks to stop the phase.
        """
        return self._current.call_on_fit_task_end(**self._what)


__all__ = ["CallbackSupportMixin", "PassTasks", "with_callbacks"]
