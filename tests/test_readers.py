"""Files of data that were made to deceive: one error each, and little memory."""

import contextlib
import gzip
import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from skdbn._cli.readers import read_npz
from skdbn._cli.tables import MAX_LINE, read_table
from skdbn.datasets import MAX_BYTES, load_mnist

LITTLE = 10_000_000  # bytes of memory that a refusal may take
MUCH = 30_000_000  # bytes that a bomb unpacks to


@contextlib.contextmanager
def refused(message):
    """Expect a ValueError, and that it comes before much memory is taken."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as caught:
            yield caught
        assert tracemalloc.get_traced_memory()[1] < LITTLE
    finally:
        tracemalloc.stop()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def write_npz(path, compression, chunks, declared):
    """Write an archive whose directory claims that X has `declared` bytes."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        with archive.open("X.npy", "w") as file:
            for chunk in chunks:
                file.write(chunk)
        archive.writestr("y.npy", npy(np.zeros(60, int)))
    size = struct.pack("<I", archive.getinfo("X.npy").file_size)
    content = path.read_bytes()
    assert content.count(size) == 2
    path.write_bytes(content.replace(size, struct.pack("<I", declared)))


def long(*starts):
    """Yield bytes that are long and compress well, chunk by chunk."""
    yield from starts
    for _ in range(MUCH // 10_000):
        yield bytes(10_000)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_npz_that_unpacks_to_more_than_it_says_is_refused(tmp_path, compression):
    path = tmp_path / "bomb.npz"
    start = npy(np.zeros((100, 1000), np.uint8))
    write_npz(path, compression, long(start), len(start))
    with refused(r"bomb.npz is not an .npz file.*(CRC|compressed by)"):
        read_npz(path)


def test_npz_with_a_long_header_is_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    start = b"\x93NUMPY\x02\x00" + struct.pack("<I", MUCH)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("X.npy", "w") as file:
            for chunk in long(start):
                file.write(chunk)
        archive.writestr("y.npy", npy(np.zeros(60, int)))
    with refused("header of an array takes 30000000 bytes, but at most 10000"):
        read_npz(path)


def test_npz_packed_by_numpy_is_read(tmp_path):
    X = np.asfortranarray(np.arange(12.0).reshape(4, 3))
    np.savez_compressed(tmp_path / "data.npz", X=X, y=np.array(["a", "b", "a", "b"]))
    ((result, y),) = read_npz(tmp_path / "data.npz").values()
    np.testing.assert_array_equal(result, X, strict=True)
    assert y.tolist() == ["a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("start", "filling", "line"),
    [
        (b"", b",", 1),
        (b"", b"ab,", 1),
        (b"a,b\n1,2\n", b"1", 3),
        (b"a,b\n", b"1,", 2),
        (b"a,b\n" + 40 * b"1,2\n", b"1,", 42),
    ],
)
def test_csv_with_a_long_line_is_refused(tmp_path, start, filling, line):
    path = tmp_path / "train.csv"
    with path.open("wb") as file:
        file.write(start)
        for _ in range(1000):
            file.write(filling * 10_000)
    with refused(f"line {line}: more than {MAX_LINE} characters; pass such"):
        read_table(path, has_labels=False)


def test_csv_of_nothing_but_empty_lines_at_the_end_is_read_by_lines(tmp_path):
    path = tmp_path / "train.csv"
    with path.open("wb") as file:
        file.write(b"a,b\n1,2\n")
        for _ in range(1500):
            file.write(b" " * 9_999 + b"\n")
    tracemalloc.start()
    np.testing.assert_array_equal(read_table(path, has_labels=False).values, [[1, 2]])
    assert tracemalloc.get_traced_memory()[1] < LITTLE
    tracemalloc.stop()


@pytest.mark.parametrize("cell", ["\0", "1\0", "x" * 100_000, "1e", "--1", "0x1"])
def test_csv_with_a_strange_value_is_refused_in_a_short_message(tmp_path, cell):
    path = tmp_path / "train.csv"
    path.write_text(f"a,b\n1,2\n3,{cell}\n")
    with refused("line 3: (column 'b' has|not text)") as caught:
        read_table(path, has_labels=False)
    assert len(str(caught.value)) < 1000


def test_csv_with_a_long_name_is_refused_in_a_short_message(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text(f"{'x' * 500_000},b\n1,2\n")
    with refused("line 1: there is no column 'label' among x{50}, b. Pass --label") as caught:
        read_table(path)
    assert len(str(caught.value)) < 1000


def test_csv_that_is_too_large_is_refused(tmp_path):
    path = tmp_path / "train.csv"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # takes no room on the disk
    with refused(f"takes {MAX_BYTES + 1} bytes, but at most {MAX_BYTES} are"):
        read_table(path, has_labels=False)


def test_idx_that_claims_too_much_is_refused(tmp_path):
    for name in ("train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / f"{name}-ubyte").write_bytes(b"")
    header = struct.pack(">4I", 2051, 5_500_000, 28, 28)
    with gzip.open(tmp_path / "train-images-idx3-ubyte.gz", "wb") as file:
        for chunk in long(header):
            file.write(chunk)
    with refused(r"says 4312000000 bytes, but at most .* Pass larger data"):
        load_mnist(tmp_path)
