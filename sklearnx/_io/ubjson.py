"""Read Universal Binary JSON, as much of it as XGBoost writes.

The format is draft 12 of ubjson.org: a byte says what follows, numbers are big-endian,
and an array may say first how many items it has and of which type all are. The bytes
may come from anywhere: nothing is read beyond their end, and what they claim to hold
takes no memory before it is there.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

# Numbers by the byte that precedes them: how to read one, and the dtype of many.
NUMBERS = {
    "i": (struct.Struct(">b"), np.dtype(">i1")),
    "U": (struct.Struct(">B"), np.dtype(">u1")),
    "I": (struct.Struct(">h"), np.dtype(">i2")),
    "l": (struct.Struct(">i"), np.dtype(">i4")),
    "L": (struct.Struct(">q"), np.dtype(">i8")),
    "d": (struct.Struct(">f"), np.dtype(">f4")),
    "D": (struct.Struct(">d"), np.dtype(">f8")),
}
INTEGERS = "iUIlL"
CONSTANTS = {"Z": None, "T": True, "F": False}
# Of arrays and objects within each other; models have less than ten.
MAX_DEPTH = 64


def read_ubjson(data: bytes) -> Any:
    """Return the value that Universal Binary JSON stands for.

    Parameters
    ----------
    data : bytes
        All of it, and nothing else.

    Returns
    -------
    value : object
        Dicts, lists, strings, numbers, booleans and None; arrays that declare the type
        of their numbers are ndarrays of shape (n_items,).

    Raises
    ------
    ValueError
        If the bytes are no such value.
    """
    reader = _Reader(data)
    value = reader.read_value(reader.read_type(), depth=0)
    if reader.position < len(data):
        raise reader.make_error(f"has {len(data) - reader.position} bytes too many")
    return value


class _Reader:
    """The bytes, and how many of them have been read."""

    def __init__(self, data):
        self._data = data
        self.position = 0

    def make_error(self, what):
        """Return what to raise."""
        return ValueError(f"The Universal Binary JSON {what}, at byte {self.position}.")

    def _take(self, n_bytes):
        """Return the next bytes."""
        if n_bytes > len(self._data) - self.position:
            raise self.make_error("ends too early")
        start = self.position
        self.position += n_bytes
        return self._data[start : self.position]

    def read_type(self):
        """Return the byte that says what follows, as a character."""
        return self._take(1).decode("latin-1")

    def _skip(self, expected):
        """Read a byte if it is the expected one, and return whether it was."""
        is_there = self._data[self.position : self.position + 1] == expected
        self.position += is_there
        return is_there

    def read_value(self, type_, depth):
        """Return the value of a type that has been read."""
        if type_ in NUMBERS:
            format_, _ = NUMBERS[type_]
            return format_.unpack(self._take(format_.size))[0]
        if type_ in CONSTANTS:
            return CONSTANTS[type_]
        if type_ == "S":
            return self._read_string(self._read_length())
        if type_ not in "[{":
            raise self.make_error(f"has a value of the unknown type {type_!r}")
        if depth == MAX_DEPTH:
            raise self.make_error(f"is nested more than {MAX_DEPTH} times")
        read = self._read_array if type_ == "[" else self._read_object
        return read(depth + 1)

    def _read_length(self):
        type_ = self.read_type()
        if type_ not in INTEGERS:
            raise self.make_error(f"has a length of the type {type_!r}")
        length = self.read_value(type_, depth=0)
        if length < 0:
            raise self.make_error(f"has a length of {length}")
        return length

    def _read_string(self, length):
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.make_error("has a text that is not UTF-8") from error

    def _read_array(self, depth):
        if self._skip(b"$"):
            return self._read_numbers()
        if self._skip(b"#"):
            length = self._read_length()
            # An item takes a byte at least.
            if length > len(self._data) - self.position:
                raise self.make_error("ends too early")
            return [self.read_value(self.read_type(), depth) for _ in range(length)]
        items = []
        while not self._skip(b"]"):
            items.append(self.read_value(self.read_type(), depth))
        return items

    def _read_numbers(self):
        """Return an array of numbers of one type."""
        type_ = self.read_type()
        if type_ not in NUMBERS or not self._skip(b"#"):
            raise self.make_error(f"has an array of the unknown type {type_!r}")
        _, dtype = NUMBERS[type_]
        values = np.frombuffer(self._take(self._read_length() * dtype.itemsize), dtype)
        return values.astype(dtype.newbyteorder("="))

    def _read_object(self, depth):
        members = {}
        while not self._skip(b"}"):
            name = self._read_string(self._read_length())
            members[name] = self.read_value(self.read_type(), depth)
        return members
