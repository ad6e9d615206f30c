"""Train on data that fit neither into one worker nor into all of them.

    python benchmarks/dask_larger_than_memory.py              # 8 GB, two workers of 1 GB each
    python benchmarks/dask_larger_than_memory.py --gigabytes 0.7

The rows are noisy copies of ten patterns, made in chunks whenever they are needed. dask's nanny
kills a worker that exceeds its limit. An RBM and a classifier are trained for a few passes; each
line gives the time and the peak memory of a worker process.
"""

import argparse
import json
import resource
import time
import warnings
from pathlib import Path

import dask.array as da
import numpy as np
from common import cpu
from distributed import Client, LocalCluster

from skdbn import NotConvergedWarning
from skdbn.dask import DaskDBNClassifier, DaskRBMTransformer

RUNS = Path(__file__).parent / "results" / "dask_larger_than_memory.jsonl"
N_FEATURES, N_CLASSES, N_ROWS_OF_CHUNK = 784, 10, 20_000
NOISE = 0.3  # share of the values of a pattern that are drawn anew


def labels_of(block, block_info):
    """Return the labels of a chunk."""
    number = block_info[None]["chunk-location"][0]
    return np.random.default_rng(number).integers(N_CLASSES, size=len(block))


def rows_of(labels, block_info):
    """Return the rows of a chunk."""
    patterns = np.random.default_rng(0).random((N_CLASSES, N_FEATURES), np.float32) < 0.5
    rng = np.random.default_rng([1, block_info[None]["chunk-location"][0]])
    X = patterns[labels].astype(np.float32)
    drawn = rng.random(X.shape, np.float32)
    np.copyto(X, drawn / NOISE > 0.5, where=drawn < NOISE)
    return X


def highest_memory():
    """Return the most memory that this process ever had, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    """Train both, and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=8.0)
    gigabytes = parser.parse_args().gigabytes
    n_chunks = int(-(-gigabytes * 1e9 // (4 * N_FEATURES * N_ROWS_OF_CHUNK)))
    n_rows = n_chunks * N_ROWS_OF_CHUNK
    y = da.zeros(n_rows, chunks=N_ROWS_OF_CHUNK, dtype=np.int64).map_blocks(labels_of, dtype=int)
    X = y.map_blocks(rows_of, dtype=np.float32, new_axis=1, chunks=(y.chunks[0], (N_FEATURES,)))
    warnings.simplefilter("ignore", NotConvergedWarning)  # the passes are few
    limits = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": "1GB"}
    with LocalCluster(**limits, dashboard_address=":0") as cluster, Client(cluster) as client:
        before = set(client.nthreads())
        short = {"batch_size": 1000, "random_state": 0, "verbose": 1, "client": client}
        machine = DaskRBMTransformer(32, n_iter=2, **short)
        few = {"softmax_iter": 1, "finetune_iter": 2}
        net = DaskDBNClassifier((32,), pretrain=False, **few, **short)
        for name, fit in (("machine", lambda: machine.fit(X)), ("net", lambda: net.fit(X, y))):
            start = time.perf_counter()
            fit()
            found = {
                "what": name,
                "gigabytes": X.nbytes / 1e9,
                "seconds": time.perf_counter() - start,
                "highest_memory": max(client.run(highest_memory).values()) / 1e9,
                "workers_lost": len(before - set(client.nthreads())),
                "cpu": cpu(),
            }
            print(found, flush=True)
            with RUNS.open("a") as file:
                file.write(json.dumps(found) + "\n")
        few = slice(5 * N_ROWS_OF_CHUNK)
        accuracy = float((net.predict(X[few]) == y[few]).mean())
        print(f"Accuracy of the net on 100,000 rows: {accuracy:.4f}")


if __name__ == "__main__":  # workers import this file
    main()
