"""The fields of a model of XGBoost, each checked for what it should be.

JSON has lists where Universal Binary JSON has arrays, and both have numbers as texts.
"""

from __future__ import annotations

import numpy as np

NAMES_OF_KINDS = {dict: "an object", list: "an array", str: "a text"}
# By the kind of an array: the types of a list's items, and of an array's dtype.
ITEMS = {
    np.int64: ({int, bool}, "iu"),
    np.float64: ({int, float, bool}, "iuf"),
}
# More digits are no count.
MAX_DIGITS = 18


def refuse(what):
    """Raise the error that says why a model cannot be read."""
    raise ValueError(f"The XGBoost model {what}.")


def get_field(fields, name, kind):
    """Return a field of a kind: dict, list or str."""
    value = fields.get(name)
    if not isinstance(value, kind):
        refuse(
            f"has {_describe(value)} as {name!r}, where {NAMES_OF_KINDS[kind]} is "
            "expected"
        )
    return value


def get_count(fields, name, default=None):
    """Return a field that is a whole number from 0, or the text of one."""
    value = fields.get(name, default)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value) if len(value) <= MAX_DIGITS else value
    if type(value) is not int or value < 0:
        refuse(f"has {_describe(value)} as {name!r}, where a whole number is expected")
    return value


def get_array(fields, name, dtype, size=None, default=None):
    """Return a field that is an array of numbers.

    Parameters
    ----------
    fields : dict
    name : str
    dtype : numpy.int64 or numpy.float64
    size : int or None, default=None
        How many numbers it has to have.
    default : int or None, default=None
        What all numbers are where there is no such field.

    Returns
    -------
    array : ndarray of shape (n_numbers,)
        Of `dtype`.
    """
    values = fields.get(name)
    if values is None and default is not None:
        return np.full(size, default, dtype=dtype)
    types, kinds = ITEMS[dtype]
    if isinstance(values, np.ndarray):
        is_valid = values.dtype.kind in kinds
    else:
        is_valid = isinstance(values, list) and set(map(type, values)) <= types
    if not is_valid:
        kind = "whole numbers" if dtype is np.int64 else "numbers"
        refuse(f"has {_describe(values)} as {name!r}, where {kind} are expected")
    try:
        array = np.array(values, dtype=dtype)
    except OverflowError as error:
        raise ValueError(
            f"The XGBoost model has too large a number in {name!r}."
        ) from (error)
    if size is not None and len(array) != size:
        refuse(f"has {len(array)} numbers as {name!r}, where {size} are expected")
    return array


def _describe(value):
    """Return what an error calls a value."""
    if isinstance(value, (list, np.ndarray)):
        return "an array of something else"
    if isinstance(value, dict):
        return "an object"
    text = repr(value)
    return text if len(text) <= 50 else f"{text[:50]}..."
