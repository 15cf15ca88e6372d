"""Predictions of linear models against scikit-learn's, and what they refuse."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import linear_model
from sklearn.exceptions import NotFittedError

from sklearnx.linear_model._prediction import (
    LinearClassifierPrediction,
    LinearRegressorPrediction,
)


class Regressor(LinearRegressorPrediction, linear_model.Ridge):
    pass


class Classifier(LinearClassifierPrediction, linear_model.LogisticRegression):
    pass


PAIRS = {
    "one target": (Regressor, linear_model.Ridge, 0),
    "two targets": (Regressor, linear_model.Ridge, 2),
    "two classes": (Classifier, linear_model.LogisticRegression, 2),
    "three classes": (Classifier, linear_model.LogisticRegression, 3),
}


def fit_pair(name, dtype=np.float64):
    ours, theirs, n = PAIRS[name]
    X = np.random.default_rng(0).normal(size=(400, 5)).astype(dtype)
    y = X[:, 0] + X[:, 1]
    if ours is Classifier:
        y = np.array(["a", "b", "c"])[np.digitize(y, [-1, 1][: n - 1])]
    elif n:
        y = np.stack([y, X[:, 2]], axis=1)
    return ours().fit(X, y), theirs().fit(X, y), X


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "convert",
    [
        np.ascontiguousarray,
        np.asfortranarray,
        sparse.csr_matrix,
        sparse.csc_matrix,
        sparse.coo_array,
        lambda X: X.tolist(),
        lambda X: (X * 10).astype(int),
        lambda X: X.astype(X.dtype.newbyteorder()),
    ],
)
@pytest.mark.parametrize("name", PAIRS)
def test_like_sklearn(name, convert, dtype):
    ours, theirs, X = fit_pair(name, dtype)
    X = convert(X)
    for method in ("predict", "decision_function"):
        if not hasattr(theirs, method):
            continue
        result, expected = getattr(ours, method)(X), getattr(theirs, method)(X)
        assert result.dtype == expected.dtype
        assert result.shape == expected.shape
        if expected.dtype.kind == "f":
            assert_allclose(result, expected, rtol=2e-5, atol=1e-5)
        else:
            assert_array_equal(result, expected)


@pytest.mark.parametrize("name", PAIRS)
def test_rows_alone_and_together(name):
    ours, _, X = fit_pair(name)
    method = ours.predict if isinstance(ours, Regressor) else ours.decision_function
    together = method(X)
    for i in range(20):
        assert_array_equal(method(X[i : i + 1])[0], together[i])


@pytest.mark.parametrize("name", PAIRS)
def test_refusals(name):
    ours, _, X = fit_pair(name)
    with pytest.raises(NotFittedError):
        type(ours)().predict(X)
    with pytest.raises(ValueError, match="4 features, but"):
        ours.predict(X[:, :4])
    with pytest.raises(ValueError, match="Expected 2D array"):
        ours.predict(X[0])
    with pytest.raises(ValueError, match="0 sample"):
        ours.predict(X[:0])
    for value in (np.nan, np.inf, -np.inf):
        bad = X.copy()
        bad[3, 2] = value
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            ours.predict(bad)
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            ours.predict(bad[3:4])


def test_not_finite_where_the_coefficient_is_zero():
    ours, _, X = fit_pair("one target")
    ours.coef_[2] = 0.0
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        ours.predict(X)


def test_overflow_is_not_an_error():
    ours, _, _ = fit_pair("one target")
    assert not np.isfinite(ours.predict(np.full((1, 5), 1e308))).all()


def test_names_of_columns():
    pd = pytest.importorskip("pandas")
    _, _, X = fit_pair("one target")
    frame = pd.DataFrame(X, columns=list("abcde"))
    ours = Regressor().fit(frame, X[:, 0])
    assert_allclose(ours.predict(frame), Regressor().fit(X, X[:, 0]).predict(X))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        ours.predict(X)
    with pytest.raises(ValueError, match="feature names"):
        ours.predict(frame.rename(columns={"a": "z"}))
