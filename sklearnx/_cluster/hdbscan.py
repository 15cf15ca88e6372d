"""The stages of HDBSCAN in a row, each an array that can be used again.

table -> core distances, spanning tree -> merges             once
merges -> condensed tree -> clusters -> selection -> labels
                                   each time that a size or a method changes
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.neighbors import BallTree, KDTree

from sklearnx._cluster.condensed_tree import (
    ClusterTable,
    condense_merges,
    measure_clusters,
)
from sklearnx._cluster.kd_tree import make_metric
from sklearnx._cluster.row_distances import (
    KernelDistances,
    MatrixDistances,
    PairwiseDistances,
    span_by_rows,
    span_graph,
)
from sklearnx._cluster.selection import Selection, label_points, select_clusters
from sklearnx._cluster.spanning_tree import scale_reachability, span_by_kd_tree

# Metrics that scikit-learn looks up in trees; others it takes as a matrix.
TREE_METRICS = frozenset(KDTree.valid_metrics + BallTree.valid_metrics)


@dataclass(frozen=True)
class Distances:
    """How distances are measured.

    Attributes
    ----------
    metric : str or callable
        scikit-learn's name or a function.

    params : dict
        Parameters of the metric.

    alpha : float
        Divides distances.

    as_matrix : bool
        Whether to do as scikit-learn does with a matrix of distances: alpha divides
        core distances too, and edges are a chain.

    n_jobs : int or None
        For metrics that scikit-learn computes.
    """

    metric: object
    params: dict
    alpha: float = 1.0
    as_matrix: bool = False
    n_jobs: int | None = None

    def for_tree(self, X):
        """The metric for a k-d tree, or None if it does not know it."""
        if sparse.issparse(X) or set(self.params) - {"p"}:
            return None
        return make_metric(self.metric, self.params.get("p", 2.0))

    def make_source(self, X):
        """Rows of distances to the rows of a table, or of a matrix of distances."""
        if isinstance(self.metric, str) and self.metric == "precomputed":
            return MatrixDistances(X)
        if self.as_matrix:
            return PairwiseDistances(X, self.metric, self.params, self.n_jobs)
        return KernelDistances(X, self.metric, self.params)


def find_reachability(X, min_samples, distances, *, ties="scan", n_threads=1):
    """Core distances and the spanning tree of mutual reachability distances.

    Parameters
    ----------
    X : ndarray or sparse matrix
        A finite table of n > 1 rows, or the distances between all.

    min_samples : int
        From 1 to n.

    distances : Distances
        How distances are measured.

    ties : {"scan", "distance"}, default="scan"
        What decides between edges of the same weight (see spanning_tree.py). Only for
        metrics of k-d trees.

    n_threads : int, default=1
        Threads.

    Returns
    -------
    reachability : Reachability
    """
    alpha, as_matrix = distances.alpha, distances.as_matrix
    if isinstance(distances.metric, str) and distances.metric == "precomputed":
        if sparse.issparse(X):
            max_distance = distances.params.get("max_distance", 0.0)
            return span_graph(X, min_samples, alpha=alpha, max_distance=max_distance)
    else:
        metric = distances.for_tree(X)
        if metric is not None:
            reachability = span_by_kd_tree(
                X,
                min_samples,
                metric,
                alpha=1.0 if as_matrix else alpha,
                ties=ties,
                as_chain=as_matrix,
                n_threads=n_threads,
            )
            return scale_reachability(reachability, alpha if as_matrix else 1.0)
    source = distances.make_source(X)
    return span_by_rows(source, min_samples, alpha=alpha, as_chain=as_matrix)


@dataclass(frozen=True)
class Clustering:
    """A flat clustering of the points of a hierarchy, and where it comes from.

    Attributes
    ----------
    rows : ndarray, dtype CONDENSED_DTYPE
        The condensed tree.

    table : ClusterTable
        Its clusters.

    selection : Selection
        Those selected.

    labels : ndarray of shape (n,), dtype int64
        -1 is noise.

    probabilities : ndarray of shape (n,), dtype float64
        Strength of membership.
    """

    rows: np.ndarray
    table: ClusterTable
    selection: Selection
    labels: np.ndarray
    probabilities: np.ndarray


def cluster_merges(merges, min_cluster_size, **options):
    """A flat clustering of a hierarchy; `options` are those of `select_clusters`."""
    rows = condense_merges(merges, min_cluster_size)
    table = measure_clusters(rows, len(merges) + 1)
    selection = select_clusters(table, **options)
    labels, probabilities = label_points(table, selection)
    return Clustering(rows, table, selection, labels, probabilities)
