"""What is to be predicted: labels of any kind, or numbers.

The rule: labels are whole numbers or text. Numbers with fractions are predicted as numbers.
"""

import reprlib
import warnings
from typing import NamedTuple

import numpy as np

from skdbn._cli.tables import is_number

LARGEST_EXACT = 2**53  # from which on floats, such as the numbers of tables, skip whole numbers
MISSING = ("", "nan")  # what --unlabeled calls labels that are missing


class Targets(NamedTuple):
    """What is to be predicted of each row.

    Attributes
    ----------
    y : ndarray of shape (n_rows,)
        Labels, or numbers.
    is_regression : bool
        Whether they are numbers.
    unlabeled : int, str or None
        What stands in `y` for rows without a label, where there are any.
    """

    y: object
    is_regression: bool
    unlabeled: object

    @property
    def is_known(self):
        """Which rows have a label."""
        return np.ones(len(self.y), bool) if self.unlabeled is None else self.y != self.unlabeled


def column_of(y, n_rows, where):
    """Return what a file has for each row, as numbers or text.

    Parameters
    ----------
    y : ndarray of shape (n_rows,) or (n_rows, 1)
        Of any type.
    n_rows : int
        Rows that it should be for.
    where : str
        What an error begins with.

    Returns
    -------
    ndarray of shape (n_rows,)
        Bools, integers, floats or text.

    Raises
    ------
    ValueError
        When it is something else.
    """
    if y.shape == (n_rows, 1):
        y = y[:, 0]
    if y.shape != (n_rows,) or y.dtype.kind not in "buifUS":
        raise ValueError(
            f"{where}y has shape {y.shape} and type {y.dtype}, must have a number or a text for "
            f"each of the {n_rows} rows of X."
        )
    return np.char.decode(y, "utf-8") if y.dtype.kind == "S" else y


def read_targets(y, where, options):
    """Return what is to be predicted.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        What files have.
    where : str
        What an error begins with.
    options : Namespace
        The options of the command line.

    Returns
    -------
    Targets
        What it stands for.

    Raises
    ------
    ValueError
        When it is nothing that can be predicted.
    """
    lacks = _lacks_label(y, where, options.unlabeled)
    known = y[~lacks]
    if len(known) == 0:
        raise ValueError(f"{where}no row has a label.")
    is_text = known.dtype.kind == "U"
    if not is_text and not np.isfinite(known).all():
        raise ValueError(f"{where}y has an infinite value.")
    is_regression = options.regress or (not is_text and (known != np.floor(known)).any())
    if is_regression:
        return _numbers(y, where, is_text, options)
    if not is_text:
        if known.dtype.kind == "f" and (largest := np.abs(known).max()) >= LARGEST_EXACT:
            raise ValueError(
                f"{where}labels such as {largest:.17g} have too many digits to be told apart: "
                "write shorter numbers or text, or pass --regress to predict them as numbers."
            )
        known = known.astype(int)
    if not lacks.any():
        return Targets(known, False, None)
    unlabeled = "" if is_text else int(known.min()) - 1
    labels = np.full(len(y), unlabeled, known.dtype)
    labels[~lacks] = known
    return Targets(labels, False, unlabeled)


def as_numbers(texts):
    """Return texts as numbers where all are, NaN where one is empty; else as they are.

    Parameters
    ----------
    texts : ndarray of str
        Texts.

    Returns
    -------
    ndarray
        Floats or texts.
    """
    is_empty = texts == ""
    try:
        return np.where(is_empty, "nan", texts).astype(float)
    except ValueError:
        return texts


def _numbers(y, where, is_text, options):
    """Return numbers to predict."""
    if is_text:
        row = next((i for i, label in enumerate(y.tolist()) if label and not is_number(label)), 0)
        raise ValueError(
            f"{where}the label of row {row + 1} is text, {reprlib.repr(str(y[row]))}, and not a "
            "number."
        )
    if options.unlabeled is not None or options.n_labels is not None:
        raise ValueError(
            f"{where}numbers are predicted, and --unlabeled and --n-labels are for classes alone: "
            "omit them."
        )
    return Targets(y.astype(float), True, None)


def _lacks_label(y, where, unlabeled):
    """Tell which rows have no label; raise when the user did not say that there are any."""
    is_text = y.dtype.kind == "U"
    is_missing = y == "" if is_text else np.isnan(y)
    if unlabeled in MISSING:
        return _found(is_missing | (is_text & (y == unlabeled)), where, unlabeled)
    if is_missing.any():
        row = np.flatnonzero(is_missing)[0]
        raise ValueError(
            f"{where}row {row + 1} has no label, the first of {is_missing.sum()}: fill the labels "
            "in, remove the rows, or pass --unlabeled '' to learn from them without labels."
        )
    if unlabeled is None:
        return is_missing
    try:
        marker = unlabeled if is_text else float(unlabeled)
    except ValueError:
        raise ValueError(
            f"{where}--unlabeled {unlabeled!r} is not a number, but the labels are numbers."
        ) from None
    return _found(y == marker, where, unlabeled)


def _found(lacks_label, where, unlabeled):
    """Return which rows have no label; warn when there are none."""
    if not lacks_label.any():
        warnings.warn(
            f"{where}no row has the label {unlabeled!r} that --unlabeled names: all are taken as "
            "labelled.",
            stacklevel=2,
        )
    return lacks_label


def hide_labels(y, n_labels, seed):
    """Return labels of which only some are left, as many of each class, and what marks the others.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Labels.
    n_labels : int
        How many are to be left.
    seed : int
        Seed of the draw.

    Returns
    -------
    y : ndarray of shape (n_rows,)
        Labels.
    unlabeled : int or str
        What stands for those that are hidden.

    Raises
    ------
    ValueError
        When there would be none of a class.
    """
    classes, rng = np.unique(y), np.random.default_rng(seed)
    if n_labels < len(classes):
        raise ValueError(f"--n-labels {n_labels} is less than the {len(classes)} classes.")
    drawn = [rng.permutation(np.flatnonzero(y == label)) for label in classes]
    kept = np.concatenate([rows[: n_labels // len(classes)] for rows in drawn])
    unlabeled = "" if y.dtype.kind == "U" else int(classes[0]) - 1
    hidden = np.full(len(y), unlabeled, y.dtype)
    hidden[kept] = y[kept]
    return hidden, unlabeled
