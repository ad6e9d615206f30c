"""Files of numbers."""

import errno
import json
import os
import signal
import stat
import threading
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from skdbn._files.storage import check_can_write, read, write

TREE = {
    "number": 0.1,
    "big": 2**63 + 11,
    "nothing": None,
    "flag": True,
    "text": "ä",
    "infinite": float("inf"),
    "scalar": np.float32(0.5),
    "fraction": Fraction(1, 4),
    "list": [1, (2, [3.0])],
    "numbers as keys": {3: 0.5, -1.5: [2], True: None, "text": {7: np.arange(2)}},
    "nested": {
        "float32": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "empty": np.zeros((0, 3)),
        "zero_dimensional": np.array(2.0),
        "text": np.array(["a", "bcd"]),
        "objects": np.array(["a", "bcd"], object),
        "bools": np.array([True, False]),
    },
}

WHAT_IS_READ = {**TREE, "scalar": 0.5, "fraction": 0.25}


@pytest.fixture
def path(tmp_path):
    write(tmp_path / "file", "model", TREE)
    return tmp_path / "file"


def assert_same(one, other):
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, strict=True)
    else:
        assert one == other


def test_what_is_written_is_read(path):
    assert_same(read(path, "model"), WHAT_IS_READ)
    read(path, "model")["nested"]["float32"][0, 0] = 1.0  # it can be written to


def test_file_of_another_kind_is_refused(path):
    with pytest.raises(ValueError, match="contains a model, not a checkpoint"):
        read(path, "checkpoint")


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([object()]), 1j, b"bytes"])
def test_what_can_not_be_stored_is_refused_and_leaves_the_older_file(path, value):
    with pytest.raises(TypeError, match="cannot be stored"):
        write(path, "model", {"value": value})
    assert os.listdir(path.parent) == ["file"]
    assert_same(read(path, "model"), WHAT_IS_READ)


def test_failed_writing_leaves_the_older_file_and_nothing_else(path, monkeypatch):
    def fail(handle):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write(path, "model", {"value": 1})
    assert os.listdir(path.parent) == ["file"]
    assert_same(read(path, "model"), WHAT_IS_READ)


def test_file_is_replaced_at_once_when_the_new_one_is_complete(path, monkeypatch):
    replace, replaced = os.replace, []

    def look_and_replace(new, old):
        assert read(new, "model") == {"value": 1}
        assert_same(read(old, "model"), WHAT_IS_READ)
        replaced.append(old)
        replace(new, old)

    monkeypatch.setattr(os, "replace", look_and_replace)
    write(path, "model", {"value": 1})
    assert replaced == [path]
    assert read(path, "model") == {"value": 1}


def test_error_of_the_last_step_is_raised_and_leaves_no_file(path, monkeypatch):
    def fail(new, old):
        raise PermissionError("not allowed")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(PermissionError, match="not allowed"):
        write(path, "model", {"value": 1})
    assert os.listdir(path.parent) == ["file"]


def test_array_that_was_exchanged_is_refused(path):
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    name = next(name for name, array in arrays.items() if array.dtype == np.float32)
    arrays[name] = arrays[name] + 1  # in an archive that is whole in itself
    with path.open("wb") as file:
        np.savez(file, **arrays)
    with pytest.raises(ValueError, match="its content does not match its checksum"):
        read(path, "model")


def test_every_truncation_is_refused(path):
    content = path.read_bytes()
    for length in [*range(0, len(content), 37), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"damaged|not a file of skdbn"):
            read(path, "model")


@pytest.mark.exhaustive
def test_no_altered_byte_changes_what_is_read(path):
    # Two arrays beside those of the header and the checksum; more would be read for each byte.
    nested = {name: TREE["nested"][name] for name in ("float32", "text")}
    expected = {"number": 0.1, "list": [1, (2, [3.0])], "nested": nested}
    write(path, "model", expected)
    content = path.read_bytes()
    n_refused = 0
    for position in range(len(content)):
        altered = bytearray(content)
        altered[position] ^= 1 << (position % 8)
        path.write_bytes(altered)
        try:
            tree = read(path, "model")
        except ValueError:
            n_refused += 1
        else:  # a byte that means nothing, such as the time in the archive
            assert_same(tree, expected)
    assert n_refused > 0.5 * len(content)


def test_random_bytes_are_refused(path):
    rng = np.random.default_rng(0)
    for n_bytes in (0, 1, 100, 10_000):
        path.write_bytes(rng.bytes(n_bytes))
        with pytest.raises(ValueError, match=r"damaged|not a file of skdbn"):
            read(path, "model")


@pytest.mark.parametrize("pairs", [3, [3], [[1, 2, 3]], [[[], 1]], None])
def test_dict_made_to_deceive_is_refused(path, pairs, monkeypatch):
    monkeypatch.setattr("skdbn._files.storage._encode", lambda *_: {"__pairs__": pairs})
    write(path, "model", {})
    with pytest.raises(ValueError, match="is damaged: its header does not fit"):
        read(path, "model")


def test_compressed_archive_is_refused_before_it_takes_memory(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", b"\0" * 10_000_000)
    with pytest.raises(ValueError, match="more content than its size"):
        read(path, "model")


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_archive_is_refused_whatever_it_claims(path, compression):
    noise = np.random.default_rng(0).integers(0, 256, 10_000).astype(np.uint8)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("header.npy", noise.tobytes())
        archive.writestr("comment", b"", zipfile.ZIP_STORED)
    with pytest.raises(ValueError, match="it is compressed"):
        read(path, "model")


def test_array_that_claims_to_be_huge_is_refused(path):
    huge = b"\x93NUMPY\x01\x00\x76\x00" + (
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b"\n"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.npy", huge)
    with pytest.raises(ValueError, match=r"shape \(1000000000000,\) and type float64 would take"):
        read(path, "model")


def test_pickled_objects_are_refused(path):
    np.savez(path.with_suffix(".npz"), header=np.array([{}], object))
    with pytest.raises(ValueError, match="an array contains objects"):
        read(path.with_suffix(".npz"), "model")


@pytest.mark.parametrize(
    "header",
    [
        "((((",
        "'''",
        "{'descr':",
        "{}",
        "[]",
        "-" * 3000 + "1",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3L,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}",
        "{'descr': '<f8', 'fortran_order': 1, 'shape': (0,)}",
        "{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,)}",
        "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (0,)}",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (0,)}",
        "{'descr': 'text', 'fortran_order': False, 'shape': (0,)}",
    ],
)
def test_header_of_an_array_made_to_deceive_is_refused(path, header):
    content = header.encode()  # with the right checksum of the archive, unlike altered bytes
    content = b"\x93NUMPY\x02\x00" + len(content).to_bytes(4, "little") + content
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.npy", content)
    with pytest.raises(ValueError, match="damaged or not a file of skdbn"):
        read(path, "model")


@pytest.mark.parametrize("sort", ["folder", "device"])
def test_what_has_no_end_is_refused(tmp_path, sort):
    path = tmp_path if sort == "folder" else Path("/dev/zero")
    if not path.exists():
        pytest.skip("no such device here")
    with pytest.raises(ValueError, match="a folder or a device"):
        read(path, "model")


def test_archive_without_header_is_refused(path):
    np.savez(path.with_suffix(".npz"), X=np.zeros(3))
    with pytest.raises(ValueError, match="no header or no checksum"):
        read(path.with_suffix(".npz"), "model")


def test_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="the folder does not exist") as caught:
        write(tmp_path / "models" / "today" / "rbm.npz", "model", {})
    assert caught.value.filename == str(tmp_path / "models" / "today")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_system_errors_name_the_file(path, monkeypatch, step):
    named = ["a.tmp"] if step == "replace" else []

    def fail(*_):
        raise PermissionError(errno.EACCES, "Permission denied", *named)

    monkeypatch.setattr(f"skdbn._files.storage.os.{step}", fail)
    with pytest.raises(PermissionError) as caught:
        write(path, "model", {})
    assert str(caught.value) == f"[Errno {errno.EACCES}] Permission denied: {str(path)!r}"


def test_a_file_for_which_memory_does_not_suffice_is_not_called_damaged(path, monkeypatch):
    def fail(*_):
        raise MemoryError

    write(path, "model", {"a": np.zeros(3)})
    monkeypatch.setattr("skdbn._files.storage.read_array", fail)
    with pytest.raises(MemoryError):
        read(path, "model")


def test_header_that_is_nested_too_deeply_is_damage(path):
    header = b"-" * 9000 + b"1"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("header", "checksum"):
            content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
            archive.writestr(f"{name}.npy", content)
    with pytest.raises(ValueError, match="is damaged or not a file of skdbn"):
        read(path, "model")


def test_newer_format_says_what_to_do(path, monkeypatch):
    for tree, writer in (({"version": "9.9"}, "9.9"), ({}, "of an unknown version")):
        with monkeypatch.context() as patch:
            patch.setattr("skdbn._files.storage.FORMAT_VERSION", 3)
            write(path, "model", tree)
        message = f"by skdbn {writer} in the format skdbn 3, .* reads skdbn 2. Read the file with"
        with pytest.raises(ValueError, match=message):
            read(path, "model")


def test_header_is_json(path):
    with np.load(path, allow_pickle=False) as archive:
        assert json.loads(bytes(archive["header"]))["kind"] == "model"


# -- where a file may not be written, and what is left there


def make_pipe(path):
    os.mkfifo(path)


@pytest.mark.parametrize("make", [make_pipe, Path.mkdir])
@pytest.mark.parametrize("through_link", [False, True])
def test_what_is_no_file_is_not_replaced(make, through_link, tmp_path):
    path = tmp_path / "special"
    make(path)
    kind = stat.S_IFMT(path.stat().st_mode)
    if through_link:
        path = tmp_path / "link"
        path.symlink_to(tmp_path / "special")
    before = sorted(os.listdir(tmp_path))
    for attempt in (write, lambda path, _, tree: check_can_write(path, tree)):
        with pytest.raises(ValueError, match="special is a folder, a device or a pipe, which a"):
            attempt(path, "model", TREE)
    assert stat.S_IFMT((tmp_path / "special").stat().st_mode) == kind
    assert sorted(os.listdir(tmp_path)) == before


def test_file_is_written_through_a_link(path):
    link = path.with_name("link")
    link.symlink_to(path)
    write(link, "model", {"value": 1})
    assert link.is_symlink()
    assert read(path, "model") == {"value": 1}


def test_link_in_the_place_of_the_temporary_file_is_not_followed(path):
    precious = path.with_name("precious")
    precious.write_text("text")
    path.with_name(".file.tmp").symlink_to(precious)
    with pytest.raises(OSError, match="file") as caught:
        write(path, "model", {"value": 1})
    assert caught.value.filename == str(path)
    assert precious.read_text() == "text"


def test_killed_processes_leave_one_file_which_the_next_writer_removes(path, monkeypatch):
    parent = os.getpid()

    def kill_child(handle):
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(os, "fsync", kill_child)
    for _ in range(3):
        child = os.fork()
        if child == 0:
            try:
                write(path, "model", {"value": 1})
            finally:
                os._exit(1)  # whatever went wrong
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert sorted(os.listdir(path.parent)) == [".file.tmp", "file"]
    assert_same(read(path, "model"), WHAT_IS_READ)
    write(path, "model", {"value": 2})
    assert os.listdir(path.parent) == ["file"]
    assert read(path, "model") == {"value": 2}


def test_writers_of_the_same_file_wait_for_each_other(path):
    arrays = [np.full(50_000, float(i)) for i in range(4)]
    errors = []

    def write_often(array):
        try:
            for _ in range(20):
                write(path, "model", {"array": array})
                assert (read(path, "model")["array"] % 1.0 == 0.0).all()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write_often, args=(array,)) for array in arrays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert os.listdir(path.parent) == ["file"]


def test_permissions_are_those_of_the_file_before_or_of_any_new_file(path, monkeypatch):
    def refuse(mask):
        raise AssertionError("other threads create files meanwhile")

    new = path.with_name("new")
    new.touch()
    expected = stat.S_IMODE(new.stat().st_mode)
    new.unlink()
    monkeypatch.setattr(os, "umask", refuse)
    write(new, "model", {})
    assert stat.S_IMODE(new.stat().st_mode) == expected
    new.chmod(0o640)
    write(new, "model", {})
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["x" * 246, "x" * 250, "x" * 251, "x" * 255, "ä" * 127])
def test_names_may_be_as_long_as_the_system_allows(name, tmp_path):
    write(tmp_path / name, "model", {"value": 1})
    check_can_write(tmp_path / name, {})
    assert read(tmp_path / name, "model") == {"value": 1}
    assert os.listdir(tmp_path) == [name]


def test_error_of_the_system_names_the_file(path, monkeypatch):
    def refuse(name, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(name))

    monkeypatch.setattr(os, "open", refuse)
    for attempt in (write, lambda path, _, tree: check_can_write(path, tree)):
        with pytest.raises(PermissionError) as caught:
            attempt(path, "model", {})
        assert caught.value.filename == str(path)


def test_whether_a_file_can_be_written_is_told_without_a_trace(path):
    check_can_write(path, TREE)
    check_can_write(path.with_name("new"), TREE)
    assert os.listdir(path.parent) == ["file"]
    assert_same(read(path, "model"), WHAT_IS_READ)
    with pytest.raises(TypeError, match="cannot be stored"):
        check_can_write(path, {"value": object()})
    with pytest.raises(FileNotFoundError, match="the folder does not exist"):
        check_can_write(path / "more" / "file", {})


def test_strings_of_very_different_length_take_their_own_bytes(path):
    write(path, "model", {"labels": np.array(["a" * 100_000, *"bcdefgh"], object)})
    assert path.stat().st_size < 110_000
