"""How far a penalised least-squares solution is from its optimum: duality gaps.

For the objective

    |y - X w|**2 / 2 + sum_j f_j (l1 |w_j| + l2 / 2 w_j**2),

multiples of the residual are points of the dual problem. With l1 > 0 the quadratic
part of the penalty counts as rows of X, and the residual is shrunk until its
correlations are at most l1 (O. Fercoq, A. Gramfort and J. Salmon, "Mind the duality
gap", ICML 2015, equation 10). Otherwise, and within a box, the conjugate of the penalty
is finite and no shrinking is needed (C. Dünner et al., "Primal-dual rates and
certificates", ICML 2016, section 5.2).
"""

from __future__ import annotations

import numpy as np


def compute_gap(
    l1,
    l2,
    factors,
    coef,
    correlations,
    residual_norm2,
    residual_dot_y,
    box=None,
):
    """Return an upper bound of the objective less its minimum.

    Parameters
    ----------
    l1, l2 : float
    factors : ndarray of shape (n_columns,)
        Of the penalty of each column.
    coef : ndarray of shape (n_columns, n_targets)
    correlations : ndarray of shape (n_columns, n_targets)
        X.T @ residual.
    residual_norm2, residual_dot_y : float
        Sum of squares of the residual, and its product with y.
    box : tuple of ndarray or None, default=None
        Bounds (lower, upper) of the coefficients.

    Returns
    -------
    gap : float
        Where a coefficient has neither penalty nor bound there is no dual point; its
        part is then the squared derivative.
    """
    if box is not None and (l1 == 0.0 or not _is_half_line(box)):
        return _compute_box_gap(
            l1, l2, factors, coef[:, 0], correlations[:, 0], residual_norm2,
            residual_dot_y, box,
        )  # fmt: skip
    is_free = factors == 0.0
    gap = float((correlations[is_free] ** 2).sum())
    f = factors[:, None]
    if l1 == 0.0:
        if l2 == 0.0:
            return float((correlations**2).sum())
        f, coef, correlations = f[~is_free], coef[~is_free], correlations[~is_free]
        gap += residual_norm2 - residual_dot_y + 0.5 * l2 * float((f * coef**2).sum())
        return gap + float((correlations**2 / f).sum()) / (2 * l2)
    augmented = correlations - l2 * f * coef
    sizes = row_norms(augmented) if box is None else augmented[:, 0]
    norms = row_norms(coef)
    ridge = l2 * float((f * coef**2).sum())
    primal = 0.5 * (residual_norm2 + ridge) + l1 * float((factors * norms).sum())
    penalised = ~is_free
    largest = (
        float(np.max(sizes[penalised] / factors[penalised])) if penalised.any() else 0.0
    )
    scale = l1 / largest if largest > l1 else 1.0
    dual = -0.5 * scale**2 * (residual_norm2 + ridge) + scale * residual_dot_y
    return gap + primal - dual


def _is_half_line(box):
    lower, upper = box
    return not lower.any() and np.isposinf(upper).all()


def _compute_box_gap(
    l1, l2, factors, coef, correlations, residual_norm2, residual_dot_y, box
):
    """`compute_gap` of one target within a box, by the conjugate of the penalty."""
    lower, upper = box
    l1, l2 = l1 * factors, l2 * factors
    outward = np.where(correlations > 0.0, upper, lower)
    excess = np.abs(correlations) - l1
    # Without a bound or a quadratic term, the dual point has to satisfy a constraint.
    is_limited = np.isinf(outward) & (l2 == 0.0) & (excess > 0.0)
    is_free = is_limited & (l1 == 0.0)
    gap = float((correlations[is_free] ** 2).sum())
    is_limited &= ~is_free
    scale = 1.0
    if is_limited.any():
        ratios = l1[is_limited] / np.abs(correlations[is_limited])
        scale = float(ratios.min())
    u = np.where(is_free, 0.0, scale * correlations)
    excess = np.maximum(np.abs(u) - l1, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        best = np.where(excess > 0.0, np.sign(u) * excess / l2, 0.0)
    best = np.clip(best, lower, upper)
    # A constraint that holds up to rounding.
    best[np.isinf(best)] = 0.0
    conjugate = u * best - l1 * np.abs(best) - 0.5 * l2 * best**2
    penalty = l1 * np.abs(coef) + 0.5 * l2 * coef**2
    primal = 0.5 * residual_norm2 + float(penalty.sum())
    dual = -0.5 * scale**2 * residual_norm2 + scale * residual_dot_y
    return gap + primal - dual + float(conjugate.sum())


def row_norms(rows):
    """Euclidean norms of the rows of a matrix."""
    if rows.shape[1] == 1:
        return np.abs(rows[:, 0])
    return np.sqrt((rows * rows).sum(axis=1))
