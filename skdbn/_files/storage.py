"""Files of numbers: a zip archive of .npy arrays with a JSON header and a checksum, no pickle.

The rule: files are untrusted. Nothing in a file is executed, no size in it is believed before it is
compared with the size of the file, and any defect is reported as a ValueError of one sentence.
"""

import ast
import contextlib
import errno
import hashlib
import json
import math
import os
import stat
import time
import zipfile
from numbers import Real
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows, where two writers of one file interfere with each other
    fcntl = None

FORMAT, FORMAT_VERSION = "skdbn", 2
KINDS = "biufU"  # bools, integers, floats, strings
PLAIN = bool | int | float | str  # types of JSON
MAX_NPY_HEADER = 10_000
MAX_NAME = 255  # bytes that file systems allow in a name
READ_AT_ONCE = 2**20  # bytes
HAS_MODES = os.name != "nt"  # on Windows a file that may only be read cannot be renamed or removed
WAITS = () if HAS_MODES else (0.1, 0.2, 0.4, 0.8, 1.6)  # seconds
# A link in place of a temporary file would lead to a file of somebody else.
FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)


def write(path, kind, tree):
    """Write nested numbers, strings and arrays to a file, entirely or not at all.

    Parameters
    ----------
    path : str or path-like
        The file. An existing file is replaced in one step, once the new one is safe on the disk.
    kind : str
        Kind of the content, such as "model".
    tree : dict
        Nested dicts, lists, tuples, arrays, numbers, strings and None.

    Raises
    ------
    TypeError
        If something in the tree cannot be stored.
    ValueError
        If the path exists and is not a regular file.
    OSError
        If the file cannot be written.
    """
    arrays = {}
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "tree": _encode(tree, arrays),
    }
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with replaced(path) as file:
        np.savez(file, checksum=_checksum(arrays), **arrays)


def check_can_write(path, tree):
    """Raise the errors that `write` would raise, before all of the content exists.

    Parameters
    ----------
    path : str or path-like
        The file to be written.
    tree : dict
        Part of its content.

    Raises
    ------
    TypeError
        If something in the tree cannot be stored.
    ValueError
        If the path exists and is not a regular file.
    OSError
        If the file cannot be written.
    """
    _encode(tree, {})
    path = _target(path)
    temporary = _temporary(path)
    with _errors_of(path), _locked(temporary):
        temporary.open("ab").close()
        os.unlink(temporary)


@contextlib.contextmanager
def replaced(path):
    """Open a file that replaces the one at a path in one step, once it is complete.

    Parameters
    ----------
    path : path-like
        The path.

    Yields
    ------
    binary file
        The file to write.

    Raises
    ------
    ValueError
        If the path exists and is not a regular file.
    OSError
        If the file cannot be written.

    Notes
    -----
    The file is written under a temporary name, which is always the same for a path: leftovers of a
    killed process are overwritten, and another writer is waited for, except on Windows.
    """
    path = _target(path)
    temporary = _temporary(path)
    with _errors_of(path), _locked(temporary):
        try:
            with temporary.open("wb") as file:
                if path.exists() and HAS_MODES:
                    os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
                yield file
                file.flush()
                os.fsync(file.fileno())
            _rename(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def _target(path):
    """Return the path with links resolved; raise unless a regular file can be written there."""
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the folder does not exist", str(path.parent))
    if path.exists() and not path.is_file():
        raise ValueError(
            f"{path} is a folder, a device or a pipe, which a file cannot replace. Pass the path "
            "of a file."
        )
    return path


def _temporary(path):
    """Return the path at which a file is written until it is complete."""
    name = path.name
    if len(os.fsencode(f".{name}.tmp")) > MAX_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return path.with_name(f".{name}.tmp")


@contextlib.contextmanager
def _locked(temporary):
    """Keep other processes and threads from using a temporary file, created if necessary."""
    if fcntl is None:
        yield
        return
    while True:
        handle = os.open(temporary, FLAGS, 0o666)
        try:
            with contextlib.suppress(OSError):  # some file systems have no locks
                fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_named(handle, temporary):
                yield
                return
        finally:
            os.close(handle)


def _rename(temporary, path):
    """Give a file its name; on Windows wait a little while a process reads its old one."""
    for seconds in WAITS:
        try:
            return os.replace(temporary, path)
        except PermissionError:
            time.sleep(seconds)
    return os.replace(temporary, path)


def _is_named(handle, path):
    """Tell whether an open file still has its name: another writer may have renamed it."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _errors_of(path):
    """Make system errors name the file, and not its temporary name."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # an error of Python, not of the system
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def read(path, kind):
    """Read a file written by `write`.

    Parameters
    ----------
    path : str or path-like
        The file.
    kind : str
        Kind that the content must have.

    Returns
    -------
    dict
        The tree, with new arrays.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is damaged, of another kind, or not of this format.
    """
    arrays = _read_arrays(Path(path))
    checksum, header = arrays.pop("checksum", None), arrays.get("header")
    if checksum is None or header is None:
        raise ValueError(f"{path} is not a file of skdbn: it has no header or no checksum.")
    if not np.array_equal(checksum, _checksum(arrays)):
        raise ValueError(f"{path} is damaged: its content does not match its checksum.")
    try:
        header = json.loads(bytes(header))
        given = header["format"], header["format_version"], header["kind"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is not a file of skdbn: its header is unreadable.") from error
    if given[:2] != (FORMAT, FORMAT_VERSION):
        raise ValueError(
            f"{path} was written by skdbn {_writer(header)} in the format {given[0]} {given[1]}, "
            f"but this version reads {FORMAT} {FORMAT_VERSION}. Read the file with the version "
            "that wrote it, or train anew."
        )
    if given[2] != kind:
        raise ValueError(f"{path} contains a {given[2]}, not a {kind}.")
    try:
        return _decode(header["tree"], {name: _native(array) for name, array in arrays.items()})
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:
        raise ValueError(f"{path} is damaged: its header does not fit its arrays.") from error


def _native(array):
    """Return an array in the byte order of this computer."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _writer(header):
    """Return the version that wrote a file, according to its header."""
    tree = header.get("tree")
    version = tree.get("version") if isinstance(tree, dict) else None
    return version if isinstance(version, str) else "of an unknown version"


def read_array(file, size):
    """Read the array of an .npy file.

    Parameters
    ----------
    file : binary file
        The file, at its start.
    size : int
        Size of the file in bytes; no more are read.

    Returns
    -------
    ndarray
        The array.

    Raises
    ------
    Exception
        Of many types, if the file is not an .npy file. No memory is allocated for content that the
        header claims but the file does not have.
    """
    shape, fortran_order, dtype, header_size = _read_npy_header(file)
    if dtype.hasobject:
        raise ValueError("an array contains objects, which could execute code and are not read")
    n_bytes, n_there = dtype.itemsize * math.prod(shape), size - header_size
    if n_bytes != n_there:
        raise ValueError(
            f"an array of shape {shape} and type {dtype} would take {n_bytes} bytes, but the file "
            f"has {n_there}"
        )
    data = bytearray()  # grows with what is read, and becomes the memory of the array
    while len(data) < n_bytes:
        piece = file.read(min(READ_AT_ONCE, n_bytes - len(data)))
        if not piece:
            raise ValueError(f"an array ends after {len(data)} of {n_bytes} bytes")
        data += piece
    array = np.frombuffer(data, dtype) if data else np.empty(0, dtype)
    return array.reshape(shape, order="F" if fortran_order else "C")


def _encode(value, arrays):
    """Return a value in the types of JSON; put its arrays into a dict."""
    if isinstance(value, dict) and all(_is_plain_name(name) for name in value):
        return {name: _encode(item, arrays) for name, item in value.items()}
    if isinstance(value, dict):  # such as class weights: keys in JSON are strings, and some mark
        return {"__pairs__": _encode([list(pair) for pair in value.items()], arrays)}
    if isinstance(value, list):
        return [_encode(item, arrays) for item in value]
    if isinstance(value, tuple):
        return {"__tuple__": [_encode(item, arrays) for item in value]}
    if isinstance(value, np.ndarray):
        if value.dtype == object and all(isinstance(item, PLAIN) for item in value.ravel()):
            return {"__objects__": value.tolist()}  # in an array each takes the longest length
        if value.dtype.kind not in KINDS:
            raise TypeError(f"An array of type {value.dtype} cannot be stored.")
        name = f"array_{len(arrays)}"
        arrays[name] = value
        return {"__array__": name}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, PLAIN):
        return value
    if isinstance(value, Real):  # such as a fraction
        return float(value)
    raise TypeError(
        f"{value!r} cannot be stored. Only numbers, strings, None, arrays of them, and lists, "
        "tuples and dicts of these can."
    )


def _decode(value, arrays):
    """Invert `_encode`."""
    if isinstance(value, list):
        return [_decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"__tuple__"}:
        return tuple(_decode(value["__tuple__"], arrays))
    if set(value) == {"__pairs__"}:
        return dict(_decode(value["__pairs__"], arrays))
    if set(value) == {"__objects__"}:
        return np.array(value["__objects__"], object)
    if set(value) == {"__array__"}:
        return arrays[value["__array__"]]
    return {name: _decode(item, arrays) for name, item in value.items()}


def _is_plain_name(name):
    """Tell whether a key of a dict may stand in JSON as it is: a string that marks nothing."""
    return isinstance(name, str) and not name.startswith("__")


def _checksum(arrays):
    """Return the SHA-256 of names, types, shapes and content."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    return np.frombuffer(digest.digest(), np.uint8)


def _read_arrays(path):
    """Return the arrays of a file."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a file of skdbn: it is a folder or a device.")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                if sum(member.file_size for member in members) > size:
                    raise ValueError("it claims more content than its size allows")
                if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                    raise ValueError("it is compressed")
                return {
                    member.filename.removesuffix(".npy"): _read_member(archive, member)
                    for member in members
                }
        except MemoryError:
            raise
        except Exception as error:  # a malicious file can cause a dozen types of errors
            raise ValueError(
                f"{path} is damaged or not a file of skdbn ({type(error).__name__}: {error})."
            ) from error


def _read_member(archive, member):
    """Return an array of an archive."""
    with archive.open(member) as file:
        array = read_array(file, member.file_size)
    if array.dtype.kind not in KINDS:
        raise ValueError(f"an array has type {array.dtype}, which is not allowed")
    return array


def _read_npy_header(file):
    """Return the shape, order and type in the header of an .npy file, and the header's length."""
    start = file.read(8)
    n_digits = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4}.get(start)
    if n_digits is None:
        raise ValueError("it contains something other than .npy arrays")
    length = int.from_bytes(file.read(n_digits), "little")
    if length > MAX_NPY_HEADER:
        raise ValueError(
            f"the header of an array takes {length} bytes, but at most {MAX_NPY_HEADER} are read"
        )
    # numpy.lib.format would first read and tokenize a header of any length.
    try:
        header = ast.literal_eval(file.read(length).decode("latin1"))
    except MemoryError:  # what Python calls an expression that is nested too deeply
        raise ValueError("the header of an array is nested too deeply") from None
    shape, fortran_order, descr = (header[name] for name in ("shape", "fortran_order", "descr"))
    if (
        not isinstance(shape, tuple)
        or any(type(n) is not int or n < 0 for n in shape)
        or not isinstance(fortran_order, bool)
        or not isinstance(descr, str)
    ):
        raise ValueError("the header of an array is not one that numpy.save writes for numbers")
    return shape, fortran_order, np.dtype(descr), len(start) + n_digits + length


def _sync_folder(folder):
    """Make the new name as safe on the disk as the file, if the system can."""
    with contextlib.suppress(OSError):  # Windows cannot open folders, others cannot sync them
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
