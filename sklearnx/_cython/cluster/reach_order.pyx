"""The order and the reachability of OPTICS on a k-d tree (see reach_order.h)."""

from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.cluster.kd_tree cimport describe_kd_tree, skx_kd_tree_t
from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from *:
    """
    #include "reach_order.h"

    static bool skx_ask_kth(
        const skx_kd_tree_t &tree, int metric, double p, int64_t k, double *out,
        skx_parallel_t run, int n_threads, int (*goes_on)()) {
        bool is_done = false;
        auto ask = [&](auto by) {
            is_done = skx_find_kth_distances(tree, by, k, out, run, n_threads, goes_on);
        };
        skx_with_metric(metric, p, ask);
        return is_done;
    }

    static bool skx_ask_order(
        const skx_kd_tree_t &tree, int metric, double p, double radius,
        const double *core, int64_t *ordering, double *reach, int64_t *predecessor,
        int (*goes_on)()) {
        bool is_done = false;
        auto ask = [&](auto by) {
            is_done = skx_order_points(
                tree, by, radius, core, ordering, reach, predecessor, goes_on);
        };
        skx_with_metric(metric, p, ask);
        return is_done;
    }
    """
    bint skx_ask_kth(
        const skx_kd_tree_t& tree, int metric, double p, int64_t k, double* out,
        skx_parallel_t run, int n_threads, int (*goes_on)() noexcept,
    ) except + nogil
    bint skx_ask_order(
        const skx_kd_tree_t& tree, int metric, double p, double radius,
        const double* core, int64_t* ordering, double* reach, int64_t* predecessor,
        int (*goes_on)() noexcept,
    ) except + nogil


def find_kth_distances(
    const double[:, :, ::1] points,
    const double[:, ::1] lower,
    const double[:, ::1] upper,
    const int32_t[::1] rows,
    int metric,
    double p,
    int64_t k,
    double[::1] distances,
    int n_threads,
):
    """Find the distance of the k-th nearest point of each, itself among them.

    OUT: distances (n,), reduced, in the order of the tree. 1 <= k <= n.
    """
    cdef:
        skx_kd_tree_t tree = describe_kd_tree(points, lower, upper, rows)
        bint is_done
    with nogil:
        is_done = skx_ask_kth(
            tree, metric, p, k, &distances[0], <skx_parallel_t> parallel_for,
            n_threads, handle_signals,
        )
    if not is_done:
        raise_pending_error()


def order_points(
    const double[:, :, ::1] points,
    const double[:, ::1] lower,
    const double[:, ::1] upper,
    const int32_t[::1] rows,
    int metric,
    double p,
    double radius,
    const double[::1] core,
    int64_t[::1] ordering,
    double[::1] reach,
    int64_t[::1] predecessor,
):
    """Order the points by how easily each is reached from those before it.

    Parameters
    ----------
    radius : float
        Reduced: points that are farther do not reach each other.
    core : array of shape (n,)
        IN, core distances (not reduced), inf for points that reach none.
    ordering : array of shape (n,)
        OUT, rows.
    reach, predecessor : array of shape (n,)
        OUT, inf and -1 for points that none reaches.

    All but the tree in the order of the table's rows.
    """
    cdef:
        skx_kd_tree_t tree = describe_kd_tree(points, lower, upper, rows)
        bint is_done
    with nogil:
        is_done = skx_ask_order(
            tree, metric, p, radius, &core[0], &ordering[0], &reach[0],
            &predecessor[0], handle_signals,
        )
    if not is_done:
        raise_pending_error()
