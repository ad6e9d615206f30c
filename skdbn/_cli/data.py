"""The data of the command line: found by name, scaled, split.

The rule: whatever is wrong with data is a ValueError of one sentence that begins with the path.
"""

import reprlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from skdbn._cli.readers import read_csv, read_npz
from skdbn.datasets import load_digits, load_mnist

HELD_OUT = 1 / 6  # share of the rows for the printed error, where the data come unsplit


class Data(NamedTuple):
    """Training and test rows, and what is known of them.

    Attributes
    ----------
    X_train, X_test, y_train, y_test : ndarray
        Rows, and their labels or the numbers that belong to them.
    X_submission : ndarray or None
        Rows whose labels somebody waits for.
    is_regression : bool
        Whether numbers are predicted.
    image_shape : tuple of int or None
        Height and width, and 3 of colours, where rows are images whose shape is known.
    feature_names : list of str or None
        Names of the columns.
    """

    X_train: object
    X_test: object
    y_train: object
    y_test: object
    X_submission: object = None
    is_regression: bool = False
    image_shape: object = None
    feature_names: object = None


def load(options, split=0):
    """Return the data that the options name, in one of the splits into training and test rows."""
    seed = (options.seed + split) % 2**32
    if options.data == "digits":
        return Data(*load_digits(random_state=split))
    if options.data == "mnist":
        return _load_idx(None, options)
    path = Path(options.data)
    if not path.exists():
        raise ValueError(
            f"{path} does not exist; --data takes digits, mnist, a folder or an .npz file."
        )
    if (path / "train.csv").exists() or (path / "test.csv").exists():
        return _load_kaggle(path, seed)
    if path.is_dir():
        return _load_idx(path, options)
    if path.suffix == ".npz":
        return _load_npz(path, seed)
    raise ValueError(f"{path} is neither a folder nor an .npz file.")


def _load_idx(path, options):
    """Return the data of IDX files, which come split."""
    if options.splits > 1:
        raise ValueError(f"{options.data} comes split into training and test rows: omit --splits.")
    return Data(*load_mnist(path))


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
