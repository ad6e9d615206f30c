"""The HTML page of a run: scores, figures, errors and parameters in one file.

The rule: the page loads nothing and runs nothing, and all text is escaped.
"""

import base64
import html
import io
import math
from datetime import datetime
from typing import NamedTuple

import numpy as np

from skdbn._cli.outcome import confusion, misses, net_of, phases, predicts, shape_of_images
from skdbn._cli.scores import columns_of, title_of
from skdbn.plotting import image_shape_of

MOST_IMAGES, MOST_LINES = 60, 30  # rows with errors to show
MOST_COLUMNS = 30  # in the table of these rows
MOST_CLASSES = 100  # in a confusion matrix
MOST_CONFUSIONS = 10  # pairs of classes
OF_THE_NET = "rbm__n_components"  # has no effect; hidden_layer_sizes decides
LONGEST_VALUE = 200  # characters of a parameter to show
RIGHT, WRONG = "46, 125, 50", "198, 40, 40"  # colours of a confusion matrix
PALEST, DARKEST = 0.12, 0.62  # opacity of these colours
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto;
  max-width: 70rem; padding: 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem; border-bottom: 1px solid #ccc; }
h3 { font-size: 1rem; margin: 1.4rem 0 .2rem; }
p { max-width: 45rem; margin: .5rem 0; }
.note { background: #fff3cd; border-left: .3rem solid #d39e00; padding: .5rem .8rem; }
.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .2rem .55rem; border-bottom: 1px solid #ddd; text-align: left;
  vertical-align: top; }
caption { text-align: left; padding: .3rem 0; color: #555; }
.numbers td, .numbers thead th + th { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.confusion td, .confusion th { text-align: center; border: 1px solid #ddd;
  padding: .15rem .4rem; }
.values td { overflow-wrap: anywhere; }
figure { margin: 0; break-inside: avoid; }
figure img { max-width: 100%; height: auto; display: block; }
.images { display: flex; flex-wrap: wrap; gap: .8rem; padding: 0; list-style: none; }
.images li { width: 7rem; font-size: .8rem; line-height: 1.3; break-inside: avoid; }
.images img { width: 100%; image-rendering: pixelated; border: 1px solid #ccc; display: block; }
@media (max-width: 45rem) { figure img { max-width: none; width: 44rem; } }
@media print {
  body { max-width: none; font-size: 10pt; padding: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .wide { overflow: visible; }
  figure img { max-width: 100%; width: auto; }
}
"""


class Result(NamedTuple):
    """Results of a run, for the page; net and data are those of the first split."""

    command: str
    options: object
    data: object
    net: object
    splits: list
    n_finished: int  # splits; the first one may have been interrupted
    resumed: bool
    versions: dict
    files: list  # in the folder of the page


# -- markup


class Markup(str):
    """Text that is already markup."""


def _text(value):
    """Return a value as markup, escaped if it is plain text."""
    return value if isinstance(value, Markup) else html.escape(str(value))


def _paragraph(text, kind=""):
    """Return a paragraph."""
    return f'<p class="{kind}">{_text(text)}</p>' if kind else f"<p>{_text(text)}</p>"


def _section(title, *parts):
    """Return a section with a heading, or nothing if it has no content."""
    content = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{_text(title)}</h2>\n{content}\n</section>" if content else ""


def _table(headings, rows, kind="", caption=""):
    """Return a table; the first cell of each row is its heading, others may come with a style."""
    lines = []
    for name, *cells in rows:
        line = [f'<th scope="row">{_text(name)}</th>']
        for cell in cells:
            value, style = cell if isinstance(cell, tuple) else (cell, "")
            line.append(f"<td{style}>{_text(value)}</td>")
        line = "".join(line)
        lines.append(f"<tr>{line}</tr>")
    head = "".join(f'<th scope="col">{_text(heading)}</th>' for heading in headings)
    head = f"<thead><tr>{head}</tr></thead>\n" if headings else ""
    caption = f"<caption>{_text(caption)}</caption>\n" if caption else ""
    body = "\n".join(lines)
    return (
        f'<div class="wide"><table class="{kind}">\n{caption}{head}<tbody>\n{body}\n</tbody>\n'
        "</table></div>"
    )


def _image(png, description):
    """Return an image embedded in the page."""
    data = base64.b64encode(png).decode()
    return f'<img alt="{html.escape(description)}" src="data:image/png;base64,{data}">'


# -- the page


def page(result, figures):
    """Return the page of a run, whether finished or interrupted.

    Parameters
    ----------
    result : Result
        Results of the run.
    figures : list of Figure
        Figures of the run.

    Returns
    -------
    str
        HTML.
    """
    parts = [
        _head(result),
        _section("Results on the test rows", _results(result)),
        _section("Figures", *map(_figure, figures)),
        *_predictions(result.data, result.net),
        _section("Training passes", _passes(result.net)),
        _section("Parameters", _parameters(result.net)),
        _section("This run", _circumstances(result)),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="generator" content="skdbn {_text(result.versions["skdbn"])}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>skdbn: {_text(result.options.data)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _head(result):
    """Return the heading, the size of the data, and notes on the run."""
    options, data = result.options, result.data
    size = (
        f"{len(data.X_train)} training rows, {len(data.X_test)} test rows, "
        f"{data.X_train.shape[1]} features"
    )
    if not data.is_regression and hasattr(result.net, "classes_"):
        size += f", {len(result.net.classes_)} classes"
    notes = []
    if result.n_finished < options.splits:
        notes.append(_interruption(result))
    if result.resumed:
        notes.append(
            "Training was resumed from a checkpoint; fit seconds count only the time since then."
        )
    if options.load is not None:
        notes.append(f"The model was loaded from {options.load}, not trained in this run.")
    if len(result.splits) > 1:
        notes.append(
            f"The table shows means over {len(result.splits)} random splits into training and "
            "test rows; everything else is about the first split."
        )
    notes = [_paragraph(note, "note") for note in notes]
    return "\n".join([f"<h1>{_text(options.data)}</h1>", _paragraph(f"{size}."), *notes])


def _interruption(result):
    """Return how far an interrupted run got."""
    n_splits = result.options.splits
    if result.n_finished > 0:
        text = f"The run was interrupted after {result.n_finished} of {n_splits} splits."
        return text if result.n_finished > 1 else f"{text} All results are of the first split."
    begun = [phase for phase in phases(result.net) if phase.n_made > 0]
    if not begun:
        return "The run was interrupted before the first pass ended, so nothing was learned."
    name, n_made, n_planned, _ = begun[-1]
    of = "" if isinstance(n_planned, str) else f" of {n_planned}"
    text = (
        "The run was interrupted. This page shows what was learned up to pass "
        f"{n_made}{of} in phase {name}."
    )
    if not predicts(result.net):
        text += " The top layer has not been trained yet, so predictions are meaningless."
    return text


def _results(result):
    """Return the table of scores."""
    if not result.splits[0]:
        return _paragraph("Nothing was evaluated.")
    columns = columns_of(result.splits)
    cells = zip(*(column.cells for column in columns), strict=True)
    rows = [[row.name, *line] for row, line in zip(result.splits[0], cells, strict=True)]
    headings = [title_of(result.splits), *(column.heading for column in columns)]
    return _table(headings, rows, "numbers")


def _figure(figure):
    """Return a figure with its title and caption."""
    image = f'<div class="wide">{_image(figure.png, figure.title)}</div>'
    title, caption = f"<h3>{_text(figure.title)}</h3>", _paragraph(figure.sentence)
    return f"<figure>\n<figcaption>{title}\n{caption}</figcaption>\n{image}\n</figure>"


# -- predictions


def _predictions(data, net):
    """Return the sections about the predictions for the test rows."""
    if not predicts(net):
        text = "The top layer has not been trained, so there are no predictions to show."
        return [_section("Predictions", _paragraph(text))]
    predicted = net.predict(data.X_test)
    missed = misses(net, data.X_test, data.y_test, predicted)
    if data.is_regression:
        return [_section("Rows with the largest errors", *_rows(data, missed))]
    counts = confusion(net, data.y_test, predicted)
    return [
        _section("Confusion matrix", _matrix(counts), _most_confused(counts)),
        _section("Misclassified rows", *_rows(data, missed)),
    ]


def _matrix(confusion):
    """Return the confusion matrix as a table."""
    classes, counts = confusion
    if len(classes) > MOST_CLASSES:
        return _paragraph(f"{len(classes)} classes are too many for a table.")
    rows = []
    for k, line in enumerate(counts):
        n_rows = int(line.sum())
        cells = [
            (n or "", _background(n / n_rows, RIGHT if i == k else WRONG) if n else "")
            for i, n in enumerate(line)
        ]
        rows.append([classes[k], *cells, n_rows, f"{line[k] / n_rows:.1%}" if n_rows else ""])
    caption = (
        "Each line is a true class, each column a predicted class. The last column is the share "
        "of the rows of a class that are predicted correctly."
    )
    return _table(["true \\ predicted", *classes, "rows", "correct"], rows, "confusion", caption)


def _background(share, colour):
    """Return the colour of a cell, darker for a larger share of its line."""
    return f' style="background: rgba({colour}, {PALEST + (DARKEST - PALEST) * share:.2f})"'


def _most_confused(confusion):
    """Return the pairs of classes that are confused most often."""
    classes, counts = confusion
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [np.unravel_index(i, wrong.shape) for i in order]
    rows = [[classes[i], classes[k], wrong[i, k]] for i, k in pairs if wrong[i, k] > 0]
    if not rows:
        return ""
    return _table(["true", "predicted", "rows"], rows, caption="Most frequent confusions")


def _rows(data, missed):
    """Return the rows with errors, and how many there are."""
    n_missed, n_rows = len(missed.rows), len(data.y_test)
    shape = image_shape_of(data.X_test.shape[1], shape_of_images(data), data.feature_names)
    n_shown = min(n_missed, MOST_LINES if shape is None else MOST_IMAGES)
    shown = [part if part is None else part[:n_shown] for part in missed]
    if data.is_regression:
        text = f"{n_shown} of {n_rows} test rows, those with the largest errors first."
    elif n_missed == 0:
        return [_paragraph(f"None of the {n_rows} test rows is misclassified.")]
    else:
        text = f"{n_missed} of {n_rows} test rows are misclassified"
        text += f"; {n_shown} of them are shown" if n_shown < n_missed else ""
        text += "." if missed.probability is None else ". The most confident errors come first."
    are_of_all = data.test_rows is not None and not data.comes_split
    text += f" Rows are counted from 0, among {'all' if are_of_all else 'the test'} rows."
    draw = _lines if shape is None else _images
    return [_paragraph(text), draw(data, Shown(*shown), shape)]


class Shown(NamedTuple):
    """The rows to show, as in Misses."""

    rows: object
    true: object
    predicted: object
    probability: object

    def labels(self):
        """Yield the index of each test row, and the texts beside it."""
        for i, row in enumerate(self.rows):
            true, predicted = self.true[i], self.predicted[i]
            if isinstance(predicted, np.floating) and self.probability is None:
                yield int(row), f"{true:.6g}", f"{predicted:.6g}", f"{predicted - true:+.4g}"
            else:
                share = "" if self.probability is None else f"{self.probability[i]:.0%}"
                yield int(row), str(true), str(predicted), share


def _number_of(data, row):
    """Return the number of a test row in the data."""
    return row if data.test_rows is None else int(data.test_rows[row])


def _images(data, shown, shape):
    """Return rows as images, with their true and predicted targets."""
    low, high = float(np.min(data.X_test)), float(np.max(data.X_test))
    limits = (0.0, 1.0) if low >= 0.0 and high <= 1.0 else (low, high)
    items = []
    for row, true, predicted, number in shown.labels():
        number = f" ({number})" if number else ""
        texts = [f"true {true}", f"predicted {predicted}{number}", f"row {_number_of(data, row)}"]
        image = _image(_png(data.X_test[row].reshape(shape), *limits), ", ".join(texts))
        texts = "<br>".join(map(_text, texts))
        items.append(f"<li>{image}{texts}</li>")
    items = "\n".join(items)
    return f'<ul class="images">\n{items}\n</ul>'


def _png(image, low, high):
    """Return an image as a PNG file, black at the low end and white at the high end."""
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    scaled = np.clip((image - low) / max(high - low, math.ulp(1.0)), 0.0, 1.0)
    imsave(buffer, scaled, cmap="gray", vmin=0.0, vmax=1.0, format="png")
    return buffer.getvalue()


def _lines(data, shown, shape):
    """Return rows as a table, with their true and predicted targets."""
    n_columns = data.X_test.shape[1]
    names = data.feature_names
    names = [f"column {i}" for i in range(n_columns)] if names is None else names
    number = "error" if data.is_regression else "probability"
    headings = ["row", "true", "predicted", number, *names[:MOST_COLUMNS]]
    rows = [
        [_number_of(data, row), *texts, *(f"{x:.4g}" for x in data.X_test[row][:MOST_COLUMNS])]
        for row, *texts in shown.labels()
    ]
    caption = ""
    if n_columns > MOST_COLUMNS:
        caption = f"The first {MOST_COLUMNS} of {n_columns} columns"
    return _table(headings, rows, "numbers", caption)


# -- training, parameters and circumstances


def _passes(net):
    """Return a table of the passes of each phase."""
    rows = [
        [name, n_made, n_planned, "" if loss is None else f"{loss:.4g}"]
        for name, n_made, n_planned, loss in phases(net)
    ]
    caption = (
        "The loss is the mean over the last pass; in pretraining it is the reconstruction error."
    )
    return _table(["phase", "passes", "planned", "last loss"], rows, "numbers", caption)


def _parameters(net):
    """Return a table of the parameters of a net and of the template of its RBMs."""
    values = {
        name: value
        for name, value in net_of(net).get_params().items()
        if not hasattr(value, "get_params") and name != OF_THE_NET
    }
    rows = [[name, _shortened(repr(value))] for name, value in sorted(values.items())]
    return _table(["parameter", "value"], rows, "values")


def _shortened(text):
    """Return a text, cut if it is too long."""
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _circumstances(result):
    """Return a table of the command, the time, the versions and the files."""
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    links = ", ".join(f'<a href="{name}">{name}</a>' for name in map(html.escape, result.files))
    rows = [
        ["command", Markup(f"<code>{html.escape(result.command)}</code>")],
        ["data", result.options.data],
        ["seed", result.options.seed],
        ["written", f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}"],
        ["versions", versions],
        ["other files in this folder", Markup(links)],
    ]
    return _table([], rows, "values")
