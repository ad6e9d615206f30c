"""The net of the command line: made, loaded, trained with progress.

The rule: standard output is for results, so that whatever training says goes to standard error.
"""

import contextlib
import sys
import time
import warnings

import numpy as np

from skdbn import (
    Checkpoint,
    DBNClassifier,
    InterruptedTrainingWarning,
    RBMTransformer,
    load_checkpoint,
    load_model,
    resume,
)
from skdbn._cli.progress import Progress
from skdbn._cli.scores import evaluate

# What is trained unless options say otherwise. The values for the digits were chosen on training
# rows, by benchmarks/showcase.py.
DEFAULTS = {
    "layers": [500, 500],
    "pretrain_iter": 30,
    "softmax_iter": 10,
    "finetune_iter": 10,
    "noise": 0.0,
    "input_noise": 0.0,
    "adversarial": 0.0,
}
DIGITS = {
    **DEFAULTS,
    "layers": [300, 300],
    "finetune_iter": 120,
    "noise": 0.3,
    "input_noise": 0.05,
    "adversarial": 0.5,
}
# Rows of a net, by the phase that its training reached.
PRETRAINED, SOFTMAX, FINE_TUNED = (
    "DBNClassifier, pretraining",
    "DBNClassifier, softmax phase",
    "DBNClassifier",
)


def new_net(options, split=0):
    """Return the net that the options describe; each split has a seed of its own."""
    return DBNClassifier(
        tuple(options.layers),
        rbm=RBMTransformer(n_iter=options.pretrain_iter, batch_size=options.batch_size),
        softmax_iter=options.softmax_iter,
        finetune_iter=options.finetune_iter,
        batch_size=options.batch_size,
        noise=options.noise,
        input_noise=options.input_noise,
        adversarial=options.adversarial,
        random_state=(options.seed + split) % 2**32,
    )


def load_net(options, data):
    """Return a fitted net of a file that fits the data."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net = load_model(options.load)
    for warning in caught:
        print(f"skdbn: warning: {warning.message}", file=sys.stderr)
    n_features = data.X_train.shape[1]
    if not isinstance(net, DBNClassifier) or net.n_features_in_ != n_features:
        raise ValueError(
            f"{options.load} holds a {type(net).__name__} for {net.n_features_in_} features; there "
            f"must be a DBNClassifier for the {n_features} of {options.data}."
        )
    return net


def load_partial(options, net):
    """Return the net of the checkpoint, where there is one, made with the same options."""
    if options.checkpoint is None or not options.checkpoint.exists():
        return None
    partial = load_checkpoint(options.checkpoint)
    if isinstance(partial, DBNClassifier):
        expected, given = net.get_params(), partial.get_params()
        other = [name for name in expected if name != "rbm" and expected[name] != given.get(name)]
        if not other:
            return partial
        options_differ = f"made with other options ({', '.join(other)})"
    else:
        options_differ = f"of a {type(partial).__name__}"
    raise ValueError(
        f"--checkpoint {options.checkpoint} exists and is {options_differ}: remove it to start "
        "anew, or give another name."
    )


class SoftmaxRow:
    """Callback that evaluates the net when its softmax phase ends."""

    def __init__(self, data, rows):
        self.data, self.rows = data, rows
        self.start, self.seconds = time.perf_counter(), 0.0

    def setup(self, estimator, context):
        """Begin a fit."""

    def on_fit_task_begin(self, estimator, context):
        """Begin a task."""

    def on_fit_task_end(self, estimator, context):
        """Append the row of the softmax phase; take note of the time that this costs."""
        if context.task_name == "softmax":
            now = time.perf_counter()
            self.rows.append(evaluate(SOFTMAX, estimator, self.data, now - self.start))
            self.seconds = time.perf_counter() - now

    def teardown(self, estimator, context):
        """End a fit."""


def train(options, net, partial, data, rows):
    """Train with progress on standard error, and append the row of the softmax phase.

    Returns the net, the seconds of its training, and whether it was finished.
    """
    progress = Progress(net, data.X_train.shape[1], len(np.unique(data.y_train)))
    softmax_row = SoftmaxRow(data, rows)

    def fit():
        if not progress.works:
            return _fit_twice(net, data, softmax_row)
        if partial is not None:
            print(f"going on from {options.checkpoint}", file=sys.stderr)
            callbacks = [progress, softmax_row]
            return resume(options.checkpoint, data.X_train, data.y_train, callbacks=callbacks)
        checkpoints = [] if options.checkpoint is None else [Checkpoint(options.checkpoint)]
        net.set_callbacks(*checkpoints, progress, softmax_row)
        return net.fit(data.X_train, data.y_train)

    with (
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stdout(sys.stderr),
    ):
        warnings.simplefilter("always")
        net = fit()
        seconds = time.perf_counter() - softmax_row.start - softmax_row.seconds
    if progress.works:
        net.set_callbacks()
    finished = True
    for warning in caught:
        if issubclass(warning.category, InterruptedTrainingWarning):
            finished = False
        else:
            print(f"skdbn: warning: {warning.message}", file=sys.stderr)
    return net, seconds, finished


def _fit_twice(net, data, softmax_row):
    """Fit as one fit would, for scikit-learn 1.8, which tells nobody of the end of a phase."""
    asked_for = net.get_params(deep=False)
    try:
        net.set_params(verbose=1, finetune_iter=0).fit(data.X_train, data.y_train)
        if len(net.softmax_loss_curve_) == net.softmax_iter:
            now = time.perf_counter()
            softmax_row.rows.append(evaluate(SOFTMAX, net, data, now - softmax_row.start))
            softmax_row.seconds = time.perf_counter() - now
            finetune_iter = asked_for["finetune_iter"]
            net.set_params(softmax_iter=0, finetune_iter=finetune_iter, warm_start=True)
            net.fit(data.X_train, data.y_train)
    finally:
        net.set_params(**asked_for)
    return net


def reached(net, finished, rows):
    """Return the name of the last row, by the phase that training reached."""
    if finished or rows[1:] or getattr(net, "loss_curve_", []):
        return FINE_TUNED
    return SOFTMAX if getattr(net, "softmax_loss_curve_", []) else PRETRAINED
