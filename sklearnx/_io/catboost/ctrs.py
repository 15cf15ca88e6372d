"""Numbers that CatBoost puts in the place of categories: statistics of the target.

    levels of the columns of a projection, and borders of others --> a hash
    hash --> a bucket of a table: counts of rows by class, or sums
    counts, a prior, shift and scale --> a number, which trees split ("CTR")

A row whose hash has no bucket gets what the prior alone says.
"""

from typing import NamedTuple

import numpy as np

from sklearnx._io.catboost.features import to_signed
from sklearnx._io.catboost.fields import (
    check,
    get,
    get_index,
    get_objects,
    read_numbers,
    refuse,
)
from sklearnx._io.catboost.hashes import combine_hashes

# By type, what a bucket has: None is a count for each class of the target.
N_NUMBERS = {
    "Borders": None,
    "Buckets": None,
    "BinarizedTargetMeanValue": 2,
    "FloatTargetMeanValue": 2,
    "Counter": 1,
    "FeatureFreq": 1,
}
# CatBoost's mark of an empty place in its hash table.
EMPTY = (1 << 64) - 1


class Projection(NamedTuple):
    """What rows are told apart by, and the CTRs of the groups that it makes.

    Attributes
    ----------
    categories : tuple of int
        Columns of X.
    borders : tuple of (int, float, bool)
        Columns of X that are compared with a border, and whether missing values are
        above it.
    levels : tuple of (int, int)
        Columns of X that are compared with the hash of a level.
    hashes : uint64 array of shape (n_buckets,)
        In ascending order.
    ctrs : float32 array of shape (n_ctrs, n_buckets + 1)
        By bucket; at last, of rows without one.
    """

    categories: tuple
    borders: tuple
    levels: tuple
    hashes: np.ndarray
    ctrs: np.ndarray

    @property
    def columns(self):
        """The columns of X that are looked at; some maybe several times."""
        compared = [column for column, *_ in (*self.borders, *self.levels)]
        return (*self.categories, *compared)

    def look_up(self, columns):
        """Return the CTRs of rows, float32 arrays of shape (n_rows,).

        Parameters
        ----------
        columns : list of ndarray
            Of X: numbers as float32, int32 hashes of levels.
        """
        hashes = self._hash(columns)
        buckets = np.searchsorted(self.hashes, hashes)
        buckets[buckets == len(self.hashes)] = 0
        if len(self.hashes):
            buckets[self.hashes[buckets] != hashes] = len(self.hashes)
        return [ctr[buckets] for ctr in self.ctrs]

    def _hash(self, columns):
        hashes = np.zeros(len(columns[0]), dtype=np.uint64)
        for column in self.categories:
            # Signs are extended.
            level = columns[column].astype(np.int64).view(np.uint64)
            hashes = combine_hashes(hashes, level)
        for column, border, nan_is_high in self.borders:
            is_above = columns[column] > np.float32(border)
            if nan_is_high:
                is_above |= np.isnan(columns[column])
            hashes = combine_hashes(hashes, is_above.astype(np.uint64))
        for column, level in self.levels:
            is_level = columns[column] == level
            hashes = combine_hashes(hashes, is_level.astype(np.uint64))
        return hashes


class Ctr(NamedTuple):
    """A number for each row.

    Attributes
    ----------
    text : str
        What to call it, with a place for the name of each column.
    borders : float32 array
        Between its bins.
    projection : int
        Position of what it belongs to.
    position : int
        Position among the CTRs of that.
    """

    text: str
    borders: np.ndarray
    projection: int
    position: int


class _Table(NamedTuple):
    """Buckets as a model lists them."""

    hashes: np.ndarray
    numbers: np.ndarray
    denominator: int


def read_ctrs(model, features):
    """Return the CTRs of a model.

    Parameters
    ----------
    model : dict
        The whole JSON.
    features : Features

    Returns
    -------
    ctrs : list of Ctr
        In the order in which trees count them.
    projections : list of Projection
    """
    described = get_objects(get(model, "features_info", dict), "ctrs")
    tables = get(model, "ctr_data", dict, {})
    # Tables are shared by the CTRs of a type; a projection by several types.
    by_name, by_projection = {}, {}
    for i, ctr in enumerate(described):
        name = get(ctr, "identifier", str), _read_type(ctr)
        if name not in by_name:
            by_name[name] = _read_table(get(tables, name[0], dict), name[1])
        elements = _read_elements(ctr, features)
        by_projection.setdefault(elements, []).append(i)
    ctrs, projections = [None] * len(described), []
    for elements, members in by_projection.items():
        values = [
            _compute_ctr(ctr, by_name[ctr["identifier"], ctr["ctr_type"]])
            for ctr in map(described.__getitem__, members)
        ]
        for position, i in enumerate(members):
            borders = read_numbers(get(described[i], "borders", list), "'borders'")
            ctrs[i] = Ctr(
                _name_ctr(described[i], elements),
                borders.astype(np.float32),
                len(projections),
                position,
            )
        projections.append(Projection(*elements, *_join(values)))
    return ctrs, projections


def _read_type(ctr):
    type_ = get(ctr, "ctr_type", str)
    if type_ not in N_NUMBERS:
        raise refuse(f"'ctr_type' is {type_!r}, expected one of {', '.join(N_NUMBERS)}")
    return type_


def _read_elements(ctr, features):
    """Return the first fields of a Projection."""
    categories, borders, levels = [], [], []
    for element in get_objects(ctr, "elements"):
        kind = get(element, "combination_element", str)
        if kind == "float_feature":
            number = features.number(get(element, "float_feature_index", int))
            border = np.float32(get(element, "border", float))
            borders.append((number.column, float(border), number.nan_is_high))
            continue
        category = features.category(get(element, "cat_feature_index", int))
        if kind == "cat_feature_value":
            categories.append(category.column)
        elif kind == "cat_feature_exact_value":
            levels.append((category.column, to_signed(get(element, "value", int))))
        else:
            raise refuse(f"'combination_element' is {kind!r}")
    if not categories:
        raise refuse("a CTR looks at no category")
    return tuple(categories), tuple(borders), tuple(levels)


def _read_table(table, type_):
    """Return the buckets of a type of CTR."""
    items = get(table, "hash_map", list, [])
    n_numbers = N_NUMBERS[type_]
    stride = get_index(table, "hash_stride") if items else (n_numbers or 2) + 1
    is_right = stride >= 3 if n_numbers is None else stride == n_numbers + 1
    if not is_right or len(items) % stride:
        raise refuse(f"'hash_map' has {len(items)} items, {stride} for each hash")
    hashes = [_read_hash(item) for item in items[::stride]]
    numbers = [
        read_numbers(items[first::stride], "'hash_map'") for first in range(1, stride)
    ]
    hashes, rows = np.unique(np.array(hashes, dtype=np.uint64), return_index=True)
    is_used = hashes != EMPTY
    return _Table(
        hashes[is_used],
        np.column_stack(numbers)[rows[is_used]],
        get(table, "counter_denominator", int, 0),
    )


def _read_hash(item):
    check(item, str, "a hash of 'hash_map'")
    if not (item.isascii() and item.isdecimal()) or len(item) > 20 or int(item) > EMPTY:
        raise refuse(f"a hash of 'hash_map' is {item[:40]!r}, expected 64 bits")
    return int(item)


def _compute_ctr(ctr, table):
    """Return the hashes of a table, and a CTR by bucket and of rows without one."""
    good, total = _count(_read_type(ctr), table, get(ctr, "target_border_idx", int, 0))
    # All in single precision, as CatBoost does.
    good, total = good.astype(np.float32), total.astype(np.float32)
    prior, denominator, shift, scale = (
        np.float32(get(ctr, key, float))
        for key in ("prior_numerator", "prior_denomerator", "shift", "scale")
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        values = ((good + prior) / (total + denominator) + shift) * scale
    return table.hashes, values


def _count(type_, table, border):
    """Return numerators and denominators by bucket, and of rows without one."""
    numbers = table.numbers
    empty = 0
    if N_NUMBERS[type_] == 1:
        good, empty = numbers[:, 0], table.denominator
        total = np.full(len(good), empty)
    elif N_NUMBERS[type_] == 2:
        good, total = numbers.T
    else:
        n_borders = numbers.shape[1] - (type_ == "Borders")
        if not 0 <= border < n_borders:
            raise refuse(f"'target_border_idx' is {border}, expected up to {n_borders}")
        good = numbers[:, border]
        if type_ == "Borders":
            good = numbers[:, border + 1 :].sum(axis=1)
        total = numbers.sum(axis=1)
    return np.append(good, 0), np.append(total, empty)


def _join(of_tables):
    """Return all hashes of several tables, and a matrix of the values by these."""
    hashes = np.unique(np.concatenate([own for own, _ in of_tables]))
    ctrs = np.empty((len(of_tables), len(hashes) + 1), dtype=np.float32)
    for row, (own, values) in zip(ctrs, of_tables, strict=True):
        row[:] = values[-1]
        row[np.searchsorted(hashes, own)] = values[:-1]
    return hashes, ctrs


def _name_ctr(ctr, elements):
    categories, borders, levels = elements
    border = get(ctr, "target_border_idx", int, 0)
    what = ctr["ctr_type"] + (f"[{border}]" if border else "")
    prior = f"{ctr['prior_numerator']:g}/{ctr['prior_denomerator']:g}"
    places = ["{}"] * len(categories)
    places += [f"{{}} > {border:g}" for _, border, _ in borders]
    places += [f"{{}} = #{level & 0xFFFFFFFF:08x}" for _, level in levels]
    return f"{what} {prior} of {', '.join(places)}"


def refuse_ambiguous(model):
    """Refuse tables that JSON has under the same name, of which it keeps the last.

    Parameters
    ----------
    model : dict
        JSON that CatBoost has written.
    """
    described = get_objects(get(model, "features_info", dict), "ctrs")
    params = get(get(model, "model_info", dict, {}), "params", dict, {})
    params = get(params, "cat_feature_params", dict, {})
    singles = [get(params, "simple_ctrs", list, [])]
    singles += get(params, "per_feature_ctrs", dict, {}).values()
    kinds = {1: singles, 2: [get(params, "combinations_ctrs", list, [])]}
    for ctr in described:
        n_elements = min(2, len(get(ctr, "elements", list, [])))
        for options in kinds.get(n_elements, []):
            if _has_several_targets(options, _read_type(ctr)):
                raise ValueError(
                    f"The CatBoost model has CTRs of type {ctr['ctr_type']!r} for "
                    "several TargetBorderCount, whose tables JSON does not tell apart. "
                    "Pass the model itself, or a file in CatBoost's binary format."
                )


def _has_several_targets(options, type_):
    """Return whether a type is asked for with several binarizations of the target."""
    binarizations = [
        option.get("target_binarization")
        for option in check(options, list, "an item of 'cat_feature_params'")
        if check(option, dict, "a type of CTR").get("ctr_type") == type_
    ]
    return any(other != binarizations[0] for other in binarizations[1:])
