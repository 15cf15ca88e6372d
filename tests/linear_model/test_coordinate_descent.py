"""Lasso and elastic nets: scikit-learn's optimum, and what is ours alone."""

import warnings

import numpy as np
import pytest
import sklearn.linear_model as theirs
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

import sklearnx.linear_model as ours
from sklearnx._compat import SKLEARN_VERSION
from sklearnx._glm.path_cv import SolvedFolds

TIGHT = {"tol": 1e-10, "max_iter": 100_000}
SINGLE = ["Lasso", "ElasticNet"]
JOINT = ["MultiTaskLasso", "MultiTaskElasticNet"]


def make_data(n_rows=80, n_columns=30, n_targets=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_columns)) + 0.3 * rng.standard_normal(
        (n_rows, 1)
    )
    X += 0.5
    shape = (n_columns,) if n_targets is None else (n_columns, n_targets)
    coef = np.zeros(shape)
    coef[:6] = rng.standard_normal((6, *shape[1:]))
    y = X @ coef + 0.5 * rng.standard_normal((n_rows, *shape[1:])) - 3.0
    return X, y


def objective(model, X, y, sample_weight=None):
    """What the model minimises, in double."""
    X = X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=np.float64)
    coef = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    Y = np.asarray(y, dtype=np.float64).reshape(len(X), -1)
    residual = Y - X @ coef.T - model.intercept_
    loss = 0.5 * np.average((residual**2).sum(axis=1), weights=sample_weight)
    is_joint = "MultiTask" in type(model).__name__
    norms = np.sqrt((coef**2).sum(axis=0)) if is_joint else np.abs(coef)
    l1 = model.alpha * model.l1_ratio
    return loss + l1 * norms.sum() + 0.5 * (model.alpha - l1) * (coef**2).sum()


def fit_theirs(model, X, y, weights):
    """Fit scikit-learn's model; where it takes no weights, scale the rows by them."""
    if has_fit_parameter(model, "sample_weight"):
        return model.fit(X, y, sample_weight=weights)
    x_mean, y_mean = 0.0, 0.0
    if model.fit_intercept:
        x_mean = np.average(X, axis=0, weights=weights)
        y_mean = np.average(y, axis=0, weights=weights)
    roots = np.sqrt(weights / np.mean(weights))[:, None]
    centred = clone(model).set_params(fit_intercept=False)
    centred.fit(roots * (X - x_mean), roots * (y - y_mean))
    model.coef_ = centred.coef_
    model.intercept_ = y_mean - np.sum(x_mean * model.coef_, axis=1)
    return model


@pytest.mark.parametrize("name", SINGLE + JOINT)
@pytest.mark.parametrize("alpha", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("shape", [(80, 30), (40, 400)])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_objective_is_not_above_scikit_learns(name, alpha, shape, fit_intercept):
    X, y = make_data(*shape, n_targets=3 if name in JOINT else None)
    weights = np.random.default_rng(1).uniform(0.0, 2.0, len(X))
    settings = {"alpha": alpha, "fit_intercept": fit_intercept, "max_iter": 20_000}
    our = getattr(ours, name)(**settings).fit(X, y, sample_weight=weights)
    values = [objective(our, X, y, weights)]
    for tol in (1e-4, 1e-10):
        their = getattr(theirs, name)(**settings, tol=tol)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit_theirs(their, X, y, weights)
        values.append(objective(their, X, y, weights))
    assert values[0] <= values[1] * (1 + 1e-8)
    # The gap is in units of the objective.
    assert values[0] - values[2] <= float(our.dual_gap_) + 1e-9 * values[2]
    our.set_params(**TIGHT).fit(X, y, sample_weight=weights)
    assert objective(our, X, y, weights) <= values[2] * (1 + 1e-9)
    np.testing.assert_allclose(our.coef_, their.coef_, atol=2e-4)
    np.testing.assert_allclose(our.intercept_, their.intercept_, atol=2e-3)


@pytest.mark.parametrize("name", SINGLE + JOINT)
@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sparse_and_dense_agree(name, container, dtype):
    X, y = make_data(60, 300, n_targets=2 if name in JOINT else None)
    X[np.abs(X - 0.5) > 0.6] = 0.0
    X = X.astype(dtype)
    model = getattr(ours, name)(alpha=0.1, tol=1e-9, max_iter=10_000)
    dense = clone(model).fit(X, y)
    held = container(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compressed = clone(model).fit(held, y)
    assert compressed.coef_.dtype == dense.coef_.dtype == dtype
    np.testing.assert_allclose(compressed.coef_, dense.coef_, atol=1e-4)
    np.testing.assert_allclose(compressed.predict(held), dense.predict(X), rtol=1e-4)
    assert sparse.issparse(compressed.sparse_coef_)


@pytest.mark.parametrize("name", SINGLE + JOINT)
@pytest.mark.parametrize("shape", [(70, 20), (70, 300)])
def test_weights_are_repetitions(name, shape):
    X, y = make_data(*shape, n_targets=2 if name in JOINT else None)
    counts = np.random.default_rng(1).integers(0, 4, len(X))
    model = getattr(ours, name)(alpha=0.05, **TIGHT)
    weighted = clone(model).fit(X, y, sample_weight=counts)
    repeated = clone(model).fit(
        np.repeat(X, counts, axis=0), np.repeat(y, counts, axis=0)
    )
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-4)
    np.testing.assert_allclose(
        objective(weighted, X, y, counts), objective(repeated, X, y, counts), rtol=1e-10
    )


@pytest.mark.parametrize(
    "name", [*SINGLE, *JOINT, "LassoCV", "ElasticNetCV", "MultiTaskLassoCV"]
)
def test_same_bits_at_any_number_of_threads(name):
    is_joint = name.startswith("MultiTask")
    X, y = make_data(400, 700, n_targets=2 if is_joint else None)
    fitted = []
    for n_threads in (1, 2, 3):
        model = getattr(ours, name)()
        if name.endswith("CV"):
            model.set_params(alphas=8, eps=0.05, n_jobs=n_threads)
        else:
            model.set_params(alpha=0.05)
        with threadpool_limits(n_threads):
            model.fit(X, y)
        fitted.append((model.coef_, model.intercept_, model.dual_gap_))
    for other in fitted[1:]:
        for a, b in zip(fitted[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_order_of_columns_and_storage_is_not_copied_or_changed():
    X, y = make_data(50, 300)
    for table in (X, np.asfortranarray(X), X[:, ::-1], X[::2]):
        before = table.copy()
        target = y[: len(table)]
        model = ours.Lasso(alpha=0.1, copy_X=False).fit(table, target)
        np.testing.assert_array_equal(table, before)
        expected = theirs.Lasso(alpha=0.1, tol=1e-10).fit(before, target)
        value = objective(model, table, target)
        assert value <= objective(expected, table, target) * (1 + 1e-6)


@pytest.mark.parametrize("precompute", [True, "array"])
def test_gram_matrix_of_the_user(precompute):
    X, y = make_data(80, 300)
    X = X - X.mean(axis=0)
    expected = ours.ElasticNet(alpha=0.1, **TIGHT).fit(X, y)
    gram = X.T @ X if precompute == "array" else True
    model = ours.ElasticNet(alpha=0.1, precompute=gram, **TIGHT).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-4)
    with pytest.raises(ValueError, match="precompute has shape"):
        ours.Lasso(precompute=np.eye(3)).fit(X, y)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize(
    "bounds", [(-0.1, 0.4), (0.2, np.inf), (0.0, 0.0), (-np.inf, 0)]
)
@pytest.mark.parametrize("shape", [(60, 10), (40, 300)])
def test_bounds(l1_ratio, bounds, shape):
    X, y = make_data(*shape)
    model = ours.ElasticNet(
        alpha=0.1, l1_ratio=l1_ratio, bounds=bounds, tol=1e-9, max_iter=100_000
    ).fit(X, y)
    assert (model.coef_ >= bounds[0]).all()
    assert (model.coef_ <= bounds[1]).all()
    assert 0 <= model.dual_gap_ + 1e-12
    assert model.dual_gap_ <= 1e-9 * np.var(y)
    # No feasible move of one coefficient helps.
    best = objective(model, X, y)
    rng = np.random.default_rng(0)
    for j in rng.permutation(shape[1])[:10]:
        for step in (-0.05, 0.05):
            moved = clone(model)
            moved.coef_ = model.coef_.copy()
            moved.coef_[j] = np.clip(moved.coef_[j] + step, *bounds)
            moved.intercept_ = np.mean(y - X @ moved.coef_)
            assert objective(moved, X, y) >= best - 1e-9


def test_positive_is_a_bound():
    X, y = make_data(50, 300, seed=1)
    y = np.abs(y) + X[:, 7]
    positive = ours.Lasso(alpha=0.05, positive=True, **TIGHT).fit(X, y)
    bounded = ours.Lasso(alpha=0.05, bounds=(0, np.inf), **TIGHT).fit(X, y)
    np.testing.assert_array_equal(positive.coef_, bounded.coef_)
    expected = theirs.Lasso(alpha=0.05, positive=True, **TIGHT).fit(X, y)
    assert (positive.coef_ > 0).any()
    assert objective(positive, X, y) <= objective(expected, X, y) * (1 + 1e-9)


@pytest.mark.parametrize("shape", [(60, 10), (40, 300)])
def test_penalty_weights_are_scaled_columns(shape):
    """Dividing a column by c multiplies the penalty of its coefficient by c."""
    X, y = make_data(*shape)
    c = np.random.default_rng(0).uniform(0.5, 3.0, shape[1])
    weighted = ours.Lasso(alpha=0.05, penalty_weights=c, **TIGHT).fit(X, y)
    scaled = ours.Lasso(alpha=0.05, **TIGHT).fit(X / c, y)
    np.testing.assert_allclose(weighted.coef_, scaled.coef_ / c, atol=1e-4)


def test_free_coefficients():
    X, y = make_data()
    c = np.ones(30)
    c[[2, 20]] = 0.0
    model = ours.Lasso(alpha=1e6, penalty_weights=c, **TIGHT).fit(X, y)
    expected = theirs.LinearRegression().fit(X[:, [2, 20]], y)
    np.testing.assert_allclose(model.coef_[[2, 20]], expected.coef_, atol=1e-6)
    assert np.count_nonzero(model.coef_) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"penalty_weights": [1.0, 2.0]}, "penalty_weights has shape"),
        ({"penalty_weights": -np.ones(30)}, "penalty_weights must not be negative"),
        ({"bounds": (1.0, 0.0)}, "bounds has lower ends above"),
        ({"bounds": (np.zeros(3), 1.0)}, "lower end of bounds"),
        ({"bounds": (0.0, np.nan)}, "upper end of bounds contains NaN"),
    ],
)
def test_messages(settings, message):
    X, y = make_data()
    with pytest.raises(ValueError, match=message):
        ours.Lasso(**settings).fit(X, y)


@pytest.mark.parametrize("name", [*SINGLE, "LassoCV"])
def test_bad_input(name):
    X, y = make_data()
    model = getattr(ours, name)()
    for bad in (np.nan, np.inf):
        spoilt = X.copy()
        spoilt[3, 4] = bad
        with pytest.raises(ValueError, match="Input X contains"):
            model.fit(spoilt, y)
        with pytest.raises(ValueError, match="Input X contains"):
            model.fit(sparse.csr_array(spoilt), y)
        spoilt = y.copy()
        spoilt[5] = bad
        with pytest.raises(ValueError, match="Input y contains"):
            model.fit(X, spoilt)
    with pytest.raises(ValueError, match="Negative values in data"):
        model.fit(X, y, sample_weight=-np.ones(80))
    with pytest.raises(ValueError, match="non-zero"):
        model.fit(X, y, sample_weight=np.zeros(80))


@pytest.mark.parametrize("name", SINGLE + JOINT)
@pytest.mark.parametrize("n_columns", [12, 280])
def test_degenerate_columns(name, n_columns):
    """Constant, duplicated, huge and tiny columns do not spoil the others."""
    X, y = make_data(50, n_columns, n_targets=2 if name in JOINT else None)
    X[:, 1] = 7.0
    X[:, 2] = 1e8 / 3
    X[:, 3] = X[:, 0]
    X[:, 4] *= 1e9
    X[:, 5] *= 1e-9
    model = getattr(ours, name)(alpha=0.01, max_iter=20_000).fit(X, y)
    coef = np.atleast_2d(model.coef_)
    assert np.isfinite(coef).all()
    assert not coef[:, [1, 2]].any()
    their = getattr(theirs, name)(alpha=0.01, max_iter=5_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        their.fit(X, y)
    assert objective(model, X, y) <= objective(their, X, y) * (1 + 1e-6)


def test_all_is_zero_or_constant():
    for value in (0.0, 5.0):
        X = np.full((10, 3), value)
        model = ours.Lasso(alpha=0.1).fit(X, np.arange(10.0))
        np.testing.assert_array_equal(model.coef_, 0.0)
        assert model.intercept_ == 4.5
    X, _ = make_data()
    model = ours.Lasso(alpha=0.1).fit(X, np.full(80, value))
    np.testing.assert_array_equal(model.predict(X), value)
    assert model.dual_gap_ == 0.0


def test_several_targets_are_fitted_one_by_one():
    X, Y = make_data(40, 300, n_targets=3)
    together = ours.ElasticNet(alpha=0.1).fit(X, Y)
    assert together.coef_.shape == (3, 300)
    assert len(together.n_iter_) == 3
    for k in range(3):
        alone = ours.ElasticNet(alpha=0.1).fit(X, Y[:, k])
        np.testing.assert_allclose(together.coef_[k], alone.coef_, atol=1e-4)
        assert together.intercept_[k] == pytest.approx(alone.intercept_, abs=1e-3)


def test_warning_says_what_to_do():
    X, y = make_data(40, 300)
    with pytest.warns(ConvergenceWarning, match="increase the number of iterations"):
        ours.Lasso(alpha=1e-4, max_iter=2).fit(X, y)


def test_warm_start_shortens_the_second_fit():
    X, y = make_data(60, 400)
    model = ours.Lasso(alpha=0.02, warm_start=True).fit(X, y)
    first = model.n_iter_
    model.set_params(alpha=0.019).fit(X, y)
    assert 0 <= model.n_iter_ < first
    cold = ours.Lasso(alpha=0.019).fit(X, y)
    assert objective(model, X, y) <= objective(cold, X, y) + model.dual_gap_


@pytest.mark.parametrize("n_targets", [None, 2])
@pytest.mark.parametrize("shape", [(80, 30), (40, 500)])
def test_paths(n_targets, shape):
    X, y = make_data(*shape, n_targets=n_targets)
    X, y = X - X.mean(axis=0), y - y.mean(axis=0)
    alphas, coefs, gaps = ours.lasso_path(X, y, alphas=20, eps=0.01, tol=1e-8)
    expected = theirs.lasso_path(X, y, alphas=alphas, tol=1e-10, max_iter=100_000)
    np.testing.assert_array_equal(alphas, expected[0])
    np.testing.assert_allclose(coefs, expected[1], atol=1e-2)
    assert coefs.shape == expected[1].shape
    name = "Lasso" if n_targets is None else "MultiTaskLasso"
    for i, alpha in enumerate(alphas):
        models = []
        for path in (coefs, expected[1]):
            model = getattr(ours, name)(alpha=alpha)
            model.coef_, model.intercept_ = path[..., i], 0.0
            models.append(objective(model, X, y))
        assert models[0] <= models[1] * (1 + 1e-8)
        assert models[0] - models[1] <= gaps[i] + 1e-12


@pytest.mark.parametrize("shape", [(100, 20), (60, 400)])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("name", ["LassoCV", "ElasticNetCV", "MultiTaskElasticNetCV"])
def test_cross_validation_agrees_with_scikit_learns(shape, is_weighted, name):
    X, y = make_data(*shape, n_targets=2 if "MultiTask" in name else None)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(X)) if is_weighted else None
    settings = {"alphas": 12, "eps": 0.02, "cv": 4, "tol": 1e-7, "max_iter": 20_000}
    if name != "LassoCV":
        settings["l1_ratio"] = [0.4, 0.9]
    our = getattr(ours, name)(**settings).fit(X, y, sample_weight=weights)
    assert our.dual_gap_ >= -1e-12
    their = getattr(theirs, name)
    params = {} if weights is None else {"sample_weight": weights}
    if is_weighted and not has_fit_parameter(their, "sample_weight"):
        pytest.skip(f"{name} of this scikit-learn takes no weights")
    if SKLEARN_VERSION < (1, 7):  # where alphas may not be a number
        settings["n_alphas"] = settings.pop("alphas")
    their = their(**settings).fit(X, y, **params)
    np.testing.assert_allclose(our.alphas_, their.alphas_, rtol=1e-10)
    np.testing.assert_allclose(our.mse_path_, their.mse_path_, rtol=1e-3)
    assert our.mse_path_.shape == their.mse_path_.shape
    assert our.alpha_ == pytest.approx(their.alpha_)
    np.testing.assert_allclose(our.coef_, their.coef_, atol=1e-2)


def test_cross_validation_with_additions():
    X, y = make_data(60, 300)
    factors = np.ones(300)
    factors[0] = 0.0
    model = ours.LassoCV(
        alphas=5, cv=3, penalty_weights=factors, bounds=(-0.5, 0.7)
    ).fit(X, y)
    assert model.coef_[0] != 0.0
    assert model.coef_.min() >= -0.5
    assert model.coef_.max() <= 0.7


def test_largest_alpha_of_the_grid_leaves_free_coefficients():
    """With free coefficients the grid starts where all others are zero."""
    X, y = make_data()
    factors = np.ones(30)
    factors[0] = 0.0
    model = ours.LassoCV(alphas=1, eps=1, cv=3, penalty_weights=factors).fit(X, y)
    at_top = ours.Lasso(alpha=model.alpha_, penalty_weights=factors, **TIGHT).fit(X, y)
    assert np.abs(at_top.coef_[1:]).max() < 1e-6
    below = ours.Lasso(alpha=0.99 * model.alpha_, penalty_weights=factors, **TIGHT).fit(
        X, y
    )
    assert np.count_nonzero(below.coef_) > 1


@pytest.mark.parametrize("name", ["MCPRegression", "SCADRegression"])
def test_concave_penalties_do_not_shrink_large_coefficients(name):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 400))
    coef = np.zeros(400)
    coef[:5] = [3.0, -2.5, 4.0, -3.0, 2.0]
    y = X @ coef + 0.2 * rng.standard_normal(120) + 1.0
    model = getattr(ours, name)(alpha=0.3).fit(X, y)
    np.testing.assert_array_equal(np.flatnonzero(model.coef_), np.arange(5))
    oracle = theirs.LinearRegression().fit(X[:, :5], y)
    np.testing.assert_allclose(model.coef_[:5], oracle.coef_, atol=1e-5)
    assert model.intercept_ == pytest.approx(oracle.intercept_, abs=1e-5)
    lasso = ours.Lasso(alpha=0.3).fit(X, y)
    assert np.abs(lasso.coef_[:5] - oracle.coef_).max() > 0.1
    compressed = clone(model).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(compressed.coef_, model.coef_, atol=1e-9)
    weighted = clone(model).fit(X, y, sample_weight=np.full(120, 2.0))
    np.testing.assert_allclose(weighted.coef_, model.coef_, atol=1e-9)


@pytest.mark.parametrize("name", ["MCPRegression", "SCADRegression"])
def test_concave_penalties_come_close_to_the_lasso(name):
    X, y = make_data()
    model = getattr(ours, name)(alpha=0.1, gamma=1e7).fit(X, y)
    lasso = ours.Lasso(alpha=0.1, **TIGHT).fit(X, y)
    np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-4)


def test_concave_penalties_warn_and_free_coefficients():
    X, y = make_data()
    factors = np.ones(30)
    factors[3] = 0.0
    model = ours.MCPRegression(alpha=1e3, penalty_weights=factors).fit(X, y)
    assert np.flatnonzero(model.coef_).tolist() == [3]
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        ours.MCPRegression(alpha=1e-3, max_iter=1, tol=1e-12).fit(X, y)


@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
def test_paths_that_start_with_all_columns(container):
    X, y = make_data(50, 600)
    X[np.abs(X - 0.5) > 0.6] = 0.0
    alphas = [0.5, 0.3, 0.1]
    start = {"coef_init": np.ones(600), "max_iter": 10_000}
    _, coefs, _ = ours.enet_path(container(X), y, alphas=alphas, tol=1e-8, **start)
    _, expected, _ = ours.enet_path(X, y, alphas=alphas, tol=1e-8)
    np.testing.assert_allclose(coefs, expected, atol=1e-5)


def test_paths_of_many_targets():
    """Steps that are checked one by one are steps of a path all the same."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 700))
    Y = X @ rng.standard_normal((700, 20))
    arguments = {"alphas": [8.0, 4.0], "tol": 1e-6, "max_iter": 10_000}
    _, coefs, _ = ours.lasso_path(X, Y, **arguments)
    _, expected, _ = theirs.lasso_path(X, Y, **arguments)
    np.testing.assert_allclose(coefs, expected, atol=2e-2)
    model = ours.MultiTaskLassoCV(alphas=[8.0, 4.0], cv=3).fit(X, Y)
    assert np.isfinite(model.mse_path_).all()


def test_an_offset_that_is_not_the_mean():
    X = sparse.random(300, 400, 0.05, random_state=0)
    X = X.tocsc()
    y = np.asarray(X[:, :20].sum(axis=1)) + 0.1
    arguments = {"alphas": np.geomspace(0.05, 0.002, 12), "tol": 1e-8}
    offset = np.full(400, 0.3)
    _, coefs, _ = ours.enet_path(
        X, y, X_offset=offset, X_scale=np.ones(400), check_input=False, **arguments
    )
    _, expected, _ = ours.enet_path(X.toarray() - offset, y, **arguments)
    np.testing.assert_allclose(coefs, expected, atol=1e-4)


def test_folds_stay_within_bounds(monkeypatch):
    X, y = make_data(200, 10)
    seen = []
    original = SolvedFolds.find_median

    def find_median(self, i, n_columns):
        seen.extend(step.coef.max() for track in self.tracks for step in track.steps)
        return original(self, i, n_columns)

    monkeypatch.setattr(SolvedFolds, "find_median", find_median)
    free = ours.LassoCV(cv=3, alphas=30).fit(X, y)
    bound = 0.5 * free.coef_.max()
    seen.clear()
    ours.LassoCV(bounds=(-np.inf, bound), cv=3, alphas=30).fit(X, y)
    assert max(seen) == bound


def test_the_fit_after_cross_validation_stops_as_any_other():
    """Also of so many columns that it sweeps over them."""
    X, y = make_data(150, 1_500)
    model = ours.ElasticNetCV(l1_ratio=0.1, cv=3).fit(X, y)
    single = ours.ElasticNet(alpha=model.alpha_, l1_ratio=0.1).fit(X, y)
    assert np.count_nonzero(model.coef_) > 300
    assert model.n_iter_ <= 2 * single.n_iter_
    np.testing.assert_allclose(model.predict(X), single.predict(X), atol=0.02)
