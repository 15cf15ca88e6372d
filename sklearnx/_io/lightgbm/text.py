"""LightGBM's models as text: its sections, and the lines ``name=value`` in them."""

import json
import re
from itertools import pairwise
from typing import NamedTuple

import numpy as np

_PARAMETER = re.compile(r"\[([^:\]]+): ?(.*)\]")
_TREE = re.compile(r"Tree=(\d+)")
MAX_INT = 2**31 - 1
PANDAS = "pandas_categorical:"
END_OF_TREES = "end of trees"


class LightGBMText(NamedTuple):
    """The sections of a model.

    Attributes
    ----------
    header : Section
    trees : list of Section
    parameters : Section
        Those of training, empty in models that do not keep them.
    pandas_categories : list of list
        The categories of pandas' columns of that type, in the order of the columns.
    """

    header: "Section"
    trees: list
    parameters: "Section"
    pandas_categories: list


class Section:
    """Lines of a model by name, read as what they have to be.

    Parameters
    ----------
    label : str
        How messages call the section.
    lines : dict of str to str
    """

    def __init__(self, label, lines):
        self._label = label
        self._lines = lines

    def __contains__(self, name):
        return name in self._lines

    def get(self, name):
        """Return a line as it is.

        Raises ValueError where there is none.
        """
        if name not in self._lines:
            raise ValueError(f"The LightGBM model has no {name!r} in {self._label}.")
        return self._lines[name]

    def read_words(self, name, n):
        """Return the `n` words of a line."""
        words = self.get(name).split()
        if len(words) != n:
            raise ValueError(
                f"The LightGBM model has {len(words)} values of {name!r} in "
                f"{self._label}, expected {n}."
            )
        return words

    def read_floats(self, name, n):
        """Return the `n` numbers of a line, none of them NaN."""
        values = self._convert(name, n, np.float64)
        if np.isnan(values).any():
            raise ValueError(
                f"The LightGBM model has NaN as {name!r} in {self._label}."
            )
        return values

    def read_ints(self, name, n, low, high):
        """Return the `n` integers of a line, all of them from `low` to `high`."""
        values = self._convert(name, n, np.int64)
        if n > 0 and not low <= values.min() <= values.max() <= high:
            raise ValueError(
                f"The LightGBM model has integers from {values.min()} to "
                f"{values.max()} as {name!r} in {self._label}, expected {low} to "
                f"{high}."
            )
        return values

    def read_int(self, name, low, high):
        """Return the integer of a line."""
        return int(self.read_ints(name, 1, low, high)[0])

    def read_float(self, name):
        """Return the number of a line."""
        return float(self.read_floats(name, 1)[0])

    def _convert(self, name, n, dtype):
        words = self.read_words(name, n)
        try:
            return np.array(words, dtype=dtype)
        except (ValueError, OverflowError) as error:
            raise ValueError(
                f"The LightGBM model has other values than numbers as {name!r} in "
                f"{self._label}: {error}."
            ) from error


def parse_text(text):
    """Return the LightGBMText of a model.

    Raises ValueError where the text is no model, or has no end.
    """
    lines = [line.strip() for line in text.splitlines()]
    if not lines or lines[0] != "tree":
        first = lines[0][:40] if lines else ""
        raise ValueError(
            "The text is no model of LightGBM: these begin with the line 'tree', it "
            f"begins with {first!r}."
        )
    starts = [i for i, line in enumerate(lines) if _TREE.fullmatch(line)]
    if END_OF_TREES not in lines:
        raise ValueError(f"The LightGBM model is cut off: no line {END_OF_TREES!r}.")
    end = lines.index(END_OF_TREES)
    bounds = [*(start for start in starts if start < end), end]
    trees = [
        Section(f"tree {i}", _read_lines(lines[start + 1 : stop]))
        for i, (start, stop) in enumerate(pairwise(bounds))
    ]
    header = Section("the header", _read_lines(lines[1 : bounds[0]]))
    if "tree_sizes" in header:
        header.read_words("tree_sizes", len(trees))
    parameters = filter(None, map(_PARAMETER.fullmatch, lines[end:]))
    return LightGBMText(
        header,
        trees,
        Section("the parameters", dict(match.groups() for match in parameters)),
        _read_pandas_categories(lines[end:]),
    )


def _read_lines(lines):
    """Return the values of lines by name; a name without value has an empty one."""
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def _read_pandas_categories(lines):
    """Return the categories by column, those of the last line that has them."""
    lines = [line for line in lines if line.startswith(PANDAS)]
    if not lines:
        return []
    error = ValueError(
        f"The LightGBM model has {lines[-1][:80]!r}, expected a list of numbers or "
        "strings for each column, in JSON."
    )
    try:
        found = json.loads(lines[-1][len(PANDAS) :])
    except ValueError as cause:
        raise error from cause
    categories = [] if found is None else found
    if not isinstance(categories, list) or not all(map(_is_list_of_values, categories)):
        raise error
    return categories


def _is_list_of_values(values):
    return isinstance(values, list) and all(
        isinstance(value, str | int | float) for value in values
    )
