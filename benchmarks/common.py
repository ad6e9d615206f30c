"""What the benchmarks share: data of MNIST's size, bare matrix products, timing in turns.

The rule: a figure is a ratio of times taken in turns in one process, the median of `REPEATS`.
"""

import os
import platform
import statistics
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import scipy
import sklearn
from threadpoolctl import threadpool_info

import skdbn
from skdbn.datasets import load_mnist

REPEATS = 5
N_TRAIN, N_TEST, N_PIXELS, N_CLASSES = 60_000, 10_000, 784, 10


@contextmanager
def checkout(commit):
    """Give the folder of an earlier commit, as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        run = {"check": True, "cwd": Path(__file__).parent, "capture_output": True}
        subprocess.run(["git", "worktree", "add", "--detach", folder, commit], **run)
        try:
            yield folder
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", folder], **run)


def mnist():
    """Return X_train, X_test, y_train, y_test: MNIST from the folder $SKDBN_MNIST, else random."""
    if "SKDBN_MNIST" in os.environ:
        return load_mnist(os.environ["SKDBN_MNIST"])
    rng = np.random.default_rng(0)
    X = rng.random((N_TRAIN + N_TEST, N_PIXELS), dtype=np.float32)
    y = rng.integers(N_CLASSES, size=N_TRAIN + N_TEST)
    return X[:N_TRAIN], X[N_TRAIN:], y[:N_TRAIN], y[N_TRAIN:]


def in_turns(*functions, repeats=REPEATS):
    """Return the seconds of each function, `repeats` times each, called in turns.

    A first round that is not counted lets threads, caches and memory settle.
    """
    seconds = [[] for _ in functions]
    for i in range(repeats + 1):
        for function, taken in zip(functions, seconds, strict=True):
            start = time.perf_counter()
            function()
            if i > 0:
                taken.append(time.perf_counter() - start)
    return seconds


def ratio(numerator, denominator):
    """Return the median over the rounds of the ratio of two lists of seconds."""
    return statistics.median(a / b for a, b in zip(numerator, denominator, strict=True))


# -- bare matrix products, all float32 and into memory that is there


def _random(*shape):
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def rbm_products(n_visible, n_hidden, batch_size, n_batches):
    """Return a function that makes the five products of CD-1 for each of the minibatches.

    Two up, one down, and those of the two phases of the gradient, which go as one product of
    twice the rows: that is no slower than two, so the yardstick is the faster one. PCD-1 needs
    the same five.
    """
    v, h = _random(2 * batch_size, n_visible), _random(2 * batch_size, n_hidden)
    weights = _random(n_visible, n_hidden)
    v_out, h_out, gradient = np.empty_like(v), np.empty_like(h), np.empty_like(weights)

    def products():
        for _ in range(n_batches):
            np.matmul(v[:batch_size], weights, out=h_out[:batch_size])
            np.matmul(h[:batch_size], weights.T, out=v_out[:batch_size])
            np.matmul(v[batch_size:], weights, out=h_out[batch_size:])
            np.matmul(v.T, h, out=gradient)

    return products


def forward_products(sizes, batch_size, n_batches):
    """Return a function that takes minibatches through a network's products."""
    layers = [_random(batch_size, size) for size in sizes]
    outputs = [np.empty_like(layer) for layer in layers]
    weights = [_random(n_in, n_out) for n_in, n_out in zip(sizes, sizes[1:], strict=False)]

    def products():
        for _ in range(n_batches):
            for i, w in enumerate(weights):
                np.matmul(layers[i], w, out=outputs[i + 1])

    return products


def backpropagation_products(sizes, batch_size, n_batches):
    """Return a function that makes the products of backpropagation, forward ones included."""
    forward = forward_products(sizes, batch_size, 1)
    layers = [_random(batch_size, size) for size in sizes]
    outputs = [np.empty_like(layer) for layer in layers]
    weights = [_random(n_in, n_out) for n_in, n_out in zip(sizes, sizes[1:], strict=False)]
    gradients = [np.empty_like(w) for w in weights]

    def products():
        for _ in range(n_batches):
            forward()
            for i in reversed(range(len(weights))):
                np.matmul(layers[i].T, layers[i + 1], out=gradients[i])
                if i > 0:
                    np.matmul(layers[i + 1], weights[i].T, out=outputs[i])

    return products


# -- what a reader needs beside the figures


def cpu():
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def print_setting():
    """Print machine, versions, BLAS threads and data."""
    pools = [
        f"{pool['internal_api']} {pool['version']} {pool['num_threads']} threads"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]
    print(f"{cpu()}, {os.cpu_count()} cores; Python {platform.python_version()}")
    print(
        f"skdbn {skdbn.__version__}, numpy {np.__version__}, scipy {scipy.__version__}, "
        f"scikit-learn {sklearn.__version__}; {', '.join(sorted(set(pools)))}"
    )
    source = "MNIST" if "SKDBN_MNIST" in os.environ else "random numbers of MNIST's shape"
    print(f"data: {source}; ratios of times taken in turns, median of {REPEATS}")


def print_table(rows):
    """Print rows of (what, figure, bar); a figure is text, or a number with two decimals."""
    width = max(len(row[0]) for row in rows)
    for what, figure, bar in rows:
        figure = figure if isinstance(figure, str) else f"{figure:.2f}"
        print(f"{what:{width}}  {figure:>8}   {bar}", flush=True)
