"""Spanning trees point by point, by Prim's algorithm (see prim.h)."""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t

cdef extern from "prim.h" nogil:
    cdef cppclass skx_prim_t:
        skx_prim_t(
            const double* X, int64_t n, int64_t n_columns, int64_t row_stride,
            int64_t column_stride, const double* core, int metric, double p,
            double alpha,
        ) except +
        skx_prim_t(
            const float* X, int64_t n, int64_t n_columns, int64_t row_stride,
            int64_t column_stride, const double* core, int metric, double p,
            double alpha,
        ) except +
        void grow(
            int64_t n_steps, int32_t* start, int32_t* stop, double* weights
        ) noexcept

cdef enum:
    WORK_BETWEEN_SIGNALS = 1 << 28  # in coordinates, a fraction of a second


def visit_all_pairs(
    const cython.floating[:, :] X,
    const double[::1] core,
    int metric,
    double p,
    double alpha,
    int32_t[::1] start,
    int32_t[::1] stop,
    double[::1] weights,
):
    """Visit points in the order of Prim's algorithm, comparing all pairs.

    Parameters
    ----------
    X : array of shape (n, n_columns)
        IN, finite.
    core : array of shape (n,)
        IN, core distances; reduced for Minkowski's metrics.
    metric, p
        IN, the metric (see kd_tree.pyx).
    alpha : float
        Distances are divided by it.
    start, stop : arrays of shape (n - 1,)
        OUT, rows at both ends of the edge by which each point comes in.
    weights : array of shape (n - 1,)
        OUT; reduced for Minkowski's metrics.
    """
    cdef:
        int64_t size = sizeof(cython.floating)
        int64_t n = X.shape[0]
        int64_t first = 0, n_steps, n_at_once
        skx_prim_t* prim
    n_at_once = max(1, WORK_BETWEEN_SIGNALS // (n * X.shape[1]))
    prim = new skx_prim_t(
        &X[0, 0], n, X.shape[1], X.strides[0] // size, X.strides[1] // size,
        &core[0], metric, p, alpha,
    )
    try:
        while first < n - 1:
            n_steps = min(n_at_once, n - 1 - first)
            with nogil:
                prim.grow(n_steps, &start[first], &stop[first], &weights[first])
            first += n_steps
            PyErr_CheckSignals()
    finally:
        del prim


def grow_tree(
    const double[::1] distances,
    const double[::1] core,
    int32_t current,
    int32_t[::1] outside,
    double[::1] reach,
    int32_t[::1] sources,
):
    """Take the point into the tree that is nearest once `current` is in it.

    Parameters
    ----------
    distances : array of shape (n,)
        IN, distances of `current` to all rows; inf where there is no edge.
    core : array of shape (n,)
        IN, core distances.
    current : int
        The row that came in last.
    outside : array of shape (n_outside,)
        IN/OUT, at least one: the rows outside, ascending. The next one is put last.
    reach : array of shape (n,)
        IN/OUT, the least weight of an edge from a row outside to the tree; inf at
        first.
    sources : array of shape (n,)
        IN/OUT, the other end of that edge.

    Returns
    -------
    next : int
        The row to come in, the lowest of several as near.
    """
    cdef:
        int64_t i, best_place = 0, n = outside.shape[0]
        int32_t row
        double weight, least = 0.0, own_core = core[current]
    with nogil:
        for i in range(n):
            row = outside[i]
            weight = max(max(own_core, core[row]), distances[row])
            if weight < reach[row]:
                reach[row] = weight
                sources[row] = current
            if i == 0 or reach[row] < least:
                least = reach[row]
                best_place = i
        row = outside[best_place]
        for i in range(best_place, n - 1):
            outside[i] = outside[i + 1]
        outside[n - 1] = row
    return row
