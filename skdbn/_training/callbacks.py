"""Callbacks of scikit-learn, which came with its version 1.9.

The rule: the package takes callback support from here alone. Under scikit-learn 1.8 the names
stand for parts that do nothing.
"""


class InertTask:
    """A task of which nobody is told."""

    def subcontext(self, **_):
        """Return a task within this one."""
        return self

    def call_on_fit_task_begin(self, **_):
        """Tell nobody that the task begins."""

    def call_on_fit_task_end(self, **_):
        """Tell nobody that the task ends; nobody asks to stop."""
        return False


try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks  # noqa: F401
except ImportError:  # scikit-learn 1.8

    class CallbackSupportMixin:
        """What an estimator needs so that `fit` can be written once for both versions."""

        def _init_callback_context(self, **_):
            """Return the task of a fit."""
            return InertTask()

    def with_callbacks(method):
        """Return the method."""
        return method


HAS_CALLBACKS = hasattr(CallbackSupportMixin, "set_callbacks")


def forget_context(estimator):
    """Remove what an interruption while callbacks are torn down leaves on an estimator."""
    for name in ("_callback_fit_ctx", "_skl_callbacks_to_teardown"):
        vars(estimator).pop(name, None)


def callbacks_of(estimator):
    """Return the callbacks that were set on an estimator."""
    return getattr(estimator, "_skl_callbacks", [])
