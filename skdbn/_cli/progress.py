"""Progress of training, for the command line."""

import sys
import time
from itertools import pairwise

import numpy as np

from skdbn._dbn import passes_of_finetuning


class Progress:
    """Callback that reports the progress and the time left after each pass.

    On a terminal it overwrites a single line; elsewhere each pass gets its own line. The time left
    is estimated from the number of operations in the passes to come.

    Parameters
    ----------
    net : DBNClassifier or DBNRegressor
        Net to train.
    data : Data
        Training data.
    """

    def __init__(self, net, data):
        self.works = hasattr(net, "set_callbacks")  # since scikit-learn 1.9
        n_labelled, n_rows = int(data.is_labelled.sum()), len(data.X_train)
        n_outputs = 1 if data.is_regression else len(data.classes)
        sizes = [data.X_train.shape[1], *np.atleast_1d(net.hidden_layer_sizes)]
        products = [n_in * n_out for n_in, n_out in pairwise(sizes)]
        top = sizes[-1] * n_outputs
        moves = n_labelled < n_rows and net.virtual_adversarial != 0  # virtual steps move all rows
        n_finetuned = n_rows if moves else n_labelled
        cost = 3 * (sum(products) + top) - products[0]
        if net.adversarial != 0 or moves:  # another pass, for the rows that a step moved
            cost *= 2
        self._phases = [
            (f"pretrain layer {i}", 5 * product * n_rows, net.rbm.n_iter)
            for i, product in enumerate(products if net.pretrain else [], 1)
        ]
        self._phases.append((net._top, 3 * top * n_labelled, getattr(net, f"{net._top}_iter")))
        n_passes = passes_of_finetuning(net, n_finetuned)
        self._phases.append(("finetune", cost * n_finetuned, n_passes))
        self._start = None
        self._width = 0  # of the line shown last
        self._done = 0

    def setup(self, estimator, context):
        """Do nothing when a fit starts.

        Parameters
        ----------
        estimator : DBNClassifier or DBNRegressor
            Net that is trained.
        context : CallbackContext
            Context of the task.
        """

    def on_fit_task_begin(self, estimator, context):
        """Start the clock at the first pass.

        Parameters
        ----------
        estimator : DBNClassifier or DBNRegressor
            Net that is trained.
        context : CallbackContext
            Context of the task.
        """
        if context.task_name == "pass" and self._start is None:
            self._start = time.perf_counter()

    def on_fit_task_end(self, estimator, context):
        """Report the end of a pass.

        Parameters
        ----------
        estimator : DBNClassifier or DBNRegressor
            Net that is trained.
        context : CallbackContext
            Context of the task.
        """
        if context.task_name != "pass":
            return
        phase = context.parent
        names = [name for name, _, _ in self._phases]
        i = names.index(phase.task_name)
        _, cost, n_passes = self._phases[i]
        left = phase.max_subtasks - context.task_id - 1
        self._done += cost
        later = sum(cost * n for _, cost, n in self._phases[i + 1 :])
        seconds = (time.perf_counter() - self._start) * (left * cost + later) / self._done
        self._show(
            f"{phase.task_name}: pass {n_passes - left} of {n_passes}"
            f"{_loss(estimator, phase.task_name)}, {_duration(seconds)} left"
        )

    def teardown(self, estimator, context):
        """End the line when a fit ends.

        Parameters
        ----------
        estimator : DBNClassifier or DBNRegressor
            Net that is trained.
        context : CallbackContext
            Context of the task.
        """
        if sys.stderr.isatty():
            print(file=sys.stderr)

    def _show(self, line):
        """Print a line; on a terminal, overwrite the last one."""
        if sys.stderr.isatty():
            print(f"\r{line:{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(line)
        else:
            print(line, file=sys.stderr, flush=True)


def _loss(estimator, phase):
    """Return the loss of the last pass as text, if the estimator records it."""
    curves = {estimator._top: f"{estimator._top}_loss_curve_", "finetune": "loss_curve_"}
    return f", loss {getattr(estimator, curves[phase])[-1]:.5f}" if phase in curves else ""


def _duration(seconds):
    """Return a duration as text, in hours, minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
