"""Callbacks of scikit-learn, available since its version 1.9.

The rule: the package imports callback support only from here. Under scikit-learn 1.8 these names do
nothing.
"""

import copy


class InertTask:
    """A task that notifies no callback."""

    def subcontext(self, **_):
        """Return a task within this one."""
        return self

    def call_on_fit_task_begin(self, **_):
        """Notify no callback that the task begins."""

    def call_on_fit_task_end(self, **_):
        """Notify no callback that the task ends; return False: do not stop."""
        return False


try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks  # noqa: F401
except ImportError:  # scikit-learn 1.8

    class CallbackSupportMixin:
        """Stand-in that lets `fit` be written once for both versions."""

        def _init_callback_context(self, **_):
            """Return the task of a fit."""
            return InertTask()

    def with_callbacks(method):
        """Return the method unchanged."""
        return method


HAS_CALLBACKS = hasattr(CallbackSupportMixin, "set_callbacks")


def forget_context(estimator):
    """Remove what an interruption during the teardown of callbacks leaves on an estimator."""
    for name in ("_callback_fit_ctx", "_skl_callbacks_to_teardown"):
        vars(estimator).pop(name, None)


def without_callbacks(estimator):
    """Return a shallow copy of an estimator, without its callbacks."""
    estimator = copy.copy(estimator)
    forget_context(estimator)
    vars(estimator).pop("_skl_callbacks", None)
    return estimator


def callbacks_of(estimator):
    """Return the callbacks set on an estimator."""
    return getattr(estimator, "_skl_callbacks", [])
