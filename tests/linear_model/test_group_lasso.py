"""The group lasso as an estimator."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso as SklearnLasso
from sklearn.linear_model import lasso_path as sklearn_lasso_path
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from sklearnx.linear_model import GroupLasso, GroupLassoCV, group_lasso_path

LABELS = np.array([0, 0, 1, 1, 1, 2, 3, 3, 3, 3])


def make_data(n_rows=80, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, len(LABELS))) + 1
    y = X[:, :2] @ [3, -2] + X[:, 5] + 0.1 * rng.normal(size=n_rows) + 4
    return X, y


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("settings", [{}, {"groups": LABELS, "l1_ratio": 1.0}])
def test_without_groups_it_is_the_lasso(settings, fit_intercept):
    X, y = make_data()
    settings = {**settings, "fit_intercept": fit_intercept}
    model = GroupLasso(alpha=0.05, tol=1e-12, **settings).fit(X, y)
    expected = SklearnLasso(alpha=0.05, tol=1e-12, fit_intercept=fit_intercept)
    expected.fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-7)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, atol=1e-7)
    np.testing.assert_allclose(model.predict(X), expected.predict(X))


def test_groups_are_zero_together():
    X, y = make_data()
    model = GroupLasso(LABELS, alpha=0.2).fit(X, y)
    np.testing.assert_array_equal(model.coef_ != 0, np.isin(LABELS, [0, 2]))
    np.testing.assert_array_equal(model.groups_, LABELS)
    assert model.score(X, y) > 0.9
    # The sparse group lasso has zeros within a group too.
    X[:, 1] = 0.1 * np.random.default_rng(1).normal(size=len(X))
    model.set_params(alpha=0.3, l1_ratio=0.9).fit(X, y)
    assert (model.coef_[:2] != 0).tolist() == [True, False]


@pytest.mark.parametrize(
    "groups",
    [
        [[0, 1], [2, 3, 4], [5], [6, 7, 8, 9]],
        [(0, 1), np.array([4, 3, 2]), (5,), range(6, 10)],
        np.array(list("aabbbcdddd")),
        [-1, -1, 0, 0, 0, 1, 7, 7, 7, 7],
    ],
)
def test_ways_to_tell_groups(groups):
    X, y = make_data()
    if isinstance(groups, list) and isinstance(groups[-1], range):
        groups = [list(group) for group in groups]
    expected = GroupLasso(LABELS, alpha=0.1).fit(X, y)
    model = GroupLasso(groups, alpha=0.1).fit(X, y)
    np.testing.assert_array_equal(model.groups_, LABELS)
    np.testing.assert_array_equal(model.coef_, expected.coef_)


def test_groups_by_name():
    pandas = pytest.importorskip("pandas")
    X, y = make_data()
    frame = pandas.DataFrame(X, columns=list("abcdefghij"))
    model = GroupLasso([["a", "b"], list("cde"), ["f"], list("ghij")], alpha=0.1)
    model.fit(frame, y)
    np.testing.assert_array_equal(model.groups_, LABELS)


@pytest.mark.parametrize(
    "groups, message",
    [
        ([0, 1], "2 labels for 10 features"),
        ([[0, 1]], "every feature once"),
        ([list(range(10)), [3]], "twice"),
        ([list(range(10)), [10]], "feature 10"),
        ([list(range(10)), []], "empty group"),
        ([["a"]], "feature 'a'"),
    ],
)
def test_bad_groups(groups, message):
    X, y = make_data()
    with pytest.raises(ValueError, match=message):
        GroupLasso(groups).fit(X, y)


def test_group_weights():
    X, y = make_data()
    default = GroupLasso(LABELS, alpha=0.1).fit(X, y)
    sizes = np.bincount(LABELS)
    same = GroupLasso(LABELS, alpha=0.1, group_weights=np.sqrt(sizes)).fit(X, y)
    np.testing.assert_array_equal(default.coef_, same.coef_)
    weights = [1e6, 0.0, 1e6, 1e6]
    model = GroupLasso(LABELS, alpha=0.1, group_weights=weights).fit(X, y)
    np.testing.assert_array_equal(model.coef_ != 0, LABELS == 1)
    for bad in ([1.0], [1.0, 1.0, 1.0, -1.0]):
        with pytest.raises(ValueError, match="group_weights must hold"):
            GroupLasso(LABELS, group_weights=bad).fit(X, y)


@pytest.mark.parametrize(
    "make", [sparse.csr_array, sparse.csc_matrix, np.asfortranarray]
)
def test_storage_and_dtype(make):
    X, y = make_data()
    expected = GroupLasso(LABELS, alpha=0.1, tol=1e-12).fit(X, y)
    model = GroupLasso(LABELS, alpha=0.1, tol=1e-12).fit(make(X), y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-7)
    narrow = GroupLasso(LABELS, alpha=0.1).fit(make(X.astype(np.float32)), y)
    assert narrow.coef_.dtype == np.float32
    np.testing.assert_allclose(narrow.coef_, expected.coef_, atol=1e-2)


def test_weights():
    X, y = make_data()
    weights = np.random.default_rng(2).integers(0, 3, len(y))
    settings = {"groups": LABELS, "alpha": 0.1, "tol": 1e-12}
    weighted = GroupLasso(**settings).fit(X, y, weights)
    repeated = GroupLasso(**settings).fit(
        np.repeat(X, weights, axis=0), y.repeat(weights)
    )
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-7)
    np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, atol=1e-7)
    with pytest.raises(ValueError, match="at least one non-zero"):
        GroupLasso().fit(X, y, np.zeros(len(y)))


def test_warm_start():
    X, y = make_data()
    model = GroupLasso(LABELS, alpha=0.01, warm_start=True, tol=1e-12).fit(X, y)
    n_iter, coef = model.n_iter_, model.coef_
    model.fit(X, y)
    assert model.n_iter_ < n_iter
    np.testing.assert_allclose(model.coef_, coef, atol=1e-8)


def test_convergence_warning():
    X, y = make_data()
    X[:, 1] = X[:, 0] + 1e-3 * X[:, 1]
    model = GroupLasso(alpha=1e-4, max_iter=1, tol=1e-10)
    with pytest.warns(ConvergenceWarning, match="Increase max_iter"):
        model.fit(X, y)
    assert model.dual_gap_ > 1e-10 * np.var(y)


def test_pickle_and_clone():
    X, y = make_data()
    model = GroupLasso(LABELS, alpha=0.1).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.coef_, model.coef_)


def test_threads():
    X, y = make_data(40_000)
    coefs = []
    for limit in (1, 2, 3):
        with threadpool_limits(limit):
            coefs.append(GroupLasso(LABELS, alpha=0.1).fit(X, y).coef_)
    np.testing.assert_array_equal(coefs[0], coefs[1])
    np.testing.assert_array_equal(coefs[0], coefs[2])


def test_path():
    X, y = make_data()
    alphas, coefs, gaps = group_lasso_path(X, y, alphas=20, tol=1e-12)
    centred, shifted = X - X.mean(axis=0), y - y.mean()
    _, expected, _ = sklearn_lasso_path(centred, shifted, alphas=alphas, tol=1e-12)
    np.testing.assert_allclose(coefs, expected, atol=1e-6)
    assert alphas[-1] == pytest.approx(1e-3 * alphas[0])
    assert gaps.shape == (20,)
    chosen, coefs, _ = group_lasso_path(X, y, LABELS, alphas=[0.01, 0.1], tol=1e-12)
    assert chosen.tolist() == [0.1, 0.01]
    model = GroupLasso(LABELS, alpha=0.01, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(coefs[:, 1], model.coef_, atol=1e-7)
    with pytest.raises(ValueError, match="alphas must not be negative"):
        group_lasso_path(X, y, alphas=[-1.0])


@pytest.mark.parametrize("weighted", [False, True])
def test_cross_validation(weighted):
    X, y = make_data()
    weights = np.random.default_rng(3).random(len(y)) if weighted else None
    alphas = [0.3, 0.1, 0.03, 0.01]
    cv = KFold(3)
    model = GroupLassoCV(LABELS, alphas=alphas, cv=cv, tol=1e-12).fit(X, y, weights)
    totals = []
    for fold, (train, test) in enumerate(cv.split(X)):
        kept = None if weights is None else weights[train]
        left = None if weights is None else weights[test]
        totals.append(len(test) if weights is None else left.sum())
        for place, alpha in enumerate(alphas):
            part = GroupLasso(LABELS, alpha=alpha, tol=1e-12)
            part.fit(X[train], y[train], kept)
            error = np.average((y[test] - part.predict(X[test])) ** 2, weights=left)
            assert model.mse_path_[place, fold] == pytest.approx(error, rel=1e-5)
    if weighted:
        errors = np.average(model.mse_path_, axis=1, weights=totals)
    else:
        errors = model.mse_path_.mean(axis=1)
    assert model.alpha_ == alphas[np.argmin(errors)]
    best = GroupLasso(LABELS, alpha=model.alpha_, tol=1e-12).fit(X, y, weights)
    np.testing.assert_allclose(model.coef_, best.coef_, atol=1e-7)


def test_cross_validation_of_many_settings():
    X, y = make_data()
    one = GroupLassoCV(LABELS, alphas=10, cv=3).fit(X, y)
    two = GroupLassoCV(LABELS, alphas=10, cv=3, n_jobs=2).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(one.mse_path_, two.mse_path_, rtol=1e-3)
    assert one.alphas_.shape == (10,)
    with pytest.raises(ValueError, match="zero sample_weight"):
        weights = np.r_[1.0, np.zeros(len(y) - 1)]
        GroupLassoCV(alphas=3, cv=KFold(2)).fit(X, y, weights)


def test_a_constant_target():
    X, _ = make_data()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GroupLasso(LABELS).fit(X, np.full(len(X), 3.0))
        path = GroupLassoCV(LABELS, alphas=5).fit(X, np.full(len(X), 3.0))
    assert not model.coef_.any()
    assert model.intercept_ == path.intercept_ == 3.0
