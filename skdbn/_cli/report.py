"""The output of the command line: model, figures, page, report and submission."""

import csv
import errno
import io
import os
import platform
import sys
from pathlib import Path

import numpy as np
import sklearn

from skdbn import __version__
from skdbn._cli.figures import figures_of
from skdbn._cli.options import command
from skdbn._cli.outcome import net_of, predicts, top_losses
from skdbn._cli.outputs import PAGE, SUBMISSION
from skdbn._cli.page import Result, page
from skdbn._cli.training import parameters_of
from skdbn._files.storage import replaced

DOTS_PER_INCH = 120  # in figures
CLOSED = {errno.EPIPE, errno.EINVAL}  # numbers of errors of a closed pipe; the second on Windows


def say(text):
    """Print a result; if nobody reads results any longer, say nothing more."""
    try:
        print(text, flush=True)
    except OSError as error:  # such as after `| head -1`, or Ctrl-C with `| tee`
        if error.errno not in CLOSED:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write(out, data, net, summary):
    """Write model and report to the folder, if any, and a submission if the data ask for one.

    Return what to tell about the submission, if one was written. Here and below, net and data are
    those of the first split.
    """
    if out is not None:
        out.write_model(net)  # first, because training took longest
        out.write_report({**summary, "finished": False})  # until all other files are written
    # Without a folder, only a finished training gives a submission.
    if data.X_submission is not None and (summary["finished"] or out is not None):
        if not predicts(net):
            print(
                f"skdbn: no {SUBMISSION} is written: the top layer has not been trained",
                file=sys.stderr,
            )
            return None
        return _write_submission(out, data, net.predict(data.X_submission))
    return None


def _write_submission(out, data, labels):
    """Write the predictions for the rows of test.csv, after their ids or numbers."""
    header, ids = ("ImageId", "Label"), range(1, len(labels) + 1)
    if data.ids:
        name, ids = next(iter(data.ids.items()))
        header = name, data.label_name
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    lines.writerows([header, *zip(ids, labels.tolist(), strict=True)])
    content = text.getvalue().encode()
    if out is None:
        with replaced(Path(SUBMISSION)) as file:
            file.write(content)
    else:
        out.write(SUBMISSION, content)
    return f"wrote {len(labels)} labels to {(out.path if out else Path()) / SUBMISSION}"


def draw(options, out, data, net):
    """Save the figures in the folder, show them in windows, or both; return them."""
    import matplotlib as mpl

    if not options.show:
        mpl.use("Agg")
    import matplotlib.pyplot as plt

    print("skdbn: drawing figures", file=sys.stderr)
    figures = [*figures_of(net, data)]
    for i, figure in enumerate(figures if out is not None else []):
        buffer = io.BytesIO()
        figure.figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
        figures[i] = figure._replace(png=buffer.getvalue())
        out.write(f"{figure.name}.png", figures[i].png)
    if out is not None:
        number = f"{len(figures)} figure" + "s" * (len(figures) != 1)
        say(f"wrote {number} to {out.path}; open {PAGE} there to see all results")
    if options.show and mpl.get_backend().lower() == "agg":
        print(
            "skdbn: there is no display to show figures on; pass --out DIR to save them",
            file=sys.stderr,
        )
    elif options.show:
        plt.show()
    for figure in figures:
        plt.close(figure.figure)
    return figures


def write_page(out, options, data, net, splits, figures, report):
    """Write the page with all results."""
    result = Result(
        command(options),
        options,
        data,
        net,
        splits,
        report["n_finished_splits"],
        report["resumed"],
        report["versions"],
        out.files,
    )
    # UTF-8 cannot encode every path.
    content = page(result, figures).encode("utf-8", "backslashreplace")
    out.write(PAGE, content)


def report(options, data, net, splits, n_finished, resumed):
    """Return the content of report.json; a resumed fit counts only the seconds since then."""
    results = [[row.as_dict() for row in rows] for rows in splits]
    training = parameters_of(net) if options.load is None else {"load": str(options.load)}
    net = net_of(net)
    return {
        "data": options.data,
        "n_train": len(data.X_train),
        "n_test": len(data.X_test),
        **training,
        "seed": options.seed,
        "finished": n_finished == options.splits,
        "n_finished_splits": n_finished,
        "resumed": resumed,
        "results": results[0],
        "results_of_further_splits": results[1:],
        "reconstruction_error": [rbm.loss_curve_ for rbm in getattr(net, "rbms_", [])],
        "softmax_loss": top_losses(net),
        "finetune_loss": getattr(net, "loss_curve_", []),
        "versions": {
            "skdbn": __version__,
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
