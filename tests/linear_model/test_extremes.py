"""Numbers at the ends of their range, tables of no rank, and impatient users."""

import signal
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sklearnx._cython.linear import dense_products
from sklearnx.linear_model import (
    ElasticNetCV,
    GroupLasso,
    GroupLassoCV,
    HuberRegressor,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    MCPRegression,
    MultiTaskLassoCV,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifierCV,
    RidgeCV,
    SGDRegressor,
)

GROUPS = [0, 0, 1, 1]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    return X, X[:, 0] - X[:, 1] + 0.3 * rng.standard_normal(60)


@pytest.mark.parametrize("scale", [0.0, 1e-300])
def test_leave_one_out_of_a_table_of_no_rank(data, scale):
    X, y = data
    model = RidgeCV().fit(scale * X, y)
    assert_allclose(model.predict(scale * X), np.full(60, y.mean()))
    classifier = RidgeClassifierCV().fit(scale * X, y > 0)
    assert len(set(classifier.predict(scale * X))) == 1


def test_leave_one_out_with_one_row_of_any_weight(data):
    X, y = data
    weights = np.zeros(60)
    weights[3] = 1.0
    model = RidgeCV().fit(X, y, sample_weight=weights)
    assert_array_equal(model.coef_, np.zeros(4))
    assert_allclose(model.intercept_, y[3])


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:Objective did not converge")
@pytest.mark.parametrize("cls", [LassoCV, ElasticNetCV])
def test_folds_without_weight(data, cls):
    weights = np.zeros(60)
    weights[3] = 1.0
    with pytest.raises(ValueError, match="No penalty has a finite error in all folds"):
        cls().fit(*data, sample_weight=weights)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore:Objective did not converge")
@pytest.mark.parametrize("cls", [LassoCV, ElasticNetCV, MultiTaskLassoCV])
def test_errors_of_folds_overflow(data, cls):
    X, y = data
    y = y[:, None] if cls is MultiTaskLassoCV else y
    with pytest.raises(ValueError, match="No penalty has a finite error in all folds"):
        cls().fit(X, 1e200 * y)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "estimator",
    [HuberRegressor(), QuantileRegressor(), RidgeCV(), GroupLasso(GROUPS)],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize("scale", [1e200, 1e300])
def test_overflow_is_named(data, estimator, scale):
    X, y = data
    with pytest.raises(ValueError, match="overflow"):
        estimator.fit(scale * X, y)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_huge_weights_of_huber(data):
    X, y = data
    expected = HuberRegressor(alpha=0).fit(X, y)
    model = HuberRegressor(alpha=0).fit(X, y, sample_weight=np.full(60, 1e150))
    assert_allclose(model.coef_, expected.coef_, rtol=1e-6)


@pytest.mark.parametrize("layout", ["csr_matrix", "csc_array"])
@pytest.mark.parametrize(
    "estimator",
    [
        LinearRegression(),
        Ridge(),
        Lasso(alpha=0.1),
        HuberRegressor(),
        QuantileRegressor(alpha=0.01),
        SGDRegressor(random_state=0),
        PoissonRegressor(),
        LogisticRegression(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_sparse_tables_with_two_types_of_index(data, estimator, layout):
    X, y = data
    X = getattr(sparse, layout)(np.where(np.abs(X) > 0.5, X, 0.0))
    mixed = X.copy()
    mixed.indices = mixed.indices.astype(np.int64)
    assert mixed.indices.dtype != mixed.indptr.dtype
    y = y > 0 if isinstance(estimator, LogisticRegression) else np.exp(y)
    expected = estimator.fit(X, y).coef_.copy()
    assert_array_equal(estimator.fit(mixed, y).coef_, expected)
    assert mixed.indices.dtype == np.int64


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "estimator",
    [
        LassoCV(cv=[]),
        RidgeCV(cv=[]),
        LogisticRegressionCV(cv=[], l1_ratios=[0.0], scoring="accuracy"),
        GroupLassoCV(GROUPS, cv=[]),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_no_folds(data, estimator):
    X, y = data
    y = y > 0 if isinstance(estimator, LogisticRegressionCV) else y
    with pytest.raises(ValueError, match="cv has no folds"):
        estimator.fit(X, y)


def test_bounds_that_are_no_pair(data):
    with pytest.raises(ValueError, match="bounds must be a pair"):
        Lasso(bounds=[1.0]).fit(*data)


# ---- interrupts ----------------------------------------------------------------------


class _ImpatienceError(Exception):
    pass


@pytest.fixture
def impatience():
    """Raise _ImpatienceError after a while, as Ctrl-C would KeyboardInterrupt."""
    if not hasattr(signal, "setitimer"):
        pytest.skip("needs setitimer")

    def give_up(number, frame):
        raise _ImpatienceError

    handler = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, handler)


def test_gram_can_be_interrupted(impatience):
    # One row again and again, which takes no room.
    X = np.broadcast_to(np.ones((1, 1500)), (500_000, 1500))
    out = np.empty((1500, 1500))
    start = time.perf_counter()
    with pytest.raises(_ImpatienceError):
        dense_products.gram(X, None, None, out, 2)
    assert time.perf_counter() - start < 8
    # The process is as good as before.
    dense_products.gram(X[:10], None, None, out, 2)
    assert_array_equal(out, np.full((1500, 1500), 10.0))


def test_long_descent_can_be_interrupted(impatience):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 4000))
    y = X[:, :20].sum(axis=1) + 3 * rng.standard_normal(500)
    model = MCPRegression(alpha=1e-5, tol=1e-14, max_iter=10**8)
    start = time.perf_counter()
    with pytest.raises(_ImpatienceError):
        model.fit(X, y)
    assert time.perf_counter() - start < 15
    assert MCPRegression(alpha=0.5).fit(X[:, :20], y).score(X[:, :20], y) > 0.3
