"""Tables of text: rows of numbers, and a column of labels, separated by commas or other signs.

The rule: a file is untrusted, as archives are. Whatever is wrong with it is a ValueError of one
sentence that begins with the path, and names the line and the column where there are any.
"""

import csv
import reprlib
import warnings
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from skdbn.datasets import MAX_BYTES

MAX_LINE = 2**20  # characters of a line, which a list of its values takes many times
TOO_LONG = f"more than {MAX_LINE} characters; pass such data as an .npz file"
NOT_TEXT = "not text; save the table as UTF-8 text"
NOT_UTF8 = "\0", "\N{REPLACEMENT CHARACTER}"  # signs of it: the second stands for wrong bytes
SEPARATORS = (";", "\t", ",", None)  # None stands for spaces; a number may have a comma
N_LOOKED_AT = 20  # lines that tell the separator
MISSING = {"", "nan", "na", "n/a", "null", "none", "?"}  # what stands for no value
LABEL = "label"  # the column of labels, where none is named
FEWEST_NUMBERED = 4  # columns that are named 0, 1, 2 and so on; fewer may be a row


class Table(NamedTuple):
    """Numbers of a table.

    Attributes
    ----------
    names : list of str or None
        Names of the columns of `values`, where the table has a line of names.
    values : ndarray of shape (n_rows, n_columns)
        Numbers.
    labels : ndarray of str of shape (n_rows,) or None
        The column of labels.
    """

    names: object
    values: object
    labels: object


class Form(NamedTuple):
    """How a table is written: its separator, names, number of columns, and column of labels."""

    separator: object
    names: object
    n_columns: int
    label: object

    def fields(self, line):
        """Return the cells of a line."""
        return _fields(line, self.separator)

    def column(self, i):
        """Return what an error calls a column."""
        return f"column {reprlib.repr(self.names[i]) if self.names else i + 1}"


def read_table(path, label=None, has_labels=True):
    """Read a table of numbers.

    Parameters
    ----------
    path : Path
        The file.
    label : str, default=None
        Name or number of the column of labels; by default it is the one called "label".
    has_labels : bool, default=True
        Whether there is such a column.

    Returns
    -------
    Table
        What the file has.

    Raises
    ------
    ValueError
        When the file is something else; the message names the line.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist or is not a file.")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(
            f"{path} takes {size} bytes, at most {MAX_BYTES} are read; pass larger data to the "
            "estimators as an array or a memory map."
        )
    # Bytes that are no text are replaced, and reported with their line.
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        try:
            form = _form(_first_lines(file), label, has_labels)
            return _read(file, form)
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{path}, {error}.") from error


# -- how a table is written


def _first_lines(file):
    """Return the first lines of a file, and go back to its start."""
    lines = []
    while len(lines) < N_LOOKED_AT and (line := file.readline(MAX_LINE + 1)):
        if fault := _fault_of(line):
            raise ValueError(f"line {len(lines) + 1}: {fault}")
        lines.append(line)
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise ValueError("line 1: nothing is there")
    file.seek(0)
    return lines


def _fault_of(line):
    """Return why a line cannot be read, or None."""
    if len(line) > MAX_LINE:
        return TOO_LONG
    return NOT_TEXT if any(sign in line for sign in NOT_UTF8) else None


def _form(lines, label, has_labels):
    """Return how a table is written, as its first lines and the user say."""
    separator = _separator(lines)
    first, *others = (_fields(line, separator) for line in lines)
    if len(first) == 1:
        raise ValueError(
            "line 1: a single column; columns are separated by commas, semicolons, tabs or spaces"
        )
    has_names = _are_names(first, others[0] if others else [], label)
    if has_names and "" in first:
        raise ValueError(
            f"line 1: column {first.index('') + 1} has no name; name it, or remove it if it only "
            "numbers the rows (pandas: to_csv(index=False))"
        )
    names = first if has_names else None
    column = _column_of_labels(names, len(first), label) if has_labels else None
    return Form(separator, names, len(first), column)


def _separator(lines):
    """Return what separates the same number of cells in all lines."""
    counts = {
        separator: [len(_fields(line, separator)) for line in lines] for separator in SEPARATORS
    }
    for separator, n_cells in counts.items():
        if min(n_cells) == max(n_cells) > 1:
            return separator
    return max((";", "\t", ","), key=lambda separator: counts[separator][0])


def _fields(line, separator):
    """Return the cells of a line, without quotes and spaces around them."""
    if separator is None:
        return [cell.strip('"') for cell in line.split()]
    if '"' in line:
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    else:
        cells = line.split(separator)
    return [cell.strip() for cell in cells]


def _are_names(first, second, label):
    """Tell whether the first line has names.

    These are the name of the labels, text where numbers are below, text alone, or 0, 1, 2 and so
    on, as pandas numbers columns.
    """
    wanted = LABEL if label is None else label
    if wanted in first and not wanted.isdecimal():  # a number is a value as well
        return True
    numbers = [name for name in first if is_number(name)]
    if len(numbers) >= FEWEST_NUMBERED and all(
        name == str(i) for i, name in enumerate(first) if name in numbers
    ):
        return True
    return not numbers or any(
        name.lower() not in MISSING and not is_number(name) and is_number(value)
        for name, value in zip_longest(first, second, fillvalue="")
    )


def is_number(text):
    """Tell whether a text is a number.

    Parameters
    ----------
    text : str
        Text.

    Returns
    -------
    bool
        Whether it is one.
    """
    try:
        float(text)
    except ValueError:
        return False
    return True


def _column_of_labels(names, n_columns, label):
    """Return the index of the column of labels, which is named or numbered from 1."""
    wanted = LABEL if label is None else label
    if names is not None and wanted in names:
        if names.count(wanted) > 1:
            raise ValueError(
                f"line 1: {names.count(wanted)} columns are called {reprlib.repr(wanted)}: give "
                "the labels a name of their own"
            )
        return names.index(wanted)
    if wanted.isdecimal() and 1 <= int(wanted) <= n_columns:
        return int(wanted) - 1
    if names is None:
        problem = "there is no line of names"
        remedy = f"--label N, the number of the column of labels, from 1 to {n_columns}"
    else:
        shown = ", ".join(name[:50] for name in names[:20])
        problem = f"there is no column {reprlib.repr(wanted)} among {shown}"
        problem += " and others" if len(names) > 20 else ""
        remedy = "--label NAME, the name of the column of labels"
    raise ValueError(f"line 1: {problem}: pass {remedy}")


# -- what is in a table


def _read(file, form):
    """Return the table that a file has."""
    n_names = int(form.names is not None)
    for dtype in (np.int16, np.float64):  # whole numbers are read several times faster
        file.seek(0)
        for _ in range(n_names):
            file.readline()
        codes = {}
        try:
            values = _read_rows(file, form, dtype, n_names, codes)
            break
        except ValueError:
            if dtype is np.float64:
                raise
    if values.size == 0:
        raise ValueError(f"line {n_names + 1}: there are no rows")
    names, labels, columns = form.names, None, np.arange(form.n_columns)
    if form.label is not None:
        longest = max(map(len, codes))
        if longest * len(values) * np.dtype("U1").itemsize > MAX_BYTES:
            raise ValueError(
                f"{form.column(form.label)} has labels of up to {longest} characters, too many for "
                f"{len(values)} rows: shorten them"
            )
        labels = np.array(list(codes))[values[:, form.label].astype(int)]
        columns = np.delete(columns, form.label)
        values = values[:, columns]
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(wrong):
        i = np.flatnonzero(~np.isfinite(values[wrong[0]]))[0]
        fault = _fault(form, columns[i], str(values[wrong[0], i]))
        raise ValueError(f"line {wrong[0] + 1 + n_names}: {fault}")
    return Table(names and [names[i] for i in columns], values, labels)


def _read_rows(file, form, dtype, n_lines, codes):
    """Return the numbers below the names; labels are numbered in `codes`.

    An error begins with the line.
    """
    parsed = None  # the line that is being parsed

    def lines():
        nonlocal parsed, n_lines
        following = iter(lambda: file.readline(MAX_LINE + 1), "")
        for line in following:
            n_lines, parsed = n_lines + 1, None
            if fault := _fault_of(line):
                raise ValueError(fault)
            is_plain = form.separator is not None and '"' not in line
            n_values = line.count(form.separator) + 1 if is_plain else len(form.fields(line))
            if n_values != form.n_columns:
                if not line.strip() and not any(map(str.strip, following)):
                    return  # empty lines at the end
                raise ValueError(f"{n_values} values, the first line has {form.n_columns}")
            parsed = line
            yield line

    def number(label):
        return codes.setdefault(label.strip(), len(codes))

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # no rows: reported by the caller
            warnings.simplefilter("error", DeprecationWarning)  # older NumPy reads 2.5 as 2
            return np.loadtxt(
                lines(),
                dtype,
                comments=None,
                delimiter=form.separator,
                converters=None if form.label is None else {form.label: number},
                ndmin=2,
                quotechar='"',
            )
    except (ValueError, OverflowError, DeprecationWarning, csv.Error) as error:
        fault = parsed and _fault_in(parsed, form)
        raise ValueError(f"line {n_lines}: {fault or error}") from error


def _fault_in(line, form):
    """Return what is wrong with the cells of a line, or None."""
    for i, cell in enumerate(form.fields(line)):
        if i != form.label and not is_number(cell):
            return _fault(form, i, cell)
    return None


def _fault(form, i, cell):
    """Return what is wrong with a cell, and what to do."""
    column, shown = form.column(i), reprlib.repr(cell)
    if cell.lower() in MISSING:
        return (
            f"no value in {column} ({shown}): fill such cells (pandas: fillna, or "
            "sklearn.impute.SimpleImputer), or remove the rows (dropna)"
        )
    if is_number(cell):
        return f"{column} has {shown}, which is not finite: replace it, or remove the row"
    if is_number(cell.replace(",", ".", 1)):
        return f"{column} has {shown}: write decimal points instead of commas"
    name = reprlib.repr(form.names[i] if form.names else i)
    return (
        f"{column} has {shown}, which is not a number: write plain numbers such as 1234.5, remove "
        "the column, or turn categories into columns of 0 and 1 (pandas: get_dummies with "
        f"columns=[{name}], dtype=int)"
    )
