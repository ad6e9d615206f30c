"""Question: how likely are digits under a machine, by which gradient, and can that be trusted.

    python benchmarks/likelihood.py 500      # makes the runs with 500 hidden units that are missing
    python benchmarks/likelihood.py 16       # the same with 16, whose likelihood is exact
    python benchmarks/likelihood.py report   # prints the tables

MNIST, whose pixels are drawn as zeros and ones: anew in each minibatch of training, and once for
the test. All machines make 60 passes of minibatches of 100 rows at rate 0.1, which falls to 0 in
a line, without momentum and weight decay. The rate of BernoulliRBM, which is constant, is chosen
on 10,000 rows that were held out. Runs are lines of ``results/likelihood.jsonl``; a run that has
its line is not made again. Lines without a number of chains had 10,000 temperatures and 100 chains.
Needs ``SKDBN_MNIST``; with ``OPENBLAS_NUM_THREADS=1`` two processes (``--part 0/2`` and ``--part
1/2``) may work side by side.
"""

import argparse
import json
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
from common import cpu, mnist, print_setting
from sklearn.neural_network import BernoulliRBM
from threadpoolctl import threadpool_info

from skdbn import RBMTransformer

RUNS = Path(__file__).parent / "results" / "likelihood.jsonl"
N_PASSES, BATCH_SIZE = 60, 100
EFFORT = {"n_temperatures": 5000, "n_chains": 300}  # of annealing
N_CHOICE, N_PASSES_OF_CHOICE, RATES = 50_000, 10, (0.1, 0.03, 0.01, 0.003)
RECIPE = {
    "learning_rate": 0.1,
    "learning_rate_schedule": "linear",
    "sample_visible": True,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "batch_size": BATCH_SIZE,
    "n_iter": N_PASSES,
}
CENTRED = {"centering": True}
BERNOULLI = "BernoulliRBM"
ROWS = {  # name: parameters, seeds
    "PCD-10, centred": ({"gradient": "pcd", "n_gibbs_steps": 10, **CENTRED}, 5),
    "PCD-10": ({"gradient": "pcd", "n_gibbs_steps": 10}, 5),
    "PTT-10, centred": ({"gradient": "ptt", "n_gibbs_steps": 10, **CENTRED}, 5),
    "PCD-1, centred": ({"gradient": "pcd", **CENTRED}, 5),
    "PCD-1": ({"gradient": "pcd"}, 5),
    "CD-1, centred": ({"gradient": "cd", **CENTRED}, 5),
    "CD-1": ({"gradient": "cd"}, 5),
    BERNOULLI: ({}, 5),
}
FLIPPED = ("PCD-10, centred", "PCD-10")  # also on digits whose zeros and ones are exchanged


def drawn(X, seed):
    """Return zeros and ones for probabilities."""
    draws = np.random.default_rng(seed).random(X.shape, dtype=np.float32)
    return (draws < X).astype(np.float32)


def bernoulli_rbm(X, n_hidden, seed, rate, n_passes):
    """Return scikit-learn's machine as one of ours, so that it is judged by the same likelihood."""
    rng = np.random.default_rng(seed)
    theirs = BernoulliRBM(n_hidden, learning_rate=rate, batch_size=BATCH_SIZE, random_state=seed)
    for i in range(n_passes):
        rows = drawn(X, [seed, i])
        order = rng.permutation(len(X))
        for start in range(0, len(X), BATCH_SIZE):
            theirs.partial_fit(rows[order[start : start + BATCH_SIZE]])
    ours = RBMTransformer(n_hidden, n_iter=0, batch_size=BATCH_SIZE).fit(X[:BATCH_SIZE])
    for name in ("components_", "intercept_visible_", "intercept_hidden_", "h_samples_"):
        setattr(ours, name, np.ascontiguousarray(getattr(theirs, name), np.float32))
    return ours


def chosen_rate(X, n_hidden):
    """Return the rate of BernoulliRBM that is best on rows held out; it is chosen once."""
    for run in read_runs():
        if (run["row"], run["n_hidden"]) == (BERNOULLI, n_hidden):
            return run["rate"]
    held_out = drawn(X[N_CHOICE:], 1)

    def likelihood(rate):
        rbm = bernoulli_rbm(X[:N_CHOICE], n_hidden, 0, rate, N_PASSES_OF_CHOICE)
        log_z = rbm.log_partition(n_temperatures=1000, random_state=0)
        return rbm.log_likelihood(held_out, log_z).mean()

    return max(RATES, key=likelihood)


def make_run(name, n_hidden, seed, flipped):
    """Train a machine; return its line."""
    X, X_test, _, _ = mnist()
    if flipped:
        X, X_test = 1.0 - X, 1.0 - X_test
    rate = chosen_rate(X, n_hidden) if name == BERNOULLI else RECIPE["learning_rate"]
    start = time.perf_counter()
    if name == BERNOULLI:
        rbm = bernoulli_rbm(X, n_hidden, seed, rate, N_PASSES)
    else:
        rbm = RBMTransformer(n_hidden, random_state=seed, **RECIPE, **ROWS[name][0]).fit(X)
    seconds = time.perf_counter() - start
    with warnings.catch_warnings():  # the bounds say how far it has mixed
        warnings.simplefilter("ignore")
        log_z = rbm.log_partition(**EFFORT, random_state=0)
    test, train = drawn(X_test, 9), drawn(X[: len(X_test)], 8)
    curve = rbm.log_partition_curve_
    return {
        "row": name,
        "n_hidden": n_hidden,
        "seed": seed,
        "flipped": flipped,
        "rate": rate,
        "test": float(rbm.log_likelihood(test, log_z.value).mean()),
        "lowest": float(rbm.log_likelihood(test, log_z.upper).mean()),
        "highest": float(rbm.log_likelihood(test, log_z.lower).mean()),
        "train": float(rbm.log_likelihood(train, log_z.value).mean()),
        "log_z": log_z.value,
        **EFFORT,
        "standard_error": log_z.standard_error,
        "log_z_along_the_way": curve[-1] if curve else None,
        "fit_seconds": round(seconds, 1),
        "likelihood_seconds": round(time.perf_counter() - start - seconds, 1),
        "threads": max(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"),
        "machine": cpu(),
    }


def read_runs():
    """Return the lines of all runs that were made."""
    return [json.loads(line) for line in RUNS.read_text().splitlines()] if RUNS.exists() else []


def key(run):
    """Return what tells a run from every other."""
    return run["row"], run["n_hidden"], run["seed"], run["flipped"]


def make_runs(n_hidden, part, n_parts):
    """Make every n_parts-th of the runs with so many hidden units that are missing."""
    wanted = [(name, n_hidden, seed, False) for name in ROWS for seed in range(ROWS[name][1])]
    if n_hidden < 500:  # where the likelihood is exact
        wanted += [(name, n_hidden, seed, True) for name in FLIPPED for seed in range(5)]
    for run in wanted[part::n_parts]:
        if run not in map(key, read_runs()):
            line = make_run(*run)
            with RUNS.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{run}: {line['test']:.2f} nats, {line['fit_seconds']:.0f} s", flush=True)


def line_of(name, made):
    """Return what the runs of a row reached, in words."""
    test, train = ([run[kind] for run in made] for kind in ("test", "train"))
    spread = f" +- {statistics.stdev(test):.2f}" if len(made) > 1 else ""
    bracket = max(run["highest"] - run["lowest"] for run in made)
    lowest, highest = (statistics.mean(run[end] for run in made) for end in ("lowest", "highest"))
    seconds = [run["fit_seconds"] for run in made]
    return (
        f"{name:26} {statistics.mean(test):8.2f}{spread} (mean bounds {lowest:.2f} and "
        f"{highest:.2f}, at most {bracket:.2f} apart), training {statistics.mean(train):8.2f}; "
        f"{len(made)} seeds, {min(seconds):.0f} to {max(seconds):.0f} s"
    )


def report():
    """Print a table for each number of hidden units."""
    print_setting()
    runs = read_runs()
    for n_hidden in sorted({run["n_hidden"] for run in runs}, reverse=True):
        print(
            f"\n784 x {n_hidden}, nats of the test digits: mean and standard deviation over seeds"
        )
        for name in ROWS:
            for flipped in (False, True):
                made = [r for r in runs if key(r) == (name, n_hidden, r["seed"], flipped)]
                if made:
                    print(line_of(name + ", flipped" * flipped, made))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["500", "16", "report"])
    parser.add_argument("--part", default="0/1", help="which share of the runs, as in 0/2")
    options = parser.parse_args()
    if options.what == "report":
        report()
    else:
        make_runs(int(options.what), *map(int, options.part.split("/")))


if __name__ == "__main__":
    main()
