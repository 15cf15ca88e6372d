"""Objectives of linear models in double precision, by plain NumPy.

They are computed from `coef_` and `intercept_`, by the same formula for each library. A
mean over rows stands where an estimator has a sum: the minimum is the same.
"""

import numpy as np
from scipy import special


def get_coef(model):
    return np.asarray(model.coef_, dtype=float)


def predict_raw(data, model):
    """X @ coef + intercept, with a column for each output or class."""
    coef = get_coef(model)
    raw = data.X @ coef.T + np.asarray(model.intercept_, dtype=float)
    if data.offset is not None:
        raw = raw + data.offset
    return raw


def average(losses, data):
    return float(np.average(losses, weights=data.weights))


def squared_error(data, model, l1=0.0, l2=0.0):
    """Half the mean squared error, l1 * norm 1, l2 / 2 * squared norm 2."""
    losses = 0.5 * (data.y - predict_raw(data, model)) ** 2
    coef = get_coef(model)
    penalty = l1 * np.abs(coef).sum() + 0.5 * l2 * (coef**2).sum()
    return average(losses, data) + float(penalty)


def elastic_net(data, model):
    """Of an estimator with a penalty of its own, and of any number of targets."""
    coef = np.atleast_2d(get_coef(model))
    residual = data.y - predict_raw(data, model)
    norms = np.sqrt((coef**2).sum(axis=0))
    share = getattr(model, "l1_ratio", 1.0)
    penalty = share * norms.sum() + 0.5 * (1.0 - share) * (norms**2).sum()
    return 0.5 * float((residual**2).sum()) / len(data.y) + model.alpha * penalty


def compare_lasso_with_bound(data, model):
    """The lasso's objective over a lower bound, for the penalty that was chosen.

    The bound is that of the residual, shrunk until it is a point of the dual problem.
    """
    alpha, n_rows = float(model.alpha_), len(data.y)
    residual = data.y - predict_raw(data, model)
    residual = residual - residual.mean()
    correlations = residual @ data.X / n_rows
    shrunk = residual * min(1.0, alpha / np.abs(correlations).max())
    y = data.y - data.y.mean()
    bound = 0.5 * (np.sum(y**2) - np.sum((y - shrunk) ** 2)) / n_rows
    return squared_error(data, model, l1=alpha) / bound


def group_lasso(data, model, alpha, groups):
    """Half the mean squared error, alpha * sum over groups of the norm 2."""
    coef = get_coef(model).ravel()
    norms = sum(np.linalg.norm(coef[group]) for group in groups)
    return squared_error(data, model) + alpha * float(norms)


def minimax_concave(data, model, alpha, gamma):
    """Half the mean squared error and the minimax concave penalty."""
    t = np.minimum(np.abs(get_coef(model)), gamma * alpha)
    return squared_error(data, model) + float((alpha * t - t**2 / (2 * gamma)).sum())


def log_loss(data, model, C, l1_ratio=0.0):
    """Mean log loss, and the penalty over C and the number of rows."""
    raw = predict_raw(data, model)
    if raw.ndim == 1 or raw.shape[1] == 1:
        sign = np.where(data.y == np.unique(data.y)[1], 1.0, -1.0)
        losses = np.logaddexp(0.0, -sign * raw.ravel())
    else:
        codes = np.unique(data.y, return_inverse=True)[1]
        chosen = raw[np.arange(len(codes)), codes]
        losses = special.logsumexp(raw, axis=1) - chosen
    coef = get_coef(model)
    penalty = l1_ratio * np.abs(coef).sum() + (1 - l1_ratio) / 2 * (coef**2).sum()
    return average(losses, data) + float(penalty) / (C * len(data.y))


def poisson(data, model, alpha):
    """Half the mean Poisson deviance, alpha / 2 * squared norm 2."""
    # The order of coefficients of levels is each library's own.
    raw = np.log(model.predict(data.X)) if data.is_frame else predict_raw(data, model)
    y = data.y
    losses = special.xlogy(y, y) - y - y * raw + np.exp(raw)
    return average(losses, data) + 0.5 * alpha * float((get_coef(model) ** 2).sum())


def huber(data, model, epsilon, alpha):
    """The joint objective in coefficients and scale, over the number of rows."""
    scale = model.scale_
    distance = np.abs(data.y - predict_raw(data, model)) / scale
    losses = np.where(
        distance <= epsilon, distance**2, 2 * epsilon * distance - epsilon**2
    )
    penalty = alpha * float((get_coef(model) ** 2).sum()) / len(data.y)
    return scale + scale * average(losses, data) + penalty


def pinball(data, model, quantile, alpha):
    """Mean pinball loss, alpha * norm 1."""
    residual = data.y - predict_raw(data, model)
    losses = np.maximum(quantile * residual, (quantile - 1) * residual)
    return average(losses, data) + alpha * float(np.abs(get_coef(model)).sum())
