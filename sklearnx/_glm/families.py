"""Families of generalised linear models: what the data fit of a row is.

A family tells loss, gradient and hessian of each row at its raw prediction, the mean
that belongs to a raw prediction, and the raw prediction of a model without features. A
family in plain NumPy overrides `compute_rows`; the built-in ones have compiled kernels.

Losses are half deviances up to terms of the target alone (McCullagh and Nelder 1989,
Generalized Linear Models, 2nd edition).
"""

from __future__ import annotations

import numpy as np

from sklearnx._cython.common.elementary import map_exp, map_expit
from sklearnx._cython.linear.families import evaluate_multinomial_rows, evaluate_rows

# In the order of SKX_FAMILIES in family_kernels.h.
FAMILY_KERNELS = (
    "binomial",
    "poisson",
    "gamma",
    "tweedie",
    "squared",
    "tweedie_identity",
)


class Family:
    """One output a row; the base of all but the multinomial family.

    Attributes
    ----------
    kernel : str or None
        A name in FAMILY_KERNELS; None takes `compute_rows`.
    power : float
        Of the variance function mean**power, where the kernel needs it.
    """

    kernel = None
    power = 0.0

    def compute_rows(self, y, raw):
        """Loss, gradient and (positive) hessian of each row, arrays of (n_rows,)."""
        raise NotImplementedError

    def evaluate(self, y, raw, weights, n_threads=1, n_members=1):
        """The weighted sum of losses, and weighted gradients and hessians of rows.

        y, raw, weights : float64 arrays of shape (n_rows,). With several members, fits
        of the same table, their rows come in turns, and there is a sum for each.
        """
        if self.kernel is None:
            losses, gradients, hessians = self.compute_rows(y, raw)
            losses = np.sum((weights * losses).reshape(-1, n_members), axis=0)
            gradients, hessians = weights * gradients, weights * hessians
        else:
            losses = np.empty(n_members)
            gradients, hessians = np.empty_like(raw), np.empty_like(raw)
            evaluate_rows(
                FAMILY_KERNELS.index(self.kernel),
                self.power,
                y,
                raw,
                weights,
                gradients,
                hessians,
                losses,
                n_threads,
            )
        return losses if n_members > 1 else losses.item(), gradients, hessians

    def is_in_range(self, y):
        """Whether all targets are possible."""
        return True

    def inverse_link(self, raw):
        """The means that belong to raw predictions."""
        raise NotImplementedError

    def link(self, mean):
        """The raw prediction that belongs to a mean."""
        raise NotImplementedError

    def start(self, y, weights, offset=None):
        """The intercept of a model without features; `weights` sum to 1."""
        return float(self.link(np.sum(weights * y)))

    def compute_saturated_losses(self, y):
        """The loss of each row at the mean that fits it best, its target."""
        raise NotImplementedError


def _times_log(y):
    """y * log(y), which is 0 at 0."""
    return y * np.log(np.where(y > 0, y, 1.0))


def _saturate_tweedie(y, power):
    """Losses of Tweedie families where the mean is the target."""
    if power == 0:
        return -0.5 * y**2
    if power == 1:
        return y - _times_log(y)
    if power == 2:
        return np.log(y) + 1.0
    means = np.where(y > 0, y, 1.0)
    losses = means ** (2.0 - power) * (1.0 / (2.0 - power) - 1.0 / (1.0 - power))
    return np.where(y > 0, losses, 0.0)


class _LogLink(Family):
    def inverse_link(self, raw):
        mean = np.empty(raw.shape)
        map_exp(np.ravel(raw).astype(np.float64, copy=False), mean.reshape(-1))
        return mean

    def link(self, mean):
        return np.log(mean)

    def start(self, y, weights, offset=None):
        # sum w mu^(1-p) (mu - y) = 0 for mu = exp(b + offset), solved for b.
        if offset is None:
            return super().start(y, weights)
        of_y = np.sum(weights * y * np.exp((1.0 - self.power) * offset))
        of_mean = np.sum(weights * np.exp((2.0 - self.power) * offset))
        return float(np.log(of_y / of_mean))

    def compute_saturated_losses(self, y):
        return _saturate_tweedie(y, self.power)


class Binomial(Family):
    """Targets in [0, 1] with the logit link: log(1 + exp(f)) - y f."""

    kernel = "binomial"

    def is_in_range(self, y):
        return bool(np.all((y >= 0) & (y <= 1)))

    def inverse_link(self, raw):
        mean = np.empty(raw.shape)
        map_expit(np.ravel(raw).astype(np.float64, copy=False), mean.reshape(-1))
        return mean

    def link(self, mean):
        return np.log(mean / (1.0 - mean))

    def compute_saturated_losses(self, y):
        return -_times_log(y) - _times_log(1.0 - y)


class Poisson(_LogLink):
    """Counts with the logarithmic link: exp(f) - y f."""

    kernel = "poisson"
    power = 1.0

    def is_in_range(self, y):
        return bool(np.all(y >= 0))


class Gamma(_LogLink):
    """Positive targets with the logarithmic link: f + y exp(-f)."""

    kernel = "gamma"
    power = 2.0

    def is_in_range(self, y):
        return bool(np.all(y > 0))


def _is_in_tweedie_range(y, power):
    if power <= 0:
        return True
    return bool(np.all(y >= 0 if power < 2 else y > 0))


class Tweedie(_LogLink):
    """Variance mean**power with the logarithmic link (Jorgensen 1997).

    Parameters
    ----------
    power : float
        Neither 1 (`Poisson`) nor 2 (`Gamma`).
    """

    kernel = "tweedie"

    def __init__(self, power):
        self.power = float(power)

    def is_in_range(self, y):
        return _is_in_tweedie_range(y, self.power)


class _IdentityLink(Family):
    def inverse_link(self, raw):
        return np.array(raw, dtype=np.float64)

    def link(self, mean):
        return mean

    def start(self, y, weights, offset=None):
        return float(np.sum(weights * (y if offset is None else y - offset)))

    def compute_saturated_losses(self, y):
        return _saturate_tweedie(y, self.power)


class SquaredError(_IdentityLink):
    """Normal targets with the identity link: (f - y)**2 / 2."""

    kernel = "squared"

    def compute_saturated_losses(self, y):
        return np.zeros(len(y))


class TweedieIdentity(_IdentityLink):
    """Variance mean**power with the identity link; raw predictions are positive.

    Parameters
    ----------
    power : float
        Not 0 (`SquaredError`).
    """

    kernel = "tweedie_identity"

    def __init__(self, power):
        self.power = float(power)

    def is_in_range(self, y):
        return _is_in_tweedie_range(y, self.power)


class Multinomial:
    """Classes 0 to n_classes - 1 with one raw prediction each: log-sum-exp(f) - f_y.

    It has more parameters than it needs: to add the same to all raw predictions of a
    row changes nothing.
    """

    def __init__(self, n_classes):
        self.n_classes = n_classes

    def evaluate(self, y, raw, weights, n_threads=1, n_members=1):
        """The weighted sum of losses, weighted gradients, and probabilities of rows.

        y : float64 array of shape (n_rows,); raw : of shape (n_rows, n_classes). See
        `Family.evaluate` for members.
        """
        losses = np.empty(n_members)
        gradients, probabilities = np.empty_like(raw), np.empty_like(raw)
        evaluate_multinomial_rows(
            y, raw, weights, probabilities, gradients, losses, n_threads
        )
        return losses if n_members > 1 else losses.item(), gradients, probabilities


def make_tweedie_family(power, link="auto"):
    """The family of a variance mean**power and a link ('auto' by the power)."""
    if link == "auto":
        link = "identity" if power <= 0 else "log"
    if link == "identity":
        return SquaredError() if power == 0 else TweedieIdentity(power)
    if power == 1:
        return Poisson()
    if power == 2:
        return Gamma()
    return Tweedie(power)
