"""Files of numbers: a zip archive of .npy arrays with a JSON header and a checksum, no pickle.

The rule: a file is untrusted. Nothing in it is executed, no size in it is believed before it is
compared with the size of the file, and whatever is wrong with it is a ValueError of one sentence.
"""

import ast
import errno
import hashlib
import json
import math
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

FORMAT, FORMAT_VERSION = "skdbn", 2
KINDS = "biufU"  # bool, integers, floats, text
MAX_NPY_HEADER = 10_000


def write(path, kind, tree):
    """Write nested numbers, texts and arrays to a file, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        Where to; an older file is replaced at once, when the new one is safe on the disk.
    kind : str
        What it is, such as "model".
    tree : dict
        Nested dicts (of text keys), lists, tuples, arrays, numbers, texts and None.

    Raises
    ------
    TypeError
        When something in the tree cannot be stored.
    OSError
        When the file cannot be written.
    """
    arrays = {}
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "tree": _encode(tree, arrays),
    }
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the folder does not exist", str(path.parent))
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, checksum=_checksum(arrays), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(path.parent)


def read(path, kind):
    """Read what `write` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.
    kind : str
        What it must be.

    Returns
    -------
    dict
        The tree, with arrays of its own.

    Raises
    ------
    OSError
        When the file cannot be read.
    ValueError
        When it is damaged, of another kind, or not such a file.
    """
    arrays = _read_arrays(Path(path))
    checksum, header = arrays.pop("checksum", None), arrays.get("header")
    if checksum is None or header is None:
        raise ValueError(f"{path} is no file of skdbn: it has no header or no checksum.")
    if not np.array_equal(checksum, _checksum(arrays)):
        raise ValueError(f"{path} is damaged: its content does not match its checksum.")
    try:
        header = json.loads(bytes(header))
        given = header["format"], header["format_version"], header["kind"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is no file of skdbn: its header is unreadable.") from error
    if given[:2] != (FORMAT, FORMAT_VERSION):
        raise ValueError(
            f"{path} was written by skdbn {_writer(header)} in the format {given[0]} {given[1]}, "
            f"and this version reads {FORMAT} {FORMAT_VERSION}. Read the file with the version "
            "that wrote it, or train anew."
        )
    if given[2] != kind:
        raise ValueError(f"{path} holds a {given[2]}, not a {kind}.")
    try:
        return _decode(header["tree"], arrays)
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:
        raise ValueError(f"{path} is damaged: its header does not fit its arrays.") from error


def _writer(header):
    """Return the version that wrote a file, as its header says."""
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
        Its size in bytes; no more are read.

    Returns
    -------
    ndarray
        The array.

    Raises
    ------
    Exception
        Of many types, when the file is something else; no memory is taken for what its header
        claims and its size does not hold.
    """
    shape, fortran_order, dtype, header_size = _read_npy_header(file)
    if dtype.hasobject:
        raise ValueError("an array has objects, which are not read: they could be anything")
    n_bytes, n_there = dtype.itemsize * math.prod(shape), size - header_size
    if n_bytes != n_there:
        raise ValueError(
            f"an array of shape {shape} and type {dtype} would take {n_bytes} bytes, and "
            f"{n_there} are there"
        )
    data = file.read(n_bytes)  # read() alone unpacks all that there is, whatever the size says
    if len(data) != n_bytes:
        raise ValueError(f"an array ends after {len(data)} of {n_bytes} bytes")
    array = np.frombuffer(bytearray(data), dtype) if data else np.empty(0, dtype)
    return array.reshape(shape, order="F" if fortran_order else "C")


def _encode(value, arrays):
    """Return a value as JSON knows it; put its arrays into a dict."""
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {name: _encode(item, arrays) for name, item in value.items()}
    if isinstance(value, dict):  # such as the weights of classes: JSON has no keys but texts
        return {"__pairs__": _encode([list(pair) for pair in value.items()], arrays)}
    if isinstance(value, list):
        return [_encode(item, arrays) for item in value]
    if isinstance(value, tuple):
        return {"__tuple__": [_encode(item, arrays) for item in value]}
    if isinstance(value, np.ndarray):
        if value.dtype == object and all(isinstance(item, str) for item in value.ravel()):
            return {"__objects__": _encode(value.astype(np.str_), arrays)}
        if value.dtype.kind not in KINDS:
            raise TypeError(f"An array of type {value.dtype} cannot be stored.")
        name = f"array_{len(arrays)}"
        arrays[name] = value
        return {"__array__": name}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"{value!r} cannot be stored: only numbers, texts, None, arrays of them, and lists, "
        "tuples and dicts of all these can."
    )


def _decode(value, arrays):
    """Return what `_encode` was given."""
    if isinstance(value, list):
        return [_decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"__tuple__"}:
        return tuple(_decode(value["__tuple__"], arrays))
    if set(value) == {"__pairs__"}:
        return dict(_decode(value["__pairs__"], arrays))
    if set(value) == {"__objects__"}:
        return _decode(value["__objects__"], arrays).astype(object)
    if set(value) == {"__array__"}:
        return arrays[value["__array__"]]
    return {name: _decode(item, arrays) for name, item in value.items()}


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
        raise ValueError(f"{path} is no file of skdbn: it is a folder or a device.")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                if sum(member.file_size for member in members) > size:
                    raise ValueError("it claims to hold more than its size")
                if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                    raise ValueError("it is compressed")
                return {
                    member.filename.removesuffix(".npy"): _read_member(archive, member)
                    for member in members
                }
        except Exception as error:  # a dozen types come up when a file is made to deceive
            raise ValueError(
                f"{path} is damaged or no file of skdbn ({type(error).__name__}: {error})."
            ) from error


def _read_member(archive, member):
    """Return an array of an archive."""
    with archive.open(member) as file:
        array = read_array(file, member.file_size)
    if array.dtype.kind not in KINDS:
        raise ValueError(f"an array has type {array.dtype}")
    return array


def _read_npy_header(file):
    """Return the shape, the order and the type in the header of an .npy file, and its length."""
    start = file.read(8)
    n_digits = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4}.get(start)
    if n_digits is None:
        raise ValueError("it has something that is no .npy array")
    length = int.from_bytes(file.read(n_digits), "little")
    if length > MAX_NPY_HEADER:
        raise ValueError(
            f"the header of an array takes {length} bytes, at most {MAX_NPY_HEADER} are read"
        )
    # numpy.lib.format would read a header of any length first, and run a tokenizer over it.
    header = ast.literal_eval(file.read(length).decode("latin1"))
    shape, fortran_order, descr = (header[name] for name in ("shape", "fortran_order", "descr"))
    if (
        not isinstance(shape, tuple)
        or any(type(n) is not int or n < 0 for n in shape)
        or not isinstance(fortran_order, bool)
        or not isinstance(descr, str)
    ):
        raise ValueError("the header of an array was not written by numpy.save for numbers")
    return shape, fortran_order, np.dtype(descr), len(start) + n_digits + length


def _umask():
    """Return the permissions that new files shall lack."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder):
    """Make the new name as safe as the file, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
