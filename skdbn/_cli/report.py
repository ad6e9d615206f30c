"""What the command line leaves behind: the table, the report, the model, figures.

The rule: a file is written whole or not at all.
"""

import functools
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sklearn

from skdbn import __version__, save_model
from skdbn.plotting import (
    ActivationDisplay,
    BiasProbeDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
    SampleDisplay,
    UnitProbeDisplay,
)


class Row(NamedTuple):
    """A line of the table."""

    name: str
    test_error: float
    fit_seconds: float
    predict_seconds: float


def evaluate(name, model, data, fit_seconds):
    """Return the row of a fitted model."""
    start = time.perf_counter()
    wrong = model.predict(data.X_test) != data.y_test
    return Row(name, float(wrong.mean()), fit_seconds, time.perf_counter() - start)


def table(splits):
    """Return the table as text: the mean over the splits, each given as the list of its rows.

    The spread is the standard deviation of the error from split to split.
    """
    several = len(splits) > 1
    title, spread = (f"mean of {len(splits)} splits", f"{'spread':>9}") if several else ("", "")
    lines = [f"{title:30}{'test error':>12}{spread}{'fit seconds':>13}{'predict seconds':>17}"]
    for rows in zip(*splits, strict=True):
        errors, fit_seconds, predict_seconds = np.transpose([row[1:] for row in rows])
        spread = f"{errors.std(ddof=1):9.2%}" if several else ""
        lines.append(
            f"{rows[0].name:30}{errors.mean():12.2%}{spread}{fit_seconds.mean():13.1f}"
            f"{predict_seconds.mean():17.2f}"
        )
    return "\n".join(lines)


def write(options, data, net, splits, finished, resumed):
    """Write the report, the model and, where rows wait for it, the submission.

    Net and data are those of the first split.
    """
    fitted = hasattr(net, "coefs_")
    if options.out is not None:
        report = json.dumps(_report(options, data, net, splits, finished, resumed), indent=2)
        _replace(options.out / "report.json", lambda path: path.write_text(report + "\n"))
        if fitted:
            save_model(net, options.out / "model.npz")
    # Without --out an earlier submission would be lost to half a training.
    if fitted and data.X_submission is not None and (finished or options.out is not None):
        path = (options.out or Path()) / "submission.csv"
        labels = net.predict(data.X_submission)
        lines = ["ImageId,Label", *(f"{i},{label}" for i, label in enumerate(labels, 1))]
        _replace(path, lambda path: path.write_text("\n".join(lines) + "\n"))
        print(f"wrote {len(labels)} labels to {path}")


def draw(options, data, net):
    """Write the figures into the folder, open them in windows, or both."""
    import matplotlib as mpl

    if not options.show:
        mpl.use("Agg")
    import matplotlib.pyplot as plt

    figures = {name: display.figure_ for name, display in _displays(net, data)}
    if options.out is not None:
        for name, figure in figures.items():
            save = functools.partial(figure.savefig, format="png", dpi=120)
            _replace(options.out / f"{name}.png", save)
        print(f"wrote {len(figures)} figures to {options.out}")
    if options.show and mpl.get_backend().lower() == "agg":
        print("skdbn: there is no display to show figures on: use --out DIR", file=sys.stderr)
    elif options.show:
        plt.show()
    for figure in figures.values():
        plt.close(figure)


def _displays(net, data):
    """Yield the name and the Display of each figure that the net, fitted or half fitted, allows."""
    n_layers = len(getattr(net, "rbms_", []))
    if n_layers:
        yield "reconstruction", ReconstructionDisplay.from_estimator(net, data.X_test)
        yield "bias_probes", BiasProbeDisplay.from_estimator(net, data.X_train)
        for layer in range(1, n_layers + 1):
            yield f"unit_probes_layer_{layer}", UnitProbeDisplay.from_estimator(net, layer)
        yield "samples", SampleDisplay.from_estimator(net, random_state=0)
        yield "activations", ActivationDisplay.from_estimator(net, data.X_test)
    if n_layers or getattr(net, "softmax_loss_curve_", []):
        yield "loss_curves", LossCurveDisplay.from_estimator(net)


def _report(options, data, net, splits, finished, resumed):
    """Return what report.json holds; after resuming, seconds of a fit are those of this run."""
    names = ("layers", "pretrain_iter", "softmax_iter", "finetune_iter", "batch_size")
    names += ("noise", "input_noise", "adversarial")
    results = [[row._asdict() for row in rows] for rows in splits]
    if options.load is not None:
        training = {"load": str(options.load)}
    else:
        training = {name: getattr(options, name) for name in names}
    return {
        "data": options.data,
        "n_train": len(data.X_train),
        "n_test": len(data.X_test),
        **training,
        "seed": options.seed,
        "finished": finished,
        "resumed": resumed,
        "results": results[0],
        "results_of_further_splits": results[1:],
        "reconstruction_error": [rbm.loss_curve_ for rbm in getattr(net, "rbms_", [])],
        "softmax_loss": getattr(net, "softmax_loss_curve_", []),
        "finetune_loss": getattr(net, "loss_curve_", []),
        "versions": {
            "skdbn": __version__,
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def _replace(path, write):
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
