"""Penalties as data: what `pieces` tells the kernels is what `value` says."""

import numpy as np
import pytest

from sklearnx._cython.linear.gram_descent import max_violation, minimize_on_gram
from sklearnx._glm.penalties import ElasticNet, MinimaxConcave, SmoothlyClipped

PENALTIES = [
    ElasticNet(0.7),
    ElasticNet(0.0, 1.3),
    ElasticNet(0.4, 0.9),
    MinimaxConcave(0.7, 3.0),
    MinimaxConcave(0.7, 0.4),
    SmoothlyClipped(0.7, 3.7),
    SmoothlyClipped(0.5, 1.2),
]
GRID = np.linspace(-6.0, 6.0, 120_001)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_pieces_are_the_derivative_of_value(penalty):
    """Summing the pieces' derivative gives the value."""
    t = np.linspace(0.0, 5.0, 100_001)
    knots, starts, slopes = penalty.pieces.T
    assert knots[0] == 0.0
    k = np.searchsorted(knots, t, side="right") - 1
    derivative = starts[k] + slopes[k] * (t - knots[k])
    means = 0.5 * (derivative[1:] + derivative[:-1])
    summed = np.concatenate([[0.0], np.cumsum(means * np.diff(t))])
    np.testing.assert_allclose(penalty.value(t), summed, atol=1e-4)
    np.testing.assert_array_equal(penalty.value(-t), penalty.value(t))


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("a", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("box", [(-np.inf, np.inf), (0.0, np.inf), (-0.5, 2.0), (1, 2)])
def test_one_coefficient_reaches_the_global_minimum(penalty, a, box):
    """The minimiser of a w^2 / 2 - b w + factor pen(w) in the box, by brute force."""
    lower, upper = (np.array([float(end)]) for end in box)
    grid = GRID[(GRID >= box[0]) & (GRID <= box[1])]
    factor = 1.4
    for b in (-3.0, -0.9, 0.2, 1.0, 1.6, 2.5):
        values = 0.5 * a * grid**2 - b * grid + factor * penalty.value(grid)
        if penalty.value(6.0) * factor + 18 * a - 6 * abs(b) < values.min():
            continue  # the minimum is outside of the grid
        # Not at a stationary point, where there would be nothing to do.
        coef = np.clip(np.full(1, 1.37), lower, upper)
        gradient = a * coef - b
        minimize_on_gram(
            np.array([[a]]), gradient, coef, np.array([factor]), penalty.pieces,
            lower, upper, 0.0, 3,
        )  # fmt: skip
        found = 0.5 * a * coef[0] ** 2 - b * coef[0] + factor * penalty.value(coef[0])
        assert found <= values.min() + 1e-7
        np.testing.assert_allclose(gradient, a * coef - b, atol=1e-14)


def test_violations_at_kinks_and_bounds():
    """Only directions within the box count, and zero has a threshold."""
    gram, factor = np.eye(1), np.ones(1)
    pieces = ElasticNet(1.0).pieces

    def violation(w, gradient, lower=-np.inf, upper=np.inf):
        return max_violation(
            gram, np.array([gradient]), np.array([w]), factor, pieces,
            np.array([lower]), np.array([upper]),
        )  # fmt: skip

    assert violation(0.0, 0.9) == 0.0
    assert violation(0.0, 1.5) == 0.5
    assert violation(0.0, 1.5, lower=0.0) == 0.0
    assert violation(0.0, -1.5, lower=0.0) == 0.5
    assert violation(2.0, -1.0) == 0.0
    assert violation(2.0, -4.0, upper=2.0) == 0.0
    assert violation(2.0, 4.0, upper=2.0) == 5.0
    assert violation(-2.0, 4.0, lower=-2.0) == 0.0
