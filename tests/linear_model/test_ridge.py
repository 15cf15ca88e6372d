"""Ridge, RidgeClassifier and their cross-validated forms."""

import pickle

import numpy as np
import pytest
import sklearn.linear_model
from scipy import sparse
from sklearn import config_context
from sklearn.datasets import (
    load_breast_cancer,
    load_iris,
    make_multilabel_classification,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit
from threadpoolctl import threadpool_limits

from sklearnx.linear_model import Ridge, RidgeClassifier, RidgeClassifierCV, RidgeCV

CONTAINERS = [np.asarray, np.asfortranarray, sparse.csr_array, sparse.csc_array]
SOLVERS = ["auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga"]


def make_data(n_rows=50, n_columns=6, n_targets=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns)) * (rng.random((n_rows, n_columns)) < 0.6)
    X += 0.5 * (X != 0)
    Y = X[:, :3] @ rng.normal(size=(3, n_targets or 1)) + 0.3 * rng.normal(
        size=(n_rows, n_targets or 1)
    )
    return X, Y[:, 0] if n_targets is None else Y


def compute_objective(model, X, y, weights=1.0):
    residuals = y - X @ model.coef_.T - model.intercept_
    alpha = np.asarray(model.alpha)
    penalty = np.sum(alpha * (model.coef_**2).sum(axis=-1))
    return np.sum((np.asarray(weights) * (residuals**2).T).T) + penalty


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", [(50, 6), (6, 50)])
@pytest.mark.parametrize("n_targets", [None, 3])
@pytest.mark.parametrize("container", CONTAINERS)
def test_every_solver_reaches_the_optimum(solver, shape, n_targets, container):
    X, y = make_data(*shape, n_targets)
    weights = np.random.default_rng(1).uniform(0.5, 2, shape[0])
    alpha = 0.7 if n_targets is None else np.array([0.1, 1.0, 30.0])
    settings = {"alpha": alpha, "tol": 1e-10}
    reference = sklearn.linear_model.Ridge(solver="svd", **settings)
    reference.fit(X, y, sample_weight=weights)
    model = Ridge(solver=solver, **settings)
    if solver in ("svd", "cholesky", "saga") and sparse.issparse(container(X)):
        with pytest.raises(ValueError, match="does not support fitting the intercept"):
            model.fit(container(X), y)
        return
    model.fit(container(X), y, sample_weight=weights)
    assert model.coef_.shape == reference.coef_.shape
    best = compute_objective(reference, X, y, weights)
    assert compute_objective(model, X, y, weights) <= best * (1 + 1e-8)
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.intercept_, reference.intercept_, atol=1e-6)
    assert (model.n_iter_ is None) == (solver not in ("lsqr", "sag", "saga"))
    if solver != "auto":
        assert model.solver_ == solver


@pytest.mark.parametrize("solver", ["auto", "lsqr", "sag"])
def test_float32_stays(solver):
    X, y = make_data()
    X32 = X.astype(np.float32)
    model = Ridge(solver=solver, tol=1e-9).fit(X32, y)
    expected = Ridge().fit(X32.astype(np.float64), y)
    assert model.coef_.dtype == np.float32
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)


@pytest.mark.parametrize("solver", ["auto", "svd", "lsqr"])
@pytest.mark.parametrize("shape", [(50, 6), (12, 30)])
@pytest.mark.parametrize("positive", [False, True])
def test_weights_are_repetitions(solver, shape, positive):
    X, y = make_data(*shape)
    weights = np.random.default_rng(1).integers(0, 3, shape[0])
    rows = np.repeat(np.arange(shape[0]), weights)
    settings = {"solver": "auto" if positive else solver, "positive": positive}
    model = Ridge(tol=1e-12, **settings).fit(X, y, sample_weight=weights)
    repeated = Ridge(tol=1e-12, **settings).fit(X[rows], y[rows])
    np.testing.assert_allclose(model.coef_, repeated.coef_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(model.intercept_, repeated.intercept_, rtol=1e-8)


@pytest.mark.parametrize("container", CONTAINERS)
def test_positive_reaches_the_optimum(container):
    X, y = make_data(80, 12)
    model = Ridge(alpha=0.5, positive=True).fit(container(X), y)
    reference = sklearn.linear_model.Ridge(alpha=0.5, positive=True, tol=1e-12)
    reference.fit(X, y)
    assert (model.coef_ >= 0).all()
    best = compute_objective(reference, X, y)
    assert compute_objective(model, X, y) <= best * (1 + 1e-8)
    assert model.solver_ == "lbfgs"


def test_too_few_iterations_warn():
    X, y = make_data()
    for solver in ("lsqr", "sparse_cg", "sag", "saga"):
        with pytest.warns(ConvergenceWarning, match="Increase max_iter"):
            Ridge(solver=solver, max_iter=1, tol=1e-12).fit(X, y)


def test_bad_parameters_are_told():
    X, y = make_data()
    with pytest.raises(ValueError, match="penalties do not correspond: 2 != 1"):
        Ridge(alpha=[1.0, 2.0]).fit(X, y)
    with pytest.raises(ValueError, match="alpha must be finite and not negative"):
        Ridge(alpha=[-1.0]).fit(X, y)
    with pytest.raises(ValueError, match="'lbfgs' solver can be used only"):
        Ridge(solver="lbfgs").fit(X, y)
    with pytest.raises(ValueError, match="does not support positive"):
        Ridge(solver="svd", positive=True).fit(X, y)
    with pytest.raises(TypeError, match="SVD solver does not support sparse"):
        Ridge(solver="svd", fit_intercept=False).fit(sparse.csr_array(X), y)
    with pytest.raises(ValueError, match="at least one non-zero"):
        Ridge().fit(X, y, sample_weight=np.zeros(50))


@pytest.mark.parametrize("alpha", [0.0, 1e-20, 1e20])
@pytest.mark.parametrize("container", CONTAINERS)
def test_degenerate_data_give_finite_models(alpha, container):
    X, y = make_data()
    tables = [
        np.column_stack([X, X]),
        np.column_stack([X, np.full(50, 0.1)]),
        X * np.logspace(-9, 9, 6),
        X + 1e9,
        np.zeros((50, 3)),
    ]
    for table in tables:
        model = Ridge(alpha=alpha).fit(container(table), y)
        assert np.isfinite(model.coef_).all()
        assert np.isfinite(model.intercept_)
        spread = np.sum((y - y.mean()) ** 2)
        assert np.sum((y - model.predict(container(table))) ** 2) < spread * 1.0001


@pytest.mark.parametrize("estimator", [Ridge(), Ridge(solver="lsqr"), RidgeCV()])
@pytest.mark.parametrize("container", CONTAINERS)
def test_bits_do_not_depend_on_threads(estimator, container):
    X, y = make_data(30_000, 12, 2)
    X = container(X)
    bits = []
    for limit in (1, 2, 3):
        with threadpool_limits(limit):
            bits.append(pickle.dumps(estimator.fit(X, y).coef_))
    assert bits[0] == bits[1] == bits[2]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}])
@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_classifier_equals_scikit_learn(container, class_weight, load):
    X, y = load(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y))
    settings = {"class_weight": class_weight, "alpha": 2.0}
    expected = sklearn.linear_model.RidgeClassifier(**settings)
    expected.fit(X, y, sample_weight=weights)
    model = RidgeClassifier(**settings).fit(container(X), y, sample_weight=weights)
    assert model.coef_.shape == expected.coef_.shape
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, atol=1e-10)
    np.testing.assert_array_equal(model.predict(container(X)), expected.predict(X))


def test_classifier_of_several_labels():
    X, Y = make_multilabel_classification(random_state=0)
    for ours in (RidgeClassifier, RidgeClassifierCV):
        name = ours.__name__
        model = ours().fit(X, Y)
        expected = getattr(sklearn.linear_model, name)().fit(X, Y)
        np.testing.assert_array_equal(model.predict(X), expected.predict(X))


@pytest.mark.parametrize("gcv_mode", [None, "svd", "eigen"])
@pytest.mark.parametrize("shape", [(50, 6), (15, 40)])
@pytest.mark.parametrize("scoring", [None, "r2", "neg_mean_absolute_error"])
@pytest.mark.parametrize("n_targets", [None, 3])
@pytest.mark.parametrize("per_target", [True, False])
def test_leave_one_out_equals_scikit_learn(
    gcv_mode, shape, scoring, n_targets, per_target
):
    if n_targets is None and per_target and scoring is not None:
        pytest.skip("scikit-learn has no answer to this")
    X, y = make_data(*shape, n_targets)
    weights = np.random.default_rng(1).uniform(0.5, 2, shape[0])
    settings = {
        "alphas": [0.01, 1.0, 30.0],
        "gcv_mode": gcv_mode,
        "scoring": scoring,
        "store_cv_results": True,
        "alpha_per_target": per_target,
    }
    expected = sklearn.linear_model.RidgeCV(**settings)
    expected.fit(X, y, sample_weight=weights)
    model = RidgeCV(**settings).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(model.alpha_, expected.alpha_)
    assert np.shape(model.alpha_) == np.shape(expected.alpha_)
    np.testing.assert_allclose(model.best_score_, expected.best_score_, rtol=1e-7)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(model.cv_results_, expected.cv_results_, rtol=1e-6)
    settings["store_cv_results"] = False
    lean = RidgeCV(**settings).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(lean.best_score_, model.best_score_, rtol=1e-10)
    assert not hasattr(lean, "cv_results_")


def test_rows_without_weight_are_predicted_too():
    X, y = make_data(30)
    weights = np.ones(30)
    weights[:4] = 0.0
    settings = {"alphas": [1.0], "store_cv_results": True, "scoring": "r2"}
    model = RidgeCV(**settings).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(model.cv_results_[:4, 0], model.predict(X[:4]))


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("shape", [(60, 6), (40, 70)])
@pytest.mark.parametrize("cv", [4, KFold(9), TimeSeriesSplit(3)])
@pytest.mark.parametrize("weighted", [True, False])
def test_folds_equal_a_grid_search(container, shape, cv, weighted):
    X, y = make_data(*shape)
    X = container(X)
    weights = None
    if weighted:
        weights = list(np.random.default_rng(1).uniform(0, 2, shape[0]))
    alphas = np.array([0.001, 1.0, 50.0])
    scoring = "neg_mean_squared_error"
    # Older scikit-learn weights the scores of a search with routing only.
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            Ridge().set_fit_request(sample_weight=True),
            {"alpha": alphas},
            cv=cv,
            scoring=get_scorer(scoring).set_score_request(sample_weight=True),
        ).fit(X, y, sample_weight=weights)
    model = RidgeCV(alphas, cv=cv, scoring=scoring).fit(X, y, sample_weight=weights)
    assert model.alpha_ == search.best_params_["alpha"]
    assert model.best_score_ == pytest.approx(search.best_score_, rel=1e-6)
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_, rtol=1e-7)


@pytest.mark.parametrize("cv", [None, 5])
@pytest.mark.parametrize("scoring", [None, "accuracy", "roc_auc"])
def test_classifier_cv_of_two_classes(cv, scoring):
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    X, y = X[::4], np.array(["no", "yes"])[y[::4]]
    alphas = [1e-3, 1.0, 1e4]
    model = RidgeClassifierCV(alphas, cv=cv, scoring=scoring).fit(X, y)
    if cv is None and scoring is not None:
        # Against each row left out in turn.
        search_cv = KFold(len(y))
        scores = []
        for alpha in alphas:
            raw = np.empty(len(y))
            for train, test in search_cv.split(X):
                part = RidgeClassifier(alpha).fit(X[train], y[train])
                raw[test] = part.decision_function(X[test])
            if scoring == "accuracy":
                scores.append(np.mean((raw > 0) == (y == "yes")))
            else:
                scores.append(sklearn.metrics.roc_auc_score(y, raw))
        assert model.best_score_ == pytest.approx(max(scores))
        assert model.alpha_ == alphas[int(np.argmax(scores))]
    elif cv is not None:
        search = GridSearchCV(
            RidgeClassifier(), {"alpha": alphas}, cv=cv, scoring=scoring
        ).fit(X, y)
        assert model.alpha_ == search.best_params_["alpha"]
        assert model.best_score_ == pytest.approx(search.best_score_)
    expected = RidgeClassifier(model.alpha_).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6, atol=1e-9)
    assert set(model.predict(X)) == {"no", "yes"}


def test_cv_refuses_what_it_cannot_do():
    X, y = make_data()
    with pytest.raises(ValueError, match="needs at least 2, got n_samples=1"):
        RidgeCV().fit(X[:1], y[:1])
    with pytest.raises(ValueError, match="store_cv_results=True are incompatible"):
        RidgeCV(cv=3, store_cv_results=True).fit(X, y)
    with pytest.raises(ValueError, match=r"alphas\[1\] == 0.0, must be > 0"):
        RidgeCV([1.0, 0.0]).fit(X, y)
    with pytest.warns(FutureWarning, match="'svd' mode is not supported for sparse"):
        RidgeCV(gcv_mode="svd").fit(sparse.csr_array(X), y)


@pytest.mark.parametrize("n_targets", [None, 3])
def test_sparse_tables_are_tried_by_iterations(n_targets):
    """As good as the direct method, which follows where they are not enough."""
    rng = np.random.default_rng(0)
    X = sparse.random(900, 600, 0.02, "csr", random_state=0)
    y = rng.standard_normal(900 if n_targets is None else (900, n_targets)) + X.sum()
    model = Ridge(alpha=1.0).fit(X, y)
    dense = Ridge(alpha=1.0).fit(X.toarray(), y)
    assert (model.solver_, dense.solver_) == ("sparse_cg", "cholesky")
    scale = np.abs(dense.coef_).max()
    np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-6 * scale)
    np.testing.assert_allclose(model.predict(X), dense.predict(X), rtol=1e-6)

    scaled = X @ sparse.diags(np.geomspace(1e-3, 1e3, 600))
    model = Ridge(alpha=1.0).fit(scaled, y)
    dense = Ridge(alpha=1.0).fit(scaled.toarray(), y)
    assert model.solver_ == "cholesky"
    np.testing.assert_allclose(model.predict(scaled), dense.predict(scaled), rtol=1e-6)
