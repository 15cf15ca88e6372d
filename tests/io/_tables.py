"""Tables that models of other libraries are compared on, and what to ask of ours."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.inspection import partial_dependence

from sklearnx.inspection import tree_table

pd = pytest.importorskip("pandas")

CITIES = ("Aarhus", "Bern", "Cork", "Delft", "Essen", "Faro", "Graz", "Hull")


def make_table(n_rows=1500, seed=0):
    """Return a frame with gaps of numbers and categories, and a score of its rows."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "plain": rng.normal(size=n_rows),
            "rounded": np.round(rng.normal(size=n_rows), 1),
            "narrow": rng.normal(size=n_rows).astype(np.float32),
            "city": pd.Categorical(rng.choice(CITIES, n_rows), categories=CITIES),
            "code": pd.Categorical(rng.integers(-2, 30, n_rows)),
        }
    )
    score = (
        X["plain"]
        + X["rounded"] * X["narrow"]
        + 0.3 * X["city"].cat.codes
        + np.sin(X["code"].cat.codes)
        + 0.5 * rng.normal(size=n_rows)
    ).to_numpy()
    for name in X.columns:
        X.loc[rng.random(n_rows) < 0.1, name] = np.nan
    return X, score


def make_hard_table(n_rows=1500, seed=1):
    """Return such a frame, with levels and numbers that training did not see."""
    X, _ = make_table(n_rows, seed)
    rng = np.random.default_rng(seed)
    X["city"] = X["city"].cat.add_categories(["Zug"])
    X["code"] = X["code"].cat.add_categories([-7, 10**6])
    for name, value in (
        ("city", "Zug"),
        ("code", -7),
        ("code", 10**6),
        ("plain", np.inf),
        ("plain", -np.inf),
        ("plain", 0.0),
        ("rounded", 1e300),
        ("rounded", 1e-36),
        ("rounded", -0.0),
        ("narrow", np.float32(-3e38)),
    ):
        X.loc[rng.random(n_rows) < 0.03, name] = value
    return X


def measure_difference(ours, theirs):
    """Return the largest difference, relative to what is larger than 1."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    return np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs)))


def assert_same(ours, theirs, tolerance=1e-12):
    """Check predictions; the tolerance is that of a sum in another order."""
    assert measure_difference(ours, theirs) <= tolerance
    # Constant predictions would tell nothing.
    assert len(np.unique(np.asarray(theirs))) > 5


def assert_works(estimator, X):
    """Check all else that a fitted estimator does."""
    predicted = estimator.predict(X)
    stages = list(estimator.staged_predict(X))
    assert len(stages) == estimator.n_iter_
    assert_array_equal(stages[-1], predicted)
    for row in range(5):
        assert_array_equal(estimator.predict(X[row : row + 1])[0], predicted[row])
    leaves = estimator.apply(X)
    assert leaves.shape == (len(X), estimator._model.n_trees)
    copied = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(copied.predict(X), predicted)
    assert_array_equal(copied.apply(X), leaves)
    assert_allclose(estimator.feature_importances_.sum(), 1)
    with pytest.raises(NotFittedError):
        clone(estimator).predict(X)

    table = tree_table(estimator, 0)
    is_leaf = table["feature"].isna()
    assert set(np.unique(leaves[:, 0])) <= set(np.flatnonzero(is_leaf))
    assert table["n_samples"].iloc[0] == table.loc[is_leaf, "n_samples"].sum()
    if not estimator._model.has_linear_leaves:
        usual = X[np.abs(np.asarray(X)[:, 1].astype(float)) < 5]
        found = partial_dependence(estimator, usual, [1], grid_resolution=5)
        assert np.isfinite(found["average"]).all()
        assert np.ptp(found["average"]) > 0


def read_data(name):
    """Return a table of the real ones, skip the test where there are none."""
    folder = os.environ.get("SKLEARNX_DATA")
    if folder is None or not (Path(folder) / f"{name}.parquet").exists():
        pytest.skip("SKLEARNX_DATA has no such table")
    pytest.importorskip("pyarrow")
    return pd.read_parquet(Path(folder) / f"{name}.parquet")
