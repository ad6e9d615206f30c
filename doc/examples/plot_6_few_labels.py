"""
Few labels, many rows
=====================

``DBNClassifier(unlabeled=-1)`` takes rows with and without labels, where -1 stands for no label.
Fine-tuning penalizes predictions that change when a row, labelled or not, is moved a little. This
pushes the borders away from the rows and into the gaps between the classes.
"""

# %%
# Two moons of 500 rows, and three labels in each.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from skdbn import DBNClassifier
from skdbn.datasets import load_digits


def some_labels(y, n_each, seed):
    """Return y with the labels of `n_each` rows of each class, and -1 for all other rows."""
    known, rng = np.full(len(y), -1), np.random.default_rng(seed)
    for label in np.unique(y):
        known[rng.permutation(np.flatnonzero(y == label))[:n_each]] = label
    return known


rows, moon = make_moons(500, noise=0.1, random_state=0)
known = some_labels(moon, 3, seed=0)
labelled = known != -1

# %%
# One net gets the labelled rows only, the other all rows. A border that winds through two columns
# needs more passes than the default, and rows as dense as these need a longer step: "auto" takes
# 0.3 times the distance between neighbours, which is only 0.02 here. The titles give the share of
# the rows without labels that are classified correctly.
settings = {"finetune_iter": 200, "noise": 0, "random_state": 0}
alone = DBNClassifier(**settings).fit(rows[labelled], known[labelled])
both = DBNClassifier(unlabeled=-1, virtual_adversarial=0.3, **settings).fit(rows, known)

x1, x2 = np.meshgrid(np.linspace(-1.4, 2.4, 150), np.linspace(-0.9, 1.4, 100))
grid = np.column_stack([x1.ravel(), x2.ravel()])
figure, axes = plt.subplots(1, 2, figsize=(7, 3.2), sharex=True, sharey=True, layout="constrained")
for ax, net, title in zip(
    axes, (alone, both), ("the six rows with labels", "all 500 rows"), strict=True
):
    p = net.predict_proba(grid)[:, 1].reshape(x1.shape)
    drawn = ax.contourf(x1, x2, p, np.linspace(0, 1, 11), cmap="RdBu", alpha=0.6)
    ax.contour(x1, x2, p, [0.5], colors="black", linewidths=1)
    ax.scatter(*rows[~labelled].T, s=5, c="0.35", alpha=0.5, linewidths=0, label="no label")
    for label, color in enumerate(("firebrick", "navy")):
        at = rows[known == label].T
        ax.scatter(*at, s=70, c=color, edgecolors="white", label=f"label {label}", zorder=3)
    right = net.score(rows[~labelled], moon[~labelled])
    ax.set(aspect="equal")
    ax.set_title(f"fitted to {title}:\n{right:.1%} right", fontsize="medium")
figure.colorbar(drawn, ax=axes, label="probability of label 1", ticks=(0, 0.5, 1), shrink=0.8)
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()

# %%
# The six rows lead to a straight border through both moons. With the other rows, the border runs
# where there are no rows.
#
# Over five draws of moons and labels, 99.3 % of new rows are classified correctly with these
# settings. The settings were chosen by looking at such draws, so this figure is too good. The
# defaults do not help here: 77 % are correct with all rows, 76 % with the labelled rows only.

# %%
# On the digits the defaults do help. Four nets with the same layers use the digits without labels
# in pretraining and in fine-tuning, in one of the two, or in neither. The last one might as well be
# fitted to the labelled digits only.
X, X_test, y, y_test = load_digits()
N_EACH, N_DRAWS = (3, 10, 50), 3
nets = {
    "pretraining and fine-tuning": DBNClassifier(unlabeled=-1),
    "fine-tuning": DBNClassifier(unlabeled=-1, pretrain=False),
    "pretraining": DBNClassifier(unlabeled=-1, virtual_adversarial=0),
    "neither": DBNClassifier(unlabeled=-1, virtual_adversarial=0, pretrain=False),
}


def test_error(net, n_each, seed):
    """Return the test error of a net for one draw of the labels."""
    net.set_params(random_state=seed).fit(X, some_labels(y, n_each, seed))
    return 1 - net.score(X_test, y_test)


errors = {
    name: [[test_error(net, n_each, seed) for seed in range(N_DRAWS)] for n_each in N_EACH]
    for name, net in nets.items()
}

# %%
# Mean and standard deviation over three draws of the labelled digits:
figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
n_labels = 10 * np.array(N_EACH)
print("labelled digits".ljust(28), *(f"{n:15}" for n in n_labels))
for i, (name, drawn) in enumerate(errors.items()):
    mean, spread = 100 * np.mean(drawn, axis=1), 100 * np.std(drawn, axis=1)
    print(name.ljust(28), *(f"{m:6.1f} +- {s:3.1f} %" for m, s in zip(mean, spread, strict=True)))
    apart = 1 + 0.02 * (i - 1.5)  # so that bars lie side by side
    ax.errorbar(apart * n_labels, mean, spread, marker="o", markersize=4, capsize=3, label=name)
ax.set(xscale="log", xlabel="labelled digits of 1437", ylabel="test error in %", ylim=(0, None))
ax.set_xticks(n_labels, n_labels)
ax.minorticks_off()
ax.legend(title="digits without labels are for")
plt.show()

# %%
# Digits without labels help in both phases. With 100 labels they help more in fine-tuning than in
# pretraining, and the net that uses them in both has about a third of the errors of the one that
# uses them in neither, and fewer than that one has with 500. With 30 labels, the nets without
# pretraining scatter: some are so poor that the trial of "auto" trusts neither them nor the step,
# and keeps the other digits out of fine-tuning.
