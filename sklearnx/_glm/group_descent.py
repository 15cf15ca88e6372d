"""Least squares with a penalty of groups of coefficients.

    minimise  1 / (2 N) * ||sqrt(W) (y - X w - b)||^2 + penalty(w),   N = sum of W

by block coordinate descent, with steps of Newton's method once the groups are found. It
works on a Gram matrix: of all columns where those are few against the rows, else of a
working set of groups, grown until the duality gap of all is small (Massias et al.,
"Celer", ICML 2018, with groups for columns). Columns are centred implicitly, and b
follows from the means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearnx._cached_property import cached_property
from sklearnx._cython.linear.group_descent import minimize_groups_on_gram
from sklearnx._linalg import check_finite, one_blas_thread

# The Gram matrix of all so many columns is always worth it, and from twice as many rows
# as columns on up to the second number.
_FEW_COLUMNS = 300
_MAX_GRAM_COLUMNS = 3000
_MIN_WORKING_COLUMNS = 60
# After convergence, where columns are few.
_FINAL_SWEEPS = 100
# Of the duality gap, how far a working set is solved before the others are looked at.
_GAP_OF_WORKING_SET = 0.05
# Below it the residual is computed from X: differences of Gram quantities cancel.
_MIN_RESIDUAL_SHARE = 1e-6


def number_groups(labels):
    """Return the columns in the order of their groups, and where each group starts.

    Parameters
    ----------
    labels : int array of shape (n_columns,)
        From 0 to n_groups - 1, each of which has a column.

    Returns
    -------
    order : int64 ndarray of shape (n_columns,)
    starts : int64 ndarray of shape (n_groups + 1,)
    """
    order = np.argsort(labels, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(labels))])
    return order, starts.astype(np.int64)


@dataclass(frozen=True)
class GroupFit:
    """A solution.

    Attributes
    ----------
    coef : float64 ndarray of shape (n_columns,)
        In the order of the columns of the design.
    intercept : float
    dual_gap : float
        Of the objective as it is written above.
    is_converged : bool
        Whether the gap is small enough.
    n_iter : int
        Sweeps over groups.
    """

    coef: np.ndarray
    intercept: float
    dual_gap: float
    is_converged: bool
    n_iter: int


class GroupProblem:
    """The data of a group lasso, and what all penalties of it share.

    Parameters
    ----------
    design : design
        See `sklearnx._glm.design`.
    y : float64 ndarray of shape (n_rows,)
    labels : int array of shape (n_columns,)
        The group of each column, see `number_groups`.
    weights : float64 ndarray of shape (n_rows,) or None, default=None
        Not negative, not all zero.
    fit_intercept : bool, default=True
    """

    def __init__(self, design, y, labels, weights=None, fit_intercept=True):
        self.design = design
        self.order, self.starts = number_groups(labels)
        self.weights = weights
        row_weights = np.ones(design.n_rows) if weights is None else weights
        self.total = row_weights.sum()
        self.centre = None
        self.y_mean = 0.0
        if fit_intercept:
            self.centre = design.t_dot(row_weights) / self.total
            self.y_mean = (row_weights * y).sum() / self.total
        self.y = y - self.y_mean
        self.y2 = self._mean(self.y**2)
        self.target = self.project(self.y)

    def restrict(self, groups):
        """Return the problem of some groups, whose columns are copied."""
        columns = _find_columns(self.starts, groups)
        part = object.__new__(GroupProblem)
        part.__dict__.update(
            design=self.design.take_columns(self.order[columns]),
            order=np.arange(len(columns)),
            starts=_take_starts(self.starts, groups),
            weights=self.weights,
            total=self.total,
            centre=None if self.centre is None else self.centre[self.order[columns]],
            y_mean=self.y_mean,
            y=self.y,
            y2=self.y2,
            target=self.target[columns],
        )
        return part, columns

    def _mean(self, values):
        if self.weights is not None:
            values = self.weights * values
        return values.sum() / self.total

    @cached_property
    def gram(self):
        """The Gram matrix of all columns over N, in the order of groups."""
        gram = self.design.gram(self.weights, self.centre)
        if not np.array_equal(self.order, np.arange(len(self.order))):
            gram = gram[np.ix_(self.order, self.order)]
        return np.ascontiguousarray(gram) / self.total

    @cached_property
    def turned_blocks(self):
        return _TurnedBlocks(self.gram, self.starts)

    @cached_property
    def scaled_blocks(self):
        return _ScaledBlocks(self.gram, self.starts)

    @cached_property
    def group_norms(self):
        """Bounds of the spectral norm of each group's columns over sqrt(N)."""
        norms = self.design.squared_norms(self.weights, self.centre)[self.order]
        sums = np.add.reduceat(norms, self.starts[:-1])
        return np.sqrt(np.maximum(sums, 0) / self.total)

    def project(self, residual):
        """X.T W residual / N of centred columns, in the order of groups."""
        weighted = residual if self.weights is None else self.weights * residual
        products = self.design.t_dot(weighted)
        if self.centre is not None:
            products = products - self.centre * weighted.sum()
        return products[self.order] / self.total

    def compute_residual(self, sorted_coef):
        """y - X w, all centred; the coefficients in the order of groups."""
        coef = self.sort_back(sorted_coef)
        fitted = self.design.dot(coef)
        if self.centre is not None:
            fitted = fitted - (self.centre * coef).sum()
        return self.y - fitted

    def sort_back(self, sorted_coef):
        coef = np.empty(len(sorted_coef))
        coef[self.order] = sorted_coef
        return coef

    def find_alpha_max(self, penalty):
        """Return the smallest factor of the penalty that leaves no coefficient.

        Groups without penalty count as if they were absent.
        """
        return float(penalty.dual_norms(self.target).max(initial=0.0))

    def compute_gap(self, penalty, coef, residual, products):
        """Return the duality gap and the dual scale, see `compute_dual_gap`."""
        return compute_dual_gap(
            penalty,
            coef,
            products,
            self._mean(residual**2),
            self._mean(residual * self.y),
        )

    def solve(self, penalty, coef=None, *, tol=1e-4, max_iter=1000):
        """Minimise the objective.

        Parameters
        ----------
        penalty : GroupPenalty
            With the `starts` of this problem.
        coef : ndarray of shape (n_columns,) or None, default=None
            Where to start.
        tol : float, default=1e-4
            The duality gap shall be at most `tol` times the mean square of y.
        max_iter : int, default=1000
            Most sweeps over groups.

        Returns
        -------
        GroupFit
        """
        start = np.zeros(self.design.n_columns)
        if coef is not None:
            start[:] = coef[self.order]
        target_gap = tol * self.y2
        solved = self.solve_sorted(penalty, start, target_gap, max_iter)
        coef = self.sort_back(solved.coef)
        intercept = self.y_mean
        if self.centre is not None:
            intercept = intercept - (self.centre * coef).sum()
        return GroupFit(
            coef,
            float(intercept),
            solved.gap,
            solved.gap <= target_gap,
            solved.n_iter,
        )

    def solve_sorted(self, penalty, coef, target_gap, max_iter):
        """Minimise with the method for the shape; see `solve_on_gram`."""
        n_columns = self.design.n_columns
        has_few_columns = n_columns <= _FEW_COLUMNS or (
            n_columns <= _MAX_GRAM_COLUMNS and 2 * n_columns <= self.design.n_rows
        )
        if not has_few_columns:
            return _solve_by_working_sets(self, penalty, coef, target_gap, max_iter)
        n_iter = 0
        for share in (1.0, 1e-2, 1e-4):
            solved = solve_on_gram(
                self, penalty, coef, share * target_gap, max_iter - n_iter
            )
            n_iter += solved.n_iter
            coef, gap = solved.coef, solved.gap
            if solved.residual2 < _MIN_RESIDUAL_SHARE * self.y2:
                residual = self.compute_residual(coef)
                gap, _ = self.compute_gap(
                    penalty, coef, residual, self.project(residual)
                )
            if gap <= target_gap or n_iter >= max_iter:
                break
        if n_columns <= _FEW_COLUMNS and n_iter < max_iter:
            # Costs next to nothing, and makes rows of weight 2 equal to two rows.
            n_left = min(_FINAL_SWEEPS, max_iter - n_iter)
            fine = solve_on_gram(self, penalty, coef, 0.0, n_left)
            coef, n_iter = fine.coef, n_iter + fine.n_iter
        return _Solved(coef, gap, n_iter)


@dataclass
class _Solved:
    """Coefficients in the order of groups, and what is known of them.

    Attributes
    ----------
    coef : float64 ndarray of shape (n_columns,)
    gap : float
    n_iter : int
    residual2 : float
        The mean square of the residual.
    """

    coef: np.ndarray
    gap: float
    n_iter: int
    residual2: float = np.nan


def compute_dual_gap(penalty, coef, products, residual2, y_residual):
    """Return the duality gap and the scale of the dual point.

    The dual point is the residual r times a scale s, the best for which the penalty's
    dual norm of s X.T W r / N is at most 1:

        gap = r2 / 2 + penalty(w) - (s * yr - s^2 * r2 / 2).

    Products of groups without penalty are zero at the minimum; what is left of them
    counts into the gap.

    Parameters
    ----------
    penalty : GroupPenalty
    coef, products : ndarray of shape (n_columns,)
        w and X.T W r / N.
    residual2, y_residual : float
        r.T W r / N and y.T W r / N.
    """
    largest = penalty.dual_norms(products).max(initial=0.0)
    limit = 1 / largest if largest > 0 else np.inf
    scale = min(y_residual / residual2 if residual2 > 0 else 1.0, limit)
    scale = max(scale, -limit)
    gap = residual2 / 2 + penalty.value(coef)
    gap -= scale * y_residual - scale**2 * residual2 / 2
    if penalty.is_free.any():
        columns = np.repeat(penalty.is_free, np.diff(penalty.starts))
        gap += abs((coef[columns] * products[columns]).sum())
    return float(max(gap, 0.0)), scale


def solve_on_gram(problem, penalty, coef, target_gap, max_iter):
    """Minimise y2 / 2 - q'w + w'Gw / 2 + penalty(w) until the duality gap is small.

    Parameters
    ----------
    problem : GroupProblem
    penalty : GroupPenalty
    coef : ndarray of shape (n_columns,)
        Where to start, in the order of groups.
    target_gap : float
    max_iter : int

    Returns
    -------
    _Solved
    """
    blocks = problem.scaled_blocks if penalty.l1 > 0 else problem.turned_blocks
    turned_target, turned = blocks.turn(problem.target), blocks.turn(coef)
    gradient = np.empty_like(turned)
    scale = np.abs(problem.target).max(initial=0.0)
    kernel_tol = 1e-3 * scale
    n_iter = 0
    while True:
        n_swept, violation = minimize_groups_on_gram(
            blocks.gram,
            turned_target,
            turned,
            gradient,
            penalty.starts,
            penalty.levels,
            penalty.l1,
            blocks.curvature,
            kernel_tol,
            max_iter - n_iter,
        )
        n_iter += n_swept
        coef, products = blocks.turn_back(turned), -blocks.turn_back(gradient)
        y_residual = problem.y2 - (coef * problem.target).sum()
        residual2 = max(y_residual - (coef * products).sum(), 0.0)
        gap, _ = compute_dual_gap(penalty, coef, products, residual2, y_residual)
        # No step is left that rounding would not undo.
        is_exact = violation <= 1e-14 * scale
        if gap <= target_gap or n_iter >= max_iter or is_exact:
            return _Solved(coef, gap, n_iter, residual2)
        kernel_tol = 0.1 * min(kernel_tol, violation)


def _solve_by_working_sets(problem, penalty, coef, target_gap, max_iter):
    """Minimise over a few groups at a time; see `solve_on_gram`.

    Each round costs one product with all columns. Groups that are zero for sure are
    left for good once they are most of all.
    """
    coef = coef.copy()
    residual = problem.y
    if coef.any():
        residual = problem.compute_residual(coef)
    sizes = np.diff(penalty.starts)
    n_columns, n_iter = _MIN_WORKING_COLUMNS, 0
    while True:
        products = problem.project(residual)
        gap, scale = problem.compute_gap(penalty, coef, residual, products)
        if gap <= target_gap or n_iter >= max_iter:
            return _Solved(coef, gap, n_iter)
        is_active = np.add.reduceat(np.abs(coef), penalty.starts[:-1]) > 0
        if not penalty.is_free.any():
            radii = problem.group_norms * np.sqrt(2 * gap)
            is_zero = penalty.find_zeros(scale * products, radii) & ~is_active
            if 4 * sizes[~is_zero].sum() <= sizes.sum():
                break
        priority = penalty.dual_norms(products)
        priority[is_active | penalty.is_free] = np.inf
        n_columns = max(n_columns, 2 * sizes[is_active].sum())
        groups = _choose_groups(priority, sizes, n_columns)
        part, columns = problem.restrict(groups)
        solved = solve_on_gram(
            part,
            penalty.take(groups),
            coef[columns],
            max(0.3 * target_gap, _GAP_OF_WORKING_SET * gap),
            max_iter - n_iter,
        )
        n_iter += solved.n_iter
        coef[columns] = solved.coef
        residual = part.compute_residual(solved.coef)
        n_columns *= 2
    # The minimum over the groups that are left is that of all.
    groups = np.flatnonzero(~is_zero)
    part, columns = problem.restrict(groups)
    solved = part.solve_sorted(
        penalty.take(groups), coef[columns], target_gap, max_iter - n_iter
    )
    coef[columns] = solved.coef
    return _Solved(coef, solved.gap, n_iter + solved.n_iter)


def _choose_groups(priority, sizes, n_columns):
    """Return the groups of highest priority that have so many columns, in order."""
    order = np.argsort(-priority, kind="stable")
    n_groups = np.searchsorted(np.cumsum(sizes[order]), n_columns) + 1
    n_groups = max(n_groups, np.isinf(priority).sum())
    return np.sort(order[:n_groups])


def _take_starts(starts, groups):
    sizes = np.diff(starts)[groups]
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _find_columns(starts, groups):
    """Return the columns of some groups, group by group."""
    sizes = np.diff(starts)[groups]
    shifts = starts[:-1][groups] - _take_starts(starts, groups)[:-1]
    return np.arange(sizes.sum()) + np.repeat(shifts, sizes)


class _ScaledBlocks:
    """A Gram matrix, and its diagonal scaled up until it is no smaller than a block.

    It is the majoriser where single coefficients have a penalty as well.
    """

    def __init__(self, gram, starts):
        self.gram = gram
        self.curvature = np.maximum(np.diagonal(gram), 0.0)
        for places in _stack_groups(starts):
            diagonal = self.curvature[places]
            roots = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
            blocks = _take_blocks(gram, places)
            scaled = blocks / (roots[:, :, None] * roots[:, None, :])
            check_finite(scaled)
            with one_blas_thread():
                largest = np.linalg.eigvalsh(scaled)[:, -1:]
            # A little more than rounding may hide.
            self.curvature[places] = diagonal * np.maximum(largest, 1.0) * (1 + 1e-12)

    def turn(self, coef):
        return coef.copy()

    turn_back = turn


class _TurnedBlocks:
    """A Gram matrix of columns turned within their groups, so that blocks are diagonal.

    The turned columns are X Q for the eigenvectors Q of each block; norms of groups do
    not change.
    """

    def __init__(self, gram, starts):
        self.curvature = np.maximum(np.diagonal(gram), 0.0)
        self._stacks = []
        for places in _stack_groups(starts):
            blocks = _take_blocks(gram, places)
            check_finite(blocks)
            with one_blas_thread():
                values, vectors = np.linalg.eigh(blocks)
            self._stacks.append((places, vectors))
            self.curvature[places] = np.maximum(values, 0.0)
        self.gram = gram
        if self._stacks:
            # Q' (Q' G)' = Q' G Q, since G is symmetric.
            turned = self._turn_rows(self._turn_rows(gram).T)
            for places, _ in self._stacks:
                for place, values in zip(places, self.curvature[places]):
                    turned[np.ix_(place, place)] = np.diag(values)
            self.gram = turned

    def _turn_rows(self, matrix):
        turned = np.array(matrix, order="C")
        for places, vectors in self._stacks:
            with one_blas_thread():
                turned[places] = vectors.transpose(0, 2, 1) @ turned[places]
        return turned

    def turn(self, coef):
        """Q' coef."""
        turned = coef.copy()
        for places, vectors in self._stacks:
            turned[places] = (vectors * coef[places][:, :, None]).sum(axis=1)
        return turned

    def turn_back(self, turned):
        """Q turned."""
        coef = turned.copy()
        for places, vectors in self._stacks:
            coef[places] = (vectors * turned[places][:, None, :]).sum(axis=2)
        return coef


def _stack_groups(starts):
    """Return the columns of groups of two and more, an array for each size."""
    sizes = np.diff(starts)
    return [
        starts[:-1][sizes == size, None] + np.arange(size)
        for size in np.unique(sizes[sizes > 1])
    ]


def _take_blocks(gram, places):
    return gram[places[:, :, None], places[:, None, :]]
