"""The columns that the trees of a CatBoost model ask for.

columns of X, numbers as float32 | a column for each level of one-hot | the CTRs
"""

from typing import NamedTuple

import numpy as np

from sklearnx._boosting.encoding import Table
from sklearnx._io.source_columns import SourceColumns


class CatBoostColumn(NamedTuple):
    """What a column tells that stands for others.

    Attributes
    ----------
    features : tuple of int
        The columns of X that it looks at; some maybe several times.
    text : str
        What to call it, with a place for the name of each.
    """

    features: tuple
    text: str


class CatBoostColumns(SourceColumns):
    """Numbers that stand for categories, behind the columns of X.

    Parameters
    ----------
    n_features : int
    categorical : int array
        Columns that `HashEncoder` has hashed.
    levels : list of (int, int)
        Columns that are compared with the hash of a level.
    level_texts : list of str
        What to call those levels.
    projections : list of Projection
    ctr_texts : list of list of str
        What to call the CTRs of each.
    """

    def __init__(
        self, n_features, categorical, levels, level_texts, projections, ctr_texts
    ):
        super().__init__(n_features, rounds_to_float32=True)
        self._categorical = categorical
        self._levels = levels
        self._projections = projections
        self.columns_ = [
            CatBoostColumn((column,), f"{{}} = {_escape(text)}")
            for (column, _), text in zip(levels, level_texts, strict=True)
        ]
        for projection, texts in zip(projections, ctr_texts, strict=True):
            features = projection.columns
            self.columns_ += [CatBoostColumn(features, text) for text in texts]
        # Those of X that columns behind them look at.
        looked_at = [column for of, _ in self.columns_ for column in of]
        self.features = np.unique(np.array([*categorical, *looked_at], dtype=np.int64))

    def extend(self, table, n_threads=1):
        """Return the table as trees ask for it."""
        columns = [self._read(table, j) for j in range(table.n_features)]
        derived = [
            (columns[column] == level).astype(np.float32)
            for column, level in self._levels
        ]
        for projection in self._projections:
            derived += projection.look_up(columns)
        for j in self._categorical:
            columns[j] = np.broadcast_to(np.float32(0), table.n_rows)
        columns += derived
        return Table(table.n_rows, len(columns), columns=columns)

    def count_levels(self, n_levels):
        """Return the number of levels of each column of extended tables: none has any.

        Raises
        ------
        ValueError
            If the columns, which may come from a file, are not those of X.
        """
        looked_at = [column for of, _ in self.columns_ for column in of]
        n_derived = len(self._levels) + sum(len(p.ctrs) for p in self._projections)
        if n_derived != len(self.columns_) or not all(
            0 <= column < len(n_levels) for column in (*self._categorical, *looked_at)
        ):
            raise ValueError("The model is damaged: it lacks columns of levels.")
        return np.zeros(len(n_levels) + n_derived, dtype=np.int64)

    def name_columns(self, names):
        """Return what to call the columns behind those of the table."""
        return [
            text.format(*(names[feature] for feature in features))
            for features, text in self.columns_
        ]

    def share_out(self, sums, splits_evenly):
        """Return sums by column as sums by column of X.

        What belongs to several columns is shared by them, as CatBoost does, or counts
        for each.
        """
        shared = sums[: self.n_features].copy()
        for value, (features, _) in zip(
            sums[self.n_features :], self.columns_, strict=True
        ):
            if splits_evenly:
                np.add.at(shared, list(features), value / len(features))
            else:
                shared[list(features)] += value
        return shared


def _escape(text):
    return text.replace("{", "{{").replace("}", "}}")
