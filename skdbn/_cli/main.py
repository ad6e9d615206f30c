"""The command line: from data to a table of scores.

The rule: an error in the user's input is reported in one line, and the exit status is 2.
"""

import contextlib
import re
import reprlib
import sys
import time
import warnings
from pathlib import Path

import sklearn
from sklearn.base import is_regressor
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdbn import DBNClassifier, DivergenceError
from skdbn._cli.data import load
from skdbn._cli.notices import warnings_shown_by
from skdbn._cli.options import command, parse
from skdbn._cli.outputs import SUBMISSION, Folder, check_writable
from skdbn._cli.report import draw, report, say, write, write_page
from skdbn._cli.scores import evaluate, table
from skdbn._cli.training import (
    bytes_exceed,
    check_other_rows,
    check_that_it_fits,
    is_fitted,
    load_net,
    load_partial,
    name_features,
    new_net,
    reached,
    train,
    with_options,
)

N_NEIGHBORS = 3
LOW_RATE = 5e-4  # to try after "auto" diverged; after other rates a tenth, but at most twice this
INTERRUPTED = 130  # exit status after Ctrl-C, as in shells


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Arguments after the command; by default those of the process.

    Returns
    -------
    int
        Exit status.
    """
    options = parse(arguments)
    # A name of a file may not be text of the encoding.
    if hasattr(sys.stdout, "reconfigure") and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _warnings_in_a_line():
            return _run(options)
    except KeyboardInterrupt:
        print("skdbn: interrupted", file=sys.stderr)
        return INTERRUPTED
    except DivergenceError as error:
        message = with_options(str(error))
        print(f"skdbn: error: {message} {_advice(options, str(error))}", file=sys.stderr)
        return 2
    except (ValueError, OSError, MemoryError) as error:
        print(f"skdbn: error: {_describe(error)}", file=sys.stderr)
        return 2


def _describe(error):
    """Return the message of an error in one line."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    elif isinstance(error, MemoryError):
        text = f"out of memory: {text or 'the data or the layers are too large.'}"
    return " ".join(text.split())


def _advice(options, message):
    """Return advice for a training that diverged."""
    name = "learning-rate-init" if "learning_rate_init" in message else "pretrain-learning-rate"
    rate = getattr(options, name.replace("-", "_"))
    if found := re.search(r"learning_rate to (\S+) or less", message):  # "auto" diverged
        lower = found[1]
    elif name == "pretrain-learning-rate":
        lower = "auto"
    else:
        lower = f"{LOW_RATE if rate in (None, 'auto') else min(rate / 10, 2 * LOW_RATE):g}"
    again = f"Try: {command(options, f'--{name}', lower)}"
    if options.checkpoint is None or not options.checkpoint.exists():  # in the first pass
        return again
    return f"Remove {options.checkpoint}, the checkpoint of the diverged training. {again}"


@contextlib.contextmanager
def _warnings_in_a_line():
    """Print each warning in one line, with the name of the program."""

    def show(message, _):
        print(f"skdbn: warning: {' '.join(message.split())}", file=sys.stderr)

    with warnings_shown_by(show):
        # Names of features are compared by check_that_it_fits.
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        yield


# -- the job


def _run(options):
    """Load data, train on each split, save the model, print the table, draw; return the status."""
    if options.load is None:
        data = _loaded(options)
        check_other_rows(options, data)
        net = new_net(options, data)
        _check_options(net)
    else:
        net = load_net(options.load)
        options.loads_regressor = is_regressor(net)
        options.regress = options.regress or options.loads_regressor
        data = _loaded(options, bytes_exceed=bytes_exceed(net))
        check_that_it_fits(net, options, data)
    out = _prepare(options, data)
    partial = load_partial(options, net, data)
    if data.are_bytes:
        print(
            "skdbn: values from 0 to 255 are treated as bytes and divided by 255; if they are "
            "measurements, pass --visible-units gaussian",
            file=sys.stderr,
        )
    say(_title(options, data))
    if options.splits > 1:
        print(f"split 1 of {options.splits}", file=sys.stderr)  # the time left is for one split
    net, rows, finished = _compare(options, net, partial, data)
    splits, n_finished = [rows], 0
    if finished:
        _go_through_further_splits(options, splits)
        n_finished = len(splits)
    finished = n_finished == options.splits
    wrote = None
    try:
        if is_fitted(net):  # otherwise the results of an earlier run are better
            if options.load is None:
                name_features(net, data)
            summary = report(options, data, net, splits, n_finished, partial is not None)
            wrote = write(out, data, net, summary)
    finally:  # the model comes first, but scores must not depend on a disk
        if rows:
            say(table(splits))
    if wrote is not None:
        say(wrote)
    if is_fitted(net):
        figures = []
        if out is not None or options.show:
            figures = draw(options, out, data, net)
        if out is not None:
            write_page(out, options, data, net, splits, figures, summary)
            out.write_report(summary)
    if not finished:
        print(f"skdbn: interrupted: {_how_to_go_on(options, net)}", file=sys.stderr)
    return 0 if finished else INTERRUPTED


def _check_options(net):
    """Raise if a parameter of a new net is out of range, naming its option."""
    try:
        net._check_parameters()
    except ValueError as error:
        raise ValueError(with_options(str(error))) from error


def _loaded(options, **others):
    """Return the data, and name the columns that are not used."""
    data = load(options, **others)
    for name in data.ids or ():
        print(
            f"skdbn: column {reprlib.repr(name)} only numbers the rows and is not used; to make "
            "it a feature, rename it",
            file=sys.stderr,
        )
    return data


def _prepare(options, data):
    """Check now what would otherwise fail after training; return the output folder."""
    n_rows = int(data.is_labelled.sum())
    if n_rows < N_NEIGHBORS:
        raise ValueError(
            f"{options.data}: {n_rows} labelled training rows, must be at least {N_NEIGHBORS}."
        )
    if not data.is_regression and len(data.classes) < 2:
        raise ValueError(
            f"{options.data}: all training rows have the same label. Add rows of another class."
        )
    if options.checkpoint is not None:
        _check_checkpoint(options.checkpoint)
    if options.out is not None:
        return Folder(options.out)
    if data.X_submission is not None:
        if Path(SUBMISSION).exists():
            raise ValueError(
                f"{SUBMISSION} in the current folder is never replaced. Move it, or pass --out DIR."
            )
        check_writable(Path(SUBMISSION), f"{SUBMISSION} cannot be written, pass --out DIR")
    return None


def _check_checkpoint(path):
    """Raise if a checkpoint cannot be written."""
    if not hasattr(DBNClassifier, "set_callbacks"):
        raise ValueError(
            f"--checkpoint needs scikit-learn 1.9 or newer, but {sklearn.__version__} is "
            "installed. Upgrade it, or omit --checkpoint."
        )
    if not path.absolute().parent.is_dir():
        raise ValueError(
            f"--checkpoint {path}: its folder does not exist. Create it, or pass another path."
        )
    check_writable(path, f"--checkpoint {path}")


def _title(options, data):
    """Return the line above the table: the name and the size of the data."""
    n_labelled = int(data.is_labelled.sum())
    without = f" ({n_labelled} with labels)" if n_labelled < len(data.y_train) else ""
    watched = "" if data.X_val is None else f", {len(data.X_val)} validation rows"
    if data.is_regression:
        what = f"targets from {data.y_train.min():g} to {data.y_train.max():g}"
    else:
        what = f"{len(data.classes)} classes"
    return (
        f"{options.data}: {len(data.X_train)} training rows{without}, {len(data.X_test)} test rows"
        f"{watched}, {data.X_train.shape[1]} features, {what}"
    )


def _how_to_go_on(options, net):
    """Return advice for a run that was interrupted."""
    kept = "these are the results so far" if is_fitted(net) else "nothing has been learned yet"
    if options.splits > 1 or options.load is not None:
        return kept
    if options.checkpoint is None:
        return f"{kept}. To be able to resume next time, pass --checkpoint FILE"
    if options.checkpoint.exists():
        return f"{kept}. Resume with: {command(options)}"
    return f"{kept}. Start again with: {command(options)}"


def _compare(options, net, partial, data):
    """Train and evaluate on one split; return the net, table rows, and whether it finished."""
    rows, seconds, finished = [], 0.0, False
    try:
        if not options.no_knn:
            rows.append(_nearest_neighbors(data))
        finished = True
        if options.load is None:
            net, seconds, finished = train(options, net, partial, data, rows)
        name = reached(net, finished, rows)
        if name is not None:
            rows.append(evaluate(name, net, data, seconds))
    except KeyboardInterrupt:
        finished = False
    return net, rows, finished


def _go_through_further_splits(options, splits):
    """Append the table rows of the other splits, of those that finish."""
    try:
        for split in range(1, options.splits):
            print(f"split {split + 1} of {options.splits}", file=sys.stderr)
            data = load(options, split)
            _, rows, finished = _compare(options, new_net(options, data, split), None, data)
            if not finished:
                return
            splits.append(rows)
    except KeyboardInterrupt:
        return


def _nearest_neighbors(data):
    """Return the table row of nearest neighbours, with a scaler if columns are measurements."""
    estimator = KNeighborsRegressor if data.is_regression else KNeighborsClassifier
    neighbors, name = estimator(N_NEIGHBORS), f"{estimator.__name__}({N_NEIGHBORS})"
    if data.are_measurements:
        neighbors, name = make_pipeline(StandardScaler(), neighbors), f"{name}, standardized"
    print(f"[{name}] predicting {len(data.X_test)} rows", file=sys.stderr)
    start = time.perf_counter()
    neighbors.fit(data.X_train[data.is_labelled], data.y_train[data.is_labelled])
    return evaluate(name, neighbors, data, time.perf_counter() - start)
