"""What the programs in R, Octave, NumPy and skdbn read: one folder of plain files.

settings.txt             name and value of each number, one a line
sizes.txt                units of each layer, the pixels and the classes included
X_train.bin, X_test.bin  pixels as bytes, row after row
y_train.bin, y_test.bin  classes as bytes
starts.bin               first weights of each layer, float64, row after row
orders.bin               order of the rows in each pass of each phase, int32, from 0
uniforms.bin             only for `check.py`: the random numbers that the hidden states are drawn
                         with, float64, minibatch after minibatch; else a program draws its own
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import common  # noqa: E402

SIZES = (common.N_PIXELS, 500, 500, 2000, common.N_CLASSES)
BATCH_SIZE = 100


def settings_of(n_rows, n_test, n_pretrain, n_softmax, n_finetune):
    """Return the numbers that all programs train with, the defaults of skdbn."""
    if n_rows % BATCH_SIZE:
        raise SystemExit(f"{n_rows} rows are no whole number of minibatches of {BATCH_SIZE}")
    return {
        "n_rows": n_rows,
        "n_test": n_test,
        "n_watched": min(1000, max(BATCH_SIZE, n_rows // 10)),
        "batch_size": BATCH_SIZE,
        "n_pretrain": n_pretrain,
        "n_softmax": n_softmax,
        "n_finetune": n_finetune,
        "rate": 0.1,
        "weight_decay": 0.0002,
        "adam_rate": 0.001,
    }


def write(folder, settings, has_uniforms=False, seed=0):
    """Write the files, with random numbers for the hidden states where they are to be the same."""
    rng = np.random.default_rng(seed)
    lines = [f"{name} {value}\n" for name, value in settings.items()]
    (folder / "settings.txt").write_text("".join(lines))
    np.savetxt(folder / "sizes.txt", SIZES, fmt="%d")
    X_train, X_test, y_train, y_test = common.mnist()
    for part, X, y, n in (
        ("train", X_train, y_train, settings["n_rows"]),
        ("test", X_test, y_test, settings["n_test"]),
    ):
        np.rint(255 * X[:n]).astype(np.uint8).tofile(folder / f"X_{part}.bin")
        y[:n].astype(np.uint8).tofile(folder / f"y_{part}.bin")
    n_hidden_layers = len(SIZES) - 2
    with (folder / "starts.bin").open("wb") as file:
        for i, (n_in, n_out) in enumerate(pairwise(SIZES)):
            bound = np.sqrt(6 / (n_in + n_out))
            start = 0.01 * rng.standard_normal((n_in, n_out))
            if i == n_hidden_layers:
                start = rng.uniform(-bound, bound, (n_in, n_out))
            start.tofile(file)
    n_passes = n_hidden_layers * settings["n_pretrain"]
    n_passes += settings["n_softmax"] + settings["n_finetune"]
    with (folder / "orders.bin").open("wb") as file:
        for _ in range(n_passes):
            rng.permutation(settings["n_rows"]).astype(np.int32).tofile(file)
    if has_uniforms:
        with (folder / "uniforms.bin").open("wb") as file:
            for n_hidden in SIZES[1:-1]:
                for _ in range(settings["n_pretrain"]):
                    rng.random((settings["n_rows"], n_hidden)).tofile(file)
