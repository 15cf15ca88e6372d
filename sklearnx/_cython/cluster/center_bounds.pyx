"""Assignments of Lloyd's algorithm that leave out rows by bounds (see center_bounds.h).

Rows are IN, of float32 or float64, dense (C order); centres are IN, of the same dtype.
Neither the number of threads nor the processor changes a bit of the labels.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "center_bounds.h" nogil:
    bint skx_assign_bounded[T](
        const T* X, int64_t n_rows, int64_t n_columns, const double* shift,
        double scale, const float* blocks, const float* squares,
        const T* old_centers, const T* centers, int64_t n_centers, int32_t* labels,
        float* upper, float* lower, int64_t* n_changed, skx_parallel_t run,
        int n_threads, int (*goes_on)() noexcept,
    ) except +


def assign_bounded(
    const cython.floating[:, ::1] X, const double[::1] shift, double scale,
    const float[::1] blocks, const float[::1] squares,
    const cython.floating[:, ::1] old_centers,
    const cython.floating[:, ::1] centers, int32_t[::1] labels, float[::1] upper,
    float[::1] lower, int n_threads=1,
):
    """Bring labels up to date after centres have moved.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        IN.
    shift, scale, blocks, squares
        IN, of `pack_table` (see seeding.pyx); the last two may be None.
    old_centers : array of shape (n_centers, n_columns), or None
        IN, the centres that labels and bounds are of; None at the first call.
    centers : array of shape (n_centers, n_columns)
        IN, at least two.
    labels : int32 array of shape (n_rows,)
        IN/OUT, nearest centres.
    upper, lower : float32 array of shape (n_rows,)
        IN/OUT, bounds on the distance to the nearest centre and to all others.

    Returns
    -------
    n_changed : int
        Rows whose label is another one now.
    """
    cdef:
        const float* blocks_address = NULL
        const float* squares_address = NULL
        const cython.floating* old_address = NULL
        int64_t n_changed = 0
        bint has_ended
    if blocks is not None:
        blocks_address = &blocks[0]
        squares_address = &squares[0]
    if old_centers is not None:
        old_address = &old_centers[0, 0]
    with nogil:
        has_ended = skx_assign_bounded(
            &X[0, 0], X.shape[0], X.shape[1], &shift[0], scale, blocks_address,
            squares_address, old_address, &centers[0, 0], centers.shape[0],
            &labels[0], &upper[0], &lower[0], &n_changed,
            <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if not has_ended:
        raise_pending_error()
    return n_changed
