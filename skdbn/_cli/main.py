"""The command line: the main job from data to table.

The rule: whatever is wrong with what a user passes in is one line and exit status 2.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from skdbn._cli.data import load
from skdbn._cli.outputs import Folder
from skdbn._cli.report import draw, report, write
from skdbn._cli.scores import evaluate, table
from skdbn._cli.training import (
    DEFAULTS,
    DIGITS,
    load_net,
    load_partial,
    new_net,
    reached,
    train,
)

N_NEIGHBORS = 3
N_SPLITS = 5  # of the digits: with 360 rows for testing, one alone says little
MAX_INTEGER = 2**32 - 1  # the largest seed, and more than any other option has a use for
INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it


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
        return _run(options, data, _prepare(options, data))
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
        metavar="N",
        help=f"units of each hidden layer {_default('layers')}",
    )
    for phase in ("pretrain", "softmax", "finetune"):
        parser.add_argument(
            f"--{phase}-iter",
            type=_at_least(0),
            metavar="N",
            help=f"passes of this phase {_default(f'{phase}_iter')}",
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
        "--splits",
        type=_at_least(1),
        metavar="N",
        help="random splits into training and test rows, of which the table shows the mean; --out "
        f"is about the first (default: {N_SPLITS} for digits, 1 for other data and with "
        "--checkpoint or --load)",
    )
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
    has_file = options.load is not None or options.checkpoint is not None
    if has_file and options.splits is not None and options.splits > 1:
        parser.error("the file of --load or --checkpoint holds one net: --splits must be 1")
    _fill_in(options, has_file)
    return options


def _default(name):
    """Return what the help says of the default of an option."""
    digits, other = (" ".join(map(str, np.atleast_1d(of[name]))) for of in (DIGITS, DEFAULTS))
    return f"(default: {other})" if digits == other else f"(default: {other}; {digits} for digits)"


def _fill_in(options, has_file):
    """Set what was not given to its default for the data."""
    is_digits = options.data == "digits"
    for name, value in (DIGITS if is_digits else DEFAULTS).items():
        if getattr(options, name, None) is None:
            setattr(options, name, value)
    if options.splits is None:
        options.splits = N_SPLITS if is_digits and not has_file else 1


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
    """Raise now what else would come after training; return the folder for the results."""
    n_rows, n_classes = len(data.y_train), len(np.unique(data.y_train))
    if n_classes < 2 or n_rows < N_NEIGHBORS:
        raise ValueError(
            f"{options.data}: {n_rows} training rows of {n_classes} classes; there must be "
            f"{N_NEIGHBORS} rows and two classes."
        )
    if options.checkpoint is not None and not options.checkpoint.absolute().parent.is_dir():
        raise ValueError(f"--checkpoint {options.checkpoint}: its folder does not exist.")
    if options.out is not None:
        return Folder(options.out)
    if data.X_submission is not None:
        tempfile.TemporaryFile(dir=Path()).close()  # it can be written to
    return None


def _run(options, data, out):
    """Train on each split, print the table, write the files; return the exit status."""
    n_classes = len(np.unique(data.y_train))
    net = load_net(options, data) if options.load is not None else new_net(options)
    partial = load_partial(options, net)
    print(
        f"{options.data}: {len(data.X_train)} training rows, {len(data.X_test)} test rows, "
        f"{data.X_train.shape[1]} features, {n_classes} classes",
        flush=True,
    )
    net, rows, finished = _compare(options, net, partial, data)
    splits = [rows]
    if finished and options.splits > 1:
        finished = _go_through_further_splits(options, splits)
    if rows:
        print(table(splits))
    write(out, data, net, finished)
    if out is not None or options.show:
        draw(options, out, data, net)
    if out is not None:
        out.write_report(report(options, data, net, splits, finished, partial is not None))
    if not finished:
        print("skdbn: interrupted: this is what was learned so far", file=sys.stderr)
    return 0 if finished else INTERRUPTED


def _compare(options, net, partial, data):
    """Train and evaluate on one split; return the net, the rows, and whether it was finished."""
    rows, seconds, finished = [], 0.0, False
    try:
        rows.append(_nearest_neighbors(data))
        finished = True
        if options.load is None:
            net, seconds, finished = train(options, net, partial, data, rows)
        rows.append(evaluate(reached(net, finished, rows), net, data, seconds))
    except KeyboardInterrupt:
        finished = False
    return net, rows, finished


def _go_through_further_splits(options, splits):
    """Append the rows of the splits behind the first; return whether all were finished."""
    try:
        for split in range(1, options.splits):
            print(f"split {split + 1} of {options.splits}", file=sys.stderr)
            data = load(options, split)
            _, rows, finished = _compare(options, new_net(options, split), None, data)
            if not finished:
                return False
            splits.append(rows)
    except KeyboardInterrupt:
        return False
    return True


def _nearest_neighbors(data):
    """Return the row of nearest neighbours."""
    neighbors, name = KNeighborsClassifier(N_NEIGHBORS), f"KNeighborsClassifier({N_NEIGHBORS})"
    print(f"[{name}] classifying {len(data.X_test)} rows", file=sys.stderr)
    start = time.perf_counter()
    neighbors.fit(data.X_train, data.y_train)
    return evaluate(name, neighbors, data, time.perf_counter() - start)
