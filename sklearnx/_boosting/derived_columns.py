"""Numbers that stand for categories: columns behind those of the table.

    columns a, b, c --> combinations: a, b, c, (a, b), (a, c), (b, c)
                    --> of each, means of the target by level, and rows of the level

In training a row's mean is that of the rows before it in a random order, so that it
does not hold its own target (see `target_statistics`). The means of one order are noisy
in one way; trees find their splits by those of several orders in turn, and leaves have
values by those of the first order alone, which is the only one that raw scores follow
("CatBoost", NeurIPS 2018, section 5 and appendix B). If each tree had values by its own
order, the trees together would see more of a row's target than any order shows.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from sklearnx._boosting.encoding import UNKNOWN
from sklearnx._boosting.target_statistics import TargetStatistics
from sklearnx._cython.boosting.level_pairs import find_pairs, number_pairs

# Rows at the mean of all that are added to those of a level.
SMOOTH = 1.0
N_ORDERS = 4
# Of all combinations, at most: each costs as much as a column of the table.
MAX_COLUMNS = 128
# Of many derived columns, what each tree is offered, and that many at least. They tell
# nearly the same; trees of different ones are less alike.
SHARE_OF_TREE = 0.3
MIN_COLUMNS_OF_TREE = 16


class DerivedColumn(NamedTuple):
    """What a derived column tells.

    Attributes
    ----------
    features : tuple of int
        The categorical columns whose levels it looks at.
    output : int or None
        Whose mean it is, by the column of the targets; None: it counts rows.
    """

    features: tuple
    output: int | None


class DerivedColumns:
    """The columns that stand for some categorical ones, which trees do without.

    Parameters
    ----------
    features : int array
        The categorical columns.
    seed : int
        Of the orders of rows.

    Attributes
    ----------
    columns_ : list of DerivedColumn
        In their order behind the columns of the table.
    """

    def __init__(self, features, seed):
        self.features = features
        self._seed = seed

    def fit(self, table, targets, *, rows=None, weights=None, n_threads=1):
        """Choose combinations, and compute what rows to be predicted get.

        Parameters
        ----------
        table : Table
        targets : float64 array of shape (n_rows, n_outputs)
        rows : int64 array of shape (n_rows,) or None, default=None
            Which rows of the table the targets are of; None means all.
        weights : float64 array of shape (n_rows,) or None, default=None
        n_threads : int, default=1

        Returns
        -------
        self
        """
        self.n_features = table.n_features
        columns = _take_rows(table.columns, self.features, rows)
        n_outputs = targets.shape[1]
        self._choose_pairs(
            columns, table.n_levels, MAX_COLUMNS // (1 + n_outputs), n_threads
        )
        n_levels = [int(table.n_levels[feature]) for feature in self._singles]
        n_levels += [len(members) for _, members in self._pair_tables]
        self._statistics = TargetStatistics(SMOOTH).fit(
            self._encode(columns, n_threads), n_levels, targets, n_threads, weights
        )
        self.columns_ = [
            DerivedColumn(features, output)
            for features in [(feature,) for feature in self._singles] + self._pairs
            for output in (*range(n_outputs), None)
        ]
        return self

    @property
    def n_columns(self):
        """Columns of an extended table."""
        return self.n_features + len(self.columns_)

    def extend(self, table, n_threads=1):
        """Return the table of rows to be predicted with the derived columns behind."""
        codes = self._encode(table.columns, n_threads)
        return self._join(table, self._statistics.look_up(codes), codes)

    # Whether `describe_rows` tells all that `extend` does.
    reads_rows = True

    def describe_rows(self):
        """Return what RowPredictor needs to extend one row: combinations, options.

        As `extend` has it: in float32, and a level of a combination that fit did not
        see by its code.
        """
        tables = [None] * len(self._singles) + self._pair_tables
        columns = [(feature, -1) for feature in self._singles] + self._pairs
        statistics = self._statistics
        combinations = []
        for (first, second), table, means, weights in zip(
            columns, tables, statistics.means_, statistics.weights_, strict=True
        ):
            starts, members = table or (None, None)
            values = np.column_stack([means, weights]).astype(np.float32)
            values = np.ascontiguousarray(values, dtype=np.float64)
            combinations.append((first, second, starts, members, values))
        return combinations, {}

    def order(self, table, targets, n_orders, *, rows=None, weights=None, n_threads=1):
        """Yield the table with what rows get in training, in one order after another.

        Rows of the table that are not trained on get zeros. Parameters are those of
        `fit`, save for `n_orders`.
        """
        codes = self._encode(_take_rows(table.columns, self.features, rows), n_threads)
        for permutation in range(n_orders):
            means = self._statistics.order(
                codes, targets, self._seed, n_threads, weights, permutation
            )
            yield self._join(table, means, codes, rows)

    def _choose_pairs(self, columns, n_levels, max_combinations, n_threads):
        """Choose the pairs of columns to look at, and number their levels.

        Those of columns with more levels come first: what few rows share tells more of
        them. A pair with no more levels than one of its columns tells nothing new.
        """
        self._singles = sorted(
            self.features.tolist(), key=lambda feature: (-n_levels[feature], feature)
        )
        n_present = {
            feature: np.count_nonzero(np.bincount(columns[feature] + 1))
            for feature in self._singles
        }
        candidates = [tuple(sorted(pair)) for pair in combinations(self._singles, 2)]
        self._pairs, self._pair_tables = [], []
        while candidates:
            n_more = max_combinations - len(self._singles) - len(self._pairs)
            if n_more <= 0:
                break
            some, candidates = candidates[:n_more], candidates[n_more:]
            _, tables = number_pairs(
                [tuple(columns[feature] for feature in pair) for pair in some],
                [tuple(int(n_levels[feature]) for feature in pair) for pair in some],
                n_threads,
            )
            for pair, table in zip(some, tables, strict=True):
                _, members = table
                if len(members) > max(n_present[feature] for feature in pair):
                    self._pairs.append(pair)
                    self._pair_tables.append(table)

    def _encode(self, columns, n_threads):
        """Return the codes of the levels of each combination."""
        singles = [columns[feature] for feature in self._singles]
        pairs = [tuple(columns[feature] for feature in pair) for pair in self._pairs]
        return [*singles, *find_pairs(pairs, self._pair_tables, UNKNOWN, n_threads)]

    def _join(self, table, means, codes, rows=None):
        derived = []
        for of_combination, of_levels, code in zip(
            means, self._statistics.weights_, codes, strict=True
        ):
            derived += [*of_combination, of_levels[code]]
        derived = [column.astype(np.float32) for column in derived]
        if rows is not None:
            derived = [_scatter(column, rows, table.n_rows) for column in derived]
        return table.extended(derived, self.features)

    def count_levels(self, n_levels):
        """Return the number of levels of each column of extended tables.

        Parameters
        ----------
        n_levels : int array of shape (n_features,)
            Of the columns of the table, 0 for numbers.

        Raises
        ------
        ValueError
            If tables, which may come from a file, are not of those levels.
        """
        if not self._has_tables_of(n_levels):
            raise ValueError("The model is damaged: its means are not of its levels.")
        extended = np.append(n_levels, np.zeros(len(self.columns_), dtype=np.int64))
        extended[self.features] = 0
        return extended

    def _has_tables_of(self, n_levels):
        """Return whether kernels find what rows of these levels look for."""
        combinations = [(feature,) for feature in self._singles] + self._pairs
        known = set(np.flatnonzero(n_levels))
        if not all(known.issuperset(features) for features in combinations):
            return False
        sizes = [n_levels[feature] for feature in self._singles]
        for (first, _), (starts, members) in zip(
            self._pairs, self._pair_tables, strict=True
        ):
            sizes.append(len(members))
            if not (
                len(starts) == n_levels[first] + 2
                and starts[0] == 0
                and starts[-1] == len(members)
                and (starts <= len(members)).all()
                and (np.diff(starts) >= 0).all()
            ):
                return False
        means, weights = self._statistics.means_, self._statistics.weights_
        return (
            len(means) == len(weights) == len(sizes)
            and all(
                of_levels.shape == (size + 2, self._n_outputs)
                for of_levels, size in zip(means, sizes)
            )
            and all(
                of_levels.shape == (size + 2,)
                for of_levels, size in zip(weights, sizes)
            )
            and len(self.columns_) == len(sizes) * (self._n_outputs + 1)
        )

    @property
    def _n_outputs(self):
        return len(self._statistics.priors_)

    # -- what else speaks of columns --

    def name_columns(self, names):
        """Return what to call the derived columns.

        Parameters
        ----------
        names : sequence of str
            Of the columns of the table.
        """
        texts = []
        for features, output in self.columns_:
            by = ", ".join(names[feature] for feature in features)
            what = "y" if self._n_outputs == 1 else f"y[{output}]"
            texts.append(f"rows of {by}" if output is None else f"mean {what} of {by}")
        return texts

    def extend_rules(self, growth):
        """Return keyword arguments of `TreeGrower` for the columns of extended tables.

        A derived column is drawn as its least likely column is, and belongs to a group
        if all its columns do.
        """

        def extend(values):
            if values is None:
                return None
            return np.append(values, np.zeros(n_derived, dtype=values.dtype))

        n_derived = len(self.columns_)
        weights, groups = growth["feature_weights"], growth["interaction_groups"]
        lists = [list(features) for features, _ in self.columns_]
        if weights is not None:
            weights = np.append(weights, [weights[some].min() for some in lists])
        if groups is not None:
            shared = [groups[:, some].min(axis=1) for some in lists]
            groups = np.ascontiguousarray(np.column_stack([groups, *shared]))
        return {
            **growth,
            "monotonic_cst": extend(growth["monotonic_cst"]),
            "one_level_splits": extend(growth["one_level_splits"]),
            "feature_weights": weights,
            "interaction_groups": groups,
            "n_derived": n_derived,
            "derived_share": max(SHARE_OF_TREE, MIN_COLUMNS_OF_TREE / n_derived),
        }

    def share_out(self, sums, splits_evenly):
        """Return sums by column of the extended table as sums by column of the table.

        What belongs to two columns is shared by them, or counts for both.
        """
        shared = sums[: self.n_features].copy()
        for value, (features, _) in zip(
            sums[self.n_features :], self.columns_, strict=True
        ):
            shared[list(features)] += value / len(features) if splits_evenly else value
        return shared


def _take_rows(columns, features, rows):
    """Return the listed columns of some rows, None in the place of others."""
    taken = [None] * len(columns)
    for feature in features:
        column = columns[feature]
        taken[feature] = column if rows is None else column[rows]
    return taken


def _scatter(values, rows, n_rows):
    column = np.zeros(n_rows, dtype=values.dtype)
    column[rows] = values
    return column
