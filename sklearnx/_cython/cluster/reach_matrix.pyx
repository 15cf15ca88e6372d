"""The order and the reachability of OPTICS by distances (see reach_matrix.h).

Arrays: core (n,), IN, core distances, inf for rows that reach none; ordering,
predecessor (n,), reach (n,), OUT. All are of rows.
"""

cimport cython
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t

cdef extern from "reach_matrix.h" nogil:
    cdef cppclass skx_dense_distances_t[T]:
        const T* values
        int64_t n, row_stride, column_stride
    cdef cppclass skx_sparse_distances_t[T, I]:
        const T* values
        const I* columns
        const I* starts
        int64_t n
    void skx_order_rows[Matrix](
        const Matrix& matrix, double max_eps, const double* core, int64_t* ordering,
        double* reach, int64_t* predecessor,
    ) except +

ctypedef fused index_t:
    int32_t
    int64_t


def order_dense_rows(
    const cython.floating[:, :] distances, double max_eps, const double[::1] core,
    int64_t[::1] ordering, double[::1] reach, int64_t[::1] predecessor,
):
    """Order by a matrix (n, n) of distances."""
    cdef:
        skx_dense_distances_t[cython.floating] matrix
        int64_t size = sizeof(cython.floating)
    matrix.values = &distances[0, 0]
    matrix.n = distances.shape[0]
    matrix.row_stride = distances.strides[0] // size
    matrix.column_stride = distances.strides[1] // size
    with nogil:
        skx_order_rows(
            matrix, max_eps, &core[0], &ordering[0], &reach[0], &predecessor[0]
        )


def order_sparse_rows(
    const cython.floating[::1] values, const index_t[::1] columns,
    const index_t[::1] starts, double max_eps, const double[::1] core,
    int64_t[::1] ordering, double[::1] reach, int64_t[::1] predecessor,
):
    """Order by a CSR matrix, of whose entries those not stored are far."""
    cdef skx_sparse_distances_t[cython.floating, index_t] matrix
    if values.shape[0] > 0:
        matrix.values = &values[0]
        matrix.columns = &columns[0]
    matrix.starts = &starts[0]
    matrix.n = starts.shape[0] - 1
    with nogil:
        skx_order_rows(
            matrix, max_eps, &core[0], &ordering[0], &reach[0], &predecessor[0]
        )


def find_easiest(const double[::1] reach, const uint8_t[::1] has_come):
    """The row of the least reach that has not come, the lowest of several."""
    cdef:
        int64_t i, easiest = -1
        double least = INFINITY
    with nogil:
        for i in range(reach.shape[0]):
            if has_come[i] == 0 and (easiest < 0 or reach[i] < least):
                easiest = i
                least = reach[i]
    return easiest
