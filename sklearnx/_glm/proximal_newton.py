"""Generalised linear models with an l1 penalty, or bounds, on their coefficients.

    objective(coef) + sum_j l1_j |coef_j|     subject to   lower <= coef <= upper

Each iteration minimises the quadratic model of the objective plus the exact penalty by
coordinate descent on the matrix of second derivatives, and searches along the step
(Lee, Sun and Saunders 2014, Proximal Newton-type methods, SIAM J. Optim. 24(3)). Where
there are many columns, that is done on working sets of those whose optimality
conditions are violated most (Johnson and Guestrin 2015, Blitz, ICML). Of many classes,
one class after another takes its step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearnx._cython.linear.gram_descent import minimize_on_gram
from sklearnx._glm.curvature import NewtonSystem
from sklearnx._glm.families import Family
from sklearnx._glm.glm import evaluate_loss, take_part
from sklearnx._glm.objective import GlmObjective, inner
from sklearnx._glm.penalties import ElasticNet
from sklearnx._glm.quasi_newton import RELATIVE_DECREASE, RELATIVE_NOISE, Minimum

# Columns are looked at in sets where there are more than the first number, or more than
# the second and less than so many rows for each.
MAX_COLUMNS = 600
MAX_COLUMNS_OF_FEW_ROWS = 100
FEW_ROWS_PER_COLUMN = 10
# Coefficients of all classes, and operations to make it, of a matrix of them all.
MAX_JOINT_COEFS = 2000
MAX_JOINT_OPERATIONS = 5e9
MAX_SWEEPS = 2000
# Of the largest violation that an iteration begins with, what it may leave.
MODEL_TOL = 1e-4
MIN_WORKING_SET = 32
MAX_HALVINGS = 40
SUFFICIENT_DECREASE = 1e-4
PART_DECREASE = 1e-6


@dataclass
class Composite:
    """A smooth objective, l1 penalties and bounds.

    Attributes
    ----------
    objective : GlmObjective
    l1 : ndarray of shape (n_coefs,)
        Of each coefficient, the intercept's (0 as a rule) last.
    lower, upper : ndarray of shape (n_coefs,)
    """

    objective: GlmObjective
    l1: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def penalty(self, coef):
        return float(np.sum(self._of_rows(self.l1, coef) * np.abs(coef)))

    def violations(self, point):
        """How far each coefficient is from fulfilling its optimality condition.

        It is the distance of the gradient to what the penalty and the bounds can
        balance.
        """
        coef, gradient = point.coef, point.gradient
        l1 = self._of_rows(self.l1, coef)
        shrunk = np.maximum(np.abs(gradient) - l1, 0.0) * np.sign(gradient)
        excess = np.where(coef == 0, shrunk, gradient + l1 * np.sign(coef))
        is_held = (coef <= self._of_rows(self.lower, coef)) & (excess > 0)
        is_held |= (coef >= self._of_rows(self.upper, coef)) & (excess < 0)
        return np.where(is_held, 0.0, np.abs(excess))

    def clip(self, coef):
        return np.clip(
            coef, self._of_rows(self.lower, coef), self._of_rows(self.upper, coef)
        )

    def take_columns(self, columns, offset):
        """The same of some columns; the others add `offset` to raw predictions."""
        objective = self.objective
        kept = np.concatenate(
            [columns, np.arange(objective.design.n_columns, objective.n_coefs)]
        )
        return Composite(
            GlmObjective(
                objective.design.take_columns(columns),
                objective.family,
                objective.y,
                objective.weights,
                objective.l2[kept],
                objective.fit_intercept,
                offset,
            ),
            self.l1[kept],
            self.lower[kept],
            self.upper[kept],
        )

    def take_part(self):
        """The same of a part of the rows, None if that does not pay."""
        part = take_part(self.objective)
        return part and Composite(part, self.l1, self.lower, self.upper)

    @staticmethod
    def _of_rows(values, coef):
        return values if coef.ndim == 1 else values[:, None]


def fit_composite(composite, coef, *, tol, max_iter, is_warm=False, on_iteration=None):
    """Minimise an objective with l1 penalties and bounds.

    Parameters
    ----------
    composite : Composite
    coef : ndarray
        The start; it is moved into the bounds.
    tol : float
        Of the largest violation of an optimality condition.
    max_iter : int
    is_warm : bool, default=False
        Whether the start is near to the minimum.
    on_iteration : callable, default=None
        Called with the point after each iteration.

    Returns
    -------
    Minimum
    """
    objective = composite.objective
    coef = composite.clip(coef)
    if not is_warm and max_iter > 1:
        part = composite.take_part()
        if part is not None:
            start = _minimize(
                part, part.objective.evaluate(coef), np.inf, 15, None, PART_DECREASE
            ).point.coef
            if _value(composite, start) < _value(composite, coef):
                coef = start
    return _minimize(composite, objective.evaluate(coef), tol, max_iter, on_iteration)


def _value(composite, coef):
    return evaluate_loss(composite.objective, coef) + composite.penalty(coef)


def _minimize(
    composite, point, tol, max_iter, on_iteration, decrease=RELATIVE_DECREASE
):
    """Minimise from a point on, by the way that the number of columns asks for."""
    design = composite.objective.design
    has_few_rows = design.n_rows < FEW_ROWS_PER_COLUMN * design.n_columns
    largest = MAX_COLUMNS_OF_FEW_ROWS if has_few_rows else MAX_COLUMNS
    is_wide = design.n_columns > largest
    way = _minimize_by_sets if is_wide else _minimize_together
    return way(composite, point, tol, max_iter, on_iteration, decrease)


def _minimize_together(composite, point, tol, max_iter, on_iteration, decrease):
    """Minimise over all columns at once."""
    objective = composite.objective
    take_step = _take_joint_step if _is_joint(objective) else _take_class_steps
    n_iter = 0
    while True:
        value = point.value + composite.penalty(point.coef)
        least_decrease = max(decrease * abs(value), 1e-18)
        violation = np.max(composite.violations(point), initial=0.0)
        if violation == 0.0 or (violation <= tol and decrease == np.inf):
            return Minimum(point, n_iter, True, False)
        is_last = n_iter >= max_iter
        following, predicted = take_step(composite, point, is_last)
        if violation <= tol and predicted <= least_decrease:
            return Minimum(point, n_iter, True, False)
        if is_last or following is None:
            is_noise = predicted <= RELATIVE_NOISE * max(abs(value), 1e-300)
            return Minimum(point, n_iter, is_noise or violation <= tol, False)
        point = following
        n_iter += 1
        if on_iteration is not None:
            on_iteration(point)


def _is_joint(objective):
    """Whether one matrix of all classes is made, or one class taken after another."""
    if objective.n_classes is None:
        return True
    n_coefs = objective.design.n_columns * objective.n_classes
    n_operations = objective.design.n_rows * n_coefs * n_coefs / 2
    return n_coefs <= MAX_JOINT_COEFS and n_operations <= MAX_JOINT_OPERATIONS


def _take_joint_step(composite, point, is_last):
    """(next point or None, predicted decrease) of a step of all coefficients."""
    direction, predicted = _solve_model(composite, point)
    if is_last:
        return None, predicted
    return _search_line(composite, point, direction, predicted), predicted


def _solve_model(composite, point):
    """The step to the minimum of the quadratic model, and the decrease there."""
    objective = composite.objective
    p, n_outputs = objective.design.n_columns, objective.n_classes or 1
    is_free = objective.has_free_intercept and composite.l1[-1] == 0.0
    if objective.fit_intercept and not is_free:
        return _solve_model_with_intercept(composite, point)
    system = NewtonSystem(objective, point)
    start = point.coef.reshape(-1, n_outputs)[:p].T.ravel()
    coef = start.copy()
    _descend(
        composite,
        point,
        system.matrix,
        system.reduce(point.gradient),
        coef,
        np.tile(composite.l1[:p], n_outputs),
        np.tile(composite.lower[:p], n_outputs),
        np.tile(composite.upper[:p], n_outputs),
    )
    direction = system.expand(coef - start, point.gradient)
    return direction, _predict_decrease(composite, point, direction)


def _solve_model_with_intercept(composite, point):
    """The same where the intercept is penalised like other coefficients."""
    objective = composite.objective
    gram = objective.design.gram(point.curvature)
    border = objective.t_dot(point.curvature)
    matrix = np.block([[gram, border[:-1, None]], [border[None]]])
    matrix[np.diag_indices_from(matrix)] += objective.l2
    coef = point.coef.copy()
    _descend(
        composite,
        point,
        matrix,
        point.gradient,
        coef,
        composite.l1,
        composite.lower,
        composite.upper,
    )
    direction = coef - point.coef
    return direction, _predict_decrease(composite, point, direction)


def _descend(composite, point, matrix, gradient, coef, l1, lower, upper):
    """Coordinate descent on a quadratic model from `coef` (IN/OUT) on."""
    violation = np.max(composite.violations(point), initial=0.0)
    minimize_on_gram(
        np.ascontiguousarray(matrix),
        gradient.copy(),
        coef,
        l1,
        ElasticNet(1.0).pieces,
        lower,
        upper,
        MODEL_TOL * violation,
        MAX_SWEEPS,
    )


def _predict_decrease(composite, point, direction):
    """By the linear part of the model; twice that of a quadratic model."""
    change = composite.penalty(point.coef + direction) - composite.penalty(point.coef)
    return -inner(point.gradient, direction) - change


def _search_line(composite, point, direction, predicted):
    """The first point of steps 1, 1/2, ... that decreases the objective, or None."""
    objective = composite.objective
    full = objective.evaluate(point.coef + direction)
    value = point.value + composite.penalty(point.coef)
    if predicted <= RELATIVE_NOISE * abs(value):
        # Rounding errors hide the decrease; the optimality conditions still tell.
        is_better = np.max(composite.violations(full)) <= 0.5 * np.max(
            composite.violations(point)
        )
        return full if is_better else None
    noise = 1e-15 * max(abs(value), 1e-300)
    raw_direction = full.raw - point.raw
    t, trial = 1.0, full
    for _ in range(MAX_HALVINGS):
        reached = trial.value + composite.penalty(trial.coef)
        if reached <= value - SUFFICIENT_DECREASE * t * predicted + noise:
            return (
                trial if trial.gradient is not None else objective.add_gradient(trial)
            )
        t *= 0.5
        coef = point.coef + t * direction
        trial = objective.evaluate_at(coef, point.raw + t * raw_direction)
    return None


class _OneClass(Family):
    """The multinomial family as a function of the raw prediction of one class.

    log(exp(f) + others) - [y is the class] f, where `others` are the summed
    exponentials of the other classes: the binomial family with an offset.
    """

    kernel = "binomial"


def _take_class_steps(composite, point, is_last):
    """One class after another takes the step of its own quadratic model."""
    objective = composite.objective
    predicted = 0.0
    coef = point.coef.copy()
    raw = point.raw.copy()
    for k in range(objective.n_classes):
        others = np.delete(raw, k, axis=1)
        largest = np.max(others, axis=1)
        offset = -(largest + np.log(np.sum(np.exp(others - largest[:, None]), axis=1)))
        of_class = Composite(
            GlmObjective(
                objective.design,
                _OneClass(),
                (objective.y == k).astype(np.float64),
                objective.weights,
                objective.l2,
                objective.fit_intercept,
                offset,
            ),
            composite.l1,
            composite.lower,
            composite.upper,
        )
        smooth = of_class.objective
        start = np.ascontiguousarray(coef[:, k])
        here = smooth.add_gradient(smooth.evaluate_at(start, raw[:, k] + offset))
        following, decrease = _take_joint_step(of_class, here, is_last)
        predicted += max(decrease, 0.0)
        if following is not None:
            coef[:, k] = following.coef
            raw[:, k] = following.raw - offset
    if is_last or np.array_equal(coef, point.coef):
        return None, predicted
    return objective.evaluate(coef), predicted


def _minimize_by_sets(composite, point, tol, max_iter, on_iteration, decrease):
    """Minimise over sets of columns until no column outside asks to come in."""
    objective = composite.objective
    p = objective.design.n_columns
    n_iter = 0
    set_size = MIN_WORKING_SET
    is_settled = False
    while True:
        violations = composite.violations(point)
        violation = np.max(violations, initial=0.0)
        if violation == 0.0 or (is_settled and violation <= tol):
            return Minimum(point, n_iter, True, False)
        if n_iter >= max_iter:
            return Minimum(point, n_iter, False, False)
        of_columns = violations[:p].reshape(p, -1).max(axis=1)
        is_used = np.any(point.coef[:p].reshape(p, -1) != 0, axis=1)
        columns, set_size = _choose_columns(of_columns, is_used, set_size)
        is_settled = np.max(np.delete(of_columns, columns), initial=0.0) <= tol
        inside = composite.take_columns(columns, objective.offset)
        kept = np.concatenate([columns, np.arange(p, objective.n_coefs)])
        start = inside.objective.evaluate_at(point.coef[kept], point.raw)
        end = _minimize_together(
            inside,
            inside.objective.add_gradient(start),
            tol if is_settled else max(0.1 * violation, tol),
            max_iter - n_iter,
            None,
            decrease if is_settled else np.inf,
        )
        coef = np.zeros_like(point.coef)
        coef[kept] = end.point.coef
        point = objective.add_gradient(objective.evaluate_at(coef, end.point.raw))
        n_iter += end.n_iter
        if on_iteration is not None:
            on_iteration(point)
        if is_settled and not end.is_converged:
            return Minimum(point, n_iter, False, False)


def _choose_columns(violations, is_used, set_size):
    """Columns in use and the most violated others; there are more each time."""
    n_used = int(np.count_nonzero(is_used))
    set_size = max(2 * set_size, 2 * n_used)
    priority = np.where(is_used, np.inf, violations)
    order = np.argsort(-priority, kind="stable")[:set_size]
    order = order[priority[order] > 0]
    return np.sort(order), set_size
