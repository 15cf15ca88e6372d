"""The mini-batch step of k-means, and draws of rows (see minibatch_kernels.h).

Rows, weights and centres are of one dtype, float32 or float64; counts and sums are
float64. The bits do not depend on `n_threads`.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "minibatch_kernels.h" nogil:
    cdef cppclass skx_batch_t[T]:
        const T* values
        const int32_t* columns
        const int32_t* starts
        const T* weights
        const int32_t* labels
        int64_t n_rows, n_columns
    void skx_build_guide(
        const double* cdf, int64_t n_rows, int32_t* guide, int64_t n_buckets
    ) noexcept
    void skx_find_draws(
        const double* cdf, int64_t n_rows, const int32_t* guide, int64_t n_buckets,
        const double* draws, int64_t n_draws, int64_t* rows,
    ) noexcept
    void skx_take_rows[T](
        const T* X, int64_t n_columns, const int64_t* rows, int64_t n_taken, T* out,
        skx_parallel_t run, int n_threads,
    ) except +
    double skx_move_centres[T](
        const skx_batch_t[T]& batch, const T* old, T* moved, double* n_seen,
        int64_t n_centres, skx_parallel_t run, int n_threads,
    ) except +


def build_guide(const double[::1] cdf, int32_t[::1] guide):
    """Write where searches in a cumulative distribution start.

    IN: cdf (n_rows,), ascending. OUT: guide (n_buckets,), at least one.
    """
    with nogil:
        skx_build_guide(&cdf[0], cdf.shape[0], &guide[0], guide.shape[0])


def find_draws(
    const double[::1] cdf, const int32_t[::1] guide, const double[::1] draws,
    int64_t[::1] rows,
):
    """Write the first row with cdf[row] > draw, of each draw in [0, 1).

    IN: cdf (n_rows,), its guide, draws (n_draws,). OUT: rows (n_draws,).
    """
    if draws.shape[0] == 0:
        return
    with nogil:
        skx_find_draws(
            &cdf[0], cdf.shape[0], &guide[0], guide.shape[0], &draws[0],
            draws.shape[0], &rows[0],
        )


def take_rows(
    const cython.floating[:, ::1] X, const int64_t[::1] rows,
    cython.floating[:, ::1] out, int n_threads=1,
):
    """Write X[rows]. OUT: out (n_taken, n_columns)."""
    if rows.shape[0] == 0 or X.shape[1] == 0:
        return
    with nogil:
        skx_take_rows(
            &X[0, 0], X.shape[1], &rows[0], rows.shape[0], &out[0, 0],
            <skx_parallel_t> parallel_for, n_threads,
        )


def move_centers(
    const cython.floating[:, ::1] X,
    const cython.floating[::1] weights,
    const int32_t[::1] labels,
    const cython.floating[:, ::1] centers,
    double[::1] counts,
    cython.floating[:, ::1] moved,
    int n_threads=1,
):
    """One step from a batch of dense rows whose nearest centres are known.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        IN, at least one row.
    weights : array of shape (n_rows,) or None
        IN, not negative; None for ones.
    labels : array of shape (n_rows,)
        IN, the centre of each row.
    centers : array of shape (n_centers, n_columns)
        IN, before the step.
    counts : array of shape (n_centers,)
        IN/OUT, the weight of all rows that each centre is the mean of.
    moved : array of shape (n_centers, n_columns)
        OUT, the centres after the step; not the same memory as `centers`.
    n_threads : int, default=1
        Number of threads.

    Returns
    -------
    inertia : float
        Weighted sum of squared distances of the rows to `centers`.
    """
    cdef:
        skx_batch_t[cython.floating] batch
        double inertia
    batch.values = &X[0, 0]
    batch.columns = NULL
    batch.starts = NULL
    batch.weights = NULL
    if weights is not None:
        batch.weights = &weights[0]
    batch.labels = &labels[0]
    batch.n_rows = X.shape[0]
    batch.n_columns = X.shape[1]
    with nogil:
        inertia = skx_move_centres(
            batch, &centers[0, 0], &moved[0, 0], &counts[0], centers.shape[0],
            <skx_parallel_t> parallel_for, n_threads,
        )
    return inertia


def move_centers_csr(
    const cython.floating[::1] values,
    const int32_t[::1] columns,
    const int32_t[::1] starts,
    const cython.floating[::1] weights,
    const int32_t[::1] labels,
    const cython.floating[:, ::1] centers,
    double[::1] counts,
    cython.floating[:, ::1] moved,
    int n_threads=1,
):
    """The same from compressed rows. IN: values, columns (n,), starts (n_rows + 1,)."""
    cdef:
        skx_batch_t[cython.floating] batch
        cython.floating no_value = 0
        int32_t no_column = 0
        double inertia
    # Where nothing is stored, any addresses but NULL, of which nothing is read.
    batch.values = &no_value
    batch.columns = &no_column
    if values.shape[0] > 0:
        batch.values = &values[0]
        batch.columns = &columns[0]
    batch.starts = &starts[0]
    batch.weights = NULL
    if weights is not None:
        batch.weights = &weights[0]
    batch.labels = &labels[0]
    batch.n_rows = starts.shape[0] - 1
    batch.n_columns = centers.shape[1]
    with nogil:
        inertia = skx_move_centres(
            batch, &centers[0, 0], &moved[0, 0], &counts[0], centers.shape[0],
            <skx_parallel_t> parallel_for, n_threads,
        )
    return inertia
