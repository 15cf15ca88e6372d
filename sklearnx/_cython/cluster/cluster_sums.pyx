"""Sums of the rows of each cluster, and moments of columns (see cluster_sums.h).

Rows are IN, of float32 or float64, dense (C order) or in CSR format with int32 indices.
The bits of a result do not depend on `n_threads`.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "cluster_sums.h" nogil:
    cdef cppclass skx_dense_rows_t[T]:
        const T* X
        int64_t n_columns
    cdef cppclass skx_sparse_rows_t[T]:
        const T* data
        const int32_t* indices
        const int32_t* indptr
        int64_t n_columns
    cdef cppclass skx_events_t:
        skx_events_t(
            const int32_t* old_labels, const int32_t* labels, const double* weights,
            int64_t n_rows, int64_t n_clusters,
        ) except +
    void skx_apply_events[Rows](
        const Rows& rows, const skx_events_t& events, const double* weights,
        int64_t n_clusters, double* high, double* low, double* weight_high,
        double* weight_low, int64_t* counts, skx_parallel_t run, int n_threads,
    ) except +
    double skx_find_means[T](
        const double* high, const double* low, const double* weight_high,
        const double* weight_low, const T* old_means, int64_t n_clusters,
        int64_t n_columns, T* means, skx_parallel_t run, int n_threads,
    ) except +
    void skx_find_moments[T](
        const T* X, int64_t n_rows, int64_t n_columns, double* mean, double* variance,
        skx_parallel_t run, int n_threads,
    ) except +


cdef inline const double* address_of(const double[::1] values) noexcept:
    if values is None or values.shape[0] == 0:
        return NULL
    return &values[0]


cdef inline const int32_t* labels_of(const int32_t[::1] values) noexcept:
    if values is None or values.shape[0] == 0:
        return NULL
    return &values[0]


def move_rows(
    const cython.floating[:, ::1] X, const double[::1] weights,
    const int32_t[::1] old_labels, const int32_t[::1] labels, double[:, :, ::1] sums,
    double[:, ::1] cluster_weights, int64_t[::1] counts, int n_threads=1,
):
    """Bring sums up to date after labels have changed.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        IN.
    weights : float64 array of shape (n_rows,), or None
        IN, None for ones.
    old_labels : int32 array of shape (n_rows,), or None
        IN, the labels that the sums are of. None where the sums are zero.
    labels : int32 array of shape (n_rows,)
        IN, what they are now. Rows of label -1 belong to no cluster.
    sums : array of shape (2, n_clusters, n_columns)
        IN/OUT, whose first half plus second half is the sum.
    cluster_weights : array of shape (2, n_clusters)
        IN/OUT, the sums of weights in the same way.
    counts : int64 array of shape (n_clusters,)
        IN/OUT, the number of rows whose weight is not zero.
    """
    cdef:
        const double* weights_address = address_of(weights)
        const int32_t* old_address = labels_of(old_labels)
        int64_t n_clusters = counts.shape[0]
        skx_dense_rows_t[cython.floating] rows
        skx_events_t* events
    if X.shape[0] == 0:
        return
    rows.X = &X[0, 0]
    rows.n_columns = X.shape[1]
    with nogil:
        events = new skx_events_t(
            old_address, &labels[0], weights_address, X.shape[0], n_clusters
        )
        try:
            skx_apply_events(
                rows, events[0], weights_address, n_clusters, &sums[0, 0, 0],
                &sums[1, 0, 0], &cluster_weights[0, 0], &cluster_weights[1, 0],
                &counts[0], <skx_parallel_t> parallel_for, n_threads,
            )
        finally:
            del events


def move_rows_sparse(
    const cython.floating[::1] data, const int32_t[::1] indices,
    const int32_t[::1] indptr, const double[::1] weights,
    const int32_t[::1] old_labels, const int32_t[::1] labels, double[:, :, ::1] sums,
    double[:, ::1] cluster_weights, int64_t[::1] counts, int n_threads=1,
):
    """Bring sums up to date after labels have changed; see `move_rows`."""
    cdef:
        const double* weights_address = address_of(weights)
        const int32_t* old_address = labels_of(old_labels)
        int64_t n_clusters = counts.shape[0], n_rows = indptr.shape[0] - 1
        skx_sparse_rows_t[cython.floating] rows
        skx_events_t* events
    if n_rows <= 0:
        return
    rows.data = NULL
    rows.indices = NULL
    if data.shape[0] > 0:
        rows.data = &data[0]
        rows.indices = &indices[0]
    rows.indptr = &indptr[0]
    rows.n_columns = sums.shape[2]
    with nogil:
        events = new skx_events_t(
            old_address, &labels[0], weights_address, n_rows, n_clusters
        )
        try:
            skx_apply_events(
                rows, events[0], weights_address, n_clusters, &sums[0, 0, 0],
                &sums[1, 0, 0], &cluster_weights[0, 0], &cluster_weights[1, 0],
                &counts[0], <skx_parallel_t> parallel_for, n_threads,
            )
        finally:
            del events


def find_means(
    const double[:, :, ::1] sums, const double[:, ::1] cluster_weights,
    const cython.floating[:, ::1] old_means, cython.floating[:, ::1] means,
    int n_threads=1,
):
    """Write the means of clusters, none of which is empty.

    IN: sums and cluster_weights, of `move_rows`; old_means. OUT: means (n_clusters,
    n_columns).

    Returns
    -------
    shift : float
        The sum of the squared distances between old and new means.
    """
    cdef double shift
    with nogil:
        shift = skx_find_means(
            &sums[0, 0, 0], &sums[1, 0, 0], &cluster_weights[0, 0],
            &cluster_weights[1, 0], &old_means[0, 0], means.shape[0], means.shape[1],
            &means[0, 0], <skx_parallel_t> parallel_for, n_threads,
        )
    return shift


def find_moments(
    const cython.floating[:, ::1] X, double[::1] mean, double[::1] variance,
    int n_threads=1,
):
    """Write the mean and the variance (over n_rows) of each column.

    IN: X, at least one row. OUT: mean, variance (n_columns,).
    """
    with nogil:
        skx_find_moments(
            &X[0, 0], X.shape[0], X.shape[1], &mean[0], &variance[0],
            <skx_parallel_t> parallel_for, n_threads,
        )
