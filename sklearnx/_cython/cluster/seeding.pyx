"""Rounds of greedy k-means++ seeding, and how tables are packed (seeding_kernels.h).

Rows are IN, of float32 or float64, dense (C order) or in CSR format with int32 indices.
The bits of a result do not depend on `n_threads`.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "seeding_kernels.h" nogil:
    enum:
        SKX_ROWS_AT_ONCE
    void skx_pack_table[T](
        const T* X, int64_t n_rows, int64_t n_columns, const double* shift,
        double scale, float* blocks, float* squares, skx_parallel_t run,
        int n_threads,
    ) except +
    int64_t skx_seed_dense[T](
        const T* X, int64_t n_rows, int64_t n_columns, const double* shift,
        double scale, const float* blocks, const float* squares,
        const double* weights, double* closest, float* ceilings, float* norms,
        double* sums, const double* shares, int64_t n_candidates, int64_t first_row,
        skx_parallel_t run, int n_threads,
    ) except +
    int64_t skx_seed_sparse[T](
        const T* data, const int32_t* indices, const int32_t* indptr, int64_t n_rows,
        int64_t n_columns, const double* weights, double* closest, double* sums,
        const double* shares, int64_t n_candidates, int64_t first_row,
        skx_parallel_t run, int n_threads,
    ) except +

ROWS_PER_SUM = SKX_ROWS_AT_ONCE


cdef inline const double* address_of(const double[::1] values) noexcept:
    if values is None or values.shape[0] == 0:
        return NULL
    return &values[0]


def pack_table(
    const cython.floating[:, ::1] X, const double[::1] shift, double scale,
    float[::1] blocks, float[::1] squares, int n_threads=1,
):
    """Write (X - shift) * scale in float32 in blocks of 16 rows (see score_tiles.h).

    IN: X, at least one row and column; shift (n_columns,); scale, a power of two. OUT:
    blocks, of 16 * n_columns numbers for each 16 rows or less; squares (n_rows,), the
    squared norms of what was written.
    """
    with nogil:
        skx_pack_table(
            &X[0, 0], X.shape[0], X.shape[1], &shift[0], scale, &blocks[0],
            &squares[0], <skx_parallel_t> parallel_for, n_threads,
        )


def seed_next(
    const cython.floating[:, ::1] X, const double[::1] shift, double scale,
    const float[::1] blocks, const float[::1] squares, const double[::1] weights,
    double[::1] closest, float[:, ::1] limits, double[::1] sums,
    const double[::1] shares, int64_t first_row, int n_threads=1,
):
    """Choose one more centre, and return its row.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        IN.
    shift, scale, blocks, squares
        IN, of `pack_table`; the last two may be None.
    weights : array of shape (n_rows,), or None
        IN, None for ones.
    closest : array of shape (n_rows,)
        IN/OUT, squared distances to the nearest centre; infinite where there is none.
    limits : float32 array of shape (2, n_rows filled up to a multiple of 16)
        IN/OUT, what the scores are compared with, and norms. At the start minus
        infinity and zero; the rows that fill up stay at infinity and zero.
    sums : array of shape (ceil(n_rows / ROWS_PER_SUM),)
        IN/OUT, weighted sums of `closest` over parts of rows.
    shares : array of shape (n_candidates,)
        IN, uniform random numbers.
    first_row : int
        IN, the row to take where it is the first one, or -1.
    """
    cdef:
        const double* weights_address = address_of(weights)
        const float* squares_address = NULL
        const double* shares_address = address_of(shares)
        int64_t n_candidates = 0 if shares is None else shares.shape[0]
        const float* blocks_address = NULL
        int64_t row
    if blocks is not None:
        blocks_address = &blocks[0]
        squares_address = &squares[0]
    with nogil:
        row = skx_seed_dense(
            &X[0, 0], X.shape[0], X.shape[1], &shift[0], scale, blocks_address,
            squares_address, weights_address, &closest[0], &limits[0, 0],
            &limits[1, 0], &sums[0], shares_address, n_candidates, first_row,
            <skx_parallel_t> parallel_for, n_threads,
        )
    return row


def seed_next_sparse(
    const cython.floating[::1] data, const int32_t[::1] indices,
    const int32_t[::1] indptr, int64_t n_columns, const double[::1] weights,
    double[::1] closest, double[::1] sums, const double[::1] shares,
    int64_t first_row, int n_threads=1,
):
    """Choose one more centre, and return its row; see `seed_next`."""
    cdef:
        const double* weights_address = address_of(weights)
        const double* shares_address = address_of(shares)
        int64_t n_candidates = 0 if shares is None else shares.shape[0]
        const cython.floating* data_address = NULL
        const int32_t* indices_address = NULL
        int64_t row
    if data.shape[0] > 0:
        data_address = &data[0]
        indices_address = &indices[0]
    with nogil:
        row = skx_seed_sparse(
            data_address, indices_address, &indptr[0], indptr.shape[0] - 1, n_columns,
            weights_address, &closest[0], &sums[0], shares_address, n_candidates,
            first_row, <skx_parallel_t> parallel_for, n_threads,
        )
    return row
