"""Products of a dense table with vectors, matrices and itself (see dense_products.h).

Tables are IN, of float32 or float64 at any strides; all else is float64 and contiguous.
The bits of a result do not depend on `n_threads`, nor those of a row of `dot` on the
other rows.
"""

cimport cython
from libc.stdint cimport int64_t

from sklearnx._cython.common.parallel_parts cimport skx_parallel_t
from sklearnx._cython.common.signals cimport handle_signals, raise_pending_error
from sklearnx._cython.common.threads cimport parallel_for

cdef extern from "dense_products.h" nogil:
    cdef cppclass skx_table_t[T]:
        pass
    skx_table_t[T] skx_describe[T](
        const T* values, int64_t n_rows, int64_t n_columns, int64_t row_bytes,
        int64_t column_bytes,
    ) noexcept
    void skx_dense_dot[T](
        const skx_table_t[T]& table, const double* coef, double* out,
        skx_parallel_t run, int n_threads,
    ) except +
    void skx_dense_t_dot[T](
        const skx_table_t[T]& table, const double* values, double* out,
        skx_parallel_t run, int n_threads,
    ) except +
    void skx_dense_squared_norms[T](
        const skx_table_t[T]& table, const double* weights, const double* centre,
        double* out, skx_parallel_t run, int n_threads,
    ) except +
    void skx_dense_matmul[T](
        const skx_table_t[T]& table, const double* coef, int64_t n_outputs,
        double* out, skx_parallel_t run, int n_threads,
    ) except +
    void skx_dense_t_matmul[T](
        const skx_table_t[T]& table, const double* values, int64_t n_outputs,
        double* out, skx_parallel_t run, int n_threads,
    ) except +
    bint skx_dense_gram[T](
        const skx_table_t[T]& table, const double* weights, const double* centre,
        double* out, skx_parallel_t run, int n_threads, int (*goes_on)() noexcept,
    ) except +
    bint skx_extend_gram[T](
        const skx_table_t[T]& table, const int64_t* places, int64_t p, int64_t start,
        const double* weights, const double* centre, double* gram, int64_t stride,
        skx_parallel_t run, int n_threads, int (*goes_on)() noexcept,
    ) except +
    void skx_dot_places[T](
        const skx_table_t[T]& table, const int64_t* places, int64_t n,
        const double* coef, int64_t n_outputs, double* out, skx_parallel_t run,
        int n_threads,
    ) except +
    void skx_take_columns[T](
        const skx_table_t[T]& table, const int64_t* columns, int64_t n_taken, T* out,
        skx_parallel_t run, int n_threads,
    ) except +
    void skx_find_largest(
        const double* values, int64_t n_rows, int64_t n_columns, int64_t* out
    ) noexcept


cdef inline const double* address_of(const double[::1] values) noexcept:
    if values is None or values.shape[0] == 0:
        return NULL
    return &values[0]


def dot(
    const cython.floating[:, :] X, const double[::1] coef, double[::1] out,
    int n_threads=1,
):
    """Write X @ coef. IN: coef (n_columns,). OUT: out (n_rows,)."""
    if X.shape[0] == 0 or X.shape[1] == 0:
        out[:] = 0.0
        return
    with nogil:
        skx_dense_dot(
            skx_describe(
                &X[0, 0], X.shape[0], X.shape[1], X.strides[0], X.strides[1]
            ),
            &coef[0], &out[0], <skx_parallel_t> parallel_for, n_threads
        )


def t_dot(
    const cython.floating[:, :] X, const double[::1] values, double[::1] out,
    int n_threads=1,
):
    """Write X.T @ values. IN: values (n_rows,). OUT: out (n_columns,)."""
    if X.shape[0] == 0 or X.shape[1] == 0:
        out[:] = 0.0
        return
    with nogil:
        skx_dense_t_dot(
            skx_describe(
                &X[0, 0], X.shape[0], X.shape[1], X.strides[0], X.strides[1]
            ),
            &values[0], &out[0], <skx_parallel_t> parallel_for, n_threads
        )


def matmul(
    const cython.floating[:, :] X, const double[:, ::1] coef, double[:, ::1] out,
    int n_threads=1,
):
    """Write X @ coef. IN: coef (n_columns, n_outputs). OUT: out (n_rows, n_outputs)."""
    if X.shape[0] == 0 or X.shape[1] == 0 or coef.shape[1] == 0:
        out[:] = 0.0
        return
    with nogil:
        skx_dense_matmul(
            skx_describe(
                &X[0, 0], X.shape[0], X.shape[1], X.strides[0], X.strides[1]
            ),
            &coef[0, 0], coef.shape[1], &out[0, 0],
            <skx_parallel_t> parallel_for, n_threads,
        )


def t_matmul(
    const cython.floating[:, :] X, const double[:, ::1] values, double[:, ::1] out,
    int n_threads=1,
):
    """Write X.T @ values. IN: (n_rows, n_outputs). OUT: out (n_columns, n_outputs)."""
    if X.shape[0] == 0 or X.shape[1] == 0 or values.shape[1] == 0:
        out[:] = 0.0
        return
    with nogil:
        skx_dense_t_matmul(
            skx_describe(
                &X[0, 0], X.shape[0], X.shape[1], X.strides[0], X.strides[1]
            ),
            &values[0, 0], values.shape[1], &out[0, 0],
            <skx_parallel_t> parallel_for, n_threads,
        )


def squared_norms(
    const cython.floating[:, :] X, const double[::1] weights,
    const double[::1] centre, double[::1] out, int n_threads=1,
):
    """Write the diagonal of `gram`. OUT: out (n_columns,)."""
    cdef:
        const double* weights_address = address_of(weights)
        const double* centre_address = address_of(centre)
    if X.shape[0] == 0 or X.shape[1] == 0:
        out[:] = 0.0
        return
    with nogil:
        skx_dense_squared_norms(
            skx_describe(
                &X[0, 0], X.shape[0], X.shape[1], X.strides[0], X.strides[1]
            ),
            weights_address, centre_address, &out[0],
            <skx_parallel_t> parallel_for, n_threads,
        )


def gram(
    const cython.floating[:, :] X, const double[::1] weights,
    const double[::1] centre, double[:, ::1] out, int n_threads=1,
):
    """Write (X - centre).T @ diag(weights) @ (X - centre).

    IN: weights (n_rows,), not negative, or None for ones; centre (n_columns,), or None
    for zeros. OUT: out (n_columns, n_columns).
    """
    cdef:
        const double* weights_address = address_of(weights)
        const double* centre_address = address_of(centre)
        bint has_ended
    if X.shape[0] == 0 or X.shape[1] == 0:
        out[:] = 0.0
        return
    with nogil:
        has_ended = skx_dense_gram(
            skx_describe(
                &X[0, 0], X.shape[0], X.shape[1], X.strides[0], X.strides[1]
            ),
            weights_address, centre_address, &out[0, 0],
            <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if not has_ended:
        raise_pending_error()


def extend_gram(
    const cython.floating[:, :] X, const int64_t[::1] places, int64_t start,
    const double[::1] weights, const double[::1] centre, double[:, :] gram,
    int n_threads=1,
):
    """Write the columns from `start` on of what `gram` writes of X[:, places].

    And the rows that mirror them. IN: X in F order, places (n,), weights as those of
    `gram`, centre (n,) or None. IN/OUT: gram (n, n), with contiguous rows.
    """
    cdef:
        const double* weights_address = address_of(weights)
        const double* centre_address = address_of(centre)
        bint has_ended
    if X.shape[0] == 0 or places.shape[0] <= start:
        gram[start:] = 0.0
        gram[:, start:] = 0.0
        return
    with nogil:
        has_ended = skx_extend_gram(
            skx_describe(
                &X[0, 0], X.shape[0], X.shape[1], X.strides[0], X.strides[1]
            ),
            &places[0], places.shape[0], start, weights_address, centre_address,
            &gram[0, 0], gram.strides[0] // <int64_t> sizeof(double),
            <skx_parallel_t> parallel_for, n_threads, handle_signals,
        )
    if not has_ended:
        raise_pending_error()


def dot_places(
    const cython.floating[:, :] X, const int64_t[::1] places,
    const double[:, ::1] coef, double[:, ::1] out, int n_threads=1,
):
    """Write X[:, places] @ coef.

    IN: X in F order, places (n,), coef (n, n_outputs). OUT: out (n_rows, n_outputs).
    """
    if X.shape[0] == 0 or places.shape[0] == 0 or coef.shape[1] == 0:
        out[:] = 0.0
        return
    with nogil:
        skx_dot_places(
            skx_describe(
                &X[0, 0], X.shape[0], X.shape[1], X.strides[0], X.strides[1]
            ),
            &places[0], places.shape[0], &coef[0, 0], coef.shape[1], &out[0, 0],
            <skx_parallel_t> parallel_for, n_threads,
        )


def take_columns(
    const cython.floating[:, :] X, const int64_t[::1] columns,
    cython.floating[:, ::1] out, int n_threads=1,
):
    """Copy X[:, columns].T. IN: columns (n_taken,). OUT: out (n_taken, n_rows)."""
    if X.shape[0] == 0 or columns.shape[0] == 0:
        return
    with nogil:
        skx_take_columns(
            skx_describe(
                &X[0, 0], X.shape[0], X.shape[1], X.strides[0], X.strides[1]
            ),
            &columns[0], columns.shape[0], &out[0, 0],
            <skx_parallel_t> parallel_for, n_threads,
        )


def find_largest(const double[:, ::1] values, int64_t[::1] out):
    """Write the position of the largest value of each row, the first of equal ones.

    IN: values (n_rows, n_columns), with at least one column. OUT: out (n_rows,).
    """
    if values.shape[0] == 0:
        return
    with nogil:
        skx_find_largest(&values[0, 0], values.shape[0], values.shape[1], &out[0])
