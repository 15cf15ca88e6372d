"""Poisson, gamma and Tweedie regressors."""

import warnings

import numpy as np
import pytest
import sklearn.linear_model
from scipy import sparse
from scipy.linalg import LinAlgWarning
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import d2_tweedie_score

from sklearnx.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor

CASES = [
    (PoissonRegressor, {}),
    (GammaRegressor, {}),
    (TweedieRegressor, {"power": 0}),
    (TweedieRegressor, {"power": 1.5}),
    (TweedieRegressor, {"power": 3}),
    (TweedieRegressor, {"power": 0, "link": "log"}),
]
over_cases = pytest.mark.parametrize(
    "cls, settings", CASES, ids=lambda value: getattr(value, "__name__", str(value))
)


def make_data(n_rows=400, n_columns=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns))
    mean = np.exp(0.3 * X @ rng.normal(size=n_columns) + 0.5)
    return X, rng.gamma(2.0, mean / 2) + 0.01


def compute_objective(model, X, y, weights=None):
    """The average loss of scikit-learn's own loss, plus the penalty."""
    raw = np.asarray(X @ model.coef_ + model.intercept_, dtype=np.float64)
    losses = model._base_loss.loss(y_true=y, raw_prediction=raw)
    squares = 0.5 * model.alpha * np.sum(model.coef_.astype(np.float64) ** 2)
    return np.average(losses, weights=weights) + squares


@over_cases
@pytest.mark.parametrize("solver", ["lbfgs", "newton-cholesky"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("is_weighted", [True, False])
def test_no_worse_than_scikit_learn(cls, settings, solver, fit_intercept, is_weighted):
    X, y = make_data()
    weights = np.random.default_rng(1).random(len(y)) if is_weighted else None
    settings = {**settings, "alpha": 0.1, "fit_intercept": fit_intercept}
    ours = cls(solver=solver, **settings).fit(X, y, weights)
    theirs = getattr(sklearn.linear_model, cls.__name__)(
        tol=1e-8, max_iter=1000, **settings
    ).fit(X, y, weights)
    assert isinstance(ours, type(theirs))
    values = [compute_objective(model, X, y, weights) for model in (ours, theirs)]
    assert values[0] <= values[1] + 1e-8 * abs(values[1])
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4)
    assert ours.score(X, y, weights) == pytest.approx(
        theirs.score(X, y, weights)
        if settings.get("link") != "log"
        else d2_tweedie_score(y, ours.predict(X), sample_weight=weights, power=0),
        rel=1e-5,
    )


@over_cases
@pytest.mark.parametrize(
    "storage",
    [np.asfortranarray, sparse.csr_array, sparse.csc_array, sparse.csr_matrix],
)
def test_storage_does_not_matter(cls, settings, storage):
    X, y = make_data()
    dense = cls(**settings).fit(X, y)
    other = cls(**settings).fit(storage(X), y)
    np.testing.assert_allclose(other.coef_, dense.coef_, rtol=1e-6)
    np.testing.assert_allclose(other.predict(storage(X)), dense.predict(X), rtol=1e-6)


@over_cases
def test_float32(cls, settings):
    X, y = make_data()
    X = X.astype(np.float32)
    model = cls(**settings).fit(X, y)
    assert model.coef_.dtype == np.float32
    assert model.predict(X).dtype == np.float32
    exact = cls(**settings).fit(X.astype(np.float64), y)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=1e-4, atol=1e-6)


@over_cases
@pytest.mark.parametrize("extra", [{}, {"l1_ratio": 0.5}, {"bounds": (-0.1, 0.1)}])
def test_weights_are_repetitions(cls, settings, extra):
    X, y = make_data(100)
    weights = np.random.default_rng(1).integers(0, 4, size=len(y))
    settings = {**settings, **extra, "alpha": 0.05}
    weighted = cls(**settings).fit(X, y, weights)
    repeated = cls(**settings).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6, atol=1e-9)


def test_offset_is_exposure():
    X, y = make_data()
    exposure = np.random.default_rng(1).uniform(0.2, 3.0, size=len(y))
    counts = y * exposure
    with_offset = PoissonRegressor(alpha=0.01, tol=1e-9).fit(
        X, counts, offset=np.log(exposure)
    )
    # The same likelihood but for a factor of the whole.
    as_rate = PoissonRegressor(alpha=0.01 / exposure.mean(), tol=1e-9).fit(
        X, y, sample_weight=exposure
    )
    np.testing.assert_allclose(with_offset.coef_, as_rate.coef_, rtol=1e-6)
    predicted = with_offset.predict(X, offset=np.log(exposure))
    np.testing.assert_allclose(predicted, exposure * with_offset.predict(X), rtol=1e-12)
    # Balance: predictions add up to what was seen.
    assert predicted.sum() == pytest.approx(counts.sum(), rel=1e-8)
    score = with_offset.score(X, counts, offset=np.log(exposure))
    assert score == pytest.approx(as_rate.score(X, y, sample_weight=exposure), rel=1e-6)


@over_cases
def test_constant_offset_moves_the_intercept(cls, settings):
    X, y = make_data()
    plain = cls(tol=1e-8, **settings).fit(X, y)
    moved = cls(tol=1e-8, **settings).fit(X, y, offset=np.full(len(y), 0.7))
    np.testing.assert_allclose(moved.coef_, plain.coef_, rtol=1e-5, atol=1e-8)
    assert moved.intercept_ == pytest.approx(plain.intercept_ - 0.7, rel=1e-5)


@over_cases
def test_elastic_net(cls, settings):
    X, y = make_data()
    model = cls(alpha=0.1, l1_ratio=0.7, tol=1e-7, **settings).fit(X, y)
    raw = X @ model.coef_ + model.intercept_
    slopes = model._base_loss.gradient(y_true=y, raw_prediction=raw)
    gradient = X.T @ slopes / len(y) + 0.1 * 0.3 * model.coef_
    is_zero = model.coef_ == 0
    assert np.all(np.abs(gradient[is_zero]) <= 0.07 + 1e-6)
    np.testing.assert_allclose(
        gradient[~is_zero], -0.07 * np.sign(model.coef_[~is_zero]), atol=1e-6
    )


def test_lasso_selects():
    X, y = make_data(n_columns=20)
    weak = PoissonRegressor(alpha=1e-3, l1_ratio=1.0).fit(X, y)
    strong = PoissonRegressor(alpha=0.2, l1_ratio=1.0).fit(X, y)
    all_zero = PoissonRegressor(alpha=1e3, l1_ratio=1.0).fit(X, y)
    n_used = [np.count_nonzero(m.coef_) for m in (weak, strong, all_zero)]
    assert n_used[0] > n_used[1] > n_used[2] == 0
    assert all_zero.intercept_ == pytest.approx(np.log(y.mean()))


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_penalty_weights(l1_ratio):
    X, y = make_data()
    weights = np.array([0.0, 1.0, 2.0, 5.0, 1e4, 1.0])
    settings = {"alpha": 0.05, "l1_ratio": l1_ratio, "tol": 1e-9}
    model = PoissonRegressor(penalty_weights=weights, **settings).fit(X, y)
    # The same as other units of the columns (but for those without a penalty).
    units = weights[1:] ** (0.5 if l1_ratio == 0 else 1.0)
    free = PoissonRegressor(penalty_weights=[0.0, 1, 1, 1, 1, 1], **settings).fit(
        np.column_stack([X[:, 0], X[:, 1:] / units]), y
    )
    expected = np.concatenate([free.coef_[:1], free.coef_[1:] / units])
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-5, atol=1e-8)
    ones = PoissonRegressor(penalty_weights=np.ones(6), **settings).fit(X, y)
    np.testing.assert_allclose(
        ones.coef_, PoissonRegressor(**settings).fit(X, y).coef_, rtol=1e-7
    )


@over_cases
def test_bounds(cls, settings):
    X, y = make_data()
    lower = np.full(6, -0.05)
    model = cls(alpha=1e-3, bounds=(lower, 0.1), tol=1e-8, **settings).fit(X, y)
    assert np.all((model.coef_ >= -0.05) & (model.coef_ <= 0.1))
    assert np.any(np.isin(model.coef_, [-0.05, 0.1]))
    raw = X @ model.coef_ + model.intercept_
    slopes = model._base_loss.gradient(y_true=y, raw_prediction=raw)
    gradient = X.T @ slopes / len(y) + 1e-3 * model.coef_
    assert np.all(gradient[model.coef_ == -0.05] >= -1e-7)
    assert np.all(gradient[model.coef_ == 0.1] <= 1e-7)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"bounds": (1.0,)}, "bounds must be a pair"),
        ({"bounds": (1.0, 0.0)}, "no lower bound above"),
        ({"bounds": (np.zeros(3), 1.0)}, r"bounds must be numbers or arrays of shape"),
        ({"bounds": (np.nan, 1.0)}, "without NaN"),
        ({"penalty_weights": [1.0]}, "penalty_weights must be 6 numbers"),
        ({"penalty_weights": [-1.0] * 6}, "penalty_weights must be 6 numbers"),
        ({"l1_ratio": 1.5}, "The 'l1_ratio' parameter of PoissonRegressor"),
    ],
)
def test_bad_parameters(settings, message):
    X, y = make_data(50)
    with pytest.raises(ValueError, match=message):
        PoissonRegressor(**settings).fit(X, y)


def test_bad_data():
    X, y = make_data(50)
    with pytest.raises(ValueError, match="offset must be one number a row"):
        PoissonRegressor().fit(X, y, offset=np.zeros(3))
    with pytest.raises(ValueError, match="offset contains NaN"):
        PoissonRegressor().fit(X, y, offset=np.full(50, np.nan))
    with pytest.raises(ValueError, match="at least one non-zero number"):
        PoissonRegressor().fit(X, y, sample_weight=np.zeros(50))
    with pytest.raises(ValueError, match="Negative values in data"):
        PoissonRegressor().fit(X, y, sample_weight=-np.ones(50))
    with pytest.raises(
        ValueError, match="out of the valid range of the loss 'HalfGamma"
    ):
        GammaRegressor().fit(X, np.zeros(50))


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cholesky"])
def test_collinear_columns(solver):
    X, y = make_data()
    twice = np.hstack([X, X])
    model = PoissonRegressor(alpha=0.0, solver=solver, tol=1e-8)
    if solver == "newton-cholesky":
        with pytest.warns(LinAlgWarning, match="singular or very ill-conditioned"):
            model.fit(twice, y)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.fit(twice, y)
    once = PoissonRegressor(alpha=0.0, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(model.coef_, np.tile(once.coef_ / 2, 2), rtol=1e-6)


def test_convergence_warning_says_what_to_do():
    X, y = make_data()
    with pytest.warns(ConvergenceWarning, match=r"Increase the number of iterations"):
        PoissonRegressor(max_iter=1, tol=1e-12).fit(X, y)


def test_warm_start():
    X, y = make_data()
    model = PoissonRegressor(warm_start=True, tol=1e-8).fit(X, y)
    coef, n_iter = model.coef_.copy(), model.n_iter_
    model.fit(X, y)
    assert model.n_iter_ <= 1 < n_iter
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-7)


def test_huge_and_tiny_targets():
    X, y = make_data()
    plain = PoissonRegressor(alpha=0.0, tol=1e-9).fit(X, y)
    for factor in (1e-8, 1e8):
        model = PoissonRegressor(alpha=0.0, tol=1e-9 * max(factor, 1e-4))
        model.fit(X, factor * y)
        np.testing.assert_allclose(model.coef_, plain.coef_, rtol=2e-2)


def test_counts_of_zero_only():
    X, _ = make_data(50)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = PoissonRegressor(alpha=0.1).fit(X, np.zeros(50))
    assert np.all(np.isfinite(model.coef_))
    assert np.all(model.predict(X) < 1e-3)


def test_identity_link_without_an_intercept():
    rng = np.random.default_rng(0)
    X = rng.random((200, 3)) + 0.1
    y = X @ [1.0, 2.0, 3.0] * rng.gamma(20.0, 1 / 20, size=200)
    model = TweedieRegressor(
        power=2, link="identity", fit_intercept=False, alpha=0.0
    ).fit(X, y)
    np.testing.assert_allclose(model.coef_, [1.0, 2.0, 3.0], rtol=0.2)
    assert np.all(model.predict(X) > 0)
    with pytest.raises(ValueError, match="predictions of all rows must be positive"):
        TweedieRegressor(power=2, link="identity", fit_intercept=False).fit(
            np.vstack([X, -X]), np.concatenate([y, y])
        )


def test_single_row_is_the_same_as_in_a_batch():
    X, y = make_data()
    model = PoissonRegressor().fit(X, y)
    rows = [model.predict(X[i : i + 1])[0] for i in range(20)]
    np.testing.assert_array_equal(rows, model.predict(X)[:20])
