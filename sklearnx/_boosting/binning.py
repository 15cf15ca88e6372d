"""Bins of the features: where they end, and the codes of the training data."""

import numpy as np

from sklearnx._boosting.bundling import (
    MAX_SHARE,
    NO_ENTRIES,
    Entries,
    bundle_columns,
    find_entries,
)
from sklearnx._cython.boosting.binning import (
    count_codes,
    fill_rows,
    find_column_edges,
    find_edges,
    find_stored_edges,
    gather_columns,
    map_levels,
    map_stored_values,
    map_values,
    sample_by_weight,
)
from sklearnx._cython.boosting.matrix import (
    NARROW,
    NONE,
    BinnedMatrix,
    make_plain_layout,
)

# Quantiles are taken from that many rows at most, as in scikit-learn.
MAX_QUANTILE_ROWS = 200_000
# Values that are copied at a time to find quantiles, and a quarter of all at most.
MAX_GATHERED_VALUES = 1 << 23
# Of values beside one that most rows have, as LightGBM's min_data_in_bin.
MIN_ROWS_OF_BIN = 3
# Of columns derived from others: what they tell is too noisy for more.
MAX_DERIVED_BINS = 64


class BinMapper:
    """Finds bins of all features and maps the training data to their codes.

    A numeric feature with at most `max_bins` distinct values has a bin for each,
    others have bins of about equal weight. Where one value has more than half of the
    rows, bins of the others have at least 3 rows, or as many as a leaf: of words and
    other sparse columns each value would be a bin. The levels of a categorical feature
    are its bins, however many there are. One more bin takes the missing values.

    Parameters
    ----------
    max_bins : int
        Largest number of bins of a numeric feature, without the missing one.
    seed : int
        Of the sample of rows that quantiles are taken from.

    Attributes
    ----------
    thresholds_ : list of float64 arrays
        Inner edges of the bins of each feature: bin `b` holds the values `x` with
        ``thresholds[b - 1] < x <= thresholds[b]``. Empty for categorical features.
    n_bins_non_missing_ : int32 array of shape (n_features,)
    is_stored_ : bool array of shape (n_features,)
        Features without are constant, or nearly so.
    """

    def __init__(self, max_bins=255, seed=0):
        self.max_bins = max_bins
        self.seed = seed

    def without_edges(self):
        """Return a mapper that tells how many bins there are, but not where they end.

        It is kept with a model, whose trees have the thresholds that they need.
        """
        mapper = BinMapper(self.max_bins, self.seed)
        mapper.n_bins_non_missing_ = self.n_bins_non_missing_
        return mapper

    def fit_transform(
        self, table, rows=None, sample_weight=None, n_threads=1, min_samples=1
    ):
        """Find the bins of some rows of `table` and return their codes.

        Parameters
        ----------
        table : Table
        rows : int64 array of shape (n_rows,) or None
            The rows to bin; None means all.
        sample_weight : float64 array of shape (n_rows,) or None
            Positive weights of these rows.
        n_threads : int
        min_samples : int, default=1
            What a leaf needs: features that fewer rows tell apart are not stored.

        Returns
        -------
        matrix : BinnedMatrix
        """
        self._find_bins(table, rows, sample_weight, n_threads, min_samples)
        return self.transform(table, rows, sample_weight, n_threads, min_samples)

    def transform(
        self, table, rows=None, sample_weight=None, n_threads=1, min_samples=1
    ):
        """Return the codes of some rows of `table` by the bins that were found.

        Parameters are those of `fit_transform`. Tables that differ in derived columns
        alone get matrices of one layout.
        """
        self.is_stored_ = np.ones(table.n_features, dtype=bool)
        matrix, entries = self._map(table, rows, n_threads)
        for column, codes in enumerate(matrix.wide):
            matrix.wide_max_counts[column] = np.bincount(codes).max()
        counts = count_codes(matrix, n_threads)
        found = find_entries(matrix, counts, n_threads)
        if table.n_derived > 0:
            # The same layout whatever codes they have.
            n_given = table.n_features - table.n_derived
            found = found.take(np.flatnonzero(found.features < n_given))
        entries = entries.merge(found)
        if len(entries.features) == 0:
            fill_rows(matrix, counts, n_threads)
            return matrix
        # A row of integer weight counts as so many.
        heaviest = 1 if sample_weight is None else max(1, sample_weight.max())
        matrix = bundle_columns(
            matrix, entries, counts, min_samples / heaviest, n_threads
        )
        self.is_stored_ = matrix.layout.storage != NONE
        return matrix

    def _find_bins(self, table, rows, sample_weight, n_threads, min_samples):
        rows, weights = self._sample_rows(table.n_rows, rows, sample_weight)
        are_counts = _have_exact_sums(weights)
        min_weight = min(MIN_ROWS_OF_BIN, min_samples) if are_counts else 0
        if table.csc is not None and are_counts:
            edges = self._find_stored_edges(
                table.csc, rows, weights, n_threads, min_weight
            )
        elif table.columns is not None:
            numeric = np.flatnonzero(~table.is_categorical)
            is_given = numeric < table.n_features - table.n_derived
            edges = [np.empty(0)] * table.n_features
            for some, max_bins in (
                (numeric[is_given], self.max_bins),
                (numeric[~is_given], min(self.max_bins, MAX_DERIVED_BINS)),
            ):
                if len(some) == 0:
                    continue
                columns = [table.columns[j] for j in some]
                found = find_column_edges(
                    columns, rows, weights, max_bins, n_threads, min_weight
                )
                for j, column_edges in zip(some, found, strict=True):
                    edges[j] = column_edges
        else:
            edges = self._find_gathered_edges(
                table, rows, weights, n_threads, min_weight
            )
        self.thresholds_ = edges
        self.n_bins_non_missing_ = np.array(
            [len(thresholds) + 1 for thresholds in self.thresholds_], dtype=np.int32
        )
        self.n_bins_non_missing_[table.is_categorical] = np.maximum(
            table.n_levels[table.is_categorical], 1
        )

    def _find_gathered_edges(self, table, rows, weights, n_threads, min_weight):
        """Copy values some columns at a time, so as to need little memory."""
        if rows is None:
            rows = np.arange(table.n_rows)
        edges = []
        n_gathered = min(MAX_GATHERED_VALUES, table.n_rows * table.n_features // 4)
        n_columns = max(n_threads, n_gathered // max(len(rows), 1))
        for start in range(0, table.n_features, n_columns):
            stop = min(start + n_columns, table.n_features)
            if table.dense is not None:
                columns = gather_columns(table.dense[:, start:stop], rows, n_threads)
            else:
                columns = np.stack([table.column(j)[rows] for j in range(start, stop)])
            edges += find_edges(columns, weights, self.max_bins, n_threads, min_weight)
        return edges

    def _find_stored_edges(self, csc, rows, weights, n_threads, min_weight):
        if rows is not None:
            csc = csc[rows]
        n_stored = np.diff(csc.indptr)
        if weights is None:
            stored_weights = None
            weights_of_zeros = csc.shape[0] - n_stored.astype(np.float64)
        else:
            stored_weights = weights[csc.indices]
            sums = np.concatenate([[0], np.cumsum(stored_weights)])
            weights_of_zeros = weights.sum() - np.diff(sums[csc.indptr])
        return find_stored_edges(
            csc.data,
            csc.indptr.astype(np.int64),
            stored_weights,
            weights_of_zeros,
            self.max_bins,
            n_threads,
            min_weight,
        )

    def _sample_rows(self, n_rows, rows, sample_weight):
        """Return the rows whose quantiles count and their weights. None: all; all 1."""
        if rows is not None:
            n_rows = len(rows)
        if n_rows <= MAX_QUANTILE_ROWS:
            return rows, sample_weight
        rng = np.random.Generator(np.random.Philox(self.seed))
        draws = rng.random(MAX_QUANTILE_ROWS)
        if sample_weight is None:
            # A row of each of so many stretches of about the same length.
            ends = np.arange(MAX_QUANTILE_ROWS + 1) * n_rows // MAX_QUANTILE_ROWS
            sample = ends[:-1] + (draws * np.diff(ends)).astype(np.int64)
        else:
            sample = sample_by_weight(sample_weight, draws[0], MAX_QUANTILE_ROWS)
        return sample if rows is None else rows[sample], None

    @property
    def edges_(self):
        """Upper edges of all bins in the order of a histogram, +inf for the last."""
        edges = []
        for thresholds, n_bins, is_stored in zip(
            self.thresholds_, self.n_bins_non_missing_, self.is_stored_, strict=True
        ):
            if not is_stored:
                continue
            upper = np.full(n_bins + 1, np.inf)
            upper[: len(thresholds)] = thresholds
            edges.append(upper)
        return np.concatenate([*edges, np.empty(0)])

    def _map(self, table, rows, n_threads):
        """Return a matrix of the columns, and the entries of sparse features."""
        n_rows = table.n_rows if rows is None else len(rows)
        entries, has_missing = NO_ENTRIES, 0
        if table.csc is not None:
            csc = table.csc if rows is None else table.csc[rows]
            entries, has_missing = self._map_stored(csc, n_threads)
            self.is_stored_[entries.features] = False
        layout = make_plain_layout(self.n_bins_non_missing_, self.is_stored_)
        matrix = BinnedMatrix(
            n_rows, self.n_bins_non_missing_, table.is_categorical, layout
        )
        matrix.has_missing[...] = has_missing
        edges = self.edges_
        if table.dense is not None:
            features = np.arange(table.n_features, dtype=np.int32)
            map_values(matrix, table.dense, rows, features, edges, n_threads)
            return matrix, entries
        for feature in np.flatnonzero(self.is_stored_):
            column = table.column(feature)
            if table.is_categorical[feature]:
                codes = column if rows is None else column[rows]
                map_levels(matrix, codes, feature, n_threads)
            else:
                features = np.array([feature], dtype=np.int32)
                map_values(
                    matrix, column[:, np.newaxis], rows, features, edges, n_threads
                )
        return matrix, entries

    def _map_stored(self, csc, n_threads):
        """Return the entries of the features that most rows have a zero of."""
        edges = np.concatenate([*self.thresholds_, np.empty(0)])
        n_edges = self.n_bins_non_missing_ - 1
        codes, has_missing = map_stored_values(
            csc.data,
            csc.indptr.astype(np.int64),
            edges,
            np.cumsum(n_edges, dtype=np.int64) - n_edges,
            self.n_bins_non_missing_,
            n_threads,
        )
        # Of sorted edges, those below zero.
        ends = np.cumsum(n_edges)
        n_below = np.concatenate([[0], np.cumsum(edges < 0)])
        zero_codes = (n_below[ends] - n_below[ends - n_edges]).astype(np.int32)
        n_stored = np.diff(csc.indptr)
        is_entry = codes != np.repeat(zero_codes, n_stored)
        n_entries = np.concatenate([[0], np.cumsum(is_entry)])
        starts = n_entries[csc.indptr].astype(np.int64)
        # Codes of wide features are more than a byte can hold.
        is_narrow = make_plain_layout(self.n_bins_non_missing_).storage == NARROW
        listed = np.flatnonzero(
            is_narrow & (np.diff(starts) < MAX_SHARE * csc.shape[0])
        )
        entries = Entries(
            np.arange(csc.shape[1]),
            zero_codes,
            starts,
            csc.indices[is_entry].astype(np.uint32),
            codes[is_entry],
        )
        return entries.take(listed), has_missing


def _have_exact_sums(weights):
    """Return whether the sums of weights are the same in any order."""
    return weights is None or (
        np.all(weights == np.rint(weights)) and weights.sum() < 2**53
    )
