"""What is refused of a frame is refused with the names of its columns."""

import numpy as np
import pytest

from sklearnx.cluster import DBSCAN, KMeans
from sklearnx.linear_model import PoissonRegressor, Ridge
from sklearnx.mixture import GaussianMixture

LIBRARIES = ["pandas", "polars"]
ESTIMATORS = [KMeans(2), DBSCAN(), GaussianMixture(2), Ridge(), PoissonRegressor()]
Y = np.arange(1.0, 7.0)


def make_frame(library, **changed):
    module = pytest.importorskip(library)
    columns = {"age": Y.tolist(), "income": (Y**2).tolist(), "x y": Y.tolist()}
    return module.DataFrame({**columns, **changed})


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_strings(estimator, library):
    X = make_frame(library, city=list("abcabc"), street=list("abcabc"))
    with pytest.raises(ValueError, match=r"'city', 'street' of X: not all values are"):
        estimator.fit(X, Y)


def test_strings_may_be_categories():
    X = make_frame("pandas", city=list("abcabc"))
    with pytest.raises(ValueError, match=r"'city' of X.* categorical_features"):
        PoissonRegressor().fit(X, Y)
    PoissonRegressor(categorical_features=["city"]).fit(X, Y)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_values_that_are_not_finite(estimator, value, library):
    X = make_frame(library, income=[1.0, 2.0, value, 4.0, 5.0, 6.0])
    pattern = r"(?s)Input X contains (NaN|infinity).*Column 'income' of X: NaN"
    with pytest.raises(ValueError, match=pattern):
        estimator.fit(X, Y)
    fitted = Ridge().fit(make_frame(library), Y)
    with pytest.raises(ValueError, match=pattern):
        fitted.predict(X)


@pytest.mark.parametrize("library", LIBRARIES)
def test_numbers_beside_categories(library):
    X = make_frame(library, city=list("abcabc"))
    bad = make_frame(library, city=list("abcabc"), income=[1.0, np.nan, *Y[2:]])
    model = PoissonRegressor(categorical_features=["city"])
    with pytest.raises(ValueError, match="Column 'income' of X: NaN"):
        model.fit(bad, Y)
    with pytest.raises(ValueError, match="Column 'income' of X: NaN"):
        model.fit(X, Y).predict(bad)


def test_numbers_in_a_sparse_frame():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(np.eye(6)[:, :3], columns=["a", "b", "c"])
    X.loc[1, "b"] = np.inf
    X = X.astype(pandas.SparseDtype(float, 0.0))
    with pytest.raises(ValueError, match="Column 'b' of X: NaN, or too large"):
        Ridge().fit(X, Y)


def test_many_columns():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(np.full((3, 8), np.nan), columns=[*"abcdefgh"])
    with pytest.raises(ValueError, match=r"Columns 'a', .*, 'e' and 3 more of X"):
        KMeans(2).fit(X)


def test_other_errors_stay_as_they_are():
    X = make_frame("pandas")
    with pytest.raises(ValueError, match=r"Expected 2D|Expected a 2-dim"):
        KMeans(2).fit(X["age"])
    with pytest.raises(ValueError) as raised:
        Ridge().fit(X, [1.0, np.nan, 1.0, 1.0, 1.0, 1.0])
    assert "Column" not in str(raised.value)
    with pytest.raises(ValueError) as raised:
        KMeans(2).fit(np.full((3, 2), np.nan))
    assert "Column" not in str(raised.value)
    with pytest.raises(ValueError, match="feature names") as raised:
        Ridge().fit(X, Y).predict(X[["income", "age", "x y"]])
    assert raised.value.__cause__ is None
