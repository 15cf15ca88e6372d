"""CatBoost's binary format ("cbm"), read as what its JSON would say.

    "CBM1", size, a FlatBuffer: trees, columns, and texts of information
    number of tables of CTRs, of each: size, a FlatBuffer

Unlike JSON it tells tables apart that are of the same type and columns, but of other
binarizations of the target. Slots count the fields of CatBoost's schemas (`*.fbs`).
"""

import json
import struct
from typing import Any

import numpy as np

from sklearnx._io.catboost.ctrs import EMPTY, N_NUMBERS
from sklearnx._io.catboost.fields import refuse

MAGIC = b"CBM1"
VERSION = "FlabuffersModel_v1"
CTR_TABLES = "static_provider_v1"
CTR_TYPES = tuple(N_NUMBERS)
NAN_TREATMENTS = ("AsIs", "AsFalse", "AsTrue")
_BUCKET = np.dtype([("hash", "<u8"), ("index", "<u4")])
_MEAN = np.dtype([("sum", "<f4"), ("count", "<i4")])
_SPLIT_OF_NUMBER = np.dtype([("index", "<i4"), ("border", "<f4")])
_SPLIT_OF_LEVEL = np.dtype([("index", "<i4"), ("value", "<i4")])
_STEP = np.dtype([("left", "<u2"), ("right", "<u2")])


def read_binary(content: bytes) -> dict[str, Any]:
    """Return the model in a file, in the layout of CatBoost's JSON.

    Parameters
    ----------
    content : bytes

    Raises
    ------
    ValueError
        If the file is damaged, or of another version.
    """
    parts = _Stream(content)
    if parts.take(len(MAGIC)) != MAGIC:
        raise refuse(f"the file does not begin with {MAGIC!r}")
    core = _Table.root(parts.take(parts.take_size()))
    version = core.text(0)
    if version != VERSION:
        raise refuse(f"the file is of the format {version!r}, expected {VERSION!r}")
    trees = core.table(1)
    model = {
        "model_info": _read_info(core),
        "features_info": _read_features(trees),
        "scale_and_bias": [trees.number(14, "<d", 1.0), _read_bias(trees)],
    }
    if trees.has(10):
        model["trees"] = _read_trees(trees)
    else:
        model["oblivious_trees"] = _read_symmetric_trees(trees)
    if core.texts(3)[:1] == [CTR_TABLES]:
        tables = [
            _Table.root(parts.take(parts.take_size())) for _ in range(parts.take_size())
        ]
        model["ctr_data"] = dict(map(_read_ctr_table, tables))
    return model


class _Stream:
    """Bytes, one part after another."""

    def __init__(self, content):
        self._content = memoryview(content)

    def take(self, size):
        if size > len(self._content):
            raise refuse("the file ends too early")
        part, self._content = self._content[:size], self._content[size:]
        return bytes(part)

    def take_size(self):
        (size,) = struct.unpack("<I", self.take(4))
        return size


# ---- FlatBuffers ---------------------------------------------------------------------


class _Table:
    """A table of a FlatBuffer: fields by their number, each at an offset or absent."""

    def __init__(self, buffer, position):
        self._buffer = buffer
        self._position = position
        self._fields = position - self._unpack("<i", position)
        self._n_fields = (self._unpack("<H", self._fields) - 4) // 2

    @classmethod
    def root(cls, buffer):
        """Return the outermost table of a buffer."""
        if len(buffer) < 4:
            raise refuse("the file ends too early")
        return cls(buffer, struct.unpack_from("<I", buffer)[0])

    def _unpack(self, kind, position):
        if not 0 <= position <= len(self._buffer) - struct.calcsize(kind):
            raise refuse("the file is damaged: it points beyond its end")
        return struct.unpack_from(kind, self._buffer, position)[0]

    def _find(self, slot):
        """Return the position of a field, None if there is none."""
        offset = 0
        if slot < self._n_fields:
            offset = self._unpack("<H", self._fields + 4 + 2 * slot)
        return self._position + offset if offset else None

    def _follow(self, position):
        return position + self._unpack("<I", position)

    def has(self, slot):
        """Return whether a field is a list that is not empty."""
        return self._find_list(slot)[1] > 0

    def number(self, slot, kind, default):
        """Return a field that is a number."""
        position = self._find(slot)
        return default if position is None else self._unpack(kind, position)

    def table(self, slot):
        """Return a field that is a table."""
        position = self._find(slot)
        if position is None:
            raise refuse("the file lacks a part")
        return _Table(self._buffer, self._follow(position))

    def _find_list(self, slot):
        position = self._find(slot)
        if position is None:
            return 0, 0
        start = self._follow(position)
        return start + 4, self._unpack("<I", start)

    def array(self, slot, dtype):
        """Return a field that is a list of numbers or structures, as an array."""
        start, length = self._find_list(slot)
        dtype = np.dtype(dtype)
        if start + length * dtype.itemsize > len(self._buffer):
            raise refuse("the file is damaged: it points beyond its end")
        return np.frombuffer(self._buffer, dtype, length, start)

    def _list_places(self, slot):
        start, length = self._find_list(slot)
        if start + 4 * length > len(self._buffer):
            raise refuse("the file is damaged: it points beyond its end")
        return [self._follow(start + 4 * i) for i in range(length)]

    def tables(self, slot):
        """Return a field that is a list of tables."""
        return [_Table(self._buffer, place) for place in self._list_places(slot)]

    def _read_text(self, place):
        length = self._unpack("<I", place)
        if place + 4 + length > len(self._buffer):
            raise refuse("the file is damaged: it points beyond its end")
        try:
            return self._buffer[place + 4 : place + 4 + length].decode()
        except UnicodeDecodeError as error:
            raise refuse(f"the file is damaged: {error}") from error

    def text(self, slot):
        """Return a field that is a text, empty if there is none."""
        position = self._find(slot)
        return "" if position is None else self._read_text(self._follow(position))

    def texts(self, slot):
        """Return a field that is a list of texts."""
        return [self._read_text(place) for place in self._list_places(slot)]


# ---- what is in them -----------------------------------------------------------------


def _read_info(core):
    info = {}
    for entry in core.tables(2):
        key, value = entry.text(0), entry.text(1)
        if key.endswith("params") and value:
            try:
                value = json.loads(value)
            except (json.JSONDecodeError, RecursionError) as error:
                raise refuse(f"{key!r} is {value[:40]!r}, expected JSON") from error
        info[key] = value
    return info


def _read_bias(trees):
    """Return the bias of each output; one alone has a field of its own."""
    return trees.array(16, "<f8").tolist() or [trees.number(15, "<d", 0.0)]


def _read_features(trees):
    one_hot = {feature.number(0, "<i", -1): feature for feature in trees.tables(6)}
    if list(one_hot) != sorted(one_hot):
        raise refuse("its columns of levels are out of order")
    categories = [_read_column(feature) for feature in trees.tables(4)]
    for category in categories:
        if category["feature_index"] in one_hot:
            feature = one_hot.pop(category["feature_index"])
            category["values"] = feature.array(1, "<i4").tolist()
            category["string_values"] = feature.texts(2)
    if one_hot:
        raise refuse("it has levels of a column that is not there")
    return {
        "float_features": [_read_number(feature) for feature in trees.tables(5)],
        "categorical_features": categories,
        "text_features": [_read_column(feature) for feature in trees.tables(12)],
        "embedding_features": [_read_column(feature) for feature in trees.tables(18)],
        "ctrs": [_read_ctr(feature) for feature in trees.tables(7)],
    }


def _read_column(feature, index_slot=0, name_slot=2):
    """Return where a column is, and its name."""
    return {
        "feature_index": feature.number(index_slot, "<i", -1),
        "flat_feature_index": feature.number(index_slot + 1, "<i", -1),
        "feature_id": feature.text(name_slot),
    }


def _read_number(feature):
    treatment = feature.number(5, "<b", 0)
    if not 0 <= treatment < len(NAN_TREATMENTS):
        raise refuse(f"a column treats missing values in the way {treatment}")
    return {
        **_read_column(feature, index_slot=1, name_slot=4),
        "has_nans": bool(feature.number(0, "<b", 0)),
        "borders": feature.array(3, "<f4").tolist(),
        "nan_value_treatment": NAN_TREATMENTS[treatment],
    }


def _read_ctr(feature):
    ctr = feature.table(0)
    numbers = {
        name: ctr.number(slot, "<f", default)
        for name, slot, default in (
            ("prior_numerator", 2, 0.0),
            ("prior_denomerator", 3, 1.0),
            ("shift", 4, 0.0),
            ("scale", 5, 1.0),
        )
    }
    return {
        **_read_ctr_base(ctr.table(0)),
        **numbers,
        "target_border_idx": ctr.number(1, "<i", 0),
        "borders": feature.array(1, "<f4").tolist(),
    }


def _read_ctr_base(base):
    """Return type and columns, and a text by which CTRs find their table."""
    type_ = base.number(1, "<b", 0)
    if not 0 <= type_ < len(CTR_TYPES):
        raise refuse(f"a CTR has the type {type_}")
    combination = base.table(0)
    elements = [
        {"cat_feature_index": index, "combination_element": "cat_feature_value"}
        for index in combination.array(0, "<i4").tolist()
    ]
    elements += [
        {
            "float_feature_index": index,
            "border": border,
            "combination_element": "float_feature",
        }
        for index, border in combination.array(1, _SPLIT_OF_NUMBER).tolist()
    ]
    elements += [
        {
            "cat_feature_index": index,
            "value": value,
            "combination_element": "cat_feature_exact_value",
        }
        for index, value in combination.array(2, _SPLIT_OF_LEVEL).tolist()
    ]
    target = base.number(2, "<i", 0)
    return {
        "ctr_type": CTR_TYPES[type_],
        "elements": elements,
        "identifier": json.dumps([CTR_TYPES[type_], target, elements]),
    }


def _read_ctr_table(table):
    """Return the text by which CTRs find the table, and its buckets."""
    base = _read_ctr_base(table.table(0))
    buckets = table.array(1, "u1")
    if len(buckets) % _BUCKET.itemsize:
        raise refuse("the file is damaged: a table of hashes ends too early")
    buckets = buckets.view(_BUCKET)
    buckets = buckets[buckets["hash"] != EMPTY]
    numbers = _read_ctr_numbers(table, base["ctr_type"])
    if not (buckets["index"] < len(numbers)).all():
        raise refuse("the file is damaged: a hash has no bucket")
    hash_map = []
    for hash_, of_bucket in zip(
        buckets["hash"].tolist(), numbers[buckets["index"]].tolist(), strict=True
    ):
        hash_map += [str(hash_), *of_bucket]
    return base["identifier"], {
        "hash_map": hash_map,
        "hash_stride": 1 + numbers.shape[1],
        "counter_denominator": table.number(3, "<i", 0),
    }


def _read_ctr_numbers(table, type_):
    """Return what buckets have, a row each."""
    content = table.array(2, "u1")
    n_numbers = N_NUMBERS[type_] or table.number(4, "<i", 0)
    if n_numbers < 1 or len(content) % (4 * n_numbers):
        raise refuse("the file is damaged: a table of counts ends too early")
    if n_numbers == 2 and N_NUMBERS[type_] == 2:
        means = content.view(_MEAN)
        return np.column_stack([means["sum"].astype(np.float64), means["count"]])
    return content.view("<i4").reshape(-1, n_numbers)


def _read_symmetric_trees(trees):
    n_outputs = trees.number(0, "<i", 0)
    sizes = trees.array(2, "<i4").astype(np.int64)
    splits, values = trees.array(1, "<i4"), trees.array(8, "<f8")
    weights = trees.array(9, "<f8")
    if not ((sizes >= 0) & (sizes < 32)).all() or n_outputs < 1:
        raise refuse("a tree has an impossible size")
    n_leaves = np.concatenate([[0], np.cumsum(1 << sizes)])
    first_splits = np.concatenate([[0], np.cumsum(sizes)])
    if first_splits[-1] != len(splits) or n_leaves[-1] * n_outputs != len(values):
        raise refuse("its trees have other splits or leaves than their sizes say")
    if len(weights) not in (0, n_leaves[-1]):
        raise refuse("its leaves have another number of weights")
    made = []
    for tree in range(len(sizes)):
        leaves = slice(n_leaves[tree], n_leaves[tree + 1])
        of_outputs = slice(leaves.start * n_outputs, leaves.stop * n_outputs)
        of_tree = splits[first_splits[tree] : first_splits[tree + 1]]
        made.append(
            {
                "splits": [{"split_index": index} for index in of_tree.tolist()],
                "leaf_values": values[of_outputs].tolist(),
                "leaf_weights": weights[leaves].tolist() or None,
            }
        )
    return made


def _read_trees(trees):
    """Return trees with nodes as JSON nests them.

    Children come some steps behind their parent. Of zero steps, the parent itself has
    the place of a leaf.
    """
    sizes = trees.array(2, "<i4").astype(np.int64)
    steps = trees.array(10, _STEP)
    splits, leaves = trees.array(1, "<i4"), trees.array(11, "<u4")
    if (sizes < 1).any() or not sizes.sum() == len(steps) == len(splits) == len(leaves):
        raise refuse("its trees have other nodes than their sizes say")
    made = _read_leaves(trees, leaves, steps)
    starts = np.cumsum(sizes) - sizes
    for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
        positions = np.arange(start, start + size)
        children = [
            (positions + steps[side][positions])[steps[side][positions] > 0]
            for side in ("left", "right")
        ]
        children = np.concatenate(children)
        if len(np.unique(children)) < len(children) or (children >= start + size).any():
            raise refuse("a node of a tree has two parents, or is in another tree")
        # Children first.
        for node in positions[::-1].tolist():
            left, right = steps[node].tolist()
            if left or right:
                made[node] = {
                    "split": {"split_index": int(splits[node])},
                    "left": made[node + left],
                    "right": made[node + right],
                }
    return [made[start] for start in starts.tolist()]


def _read_leaves(trees, places, steps):
    """Return a leaf for each node that has one, None for others."""
    n_outputs = trees.number(0, "<i", 0)
    values, weights = trees.array(8, "<f8"), trees.array(9, "<f8")
    if n_outputs < 1 or len(weights) * n_outputs not in (0, len(values)):
        raise refuse("its leaves have another number of weights")
    is_leaf = (steps["left"] == 0) | (steps["right"] == 0)
    places = places.astype(np.int64)
    if not (places[is_leaf] <= len(values) - n_outputs).all():
        raise refuse("a node of a tree has a leaf that is not there")
    leaves = [None] * len(places)
    for node in np.flatnonzero(is_leaf).tolist():
        place = int(places[node])
        leaves[node] = {
            "value": values[place : place + n_outputs].tolist(),
            "weight": float(weights[place // n_outputs]) if len(weights) else 0.0,
        }
    return leaves
