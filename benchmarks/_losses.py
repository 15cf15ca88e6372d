"""Held-out losses, and their comparison."""

import math

import numpy as np
from sklearn.metrics import log_loss, mean_poisson_deviance, root_mean_squared_error

LOSS_NAMES = {
    "classification": "log loss",
    "regression": "RMSE",
    "poisson": "poisson deviance",
}


def compute_loss(task, y, predicted, classes=None, sample_weight=None):
    if task == "classification":
        loss = log_loss(y, predicted, labels=classes, sample_weight=sample_weight)
    elif task == "poisson":
        loss = mean_poisson_deviance(y, predicted, sample_weight=sample_weight)
    else:
        loss = root_mean_squared_error(y, predicted, sample_weight=sample_weight)
    return float(loss)


def compare_losses(losses, reference_losses, tolerance):
    """Compare the losses of two libraries on the same splits.

    Returns
    -------
    comparison : dict
        Ratio of the means; standard error of the paired difference in percent of the
        reference's mean, None of a single split; whether the losses are no worse by
        more than `tolerance` (a share) and one standard error; whether they are better.
    """
    difference = np.subtract(losses, reference_losses)
    reference = float(np.mean(reference_losses))
    error = None
    if len(difference) > 1:
        error = float(np.std(difference, ddof=1) / math.sqrt(len(difference)))
    return {
        "ratio": float(np.mean(losses)) / reference,
        "s.e. %": None if error is None else 100 * error / reference,
        "ok": bool(np.mean(difference) <= tolerance * reference + (error or 0.0)),
        "better": bool(np.mean(difference) < 0),
    }
