"""Assignments of k-means with bounds for groups of centres (see group_bounds.h).

Rows are IN, of float32 or float64, dense (C order) or in CSR format with int32 indices;
centres are IN, dense, of the same dtype. Neither the number of threads nor the
processor changes a bit of the labels.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "group_bounds.h" nogil:
    enum:
        SKX_PANEL
    void skx_round_table[T](
        const T* X, int64_t n_rows, int64_t n_columns, const double* shift,
        double scale, float* values, float* squares, skx_parallel_t run,
        int n_threads,
    ) except +
    bint skx_assign_grouped_dense[T](
        const T* X, int64_t n_rows, int64_t n_columns, const double* shift,
        double scale, const float* values, const float* squares,
        const T* old_centers, const T* centers, int64_t n_centers, int32_t* labels,
        float* upper, float* lower, int64_t* n_changed, skx_parallel_t run,
        int n_threads, int (*goes_on)() noexcept,
    ) except +
    bint skx_assign_grouped_sparse[T](
        const T* data, const int32_t* indices, const int32_t* indptr, int64_t n_rows,
        int64_t n_columns, double scale, const float* squares, const T* old_centers,
        const T* centers, int64_t n_centers, int32_t* labels, float* upper,
        float* lower, int64_t* n_changed, skx_parallel_t run, int n_threads,
        int (*goes_on)() noexcept,
    ) except +

CENTERS_PER_GROUP = SKX_PANEL


def round_table(
    const cython.floating[:, ::1] X, const double[::1] shift, double scale,
    float[:, ::1] values, float[::1] squares, int n_threads=1,
):
    """Write (X - shift) * scale in float32.

    IN: X, at least one row and column; shift (n_columns,); scale, a power of two. OUT:
    values (n_rows, n_columns); squares (n_rows,), squared norms of what was written.
    """
    with nogil:
        skx_round_table(
            &X[0, 0], X.shape[0], X.shape[1], &shift[0], scale, &values[0, 0],
            &squares[0], <skx_parallel_t> parallel_for, n_threads,
        )


def assign_grouped(
    const cython.floating[:, ::1] X, const double[::1] shift, double scale,
    const float[:, ::1] values, const float[::1] squares,
    const cython.floating[:, ::1] old_centers,
    const cython.floating[:, ::1] centers, int32_t[::1] labels, float[::1] upper,
    float[::1] lower, int n_threads=1,
):
    """Bring labels up to date after centres have moved.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        IN.
    shift, scale, values, squares
        IN, of `round_table`.
    old_centers : array of shape (n_centers, n_columns), or None
        IN, the centres that labels and bounds are of; None at the first call.
    centers : array of shape (n_centers, n_columns)
        IN.
    labels : int32 array of shape (n_rows,)
        IN/OUT, nearest centres; all -1 at the first call.
    upper : float32 array of shape (n_rows,)
        IN/OUT, bounds on the distances to the nearest centres.
    lower : float32 array of shape (n_rows * ceil(n_centers / CENTERS_PER_GROUP),)
        IN/OUT, bounds on the distances to the others.

    Returns
    -------
    n_changed : int
        Rows whose label is another one now.
    """
    cdef:
        const cython.floating* old_address = NULL
        int64_t n_changed = 0
        bint has_ended
    if old_centers is not None:
        old_address = &old_centers[0, 0]
    with nogil:
        has_ended = skx_assign_grouped_dense(
            &X[0, 0], X.shape[0], X.shape[1], &shift[0], scale, &values[0, 0],
            &squares[0], old_address, &centers[0, 0], centers.shape[0], &labels[0],
            &upper[0], &lower[0], &n_changed, <skx_parallel_t> parallel_for,
            n_threads, handle_signals,
        )
    if not has_ended:
        raise_pending_error()
    return n_changed


def assign_grouped_sparse(
    const cython.floating[::1] data, const int32_t[::1] indices,
    const int32_t[::1] indptr, double scale, const float[::1] squares,
    const cython.floating[:, ::1] old_centers,
    const cython.floating[:, ::1] centers, int32_t[::1] labels, float[::1] upper,
    float[::1] lower, int n_threads=1,
):
    """The same of rows in CSR format; see `assign_grouped`.

    IN: scale, a power of two that makes rows about 1; squares (n_rows,), the squared
    norms of rows times `scale`.
    """
    cdef:
        const cython.floating* data_address = NULL
        const int32_t* indices_address = NULL
        const cython.floating* old_address = NULL
        int64_t n_changed = 0
        bint has_ended
    if data.shape[0] > 0:
        data_address = &data[0]
        indices_address = &indices[0]
    if old_centers is not None:
        old_address = &old_centers[0, 0]
    with nogil:
        has_ended = skx_assign_grouped_sparse(
            data_address, indices_address, &indptr[0], indptr.shape[0] - 1,
            centers.shape[1], scale, &squares[0], old_address, &centers[0, 0],
            centers.shape[0], &labels[0], &upper[0], &lower[0], &n_changed,
            <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if not has_ended:
        raise_pending_error()
    return n_changed
