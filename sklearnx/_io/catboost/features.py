"""The columns of a CatBoost model, and what its trees may ask about them.

CatBoost numbers numeric and categorical columns apart; "flat" is the position in X.
"""

from typing import NamedTuple

import numpy as np

from sklearnx._io.catboost.fields import (
    check,
    get,
    get_index,
    get_objects,
    read_numbers,
    refuse,
)


class Number(NamedTuple):
    """A numeric column.

    Attributes
    ----------
    column : int
        In X.
    borders : float32 array
        Between its bins.
    nan_is_high : bool
        Whether missing values are above all borders; if not, below.
    """

    column: int
    borders: np.ndarray
    nan_is_high: bool


class Category(NamedTuple):
    """A categorical column.

    Attributes
    ----------
    column : int
        In X.
    values : list of int
        The hashes of the levels that splits ask for.
    texts : list of str
        Those levels, as far as the model knows them, else what to call them.
    """

    column: int
    values: list
    texts: list


class Features(NamedTuple):
    """All columns.

    Attributes
    ----------
    n_features : int
    names : list of str or None
    numbers : list of Number
    categories : list of Category
        Each in the order of CatBoost's own numbers.
    """

    n_features: int
    names: list | None
    numbers: list
    categories: list

    @property
    def categorical_columns(self):
        """Their positions in X, int64."""
        columns = [category.column for category in self.categories]
        return np.array(columns, dtype=np.int64)

    def number(self, index):
        """Return a numeric column by CatBoost's number of it."""
        return _find(self.numbers, index, "float_feature_index")

    def category(self, index):
        """Return a categorical column by CatBoost's number of it."""
        return _find(self.categories, index, "cat_feature_index")


def _find(features, index, name):
    if not 0 <= index < len(features):
        raise refuse(f"{name!r} is {index}, but there are {len(features)} of them")
    return features[index]


def read_features(info: dict) -> Features:
    """Return the columns of a model.

    Parameters
    ----------
    info : dict
        The entry 'features_info'.

    Raises
    ------
    ValueError
        If it makes no sense, or tells of texts or embeddings.
    """
    for kind in ("text", "embedding"):
        if info.get(f"{kind}_features"):
            raise ValueError(
                f"The CatBoost model has {kind} features, which sklearnx does not "
                "have: only numeric and categorical ones can be read."
            )
    numbers = get_objects(info, "float_features")
    categories = get_objects(info, "categorical_features")
    both = [*numbers, *categories]
    flat = [get_index(feature, "flat_feature_index", len(both)) for feature in both]
    if len(set(flat)) < len(flat):
        raise refuse("two columns have the same 'flat_feature_index'")
    for features in (numbers, categories):
        indices = [get(feature, "feature_index", int) for feature in features]
        if indices != list(range(len(features))):
            raise refuse("'feature_index' does not number the columns from 0 on")
    texts = _read_texts(info)
    return Features(
        len(both),
        _read_names(both, flat),
        [_read_number(feature) for feature in numbers],
        [_read_category(feature, texts) for feature in categories],
    )


def _read_names(features, flat):
    """Return the names of all columns, None if the model was fitted without any."""
    names = [""] * len(features)
    for feature, column in zip(features, flat, strict=True):
        names[column] = get(feature, "feature_id", str, "")
    if all(name in ("", str(column)) for column, name in enumerate(names)):
        return None
    # As CatBoost itself calls columns without a name.
    return [name or str(column) for column, name in enumerate(names)]


def _read_number(feature):
    borders = read_numbers(get(feature, "borders", list, []), "'borders'")
    treatment = get(feature, "nan_value_treatment", str, "AsIs")
    if treatment not in ("AsIs", "AsFalse", "AsTrue"):
        raise refuse(
            f"'nan_value_treatment' is {treatment!r}, expected 'AsIs', 'AsFalse' or "
            "'AsTrue'"
        )
    # Without missing values in training all comparisons with them are false.
    is_high = bool(feature.get("has_nans")) and treatment == "AsTrue"
    return Number(feature["flat_feature_index"], borders.astype(np.float32), is_high)


def _read_category(feature, texts):
    values = [
        check(value, int, "an item of 'values'")
        for value in get(feature, "values", list, [])
    ]
    known = get(feature, "string_values", list, [])
    if len(known) == len(values):
        texts = {**texts, **dict(zip(values, map(str, known), strict=True))}
    return Category(
        feature["flat_feature_index"],
        [to_signed(value) for value in values],
        [texts.get(value, f"#{value & 0xFFFFFFFF:08x}") for value in values],
    )


def _read_texts(info):
    """Return the levels that a model of training rows lists, by hash."""
    return {
        to_signed(get(item, "hash", int)): str(item.get("value"))
        for item in get_objects(info, "cat_features_hash")
    }


def to_signed(value: int) -> int:
    """Return a hash of 32 bits as a signed integer, which it may be already."""
    if not -(1 << 31) <= value < 1 << 32:
        raise refuse(f"{value} is no hash of 32 bits")
    return value - (1 << 32) if value >= 1 << 31 else value
