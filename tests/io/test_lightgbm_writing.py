"""LightGBM predicts as our models do, once it has them as its own."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import ensemble as sklearn_ensemble
from sklearn.exceptions import NotFittedError

from sklearnx._io.lightgbm.reading import from_lightgbm
from sklearnx._io.lightgbm.writing import to_lightgbm
from sklearnx._io.sklearn import from_sklearn
from sklearnx.ensemble import (
    BoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.io._models import SCORE, SMALL, OwnLoss, X, fit_regressor
from tests.io._tables import assert_same, make_hard_table, read_data

lightgbm = pytest.importorskip("lightgbm")
pd = pytest.importorskip("pandas")

X_NEW = make_hard_table()


def assert_lightgbm_agrees(estimator, X=X_NEW):
    """Check LightGBM's predictions, and those of what we read back."""
    text = to_lightgbm(estimator)
    booster = lightgbm.Booster(model_str=text)
    raw = np.squeeze(estimator._raw_predict(X))
    assert_same(booster.predict(X, raw_score=True), raw)
    if hasattr(estimator, "classes_"):
        expected = estimator.predict_proba(X)
        expected = expected[:, 1] if expected.shape[1] == 2 else expected
    else:
        expected = estimator.predict(X)
    assert_same(booster.predict(X), expected)
    is_known = "objective=cross_entropy" not in text and "objective=" in text
    if is_known:
        assert_same(np.squeeze(from_lightgbm(text)._raw_predict(X)), raw)
    return booster


@pytest.mark.parametrize(
    "loss, objective",
    [
        ("squared_error", "regression"),
        ("absolute_error", "regression_l1"),
        ("huber", "huber"),
        ("quantile", "quantile"),
        ("poisson", "poisson"),
        ("gamma", "gamma"),
        ("tweedie", "tweedie"),
    ],
)
def test_losses(loss, objective):
    options = {"quantile": {"quantile": 0.3}, "tweedie": {"power": 1.3}}.get(loss, {})
    estimator = fit_regressor(y=np.exp(SCORE / 3), loss=loss, **options)
    booster = assert_lightgbm_agrees(estimator)
    assert f"\nobjective={objective}\n" in booster.model_to_string()
    again = from_lightgbm(booster)
    assert again.loss == loss
    for name, value in options.items():
        assert getattr(again, name) == getattr(again._loss, name) == value
    assert getattr(again._loss, "delta", 0) == getattr(estimator._loss, "delta", 0)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("boosting", ["plain", "dart", "random_forest", "ordered"])
def test_classes(n_classes, boosting):
    y = np.digitize(SCORE, [0, 2][: n_classes - 1])
    subsample = 0.6 if boosting == "random_forest" else 1.0
    estimator = HistGradientBoostingClassifier(
        boosting=boosting, subsample=subsample, **SMALL
    )
    booster = assert_lightgbm_agrees(estimator.fit(X, y))
    gains = booster.feature_importance("gain")
    assert_allclose(gains / gains.sum(), estimator.feature_importances_, rtol=1e-5)


@pytest.mark.parametrize("grow_policy", ["leafwise", "depthwise", "symmetric"])
def test_growth(grow_policy):
    estimator = fit_regressor(grow_policy=grow_policy, max_depth=4, learning_rate=0.3)
    again = from_lightgbm(assert_lightgbm_agrees(estimator))
    assert (again.max_depth, again.learning_rate) == (4, 0.3)
    assert_array_equal(
        np.sort(again._model.stats["n_samples"]),
        np.sort(estimator._model.stats["n_samples"]),
    )


@pytest.mark.parametrize("boosting", ["plain", "dart", "random_forest"])
def test_linear_leaves(boosting):
    subsample = 0.6 if boosting == "random_forest" else 1.0
    estimator = fit_regressor(
        y=SCORE + 1000, linear_leaves=True, boosting=boosting, subsample=subsample
    )
    assert estimator._model.has_linear_leaves
    finite = X_NEW.replace([np.inf, -np.inf], np.nan)
    finite["rounded"] = finite["rounded"].clip(-5, 5)
    finite["narrow"] = finite["narrow"].clip(-5, 5)
    booster = lightgbm.Booster(model_str=to_lightgbm(estimator))
    # Some leaves of dart are rounded, to far less than this.
    assert_same(booster.predict(finite), estimator.predict(finite), 1e-9)


def test_splits_on_missing_values_alone():
    array = X[["plain", "rounded"]].to_numpy()
    y = np.where(np.isnan(array[:, 0]), 5.0, 0.0) + 0.1 * np.nan_to_num(array[:, 1])
    estimator = fit_regressor(array, y)
    assert np.isinf(estimator._model.nodes["value"]).any()
    new = X_NEW[["plain", "rounded"]].to_numpy()
    assert_lightgbm_agrees(estimator, new)
    booster = lightgbm.Booster(model_str=to_lightgbm(estimator))
    assert booster.feature_name() == ["Column_0", "Column_1"]


def test_missing_categories_go_both_ways():
    estimator = fit_regressor(max_iter=40)
    nodes = estimator._model.nodes
    assert set(nodes["missing_left"][nodes["bitset"] >= 0]) == {0, 1}
    assert_lightgbm_agrees(estimator)


def test_integers_of_arrays():
    rng = np.random.default_rng(0)
    array = np.column_stack(
        [rng.choice([2.0, 3.0, 500.0, np.nan], 1000), rng.normal(size=1000)]
    )
    y = (array[:, 0] == 3) - 2.0 * np.isnan(array[:, 0]) + array[:, 1]
    estimator = fit_regressor(array, y, categorical_features=[0])
    new = array.copy()
    new[:300, 0] = np.resize([-1, 4, 499, 1e6], 300)
    assert_lightgbm_agrees(estimator, new)
    # What came from LightGBM goes back, with its own reading of numbers.
    booster = lightgbm.train(
        {"verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(
            pd.DataFrame(np.nan_to_num(array), columns=["a", "b"]),
            y,
            categorical_feature=["a"],
        ),
        8,
    )
    new[:300, 0] = np.resize([-1, -0.5, 2.9, 3.7, 1e10], 300)
    frame = pd.DataFrame(new, columns=["a", "b"])
    returned = lightgbm.Booster(model_str=to_lightgbm(from_lightgbm(booster)))
    assert_array_equal(returned.predict(frame), booster.predict(frame))


def test_zeros_that_are_missing():
    numbers = X[["plain", "rounded", "city"]].copy()
    numbers.loc[::5, "plain"] = 0
    booster = lightgbm.train(
        {"verbosity": -1, "num_threads": 1, "zero_as_missing": True},
        lightgbm.Dataset(numbers, SCORE),
        8,
    )
    returned = lightgbm.Booster(model_str=to_lightgbm(from_lightgbm(booster)))
    new = X_NEW[["plain", "rounded", "city"]]
    assert_array_equal(returned.predict(new), booster.predict(new))


def test_several_outputs():
    estimator = fit_regressor(y=np.column_stack([SCORE, SCORE**2, -SCORE]))
    assert_lightgbm_agrees(estimator)
    positive = np.exp(np.column_stack([SCORE, -SCORE]) / 3)
    with pytest.raises(ValueError, match="link 'log' of 2 outputs"):
        to_lightgbm(fit_regressor(y=positive, loss="poisson"))


@pytest.mark.parametrize("link", ["identity", "log", "logit"])
def test_own_losses(link):
    y = 1 / (1 + np.exp(-SCORE))
    assert_lightgbm_agrees(fit_regressor(y=y, loss=OwnLoss(link)))


def test_square_roots():
    booster = lightgbm.train(
        {"verbosity": -1, "num_threads": 1, "reg_sqrt": True},
        lightgbm.Dataset(X, SCORE),
        8,
    )
    returned = lightgbm.Booster(model_str=to_lightgbm(from_lightgbm(booster)))
    assert_array_equal(returned.predict(X_NEW), booster.predict(X_NEW))


def test_other_estimators():
    model = sklearn_ensemble.HistGradientBoostingRegressor(**SMALL).fit(X, SCORE)
    assert_lightgbm_agrees(from_sklearn(model))
    preset = BoostingRegressor(max_iter=12, boosting="plain", random_state=0)
    numbers = ["plain", "rounded"]
    assert_lightgbm_agrees(preset.fit(X[numbers], SCORE), X_NEW[numbers])


def test_constant_model():
    estimator = fit_regressor(min_samples_leaf=len(X), max_iter=3)
    booster = lightgbm.Booster(model_str=to_lightgbm(estimator))
    assert_allclose(booster.predict(X_NEW), estimator.predict(X_NEW))
    estimator._model = estimator._model.truncated(0)
    booster = lightgbm.Booster(model_str=to_lightgbm(estimator))
    assert_allclose(booster.predict(X_NEW), estimator.predict(X_NEW))


def test_file(tmp_path):
    path = tmp_path / "model.txt"
    named = X.rename(columns={"plain": "größe", "city": "home city", "code": "a:[b]"})
    new = X_NEW.set_axis(named.columns, axis=1)
    estimator = fit_regressor(named)
    text = to_lightgbm(estimator, path)
    assert path.read_text(encoding="utf-8") == text
    booster = lightgbm.Booster(model_file=path)
    assert booster.feature_name()[3:] == ["home_city", "a__b_"]
    assert booster.feature_name()[0] == "größe"
    assert_same(booster.predict(new), estimator.predict(new))
    again = from_lightgbm(path, feature_names=named.columns)
    assert_same(again.predict(new), estimator.predict(new))


def test_models_that_are_refused():
    ordered = fit_regressor(categorical_encoding={"code": "ordered_target"})
    with pytest.raises(ValueError, match="encodes categories by the target"):
        to_lightgbm(ordered)
    numbers = X[["plain", "rounded"]].fillna(0)
    exact = sklearn_ensemble.GradientBoostingRegressor(n_estimators=2)
    with pytest.raises(ValueError, match="from one of another library"):
        to_lightgbm(from_sklearn(exact.fit(numbers, SCORE)))
    for level in ("x", -1, 0.5, 1e12):
        array = np.array([[1, 2.0], [level, 3.0]] * 100, dtype=object)
        estimator = HistGradientBoostingRegressor(categorical_features=[0])
        estimator.fit(array, np.arange(200.0))
        if level == -1:  # is missing in ours
            to_lightgbm(estimator)
            continue
        with pytest.raises(ValueError, match=f"category {level!r}"):
            to_lightgbm(estimator)
    collided = X[["plain", "rounded"]].set_axis(["a b", "a_b"], axis=1)
    with pytest.raises(ValueError, match=r"several columns are \['a_b'\]"):
        to_lightgbm(fit_regressor(collided))
    with pytest.raises(TypeError, match=r"got sklearn\."):
        to_lightgbm(exact)
    with pytest.raises(NotFittedError):
        to_lightgbm(HistGradientBoostingRegressor())


def test_real_data():
    data = read_data("adult").drop(columns="split").sample(20_000, random_state=0)
    y = data.pop("income").to_numpy()
    estimator = HistGradientBoostingClassifier(**{**SMALL, "max_iter": 40})
    estimator.fit(data[:10_000], y[:10_000])
    new = data[10_000:].copy()
    for name in new.select_dtypes("category"):
        new[name] = new[name].cat.add_categories("never seen")
        new.loc[new.sample(300, random_state=1).index, name] = "never seen"
    booster = lightgbm.Booster(model_str=to_lightgbm(estimator))
    raw = booster.predict(new, raw_score=True)
    assert_same(raw, estimator.decision_function(new))
