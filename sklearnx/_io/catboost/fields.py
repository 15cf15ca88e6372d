"""Checked access to what the JSON of a CatBoost model holds."""

from typing import Any

import numpy as np

REQUIRED = object()
# Beyond what is read from JSON.
LARGEST = {int: 1 << 63, float: np.inf}
_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "an integer",
    float: "a number",
}


def refuse(what: str) -> ValueError:
    """Return the error of a model that makes no sense."""
    return ValueError(f"The CatBoost model is malformed: {what}.")


def get(parent: dict, key: str, kind: type, default: Any = REQUIRED) -> Any:
    """Return an entry of an object.

    Parameters
    ----------
    parent : dict
    key : str
    kind : {dict, list, str, int, float}
        What it must be; integers are numbers as well.
    default : object, default=REQUIRED
        In the place of an entry that is not there, or null.
    """
    value = parent.get(key)
    if value is None:
        if default is REQUIRED:
            raise refuse(f"it lacks {key!r}")
        return default
    return check(value, kind, repr(key))


def check(value: Any, kind: type, name: str) -> Any:
    """Return a value that must be of some kind; numbers must be finite."""
    kinds = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise refuse(f"{name} is {_describe(value)}, expected {_NAMES[kind]}")
    if isinstance(value, int | float) and not abs(value) < LARGEST[type(value)]:
        raise refuse(f"{name} is {_describe(value)}, which is too large")
    return value


def get_objects(parent: dict, key: str) -> list:
    """Return an entry that is a list of objects, empty if there is none."""
    return [
        check(item, dict, f"an item of {key!r}") for item in get(parent, key, list, [])
    ]


def get_index(parent: dict, key: str, stop: float = np.inf) -> int:
    """Return an entry that is an integer of at least 0, below `stop`."""
    value = get(parent, key, int)
    if not 0 <= value < stop:
        limit = "" if stop == np.inf else f" and below {stop}"
        raise refuse(f"{key!r} is {value}, expected at least 0{limit}")
    return value


def read_numbers(values: list, name: str, length: int | None = None) -> np.ndarray:
    """Return a list of finite numbers as a float64 array.

    Parameters
    ----------
    values : list
    name : str
        How errors call it.
    length : int or None, default=None
        How many there must be.
    """
    check(values, list, name)
    if length is not None and len(values) != length:
        raise refuse(f"{name} has {len(values)} numbers, expected {length}")
    if not set(map(type, values)) <= {int, float}:
        value = next(v for v in values if type(v) not in (int, float))
        raise refuse(f"{name} holds {_describe(value)}, expected numbers")
    if not all(abs(value) < LARGEST[type(value)] for value in values):
        raise refuse(f"{name} holds a number that is too large")
    return np.array(values, dtype=np.float64)


def _describe(value):
    if isinstance(value, int) and abs(value) >= 1 << 63:
        # Too long to be written.
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
