"""A step along a direction of descent, cut or stretched until it is a good one.

The full step is tried first, with its gradient, since nearly always it is taken. All
other trials are made on the line between raw predictions, without a pass over the
table.
"""

from __future__ import annotations

import numpy as np

from sklearnx._cached_property import cached_property
from sklearnx._glm.objective import inner

SUFFICIENT_DECREASE = 1e-4
FLATTENING = 0.9
MAX_TRIALS = 50
# Differences of the objective that may be rounding errors.
RELATIVE_NOISE = 1e-14


class _Line:
    """The objective along point + t * direction."""

    def __init__(self, objective, point, direction, slope, full):
        self._objective = objective
        self._point = point
        self._direction = direction
        self._slope = slope
        self._full = full
        self._noise = RELATIVE_NOISE * max(abs(point.value), 1e-300)

    @cached_property
    def _raw_direction(self):
        return self._full.raw - self._point.raw

    def evaluate(self, t):
        """The point at t, and the slope there."""
        objective, point = self._objective, self._point
        coef = point.coef + t * self._direction
        trial = objective.evaluate_at(coef, point.raw + t * self._raw_direction)
        slope = inner(trial.row_gradients, self._raw_direction)
        slope += inner(objective.penalty_gradient(coef), self._direction)
        return trial, slope

    def is_low(self, trial, t):
        """Whether the objective has decreased enough, as far as it can be told."""
        bound = self._point.value + SUFFICIENT_DECREASE * t * self._slope
        return trial.value <= bound + self._noise

    def is_flat(self, slope):
        return abs(slope) <= -FLATTENING * self._slope


def search_line(objective, point, direction, slope):
    """The next point (with its gradient), or None if no step makes it any better.

    Parameters
    ----------
    objective : GlmObjective
    point : Point
        With its gradient.
    direction : ndarray
    slope : float
        Of the objective in that direction, negative.

    Notes
    -----
    Steps fulfil the strong Wolfe conditions (Nocedal and Wright 2006, section 3.1) but
    for decreases that rounding errors hide, where the slope alone decides.
    """
    full = objective.evaluate(point.coef + direction)
    line = _Line(objective, point, direction, slope, full)
    is_finite = np.isfinite(full.value)
    full_slope = inner(full.gradient, direction) if is_finite else np.inf
    if is_finite and line.is_low(full, 1.0) and line.is_flat(full_slope):
        return full
    if not np.all(np.isfinite(full.raw)):
        return None
    low, high = 0.0, np.inf
    best = None
    t, trial, trial_slope = 1.0, full, full_slope
    for _ in range(MAX_TRIALS):
        if not (np.isfinite(trial.value) and line.is_low(trial, t)):
            high = t
            t = _interpolate(low, high, slope, point.value, t, trial.value)
        elif line.is_flat(trial_slope):
            return objective.add_gradient(trial)
        else:
            best = trial
            if trial_slope < 0:
                low = t
            else:
                high = t
            t = _by_secant(low, high, slope, t, trial_slope)
        if np.isfinite(high) and high - low <= 1e-10 * high:
            break
        trial, trial_slope = line.evaluate(t)
    if best is None or best.value >= point.value:
        return None
    return objective.add_gradient(best)


def _interpolate(low, high, slope, value, t, trial_value):
    """The minimum of the parabola through both values, well inside the bracket."""
    rise = trial_value - value - slope * t
    found = -slope * t * t / (2 * rise) if np.isfinite(rise) and rise > 0 else low
    return float(np.clip(found, low + 0.1 * (high - low), low + 0.5 * (high - low)))


def _by_secant(low, high, slope, t, trial_slope):
    """Where the slope would be 0 if it were linear, inside the bracket."""
    difference = trial_slope - slope
    found = -slope * t / difference if difference > 0 else np.inf
    if not np.isfinite(high):
        return float(np.clip(found, 1.5 * t, 10.0 * t))
    width = high - low
    return float(np.clip(found, low + 0.1 * width, high - 0.1 * width))
