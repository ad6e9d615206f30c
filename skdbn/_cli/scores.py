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


class Column(NamedTuple):
    """A column of the table: its heading, its width in characters, and a cell for each row."""

    heading: str
    width: int
    cells: list


def columns_of(splits):
    """Return the table, but for the names of its rows: means over the splits.

    Each split is given as the list of its rows. The spread is the standard deviation of a score
    from split to split.
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
    """Return what the numbers of the table are, where they are means."""
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
