"""K-d trees and what is asked of them (see kd_tree.h, kd_build.h and kd_queries.h).

The arrays of a tree are passed together, in this order: points (n_leaves, n_columns,
16), lower and upper (2 n_leaves - 1, n_columns), rows (n,), and are IN but for
`build_kd_tree`. What is returned for each point stands in the order of the tree.

A metric is a number: 0 Euclidean, 1 Manhattan, 2 Chebyshev, 3 Minkowski's of power p.
All distances are reduced: the square of the Euclidean, the p-th power of Minkowski's.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "kd_build.h" nogil:
    void skx_build_kd_tree[T](
        const T* X, int64_t n, int64_t n_columns, int64_t row_stride,
        int64_t column_stride, double* points, double* lower, double* upper,
        int32_t* rows, skx_parallel_t run, int n_threads,
    ) except +

cdef extern from *:
    """
    #include "kd_queries.h"

    static bool skx_ask_neighbors(
        const skx_kd_tree_t &queries, const skx_kd_tree_t &tree, int metric, double p,
        int k, int n_kept, double *distances, int32_t *positions, double *last,
        skx_parallel_t run, int n_threads, int (*goes_on)()) {
        bool is_done = false;
        auto ask = [&](auto by) {
            is_done = skx_find_neighbors(
                queries, tree, by, k, n_kept, distances, positions, last, run,
                n_threads, goes_on);
        };
        skx_with_metric(metric, p, ask);
        return is_done;
    }

    static bool skx_ask_counts(
        const skx_kd_tree_t &queries, const skx_kd_tree_t &tree, int metric, double p,
        double radius, int64_t enough, int64_t *counts, skx_parallel_t run,
        int n_threads, int (*goes_on)()) {
        bool is_done = false;
        auto ask = [&](auto by) {
            is_done = skx_count_within(
                queries, tree, by, radius, enough, counts, run, n_threads, goes_on);
        };
        skx_with_metric(metric, p, ask);
        return is_done;
    }
    """
    bint skx_ask_neighbors(
        const skx_kd_tree_t& queries, const skx_kd_tree_t& tree, int metric, double p,
        int k, int n_kept, double* distances, int32_t* positions, double* last,
        skx_parallel_t run, int n_threads, int (*goes_on)() noexcept,
    ) except + nogil
    bint skx_ask_counts(
        const skx_kd_tree_t& queries, const skx_kd_tree_t& tree, int metric, double p,
        double radius, int64_t enough, int64_t* counts, skx_parallel_t run,
        int n_threads, int (*goes_on)() noexcept,
    ) except + nogil


def build_kd_tree(
    const cython.floating[:, :] X,
    double[:, :, ::1] points,
    double[:, ::1] lower,
    double[:, ::1] upper,
    int32_t[::1] rows,
    int n_threads,
):
    """Build the tree of a table of finite numbers. IN: X. OUT: all other arrays."""
    cdef int64_t size = sizeof(cython.floating)
    with nogil:
        skx_build_kd_tree(
            &X[0, 0], X.shape[0], X.shape[1], X.strides[0] // size,
            X.strides[1] // size, &points[0, 0, 0], &lower[0, 0], &upper[0, 0],
            &rows[0], <skx_parallel_t> parallel_for, n_threads,
        )


def find_neighbors(
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
    int k,
    double[:, ::1] distances,
    int32_t[:, ::1] positions,
    double[::1] last,
    int n_threads,
):
    """Find the nearest points of a tree of each point of another, or of the same.

    They are sorted by distance, then by row; which of several at the same distance as
    the last are found is decided by the tree.

    Parameters
    ----------
    k : int
        How many to find, at least 1 and at most the number of points.
    distances : array of shape (n_queries, n_kept)
        OUT, `n_kept` is at most `k`.
    positions : array of shape (n_queries, n_kept) or None
        OUT, positions in the tree.
    last : array of shape (n_queries,) or None
        OUT, the distance of the k-th.
    """
    cdef:
        skx_kd_tree_t queries = describe_kd_tree(
            query_points, query_lower, query_upper, query_rows
        )
        skx_kd_tree_t tree = describe_kd_tree(points, lower, upper, rows)
        int32_t* places = NULL
        double* furthest = NULL
        bint is_done
    if positions is not None:
        places = &positions[0, 0]
    if last is not None:
        furthest = &last[0]
    with nogil:
        is_done = skx_ask_neighbors(
            queries, tree, metric, p, k, <int> distances.shape[1], &distances[0, 0],
            places, furthest, <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if not is_done:
        raise_pending_error()


def count_within(
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
    int64_t enough,
    int64_t[::1] counts,
    int n_threads,
):
    """Count the points of a tree at most `radius` from each point of another.

    Parameters
    ----------
    radius : float
        Reduced.
    enough : int
        Counts that reach it may stop there.
    counts : array of shape (n_queries,)
        OUT.
    """
    cdef:
        skx_kd_tree_t queries = describe_kd_tree(
            query_points, query_lower, query_upper, query_rows
        )
        skx_kd_tree_t tree = describe_kd_tree(points, lower, upper, rows)
        bint is_done
    with nogil:
        is_done = skx_ask_counts(
            queries, tree, metric, p, radius, enough, &counts[0],
            <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if not is_done:
        raise_pending_error()
