"""Rows of data with their targets and weights.

The rule: rows travel as one object. Nothing downstream takes X, y and weights separately.

X may be on the workers of a cluster, in parts, while y and the weights are here. It is then a
`skdbn._cluster.partitions.Partitions`, whose methods do on the workers what `Rows` asks for.
"""

from operator import or_
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing

from skdbn._training.checks import check_finite, check_weight, without_alarms
from skdbn._training.threads import threads_for

UNLABELLED = -1  # stands for the index of a class
BLOCK_SIZE = 1024  # rows that inference works on at once, to bound its extra memory
FEW_VALUES = 2**20  # values, dense, that training may copy: at most 8 MiB


class Chosen:
    """Some of the rows of an array, copied only when they are read, a few at a time.

    Parameters
    ----------
    X : ndarray or Chosen of shape (n_rows, n_features)
        All rows.
    numbers : ndarray of int of shape (n_samples,)
        Indices of the chosen rows.
    """

    ndim = 2

    def __init__(self, X, numbers):
        if isinstance(X, Chosen):
            X, numbers = X.X, X.numbers[numbers]
        self.X, self.numbers = X, numbers
        self.shape, self.dtype, self.flags = (len(numbers), X.shape[1]), X.dtype, X.flags

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, indices):
        return self.X[self.numbers[indices]]

    def take(self, indices, **options):
        """Return some of these rows, like `ndarray.take`."""
        return self.X.take(self.numbers[indices], **options)


class Rows(NamedTuple):
    """Rows of data.

    Attributes
    ----------
    X : ndarray, Chosen or CSR matrix of shape (n_samples, n_features)
        The rows.
    y : sequence of length n_samples or None
        Target of each row.
    weight : ndarray of shape (n_samples,) or None
        Weight of each row; None if all count the same.
    columns : Columns or None
        How the columns are mapped when rows are read.
    """

    X: object
    y: object = None
    weight: object = None
    columns: object = None

    def take(self, indices):
        """Return some rows, of an array without a copy, on a cluster in the order of the parts."""
        in_order = getattr(self.X, "in_order", None)
        indices = indices if in_order is None else in_order(indices)
        is_array = isinstance(self.X, np.ndarray | Chosen)
        X = Chosen(self.X, indices) if is_array else self.X[indices]
        y = None if self.y is None else _safe_indexing(self.y, indices)
        return Rows(X, y, self.weight_of(indices), self.columns)

    def whole(self):
        """Return X as an array or a CSR matrix."""
        return self.X[:] if isinstance(self.X, Chosen) else self.X

    def weight_of(self, indices):
        """Return the weights of some of the rows, or None."""
        return None if self.weight is None else self.weight[indices]

    def factors(self, engine, indices):
        """Return the factors of the losses of some of the rows."""
        if self.weight is None:
            return engine.xp.ones(len(indices), engine.dtype)
        return self.weight[indices]

    def mean_weight(self):
        """Return the mean of the weights."""
        if self.weight is None:
            return 1.0
        largest = self.weight.max()  # a sum of huge weights would overflow
        return float(largest * (self.weight / largest).mean())

    def weighted(self, mean=None):
        """Return the rows with weights in the type of X, divided by a mean, by default their own.

        If all rows then count 1, they have no weights.
        """
        if mean is None and (self.weight is None or self.weight.min() == self.weight.max()):
            return self._replace(weight=None)
        weight = np.ones(self.X.shape[0]) if self.weight is None else self.weight
        is_positive = weight > 0.0
        weight = weight / (self.mean_weight() if mean is None else mean)
        # No positive weight may become 0 in the type of X: all weights of a part might.
        weight[is_positive] = np.maximum(weight[is_positive], np.finfo(self.X.dtype).tiny)
        weight = weight.astype(self.X.dtype)
        return self._replace(weight=None if (weight == 1.0).all() else weight)

    def read(self, engine, indices, out):
        """Copy some of the rows, dense and mapped, into `out`."""
        read = getattr(self.X, "read", None)
        rows = engine.rows(self.X, indices, out) if read is None else read(indices, out)
        return rows if self.columns is None else self.columns.into_units(rows)

    def has_missing(self):
        """Tell whether any value is missing."""
        may_have = getattr(self.X, "has_missing", True)  # known of rows on a cluster
        return may_have and self.reduced(_have_missing, or_)

    def states(self, engine):
        """Return all rows, dense and mapped, in new memory."""
        return self.read(engine, slice(None), engine.zeros(*self.X.shape))

    def ready(self, engine):
        """Return the rows dense and mapped if they are few: each minibatch then takes less time."""
        is_elsewhere = hasattr(self.X, "read")
        is_ready = self.columns is None and not issparse(self.X)
        if is_elsewhere or is_ready or np.prod(self.X.shape) > FEW_VALUES:
            return self
        return self._replace(X=self.states(engine), columns=None)

    # -- in memory, or in parts on a cluster

    def reduced(self, function, join):
        """Return a function of the rows: of each part, and the results joined two by two."""
        reduced = getattr(self.X, "reduced", None)
        return function(self) if reduced is None else reduced(self, function, join)

    def through(self, function):
        """Return rows whose X is a function of these rows."""
        through = getattr(self.X, "through", None)
        X = function(self) if through is None else through(self, function)
        return self._replace(X=X, columns=None)

    def here(self):
        """Return the rows in the memory of this process."""
        gathered = getattr(self.X, "gathered", None)
        return self if gathered is None else self._replace(X=gathered())


def _have_missing(rows):
    """Tell whether any value of rows in memory is missing."""
    values = rows.X.data if issparse(rows.X) else rows.X
    return any(np.isnan(values[block]).any() for block in blocks(len(values)))


def that_count(X, y=None, weight=None, name="sample_weight"):
    """Return rows with their weights, without those of weight 0."""
    rows = Rows(X, y, check_weight(weight, X.shape[0], name))
    if weight is None or rows.weight.all():
        return rows
    return rows.take(np.flatnonzero(rows.weight))


def one_for_each_row(y, n_samples):
    """Return y if it has an entry for each row, else None: for estimators that ignore y."""
    shape = (len(y),) if isinstance(y, list | tuple) else getattr(y, "shape", ())
    return y if shape[:1] == (n_samples,) else None


def hold_out(estimator, rows, held_out, seed, labels=None, classes=None):
    """Return the rows to train on, and the rows to monitor or None.

    If no held-out rows are given, early stopping takes a share of the rows, stratified by class and
    without unlabelled rows. The weights of both then have mean 1. `labels` are indices of
    `classes`.
    """
    if held_out is not None:
        return rows.weighted(), held_out.weighted()
    if not estimator.early_stopping:
        return rows.weighted(), None
    numbers, others = np.arange(rows.X.shape[0]), []
    fraction = float(estimator.validation_fraction)
    if labels is not None:
        others = np.flatnonzero(labels == UNLABELLED)
        numbers = np.delete(numbers, others)
        labels = classes[labels[numbers]]  # which an error names
    try:
        kept, held = train_test_split(
            numbers, test_size=fraction, stratify=labels, random_state=seed
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping == {estimator.early_stopping!r} and validation_fraction == "
            f"{fraction} cannot hold out some of {len(numbers)} "
            f"rows{' with a label' * (len(others) > 0)}: {str(error).rstrip('.')}. Pass more rows, "
            "change validation_fraction, pass held-out rows to fit as X_val, or set "
            "early_stopping=False."
        ) from error
    if len(others):
        kept = np.concatenate([kept, others])
    return rows.take(kept).weighted(), rows.take(held).here().weighted()


def blocks(n_samples, size=BLOCK_SIZE):
    """Yield slices of at most `size` rows that cover all rows."""
    for start in range(0, n_samples, size):
        yield slice(start, min(start + size, n_samples))


def dense_blocks(X):
    """Yield slices that cover all rows of an array or a CSR matrix, and their dense rows."""
    for block in blocks(X.shape[0]):
        yield block, X[block].toarray() if issparse(X) else X[block]


def in_blocks(function, model, rows, n_columns=None):
    """Return the values of a function of a model and rows, computed in blocks of rows.

    Without `n_columns` the function returns one value for each row. With it, the function writes
    `n_columns` values for each row into its argument `out`.
    """
    engine, n_samples = model.engine, rows.X.shape[0]
    result = engine.zeros(*((n_samples,) if n_columns is None else (n_samples, n_columns)))
    for block, x in read_in_blocks(model, rows):
        if n_columns is None:
            result[block] = function(model, x)
        else:
            function(model, x, out=result[block])
        check_finite(result[block], function.__name__.replace("_", " "))
    return result


def read_in_blocks(model, rows):
    """Yield slices and what they are of the rows, in memory that the next block overwrites.

    In the meantime products have as many threads as pay for the model, and overflow is silent.
    """
    engine, (n_samples, n_features) = model.engine, rows.X.shape
    n_multiplications = min(n_samples, BLOCK_SIZE) * model.n_weights_of_largest_layer
    with without_alarms(), threads_for(n_multiplications):
        for block in blocks(n_samples):
            memory = engine.buffer("rows", block.stop - block.start, n_features)
            yield block, rows.read(engine, block, memory)
