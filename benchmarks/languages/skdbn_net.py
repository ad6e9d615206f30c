"""The same deep belief net with skdbn, which gets its start and its minibatches from the files.

    python skdbn_net.py FOLDER [float64]

inputs.py says what is in FOLDER. One line is printed for each pass: phase, pass, loss, seconds,
seconds of the processor.
"""

import sys
import time
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

import skdbn
from skdbn import DBNClassifier, RBMTransformer
from skdbn._learners import MachineLearner
from skdbn._maths.engines import ENGINES, NumpyEngine
from skdbn._rbm import INITIAL_SCALE

folder = Path(sys.argv[1])
dtype = np.dtype(sys.argv[2] if len(sys.argv) > 2 else "float32")
settings = dict(line.split() for line in (folder / "settings.txt").read_text().splitlines())
n_rows, batch_size = int(settings["n_rows"]), int(settings["batch_size"])
sizes = np.loadtxt(folder / "sizes.txt", dtype=int)
start_file = open(folder / "starts.bin", "rb")
starts = {
    (n_in, n_out): np.fromfile(start_file, float, n_in * n_out).reshape(n_in, n_out)
    for n_in, n_out in pairwise(sizes.tolist())
}
orders = open(folder / "orders.bin", "rb")
has_uniforms = (folder / "uniforms.bin").exists()
if has_uniforms:
    uniforms = open(folder / "uniforms.bin", "rb")


class FileEngine(NumpyEngine):
    """An engine that takes from the files what other engines draw."""

    makes_a_start = False

    def permutation(self, n):
        """Return the order of the rows in the next pass."""
        return np.fromfile(orders, np.int32, n)

    def normal(self, shape):
        """Return the first weights of a machine, as `RBMTransformer` scales them."""
        self.makes_a_start = True
        return (starts[shape] / INITIAL_SCALE).astype(self.dtype)

    def uniform(self, shape, out=None):
        """Return the next random numbers of hidden states; those of unused chains are not there."""
        if not has_uniforms or self.makes_a_start:
            return super().uniform(shape, out=out)
        out = np.empty(shape, self.dtype) if out is None else out
        out[...] = np.fromfile(uniforms, float, out.size).reshape(shape)
        return out


class Stopwatch:
    """Callback that takes the seconds of each pass, and of the processor."""

    def __init__(self):
        self.seconds = {}

    def setup(self, estimator, context):
        """Begin a fit."""

    def teardown(self, estimator, context):
        """End a fit."""

    def on_fit_task_begin(self, estimator, context):
        """Begin a task."""
        self.started = time.perf_counter(), time.process_time()

    def on_fit_task_end(self, estimator, context):
        """End a task."""
        if context.task_name == "pass":
            now, started = (time.perf_counter(), time.process_time()), self.started
            taken = [a - b for a, b in zip(now, started, strict=True)]
            self.seconds.setdefault(context.parent.task_name, []).append(taken)


def random_arrays(engine, sizes):
    """Return the first weights of the net, of which only those of the top layer are used."""
    weights = [starts[shape].astype(engine.dtype) for shape in pairwise(sizes)]
    return weights, [engine.zeros(size) for size in sizes[1:]]


ENGINES["numpy"] = FileEngine
skdbn._dbn.random_arrays = random_arrays
MachineLearner._draw_watched = lambda self: np.arange(int(settings["n_watched"]))

pixels = np.fromfile(folder / "X_train.bin", np.uint8).reshape(n_rows, -1)
pixels_test = np.fromfile(folder / "X_test.bin", np.uint8).reshape(int(settings["n_test"]), -1)
X, X_test = pixels / dtype.type(255), pixels_test / dtype.type(255)
y = np.fromfile(folder / "y_train.bin", np.uint8)
y_test = np.fromfile(folder / "y_test.bin", np.uint8)
rbm = RBMTransformer(
    visible_units="binary",
    learning_rate=float(settings["rate"]),
    weight_decay=float(settings["weight_decay"]),
    batch_size=batch_size,
    n_iter=int(settings["n_pretrain"]),
)
net = DBNClassifier(
    tuple(sizes[1:-1].tolist()),
    rbm=rbm,
    softmax_iter=int(settings["n_softmax"]),
    finetune_iter=int(settings["n_finetune"]),
    learning_rate_init=float(settings["adam_rate"]),
    learning_rate="constant",
    batch_size=batch_size,
    noise=0.0,
    random_state=0,
)
stopwatch = Stopwatch()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # few passes do not converge
    net.set_callbacks(stopwatch).fit(X, y)

curves = {f"pretrain layer {i}": machine.loss_curve_ for i, machine in enumerate(net.rbms_, 1)}
curves.update(softmax=net.softmax_loss_curve_, finetune=net.loss_curve_)
for phase, losses in curves.items():
    for i, (loss, taken) in enumerate(zip(losses, stopwatch.seconds[phase], strict=True), 1):
        print(f"{phase},{i},{loss:.17g},{taken[0]:.6f},{taken[1]:.6f}")
net.predict_proba(X_test).astype(float).tofile(folder / "probabilities.bin")
print("error", 1 - net.score(X_test, y_test))
(pool,) = [pool for pool in threadpool_info() if "numpy" in pool["filepath"]]
print("blas", pool["internal_api"], pool["version"], pool["architecture"])
print("version skdbn", skdbn.__version__)
