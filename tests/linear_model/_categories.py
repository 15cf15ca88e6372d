"""Frames with categories, and their one-hot tables, for tests of linear models."""

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.preprocessing import OneHotEncoder

from sklearnx.linear_model import (
    MultiTaskElasticNet,
    MultiTaskElasticNetCV,
    MultiTaskLassoCV,
    PoissonRegressor,
)

pandas = pytest.importorskip("pandas")

N_ROWS = 400
TOWNS = ["Rome", "Oslo", "Bonn", "Bern"]
PRECISE = {"tol": 1e-10, "max_iter": 1000}
MULTI_TASK = MultiTaskElasticNet | MultiTaskLassoCV | MultiTaskElasticNetCV


def make_frame(n_rows=N_ROWS, seed=0):
    rng = np.random.default_rng(seed)
    frame = pandas.DataFrame(
        {
            "town": rng.choice(TOWNS, n_rows, p=[0.4, 0.3, 0.2, 0.1]),
            "age": rng.normal(size=n_rows) + 1,
            "size": pandas.Categorical(rng.choice(["S", "M", "L"], n_rows)),
            "rooms": rng.integers(1, 5, n_rows),
        }
    )
    score = frame["age"] * 0.5 + (frame["town"] == "Rome") - (frame["size"] == "S")
    return frame, score.to_numpy()


def make_target(model, score):
    rng = np.random.default_rng(1)
    if is_classifier(model):
        return np.where(score + rng.logistic(size=len(score)) > 0.5, "yes", "no")
    if isinstance(model, PoissonRegressor):
        return rng.poisson(np.exp(0.5 * score))
    if isinstance(model, MULTI_TASK):
        return np.column_stack([score, np.abs(score)]) + rng.normal(
            size=(len(score), 2)
        )
    return np.exp(0.5 * score + 0.1 * rng.normal(size=len(score)))


def encode(frame, columns=("town", "size")):
    """The oracle's table and the names of its columns."""
    columns = list(columns)
    encoder = OneHotEncoder(sparse_output=False).fit(frame[columns])
    numbers = frame.drop(columns=columns)
    names = numbers.columns.tolist()
    for column, values in zip(columns, encoder.categories_, strict=True):
        names += [f"{column}={value}" for value in values]
    table = np.hstack([numbers.to_numpy(float), encoder.transform(frame[columns])])
    return table, names


def sort_coefs(model, names):
    """The coefficients in the order of these names."""
    places = {name: j for j, name in enumerate(model.get_coef_names().tolist())}
    assert set(names) == set(places)
    return model.coef_[..., [places[name] for name in names]]
