"""What new points would be joined to by single linkage (see attach.h)."""

from libc.stdint cimport int32_t

from sklearnx._cython.cluster.kd_tree cimport describe_kd_tree, skx_kd_tree_t
from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from *:
    """
    #include "attach.h"

    static bool skx_attach_by(
        const skx_kd_tree_t &queries, const skx_kd_tree_t &tree, int metric, double p,
        const double *core, const double *query_core, int32_t *nearest, double *weights,
        double *lengths, skx_parallel_t run, int n_threads, int (*goes_on)()) {
        bool is_done = false;
        auto attach = [&](auto by) {
            is_done = skx_attach(
                queries, tree, by, core, query_core, nearest, weights, lengths, run,
                n_threads, goes_on);
        };
        skx_with_metric(metric, p, attach);
        return is_done;
    }
    """
    bint skx_attach_by(
        const skx_kd_tree_t& queries, const skx_kd_tree_t& tree, int metric, double p,
        const double* core, const double* query_core, int32_t* nearest,
        double* weights, double* lengths, skx_parallel_t run, int n_threads,
        int (*goes_on)() noexcept,
    ) except + nogil


def attach_points(
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
    const double[::1] core,
    const double[::1] query_core,
    int32_t[::1] nearest,
    double[::1] weights,
    double[::1] lengths,
    int n_threads,
):
    """Find the nearest point of a tree by mutual reachability of each query.

    Parameters
    ----------
    query_points, ..., rows, metric, p
        IN, the trees of the queries and of the points, and the metric (see
        kd_tree.pyx).
    core, query_core : arrays of shape (n,) and (n_queries,)
        IN, reduced core distances, by position.
    nearest : array of shape (n_queries,)
        OUT, positions; what stands for queries is in the order of their tree.
    weights, lengths : arrays of shape (n_queries,)
        OUT, mutual reachability distances and distances, reduced.
    """
    cdef:
        skx_kd_tree_t queries = describe_kd_tree(
            query_points, query_lower, query_upper, query_rows
        )
        skx_kd_tree_t tree = describe_kd_tree(points, lower, upper, rows)
        bint is_done
    with nogil:
        is_done = skx_attach_by(
            queries, tree, metric, p, &core[0], &query_core[0], &nearest[0],
            &weights[0], &lengths[0], <skx_parallel_t> parallel_for, n_threads,
            handle_signals,
        )
    if not is_done:
        raise_pending_error()
