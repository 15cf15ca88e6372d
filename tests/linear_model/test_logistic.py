"""Logistic regression and its cross-validation."""

import warnings

import numpy as np
import pytest
import sklearn.linear_model
import threadpoolctl
from scipy import sparse
from sklearn.datasets import load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from sklearnx._compat import SKLEARN_VERSION
from sklearnx._glm.design import DenseDesign
from sklearnx.linear_model import LogisticRegression, LogisticRegressionCV
from sklearnx.linear_model._class_rows import encode_labels

SOLVERS = ["lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"]
over_classes = pytest.mark.parametrize("n_classes", [2, 4])


def make_data(n_rows=300, n_columns=6, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns)) * np.linspace(0.5, 3, n_columns)
    W = rng.normal(size=(n_columns, n_classes))
    y = np.argmax(0.4 * X @ W + rng.gumbel(size=(n_rows, n_classes)), axis=1)
    return X, y


def name_penalty(l1_ratio):
    """What scikit-learn < 1.8 needs to be told in order to heed `l1_ratio`."""
    if SKLEARN_VERSION >= (1, 8):
        return {}
    return {"penalty": {0: "l2", 1: "l1"}.get(l1_ratio, "elasticnet")}


def compute_objective(model, X, y, C=1.0, l1_ratio=0.0, weights=None):
    raw = np.asarray(X @ model.coef_.T + model.intercept_, dtype=np.float64)
    if raw.shape[1] == 1:
        losses = np.logaddexp(0, raw[:, 0]) - y * raw[:, 0]
    else:
        losses = np.logaddexp.reduce(raw, axis=1) - raw[np.arange(len(y)), y]
    coef = model.coef_.astype(np.float64)
    penalty = l1_ratio * np.abs(coef).sum() + (1 - l1_ratio) / 2 * (coef**2).sum()
    return C * np.sum(losses if weights is None else weights * losses) + penalty


@over_classes
@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg", "newton-cholesky", "sag"])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_ridge_is_no_worse_than_scikit_learn(n_classes, solver, C, fit_intercept):
    X, y = make_data(n_classes=n_classes)
    ours = LogisticRegression(C=C, solver=solver, fit_intercept=fit_intercept).fit(X, y)
    theirs = sklearn.linear_model.LogisticRegression(
        C=C, solver="newton-cholesky", fit_intercept=fit_intercept, tol=1e-10
    ).fit(X, y)
    assert isinstance(ours, sklearn.linear_model.LogisticRegression)
    best = compute_objective(theirs, X, y, C)
    assert compute_objective(ours, X, y, C) <= best * (1 + 1e-8)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(
        ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4
    )


@over_classes
@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
@pytest.mark.parametrize("C", [0.01, 0.3])
def test_elastic_net_is_no_worse_than_scikit_learn(n_classes, l1_ratio, C):
    X, y = make_data(n_classes=n_classes)
    settings = {"C": C, "l1_ratio": l1_ratio, "solver": "saga"}
    ours = LogisticRegression(**settings).fit(X, y)
    # Moving one column's coefficients of all classes may leave an l1 penalty the same;
    # the zeros are then those of one optimum of many, which the order of rows chooses.
    theirs = sklearn.linear_model.LogisticRegression(
        tol=1e-7,
        max_iter=3000,
        random_state=0,
        **settings,
        **name_penalty(l1_ratio),
    ).fit(X, y)
    best = compute_objective(theirs, X, y, C, l1_ratio)
    assert compute_objective(ours, X, y, C, l1_ratio) <= best * (1 + 1e-8)
    np.testing.assert_array_equal(ours.coef_ == 0, np.abs(theirs.coef_) < 1e-6)


@pytest.mark.parametrize("l1_ratio", [0, 1])
@pytest.mark.parametrize("scaling", [1.0, 20.0])
def test_liblinear_penalises_the_intercept(l1_ratio, scaling):
    X, y = make_data()
    X = X + 1.0
    settings = {
        "solver": "liblinear",
        "l1_ratio": l1_ratio,
        "intercept_scaling": scaling,
        "C": 0.1,
    }
    ours = LogisticRegression(tol=1e-8, **settings).fit(X, y)
    theirs = sklearn.linear_model.LogisticRegression(
        tol=1e-10, max_iter=100_000, **settings, **name_penalty(l1_ratio)
    ).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-4)
    assert ours.fit(X.astype(np.float32), y).coef_.dtype == np.float64


@over_classes
@pytest.mark.parametrize("settings", [{}, {"solver": "saga", "l1_ratio": 0.5}])
@pytest.mark.parametrize(
    "storage",
    [np.asfortranarray, sparse.csr_array, sparse.csc_array, sparse.csr_matrix],
)
def test_storage_does_not_matter(n_classes, settings, storage):
    X, y = make_data(n_classes=n_classes)
    dense = LogisticRegression(**settings).fit(X, y)
    other = LogisticRegression(**settings).fit(storage(X), y)
    np.testing.assert_allclose(other.coef_, dense.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(other.predict(storage(X)), dense.predict(X))


@over_classes
@pytest.mark.parametrize("settings", [{}, {"solver": "saga", "l1_ratio": 1.0}])
def test_weights_are_repetitions(n_classes, settings):
    X, y = make_data(n_classes=n_classes)
    weights = np.random.default_rng(1).integers(0, 4, size=len(y))
    weighted = LogisticRegression(**settings).fit(X, y, weights)
    repeated = LogisticRegression(**settings).fit(
        np.repeat(X, weights, axis=0), np.repeat(y, weights)
    )
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6, atol=1e-9)


@over_classes
def test_class_weight_is_a_row_weight(n_classes):
    X, y = make_data(n_classes=n_classes)
    of_classes = dict(enumerate(np.linspace(0.5, 2.0, n_classes)))
    by_class = LogisticRegression(class_weight=of_classes).fit(X, y)
    by_row = LogisticRegression().fit(X, y, np.vectorize(of_classes.get)(y))
    np.testing.assert_array_equal(by_class.coef_, by_row.coef_)
    balanced = LogisticRegression(class_weight="balanced").fit(X, y)
    counts = np.bincount(y)
    by_row = LogisticRegression().fit(X, y, len(y) / (n_classes * counts[y]))
    np.testing.assert_allclose(balanced.coef_, by_row.coef_, rtol=1e-8)


@over_classes
def test_float32(n_classes):
    X, y = make_data(n_classes=n_classes)
    X = X.astype(np.float32)
    model = LogisticRegression().fit(X, y)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    assert model.predict_proba(X).dtype == np.float32
    exact = LogisticRegression().fit(X.astype(np.float64), y)
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-5)


@pytest.mark.parametrize(
    "labels",
    [[-3, 7, 8], [True, False], ["b", "a", "c"], [0.5, 1.0], [10**12, -5, 0]],
)
def test_labels(labels):
    y = np.array(labels)[np.random.default_rng(0).integers(0, len(labels), size=100)]
    if y.dtype.kind == "f":
        y = np.where(y == 0.5, 3.0, 1.0)
    classes, codes = encode_labels(y)
    expected, expected_codes = np.unique(y, return_inverse=True)
    np.testing.assert_array_equal(classes, expected)
    np.testing.assert_array_equal(codes, expected_codes)
    assert classes.dtype == y.dtype
    model = LogisticRegression().fit(np.random.default_rng(1).normal(size=(100, 2)), y)
    assert set(model.predict(np.eye(2))) <= set(classes)


@pytest.mark.parametrize("shape", [(30_000, 10), (200, 6), (100, 300)])
@over_classes
@pytest.mark.parametrize(
    "settings", [{}, {"solver": "saga", "l1_ratio": 0.8, "C": 0.1}]
)
def test_bits_do_not_depend_on_threads(shape, n_classes, settings):
    X, y = make_data(*shape, n_classes)
    coefs = []
    for n_threads in (1, 2, 3):
        with threadpoolctl.threadpool_limits(n_threads):
            coefs.append(LogisticRegression(**settings).fit(X, y).coef_)
    np.testing.assert_array_equal(coefs[0], coefs[1])
    np.testing.assert_array_equal(coefs[0], coefs[2])


@over_classes
def test_separated_classes_without_a_penalty(n_classes):
    rng = np.random.default_rng(0)
    y = np.arange(60) % n_classes
    X = np.eye(n_classes)[y] + 0.01 * rng.normal(size=(60, n_classes))
    with pytest.warns(ConvergenceWarning, match="perfectly separated"):
        model = LogisticRegression(C=np.inf).fit(X, y)
    assert np.all(np.isfinite(model.coef_))
    assert model.score(X, y) == 1.0
    assert model.n_iter_[0] < 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LogisticRegression(C=1e6).fit(X, y)


@over_classes
@pytest.mark.parametrize("solver", ["lbfgs", "saga"])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_hostile_columns(n_classes, solver, l1_ratio):
    if l1_ratio and solver != "saga":
        pytest.skip("lbfgs takes no l1 penalty")
    X, y = make_data(n_classes=n_classes)
    X[:, 1] = X[:, 0]
    X[:, 2] = 5.0
    X[:, 3] *= 1e12
    X[:, 4] *= 1e-12
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(solver=solver, l1_ratio=l1_ratio).fit(X, y)
    assert np.all(np.isfinite(model.coef_))
    assert model.score(X, y) > 1 / n_classes


def test_bad_weights():
    X, y = make_data(50)
    with pytest.raises(ValueError, match="at least one non-zero number"):
        LogisticRegression().fit(X, y, np.zeros(50))
    with pytest.raises(ValueError, match="Negative values in data"):
        LogisticRegression().fit(X, y, -np.ones(50))


@over_classes
def test_warm_start(n_classes):
    X, y = make_data(n_classes=n_classes)
    model = LogisticRegression(warm_start=True, tol=1e-8).fit(X, y)
    n_iter = model.n_iter_[0]
    model.fit(X, y)
    assert model.n_iter_[0] <= 1 < n_iter
    with pytest.raises(ValueError, match="Initialization coef is of shape"):
        model.fit(X, np.arange(len(y)) % 7)


@over_classes
def test_single_row_is_the_same_as_in_a_batch(n_classes):
    X, y = make_data(n_classes=n_classes)
    model = LogisticRegression().fit(X, y)
    for method in ("predict", "predict_proba", "decision_function"):
        batch = getattr(model, method)(X)
        rows = [getattr(model, method)(X[i : i + 1])[0] for i in range(10)]
        np.testing.assert_array_equal(rows, batch[:10])
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), model.predict(X))


def test_predictions_follow_assigned_coefficients():
    X, y = make_data()
    model = LogisticRegression().fit(X, y)
    model.coef_[:] = 0
    model.intercept_[:] = 0
    np.testing.assert_array_equal(model.predict_proba(X), np.full((len(X), 2), 0.5))


# ---- cross-validation ----------------------------------------------------------------


@over_classes
@pytest.mark.parametrize(
    "settings",
    [
        {"l1_ratios": (0.0,)},
        {"l1_ratios": (0.2, 0.9), "solver": "saga", "Cs": [0.05, 0.5]},
    ],
)
def test_cv_finds_what_a_grid_search_finds(n_classes, settings):
    X, y = make_data(n_classes=n_classes)
    folds = StratifiedKFold(3)
    model = LogisticRegressionCV(
        **{"Cs": [0.01, 0.1, 1.0], **settings},
        cv=folds,
        scoring="neg_log_loss",
        use_legacy_attributes=False,
        tol=1e-7,
    ).fit(X, y)
    search = GridSearchCV(
        LogisticRegression(solver=settings.get("solver", "lbfgs"), tol=1e-7),
        {"C": model.Cs_, "l1_ratio": list(settings["l1_ratios"])},
        cv=folds,
        scoring="neg_log_loss",
    ).fit(X, y)
    assert model.C_ == search.best_params_["C"]
    assert model.l1_ratio_ == search.best_params_["l1_ratio"]
    assert isinstance(model.C_, float)
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_, atol=1e-5)
    mean_scores = model.scores_.mean(axis=0).T.ravel()
    np.testing.assert_allclose(
        mean_scores, search.cv_results_["mean_test_score"], rtol=1e-5
    )


@over_classes
@pytest.mark.parametrize("is_legacy", [True, False])
@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("l1_ratios", [None, (0.0,), (0.1, 0.5)])
@pytest.mark.filterwarnings("ignore:'l1_ratios=None' was deprecated:FutureWarning")
def test_cv_attributes_are_those_of_scikit_learn(
    n_classes, is_legacy, refit, l1_ratios
):
    if sklearn.__version__ < "1.9":
        pytest.skip("attributes are those of 1.9")
    X, y = make_data(120, n_classes=n_classes)
    solver = "saga" if l1_ratios == (0.1, 0.5) else "lbfgs"
    if l1_ratios is not None:
        l1_ratios = np.array(l1_ratios)  # scikit-learn takes no tuples without refit
    models = [
        cls(
            Cs=3,
            cv=2,
            solver=solver,
            refit=refit,
            l1_ratios=l1_ratios,
            tol=1e-4,
            use_legacy_attributes=is_legacy,
            scoring="accuracy",
            max_iter=500,
        ).fit(X, y)
        for cls in (LogisticRegressionCV, sklearn.linear_model.LogisticRegressionCV)
    ]
    ours, theirs = map(vars, models)
    names = {name for name in theirs if name.endswith("_") and name[0] != "_"}
    assert names == {name for name in ours if name.endswith("_") and name[0] != "_"}
    for name in names:
        pair = [ours[name], theirs[name]]
        if isinstance(pair[1], dict):
            assert list(pair[0]) == list(pair[1])
            pair = [np.array(list(values.values())) for values in pair]
        assert type(pair[0]) is type(pair[1]) or np.isscalar(pair[0])
        assert np.shape(pair[0]) == np.shape(pair[1]), name
    np.testing.assert_array_equal(ours["Cs_"], theirs["Cs_"])


def test_cv_warns_as_scikit_learn_does():
    X, y = make_data(60)
    with pytest.warns(FutureWarning) as caught:
        LogisticRegressionCV(Cs=2).fit(X, y)
    messages = " ".join(str(w.message) for w in caught)
    for text in ("l1_ratios will change", "'scoring' will change", "use_legacy_attri"):
        assert text in messages
    with pytest.raises(ValueError, match="numbers between 0 and 1"):
        LogisticRegressionCV(l1_ratios=(0.5, 2.0), solver="saga").fit(X, y)


def test_cv_weights_reach_fits_and_scores():
    X, y = make_data(120)
    weights = np.random.default_rng(0).random(120)
    settings = {
        "Cs": [0.1, 1.0],
        "cv": 3,
        "l1_ratios": (0.0,),
        "use_legacy_attributes": False,
        "scoring": "neg_log_loss",
    }
    weighted = LogisticRegressionCV(**settings).fit(X, y, weights)
    train, test = next(iter(StratifiedKFold(3).split(X, y)))
    fold = LogisticRegression(C=1.0).fit(X[train], y[train], weights[train])
    np.testing.assert_allclose(
        weighted.coefs_paths_[0, 0, 1, 0, :-1], fold.coef_[0], rtol=1e-4
    )
    losses = -np.log(fold.predict_proba(X[test])[np.arange(len(test)), y[test]])
    expected = -np.average(losses, weights=weights[test])
    assert weighted.scores_[0, 0, 1] == pytest.approx(expected, rel=1e-4)


def test_cv_on_iris():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegressionCV(
        l1_ratios=(0,), scoring="neg_log_loss", use_legacy_attributes=False
    ).fit(X, y)
    assert model.score(X, y) > -0.06


@over_classes
@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", "balanced_accuracy"])
@pytest.mark.parametrize("is_weighted", [True, False])
def test_cv_scores_are_those_of_scorers(n_classes, scoring, is_weighted):
    X, y = make_data(n_classes=n_classes)
    weights = np.random.default_rng(0).random(len(y)) if is_weighted else None
    model = LogisticRegressionCV(
        Cs=[0.01, 1.0],
        cv=StratifiedKFold(3),
        l1_ratios=(0.0,),
        scoring=scoring,
        use_legacy_attributes=False,
    ).fit(X, y, weights)
    fold = LogisticRegression()
    fold.classes_ = model.classes_
    for i, (_, test) in enumerate(StratifiedKFold(3).split(X, y)):
        for k in range(2):
            coef = model.coefs_paths_[i, 0, k]
            fold.coef_, fold.intercept_ = coef[:, :-1], coef[:, -1]
            options = {} if weights is None else {"sample_weight": weights[test]}
            expected = get_scorer(scoring)(fold, X[test], y[test], **options)
            assert model.scores_[i, 0, k] == pytest.approx(expected, rel=1e-12)


@over_classes
@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("fold_kind", ["repeated", "some", "mask"])
def test_cv_takes_any_folds(n_classes, storage, fold_kind):
    X, y = make_data(n_classes=n_classes)
    rng = np.random.default_rng(1)
    test = np.arange(60)
    train = {
        "repeated": rng.integers(60, 300, size=240),
        "some": rng.permutation(np.arange(60, 300))[:200],
        "mask": np.arange(300) >= 60,
    }[fold_kind]
    model = LogisticRegressionCV(
        Cs=[0.01, 1.0],
        cv=[(train, test)] * 2,
        l1_ratios=(0.0,),
        scoring="neg_log_loss",
        use_legacy_attributes=False,
        tol=1e-6,
    ).fit(storage(X), y)
    fold = LogisticRegression(tol=1e-8).fit(X[train], y[train])
    coef = np.column_stack([fold.coef_, fold.intercept_])
    np.testing.assert_allclose(model.coefs_paths_[0, 0, 1], coef, atol=1e-5)
    whole = LogisticRegression(C=model.C_, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(model.coef_, whole.coef_, atol=1e-5)


@over_classes
def test_cv_bits_do_not_depend_on_threads(n_classes):
    X, y = make_data(20_000, 15, n_classes=n_classes)
    coefs = []
    for n_threads in (1, 2):
        with threadpoolctl.threadpool_limits(n_threads):
            model = LogisticRegressionCV(
                Cs=3,
                cv=3,
                l1_ratios=(0.0,),
                scoring="neg_log_loss",
                use_legacy_attributes=False,
            ).fit(X, y)
        coefs.append((model.coefs_paths_, model.scores_, model.coef_))
    for first, second in zip(*coefs, strict=True):
        np.testing.assert_array_equal(first, second)


def test_cv_costs_little_more_than_one_path(monkeypatch):
    """By numbers read in products with the table."""
    X, y = make_classification(20_000, 20, random_state=0)
    n_read = []
    for name in ("dot", "t_dot"):
        multiply = getattr(DenseDesign, name)

        def count(design, operand, multiply=multiply):
            if design.n_columns == X.shape[1]:
                n_read.append(design.n_rows * design.n_columns)
            return multiply(design, operand)

        monkeypatch.setattr(DenseDesign, name, count)
    Cs = np.logspace(-4, 4, 10)
    LogisticRegressionCV(
        Cs=Cs, cv=5, l1_ratios=(0,), scoring="accuracy", use_legacy_attributes=False
    ).fit(X, y)
    of_search = sum(n_read)
    n_read.clear()
    model = LogisticRegression(warm_start=True)
    for C in Cs:
        model.set_params(C=C).fit(X, y)
    assert of_search <= 1.5 * sum(n_read)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [0.1, 100.0])
def test_sparse_tables_of_many_columns(n_classes, C):
    """Without a matrix of second derivatives, to the same minimum as with it."""
    rng = np.random.default_rng(0)
    X = sparse.random(1_500, 600, 0.01, "csr", random_state=0)
    raw = X @ rng.standard_normal((600, n_classes)) + rng.gumbel(size=(1500, n_classes))
    y = raw.argmax(axis=1)
    model = LogisticRegression(C=C, max_iter=1_000, tol=1e-8).fit(X, y)
    dense = LogisticRegression(C=C, max_iter=1_000, tol=1e-8).fit(X.toarray(), y)
    scale = np.abs(dense.coef_).max()
    np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-4 * scale)


@pytest.mark.parametrize("fmt", ["csr", "csc"])
def test_penalties_that_leave_no_column_of_a_sparse_table(fmt):
    X = sparse.random(900, 700, 0.01, random_state=0)
    y = np.arange(900) % 3 == 0
    model = LogisticRegression(C=1e-4, l1_ratio=1, solver="saga")
    model.fit(X.asformat(fmt), y)
    assert not model.coef_.any()
    assert model.intercept_[0] == pytest.approx(np.log(1 / 2), rel=1e-4)
