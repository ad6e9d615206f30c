"""Reading text tables for the command line: numbers, and a label column.

The rule: a file is untrusted, like an archive. Whatever is wrong with it is a ValueError whose
message begins with the path and names the line and column, if any. A column that only numbers the
rows, as its name and its values show, is read but marked as such.
"""

import csv
import re
import reprlib
import warnings
from functools import partial
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from skdbn.datasets import MAX_BYTES

MAX_LINE = 2**20  # characters; a list of the values of a line is many times as large
TOO_LONG = f"more than {MAX_LINE} characters; pass such data as an .npz file"
NOT_TEXT = (
    "not text; save tables as UTF-8 text, not compressed, and arrays with numpy.savez(path, X=X, "
    "y=y)"
)
EXCEL = re.compile(r"sep=.\s*")  # a line that tells Excel the separator
NOT_UTF8 = "\0", "\N{REPLACEMENT CHARACTER}"  # characters that show it; the second replaces bytes
SEPARATORS = (";", "\t", ",", None)  # None is for spaces; a comma may be part of a number
CELL = re.compile(r'"((?:[^"]|"")*)"|(\S+)')  # between spaces: with or without quotes
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")  # or, with one comma, a fraction
QUOTED = re.compile(r'"[^"]*"')
N_LOOKED_AT = 20  # lines that show the separator
MISSING = {"", "nan", "na", "n/a", "null", "none", "?"}  # cells without a value
LABEL = "label"  # default name of the label column
ID, ENDS_OF_IDS = "id", ("Id", "ID", "_id", " id")  # name of ids in any case, and ends of others
FEWEST_NUMBERED = 4  # columns named 0, 1, 2 and so on in a header; fewer may be a row


class Table(NamedTuple):
    """Content of a table.

    Attributes
    ----------
    names : list of str or None
        Names of the columns of `values`, if the table has a header.
    values : ndarray of shape (n_rows, n_columns)
        Numbers.
    labels : ndarray of str of shape (n_rows,) or None
        Cells of the label column.
    label_name : str or None
        Name of the label column, if there is one and the table has a header.
    ids : dict of list of str
        Cells of the columns of `values` that only number the rows, by the index of the column.
    """

    names: object
    values: object
    labels: object
    label_name: object
    ids: object

    def without(self, columns):
        """Return the table without the columns of some indices."""
        names = np.delete(np.array(self.names, object), columns).tolist()
        return self._replace(names=names, values=np.delete(self.values, columns, axis=1), ids={})


class Form(NamedTuple):
    """Format of a table: separator, names, number of columns, and index of the label column."""

    separator: object
    names: object
    n_columns: int
    label: object

    @property
    def ids(self):
        """Indices of the columns that are named like ids."""
        return [
            i for i, name in enumerate(self.names or []) if i != self.label and _is_of_ids(name)
        ]

    def fields(self, line):
        """Return the cells of a line."""
        return _fields(line, self.separator)

    def column(self, i):
        """Return the name of a column for error messages."""
        return f"column {reprlib.repr(self.names[i]) if self.names else i + 1}"


def read_table(path, label=None, has_labels=True):
    """Read a table of numbers, and perhaps a label column, from a text file.

    Parameters
    ----------
    path : Path
        The text file.
    label : str, default=None
        Label column: its name, or its number counted from 1; by default the column named "label".
    has_labels : bool, default=True
        Whether there is a label column. If not, a column of that name is refused.

    Returns
    -------
    Table
        Names, numbers and labels.

    Raises
    ------
    ValueError
        If the file is invalid; the message names the line.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist or is not a file.")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(
            f"{path} takes {size} bytes, but at most {MAX_BYTES} are read. Pass larger data to "
            "the estimators as an array or a memory map."
        )
    # Invalid bytes are replaced here, and reported later with their line.
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        try:
            form = _form(_first_lines(file), label, has_labels)
            return _read(file, form)
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{path}, {error}.") from error


# -- the format of a table


def _is_of_ids(name):
    """Tell whether a column is named like ids; words in capitals, such as GRID, are not."""
    is_word = name.endswith("ID") and name[-3:-2].isupper()
    return name.lower() == ID or (name.endswith(ENDS_OF_IDS) and not is_word)


def _first_lines(file):
    """Return the first lines of a file, and rewind it."""
    lines = []
    while len(lines) < N_LOOKED_AT and (line := file.readline(MAX_LINE + 1)):
        if fault := _fault_of(line):
            raise ValueError(f"line {len(lines) + 1}: {fault}")
        lines.append(line)
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise ValueError("line 1: the file is empty")
    file.seek(0)
    return lines


def _fault_of(line):
    """Return why a line cannot be read, or None."""
    if len(line) > MAX_LINE:
        return TOO_LONG
    return NOT_TEXT if any(sign in line for sign in NOT_UTF8) else None


def _form(lines, label, has_labels):
    """Return the format of a table, from its first lines and the user's label column."""
    separator = _separator(lines)
    if fault := _of_no_row(lines[0]):
        raise ValueError(f"line 1: {fault}")
    first, *others = (_fields(line, separator) for line in lines)
    if len(first) == 1:
        raise ValueError(
            "line 1: only one column; columns must be separated by commas, semicolons, tabs or "
            "spaces, and no title or comment may stand above them"
        )
    has_names = _are_names(first, others[0] if others else [], label)
    if has_names and "" in first:
        raise ValueError(
            f"line 1: column {first.index('') + 1} has no name; name it, or remove it if it only "
            "numbers the rows (pandas: to_csv(index=False))"
        )
    names = first if has_names else None
    if names is not None and label in names and not has_labels:
        raise ValueError(
            f"line 1: column {reprlib.repr(label)} has the labels, but this file is for rows to "
            "predict. Remove the column, or pass one file that has the training rows and these, "
            "which is split into training and test rows"
        )
    column = _column_of_labels(names, len(first), label) if has_labels else None
    return Form(separator, names, len(first), column)


def _separator(lines):
    """Return the separator outside quotes that gives all lines the same number of cells."""
    lines = [QUOTED.sub("_", line) for line in lines]
    counts = {
        separator: [len(_fields(line, separator)) for line in lines] for separator in SEPARATORS
    }
    for separator, n_cells in counts.items():
        if min(n_cells) == max(n_cells) > 1:
            return separator
    most = max((";", "\t", ","), key=lambda separator: counts[separator][0])
    return None if counts[most][0] == 1 and min(counts[None]) > 1 else most


def _fields(line, separator):
    """Return the cells of a line, without surrounding quotes and spaces."""
    if separator is None and '"' not in line:
        return line.split()
    if separator is None:
        return [plain or quoted.replace('""', '"') for quoted, plain in CELL.findall(line)]
    if '"' in line:
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    else:
        cells = line.split(separator)
    return [cell.strip() for cell in cells]


def _are_names(first, second, label):
    """Tell whether the first line is a header.

    A header has the name of the label column, text above numbers, only text, or 0, 1, 2 and so on,
    as pandas numbers columns.
    """
    wanted = LABEL if label is None else label
    if wanted in first and not wanted.isdecimal():  # a number may be a value
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
    """Tell whether a string is a number.

    Parameters
    ----------
    text : str
        String to check.

    Returns
    -------
    bool
        Whether it is a number.
    """
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # which Python ignores within numbers


def advice_on_commas(text):
    """Return what to do about a number with commas, or None if a string is none.

    Parameters
    ----------
    text : str
        String to check.

    Returns
    -------
    str or None
        A sentence without its full stop.
    """
    if THOUSANDS.fullmatch(text):
        return "Remove commas that separate thousands, and write decimal commas as points"
    if "," in text and is_number(text.replace(",", ".", 1)):
        return "Use decimal points instead of commas"
    return None


def _column_of_labels(names, n_columns, label):
    """Return the index of the label column, given by name or by number from 1."""
    wanted = LABEL if label is None else label
    if names is not None and wanted in names:
        if names.count(wanted) > 1:
            raise ValueError(
                f"line 1: {names.count(wanted)} columns are named {reprlib.repr(wanted)}. Give "
                "the label column a name of its own"
            )
        return names.index(wanted)
    if wanted.isdecimal() and 1 <= int(wanted) <= n_columns:
        return int(wanted) - 1
    if names is None:
        problem = "there is no header"
        remedy = f"--label N, the number of the label column, from 1 to {n_columns}"
    else:
        shown = ", ".join(name[:50] for name in names[:20])
        problem = f"there is no column {reprlib.repr(wanted)} among {shown}"
        problem += " and others" if len(names) > 20 else ""
        remedy = "--label NAME, the name of the label column"
    raise ValueError(f"line 1: {problem}. Pass {remedy}")


# -- the content of a table


def _read(file, form):
    """Return the content of a table."""
    n_names = int(form.names is not None)
    for dtype in (np.int16, np.float64):  # whole numbers are read several times faster
        file.seek(0)
        for _ in range(n_names):
            file.readline()
        codes, ids = {}, {i: [] for i in form.ids}
        try:
            converters = _converters(form, dtype, codes, ids)
            values = _read_rows(file, form, dtype, n_names, converters)
            break
        except ValueError:
            if dtype is np.float64:
                raise
    if values.size == 0:
        raise ValueError(f"line {n_names + 1}: there are no rows")
    labels, columns = None, list(range(form.n_columns))
    if form.label is not None:
        labels = _labels(form, values, codes)
        columns.remove(form.label)
        values = values[:, columns]
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(wrong):
        i = np.flatnonzero(~np.isfinite(values[wrong[0]]))[0]
        fault = _fault(form, columns[i], str(values[wrong[0], i]))
        raise ValueError(f"line {wrong[0] + 1 + n_names}: {fault}")
    names = form.names and [form.names[i] for i in columns]
    label_name = form.names[form.label] if form.names and form.label is not None else None
    ids = {j: ids[i] for j, i in enumerate(columns) if i in ids and _number_rows(ids[i])}
    return Table(names, values, labels, label_name, ids)


def _labels(form, values, codes):
    """Return the labels, whose numbers in `codes` are among the values."""
    longest = max(map(len, codes))
    if longest * len(values) * np.dtype("U1").itemsize > MAX_BYTES:
        raise ValueError(
            f"{form.column(form.label)} has labels of up to {longest} characters, too many "
            f"for {len(values)} rows. Shorten them"
        )
    return np.array(list(codes))[values[:, form.label].astype(int)]


def _number_rows(cells):
    """Tell whether the numbers in the cells of a column are whole and all different."""
    return len(set(cells)) == len(cells) and all(float(cell).is_integer() for cell in cells)


def _converters(form, dtype, codes, ids):
    """Return functions that number labels in `codes`, and keep cells of columns in `ids`."""

    def number(label):
        return codes.setdefault(label.strip(), len(codes))

    def keep(cells, cell):
        cells.append(cell.strip())
        return dtype(cell)

    converters = {i: partial(keep, cells) for i, cells in ids.items()}
    return converters if form.label is None else {**converters, form.label: number}


def _read_rows(file, form, dtype, n_lines, converters):
    """Return the numbers below the header; error messages begin with the line."""
    parsed = None  # the line that is being parsed

    def lines():
        nonlocal parsed, n_lines
        following = iter(lambda: file.readline(MAX_LINE + 1), "")
        for line in following:
            n_lines, parsed = n_lines + 1, None
            if fault := _fault_of(line):
                raise ValueError(fault)
            has_quotes = '"' in line
            if has_quotes or form.separator is None:
                cells = form.fields(line)
                n_values = len(cells)
            else:
                n_values = line.count(form.separator) + 1
            if n_values != form.n_columns:
                if not line.strip() and not any(map(str.strip, following)):
                    return  # empty lines at the end
                raise ValueError(_other_number(line, n_values, form))
            parsed = line
            yield _quoted(cells, form.separator) if has_quotes else line

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # no rows: reported by the caller
            warnings.simplefilter("error", DeprecationWarning)  # older NumPy reads 2.5 as 2
            return np.loadtxt(
                lines(),
                dtype,
                comments=None,
                delimiter=form.separator,
                converters=converters,
                ndmin=2,
                quotechar='"',
            )
    except (ValueError, OverflowError, DeprecationWarning, csv.Error) as error:
        fault = parsed and _fault_in(parsed, form)
        raise ValueError(f"line {n_lines}: {fault or error}") from error


def _of_no_row(line):
    """Return why a line is no row of a table, or None."""
    if not line.strip():
        return "empty, but more rows follow. Remove the line"
    if EXCEL.fullmatch(line):
        return f"{line.strip()!r} is no row. Remove the line"
    if line.count('"') % 2:
        return (
            "quotes that do not come in pairs. Replace line breaks within cells by spaces, and "
            "write a quote within a cell twice"
        )
    return None


def _other_number(line, n_values, form):
    """Return what is wrong with a line of more or fewer values than the first line."""
    if fault := _of_no_row(line):
        return fault
    fault = f"{n_values} values, but the first line has {form.n_columns}"
    if form.names and n_values == form.n_columns + 1:
        fault += (
            ". If the first value is the name of a row, write no such names (R: row.names=FALSE)"
        )
    return fault


def _quoted(cells, separator):
    """Return a line of cells in quotes, for NumPy, which takes no spaces between both."""
    cells = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    return (separator or " ").join(cells)


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
            f"no value in {column} ({shown}). Fill such cells (pandas: fillna, or "
            "sklearn.impute.SimpleImputer), or remove the rows (dropna)"
        )
    if is_number(cell):
        return f"{column} has {shown}, which is not finite. Replace it, or remove the row"
    if advice := advice_on_commas(cell):
        return f"{column} has {shown}. {advice}"
    name = reprlib.repr(form.names[i] if form.names else i)
    return (
        f"{column} has {shown}, which is not a number. Use plain numbers such as 1234.5, remove "
        "the column, or convert categories to columns of 0 and 1 (pandas: get_dummies with "
        f"columns=[{name}], dtype=int)"
    )
