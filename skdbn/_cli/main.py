"""The command line: the main job from data to table, and what it leaves in a folder.

The rule: whatever is wrong with what the user hands in is one line and exit status 2.
"""

import argparse
import contextlib
import functools
import json
import os
import platform
import reprlib
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sklearn
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skdbn import (
    Checkpoint,
    DBNClassifier,
    InterruptedTrainingWarning,
    RBMTransformer,
    __version__,
    load_checkpoint,
    load_model,
    resume,
    save_model,
)
from skdbn._cli.progress import Progress
from skdbn._cli.readers import read_csv, read_npz
from skdbn.datasets import load_digits, load_mnist
from skdbn.plotting import (
    ActivationDisplay,
    BiasProbeDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
    SampleDisplay,
    UnitProbeDisplay,
)

HELD_OUT = 1 / 6  # share of the rows for the printed error, where the data come unsplit
N_NEIGHBORS = 3
MAX_INTEGER = 2**32 - 1  # the largest seed, and more than any other option has a use for
INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it


class Data(NamedTuple):
    """Training and test rows, and the rows of a submission where there is one."""

    X_train: object
    X_test: object
    y_train: object
    y_test: object
    X_submission: object = None


class Row(NamedTuple):
    """A line of the table."""

    name: str
    test_error: float
    fit_seconds: float
    predict_seconds: float


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
        data = _load(options)
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


# -- data


def _load(options):
    """Return the data that the options name."""
    if options.data == "digits":
        return Data(*load_digits())
    if options.data == "mnist":
        return Data(*load_mnist())
    path = Path(options.data)
    if not path.exists():
        raise ValueError(
            f"{path} does not exist; --data takes digits, mnist, a folder or an .npz file."
        )
    if (path / "train.csv").exists() or (path / "test.csv").exists():
        return _load_kaggle(path, options.seed)
    if path.is_dir():
        return Data(*load_mnist(path))
    if path.suffix == ".npz":
        return _load_npz(path, options.seed)
    raise ValueError(f"{path} is neither a folder nor an .npz file.")


def _load_npz(path, seed):
    """Return the data of an .npz file, split."""
    X, y = read_npz(path)
    if X.ndim != 2 or X.dtype.kind not in "buif" or 0 in X.shape:
        raise ValueError(
            f"{path}: X has shape {X.shape} and type {X.dtype}, must be a matrix of numbers."
        )
    if y.shape != (len(X),) or y.dtype.kind not in "buiU":
        raise ValueError(
            f"{path}: y has shape {y.shape} and type {y.dtype}, must have an integer or a string "
            f"for each of the {len(X)} rows of X."
        )
    is_bytes = X.dtype == np.uint8 and X.max() > 1  # else they are black and white already
    with np.errstate(over="ignore"):  # inf is refused below
        X = X.astype(np.float32) / np.float32(255 if is_bytes else 1)
    if not (X.min() >= 0.0 and X.max() <= 1.0):  # nan fails as well
        raise ValueError(
            f"{path}: X has values from {X.min():g} to {X.max():g}, must be bytes or in [0, 1]: "
            "scale X first, for example with sklearn.preprocessing.MinMaxScaler."
        )
    return _split(X, y, seed, path)


def _load_kaggle(folder, seed):
    """Return the data of Kaggle's digit-recognizer; train.csv is split."""
    train_columns, train = read_csv(folder / "train.csv")
    test_columns, test = read_csv(folder / "test.csv")
    if train_columns[0] != "label":
        raise ValueError(
            f"{folder / 'train.csv'}: the first column is "
            f"{reprlib.repr(train_columns[0])}, must be 'label'."
        )
    for given, expected in zip(test_columns, train_columns[1:], strict=False):
        if given != expected:
            raise ValueError(
                f"{folder / 'test.csv'}: column {reprlib.repr(given)} where train.csv has "
                f"{reprlib.repr(expected)}."
            )
    if len(test_columns) != len(train_columns) - 1:
        raise ValueError(
            f"{folder / 'test.csv'}: {len(test_columns)} columns, must be the "
            f"{len(train_columns) - 1} of train.csv without label."
        )
    labels = train[:, 0]
    wrong = np.flatnonzero(~np.isin(labels, np.arange(10)))
    if len(wrong):
        raise ValueError(
            f"{folder / 'train.csv'}, line {wrong[0] + 2}: label {labels[wrong[0]]:g}, must be a "
            "whole number from 0 to 9."
        )
    X = _scale_pixels(folder / "train.csv", train[:, 1:])
    X_submission = _scale_pixels(folder / "test.csv", test)
    return _split(X, labels.astype(int), seed, folder)._replace(X_submission=X_submission)


def _scale_pixels(path, pixels):
    """Return pixels in [0, 1]."""
    wrong = np.flatnonzero(~((pixels >= 0) & (pixels <= 255)).all(axis=1))
    if len(wrong):
        raise ValueError(f"{path}, line {wrong[0] + 2}: a pixel is not in 0 to 255.")
    return pixels / np.float32(255)


def _split(X, y, seed, path):
    """Hold out a share of the rows, with the same share of each class."""
    classes, counts = np.unique(y, return_counts=True)
    n_held_out = int(np.ceil(HELD_OUT * len(y)))
    if len(classes) < 2 or counts.min() < 2 or n_held_out < len(classes):
        raise ValueError(
            f"{path}: {len(y)} rows of {len(classes)} classes, the rarest with {counts.min()}; "
            "there must be two classes, two rows of each, and six times as many rows as classes."
        )
    return Data(*train_test_split(X, y, test_size=n_held_out, stratify=y, random_state=seed))


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
    asked_for = net.get_params(deep=False)
    rows = []
    try:
        net, finished = _compare(options, net, partial, data, rows)
    except KeyboardInterrupt:
        finished = False
    for model in (net, *getattr(net, "rbms_", [])):
        model.set_params(verbose=0)
    net.set_params(**asked_for)
    print(_table(rows))
    _write(options, data, net, rows, finished)
    if options.out is not None or options.show:
        _draw(options, data, net)
    if not finished:
        print("skdbn: interrupted: this is what was learned so far", file=sys.stderr)
    return 0 if finished else INTERRUPTED


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


def _compare(options, net, partial, data, rows):
    """Append the rows of nearest neighbours and the net; return the net, and if all was done."""
    neighbors, name = KNeighborsClassifier(N_NEIGHBORS), f"KNeighborsClassifier({N_NEIGHBORS})"
    print(f"[{name}] classifying {len(data.X_test)} rows", file=sys.stderr)
    seconds = _time(lambda: neighbors.fit(data.X_train, data.y_train))
    rows.append(_evaluate(name, neighbors, data, seconds))
    if options.load is not None:
        rows.append(_evaluate("DBNClassifier", net, data, 0.0))
        return net, True
    return _train(options, net, partial, data, rows)


def _train(options, net, partial, data, rows):
    """Train the net and append its rows.

    Two fits instead of one, which end at the same weights, show the error between them.
    """
    finetune_iter, seconds, fine_tuning = net.finetune_iter, 0.0, False
    progress = Progress(net, data.X_train.shape[1], len(np.unique(data.y_train)))
    if partial is not None:
        print(f"going on from {options.checkpoint}", file=sys.stderr)
        fine_tuning = partial.warm_start
        net, seconds, finished = _fit(options, partial, data, progress, go_on=True)
    else:
        net.set_params(finetune_iter=0)
        net, seconds, finished = _fit(options, net, data, progress)
    if not fine_tuning:
        rows.append(_evaluate("DBNClassifier, softmax phase", net, data, seconds))
    if finished and not fine_tuning:
        net.set_params(softmax_iter=0, finetune_iter=finetune_iter, warm_start=True)
        net, more_seconds, finished = _fit(options, net, data, progress)
        seconds += more_seconds
        fine_tuning = True
    if fine_tuning:
        rows.append(_evaluate("DBNClassifier", net, data, seconds))
    return net, finished


def _load_partial(options, net):
    """Return the net of the checkpoint, where there is one, made with the same options."""
    if options.checkpoint is None or not options.checkpoint.exists():
        return None
    partial = load_checkpoint(options.checkpoint)
    if isinstance(partial, DBNClassifier):
        stage = (
            {"softmax_iter": 0, "warm_start": True} if partial.warm_start else {"finetune_iter": 0}
        )
        expected = {**net.get_params(), **stage}
        given = partial.get_params()
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


def _fit(options, net, data, progress, go_on=False):
    """Fit, with progress and warnings on standard error; return net, seconds, if it finished."""
    callbacks = [progress] if progress.works else []
    if options.checkpoint is not None:
        callbacks.insert(0, Checkpoint(options.checkpoint))

    def fit():
        if go_on:
            return resume(options.checkpoint, data.X_train, data.y_train, callbacks=callbacks[1:])
        if callbacks:
            net.set_callbacks(*callbacks)
        else:
            net.set_params(verbose=1)
        return net.fit(data.X_train, data.y_train)

    with (
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stdout(sys.stderr),
    ):
        warnings.simplefilter("always")
        start = time.perf_counter()
        net = fit()
        seconds = time.perf_counter() - start
    if callbacks:
        net.set_callbacks()
    finished = True
    for warning in caught:
        if issubclass(warning.category, InterruptedTrainingWarning):
            finished = False
        else:
            print(f"skdbn: warning: {warning.message}", file=sys.stderr)
    return net, seconds, finished


def _time(function):
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _evaluate(name, model, data, fit_seconds):
    """Return the row of a fitted model."""
    start = time.perf_counter()
    wrong = model.predict(data.X_test) != data.y_test
    return Row(name, float(wrong.mean()), fit_seconds, time.perf_counter() - start)


def _table(rows):
    """Return the table as text."""
    lines = [f"{'':30}{'test error':>12}{'fit seconds':>13}{'predict seconds':>17}"]
    for name, error, fit_seconds, predict_seconds in rows:
        lines.append(f"{name:30}{error:12.2%}{fit_seconds:13.1f}{predict_seconds:17.2f}")
    return "\n".join(lines)


# -- files


def _write(options, data, net, rows, finished):
    """Write the report, the model and, where rows wait for it, the submission."""
    fitted = hasattr(net, "coefs_")
    if options.out is not None:
        report = json.dumps(_report(options, data, net, rows, finished), indent=2)
        _replace(options.out / "report.json", lambda path: path.write_text(report + "\n"))
        if fitted:
            save_model(net, options.out / "model.npz")
    # Without --out an earlier submission would be lost to half a training.
    if fitted and data.X_submission is not None and (finished or options.out is not None):
        path = (options.out or Path()) / "submission.csv"
        labels = net.predict(data.X_submission)
        lines = ["ImageId,Label", *(f"{i},{label}" for i, label in enumerate(labels, 1))]
        _replace(path, lambda path: path.write_text("\n".join(lines) + "\n"))
        print(f"wrote {len(labels)} labels to {path}")


def _draw(options, data, net):
    """Write the figures into the folder, open them in windows, or both."""
    import matplotlib as mpl

    if not options.show:
        mpl.use("Agg")
    import matplotlib.pyplot as plt

    figures = {name: display.figure_ for name, display in _displays(net, data)}
    if options.out is not None:
        for name, figure in figures.items():
            save = functools.partial(figure.savefig, format="png", dpi=120)
            _replace(options.out / f"{name}.png", save)
        print(f"wrote {len(figures)} figures to {options.out}")
    if options.show and mpl.get_backend().lower() == "agg":
        print("skdbn: there is no display to show figures on: use --out DIR", file=sys.stderr)
    elif options.show:
        plt.show()
    for figure in figures.values():
        plt.close(figure)


def _displays(net, data):
    """Yield the name and the Display of each figure that the net, fitted or half fitted, allows."""
    n_layers = len(getattr(net, "rbms_", []))
    if n_layers:
        yield "reconstruction", ReconstructionDisplay.from_estimator(net, data.X_test)
        yield "bias_probes", BiasProbeDisplay.from_estimator(net, data.X_train)
        for layer in range(1, n_layers + 1):
            yield f"unit_probes_layer_{layer}", UnitProbeDisplay.from_estimator(net, layer)
        yield "samples", SampleDisplay.from_estimator(net, random_state=0)
        yield "activations", ActivationDisplay.from_estimator(net, data.X_test)
    if n_layers or getattr(net, "softmax_loss_curve_", []):
        yield "loss_curves", LossCurveDisplay.from_estimator(net)


def _report(options, data, net, rows, finished):
    """Return what report.json holds."""
    names = ("layers", "pretrain_iter", "softmax_iter", "finetune_iter", "batch_size")
    if options.load is not None:
        training = {"load": str(options.load)}
    else:
        training = {name: getattr(options, name) for name in names}
    return {
        "data": options.data,
        "n_train": len(data.X_train),
        "n_test": len(data.X_test),
        **training,
        "seed": options.seed,
        "finished": finished,
        "results": [row._asdict() for row in rows],
        "reconstruction_error": [rbm.loss_curve_ for rbm in getattr(net, "rbms_", [])],
        "softmax_loss": getattr(net, "softmax_loss_curve_", []),
        "finetune_loss": getattr(net, "loss_curve_", []),
        "versions": {
            "skdbn": __version__,
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def _replace(path, write):
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
