"""Minimisation of a smooth objective: Newton's method and what it saves on.

Each step solves with a matrix of second derivatives: the exact one (Newton), one of a
part of the rows or of an earlier point, or an approximation (see curvature.py). Where
it is not exact, limited-memory BFGS updates start from it (Nocedal and Wright 2006,
Numerical Optimization, algorithm 7.4), which on a quadratic make conjugate gradients
preconditioned by it. An exact matrix is made again when the steps still to be taken
without it would cost more.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sklearnx._glm.line_search import search_line
from sklearnx._glm.objective import Point, inner

MEMORY = 12
# A fit ends when what the objective would still fall by is this part of it, so that it
# is the minimum to 1e-8.
RELATIVE_DECREASE = 1e-9
# Of the objective at the start: where the minimum is 0, no part of it is small.
RELATIVE_TO_START = 1e-12
# Below this part of the objective, rounding errors may well be all that is left.
RELATIVE_NOISE = 1e-12


@dataclass(frozen=True)
class CurvatureRule:
    """How matrices of second derivatives are made.

    Attributes
    ----------
    make : callable
        ``make(objective, point)``.
    cost : float
        Of making one, in passes over the table for a gradient. At most 1 makes one in
        each iteration (Newton's method), infinity only the first.
    relative_decrease : float
        See RELATIVE_DECREASE.
    """

    make: Callable
    cost: float = 0.0
    relative_decrease: float = RELATIVE_DECREASE


@dataclass
class Minimum:
    """Where a minimisation ended.

    Attributes
    ----------
    point : Point
    n_iter : int
    is_converged : bool
        Whether the gradient is small enough, or rounding errors forbid more.
    is_singular : bool
        Whether a matrix of second derivatives was singular.
    curvature : object or None
        The last matrix of second derivatives, None where there is none at hand.
    """

    point: Point
    n_iter: int
    is_converged: bool
    is_singular: bool
    curvature: object = None


class SecantUpdates:
    """Pairs of steps and of the changes of the gradient that they made."""

    def __init__(self):
        self._pairs = deque(maxlen=MEMORY)

    def clear(self):
        self._pairs.clear()

    def add(self, step, change):
        product = inner(step, change)
        if product > 1e-10 * math.sqrt(inner(step, step) * inner(change, change)):
            self._pairs.append((step, change, product))

    def add_ridge(self, l2):
        """Go on with an objective whose ridge penalties are larger by `l2`."""
        pairs = [(step, change + l2 * step) for step, change, _ in self._pairs]
        self.clear()
        for step, change in pairs:
            self.add(step, change)

    def solve(self, curvature, gradient):
        """The two-loop recursion, with `curvature` in its middle."""
        if not self._pairs:
            return curvature.solve(gradient)
        remainder = gradient.copy()
        shares = []
        for step, change, product in reversed(self._pairs):
            shares.append(inner(step, remainder) / product)
            remainder -= shares[-1] * change
        if not curvature.is_scaled:
            curvature.adapt(*self._pairs[-1][:2])
        solution = curvature.solve(remainder)
        for step, change, product in self._pairs:
            share = shares.pop() - inner(change, solution) / product
            solution += share * step
        return solution


def minimize(
    objective, point, rule, *, tol, max_iter, curvature=None, on_iteration=None
):
    """Minimise an objective.

    Parameters
    ----------
    objective : GlmObjective
    point : Point
        The start, with its gradient.
    rule : CurvatureRule
    tol : float
        Of the largest absolute value of the gradient.
    max_iter : int
    curvature : object, default=None
        To begin with; None makes one at the start.
    on_iteration : callable, default=None
        Called with the point after each iteration.

    Returns
    -------
    Minimum
    """
    updates = SecantUpdates()
    is_singular = False
    is_fresh = False
    last_slope = -np.inf
    start_value = abs(point.value)
    n_iter = 0
    while True:
        if curvature is None:
            curvature = rule.make(objective, point)
            is_singular = is_singular or curvature.is_singular
            is_fresh = True
            updates.clear()
        direction = -updates.solve(curvature, point.gradient)
        slope = inner(direction, point.gradient)
        largest = point.max_gradient
        least_decrease = find_least_decrease(
            point.value, start_value, rule.relative_decrease
        )
        if largest == 0.0 or (largest <= tol and -slope <= 2 * least_decrease):
            return Minimum(point, n_iter, True, is_singular, curvature)
        if n_iter >= max_iter:
            return Minimum(point, n_iter, False, is_singular, curvature)
        if not is_fresh and count_steps(slope, last_slope, least_decrease) > rule.cost:
            curvature = None
            continue
        following = None
        if slope < 0:
            following = search_line(objective, point, direction, slope)
        if following is None:
            is_noise = -slope <= RELATIVE_NOISE * abs(point.value)
            if is_fresh or is_noise or not np.isfinite(rule.cost):
                is_good = is_noise or largest <= tol
                return Minimum(point, n_iter, is_good, is_singular, curvature)
            curvature = None
            continue
        updates.add(following.coef - point.coef, following.gradient - point.gradient)
        point = following
        last_slope = slope
        is_fresh = False
        n_iter += 1
        if on_iteration is not None:
            on_iteration(point)
        if rule.cost <= 1:
            curvature = None


def find_least_decrease(value, start_value, relative_decrease=RELATIVE_DECREASE):
    """What the objective may still fall by where a fit ends."""
    of_start = RELATIVE_TO_START / RELATIVE_DECREASE * start_value
    return max(relative_decrease * max(abs(value), of_start), 1e-300)


def count_steps(slope, last_slope, least_decrease):
    """Steps to the minimum if each brings as much as the last."""
    ratio = slope / last_slope
    if ratio >= 1:
        return np.inf
    if ratio <= 0:
        return 0.0
    return math.log(2 * least_decrease / max(-slope, 1e-300)) / math.log(ratio)
