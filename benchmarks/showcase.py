"""Question: which net is ahead of nearest neighbours on the digits that come with scikit-learn.

    python benchmarks/showcase.py

The five splits are those of ``python -m skdbn``. In each, the candidates are compared by 3-fold
cross-validation of the training rows; the net with the lowest mean over the splits is chosen, and
is what the command trains. Test rows are read once, for the table at the end.

A row that tests one split trains others, and so had a say in the one choice for all. The row
"chosen anew in each split" is free of that: there each split takes the net with the lowest error on
its own training rows. About 20 minutes on two cores.
"""

import time
import warnings

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier

from skdbn import DBNClassifier, NotConvergedWarning
from skdbn.datasets import load_digits

N_SPLITS, N_FOLDS = 5, 3
NOISY = {"noise": 0.3, "input_noise": 0.05, "adversarial": 0.5}
LONG = {**NOISY, "finetune_iter": 60}
NEIGHBORS = {f"KNeighborsClassifier({k})": k for k in (1, 3)}
CANDIDATES = {  # layers and parameters; each machine makes 30 passes, the default
    "500-500": ((500, 500), {"noise": 0.0}),
    "300-300": ((300, 300), {"noise": 0.0}),
    "300-300, noisy": ((300, 300), NOISY),
    "300-300, noisy, 60 passes": ((300, 300), LONG),
    "the same, adversarial 0": ((300, 300), {**LONG, "adversarial": 0.0}),
    "the same, adversarial 0.25": ((300, 300), {**LONG, "adversarial": 0.25}),
    "the same, adversarial 0.75": ((300, 300), {**LONG, "adversarial": 0.75}),
    "the same, noise 0.5": ((300, 300), {**LONG, "noise": 0.5}),
    "the same, input_noise 0.1": ((300, 300), {**LONG, "input_noise": 0.1}),
    "the same, label_smoothing 0.1": ((300, 300), {**LONG, "label_smoothing": 0.1}),
    "500, noisy, 60 passes": ((500,), LONG),
    "500-500, noisy, 60 passes": ((500, 500), LONG),
    "300-300, noisy, 120 passes": ((300, 300), {**LONG, "finetune_iter": 120}),
}


def net(name, seed, **others):
    layers, parameters = CANDIDATES[name]
    return DBNClassifier(layers, **parameters, random_state=seed, **others)


def n_wrong(model, X, y, X_test, y_test):
    """Return how many rows the model gets wrong when it is fitted to others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        return np.sum(model.fit(X, y).predict(X_test) != y_test)


def validation_error(model, X, y, seed):
    """Return the error of cross-validation in percent."""
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed).split(X, y)
    return 100 * sum(n_wrong(model, X[a], y[a], X[b], y[b]) for a, b in folds) / len(y)


def test_error(model, split):
    """Return the error on the test rows of a split in percent."""
    X, X_test, y, y_test = split
    return 100 * n_wrong(model, X, y, X_test, y_test) / len(y_test)


def print_row(name, errors, seconds):
    """Print mean, standard error and the value of each split."""
    standard_error = np.std(errors, ddof=1) / np.sqrt(len(errors))
    values = "".join(f"{error:7.2f}" for error in errors)
    print(
        f"{name:36}{np.mean(errors):6.2f} +-{standard_error:5.2f}  {values}{seconds:8.1f}",
        flush=True,
    )


def row(name, error_of_split):
    """Return the errors of all splits, which are printed."""
    start = time.perf_counter()
    errors = [error_of_split(i) for i in range(N_SPLITS)]
    print_row(name, errors, (time.perf_counter() - start) / N_SPLITS)
    return errors


def main():
    splits = [load_digits(random_state=i) for i in range(N_SPLITS)]
    print("validation error in percent, standard error, each split, seconds of a split")
    for name, k in NEIGHBORS.items():
        model = KNeighborsClassifier(k)
        row(name, lambda i, model=model: validation_error(model, *splits[i][::2], seed=i))
    errors = {
        name: row(name, lambda i, name=name: validation_error(net(name, i), *splits[i][::2], i))
        for name in CANDIDATES
    }
    chosen = min(errors, key=lambda name: np.mean(errors[name]))
    anew = [min(errors, key=lambda name: errors[name][i]) for i in range(N_SPLITS)]
    print(f"\nchosen: {chosen}; anew in each split: {'; '.join(anew)}")
    print("test error in percent, standard error, each split, seconds of a split")
    for name, k in NEIGHBORS.items():
        row(name, lambda i, k=k: test_error(KNeighborsClassifier(k), splits[i]))
    row("DBNClassifier, chosen", lambda i: test_error(net(chosen, i), splits[i]))
    row("chosen anew in each split", lambda i: test_error(net(anew[i], i), splits[i]))
    row("chosen, pretrain=False", lambda i: test_error(net(chosen, i, pretrain=False), splits[i]))


if __name__ == "__main__":
    main()
