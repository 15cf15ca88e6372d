"""What makes two fits the same one: parameters as texts, data as digests.

Texts are shown in messages; of digests a message tells only that they differ. Of the
training rows, the codes and the edges of bins are digested, which is what trees see:
less to read than the table, and the same for a frame, an array and a sparse matrix. The
numbers themselves are where linear leaves are fitted to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from numbers import Integral, Real
from typing import Any

import numpy as np

DIGEST_SIZE = 8  # bytes: guards against mistakes, not against forgery
MAX_ARRAY_SIZE = 1000  # of arrays that are written out
MAX_DEPTH = 4  # of objects inside objects
MAX_TEXT_LENGTH = 80  # in messages
MAX_COLUMNS = 5  # in messages
MAX_DENSE_VALUES = 1 << 20  # of sparse rows that are digested at a time


def describe(value: Any, depth: int = 0) -> str:
    """Return a parameter as text that is the same in every process.

    Parameters
    ----------
    value : object
        Equal numbers have one text. Functions and classes are told by name, other
        objects by their ``repr``, less addresses in memory. An object without a
        ``repr`` of its own is told by its class and by its attributes, save those that
        begin with an underscore.
    depth : int, default=0
        How many objects `value` is inside of.

    Returns
    -------
    text : str
    """
    if isinstance(value, bool | np.bool_):
        return repr(bool(value))
    if isinstance(value, Integral):
        return repr(int(value))
    if isinstance(value, Real):
        number = float(value)
        return repr(int(number)) if number.is_integer() else repr(number)
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.size > MAX_ARRAY_SIZE and not array.dtype.hasobject:
            return f"array of shape {array.shape}, digest {digest(array)}"
        value = array.tolist()
    if isinstance(value, list | tuple):
        return f"[{', '.join(describe(item, depth) for item in value)}]"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(describe(item, depth) for item in value))}}}"
    if isinstance(value, Mapping):
        pairs = (
            f"{describe(key, depth)}: {describe(item, depth)}"
            for key, item in value.items()
        )
        return f"{{{', '.join(sorted(pairs))}}}"
    if isinstance(value, np.random.RandomState):
        # Its seeds are compared instead.
        return "RandomState instance"
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    if type(value).__repr__ is not object.__repr__:
        return re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(value))
    attributes = []
    if depth < MAX_DEPTH:
        attributes = [
            f"{name}={describe(item, depth + 1)}"
            for name, item in sorted(getattr(value, "__dict__", {}).items())
            if not name.startswith("_")
        ]
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    return f"{name}({', '.join(attributes)})"


def digest(*arrays: np.ndarray) -> str:
    """Return a digest of the values, dtypes and shapes of arrays, without a copy."""
    hasher = blake2b(digest_size=DIGEST_SIZE)
    for array in arrays:
        hasher.update(f"{array.dtype.descr}{array.shape}".encode())
        # hashlib takes one dimension only.
        hasher.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    return hasher.hexdigest()


def _digest_values(matrix: Any) -> str:
    """Return what `digest` returns of a plain array, of sparse rows as well."""
    if isinstance(matrix, np.ndarray):
        return digest(matrix)
    hasher = blake2b(digest_size=DIGEST_SIZE)
    hasher.update(f"{matrix.dtype.descr}{matrix.shape}".encode())
    n_rows = max(MAX_DENSE_VALUES // max(matrix.shape[1], 1), 1)
    for start in range(0, matrix.shape[0], n_rows):
        some = matrix[start : start + n_rows].toarray(order="C")
        hasher.update(some.reshape(-1).view(np.uint8))
    return hasher.hexdigest()


def fingerprint_data(
    matrix: Any,
    thresholds: list[np.ndarray],
    train: Any,
    followed: Mapping[str, tuple],
    start: Any,
    seeds: list[int],
    reads_values: bool = False,
) -> dict:
    """Return digests of all that the rounds of a fit depend on, besides parameters.

    Parameters
    ----------
    matrix : BinnedMatrix
        Codes of the training rows.
    thresholds : list of float64 arrays
        Inner edges of the bins of each column.
    train : Rows
        The training rows.
    followed : dict
        Name -> (Rows, matrix) of other rows that scores are kept of; the name of those
        that early stopping is judged by is 'validation'.
    start : BoostedTrees
        The model before the first round.
    seeds : list of int
        Of the random choices.
    reads_values : bool, default=False
        Whether rounds read the numbers of numeric columns, not only their codes.

    Returns
    -------
    data : dict
        'columns' is a uint64 array of a digest for each column, 'digests' a dict of
        digests by name, None for what is not given.
    """
    digests = {
        "seeds drawn from random_state": digest(np.array(seeds, dtype=np.uint64)),
        **_digest_rows(train),
    }
    if start.n_trees > 0:
        arrays = sorted(start.get_arrays().items())
        digests["model that warm_start goes on from"] = digest(
            *(array for _, array in arrays)
        )
    for name, (rows, values) in followed.items():
        whose = f"eval_sets[{name!r}]" if name != "validation" else "validation rows"
        digests[f"X of {whose}"] = _digest_values(values)
        for part, text in _digest_rows(rows).items():
            digests[f"{part} of {whose}"] = text
    columns = [
        digest(
            matrix.column(j),
            edges,
            matrix.n_bins[j : j + 1],
            matrix.is_categorical[j : j + 1],
            *([_read_numbers(train, j)] if reads_values and len(edges) > 0 else []),
        )
        for j, edges in enumerate(thresholds)
    ]
    return {
        "columns": np.array([int(text, 16) for text in columns], dtype=np.uint64),
        "digests": digests,
    }


def _read_numbers(rows, j):
    """Return a column as float64 that is the same whatever table it comes from."""
    column = rows.table.column(j)
    column = column if rows.index is None else column[rows.index]
    # Zeros have no sign, and all NaN the same bits.
    numbers = column.astype(np.float64) + 0.0
    numbers[np.isnan(numbers)] = np.nan
    return numbers


def _digest_rows(rows):
    parts = {
        "y": rows.y,
        "sample_weight": rows.sample_weight,
        "init_score": rows.offset,
    }
    return {
        part: None if array is None else digest(array) for part, array in parts.items()
    }


def compare_texts(
    stored: Mapping[str, str], current: Mapping[str, str]
) -> Iterator[str]:
    """Yield how the texts of the same names differ."""
    for name, new in current.items():
        old = stored.get(name, "nothing")
        if old != new:
            yield f"{name}: {_shorten(old)} in the snapshot, {_shorten(new)} here"


def compare_digests(
    stored: Mapping[str, str | None], current: Mapping[str, str | None]
) -> Iterator[str]:
    """Yield how digests by name differ; None, or no entry, means not given."""
    for name in {**stored, **current}:
        old, new = stored.get(name), current.get(name)
        if old is None and new is not None:
            yield f"{name}: not in the snapshot, given here"
        elif old is not None and new is None:
            yield f"{name}: in the snapshot, not given here"
        elif old != new:
            yield f"{name}: other values than in the snapshot"


def compare_columns(
    stored: np.ndarray, current: np.ndarray, names: Sequence
) -> Iterator[str]:
    """Yield how the digests of columns, as many as there were, differ."""
    changed = np.flatnonzero(stored != current).tolist()
    if len(changed) > MAX_COLUMNS:
        yield (
            f"X: other values than in the snapshot, in {len(changed)} of "
            f"{len(current)} columns"
        )
    elif changed:
        noun = "column" if len(changed) == 1 else "columns"
        which = ", ".join(str(names[j]) for j in changed)
        yield f"X: other values than in the snapshot, in {noun} {which}"


def _shorten(text):
    if len(text) <= MAX_TEXT_LENGTH:
        return text
    return f"{text[: MAX_TEXT_LENGTH - 3]}..."
