"""
Does pretraining help
=====================

The same network with and without pretraining, for more and more labels. ``pretrain=False`` is the
control: random weights, and nothing else changed.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

from skdbn import DBNClassifier
from skdbn.datasets import load_digits

X, X_test, y, y_test = load_digits()
N_LABELS, N_DRAWS = (50, 100, 200, 500, 1000), 5

errors = {True: [], False: []}
for n in N_LABELS:
    for pretrain, curve in errors.items():
        drawn = []
        for seed in range(N_DRAWS):
            rows = np.random.default_rng(seed).permutation(len(X))[:n]
            net = DBNClassifier((100,), pretrain=pretrain, random_state=seed)
            drawn.append(1 - net.fit(X[rows], y[rows]).score(X_test, y_test))
        curve.append((np.mean(drawn), np.std(drawn)))

# %%
# Mean and spread over five draws of the labelled digits. Both networks see the labelled digits
# only, the pretraining too.
figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for pretrain, curve in errors.items():
    mean, spread = 100 * np.array(curve).T
    label = "with pretraining" if pretrain else "without"
    ax.errorbar(N_LABELS, mean, spread, marker="o", capsize=3, label=label)
    print(f"{label:18}", *(f"{error:6.1f} %" for error in mean))
ax.set(xscale="log", xlabel="labelled digits", ylabel="test error in %", ylim=(0, None))
ax.legend()
plt.show()
