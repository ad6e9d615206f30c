"""A cluster as the rest of this folder sees it: tasks, futures, and what happens if they are lost.

The rule: a task depends only on its arguments, waits for no other task, and leaves nothing behind
on its worker. So dask may move and repeat tasks, and fits on one cluster cannot block each other.
"""

import dask
import numpy as np
from dask import delayed
from distributed import CancelledError, Future, as_completed, futures_of
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.scheduler import KilledWorker

from skdbn._cluster.tasks import itself
from skdbn._training.loop import LostRowsError

LARGE_GRAPHS = {"distributed.admin.large-graph-warning-threshold": "1TiB"}  # parameters are large


class OtherWorkers(SchedulerPlugin):
    """Lets tasks that prefer a worker run on others, also where there was none for a while.

    Without it, dask (2026.8) never runs a task again that became ready after the only workers that
    it may prefer were gone, if at that moment there was no other one.
    """

    name, idempotent = "skdbn-other-workers", True

    async def start(self, scheduler):
        """Keep the scheduler."""
        self.scheduler = scheduler

    def transition(self, key, start, finish, *args, **kwargs):
        """Drop the preference of a task that finds no worker."""
        if finish == "no-worker" and self.scheduler.tasks[key].loose_restrictions:
            self.scheduler.tasks[key].worker_restrictions = None


class Cluster:
    """A client, and the workers that its cluster has when a fit begins."""

    def __init__(self, client):
        self.client = client
        client.register_plugin(OtherWorkers())
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
        return self.submit(itself, value)

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
