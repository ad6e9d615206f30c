"""Question: does `partial_fit` over chunks of a memory map learn what `fit` learns.

Bar: the test error is at most 0.3 points above that of `fit`, on MNIST, in each of the seeds::

    SKDBN_MNIST=DIR python benchmarks/streaming.py [SEED ...]

The training rows lie on the disk, shuffled, and are read a chunk of 10,000 rows at a time, ten
times over; the first chunk pretrains, in as many minibatches as `fit` makes of all rows.
`finetune_iter` is the number of calls.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import N_PIXELS, N_TRAIN, mnist, print_setting

from skdbn import DBNClassifier, RBMTransformer

HIDDEN, PRETRAIN, PASSES, CHUNK = (500, 500), 5, 10, 10_000
N_CHUNKS = N_TRAIN // CHUNK


def net_of(n_pretrain, n_calls, seed):
    """Return a net that is not fitted."""
    rbm = RBMTransformer(n_iter=n_pretrain)
    return DBNClassifier(HIDDEN, rbm=rbm, finetune_iter=n_calls, random_state=seed)


def streamed(X, y, seed):
    """Return a net that saw the rows in chunks of a memory map."""
    net = net_of(PRETRAIN * N_CHUNKS, PASSES * N_CHUNKS, seed)
    order = np.random.default_rng(seed).permutation(N_TRAIN)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        np.memmap(path, X.dtype, "w+", shape=(N_TRAIN, N_PIXELS))[:] = X[order]
        X, y = np.memmap(path, X.dtype, "r", shape=(N_TRAIN, N_PIXELS)), y[order]
        for _ in range(PASSES):
            for start in range(0, N_TRAIN, CHUNK):
                net.partial_fit(X[start : start + CHUNK], y[start : start + CHUNK])
    return net


def fitted(X, y, seed):
    """Return a net that saw all rows at once."""
    return net_of(PRETRAIN, PASSES, seed).fit(X, y)


def main():
    print_setting()
    X, X_test, y, y_test = mnist()
    for seed in map(int, sys.argv[1:] or ["0", "1", "2"]):
        for make in (fitted, streamed):
            start = time.perf_counter()
            error = 1.0 - make(X, y, seed).score(X_test, y_test)
            seconds = time.perf_counter() - start
            print(f"seed {seed}  {make.__name__:10}{error:8.2%} of the test rows{seconds:8.0f} s")


if __name__ == "__main__":
    main()
