"""Checks of what a user passes in, shared by the estimators.

The rule: a message says what was given, what is allowed and, where it helps, what to do.
"""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite, check_scalar, column_or_1d

FLOATS = (np.float64, np.float32)  # what is computed in; other types become the first
MAX_SEED = np.iinfo(np.int32).max
IMPUTER = "sklearn.impute.SimpleImputer as a step of a Pipeline"  # what fills missing values


def check_integer(value, name, minimum):
    """Raise unless a parameter is an integer from `minimum` up."""
    check_scalar(value, name, Integral, min_val=minimum)


def check_real(value, name, minimum=0.0, maximum=None, boundaries="both"):
    """Raise unless a parameter is a finite real number in a range.

    `boundaries` says which ends of the range are allowed: "both", "left", "right", "neither".
    """
    check_scalar(value, name, Real, min_val=minimum, max_val=maximum, include_boundaries=boundaries)
    if not np.isfinite(value):
        raise ValueError(f"{name} == {value}, must be finite.")


def check_choice(value, name, choices):
    """Raise unless a parameter names one of the choices."""
    if not (isinstance(value, str) and value in choices):
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} == {value!r}, must be one of: {allowed}.")


def check_flag(value, name, others=()):
    """Raise unless a parameter is True or False, or one of the other strings."""
    if not isinstance(value, bool | np.bool_):
        allowed = "".join(f" or {other!r}" for other in others)
        raise TypeError(f"{name} == {value!r}, must be True or False{allowed}.")


def check_schedule_of_passes(estimator, may_watch=()):
    """Check the parameters that every estimator has which is trained in passes.

    `early_stopping` may also be one of the strings in `may_watch`.
    """
    if isinstance(estimator.batch_size, str):
        check_choice(estimator.batch_size, "batch_size", ["auto"])
    else:
        check_integer(estimator.batch_size, "batch_size", 1)
    if not (isinstance(estimator.early_stopping, str) and estimator.early_stopping in may_watch):
        check_flag(estimator.early_stopping, "early_stopping", may_watch)
    fraction = estimator.validation_fraction
    check_real(fraction, "validation_fraction", maximum=1.0, boundaries="neither")
    check_integer(estimator.n_iter_no_change, "n_iter_no_change", 1)
    check_real(estimator.tol, "tol")
    check_flag(estimator.warm_start, "warm_start")
    check_integer(estimator.verbose, "verbose", 0)


def resolve_batch_size(batch_size, n_samples, smallest):
    """Return the number of rows in a minibatch, at most n_samples.

    "auto" aims at a hundred minibatches in a pass, of `smallest` to 100 rows.
    """
    if batch_size == "auto":
        batch_size = min(100, max(smallest, n_samples // 100))
    return min(batch_size, n_samples)


def value_range(X):
    """Return the smallest and the largest value of an array or a CSR matrix, missing ones aside."""
    values = (X.data if issparse(X) else X).ravel()
    zeros = issparse(X) and X.nnz < np.prod(X.shape)
    smallest, largest = (
        np.fmin.reduce(values, initial=np.inf),
        np.fmax.reduce(values, initial=-np.inf),
    )
    if zeros:
        smallest, largest = min(smallest, 0.0), max(largest, 0.0)
    return float(smallest), float(largest)


def check_values(X, name="X", columns=None, missing_allowed=False, filler=IMPUTER):
    """Raise when a value of an array or a CSR matrix is missing or infinite, and say where.

    `columns` are the names of the columns, where they have names. Missing values may be allowed;
    where they are not, the error names a `filler` of them.
    """
    try:
        assert_all_finite(X, input_name=name, allow_nan=missing_allowed)
    except ValueError as error:
        raise ValueError(_where_not_finite(X, name, columns, missing_allowed, filler)) from error


def _where_not_finite(X, name, columns, missing_allowed, filler):
    """Return sentences about the values that are missing, or else infinite."""
    what, remedy = "a missing value (NaN)", "Fill such values"
    rows, at = _positions(X, np.isnan)
    if missing_allowed or not len(rows):
        what = f"a value that is infinite or too large for {X.dtype}"
        remedy = "Replace such values with NaN and fill them"
        rows, at = _positions(X, np.isinf)
    where = f"row {rows[0]}, column {at[0]} (counted from 0)"
    if columns is not None:
        where = f"row {rows[0]} (counted from 0), column {columns[at[0]]!r}"
    found = (
        f"{name} has {what} in {where}, the first of {len(rows)} in {len(np.unique(rows))} of "
        f"its {X.shape[0]} rows."
    )
    if missing_allowed:
        return f"{found} Replace such values with NaN, which stands for a missing value."
    message = f"{found} {remedy} with {filler}, or drop these rows."
    if name == "X_val":
        message += " A Pipeline fills X alone unless it has transform_input=['X_val']."
    return message


def _positions(X, test):
    """Return the rows and the columns of the values that meet a test, row by row."""
    if not issparse(X):
        return np.nonzero(test(X))
    X = X.sorted_indices().tocoo()
    found = test(X.data)
    return X.row[found], X.col[found]


def check_weight(weight, n_samples, name="sample_weight"):
    """Return the weights of rows as an array, or None; raise unless they are what is allowed."""
    if weight is None:
        return None
    weight = np.asarray(weight, dtype=float)
    if weight.ndim == 0:
        weight = np.full(n_samples, float(weight))
    if weight.shape != (n_samples,):
        raise ValueError(
            f"{name} has shape {weight.shape}, must have one weight for each row of "
            f"{name.replace('sample_weight', 'X')}: ({n_samples},)."
        )
    for is_wrong, what in ((~np.isfinite(weight), "not finite"), (weight < 0.0, "negative")):
        if is_wrong.any():
            row = int(np.argmax(is_wrong))
            raise ValueError(
                f"{name} is {what} in row {row} (counted from 0): {weight[row]}. Weights must be "
                "finite numbers from 0 up; 0 leaves a row out."
            )
    if not weight.any():
        raise ValueError(f"{name} is zero in every row: no row is left to learn from.")
    return weight


def check_weight_of_held_out(weight, X_val):
    """Raise when there are weights of held-out rows, but no such rows."""
    if weight is not None and X_val is None:
        raise ValueError(
            "sample_weight_val weighs the rows of X_val, and no X_val is given: pass both or "
            "neither."
        )


def check_labels(y, name="y", advice=""):
    """Raise when a row has no label or no target."""
    y = np.asarray(y)
    if y.ndim == 0 or y.size != len(y) or y.dtype.kind not in ("f", "O"):
        return
    missing = np.isnan(y) if y.dtype.kind == "f" else [_is_missing(label) for label in y.flat]
    rows = np.flatnonzero(missing)
    if len(rows):
        raise ValueError(
            f"{name} has a missing value (NaN or None) in row {rows[0]} (counted from 0), the "
            f"first of {len(rows)} of its {len(y)} rows. Drop these rows from "
            f"{name.replace('y', 'X')} and {name}{advice}."
        )


def _is_missing(label):
    """Tell whether a label is None, nan or the NA of pandas."""
    try:
        return label is None or bool(label != label)
    except TypeError:  # NA is neither equal nor not
        return True


def masked_labels(y, unlabeled, name="y"):
    """Return labels, masked in the rows that have none."""
    if not issparse(y):
        # An array of strings would turn None into one.
        y = np.asarray(y, object if isinstance(y, list | tuple) else None)
    if issparse(y) or (y.ndim == 2 and y.shape[1] > 1):
        raise ValueError(
            f"unlabeled == {unlabeled!r} is for one class a row, and {name} has shape {y.shape}. "
            "Set unlabeled=None, or pass one class for each row."
        )
    y = column_or_1d(y, warn=True)
    mask = means_no_label(y, unlabeled)
    labels = y[~mask]
    check_some_labels(labels, unlabeled, name)
    if labels.dtype == object and not any(isinstance(label, str) for label in labels):
        labels = np.array(labels.tolist())  # numbers among which there were missing values
    filled = np.full(len(y), labels[0], labels.dtype)
    filled[~mask] = labels
    return np.ma.array(filled, mask=mask)


def means_no_label(labels, unlabeled):
    """Tell of each label whether it is the value of rows without one.

    Where that is a missing value, all kinds of missing values are.
    """
    if _is_missing(unlabeled):
        found = [_is_missing(label) for label in labels.tolist()]
    else:
        found = [not _is_missing(label) and label == unlabeled for label in labels.tolist()]
    return np.array(found, bool)


def check_some_labels(labels, unlabeled, name):
    """Raise when no row is left that has a label."""
    if len(labels) == 0:
        raise ValueError(
            f"{name} has no row with a label and a weight above 0: unlabeled == {unlabeled!r} says "
            "that this value of it means none. Give some rows their labels."
        )


def check_finite(result, what):
    """Return a result that was computed from data; raise unless every value is finite."""
    if not np.isfinite(result).all():
        raise ValueError(
            f"The {what} overflows: values or weights are too large for {result.dtype}. Scale X as "
            "the training data were scaled; if it is, train with a lower learning_rate."
        )
    return result


def check_log_partition(log_partition):
    """Return the log of a partition function, which is given as a number or has a `value`."""
    value = getattr(log_partition, "value", log_partition)
    check_real(value, "log_partition", minimum=-np.inf)
    return float(value)


def whole_number(value, minimum=0, maximum=None):
    """Return a number that was read from a file; raise unless it is an integer in a range."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is not an integer")
    if value < minimum or (maximum is not None and value > maximum):
        raise ValueError(f"{value} is out of range")
    return value
