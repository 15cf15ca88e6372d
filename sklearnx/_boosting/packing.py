"""Trees in few bytes, the same on every machine: what pickles hold.

Field by field, the first bytes of all numbers, then the second ones, and so on: signs,
exponents and small integers are then runs of nearly equal bytes, which zlib shortens.
A node takes 64 bytes in memory, and about 22 here.
"""

import sys
import zlib

import numpy as np

# More would take twice as long to save a twentieth.
LEVEL = 3
# Zeros of the structure, or the same in both arrays.
LEFT_OUT = {"unused"}


def pack(array):
    """Return an array as a tuple of plain objects.

    Parameters
    ----------
    array : ndarray
        Of numbers, or a structured one of such.

    Returns
    -------
    packed : tuple
        The shape, and a dict of the fields by name or one field, each a tuple of the
        name of a little-endian dtype and bytes.
    """
    if array.dtype.names is None:
        return array.shape, _pack_field(array)
    fields = {
        name: _pack_field(array[name])
        for name in array.dtype.names
        if name not in LEFT_OUT
    }
    return array.shape, fields


def unpack(packed, dtype):
    """Return the array.

    Parameters
    ----------
    packed : tuple
        What `pack` returned.
    dtype : dtype

    Raises
    ------
    ValueError
        If it is no such tuple.
    """
    try:
        shape, fields = packed
        array = np.zeros(shape, dtype=dtype)
        if array.dtype.names is None:
            array[...] = _unpack_field(fields, shape)
            return array
        for name in array.dtype.names:
            if name not in LEFT_OUT:
                array[name] = _unpack_field(fields[name], shape)
    except (KeyError, TypeError, OverflowError, zlib.error) as error:
        raise ValueError(f"The arrays of a model make no sense: {error}") from error
    return array


def _pack_field(values):
    if values.dtype.kind in "iu":
        values = values.astype(_find_smallest(values), copy=False)
    dtype = values.dtype.newbyteorder("<")
    values = np.ascontiguousarray(values, dtype=dtype)
    planes = values.reshape(-1).view(np.uint8).reshape(values.size, dtype.itemsize).T
    return dtype.str, zlib.compress(planes.tobytes(), LEVEL)


def _find_smallest(values):
    """Return the smallest type that holds all integers of an array."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    for name in ("i1", "i2", "i4", "i8"):
        if np.iinfo(name).min <= low and high <= np.iinfo(name).max:
            return np.dtype(name)
    return values.dtype


def _unpack_field(packed, shape):
    name, data = packed
    dtype = np.dtype(name)
    planes = np.frombuffer(zlib.decompress(data), dtype=np.uint8)
    items = np.ascontiguousarray(planes.reshape(dtype.itemsize, -1).T)
    values = items.reshape(-1).view(dtype).reshape(shape)
    return (
        values if sys.byteorder == "little" else values.astype(dtype.newbyteorder("="))
    )


def mark_equal(values, others, is_equal):
    """Return 64-bit numbers without the bits that others have, and the other way round.

    Parameters
    ----------
    values, others : float64 arrays of shape (n,)
    is_equal : bool array of shape (n,)
        Where the two are likely to be the same: zeros then.
    """
    bits = np.where(is_equal, np.ascontiguousarray(others).view(np.uint64), 0)
    return (np.ascontiguousarray(values).view(np.uint64) ^ bits).view(np.float64)
