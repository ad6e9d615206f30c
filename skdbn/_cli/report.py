"""What the command line leaves behind: the model, figures, the report, a submission."""

import csv
import functools
import platform
import sys
from pathlib import Path

import numpy as np
import sklearn

from skdbn import __version__, save_model
from skdbn._cli.outputs import SUBMISSION, replace
from skdbn._cli.training import parameters_of
from skdbn.plotting import (
    ActivationDisplay,
    BiasProbeDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
    SampleDisplay,
    UnitProbeDisplay,
)


def write(out, data, net, finished):
    """Write the model into the folder, which may be None, and a submission where rows wait for it.

    Net and data are those of the first split, here and below.
    """
    if out is not None:  # first what took longest
        out.write("model.npz", functools.partial(save_model, net))
    # Without a folder only a whole training is worth a submission.
    if data.X_submission is not None and (finished or out is not None):
        _write_submission(out, net.predict(data.X_submission))


def _write_submission(out, labels):
    """Write what is predicted of the rows of test.csv."""

    def write(path):
        with path.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerows([("ImageId", "Label"), *enumerate(labels.tolist(), 1)])

    if out is None:
        replace(Path(SUBMISSION), write)
    else:
        out.write(SUBMISSION, write)
    print(f"wrote {len(labels)} labels to {(out.path if out else Path()) / SUBMISSION}")


def draw(options, out, data, net):
    """Write the figures into the folder, open them in windows, or both."""
    import matplotlib as mpl

    if not options.show:
        mpl.use("Agg")
    import matplotlib.pyplot as plt

    figures = {name: display.figure_ for name, display in _displays(net, data)}
    if out is not None:
        for name, figure in figures.items():
            out.write(f"{name}.png", functools.partial(figure.savefig, format="png", dpi=120))
        print(f"wrote {len(figures)} figures to {out.path}")
    if options.show and mpl.get_backend().lower() == "agg":
        print("skdbn: there is no display to show figures on: use --out DIR", file=sys.stderr)
    elif options.show:
        plt.show()
    for figure in figures.values():
        plt.close(figure)


def _displays(net, data):
    """Yield the name and the Display of each figure that the net, fitted or half fitted, allows."""
    n_layers = len(getattr(net, "rbms_", []))
    shape = {"image_shape": data.image_shape}
    if n_layers:
        yield "reconstruction", ReconstructionDisplay.from_estimator(net, data.X_test, **shape)
        yield "bias_probes", BiasProbeDisplay.from_estimator(net, data.X_train, **shape)
        for layer in range(1, n_layers + 1):
            yield (
                f"unit_probes_layer_{layer}",
                UnitProbeDisplay.from_estimator(net, layer, **shape),
            )
        yield "samples", SampleDisplay.from_estimator(net, random_state=0, **shape)
        yield "activations", ActivationDisplay.from_estimator(net, data.X_test)
    if n_layers or _top_losses(net):
        yield "loss_curves", LossCurveDisplay.from_estimator(net)


def _top_losses(net):
    """Return the losses of the phase of the top layer, which has another name in a regressor."""
    return getattr(net, "softmax_loss_curve_", getattr(net, "output_loss_curve_", []))


def report(options, data, net, splits, finished, resumed):
    """Return what report.json holds; after resuming, seconds of a fit are those of this run."""
    results = [[row.as_dict() for row in rows] for rows in splits]
    training = parameters_of(net) if options.load is None else {"load": str(options.load)}
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
        "softmax_loss": _top_losses(net),
        "finetune_loss": getattr(net, "loss_curve_", []),
        "versions": {
            "skdbn": __version__,
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
