"""scikit-learn's boosting models predict the same once they are ours."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import ensemble
from sklearn._loss.loss import HalfTweedieLoss
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Lars, LinearRegression, LogisticRegression
from threadpoolctl import threadpool_limits

from sklearnx._io.sklearn import from_sklearn
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.inspection import tree_table
from tests.io._tables import (
    CITIES,
    assert_same,
    assert_works,
    make_hard_table,
    make_table,
    read_data,
)

pd = pytest.importorskip("pandas")

X, SCORE = make_table()
X_NEW = make_hard_table()
NUMBERS = ["plain", "rounded", "narrow"]
# GradientBoosting* take neither gaps nor what float32 has no room for.
X_FULL = X[NUMBERS].fillna(0.0)
X_FULL_NEW = X_NEW[NUMBERS].fillna(0.0).clip(-100, 100)
SMALL = {"max_iter": 12, "early_stopping": False, "random_state": 0}
FEW = {"n_estimators": 12, "random_state": 0}
CLASSES = {
    2: np.array(["no", "yes"])[(SCORE > 1).astype(int)],
    3: np.array([30, 10, 20])[np.digitize(SCORE, [0, 2])],
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small fits of scikit-learn take long if other processes have its cores."""
    with threadpool_limits(1):
        yield


def make_target(loss):
    return np.exp(SCORE / 3) if loss in ("gamma", "poisson") else SCORE


# ---- HistGradientBoosting* -----------------------------------------------------------


@pytest.mark.parametrize("columns", ["all", NUMBERS])
@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "gamma", "poisson", "quantile"]
)
def test_histogram_regressor(loss, columns):
    columns = list(X.columns) if columns == "all" else columns
    options = {"quantile": 0.3} if loss == "quantile" else {}
    model = ensemble.HistGradientBoostingRegressor(loss=loss, **options, **SMALL)
    model.fit(X[columns], make_target(loss))
    estimator = from_sklearn(model)
    assert isinstance(estimator, HistGradientBoostingRegressor)
    new = X_NEW[columns]
    assert_same(estimator.predict(new), model.predict(new))
    for ours, theirs in zip(
        estimator.staged_predict(new), model.staged_predict(new), strict=True
    ):
        assert_same(ours, theirs)
    assert_works(estimator, new)
    assert estimator._loss.name == loss
    assert estimator.quantile == model.quantile


@pytest.mark.parametrize("n_classes", [2, 3])
def test_histogram_classifier(n_classes):
    y = CLASSES[n_classes]
    model = ensemble.HistGradientBoostingClassifier(**SMALL).fit(X, y)
    estimator = from_sklearn(model)
    assert isinstance(estimator, HistGradientBoostingClassifier)
    assert_array_equal(estimator.classes_, model.classes_)
    assert_array_equal(estimator.predict(X_NEW), model.predict(X_NEW))
    assert_same(estimator.predict_proba(X_NEW), model.predict_proba(X_NEW))
    assert_same(estimator.decision_function(X_NEW), model.decision_function(X_NEW))
    assert estimator.score(X, y) == model.score(X, y)
    assert_works(estimator, X_NEW)


def test_histogram_parameters():
    model = ensemble.HistGradientBoostingRegressor(
        learning_rate=0.3,
        max_iter=50,
        max_leaf_nodes=7,
        l2_regularization=0.5,
        max_bins=63,
        early_stopping=True,
        n_iter_no_change=2,
        monotonic_cst={"plain": 1},
        categorical_features=["code", "city"],
        warm_start=True,
        random_state=0,
    ).fit(X, SCORE)
    assert model.n_iter_ < 50
    estimator = from_sklearn(model)
    expected = {
        **model.get_params(),
        "max_iter": model.n_iter_,
        "warm_start": False,
    }
    parameters = estimator.get_params()
    assert {name: parameters[name] for name in expected} == expected
    assert estimator.n_iter_ == model.n_iter_
    assert_same(estimator.predict(X_NEW), model.predict(X_NEW))
    assert estimator.fit(X, SCORE).n_iter_ > 0


def test_histogram_loss_object():
    model = ensemble.HistGradientBoostingRegressor(loss=HalfTweedieLoss(), **SMALL)
    model.fit(X, make_target("gamma"))
    estimator = from_sklearn(model)
    assert_same(estimator.predict(X_NEW), model.predict(X_NEW))


def test_histogram_of_arrays():
    array = X[NUMBERS].to_numpy()
    new = X_NEW[NUMBERS].clip(-1e30, 1e30).to_numpy()
    model = ensemble.HistGradientBoostingRegressor(**SMALL).fit(array, SCORE)
    estimator = from_sklearn(model)
    assert not hasattr(estimator, "feature_names_in_")
    for dtype in (np.float64, np.float32):
        part = new.astype(dtype)
        assert_same(estimator.predict(part), model.predict(part))
    thresholds = estimator._model.nodes["value"][estimator._model.nodes["feature"] == 0]
    near = np.concatenate([thresholds, np.nextafter(thresholds, np.inf)])
    near = np.column_stack([near, near, near])
    assert_same(estimator.predict(near), model.predict(near))


def test_histogram_categories_of_numbers():
    rng = np.random.default_rng(0)
    # Negative and broken numbers are levels as others are.
    levels = np.array([-3.0, -1.5, 0.0, 0.5, 7.0, 250.0])
    array = np.column_stack([rng.choice(levels, 1500), rng.normal(size=1500)])
    y = np.abs(array[:, 0]) % 3 + array[:, 1]
    array[rng.random(1500) < 0.1, 0] = np.nan
    model = ensemble.HistGradientBoostingRegressor(categorical_features=[0], **SMALL)
    estimator = from_sklearn(model.fit(array, y))
    assert estimator._encoder.levels_[0] == levels.tolist()
    array[:400, 0] = np.resize([-2, 0.25, 7.5, 1e9, -1e300, 300], 400)
    assert_same(estimator.predict(array), model.predict(array))
    assert_works(estimator, array)


def test_histogram_categories():
    frame, new = X.copy(), X_NEW.copy()
    for table in (frame, new):
        table["empty"] = pd.Categorical([None] * len(table), categories=["x"])
        table["yes"] = pd.Categorical(np.nan_to_num(table["plain"]) > 0)
    model = ensemble.HistGradientBoostingClassifier(
        categorical_features=["yes", "city", "empty", "code"], **SMALL
    ).fit(frame[::-1], CLASSES[3][::-1])
    estimator = from_sklearn(model)
    expected = model.predict_proba(new)
    assert_same(estimator.predict_proba(new), expected)
    assert estimator._encoder.levels_[3] == list(CITIES)
    new["city"] = new["city"].cat.set_categories(["Zug", *CITIES[::-1]])
    assert_same(estimator.predict_proba(new), expected)
    new["city"] = new["city"].astype(object)
    assert_same(estimator.predict_proba(new), expected)


def test_histogram_trees():
    model = ensemble.HistGradientBoostingRegressor(**SMALL).fit(X, SCORE)
    estimator = from_sklearn(model)
    theirs = model._predictors[3][0].nodes
    ours = tree_table(estimator, 3)
    is_leaf = theirs["is_leaf"] == 1
    assert_allclose(np.sort(ours["gain"].dropna()), np.sort(theirs["gain"][~is_leaf]))
    assert_array_equal(np.sort(ours["n_samples"]), np.sort(theirs["count"]))
    assert_array_equal(np.sort(ours["value"]), np.sort(theirs["value"]))
    assert ours["left_levels"].notna().any()


def test_histogram_with_weights():
    weights = np.linspace(0.5, 2, len(X))
    model = ensemble.HistGradientBoostingRegressor(**SMALL).fit(X, SCORE, weights)
    estimator = from_sklearn(model)
    assert_same(estimator.predict(X_NEW), model.predict(X_NEW))
    assert estimator._fitted_with_sw


# ---- GradientBoosting* ---------------------------------------------------------------


@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "huber", "quantile"]
)
def test_exact_regressor(loss):
    model = ensemble.GradientBoostingRegressor(loss=loss, alpha=0.7, **FEW)
    model.fit(X_FULL, SCORE)
    estimator = from_sklearn(model)
    assert_same(estimator.predict(X_FULL_NEW), model.predict(X_FULL_NEW))
    for ours, theirs in zip(
        estimator.staged_predict(X_FULL_NEW),
        model.staged_predict(X_FULL_NEW),
        strict=True,
    ):
        assert_same(ours, theirs)
    assert_allclose(estimator.feature_importances_, model.feature_importances_)
    assert_works(estimator, X_FULL_NEW)
    assert estimator.loss == loss
    assert estimator.quantile == (0.7 if loss in ("huber", "quantile") else None)


@pytest.mark.parametrize("init", [None, "zero"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_exact_classifier(n_classes, init):
    model = ensemble.GradientBoostingClassifier(init=init, **FEW)
    model.fit(X_FULL, CLASSES[n_classes])
    estimator = from_sklearn(model)
    assert_array_equal(estimator.classes_, model.classes_)
    assert_array_equal(estimator.predict(X_FULL_NEW), model.predict(X_FULL_NEW))
    assert_same(estimator.predict_proba(X_FULL_NEW), model.predict_proba(X_FULL_NEW))
    raw = model.decision_function(X_FULL_NEW)
    assert_same(estimator.decision_function(X_FULL_NEW), raw)
    assert_works(estimator, X_FULL_NEW)


def test_exact_parameters():
    model = ensemble.GradientBoostingRegressor(
        learning_rate=0.3,
        n_estimators=60,
        max_depth=4,
        max_leaf_nodes=9,
        min_samples_leaf=3,
        subsample=0.7,
        max_features=0.6,
        n_iter_no_change=2,
        random_state=0,
    ).fit(X_FULL, SCORE)
    assert model.n_estimators_ < 60
    estimator = from_sklearn(model)
    expected = {
        "loss": "squared_error",
        "learning_rate": 0.3,
        "max_iter": model.n_estimators_,
        "max_depth": 4,
        "max_leaf_nodes": 9,
        "min_samples_leaf": 3,
        "subsample": 0.7,
        "max_features": 0.6,
        "early_stopping": True,
        "n_iter_no_change": 2,
        "random_state": 0,
    }
    parameters = estimator.get_params()
    assert {name: parameters[name] for name in expected} == expected
    assert_same(estimator.predict(X_FULL_NEW), model.predict(X_FULL_NEW))
    assert estimator.fit(X_FULL, SCORE).n_iter_ > 0
    unscaled = ensemble.GradientBoostingRegressor(
        learning_rate=0.0, min_samples_leaf=0.1, max_features="sqrt", n_estimators=2
    ).fit(X_FULL, SCORE)
    estimator = from_sklearn(unscaled)
    assert_array_equal(estimator.predict(X_FULL_NEW), unscaled.predict(X_FULL_NEW))


def test_exact_models_compare_float32():
    array = X_FULL.to_numpy()
    model = ensemble.GradientBoostingRegressor(max_depth=8, **FEW).fit(array, SCORE)
    estimator = from_sklearn(model)
    thresholds = estimator._model.nodes["value"][estimator._model.nodes["feature"] == 0]
    narrow = thresholds.astype(np.float32).astype(float)
    near = np.concatenate(
        [
            thresholds,
            *(np.nextafter(thresholds, side) for side in (-np.inf, np.inf)),
            *(narrow * (1 + shift) for shift in (-4e-8, -1e-8, 1e-8, 4e-8)),
        ]
    )
    near = np.column_stack([near, near[::-1], near])
    assert_same(estimator.predict(near), model.predict(near))
    # The trees would part them otherwise if they were not rounded.
    estimator._derived = None
    assert (estimator.predict(near) != model.predict(near)).any()


def test_exact_models_of_sparse_rows():
    rng = np.random.default_rng(0)
    array = rng.normal(size=(600, 5)) * (rng.random((600, 5)) < 0.4)
    matrix = sparse.csr_matrix(array)
    model = ensemble.GradientBoostingRegressor(**FEW).fit(matrix, array.sum(axis=1))
    estimator = from_sklearn(model)
    assert_same(estimator.predict(matrix), model.predict(matrix))
    assert_same(estimator.predict(array), model.predict(array))


def test_exact_models_take_gaps():
    model = ensemble.GradientBoostingRegressor(**FEW).fit(X_FULL, SCORE)
    estimator = from_sklearn(model)
    gaps, large = X_FULL_NEW.copy(), X_FULL_NEW.copy()
    gaps["plain"], large["plain"] = np.nan, 1e30
    assert_array_equal(estimator.predict(gaps), model.predict(large))


@pytest.mark.parametrize(
    "init",
    [
        DummyRegressor(strategy="constant", constant=3.0),
        DummyRegressor(strategy="quantile", quantile=0.9),
    ],
)
def test_init_of_regressors(init):
    model = ensemble.GradientBoostingRegressor(init=init, **FEW).fit(X_FULL, SCORE)
    estimator = from_sklearn(model)
    assert_same(estimator.predict(X_FULL_NEW), model.predict(X_FULL_NEW))


@pytest.mark.parametrize("strategy", ["prior", "most_frequent", "uniform"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_init_of_classifiers(n_classes, strategy):
    model = ensemble.GradientBoostingClassifier(
        init=DummyClassifier(strategy=strategy), **FEW
    ).fit(X_FULL, CLASSES[n_classes])
    estimator = from_sklearn(model)
    raw = model.decision_function(X_FULL_NEW)
    assert_same(estimator.decision_function(X_FULL_NEW), raw)


# ---- what is refused -----------------------------------------------------------------


def test_models_that_are_refused():
    classifier = ensemble.GradientBoostingClassifier(loss="exponential", **FEW)
    with pytest.raises(ValueError, match="loss='exponential', which sklearnx does not"):
        from_sklearn(classifier.fit(X_FULL, CLASSES[2]))
    for init in (LogisticRegression(), DummyClassifier(strategy="stratified")):
        classifier = ensemble.GradientBoostingClassifier(init=init, **FEW)
        with pytest.raises(ValueError, match="start from a constant"):
            from_sklearn(classifier.fit(X_FULL, CLASSES[2]))
    regressor = ensemble.GradientBoostingRegressor(init=LinearRegression(), **FEW)
    with pytest.raises(ValueError, match=r"init=LinearRegression\(\)"):
        from_sklearn(regressor.fit(X_FULL, SCORE))
    with pytest.raises(NotFittedError):
        from_sklearn(ensemble.HistGradientBoostingRegressor())
    ours = HistGradientBoostingRegressor(**SMALL).fit(X, SCORE)
    for other in (ours, ensemble.RandomForestRegressor(), Lars()):
        with pytest.raises(TypeError, match=type(other).__name__):
            from_sklearn(other)


# ---- real data -----------------------------------------------------------------------


def test_real_data():
    data = read_data("adult").drop(columns="split").sample(20_000, random_state=0)
    y = data.pop("income").to_numpy()
    model = ensemble.HistGradientBoostingClassifier(
        categorical_features="from_dtype", max_iter=40, early_stopping=False
    ).fit(data[:10_000], y[:10_000])
    estimator = from_sklearn(model)
    new = data[10_000:].copy()
    for name in new.select_dtypes("category"):
        new[name] = new[name].cat.add_categories("never seen")
        new.loc[new.sample(300, random_state=1).index, name] = "never seen"
    assert_same(estimator.predict_proba(new), model.predict_proba(new))
    assert_array_equal(estimator.predict(new), model.predict(new))
