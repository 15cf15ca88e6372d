"""LinearRegression."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn.linear_model
from scipy import sparse
from sklearn.datasets import load_diabetes
from threadpoolctl import threadpool_limits

from sklearnx.linear_model import LinearRegression

CONTAINERS = [np.asarray, np.asfortranarray, sparse.csr_array, sparse.csc_array]


def make_data(n_rows=60, n_columns=7, n_targets=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns)) * (rng.random((n_rows, n_columns)) < 0.6)
    shape = (n_rows,) if n_targets is None else (n_rows, n_targets)
    return X + 0.5 * (X != 0), rng.normal(size=shape)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("shape", [(60, 7), (7, 60)])
@pytest.mark.parametrize("n_targets", [None, 1, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_equals_scikit_learn(container, shape, n_targets, fit_intercept):
    X, y = make_data(*shape, n_targets)
    settings = {"fit_intercept": fit_intercept}
    weights = np.random.default_rng(1).uniform(0.5, 2, shape[0])
    expected = sklearn.linear_model.LinearRegression(**settings)
    expected.fit(X, y, sample_weight=weights)
    model = LinearRegression(**settings).fit(container(X), y, sample_weight=weights)
    assert model.coef_.shape == expected.coef_.shape
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, atol=1e-11)
    assert np.shape(model.intercept_) == np.shape(expected.intercept_)
    assert isinstance(model, sklearn.linear_model.LinearRegression)
    if sparse.issparse(container(X)):
        assert not hasattr(model, "rank_")
    else:
        assert model.rank_ == min(shape[0] - fit_intercept, shape[1])
        np.testing.assert_allclose(
            model.singular_, np.sort(model.singular_)[::-1], atol=0
        )


def test_a_refit_on_sparse_data_forgets_the_rank():
    X, y = make_data()
    model = LinearRegression().fit(X, y)
    assert model.rank_ == 7
    model.fit(sparse.csr_array(X), y)
    assert not hasattr(model, "rank_")


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("shape", [(60, 7), (7, 60)])
def test_float32_stays(container, shape):
    X, y = make_data(*shape)
    model = LinearRegression().fit(container(X).astype(np.float32), y)
    expected = LinearRegression().fit(X.astype(np.float32).astype(np.float64), y)
    assert model.coef_.dtype == np.float32
    assert model.intercept_.dtype == np.float32
    assert model.predict(container(X).astype(np.float32)).dtype == np.float32
    # Sums are double: only the result is rounded.
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=3e-7)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("shape", [(60, 7), (10, 60)])
@pytest.mark.parametrize("positive", [True, False])
def test_weights_are_repetitions(container, shape, positive):
    if positive and sparse.issparse(container(np.eye(2))):
        pytest.skip("of dense tables only")
    X, y = make_data(*shape)
    weights = np.random.default_rng(1).integers(0, 3, shape[0])
    rows = np.repeat(np.arange(shape[0]), weights)
    model = LinearRegression(positive=positive)
    model.fit(container(X), y, sample_weight=weights)
    repeated = LinearRegression(positive=positive).fit(container(X[rows]), y[rows])
    np.testing.assert_allclose(model.coef_, repeated.coef_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(model.intercept_, repeated.intercept_, rtol=1e-8)


@pytest.mark.parametrize("container", CONTAINERS)
def test_copy_X_false_leaves_X_alone(container):
    X, y = make_data()
    X = container(X)
    before = X.copy()
    LinearRegression(copy_X=False).fit(X, y, sample_weight=np.arange(60.0))
    assert abs(X - before).max() == 0


def test_strided_and_read_only_tables():
    X, y = make_data(120)
    expected = LinearRegression().fit(X[::2].copy(), y[::2])
    X.setflags(write=False)
    model = LinearRegression().fit(X[::2], y[::2])
    np.testing.assert_array_equal(model.coef_, expected.coef_)


@pytest.mark.parametrize("n_targets", [None, 2])
def test_positive_reaches_the_optimum(n_targets):
    X, y = load_diabetes(return_X_y=True)
    y = y if n_targets is None else np.column_stack([y, -y])
    model = LinearRegression(positive=True).fit(X, y)
    expected = sklearn.linear_model.LinearRegression(positive=True).fit(X, y)
    assert (model.coef_ >= 0).all()
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_values_that_are_not_finite_are_refused(bad, container, weight):
    X, y = make_data()
    X[3, 2] = bad
    weights = np.ones(60)
    weights[3] = weight
    name = "NaN" if np.isnan(bad) else "infinity"
    with pytest.raises(ValueError, match=f"Input X contains {name}"):
        LinearRegression().fit(container(X), y, sample_weight=weights)


def test_sums_that_overflow_are_told():
    X, y = make_data()
    X[:, 0] = 1e308
    with pytest.raises(ValueError, match="overflow"):
        LinearRegression().fit(X, y)


def test_weights_are_validated():
    X, y = make_data()
    with pytest.raises(ValueError, match="at least one non-zero"):
        LinearRegression().fit(X, y, sample_weight=np.zeros(60))
    with pytest.raises(ValueError, match="Negative values"):
        LinearRegression().fit(X, y, sample_weight=np.full(60, -1.0))


@pytest.mark.parametrize("container", CONTAINERS)
def test_hopeless_data_give_the_mean(container):
    y = np.array([1.0, 2.0, 6.0])
    for X in (np.full((3, 2), 0.1), np.zeros((3, 5)), np.full((3, 1), 1e9)):
        model = LinearRegression().fit(container(X), y)
        np.testing.assert_allclose(model.predict(container(X)), 3.0, rtol=1e-12)
    model = LinearRegression().fit(container(np.array([[2.0, 1.0]])), [5.0])
    assert model.predict(container(np.array([[2.0, 1.0]]))) == pytest.approx(5.0)


@pytest.mark.parametrize("container", CONTAINERS)
def test_bits_do_not_depend_on_threads(container):
    X, y = make_data(30_000, 12, 2)
    X = container(X)
    expected = pickle.dumps(LinearRegression(n_jobs=1).fit(X, y).coef_)
    for n_jobs in (2, 3, None):
        model = LinearRegression(n_jobs=n_jobs).fit(X, y)
        assert pickle.dumps(model.coef_) == expected
    for limit in (1, 3):
        with threadpool_limits(limit):
            assert pickle.dumps(LinearRegression().fit(X, y).coef_) == expected


def test_large_sparse_tables_iterate(monkeypatch):
    monkeypatch.setattr("sklearnx._glm.least_squares.MAX_SPARSE_GRAM", 4)
    X, y = make_data()
    expected = LinearRegression().fit(X, y)
    model = LinearRegression(tol=1e-12).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-7, atol=1e-9)


def test_no_warning_on_ordinary_data():
    X, y = make_data()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LinearRegression().fit(X, y)
        LinearRegression(positive=True).fit(X, y)
        LinearRegression().fit(X.T, X[0])
