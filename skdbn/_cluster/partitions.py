"""A matrix whose rows are divided into parts on the workers of a cluster.

`Partitions` serve as X of `Rows`. Whatever the estimators do with all rows, a reduction, a function
of the rows or a pass of a training, is done part by part on the workers. Neighbouring parts form
groups, one for each worker. In a pass each group trains a copy of the parameters, part after part;
then the copies are averaged.

The rule: results depend only on the parts, their order and the number of groups.
"""

import copy
import weakref
from itertools import accumulate

import numpy as np
from dask import delayed
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import validate_data

from skdbn._cluster import tasks
from skdbn._training.checks import check_labels
from skdbn._training.rows import Rows

HELD = 0.25  # share of the memory of all workers up to which rows are held there
FEWEST = 10  # rows of a minibatch on one worker, unless batch_size is smaller


class Partitions:
    """A matrix whose rows are divided into parts on the workers of a cluster.

    Parameters
    ----------
    cluster : Cluster
        Cluster of the workers.
    parts : list of Future or Delayed
        Arrays or CSR matrices, held or computed when needed.
    lengths : list of int
        Number of rows of each part, at least 1.
    groups : list of list of int
        Indices of neighbouring parts.
    workers : list of str
        Worker of each group.
    stub : array or DataFrame
        Rows, possibly none, with the same columns and type.
    has_missing, has_infinite : bool
        Whether there may be NaN or infinite values.
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
        """Return the result of the last step of each group; steps get loaded parts."""

        def loaded(i, before, worker):
            return step(i, self.cluster.load(self.parts[i], worker), before, worker)

        return self.cluster.walked(self.groups, self.workers, loaded)

    # -- as a matrix

    def checked(self, estimator, *y, dtype, reset, filler, **rules):
        """Return the matrix, and y if given, as `validate_data` does."""
        for labels in y:
            check_labels(labels)
        validate_data(estimator, self.stub, reset=reset, skip_check_array=True)
        if self.has_infinite or (self.has_missing and filler is not None):
            columns = getattr(estimator, "feature_names_in_", None)
            self._walked(
                lambda i, X, before, worker: self.cluster.submit(
                    tasks.check_part, i, X, columns, filler, before, worker=worker
                )
            )
        X = self if dtype is None or dtype == self.dtype else self._as(np.dtype(dtype))
        if not y:
            return X
        check_consistent_length(X, y[0])
        # Check y on a copy, which then forgets that X has names.
        return X, validate_data(copy.copy(estimator), y=y[0], **rules)

    def _as(self, dtype):
        """Return the matrix in another type."""
        parts = [delayed(tasks.as_type)(part, dtype) for part in self.parts]
        stub = self.stub.astype(dtype)
        flags = self.has_missing, self.has_infinite
        how = self.lengths, self.groups, self.workers, stub, dtype, *flags
        return Partitions(self.cluster, parts, *how)

    def in_order(self, indices):
        """Return row indices in the order of their parts."""
        return indices[np.argsort(self._part_of(indices), kind="stable")]

    def _part_of(self, indices):
        """Return the part of each row index."""
        return np.searchsorted(self.ends, indices, side="right")

    def _within(self, indices):
        """Return the row indices in each part, counted from its first row."""
        at = self._part_of(indices)
        return [indices[at == i] - part.start for i, part in enumerate(self.slices)]

    def __getitem__(self, indices):
        """Return some of the rows; `indices` are in the order of their parts."""
        within = self._within(indices)
        left = {old: new for new, old in enumerate(i for i, at in enumerate(within) if len(at))}
        groups = [[left[i] for i in group if i in left] for group in self.groups]
        pairs = [pair for pair in zip(groups, self.workers, strict=True) if pair[0]]
        return Partitions(
            self.cluster,
            [delayed(tasks.some_rows)(self.parts[i], within[i]) for i in left],
            [len(within[i]) for i in left],
            [group for group, _ in pairs],
            [worker for _, worker in pairs],
            self.stub,
            self.dtype,
            self.has_missing,
        )

    def read(self, indices, out):
        """Copy some of the rows, dense, into an array in the memory of this process."""
        within, at = self._within(indices), self._part_of(indices)
        found = self._walked(
            lambda i, X, before, worker: self.cluster.submit(
                tasks.with_rows, before, i, X, within[i], worker=worker
            )
        )
        for i, rows in (pair for group in found for pair in group):
            out[at == i] = rows
        return out

    def gathered(self):
        """Return all rows in the memory of this process."""
        found = self._walked(
            lambda i, X, before, worker: self.cluster.submit(
                tasks.with_rows, before, i, X, None, worker=worker
            )
        )
        return tasks.joined([rows for group in found for _, rows in group])

    # -- what `Rows` asks for

    def reduced(self, rows, function, join):
        """Return a function of rows, joined within each group and then over groups as a tree."""
        submit, function = self.cluster.submit, self.cluster.put(function)
        belongings = [(rows.weight_of(part), rows.columns) for part in self.slices]

        def step(i, before, worker):
            X = self.cluster.load(self.parts[i], worker)
            return submit(tasks.reduced, function, join, X, belongings[i], before, worker=worker)

        found = self.cluster.walk(self.groups, self.workers, step)
        while len(found) > 1:
            pairs = [found[i : i + 2] for i in range(0, len(found), 2)]
            found = [submit(join, *pair) if len(pair) == 2 else pair[0] for pair in pairs]
        return self.cluster.results(found)[0]

    def through(self, rows, function):
        """Return the parts with a function applied to them."""
        first = np.zeros((1, self.shape[1]), self.dtype)
        stub = function(Rows(first, columns=rows.columns))
        function = self.cluster.put((function, rows.columns))
        parts = [delayed(tasks.applied)(function, part) for part in self.parts]
        how = self.lengths, self.groups, self.workers, stub, stub.dtype
        return Partitions(self.cluster, parts, *how)

    def make_pass(self, training, i, n_passes):
        """Make a pass of a training in each group, and average the results."""
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
            return self.cluster.submit(tasks.go_over, *args, worker=worker)

        ends = self.cluster.walked(self.groups, self.workers, step)
        learner.parameters[:] = averaged([end["parameters"] for end in ends], shares)
        training.optimizer.set_state(averaged([end["optimizer"] for end in ends], shares))
        training.engine.set_state(ends[0]["engine"])
        learner.carry(ends[0]["carried"], learner.n_iter)
        for end in ends:
            learner.losses.extend(end["losses"])
        training.others = [{key: end[key] for key in ("engine", "carried")} for end in ends[1:]]

    def _prepare(self, training):
        """Return what all passes of a training share, on the workers if possible."""
        known, prepared = self._prepared
        if known() is not training:
            learner, rows = training.learner, training.learner.rows
            # The workers share a minibatch, so that they make as many steps as one machine would.
            shared = max(min(learner.batch_size, FEWEST), learner.batch_size // len(self.groups))
            # Workers in one process would wait for each other's BLAS threads.
            share_a_process = len(self.groups) > 1 and self.workers[0].startswith("inproc")
            numbers = shared, 0 if share_a_process else learner.n_multiplications
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
        """Give each group except the first its own random numbers."""
        engine = training.engine
        if not training.others:
            words = engine.get_state()["state"]["state"]
            seeds = np.random.SeedSequence(words).generate_state(len(self.groups) - 1).tolist()
            carried = training.learner.carried()
            engines = [type(engine)(engine.dtype, seed) for seed in seeds]
            training.others = [{"engine": e.get_state(), "carried": carried} for e in engines]

    def _spans(self, i, n_passes):
        """Return the share of each part in pass i of its group, as arguments of `make_steps`."""
        spans = {}
        for group in self.groups:
            n = sum(self.lengths[part] for part in group)
            starts = accumulate((self.lengths[part] for part in group), initial=0)
            for part, start in zip(group, starts, strict=False):
                spans[part] = i + start / n, n_passes, self.lengths[part] / n
        return spans


def averaged(values, shares):
    """Return the mean of arrays, numbers, or dicts of them; a single one unchanged."""
    if len(values) == 1:
        return values[0]
    if isinstance(values[0], dict):
        return {key: averaged([value[key] for value in values], shares) for key in values[0]}
    mean = sum(share * value for share, value in zip(shares, values, strict=True))
    return round(mean) if isinstance(values[0], int) else mean
