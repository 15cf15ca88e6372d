"""Logistic regression of any number of classes, as an objective and its fits.

With C the inverse strength of the penalty and s_i the weights of rows,

    C sum_i s_i loss_i + (1 - l1_ratio) / 2 |w|_2^2 + l1_ratio |w|_1

is divided by C sum_i s_i here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearnx._glm.families import Binomial, Multinomial
from sklearnx._glm.glm import fit_glm
from sklearnx._glm.lockstep import fit_in_lockstep, goes_in_lockstep
from sklearnx._glm.objective import GlmObjective
from sklearnx._glm.proximal_newton import Composite, fit_composite


@dataclass
class LogisticFit:
    """A fitted model.

    Attributes
    ----------
    coef : ndarray of shape (n_coefs,) or (n_coefs, n_classes)
        With the intercept last.
    n_iter : int
    is_converged, is_singular : bool
    is_separated : bool
        Whether all rows are on the right side, and nothing holds coefficients back.
    value : float
        The objective.
    """

    coef: np.ndarray
    n_iter: int
    is_converged: bool
    is_singular: bool
    is_separated: bool
    value: float


class LogisticProblem:
    """The rows of a logistic regression.

    Parameters
    ----------
    design : design
    y : ndarray of shape (n_rows,)
        The number of the class, float64.
    n_classes : int
    weights : ndarray of shape (n_rows,)
        float64, at least 0, some positive.
    fit_intercept : bool
    intercept_scaling : float or None, default=None
        None leaves the intercept without a penalty; a number penalises the intercept
        divided by it like a coefficient.
    """

    def __init__(
        self, design, y, n_classes, weights, fit_intercept, intercept_scaling=None
    ):
        family = Binomial() if n_classes == 2 else Multinomial(n_classes)
        self.sum_weights = float(np.sum(weights))
        self._intercept_scaling = intercept_scaling if fit_intercept else None
        n_coefs = design.n_columns + fit_intercept
        self._objective = GlmObjective(
            design,
            family,
            y,
            weights / self.sum_weights,
            np.zeros(n_coefs),
            fit_intercept,
        )

    @property
    def shape(self):
        """Of the coefficients."""
        return self._objective.shape

    def _spread(self, of_columns, of_intercept):
        """A value for the coefficients of columns, another for the intercept."""
        values = np.full(self._objective.n_coefs, of_columns)
        if self._objective.fit_intercept:
            is_free = self._intercept_scaling is None
            values[-1] = 0.0 if is_free else of_intercept
        return values

    def fit(
        self, C, l1_ratio, coef=None, *, tol, max_iter, is_near=False, on_iteration=None
    ):
        """Fit the coefficients.

        Parameters
        ----------
        C : float
        l1_ratio : float
        coef : ndarray or None, default=None
            The start.
        tol, max_iter, on_iteration
            See `fit_glm`.
        is_near : bool, default=False
            Whether the start is near to the end.

        Returns
        -------
        LogisticFit
        """
        strength = 1.0 / (C * self.sum_weights)
        scaling = self._intercept_scaling or 1.0
        l2 = (1.0 - l1_ratio) * strength
        l1 = l1_ratio * strength
        objective = self._objective.with_l2(self._spread(l2, l2 / scaling**2))
        start = objective.start() if coef is None else coef
        settings = {
            "tol": tol,
            "max_iter": max_iter,
            "is_warm": is_near,
            "on_iteration": on_iteration,
        }
        if l1 > 0:
            free = np.full(objective.n_coefs, np.inf)
            composite = Composite(
                objective, self._spread(l1, l1 / scaling), -free, free
            )
            end = fit_composite(composite, start, **settings)
            value = end.point.value + composite.penalty(end.point.coef)
        else:
            end = fit_glm(objective, start, **settings)
            value = end.point.value
        is_separated = strength == 0.0 and self._is_separated(end.point.raw)
        return self._describe(end, end.point.coef, value, is_separated)

    def fit_members(self, Cs, weights, *, tol, max_iter):
        """Fit members, which weigh the rows otherwise, for each C.

        Parameters
        ----------
        Cs : ndarray of shape (n_Cs,)
        weights : ndarray of shape (n_rows, n_members)
            At least 0.
        tol, max_iter
            See `fit_glm`.

        Returns
        -------
        fits : iterator or None
            For each C coefficients of all rows, near to those of their own fit, and a
            pair of each member: its `LogisticFit`, and the raw predictions of all rows.
            None where fits one after another cost less.
        """
        sums = np.sum(weights, axis=0)
        if not (np.all(np.isfinite(Cs)) and np.all(sums > 0)):
            return None
        weights = weights / sums
        if not goes_in_lockstep(self._objective, weights, max_iter):
            return None
        scaling = self._intercept_scaling or 1.0
        path = (
            np.stack(
                [
                    self._spread(1.0 / (C * total), 1.0 / (C * total * scaling**2))
                    for total in sums
                ],
                axis=1,
            )
            for C in Cs
        )
        # An intercept that is penalised is part of the objective's penalty.
        objective = self._objective.with_l2(self._spread(1.0, 1.0))
        ends = fit_in_lockstep(objective, weights, path, tol=tol, max_iter=max_iter)
        return (
            (
                coef,
                [
                    (self._describe(member, member.coef, member.value), member.raw)
                    for member in members
                ],
            )
            for coef, members in ends
        )

    def _describe(self, end, coef, value, is_separated=False):
        return LogisticFit(
            self._centre_intercepts(coef),
            end.n_iter,
            end.is_converged,
            end.is_singular,
            is_separated,
            value,
        )

    def _centre_intercepts(self, coef):
        """Free intercepts of several classes, which a shift leaves as good, about 0."""
        if coef.ndim == 1 or not self._objective.fit_intercept:
            return coef
        if self._intercept_scaling is not None:
            return coef
        coef = coef.copy()
        coef[-1] -= np.mean(coef[-1])
        return coef

    def _is_separated(self, raw):
        """Whether each row of some weight has the highest score for its class."""
        y = self._objective.y
        if raw.ndim == 1:
            is_right = np.where(y > 0.5, raw > 0, raw < 0)
        else:
            of_class = raw[np.arange(len(y)), y.astype(np.intp)]
            is_right = np.sum(raw >= of_class[:, None], axis=1) == 1
        return bool(np.all(is_right | (self._objective.weights == 0)))
