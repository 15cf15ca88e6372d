"""The order in which Prim's algorithm visits points (see visiting_order.h)."""

import numpy as np

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy
from libcpp.vector cimport vector

from sklearnx._cython.cluster.kd_tree cimport describe_kd_tree, skx_kd_tree_t
from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from *:
    """
    #include "visiting_order.h"

    static bool skx_list_all_near(
        const skx_kd_tree_t &tree, int metric, double p, const double *core,
        int64_t max_points, skx_near_lists_t &near, skx_parallel_t run, int n_threads,
        int (*goes_on)()) {
        bool is_done = false;
        auto list = [&](auto by) {
            is_done = skx_list_near(
                tree, by, core, max_points, near, run, n_threads, goes_on);
        };
        skx_with_metric(metric, p, list);
        return is_done;
    }

    static void skx_visit_all(
        int64_t n, const int32_t *rows, const double *core, const int32_t *a,
        const int32_t *b, const double *weights, int64_t n_near,
        const int64_t *near_start, const int32_t *near, int32_t first, int32_t *from,
        int32_t *to,
        double *out_weights) {
        skx_visitor_t visitor(n, rows, core, a, b, weights, n_near, near_start, near);
        visitor.visit(first, from, to, out_weights);
    }
    """
    cdef cppclass skx_near_lists_t:
        vector[int64_t] start
        vector[int32_t] points
    bint skx_list_all_near(
        const skx_kd_tree_t& tree, int metric, double p, const double* core,
        int64_t max_points, skx_near_lists_t& near, skx_parallel_t run, int n_threads,
        int (*goes_on)() noexcept,
    ) except + nogil
    void skx_visit_all(
        int64_t n, const int32_t* rows, const double* core, const int32_t* a,
        const int32_t* b, const double* weights, int64_t n_near,
        const int64_t* near_start, const int32_t* near, int32_t first, int32_t* start,
        int32_t* stop, double* out_weights,
    ) except + nogil


def list_near(
    const double[:, :, ::1] points,
    const double[:, ::1] lower,
    const double[:, ::1] upper,
    const int32_t[::1] rows,
    int metric,
    double p,
    const double[::1] core,
    int64_t max_points,
    int n_threads,
):
    """For each point of a tree, list those in its core distance that have no larger.

    Parameters
    ----------
    points, lower, upper, rows, metric, p
        IN, the tree and the metric (see kd_tree.pyx).
    core : array of shape (n,)
        IN, reduced core distances, by position.
    max_points : int
        Lists of more points in all are not made.

    Returns
    -------
    start : ndarray of shape (n + 1,), dtype int64
        Where the lists start.
    near : ndarray of shape (start[n],), dtype int32
        Positions.

    None is returned in place of both if there are too many.
    """
    cdef:
        skx_kd_tree_t tree = describe_kd_tree(points, lower, upper, rows)
        skx_near_lists_t lists
        int64_t[::1] start
        int32_t[::1] near
        bint is_done
    with nogil:
        is_done = skx_list_all_near(
            tree, metric, p, &core[0], max_points, lists,
            <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if not is_done:
        raise_pending_error()
    if lists.start.empty():
        return None
    out_start = np.empty(lists.start.size(), dtype=np.int64)
    out_near = np.empty(lists.points.size(), dtype=np.int32)
    start = out_start
    near = out_near
    memcpy(&start[0], lists.start.data(), lists.start.size() * sizeof(int64_t))
    if near.shape[0] > 0:
        memcpy(&near[0], lists.points.data(), lists.points.size() * sizeof(int32_t))
    return out_start, out_near


def visit_points(
    const int32_t[::1] rows,
    const double[::1] core,
    const int32_t[::1] edge_start,
    const int32_t[::1] edge_stop,
    const double[::1] edge_weights,
    const int64_t[::1] near_start,
    const int32_t[::1] near,
    int32_t first,
    int32_t[::1] start,
    int32_t[::1] stop,
    double[::1] weights,
):
    """Visit points in the order of Prim's algorithm.

    Parameters
    ----------
    rows : array of shape (n,)
        IN, the row of each point; the lower goes first where weights tie.
    core : array of shape (n,)
        IN, core distances.
    edge_start, edge_stop, edge_weights : arrays of shape (n - 1,)
        IN, a minimum spanning tree, its ends points.
    near_start, near : arrays of shape (n_near + 1,) and (near_start[n_near],)
        IN, of `list_near`, for the first points.
    first : int
        The point to start from.
    start, stop : arrays of shape (n - 1,)
        OUT, rows at both ends of the edge by which each point comes in.
    weights : array of shape (n - 1,)
        OUT.
    """
    cdef:
        int64_t n = rows.shape[0], n_near = near_start.shape[0] - 1
        const int32_t* points = NULL
    if n < 2:
        return
    if near.shape[0] > 0:
        points = &near[0]
    with nogil:
        skx_visit_all(
            n, &rows[0], &core[0], &edge_start[0], &edge_stop[0], &edge_weights[0],
            n_near, &near_start[0], points, first, &start[0], &stop[0], &weights[0],
        )
