"""The condensed tree of a hierarchy, and what its clusters are like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearnx._cluster.single_linkage import as_words
from sklearnx._cython.cluster import condensed_tree as kernels

CONDENSED_DTYPE = np.dtype(
    [
        ("parent", np.intp),
        ("child", np.intp),
        ("value", np.float64),
        ("cluster_size", np.intp),
    ]
)


def condense_merges(merges, min_cluster_size):
    """Condense a hierarchy to clusters of at least `min_cluster_size` points.

    Parameters
    ----------
    merges : ndarray of shape (n - 1,), dtype MERGE_DTYPE
        The hierarchy, of at least two points.

    min_cluster_size : int
        At least 2.

    Returns
    -------
    rows : ndarray of shape (n_rows,), dtype CONDENSED_DTYPE
        A row for each point and each cluster but the root: what leaves which cluster at
        which lambda = 1 / distance. Numbers up to n are points, n is the root.
    """
    words = kernels.condense_merges(as_words(merges), min_cluster_size)
    return words.view(CONDENSED_DTYPE).reshape(-1)


@dataclass(frozen=True)
class ClusterTable:
    """The clusters of a condensed tree and the points that leave them.

    Attributes
    ----------
    parent : ndarray of shape (n_clusters,), dtype int64
        -1 for cluster 0, the root. Clusters come after their parents.

    size : ndarray of shape (n_clusters,), dtype int64
        Points at birth.

    birth : ndarray of shape (n_clusters,), dtype float64
        The lambda at which a cluster splits off, 0 for the root.

    max_lambda : ndarray of shape (n_clusters,), dtype float64
        The largest at which something leaves it.

    stability : ndarray of shape (n_clusters,), dtype float64
        The sum of (lambda - birth) over the points in it.

    point_cluster : ndarray of shape (n,), dtype int64
        The cluster that each point leaves, as noise or when it ends.

    point_lambda : ndarray of shape (n,), dtype float64
        When it does.
    """

    parent: np.ndarray
    size: np.ndarray
    birth: np.ndarray
    max_lambda: np.ndarray
    stability: np.ndarray
    point_cluster: np.ndarray
    point_lambda: np.ndarray

    @property
    def n_clusters(self):
        return len(self.parent)


def measure_clusters(rows, n):
    """The table of clusters of the condensed tree of n points."""
    n_clusters = len(rows) - n + 1
    table = ClusterTable(
        parent=np.empty(n_clusters, dtype=np.int64),
        size=np.empty(n_clusters, dtype=np.int64),
        birth=np.empty(n_clusters),
        max_lambda=np.empty(n_clusters),
        stability=np.empty(n_clusters),
        point_cluster=np.empty(n, dtype=np.int64),
        point_lambda=np.empty(n),
    )
    kernels.measure_clusters(
        as_words(rows),
        table.point_cluster,
        table.point_lambda,
        table.parent,
        table.size,
        table.birth,
        table.max_lambda,
        table.stability,
    )
    return table


def find_deaths(table):
    """The largest lambda that anything in a cluster, or within it, reaches."""
    deaths = np.empty(table.n_clusters)
    kernels.find_deaths(table.parent, table.max_lambda, deaths)
    return deaths


def score_outliers(table):
    """GLOSH: how much earlier a point leaves its cluster than the last one does.

    (Campello, Moulavi, Zimek and Sander 2015, section 6.)

    Returns
    -------
    scores : ndarray of shape (n,), dtype float64
        1 - lambda / death of the cluster, from 0 to 1.
    """
    deaths = find_deaths(table)[table.point_cluster]
    # Points that stay to the end score 0, though that may be at infinity.
    is_out = table.point_lambda < deaths
    scores = np.zeros(len(deaths))
    scores[is_out] = 1.0 - table.point_lambda[is_out] / deaths[is_out]
    return scores
