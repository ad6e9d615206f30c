"""Question: do the default parameters fit shapes that are hard for a net of logistic units.

Accuracy on the training rows (balanced accuracy where one class is rare), every estimator with its
default parameters, no scaler. Run by hand::

    python benchmarks/shapes.py
"""

import warnings

import numpy as np
from sklearn.datasets import make_blobs, make_classification, make_moons
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.neural_network import MLPClassifier

from skdbn import DBNClassifier

ALLOWED_GAP = 3.0


def rare_class(rng):
    X, y = make_classification(
        2000, 10, n_informative=5, weights=[0.99], flip_y=0.0, random_state=0
    )
    return X, y, balanced_accuracy_score


def hundred_classes(rng):
    X, y = make_blobs(3000, 20, centers=100, random_state=0)
    return X, y, accuracy_score


def threshold(rng):
    X = rng.normal(size=(500, 1))
    return X, (X[:, 0] > 0.7).astype(int), accuracy_score


def interval(rng):
    X = rng.normal(size=(500, 1))
    return X, (abs(X[:, 0]) < 0.5).astype(int), accuracy_score


def moons(rng):
    return *make_moons(500, noise=0.2, random_state=0), accuracy_score


def wide(rng):
    X, y = make_classification(100, 10_000, n_informative=20, random_state=0)
    return X, y, accuracy_score


SHAPES = {
    "99:1 classes": rare_class,
    "100 classes": hundred_classes,
    "a threshold": threshold,
    "an interval": interval,
    "moons": moons,
    "100 x 10,000": wide,
}
ESTIMATORS = {
    "LogisticRegression": LogisticRegression(),
    "HistGradientBoosting": HistGradientBoostingClassifier(random_state=0),
    "MLPClassifier": MLPClassifier(random_state=0),
    "DBNClassifier": DBNClassifier(random_state=0),
    "DBNClassifier(16)": DBNClassifier((16,), random_state=0),
    "DBNClassifier(100)": DBNClassifier((100,), random_state=0),
}


def accuracy(name, shape):
    """Return the accuracy on the training rows in percent."""
    X, y, score = SHAPES[shape](np.random.default_rng(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the peers' own defaults
        return 100.0 * score(y, ESTIMATORS[name].fit(X, y).predict(X))


def track_accuracy(shape):
    return accuracy("DBNClassifier", shape)


track_accuracy.params = list(SHAPES)
track_accuracy.unit = "%"


def main():
    print(f"{'':15}" + "".join(f"{name:>21}" for name in ESTIMATORS))
    for shape in SHAPES:
        scores = {name: accuracy(name, shape) for name in ESTIMATORS}
        gap = scores["MLPClassifier"] - scores["DBNClassifier"]
        verdict = "" if gap <= ALLOWED_GAP else f"  {gap:.1f} points behind MLPClassifier"
        row = "".join(f"{score:21.1f}" for score in scores.values())
        print(f"{shape:15}{row}{verdict}", flush=True)


if __name__ == "__main__":
    main()
