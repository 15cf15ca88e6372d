"""The container of model files: safetensors, memory-mapped, with a checksum.

A file is eight bytes with the length of the header, the header in JSON, and the arrays
one behind the other (the format of https://github.com/huggingface/safetensors). Texts
of ours are entries of ``__metadata__`` there. The package `safetensors` reads such
files, but copies each array; here arrays are views of the mapped file.
"""

import contextlib
import hashlib
import json
import mmap
import os
import re
import tempfile
from pathlib import Path

import numpy as np

FORMAT = "sklearnx"
# What safetensors calls the types that it has; arrays of others are bytes to it.
TENSOR_TYPES = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
NAMES_OF_TYPES = {dtype: name for name, dtype in TENSOR_TYPES.items()}
# Arrays begin at a multiple of a cache line, and each at one of its own items.
ALIGNMENT = 64
# That of safetensors.
MAX_HEADER = 100_000_000
_CHECKSUM = re.compile(rb'"sha256":"([0-9a-f]{64})"')
_NO_CHECKSUM = "0" * 64


class ModelFileError(ValueError):
    """A file is no model file, is damaged, or holds what cannot be read."""


# ---- writing -------------------------------------------------------------------------


def write_container(path, arrays, texts):
    """Write a file, all of it or nothing.

    Parameters
    ----------
    path : str or path-like
    arrays : dict of str to ndarray
        Little-endian arrays of `TENSOR_TYPES`.
    texts : dict of str to str
        What is to be read without the arrays.

    Raises
    ------
    OSError
        If the file cannot be written; one that was there before is as it was.
    """
    # Larger items first, so that all are aligned without gaps, which are not allowed.
    arrays = dict(sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize))
    table, end = {}, 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        table[name] = {
            "dtype": NAMES_OF_TYPES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
    metadata = {"format": FORMAT, "sha256": _NO_CHECKSUM, **texts}
    header = json.dumps({"__metadata__": metadata, **table}, separators=(",", ":"))
    header = header.encode("ascii")
    header += b" " * (-(8 + len(header)) % ALIGNMENT)
    if len(header) > MAX_HEADER:
        raise ModelFileError(
            f"The description of the model takes {len(header):,} bytes, more than a "
            f"file may have ({MAX_HEADER:,})."
        )
    parts = [len(header).to_bytes(8, "little"), header]
    parts += [np.ascontiguousarray(array).data for array in arrays.values()]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    parts[1] = header.replace(
        _NO_CHECKSUM.encode(), digest.hexdigest().encode("ascii"), 1
    )
    _write_atomically(Path(path), parts)


def _write_atomically(path, parts):
    """Write a file beside the other, then put it in its place."""
    descriptor, temporary = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"
    )
    try:
        with open(descriptor, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _find_mode(path))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _find_mode(path):
    """Return the permissions that a file has there, or that a new one would have."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


# ---- reading -------------------------------------------------------------------------


def read_container(path):
    """Return the texts and the arrays of a file.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    texts : dict of str to str
    arrays : dict of str to ndarray
        Read-only views of the mapped file. It may be replaced or removed meanwhile,
        but not be cut or written over in place.

    Raises
    ------
    ModelFileError
        If the file is not one of ours, or is damaged.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < 8:
            raise ModelFileError(f"{path} is not a model file: it has {size} bytes.")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    data = np.frombuffer(mapped, dtype=np.uint8)
    end = 8 + int.from_bytes(data[:8].tobytes(), "little")
    if end > min(size, MAX_HEADER):
        raise ModelFileError(f"{path} is not a model file, or is cut short.")
    header = data[8:end].tobytes()
    _verify(path, data, header)
    try:
        table = json.loads(header)
        texts = table.pop("__metadata__")
        arrays = {
            name: _find_array(data, end, **entry) for name, entry in table.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{path} has a header that makes no sense.") from error
    if not all(isinstance(text, str) for text in texts.values()):
        raise ModelFileError(f"{path} has a header that makes no sense.")
    return texts, arrays


def _verify(path, data, header):
    """Compare the checksum, before anything else is read of the file."""
    found = _CHECKSUM.search(header)
    if found is None:
        raise ModelFileError(
            f"{path} is not a model file of sklearnx: it has no checksum."
        )
    digest = hashlib.sha256(data[:8])
    digest.update(header.replace(found[1], _NO_CHECKSUM.encode("ascii"), 1))
    digest.update(data[8 + len(header) :])
    if digest.hexdigest().encode("ascii") != found[1]:
        raise ModelFileError(
            f"{path} is damaged: its checksum is not that of its data."
        )


def _find_array(data, base, dtype, shape, data_offsets):
    """Return a view of the bytes of one array, whose offsets count from `base`."""
    dtype = TENSOR_TYPES[dtype]
    start, stop = (base + offset for offset in data_offsets)
    n_items = 1
    for length in shape:
        if type(length) is not int or length < 0:
            raise ValueError("a shape")
        n_items *= length
    if (
        not base <= start <= stop <= len(data)
        or stop - start != n_items * dtype.itemsize
        or start % dtype.itemsize != 0
    ):
        raise ValueError("a place")
    return data[start:stop].view(dtype).reshape(shape)
