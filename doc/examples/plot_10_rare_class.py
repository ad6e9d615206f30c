"""
A rare class
============

Three rows in a hundred belong to the class that matters. A net that counts every row the same
misses more than half of them. With ``class_weight="balanced"``, both classes count the same.
"""

# %%
# Each class consists of three clumps, and no straight line separates the classes.
import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    average_precision_score,
    precision_score,
    recall_score,
)
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdbn import DBNClassifier

X, y = make_classification(
    6000,
    n_informative=6,
    n_redundant=4,
    n_clusters_per_class=3,
    weights=[0.97],
    flip_y=0.005,
    random_state=0,
)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
print(f"{y.sum()} of {len(y)} training rows are of the rare class")

# %%
# Recall is the share of the rare rows that are found, precision the share of the alarms that are
# right. Average precision judges the order of the probabilities and does not depend on a threshold.
figure, axes = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
for ax, weight in zip(axes, (None, "balanced"), strict=True):
    line = make_pipeline(StandardScaler(), LogisticRegression(class_weight=weight))
    net = DBNClassifier(class_weight=weight, random_state=0)
    for name, model in (("LogisticRegression", line), ("DBNClassifier", net)):
        found = model.fit(X, y).predict(X_test)
        print(
            f"{name:18} class_weight={weight!r:10} recall {recall_score(y_test, found):.2f}, "
            f"precision {precision_score(y_test, found):.2f}, average precision "
            f"{average_precision_score(y_test, model.predict_proba(X_test)[:, 1]):.2f}"
        )
    ConfusionMatrixDisplay.from_predictions(y_test, found, ax=ax, colorbar=False, cmap="Blues")
    ax.set_title(f"DBNClassifier\nclass_weight={weight!r}", fontsize="medium")
plt.show()

# %%
# The balanced net finds eight more of the 99 rare rows and raises 81 more false alarms. Average
# precision gains nothing: weights shift the threshold, not the order. Which of the two nets is
# better depends on what a missed row costs compared with a false alarm; ``class_weight={1: 5}``
# lies between them. Balanced logistic regression finds a few more rows, but nine in ten of its
# alarms are false.
