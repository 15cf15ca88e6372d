"""The condensed tree, its clusters, and which of them to select (see condense.h).

Clusters are numbered from 0, the root, here; children come after their parents.
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy
from libcpp.vector cimport vector

cdef extern from "condense.h" nogil:
    cdef struct skx_merge_t:
        pass
    cdef struct skx_condensed_row_t:
        int64_t parent, child
        double value "lambda"
        int64_t size
    void skx_condense(
        const skx_merge_t* merges, int64_t n, int64_t min_size,
        vector[skx_condensed_row_t]& rows,
    ) except +


def condense_merges(const int64_t[:, ::1] merges, int64_t min_size):
    """Condense a hierarchy of single linkage.

    Parameters
    ----------
    merges : array of shape (n - 1, 4)
        IN, at least one.
    min_size : int
        The points of the smallest cluster, at least 2.

    Returns
    -------
    rows : ndarray of shape (n_rows, 4), dtype int64
        Parent, child, the bits of lambda, and size.
    """
    cdef:
        vector[skx_condensed_row_t] rows
        int64_t[:, ::1] out
    with nogil:
        skx_condense(
            <const skx_merge_t*> &merges[0, 0], merges.shape[0] + 1, min_size, rows
        )
    result = np.empty((rows.size(), 4), dtype=np.int64)
    out = result
    memcpy(&out[0, 0], rows.data(), rows.size() * sizeof(skx_condensed_row_t))
    return result


def measure_clusters(
    const int64_t[:, ::1] rows,
    int64_t[::1] point_cluster,
    double[::1] point_lambda,
    int64_t[::1] parent,
    int64_t[::1] size,
    double[::1] birth,
    double[::1] max_lambda,
    double[::1] stability,
):
    """Read from a condensed tree where points leave it and what its clusters are like.

    Parameters
    ----------
    rows : array of shape (n_rows, 4)
        IN, of `condense_merges`.
    point_cluster, point_lambda : arrays of shape (n,)
        OUT, the cluster that each point leaves, and when.
    parent, size : arrays of shape (n_clusters,)
        OUT. -1 and n for the root.
    birth : array of shape (n_clusters,)
        OUT, the lambda at which a cluster splits off, 0 for the root.
    max_lambda : array of shape (n_clusters,)
        OUT, the largest lambda at which a point or a cluster leaves it.
    stability : array of shape (n_clusters,)
        OUT, the sum of size times lambda less birth over all that leaves it.
    """
    cdef:
        int64_t i, cluster, child, n = point_cluster.shape[0]
        const skx_condensed_row_t* row
    parent[0] = -1
    size[0] = n
    birth[0] = 0.0
    max_lambda[:] = 0.0
    stability[:] = 0.0
    with nogil:
        for i in range(rows.shape[0]):
            row = <const skx_condensed_row_t*> &rows[i, 0]
            cluster = row.parent - n
            stability[cluster] += (row.value - birth[cluster]) * row.size
            max_lambda[cluster] = max(max_lambda[cluster], row.value)
            if row.child < n:
                point_cluster[row.child] = cluster
                point_lambda[row.child] = row.value
            else:
                child = row.child - n
                parent[child] = cluster
                size[child] = row.size
                birth[child] = row.value


def select_by_mass(
    const int64_t[::1] parent,
    const int64_t[::1] sizes,
    const double[::1] stability,
    int64_t max_size,
    bint allow_root,
    uint8_t[::1] selected,
):
    """Select the clusters of the largest sum of stability, none within another.

    Parameters
    ----------
    parent, sizes, stability : arrays of shape (n_clusters,)
        IN, of `measure_clusters`.
    max_size : int
        Larger ones are not selected.
    allow_root : bool
        Whether the root may be.
    selected : array of shape (n_clusters,)
        OUT.
    """
    cdef:
        int64_t i, n = parent.shape[0]
        int64_t first = 0 if allow_root else 1
        vector[double] below
    below.resize(n)
    for i in range(n):
        below[i] = 0.0
    selected[0] = False
    with nogil:
        for i in range(n - 1, first - 1, -1):
            # A NaN, of clusters that are born and die at infinity, is not larger.
            selected[i] = not (below[i] > stability[i] or sizes[i] > max_size)
            if i > 0:
                below[parent[i]] += stability[i] if selected[i] else below[i]
        # Whatever is within a selected cluster is not.
        for i in range(1, n):
            below[i] = 0.0
        below[0] = selected[0]
        for i in range(1, n):
            if below[parent[i]] > 0.0:
                below[i] = 1.0
                selected[i] = False
            elif selected[i]:
                below[i] = 1.0


def select_leaves(const int64_t[::1] parent, uint8_t[::1] selected):
    """Select the clusters without clusters in them, but not the root."""
    cdef int64_t i
    selected[:] = True
    selected[0] = False
    for i in range(1, parent.shape[0]):
        selected[parent[i]] = False


def merge_selected(
    const int64_t[::1] parent,
    const double[::1] birth,
    double epsilon,
    bint allow_root,
    uint8_t[::1] selected,
):
    """Replace clusters born at a distance below `epsilon` by one that is not.

    (Malzer and Baum, "A hybrid approach to hierarchical density-based cluster
    selection", MFI 2020, algorithm 1.)

    Parameters
    ----------
    parent, birth : arrays of shape (n_clusters,)
        IN, of `measure_clusters`.
    epsilon : float
        Above 0.
    allow_root : bool
        Whether the root may stand for the clusters in it; else its children do.
    selected : array of shape (n_clusters,)
        IN/OUT. The root is not selected.
    """
    cdef:
        int64_t i, at, n = parent.shape[0]
        uint8_t[::1] chosen = np.zeros(n, dtype=np.uint8)
    for i in range(1, n):
        if not selected[i]:
            continue
        at = i
        if 1.0 / birth[i] < epsilon:
            while True:
                if parent[at] == 0:
                    if allow_root:
                        at = 0
                    break
                at = parent[at]
                if 1.0 / birth[at] > epsilon:
                    break
        chosen[at] = True
    selected[:] = chosen


def name_owners(
    const int64_t[::1] parent, const uint8_t[::1] selected, int64_t[::1] owners
):
    """Write the innermost selected cluster around each one, its own included, else -1.

    IN: parent, selected (n_clusters,). OUT: owners (n_clusters,).
    """
    cdef int64_t i
    for i in range(parent.shape[0]):
        if selected[i]:
            owners[i] = i
        else:
            owners[i] = owners[parent[i]] if i > 0 else -1


def find_deaths(
    const int64_t[::1] parent, const double[::1] max_lambda, double[::1] deaths
):
    """Write the largest lambda that anything in a cluster, or within it, reaches.

    IN: parent, max_lambda (n_clusters,). OUT: deaths (n_clusters,).
    """
    cdef int64_t i
    deaths[:] = max_lambda
    for i in range(parent.shape[0] - 1, 0, -1):
        deaths[parent[i]] = max(deaths[parent[i]], deaths[i])


def climb_tree(
    const int64_t[::1] parent,
    const double[::1] birth,
    const double[::1] lambdas,
    int64_t[::1] clusters,
):
    """Go up from each cluster to one that is born by a lambda.

    IN: parent, birth (n_clusters,), lambdas (n,). IN/OUT: clusters (n,).
    """
    cdef:
        int64_t i, at
    with nogil:
        for i in range(clusters.shape[0]):
            at = clusters[i]
            while birth[at] > lambdas[i]:
                at = parent[at]
            clusters[i] = at
