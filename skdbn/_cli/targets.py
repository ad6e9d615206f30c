"""The targets: class labels of any kind, or numbers.

The rule: class labels are whole numbers or text. Numbers with fractions mean regression. Labels of
a text table are codes, which are text, if one of them has a leading zero, such as 0012. Where all
others are numbers, cells such as NA lack a label; among text, NA is a label like any other.
"""

import re
import reprlib
import warnings
from typing import NamedTuple

import numpy as np

from skdbn._cli.tables import MISSING, advice_on_commas, is_number

LARGEST_EXACT = 2**53  # from here on floats, as tables are read, skip whole numbers
CODE = r"0\d"  # the beginning of a code; numbers have no leading zeros
ALWAYS_MISSING = ("", "nan")  # values of --unlabeled that stand for missing labels of any kind


class Targets(NamedTuple):
    """Targets of all rows.

    Attributes
    ----------
    y : ndarray of shape (n_rows,)
        Class labels, or numbers.
    is_regression : bool
        Whether the targets are numbers.
    unlabeled : int, str or None
        Value of `y` that marks rows without a label, if there are any.
    """

    y: object
    is_regression: bool
    unlabeled: object

    @property
    def is_known(self):
        """Mask of the rows with a label."""
        return np.ones(len(self.y), bool) if self.unlabeled is None else self.y != self.unlabeled


def column_of(y, n_rows, where):
    """Return the targets in a file as one value for each row.

    Parameters
    ----------
    y : ndarray of shape (n_rows,) or (n_rows, 1)
        Targets of any type.
    n_rows : int
        Expected number of rows.
    where : str
        Prefix of error messages.

    Returns
    -------
    ndarray of shape (n_rows,)
        Bools, integers, floats or text.

    Raises
    ------
    ValueError
        If the targets have another shape or type.
    """
    if y.shape == (n_rows, 1):
        y = y[:, 0]
    if y.shape != (n_rows,) or y.dtype.kind not in "buifUS":
        raise ValueError(
            f"{where}y has shape {y.shape} and type {y.dtype}, must have one number or string for "
            f"each of the {n_rows} rows of X."
        )
    return np.char.decode(y, "utf-8") if y.dtype.kind == "S" else y


def read_targets(y, where, options):
    """Return the targets as class labels or numbers.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Targets in the files.
    where : str
        Prefix of error messages.
    options : Namespace
        Options of the command line.

    Returns
    -------
    Targets
        Class labels or numbers.

    Raises
    ------
    ValueError
        If the targets are invalid.
    """
    lacks = _lacks_label(y, where, options)
    known = y[~lacks]
    if len(known) == 0:
        raise ValueError(
            f"{where}no row has a label. Add labels, or check the value of --unlabeled."
        )
    is_text = known.dtype.kind == "U"
    if not is_text and not np.isfinite(known).all():
        raise ValueError(f"{where}y has an infinite value. Replace it, or remove the row.")
    if _are_numbers_to_predict(known, options):
        return _numbers(y, where, is_text, options)
    if is_text:
        _warn_of_commas(known, where)
    else:
        known = _whole(known, where)
    if not lacks.any():
        return Targets(known, False, None)
    unlabeled = "" if is_text else int(known.min()) - 1
    labels = np.full(len(y), unlabeled, known.dtype)
    labels[~lacks] = known
    return Targets(labels, False, unlabeled)


def as_numbers(texts, regress):
    """Return strings as floats, NaN for missing ones; unchanged if one is a code or no number.

    Parameters
    ----------
    texts : ndarray of str
        Strings.
    regress : bool
        Whether numbers are wanted, so that none is a code.

    Returns
    -------
    ndarray
        Floats or strings.
    """
    if not regress and any(re.match(CODE, text) for text in texts.tolist()):
        return texts
    is_missing = [text.lower() in MISSING for text in texts.tolist()]
    texts_or_nan = np.where(is_missing, "nan", texts)
    are_numbers = all(map(is_number, texts_or_nan.tolist()))
    return texts_or_nan.astype(float) if are_numbers else texts


def _warn_of_commas(known, where):
    """Warn if all labels are numbers, some with commas, such as prices."""
    labels = np.unique(known).tolist()
    advice = {label: advice_on_commas(label) for label in labels if not is_number(label)}
    if advice and all(advice.values()):
        label, what = next(iter(advice.items()))
        warnings.warn(
            f"{where}the labels are numbers with commas, such as {label!r}, and are taken for "
            f"classes. To predict numbers: {what[0].lower()}{what[1:]}.",
            stacklevel=2,
        )


def _whole(known, where):
    """Return labels as integers; raise if they are too large."""
    largest = np.abs(known).max()
    if known.dtype.kind == "f" and largest >= LARGEST_EXACT:
        fault = f"{largest:.17g} have too many digits to be told apart"
    elif known.dtype.kind == "u" and largest > np.iinfo(int).max:
        fault = f"{largest} are too large, must be below 2**63"
    else:
        return known.astype(int)
    raise ValueError(
        f"{where}labels such as {fault}. Use shorter numbers or text, or pass --regress to predict "
        "numbers."
    )


def _are_numbers_to_predict(known, options):
    """Tell whether the targets of the rows that have one mean regression."""
    is_text = known.dtype.kind == "U"
    return options.regress or (not is_text and bool((known != np.floor(known)).any()))


def _numbers(y, where, is_text, options):
    """Return the targets of a regression."""
    if is_text:
        row = next((i for i, label in enumerate(y.tolist()) if label and not is_number(label)), 0)
        remedy = "To predict classes, omit --regress."
        if advice := advice_on_commas(str(y[row])):
            remedy = f"{advice}."
        elif options.loads_regressor:
            remedy = f"{options.load} predicts numbers: pass a model of classes to --load."
        raise ValueError(
            f"{where}the target of row {row} (counted from 0) is text, "
            f"{reprlib.repr(str(y[row]))}, must be a number. {remedy}"
        )
    if options.unlabeled is not None or options.n_labels is not None:
        is_missing = np.isnan(y).any()
        also = ", and fill in the missing targets or remove their rows" if is_missing else ""
        raise ValueError(
            f"{where}the targets are numbers, but --unlabeled and --n-labels work only with "
            f"classes. Omit them{also}."
        )
    return Targets(y.astype(float), True, None)


def _lacks_label(y, where, options):
    """Return the mask of rows without a label; raise if the user did not allow any."""
    unlabeled, is_text = options.unlabeled, y.dtype.kind == "U"
    is_missing = y == "" if is_text else np.isnan(y)
    is_marked = unlabeled is not None and not is_text and unlabeled.lower() in MISSING
    if is_marked or unlabeled in ALWAYS_MISSING:
        return _found(is_missing | (is_text & (y == unlabeled)), where, unlabeled)
    if is_missing.any():
        row, n_rows = np.flatnonzero(is_missing)[0], is_missing.sum()
        if _are_numbers_to_predict(y[~is_missing], options):
            raise ValueError(
                f"{where}row {row} (counted from 0) has no target, the first of {n_rows}. Fill in "
                "the targets, or remove the rows."
            )
        raise ValueError(
            f"{where}row {row} (counted from 0) has no label, the first of {n_rows}. Fill in the "
            "labels, remove the rows, or pass --unlabeled '' if they are to have none."
        )
    if unlabeled is None:
        return is_missing
    try:
        marker = unlabeled if is_text else float(unlabeled)
    except ValueError:
        raise ValueError(
            f"{where}--unlabeled {unlabeled!r} is not a number, but the labels are numbers. Pass "
            "a number, or '' for missing labels."
        ) from None
    return _found(y == marker, where, unlabeled)


def _found(lacks_label, where, unlabeled):
    """Return the mask of rows without a label; warn if all have one."""
    if not lacks_label.any():
        warnings.warn(
            f"{where}no row has the label {unlabeled!r} passed to --unlabeled, so all rows count "
            "as labelled.",
            stacklevel=2,
        )
    return lacks_label


def hide_labels(y, n_labels, seed):
    """Keep some labels, the same number for each class, and hide the others.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Labels.
    n_labels : int
        Number of labels to keep.
    seed : int
        Seed of the random choice.

    Returns
    -------
    y : ndarray of shape (n_rows,)
        Labels.
    unlabeled : int, str or None
        Value of `y` that marks hidden labels; None if all are kept.

    Raises
    ------
    ValueError
        If there are fewer labels than classes.
    """
    classes, rng = np.unique(y), np.random.default_rng(seed)
    if n_labels < len(classes):
        raise ValueError(
            f"--n-labels {n_labels} is less than the number of classes, {len(classes)}. Keep at "
            "least one label of each class."
        )
    drawn = [rng.permutation(np.flatnonzero(y == label)) for label in classes]
    kept = np.concatenate([rows[: n_labels // len(classes)] for rows in drawn])
    unlabeled = "" if y.dtype.kind == "U" else int(classes[0]) - 1
    hidden = np.full(len(y), unlabeled, y.dtype)
    hidden[kept] = y[kept]
    return hidden, None if len(kept) == len(y) else unlabeled
