"""How trees read each categorical column: as levels, or as numbers derived from them.

'auto' asks how much a column's levels could tell. Where a level has many rows, trees
part levels by their gradients, and lose nothing. Where it has few, most of what a
partition gains is chance, and means of the target over other rows tell more:

- a column with fewer than 16 rows for a level is read by its means;
- and if there is one, so is each other column of whose means, taken over the rows
  themselves, less than two thirds hold for rows that they were not taken from.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearnx._boosting.target_statistics import TargetStatistics
from sklearnx._cython.common.reductions import sum_exact

AUTO, PARTITION, ORDERED_TARGET, ONE_HOT = (
    "auto",
    "partition",
    "ordered_target",
    "onehot",
)
ENCODINGS = (AUTO, PARTITION, ORDERED_TARGET, ONE_HOT)

# With fewer rows for a level, means of the target predict better than partitions, with
# more they do worse (`python -m benchmarks categories`).
MIN_ROWS_PER_LEVEL = 16
# What has to hold for other rows of the variance that means explain in their own.
MIN_REAL_SHARE = 2 / 3
# Rows at the mean of all that are added to those of a level to tell.
SMOOTH = 10.0


def read_encodings(
    categorical_encoding: str | Mapping[Any, str],
    n_features: int,
    names: np.ndarray | None,
) -> list[str]:
    """Return the encoding of each column, of those that are not categorical as well.

    Parameters
    ----------
    categorical_encoding : str or dict of str
        A dict has encodings by name of a column, or by position where columns have no
        names; columns that it lacks are 'auto'.
    n_features : int
    names : array of str or None

    Raises
    ------
    ValueError
        If an encoding or a column is unknown.
    """
    if not isinstance(categorical_encoding, Mapping):
        return [categorical_encoding] * n_features
    places = {
        name: j for j, name in enumerate(range(n_features) if names is None else names)
    }
    unknown = [column for column in categorical_encoding if column not in places]
    if unknown:
        kind = (
            "names that are not columns of X"
            if names is not None
            else (f"positions that X, which has {n_features} columns, does not have")
        )
        raise ValueError(f"categorical_encoding has {kind}: {unknown}.")
    encodings = [AUTO] * n_features
    for column, encoding in categorical_encoding.items():
        if encoding not in ENCODINGS:
            raise ValueError(
                f"categorical_encoding[{column!r}] must be one of {set(ENCODINGS)}, "
                f"got {encoding!r}."
            )
        encodings[places[column]] = encoding
    return encodings


def mark_one_hot(encodings: list[str]) -> np.ndarray | None:
    """Return a mask of the columns that are split level by level, None if none are."""
    mask = np.array([encoding == ONE_HOT for encoding in encodings], dtype=np.uint8)
    return mask if mask.any() else None


def may_need_means(encodings: list[str], is_categorical: np.ndarray) -> bool:
    """Return whether any categorical column is, or could be, read by its means."""
    return any(
        encodings[j] in (AUTO, ORDERED_TARGET) for j in np.flatnonzero(is_categorical)
    )


def choose_encodings(
    encodings: list[str],
    table: Any,
    targets: np.ndarray,
    *,
    rows: np.ndarray | None,
    weights: np.ndarray | None,
    seed: int,
    n_threads: int,
) -> np.ndarray:
    """Return the categorical columns that are read by means of the target.

    Parameters
    ----------
    encodings : list of str
        Of each column, from `read_encodings`.
    table : Table
    targets : float64 array of shape (n_rows, n_outputs)
    rows : int64 array of shape (n_rows,) or None
        Which rows of the table the targets are of; None means all.
    weights : float64 array of shape (n_rows,) or None
    seed : int
        Of the order of rows by which 'auto' judges.
    n_threads : int

    Returns
    -------
    features : int array
        Ascending.
    """
    categorical = np.flatnonzero(table.is_categorical).tolist()
    ordered = [j for j in categorical if encodings[j] == ORDERED_TARGET]
    asked = [j for j in categorical if encodings[j] == AUTO]
    has_few_rows = {
        j: len(targets) < MIN_ROWS_PER_LEVEL * table.n_levels[j] for j in asked
    }
    if any(has_few_rows.values()):
        others = [j for j in asked if not has_few_rows[j]]
        columns = [
            table.columns[j] if rows is None else table.columns[j][rows] for j in others
        ]
        shares = _find_real_shares(
            columns, table.n_levels[others].tolist(), targets, weights, seed, n_threads
        )
        ordered += [j for j in asked if has_few_rows[j]]
        ordered += [
            j for j, share in zip(others, shares, strict=True) if share < MIN_REAL_SHARE
        ]
    return np.sort(np.array(ordered, dtype=np.int64))


def _find_real_shares(columns, n_levels, targets, weights, seed, n_threads):
    """Return how much of what level means explain holds for rows not among theirs.

    Both are the variance of the targets less that of what is left; of means that
    explain nothing, the share is 1.
    """
    if len(columns) == 0:
        return []
    factors = np.ones(len(targets)) if weights is None else weights
    statistics = TargetStatistics(SMOOTH).fit(
        columns, n_levels, targets, n_threads, weights
    )
    before = statistics.order(columns, targets, seed, n_threads, weights)
    own = TargetStatistics(0.0).fit(columns, n_levels, targets, n_threads, weights)
    total = _sum_squares(targets - statistics.priors_, factors)
    shares = []
    for means, of_rows in zip(before, own.look_up(columns), strict=True):
        explained = total - _sum_squares(targets - of_rows.T, factors)
        real = total - _sum_squares(targets - means.T, factors)
        shares.append(real / explained if explained > 0 else 1.0)
    return shares


def _sum_squares(differences, factors):
    """Return the weighted sum of squares, with the same bits on any machine."""
    return sum(
        sum_exact(np.ascontiguousarray(column * column), factors)
        for column in differences.T
    )
