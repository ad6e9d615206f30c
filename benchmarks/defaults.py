"""Question: do the default parameters work on the small tables that most people try first.

Accuracy of 5-fold stratified cross-validation behind a MinMaxScaler, every estimator with its
default parameters, on the data sets that come with scikit-learn. Run by hand::

    python benchmarks/defaults.py
"""

import time
import warnings

from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdbn import DBNClassifier

ALLOWED_GAP = 0.02
DATA = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
}
ESTIMATORS = {
    "LogisticRegression": LogisticRegression(),
    "MLPClassifier": MLPClassifier(random_state=0),
    "DBNClassifier": DBNClassifier(random_state=0),
}


def accuracy(estimator, name):
    """Return the mean accuracy over the folds."""
    X, y = DATA[name](return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of the peers' own defaults
        pipeline = make_pipeline(MinMaxScaler(), estimator)
        return cross_val_score(pipeline, X, y, cv=StratifiedKFold(5)).mean()


def track_accuracy(name):
    return accuracy(ESTIMATORS["DBNClassifier"], name)


track_accuracy.params = list(DATA)
track_accuracy.unit = "accuracy"


def main():
    print(f"{'':15}" + "".join(f"{name:>20}" for name in ESTIMATORS) + f"{'gap':>9}{'seconds':>9}")
    for name in DATA:
        scores = {}
        for label, estimator in ESTIMATORS.items():
            start = time.perf_counter()
            scores[label] = accuracy(estimator, name)
            seconds = time.perf_counter() - start  # in the end those of DBNClassifier
        gap = max(scores.values()) - scores["DBNClassifier"]
        row = "".join(f"{score:20.4f}" for score in scores.values())
        verdict = "" if gap <= ALLOWED_GAP else f"  more than {ALLOWED_GAP}"
        print(f"{name:15}{row}{gap:9.4f}{seconds:9.1f}{verdict}", flush=True)


if __name__ == "__main__":
    main()
