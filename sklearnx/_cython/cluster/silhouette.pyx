"""Scores of many clusterings of the same rows (see silhouette_kernels.h).

Tables are IN: dense ones of any strides, or the three arrays of compressed rows; of
float32 or float64. `rows` (n_rows,) says which of their rows count, in the order that
`labels` and `ends_cell` are in. All results are float64, and their bits do not depend
on `n_threads`.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t

import numpy as np

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "silhouette_kernels.h" nogil:
    cdef cppclass skx_rows_t[T]:
        const T* values
        int64_t row_stride, column_stride
        const int32_t* columns
        const int32_t* starts
        const int64_t* rows
        const double* centre
        int64_t n_columns
    ctypedef struct skx_clusterings_t:
        const int32_t* labels
        const int64_t* starts
        const double* counts
        const uint8_t* ends_cell
        int64_t n_rows, n_clusterings
    void skx_find_norms[T](
        const skx_rows_t[T]& X, int64_t n_rows, double* norms, skx_parallel_t run,
        int n_threads,
    ) except +
    bint skx_find_silhouettes[T](
        const skx_rows_t[T]& X, const double* norms, const skx_clusterings_t& all,
        double* silhouettes, skx_parallel_t run, int n_threads,
        int (*goes_on)() noexcept,
    ) except +
    void skx_sum_clusters[T](
        const skx_rows_t[T]& X, const skx_clusterings_t& all, double* sums,
        skx_parallel_t run, int n_threads,
    ) except +
    void skx_sum_scatter[T](
        const skx_rows_t[T]& X, const double* norms, const skx_clusterings_t& all,
        const double* means, double* sums, skx_parallel_t run, int n_threads,
    ) except +


cdef class Clusterings:
    """Labels of several clusterings of the same rows, in the order of their cells.

    Parameters
    ----------
    labels : array of shape (n_rows, n_clusterings)
        IN, numbered through: those of clustering m are starts[m] .. starts[m + 1] - 1.
    starts : array of shape (n_clusterings + 1,)
        IN.
    counts : array of shape (n_clusters,)
        IN, the number of rows of each cluster, at least one.
    ends_cell : array of shape (n_rows,)
        IN, whether the next row differs in any label; 1 for the last.
    """

    cdef:
        skx_clusterings_t view
        tuple arrays  # that the view points into

    def __init__(
        self, const int32_t[:, ::1] labels, const int64_t[::1] starts,
        const double[::1] counts, const uint8_t[::1] ends_cell,
    ):
        self.arrays = (labels, starts, counts, ends_cell)
        self.view.labels = &labels[0, 0]
        self.view.starts = &starts[0]
        self.view.counts = &counts[0]
        self.view.ends_cell = &ends_cell[0]
        self.view.n_rows = labels.shape[0]
        self.view.n_clusterings = labels.shape[1]

    @property
    def n_clusters(self):
        """The clusters of all clusterings together."""
        return self.view.starts[self.view.n_clusterings]

    @property
    def n_rows(self):
        return self.view.n_rows

    @property
    def n_clusterings(self):
        return self.view.n_clusterings


cdef void _describe(
    skx_rows_t[cython.floating]* X, const cython.floating[:, :] values,
    const int32_t[::1] columns, const int32_t[::1] starts, const int64_t[::1] rows,
    const double[::1] centre,
) noexcept:
    cdef int64_t size = sizeof(cython.floating)
    X.rows = &rows[0]
    X.centre = &centre[0]
    X.n_columns = centre.shape[0]
    X.values = &values[0, 0]
    X.row_stride = values.strides[0] // size
    X.column_stride = values.strides[1] // size
    X.columns = NULL
    X.starts = NULL
    if columns is not None:
        X.columns = &columns[0]
        X.starts = &starts[0]


def find_norms(
    const cython.floating[:, :] values, const int32_t[::1] columns,
    const int32_t[::1] starts, const int64_t[::1] rows, const double[::1] centre,
    double[::1] norms, int n_threads=1,
):
    """Write squared norms of rows.

    Parameters
    ----------
    values : array of shape (n, n_columns) or (n_values, 1)
        IN, a dense table or the values of compressed rows, at least one.
    columns, starts : arrays of shape (n_values,) and (n + 1,), or None
        IN, of compressed rows.
    rows : array of shape (n_rows,)
        IN, positions in the table; at least one.
    centre : array of shape (n_columns,)
        IN, subtracted from dense rows; zeros for compressed ones.
    norms : array of shape (n_rows,)
        OUT.
    n_threads : int, default=1
        Number of threads.
    """
    cdef skx_rows_t[cython.floating] X
    _describe(&X, values, columns, starts, rows, centre)
    with nogil:
        skx_find_norms(
            X, rows.shape[0], &norms[0], <skx_parallel_t> parallel_for, n_threads
        )


def find_silhouettes(
    const cython.floating[:, :] values, const int32_t[::1] columns,
    const int32_t[::1] starts, const int64_t[::1] rows, const double[::1] centre,
    const double[::1] norms, Clusterings clusterings,
    double[:, ::1] silhouettes, int n_threads=1,
):
    """Write the silhouette of each row in each clustering.

    IN: as of `find_norms`, whose norms these are. OUT: (n_clusterings, n_rows).
    """
    cdef:
        skx_rows_t[cython.floating] X
        bint has_ended
    _describe(&X, values, columns, starts, rows, centre)
    with nogil:
        has_ended = skx_find_silhouettes(
            X, &norms[0], clusterings.view, &silhouettes[0, 0],
            <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if not has_ended:
        raise_pending_error()


def sum_clusters(
    const cython.floating[:, :] values, const int32_t[::1] columns,
    const int32_t[::1] starts, const int64_t[::1] rows, const double[::1] centre,
    Clusterings clusterings, double[:, ::1] sums,
    int n_threads=1,
):
    """Write the sum of the rows of each cluster, less the centre each.

    IN: as of `find_norms`. OUT: sums (n_clusters, n_columns).
    """
    cdef skx_rows_t[cython.floating] X
    _describe(&X, values, columns, starts, rows, centre)
    with nogil:
        skx_sum_clusters(
            X, clusterings.view, &sums[0, 0], <skx_parallel_t> parallel_for, n_threads
        )


def sum_scatter(
    const cython.floating[:, :] values, const int32_t[::1] columns,
    const int32_t[::1] starts, const int64_t[::1] rows, const double[::1] centre,
    const double[::1] norms, Clusterings clusterings,
    const double[:, ::1] means, int n_threads=1,
):
    """Add up distances of rows to the means of their clusters.

    Parameters
    ----------
    values, columns, starts, rows, centre, norms
        As of `find_norms`.
    clusterings : Clusterings
        IN.
    means : array of shape (n_clusters, n_columns)
        IN, less the centre.
    n_threads : int, default=1
        Number of threads.

    Returns
    -------
    sum_squares : ndarray of shape (n_clusters,)
        Sums of squared distances to the own mean.
    sum_distances : ndarray of shape (n_clusters,)
        Sums of distances to it.
    sum_simplified : ndarray of shape (n_clusterings,)
        Sums of simplified silhouettes.
    """
    cdef:
        skx_rows_t[cython.floating] X
        int64_t n = means.shape[0]
        double[::1] sums = np.empty(2 * n + clusterings.view.n_clusterings)
    _describe(&X, values, columns, starts, rows, centre)
    with nogil:
        skx_sum_scatter(
            X, &norms[0], clusterings.view, &means[0, 0], &sums[0],
            <skx_parallel_t> parallel_for, n_threads,
        )
    result = np.asarray(sums)
    return result[:n], result[n : 2 * n], result[2 * n :]
