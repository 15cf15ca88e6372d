"""Block coordinate descent for penalised quadratics of several targets."""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t

cdef extern from "block_descent.h" nogil:
    ctypedef struct skx_block_quadratic_t:
        const double* gram
        int64_t stride, n, n_targets
        double* gradient
        double* coef
        const double* factors
        double l1, l2

    ctypedef struct skx_stop_t:
        double violation, loose, gap
    int64_t skx_minimize_blocks(
        const skx_block_quadratic_t* q, const skx_stop_t* stop, int64_t max_iter
    ) except +

cdef enum:
    WORK_BETWEEN_SIGNALS = 1 << 29  # in multiplications, less than a second


def minimize_blocks_on_gram(
    const double[:, :] gram,
    double[:, ::1] gradient,
    double[:, ::1] coef,
    const double[::1] penalty_weights,
    double l1,
    double l2,
    double tol,
    int64_t max_iter,
    double loose_tol=0.0,
    double gap=0.0,
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
    loose_tol, gap : float
        Violations up to loose_tol will do if they are below gap / (4 sum_j |W_j|).

    Returns
    -------
    n_iter : int
        The sweeps. 0 if the start is optimal.
    """
    cdef:
        skx_block_quadratic_t q
        skx_stop_t stop = skx_stop_t(tol, loose_tol, gap)
        int64_t n_iter = 0, n_sweeps, limit
    if gram.shape[0] == 0 or coef.shape[0] == 0:
        return 0
    q = skx_block_quadratic_t(
        &gram[0, 0], gram.strides[0] // <int64_t> sizeof(double), gram.shape[0],
        coef.shape[0], &gradient[0, 0], &coef[0, 0],
        &penalty_weights[0], l1, l2,
    )
    # Now and then the user may interrupt.
    limit = max(
        100, WORK_BETWEEN_SIGNALS // (gram.shape[0] * gram.shape[0] * coef.shape[0])
    )
    while True:
        limit = min(limit, max_iter - n_iter)
        with nogil:
            n_sweeps = skx_minimize_blocks(&q, &stop, limit)
        n_iter += n_sweeps
        if n_sweeps < limit or n_iter >= max_iter:
            return n_iter
        PyErr_CheckSignals()
