"""Products of small matrices, Cholesky factors, solutions (see small_matrices.h)."""

from libc.stdint cimport int64_t

cdef extern from "small_matrices.h" nogil:
    int skx_factor_upper(double* A, int64_t n) noexcept
    void skx_solve_upper(const double* U, double* B, int64_t n, int64_t m) noexcept
    double skx_inner(const double* x, const double* y, int64_t n) noexcept
    void skx_multiply(
        const double* A, int64_t row_stride, int64_t column_stride, const double* B,
        double* C, int64_t n, int64_t k, int64_t m,
    ) noexcept


def factor_upper(double[:, ::1] A):
    """Overwrite a symmetric matrix (IN/OUT) with U of A = U.T @ U.

    Returns whether A is positive definite; if not, it holds nothing of use.
    """
    cdef:
        int64_t n = A.shape[0]
        int failed
    if n == 0:
        return True
    with nogil:
        failed = skx_factor_upper(&A[0, 0], n)
    return failed == 0


def solve_upper(const double[:, ::1] U, double[:, ::1] B):
    """Overwrite B (IN/OUT, a column a right-hand side) with X of U.T @ U @ X = B."""
    if B.shape[0] == 0 or B.shape[1] == 0:
        return
    with nogil:
        skx_solve_upper(&U[0, 0], &B[0, 0], B.shape[0], B.shape[1])


def inner(const double[::1] x, const double[::1] y):
    """The sum of products of two vectors of the same length."""
    cdef double total
    if x.shape[0] == 0:
        return 0.0
    with nogil:
        total = skx_inner(&x[0], &y[0], x.shape[0])
    return total


def multiply(const double[:, :] A, const double[:, ::1] B, double[:, ::1] out):
    """Write A @ B (OUT)."""
    if out.shape[0] == 0 or out.shape[1] == 0:
        return
    if A.shape[1] == 0:
        out[:] = 0.0
        return
    with nogil:
        skx_multiply(
            &A[0, 0], A.strides[0] // 8, A.strides[1] // 8, &B[0, 0], &out[0, 0],
            A.shape[0], A.shape[1], B.shape[1],
        )
