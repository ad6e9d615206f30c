"""Data sets of handwritten digits: float32 in [0, 1], split into training and test rows."""

import gzip
import os
import re
import struct
import warnings
import zlib
from http.client import HTTPException
from pathlib import Path

import numpy as np
from sklearn import datasets as sklearn_datasets
from sklearn.model_selection import train_test_split

__all__ = ["load_digits", "load_mnist"]

MAX_BYTES = 2**31  # unpacked, of an array in a file: more is refused before memory is allocated
MAGIC = {"images": 2051, "labels": 2049}  # unsigned bytes in three and in one dimension
N_DIMENSIONS = {"images": 3, "labels": 1}
GZIP = b"\x1f\x8b"  # first bytes of such a file, whatever its name
# Names such as train-images-idx3-ubyte.gz, emnist-letters-test-labels-idx1-ubyte,
# kmnist-train-imgs.npz: prefix, part, and kind of content.
NAME = re.compile(r"(.*?)(train|t10k|test)[-_.](images|imgs|labels)([-_.].*)?")
PARTS = {"train": "train", "t10k": "test", "test": "test"}
KINDS = {"images": "images", "imgs": "images", "labels": "labels"}
MNIST_ROWS = 70_000, 60_000  # in OpenML's copy: all, and those for training


def load_digits(random_state=0):
    """Load the 8 x 8 digits that come with scikit-learn.

    A fifth of the 1797 rows, a stratified random sample, is for testing.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=0
        Seed of the sample.

    Returns
    -------
    X_train : ndarray of shape (1437, 64)
        Training images, float32 in [0, 1].
    X_test : ndarray of shape (360, 64)
        Test images.
    y_train : ndarray of int of shape (1437,)
        Training labels.
    y_test : ndarray of int of shape (360,)
        Test labels.

    Examples
    --------
    >>> from skdbn.datasets import load_digits
    >>> X_train, X_test, y_train, y_test = load_digits()
    >>> X_train.shape, X_test.shape
    ((1437, 64), (360, 64))
    """
    X, y = sklearn_datasets.load_digits(return_X_y=True)
    X = (X / 16.0).astype(np.float32)
    return tuple(train_test_split(X, y, test_size=0.2, stratify=y, random_state=random_state))


def load_mnist(path=None):
    """Load the 28 x 28 digits of MNIST, or another data set in the same format.

    Reads the four IDX files, unpacked or compressed by gzip, from the folder `path`: by default the
    one that the environment variable ``SKDBN_MNIST`` names or, if it is not set, ``mnist`` in
    scikit-learn's data home. If the latter does not exist, fetches the data from OpenML, which
    needs the network once.

    Parameters
    ----------
    path : str or path-like, default=None
        Folder with the IDX files. If it has several data sets, like that of EMNIST, append the
        prefix of their names, as in ``gzip/emnist-letters``.

    Returns
    -------
    X_train : ndarray of shape (60000, 784)
        Training images, float32 in [0, 1]. Other data sets may have other shapes.
    X_test : ndarray of shape (10000, 784)
        Test images.
    y_train : ndarray of int of shape (60000,)
        Training labels.
    y_test : ndarray of int of shape (10000,)
        Test labels.

    Raises
    ------
    OSError
        If the data cannot be found.
    ValueError
        If a file is invalid, or would take more than 2 GiB unpacked.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based learning applied to document
    recognition".

    Examples
    --------
    >>> from skdbn.datasets import load_mnist
    >>> X_train, X_test, y_train, y_test = load_mnist()  # doctest: +SKIP
    """
    if path is None:
        path = os.environ.get("SKDBN_MNIST") or None
    if path is None:
        try:
            home = sklearn_datasets.get_data_home()
        except OSError as error:  # cannot be created; fetch_openml will fail, too
            home = error.filename
        path = Path(home) / "mnist"
        if not path.is_dir():
            return _fetch_mnist(path)
    X_train, X_test, y_train, y_test = read_idx_files(Path(path), find_files(Path(path)))
    return _scaled(X_train), _scaled(X_test), y_train, y_test


def _fetch_mnist(folder):
    """Return MNIST from OpenML; `folder` is where no files were found."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of each retry; the error below tells everything
            bunch = sklearn_datasets.fetch_openml(
                "mnist_784", version=1, as_frame=False, parser="liac-arff", n_retries=1
            )
    except (OSError, HTTPException, ValueError) as error:
        raise OSError(
            "MNIST was not found. Do one of the following: pass load_mnist the folder of the IDX "
            "files (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, "
            "t10k-labels-idx1-ubyte, or each with .gz); set the environment variable SKDBN_MNIST "
            f"to it; move it to {folder}; or connect to the network, so that fetch_openml can "
            f"fetch the data ({type(error).__name__}: {error})."
        ) from error
    n_rows, n_train = MNIST_ROWS
    if bunch.data.shape != (n_rows, 784):
        raise ValueError(
            f"MNIST from OpenML has shape {bunch.data.shape}, must be ({n_rows}, 784)."
        )
    X, y = bunch.data.astype(np.float32), bunch.target.astype(int)
    X /= 255.0
    return X[:n_train], X[n_train:], y[:n_train], y[n_train:]


def _scaled(images):
    """Return images as rows of float32 in [0, 1]."""
    X = images.reshape(len(images), -1).astype(np.float32)
    X /= 255.0
    return X


def find_files(path):
    """Find the four files of an image data set by their names.

    Parameters
    ----------
    path : Path
        Folder of the files, or folder and prefix of their names.

    Returns
    -------
    dict
        Path of the file for each pair of "train" or "test" and "images" or "labels".

    Raises
    ------
    OSError
        If a file is missing.
    ValueError
        If there are files of several data sets.
    """
    folder, start = (path, "") if path.is_dir() else (path.parent, path.name)
    found = {}
    for file in sorted(
        folder.iterdir() if folder.is_dir() else (), key=lambda file: len(file.name)
    ):
        match = NAME.fullmatch(file.name)
        is_hidden = file.name.startswith(".")  # as the copies that macOS leaves on other disks
        if match is not None and match[1].startswith(start) and file.is_file() and not is_hidden:
            role = PARTS[match[2]], KINDS[match[3]]
            found.setdefault(match[1], {}).setdefault(role, file)
    whole = {prefix: files for prefix, files in found.items() if len(files) == 4}
    named = {prefix: files for prefix, files in whole.items() if prefix.rstrip("-_.") == start}
    whole = named or whole
    if len(whole) > 1:
        names = sorted(str(folder / prefix.rstrip("-_.")) for prefix in whole)
        raise ValueError(f"{path} has several data sets. Pass one of {', '.join(names)}.")
    prefix, files = next(iter((whole or found or {"": {}}).items()))
    for part, name in (("train", "train"), ("test", "test" if prefix else "t10k")):
        for kind, n_dimensions in N_DIMENSIONS.items():
            if (part, kind) not in files:
                missing = f"{prefix}{name}-{kind}-idx{n_dimensions}-ubyte"
                raise FileNotFoundError(f"{path} has no file {missing} or {missing}.gz.")
    return files


def read_idx_files(path, files):
    """Read the four IDX files of an image data set.

    Parameters
    ----------
    path : Path
        Folder of the files, for error messages.
    files : dict
        Paths of the files, as `find_files` returns them.

    Returns
    -------
    X_train : ndarray of uint8 of shape (n_train, height, width)
        Training images.
    X_test : ndarray of uint8 of shape (n_test, height, width)
        Test images.
    y_train : ndarray of int of shape (n_train,)
        Training labels.
    y_test : ndarray of int of shape (n_test,)
        Test labels.

    Raises
    ------
    ValueError
        If a file is invalid, or would take more than 2 GiB unpacked.
    """
    images, labels = (
        [_read_idx(files[part, kind], kind) for part in ("train", "test")]
        for kind in ("images", "labels")
    )
    n_images, n_labels = list(map(len, images)), list(map(len, labels))
    if n_images != n_labels:
        raise ValueError(
            f"{path}: {n_images[0]} training images and {n_labels[0]} labels, {n_images[1]} test "
            f"images and {n_labels[1]} labels; each image must have a label."
        )
    sizes = [" x ".join(map(str, array.shape[1:])) for array in images]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"{path}: training images have {sizes[0]} pixels, test images have {sizes[1]}; "
            "they must have the same size."
        )
    return (*images, *(array.astype(int) for array in labels))


def _read_idx(path, kind):
    """Return the bytes of an IDX file as an array; read no more than its header says."""
    with path.open("rb") as file:
        is_compressed = file.read(len(GZIP)) == GZIP
    n_dimensions, opener = N_DIMENSIONS[kind], gzip.open if is_compressed else open
    try:
        with opener(path, "rb") as file:
            header = file.read(4 * (1 + n_dimensions))
            if len(header) < 4 * (1 + n_dimensions):
                raise ValueError(f"{path}: {len(header)} bytes are too few for an IDX header.")
            given, *dimensions = struct.unpack(f">{1 + n_dimensions}I", header)
            if given != MAGIC[kind]:
                raise ValueError(
                    f"{path}: magic number {given}, must be {MAGIC[kind]}, as in IDX files of "
                    f"{kind}."
                )
            size = int(np.prod(dimensions, dtype=object))
            if size > MAX_BYTES:
                raise ValueError(
                    f"{path}: the header says {size} bytes, but at most {MAX_BYTES} are read. "
                    "Pass larger data to the estimators as an array or a memory map."
                )
            if size == 0:
                raise ValueError(f"{path}: the header says that the file is empty.")
            content = _read_at_most(file, size + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: damaged gzip file ({error}).") from error
    if len(content) != size:
        shape = " x ".join(map(str, dimensions))
        more = "more" if len(content) > size else f"only {len(content)}"
        raise ValueError(f"{path}: the header says {shape} bytes, but there are {more}.")
    return np.frombuffer(content, np.uint8).reshape(dimensions)


def _read_at_most(file, size, chunk=2**24):
    """Read up to `size` bytes in chunks, so that a false header takes no memory."""
    content = bytearray()
    while len(content) < size and (data := file.read(min(size - len(content), chunk))):
        content += data
    return content
