"""Conversion of dask arrays and DataFrames to `Partitions`."""

import dask
import numpy as np
from dask import delayed
from distributed import futures_of
from scipy.optimize import linear_sum_assignment

from skdbn._cluster import tasks
from skdbn._cluster.partitions import Partitions
from skdbn._training.checks import floats_for

PIECE = 128 * 2**20  # bytes up to which neighbouring partitions are joined and shuffled together


def partitions_of(X, cluster):
    """Return a dask array or DataFrame as `Partitions`, with as many groups as workers."""
    parts, stub, dtype, lengths = _taken_apart(X)
    n_features, expected = stub.shape[1], lengths or [None] * len(parts)
    names = tasks.token_of_names(stub)
    parts = [
        delayed(tasks.as_matrix)(part, i, (n, n_features), dtype, names)
        for i, (part, n) in enumerate(zip(parts, expected, strict=True))
    ]
    if lengths is None:
        numbers = np.array_split(np.arange(len(parts)), min(len(parts), len(cluster.workers)))
        numbers = [group.tolist() for group in numbers]
        found = cluster.walked(numbers, cluster.workers[: len(numbers)], _looking(cluster, parts))
        lengths = [part[0] for group in found for part in group]
    if not any(lengths):
        raise ValueError(
            f"Found array with 0 sample(s) (shape=(0, {n_features})) while a minimum of 1 is "
            "required: every partition of X is empty."
        )
    parts, lengths = zip(*((p, n) for p, n in zip(parts, lengths, strict=True) if n), strict=True)
    groups = _groups(lengths, len(cluster.workers))
    workers = _nearest(cluster, [[parts[i] for i in group] for group in groups])
    pieces = [_pieces(group, lengths, n_features * np.dtype(dtype).itemsize) for group in groups]
    numbers = iter(range(len(parts)))
    groups = [[next(numbers) for _ in group] for group in pieces]
    pieces = [piece for group in pieces for piece in group]
    lengths = [sum(lengths[i] for i in piece) for piece in pieces]
    pieces = [_one([parts[i] for i in piece]) for piece in pieces]
    X = Partitions(cluster, pieces, lengths, groups, workers, stub, dtype)
    found = cluster.walked(groups, workers, _looking(cluster, X.parts))
    _, missing, infinite = zip(*(part for group in found for part in group), strict=True)
    X.has_missing, X.has_infinite = any(missing), any(infinite)
    return X


def _looking(cluster, parts):
    """Return a step that describes parts."""

    def step(i, before, worker):
        return cluster.submit(
            tasks.described, before, cluster.load(parts[i], worker), worker=worker
        )

    return step


def _taken_apart(X):
    """Return the partitions of a collection, its stub, its type, and lengths if known."""
    if hasattr(X, "chunks") and dask.is_dask_collection(X) and X.ndim == 2:
        X = X.rechunk({1: -1})
        lengths = None if np.isnan(X.chunks[0]).any() else list(X.chunks[0])
        return X.to_delayed().ravel().tolist(), np.empty((0, X.shape[1])), floats_for(X)[0], lengths
    if hasattr(X, "columns") and dask.is_dask_collection(X):
        stub = X.dtypes.to_frame().T[:0]
        return X.to_delayed(), stub, floats_for(X)[0], None
    raise TypeError(
        f"X is a {type(X).__name__}, must be a two-dimensional dask array or a dask DataFrame. "
        "dask.array.from_array(X, chunks=(n_rows, -1)) converts an array. Data that fit on one "
        "computer need no cluster: use the plain estimator."
    )


def _groups(lengths, n_groups):
    """Return partition indices in groups of neighbours with nearly equal numbers of rows."""
    middles = np.cumsum(lengths) - np.array(lengths) / 2.0
    group_of = (middles * n_groups / sum(lengths)).astype(int)
    return [np.flatnonzero(group_of == group).tolist() for group in np.unique(group_of)]


def _nearest(cluster, groups):
    """Return a worker for each group, chosen so that most held partitions need not move."""
    at = {worker: i for i, worker in enumerate(cluster.workers)}
    n_held = np.zeros((len(groups), len(at)))
    for count, group in zip(n_held, groups, strict=True):
        held = futures_of(group)
        for workers in cluster.client.who_has(held).values() if held else ():
            count[[at[worker] for worker in workers if worker in at]] += 1.0
    _, chosen = linear_sum_assignment(n_held, maximize=True)
    return [cluster.workers[i] for i in chosen]


def _pieces(group, lengths, bytes_of_row):
    """Return the partitions of a group in lists to be joined."""
    pieces, n_bytes = [], PIECE
    for i in group:
        n_bytes += lengths[i] * bytes_of_row
        if n_bytes > PIECE:
            pieces.append([])
            n_bytes = lengths[i] * bytes_of_row
        pieces[-1].append(i)
    return pieces


def _one(parts):
    """Return parts joined into one."""
    return parts[0] if len(parts) == 1 else delayed(tasks.joined)(parts)
