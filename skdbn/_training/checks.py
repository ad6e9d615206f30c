"""Checks of what a user passes in, shared by the estimators.

The rule: a message says what was given, what is allowed and, where it helps, what to do.
"""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_scalar

FLOATS = (np.float64, np.float32)  # what is computed in; other types become the first
MAX_SEED = np.iinfo(np.int32).max


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


def check_flag(value, name):
    """Raise unless a parameter is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} == {value!r}, must be True or False.")


def check_schedule_of_passes(estimator):
    """Check the parameters that every estimator has which is trained in passes."""
    if isinstance(estimator.batch_size, str):
        check_choice(estimator.batch_size, "batch_size", ["auto"])
    else:
        check_integer(estimator.batch_size, "batch_size", 1)
    check_flag(estimator.early_stopping, "early_stopping")
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
    """Return the smallest and the largest value of an array or a CSR matrix."""
    values = X.data if issparse(X) else X
    zeros = issparse(X) and X.nnz < np.prod(X.shape)
    smallest, largest = (np.min(values), np.max(values)) if values.size else (0.0, 0.0)
    if zeros:
        smallest, largest = min(smallest, 0.0), max(largest, 0.0)
    return float(smallest), float(largest)


def check_finite(result, what):
    """Return a result that was computed from data; raise unless every value is finite."""
    if not np.isfinite(result).all():
        raise ValueError(
            f"The {what} overflows: values or weights are too large for {result.dtype}. Scale X as "
            "the training data were scaled; if it is, train with a lower learning_rate."
        )
    return result


def whole_number(value, minimum=0, maximum=None):
    """Return a number that was read from a file; raise unless it is an integer in a range."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is not an integer")
    if value < minimum or (maximum is not None and value > maximum):
        raise ValueError(f"{value} is out of range")
    return value
