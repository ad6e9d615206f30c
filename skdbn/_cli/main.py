"""The command line: the main job from data to table.

The rule: whatever is wrong with what a user passes in is one line and exit status 2.
"""

import argparse
import contextlib
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from skdbn import (
    Checkpoint,
    DBNClassifier,
    InterruptedTrainingWarning,
    RBMTransformer,
    load_checkpoint,
    load_model,
    resume,
)
from skdbn._cli.data import load
from skdbn._cli.progress import Progress
from skdbn._cli.report import draw, evaluate, table, write

N_NEIGHBORS = 3
MAX_INTEGER = 2**32 - 1  # the largest seed, and more than any other option has a use for
INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it
# Rows of a net, by the phase that its training reached.
PRETRAINED, SOFTMAX, FINE_TUNED = (
    "DBNClassifier, pretraining",
    "DBNClassifier, softmax phase",
    "DBNClassifier",
)


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        What stands behind the command; by default what the process was given.

    Returns
    -------
    int
        Exit status.
    """
    options = _parse(arguments)
    try:
        data = load(options)
        _prepare(options, data)
        return _run(options, data)
    except KeyboardInterrupt:
        print("skdbn: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError, MemoryError) as error:
        print(f"skdbn: error: {_describe(error)}", file=sys.stderr)
        return 2


def _describe(error):
    """Return what an error says, in one line."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    elif isinstance(error, MemoryError):
        text = f"out of memory: {text or 'the data or the layers are too large.'}"
    return " ".join(text.split())


def _parse(arguments):
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python -m skdbn",
        description="Train a deep belief net and compare it with nearest neighbours.",
    )
    parser.add_argument(
        "--data",
        default="digits",
        help="digits (default; comes with scikit-learn), mnist (see skdbn.datasets.load_mnist), "
        "a folder of IDX files, an .npz file with X and y, or a folder with train.csv and "
        "test.csv as Kaggle's digit-recognizer has them",
    )
    parser.add_argument(
        "--layers",
        nargs="+",
        type=_at_least(1),
        default=[500, 500],
        metavar="N",
        help="units of each hidden layer (default: 500 500)",
    )
    for phase, n_passes in [("pretrain", 30), ("softmax", 10), ("finetune", 10)]:
        parser.add_argument(
            f"--{phase}-iter",
            type=_at_least(0),
            default=n_passes,
            metavar="N",
            help=f"passes of this phase (default: {n_passes})",
        )
    parser.add_argument(
        "--batch-size",
        type=_batch_size,
        default="auto",
        metavar="N",
        help="rows in a minibatch of every phase (default: auto)",
    )
    parser.add_argument("--seed", type=_at_least(0), default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for report.json, the fitted model and figures of what it learned",
    )
    parser.add_argument("--show", action="store_true", help="open the figures in windows")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="write the state of training to this file after each pass, and go on from it when it "
        "is there (needs scikit-learn 1.9)",
    )
    parser.add_argument(
        "--load",
        type=Path,
        metavar="FILE",
        help="evaluate the model.npz of an earlier --out instead of training; layers, passes and "
        "batch size do not matter then, but give the same --seed, which says what is held out",
    )
    options = parser.parse_args(arguments)
    if options.load is not None and options.checkpoint is not None:
        parser.error("--load trains nothing, so that --checkpoint has nothing to write")
    return options


def _at_least(minimum):
    """Return a function that reads an integer from `minimum` up."""

    def integer(text):
        try:
            value = int(text)
        except ValueError:
            value = minimum - 1
        if not minimum <= value <= MAX_INTEGER:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not an integer from {minimum} to {MAX_INTEGER}"
            )
        return value

    return integer


def _batch_size(text):
    """Read a batch size."""
    return text if text == "auto" else _at_least(1)(text)


# -- the job


def _prepare(options, data):
    """Raise now what else would come after training; make the folder for the results."""
    n_rows, n_classes = len(data.y_train), len(np.unique(data.y_train))
    if n_classes < 2 or n_rows < N_NEIGHBORS:
        raise ValueError(
            f"{options.data}: {n_rows} training rows of {n_classes} classes; there must be "
            f"{N_NEIGHBORS} rows and two classes."
        )
    if options.out is not None:
        if options.out.exists() and not options.out.is_dir():
            raise ValueError(f"--out {options.out} exists and is not a folder.")
        options.out.mkdir(parents=True, exist_ok=True)
    if options.checkpoint is not None and not options.checkpoint.absolute().parent.is_dir():
        raise ValueError(f"--checkpoint {options.checkpoint}: its folder does not exist.")
    if options.out is not None or data.X_submission is not None:
        tempfile.TemporaryFile(dir=options.out or Path()).close()  # it can be written to


def _run(options, data):
    """Train, print the table, write the files; return the exit status."""
    n_classes = len(np.unique(data.y_train))
    net = _load_net(options, data) if options.load is not None else _new_net(options)
    partial = _load_partial(options, net)
    print(
        f"{options.data}: {len(data.X_train)} training rows, {len(data.X_test)} test rows, "
        f"{data.X_train.shape[1]} features, {n_classes} classes",
        flush=True,
    )
    rows, seconds, finished = [], 0.0, False
    try:
        rows.append(_nearest_neighbors(data))
        finished = True
        if options.load is None:
            net, seconds, finished = _train(options, net, partial, data, rows)
        rows.append(evaluate(_reached(net, finished, rows), net, data, seconds))
    except KeyboardInterrupt:
        finished = False
    print(table(rows))
    write(options, data, net, rows, finished, partial is not None)
    if options.out is not None or options.show:
        draw(options, data, net)
    if not finished:
        print("skdbn: interrupted: this is what was learned so far", file=sys.stderr)
    return 0 if finished else INTERRUPTED


def _reached(net, finished, rows):
    """Return the name of the last row, by the phase that training reached."""
    if finished or rows[1:] or getattr(net, "loss_curve_", []):
        return FINE_TUNED
    return SOFTMAX if getattr(net, "softmax_loss_curve_", []) else PRETRAINED


def _nearest_neighbors(data):
    """Return the row of nearest neighbours."""
    neighbors, name = KNeighborsClassifier(N_NEIGHBORS), f"KNeighborsClassifier({N_NEIGHBORS})"
    print(f"[{name}] classifying {len(data.X_test)} rows", file=sys.stderr)
    start = time.perf_counter()
    neighbors.fit(data.X_train, data.y_train)
    return evaluate(name, neighbors, data, time.perf_counter() - start)


def _new_net(options):
    """Return the net that the options describe."""
    return DBNClassifier(
        tuple(options.layers),
        rbm=RBMTransformer(n_iter=options.pretrain_iter, batch_size=options.batch_size),
        softmax_iter=options.softmax_iter,
        finetune_iter=options.finetune_iter,
        batch_size=options.batch_size,
        random_state=options.seed,
    )


def _load_net(options, data):
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


def _load_partial(options, net):
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


def _train(options, net, partial, data, rows):
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
