"""Ensembles of trees."""

from sklearnx.ensemble._hist_gradient_boosting import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.ensemble._preset import BoostingClassifier, BoostingRegressor

__all__ = [
    "BoostingClassifier",
    "BoostingRegressor",
    "HistGradientBoostingClassifier",
    "HistGradientBoostingRegressor",
]
