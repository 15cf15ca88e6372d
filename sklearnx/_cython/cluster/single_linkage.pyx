"""The hierarchy of single linkage from a spanning tree (see single_linkage.h).

Merges are rows (left, right, value, size) of 8 bytes each, as int64.
"""

from libc.stdint cimport int32_t, int64_t
from libcpp.vector cimport vector

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "single_linkage.h" nogil:
    cdef struct skx_tree_edge_t:
        double weight, distance
        int32_t start "from"
        int32_t stop "to"
    cdef struct skx_merge_t:
        pass
    void skx_sort_edges(
        skx_tree_edge_t* edges, int64_t n, skx_parallel_t run, int n_threads
    ) except +
    void skx_orient_edges(skx_tree_edge_t* edges, int64_t n) except +
    void skx_link(
        const skx_tree_edge_t* edges, int64_t n, skx_merge_t* merges
    ) except +
    void skx_cut(
        const skx_merge_t* merges, int64_t n, double cut, int64_t min_size,
        int64_t* labels,
    ) except +


cdef vector[skx_tree_edge_t] _pack_edges(
    const int32_t[::1] start,
    const int32_t[::1] stop,
    const double[::1] weights,
    const double[::1] lengths,
) except *:
    cdef:
        vector[skx_tree_edge_t] edges
        int64_t i, n = weights.shape[0]
    edges.resize(n)
    for i in range(n):
        edges[i].weight = weights[i]
        edges[i].distance = lengths[i]
        edges[i].start = start[i]
        edges[i].stop = stop[i]
    return edges


def sort_edges(
    int32_t[::1] start,
    int32_t[::1] stop,
    double[::1] weights,
    double[::1] lengths,
    int n_threads,
):
    """Sort the edges of a tree over rows and turn them away from row 0.

    Parameters
    ----------
    start, stop : arrays of shape (n - 1,)
        IN/OUT, rows.
    weights, lengths : arrays of shape (n - 1,)
        IN/OUT. Edges are sorted by weight, length, lower row and higher row.
    """
    cdef:
        int64_t i, n = weights.shape[0]
        vector[skx_tree_edge_t] edges
    if n == 0:
        return
    edges = _pack_edges(start, stop, weights, lengths)
    with nogil:
        skx_sort_edges(edges.data(), n, <skx_parallel_t> parallel_for, n_threads)
        skx_orient_edges(edges.data(), n + 1)
    for i in range(n):
        start[i] = edges[i].start
        stop[i] = edges[i].stop
        weights[i] = edges[i].weight
        lengths[i] = edges[i].distance


def link_edges(
    const int32_t[::1] start,
    const int32_t[::1] stop,
    const double[::1] weights,
    int64_t[:, ::1] merges,
):
    """Join clusters along sorted edges.

    Parameters
    ----------
    start, stop, weights : arrays of shape (n - 1,)
        IN, rows, and weights in ascending order.
    merges : array of shape (n - 1, 4)
        OUT, the left cluster has the start of the edge.
    """
    cdef vector[skx_tree_edge_t] edges
    if weights.shape[0] == 0:
        return
    edges = _pack_edges(start, stop, weights, weights)
    with nogil:
        skx_link(edges.data(), weights.shape[0] + 1, <skx_merge_t*> &merges[0, 0])


def cut_merges(
    const int64_t[:, ::1] merges, double cut, int64_t min_size, int64_t[::1] labels
):
    """Label the clusters of merges below a value.

    Parameters
    ----------
    merges : array of shape (n - 1, 4)
        IN.
    cut : float
        Merges of a lower value are done.
    min_size : int
        Clusters with fewer points are noise, -1.
    labels : array of shape (n,)
        OUT.
    """
    cdef const skx_merge_t* rows = NULL
    if merges.shape[0] > 0:
        rows = <const skx_merge_t*> &merges[0, 0]
    with nogil:
        skx_cut(rows, labels.shape[0], cut, min_size, &labels[0])
