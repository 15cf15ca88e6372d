"""Products of a compressed sparse table (see sparse_products.h).

A table is told by `starts` (n_lines + 1,), `places` and `values` (n_entries,), all IN:
`indptr`, `indices` and `data` of SciPy, whose lines are the rows of CSR and the columns
of CSC. All else is float64 and contiguous. The bits of a result do not depend on
`n_threads`.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.threads cimport parallel_for

ctypedef fused index_t:
    int32_t
    int64_t

cdef extern from "sparse_products.h" nogil:
    cdef cppclass skx_compressed_t[T, I]:
        pass
    skx_compressed_t[T, I] skx_describe_lines[T, I](
        const I* starts, const I* places, const T* values, int64_t n_lines,
        int64_t n_places,
    ) noexcept
    void skx_gather[T, I](
        const skx_compressed_t[T, I]& table, const double* operand, int64_t n_outputs,
        double* out, skx_parallel_t run, int n_threads,
    ) except +
    void skx_scatter[T, I](
        const skx_compressed_t[T, I]& table, const double* operand, int64_t n_outputs,
        double* out, skx_parallel_t run, int n_threads,
    ) except +
    void skx_scatter_squares[T, I](
        const skx_compressed_t[T, I]& table, const double* weights, double* out
    ) noexcept
    void skx_gram_of_rows[T, I](
        const skx_compressed_t[T, I]& rows, const double* weights, double* out,
        skx_parallel_t run, int n_threads,
    ) except +
    void skx_gram_of_columns[T, I](
        const skx_compressed_t[T, I]& columns, const skx_compressed_t[T, I]& rows,
        const double* weights, double* out, skx_parallel_t run, int n_threads,
    ) except +


cdef inline const double* address_of(const double[::1] values) noexcept:
    if values is None or values.shape[0] == 0:
        return NULL
    return &values[0]


def gather(
    const index_t[::1] starts, const index_t[::1] places,
    const cython.floating[::1] values, const double[:, ::1] operand,
    double[:, ::1] out, int n_threads=1,
):
    """Write table @ operand. IN: (n_places, n_outputs). OUT: (n_lines, n_outputs)."""
    if values.shape[0] == 0 or operand.shape[1] == 0:
        out[:] = 0.0
        return
    with nogil:
        skx_gather(
            skx_describe_lines(
                &starts[0], &places[0], &values[0], starts.shape[0] - 1,
                operand.shape[0],
            ),
            &operand[0, 0], operand.shape[1], &out[0, 0],
            <skx_parallel_t> parallel_for, n_threads,
        )


def scatter(
    const index_t[::1] starts, const index_t[::1] places,
    const cython.floating[::1] values, const double[:, ::1] operand,
    double[:, ::1] out, int n_threads=1,
):
    """Write table.T @ operand. IN: (n_lines, n_outputs). OUT: (n_places, n_outputs)."""
    if values.shape[0] == 0 or operand.shape[1] == 0:
        out[:] = 0.0
        return
    with nogil:
        skx_scatter(
            skx_describe_lines(
                &starts[0], &places[0], &values[0], starts.shape[0] - 1, out.shape[0]
            ),
            &operand[0, 0], operand.shape[1], &out[0, 0],
            <skx_parallel_t> parallel_for, n_threads,
        )


def scatter_squares(
    const index_t[::1] starts, const index_t[::1] places,
    const cython.floating[::1] values, const double[::1] weights, double[::1] out,
):
    """Write the sums of weight * value**2 of each place.

    IN: weights (n_lines,) or None for ones. OUT: out (n_places,).
    """
    cdef const double* weights_address = address_of(weights)
    if values.shape[0] == 0:
        out[:] = 0.0
        return
    with nogil:
        skx_scatter_squares(
            skx_describe_lines(
                &starts[0], &places[0], &values[0], starts.shape[0] - 1, out.shape[0]
            ),
            weights_address, &out[0],
        )


def gram_of_rows(
    const index_t[::1] starts, const index_t[::1] places,
    const cython.floating[::1] values, const double[::1] weights, double[:, ::1] out,
    int n_threads=1,
):
    """Write table.T @ diag(weights) @ table, for few columns.

    IN: lines are rows, their places ascend; weights (n_rows,) or None for ones.
    OUT: out (n_columns, n_columns).
    """
    cdef const double* weights_address = address_of(weights)
    if values.shape[0] == 0:
        out[:] = 0.0
        return
    with nogil:
        skx_gram_of_rows(
            skx_describe_lines(
                &starts[0], &places[0], &values[0], starts.shape[0] - 1, out.shape[0]
            ),
            weights_address, &out[0, 0], <skx_parallel_t> parallel_for, n_threads,
        )


def gram_of_columns(
    const index_t[::1] column_starts, const index_t[::1] column_places,
    const cython.floating[::1] column_values, const index_t[::1] row_starts,
    const index_t[::1] row_places, const cython.floating[::1] row_values,
    const double[::1] weights, double[:, ::1] out, int n_threads=1,
):
    """Write what `gram_of_rows` does, from the table by columns and by rows."""
    cdef const double* weights_address = address_of(weights)
    if column_values.shape[0] == 0:
        out[:] = 0.0
        return
    with nogil:
        skx_gram_of_columns(
            skx_describe_lines(
                &column_starts[0], &column_places[0], &column_values[0],
                column_starts.shape[0] - 1, row_starts.shape[0] - 1,
            ),
            skx_describe_lines(
                &row_starts[0], &row_places[0], &row_values[0],
                row_starts.shape[0] - 1, out.shape[0],
            ),
            weights_address, &out[0, 0], <skx_parallel_t> parallel_for, n_threads,
        )
