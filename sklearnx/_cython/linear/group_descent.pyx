"""Descent by groups of coefficients on a Gram matrix (see group_kernels.h)."""

import numpy as np

from libc.stdint cimport int64_t
from libcpp.vector cimport vector

cdef extern from "group_kernels.h" nogil:
    ctypedef struct skx_group_problem_t:
        const double* gram
        const double* target
        const double* curvature
        const int64_t* starts
        const double* levels
        double l1
        int64_t n
        int64_t n_groups
        double* coef
        double* gradient

    int64_t skx_minimize_groups(
        const skx_group_problem_t* problem, double tol, int64_t max_iter,
        double* violation,
    ) noexcept
    double skx_find_dual_norm(
        const double* x, int64_t size, double level, double l1, double* scratch
    ) noexcept


def minimize_groups_on_gram(
    const double[:, ::1] gram,
    const double[::1] target,
    double[::1] coef,
    double[::1] gradient,
    const int64_t[::1] starts,
    const double[::1] levels,
    double l1,
    const double[::1] curvature,
    double tol,
    int64_t max_iter,
):
    """Minimise 1/2 w'Gw - q'w + l1 * sum abs(w) + sum_g levels_g * ||w_g||.

    Parameters
    ----------
    gram : float64 array of shape (n, n)
        IN, G: symmetric and positive semidefinite.
    target : float64 array of shape (n,)
        IN, q.
    coef : float64 array of shape (n,)
        IN/OUT, w.
    gradient : float64 array of shape (n,)
        OUT, G w - q.
    starts : int64 array of shape (n_groups + 1,)
        IN. Group g has the coefficients from starts[g] to starts[g + 1].
    levels : float64 array of shape (n_groups,)
        IN, not negative.
    l1 : float
        Not negative.
    curvature : float64 array of shape (n,)
        IN. For each group, the diagonal of a matrix not smaller than its block of G.
    tol : float
        Stop where no block is further from its optimum, measured as a gradient.
    max_iter : int
        Most sweeps over groups.

    Returns
    -------
    n_iter : int
        Sweeps over all groups or over those that are not zero.
    violation : float
        The largest of the last sweep over all groups.
    """
    cdef:
        skx_group_problem_t problem
        double violation = 0.0
        int64_t n_iter
    if coef.shape[0] == 0:
        return 0, 0.0
    problem = skx_group_problem_t(
        &gram[0, 0], &target[0], &curvature[0], &starts[0], &levels[0], l1,
        coef.shape[0], levels.shape[0], &coef[0], &gradient[0],
    )
    with nogil:
        n_iter = skx_minimize_groups(&problem, tol, max_iter, &violation)
    return n_iter, violation


def compute_dual_norms(
    const double[::1] gradient,
    const int64_t[::1] starts,
    const double[::1] levels,
    double l1,
):
    """Return by how much the penalty of each group has to grow for it to be zero.

    For group g it is the smallest number nu for which the norm of its soft-thresholded
    gradient, ``soft(gradient_g, nu * l1)``, is at most ``nu * levels[g]``; 0 where the
    group has no penalty.

    Parameters
    ----------
    gradient, starts, levels, l1
        As of `minimize_groups_on_gram`, all IN.

    Returns
    -------
    float64 ndarray of shape (n_groups,)
    """
    cdef:
        int64_t n_groups = levels.shape[0]
        int64_t group, size
        vector[double] scratch
    norms = np.zeros(n_groups)
    cdef double[::1] out = norms
    scratch.resize(gradient.shape[0])
    with nogil:
        for group in range(n_groups):
            size = starts[group + 1] - starts[group]
            if size > 0 and (levels[group] > 0 or l1 > 0):
                out[group] = skx_find_dual_norm(
                    &gradient[starts[group]], size, levels[group], l1, scratch.data()
                )
    return norms
