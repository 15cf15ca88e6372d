"""New points in a hierarchy that stays as it is, and soft membership in clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import pairwise_distances

from sklearnx._cluster.condensed_tree import find_deaths
from sklearnx._cluster.kd_tree import build_kd_tree, find_neighbors
from sklearnx._cluster.row_distances import BLOCK_BYTES
from sklearnx._cython.cluster import attach, condensed_tree

# Distances to exemplars below this, of the largest, count as none.
MIN_DISTANCE = 1e-12


@dataclass(frozen=True)
class Attachments:
    """What points that are not of a hierarchy are joined to.

    Attributes
    ----------
    rows : ndarray of shape (n,), dtype intp
        The nearest row by mutual reachability.

    weights : ndarray of shape (n,), dtype float64
        That distance.

    lengths : ndarray of shape (n,), dtype float64
        The distance. 0: the point is equal to the row.
    """

    rows: np.ndarray
    weights: np.ndarray
    lengths: np.ndarray


def attach_by_tree(
    queries,
    reachability,
    min_samples,
    metric,
    *,
    alpha=1.0,
    scale_core=False,
    n_threads=1,
):
    """Attach points, each by itself, to the nearest row of a k-d tree.

    Parameters
    ----------
    queries : ndarray of shape (n_queries, n_columns)
        Finite, n_queries > 0.

    reachability : Reachability
        With a k-d tree.

    min_samples : int
        The core distance of a query is that to the row number min_samples - 1, itself
        not being one.

    metric : Metric
        Of the k-d tree.

    alpha : float, default=1.0
        Divides distances.

    scale_core : bool, default=False
        Whether it divides core distances too.

    n_threads : int, default=1
        Threads.
    """
    tree = reachability.kd_tree
    query_tree = build_kd_tree(queries, n_threads)
    query_core = np.zeros(query_tree.n)
    if min_samples > 1:
        _, _, query_core = find_neighbors(
            tree,
            min_samples - 1,
            queries=query_tree,
            metric=metric,
            positions=False,
            n_kept=1,
            n_threads=n_threads,
        )
    # What is compared is alpha times as much.
    core = metric.reduce(reachability.core * alpha)[tree.rows]
    nearest = np.empty(query_tree.n, dtype=np.int32)
    weights, lengths = np.empty((2, query_tree.n))
    attach.attach_points(
        *query_tree.arrays,
        *tree.arrays,
        metric.number,
        metric.p,
        core,
        query_core if scale_core else query_core * metric.reduce(alpha),
        nearest,
        weights,
        lengths,
        n_threads,
    )
    return Attachments(
        query_tree.in_rows(tree.rows[nearest].astype(np.intp)),
        query_tree.in_rows(metric.restore(weights)) / alpha,
        query_tree.in_rows(metric.restore(lengths)),
    )


def attach_by_rows(queries, source, core, min_samples, *, alpha=1.0, as_matrix=False):
    """The same, from distances of a few queries at a time to all rows.

    Parameters
    ----------
    queries : ndarray or sparse matrix of shape (n_queries, ...)
        What ``source.between`` takes.

    source : MatrixDistances, KernelDistances or PairwiseDistances
        Of the rows.

    core : ndarray of shape (n,)
        Core distances of the rows.

    min_samples : int
        As above.

    alpha : float, default=1.0
        Divides distances.

    as_matrix : bool, default=False
        Whether it divides core distances too.
    """
    n_queries = queries.shape[0]
    found = Attachments(
        np.empty(n_queries, dtype=np.intp), np.empty(n_queries), np.empty(n_queries)
    )
    size = max(1, BLOCK_BYTES // (8 * source.n))
    for first in range(0, n_queries, size):
        block = slice(first, first + size)
        lengths = np.asarray(source.between(queries[block]), dtype=np.float64)
        scaled = lengths / alpha
        weights = np.maximum(scaled, core)
        if min_samples > 1:
            of_core = scaled if as_matrix else lengths
            own = np.partition(of_core, min_samples - 2, axis=1)[:, min_samples - 2]
            weights = np.maximum(weights, own[:, None])
        is_least = weights == weights.min(axis=1, keepdims=True)
        rows = np.where(is_least, lengths, np.inf).argmin(axis=1)
        places = np.arange(len(rows))
        # Rows that are equal may not be at a distance of 0, where that is rounded.
        nearest = lengths.argmin(axis=1)
        is_equal = source.are_equal(queries[block], nearest, lengths[places, nearest])
        rows = np.where(is_equal, nearest, rows)
        found.rows[block] = rows
        found.weights[block] = weights[places, rows]
        found.lengths[block] = np.where(is_equal, 0.0, lengths[places, rows])
    return found


def place_attached(table, attachments):
    """The cluster that attached points leave and at which lambda.

    A point stays with the row that it is attached to until that leaves its cluster, and
    no longer than down to its own distance from it; where it comes in only after
    clusters have been joined, it is in what they were joined to.

    Returns
    -------
    clusters : ndarray of shape (n,), dtype int64
        Clusters of the table.

    lambdas : ndarray of shape (n,), dtype float64
    """
    rows = attachments.rows
    with np.errstate(divide="ignore"):
        own = 1.0 / attachments.weights
    own[attachments.lengths == 0] = np.inf
    lambdas = np.minimum(own, table.point_lambda[rows])
    clusters = table.point_cluster[rows]
    condensed_tree.climb_tree(table.parent, table.birth, lambdas, clusters)
    return clusters, lambdas


def _order_selected(table, selected):
    """Columns for selected clusters, so that those within any cluster are a range.

    Returns the column of each selected cluster, and the first and the number of those
    in each cluster of the table, itself among them.
    """
    n_within = np.zeros(table.n_clusters, dtype=np.int64)
    n_within[selected] = 1
    is_selected = n_within.astype(bool)
    for cluster in range(table.n_clusters - 1, 0, -1):
        n_within[table.parent[cluster]] += n_within[cluster]
    first = np.zeros(table.n_clusters, dtype=np.int64)
    n_placed = is_selected.astype(np.int64)
    for cluster in range(1, table.n_clusters):
        parent = table.parent[cluster]
        first[cluster] = first[parent] + n_placed[parent]
        n_placed[parent] += n_within[cluster]
    return first[selected], first, n_within


def merge_lambdas(table, selected, clusters):
    """The lambda at which each of some clusters parts from each selected one.

    Parameters
    ----------
    table : ClusterTable
        All clusters.

    selected : ndarray of shape (n_selected,)
        Selected clusters.

    clusters : ndarray of shape (n,)
        Clusters.

    Returns
    -------
    lambdas : ndarray of shape (n, n_selected), dtype float64
        inf where one is within the other.
    """
    columns, first, n_within = _order_selected(table, selected)
    siblings = {}
    for cluster in range(1, table.n_clusters):
        siblings.setdefault(int(table.parent[cluster]), []).append(cluster)
    lambdas = np.full((len(clusters), len(selected)), np.inf)
    for row, cluster in zip(lambdas, clusters.tolist()):
        while cluster > 0:
            for other in siblings[int(table.parent[cluster])]:
                if other != cluster:
                    start = first[other]
                    row[start : start + n_within[other]] = table.birth[cluster]
            cluster = int(table.parent[cluster])
    return lambdas[:, columns]


def find_exemplars(table, selection):
    """The rows in the densest parts of each selected cluster.

    They are those that stay longest in the clusters within it that have none within.

    Returns
    -------
    exemplars : list of ndarray
        Rows, for each selected cluster.
    """
    is_leaf = np.ones(table.n_clusters, dtype=bool)
    is_leaf[table.parent[1:]] = False
    clusters = table.point_cluster
    lasts = is_leaf[clusters] & (table.point_lambda == table.max_lambda[clusters])
    rows = np.flatnonzero(lasts)
    owners = selection.owners[clusters[rows]]
    return [rows[owners == label] for label in range(len(selection.clusters))]


def measure_to_exemplars(queries, X, exemplars, distances, n_threads=1):
    """Distances of points to the nearest exemplar of each cluster.

    Parameters
    ----------
    queries : ndarray or sparse matrix of shape (n_queries, n_columns)
        Points.

    X : ndarray or sparse matrix of shape (n, n_columns)
        The rows.

    exemplars : list of ndarray
        Rows, for each cluster.

    distances : Distances
        How they are measured.

    n_threads : int, default=1
        Threads.

    Returns
    -------
    out : ndarray of shape (n_queries, n_clusters), dtype float64
    """
    out = np.empty((queries.shape[0], len(exemplars)))
    metric = distances.for_tree(X)
    if metric is not None:
        tree = build_kd_tree(queries, n_threads)
        for label, rows in enumerate(exemplars):
            nearest, _ = find_neighbors(
                build_kd_tree(X[rows], n_threads),
                1,
                queries=tree,
                metric=metric,
                positions=False,
                n_threads=n_threads,
            )
            out[:, label] = tree.in_rows(metric.restore(nearest[:, 0]))
        return out
    for label, rows in enumerate(exemplars):
        size = max(1, BLOCK_BYTES // (8 * len(rows)))
        source = X[rows]
        for first in range(0, queries.shape[0], size):
            block = slice(first, first + size)
            out[block, label] = pairwise_distances(
                queries[block], source, metric=distances.metric, **distances.params
            ).min(axis=1)
    return out


def weigh_memberships(table, selection, clusters, lambdas, exemplar_distances):
    """How much points belong to each selected cluster.

        u(x, c) = p(x) a(x, c) b(x, c) / sum of a b over all clusters
        a(x, c) = 1 / distance of x to the nearest exemplar of c, of a sum of 1
        b(x, c) = exp(-death(c) / lambda at which x parts from c), of a sum of 1
        p(x)    = that lambda over death(c), for the c where it is largest

    Parameters
    ----------
    table : ClusterTable
        All clusters.

    selection : Selection
        Those selected.

    clusters, lambdas : ndarray of shape (n,)
        Where points leave the tree, and when.

    exemplar_distances : ndarray of shape (n, n_selected)
        As of `measure_to_exemplars`.

    Returns
    -------
    memberships : ndarray of shape (n, n_selected), dtype float64
        From 0 to 1, of a sum of at most 1.
    """
    selected = selection.clusters
    if len(selected) == 0:
        return np.zeros((len(clusters), 0))
    deaths = find_deaths(table)[selected]
    own, place = np.unique(clusters, return_inverse=True)
    parting = np.minimum(merge_lambdas(table, selected, own)[place], lambdas[:, None])
    # Both may be infinite, among duplicates: such points have stayed to the end.
    share = np.ones_like(parting)
    finite = np.isfinite(deaths)
    share[:, finite] = np.minimum(parting[:, finite] / deaths[finite], 1.0)
    share[:, ~finite] = np.isinf(parting[:, ~finite])

    scale = exemplar_distances.max(axis=1, keepdims=True)
    floor = np.where(scale > 0, scale, 1.0) * MIN_DISTANCE
    nearness = floor / np.maximum(exemplar_distances, floor)
    nearness /= nearness.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        exponents = -1.0 / share
    is_none = np.isinf(exponents).all(axis=1)
    exponents[is_none] = 0.0
    staying = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    memberships = nearness * staying
    memberships /= memberships.sum(axis=1, keepdims=True)
    return memberships * share.max(axis=1, keepdims=True)
