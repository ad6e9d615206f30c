"""Checks of user input, shared by the estimators.

The rule: a message says what was given, what is allowed and, where it helps, what to do.
"""

import math
import re
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import DataConversionWarning
from sklearn.pipeline import Pipeline
from sklearn.utils import assert_all_finite, check_scalar, column_or_1d

from skdbn._training.diagnosis import warn

FLOATS = (np.float64, np.float32)  # types of computations
MAX_SEED = np.iinfo(np.int32).max
MAX_INTEGER = np.iinfo(np.int64).max  # NumPy has no larger integers
NO_STEP = (None, "passthrough")  # what stands for no step in a Pipeline
IMPUTER = "sklearn.impute.SimpleImputer as a step of a Pipeline"  # fills missing values


def floats_for(X):
    """Return the types that data may keep; data of other types get the first one.

    That is float32 if it can hold every value of their type: bytes, booleans, integers of up to
    16 bits, float16.
    """
    types = [getattr(kind, "subtype", getattr(kind, "numpy_dtype", kind)) for kind in _types_of(X)]
    try:
        fit = all(np.can_cast(kind, np.float32) for kind in types)
    except TypeError:  # not types of NumPy, but polars says what it converts its own to
        fit = hasattr(X, "to_numpy") and np.can_cast(X[:0].to_numpy().dtype, np.float32)
    return FLOATS[::-1] if fit else FLOATS


def _types_of(X):
    """Return the types of the columns of a DataFrame, or the type of an array or a Series."""
    if hasattr(X, "dtypes") and getattr(X, "ndim", 2) == 2:
        return [*X.dtypes]
    return [getattr(X, "dtype", None)]


def check_no_dates(X, name):
    """Raise if data hold dates or time spans, which would become numbers of an unknown unit."""
    types = _types_of(X)
    are_dates = [
        getattr(kind, "kind", "") in ("m", "M")
        or (hasattr(kind, "is_temporal") and kind.is_temporal())
        for kind in types
    ]
    if any(are_dates):
        where = f" in column {X.columns[are_dates.index(True)]!r}" if hasattr(X, "columns") else ""
        raise ValueError(
            f"{name} holds dates or time spans{where}. Pass numbers, such as the days since a "
            "date that is the same in training and prediction: (dates - first) / "
            "np.timedelta64(1, 'D')."
        )


def check_no_text(X, name, error):
    """Raise, with what to do, if an error says that text is no number."""
    if "could not convert string to float" not in str(error):
        return
    columns = getattr(X, "columns", [None] * (not issparse(X)))
    for column in columns:
        try:
            np.asarray(X if column is None else X[column], float)
        except (TypeError, ValueError):
            where = "" if column is None else f" in column {column!r}"
            raise ValueError(
                f"{name} has text{where}: {error}. Turn categories into columns of 0 and 1 with "
                "sklearn.preprocessing.OneHotEncoder, in a ColumnTransformer if other columns are "
                "numbers."
            ) from error
    raise text_as_target(name.replace("X", "y"), error) from error


def text_as_target(name, error):
    """Return the error of targets that are text where numbers are expected."""
    text = re.search("'.*'", str(error))
    return ValueError(
        f"{name} has text{f', {text[0]}' if text else ''}. Pass numbers, with decimal points and "
        "without commas. To predict classes, use DBNClassifier."
    )


def check_integer(value, name, minimum):
    """Raise unless a parameter is an integer of at least `minimum` that NumPy can hold."""
    check_scalar(value, name, Integral, min_val=minimum, max_val=MAX_INTEGER)


def check_real(value, name, minimum=0.0, maximum=None, boundaries="both"):
    """Raise unless a parameter is a finite real number in a range.

    `boundaries` tells which ends of the range are allowed: "both", "left", "right", "neither".
    """
    check_scalar(value, name, Real, min_val=minimum, max_val=maximum, include_boundaries=boundaries)
    try:
        is_finite = math.isfinite(value)
    except OverflowError:  # an integer larger than any float
        is_finite = False
    if not is_finite:
        raise ValueError(f"{name} == {value}, must be finite.")


def check_choice(value, name, choices):
    """Raise unless a parameter names one of the choices."""
    if not (isinstance(value, str) and value in choices):
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} == {value!r}, must be one of: {allowed}.")


def check_auto_or(check, value, name, *limits, **others):
    """Raise unless a parameter is "auto" or passes another check."""
    if isinstance(value, str):
        check_choice(value, name, ["auto"])
    else:
        check(value, name, *limits, **others)


def check_flag(value, name, others=()):
    """Raise unless a parameter is True, False, or one of the strings in `others`."""
    if not (isinstance(value, bool | np.bool_) or (isinstance(value, str) and value in others)):
        allowed = "".join(f" or {other!r}" for other in others)
        raise TypeError(f"{name} == {value!r}, must be True or False{allowed}.")


def check_schedule_of_passes(estimator, may_watch=()):
    """Check the parameters shared by all estimators that are trained in passes.

    `early_stopping` may also be one of the strings in `may_watch`.
    """
    check_auto_or(check_integer, estimator.batch_size, "batch_size", 1)
    check_flag(estimator.early_stopping, "early_stopping", may_watch)
    fraction = estimator.validation_fraction
    check_real(fraction, "validation_fraction", maximum=1.0, boundaries="neither")
    check_integer(estimator.n_iter_no_change, "n_iter_no_change", 1)
    check_real(estimator.tol, "tol")
    check_flag(estimator.warm_start, "warm_start")
    check_integer(estimator.verbose, "verbose", 0)


def resolve_batch_size(batch_size, n_samples, smallest):
    """Return the number of rows in a minibatch, at most n_samples.

    "auto" aims at a hundred minibatches per pass, with `smallest` to 100 rows each.
    """
    if batch_size == "auto":
        batch_size = min(100, max(smallest, n_samples // 100))
    return min(batch_size, n_samples)


def without_duplicates(X):
    """Return an array as it is, a CSR matrix with at most one stored value for each entry."""
    if issparse(X) and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def value_range(X):
    """Return the smallest and the largest value of an array or CSR matrix, ignoring NaN."""
    X = without_duplicates(X)
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
    """Raise if a value of an array or CSR matrix is missing or infinite, and tell where.

    `columns` are the names of the columns, if any. If missing values are not allowed, the error
    recommends `filler` to fill them.
    """
    try:
        assert_all_finite(X, input_name=name, allow_nan=missing_allowed)
    except ValueError as error:
        raise ValueError(_where_not_finite(X, name, columns, missing_allowed, filler)) from error


def _where_not_finite(X, name, columns, missing_allowed, filler):
    """Return a message about the missing or else the infinite values."""
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
        f"{name} has {what} in {where}, the first of {len(rows)} in {len(np.unique(rows))} of its "
        f"{X.shape[0]} rows."
    )
    if missing_allowed:
        return f"{found} Replace such values with NaN, which stands for a missing value."
    message = f"{found} {remedy} with {filler}, or drop these rows."
    if name == "X_val":
        message += " A Pipeline fills only X unless it has transform_input=['X_val']."
    return message


def _positions(X, test):
    """Return the rows and columns of the values that pass a test, row by row."""
    if not issparse(X):
        return np.nonzero(test(X))
    X = X.sorted_indices().tocoo()
    found = test(X.data)
    return X.row[found], X.col[found]


def check_weight(weight, n_samples, name="sample_weight"):
    """Return the weights of rows as an array, or None; raise if they are invalid."""
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
                "finite and not negative; 0 leaves a row out."
            )
    if not weight.any():
        raise ValueError(f"{name} is zero in every row. Give at least one row a positive weight.")
    return weight


def check_weight_of_held_out(weight, X_val):
    """Raise if there are weights of held-out rows, but no such rows."""
    if weight is not None and X_val is None:
        raise ValueError(
            "sample_weight_val is given without X_val, the rows that it belongs to. Pass both or "
            "neither."
        )


def check_labels(y, name="y", advice=""):
    """Raise if a row has no label or target, with further advice on rows of one class each."""
    y = np.asarray(y)
    if y.ndim == 0 or y.dtype.kind not in "fmMO":
        return
    missing = np.isnan(y) if y.dtype.kind != "O" else np.vectorize(_is_missing, [bool])(y)
    rows = np.flatnonzero(missing.any(axis=tuple(range(1, y.ndim))))
    if len(rows):
        raise ValueError(
            f"{name} has a missing value (NaN or None) in row {rows[0]} (counted from 0), the "
            f"first of {len(rows)} of its {len(y)} rows. Drop these rows from "
            f"{name.replace('y', 'X')} and {name}{advice * (y.size == len(y))}."
        )


def sorted_classes(classes):
    """Return the argument `classes` as a sorted array; raise if an entry is no class."""
    entries = list(classes)
    for entry in entries:
        if _is_missing(entry) or entry in (math.inf, -math.inf):
            raise ValueError(f"classes contains {entry!r}, which is no class. Leave it out.")
    if len({isinstance(entry, str) for entry in entries}) > 1:
        raise ValueError(
            f"classes contains strings and other values: {entries!r}. Pass labels of one type, "
            "that of y."
        )
    return np.unique(classes if hasattr(classes, "dtype") else entries)


def warn_of_column(y, name):
    """Warn if labels, one for each row, are a column and no vector."""
    if y.ndim == 2 and y.shape[1] == 1:
        warn(
            f"A column-vector {name} was passed when a 1d array was expected: it has shape "
            f"{y.shape}. Pass {name}.squeeze().",
            DataConversionWarning,
        )


def _is_missing(label):
    """Tell whether a label is None, NaN or the NA of pandas."""
    try:
        return label is None or bool(label != label)
    except TypeError:  # NA compares neither equal nor unequal
        return True


def masked_labels(y, unlabeled, name="y"):
    """Return labels, masked in rows without one."""
    if not issparse(y):
        # An array of strings would turn None into a string.
        y = np.asarray(y, object if isinstance(y, list | tuple) else None)
    if issparse(y) or (y.ndim == 2 and y.shape[1] > 1):
        raise ValueError(
            f"unlabeled == {unlabeled!r} needs one class per row, but {name} has shape {y.shape}. "
            "Set unlabeled=None, or pass one class for each row."
        )
    warn_of_column(y, name)
    y = column_or_1d(y)
    mask = means_no_label(y, unlabeled)
    if not mask.any():
        _check_type_of_marker(y, unlabeled, name)
    labels = y[~mask]
    check_some_labels(labels, unlabeled, name)
    if labels.dtype == object and not any(isinstance(label, str) for label in labels):
        labels = np.array(labels.tolist())  # numbers with missing values among them
    filled = np.full(len(y), labels[0], labels.dtype)
    filled[~mask] = labels
    return np.ma.array(filled, mask=mask)


def _check_type_of_marker(labels, unlabeled, name):
    """Raise if labels differ from the marker only in that one is a string, the other a number."""
    for label in set(labels.tolist()):
        if isinstance(label, str) != isinstance(unlabeled, str) and str(label) == str(unlabeled):
            raise ValueError(
                f"{name} has the label {label!r}, but unlabeled == {unlabeled!r}: one is a string, "
                f"the other a number, so no row is without a label. Pass unlabeled={label!r}."
            )


def means_no_label(labels, unlabeled):
    """Tell for each label whether it marks a row without a label.

    If `unlabeled` is a missing value, missing values of all kinds do.
    """
    if _is_missing(unlabeled):
        found = [_is_missing(label) for label in labels.tolist()]
    else:
        found = [not _is_missing(label) and label == unlabeled for label in labels.tolist()]
    return np.array(found, bool)


def check_some_labels(labels, unlabeled, name):
    """Raise if no row has a label."""
    if len(labels) == 0:
        raise ValueError(
            f"{name} has no row with a label and a weight above 0: unlabeled == {unlabeled!r} "
            "marks rows without a label. Label some rows of positive weight."
        )


def without_alarms():
    """Return a context in which no operation warns: results that are not finite are found later.

    Products of some versions of Accelerate, the BLAS of macOS, report errors that never happened.
    """
    return np.errstate(divide="ignore", over="ignore", invalid="ignore")


def check_finite(result, what):
    """Return a result computed from data; raise unless all its values are finite."""
    if not np.isfinite(result).all():
        raise ValueError(
            f"Overflow in the {what}: values or weights are too large for {result.dtype}. Scale X "
            "in the same way as the training data; if it is, train with a lower learning_rate (of "
            "a net: learning_rate_init and rbm__learning_rate)."
        )
    return result


def check_log_partition(log_partition):
    """Return the log of a partition function, given as a number or an object with a `value`."""
    value = getattr(log_partition, "value", log_partition)
    check_real(value, "log_partition", minimum=-np.inf)
    return float(value)


def whole_number(value, minimum=0, maximum=None):
    """Return a number read from a file; raise unless it is an integer in a range."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is not an integer")
    if value < minimum or (maximum is not None and value > maximum):
        raise ValueError(f"{value} is out of range")
    return value


def flattened(model):
    """Return a Pipeline with the steps of the Pipelines within it, or the model itself."""
    if not any(hasattr(step, "steps") for _, step in getattr(model, "steps", [])):
        return model
    steps = []
    for name, step in model.steps:
        inner = getattr(flattened(step), "steps", None)
        steps += [(name, step)] if inner is None else [(f"{name} {n}", s) for n, s in inner]
    return Pipeline(steps)


def flat_steps(model):
    """Return the steps of a Pipeline and of Pipelines within it, or the model as the only one."""
    if not hasattr(model, "steps"):
        return [model]
    return [step for _, step in flattened(model).steps if step not in NO_STEP]
