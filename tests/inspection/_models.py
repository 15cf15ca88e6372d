"""Fitted models that the tests of inspection look into."""

import numpy as np

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

CITIES = ["Oslo", "Rome", "Bonn", "Kiev", "Riga", "Bern", "Graz"]


def make_frame(n_samples=600, random_state=0):
    """Numbers and categories with gaps, and a target that depends on all of them."""
    import pandas as pd

    rng = np.random.default_rng(random_state)
    city = rng.integers(0, len(CITIES), n_samples)
    X = pd.DataFrame(
        {
            "size": rng.normal(size=n_samples),
            "city": np.array(CITIES, dtype=object)[city],
            "year": rng.integers(1990, 2020, n_samples).astype(float),
            "is_new": pd.Categorical(rng.random(n_samples) < 0.3),
        }
    )
    y = X["size"] + rng.normal(size=len(CITIES))[city] + 0.05 * (X["year"] - 2000)
    X["city"] = X["city"].mask(rng.random(n_samples) < 0.1, None)
    X["year"] = X["year"].mask(rng.random(n_samples) < 0.2)
    y += 2 * X["year"].isna()
    return X, y.to_numpy()


def fit_regressor(X, y, **settings):
    settings = {"max_iter": 4, "min_samples_leaf": 5, **settings}
    return HistGradientBoostingRegressor(**settings).fit(X, y)


def fit_classifier(X, y, **settings):
    settings = {"max_iter": 4, "min_samples_leaf": 5, **settings}
    labels = np.digitize(y, np.quantile(y, [0.3, 0.7]))
    return HistGradientBoostingClassifier(**settings).fit(X, labels)
