"""DBSCAN on distance matrices and on lists of neighbours (see density_graph.h).

Lists of some rows, `rows` (n_rows,), lie one after another in `neighbors`, that of row
i from `starts[i]` to `starts[i + 1]`.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "density_graph.h" nogil:
    cdef cppclass skx_dense_distances_t[T]:
        const T* values
        int64_t n, row_stride, column_stride
    cdef cppclass skx_sparse_distances_t[T, I]:
        const T* values
        const I* columns
        const I* starts
        int64_t n
    ctypedef struct skx_lists_t:
        const int64_t* rows
        const int64_t* starts
        const int64_t* neighbors
        int64_t n_rows
    void skx_cluster_distances[Matrix](
        const Matrix& matrix, double eps, double min_samples, const double* weights,
        uint8_t* is_core, int64_t* labels, skx_parallel_t run, int n_threads,
    ) except +
    void skx_sum_lists(
        const skx_lists_t& lists, const double* weights, double* sums
    ) noexcept
    void skx_unite_lists(
        const skx_lists_t& lists, const uint8_t* is_core, int64_t* parents
    ) noexcept
    void skx_number_sets(
        const uint8_t* is_core, int64_t* parents, int64_t n, int64_t* labels
    ) noexcept
    void skx_label_lists(
        const skx_lists_t& lists, const uint8_t* is_core, int64_t* labels
    ) noexcept

ctypedef fused index_t:
    int32_t
    int64_t


cdef inline const double* address_of(const double[::1] weights) noexcept:
    if weights is None:
        return NULL
    return &weights[0]


def cluster_dense_distances(
    const cython.floating[:, :] distances, double eps, double min_samples,
    const double[::1] weights, uint8_t[::1] is_core, int64_t[::1] labels,
    int n_threads,
):
    """Cluster by a matrix (n, n) of distances.

    IN: weights (n,) or None. OUT: is_core, labels (n,).
    """
    cdef:
        skx_dense_distances_t[cython.floating] matrix
        int64_t size = sizeof(cython.floating)
        const double* of_rows = address_of(weights)
    matrix.values = &distances[0, 0]
    matrix.n = distances.shape[0]
    matrix.row_stride = distances.strides[0] // size
    matrix.column_stride = distances.strides[1] // size
    with nogil:
        skx_cluster_distances(
            matrix, eps, min_samples, of_rows,
            &is_core[0], &labels[0], <skx_parallel_t> parallel_for, n_threads,
        )


def cluster_sparse_distances(
    const cython.floating[::1] values, const index_t[::1] columns,
    const index_t[::1] starts, double eps, double min_samples,
    const double[::1] weights, uint8_t[::1] is_core, int64_t[::1] labels,
    int n_threads,
):
    """The same for a CSR matrix, of whose entries those not stored are far."""
    cdef:
        skx_sparse_distances_t[cython.floating, index_t] matrix
        const double* of_rows = address_of(weights)
    if values.shape[0] > 0:
        matrix.values = &values[0]
        matrix.columns = &columns[0]
    matrix.starts = &starts[0]
    matrix.n = starts.shape[0] - 1
    with nogil:
        skx_cluster_distances(
            matrix, eps, min_samples, of_rows,
            &is_core[0], &labels[0], <skx_parallel_t> parallel_for, n_threads,
        )


cdef skx_lists_t _describe(
    const int64_t[::1] rows, const int64_t[::1] starts, const int64_t[::1] neighbors
) noexcept:
    cdef skx_lists_t lists
    if rows.shape[0] > 0:
        lists.rows = &rows[0]
    if neighbors.shape[0] > 0:
        lists.neighbors = &neighbors[0]
    lists.starts = &starts[0]
    lists.n_rows = rows.shape[0]
    return lists


def sum_lists(
    const int64_t[::1] rows, const int64_t[::1] starts, const int64_t[::1] neighbors,
    const double[::1] weights, double[::1] sums,
):
    """Add up the weights of the neighbours. IN: weights (n,). OUT: sums (n_rows,)."""
    cdef skx_lists_t lists = _describe(rows, starts, neighbors)
    if lists.n_rows > 0:
        with nogil:
            skx_sum_lists(lists, &weights[0], &sums[0])


def unite_lists(
    const int64_t[::1] rows, const int64_t[::1] starts, const int64_t[::1] neighbors,
    const uint8_t[::1] is_core, int64_t[::1] parents,
):
    """Unite core rows with their neighbours that are known to be.

    IN: is_core (n,). IN/OUT: parents (n,), of sets whose roots are their lowest rows;
    at first 0, 1, ...
    """
    cdef skx_lists_t lists = _describe(rows, starts, neighbors)
    with nogil:
        skx_unite_lists(lists, &is_core[0], &parents[0])


def number_sets(
    const uint8_t[::1] is_core, int64_t[::1] parents, int64_t[::1] labels
):
    """Number the sets by their lowest row. OUT: labels (n,), -1 but for core rows."""
    with nogil:
        skx_number_sets(&is_core[0], &parents[0], is_core.shape[0], &labels[0])


def label_lists(
    const int64_t[::1] rows, const int64_t[::1] starts, const int64_t[::1] neighbors,
    const uint8_t[::1] is_core, int64_t[::1] labels,
):
    """Give border rows the lowest label of their core neighbours.

    IN: is_core (n,). IN/OUT: labels (n,).
    """
    cdef skx_lists_t lists = _describe(rows, starts, neighbors)
    with nogil:
        skx_label_lists(lists, &is_core[0], &labels[0])
