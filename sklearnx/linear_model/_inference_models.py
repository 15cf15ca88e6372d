"""Which fitted estimators standard errors are known for, and their objectives."""

from __future__ import annotations

import numpy as np
from sklearn import linear_model

from sklearnx._glm.families import (
    Binomial,
    Gamma,
    Multinomial,
    Poisson,
    SquaredError,
    make_tweedie_family,
)
from sklearnx._glm.likelihood import Likelihood


def _refuse(estimator, reason, advice):
    raise ValueError(
        f"{type(estimator).__name__} has no valid standard errors here: {reason}. "
        f"{advice}"
    )


def _refuse_l1(estimator):
    _refuse(
        estimator,
        "an l1 penalty selects coefficients, and those left depend on the selection",
        "Fit an unpenalised model to the selected features of rows that the selection "
        "has not seen, or take the spread over bootstrap samples.",
    )


def _refuse_bounds(estimator):
    _refuse(
        estimator,
        "coefficients are kept within bounds",
        "Fit without bounds, or take the spread over bootstrap samples.",
    )


def _describe_least_squares(estimator, total):
    if getattr(estimator, "positive", False):
        _refuse_bounds(estimator)
    alpha = getattr(estimator, "alpha_", getattr(estimator, "alpha", 0.0))
    return Likelihood(SquaredError(), alpha, estimates_dispersion=True)


def _describe_glm(estimator, total):
    if isinstance(estimator, linear_model.PoissonRegressor):
        family = Poisson()
    elif isinstance(estimator, linear_model.GammaRegressor):
        family = Gamma()
    else:
        family = make_tweedie_family(estimator.power, estimator.link)
    alpha = estimator.alpha
    if getattr(estimator, "bounds", None) is not None:
        _refuse_bounds(estimator)
    if alpha > 0 and getattr(estimator, "l1_ratio", 0.0):
        _refuse_l1(estimator)
    factors = getattr(estimator, "penalty_weights", None)
    if factors is not None:
        alpha = alpha * np.asarray(factors, dtype=np.float64)
    is_poisson = isinstance(family, Poisson)
    return Likelihood(family, alpha * total, estimates_dispersion=not is_poisson)


def _describe_logistic(estimator, total):
    family = Binomial()
    if len(estimator.classes_) > 2:
        family = Multinomial(len(estimator.classes_))
    C = getattr(estimator, "C_", getattr(estimator, "C", 1.0))
    C = float(np.ravel(C)[0])
    is_unpenalized = np.isinf(C) or getattr(estimator, "penalty", "") is None
    if is_unpenalized:
        return Likelihood(family)
    l1_ratio = getattr(estimator, "l1_ratio_", getattr(estimator, "l1_ratio", 0.0))
    has_l1 = np.ravel(l1_ratio if l1_ratio is not None else 0.0)[0] not in (0.0, None)
    penalty = getattr(estimator, "penalty", None)
    if penalty == "l1" or (has_l1 and penalty != "l2"):
        _refuse_l1(estimator)
    if estimator.solver == "liblinear" and estimator.fit_intercept:
        _refuse(
            estimator,
            "solver='liblinear' penalises the intercept",
            "Choose another solver.",
        )
    return Likelihood(family, 1.0 / C)


# The classes that standard errors are known for. Ours inherit from them.
_DESCRIPTIONS = (
    (
        (linear_model.LinearRegression, linear_model.Ridge, linear_model.RidgeCV),
        _describe_least_squares,
    ),
    (
        (
            linear_model.PoissonRegressor,
            linear_model.GammaRegressor,
            linear_model.TweedieRegressor,
        ),
        _describe_glm,
    ),
    (
        (linear_model.LogisticRegression, linear_model.LogisticRegressionCV),
        _describe_logistic,
    ),
)


def describe_model(estimator, total):
    for classes, describe in _DESCRIPTIONS:
        if isinstance(estimator, classes):
            model = describe(estimator, total)
            model.fit_intercept = estimator.fit_intercept
            return model
    if isinstance(
        estimator, (linear_model.ElasticNet, linear_model.LassoCV)
    ) or hasattr(estimator, "dual_gap_"):
        _refuse_l1(estimator)
    _refuse(
        estimator,
        "its loss is no likelihood, or its distribution is not known",
        "Standard errors are there for LinearRegression, Ridge, RidgeCV, "
        "LogisticRegression, PoissonRegressor, GammaRegressor and TweedieRegressor; "
        "for others take the spread over bootstrap samples.",
    )
