"""Handwritten digits to train on: float32 in [0, 1], split into training and test rows."""

import gzip
import os
import struct
import warnings
import zlib
from http.client import HTTPException
from pathlib import Path

import numpy as np
from sklearn import datasets as sklearn_datasets
from sklearn.model_selection import train_test_split

MAX_BYTES = 2**31  # unpacked, of an array in a file: more is refused before memory is taken
IMAGES_MAGIC, LABELS_MAGIC = 2051, 2049  # unsigned bytes in three and in one dimension
N_CLASSES = 10
MNIST_ROWS = 70_000, 60_000  # all, and those for training, in OpenML's copy


def load_digits(random_state=0):
    """Load the 8 x 8 digits that come with scikit-learn.

    A fifth of the 1797 rows, drawn with the same share of each class, is for testing.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=0
        Seed of the draw.

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
    """Load the 28 x 28 digits of MNIST, or another data set in the same files.

    Looks for a folder with the four IDX files, unpacked or as ``.gz``: at `path`; else at the
    environment variable ``SKDBN_MNIST``; else at ``mnist`` in scikit-learn's data home. When
    there is none, fetches the data from OpenML, which needs the network once.

    Parameters
    ----------
    path : str or path-like, default=None
        Folder with the IDX files.

    Returns
    -------
    X_train : ndarray of shape (60000, 784)
        Training images, float32 in [0, 1].
    X_test : ndarray of shape (10000, 784)
        Test images.
    y_train : ndarray of int of shape (60000,)
        Training labels.
    y_test : ndarray of int of shape (10000,)
        Test labels.

    Raises
    ------
    OSError
        When the data are nowhere to be found.
    ValueError
        When a file is not what it should be, or would take more than 2 GiB unpacked.

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
    if path is not None:
        return _load_idx_folder(Path(path))
    try:
        home = sklearn_datasets.get_data_home()
    except OSError as error:  # it cannot be made; fetch_openml will fail on it as well
        home = error.filename
    folder = Path(home) / "mnist"
    if folder.is_dir():
        return _load_idx_folder(folder)
    return _fetch_mnist(folder)


def _fetch_mnist(folder):
    """Return MNIST from OpenML; `folder` is where the files were missed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of each retry; the error below says it all
            bunch = sklearn_datasets.fetch_openml(
                "mnist_784", version=1, as_frame=False, parser="liac-arff", n_retries=1
            )
    except (OSError, HTTPException, ValueError) as error:
        raise OSError(
            "MNIST was not found. Do one of four: hand load_mnist the folder of the IDX files "
            "(train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, "
            "t10k-labels-idx1-ubyte, or each with .gz); set the environment variable SKDBN_MNIST "
            f"to it; put it at {folder}; or connect to the network, so that fetch_openml can "
            f"fetch it ({type(error).__name__}: {error})."
        ) from error
    n_rows, n_train = MNIST_ROWS
    if bunch.data.shape != (n_rows, 784):
        raise ValueError(
            f"MNIST from OpenML has shape {bunch.data.shape}, must be ({n_rows}, 784)."
        )
    X, y = bunch.data.astype(np.float32), bunch.target.astype(int)
    X /= 255.0
    return X[:n_train], X[n_train:], y[:n_train], y[n_train:]


def _load_idx_folder(folder):
    """Return images and labels of the four IDX files in a folder."""
    X_train, train_size = _read_images(_find_idx(folder, "train-images", 3))
    X_test, test_size = _read_images(_find_idx(folder, "t10k-images", 3))
    y_train = _read_labels(_find_idx(folder, "train-labels", 1))
    y_test = _read_labels(_find_idx(folder, "t10k-labels", 1))
    if len(X_train) != len(y_train) or len(X_test) != len(y_test):
        raise ValueError(
            f"{folder}: {len(X_train)} training images and {len(y_train)} labels, {len(X_test)} "
            f"test images and {len(y_test)} labels; there must be a label for each image."
        )
    if train_size != test_size:
        raise ValueError(
            f"{folder}: training images have {train_size} pixels, test images have {test_size}; "
            "they must have the same size."
        )
    return X_train, X_test, y_train, y_test


def _find_idx(folder, name, n_dimensions):
    """Return the path of an IDX file under one of its usual names."""
    stems = [f"{name}-idx{n_dimensions}-ubyte", f"{name}.idx{n_dimensions}-ubyte"]
    for stem in stems:
        for candidate in (folder / stem, folder / f"{stem}.gz"):
            if candidate.is_file():
                return candidate
    raise FileNotFoundError(f"{folder} has no file {stems[0]} or {stems[0]}.gz.")


def _read_images(path):
    """Return images as rows of float32 in [0, 1], and their size as text."""
    (n_images, n_rows, n_columns), pixels = _read_idx(path, IMAGES_MAGIC, 3)
    X = pixels.reshape(n_images, n_rows * n_columns).astype(np.float32)
    X /= 255.0
    return X, f"{n_rows} x {n_columns}"


def _read_labels(path):
    """Return labels as integers."""
    _, labels = _read_idx(path, LABELS_MAGIC, 1)
    if labels.max() >= N_CLASSES:
        raise ValueError(
            f"{path}: label {labels.max()} in row {labels.argmax()}, must be 0 to {N_CLASSES - 1}."
        )
    return labels.astype(int)


def _read_idx(path, magic, n_dimensions):
    """Return the dimensions and the bytes of an IDX file, never more than its header says."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            header = file.read(4 * (1 + n_dimensions))
            if len(header) < 4 * (1 + n_dimensions):
                raise ValueError(f"{path}: {len(header)} bytes are too few for an IDX header.")
            given, *dimensions = struct.unpack(f">{1 + n_dimensions}I", header)
            if given != magic:
                raise ValueError(f"{path}: magic number {given}, must be {magic}.")
            size = int(np.prod(dimensions, dtype=object))
            if size > MAX_BYTES:
                raise ValueError(
                    f"{path}: the header says {size} bytes, at most {MAX_BYTES} are read; hand "
                    "larger data to the estimators as an array or a memory map."
                )
            if size == 0:
                raise ValueError(f"{path}: the header says that there is nothing inside.")
            content = _read_at_most(file, size + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: damaged gzip file ({error}).") from error
    if len(content) != size:
        shape = " x ".join(map(str, dimensions))
        kind = "more" if len(content) > size else f"only {len(content)}"
        raise ValueError(f"{path}: the header says {shape} bytes, but there are {kind}.")
    return dimensions, np.frombuffer(content, np.uint8)


def _read_at_most(file, size, chunk=2**24):
    """Read up to `size` bytes by chunks, so that a false header takes no memory."""
    chunks = []
    while size > 0 and (data := file.read(min(size, chunk))):
        chunks.append(data)
        size -= len(data)
    return b"".join(chunks)
