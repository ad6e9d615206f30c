"""Kinds of units and scales of the columns of the data.

The rule: the map of the columns belongs to the fitted estimator, and rows are mapped when they are
read, a minibatch or a block at a time, or once if they are few. X itself is not changed.
"""

from functools import partial
from operator import add, or_
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from skdbn._training.checks import value_range, without_duplicates
from skdbn._training.diagnosis import warn
from skdbn._training.rows import BLOCK_SIZE, Rows, blocks, dense_blocks

BINARY, GAUSSIAN = "binary", "gaussian"  # the kinds of units that a column can have
RANGE_TOLERANCE = 0.01  # by which scaling and resizing may overshoot [0, 1]
SQUEEZED = 0.25  # range below which values in [0, 1] may be measurements
TAIL_SHARE = 0.05  # share of the values at each end of a column that may be outliers
MOST = 0.5  # share of the values above which a single one is the usual value of a column
MOST_OF_OTHERS = 0.15  # share of the other values at each end that may be outliers
FEWEST_OTHERS = 20  # values in the sample; fewer do not tell which are outliers
FEWEST_SAMPLED, MOST_SAMPLED = 50, 1000  # rows in the sample for quantiles
ROUNDING = 1e-6  # of the share of weight at an end of a column, and of the ends of [0, 1]
N_VALUES = 1_000_000  # in a block
LIMIT = 5.0  # standard deviations at which measurements are clipped
HARDLY_EVER = 0.1  # share of the values of a column of measurements that may be 0 or 1
SPAN = 10.0  # standard deviations that the values of a column may span, including rare ones
PROBABILITIES = 0.0, 1.0
# Share and number of values that may lie beyond the limits. With heavy tails on both sides, nearly
# twice the share at each end of the fitted rows does.
MANY_FAR, MANY_VALUES = 2.0 * TAIL_SHARE, 10
ROWS_FOR_A_SCALE = 10  # fewer are too few to determine the scale of a column
# Of fitted estimators.
COLUMN_ATTRIBUTES = ("visible_units_", "offset_", "scale_", "_limits", "_share_beyond")


class DataRangeWarning(UserWarning):
    """Data lie outside the range of their units, or are scaled unlike the rows fitted before."""


class Columns(NamedTuple):
    """Kinds of the visible units, and an affine map of the data to their states.

    Attributes
    ----------
    visible_units : ndarray of str of shape (n_features,)
        Kind of each unit.
    offset, scale : ndarray of shape (n_features,)
        A value x becomes ``(x - offset) / scale``.
    limits : ndarray of shape (2, n_features)
        The lowest and the highest value on the scale of each column. A map clips values beyond
        them.
    share_beyond : float
        Share of the stored values of sparse rows beyond the limits, which are those of all values.
    """

    visible_units: object
    offset: object
    scale: object
    limits: object
    share_beyond: float = 0.0

    def attributes(self):
        """Return the fitted attributes that `columns_of` reads."""
        return dict(zip(COLUMN_ATTRIBUTES, self, strict=True))

    @property
    def keep_the_scale(self):
        """Whether all values within the limits stay as they are."""
        return not self.offset.any() and (self.scale == 1.0).all()

    def into_units(self, rows):
        """Map rows in place."""
        lowest, highest = self.limits
        np.maximum(rows, lowest, out=rows)  # with limits by column several times as fast as clip
        np.minimum(rows, highest, out=rows)
        if not self.keep_the_scale:
            rows -= self.offset
            rows /= self.scale
        return rows

    def into_data(self, states):
        """Map states back in place."""
        states *= self.scale
        states += self.offset
        return states


def columns_of(estimator):
    """Return the columns of a fitted estimator."""
    return Columns(*(getattr(estimator, name) for name in COLUMN_ATTRIBUTES))


def map_of(estimator):
    """Return the columns of a fitted estimator, or None if their map changes nothing."""
    columns = columns_of(estimator)
    changes_nothing = columns.keep_the_scale and np.isinf(columns.limits).all()
    return None if changes_nothing else columns


def as_they_are(X, kind, support=(-np.inf, np.inf)):
    """Return the map that only clips, for units of one kind and the range of their values."""
    zeros = np.zeros(X.shape[1], X.dtype)
    limits = np.repeat(_limits(support).astype(X.dtype), X.shape[1], axis=1)
    return Columns(np.full(X.shape[1], kind), zeros, zeros + 1, limits)


def _limits(support):
    """Return limits for values on another scale: a range extended by half its width either way."""
    low, high = support
    return np.array([[low - (high - low) / 2.0], [high + (high - low) / 2.0]])


def as_given(rows, kind, support):
    """Return a map that keeps the scale; values out of range are not clipped, but warned of."""
    X = rows.X
    low, high = rows.reduced(_range, _joined)
    lowest, highest = support
    if low >= lowest - RANGE_TOLERANCE and high <= highest + RANGE_TOLERANCE:
        return as_they_are(X, kind, support)
    warn(
        f"X has values from {low:.6g} to {high:.6g}, but {kind} visible units take values from "
        f"{lowest:g} to {highest:g}. Set visible_units='auto', which takes measurements on any "
        "scale (in a DBNClassifier or DBNRegressor call set_params(rbm__visible_units='auto'), or "
        "rbm__0__visible_units for a list), or scale X to that range.",
        DataRangeWarning,
    )
    return as_they_are(X, kind)


def recognized(rows, engine):
    """Return the map for X with `visible_units="auto"`.

    Columns within [0, 1] get binary units and are not changed; all others get gaussian units. So do
    columns that cover less than a quarter of [0, 1], unless all data are within [0, 1] and columns
    of other values than 0 and 1 cover more, as in images.
    """
    X = rows.X
    low, high = _ranges(rows, engine)
    are_outside = (low < -RANGE_TOLERANCE) | (high > 1.0 + RANGE_TOLERANCE)
    are_squeezed = (high - low < SQUEEZED) & (low < high)
    if are_squeezed.any() and not are_outside.any():
        are_wide = high - low >= SQUEEZED
        are_squeezed &= not rows.reduced(partial(_has_greys, columns=are_wide), or_)
    if are_outside.any() or are_squeezed.any():
        return _standardized(rows, engine, low, high, are_outside | are_squeezed)
    return as_they_are(X, BINARY, PROBABILITIES)


def _has_greys(rows, columns):
    """Tell whether any value of some columns lies between 0 and 1."""
    blocks_of_columns = (block[:, columns] for _, block in dense_blocks(rows.X))
    return any(((x > 0.0) & (x < 1.0)).any() for x in blocks_of_columns)


def standardized(rows, engine):
    """Return the map of all columns to mean 0 and standard deviation 1, for gaussian units."""
    are_gaussian = np.ones(rows.X.shape[1], bool)
    return _standardized(rows, engine, *_ranges(rows, engine), are_gaussian)


def _standardized(rows, engine, low, high, are_gaussian):
    """Return the map that standardizes the columns with gaussian units.

    Outliers do not count: see `limits_without_outliers`. A column thus has the same states, up to
    rounding, however it was shifted and scaled. Rows count by their weights.
    """
    X, weight = rows.X, rows.weight
    n_samples, n_features = X.shape
    n_sampled = min(n_samples, MOST_SAMPLED, max(FEWEST_SAMPLED, N_VALUES // n_features))
    sample = np.sort(engine.permutation(n_samples)[:n_sampled])
    values = rows.read(engine, sample, engine.zeros(n_sampled, n_features))
    weight_of_sample = np.ones(n_sampled) if weight is None else weight[sample].astype(float)
    lowest, highest = limits_without_outliers(values.astype(float), weight_of_sample)
    low, high = np.fmax(low, lowest), np.fmin(high, highest)
    span = np.where(high > low, high - low, 1.0)
    mean, variance = _moments(rows, engine, low, high, span)
    deviation = span * np.sqrt(variance)
    float_info = np.finfo(X.dtype)
    varies = deviation > float_info.eps * np.maximum(abs(low), abs(high))
    scale = np.maximum(deviation, span / SPAN)
    scale = np.where(are_gaussian & varies, np.maximum(scale, float_info.tiny), 1.0)
    offset = np.where(are_gaussian, low + span * mean, 0.0)
    limits = np.minimum(low, offset - LIMIT * scale), np.maximum(high, offset + LIMIT * scale)
    limits = np.where(are_gaussian, limits, _limits(PROBABILITIES))
    kinds = np.where(are_gaussian, GAUSSIAN, BINARY)
    offset, scale, limits = (array.astype(X.dtype) for array in (offset, scale, limits))
    low, high = limits
    n_stored, n_outside, _ = rows.reduced(
        partial(_stored_outside, low=low, high=high), _both_outside
    )
    return Columns(kinds, offset, scale, limits, n_outside / max(1, n_stored))


def _moments(rows, engine, low, high, span):
    """Return the mean and variance of each column, clipped, in units of its span."""
    sums, squares, n_observed = rows.reduced(
        partial(_sums, engine=engine, low=low, high=high, span=span), add
    )
    n_observed[n_observed == 0.0] = 1.0
    mean = sums / n_observed
    return mean, np.maximum(squares / n_observed - mean * mean, 0.0)


def _sums(rows, engine, low, high, span):
    """Return sums of the values, of their squares, and of the weights of observed values."""
    weight = np.ones(rows.X.shape[0]) if rows.weight is None else rows.weight.astype(float)
    sums, squares, n_observed = found = np.zeros((3, rows.X.shape[1]))
    start = 0
    for block in _in_blocks(rows.X, engine):
        shares = (np.clip(block, low, high) - low) / span  # within [0, 1], where squares are safe
        weight_of_block = weight[start : start + len(block), None]
        are_missing = np.isnan(block)
        shares[are_missing] = 0.0
        n_observed += (weight_of_block * ~are_missing).sum(axis=0)
        sums += (weight_of_block * shares).sum(axis=0)
        squares += (weight_of_block * shares * shares).sum(axis=0)
        start += len(block)
    return found


def measurements_standard(rows, engine):
    """Return means and standard deviations of measurements scaled to [0, 1], or None.

    A column with binary units holds such measurements if some of its values are 0 and 1, but few,
    unlike those of pixels. All other columns get the mean 0 and the deviation 1.
    """
    low, high = _ranges(rows, engine)
    are_measured = (abs(low) <= ROUNDING) & (abs(high - 1.0) <= ROUNDING)
    if not are_measured.any():
        return None
    rows = rows.weighted()
    weight, within = rows.reduced(partial(_within, engine=engine), add)
    are_measured &= within > (1.0 - HARDLY_EVER) * weight
    if rows.columns is not None:
        are_measured &= rows.columns.visible_units == BINARY
    zeros = np.zeros(rows.X.shape[1])
    mean, variance = _moments(rows, engine, zeros, zeros + 1.0, 1.0)
    deviation = np.sqrt(variance)
    are_measured &= deviation > ROUNDING  # the rows at the ends may have tiny weights
    if not are_measured.any():
        return None
    mean, deviation = np.where(are_measured, mean, 0.0), np.where(are_measured, deviation, 1.0)
    return [mean.astype(rows.X.dtype), deviation.astype(rows.X.dtype)]


def _within(rows, engine):
    """Return the weight of the rows, and of those with a value between 0 and 1 in each column."""
    within, start = np.zeros(rows.X.shape[1]), 0
    weight = np.ones(rows.X.shape[0]) if rows.weight is None else rows.weight.astype(float)
    for block in _in_blocks(rows.X, engine):
        within += weight[start : start + len(block)] @ ((block > 0.0) & (block < 1.0))
        start += len(block)
    return np.stack([np.full_like(within, weight.sum()), within])


def limits_without_outliers(values, weight):
    """Return the lowest and the highest value of each column that is not an outlier.

    Outliers lie beyond the middle 90 % of the values by more than its range. If more than half of
    the values are the same, as in amounts that are mostly 0, the others are what there is to learn:
    they lose 5 % of all values at each end, but at most 15 % of their own, and the middle is what
    remains of them, extended to the usual value. Too few others to judge have no limits.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features)
        Values, NaN if missing.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.

    Returns
    -------
    tuple of two ndarrays of shape (n_features,)
        Limits, NaN if a column has no value.
    """
    tail = TAIL_SHARE + ROUNDING  # the same for -X, and for weights times 3
    first, usual, last = _quantiles(values, [tail, 0.5, 1.0 - tail], weight)
    is_usual = values == usual
    share = weight @ is_usual / np.maximum(weight @ ~np.isnan(values), np.finfo(float).tiny)
    has_usual = (share > MOST + ROUNDING) & (share < 1.0)
    if has_usual.any():
        others = np.where(is_usual[:, has_usual], np.nan, values[:, has_usual])
        tail = np.minimum(TAIL_SHARE / (1.0 - share[has_usual]), MOST_OF_OTHERS) + ROUNDING
        ends = _quantiles(others, [tail, 1.0 - tail], weight)
        ends[:, (~np.isnan(others)).sum(axis=0) < FEWEST_OTHERS] = np.nan
        first[has_usual] = np.fmin(ends[0], usual[has_usual])
        last[has_usual] = np.fmax(ends[1], usual[has_usual])
    margin = np.where(last > first, last - first, np.inf)
    return first - margin, last + margin


def _quantiles(values, shares, weight):
    """Return quantiles of the values of each column, NaN if it has no value."""
    order = np.argsort(values, axis=0)  # NaN last
    ordered = np.take_along_axis(values, order, axis=0)
    reached = np.cumsum(np.where(np.isnan(ordered), 0.0, weight[order]), axis=0)
    at = [(reached < share * reached[-1]).sum(axis=0) for share in shares]
    return np.take_along_axis(ordered, np.stack(at), axis=0)


def _ranges(rows, engine):
    """Return the smallest and the largest value of each column, 0 if it has no value."""
    low, high = rows.reduced(partial(_extremes, engine=engine), _joined)
    has_some = low <= high
    return np.where(has_some, low, 0.0), np.where(has_some, high, 0.0)


def _extremes(rows, engine):
    """Return the smallest and the largest value of each column, infinite if it has no value."""
    low, high = np.full(rows.X.shape[1], np.inf), np.full(rows.X.shape[1], -np.inf)
    for block in _in_blocks(rows.X, engine):
        np.fmin(low, np.fmin.reduce(block, axis=0), out=low)
        np.fmax(high, np.fmax.reduce(block, axis=0), out=high)
    return low, high


def _range(rows):
    """Return the smallest and the largest value of rows."""
    ranges = [value_range(rows.X[block]) for block in blocks(rows.X.shape[0])]
    return np.min(ranges), np.max(ranges)


def _joined(one, other):
    """Return the smallest and the largest values of two parts of rows."""
    return np.fmin(one[0], other[0]), np.fmax(one[1], other[1])


def _in_blocks(X, engine):
    """Yield all rows, dense, in blocks."""
    for block in blocks(X.shape[0], min(BLOCK_SIZE, max(1, N_VALUES // X.shape[1]))):
        memory = engine.buffer("rows", block.stop - block.start, X.shape[1])
        yield engine.rows(X, block, memory)


def warn_of_other_scale(estimator, X, name="X"):
    """Warn if many values of new rows are far from those of the fitted rows.

    Of sparse rows only stored values count.
    """
    columns = columns_of(estimator)
    low, high = columns.limits
    n_values, n_outside, example = Rows(X).reduced(
        partial(_outside, low=low, high=high), _both_outside
    )
    if n_outside < MANY_VALUES:
        return
    share = n_outside / n_values
    if share > MANY_FAR + columns.share_beyond:
        value, column = example
        names = getattr(estimator, "feature_names_in_", None)
        where = f"column {column}" if names is None else f"column {names[column]!r}"
        advice = f"Scale {name} in the same way as the training data."
        if name != "X":
            advice += f" A Pipeline scales only X unless it has transform_input=['{name}']."
        warn(
            f"{share:.0%} of the values of {name} are far from the training data: for example "
            f"{value:.6g} in {where}, where values from {low[column]:.6g} to {high[column]:.6g} "
            f"are expected. {advice}",
            DataRangeWarning,
        )


def _stored_outside(rows, low, high):
    """Return the same as `_outside` if rows are sparse; of dense rows no value counts."""
    return _outside(rows, low, high) if issparse(rows.X) else (0, 0, None)


def _outside(rows, low, high):
    """Return the number of values, the number beyond the limits, and one of the latter."""
    X = rows.X
    n_values, n_outside, example = 0, 0, None
    for block in blocks(X.shape[0]):
        rows = without_duplicates(X[block])
        values, columns = _stored(rows)
        n_values += np.count_nonzero(~np.isnan(values))
        lowest, highest = value_range(rows)
        if lowest < low.max() or highest > high.min():
            are_outside = (values < low[columns]) | (values > high[columns])
            n_outside += np.count_nonzero(are_outside)
            if example is None and are_outside.any():
                example = _first(are_outside, values, columns)
    return n_values, n_outside, example


def _both_outside(one, other):
    """Return what `_outside` finds in two parts of the rows."""
    return one[0] + other[0], one[1] + other[1], other[2] if one[2] is None else one[2]


def _stored(rows):
    """Return the values of rows and their columns; of sparse rows only stored values."""
    return (rows.data, rows.indices) if issparse(rows) else (rows, slice(None))


def _first(are_meant, values, columns):
    """Return the first value where the mask is true, and its column."""
    first = np.argmax(are_meant)
    column = first % values.shape[1] if values.ndim == 2 else columns[first]
    return values.ravel()[first], column


def check_zeros_and_ones(estimator, X):
    """Raise unless the values of all binary units are 0 or 1."""
    is_binary = estimator.visible_units_ == BINARY
    for block in blocks(X.shape[0]):
        rows = without_duplicates(X[block])
        values, columns = _stored(rows)
        is_grey = (values != 0.0) & (values != 1.0) & ~np.isnan(values) & is_binary[columns]
        if is_grey.any():
            value, column = _first(is_grey, values, columns)
            if not 0.0 < value < 1.0:
                raise ValueError(
                    f"X has the value {value:.6g} in column {column} (counted from 0), whose unit "
                    "is binary: its values are 0 and 1. Scale X in the same way as the training "
                    "data."
                )
            raise ValueError(
                f"X has the value {value:.6g} in column {column} (counted from 0), whose unit is "
                "binary: likelihoods are defined for zeros and ones only. Pass "
                f"{_rounding(X, is_binary)}, or draw the states of binary units with their values "
                "as probabilities. score_samples accepts values between 0 and 1."
            )


def _rounding(X, is_binary):
    """Return code that rounds the values of binary units."""
    if is_binary.all():
        return "np.rint(X)"
    dense = "X.toarray()" if issparse(X) else "X"
    return f"np.where(model.visible_units_ == 'binary', np.rint({dense}), {dense})"


def warn_of_empty_columns(X, names=None):
    """Warn if columns have no value in any row."""
    empty = np.flatnonzero(~Rows(X).reduced(_have_some, np.logical_or))
    if len(empty):
        first = f"column {empty[0]}" if names is None else f"column {names[empty[0]]!r}"
        warn(
            f"X has no value in {len(empty)} of {X.shape[1]} columns, the first of which is "
            f"{first}. Their expected values are a guess. Drop these columns, or pass rows that "
            "have values in them.",
            DataRangeWarning,
        )


def _have_some(rows):
    """Tell for each column whether it has a value."""
    has_some = np.zeros(rows.X.shape[1], bool)
    for _, block in dense_blocks(rows.X):
        has_some |= ~np.isnan(block).all(axis=0)
    return has_some


def warn_of_few_rows(estimator, n_samples):
    """Warn if there are too few rows to determine the scales of the columns."""
    if n_samples < ROWS_FOR_A_SCALE and (estimator.visible_units_ == GAUSSIAN).any():
        warn(
            f"The first call of partial_fit has {n_samples} rows, too few to estimate the scales "
            "of the columns, which later calls keep. Start with at least a hundred rows.",
            DataRangeWarning,
        )
