"""Scores of several clusterings of the same rows, from shared passes over the data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sklearnx._cython.cluster.assignment import measure_all
from sklearnx._cython.cluster.silhouette import (
    Clusterings,
    find_norms,
    find_silhouettes,
    sum_clusters,
    sum_scatter,
)


class Scatter(NamedTuple):
    """How clusterings lie around the means of their clusters, one value each."""

    within: np.ndarray  # sums of squared distances to the means
    simplified_silhouette: np.ndarray
    calinski_harabasz: np.ndarray
    davies_bouldin: np.ndarray


def number_labels(labels):
    """Number labels from 0 and count each; those that are absent get no number."""
    _, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return numbers.reshape(-1), counts


class _Ordered:
    """Clusterings with their rows in the order of cells (see silhouette_kernels.h)."""

    def __init__(self, labelings, rows):
        numbered = [number_labels(labels[rows]) for labels in labelings]
        self.n_labels = np.array([len(counts) for _, counts in numbered])
        self.starts = np.concatenate([[0], np.cumsum(self.n_labels)]).astype(np.int64)
        self.counts = np.concatenate([counts for _, counts in numbered]).astype(float)
        # The coarsest clustering first, so that cells of one cluster are neighbours.
        keys = [numbered[m][0] for m in np.argsort(self.n_labels, kind="stable")]
        self.order = np.lexsort(keys[::-1])
        columns = np.column_stack(
            [
                start + numbers[self.order]
                for start, (numbers, _) in zip(self.starts, numbered)
            ]
        ).astype(np.int32, order="C")
        ends = np.ones(len(rows), dtype=np.uint8)
        ends[:-1] = (columns[1:] != columns[:-1]).any(axis=1)
        self.rows = np.ascontiguousarray(rows[self.order], dtype=np.int64)
        self.clusterings = Clusterings(columns, self.starts, self.counts, ends)


def _describe_table(X):
    """The arrays that the kernels take of a table: values, columns and starts."""
    if not sp.issparse(X):
        return X, None, None
    if X.nnz == 0:  # the kernels want a value
        values, columns = np.zeros(1, dtype=X.dtype), np.zeros(1, dtype=np.int32)
    else:
        values, columns = X.data, X.indices
    return (
        values.reshape(-1, 1),
        np.ascontiguousarray(columns, dtype=np.int32),
        np.ascontiguousarray(X.indptr, dtype=np.int32),
    )


def _find_centre(table, n_columns, rows, n_threads):
    """The mean of the rows; zeros where they are compressed and stay as they are."""
    centre = np.zeros(n_columns)
    if table[1] is not None:
        return centre
    n_rows = len(rows)
    everything = Clusterings(
        np.zeros((n_rows, 1), dtype=np.int32),
        np.array([0, 1]),
        np.array([float(n_rows)]),
        np.zeros(n_rows, dtype=np.uint8),
    )
    total = np.empty((1, n_columns))
    sum_clusters(*table, rows, centre, everything, total, n_threads)
    return total[0] / n_rows


def _measure_rows(X, ordered, n_threads):
    """What all kernels take, and the squared norms of the rows."""
    table = _describe_table(X)
    centre = _find_centre(table, X.shape[1], ordered.rows, n_threads)
    arguments = (*table, ordered.rows, centre)
    norms = np.empty(len(ordered.rows))
    find_norms(*arguments, norms, n_threads)
    # A quarter of the largest number, as squared distances sum two norms and products.
    if not (norms <= np.finfo(float).max / 4).all():
        raise ValueError("X has values whose squares overflow: scale the features.")
    return arguments, norms


def score_silhouettes(X, labelings, rows, n_threads):
    """Silhouettes of rows among each other.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
        Of float64 or float32.

    labelings : sequence of ndarray of shape (n_samples,)
        Labels, of any dtype that sorts. Each needs at least two different ones among
        the rows.

    rows : ndarray of shape (n_rows,)
        Those that count.

    n_threads : int
        Number of threads.

    Returns
    -------
    silhouettes : ndarray of shape (n_clusterings, n_rows)
        Of `rows`, in their order; 0 for a row that is alone in its cluster.
    """
    ordered = _Ordered(labelings, rows)
    arguments, norms = _measure_rows(X, ordered, n_threads)
    silhouettes = np.empty((len(labelings), len(rows)))
    find_silhouettes(*arguments, norms, ordered.clusterings, silhouettes, n_threads)
    for line in silhouettes:
        line[ordered.order] = line.copy()
    return silhouettes


def score_scatter(X, labelings, n_threads):
    """Scores from distances of rows to the means of clusters.

    Parameters
    ----------
    X, labelings, n_threads
        As of `score_silhouettes`, but a labeling may have a single label.

    Returns
    -------
    scatter : Scatter
        Scores other than `within` are NaN of less than two clusters, and
        Calinski-Harabasz's where each row is one.
    """
    n_samples, n_features = X.shape
    ordered = _Ordered(labelings, np.arange(n_samples))
    arguments, norms = _measure_rows(X, ordered, n_threads)
    means = np.empty((len(ordered.counts), n_features))
    sum_clusters(*arguments, ordered.clusterings, means, n_threads)
    means /= ordered.counts[:, np.newaxis]
    squares, distances, simplified = sum_scatter(
        *arguments, norms, ordered.clusterings, means, n_threads
    )
    scatter = Scatter(*np.full((4, len(labelings)), np.nan))
    for m, n_labels in enumerate(ordered.n_labels):
        own = slice(ordered.starts[m], ordered.starts[m + 1])
        counts = ordered.counts[own]
        within = scatter.within[m] = squares[own].sum()
        if n_labels < 2:
            continue
        scatter.simplified_silhouette[m] = simplified[m] / n_samples
        scatter.davies_bouldin[m] = _find_davies_bouldin(
            means[own], distances[own] / counts
        )
        if n_labels < n_samples:
            scatter.calinski_harabasz[m] = _find_calinski_harabasz(
                means[own], counts, within
            )
    return scatter


def _find_calinski_harabasz(means, counts, within):
    """The variance ratio of Calinski and Harabasz; 1 where nothing is within."""
    n_rows, n_labels = counts.sum(), len(counts)
    overall = (counts[:, np.newaxis] * means).sum(axis=0) / n_rows
    between = (counts * ((means - overall) ** 2).sum(axis=1)).sum()
    if within == 0.0:
        return 1.0
    return between * (n_rows - n_labels) / (within * (n_labels - 1.0))


def _find_davies_bouldin(means, spreads):
    """Mean over clusters of the worst ratio of two spreads to the distance of means."""
    separations = np.empty((len(means), len(means)))
    measure_all(means, means, separations)
    separations = np.sqrt(separations)
    if np.allclose(spreads, 0.0) or np.allclose(separations, 0.0):
        return 0.0
    separations[separations == 0.0] = np.inf
    ratios = (spreads[:, np.newaxis] + spreads) / separations
    return ratios.max(axis=1).mean()
