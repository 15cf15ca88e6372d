"""Flat clusterings: which clusters of a condensed tree to select, and their members."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearnx._cython.cluster import condensed_tree as kernels


@dataclass(frozen=True)
class Selection:
    """Selected clusters.

    Attributes
    ----------
    clusters : ndarray of shape (n_selected,), dtype int64
        Their numbers, ascending; label i is the i-th of them.

    owners : ndarray of shape (n_clusters,), dtype int64
        The label of the innermost selected cluster that each cluster of the tree is or
        is in, -1 if there is none.

    root_lambda : float
        Where the root is the only one selected, the lambda that a point reaches which
        is not noise; else inf.
    """

    clusters: np.ndarray
    owners: np.ndarray
    root_lambda: float


def select_clusters(
    table,
    *,
    method="eom",
    allow_single_cluster=False,
    epsilon=0.0,
    max_cluster_size=None,
):
    """Select clusters of a condensed tree.

    Parameters
    ----------
    table : ClusterTable
        The clusters.

    method : {"eom", "leaf"}, default="eom"
        The clusters of the largest total stability, or the smallest ones.

    allow_single_cluster : bool, default=False
        Whether the root may be selected.

    epsilon : float, default=0.0
        Clusters that split at a smaller distance are merged.

    max_cluster_size : int, default=None
        "eom" selects none of more points.

    Returns
    -------
    selection : Selection
    """
    selected = np.zeros(table.n_clusters, dtype=np.uint8)
    if method == "eom":
        sizes = table.size
        if allow_single_cluster:
            # Of the root, the points that its children have.
            sizes = sizes.copy()
            sizes[0] = sizes[table.parent == 0].sum()
        kernels.select_by_mass(
            table.parent,
            sizes,
            table.stability,
            np.iinfo(np.int64).max if max_cluster_size is None else max_cluster_size,
            allow_single_cluster,
            selected,
        )
    else:
        kernels.select_leaves(table.parent, selected)
    if epsilon != 0.0 and not selected[0]:
        kernels.merge_selected(
            table.parent, table.birth, epsilon, allow_single_cluster, selected
        )

    owners = np.empty(table.n_clusters, dtype=np.int64)
    kernels.name_owners(table.parent, selected, owners)
    clusters = np.flatnonzero(selected)
    labels = np.full(table.n_clusters, -1, dtype=np.int64)
    labels[clusters] = np.arange(len(clusters))
    owners = np.where(owners >= 0, labels[owners], -1)
    root_lambda = np.inf
    if selected[0]:
        # Points of the root are noise, unless it is alone and they stay long enough.
        owners[owners == 0] = -1
        if len(clusters) == 1:
            owners[:] = 0
            root_lambda = 1.0 / epsilon if epsilon != 0.0 else table.max_lambda[0]
    return Selection(clusters, owners, root_lambda)


def label_points(table, selection):
    """Labels and probabilities of the points of a condensed tree.

    Returns
    -------
    labels : ndarray of shape (n,), dtype int64
        -1 is noise.

    probabilities : ndarray of shape (n,), dtype float64
        lambda of the point over the largest of its cluster, 0 for noise.
    """
    return label_lambdas(table, selection, table.point_cluster, table.point_lambda)


def label_lambdas(table, selection, clusters, lambdas):
    """The same for points that leave `clusters` at `lambdas`."""
    labels = selection.owners[clusters]
    if len(selection.clusters) == 1 and selection.clusters[0] == 0:
        labels = np.where(lambdas >= selection.root_lambda, labels, -1)
    is_member = labels >= 0
    largest = np.zeros(len(labels))
    largest[is_member] = table.max_lambda[selection.clusters][labels[is_member]]
    probabilities = is_member.astype(np.float64)
    is_part = is_member & (largest > 0.0) & np.isfinite(lambdas)
    largest, own = largest[is_part], lambdas[is_part]
    probabilities[is_part] = np.minimum(own, largest) / largest
    return labels, probabilities
