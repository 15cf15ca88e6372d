"""Coordinate descent on the columns of a table (see column_descent.h)."""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t

cdef extern from "column_descent.h" nogil:
    cdef cppclass skx_columns_t[T]:
        const T* values
        const int32_t* indices
        const int64_t* indptr
        const int64_t* places
        int64_t n_rows

    ctypedef struct skx_columns_problem_t:
        int64_t n_rows, n_columns, n_targets
        const double* weights
        double total
        const double* means
        const double* norms2
        double* base
        double* base_sums
        double* coef
        const double* factors
        const double* lower
        const double* upper
        double l1, l2

    ctypedef struct skx_stop_t:
        double violation, loose, gap

    int64_t skx_descend_columns[T](
        const skx_columns_t[T]* X, const skx_columns_problem_t* p,
        const int64_t* order, int64_t n_order, const skx_stop_t* stop, int64_t max_iter,
    ) except +

cdef enum:
    WORK_BETWEEN_SIGNALS = 1 << 29  # in multiplications, less than a second


def descend_columns(
    const cython.floating[::1] values,
    const int32_t[::1] indices,
    const int64_t[::1] indptr,
    const double[::1] weights,
    double total,
    const double[::1] means,
    const double[::1] norms2,
    double[:, ::1] base,
    double[::1] base_sums,
    double[:, ::1] coef,
    const double[::1] penalty_weights,
    const double[::1] lower,
    const double[::1] upper,
    const int64_t[::1] order,
    double l1,
    double l2,
    double tol,
    int64_t max_iter,
    double loose_tol=0.0,
    double gap=0.0,
    const int64_t[::1] places=None,
):
    """Sweep over some columns until no coefficient moves by more than `tol` allows.

    Parameters
    ----------
    values, indices, indptr : arrays
        IN, a CSC matrix; or indices and indptr None, and the columns of a dense table
        one after the other.
    weights : array of shape (n_rows,) or None
        IN, of the rows.
    total : float
        Sum of the weights; zero without an intercept.
    means, norms2 : array of shape (n_columns,)
        IN, weighted means (zeros without an intercept), and weighted squared norms of
        the columns less these.
    base : array of shape (n_targets, n_rows)
        IN/OUT, weighted residuals but for a multiple of the weights.
    base_sums : array of shape (n_targets,)
        IN/OUT, its sums; not used without an intercept.
    coef : array of shape (n_targets, n_columns)
        IN/OUT.
    penalty_weights, lower, upper : array of shape (n_columns,)
        IN; the box is for one target only.
    order : array of int64
        IN, the columns to sweep over.
    l1, l2, tol : float
        Of the penalty; the largest violation that moves of a sweep may take away for it
        to be the last.
    max_iter : int
        The most sweeps.
    loose_tol, gap : float
        Violations up to loose_tol will do if they are below gap / (4 sum_j |w_j|).
    places : array of int64 of shape (n_columns,) or None
        IN, where the columns are in a dense table; None for all of it.

    Returns
    -------
    n_iter : int
        The sweeps.
    """
    cdef:
        skx_columns_t[cython.floating] X
        skx_columns_problem_t p
        skx_stop_t stop = skx_stop_t(tol, loose_tol, gap)
        const double* p_weights = NULL
        int64_t n_iter = 0, n_sweeps, limit
    if order.shape[0] == 0 or values.shape[0] == 0:
        return 0
    X.values = &values[0]
    X.indices = NULL
    X.indptr = NULL
    X.places = NULL
    if places is not None:
        X.places = &places[0]
    if indptr is not None:
        X.indices = &indices[0]
        X.indptr = &indptr[0]
    if weights is not None:
        p_weights = &weights[0]
    X.n_rows = base.shape[1]
    p = skx_columns_problem_t(
        base.shape[1], coef.shape[1], coef.shape[0],
        p_weights, total, &means[0], &norms2[0],
        &base[0, 0], &base_sums[0], &coef[0, 0], &penalty_weights[0], &lower[0],
        &upper[0], l1, l2,
    )
    # Now and then the user may interrupt.
    limit = WORK_BETWEEN_SIGNALS // (order.shape[0] * coef.shape[0] * base.shape[1])
    limit = max(10, limit)
    while True:
        limit = min(limit, max_iter - n_iter)
        with nogil:
            n_sweeps = skx_descend_columns(
                &X, &p, &order[0], order.shape[0], &stop, limit
            )
        n_iter += n_sweeps
        if n_sweeps < limit or n_iter >= max_iter:
            return n_iter
        PyErr_CheckSignals()
