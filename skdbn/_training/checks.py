"""Checks of what the user hands in, shared by the estimators.

The rule: a message says what was given, what is allowed and, where it helps, what to do.
"""

from contextlib import contextmanager
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split
from sklearn.utils import check_scalar

FLOATS = (np.float64, np.float32)  # what is computed in; other types become the first
MAX_SEED = np.iinfo(np.int32).max
BLOCK_SIZE = 1024  # rows that inference works on at once, so that its extra memory is bounded


def check_integer(value, name, minimum):
    """Raise unless a parameter is an integer from `minimum` up.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        Name of the parameter.
    minimum : int
        Smallest allowed value.

    Raises
    ------
    TypeError
        When the value is no integer.
    ValueError
        When the value is too small.
    """
    check_scalar(value, name, Integral, min_val=minimum)


def check_real(value, name, minimum=0.0, maximum=None, boundaries="both"):
    """Raise unless a parameter is a finite real number in a range.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        Name of the parameter.
    minimum, maximum : float, optional
        Range.
    boundaries : {"both", "left", "right", "neither"}, default="both"
        Which ends of the range are allowed.

    Raises
    ------
    TypeError
        When the value is no real number.
    ValueError
        When the value is out of range.
    """
    check_scalar(value, name, Real, min_val=minimum, max_val=maximum, include_boundaries=boundaries)
    if not np.isfinite(value):
        raise ValueError(f"{name} == {value}, must be finite.")


def check_choice(value, name, choices):
    """Raise unless a parameter names one of the choices.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        Name of the parameter.
    choices : iterable of str
        What is allowed.

    Raises
    ------
    ValueError
        When it does not.
    """
    if not (isinstance(value, str) and value in choices):
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} == {value!r}, must be one of: {allowed}.")


def check_batch_size(batch_size):
    """Raise unless `batch_size` is "auto" or a positive integer.

    Parameters
    ----------
    batch_size : object
        What was given.

    Raises
    ------
    TypeError, ValueError
        When it is something else.
    """
    if isinstance(batch_size, str):
        check_choice(batch_size, "batch_size", ["auto"])
    else:
        check_integer(batch_size, "batch_size", 1)


def resolve_batch_size(batch_size, n_samples, smallest):
    """Return the number of rows in a minibatch.

    Parameters
    ----------
    batch_size : int or "auto"
        What was asked for.
    n_samples : int
        Rows in the data.
    smallest : int
        What "auto" does not go below.

    Returns
    -------
    int
        At most n_samples. "auto" aims at a hundred minibatches in a pass, of at most 100 rows.
    """
    if batch_size == "auto":
        batch_size = min(100, max(smallest, n_samples // 100))
    return min(batch_size, n_samples)


def value_range(X):
    """Return the smallest and the largest value of a matrix.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Matrix.

    Returns
    -------
    tuple of float
        Smallest and largest value.
    """
    values = X.data if issparse(X) else X
    zeros = issparse(X) and X.nnz < np.prod(X.shape)
    smallest, largest = (np.min(values), np.max(values)) if values.size else (0.0, 0.0)
    if zeros:
        smallest, largest = min(smallest, 0.0), max(largest, 0.0)
    return float(smallest), float(largest)


def blocks(n_samples, size=BLOCK_SIZE):
    """Yield slices that cover all rows.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    size : int, default=BLOCK_SIZE
        Rows in a slice; the last may have fewer.

    Yields
    ------
    slice
        The next rows.
    """
    for start in range(0, n_samples, size):
        yield slice(start, min(start + size, n_samples))


def check_finite(result, what):
    """Raise unless every value of a result is finite.

    Parameters
    ----------
    result : ndarray
        What was computed from data of a user.
    what : str
        What it is, for the message.

    Returns
    -------
    ndarray
        The result.

    Raises
    ------
    ValueError
        When a value is infinite or not a number.
    """
    if not np.isfinite(result).all():
        raise ValueError(
            f"The {what} overflows: values or weights are too large for {result.dtype}. Scale X as "
            "the training data were scaled; if it is, train with a lower learning_rate."
        )
    return result


def split_rows(n_samples, fraction, seed, labels=None):
    """Draw the rows that early stopping holds out.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    fraction : float
        Share of them that is held out.
    seed : int
        Seed.
    labels : ndarray of shape (n_samples,), default=None
        Classes, whose shares are kept.

    Returns
    -------
    rows, held_out : ndarray of int
        Indices.

    Raises
    ------
    ValueError
        When there are too few rows.
    """
    try:
        return train_test_split(
            np.arange(n_samples), test_size=fraction, stratify=labels, random_state=seed
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping == True and validation_fraction == {fraction} can not hold out some "
            f"of {n_samples} rows: {error} Give more rows, change validation_fraction, hand fit "
            "the held-out rows as X_val, or set early_stopping=False."
        ) from error


@contextmanager
def unchanged_on_error(estimator):
    """Give an estimator its attributes back when the block raises.

    Parameters
    ----------
    estimator : estimator
        Whose attributes the block sets; it must not change them in place.

    Yields
    ------
    None
        Nothing.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
