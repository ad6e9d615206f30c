"""How well models do on the test rows, and the table that says so."""

import time
from typing import NamedTuple

import numpy as np
from sklearn.metrics import mean_absolute_error, r2_score


class Measure(NamedTuple):
    """A number that says how well a model predicts: its title, its format, and a function."""

    title: str
    format: str
    of: object  # function of targets and predictions


MEASURES = {
    "test_error": Measure("test error", ".2%", lambda y, predicted: np.mean(predicted != y)),
    "test_r2": Measure("test R^2", ".3f", r2_score),
    "test_absolute_error": Measure("mean absolute error", ".4g", mean_absolute_error),
}
OF_CLASSES, OF_NUMBERS = ["test_error"], ["test_r2", "test_absolute_error"]


class Row(NamedTuple):
    """A line of the table; `scores` are the measures by their names."""

    name: str
    scores: dict
    fit_seconds: float
    predict_seconds: float

    def as_dict(self):
        """Return the line as the report has it."""
        return {
            "name": self.name,
            **self.scores,
            "fit_seconds": self.fit_seconds,
            "predict_seconds": self.predict_seconds,
        }


def evaluate(name, model, data, fit_seconds):
    """Return the row of a fitted model."""
    start = time.perf_counter()
    predicted = model.predict(data.X_test)
    seconds = time.perf_counter() - start
    names = OF_NUMBERS if data.is_regression else OF_CLASSES
    scores = {name: float(MEASURES[name].of(data.y_test, predicted)) for name in names}
    return Row(name, scores, fit_seconds, seconds)


def table(splits):
    """Return the table as text: the mean over the splits, each given as the list of its rows.

    The spread is the standard deviation of a score from split to split.
    """
    several = len(splits) > 1
    title = f"mean of {len(splits)} splits" if several else ""
    width = max(30, *(len(row.name) + 1 for row in splits[0]))
    measures = {name: MEASURES[name] for name in splits[0][0].scores}
    heads = [
        f"{measure.title:>{_width(measure)}}" + (f"{'spread':>9}" if several else "")
        for measure in measures.values()
    ]
    lines = [f"{title:{width}}{''.join(heads)}{'fit seconds':>13}{'predict seconds':>17}"]
    for rows in zip(*splits, strict=True):
        cells = [
            _cell(measure, [row.scores[name] for row in rows]) for name, measure in measures.items()
        ]
        fit_seconds, predict_seconds = np.mean([row[2:] for row in rows], axis=0)
        lines.append(
            f"{rows[0].name:{width}}{''.join(cells)}{fit_seconds:13.1f}{predict_seconds:17.2f}"
        )
    return "\n".join(lines)


def _width(measure):
    """Return the width of the column of a measure."""
    return max(12, len(measure.title) + 2)


def _cell(measure, scores):
    """Return the mean of a score over the splits, and its spread where there are several."""
    mean = f"{np.mean(scores):{_width(measure)}{measure.format}}"
    return mean + (f"{np.std(scores, ddof=1):9{measure.format}}" if len(scores) > 1 else "")
