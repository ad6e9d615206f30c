"""
A stream of rows
================

For rows that arrive in parts or do not fit into memory, ``partial_fit`` trains on one chunk after
another. Between the calls the net may be kept in a file.
"""

# %%
# The digits are in a file, and a memory map of it is read one chunk at a time.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skdbn import DBNClassifier, load_model, save_model
from skdbn.datasets import load_digits

X, X_test, y, y_test = load_digits()
folder = Path(tempfile.mkdtemp())
np.save(folder / "rows.npy", X)
X = np.load(folder / "rows.npy", mmap_mode="r")
chunks = [slice(start, start + 300) for start in range(0, len(X), 300)]

# %%
# The first call pretrains the layers on its chunk, and needs the list of all classes. Each call
# makes one pass of fine-tuning over its chunk. ``finetune_iter`` is the planned number of calls,
# over which the rate falls to 0. After each round through the file the net is saved and loaded
# again, as a nightly job would do. This does not change a bit of the result.
N_ROUNDS = 30


def scores_of_stream(**parameters):
    """Return the accuracy on the test digits after each call of partial_fit."""
    scores = []
    net = DBNClassifier(finetune_iter=N_ROUNDS * len(chunks), random_state=0, **parameters)
    for _ in range(N_ROUNDS):
        for chunk in chunks:
            net.partial_fit(X[chunk], y[chunk], classes=np.arange(10))
            scores.append(net.score(X_test, y_test))
        save_model(net, folder / "net.npz")
        net = load_model(folder / "net.npz")
    return scores


streams = {
    "pretrained on the first chunk": scores_of_stream(),
    "pretrain=False": scores_of_stream(pretrain=False),
}
whole = DBNClassifier(random_state=0).fit(X, y).score(X_test, y_test)

# %%
# How the error falls, compared with ``fit``, which has all rows at once and makes as many passes
# over them:
_, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for label, scores in streams.items():
    ax.plot(np.arange(1, len(scores) + 1), 100 - 100 * np.array(scores), label=label)
    print(f"partial_fit, {label:30} test error {1 - scores[-1]:.2%}")
print(f"{'fit':43} test error {1 - whole:.2%}")
ax.axhline(100 - 100 * whole, color="0.4", linestyle="--", label="fit")
ax.set(xlabel="calls of partial_fit", ylabel="test error in %", yscale="log")
ax.set_yticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
ax.legend()
plt.show()

# %%
# In the end, they differ by a few errors in 360 rows. Pretraining shows its worth at the beginning:
# after the first call, the pretrained net makes less than a quarter of the errors of the other one.
