"""Coordinate descent for penalised quadratics (see gram_descent.h).

Penalties are told by `pieces`, rows of (knot, start, slope) of their derivative (see
sklearnx/_glm/penalties.py).
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t

cdef extern from "gram_descent.h" nogil:
    ctypedef struct skx_piece_t:
        double knot, start, slope

    ctypedef struct skx_quadratic_t:
        const double* gram
        int64_t stride, n
        double* gradient
        double* coef
        const double* factors
        const double* lower
        const double* upper
        const skx_piece_t* pieces
        int n_pieces

    ctypedef struct skx_stop_t:
        double violation, loose, gap
    int64_t skx_minimize_on_gram(
        const skx_quadratic_t* q, const float* rounded, const skx_stop_t* stop,
        int64_t max_iter,
    ) except +
    bint skx_round_gram(
        const double* gram, int64_t stride, int64_t n, float* out
    ) noexcept
    double skx_max_violation(const skx_quadratic_t* q) noexcept

cdef enum:
    WORK_BETWEEN_SIGNALS = 1 << 29  # in multiplications, less than a second


cdef skx_quadratic_t _make_quadratic(
    const double[:, :] gram,
    double[::1] gradient,
    double[::1] coef,
    const double[::1] penalty_weights,
    const double[:, ::1] pieces,
    const double[::1] lower,
    const double[::1] upper,
) noexcept:
    return skx_quadratic_t(
        &gram[0, 0], gram.strides[0] // <int64_t> sizeof(double), gram.shape[0],
        &gradient[0], &coef[0],
        &penalty_weights[0], &lower[0], &upper[0],
        <const skx_piece_t*> &pieces[0, 0], <int> pieces.shape[0],
    )


def minimize_on_gram(
    const double[:, :] gram,
    double[::1] gradient,
    double[::1] coef,
    const double[::1] penalty_weights,
    const double[:, ::1] pieces,
    const double[::1] lower,
    const double[::1] upper,
    double tol,
    int64_t max_iter,
    const float[:, ::1] rounded=None,
    double loose_tol=0.0,
    double gap=0.0,
):
    """Minimise 1/2 w'Gw - q'w + sum_j penalty_weights[j] * pen(w_j) in a box.

    Parameters
    ----------
    gram : array of shape (n, n)
        IN, G: symmetric, with contiguous rows. A coefficient whose diagonal is not
        positive goes to the point of its box nearest to zero.
    gradient : array of shape (n,)
        IN/OUT, G w - q.
    coef : array of shape (n,)
        IN/OUT, w, within the box.
    penalty_weights : array of shape (n,)
        IN, not negative.
    pieces : array of shape (n_pieces, 3)
        IN, the penalty.
    lower, upper : array of shape (n,)
        IN, the box; may be infinite.
    tol : float
        The largest violation of an optimality condition to stop at.
    max_iter : int
        The most sweeps.
    rounded : array of shape (n, n) or None
        IN, G as `round_gram` wrote it, with which most sweeps take half the time.
    loose_tol, gap : float
        Violations up to loose_tol will do if they are below gap / (4 |w|_1).

    Returns
    -------
    n_iter : int
        The sweeps. 0 if the start is optimal.
    """
    cdef:
        skx_quadratic_t q
        const float* rounded_address = NULL
        skx_stop_t stop = skx_stop_t(tol, loose_tol, gap)
        int64_t n_iter = 0, n_sweeps, limit
    if gram.shape[0] == 0:
        return 0
    q = _make_quadratic(gram, gradient, coef, penalty_weights, pieces, lower, upper)
    if rounded is not None:
        rounded_address = &rounded[0, 0]
    # Now and then the user may interrupt.
    limit = max(100, WORK_BETWEEN_SIGNALS // (gram.shape[0] * gram.shape[0]))
    while True:
        limit = min(limit, max_iter - n_iter)
        with nogil:
            n_sweeps = skx_minimize_on_gram(&q, rounded_address, &stop, limit)
        n_iter += n_sweeps
        if n_sweeps < limit or n_iter >= max_iter:
            return n_iter
        PyErr_CheckSignals()


def round_gram(const double[:, :] gram, float[:, ::1] out):
    """Round G to float; return whether it can be used in sweeps.

    IN: gram (n, n), with contiguous rows. OUT: out (n, n).
    """
    cdef bint fits
    with nogil:
        fits = skx_round_gram(
            &gram[0, 0], gram.strides[0] // <int64_t> sizeof(double), gram.shape[0],
            &out[0, 0],
        )
    return fits


def max_violation(
    const double[:, :] gram,
    double[::1] gradient,
    double[::1] coef,
    const double[::1] penalty_weights,
    const double[:, ::1] pieces,
    const double[::1] lower,
    const double[::1] upper,
):
    """The largest violation of an optimality condition; see `minimize_on_gram`."""
    cdef skx_quadratic_t q
    if gram.shape[0] == 0:
        return 0.0
    q = _make_quadratic(gram, gradient, coef, penalty_weights, pieces, lower, upper)
    return skx_max_violation(&q)
