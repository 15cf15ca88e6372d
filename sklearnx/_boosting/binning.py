"""Bins of the features: where they end, and the codes of the training data."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sklearnx._cython.boosting.binning import fill_rows, map_levels, map_values
from sklearnx._cython.boosting.matrix import BinnedMatrix

# Quantiles are taken from that many rows at most, as in scikit-learn.
MAX_QUANTILE_ROWS = 200_000
# Fewer values are sorted on the calling thread.
MIN_VALUES_FOR_THREADS = 100_000


class BinMapper:
    """Finds bins of all features and maps the training data to their codes.

    A numeric feature with at most `max_bins` distinct values has a bin for each,
    others have bins of about equal weight. The levels of a categorical feature are its
    bins, however many there are. One more bin takes the missing values.

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
    """

    def __init__(self, max_bins=255, seed=0):
        self.max_bins = max_bins
        self.seed = seed

    def fit_transform(self, table, rows=None, sample_weight=None, n_threads=1):
        """Find the bins of some rows of `table` and return their codes.

        Parameters
        ----------
        table : Table
        rows : int64 array of shape (n_rows,) or None
            The rows to bin; None means all.
        sample_weight : float64 array of shape (n_rows,) or None
            Positive weights of these rows.
        n_threads : int

        Returns
        -------
        matrix : BinnedMatrix
        """
        self._find_bins(table, rows, sample_weight, n_threads)
        return self._map(table, rows, n_threads)

    def _find_bins(self, table, rows, sample_weight, n_threads):
        rows, weights = self._sample_rows(table.n_rows, rows, sample_weight)

        def find(feature):
            if table.is_categorical[feature]:
                return np.empty(0)
            values = table.column(feature)
            if rows is not None:
                values = values[rows]
            return find_thresholds(values, weights, self.max_bins)

        features = range(table.n_features)
        n_values = len(rows) if rows is not None else table.n_rows
        if n_threads > 1 and n_values * table.n_features >= MIN_VALUES_FOR_THREADS:
            with ThreadPoolExecutor(n_threads) as pool:
                self.thresholds_ = list(pool.map(find, features))
        else:
            self.thresholds_ = [find(feature) for feature in features]
        self.n_bins_non_missing_ = np.array(
            [len(thresholds) + 1 for thresholds in self.thresholds_], dtype=np.int32
        )
        self.n_bins_non_missing_[table.is_categorical] = np.maximum(
            table.n_levels[table.is_categorical], 1
        )

    def _sample_rows(self, n_rows, rows, sample_weight):
        """Return the rows whose quantiles count (None: all) and their weights."""
        if rows is not None:
            n_rows = len(rows)
        if n_rows <= MAX_QUANTILE_ROWS:
            return rows, sample_weight
        rng = np.random.Generator(np.random.Philox(self.seed))
        if sample_weight is None:
            sample = np.sort(
                rng.choice(n_rows, MAX_QUANTILE_ROWS, replace=False, shuffle=False)
            )
        else:
            # Systematic sampling: a row comes up in proportion to its weight.
            total = np.cumsum(sample_weight)
            points = (np.arange(MAX_QUANTILE_ROWS) + rng.random()) / MAX_QUANTILE_ROWS
            sample = np.searchsorted(total, points * total[-1], side="right")
            sample = np.minimum(sample, n_rows - 1)
        return (sample if rows is None else rows[sample]), None

    @property
    def edges_(self):
        """Upper edges of all bins in the order of a histogram, +inf for the last."""
        edges = []
        for thresholds, n_bins in zip(
            self.thresholds_, self.n_bins_non_missing_, strict=True
        ):
            upper = np.full(n_bins + 1, np.inf)
            upper[: len(thresholds)] = thresholds
            edges.append(upper)
        return np.concatenate(edges)

    def _map(self, table, rows, n_threads):
        matrix = BinnedMatrix(
            table.n_rows if rows is None else len(rows),
            self.n_bins_non_missing_,
            table.is_categorical,
        )
        edges = self.edges_
        if table.dense is not None:
            features = np.arange(table.n_features, dtype=np.int32)
            map_values(matrix, table.dense, rows, features, edges, n_threads)
        else:
            for feature in range(table.n_features):
                column = table.column(feature)
                if table.is_categorical[feature]:
                    codes = column if rows is None else column[rows]
                    map_levels(matrix, codes, feature)
                else:
                    features = np.array([feature], dtype=np.int32)
                    map_values(
                        matrix, column[:, np.newaxis], rows, features, edges, n_threads
                    )
        fill_rows(matrix, n_threads)
        return matrix


def find_thresholds(values, weights, max_bins):
    """Find the inner edges of the bins of a numeric feature.

    Parameters
    ----------
    values : float array of shape (n_rows,)
        NaN is missing.
    weights : float64 array of shape (n_rows,) or None
        Positive.
    max_bins : int

    Returns
    -------
    thresholds : float64 array
        Ascending, finite, fewer than `max_bins`. Midpoints of neighbouring values if
        they are few, else quantiles (averaged inverted distribution function), which a
        row of weight 2 moves exactly as the row twice does.
    """
    missing = np.isnan(values)
    if missing.any():
        values = values[~missing]
        weights = None if weights is None else weights[~missing]
    if len(values) == 0:
        return np.empty(0)
    if weights is None:
        values = np.sort(values)
    else:
        order = np.argsort(values, kind="stable")
        values = values[order]
    last = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)
    distinct = values[last].astype(np.float64)
    if len(distinct) <= max_bins:
        lower, upper = distinct[:-1], distinct[1:]
    else:
        if weights is None:
            total = (last + 1).astype(np.float64)
        else:
            total = np.cumsum(weights[order])[last]
        total = np.cumsum(_cap_heavy_values(np.diff(total, prepend=0.0), max_bins))
        # Compared as products, which are exact for counts and integer weights.
        reached = total * max_bins
        wanted = np.arange(1, max_bins) * total[-1]
        at = np.searchsorted(reached, wanted, side="left")
        # A quantile at the largest value would leave an empty bin behind it.
        wanted, at = wanted[at < len(distinct) - 1], at[at < len(distinct) - 1]
        lower = distinct[at]
        upper = np.where(reached[at] == wanted, distinct[at + 1], lower)
    return np.unique(_middle(lower, upper))


def _cap_heavy_values(weights, max_bins):
    """Return the weights of distinct values with none above the share of a bin.

    Quantiles that fall on one heavy value coincide, and the bins between them are lost.
    Capped at a bin's share, it has a bin of its own and leaves the rest to the others.
    """
    # A running sum has one order of addition on every machine, unlike a plain one.
    cap = np.cumsum(weights)[-1] / max_bins
    while True:
        # A lower cap may reach more values; it falls until it reaches no more.
        n_heavy = np.count_nonzero(weights > cap)
        if n_heavy >= max_bins:
            return weights
        light = np.cumsum(weights[weights <= cap])[-1]
        lower_cap = light / (max_bins - n_heavy)
        if lower_cap >= cap:
            return np.minimum(weights, cap)
        cap = lower_cap


def _middle(lower, upper):
    """Return a finite edge with lower <= edge, and edge < upper where they differ."""
    with np.errstate(invalid="ignore"):
        middle = lower / 2 + upper / 2
    middle = np.where(np.isnan(middle), 0.0, middle)  # between -inf and inf
    largest = np.finfo(np.float64).max
    # Rounding may have reached the upper value.
    middle = np.where((middle >= upper) & (upper > lower), lower, middle)
    middle = np.maximum(middle, lower)
    return np.clip(middle, -largest, largest)
