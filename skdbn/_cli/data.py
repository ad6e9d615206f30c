"""The data of the command line: reading them, scaling pixels, and splitting.

The rule: whatever is wrong with the data is a ValueError whose message begins with the path.
"""

import math
import reprlib
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from skdbn._cli.readers import read_npz, read_single_npz
from skdbn._cli.tables import read_table
from skdbn._cli.targets import Targets, as_numbers, column_of, hide_labels, read_targets
from skdbn.datasets import find_files, load_digits, load_mnist, read_idx_files

NAMES_OF_X = {  # in messages
    "all": "X",
    "train": "X of the training rows",
    "val": "X of the validation rows",
    "test": "X of the test rows",
    "submission": "X of test.csv",
}
HELD_OUT = 1 / 6  # share of the rows to test on, if the data come without test rows
FEWEST_ROWS = 12  # for regression, so that two rows are held out
LARGEST_BYTE, LARGE_BYTE = 255, 127  # bytes reach above the second, at most to the first
LARGEST = 1e150  # whose square is finite
TOLERANCE = 1e-6  # by which scaled values may lie outside [0, 1]
BLOCK = 2**20  # values to process at a time


class Data(NamedTuple):
    """Training and test rows, and what is known about them.

    Attributes
    ----------
    X_train, X_test, y_train, y_test : ndarray
        Features and targets: class labels, or numbers for regression.
    X_val, y_val : ndarray or None
        Validation rows, to monitor during training.
    X_submission : ndarray or None
        Rows without labels, to be predicted for a submission.
    ids : dict of list of str, or None
        Columns that only number the rows, by name: their cells, those of `X_submission` if there
        is one.
    label_name : str or None
        Name of the label column.
    is_regression : bool
        Whether the targets are numbers.
    unlabeled : int, str or None
        Value of `y_train` that marks rows without a label, if there are any.
    image_shape : tuple of int or None
        Height and width, followed by 3 for colour images, if rows are images of known shape.
    feature_names : list of str or None
        Names of the columns.
    are_bytes : bool
        Whether the rows were divided by 255 because of their values, not their type.
    are_measurements : bool
        Whether the rows have values outside [0, 1].
    comes_split : bool
        Whether the data come with test rows.
    test_rows : ndarray of int or None
        Indices of the test rows in the files: among all rows, or among the test rows if the data
        come with some.
    """

    X_train: object
    X_test: object
    y_train: object
    y_test: object
    X_val: object = None
    y_val: object = None
    X_submission: object = None
    ids: object = None
    label_name: object = None
    is_regression: bool = False
    unlabeled: object = None
    image_shape: object = None
    feature_names: object = None
    are_bytes: bool = False
    are_measurements: bool = False
    comes_split: bool = False
    test_rows: object = None

    @property
    def classes(self):
        """Labels of the training rows."""
        return np.unique(self.y_train[self.is_labelled])

    @property
    def is_labelled(self):
        """Mask of the training rows with a label."""
        return Targets(self.y_train, self.is_regression, self.unlabeled).is_known


class Source(NamedTuple):
    """Content of the files: rows and targets of each part of the data."""

    parts: dict  # "all", or "train", "test" and perhaps "val"; "submission" has no labels
    names: object = None
    ids: object = None
    label_name: object = None


def load(options, split=0, bytes_exceed=None):
    """Load the data, in one of the splits into training and test rows.

    Parameters
    ----------
    options : Namespace
        The options of the command line.
    split : int, default=0
        Number of the split, counted from 0.
    bytes_exceed : float, default=None
        Whole numbers up to 255 count as bytes if their maximum is above this: by default 127, or
        none does if the options say that the data are measurements.

    Returns
    -------
    Data
        Training and test rows, and what is known about them.

    Raises
    ------
    ValueError
        If the data are invalid.
    OSError
        If a file cannot be read.
    """
    seed = (options.seed + split) % 2**32
    if bytes_exceed is None:
        bytes_exceed = np.inf if options.visible_units == "gaussian" else LARGE_BYTE
    if options.data == "digits":
        data = Data(*load_digits(random_state=split), image_shape=(8, 8))
    elif options.data == "mnist":
        data = Data(*load_mnist(), comes_split=True)
    else:
        data = _assemble(_read(Path(options.data), options), options, seed, bytes_exceed)
    if data.comes_split and options.splits > 1:
        raise ValueError(f"{options.data} comes with test rows of its own. Omit --splits.")
    if options.n_labels is not None:
        y_train, unlabeled = hide_labels(data.y_train, options.n_labels, seed)
        data = data._replace(y_train=y_train, unlabeled=unlabeled)
    if options.image_shape is not None:
        data = data._replace(image_shape=_image_shape(options.image_shape, data.X_train.shape[1]))
    return data


# -- reading


def _read(path, options):
    """Read the files, whose kind is recognized by their content."""
    if path.is_dir() and ((path / "train.csv").exists() or (path / "test.csv").exists()):
        return _read_kaggle(path, options)
    if path.is_file() and path.suffix != ".npz" and not zipfile.is_zipfile(path):
        (table,), ids = _without_ids(path, read_table(path, options.label))
        labels = as_numbers(table.labels, options.regress)
        return Source({"all": (table.values, labels)}, table.names, ids, table.label_name)
    source = Source(read_npz(path) if path.is_file() else _read_images(path))
    if options.label is not None:
        raise ValueError(f"{path} is not a text table. Omit --label.")
    return source


def _read_images(path):
    """Read the parts of an image data set in four files."""
    try:
        files = find_files(path)
    except FileNotFoundError:
        if not path.exists():
            raise ValueError(
                f"{path} does not exist. Pass digits, mnist, a folder, an .npz file or a .csv file "
                "to --data."
            ) from None
        if any(path.glob("*.csv")):
            raise ValueError(
                f"{path} has neither train.csv and test.csv nor images such as those of MNIST. "
                "Pass the path of a .csv file to --data."
            ) from None
        raise
    if all(map(zipfile.is_zipfile, files.values())):  # like those of KMNIST
        arrays = {role: read_single_npz(file) for role, file in files.items()}
        return {part: (arrays[part, "images"], arrays[part, "labels"]) for part, _ in files}
    X_train, X_test, y_train, y_test = read_idx_files(path, files)
    return {"train": (X_train, y_train), "test": (X_test, y_test)}


def _read_kaggle(folder, options):
    """Read train.csv and test.csv, the latter without labels."""
    train = read_table(folder / "train.csv", options.label)
    test = read_table(folder / "test.csv", train.label_name, has_labels=False)
    for i, (given, expected) in enumerate(zip(test.names or (), train.names or (), strict=False)):
        if given != expected:
            raise ValueError(
                f"{folder / 'test.csv'}: column {i + 1} is {given[:50]!r}, but {expected[:50]!r} "
                "in train.csv. The columns must be the same, in the same order."
            )
    n_columns = test.values.shape[1]
    if n_columns != train.values.shape[1]:
        raise ValueError(
            f"{folder / 'test.csv'}: {n_columns} columns, must be the {train.values.shape[1]} "
            "columns of train.csv other than the label column."
        )
    (train, test), ids = _without_ids(folder / "train.csv", train, test)
    labels = as_numbers(train.labels, options.regress)
    parts = {"all": (train.values, labels), "submission": (test.values, None)}
    return Source(parts, train.names, ids, train.label_name)


def _without_ids(path, *tables):
    """Return tables without the columns that only number rows in all, and those of the last."""
    first, *others = tables
    ids = [i for i in first.ids if all(i in other.ids for other in others)]
    if not ids:
        return tables, {}
    if len(ids) == len(first.names):
        raise ValueError(
            f"{path}: column {reprlib.repr(first.names[ids[0]])} only numbers the rows, and no "
            "column is left to learn from. Add one, or rename this one to make it a feature."
        )
    of_last = {first.names[i]: tables[-1].ids[i] for i in ids}
    return [table.without(ids) for table in tables], of_last


# -- scaling and splitting


def _assemble(source, options, seed, bytes_exceed):
    """Return the data from their parts: rows scaled for the net, and targets."""
    where, parts = f"{options.data}: ", source.parts
    X, image_shape = _flat({part: rows for part, (rows, _) in parts.items()}, where)
    labels = {part: y for part, (_, y) in parts.items() if y is not None}
    y = [column_of(labels[part], len(X[part]), where) for part in labels]
    targets = read_targets(np.concatenate(y), where, options)
    divisor = _divisor(X, where, bytes_exceed)
    has_byte_type = all(rows.dtype == np.uint8 for rows in X.values())
    if "all" in X:
        taken = dict(zip(("train", "test"), _split(targets, seed, where), strict=True))
        X |= dict.fromkeys(taken, X["all"])
        y = {part: targets.y[rows] for part, rows in taken.items()}
    else:
        taken, y = _given_parts(targets, {part: len(X[part]) for part in labels}, where)
    if "submission" in X:
        taken["submission"] = None
    rows = {f"X_{part}": _scaled(X[part], numbers, divisor) for part, numbers in taken.items()}
    return Data(
        **rows,
        **{f"y_{part}": labels for part, labels in y.items()},
        is_regression=targets.is_regression,
        unlabeled=targets.unlabeled,
        image_shape=image_shape,
        feature_names=source.names,
        ids=source.ids,
        label_name=source.label_name,
        are_bytes=divisor == LARGEST_BYTE and image_shape is None and not has_byte_type,
        are_measurements=divisor is None,
        comes_split="all" not in X,
        test_rows=taken["test"],
    )


def _given_parts(targets, sizes, where):
    """Return the indices of the rows of each part, None for all, and their targets.

    Only training rows may lack a label.
    """
    taken, y, ends = {}, {}, np.cumsum([*sizes.values()])[:-1]
    split = zip(sizes, np.split(targets.y, ends), np.split(targets.is_known, ends), strict=True)
    for part, of_part, is_known in split:
        taken[part] = None if part == "train" else np.flatnonzero(is_known)
        y[part] = of_part if part == "train" else of_part[is_known]
        if len(y[part]) == 0:
            raise ValueError(
                f"{where}no {'test' if part == 'test' else 'validation'} row has a label. Add "
                "labels, or check the value of --unlabeled."
            )
    return taken, y


def _flat(parts, where):
    """Return each part as rows of numbers, and the image shape if all rows are images."""
    flat, widths, shapes = {}, set(), set()
    for part, X in parts.items():
        if X.ndim < 2 or X.dtype.kind not in "buif" or 0 in X.shape:
            raise ValueError(
                f"{where}X has shape {X.shape} and type {X.dtype}, must be a matrix of numbers, or "
                "images of shape (n, height, width) or (n, height, width, 3)."
            )
        shape = X.shape[1:]
        if X.ndim == 4 and 1 in (shape[0], shape[2]):  # a single channel, first or last
            shape = shape[:2] if shape[2] == 1 else shape[1:]
        shapes.add(shape if len(shape) == 2 or (len(shape) == 3 and shape[2] == 3) else None)
        flat[part] = X.reshape(len(X), -1)
        widths.add(flat[part].shape[1])
    if len(widths) > 1:
        raise ValueError(
            f"{where}rows have {' and '.join(map(str, widths))} features. Training, validation "
            "and test rows must have the same number."
        )
    return flat, shapes.pop() if len(shapes) == 1 else None


def _image_shape(shape, n_features):
    """Return the shape of images passed by the user."""
    height, *rest = shape
    if len(shape) < 2 or math.prod(shape) != n_features or rest[1:] not in ([], [1], [3]):
        given = " ".join(map(str, shape))
        raise ValueError(
            f"--image-shape {given}: pass height and width, followed by 3 for colour images. "
            f"Their product must be the number of features, {n_features}."
        )
    return (height, *rest) if rest[1:] == [3] else (height, rest[0])


class Range(NamedTuple):
    """Range of the values of some rows."""

    low: float
    high: float
    are_whole: bool

    def divisor(self, bytes_exceed):
        """Return the divisor that scales to [0, 1], 255 or 1; None for measurements."""
        if self.low >= -TOLERANCE and self.high <= 1 + TOLERANCE:
            return 1
        # Fractional pixels, such as those of resized images, are recognized by both ends.
        are_pixels = self.are_whole or (self.low == 0 and self.high == LARGEST_BYTE)
        are_bytes = self.low >= 0 and bytes_exceed < self.high <= LARGEST_BYTE
        return LARGEST_BYTE if are_pixels and are_bytes else None


def _divisor(parts, where, bytes_exceed):
    """Return the divisor that scales pixels to [0, 1], 255 or 1; None for measurements.

    All rows are judged together, so that test rows are scaled like training rows.
    """
    first, *others = (_range(X, f"{where}{NAMES_OF_X[part]}") for part, X in parts.items())
    low, high, are_whole = zip(first, *others, strict=True)
    of_all = Range(min(low), max(high), all(are_whole)).divisor(bytes_exceed)
    of_training = first.divisor(bytes_exceed)
    if all(are_whole) and of_training in (None, of_all):
        return of_all
    if of_training is None or not others:
        return of_training
    low, high = min(other.low for other in others), max(other.high for other in others)
    # Pixels of resized images may be fractions; new rows may exceed the range of a scaler.
    lowest, highest = {LARGEST_BYTE: (0, LARGEST_BYTE), 1: (-1, 2)}[of_training]
    if low < lowest or high > highest or (of_training == LARGEST_BYTE and high <= 1):
        raise ValueError(
            f"{where}training rows have values from {first.low:g} to {first.high:g}, the others "
            f"from {low:g} to {high:g}. Scale both the same way."
        )
    return of_training


def _range(X, name):
    """Return the range of the values of rows; raise if one is missing or infinite."""
    low, high, are_whole = np.inf, -np.inf, True
    for start, block in _blocks(X):
        if X.dtype.kind == "f" and not np.isfinite(block).all():
            raise ValueError(f"{name} has {_not_finite(X, start)}")
        low, high = min(low, float(block.min())), max(high, float(block.max()))
        are_whole = are_whole and bool(X.dtype.kind != "f" or (block == np.floor(block)).all())
    if max(-low, high) > LARGEST:
        raise ValueError(
            f"{name} has values as large as {max(-low, high):g}, but at most {LARGEST:g} can be "
            "standardized. Divide such columns by a constant."
        )
    return Range(low, high, are_whole)


def _blocks(X):
    """Yield blocks of rows, each after the index of its first row."""
    n_rows = max(1, BLOCK // X.shape[1])
    for start in range(0, len(X), n_rows):
        yield start, X[start : start + n_rows]


def _not_finite(X, start):
    """Return the end of a message about the first value that is missing or infinite."""
    block = X[start : start + max(1, BLOCK // X.shape[1])]
    row, column = np.argwhere(~np.isfinite(block))[0]
    value = "a missing value (NaN)" if np.isnan(block[row, column]) else "an infinite value"
    n_rows = sum(int((~np.isfinite(block)).any(axis=1).sum()) for _, block in _blocks(X))
    return (
        f"{value} in row {start + row}, column {column} (counted from 0); {n_rows} of its "
        f"{len(X)} rows have such values. Drop these rows, or fill the values with "
        "sklearn.impute.SimpleImputer or RBMTransformer.impute."
    )


def _scaled(X, numbers, divisor):
    """Return all rows, or those with some indices, scaled for the net; copy them at most once."""
    is_small = divisor is not None or np.can_cast(X.dtype, np.float32)
    dtype = np.float32 if is_small else np.float64
    if numbers is None and X.dtype == dtype and divisor in (None, 1):
        return X
    numbers = np.arange(len(X)) if numbers is None else numbers
    rows = np.empty((len(numbers), X.shape[1]), dtype)
    for start, block in _blocks(rows):
        block[:] = X[numbers[start : start + len(block)]]
        if divisor not in (None, 1):
            block /= dtype(divisor)
    return rows


def _split(targets, seed, where):
    """Return the indices of training and test rows, stratified by class."""
    known = np.flatnonzero(targets.is_known)
    y, n_held_out = targets.y[known], int(np.ceil(HELD_OUT * len(known)))
    if targets.is_regression:
        if len(y) < FEWEST_ROWS:
            raise ValueError(f"{where}{len(y)} rows, must be at least {FEWEST_ROWS}.")
        return train_test_split(known, test_size=n_held_out, random_state=seed)
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2 or counts.min() < 2 or n_held_out < len(classes):
        are_numbers = "" if y.dtype.kind == "U" else " To predict numbers, pass --regress."
        smallest = reprlib.repr(classes[counts.argmin()].item())
        raise ValueError(
            f"{where}{len(y)} labelled rows in {len(classes)} class(es), {counts.min()} in the "
            f"smallest, {smallest}. There must be at least two classes, two rows of each, and six "
            f"times as many rows as classes.{are_numbers}"
        )
    train, test = train_test_split(known, test_size=n_held_out, stratify=y, random_state=seed)
    return np.concatenate([train, np.flatnonzero(~targets.is_known)]), test
