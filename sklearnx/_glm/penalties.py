"""Penalties of coefficients, each told as data.

The derivative of a penalty of one coefficient t > 0 is piecewise linear,

    pen'(t) = start_k + slope_k * (t - knot_k)   for   knot_k <= t < knot_{k+1},

with knot_0 = 0, and pen(-t) = pen(t). That is all that the kernels of coordinate
descent know of it, so that a new penalty is a class in this file and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ElasticNet:
    """l1 * abs(t) + l2 / 2 * t**2.

    Attributes
    ----------
    l1, l2 : float
        Not negative. l2=0 is the lasso, l1=0 is ridge.
    """

    l1: float
    l2: float = 0.0

    is_convex = True

    @property
    def pieces(self):
        """Rows of (knot, start, slope), float64 array of shape (n_pieces, 3)."""
        return np.array([[0.0, self.l1, self.l2]])

    def value(self, coef):
        """The penalty of each coefficient."""
        return self.l1 * np.abs(coef) + 0.5 * self.l2 * coef**2


@dataclass(frozen=True)
class MinimaxConcave:
    """The minimax concave penalty, MCP: the lasso's at zero, flat from gamma * l1 on.

    Attributes
    ----------
    l1 : float
        Positive; the derivative at zero.
    gamma : float
        Positive; the derivative falls to zero at gamma * l1.

    References
    ----------
    C.-H. Zhang, "Nearly unbiased variable selection under minimax concave penalty",
    Annals of Statistics 38 (2010), equation 2.1.
    """

    l1: float
    gamma: float = 3.0

    is_convex = False

    @property
    def pieces(self):
        """Rows of (knot, start, slope); see `ElasticNet.pieces`."""
        return np.array(
            [[0.0, self.l1, -1.0 / self.gamma], [self.gamma * self.l1, 0.0, 0.0]]
        )

    def value(self, coef):
        """The penalty of each coefficient."""
        t = np.minimum(np.abs(coef), self.gamma * self.l1)
        return self.l1 * t - 0.5 * t**2 / self.gamma


@dataclass(frozen=True)
class SmoothlyClipped:
    """The smoothly clipped absolute deviation, SCAD: flatter than the lasso from l1 on.

    Attributes
    ----------
    l1 : float
        Positive; the derivative up to t = l1.
    gamma : float
        Above 1; the derivative falls from there to zero at gamma * l1.

    References
    ----------
    J. Fan and R. Li, "Variable selection via nonconcave penalized likelihood and its
    oracle properties", JASA 96 (2001), equation 2.8.
    """

    l1: float
    gamma: float = 3.7

    is_convex = False

    @property
    def pieces(self):
        """Rows of (knot, start, slope); see `ElasticNet.pieces`."""
        fall = 1.0 / (self.gamma - 1.0)
        return np.array(
            [
                [0.0, self.l1, 0.0],
                [self.l1, self.l1, -fall],
                [self.gamma * self.l1, 0.0, 0.0],
            ]
        )

    def value(self, coef):
        """The penalty of each coefficient."""
        t = np.minimum(np.abs(coef), self.gamma * self.l1)
        bend = np.maximum(t - self.l1, 0.0)
        return self.l1 * t - 0.5 * bend**2 / (self.gamma - 1.0)
