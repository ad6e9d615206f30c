"""Rows that lie in parts on the workers of a cluster of dask.distributed.

`Partitions` stands for X in `Rows`. What the plain code asks of all rows is done in each part where
it lies: a reduction, a function of the rows, a pass of a training. Neighbouring parts form a group,
as many as there are workers. Each group trains its own copy of the parameters, part after part, and
the copies are averaged when the pass ends.

The rule: a task depends on nothing but its arguments, waits for no other one, and leaves nothing
behind on its worker. So dask may move tasks and repeat them, and fits on one cluster cannot wait
for each other. The result depends on the parts, their order and the number of groups alone.
"""

import copy
import weakref
from itertools import accumulate

import dask
import numpy as np
import scipy.sparse as sp
from dask import delayed
from distributed import CancelledError, Future, as_completed, futures_of
from distributed.scheduler import KilledWorker
from scipy.optimize import linear_sum_assignment
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import validate_data

from skdbn._training.checks import FLOATS, check_labels, check_values
from skdbn._training.loop import LostRowsError
from skdbn._training.rows import Rows
from skdbn._training.threads import threads_for

PIECE = 128 * 2**20  # bytes up to which neighbouring partitions are joined, and shuffled together
HELD = 0.25  # share of the memory of all workers up to which rows stay there
LARGE_GRAPHS = {"distributed.admin.large-graph-warning-threshold": "1TiB"}  # parameters are large


class Cluster:
    """A client, and the workers that its cluster has when a fit begins."""

    def __init__(self, client):
        self.client = client
        limits = client.run_on_scheduler(_memory_limits)
        if not limits:
            raise ValueError(
                "The cluster has no workers: start some, and call client.wait_for_workers(1)."
            )
        self.workers = sorted(limits)
        self.memory = sum(limit or np.inf for limit in limits.values())

    def submit(self, function, *args, worker=None):
        """Return the future of a call, made by a worker or, when it is lost, by another one."""
        with dask.config.set(LARGE_GRAPHS):
            return self.client.submit(function, *args, pure=False, **_where(worker))

    def put(self, value):
        """Return the future of a value, which dask can make again."""
        return self.submit(_itself, value)

    def load(self, part, worker):
        """Return the future of a part, which is made now unless it is held."""
        if isinstance(part, Future):
            return part
        with dask.config.set(LARGE_GRAPHS):
            return self.client.compute(part, **_where(worker))

    def hold(self, parts, worker):
        """Return the futures of parts that a worker is to keep."""
        with dask.config.set(LARGE_GRAPHS):
            held = self.client.persist([delayed(part) for part in parts], **_where(worker))
        return [futures_of(part)[0] for part in held]

    def results(self, futures):
        """Return what came out of tasks."""
        try:
            return self.client.gather(futures)
        except (KilledWorker, CancelledError) as error:
            raise LostRowsError(
                "A worker was lost, and with it rows that dask cannot make again: "
                f"{type(error).__name__}: {error} The estimator holds what the last finished pass "
                "left, and goes on with warm_start=True. Pass a collection whose partitions tasks "
                "read or compute, not one that was scattered, and look into the logs of the "
                "workers for what ended them: mostly too little memory."
            ) from error

    def walk(self, groups, workers, step):
        """Return the future of the last step in each group, which goes from part to part.

        `step(part, before, worker)` returns a future, that of a task on the result of the one
        before, which is None at first. One step of a group runs at a time: so one part of it is in
        memory that is not held.
        """
        left = [iter(group) for group in groups]
        last = [step(next(parts), None, w) for parts, w in zip(left, workers, strict=True)]
        group_of, running = {future.key: g for g, future in enumerate(last)}, as_completed(last)
        for future in running:
            if future.status != "finished":
                self.results(future)
            g = group_of.pop(future.key)
            part = next(left[g], None)
            if part is not None:
                last[g] = step(part, future, workers[g])
                group_of[last[g].key] = g
                running.add(last[g])
        return last

    def walked(self, groups, workers, step):
        """Return the results of the last step in each group."""
        return self.results(self.walk(groups, workers, step))


def _where(worker):
    """Return options that prefer a worker."""
    return {} if worker is None else {"workers": [worker], "allow_other_workers": True}


def _memory_limits(dask_scheduler):
    """Return the memory of each worker in bytes, or 0 where it has no limit."""
    return {state.address: state.memory_limit for state in dask_scheduler.workers.values()}


class Partitions:
    """A matrix whose rows lie in parts on the workers of a cluster.

    Parameters
    ----------
    cluster : Cluster
        Where they lie.
    parts : list of Future or Delayed
        Arrays or CSR matrices, held or made when they are needed.
    lengths : list of int
        Rows of each, at least 1.
    groups : list of list of int
        Numbers of neighbouring parts.
    workers : list of str
        The worker of each group.
    stub : array or DataFrame
        Some rows of the same columns and type, or none.
    has_missing, has_infinite : bool
        Whether there may be such values.
    """

    ndim = 2

    def __init__(
        self,
        cluster,
        parts,
        lengths,
        groups,
        workers,
        stub,
        dtype,
        has_missing=False,
        has_infinite=False,
    ):
        self.cluster, self.lengths, self.groups, self.workers = cluster, lengths, groups, workers
        self.stub, self.dtype = stub, np.dtype(dtype)
        self.has_missing, self.has_infinite = has_missing, has_infinite
        self.ends = np.cumsum(lengths)
        self.shape = int(self.ends[-1]), stub.shape[1]
        self.slices = [
            slice(int(end) - n, int(end)) for n, end in zip(lengths, self.ends, strict=True)
        ]
        self.parts, self._prepared = list(parts), (lambda: None, None)
        if np.prod(self.shape, dtype=float) * self.dtype.itemsize <= HELD * cluster.memory:
            for group, worker in zip(groups, workers, strict=True):
                held = cluster.hold([self.parts[i] for i in group], worker)
                for i, part in zip(group, held, strict=True):
                    self.parts[i] = part

    def _walked(self, step):
        """Return the results of the last step in each group, of parts that are loaded."""

        def loaded(i, before, worker):
            return step(i, self.cluster.load(self.parts[i], worker), before, worker)

        return self.cluster.walked(self.groups, self.workers, loaded)

    # -- as a matrix

    def checked(self, estimator, *y, dtype, reset, filler, **rules):
        """Return the matrix, and y where it is given, as `validate_data` does."""
        for labels in y:
            check_labels(labels)
        validate_data(estimator, self.stub, reset=reset, skip_check_array=True)
        if self.has_infinite or (self.has_missing and filler is not None):
            columns = getattr(estimator, "feature_names_in_", None)
            self._walked(
                lambda i, X, before, worker: self.cluster.submit(
                    _check_values, i, X, columns, filler, before, worker=worker
                )
            )
        types = [np.dtype(t) for t in np.atleast_1d(dtype)]
        X = self if self.dtype in types else self._as(types[0])
        if not y:
            return X
        check_consistent_length(X, y[0])
        # A copy, which forgets that X has names, checks y.
        return X, validate_data(copy.copy(estimator), y=y[0], **rules)

    def _as(self, dtype):
        """Return the same in another type."""
        parts = [delayed(_as_type)(part, dtype) for part in self.parts]
        stub = self.stub.astype(dtype)
        flags = self.has_missing, self.has_infinite
        how = self.lengths, self.groups, self.workers, stub, dtype, *flags
        return Partitions(self.cluster, parts, *how)

    def in_order(self, indices):
        """Return numbers of rows in the order of their parts."""
        return indices[np.argsort(self._part_of(indices), kind="stable")]

    def _part_of(self, indices):
        """Return the numbers of the parts of rows."""
        return np.searchsorted(self.ends, indices, side="right")

    def _within(self, indices):
        """Return those numbers of each part, counted from its first row."""
        at = self._part_of(indices)
        return [indices[at == i] - part.start for i, part in enumerate(self.slices)]

    def __getitem__(self, indices):
        """Return some of the rows, given in the order of their parts."""
        within = self._within(indices)
        left = {old: new for new, old in enumerate(i for i, at in enumerate(within) if len(at))}
        groups = [[left[i] for i in group if i in left] for group in self.groups]
        pairs = [pair for pair in zip(groups, self.workers, strict=True) if pair[0]]
        return Partitions(
            self.cluster,
            [delayed(_rows)(self.parts[i], within[i]) for i in left],
            [len(within[i]) for i in left],
            [group for group, _ in pairs],
            [worker for _, worker in pairs],
            self.stub,
            self.dtype,
            self.has_missing,
        )

    def take(self, indices, axis=0, out=None, mode="clip"):
        """Return some of the rows, dense and in the memory of this process, as NumPy does."""
        within, at = self._within(indices), self._part_of(indices)
        found = self._walked(
            lambda i, X, before, worker: self.cluster.submit(
                _with_rows, before, i, X, within[i], worker=worker
            )
        )
        for i, rows in (pair for group in found for pair in group):
            out[at == i] = rows
        return out

    def gathered(self):
        """Return all rows in the memory of this process."""
        found = self._walked(
            lambda i, X, before, worker: self.cluster.submit(
                _with_rows, before, i, X, None, worker=worker
            )
        )
        return _joined([rows for group in found for _, rows in group])

    # -- what `Rows` asks for

    def reduced(self, rows, function, join):
        """Return a function of rows, joined along each group and then over the groups as a tree."""
        submit, function = self.cluster.submit, self.cluster.put(function)
        belongings = [(rows.weight_of(part), rows.columns) for part in self.slices]

        def step(i, before, worker):
            X = self.cluster.load(self.parts[i], worker)
            return submit(_reduce, function, join, X, belongings[i], before, worker=worker)

        found = self.cluster.walk(self.groups, self.workers, step)
        while len(found) > 1:
            pairs = [found[i : i + 2] for i in range(0, len(found), 2)]
            found = [submit(join, *pair) if len(pair) == 2 else pair[0] for pair in pairs]
        return self.cluster.results(found)[0]

    def through(self, rows, function):
        """Return the parts after a function of them."""
        first = np.zeros((1, self.shape[1]), self.dtype)
        stub = function(Rows(first, columns=rows.columns))
        function = self.cluster.put((function, rows.columns))
        parts = [delayed(_apply)(function, part) for part in self.parts]
        how = self.lengths, self.groups, self.workers, stub, stub.dtype
        return Partitions(self.cluster, parts, *how)

    def make_pass(self, training, i, n_passes):
        """Let each group make a pass of a training, and average what they learned."""
        learner, (of_part, belongings, shares) = training.learner, self._prepare(training)
        self._begin_others(training)
        shared = self.cluster.put(
            {
                "parameters": learner.parameters,
                "optimizer": training.optimizer.get_state(),
                "n_iter": learner.n_iter,
                "losses": [],
            }
        )
        first = {"engine": training.engine.get_state(), "carried": learner.carried()}
        states = [first, *training.others]
        own = {group[0]: state for group, state in zip(self.groups, states, strict=True)}
        spans = self._spans(i, n_passes)

        def step(i, before, worker):
            X = self.cluster.load(self.parts[i], worker)
            start = shared if before is None else before
            args = of_part, X, belongings[i], start, own.get(i), spans[i]
            return self.cluster.submit(_go_over, *args, worker=worker)

        ends = self.cluster.walked(self.groups, self.workers, step)
        learner.parameters[:] = averaged([end["parameters"] for end in ends], shares)
        training.optimizer.set_state(averaged([end["optimizer"] for end in ends], shares))
        training.engine.set_state(ends[0]["engine"])
        learner.carry(ends[0]["carried"], learner.n_iter)
        for end in ends:
            learner.losses.extend(end["losses"])
        training.others = [{key: end[key] for key in ("engine", "carried")} for end in ends[1:]]

    def _prepare(self, training):
        """Return what stays the same in all passes of a training, on the workers where it can."""
        known, prepared = self._prepared
        if known() is not training:
            learner, rows = training.learner, training.learner.rows
            numbers = learner.batch_size, learner.n_multiplications
            of_part = self.cluster.put((training.of_part, *numbers))
            belongings = [
                self.cluster.put(
                    (None if rows.y is None else rows.y[at], rows.weight_of(at), rows.columns)
                )
                for at in self.slices
            ]
            weight = np.ones(self.shape[0]) if rows.weight is None else rows.weight.astype(float)
            weights = [weight[self._rows_of(group)].sum() for group in self.groups]
            prepared = of_part, belongings, (np.array(weights) / sum(weights)).tolist()
            self._prepared = weakref.ref(training), prepared
        return prepared

    def _rows_of(self, group):
        """Return the slice of the rows of a group."""
        return slice(self.slices[group[0]].start, self.slices[group[-1]].stop)

    def _begin_others(self, training):
        """Give each group but the first random numbers of its own."""
        engine, n_others = training.engine, len(self.groups) - 1
        if not training.others:
            words = engine.get_state()["state"]["state"]
            seeds = np.random.SeedSequence(words).generate_state(n_others).tolist()
            carried = training.learner.carried()
            engines = [type(engine)(engine.dtype, seed) for seed in seeds]
            training.others = [{"engine": e.get_state(), "carried": carried} for e in engines]
        if len(training.others) != n_others:
            raise ValueError(
                f"The training was begun by {len(training.others) + 1} groups of rows, one on each "
                f"worker, and now there are {n_others + 1}. Go on with as many workers as before."
            )

    def _spans(self, i, n_passes):
        """Return what each part is of the i-th pass of its group, as `make_steps` takes it."""
        spans = {}
        for group in self.groups:
            n = sum(self.lengths[part] for part in group)
            starts = accumulate((self.lengths[part] for part in group), initial=0)
            for part, start in zip(group, starts, strict=False):
                spans[part] = i + start / n, n_passes, self.lengths[part] / n
        return spans


def averaged(values, shares):
    """Return the mean of arrays, numbers, or dicts of them; one is returned as it is."""
    if len(values) == 1:
        return values[0]
    if isinstance(values[0], dict):
        return {key: averaged([value[key] for value in values], shares) for key in values[0]}
    mean = sum(share * value for share, value in zip(shares, values, strict=True))
    return round(mean) if isinstance(values[0], int) else mean


# -- tasks


def _itself(value):
    """Return a value."""
    return value


def _as_matrix(part, i, shape, dtype):
    """Return a partition as an array or a CSR matrix."""
    rules = {"accept_sparse": "csr", "order": "C", "ensure_all_finite": False, "copy": False}
    X = check_array(part, dtype=dtype, **rules, ensure_min_samples=0, ensure_min_features=0)
    expected = len(part) if shape[0] is None else shape[0], shape[1]
    if X.shape != expected:
        raise ValueError(
            f"Partition {i} of X (counted from 0) has shape {X.shape}, but the collection says "
            f"{expected}: all partitions must have the columns, and the rows, that it says."
        )
    return X


def _as_type(X, dtype):
    """Return a matrix in another type."""
    return X.astype(dtype)


def _rows(X, indices):
    """Return rows of a matrix."""
    return X[indices]


def _joined(matrices):
    """Return matrices, one below the other."""
    if len(matrices) == 1:
        return matrices[0]
    return sp.vstack(matrices, "csr") if sp.issparse(matrices[0]) else np.concatenate(matrices)


def _described(before, X):
    """Add what is to be known of a part: its rows, and whether values miss or are infinite."""
    values = X.data if sp.issparse(X) else X
    found = X.shape[0], bool(np.isnan(values).any()), bool(np.isinf(values).any())
    return [*(before or []), found]


def _check_values(i, X, columns, filler, before):
    """Raise when a value of a part is not what is allowed."""
    allowed = filler is None
    check_values(X, f"Part {i} (counted from 0) of X", columns, allowed, filler)


def _with_rows(before, i, X, indices):
    """Add rows of a part, dense; all of them as they are where `indices` is None."""
    rows = X if indices is None else X[indices]
    if indices is not None and sp.issparse(rows):
        rows = rows.toarray()
    return [*(before or []), (i, rows)]


def _reduce(function, join, X, belongings, before):
    """Return a function of a part, joined with that of those before."""
    weight, columns = belongings
    found = function(Rows(X, None, weight, columns))
    return found if before is None else join(before, found)


def _apply(function, X):
    """Return a function of the rows of a part."""
    function, columns = function
    return function(Rows(X, columns=columns))


def _go_over(of_part, X, belongings, start, own, span):
    """Make the steps of a training in one part, and return what the next part goes on from."""
    new_training, batch_size, n_multiplications = of_part
    training = new_training(Rows(X, *belongings))
    learner, own = training.learner, own or start
    learner.batch_size = min(batch_size, learner.n_samples)
    learner.parameters[:] = start["parameters"]
    training.optimizer.set_state(start["optimizer"])
    training.engine.set_state(own["engine"])
    learner.carry(own["carried"], start["n_iter"])
    with np.errstate(over="ignore", invalid="ignore"), threads_for(n_multiplications):
        training.make_steps(*span)
    return {
        "parameters": learner.parameters,
        "optimizer": training.optimizer.get_state(),
        "engine": training.engine.get_state(),
        "carried": learner.carried(),
        "n_iter": start["n_iter"],
        "losses": start["losses"] + learner.losses,
    }


# -- collections


def partitions_of(X, cluster):
    """Return a dask array or DataFrame as `Partitions`, with as many groups as workers."""
    parts, stub, dtype, lengths = _taken_apart(X)
    n_features, expected = stub.shape[1], lengths or [None] * len(parts)
    parts = [
        delayed(_as_matrix)(part, i, (n, n_features), dtype)
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
    """Return a step that looks at parts."""

    def step(i, before, worker):
        return cluster.submit(_described, before, cluster.load(parts[i], worker), worker=worker)

    return step


def _taken_apart(X):
    """Return the partitions of a collection, a stub of it, its type, and lengths where known."""
    if hasattr(X, "chunks") and dask.is_dask_collection(X) and X.ndim == 2:
        X = X.rechunk({1: -1})
        dtype = X.dtype if X.dtype in FLOATS else FLOATS[0]
        lengths = None if np.isnan(X.chunks[0]).any() else list(X.chunks[0])
        return X.to_delayed().ravel().tolist(), np.empty((0, X.shape[1]), dtype), dtype, lengths
    if hasattr(X, "columns") and dask.is_dask_collection(X):
        stub = X.dtypes.to_frame().T[:0]
        dtype = FLOATS[1] if (X.dtypes == FLOATS[1]).all() else FLOATS[0]
        return X.to_delayed(), stub, dtype, None
    raise TypeError(
        f"X is a {type(X).__name__}, must be a dask array of two dimensions or a dask DataFrame: "
        "dask.array.from_array(X, chunks=(n_rows, -1)) makes one of an array. Data that one "
        "machine holds need no cluster: use the plain estimator."
    )


def _groups(lengths, n_groups):
    """Return the numbers of partitions in groups of neighbours with nearly as many rows each."""
    middles = np.cumsum(lengths) - np.array(lengths) / 2.0
    group_of = (middles * n_groups / sum(lengths)).astype(int)
    return [np.flatnonzero(group_of == group).tolist() for group in np.unique(group_of)]


def _nearest(cluster, groups):
    """Return a worker for each group, so that most of what is held stays where it is."""
    at = {worker: i for i, worker in enumerate(cluster.workers)}
    n_held = np.zeros((len(groups), len(at)))
    for count, group in zip(n_held, groups, strict=True):
        held = futures_of(group)
        for workers in cluster.client.who_has(held).values() if held else ():
            count[[at[worker] for worker in workers if worker in at]] += 1.0
    _, chosen = linear_sum_assignment(n_held, maximize=True)
    return [cluster.workers[i] for i in chosen]


def _pieces(group, lengths, bytes_of_row):
    """Return the partitions of a group in lists that are joined."""
    pieces, n_bytes = [], PIECE
    for i in group:
        n_bytes += lengths[i] * bytes_of_row
        if n_bytes > PIECE:
            pieces.append([])
            n_bytes = lengths[i] * bytes_of_row
        pieces[-1].append(i)
    return pieces


def _one(parts):
    """Return parts as one."""
    return parts[0] if len(parts) == 1 else delayed(_joined)(parts)
