"""Question: what other libraries reach on the digits, each set once and not tuned.

Prints the table of the page "Comparison with other libraries": accuracy on three splits of the
digits that come with scikit-learn, and seconds of processor time of fit and prediction. The
libraries that skdbn does not need come from PyPI::

    python -m pip install torch skorch learnergy
    OPENBLAS_NUM_THREADS=1 python benchmarks/comparison.py
"""

import time
import warnings
from functools import partial
from statistics import mean, stdev

import torch
from learnergy.models.bernoulli import RBM
from learnergy.models.deep import DBN
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import BernoulliRBM, MLPClassifier
from sklearn.pipeline import make_pipeline
from skorch import NeuralNetClassifier

from skdbn import DBNClassifier, RBMTransformer
from skdbn.datasets import load_digits

N_SPLITS, N_PASSES, N_UNITS, N_CLASSES = 3, 30, 100, 10
SETTINGS = {"learning_rate": 0.1, "momentum": 0.5}  # of each layer of learnergy
BATCH_SIZE = 10


class OfLearnergy(TransformerMixin, BaseEstimator):
    """The features of a model of learnergy: its expected hidden units."""

    def __init__(self, n_layers=1):
        self.n_layers = n_layers

    def fit(self, X, y):
        """Train the model; the labels are not used."""
        torch.manual_seed(0)
        rows = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
        if self.n_layers == 1:
            self.model_, n_passes = RBM(X.shape[1], N_UNITS, **SETTINGS), N_PASSES
        else:
            of_layers = {name: (value,) * self.n_layers for name, value in SETTINGS.items()}
            for name, value in (("steps", 1), ("decay", 0.0), ("temperature", 1.0)):
                of_layers[name] = (value,) * self.n_layers
            kinds, sizes = ("bernoulli",) * self.n_layers, (N_UNITS,) * self.n_layers
            self.model_ = DBN(kinds, X.shape[1], sizes, **of_layers)
            n_passes = (N_PASSES,) * self.n_layers
        self.model_.fit(rows, BATCH_SIZE, n_passes)
        return self

    def transform(self, X):
        """Return the expected hidden units of the top layer."""
        with torch.no_grad():
            return self.model_(torch.from_numpy(X)).numpy()


def network():
    """Return a network of rectified units for skorch."""
    return torch.nn.Sequential(
        torch.nn.Linear(64, N_UNITS),
        torch.nn.ReLU(),
        torch.nn.Linear(N_UNITS, N_UNITS),
        torch.nn.ReLU(),
        torch.nn.Linear(N_UNITS, N_CLASSES),
    )


def by_skorch():
    torch.manual_seed(0)
    return NeuralNetClassifier(
        network,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=32,
        max_epochs=50,
        train_split=None,
        verbose=0,
    )


def with_regression(features):
    return make_pipeline(features, LogisticRegression(C=10, max_iter=1000))


ROWS = {
    "LogisticRegression, raw pixels": partial(LogisticRegression, C=10, max_iter=1000),
    "BernoulliRBM, LogisticRegression": lambda: with_regression(
        BernoulliRBM(N_UNITS, learning_rate=0.05, n_iter=N_PASSES, random_state=0)
    ),
    "RBMTransformer, LogisticRegression": lambda: with_regression(
        RBMTransformer(N_UNITS, random_state=0)
    ),
    "learnergy RBM, LogisticRegression": lambda: with_regression(OfLearnergy(1)),
    "learnergy DBN of two layers, LogisticRegression": lambda: with_regression(OfLearnergy(2)),
    "MLPClassifier, two layers of 100": partial(MLPClassifier, (N_UNITS, N_UNITS), random_state=0),
    "skorch, the same network, Adam, 50 passes": by_skorch,
    "DBNClassifier, default parameters": partial(DBNClassifier, random_state=0),
}


def main():
    torch.set_num_threads(1)
    splits = [load_digits(random_state=seed) for seed in range(N_SPLITS)]
    print(f"{'':50}{'accuracy':18}seconds")
    for name, model in ROWS.items():
        scores, seconds = [], []
        for X, X_test, y, y_test in splits:
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                scores.append(model().fit(X, y).score(X_test, y_test))
            seconds.append(time.process_time() - start)
        accuracy = f"{mean(scores):.3f} +- {stdev(scores):.3f}"
        print(f"{name:50}{accuracy}{mean(seconds):12.1f}", flush=True)


if __name__ == "__main__":
    main()
