"""What the benchmarks share: data of MNIST's size, matrix products, timing in turns, scores.

The rule: a figure of time is a ratio of times taken in turns in one process, the median of
`REPEATS`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import scipy
import sklearn
from threadpoolctl import threadpool_info, threadpool_limits

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


def beside(load, own):
    """Return what a reader must know when the load is above that of `own` processes."""
    if load < own + 0.5:
        return ""
    return (
        "**Other processes ran at the same time**, so that the times are too long, most of all "
        "those of several threads. "
    )


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


# -- scores of models on tables


def results_of(jobs, result_of, out):
    """Return the results by (table, model), each as `result_of` gives it for one thread.

    What the file `out` has is not computed again; what is computed is added to it, one result a
    line. A result has all warnings of the model by category, and none is shown.
    """
    found = {}
    if out is not None and out.exists():
        for line in out.read_text().splitlines():
            result = json.loads(line)
            found[result["table"], result["model"]] = result
    for table, model in jobs:
        if (table, model) in found:
            continue
        with warnings.catch_warnings(record=True) as caught, threadpool_limits(1):
            warnings.simplefilter("always")
            start = time.perf_counter()
            result = {"table": table, "model": model, **result_of(table, model)}
            result["seconds"] = time.perf_counter() - start
        result["warnings"] = sorted({warning.category.__name__ for warning in caught})
        found[table, model] = result
        if out is not None:
            with out.open("a") as file:
                file.write(json.dumps(result) + "\n")
    return found


def print_scores(title, tables, models, found, key):
    """Print one of the scores of all models on all tables, its mean and its median."""
    print(f"\n{title}\n{'':30}" + "".join(f"{model:>18}" for model in models))
    rows = {table: [found[table, model][key] for model in models] for table in tables}
    columns = [*zip(*rows.values(), strict=True)]
    rows["mean"] = [statistics.mean(column) for column in columns]
    rows["median"] = [statistics.median(column) for column in columns]
    for table, row in rows.items():
        print(f"{table:30}" + "".join(f"{score:18.3f}" for score in row))


def print_warnings(tables, models, found):
    """Print the warnings of the models on the tables, and the seconds of each model."""
    for model in models:
        results = [found[table, model] for table in tables]
        said = [f"{r['table']}: {', '.join(r['warnings'])}" for r in results if r["warnings"]]
        seconds = sum(result["seconds"] for result in results)
        print(f"{model}: {seconds:.0f} s; warnings: {'; '.join(said) or 'none'}")


def parsed(description, models):
    """Return the options of a benchmark of models on tables."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("tables", nargs="*", help="default: those that the bar is about")
    parser.add_argument("--development", action="store_true", help="tables to choose defaults on")
    parser.add_argument("--models", nargs="+", choices=models, default=models, metavar="MODEL")
    parser.add_argument("--out", type=Path, help="file of results, one a line")
    return parser.parse_args()
