"""Scores of models on the test rows, and the table that shows them."""

import time
from typing import NamedTuple

import numpy as np
from sklearn.metrics import mean_absolute_error, r2_score


class Measure(NamedTuple):
    """A score of predictions: its title, its format, and a function that computes it."""

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
    """A row of the table; `scores` are keyed by the names of the measures."""

    name: str
    scores: dict
    fit_seconds: float
    predict_seconds: float

    def as_dict(self):
        """Return the row as a dict for the report."""
        return {
            "name": self.name,
            **self.scores,
            "fit_seconds": self.fit_seconds,
            "predict_seconds": self.predict_seconds,
        }


def evaluate(name, model, data, fit_seconds):
    """Return the table row of a fitted model."""
    start = time.perf_counter()
    predicted = model.predict(data.X_test)
    seconds = time.perf_counter() - start
    names = OF_NUMBERS if data.is_regression else OF_CLASSES
    scores = {name: float(MEASURES[name].of(data.y_test, predicted)) for name in names}
    return Row(name, scores, fit_seconds, seconds)


class Column(NamedTuple):
    """A column of the table: its heading, its width in characters, and a cell for each row."""

    heading: str
    width: int
    cells: list


def columns_of(splits):
    """Return the columns of the table, without the names of the rows: means over the splits.

    Each split is a list of rows. The spread is the standard deviation of a score over the splits.
    """
    columns = []
    for name in splits[0][0].scores:
        measure = MEASURES[name]
        scores = [[row.scores[name] for row in rows] for rows in zip(*splits, strict=True)]
        means = [f"{np.mean(of_row):{measure.format}}" for of_row in scores]
        columns.append(Column(measure.title, max(12, len(measure.title) + 2), means))
        if len(splits) > 1:
            spreads = [f"{np.std(of_row, ddof=1):{measure.format}}" for of_row in scores]
            columns.append(Column("spread", 9, spreads))
    seconds = np.mean([[row[2:] for row in rows] for rows in splits], axis=0)
    columns.append(Column("fit seconds", 13, [f"{fit:.1f}" for fit, _ in seconds]))
    columns.append(Column("predict seconds", 17, [f"{predict:.2f}" for _, predict in seconds]))
    return columns


def title_of(splits):
    """Return the title of the table, empty for a single split."""
    return f"mean of {len(splits)} splits" if len(splits) > 1 else ""


def table(splits):
    """Return the table as text."""
    names = [title_of(splits), *(row.name for row in splits[0])]
    longest = max(30, *(len(name) + 1 for name in names))
    lines = [f"{name:{longest}}" for name in names]
    for heading, width, cells in columns_of(splits):
        cells = [f"{cell:>{width}}" for cell in (heading, *cells)]
        lines = [line + cell for line, cell in zip(lines, cells, strict=True)]
    return "\n".join(lines)
