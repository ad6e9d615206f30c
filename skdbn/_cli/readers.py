"""Reading .npz archives for the command line.

The rule: a file is untrusted. No pickle is loaded, sizes are checked before memory is allocated,
and whatever is wrong is a ValueError whose message begins with the path.
"""

import contextlib
import zipfile

from skdbn._files.storage import read_array
from skdbn.datasets import MAX_BYTES

# Names of the arrays, in upper or lower case, for each part of the data: rows, and their labels.
# "all" has yet to be split; rows in "val" are monitored during training.
LAYOUTS = (
    {"all": ("x", "y")},
    {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")},
    {
        "train": ("train_images", "train_labels"),
        "val": ("val_images", "val_labels"),
        "test": ("test_images", "test_labels"),
    },
)
NEEDED = (  # for error messages
    "X and y; or x_train, y_train, x_test and y_test; or train_images, train_labels, test_images "
    "and test_labels"
)


def read_npz(path):
    """Read the rows and labels of an .npz file.

    Parameters
    ----------
    path : Path
        The archive, compressed or not.

    Returns
    -------
    dict
        Rows and labels of each part of the data: "all", or "train", "test" and perhaps "val".

    Raises
    ------
    ValueError
        If the file is invalid.
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
        raise ValueError(f"it has {', '.join(names.values()) or 'no arrays; unzip a table first'}")


def read_single_npz(path):
    """Read an .npz file with a single array.

    Parameters
    ----------
    path : Path
        The archive.

    Returns
    -------
    ndarray
        The array.

    Raises
    ------
    ValueError
        If the file is invalid.
    """
    with _opened(path, "with a single array") as (archive, names):
        if len(names) != 1:
            raise ValueError(f"it has {', '.join(names.values()) or 'no arrays'}")
        return _read_member(archive, *names.values())


@contextlib.contextmanager
def _opened(path, expected):
    """Open an archive; yield it and the names of its arrays, keyed by their lower-case forms."""
    try:
        if not (path.is_file() and zipfile.is_zipfile(path)):
            raise ValueError("it is not a zip archive")
        with zipfile.ZipFile(path) as archive:
            arrays = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
            yield archive, {name.lower(): name for name in arrays}
    except MemoryError:
        raise
    except Exception as error:  # changing random bytes of a file raised ten types
        raise ValueError(
            f"{path} is not an .npz file {expected}: {error or type(error).__name__}."
        ) from error


def _read_member(archive, name):
    """Read an array from a zip archive, in no more memory than the archive declares."""
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(  # zipfile would unpack other methods without limit
            f"{name} is compressed by method {member.compress_type}, which is not supported. "
            "Write the file with numpy.savez or numpy.savez_compressed"
        )
    if member.file_size > MAX_BYTES:
        raise ValueError(
            f"{name} takes {member.file_size} bytes unpacked, but at most {MAX_BYTES} are read. "
            "Pass larger data to the estimators as an array or a memory map"
        )
    with archive.open(member) as file:
        return read_array(file, member.file_size)
