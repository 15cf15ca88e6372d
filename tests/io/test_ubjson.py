"""Universal Binary JSON is read as it was written, and nothing else is."""

import itertools
import struct
import time
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearnx._io.ubjson import MAX_DEPTH, NUMBERS, read_ubjson


def write(value):
    """Return the bytes that XGBoost writes for a value."""
    if value is None or value is True or value is False:
        return {None: b"Z", True: b"T", False: b"F"}[value]
    if isinstance(value, int):
        return b"L" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"D" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"S" + write_text(value)
    if isinstance(value, np.ndarray):
        types = {
            dtype.newbyteorder("="): type_ for type_, (_, dtype) in NUMBERS.items()
        }
        head = b"[$" + types[value.dtype].encode() + b"#" + write(len(value))
        return head + value.astype(value.dtype.newbyteorder(">")).tobytes()
    if isinstance(value, list):
        return b"[#" + write(len(value)) + b"".join(map(write, value))
    members = (write_text(name) + write(member) for name, member in value.items())
    return b"{" + b"".join(members) + b"}"


def write_text(text):
    data = text.encode()
    return write(len(data)) + data


VALUES = {
    "": None,
    "ä\0": "ö",
    "numbers": [1, -1, 2**63 - 1, 0.1, float("inf")],
    "truth": [True, False, None, [], {}, ""],
    "nested": {"a": [{"b": [[1]]}]},
}


def test_values():
    assert read_ubjson(write(VALUES)) == VALUES


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("size", [0, 1, 1000])
def test_arrays(dtype, size):
    values = np.random.default_rng(0).normal(0, 30, size).astype(dtype)
    values[:1] = np.iinfo(dtype).min if values.dtype.kind == "i" else 3
    read = read_ubjson(write({"values": values}))["values"]
    assert read.dtype == values.dtype
    assert_array_equal(read, values)


@pytest.mark.parametrize(
    "data, expected",
    [
        (b"i\xff", -1),
        (b"U\xff", 255),
        (b"I\xff\xfe", -2),
        (b"l\x00\x00\x00\x07", 7),
        (b"d?\x80\x00\x00", 1.0),
        (b"[i\x01Si\x01aZ]", [1, "a", None]),
        (b"[]", []),
        (b"{}", {}),
        (b"{i\x01aTU\x01aF}", {"a": False}),
    ],
)
def test_small_forms(data, expected):
    read = read_ubjson(data)
    assert read == expected
    assert type(read) is type(expected)


LONG = struct.pack(">q", 2**62)
DAMAGED = {
    "nothing": b"",
    "unknown type": b"x",
    "unknown type of items": b"[$S#i\x01i\x01a",
    "items of no size": b"[$Z#L" + LONG,
    "items of booleans": b"[$T#L" + LONG,
    "no count of items": b"[$iL",
    "no type of items": b"[$",
    "more items than bytes": b"[#L" + LONG + b"i\x01",
    "more numbers than bytes": b"[$d#L" + LONG + bytes(100),
    "longer than the end": b"SL" + LONG + b"a",
    "negative length": b"Si\xff",
    "negative count": b"[#i\xff",
    "negative count of numbers": b"[$d#i\xff",
    "length that is no integer": b"Sd\x00\x00\x00\x00",
    "length that is a text": b"SSi\x01a",
    "no end of an array": b"[i\x01",
    "no end of an object": b"{i\x01aT",
    "no member": b"{i\x01a",
    "no UTF-8": b"Si\x01\xff",
    "name that is no UTF-8": b"{i\x01\xffT}",
    "bytes behind": b"TT",
    "deep arrays": b"[" * 10**6,
    "deep objects": b"{i\x00" * 10**6,
    "deep counted arrays": b"[#i\x01" * 10**6,
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_refuses(data):
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with pytest.raises(ValueError, match="Universal Binary JSON"):
            read_ubjson(data)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - start < 20


def test_depth():
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert len(read_ubjson(deepest)) == 1
    with pytest.raises(ValueError, match="nested"):
        read_ubjson(b"[" + deepest + b"]")


def test_every_part_and_every_bit():
    values = {**VALUES, "array": np.arange(5, dtype=np.float32)}
    data = write(values)
    for end in range(len(data)):
        with pytest.raises(ValueError, match="Universal Binary JSON"):
            read_ubjson(data[:end])
    n_refused = 0
    for position, bit in itertools.product(range(len(data)), range(8)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << bit
        try:
            read_ubjson(bytes(flipped))
        except ValueError:
            n_refused += 1
    # Others have other texts and numbers.
    assert n_refused > len(data)
