"""Fits of one table with other weights of its rows, such as the folds of a
cross-validation, that go down a path of ridge penalties together.

A fit to all rows with the members' mean penalty (the leader) goes ahead. The members
then take their steps side by side: a pass over the table serves all of them, and so
does the leader's matrix of second derivatives, which is nearly that of each. Where one
penalty follows another, the gradient is known, and a member's first step is

    its own Newton step  +  (the leader's change  -  the leader's Newton step)

since what a Newton step misses is much the same for all (control variates). A member
that does not come down fast is fitted on its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sklearnx._glm.curvature import NewtonMatrix
from sklearnx._glm.glm import choose_rule, fit_from_part, fit_glm
from sklearnx._glm.objective import GlmObjective, find_max_abs, inner
from sklearnx._glm.quasi_newton import (
    RELATIVE_NOISE,
    Minimum,
    SecantUpdates,
    count_steps,
    find_least_decrease,
    minimize,
)

# What is left of the decrease of the leader's objective.
LEADER_DECREASE = 1e-6
# Columns of raw predictions that one pass makes.
MAX_COLUMNS = 12
# Rows for each coefficient that make the matrices of all members much the same.
MIN_ROWS_PER_COEF = 4
# Share of all weights that members have at least, on average: passes read all rows.
MIN_SHARE = 0.5
# Iterations below which a limit on them cuts fits short.
MIN_MAX_ITER = 20
# Steps after which a member is fitted on its own.
MAX_STEPS = 8
# Part of the slope that a step with a matrix of this penalty may leave.
MAX_CONTRACTION = 0.25
# Penalties this near to each other share a factorised matrix.
SAME_PENALTY = 1.02
SUFFICIENT_DECREASE = 1e-4


@dataclass
class MemberFit:
    """Where a member ended for a penalty.

    Attributes
    ----------
    coef : ndarray of the objective's shape
    raw : ndarray of shape (n_rows,) or (n_rows, n_classes)
        Raw predictions of all rows.
    value : float
        The objective, by the member's weights.
    n_iter : int
    is_converged, is_singular : bool
    """

    coef: np.ndarray
    raw: np.ndarray
    value: float
    n_iter: int
    is_converged: bool
    is_singular: bool


def goes_in_lockstep(objective, weights, max_iter):
    """Whether members are alike enough, and matrices made, for it to pay.

    objective : GlmObjective of all rows; weights : see `fit_in_lockstep`.
    """
    n_outputs = objective.n_classes or 1
    n_rows, n_columns = objective.design.n_rows, objective.design.n_columns
    n_taken = np.count_nonzero(weights) / weights.shape[1]
    return (
        max_iter >= MIN_MAX_ITER
        and n_rows >= MIN_ROWS_PER_COEF * (n_columns + 1)
        and n_taken >= MIN_SHARE * n_rows
        and n_columns * n_outputs > 0
        and choose_rule(objective).make is NewtonMatrix
    )


def fit_in_lockstep(objective, weights, path, *, tol, max_iter):
    """Fit the members for one penalty after another.

    Parameters
    ----------
    objective : GlmObjective
        Of all rows; its penalty is not used.
    weights : ndarray of shape (n_rows, n_members)
        Of each row in each member; columns sum to 1.
    path : iterable of ndarray of shape (n_coefs, n_members)
        Penalties of each member, with those of columns above 0.
    tol, max_iter
        See `minimize`.

    Yields
    ------
    leader : ndarray of the objective's shape
        Coefficients of all rows, with the mean penalty.
    members : list of MemberFit
    """
    leader = _Leader(objective, max_iter)
    members = _Members(objective, weights, tol, max_iter)
    for l2 in path:
        leader.fit(np.mean(l2, axis=1))
        yield leader.coef, members.fit(leader, l2)


class _Leader:
    """The fit to all rows, which only has to come near.

    Attributes
    ----------
    objective : GlmObjective
        With the penalty at hand.
    coef : ndarray
        About its minimum.
    curvature : NewtonMatrix
        There or near.
    is_near : bool
        Whether it may be somewhat off.
    correction : ndarray
        What the Newton step from the last penalty's point misses.
    """

    def __init__(self, objective, max_iter):
        self.objective = objective
        self.curvature = None
        self._max_iter = max_iter
        self._point = None

    def fit(self, l2):
        """Fit for the next penalty, from the last one on."""
        before, last = self._point, self.objective
        self.objective = objective = last.with_l2(l2)
        rule = replace(choose_rule(objective), relative_decrease=LEADER_DECREASE)
        if before is None:
            end = fit_from_part(
                objective, objective.start(), rule, tol=np.inf, max_iter=self._max_iter
            )
        else:
            before = objective.adopt(before, last.l2)
            end = minimize(
                objective,
                before,
                rule,
                tol=np.inf,
                max_iter=self._max_iter,
                curvature=self.curvature.with_l2(objective),
            )
        self._point = end.point
        self.curvature = end.curvature
        self.is_far = end.n_iter > 1
        self.is_near = end.n_iter > 0 and rule.cost > 1
        if end.n_iter > 1 and self.is_near:
            self.refresh()
        self.coef = end.point.coef - self.curvature.solve(end.point.gradient)
        self.correction = np.zeros(objective.shape)
        if before is not None:
            step = -self.curvature.solve(before.gradient)
            self.correction = self.coef - before.coef - step

    def refresh(self):
        """Make the matrix where the fit ended."""
        self.curvature = NewtonMatrix(self.objective, self._point)
        self.is_near = False


class _Group:
    """Members whose raw predictions are made by one pass.

    Attributes
    ----------
    members : slice
    columns : slice
        Of the coefficients of all members.
    weights : ndarray of shape (n_rows, n_members)
    raw : ndarray of shape (n_rows, n_members * n_outputs)
    """

    def __init__(self, objective, weights, members):
        n_outputs = objective.n_classes or 1
        self.members = members
        self.columns = slice(members.start * n_outputs, members.stop * n_outputs)
        self.weights = np.ascontiguousarray(weights[:, members])
        self._n_members = self.weights.shape[1]
        self._y = np.repeat(objective.y, self._n_members)
        self._objective = objective

    def evaluate(self, coef):
        """(losses, gradients of the data fit) of the members' coefficients."""
        objective = self._objective
        self.raw = objective.dot(coef)
        by_output = (-1,) if objective.n_classes is None else (-1, objective.n_classes)
        losses, row_gradients, _ = objective.family.evaluate(
            self._y,
            self.raw.reshape(by_output),
            self.weights.reshape(-1),
            objective.design.n_threads,
            self._n_members,
        )
        return losses, objective.t_dot(row_gradients.reshape(self.raw.shape))


class _Members:
    """The members' coefficients, side by side: (n_coefs, n_members * n_outputs)."""

    def __init__(self, objective, weights, tol, max_iter):
        self._objective = objective
        self._weights = weights
        self._tol = tol
        self._max_iter = max_iter
        self._relative_decrease = choose_rule(objective).relative_decrease
        self._n_outputs = n_outputs = objective.n_classes or 1
        self._n_members = n_members = weights.shape[1]
        size = max(1, MAX_COLUMNS // n_outputs)
        self._groups = [
            _Group(objective, weights, slice(first, min(first + size, n_members)))
            for first in range(0, n_members, size)
        ]
        self._coef = None
        self._gradient = np.empty((objective.n_coefs, n_members * n_outputs))
        self._losses = np.empty(n_members)
        self._updates = [SecantUpdates() for _ in range(n_members)]

    def fit(self, leader, l2):
        """The fits of a penalty, from those of the last one on."""
        self._begin(leader, l2)
        failed = self._descend()
        ends = {m: self._fit_alone(m) for m in failed}
        self._evaluate(failed)
        return [self._describe(m, ends.get(m)) for m in range(self._n_members)]

    # ---- members ---------------------------------------------------------------------

    def _columns(self, m):
        return slice(m * self._n_outputs, (m + 1) * self._n_outputs)

    def _get_coef(self, m):
        return self._coef[:, self._columns(m)].reshape(self._objective.shape)

    def _of_rows(self, l2):
        return l2 if self._objective.n_classes is None else l2[:, None]

    def _compute_gradient(self, m):
        gradient = self._gradient[:, self._columns(m)].reshape(self._objective.shape)
        return gradient + self._of_rows(self._l2[:, m]) * self._get_coef(m)

    def _compute_value(self, m):
        coef = self._get_coef(m)
        penalty = 0.5 * inner(self._of_rows(self._l2[:, m]) * coef, coef)
        return self._losses[m] + penalty

    def _find_least_decrease(self, m):
        return find_least_decrease(
            self._values[m], self._starts[m], self._relative_decrease
        )

    def _evaluate(self, members):
        """Losses and gradients of the data fit, of members and those beside them."""
        for group in self._groups:
            if any(group.members.start <= m < group.members.stop for m in members):
                coef = np.ascontiguousarray(self._coef[:, group.columns])
                losses, gradient = group.evaluate(coef)
                self._losses[group.members] = losses
                self._gradient[:, group.columns] = gradient

    # ---- steps -----------------------------------------------------------------------

    def _begin(self, leader, l2):
        """Take on a penalty."""
        everyone = range(self._n_members)
        self._is_first = self._coef is None
        if self._is_first:
            start = leader.coef.reshape(len(l2), -1)
            self._coef = np.tile(start, (1, self._n_members))
            self._evaluate(everyone)
        for m in everyone:
            if self._is_first or leader.is_far:
                self._updates[m].clear()
            else:
                change = l2[:, m] - self._l2[:, m]
                self._updates[m].add_ridge(self._of_rows(change))
        self._leader, self._l2 = leader, l2
        self._before = self._coef.copy()
        self._values = [self._compute_value(m) for m in everyone]
        self._starts = [abs(value) for value in self._values]
        self._slopes = [-np.inf] * self._n_members
        self._n_steps = [0] * self._n_members
        self._factor()

    def _factor(self):
        """Factorise the leader's matrix with the penalties of members."""
        self._curvatures = []
        shared = None
        for m in range(self._n_members):
            l2 = self._l2[:, m]
            if shared is None or not _is_alike(l2, shared[0]):
                objective = self._leader.objective.with_l2(l2)
                shared = l2, self._leader.curvature.with_l2(objective)
            self._curvatures.append(shared[1])

    def _descend(self):
        """Take steps until all are at their minimum but those, returned, that fail."""
        active, failed = range(self._n_members), []
        while True:
            if any(curvature.is_singular for curvature in self._curvatures):
                return [*failed, *active]
            steps = {m: self._propose(m) for m in active}
            steps = {m: step for m, step in steps.items() if step is not None}
            if self._leader.is_near and any(map(self._is_slow, steps, steps.values())):
                self._leader.refresh()
                self._factor()
                for updates in self._updates:
                    updates.clear()
                continue
            stuck = [m for m, (_, slope) in steps.items() if self._is_stuck(m, slope)]
            active = [m for m in steps if m not in stuck]
            failed += stuck
            if not active:
                return failed
            good = self._take_steps({m: steps[m] for m in active})
            failed += [m for m in active if m not in good]
            active = good

    def _propose(self, m):
        """(step, slope) of a member, None at its minimum."""
        gradient = self._compute_gradient(m)
        step = -self._updates[m].solve(self._curvatures[m], gradient)
        slope = inner(step, gradient)
        largest = find_max_abs(gradient)
        is_low = -slope <= 2 * self._find_least_decrease(m)
        if largest == 0.0 or (largest <= self._tol and is_low):
            return None
        if self._n_steps[m] == 0 and not self._is_first:
            # What the leader's step missed, if it leaves a descent.
            corrected = step + self._leader.correction
            corrected_slope = inner(corrected, gradient)
            if corrected_slope < 0.1 * slope:
                return corrected, corrected_slope
        return step, slope

    def _is_slow(self, m, step):
        """Whether a new matrix saves more than a step of all members."""
        _, slope = step
        return count_steps(slope, self._slopes[m], self._find_least_decrease(m)) > 1.0

    def _is_stuck(self, m, slope):
        return (
            not slope < 0.0
            or slope < MAX_CONTRACTION * self._slopes[m]
            or self._n_steps[m] >= MAX_STEPS
        )

    def _take_steps(self, steps):
        """Go steps (dict by member); return the members that they bring down."""
        before = self._coef.copy()
        gradients = {m: self._compute_gradient(m) for m in steps}
        for m, (step, _) in steps.items():
            self._coef[:, self._columns(m)] += step.reshape(len(step), -1)
        self._evaluate(steps)
        good = []
        for m, (step, slope) in steps.items():
            value = self._compute_value(m)
            bound = self._values[m] + SUFFICIENT_DECREASE * slope
            if not value <= bound + RELATIVE_NOISE * abs(self._values[m]):
                columns = self._columns(m)
                self._coef[:, columns] = before[:, columns]
                continue
            if self._n_steps[m] > 0:  # the first is long
                self._updates[m].add(step, self._compute_gradient(m) - gradients[m])
            self._values[m], self._slopes[m] = value, slope
            self._n_steps[m] += 1
            good.append(m)
        return good

    # ---- ends ------------------------------------------------------------------------

    def _fit_alone(self, m):
        objective = self._objective
        alone = GlmObjective(
            objective.design,
            objective.family,
            objective.y,
            np.ascontiguousarray(self._weights[:, m]),
            np.ascontiguousarray(self._l2[:, m]),
            objective.fit_intercept,
        )
        columns = self._columns(m)
        for start in (self._coef, self._before):
            end = fit_glm(
                alone,
                start[:, columns].reshape(alone.shape),
                tol=self._tol,
                max_iter=self._max_iter - self._n_steps[m],
                is_warm=True,
            )
            if end.is_converged or end.n_iter == self._max_iter - self._n_steps[m]:
                break
        self._coef[:, columns] = end.point.coef.reshape(-1, self._n_outputs)
        return end

    def _describe(self, m, end: Minimum | None):
        group = next(group for group in self._groups if m < group.members.stop)
        first = (m - group.members.start) * self._n_outputs
        raw = group.raw[:, first : first + self._n_outputs]
        n_alone, is_converged = 0, True
        is_singular = self._curvatures[m].is_singular
        if end is not None:
            n_alone, is_converged = end.n_iter, end.is_converged
            is_singular = end.is_singular
        return MemberFit(
            self._get_coef(m).copy(),
            raw[:, 0] if self._objective.n_classes is None else raw,
            self._compute_value(m),
            self._n_steps[m] + n_alone,
            is_converged,
            is_singular,
        )


def _is_alike(a, b):
    return bool(np.all((a <= SAME_PENALTY * b) & (b <= SAME_PENALTY * a)))
