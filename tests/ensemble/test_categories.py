"""Categories are taken as they are, known by value, numbered without their names."""

import numpy as np
import pytest
from sklearn import ensemble as sklearn_ensemble
from sklearn.inspection import partial_dependence
from sklearn.metrics import mean_squared_error

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import assert_same_bits, fit_alone

pd = pytest.importorskip("pandas")

SETTINGS = {"max_iter": 20, "max_leaf_nodes": 8}


def make_levels(n_samples, n_levels, random_state=0):
    """Levels, the rarer the higher, with an effect each, and a target of them."""
    rng = np.random.default_rng(random_state)
    level = rng.integers(0, n_levels, (2, n_samples)).min(axis=0)
    effect = np.random.default_rng(17).normal(size=n_levels)
    return level, effect[level] + 0.1 * rng.normal(size=n_samples)


def fit(X, y, **settings):
    return HistGradientBoostingRegressor(**{**SETTINGS, **settings}).fit(X, y)


def make_names(level):
    return np.char.add("level ", level.astype(str)).astype(object)


# -- what is a category ----------------------------------------------------------------


@pytest.mark.parametrize(
    "convert, is_categorical",
    [
        (lambda level: pd.Series(make_names(level)), True),
        (lambda level: pd.Series(make_names(level), dtype="string"), True),
        (lambda level: pd.Series(make_names(level), dtype="category"), True),
        (lambda level: pd.Series(level, dtype="category"), True),
        (lambda level: pd.Series(level % 2 == 0, dtype="category"), True),
        (lambda level: pd.Series(level.astype(float), dtype="category"), True),
        (lambda level: pd.Series(level), False),
        (lambda level: pd.Series(level % 2 == 0), False),
        (lambda level: pd.Series(level % 2 == 0, dtype="boolean"), False),
    ],
)
def test_columns_of_pandas(convert, is_categorical):
    level, y = make_levels(500, 5)
    X = pd.DataFrame({"a": level * 0.5, "b": convert(level)})
    model = fit(X, y)
    if is_categorical:
        assert model.is_categorical_.tolist() == [False, True]
    else:
        assert model.is_categorical_ is None
    assert mean_squared_error(y, model.predict(X)) < 0.1


def test_columns_of_polars():
    pl = pytest.importorskip("polars")
    level, y = make_levels(500, 5)
    names = make_names(level).tolist()
    X = pl.DataFrame(
        {
            "number": level,
            "boolean": level % 2 == 0,
            "string": names,
            "category": pl.Series(names, dtype=pl.Categorical),
            "enum": pl.Series(names, dtype=pl.Enum(sorted(set(names)))),
        }
    )
    assert fit(X, y).is_categorical_.tolist() == [False, False, True, True, True]
    alone = fit(X.select("enum"), y)
    assert_same_bits(alone.predict(X.select("enum")), fit_on_pandas(level, y))


def test_columns_of_pyarrow():
    pa = pytest.importorskip("pyarrow")
    level, y = make_levels(500, 5)
    names = pa.array(make_names(level).tolist())
    X = pa.table(
        {
            "number": level,
            "boolean": level % 2 == 0,
            "string": names,
            "dictionary": names.dictionary_encode(),
        }
    )
    assert fit(X, y).is_categorical_.tolist() == [False, False, True, True]
    alone = fit(X.select(["dictionary"]), y)
    assert_same_bits(alone.predict(X.select(["dictionary"])), fit_on_pandas(level, y))


def fit_on_pandas(level, y):
    X = pd.DataFrame({"a": make_names(level)})
    return fit(X, y).predict(X)


def test_listed_columns():
    level, y = make_levels(500, 5)
    expected = fit_on_pandas(level, y)
    X = pd.DataFrame({"a": level})
    for listed in (["a"], [0], [True]):
        assert_same_bits(fit(X, y, categorical_features=listed).predict(X), expected)
    X = level[:, np.newaxis].astype(float)
    for listed in ([0], [True]):
        assert_same_bits(fit(X, y, categorical_features=listed).predict(X), expected)
    for listed in ([False], [], None):
        assert fit(X, y, categorical_features=listed).is_categorical_ is None


def test_no_category_by_dtype():
    level, y = make_levels(500, 5)
    X = pd.DataFrame({"a": pd.Series(level, dtype="category")})
    as_number = fit(X, y, categorical_features=None)
    assert as_number.is_categorical_ is None
    X_number = X.astype("int64")
    assert_same_bits(as_number.predict(X), fit(X_number, y).predict(X_number))
    with pytest.raises(ValueError, match=r"could not convert string to float.*'a'"):
        fit(pd.DataFrame({"a": make_names(level)}), y, categorical_features=None)


# -- what a category is worth ----------------------------------------------------------


def test_a_split_takes_any_set_of_levels():
    """One tree of two leaves tells odd levels from even ones, whatever their order."""
    level = np.tile(np.arange(40), 50)
    y = (level % 2).astype(float)
    X = pd.DataFrame({"a": pd.Series(level, dtype="category")})
    model = fit(X, y, max_iter=1, max_leaf_nodes=2, learning_rate=1.0)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-6)


def test_as_good_as_scikit_learn():
    level, y = make_levels(5000, 200)
    level_test, y_test = make_levels(5000, 200, random_state=1)
    settings = {"categorical_features": [0], "max_iter": 50}
    ours = HistGradientBoostingRegressor(**settings)
    theirs = sklearn_ensemble.HistGradientBoostingRegressor(**settings)
    errors = [
        mean_squared_error(
            y_test,
            fit_alone(model, level[:, np.newaxis], y).predict(
                level_test[:, np.newaxis]
            ),
        )
        for model in (ours, theirs)
    ]
    # Each level has an effect; what is within chance of one is not fitted.
    assert errors[0] < 1.04 * errors[1]


@pytest.mark.parametrize("n_levels", [256, 1000, 70_000])
def test_many_levels(n_levels):
    """Levels beyond 8 and 16 bits are told apart."""
    n_samples = max(20_000, 2 * n_levels)
    level = np.random.default_rng(0).integers(0, n_levels, n_samples)
    # The levels of even number 1 to 200 are frequent, and unlike all others.
    frequent = np.arange(0, 200, 2)
    level[: n_samples // 2] = np.resize(frequent, n_samples // 2)
    y = np.isin(level, frequent).astype(float)
    X = pd.DataFrame({"a": pd.Series(make_names(level), dtype="category")})
    model = fit(X, y, early_stopping=False)
    assert len(model._encoder.levels_[0]) == len(np.unique(level))
    prediction = model.predict(X)
    assert mean_squared_error(y, prediction) < 0.02
    # The last level by number is the one that needs most bits.
    last = X[X["a"] == model._encoder.levels_[0][-1]].iloc[:1]
    single = model.predict(last)
    assert_same_bits(single, prediction[last.index])


def test_every_level_of_a_wide_feature_can_be_split_off():
    n_levels = 66_000
    level = np.r_[np.arange(n_levels), np.full(3000, n_levels - 1)]
    y = (level == n_levels - 1).astype(float)
    X = np.c_[level, np.zeros(len(level))]
    model = fit(
        X, y, categorical_features=[0], max_iter=1, learning_rate=1.0, max_leaf_nodes=2
    )
    np.testing.assert_allclose(model.predict(X), y, atol=1e-6)


def test_max_bins_does_not_limit_levels():
    level, y = make_levels(5000, 100)
    X = level[:, np.newaxis].astype(float)
    few = fit(X, y, categorical_features=[0], max_bins=4)
    many = fit(X, y, categorical_features=[0], max_bins=255)
    assert_same_bits(few.predict(X), many.predict(X))


# -- levels by value -------------------------------------------------------------------


def make_frame(level, names, dtype_order):
    """A frame whose dtype lists the names of the levels in some order."""
    values = pd.Categorical(
        np.asarray(names, dtype=object)[level], categories=dtype_order
    )
    return pd.DataFrame({"a": values, "b": level % 3})


def test_names_and_their_order_are_of_no_importance():
    rng = np.random.default_rng(0)
    level, y = make_levels(1000, 30)
    names = [f"level {k}" for k in range(30)]
    X = make_frame(level, names, names)
    expected = fit(X, y).predict(X)
    for _ in range(3):
        other_names = [f"{k} other" for k in rng.permutation(30)]
        X_other = make_frame(level, other_names, list(rng.permutation(other_names)))
        assert_same_bits(fit(X_other, y).predict(X_other), expected)
    numbers = (rng.permutation(30) - 0.5).tolist()
    X_other = make_frame(level, numbers, numbers)
    assert_same_bits(fit(X_other, y).predict(X_other), expected)


def test_order_of_the_dtype_may_differ_at_predict():
    level, y = make_levels(1000, 30)
    names = [f"level {k}" for k in range(30)]
    model = fit(make_frame(level, names, names), y)
    expected = model.predict(make_frame(level, names, names))
    # More, fewer, other categories, or strings.
    more = [*names[::-1], "another", "one more"]
    assert_same_bits(model.predict(make_frame(level, names, more)), expected)
    X = make_frame(level, names, names).iloc[:20]
    X = X.assign(a=X["a"].cat.remove_unused_categories())
    assert_same_bits(model.predict(X), expected[:20])
    assert_same_bits(model.predict(X.assign(a=X["a"].astype(object))), expected[:20])


def test_equal_counts_are_told_apart_by_row():
    """Ties between levels do not go by name: the same rows give the same model."""
    level = np.repeat(np.arange(20), 15)
    level = np.random.default_rng(0).permutation(level)
    y = np.random.default_rng(1).normal(size=20)[level // 2 * 2]
    expected = None
    for seed in range(3):
        names = np.random.default_rng(seed).permutation(20).astype(str)
        X = pd.DataFrame({"a": names[level]})
        prediction = fit(X, y).predict(X)
        expected = prediction if expected is None else expected
        assert_same_bits(prediction, expected)


# -- missing and unseen levels ---------------------------------------------------------


@pytest.mark.parametrize("dtype", [object, "category", "string"])
@pytest.mark.parametrize("missing_value", [None, np.nan, pd.NA])
def test_missing_is_a_level_of_its_own(dtype, missing_value):
    level, y = make_levels(1000, 4)
    names = make_names(level)
    is_missing = np.random.default_rng(1).random(1000) < 0.3
    names[is_missing] = missing_value
    y = np.where(is_missing, 5.0, y)
    X = pd.DataFrame({"a": pd.Series(names, dtype=dtype)})
    prediction = fit(X, y, max_iter=100).predict(X)
    np.testing.assert_allclose(prediction[is_missing], 5, atol=1e-3)
    assert prediction[~is_missing].max() < 4


def test_unseen_level_is_missing():
    level, y = make_levels(1000, 8)
    names = make_names(level)
    for has_missing in (False, True):
        if has_missing:
            names[::5] = None
        model = fit(pd.DataFrame({"a": names}), y)
        missing = model.predict(pd.DataFrame({"a": [None, names[1]]}))
        for unseen in ("atlantis", "", 7, True):
            X = pd.DataFrame({"a": pd.Series([unseen, names[1]], dtype="category")})
            assert_same_bits(model.predict(X), missing)


def test_unseen_level_as_an_error():
    level, y = make_levels(1000, 8)
    names = make_names(level)
    names[::5] = None
    X = pd.DataFrame({"size": level * 0.5, "city": names})
    model = fit(X, y, handle_unknown="error")
    expected = model.predict(X)
    assert_same_bits(fit(X, y).predict(X), expected)
    unseen = X.iloc[:10].assign(city=["atlantis"] + ["utopia"] * 8 + [None])
    for method in (model.predict, model.apply, lambda X: next(model.staged_predict(X))):
        with pytest.raises(ValueError, match=r"'atlantis', 'utopia'.*column 'city'"):
            method(unseen)
    # A dtype may list what no row has.
    listed = X["city"].astype("category").cat.add_categories("atlantis")
    assert_same_bits(model.predict(X.assign(city=listed)), expected)
    with pytest.raises(ValueError, match="'atlantis'"):
        model.fit(X, y, eval_sets={"new": (unseen, y[:10])})
    with pytest.raises(ValueError, match="'handle_unknown' parameter"):
        fit(X, y, handle_unknown="ignore")


def test_negative_numbers_in_listed_columns_are_missing():
    """As in scikit-learn; categories of a frame may be any number."""
    level, y = make_levels(500, 5)
    X = np.where(level == 0, -1, level)[:, np.newaxis].astype(float)
    X_nan = np.where(X < 0, np.nan, X)
    model = fit(X, y, categorical_features=[0])
    assert_same_bits(model.predict(X), model.predict(X_nan))
    frame = pd.DataFrame({"a": pd.Series(X[:, 0], dtype="category")})
    assert -1.0 in fit(frame, y)._encoder.levels_[0]


def test_classifier_on_all_kinds_of_columns():
    level, signal = make_levels(1000, 12)
    X = pd.DataFrame(
        {
            "number": level + 0.5,
            "text": make_names(level % 5),
            "category": pd.Series(level // 3, dtype="category"),
            "flag": level % 2 == 0,
        }
    )
    y = np.where(signal > 0, "high", "low")
    model = HistGradientBoostingClassifier(**SETTINGS).fit(X, y)
    assert model.score(X, y) > 0.9
    assert model.is_categorical_.tolist() == [False, True, True, False]


def test_partial_dependence_of_numbered_levels():
    """The recursion takes the values of levels, not their codes."""
    rng = np.random.default_rng(0)
    X = np.c_[rng.choice([0.0, 1e6, 2e6], size=600), rng.normal(size=600)]
    y = (X[:, 0] == 1e6) + 0.1 * X[:, 1]
    model = HistGradientBoostingRegressor(categorical_features=[0]).fit(X, y)
    by_recursion, by_force = (
        partial_dependence(
            model, X, [0], categorical_features=[0], method=method, kind="average"
        )["average"]
        for method in ("recursion", "brute")
    )
    # The recursion leaves out the constant before the first tree.
    difference = by_force - by_recursion
    np.testing.assert_allclose(difference, y.mean(), atol=0.02)
    assert np.argmax(by_recursion) == 1
