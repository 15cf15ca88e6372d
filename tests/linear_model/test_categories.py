"""Categorical columns of linear models against scikit-learn's one-hot encoder."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from sklearnx.io import load, save
from sklearnx.linear_model import (
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    GroupLasso,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    MCPRegression,
    MultiTaskElasticNet,
    MultiTaskElasticNetCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SCADRegression,
    TweedieRegressor,
)
from tests.linear_model._categories import (
    N_ROWS,
    PRECISE,
    encode,
    make_frame,
    make_target,
    sort_coefs,
)

pandas = pytest.importorskip("pandas")

LOGISTIC_CV = {"l1_ratios": (0.0,), "use_legacy_attributes": False, **PRECISE}
MODELS = [
    pytest.param(Ridge(alpha=2.0), id="Ridge"),
    pytest.param(Ridge(alpha=2.0, fit_intercept=False), id="Ridge without intercept"),
    pytest.param(PoissonRegressor(alpha=0.1, **PRECISE), id="Poisson"),
    pytest.param(
        PoissonRegressor(alpha=0.02, l1_ratio=0.5, **PRECISE), id="elastic-net Poisson"
    ),
    pytest.param(GammaRegressor(alpha=0.1, **PRECISE), id="gamma"),
    pytest.param(TweedieRegressor(power=1.5, alpha=0.1, **PRECISE), id="Tweedie"),
    pytest.param(LogisticRegression(**PRECISE), id="logistic"),
    pytest.param(
        LogisticRegression(C=0.5, l1_ratio=0.9, solver="saga", **PRECISE),
        id="elastic-net logistic",
    ),
    pytest.param(LogisticRegression(solver="liblinear", **PRECISE), id="liblinear"),
    pytest.param(Lasso(alpha=0.01, **PRECISE), id="lasso"),
    pytest.param(Lasso(alpha=0.01, positive=True, **PRECISE), id="positive lasso"),
    pytest.param(ElasticNet(alpha=0.05, **PRECISE), id="elastic net"),
    pytest.param(
        ElasticNet(alpha=0.05, fit_intercept=False, **PRECISE),
        id="elastic net without intercept",
    ),
    pytest.param(LassoCV(alphas=10, cv=3, **PRECISE), id="LassoCV"),
    pytest.param(
        ElasticNetCV(alphas=5, l1_ratio=[0.2, 0.8], cv=3, **PRECISE), id="ElasticNetCV"
    ),
    pytest.param(RidgeCV(alphas=[0.1, 1.0, 10.0]), id="RidgeCV"),
    pytest.param(RidgeCV(alphas=[0.1, 1.0, 10.0], cv=3), id="RidgeCV of folds"),
    pytest.param(RidgeClassifier(class_weight="balanced"), id="RidgeClassifier"),
    pytest.param(RidgeClassifierCV(alphas=[0.1, 10.0]), id="RidgeClassifierCV"),
    pytest.param(
        RidgeClassifierCV(alphas=[0.1, 10.0], cv=3, scoring="roc_auc"),
        id="RidgeClassifierCV of folds",
    ),
    pytest.param(
        LogisticRegressionCV(Cs=3, cv=3, scoring="neg_log_loss", **LOGISTIC_CV),
        id="LogisticRegressionCV",
    ),
    pytest.param(MCPRegression(alpha=0.01, **PRECISE), id="MCP"),
    pytest.param(SCADRegression(alpha=0.01, **PRECISE), id="SCAD"),
    pytest.param(MultiTaskLasso(alpha=0.02, **PRECISE), id="multi-task lasso"),
    pytest.param(
        MultiTaskElasticNet(alpha=0.02, **PRECISE), id="multi-task elastic net"
    ),
    pytest.param(
        MultiTaskLassoCV(alphas=[0.5, 0.1, 0.02], cv=3, **PRECISE),
        id="MultiTaskLassoCV",
    ),
    pytest.param(
        MultiTaskElasticNetCV(alphas=5, cv=3, **PRECISE), id="MultiTaskElasticNetCV"
    ),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_as_with_one_hot_columns(model, weighted):
    frame, score = make_frame()
    y = make_target(model, score)
    weights = np.random.default_rng(2).random(len(y)) if weighted else None
    table, names = encode(frame)
    expected = clone(model).fit(table, y, sample_weight=weights)
    model = clone(model).set_params(categorical_features="from_dtype")
    model.fit(frame, y, sample_weight=weights)
    np.testing.assert_allclose(
        sort_coefs(model, names), expected.coef_, rtol=1e-4, atol=1e-6
    )
    for name in (
        "alpha_",
        "l1_ratio_",
        "alphas_",
        "mse_path_",
        "best_score_",
        "scores_",
    ):
        if hasattr(expected, name):
            np.testing.assert_allclose(
                getattr(model, name), getattr(expected, name), rtol=1e-6
            )
    np.testing.assert_allclose(model.intercept_, expected.intercept_, atol=1e-6)
    assert model.n_features_in_ == 4
    if hasattr(model, "predict_proba"):
        np.testing.assert_allclose(
            model.predict_proba(frame), expected.predict_proba(table), atol=1e-6
        )
        assert (model.predict(frame) == expected.predict(table)).all()
    elif is_classifier(model):
        np.testing.assert_allclose(
            model.decision_function(frame), expected.decision_function(table), atol=1e-6
        )
        assert (model.predict(frame) == expected.predict(table)).all()
    else:
        np.testing.assert_allclose(
            model.predict(frame), expected.predict(table), rtol=1e-5
        )
    assert model.score(frame, y, sample_weight=weights) == pytest.approx(
        expected.score(table, y, sample_weight=weights), abs=1e-6
    )


@pytest.mark.parametrize("model", MODELS)
def test_levels_that_no_model_saw(model):
    frame, score = make_frame(120)
    y = make_target(model, score)
    model = clone(model).set_params(categorical_features=["town", "size"])
    model.fit(frame, y)
    strange = frame.iloc[:4].copy()
    strange.loc[1, "town"] = "Pisa"
    with pytest.raises(ValueError, match=r"the category 'Pisa' in column 'town'"):
        model.predict(strange)
    model.set_params(handle_unknown="ignore")
    outputs = model.decision_function if is_classifier(model) else model.predict
    assert np.isfinite(outputs(strange)).all()
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    # As many coefficients as names.
    assert len(model.get_coef_names()) == model.coef_.shape[-1]


@pytest.mark.parametrize(
    "solver", ["auto", "svd", "cholesky", "lsqr", "sparse_cg", "saga"]
)
def test_any_solver_of_ridge(solver):
    frame, score = make_frame()
    expected = Ridge().fit(encode(frame)[0], score)
    model = Ridge(solver=solver, categorical_features="from_dtype", tol=1e-10)
    model.fit(frame, score)
    np.testing.assert_allclose(model.predict(frame), expected.predict(encode(frame)[0]))


def test_several_targets_and_classes():
    frame, score = make_frame()
    table, names = encode(frame)
    Y = np.column_stack([score, score**2])
    expected = Ridge().fit(table, Y)
    model = Ridge(categorical_features="from_dtype").fit(frame, Y)
    np.testing.assert_allclose(sort_coefs(model, names), expected.coef_, atol=1e-8)
    np.testing.assert_allclose(model.predict(frame), expected.predict(table))
    y = np.digitize(score, [0, 1])
    expected = LogisticRegression(**PRECISE).fit(table, y)
    model = LogisticRegression(categorical_features="from_dtype", **PRECISE)
    model.fit(frame, y)
    np.testing.assert_allclose(sort_coefs(model, names), expected.coef_, atol=1e-5)
    np.testing.assert_allclose(
        model.predict_proba(frame), expected.predict_proba(table), atol=1e-6
    )


@pytest.mark.parametrize(
    "listed", [["town", "size"], [0, 2], [True, False, True, False]]
)
def test_ways_to_list_columns(listed):
    frame, score = make_frame()
    expected = Ridge(categorical_features="from_dtype").fit(frame, score)
    model = Ridge(categorical_features=listed).fit(frame, score)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert model.get_coef_names().tolist() == expected.get_coef_names().tolist()


def test_columns_of_an_array():
    frame, score = make_frame()
    X = frame[["age", "rooms"]].to_numpy()
    X[:, 1] -= 2  # a negative number is a level like any other
    model = Ridge(categorical_features=[1]).fit(X, score)
    numbers = pandas.DataFrame(X, columns=["x0", "x1"])
    table, names = encode(numbers, ["x1"])
    expected = Ridge().fit(table, score)
    np.testing.assert_allclose(sort_coefs(model, names), expected.coef_)
    np.testing.assert_allclose(model.predict(X), expected.predict(table))
    # As many coefficients as features: no short cut may take X for the design.
    X = np.array([[5.0, 5.0], [5.0, 5.0], [7.0, 5.0]])
    model = Ridge(alpha=0, categorical_features=[0, 1]).fit(X, [1.0, 1.0, 2.0])
    assert model.get_coef_names().tolist() == ["x0=7.0"]
    X = X[:, :1]
    model = Ridge(alpha=0, categorical_features=[0]).fit(X, [1.0, 1.0, 2.0])
    assert len(model.coef_) == model.n_features_in_
    np.testing.assert_allclose(model.predict(X), [1, 1, 2])


def test_only_categories_or_only_numbers():
    frame, score = make_frame()
    model = Ridge(categorical_features="from_dtype")
    model.fit(frame[["town"]], score)
    means = frame.assign(score=score).groupby("town")["score"].mean()
    levels = [name.split("=")[1] for name in model.get_coef_names()]
    assert levels == frame["town"].value_counts().index.tolist()
    assert np.corrcoef(model.coef_, means[levels])[0, 1] > 0.99
    model.fit(frame[["age", "rooms"]], score)
    expected = Ridge().fit(frame[["age", "rooms"]], score)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.get_coef_names(), ["age", "rooms"])
    np.testing.assert_array_equal(
        model.predict(frame[["age", "rooms"]]),
        expected.predict(frame[["age", "rooms"]]),
    )


def test_columns_of_one_level():
    frame = pandas.DataFrame({"a": ["x"] * 4, "b": [1.0, 2.0, 3.0, 4.0]})
    y = np.array([1.0, 2.0, 2.0, 5.0])
    for alpha in (0.0, 1.0):
        model = Ridge(alpha, categorical_features="from_dtype").fit(frame, y)
        expected = Ridge(alpha).fit(frame[["b"]], y)
        np.testing.assert_allclose(model.predict(frame), expected.predict(frame[["b"]]))
    model = PoissonRegressor(alpha=0, categorical_features="from_dtype")
    with pytest.raises(ValueError, match="nothing to fit but the intercept"):
        model.fit(frame[["a"]], y)


def test_the_reference_is_left_out_without_a_penalty():
    frame, score = make_frame()
    y = make_target(PoissonRegressor(), score)
    model = PoissonRegressor(alpha=0, categorical_features="from_dtype", **PRECISE)
    model.fit(frame, y)
    names = model.get_coef_names().tolist()
    assert "town=Rome" not in names
    assert sum(name.startswith("size=") for name in names) == 2
    table, all_names = encode(frame)
    kept = [all_names.index(name) for name in names]
    expected = PoissonRegressor(alpha=0, **PRECISE).fit(table[:, kept], y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-6)
    np.testing.assert_allclose(model.predict(frame), expected.predict(table[:, kept]))
    # Not where nothing else could take its part.
    model.set_params(fit_intercept=False).fit(frame, y)
    assert "town=Rome" in model.get_coef_names()


def test_levels_that_fit_did_not_see():
    frame, score = make_frame()
    model = Ridge(categorical_features="from_dtype").fit(frame, score)
    strange = frame.iloc[:3].copy()
    strange.loc[1, "town"] = "Pisa"
    with pytest.raises(
        ValueError, match=r"the category 'Pisa' in column 'town'.*row 1"
    ):
        model.predict(strange)
    model.set_params(handle_unknown="ignore")
    names = model.get_coef_names().tolist()
    town = model.coef_[names.index(f"town={frame.loc[1, 'town']}")]
    np.testing.assert_allclose(
        model.predict(strange), model.predict(frame.iloc[:3]) - [0, town, 0]
    )
    array = Ridge(categorical_features=[0]).fit([[1.0], [2.0]], [0, 1])
    with pytest.raises(ValueError, match="a category in column 0"):
        array.predict([[3.0]])


def test_missing_values_are_a_level():
    frame, score = make_frame()
    frame.loc[::7, "town"] = None
    model = Ridge(categorical_features="from_dtype").fit(frame, score)
    names = model.get_coef_names().tolist()
    assert names[-4:-3] == ["town=<missing>"]
    filled = frame.fillna({"town": "none"})
    expected = Ridge(categorical_features="from_dtype").fit(filled, score)
    np.testing.assert_allclose(model.predict(frame), expected.predict(filled))
    complete, score = make_frame()
    model = Ridge(categorical_features="from_dtype").fit(complete, score)
    with pytest.raises(ValueError, match="missing values in column 'town'"):
        model.predict(frame)


def test_missing_numbers_are_refused():
    frame, score = make_frame()
    frame.loc[3, "age"] = np.nan
    with pytest.raises(ValueError, match=r"Input X contains NaN.\nRidge"):
        Ridge(categorical_features="from_dtype").fit(frame, score)


def test_weights_of_zero_are_absent():
    frame, score = make_frame()
    weights = np.ones(len(score))
    frame.loc[5, "town"] = "Pisa"
    frame.loc[6, "town"] = None
    weights[[5, 6]] = 0
    kept = weights > 0
    model = Ridge(categorical_features="from_dtype").fit(frame, score, weights)
    expected = Ridge(categorical_features="from_dtype").fit(frame[kept], score[kept])
    assert model.get_coef_names().tolist() == expected.get_coef_names().tolist()
    np.testing.assert_allclose(model.coef_, expected.coef_)


def test_renaming_levels_changes_no_bit():
    frame, score = make_frame()
    model = Ridge(categorical_features="from_dtype").fit(frame, score)
    renamed = frame.assign(
        town=frame["town"].map({"Rome": "d", "Oslo": "c", "Bonn": "b", "Bern": "a"}),
        size=frame["size"].cat.reorder_categories(["L", "S", "M"]),
    )
    other = Ridge(categorical_features="from_dtype").fit(renamed, score)
    np.testing.assert_array_equal(model.coef_, other.coef_)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_frames(library):
    module = pytest.importorskip(library)
    frame, score = make_frame()
    make = module.from_pandas if library == "polars" else module.Table.from_pandas
    model = Ridge(categorical_features="from_dtype").fit(frame, score)
    other = Ridge(categorical_features="from_dtype").fit(make(frame), score)
    np.testing.assert_array_equal(model.coef_, other.coef_)
    assert model.get_coef_names().tolist() == other.get_coef_names().tolist()
    np.testing.assert_array_equal(model.predict(frame), model.predict(make(frame)))


def test_groups_are_features():
    frame, score = make_frame()
    model = GroupLasso(alpha=0.1, categorical_features="from_dtype").fit(frame, score)
    zero = {}
    for name, coef in zip(model.get_coef_names(), model.coef_, strict=True):
        zero.setdefault(name.split("=")[0], set()).add(coef == 0)
    table, names = encode(frame)
    expected = GroupLasso([0, 1, 2, 2, 2, 2, 3, 3, 3], alpha=0.1).fit(table, score)
    np.testing.assert_allclose(sort_coefs(model, names), expected.coef_, atol=1e-3)
    assert zero == {"age": {False}, "town": {False}, "size": {False}, "rooms": {True}}
    both = GroupLasso(
        [["town", "size"], ["age"], ["rooms"]], categorical_features="from_dtype"
    )
    both.fit(frame, score)
    assert np.bincount(both.groups_).tolist() == [7, 1, 1]


def test_single_rows_have_the_bits_of_many():
    frame, score = make_frame()
    model = Ridge(categorical_features="from_dtype").fit(frame, score)
    expected = model.predict(frame)
    singles = np.concatenate([model.predict(frame.iloc[[i]]) for i in range(20)])
    np.testing.assert_array_equal(singles, expected[:20])


def test_bits_do_not_depend_on_threads():
    frame, score = make_frame(100_000)
    y = make_target(PoissonRegressor(), score)
    results = []
    for limit in (1, 2, 3):
        with threadpool_limits(limit):
            model = PoissonRegressor(categorical_features="from_dtype").fit(frame, y)
            results.append(np.append(model.coef_, model.predict(frame)))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_more_levels_than_rows():
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({c: rng.integers(0, 60, 90).astype(str) for c in "abcd"})
    y = rng.normal(size=90)
    table, names = encode(frame, list("abcd"))
    assert table.shape[1] > 150
    for model in (Ridge(), GroupLasso(alpha=1e-3, l1_ratio=1.0, tol=1e-10)):
        # Of the lasso only the predictions are unique.
        expected = clone(model).fit(table, y)
        model.set_params(categorical_features="from_dtype").fit(frame, y)
        np.testing.assert_allclose(
            model.predict(frame), expected.predict(table), atol=1e-4
        )
    model = PoissonRegressor(alpha=0.1, **PRECISE)
    expected = clone(model).fit(table, np.exp(y))
    model.set_params(categorical_features="from_dtype").fit(frame, np.exp(y))
    np.testing.assert_allclose(
        sort_coefs(model, names), expected.coef_, rtol=1e-4, atol=1e-6
    )


def test_sparse_numbers_beside_categories():
    rng = np.random.default_rng(0)
    # SciPy 1.11 has no random_array.
    X = sparse.random(300, 6, density=0.5, random_state=rng).toarray()
    X[:, 2] = rng.integers(0, 3, 300)
    X = sparse.csr_array(X)
    y = X @ np.arange(6.0)
    frame = pandas.DataFrame(X.toarray(), columns=[f"x{j}" for j in range(6)])
    table, names = encode(frame, ["x2"])
    expected = Ridge().fit(table, y)
    model = Ridge(categorical_features=[2]).fit(X, y)
    np.testing.assert_allclose(sort_coefs(model, names), expected.coef_, atol=1e-8)
    np.testing.assert_allclose(model.predict(X), expected.predict(table))


def test_tools(tmp_path):
    frame, score = make_frame()
    search = GridSearchCV(
        Ridge(categorical_features="from_dtype", handle_unknown="ignore"),
        {"alpha": [0.1, 100.0]},
        cv=3,
    )
    search.fit(frame, score)
    assert search.best_params_ == {"alpha": 0.1}
    model = search.best_estimator_
    save(model, tmp_path / "model.skx")
    for loaded in (pickle.loads(pickle.dumps(model)), load(tmp_path / "model.skx")):
        np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
        assert loaded.get_coef_names().tolist() == model.get_coef_names().tolist()
    with pytest.raises(NotFittedError):
        clone(model).get_coef_names()
    # A second fit without categories forgets them.
    model.set_params(categorical_features=None).fit(frame[["age", "rooms"]], score)
    assert model.predict(frame[["age", "rooms"]]).shape == (N_ROWS,)
    assert model.get_coef_names().tolist() == ["age", "rooms"]


def test_bad_input():
    frame, score = make_frame()
    model = Ridge(categorical_features="from_dtype")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(frame, score[:-1])
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(frame, score, np.ones(3))
    with pytest.raises(ValueError, match="not a valid feature name"):
        Ridge(categorical_features=["street"]).fit(frame, score)
    with pytest.raises(ValueError, match="could not convert string"):
        Ridge().fit(frame, score)
    model.fit(frame, score)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"age": "years"}))
