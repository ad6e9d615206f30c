"""Compare fits on several workers with fits on one machine: error and time of a pass.

    python benchmarks/dask_scaling.py same       # error on MNIST of one machine, 2 and 4 workers
    python benchmarks/dask_scaling.py passes     # seconds of a pass on 1, 2 and 4 workers
    python benchmarks/dask_scaling.py work       # CPU time of a row, by the rows of a minibatch
    python benchmarks/dask_scaling.py report     # tables, and the model of cost

Each run is a line of ``results/dask_scaling.jsonl``; a run that has its line is not made again, so
the command goes on where it was killed. Workers are single-threaded processes on this computer. The
estimators have default parameters except for the sizes of the layers. Needs ``SKDBN_MNIST``.
"""

import argparse
import json
import pickle
import statistics
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import dask.array as da
import numpy as np
from common import cpu, mnist
from distributed import Client, LocalCluster, get_task_stream

from skdbn import DBNClassifier, NotConvergedWarning, RBMTransformer
from skdbn._training.loop import Training
from skdbn.dask import DaskDBNClassifier, DaskRBMTransformer

RUNS = Path(__file__).parent / "results" / "dask_scaling.jsonl"
SIZES, N_ROWS, N_ROWS_OF_WORK = (500, 500), 60_000, 12_000
WORKERS, SEEDS, N_PASSES = (0, 2, 4), range(3), 4  # no worker stands for the plain estimator


def runs():
    """Return the runs that were made."""
    return list(map(json.loads, RUNS.read_text().splitlines())) if RUNS.exists() else []


def keep(job, **found):
    """Add a run to those that were made."""
    with RUNS.open("a") as file:
        file.write(json.dumps({**job, **found, "cpu": cpu()}) + "\n")


def missing(jobs):
    """Return the jobs that were not made yet."""
    made = [{key: run.get(key) for key in job} for job in jobs for run in runs()]
    return [job for job in jobs if job not in made]


def on_workers(n_workers, rows_of_part, X):
    """Return a context of a cluster, and X in a part for each worker."""
    options = {"threads_per_worker": 1, "dashboard_address": ":0", "memory_limit": None}
    cluster = LocalCluster(n_workers=n_workers, **options)
    return cluster, da.from_array(X, chunks=(rows_of_part, -1))


# -- the same model


def same():
    """Fit on one machine, on two and on four workers, and test each once."""
    X_train, X_test, y_train, y_test = mnist()
    jobs = [{"what": "same", "workers": n, "seed": seed} for seed in SEEDS for n in WORKERS]
    for job in missing(jobs):
        start, n = time.perf_counter(), job["workers"]
        if n == 0:
            net = DBNClassifier(SIZES, random_state=job["seed"]).fit(X_train, y_train)
        else:
            cluster, X = on_workers(n, N_ROWS // n, X_train)
            with cluster, Client(cluster) as client:
                net = DaskDBNClassifier(SIZES, random_state=job["seed"], client=client)
                net = net.fit(X, y_train).to_local()
        seconds = time.perf_counter() - start
        keep(job, error=float((net.predict(X_test) != y_test).mean()), seconds=seconds)


# -- seconds of a pass


@contextmanager
def stopwatch(clock=time.perf_counter):
    """Yield lists of the seconds of passes, and of the bytes of the state of a training."""
    seconds, n_bytes, make_pass = [], [], Training.make_pass

    def noted(training, *args):
        start = clock()
        make_pass(training, *args)
        seconds.append(clock() - start)
        learner = training.learner
        state = learner.parameters, learner.carried(), training.optimizer.get_state()
        n_bytes.append(len(pickle.dumps(state)))

    Training.make_pass = noted
    try:
        yield seconds, n_bytes
    finally:
        Training.make_pass = make_pass


def fit_briefly(machine, classifier, kind, X, y, **options):
    """Make some passes of a kind."""
    if kind == "pretraining":
        machine(SIZES[0], n_iter=N_PASSES, random_state=0, **options).fit(X)
    else:
        steps = {"pretrain": False, "softmax_iter": 0, "finetune_iter": N_PASSES, "noise": 0.0}
        classifier(SIZES, **steps, random_state=0, **options).fit(X, y)


def work():
    """Measure the CPU time of a row, in minibatches as large as those of 1, 2, 4 and 8 workers."""
    X_train, _, y_train, _ = mnist()
    X, y = X_train[:N_ROWS_OF_WORK], y_train[:N_ROWS_OF_WORK]
    for job in missing(
        [
            {"what": "work", "kind": kind, "batch_size": 100 // n}
            for kind in ("pretraining", "fine-tuning")
            for n in (1, 2, 4, 8)
        ]
    ):
        with stopwatch(time.process_time) as (seconds, _):
            kinds = RBMTransformer, DBNClassifier, job["kind"]
            fit_briefly(*kinds, X, y, batch_size=job["batch_size"])
        keep(job, microseconds_of_row=1e6 * min(seconds) / len(X))


def work_in_passes(stream):
    """Return the seconds of each pass in which the busiest worker made steps."""
    made = [task for task in stream if str(task["key"]).startswith("go_over")]
    made = sorted(made, key=lambda task: task["startstops"][-1]["stop"])
    per_pass = len(made) // N_PASSES
    work = []
    for start in range(0, len(made), per_pass):
        seconds = {}
        for task in made[start : start + per_pass]:
            for span in task["startstops"]:
                if span["action"] == "compute":
                    spent = seconds.get(task["worker"], 0.0) + span["stop"] - span["start"]
                    seconds[task["worker"]] = spent
        work.append(max(seconds.values()))
    return work


def passes():
    """Make some passes of pretraining and of fine-tuning on 1, 2 and 4 workers."""
    X_train, _, y_train, _ = mnist()
    settings = [(0, N_ROWS), (1, N_ROWS), (2, N_ROWS // 2), (4, N_ROWS // 4), (2, N_ROWS)]
    for job in missing(
        [
            {"what": "pass", "kind": kind, "workers": n, "rows": rows}
            for kind in ("pretraining", "fine-tuning")
            for n, rows in settings
        ]
    ):
        n, n_total = job["workers"], job["rows"] * max(1, job["workers"])
        X = np.tile(X_train, (-(-n_total // N_ROWS), 1))[:n_total]
        y = np.tile(y_train, -(-n_total // N_ROWS))[:n_total]
        if n == 0:
            with stopwatch() as (seconds, _):
                fit_briefly(RBMTransformer, DBNClassifier, job["kind"], X, y)
            keep(job, passes=seconds, work=seconds, n_bytes=0)
            continue
        cluster, X = on_workers(n, job["rows"], X)
        kinds = DaskRBMTransformer, DaskDBNClassifier
        with cluster, Client(cluster) as client, stopwatch() as (seconds, n_bytes):
            with get_task_stream(client) as stream:
                fit_briefly(*kinds, job["kind"], X, y, client=client)
            work = work_in_passes(stream.data)
        keep(job, passes=seconds, work=work, n_bytes=n_bytes[-1])


# -- report


def report():
    """Print the tables."""
    print("Error on the test set of MNIST, % (minutes of a fit)\n")
    for n in WORKERS:
        made = [run for run in runs() if run["what"] == "same" and run["workers"] == n]
        if made:
            errors = [100.0 * run["error"] for run in made]
            minutes = statistics.mean(run["seconds"] for run in made) / 60.0
            shown = ", ".join(f"{error:.2f}" for error in errors)
            name = "one machine" if n == 0 else f"{n} workers"
            print(f"{name:12} mean {statistics.mean(errors):.3f} of {shown} ({minutes:.1f})")
    print("\nSeconds of a pass: medians without the first\n")
    print("kind         workers  rows of each   pass   work  other  share   MB")
    for run in (run for run in runs() if run["what"] == "pass"):
        pass_, work = (statistics.median(run[key][1:]) for key in ("passes", "work"))
        other = statistics.median(
            a - b for a, b in zip(run["passes"][1:], run["work"][1:], strict=True)
        )
        print(
            f"{run['kind']:12} {run['workers'] or 'plain':>7} {run['rows']:13} {pass_:6.2f} "
            f"{work:6.2f} {other:6.3f} {other / pass_:6.1%} {2 * run['n_bytes'] / 1e6:4.1f}"
        )

    print("\nCPU time of a row, microseconds, by the rows of a worker's minibatch\n")
    for run in (run for run in runs() if run["what"] == "work"):
        print(f"{run['kind']:12} {run['batch_size']:4} {run['microseconds_of_row']:8.1f}")


def main():
    """Make runs that are missing, or report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["same", "passes", "work", "report"])
    warnings.simplefilter("ignore", NotConvergedWarning)  # these passes are few
    parts = {"same": same, "passes": passes, "work": work, "report": report}
    parts[parser.parse_args().what]()


if __name__ == "__main__":  # workers import this file
    main()
