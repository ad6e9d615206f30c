"""Question: how much memory do training and inference take beside their data and their result.

    python benchmarks/memory.py

Each case runs in a new process on Linux, which makes its data, then works while a thread looks at
the resident anonymous memory every few milliseconds, and prints by how many MB its peak lies above
the start. Pages of a mapped file do not count: the system takes them back when it needs them. A
growth that is the same at 20,000 and 60,000 rows means that nothing of the size of the data was
copied.
"""

import subprocess
import sys

from common import print_setting, print_table

PRELUDE = """
import pathlib, sys, tempfile, threading
import numpy as np, scipy.sparse
from skdbn import DBNClassifier, RBMTransformer

def resident():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024  # MB

def watch():
    while not done.wait(0.003):
        seen.append(resident())

n_rows = int(sys.argv[1])
generator = np.random.default_rng(0)
def data(n_columns=784):
    return generator.random((n_rows, n_columns), dtype=np.float32)
small = data()[:2000]
rbm = RBMTransformer(500, n_iter=1, batch_size=100, random_state=0).fit(small)  # warm
net = DBNClassifier((500, 500), pretrain=False, softmax_iter=0, finetune_iter=0)
net.fit(small, np.arange(2000) % 10).predict_proba(small)
"""
MEASURE = """
done, seen, before = threading.Event(), [], resident()
watcher = threading.Thread(target=watch)
watcher.start()
{work}
done.set()
watcher.join()
print(max(seen) - before)
"""
CASES = {
    "RBMTransformer.fit, C-contiguous float32": ("X = data()", "rbm.fit(X)"),
    "RBMTransformer.fit, CSR": (
        "X = scipy.sparse.random_array((n_rows, 784), density=0.2, format='csr', "
        "dtype=np.float32, rng=0)",
        "rbm.fit(X)",
    ),
    "RBMTransformer.fit, float32 memmap": (
        "file = tempfile.NamedTemporaryFile()\n"
        "for _ in range(n_rows // 1000):\n"
        "    generator.random((1000, 784), dtype=np.float32).tofile(file)\n"
        "file.flush()\n"
        "X = np.memmap(file.name, np.float32, 'r', shape=(n_rows, 784))",
        "rbm.fit(X)",
    ),
    "transform, beside its result": (
        "X = data(); result = np.ones((n_rows, 500), np.float32)",
        "result = None; rbm.transform(X)",
    ),
    "inverse_transform, beside its result": (
        "H = data(500); result = np.ones((n_rows, 784), np.float32)",
        "result = None; rbm.inverse_transform(H)",
    ),
    "free_energy": ("X = data()", "rbm.free_energy(X)"),
    "score_samples, machine of 20 hidden units": (
        "X = data(); rbm = RBMTransformer(20, n_iter=0).fit(X)",
        "rbm.score_samples(X)",
    ),
    "predict_proba": ("X = data()", "net.predict_proba(X)"),
    "DBNClassifier.fit, layers of 100, 200 and 50, one pass each": (
        "X = data(); y = np.arange(n_rows) % 10\n"
        "template = RBMTransformer(n_iter=1, batch_size=100)\n"
        "net = DBNClassifier((100, 200, 50), rbm=template, softmax_iter=1, finetune_iter=1)",
        "net.fit(X, y)",
    ),
}
N_ROWS = (20_000, 60_000)


def growth(case, n_rows):
    """Return by how many MB the peak grows."""
    setup, work = CASES[case]
    code = PRELUDE + setup + MEASURE.format(work=work)
    command = [sys.executable, "-c", code, str(n_rows)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def track_growth(case, n_rows):
    return growth(case, n_rows)


track_growth.params, track_growth.param_names = [list(CASES), N_ROWS], ["case", "n_rows"]
track_growth.unit, track_growth.timeout = "MB", 600


def main():
    print_setting()
    rows = []
    for case in CASES:
        for n_rows in N_ROWS:
            rows.append((f"{case}, {n_rows} rows", f"{growth(case, n_rows):.0f} MB", ""))
    print_table(rows)


if __name__ == "__main__":
    main()
