"""Block coordinate descent for penalised quadratics of several targets."""

from libc.stdint cimport int64_t

cdef extern from "block_descent.h" nogil:
    ctypedef struct skx_block_quadratic_t:
        const double* gram
        int64_t stride, n, n_targets
        double* gradient
        double* coef
        const double* factors
        double l1, l2

    int64_t skx_minimize_blocks(
        const skx_block_quadratic_t* q, double tol, int64_t max_iter
    ) except +


def minimize_blocks_on_gram(
    const double[:, :] gram,
    double[:, ::1] gradient,
    double[:, ::1] coef,
    const double[::1] penalty_weights,
    double l1,
    double l2,
    double tol,
    int64_t max_iter,
):
    """Minimise tr(W'GW) / 2 - tr(Q'W) + sum_j f_j (l1 |W_j| + l2 / 2 |W_j|**2).

    Parameters
    ----------
    gram : array of shape (n, n)
        IN, G: symmetric, with contiguous rows. Rows of W whose diagonal is not positive
        go to zero.
    gradient : array of shape (n_targets, n)
        IN/OUT, the transpose of G W - Q.
    coef : array of shape (n_targets, n)
        IN/OUT, the transpose of W.
    penalty_weights : array of shape (n,)
        IN, f: not negative.
    l1, l2 : float
        Not negative.
    tol : float
        The largest norm of a row's violation to stop at.
    max_iter : int
        The most sweeps.

    Returns
    -------
    n_iter : int
        The sweeps. 0 if the start is optimal.
    """
    cdef:
        skx_block_quadratic_t q
        int64_t n_iter
    if gram.shape[0] == 0 or coef.shape[0] == 0:
        return 0
    q = skx_block_quadratic_t(
        &gram[0, 0], gram.strides[0] // <int64_t> sizeof(double), gram.shape[0],
        coef.shape[0], &gradient[0, 0], &coef[0, 0],
        &penalty_weights[0], l1, l2,
    )
    with nogil:
        n_iter = skx_minimize_blocks(&q, tol, max_iter)
    return n_iter
