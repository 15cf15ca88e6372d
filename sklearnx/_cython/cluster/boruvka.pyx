"""Spanning trees of mutual reachability distances on a k-d tree (see boruvka.h)."""

from libc.stdint cimport int32_t

from sklearnx._cython.cluster.kd_tree cimport describe_kd_tree, skx_kd_tree_t
from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from *:
    """
    #include "boruvka.h"

    static bool skx_span(
        const skx_kd_tree_t &tree, int metric, double p, const double *core, int k,
        const double *distances, const int32_t *neighbors, int32_t *from, int32_t *to,
        double *weights, double *lengths, skx_parallel_t run, int n_threads,
        int (*goes_on)()) {
        bool is_done = false;
        auto span = [&](auto by) {
            skx_boruvka_t<decltype(by)> boruvka(
                tree, by, core, k, distances, neighbors, run, n_threads);
            is_done = boruvka.find(from, to, weights, lengths, goes_on);
        };
        skx_with_metric(metric, p, span);
        return is_done;
    }
    """
    bint skx_span(
        const skx_kd_tree_t& tree, int metric, double p, const double* core, int k,
        const double* distances, const int32_t* neighbors, int32_t* start,
        int32_t* stop, double* weights, double* lengths, skx_parallel_t run,
        int n_threads, int (*goes_on)() noexcept,
    ) except + nogil


def find_spanning_tree(
    const double[:, :, ::1] points,
    const double[:, ::1] lower,
    const double[:, ::1] upper,
    const int32_t[::1] rows,
    int metric,
    double p,
    const double[::1] core,
    const double[:, ::1] distances,
    const int32_t[:, ::1] neighbors,
    int32_t[::1] start,
    int32_t[::1] stop,
    double[::1] weights,
    double[::1] lengths,
    int n_threads,
):
    """Find the minimum spanning tree of mutual reachability distances.

    Parameters
    ----------
    points, lower, upper, rows, metric, p
        IN, the tree and the metric (see kd_tree.pyx).
    core : array of shape (n,)
        IN, reduced core distances.
    distances, neighbors : arrays of shape (n, k)
        IN, reduced distances and positions of the nearest neighbours, the point itself
        among them.
    start, stop : arrays of shape (n - 1,)
        OUT, positions of the ends of the edges, in no particular order.
    weights, lengths : arrays of shape (n - 1,)
        OUT, mutual reachability distances and distances, reduced.
    """
    cdef:
        skx_kd_tree_t tree = describe_kd_tree(points, lower, upper, rows)
        bint is_done
    if rows.shape[0] < 2:
        return
    with nogil:
        is_done = skx_span(
            tree, metric, p, &core[0], <int> distances.shape[1], &distances[0, 0],
            &neighbors[0, 0], &start[0], &stop[0], &weights[0], &lengths[0],
            <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if not is_done:
        raise_pending_error()
