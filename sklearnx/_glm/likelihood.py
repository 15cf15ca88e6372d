"""Fitted models at their coefficients: what inference about these needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from sklearnx._glm.families import Binomial
from sklearnx._glm.inference import Information, square_scores


@dataclass
class Likelihood:
    """The objective that a model was fitted with.

    The objective is sum_i s_i loss_i + alpha * ||coef||^2 / 2, with `alpha` a number or
    one for each coefficient.
    """

    family: Any
    alpha: Any = 0.0
    estimates_dispersion: bool = False
    fit_intercept: bool = True


@dataclass
class FittedLikelihood:
    """A model at its coefficients."""

    information: Information
    coef: np.ndarray  # blocks of coefficients, each followed by its intercept
    middle: np.ndarray | None  # of the sandwich; None for the model's own covariance
    pearson: float
    deviance: float
    null_deviance: float
    log_likelihood: Any  # function of the dispersion
    rounding: float  # dispersion that rounding alone brings about
    gradients: list


def evaluate_one_output(
    model, design, y, weights, offset, coefs, intercepts, covariance
):
    family = model.family
    coef, intercept = coefs[0], float(intercepts[0])
    fit_intercept = model.fit_intercept
    raw = design.dot(coef) + intercept
    if offset is not None:
        raw += offset
    ones = np.ones(len(y))
    loss, slopes, _ = family.evaluate(y, raw, weights, design.n_threads)
    _, unit_slopes, _ = family.evaluate(y, raw, ones, design.n_threads)
    mean, curvature, variance = _compute_moments(family, raw)
    penalty = np.broadcast_to(np.asarray(model.alpha, np.float64), coef.shape)
    information = Information(
        design, [[weights * curvature]], penalty, np.ones((1, 1)), fit_intercept
    )
    if covariance == "HC3":
        leverages = information.compute_leverages(curvature)
        unit_slopes = unit_slopes / np.maximum(1 - leverages, 1e-8)
    middle = None
    if covariance != "model":
        middle = information.assemble(square_scores([unit_slopes], weights))
    gradient = np.append(design.t_dot(slopes) + penalty * coef, slopes.sum())
    saturated = float((weights * family.compute_saturated_losses(y)).sum())
    return FittedLikelihood(
        information,
        np.append(coef, [intercept] if fit_intercept else []),
        middle,
        float((weights * (y - mean) ** 2 / variance).sum()),
        2 * (float(loss) - saturated),
        2 * (_compute_null_loss(family, y, weights, offset, fit_intercept) - saturated),
        lambda dispersion: _compute_log_likelihood(
            family, y, mean, weights, dispersion
        ),
        1e-24 * float((weights * y**2).sum() / weights.sum()),
        [gradient],
    )


def _compute_moments(family, raw):
    """Mean, expected second derivative of the loss and variance of each row."""
    mean = family.inverse_link(raw)
    if isinstance(family, Binomial):
        variance = np.maximum(mean * (1 - mean), np.finfo(np.float64).tiny)
        return mean, variance, variance
    variance = np.ones(len(mean)) if family.power == 0 else mean**family.power
    has_log_link = family.inverse_link(np.zeros(1))[0] == 1.0
    slope = mean if has_log_link else np.ones(len(mean))
    return mean, slope**2 / variance, variance


def _compute_null_loss(family, y, weights, offset, fit_intercept):
    raw = np.zeros(len(y)) if offset is None else offset.copy()
    if fit_intercept:
        raw += family.start(y, weights / weights.sum(), offset)
    return float(family.evaluate(y, raw, weights)[0])


def _compute_log_likelihood(family, y, mean, weights, dispersion):
    total = float(weights.sum())
    if isinstance(family, Binomial):
        chosen = np.where(y > 0.5, mean, 1 - mean)
        tiny = np.finfo(np.float64).tiny
        return float((weights * np.log(np.maximum(chosen, tiny))).sum())
    if family.power == 0:
        squares = float((weights * (y - mean) ** 2).sum())
        if squares == 0:
            return np.inf
        return -0.5 * total * (np.log(2 * np.pi * squares / total) + 1)
    if family.power == 1:
        rows = special.xlogy(y, mean) - mean - special.gammaln(y + 1)
        return float((weights * rows).sum())
    if family.power == 2 and dispersion > 0:
        shape = 1 / dispersion
        ratio = shape * y / mean
        rows = shape * np.log(ratio) - ratio - np.log(y) - special.gammaln(shape)
        return float((weights * rows).sum())
    return None


def evaluate_multinomial(
    model, design, y, weights, offset, coefs, intercepts, covariance
):
    """In terms of the coefficients of each class less those of the first."""
    if covariance == "HC3":
        raise ValueError(
            "covariance='HC3' is for one raw prediction a row; take 'HC1'."
        )
    n_classes = len(coefs)
    raw = design.dot(np.ascontiguousarray(coefs.T)) + intercepts
    ones = np.ones(len(y))
    loss, slopes, shares = model.family.evaluate(y, raw, weights, design.n_threads)
    _, unit_slopes, _ = model.family.evaluate(y, raw, ones, design.n_threads)
    others = range(1, n_classes)
    curvatures = [
        [weights * shares[:, a] * (float(a == b) - shares[:, b]) for b in others]
        for a in others
    ]
    penalty = np.full(coefs.shape[1], float(model.alpha))
    coupling = np.eye(n_classes - 1) - 1 / n_classes
    information = Information(
        design, curvatures, penalty, coupling, model.fit_intercept
    )
    middle = None
    if covariance != "model":
        scores = [np.ascontiguousarray(unit_slopes[:, a]) for a in others]
        middle = information.assemble(square_scores(scores, weights))
    products = design.t_dot(slopes)
    gradients = [
        np.append(
            products[:, a] + penalty * coefs[a],
            slopes[:, a].sum() if model.fit_intercept else 0.0,
        )
        for a in others
    ]
    counts = np.bincount(y.astype(np.intp), weights, minlength=n_classes)
    null = float(weights.sum()) * np.log(n_classes)
    if model.fit_intercept:
        null = -float(special.xlogy(counts, counts / counts.sum()).sum())
    blocks = [
        np.append(coefs[a] - coefs[0], [intercepts[a] - intercepts[0]])
        if model.fit_intercept
        else coefs[a] - coefs[0]
        for a in others
    ]
    return FittedLikelihood(
        information,
        np.concatenate(blocks),
        middle,
        0.0,
        2 * float(loss),
        2 * null,
        lambda dispersion: -float(loss),
        0.0,
        gradients,
    )
