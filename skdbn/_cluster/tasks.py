"""Tasks of the workers: functions of parts of the rows.

The rule: each is a plain function at the top level, for workers to import. Threads of a worker
share the arguments of tasks, so arguments are not changed, and functions that have scratch memory
are copied.
"""

import copy

import numpy as np
import scipy.sparse as sp
from dask.base import tokenize
from sklearn.utils import check_array

from skdbn._training.checks import check_values, without_alarms
from skdbn._training.rows import Rows
from skdbn._training.threads import threads_for


def itself(value):
    """Return a value unchanged."""
    return value


def token_of_names(X):
    """Return a short text for the names of the columns and their order; None without names."""
    return tokenize(X.columns.tolist()) if hasattr(X, "columns") else None


def as_matrix(part, i, shape, dtype, names):
    """Return a partition as an array or a CSR matrix."""
    if names is not None and token_of_names(part) != names:
        raise ValueError(
            f"Partition {i} of X (counted from 0) has columns with other names, or in another "
            "order, than the collection says."
        )
    rules = {"accept_sparse": "csr", "order": "C", "ensure_all_finite": False, "copy": False}
    X = check_array(part, dtype=dtype, **rules, ensure_min_samples=0, ensure_min_features=0)
    expected = X.shape[0] if shape[0] is None else shape[0], shape[1]
    if X.shape != expected:
        raise ValueError(
            f"Partition {i} of X (counted from 0) has shape {X.shape}, but the collection says "
            f"{expected}. All partitions must have the columns and rows that the collection says."
        )
    return X


def as_type(X, dtype):
    """Return a matrix in another type."""
    return X.astype(dtype)


def some_rows(X, indices):
    """Return rows of a matrix."""
    return X[indices]


def joined(matrices):
    """Return matrices stacked one below the other."""
    if len(matrices) == 1:
        return matrices[0]
    if any(map(sp.issparse, matrices)):
        return sp.vstack(list(map(sp.csr_matrix, matrices)), "csr")
    return np.concatenate(matrices)


def described(before, X):
    """Add the description of a part: its number of rows, and whether it has NaN or infinities."""
    values = X.data if sp.issparse(X) else X
    found = X.shape[0], bool(np.isnan(values).any()), bool(np.isinf(values).any())
    return [*(before or []), found]


def check_part(i, X, columns, filler, before):
    """Raise if a value of a part is invalid."""
    allowed = filler is None
    check_values(X, f"Part {i} (counted from 0) of X", columns, allowed, filler)


def with_rows(before, i, X, indices):
    """Add rows of a part, dense; all of them unchanged if `indices` is None."""
    rows = X if indices is None else X[indices]
    if indices is not None and sp.issparse(rows):
        rows = rows.toarray()
    return [*(before or []), (i, rows)]


def reduced(function, join, X, belongings, before):
    """Return a function of a part, joined with that of the parts before."""
    weight, columns = belongings
    found = copy.deepcopy(function)(Rows(X, None, weight, columns))
    return found if before is None else join(before, found)


def applied(function, X):
    """Return a function of the rows of a part."""
    function, columns = function
    return copy.deepcopy(function)(Rows(X, columns=columns))


def go_over(of_part, X, belongings, start, own, span):
    """Make the steps of a training in one part; return the state for the next part."""
    new_training, batch_size, n_multiplications = of_part
    training = copy.deepcopy(new_training)(Rows(X, *belongings))
    learner, own = training.learner, own or start
    learner.batch_size = min(batch_size, learner.n_samples)
    learner.parameters[:] = start["parameters"]
    training.optimizer.set_state(start["optimizer"])
    training.engine.set_state(own["engine"])
    learner.carry(own["carried"], start["n_iter"])
    with without_alarms(), threads_for(n_multiplications):
        training.make_steps(*span)
    return {
        "parameters": learner.parameters,
        "optimizer": training.optimizer.get_state(),
        "engine": training.engine.get_state(),
        "carried": learner.carried(),
        "n_iter": start["n_iter"],
        "losses": start["losses"] + learner.losses,
    }
