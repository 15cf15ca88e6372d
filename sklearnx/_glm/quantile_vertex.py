"""From a point near the solution of a quantile regression to the solution itself.

A vertex has a basis: as many conditions as there are coefficients, each either a row
that the plane passes through or a penalised coefficient that is 0. Leaving one
condition, the vertex has an edge along which the objective is convex and piecewise
linear; its minimum, a weighted median of the crossings with the other rows, is the next
vertex (Barrodale and Roberts 1973). Where no edge leads down, the vertex is optimal:

    z at its bound for all rows off the plane,  X' z = 0  gives z of the basis,
    and all those are within their bounds.

Where several vertices are optimal, the walk goes on along level edges to the one with
the smallest mean prediction, so that the result does not depend on where it began.

References
----------
I. Barrodale and F. D. K. Roberts. "An improved algorithm for discrete l1 linear
approximation". SIAM Journal on Numerical Analysis 10.5 (1973).
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from sklearnx._linalg import LinAlgError, matmul, one_blas_thread

# Coefficients up to which a basis is factorised.
MAX_BASIS = 1500
# Coefficients up to which all conditions compete for the first basis.
MAX_FULL_CHOICE = 300
# Share of the width of its box by which a dual may be out of it.
TOLERANCE = 1e-9


class _NoVertexError(Exception):
    """The walk cannot go on; the caller keeps what it has."""


def find_vertex(program, coef, intercept, row_weights):
    """Walk to the optimal vertex from a point near to it.

    Parameters
    ----------
    program : Program

    coef : ndarray of shape (n_columns,)

    intercept : float

    row_weights : ndarray of shape (n_rows + n_penalized,)
        Large for conditions that are likely to be in the basis.

    Returns
    -------
    tuple (coef, intercept, duals), or None
        None where rounding stops the walk before.
    """
    n_free = int(program.fit_intercept)
    if len(coef) + n_free == 0:
        return coef, 0.0, np.where(program.y > 0, program.upper, program.lower)
    try:
        walk = _Walk(program, coef, intercept, row_weights)
        walk.run()
    except (_NoVertexError, LinAlgError):
        return None
    return walk.coef, walk.intercept, walk.duals


class _Walk:
    """A vertex and the way to the next.

    Attributes
    ----------
    is_zero : ndarray of bool of shape (n_columns,)
        Coefficients that are 0 by a condition.
    basis : list of int
        Rows that the plane passes through.
    is_above : ndarray of bool of shape (n_rows,)
        Side of each row; kept where the residual is 0.
    is_positive : ndarray of bool of shape (n_columns,)
        Sign of each coefficient; kept where it is 0.
    """

    def __init__(self, program, coef, intercept, row_weights):
        self.program = program
        self.weights = program.upper - program.lower
        design = program.design
        norms = design.squared_norms(self.weights) / float(self.weights.sum())
        self.column_scale = np.sqrt(np.where(norms > 0, norms, 1.0))
        self.sums = np.append(design.t_dot(self.weights), self.weights.sum())
        residuals = program.y - program.predict(coef, intercept)
        self.loss = self._compute_loss(residuals, coef)
        self.is_above = residuals > 0
        self.is_positive = coef > 0
        self._choose_basis(row_weights)
        self.unit = float(np.abs(program.y).max()) or 1.0

    def _compute_loss(self, residuals, coef):
        penalty = self.program.l1 * np.abs(coef)
        return float(self.program.loss(residuals).sum()) + float(penalty.sum())

    def _choose_basis(self, row_weights):
        """Conditions of the largest weights that are independent of each other."""
        program = self.program
        n_rows = program.design.n_rows
        penalized = np.flatnonzero(program.l1)
        n_coefs = len(program.l1) + int(program.fit_intercept)
        weights = np.append(
            row_weights[:n_rows] * n_coefs,
            row_weights[n_rows:] / self.column_scale[penalized] ** 2,
        )
        self.is_zero = np.zeros(len(program.l1), dtype=bool)
        order = np.argsort(-weights, kind="stable")
        if n_coefs > MAX_FULL_CHOICE:
            first = order[:n_coefs]
            self.is_zero[penalized[first[first >= n_rows] - n_rows]] = True
        kept = np.flatnonzero(~self.is_zero)
        n_coefs = len(kept) + int(program.fit_intercept)
        if n_coefs > MAX_BASIS:
            raise _NoVertexError
        is_candidate = np.ones(len(weights), dtype=bool)
        is_candidate[n_rows:] = ~self.is_zero[penalized]
        order = order[is_candidate[order]][: 3 * n_coefs + 20]
        rows = order[order < n_rows]
        columns = penalized[order[order >= n_rows] - n_rows]
        conditions = np.zeros((len(order), n_coefs))
        n_kept = len(kept)
        table = program.design.take_rows(rows).to_array()[:, kept]
        conditions[: len(rows), :n_kept] = table / self.column_scale[kept]
        conditions[: len(rows), n_kept:] = 1.0
        positions = np.searchsorted(kept, columns)
        conditions[np.arange(len(rows), len(order)), positions] = (
            1 / self.column_scale[columns]
        )
        strength = np.concatenate(
            [
                row_weights[rows],
                row_weights[n_rows + np.searchsorted(penalized, columns)],
            ]
        )
        conditions *= np.sqrt(strength / strength.max())[:, None]
        with one_blas_thread():
            R, chosen = scipy.linalg.qr(
                conditions.T, mode="r", pivoting=True, check_finite=False
            )
        diagonal = np.abs(np.diagonal(R))
        if len(diagonal) < n_coefs or not diagonal.min(initial=1.0) > 0.0:
            raise _NoVertexError
        chosen = chosen[:n_coefs]
        self.basis = sorted(rows[chosen[chosen < len(rows)]].tolist())
        self.is_zero[columns[chosen[chosen >= len(rows)] - len(rows)]] = True

    def run(self):
        """Walk down, then along level edges."""
        n_coefs = len(self.basis) + int(self.is_zero.sum())
        for _ in range(200 + 10 * n_coefs):
            self._locate()
            edge = self._find_edge()
            if edge is None:
                break
            self._move(*edge)
        else:
            raise _NoVertexError
        loss = self._compute_loss(self.residuals, self.coef)
        if not loss <= self.loss + 1e-9 * abs(self.loss) + 1e-13:
            raise _NoVertexError

    def _solve(self, right, transpose=False):
        if not self.basis:
            return np.zeros(0)
        with one_blas_thread():
            return scipy.linalg.lu_solve(
                self._factor, right, trans=int(transpose), check_finite=False
            )

    def _locate(self):
        """Coefficients, residuals and duals of the basis."""
        program = self.program
        self.kept = np.flatnonzero(~self.is_zero)
        table = program.design.take_rows(np.array(self.basis, dtype=np.intp)).to_array()
        self.table = np.ascontiguousarray(table)
        square = np.empty((len(self.basis), len(self.basis)))
        square[:, : len(self.kept)] = table[:, self.kept] / self.column_scale[self.kept]
        square[:, len(self.kept) :] = 1.0
        if self.basis:
            with one_blas_thread():
                factor, pivots = scipy.linalg.lu_factor(square, check_finite=False)
            diagonal = np.abs(np.diagonal(factor))
            if not diagonal.min() > 1e-13 * diagonal.max():
                raise _NoVertexError
            self._factor = factor, pivots
        solution = self._solve(program.y[self.basis])
        self.coef, self.intercept = self._unpack(solution)
        self.residuals = program.y - program.predict(self.coef, self.intercept)
        self.residuals[self.basis] = 0.0
        rounding = 1e-11 * self.unit
        is_clear = np.abs(self.residuals) > rounding
        self.is_above[is_clear] = self.residuals[is_clear] > 0
        is_clear = np.abs(self.coef) * self.column_scale > rounding
        self.is_positive[is_clear] = self.coef[is_clear] > 0
        self._find_duals()

    def _unpack(self, solution):
        coef = np.zeros(len(self.is_zero))
        n_kept = len(self.kept)
        coef[self.kept] = solution[:n_kept] / self.column_scale[self.kept]
        return coef, float(solution[n_kept]) if self.program.fit_intercept else 0.0

    def _find_duals(self):
        program = self.program
        duals = np.where(self.is_above, program.upper, program.lower)
        duals[self.basis] = 0.0
        sums = program.design.t_dot(duals) + program.fixed[:-1]
        of_penalty = np.where(self.is_positive, -program.l1, program.l1)
        missing = -(sums + of_penalty)[self.kept] / self.column_scale[self.kept]
        if program.fit_intercept:
            missing = np.append(missing, -float(duals.sum()) - program.fixed[-1])
        duals[self.basis] = self._solve(missing, transpose=True)
        self.duals = duals
        of_basis = matmul(self.table.T, duals[self.basis])
        self.prices = -(sums + of_basis)  # the duals of coefficients that are 0

    def _find_edge(self):
        """The steepest edge downwards, else a level one that lowers the mean."""
        program = self.program
        basis = np.array(self.basis, dtype=np.intp)
        zeros = np.flatnonzero(self.is_zero)
        duals = np.append(self.duals[basis], self.prices[zeros])
        lower = np.append(program.lower[basis], -program.l1[zeros])
        upper = np.append(program.upper[basis], program.l1[zeros])
        width = upper - lower
        up = (duals - upper) / width
        down = (lower - duals) / width
        excess = np.maximum(up, down)
        if len(excess) == 0:
            return None
        steepest = int(np.argmax(excess))
        if excess[steepest] > TOLERANCE:
            sign = 1.0 if up[steepest] >= down[steepest] else -1.0
            slope = -excess[steepest] * width[steepest]
            return steepest, sign, slope, *self._direction(steepest, sign), False
        for k in np.flatnonzero(excess > -TOLERANCE):
            sign = 1.0 if up[k] >= down[k] else -1.0
            coef, intercept = self._direction(k, sign)
            change = self.sums * np.append(coef, intercept)
            if change.sum() < -1e-9 * np.abs(change).sum():
                return int(k), sign, 0.0, coef, intercept, True
        return None

    def _direction(self, k, sign):
        """The move of the coefficients that frees condition k and keeps the others.

        sign : 1.0 makes its residual (y - prediction, or -coef) positive.
        """
        n_basis = len(self.basis)
        right = np.zeros(n_basis)
        if k < n_basis:
            right[k] = -sign
            return self._unpack(self._solve(right))
        j = np.flatnonzero(self.is_zero)[k - n_basis]
        right = self.table[:, j] * sign
        coef, intercept = self._unpack(self._solve(right))
        coef[j] = -sign
        return coef, intercept

    def _move(self, k, sign, slope, coef, intercept, is_level):
        """Go along an edge to its lowest vertex, and exchange the conditions."""
        program = self.program
        rows = program.predict(coef, intercept)
        rows[self.basis] = 0.0
        rows[np.abs(rows) <= 1e-10 * np.abs(rows).max(initial=0.0)] = 0.0
        crossing = np.flatnonzero(np.where(self.is_above, rows > 0, rows < 0))
        at = np.maximum(self.residuals[crossing] / rows[crossing], 0.0)
        rise = np.abs(rows[crossing]) * self.weights[crossing]

        is_free = ~self.is_zero & (program.l1 > 0)
        moves = coef * is_free
        moves[np.abs(moves) <= 1e-10 * np.abs(coef).max(initial=0.0)] = 0.0
        vanishing = np.flatnonzero(np.where(self.is_positive, moves < 0, moves > 0))
        at_zero = np.maximum(-self.coef[vanishing] / moves[vanishing], 0.0)
        rise_zero = 2 * program.l1[vanishing] * np.abs(moves[vanishing])

        at = np.append(at, at_zero)
        order = np.argsort(at, kind="stable")
        climb = np.cumsum(np.append(rise, rise_zero)[order])
        threshold = TOLERANCE * (climb[-1] if len(climb) else 0.0)
        limit = -slope + (threshold if is_level else -threshold)
        stop = int(np.searchsorted(climb, limit, side="right"))
        if stop >= len(order):
            raise _NoVertexError
        passed, entering = order[:stop], order[stop]
        n_crossing = len(crossing)
        flipped = crossing[passed[passed < n_crossing]]
        self.is_above[flipped] = ~self.is_above[flipped]
        flipped = vanishing[passed[passed >= n_crossing] - n_crossing]
        self.is_positive[flipped] = ~self.is_positive[flipped]

        if k < len(self.basis):
            self.is_above[self.basis.pop(k)] = sign > 0
        else:
            j = np.flatnonzero(self.is_zero)[k - len(self.basis)]
            self.is_zero[j] = False
            self.is_positive[j] = sign < 0
        if entering < n_crossing:
            self.basis.append(int(crossing[entering]))
        else:
            self.is_zero[vanishing[entering - n_crossing]] = True
