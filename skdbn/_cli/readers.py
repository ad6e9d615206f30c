"""Archives of arrays that the command line reads.

The rule: a file is untrusted. No pickle is loaded, a size is compared with what is there before
memory is taken, and whatever is wrong is a ValueError of one sentence that begins with the path.
"""

import contextlib
import zipfile

from skdbn._files.storage import read_array
from skdbn.datasets import MAX_BYTES

# Names of the arrays, upper and lower case alike, by the part of the data: rows, and their labels.
# "all" has yet to be split, rows in "val" are watched.
LAYOUTS = (
    {"all": ("x", "y")},
    {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")},
    {
        "train": ("train_images", "train_labels"),
        "val": ("val_images", "val_labels"),
        "test": ("test_images", "test_labels"),
    },
)
NEEDED = (  # as an error names them
    "X and y; or x_train, y_train, x_test and y_test; or train_images, train_labels, test_images "
    "and test_labels"
)


def read_npz(path):
    """Read the rows and labels of an .npz file.

    Parameters
    ----------
    path : Path
        The file, compressed or not.

    Returns
    -------
    dict
        Rows and labels for each part of the data: "all", or "train", "test" and perhaps "val".

    Raises
    ------
    ValueError
        When the file is something else.
    """
    with _opened(path, f"with {NEEDED}") as (archive, names):
        for layout in LAYOUTS:
            needed = [name for part, pair in layout.items() if part != "val" for name in pair]
            if all(name in names for name in needed):
                return {
                    part: tuple(_read_member(archive, names[name]) for name in pair)
                    for part, pair in layout.items()
                    if all(name in names for name in pair)
                }
        raise ValueError(f"it has {', '.join(names.values()) or 'no array'}")


def read_single_npz(path):
    """Read an .npz file of a single array.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    ndarray
        The array.

    Raises
    ------
    ValueError
        When the file is something else.
    """
    with _opened(path, "of a single array") as (archive, names):
        if len(names) != 1:
            raise ValueError(f"it has {', '.join(names.values()) or 'no array'}")
        return _read_member(archive, *names.values())


@contextlib.contextmanager
def _opened(path, expected):
    """Open an archive; return it and the names of its arrays by what they are in lower case."""
    try:
        if not (path.is_file() and zipfile.is_zipfile(path)):
            raise ValueError("it is not a zip archive")
        with zipfile.ZipFile(path) as archive:
            arrays = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
            yield archive, {name.lower(): name for name in arrays}
    except Exception as error:  # ten types came up when random bytes of a file were changed
        raise ValueError(
            f"{path} is not an .npz file {expected}: {error or type(error).__name__}."
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
            f"{name} takes {member.file_size} bytes unpacked, at most {MAX_BYTES} are read; pass "
            "larger data to the estimators as an array or a memory map"
        )
    with archive.open(member) as file:
        return read_array(file, member.file_size)
