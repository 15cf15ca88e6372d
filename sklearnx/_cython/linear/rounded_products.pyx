"""Products of rounded columns, of bounded error (see rounded_products.h).

The bits of a result do not depend on `n_threads`.
"""

cimport cython
from libc.stdint cimport int64_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "rounded_products.h" nogil:
    cdef cppclass skx_table_t[T]:
        pass
    skx_table_t[T] skx_describe[T](
        const T* values, int64_t n_rows, int64_t n_columns, int64_t row_bytes,
        int64_t column_bytes,
    ) noexcept
    double SKX_ROUNDED_ERROR
    void skx_round_columns[T](
        const skx_table_t[T]& table, const double* centre, float* out, double* norms,
        skx_parallel_t run, int n_threads,
    ) except +
    void skx_multiply_rounded(
        const float* columns, int64_t n_columns, int64_t n_rows, const double* factors,
        int64_t n_outputs, double* out, skx_parallel_t run, int n_threads,
    ) except +

# Of a product, over the norms of its column and its vector.
ROUNDED_ERROR = SKX_ROUNDED_ERROR


def round_columns(
    const cython.floating[:, :] X, const double[::1] centre, float[:, ::1] out,
    double[::1] norms, int n_threads=1,
):
    """Write (X - centre).T as float, and the norms of its rows.

    IN: X at any strides, centre (n_columns,) or None for zeros. OUT: out (n_columns,
    n_rows), norms (n_columns,).
    """
    cdef const double* centre_address = NULL
    if centre is not None:
        centre_address = &centre[0]
    with nogil:
        skx_round_columns(
            skx_describe(
                &X[0, 0], X.shape[0], X.shape[1], X.strides[0], X.strides[1]
            ),
            centre_address, &out[0, 0], &norms[0],
            <skx_parallel_t> parallel_for, n_threads,
        )


def multiply_rounded(
    const float[:, ::1] columns, const double[:, ::1] factors, double[:, ::1] out,
    int n_threads=1,
):
    """Write about columns @ factors, off by at most ROUNDED_ERROR times both norms.

    IN: columns (n_columns, n_rows); factors (n_rows, n_outputs), whose norms are
    near one. OUT: out (n_columns, n_outputs).
    """
    with nogil:
        skx_multiply_rounded(
            &columns[0, 0], columns.shape[0], columns.shape[1], &factors[0, 0],
            factors.shape[1], &out[0, 0], <skx_parallel_t> parallel_for, n_threads,
        )
