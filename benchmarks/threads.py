"""Question: do the default BLAS threads slow small layers down, alone or beside other processes.

    python benchmarks/threads.py

A figure is the time of a fit with the machine's default threads as a share of that with one. It is
taken alone, beside a process on every core that is busy with Python, and beside one that fits the
same. Fits with both numbers of threads are timed in turns, each in a process of its own. The last
column is what the same takes without the limit that `skdbn._training.threads` sets.
"""

import os
import subprocess
import sys

from common import print_setting, print_table, ratio

N_ROUNDS = 3
CASES = {
    "RBMTransformer(100), digits": "RBMTransformer(100, n_iter=10, random_state=0).fit(X)",
    "RBMTransformer(100), batches of 100": (
        "RBMTransformer(100, batch_size=100, n_iter=100, random_state=0).fit(X)"
    ),
    "DBNClassifier((100,)), digits": "DBNClassifier((100,), random_state=0).fit(X, y)",
    "DBNClassifier((16,)), iris": "DBNClassifier((16,), random_state=0).fit(*iris)",
}
CODE = """
import sys, time, warnings
import numpy as np
from sklearn.datasets import load_digits, load_iris
from skdbn import DBNClassifier, RBMTransformer
warnings.simplefilter("ignore")
if "without" in sys.argv:
    import skdbn._training.threads as threads
    threads.SMALL = 0
X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
iris = load_iris(return_X_y=True)
iris = iris[0] / iris[0].max(axis=0), iris[1]
{fit}
while True:
    start = time.perf_counter()
    {fit}
    if "forever" not in sys.argv:
        print(time.perf_counter() - start)
        break
"""
BUSY = [sys.executable, "-c", "while True: pass"]
ONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def command(case, *options):
    """Return what fits a case in a process of its own."""
    return [sys.executable, "-c", CODE.format(fit=CASES[case]), *options]


def seconds(case, *options, **environment):
    """Return the seconds of a fit with so many threads."""
    kept = {name: value for name, value in os.environ.items() if name not in ONE}
    run = {"capture_output": True, "text": True, "check": True, "env": {**kept, **environment}}
    return float(subprocess.run(command(case, *options), **run).stdout)


def ratios(case):
    """Return default threads to one, and the same without the limit."""
    rounds = [
        (seconds(case), seconds(case, "without"), seconds(case, **ONE)) for _ in range(N_ROUNDS)
    ]
    limited, unlimited, one = zip(*rounds, strict=True)
    return ratio(limited, one), ratio(unlimited, one)


def main():
    """Print the table."""
    print_setting()
    rows = []
    for case in CASES:
        beside = {
            "alone": [],
            "beside a busy process on every core": [BUSY] * os.cpu_count(),
            "beside the same fit": [command(case, "forever")],
        }
        for where, commands in beside.items():
            others = [subprocess.Popen(other) for other in commands]
            try:
                limited, unlimited = ratios(case)
            finally:
                for other in others:
                    other.kill()
            bar = f"<= {1.1 if where == 'alone' else 1.5}; without the limit {unlimited:.2f}"
            rows.append((f"{case}, {where}", limited, bar))
            print_table(rows[-1:])


if __name__ == "__main__":
    main()
