"""Files of data that the command line reads.

The rule: a file is untrusted. No pickle is loaded, a size is compared with what is there before
memory is taken, and whatever is wrong is a ValueError of one sentence that begins with the path.
"""

import warnings
import zipfile

import numpy as np

from skdbn.datasets import MAX_BYTES


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
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError("it is no zip archive")
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
                missing = [name for name in ("X", "y") if f"{name}.npy" not in names]
                if missing:
                    raise ValueError(f"it has no array {' and no array '.join(missing)}")
                return _member(archive, "X"), _member(archive, "y")
    except Exception as error:  # ten types came up when random bytes of a file were changed
        raise ValueError(
            f"{path} is not an .npz file with X and y: {error or type(error).__name__}."
        ) from error


def _member(archive, name):
    """Return an array of a zip archive whose sizes agree with each other."""
    size = archive.getinfo(f"{name}.npy").file_size
    if size > MAX_BYTES:
        raise ValueError(
            f"{name} takes {size} bytes unpacked, at most {MAX_BYTES} are read; hand larger data "
            "to the estimators as an array or a memory map"
        )
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran_order, dtype = read_header(file)
        if dtype.hasobject:
            raise ValueError(f"{name} has objects, which are not read: they could be anything")
        n_bytes = dtype.itemsize
        for length in shape:
            n_bytes *= length
        if n_bytes != size - file.tell():
            raise ValueError(
                f"{name} of shape {shape} and type {dtype} would take {n_bytes} bytes, and "
                f"{size - file.tell()} are there"
            )
        data = file.read()
        if len(data) != n_bytes:
            raise ValueError(f"{name} ends after {len(data)} of {n_bytes} bytes")
    array = np.frombuffer(data, dtype) if data else np.empty(0, dtype)
    return array.reshape(shape, order="F" if fortran_order else "C")


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
    # A byte that is no text becomes a sign that is no number, and is reported with its line.
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        columns = [name.strip().strip('"') for name in file.readline().split(",")]
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
        for line in file:
            n_lines += 1
            n_values = line.count(",") + 1
            if n_values != n_columns:
                if not (line + file.read()).strip():
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
