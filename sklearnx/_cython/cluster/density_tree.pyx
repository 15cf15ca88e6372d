"""DBSCAN on a k-d tree (see density_walks.h), whose arrays kd_tree.pyx describes."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from sklearnx._cython.cluster.kd_tree cimport describe_kd_tree, skx_kd_tree_t
from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from *:
    """
    #include "density_walks.h"

    static bool skx_ask_clusters(
        const skx_kd_tree_t &tree, int metric, double p, double radius,
        double min_samples, const double *weights, uint8_t *is_core, int64_t *labels,
        skx_parallel_t run, int n_threads, int (*goes_on)()) {
        bool is_done = false;
        auto ask = [&](auto by) {
            is_done = skx_cluster_by(
                tree, by, radius, min_samples, weights, is_core, labels, run, n_threads,
                goes_on);
        };
        skx_with_metric(metric, p, ask);
        return is_done;
    }

    static bool skx_ask_nearest(
        const skx_kd_tree_t &queries, const skx_kd_tree_t &tree, int metric, double p,
        double radius, int64_t *nearest, skx_parallel_t run, int n_threads,
        int (*goes_on)()) {
        bool is_done = false;
        auto ask = [&](auto by) {
            is_done = skx_find_nearest_within(
                queries, tree, by, radius, nearest, run, n_threads, goes_on);
        };
        skx_with_metric(metric, p, ask);
        return is_done;
    }
    """
    bint skx_ask_clusters(
        const skx_kd_tree_t& tree, int metric, double p, double radius,
        double min_samples, const double* weights, uint8_t* is_core, int64_t* labels,
        skx_parallel_t run, int n_threads, int (*goes_on)() noexcept,
    ) except + nogil
    bint skx_ask_nearest(
        const skx_kd_tree_t& queries, const skx_kd_tree_t& tree, int metric, double p,
        double radius, int64_t* nearest, skx_parallel_t run, int n_threads,
        int (*goes_on)() noexcept,
    ) except + nogil


def cluster_on_tree(
    const double[:, :, ::1] points,
    const double[:, ::1] lower,
    const double[:, ::1] upper,
    const int32_t[::1] rows,
    int metric,
    double p,
    double radius,
    double min_samples,
    const double[::1] weights,
    int64_t[::1] labels,
    uint8_t[::1] is_core,
    int n_threads,
):
    """Find core points, clusters and border points.

    Parameters
    ----------
    radius : float
        Reduced: points at most as far apart are neighbours.
    min_samples : float
        Number of neighbours, or their weight, that makes a core point.
    weights : array of shape (n,) or None
        IN, of any sign; None for ones.
    labels : array of shape (n,)
        OUT, clusters in the order of their lowest core row, -1 for noise.
    is_core : array of shape (n,)
        OUT, 1 for core points.

    All but the tree in the order of the table's rows.
    """
    cdef:
        skx_kd_tree_t tree = describe_kd_tree(points, lower, upper, rows)
        const double* of_rows = NULL
        bint is_done
    if weights is not None:
        of_rows = &weights[0]
    with nogil:
        is_done = skx_ask_clusters(
            tree, metric, p, radius, min_samples, of_rows, &is_core[0], &labels[0],
            <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if not is_done:
        raise_pending_error()


def find_nearest_within(
    const double[:, :, ::1] query_points,
    const double[:, ::1] query_lower,
    const double[:, ::1] query_upper,
    const int32_t[::1] query_rows,
    const double[:, :, ::1] points,
    const double[:, ::1] lower,
    const double[:, ::1] upper,
    const int32_t[::1] rows,
    int metric,
    double p,
    double radius,
    int64_t[::1] nearest,
    int n_threads,
):
    """Find the nearest point at most `radius` (reduced) from each query.

    OUT: nearest (n_queries,), its row, the lowest of several, or -1; in the order of
    the queries' rows.
    """
    cdef:
        skx_kd_tree_t queries = describe_kd_tree(
            query_points, query_lower, query_upper, query_rows
        )
        skx_kd_tree_t tree = describe_kd_tree(points, lower, upper, rows)
        bint is_done
    with nogil:
        is_done = skx_ask_nearest(
            queries, tree, metric, p, radius, &nearest[0],
            <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if not is_done:
        raise_pending_error()
