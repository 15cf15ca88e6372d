"""What the columns of a LightGBM model hold: numbers, or categories of some kind."""

import re
from typing import NamedTuple

import numpy as np

_RANGE = re.compile(r"\[(.+):(.+)\]")
_CODES = re.compile(r"-?\d+(:-?\d+)*")
# No list of categories is longer.
NO_LIMIT = np.inf


class SourceColumn(NamedTuple):
    """What a model says of a column.

    Attributes
    ----------
    kind : {'number', 'category', 'none'}
        'none' if training made nothing of it.
    codes : set of int
        Non-negative codes of a category that the model mentions.
    max_code : float
        If the column is a category of pandas, it has more categories than this;
        infinite if it cannot be one.
    """

    kind: str
    codes: set
    max_code: float


class Categories(NamedTuple):
    """How the trees' codes are to be read.

    Attributes
    ----------
    levels : list of (list or None)
        The values of each column's codes; None for numbers.
    integers : list of int
        Columns whose codes are the values themselves; `levels` has those that occur.
    """

    levels: list
    integers: list


def read_columns(infos, split_codes):
    """Return the SourceColumn of each column.

    Parameters
    ----------
    infos : list of str
        Of the line ``feature_infos``.
    split_codes : dict of int to set of int
        The codes in the splits on each category.
    """
    return [
        _read_column(j, info, split_codes.get(j, set())) for j, info in enumerate(infos)
    ]


def _read_column(j, info, codes):
    if _CODES.fullmatch(info):
        codes = codes | {int(code) for code in info.split(":") if int(code) >= 0}
        return SourceColumn("category", codes, max(codes, default=-1))
    bounds = _RANGE.fullmatch(info)
    if bounds is None and info != "none":
        raise ValueError(
            f"The LightGBM model has {info[:80]!r} in 'feature_infos', expected "
            "'none', '[low:high]' or 'code:code:...'."
        )
    if codes:
        raise ValueError(
            f"The LightGBM model splits column {j} by categories, but has {info!r} for "
            "it in 'feature_infos'."
        )
    if bounds is None:
        return SourceColumn("none", set(), -1)
    low, high = map(_read_float, bounds.groups())
    is_code = low >= 0 and low.is_integer() and high.is_integer()
    return SourceColumn("number", set(), high if is_code else NO_LIMIT)


def _read_float(word):
    try:
        return float(word)
    except ValueError as error:
        raise ValueError(
            f"The LightGBM model has {word[:80]!r} as a number in 'feature_infos'."
        ) from error


def read_categories(columns, pandas_categories, places=None):
    """Return how the codes of the columns are to be read.

    Parameters
    ----------
    columns : list of SourceColumn
    pandas_categories : list of list
        Of pandas' columns of that type, ordered ones too, which LightGBM has as
        numbers.
    places : list of int or None, default=None
        The columns that these are of; by default they are found out.
    """
    if places is None:
        places = find_places(columns, pandas_categories)
    if len(places) != len(pandas_categories):
        raise ValueError(
            f"category_columns has {len(places)} columns, the LightGBM model has lists "
            f"of categories for {len(pandas_categories)}."
        )
    levels = [None] * len(columns)
    for place, categories in zip(places, pandas_categories):
        if not _may_be(columns[place], categories):
            raise ValueError(
                f"Column {place} of the LightGBM model cannot have the categories "
                f"{_shorten(categories)}: the model has other codes or numbers for it."
            )
        levels[place] = categories
    integers = [
        j
        for j, column in enumerate(columns)
        if column.kind == "category" and levels[j] is None
    ]
    for j in integers:
        levels[j] = sorted(columns[j].codes)
    return Categories(levels, integers)


def _may_be(column, categories):
    return column.max_code < len(categories)


def _shorten(categories):
    more = ", ..." if len(categories) > 5 else ""
    return f"[{', '.join(map(repr, categories[:5]))}{more}]"


def find_places(columns, pandas_categories):
    """Return the columns that lists of categories are of, in their order.

    A model does not say it. Most often there are as many lists as columns of
    categories. Else lists may be of ordered categories, which the model has as numbers,
    or of columns that it has nothing of; and integers may be categories without a list.
    The fewest such exceptions are believed, if they leave no choice.

    Raises ValueError where several readings are as good, or there is none.
    """
    natural = [j for j, column in enumerate(columns) if column.kind == "category"]
    if len(natural) == len(pandas_categories) and all(
        _may_be(columns[j], categories)
        for j, categories in zip(natural, pandas_categories)
    ):
        return natural
    costs, counts = _count_exceptions(columns, pandas_categories)
    if not np.isfinite(costs[-1, -1]):
        raise ValueError(
            f"The LightGBM model has {len(pandas_categories)} lists in "
            "'pandas_categorical' that do not fit its columns in 'feature_infos'."
        )
    if counts[-1, -1] > 1:
        raise ValueError(
            "The LightGBM model does not say which columns its "
            f"{len(pandas_categories)} lists in 'pandas_categorical' belong to, and "
            "several are possible. Pass category_columns, the columns of pandas' type "
            "'category' in training, in their order."
        )
    return _trace_places(columns, pandas_categories, costs)


def _compute_step_costs(column, pandas_categories):
    """Return what it costs that a column has no list, and each of the lists."""
    without = 1.0 if column.kind == "category" else 0.0
    with_list = 1.0 if column.kind == "number" else 0.0
    return without, np.array(
        [
            with_list if _may_be(column, categories) else np.inf
            for categories in pandas_categories
        ]
    )


def _count_exceptions(columns, pandas_categories):
    """Return the least exceptions of the first columns and lists, and in how many ways.

    Two ways stand for any number of them.
    """
    n_columns, n_lists = len(columns), len(pandas_categories)
    costs = np.full((n_columns + 1, n_lists + 1), np.inf)
    counts = np.zeros((n_columns + 1, n_lists + 1), dtype=np.int64)
    costs[0, 0], counts[0, 0] = 0.0, 1
    for j, column in enumerate(columns):
        without, with_list = _compute_step_costs(column, pandas_categories)
        skipped = costs[j] + without
        taken = np.append(np.inf, costs[j, :-1] + with_list)
        costs[j + 1] = np.minimum(skipped, taken)
        ways = np.where(skipped == costs[j + 1], counts[j], 0)
        ways += np.where(taken == costs[j + 1], np.append(0, counts[j, :-1]), 0)
        counts[j + 1] = np.where(np.isfinite(costs[j + 1]), np.minimum(ways, 2), 0)
    return costs, counts


def _trace_places(columns, pandas_categories, costs):
    """Return the columns of the lists in the reading with the fewest exceptions."""
    places, n_lists = [], len(pandas_categories)
    for j in range(len(columns) - 1, -1, -1):
        without, _ = _compute_step_costs(columns[j], pandas_categories)
        if costs[j, n_lists] + without != costs[j + 1, n_lists]:
            places.append(j)
            n_lists -= 1
    return places[::-1]
