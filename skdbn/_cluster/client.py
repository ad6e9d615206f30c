"""A cluster as the rest of this folder sees it: tasks, futures, and recovery from lost workers.

The rule: a task depends only on its arguments, waits for no other task, and leaves nothing on its
worker. So dask may move and repeat tasks, and fits on one cluster cannot block each other.
"""

import threading
import weakref
from contextlib import contextmanager

import dask
import numpy as np
from dask import delayed
from distributed import (
    CancelledError,
    Future,
    as_completed,
    futures_of,
    get_client,
    get_worker,
    worker_client,
)
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.scheduler import KilledWorker

from skdbn._cluster.tasks import itself
from skdbn._training.loop import LostRowsError

LARGE_GRAPHS = {"distributed.admin.large-graph-warning-threshold": "1TiB"}  # parameters are large

_lock = threading.Lock()


class OtherWorkers(SchedulerPlugin):
    """Lets tasks that prefer a worker run on others, even if for a while there was no worker.

    Without it, dask (2026.8) never runs a task that became ready when its preferred workers were
    gone and no other worker was there.
    """

    name, idempotent = "skdbn-other-workers", True

    async def start(self, scheduler):
        """Store the scheduler."""
        self.scheduler = scheduler

    def transition(self, key, start, finish, *args, **kwargs):
        """Drop the preferences of a task that finds no worker."""
        if finish == "no-worker" and self.scheduler.tasks[key].loose_restrictions:
            self.scheduler.tasks[key].worker_restrictions = None


@contextmanager
def large_graphs_allowed():
    """Prevent warnings of large graphs.

    The option belongs to the whole process: two threads that set it at once would restore it wrong.
    """
    with _lock, dask.config.set(LARGE_GRAPHS):
        yield


@contextmanager
def making_room():
    """Let the worker run other tasks while a task, if this is one, waits for them."""
    try:
        get_worker()
    except ValueError:
        yield
    else:
        with worker_client():
            yield


@contextmanager
def cluster_of(client):
    """Return the cluster of a client, by default the current one, for a fit within the block."""
    with making_room():
        cluster = Cluster(client or get_client())
        try:
            yield cluster
        finally:
            cluster.release()


class Cluster:
    """A client, and the workers of its cluster when a fit starts."""

    def __init__(self, client):
        self.client, self._futures = client, weakref.WeakSet()
        client.register_plugin(OtherWorkers())
        limits = client.run_on_scheduler(_memory_limits)
        if not limits:
            raise ValueError(
                "The cluster has no workers. Start some, and call client.wait_for_workers(1)."
            )
        self.workers = sorted(limits)
        self.memory = sum(limit or np.inf for limit in limits.values())

    def submit(self, function, *args, worker=None):
        """Return the future of a call by a worker or, if it is lost, by another one."""
        with large_graphs_allowed():
            future = self.client.submit(function, *args, pure=False, **_where(worker))
        self._futures.add(future)
        return future

    def put(self, value):
        """Return the future of a value that dask can recreate."""
        return self.submit(itself, value)

    def load(self, part, worker):
        """Return the future of a part, computed now unless it is held."""
        if isinstance(part, Future):
            return part
        with large_graphs_allowed():
            future = self.client.compute(part, **_where(worker))
        self._futures.add(future)
        return future

    def hold(self, parts, worker):
        """Return the futures of parts, to be held by a worker."""
        with large_graphs_allowed():
            held = self.client.persist([delayed(part) for part in parts], **_where(worker))
        held = [futures_of(part)[0] for part in held]
        self._futures.update(held)
        return held

    def release(self):
        """Release all futures.

        Those of a fit that failed would stay for good: dask keeps the error of a task, whose
        traceback refers to all variables of the functions that it passed through.
        """
        for future in list(self._futures):
            future.release()

    def results(self, futures):
        """Return the results of tasks."""
        try:
            return self.client.gather(futures)
        except (KilledWorker, CancelledError) as error:
            raise LostRowsError(
                f"A worker was lost with rows that dask cannot recompute: {type(error).__name__}: "
                f"{error} The estimator keeps what was learned up to the last finished pass; to "
                "continue from there, set warm_start=True. Pass a collection whose partitions are "
                "read or computed by tasks, not one that was scattered. The logs of the workers "
                "show what ended them, most often too little memory."
            ) from error

    def walk(self, groups, workers, step):
        """Return the future of the last step of each group, which walks from part to part.

        `step(part, before, worker)` returns the future of a task that takes the future of the step
        before, None at first. Each group runs one step at a time, so only one of its parts that are
        not held is in memory.
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
        """Return the result of the last step of each group."""
        return self.results(self.walk(groups, workers, step))


def _where(worker):
    """Return the options of a task that prefers a worker."""
    return {} if worker is None else {"workers": [worker], "allow_other_workers": True}


def _memory_limits(dask_scheduler):
    """Return the memory limit of each worker in bytes, 0 for none."""
    return {state.address: state.memory_limit for state in dask_scheduler.workers.values()}
