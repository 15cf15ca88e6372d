"""The nearest centre of each row, and distances to centres (see assignment.h).

Rows are IN, of float32 or float64, dense (C order) or in CSR format with int32 indices;
centres are IN, dense, of the same dtype, and at least one. Ties go to the lower index.
Neither the number of threads nor the processor changes a bit.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "assignment.h" nogil:
    bint skx_assign_dense[T](
        const T* X, int64_t n_rows, int64_t n_columns, const T* centers,
        int64_t n_centers, int32_t* labels, double* squared_distances,
        skx_parallel_t run, int n_threads, int (*goes_on)() noexcept,
    ) except +
    bint skx_assign_sparse[T](
        const T* data, const int32_t* indices, const int32_t* indptr, int64_t n_rows,
        const T* centers, int64_t n_centers, int64_t n_columns, int32_t* labels,
        double* squared_distances, skx_parallel_t run, int n_threads,
        int (*goes_on)() noexcept,
    ) except +
    void skx_measure_dense[T](
        const T* X, int64_t n_rows, int64_t n_columns, const T* centers,
        const int32_t* labels, double* out, skx_parallel_t run, int n_threads,
    ) except +
    void skx_measure_sparse[T](
        const T* data, const int32_t* indices, const int32_t* indptr, int64_t n_rows,
        const T* centers, int64_t n_centers, int64_t n_columns, const int32_t* labels,
        double* out, skx_parallel_t run, int n_threads,
    ) except +
    void skx_measure_all_dense[T](
        const T* X, int64_t n_rows, int64_t n_columns, const T* centers,
        int64_t n_centers, double* out, skx_parallel_t run, int n_threads,
    ) except +
    void skx_measure_all_sparse[T](
        const T* data, const int32_t* indices, const int32_t* indptr, int64_t n_rows,
        const T* centers, int64_t n_centers, int64_t n_columns, double* out,
        skx_parallel_t run, int n_threads,
    ) except +


def assign_nearest(
    const cython.floating[:, ::1] X,
    const cython.floating[:, ::1] centers, int32_t[::1] labels_out,
    double[::1] squared_distances_out, int n_threads=1,
):
    """Find the nearest centre of each row of a dense table.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        IN.
    centers : array of shape (n_centers, n_columns)
        IN.
    labels_out : int32 array of shape (n_rows,)
        OUT.
    squared_distances_out : float64 array of shape (n_rows,), or None
        OUT, sums of squared differences.
    """
    cdef:
        double* distances = NULL
        bint has_ended
    if X.shape[0] == 0:
        return
    if squared_distances_out is not None:
        distances = &squared_distances_out[0]
    with nogil:
        has_ended = skx_assign_dense(
            &X[0, 0], X.shape[0], X.shape[1], &centers[0, 0], centers.shape[0],
            &labels_out[0], distances, <skx_parallel_t> parallel_for, n_threads,
            handle_signals,
        )
    if not has_ended:
        raise_pending_error()


def assign_nearest_sparse(
    const cython.floating[::1] data, const int32_t[::1] indices,
    const int32_t[::1] indptr, const cython.floating[:, ::1] centers,
    int32_t[::1] labels_out, double[::1] squared_distances_out, int n_threads=1,
):
    """Find the nearest centre of each row in CSR format; see `assign_nearest`."""
    cdef:
        double* distances = NULL
        const cython.floating* data_address = NULL
        const int32_t* indices_address = NULL
        bint has_ended
    if indptr.shape[0] <= 1:
        return
    if squared_distances_out is not None:
        distances = &squared_distances_out[0]
    if data.shape[0] > 0:
        data_address = &data[0]
        indices_address = &indices[0]
    with nogil:
        has_ended = skx_assign_sparse(
            data_address, indices_address, &indptr[0], indptr.shape[0] - 1,
            &centers[0, 0], centers.shape[0], centers.shape[1], &labels_out[0],
            distances, <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if not has_ended:
        raise_pending_error()


def measure_assigned(
    const cython.floating[:, ::1] X, const cython.floating[:, ::1] centers,
    const int32_t[::1] labels, double[::1] out, int n_threads=1,
):
    """Write the squared distance of each row to the centre of its label.

    IN: labels (n_rows,). OUT: out (n_rows,).
    """
    if X.shape[0] == 0:
        return
    with nogil:
        skx_measure_dense(
            &X[0, 0], X.shape[0], X.shape[1], &centers[0, 0], &labels[0], &out[0],
            <skx_parallel_t> parallel_for, n_threads,
        )


def measure_assigned_sparse(
    const cython.floating[::1] data, const int32_t[::1] indices,
    const int32_t[::1] indptr, const cython.floating[:, ::1] centers,
    const int32_t[::1] labels, double[::1] out, int n_threads=1,
):
    """Write the squared distance of each row to the centre of its label."""
    cdef:
        const cython.floating* data_address = NULL
        const int32_t* indices_address = NULL
    if indptr.shape[0] <= 1:
        return
    if data.shape[0] > 0:
        data_address = &data[0]
        indices_address = &indices[0]
    with nogil:
        skx_measure_sparse(
            data_address, indices_address, &indptr[0], indptr.shape[0] - 1,
            &centers[0, 0], centers.shape[0], centers.shape[1], &labels[0], &out[0],
            <skx_parallel_t> parallel_for, n_threads,
        )


def measure_all(
    const cython.floating[:, ::1] X, const cython.floating[:, ::1] centers,
    double[:, ::1] out, int n_threads=1,
):
    """Write the squared distances of all rows to all centres.

    OUT: out (n_rows, n_centers).
    """
    if X.shape[0] == 0:
        return
    with nogil:
        skx_measure_all_dense(
            &X[0, 0], X.shape[0], X.shape[1], &centers[0, 0], centers.shape[0],
            &out[0, 0], <skx_parallel_t> parallel_for, n_threads,
        )


def measure_all_sparse(
    const cython.floating[::1] data, const int32_t[::1] indices,
    const int32_t[::1] indptr, const cython.floating[:, ::1] centers,
    double[:, ::1] out, int n_threads=1,
):
    """Write the squared distances of all rows to all centres; see `measure_all`."""
    cdef:
        const cython.floating* data_address = NULL
        const int32_t* indices_address = NULL
    if indptr.shape[0] <= 1:
        return
    if data.shape[0] > 0:
        data_address = &data[0]
        indices_address = &indices[0]
    with nogil:
        skx_measure_all_sparse(
            data_address, indices_address, &indptr[0], indptr.shape[0] - 1,
            &centers[0, 0], centers.shape[0], centers.shape[1], &out[0, 0],
            <skx_parallel_t> parallel_for, n_threads,
        )
