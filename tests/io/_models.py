"""Models of ours that are written for other libraries."""

import numpy as np

from sklearnx.ensemble import HistGradientBoostingRegressor
from tests.io._tables import make_table

X, SCORE = make_table()
SMALL = {"max_iter": 12, "early_stopping": False, "random_state": 0}


def fit_regressor(X=X, y=SCORE, **settings):
    return HistGradientBoostingRegressor(**{**SMALL, **settings}).fit(X, y)


class OwnLoss:
    """Squared error of a link of one's own."""

    def __init__(self, link):
        self.link = link

    def gradient(self, y_true, raw_prediction):
        return raw_prediction - y_true

    def hessian(self, y_true, raw_prediction):
        return np.ones_like(raw_prediction)
