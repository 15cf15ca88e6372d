"""Fits of generalised linear models with a ridge penalty: which way for which shape.

few coefficients       Newton's method with all second derivatives; on many rows it
                       starts from a fit of a part of them, and takes the second
                       derivatives of that part as long as they will do
several classes        the same with those of a part of the rows only, or covariance
                       of the classes (x) Gram matrix; quasi-Newton updates
many columns           the diagonal with quasi-Newton updates
fewer rows than that   coordinates of the row space, where coefficients are few; of
                       more than a thousand rows the rows themselves
"""

from __future__ import annotations

import numpy as np

from sklearnx._glm.curvature import DiagonalCurvature, KroneckerCurvature, NewtonMatrix
from sklearnx._glm.design import DenseDesign, SparseDesign
from sklearnx._glm.objective import GlmObjective, spread_rows
from sklearnx._glm.quasi_newton import CurvatureRule, Minimum, minimize
from sklearnx._glm.row_coordinates import RowCoordinates, RowCurvature
from sklearnx._glm.row_space import RowSpace

# Coefficients of all classes for which their matrix of second derivatives is made.
MAX_NEWTON_COEFS = 2000
MAX_MULTINOMIAL_COEFS = 1200
MAX_KRONECKER_COLUMNS = 1500

# Sparse tables of more columns are left to the diagonal: their products cost so little
# that a matrix of second derivatives does not pay. With several classes it does from
# this share of stored numbers on.
MAX_SPARSE_COLUMNS = 500
MAX_DENSITY = 1 / 32
# Rows for which wide tables are turned into square ones.
MAX_ROW_SPACE_ROWS = 1000
# A part of the rows: at least one in so many, and rows for each coefficient.
ROWS_PER_TAKEN_ROW = 12
ROWS_PER_COEF = 20
# Work (rows * columns * outputs) below which all rows are taken at once.
MIN_WORK_FOR_PART = 400_000
# A Newton matrix of so few operations takes but a few passes whatever its size.
CHEAP_MATRIX = 5_000_000
MAX_CHEAP_COEFS = 200
CHEAP_COST = 2.5
# What is left of the decrease of the objective when a part of the rows is done, and
# when another step costs next to nothing.
PART_DECREASE = 1e-6
CHEAP_DECREASE = 1e-12


def fit_glm(objective, coef, *, tol, max_iter, is_warm=False, on_iteration=None):
    """Minimise the objective of a generalised linear model.

    Parameters
    ----------
    objective : GlmObjective
    coef : ndarray
        The start.
    tol, max_iter, on_iteration
        See `minimize`.
    is_warm : bool, default=False
        Whether the start is near to the minimum.

    Returns
    -------
    Minimum
    """
    if _is_for_row_space(objective):
        return _fit_in_row_space(
            objective, coef, tol=tol, max_iter=max_iter, on_iteration=on_iteration
        )
    if _is_for_row_coordinates(objective, coef):
        return _fit_in_row_coordinates(
            objective, coef, tol=tol, max_iter=max_iter, on_iteration=on_iteration
        )
    settings = {"tol": tol, "max_iter": max_iter, "on_iteration": on_iteration}
    if is_warm or max_iter <= 1:
        point = objective.evaluate(coef)
        return minimize(objective, point, choose_rule(objective), **settings)
    return fit_from_part(objective, coef, choose_rule(objective), **settings)


def fit_from_part(objective, coef, rule, **settings):
    """Minimise by a rule, from the minimum of a part of the rows if that pays."""
    point = curvature = None
    part = take_part(objective)
    if part is not None:
        point, curvature = start_from_part(objective, part, coef)
    if point is None:
        point = objective.evaluate(coef)
    return minimize(objective, point, rule, curvature=curvature, **settings)


def choose_rule(objective):
    """The matrix of second derivatives that pays for an objective."""
    design, n_classes = objective.design, objective.n_classes
    p, n_outputs = design.n_columns, n_classes or 1
    n_pairs = n_outputs * (n_outputs + 1) / 2
    n_operations = design.n_rows * p * p * n_pairs
    if n_operations < CHEAP_MATRIX and p * n_outputs <= MAX_CHEAP_COEFS:
        return CurvatureRule(NewtonMatrix, CHEAP_COST, CHEAP_DECREASE)
    if _is_thin(design, n_outputs):
        return CurvatureRule(DiagonalCurvature, np.inf)
    if p * n_outputs <= (MAX_NEWTON_COEFS if n_outputs == 1 else MAX_MULTINOMIAL_COEFS):
        # A Gram matrix, a pair of classes each, against two products with each class.
        return CurvatureRule(NewtonMatrix, (1 + p / 16) * n_pairs / n_outputs)
    if n_outputs > 1 and p <= MAX_KRONECKER_COLUMNS:
        return CurvatureRule(KroneckerCurvature, np.inf)
    return CurvatureRule(DiagonalCurvature, np.inf)


def _is_thin(design, n_outputs):
    """Whether products of a table cost nothing beside matrices of its columns."""
    if not design.is_sparse or design.n_columns <= MAX_SPARSE_COLUMNS:
        return False
    if n_outputs == 1:
        return True
    is_table = isinstance(design, SparseDesign)
    return is_table and design.X.nnz < MAX_DENSITY * design.n_rows * design.n_columns


def take_part(objective):
    """The objective of a part of the rows, None if all are not many more."""
    design, n_outputs = objective.design, objective.n_classes or 1
    n_rows = design.n_rows
    n_taken = max(
        n_rows // ROWS_PER_TAKEN_ROW, ROWS_PER_COEF * objective.n_coefs * n_outputs
    )
    is_little = n_rows * design.n_columns * n_outputs < MIN_WORK_FOR_PART
    if is_little or 3 * n_taken > n_rows:
        return None
    rows = spread_rows(n_rows, n_taken)
    if not np.any(objective.weights[rows] > 0):
        return None
    part = objective.take_rows(rows)
    if objective.n_classes is not None:
        seen = np.bincount(part.y.astype(np.intp), minlength=n_outputs)
        if np.min(seen) < 5:
            return None
    return part


def start_from_part(objective, part, coef):
    """The point of a fit of a part of the rows, and the second derivatives there.

    (None, None) where that would be a worse start than the given one.
    """
    rule = choose_rule(part)
    rule = CurvatureRule(rule.make, rule.cost, PART_DECREASE)
    end = minimize(part, part.evaluate(coef), rule, tol=np.inf, max_iter=15)
    point = objective.evaluate(end.point.coef)
    if not point.value < evaluate_loss(objective, coef):
        return None, None
    return point, rule.make(part, end.point)


def evaluate_loss(objective, coef):
    """The objective at coefficients; without the table if all but intercepts are 0."""
    columns = coef[: objective.design.n_columns]
    if np.any(columns):
        return objective.evaluate(coef).value
    raw = np.zeros((objective.design.n_rows, *coef.shape[1:]))
    if objective.fit_intercept:
        raw += coef[-1]
    if objective.offset is not None:
        raw += objective.offset
    return objective.evaluate_at(coef, raw).value


def _is_wide(objective):
    """Whether the minimum is a combination of rows, and they are few."""
    design = objective.design
    l2 = objective.l2[: design.n_columns]
    return (
        design.n_columns > design.n_rows
        and design.n_columns > MAX_CHEAP_COEFS
        and bool(np.all(l2 == l2[0]))
    )


def _is_for_row_space(objective):
    design = objective.design
    is_table = isinstance(design, (DenseDesign, SparseDesign))
    return is_table and design.n_rows <= MAX_ROW_SPACE_ROWS and _is_wide(objective)


def _is_for_row_coordinates(objective, coef):
    is_plain = not np.any(coef[: objective.design.n_columns])
    return is_plain and _is_wide(objective)


def _fit_in_row_coordinates(objective, coef, *, tol, max_iter, on_iteration):
    """Fit the coefficients as a combination of rows, from 0 on."""
    coordinates = RowCoordinates(objective)
    n_outputs = objective.n_classes or 1
    intercept = coef[-1] if objective.fit_intercept else np.zeros(n_outputs)
    end = minimize(
        coordinates,
        coordinates.evaluate(coordinates.start(np.reshape(intercept, n_outputs))),
        CurvatureRule(RowCurvature, np.inf),
        tol=tol,
        max_iter=max_iter,
        on_iteration=on_iteration
        and (
            lambda point: on_iteration(objective.evaluate(coordinates.lift(point.coef)))
        ),
    )
    point = objective.evaluate(coordinates.lift(end.point.coef))
    return Minimum(point, end.n_iter, end.is_converged, not objective.l2[0] > 0)


def _fit_in_row_space(objective, coef, *, tol, max_iter, on_iteration):
    """Fit the rows in a basis of their space; the start is projected onto it.

    `tol` is for the gradient by the original coefficients, whose largest value is at
    most the Euclidean norm in the basis.
    """
    space = RowSpace(objective.design)
    n_columns = objective.design.n_columns
    rank = space.design.n_columns
    l2 = np.concatenate([objective.l2[:rank], objective.l2[n_columns:]])
    inside = GlmObjective(
        space.design,
        objective.family,
        objective.y,
        objective.weights,
        l2,
        objective.fit_intercept,
        objective.offset,
    )

    def lift(coef):
        columns = coef[:rank].reshape(rank, -1)
        lifted = np.stack([space.lift(column)[0] for column in columns.T], axis=1)
        lifted = lifted.reshape(n_columns, *coef.shape[1:])
        return np.concatenate([lifted, coef[rank:]])

    def lift_point(point):
        return objective.add_gradient(
            objective.evaluate_at(lift(point.coef), point.raw)
        )

    # Columns of the basis are orthogonal to each other.
    raw = objective.design.dot(np.ascontiguousarray(coef[:n_columns]))
    squares = space.design.squared_norms()
    inner_coef = (space.design.t_dot(raw).T / squares).T
    start = np.concatenate([inner_coef, coef[n_columns:]])
    end = minimize(
        inside,
        inside.evaluate(start),
        choose_rule(inside),
        tol=tol,
        max_iter=max_iter,
        on_iteration=on_iteration and (lambda point: on_iteration(lift_point(point))),
    )
    # Fewer rows than columns: without a penalty the columns' own matrix is singular.
    is_singular = end.is_singular or not objective.l2[0] > 0
    return Minimum(lift_point(end.point), end.n_iter, end.is_converged, is_singular)
