"""The loaders, on files that the tests write."""

import gzip
import socket
import struct
import time
from http.client import IncompleteRead

import numpy as np
import pytest
from sklearn import datasets as sklearn_datasets
from sklearn.utils import Bunch

from skdbn.datasets import load_digits, load_mnist

RNG = np.random.default_rng(0)
IMAGES = {"train": RNG.integers(0, 256, (12, 4, 5)), "t10k": RNG.integers(0, 256, (6, 4, 5))}
LABELS = {"train": np.arange(12) % 10, "t10k": np.arange(6)}


def idx(array, magic=None, dimensions=None):
    """Bytes of an IDX file; magic number and dimensions may lie."""
    dimensions = array.shape if dimensions is None else dimensions
    magic = 2048 + len(dimensions) if magic is None else magic
    header = struct.pack(f">{1 + len(dimensions)}I", magic, *dimensions)
    return header + array.astype(np.uint8).tobytes()


def write_folder(folder, zipped=False, dot=False):
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "t10k"):
        for name, content in (
            (f"{part}-images-idx3-ubyte", idx(IMAGES[part])),
            (f"{part}-labels-idx1-ubyte", idx(LABELS[part])),
        ):
            if dot:
                name = name.replace("-idx", ".idx")
            if zipped:
                name, content = name + ".gz", gzip.compress(content)
            (folder / name).write_bytes(content)
    return folder


def assert_is_what_was_written(data):
    X_train, X_test, y_train, y_test = data
    for X, part in ((X_train, "train"), (X_test, "t10k")):
        assert X.dtype == np.float32
        expected = IMAGES[part].reshape(len(X), 20) / 255
        np.testing.assert_allclose(X, expected, rtol=1e-6)
    np.testing.assert_array_equal(y_train, LABELS["train"])
    np.testing.assert_array_equal(y_test, LABELS["t10k"])


@pytest.fixture(autouse=True)
def no_data_anywhere(monkeypatch, tmp_path):
    """Nothing in the environment, nothing in the data home, no network."""

    # Not in place of fetch_openml, which checks its arguments before it connects: a wrong one
    # looks like a missing network.
    def getaddrinfo(*args, **kwargs):
        raise socket.gaierror("no route to host")

    monkeypatch.delenv("SKDBN_MNIST", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "home"))
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def test_digits_are_split_and_scaled():
    X_train, X_test, y_train, y_test = load_digits()
    X = np.vstack([X_train, X_test])
    assert X.dtype == np.float32
    assert (X.min(), X.max()) == (0.0, 1.0)
    assert (len(X_train), len(X_test)) == (len(y_train), len(y_test)) == (1437, 360)
    assert abs(np.bincount(y_train) / 1437 - np.bincount(y_test) / 360).max() < 0.01
    original = sklearn_datasets.load_digits().data
    np.testing.assert_allclose(np.sort(X.sum(axis=1)), np.sort(original.sum(axis=1)) / 16)
    np.testing.assert_array_equal(X_test, load_digits()[1])
    assert not np.array_equal(X_test, load_digits(random_state=1)[1])


@pytest.mark.parametrize("options", [{}, {"zipped": True}, {"dot": True}])
def test_mnist_is_read_from_a_folder(tmp_path, options):
    folder = write_folder(tmp_path / "data", **options)
    assert_is_what_was_written(load_mnist(folder))
    assert_is_what_was_written(load_mnist(str(folder)))


def test_mnist_is_found_in_the_environment_then_in_the_data_home(tmp_path, monkeypatch):
    write_folder(tmp_path / "home" / "mnist")
    assert_is_what_was_written(load_mnist())
    monkeypatch.setenv("SKDBN_MNIST", str(tmp_path / "nowhere"))
    with pytest.raises(OSError, match="nowhere has no file train-images-idx3-ubyte"):
        load_mnist()
    assert_is_what_was_written(load_mnist(tmp_path / "home" / "mnist"))
    monkeypatch.setenv("SKDBN_MNIST", str(write_folder(tmp_path / "elsewhere")))
    assert_is_what_was_written(load_mnist())


def test_mnist_is_fetched_when_there_are_no_files(monkeypatch):
    data = np.zeros((70_000, 784), np.uint8)
    data[:60_000, 0], target = 255, np.array(["1"] * 60_000 + ["2"] * 10_000, object)

    def fetch_openml(name, **kwargs):
        assert name == "mnist_784"
        return Bunch(data=data, target=target)

    monkeypatch.setattr(sklearn_datasets, "fetch_openml", fetch_openml)
    X_train, X_test, y_train, y_test = load_mnist()
    assert (X_train.shape, X_test.shape) == ((60_000, 784), (10_000, 784))
    assert X_train[:, 0].min() == X_train.max() == 1.0
    assert X_test.max() == 0.0
    assert (set(y_train), set(y_test)) == ({1}, {2})
    data = data[:100]
    with pytest.raises(ValueError, match=r"shape \(100, 784\), must be \(70000, 784\)"):
        load_mnist()


def test_missing_mnist_names_all_four_ways(tmp_path):
    with pytest.raises(OSError, match="MNIST was not found") as caught:
        load_mnist()
    message = str(caught.value)
    for way in ("pass load_mnist the folder", "SKDBN_MNIST", str(tmp_path), "fetch_openml"):
        assert way in message
    assert "no route to host" in message


def test_missing_mnist_names_all_four_ways_whatever_failed(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "file" / "home"))  # cannot be made
    with pytest.raises(
        OSError, match="Do one of the following.*file/home/mnist.*NotADirectoryError"
    ):
        load_mnist()

    def fetch_openml(*args, **kwargs):
        raise IncompleteRead(b"")

    monkeypatch.setattr(sklearn_datasets, "fetch_openml", fetch_openml)
    with pytest.raises(OSError, match="Do one of the following.*IncompleteRead"):
        load_mnist()


TRAIN = IMAGES["train"]
DAMAGES = [
    ("train-images-idx3-ubyte", None, "has no file train-images-idx3-ubyte"),
    ("t10k-labels-idx1-ubyte", None, "has no file t10k-labels-idx1-ubyte"),
    ("train-images-idx3-ubyte", b"", "0 bytes are too few"),
    ("train-images-idx3-ubyte", b"\0\0\x08", "3 bytes are too few"),
    ("train-images-idx3-ubyte", idx(TRAIN, magic=2049), "magic number 2049, must be 2051"),
    ("train-labels-idx1-ubyte", idx(LABELS["train"], magic=2051), "magic number 2051"),
    ("train-images-idx3-ubyte", idx(TRAIN)[:-1], "12 x 4 x 5 bytes, but there are only 239"),
    ("train-images-idx3-ubyte", idx(TRAIN) + b"x", "12 x 4 x 5 bytes, but there are more"),
    (
        "train-images-idx3-ubyte",
        idx(TRAIN, dimensions=(2**32 - 1, 2**32 - 1, 2**32 - 1)),
        "at most 2147483648 are read",
    ),
    ("train-images-idx3-ubyte", idx(TRAIN, dimensions=(0, 4, 5)), "the file is empty"),
    ("train-images-idx3-ubyte", idx(TRAIN, dimensions=(12, 4, 0)), "the file is empty"),
    ("train-labels-idx1-ubyte", idx(LABELS["train"], dimensions=(0,)), "the file is empty"),
    ("train-images-idx3-ubyte", idx(TRAIN[:11]), "11 training images and 12 labels"),
    ("t10k-labels-idx1-ubyte", idx(LABELS["t10k"][:5]), "6 test images and 5 labels"),
    ("t10k-images-idx3-ubyte", idx(IMAGES["t10k"][:, :3]), "4 x 5 pixels, test images have 3 x 5"),
    ("t10k-images-idx3-ubyte", idx(IMAGES["t10k"].reshape(6, 5, 4)), "test images have 5 x 4"),
]


def damaged_folder(folder, name, content, zipped):
    """Write a folder of files of which one is wrong, or missing where it has no content."""
    path = write_folder(folder, zipped) / (f"{name}.gz" if zipped else name)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(gzip.compress(content) if zipped else content)
    return folder


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(("name", "content", "message"), DAMAGES)
def test_wrong_file_is_refused(tmp_path, name, content, message, zipped):
    folder = damaged_folder(tmp_path, name, content, zipped)
    with pytest.raises((ValueError, OSError), match=message) as caught:
        load_mnist(folder)
    assert str(tmp_path) in str(caught.value)


GZIP_DAMAGES = {
    "cut short": gzip.compress(idx(TRAIN))[:-20],
    "wrong checksum": gzip.compress(idx(TRAIN))[:-8] + bytes(8),
    "no such kind of block": gzip.compress(idx(TRAIN))[:10] + b"\xff" * 40,
}


@pytest.mark.parametrize("content", GZIP_DAMAGES.values(), ids=GZIP_DAMAGES.keys())
def test_damaged_gzip_file_is_refused(tmp_path, content):
    path = write_folder(tmp_path, zipped=True) / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"train-images.*damaged gzip file"):
        load_mnist(tmp_path)


def test_bomb_is_not_unpacked_beyond_what_its_header_says(tmp_path, monkeypatch):
    content = gzip.compress(idx(TRAIN) + bytes(50_000_000))
    (write_folder(tmp_path, zipped=True) / "train-images-idx3-ubyte.gz").write_bytes(content)
    unpacked = 0
    read = gzip.GzipFile.read

    def counting_read(file, size=-1):
        nonlocal unpacked
        data = read(file, size)
        unpacked += len(data)
        return data

    monkeypatch.setattr(gzip.GzipFile, "read", counting_read)
    with pytest.raises(ValueError, match="there are more"):
        load_mnist(tmp_path)
    assert unpacked < 1000
