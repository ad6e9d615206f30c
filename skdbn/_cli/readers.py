"""Files of data that the command line reads.

The rule: a file is untrusted. No pickle is loaded, a size is compared with what is there before
memory is taken, and whatever is wrong is a ValueError of one sentence that begins with the path.
"""

import warnings
import zipfile

import numpy as np

from skdbn._files.storage import read_array
from skdbn.datasets import MAX_BYTES

MAX_LINE = 2**20  # characters of a line of CSV, which a list of its values takes many times
TOO_LONG = f"more than {MAX_LINE} characters; hand over such data as an .npz file"


def read_npz(path):
    """Read X and y of an .npz file.

    Parameters
    ----------
    path : Path
        The file, compressed or not.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Numbers.
    y : ndarray of shape (n_samples,)
        Labels.

    Raises
    ------
    ValueError
        When the file is something else.
    """
    try:
        if not (path.is_file() and zipfile.is_zipfile(path)):
            raise ValueError("it is no zip archive")
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            missing = [name for name in ("X", "y") if f"{name}.npy" not in names]
            if missing:
                raise ValueError(f"it has no array {' and no array '.join(missing)}")
            return _read_member(archive, "X"), _read_member(archive, "y")
    except Exception as error:  # ten types came up when random bytes of a file were changed
        raise ValueError(
            f"{path} is not an .npz file with X and y: {error or type(error).__name__}."
        ) from error


def _read_member(archive, name):
    """Return an array of a zip archive, which takes no more memory than it says."""
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(  # zipfile unpacks other kinds without bound
            f"{name} is compressed by method {member.compress_type}; numpy.savez and "
            "numpy.savez_compressed write what is read"
        )
    if member.file_size > MAX_BYTES:
        raise ValueError(
            f"{name} takes {member.file_size} bytes unpacked, at most {MAX_BYTES} are read; hand "
            "larger data to the estimators as an array or a memory map"
        )
    with archive.open(member) as file:
        return read_array(file, member.file_size)


def read_csv(path):
    """Read a CSV file of numbers below a line of names.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    columns : list of str
        Names.
    values : ndarray of shape (n_rows, n_columns)
        Numbers.

    Raises
    ------
    ValueError
        When the file is something else; the message names the line.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist; train.csv and test.csv must be there.")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(
            f"{path} takes {size} bytes, at most {MAX_BYTES} are read; hand larger data to the "
            "estimators as an array or a memory map."
        )
    # A byte that is no text becomes a sign that is no number, and is reported with its line.
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline(MAX_LINE + 1)
        if len(header) > MAX_LINE:
            raise ValueError(f"{path}, line 1: {TOO_LONG}.")
        columns = [name.strip().strip('"') for name in header.split(",")]
        start = file.tell()
        try:
            try:  # whole numbers are read several times faster
                values = _read_rows(file, len(columns), np.int16)
            except ValueError:
                file.seek(start)
                values = _read_rows(file, len(columns), np.float32)
        except ValueError as error:
            raise ValueError(f"{path}, {error}.") from error
    if values.size == 0:
        raise ValueError(f"{path} has no rows.")
    return columns, values


def _read_rows(file, n_columns, dtype):
    """Return the numbers below the header of a CSV file; an error begins with the line."""
    n_lines = 1

    def lines():
        nonlocal n_lines
        following = iter(lambda: file.readline(MAX_LINE + 1), "")
        for line in following:
            n_lines += 1
            if len(line) > MAX_LINE:
                raise ValueError(TOO_LONG)
            n_values = line.count(",") + 1
            if n_values != n_columns:
                if not line.strip() and not any(map(str.strip, following)):
                    return  # empty lines at the end
                raise ValueError(f"{n_values} values, the header has {n_columns} names")
            yield line

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # no rows: reported by the caller
            warnings.simplefilter("error", DeprecationWarning)  # older NumPy reads 2.5 as 2
            return np.loadtxt(lines(), delimiter=",", dtype=dtype, comments=None, ndmin=2)
    except (ValueError, DeprecationWarning) as error:
        message = str(error).partition(" at row ")[0]  # counted in another way
        raise ValueError(f"line {n_lines}: {message}") from error
