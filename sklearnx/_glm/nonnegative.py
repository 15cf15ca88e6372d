"""Least squares with coefficients that are not negative, on a Gram matrix.

References
----------
C. L. Lawson and R. J. Hanson (1974), "Solving Least Squares Problems", chapter 23.
R. Bro and S. de Jong (1997), "A fast non-negativity-constrained least squares
algorithm", Journal of Chemometrics 11.
"""

from __future__ import annotations

import numpy as np

from sklearnx._linalg import LinAlgError, cholesky_solve, eigh, matmul

EPS = np.finfo(np.float64).eps


def solve_nonnegative(gram, products, max_iter):
    """Minimise x'Gx / 2 - c'x over x >= 0.

    An active set method: coefficients enter the passive set while their gradient says
    so, the problem of the passive set is solved exactly, and those that would become
    negative leave on the way there. All candidates enter together, which takes a few
    solves where one by one takes as many as there are coefficients; where that gains
    nothing, only the steepest enters, which always does, so that it is finite.

    Parameters
    ----------
    gram : ndarray of shape (n_columns, n_columns)
        G, positive semidefinite.

    products : ndarray of shape (n_columns,)
        c.

    max_iter : int
        Times that coefficients enter.

    Returns
    -------
    coef : ndarray of shape (n_columns,)

    has_converged : bool
        Whether the conditions of Karush, Kuhn and Tucker hold.
    """
    coef = np.zeros(len(products))
    passive = np.zeros(len(products), dtype=bool)
    scale = np.sqrt(np.maximum(np.diagonal(gram), 0.0))
    # The rounding of a gradient.
    noise = 10 * len(products) * EPS * scale * _largest(scale, products)
    gradient = products.copy()
    value = 0.0
    one_by_one = False
    for _ in range(max_iter):
        candidates = ~passive & (gradient > noise)
        if not candidates.any():
            return coef, True
        entering = candidates
        if one_by_one:
            steepest = np.where(candidates, gradient / np.where(scale > 0, scale, 1), 0)
            entering = np.zeros_like(passive)
            entering[np.argmax(steepest)] = True
        trial, trial_passive = _solve_passive(gram, products, coef, passive | entering)
        trial_gradient = products - matmul(gram, trial)
        trial_value = -0.5 * np.sum(trial * (products + trial_gradient))
        if trial_value < value:
            coef, passive, value = trial, trial_passive, trial_value
            gradient = trial_gradient
            one_by_one = False
        elif one_by_one:
            # The gain is below the rounding of the objective.
            return coef, True
        else:
            one_by_one = True
    return coef, False


def _largest(scale, products):
    """An upper bound of |y|-like size: the largest product with a unit column."""
    return np.max(np.abs(products) / np.where(scale > 0, scale, 1.0), initial=0.0)


def _solve_passive(gram, products, coef, passive):
    """Walk from a feasible point to the optimum of a passive set, all feasible."""
    coef = coef.copy()
    passive = passive.copy()
    while passive.any():
        target = np.zeros_like(coef)
        target[passive] = _solve(gram[np.ix_(passive, passive)], products[passive])
        blocking = passive & (target <= 0)
        if not blocking.any():
            return target, passive
        gaps = coef[blocking] - target[blocking]
        ratios = np.where(gaps > 0, coef[blocking] / np.where(gaps > 0, gaps, 1), 0.0)
        step = ratios.min()
        coef += step * (target - coef)
        leaving = np.flatnonzero(blocking)[ratios <= step]
        coef[leaving] = 0.0
        passive[leaving] = False
    return coef, passive


def _solve(gram, products):
    """Solve the normal equations, for the minimum norm if they are singular."""
    try:
        solution = cholesky_solve(gram, products)
        if np.isfinite(solution).all():
            return solution
    except LinAlgError:
        pass
    values, vectors = eigh(gram)
    is_kept = values > len(values) * EPS * values[-1]
    inverse = np.where(is_kept, 1 / np.where(is_kept, values, 1.0), 0.0)
    return matmul(vectors, inverse * matmul(vectors.T, products))
