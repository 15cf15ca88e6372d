"""The levels of the categorical columns of a model of XGBoost.

XGBoost knows levels by codes. Since version 3.1 it keeps what the codes of a frame
stood for, and before it was only told codes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sklearnx._io.xgboost.fields import get_array, get_field, refuse

# Names of levels have their lengths in bytes since then. Before, those of pandas had
# them in characters, and lost as many bytes at the end as there are more of these.
VERSION_OF_WHOLE_NAMES = (3, 4)
# Of the bit sets of all splits; they are 1 GiB then.
MAX_WORDS = 2**28


class Levels(NamedTuple):
    """What the codes of categorical columns stand for.

    Attributes
    ----------
    values : list of (list or None)
        The levels of each column; None for numbers.
    codes : list of (int array or None)
        The code that XGBoost has for each level; None if it is its position.
    """

    values: list
    codes: list

    @property
    def has_any(self):
        """Whether any column is categorical."""
        return any(values is not None for values in self.values)

    @property
    def truncated(self):
        """Columns whose levels are the codes: of numbers, XGBoost takes the integer."""
        return [j for j, codes in enumerate(self.codes) if codes is not None]

    def recode(self, trees):
        """Return trees with the positions of levels in the place of XGBoost's codes."""
        n_words = sum(
            len(self.values[tree.feature[node]]) // 32 + 1
            for tree in trees
            for node in tree.levels
        )
        if n_words > MAX_WORDS:
            refuse(f"has splits on categories that would take {n_words * 4} bytes")
        return [self._recode_tree(tree) for tree in trees]

    def _recode_tree(self, tree):
        recoded = {}
        for node, codes in tree.levels.items():
            column = tree.feature[node]
            known = self.codes[column]
            if known is not None:
                codes = np.searchsorted(known, codes)
            elif codes.max(initial=-1) >= len(self.values[column]):
                refuse(
                    f"has a split on category {codes.max()} of column {column}, which "
                    f"has {len(self.values[column])} levels"
                )
            recoded[node] = codes
        return tree._replace(levels=recoded)


def read_levels(learner, model, trees, names, given, version):
    """Return the Levels of all columns.

    Parameters
    ----------
    learner, model : dict
        Fields of the file.
    trees : list of SourceTree
        With the codes of XGBoost.
    names : list of str
        Of the columns, for messages.
    given : dict or None
        Levels that the user lists, by name or position.
    version : tuple
        Of the XGBoost that wrote the model.
    """
    asked = _find_codes(trees, len(names))
    has_numbers = _find_numbers(trees)
    types = learner.get("feature_types", [])
    if isinstance(types, list) and len(types) == 0:
        types = [None] * len(names)
    if not isinstance(types, list) or len(types) != len(names):
        refuse(f"does not have the types of all its {len(names)} columns")
    given = _read_given(given, names)
    stored = _get_stored(model, len(names))
    values, codes = [None] * len(names), [None] * len(names)
    for j, name in enumerate(names):
        is_stored = stored is not None and _holds_levels(stored[j])
        if types[j] != "c" and asked[j] is None and not is_stored:
            if j in given:
                raise ValueError(
                    f"categories has levels of column {name!r}, which holds numbers."
                )
        elif j in has_numbers:
            refuse(f"has splits on numbers of column {name!r}, which has categories")
        elif j in given:
            values[j] = given[j]
        elif is_stored:
            values[j] = _read_stored(stored[j], name, version)
        elif asked[j] is not None and len(learner.get("feature_names", [])) > 0:
            # Of a frame, whose codes the user does not see.
            refuse(
                f"does not know the levels of column {name!r}, only their codes. Pass "
                f"them in the order of the codes in training, {_make_advice(name)}, or "
                "a range if the column holds codes itself"
            )
        else:
            codes[j] = np.empty(0, np.int64) if asked[j] is None else asked[j]
            values[j] = codes[j].tolist()
    return Levels(values, codes)


def _make_advice(name):
    """Return what to pass."""
    return f"categories={{{name!r}: X[{name!r}].cat.categories}}"


def _find_codes(trees, n_features):
    """Return the codes in sets of each column, sorted; None of columns without sets."""
    sets = {}
    for tree in trees:
        for node, codes in tree.levels.items():
            sets.setdefault(int(tree.feature[node]), []).append(codes)
    return [
        np.unique(np.concatenate(sets[j])) if j in sets else None
        for j in range(n_features)
    ]


def _find_numbers(trees):
    """Return the columns that any tree is split on numbers of."""
    columns = set()
    for tree in trees:
        is_on_numbers = tree.left >= 0
        is_on_numbers[list(tree.levels)] = False
        columns.update(tree.feature[is_on_numbers].tolist())
    return columns


def _read_given(given, names):
    """Return the levels that the user lists, by position."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ValueError(
            "categories must be a dict of lists by name or position of the column, got "
            f"{type(given).__name__}."
        )
    positions = {name: j for j, name in enumerate(names)}
    levels = {}
    for key, values in given.items():
        position = positions.get(key, key)
        if position not in range(len(names)):
            raise ValueError(f"categories has levels of {key!r}, which is no column.")
        values = values.tolist() if hasattr(values, "tolist") else list(values)
        if len(set(values)) < len(values):
            raise ValueError(f"categories has a level of column {key!r} twice.")
        levels[position] = values
    return levels


def _get_stored(model, n_features):
    """Return the fields of each column's levels, None if there are none."""
    if "cats" not in model:
        return None
    stored = get_field(get_field(model, "cats", dict), "enc", list)
    if len(stored) == 0:
        return None
    if len(stored) != n_features or not all(isinstance(of, dict) for of in stored):
        refuse(f"does not have the levels of all its {n_features} columns")
    return stored


def _holds_levels(stored):
    # Of columns of numbers, names are stored that are none.
    return "offsets" not in stored or len(get_array(stored, "offsets", np.int64)) > 0


def _read_stored(stored, name, version):
    """Return the levels of a column."""
    values = get_array(stored, "values", np.int64)
    levels = values.tolist()
    if "offsets" in stored:
        levels = _read_names(
            get_array(stored, "offsets", np.int64), values, name, version
        )
    if len(set(levels)) < len(levels):
        refuse(f"has a level of column {name!r} twice")
    return levels


def _read_names(offsets, values, name, version):
    """Return texts that lie one after another in bytes."""
    if not ((values >= -128) & (values < 256)).all():
        refuse(f"has names of levels of column {name!r} that are no bytes")
    text = (values % 256).astype(np.uint8).tobytes()
    if not text.isascii() and version < VERSION_OF_WHOLE_NAMES:
        refuse(
            f"knows the levels of column {name!r} in part only: XGBoost before "
            f"{'.'.join(map(str, VERSION_OF_WHOLE_NAMES))} loses letters of names that "
            "are not ASCII. Pass the levels in the order of the codes in training, "
            f"{_make_advice(name)}"
        )
    if not (
        offsets[0] == 0 and offsets[-1] == len(text) and (np.diff(offsets) >= 0).all()
    ):
        refuse(f"has names of levels of column {name!r} that do not fit together")
    bounds = offsets.tolist()
    try:
        return [text[a:b].decode("utf-8") for a, b in pairwise(bounds)]
    except UnicodeDecodeError as error:
        raise ValueError(
            f"The XGBoost model has a name of a level of column {name!r} that is not "
            "UTF-8."
        ) from error
