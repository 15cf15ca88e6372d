"""Models of LightGBM predict as LightGBM does, on all that a table may hold."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import NotFittedError

from sklearnx._io.lightgbm.reading import from_lightgbm
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.inspection import plot_tree, tree_table
from tests.io._tables import (
    CITIES,
    assert_same,
    assert_works,
    make_hard_table,
    make_table,
    measure_difference,
    read_data,
)

lightgbm = pytest.importorskip("lightgbm")
pd = pytest.importorskip("pandas")

X, SCORE = make_table()
X_NEW = make_hard_table()
N_ROUNDS = 12


def train(X=X, y=SCORE, n_rounds=N_ROUNDS, dataset=None, **parameters):
    """Return a Booster of few rounds."""
    parameters = {"verbosity": -1, "num_threads": 1, "num_leaves": 12, **parameters}
    data = lightgbm.Dataset(X, y, **(dataset or {}))
    return lightgbm.train(parameters, data, n_rounds)


def make_target(objective):
    if objective in ("poisson", "gamma", "tweedie"):
        return np.exp(SCORE / 3)
    if objective == "binary":
        return (SCORE > 1).astype(int)
    if objective == "multiclass":
        return np.digitize(SCORE, [0, 2])
    return SCORE


def predict(estimator, X):
    """Return predictions as a Booster gives them."""
    if not hasattr(estimator, "classes_"):
        return estimator.predict(X)
    probabilities = estimator.predict_proba(X)
    return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities


def assert_same_model(booster, X=X_NEW, **kwargs):
    """Check the estimator of a booster, which is returned."""
    estimator = from_lightgbm(booster, **kwargs)
    assert_same(predict(estimator, X), booster.predict(X))
    return estimator


OBJECTIVES = {
    "regression": {},
    "regression_l1": {},
    "huber": {"alpha": 0.7},
    "quantile": {"alpha": 0.3},
    "poisson": {},
    "gamma": {},
    "tweedie": {"tweedie_variance_power": 1.3},
    "binary": {},
    "multiclass": {"num_class": 3},
}


@pytest.mark.parametrize("boosting", ["gbdt", "dart", "rf"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objectives(objective, boosting):
    options = {"drop_rate": 0.5} if boosting == "dart" else {}
    if boosting == "rf":
        options = {"bagging_freq": 1, "bagging_fraction": 0.5}
    booster = train(
        y=make_target(objective),
        objective=objective,
        boosting=boosting,
        **OBJECTIVES[objective],
        **options,
    )
    estimator = assert_same_model(booster)
    raw = booster.predict(X_NEW, raw_score=True)
    if boosting == "rf":
        raw /= N_ROUNDS  # LightGBM sums them, although its predictions average
    assert_same(np.squeeze(estimator._raw_predict(X_NEW)), raw)
    assert estimator.n_iter_ == N_ROUNDS
    assert_works(estimator, X_NEW)


def test_parameters():
    estimator = from_lightgbm(
        train(
            objective="tweedie",
            tweedie_variance_power=1.3,
            y=make_target("tweedie"),
            learning_rate=0.2,
            max_depth=4,
            lambda_l2=2,
            min_data_in_leaf=7,
            bagging_fraction=0.5,
            bagging_freq=1,
            feature_fraction=0.8,
        )
    )
    assert isinstance(estimator, HistGradientBoostingRegressor)
    expected = {
        "loss": "tweedie",
        "power": 1.3,
        "max_iter": N_ROUNDS,
        "max_leaf_nodes": 12,
        "learning_rate": 0.2,
        "max_depth": 4,
        "l2_regularization": 2.0,
        "min_samples_leaf": 7,
        "subsample": 0.5,
        "colsample_bytree": 0.8,
    }
    parameters = estimator.get_params()
    assert {name: parameters[name] for name in expected} == expected
    estimator.fit(X, make_target("tweedie"))
    quantile = from_lightgbm(train(objective="quantile", alpha=0.3))
    assert (quantile.loss, quantile.quantile) == ("quantile", 0.3)
    huber = from_lightgbm(train(objective="huber", alpha=0.7))
    assert huber._loss.delta == 0.7
    poisson = train(
        objective="tweedie", tweedie_variance_power=1, y=make_target("tweedie")
    )
    assert assert_same_model(poisson).loss == "poisson"


def test_statistics():
    booster = train(objective="binary", y=make_target("binary"))
    estimator = from_lightgbm(booster)
    gains = booster.feature_importance("gain")
    assert_allclose(estimator.feature_importances_, gains / gains.sum(), rtol=1e-4)
    assert_array_equal(estimator.feature_split_counts_, booster.feature_importance())
    theirs = booster.trees_to_dataframe().query("tree_index == 3")
    ours = tree_table(estimator, 3)
    for name, their_name in (("n_samples", "count"), ("value", "value")):
        assert_allclose(
            np.sort(ours[name]), np.sort(theirs[their_name]), rtol=1e-4, atol=1e-6
        )
    assert set(ours["left_levels"].dropna().explode()) <= {*CITIES, *range(-2, 30)}


@pytest.mark.parametrize("linear_tree", [False, True])
def test_plots(linear_tree):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    plt = pytest.importorskip("matplotlib.pyplot")
    estimator = from_lightgbm(train(linear_tree=linear_tree))
    axes = plot_tree(estimator, 1)
    texts = " ".join(text.get_text() for text in axes.texts)
    plt.close("all")
    assert "city" in texts and "Aarhus" in texts


# ---- sources -------------------------------------------------------------------------


def test_sources(tmp_path):
    booster = train(objective="binary", y=make_target("binary"))
    expected = predict(from_lightgbm(booster), X_NEW)
    text = booster.model_to_string()
    path = tmp_path / "model.txt"
    booster.save_model(path)
    crlf = tmp_path / "crlf.txt"
    crlf.write_bytes(text.replace("\n", "\r\n").encode())
    for source in (text, path, str(path), crlf, lightgbm.Booster(model_file=path)):
        assert_array_equal(predict(from_lightgbm(source), X_NEW), expected)


def test_best_iteration():
    data = lightgbm.Dataset(X, SCORE, free_raw_data=False)
    validation = data.create_valid(*make_table(500, seed=7))
    booster = lightgbm.train(
        {"verbosity": -1, "num_threads": 1, "metric": "l2", "learning_rate": 0.5},
        data,
        30,
        valid_sets=[validation],
        keep_training_booster=True,
        callbacks=[lightgbm.early_stopping(3, verbose=False)],
    )
    assert 0 < booster.best_iteration < booster.current_iteration()
    assert assert_same_model(booster).n_iter_ == booster.best_iteration
    text = booster.model_to_string(num_iteration=-1)
    for n_iter, source in ((2, booster), (-1, booster), (2, text), (None, text)):
        estimator = from_lightgbm(source, num_iteration=n_iter)
        n_trees = booster.current_iteration() if n_iter != 2 else 2
        assert estimator.n_iter_ == n_trees
        theirs = booster.predict(X_NEW, num_iteration=n_trees)
        assert measure_difference(estimator.predict(X_NEW), theirs) < 1e-12
    average = train(boosting="rf", bagging_freq=1, bagging_fraction=0.5)
    assert_same(
        from_lightgbm(average, num_iteration=3).predict(X_NEW),
        average.predict(X_NEW, num_iteration=3),
    )
    staged = list(from_lightgbm(average).staged_predict(X_NEW))
    for n_iter, stage in enumerate(staged, 1):
        assert_same(stage, average.predict(X_NEW, num_iteration=n_iter))


@pytest.mark.parametrize(
    "classes", [["no", "yes"], [7, 3], ["a", "b", "c"], [True, False], [-1.0, 1.0]]
)
def test_wrapper_keeps_classes(classes):
    bounds = np.arange(len(classes) - 1) * 2
    y = np.array(classes)[np.digitize(SCORE, bounds)]
    model = lightgbm.LGBMClassifier(n_estimators=8, n_jobs=1, verbosity=-1).fit(X, y)
    estimator = from_lightgbm(model)
    assert isinstance(estimator, HistGradientBoostingClassifier)
    assert_array_equal(estimator.classes_, model.classes_)
    assert estimator.classes_.dtype == model.classes_.dtype
    assert_array_equal(estimator.predict(X_NEW), model.predict(X_NEW))
    assert_same(estimator.predict_proba(X_NEW), model.predict_proba(X_NEW))
    assert estimator.score(X, y) == model.score(X, y)


def test_wrapper_of_one_class():
    model = lightgbm.LGBMClassifier(n_estimators=2, n_jobs=1, verbosity=-1)
    model.fit(X, np.full(len(X), "only"))
    estimator = from_lightgbm(model)
    assert_array_equal(estimator.predict(X_NEW), model.predict(X_NEW))
    assert estimator.predict_proba(X_NEW).shape == (len(X_NEW), 1)


def test_wrapper_of_regression():
    model = lightgbm.LGBMRegressor(n_estimators=8, n_jobs=1, verbosity=-1).fit(X, SCORE)
    assert_same(from_lightgbm(model).predict(X_NEW), model.predict(X_NEW))
    with pytest.raises(NotFittedError):
        from_lightgbm(lightgbm.LGBMRegressor())


def test_multiclass_of_two():
    booster = train(y=make_target("binary"), objective="multiclass", num_class=2)
    estimator = from_lightgbm(booster)
    assert_same(estimator.predict_proba(X_NEW), booster.predict(X_NEW))
    assert_array_equal(
        estimator.predict(X_NEW), np.argmax(booster.predict(X_NEW), axis=1)
    )


def test_sigmoid():
    booster = train(y=make_target("binary"), objective="binary", sigmoid=2.5)
    estimator = assert_same_model(booster)
    raw = booster.predict(X_NEW, raw_score=True)
    assert_same(estimator.decision_function(X_NEW), 2.5 * raw)


@pytest.mark.parametrize("objective", ["regression", "regression_l1", "quantile"])
def test_square_roots(objective):
    booster = train(objective=objective, reg_sqrt=True, alpha=0.4, y=SCORE - 2)
    assert booster.predict(X_NEW).min() < 0 < booster.predict(X_NEW).max()
    assert_works(assert_same_model(booster), X_NEW)


def test_own_objective():
    def compute_gradients(raw, data):
        return raw - data.get_label(), np.ones(len(raw))

    booster = train(objective=compute_gradients)
    assert_same_model(booster)
    model = lightgbm.LGBMClassifier(
        n_estimators=2,
        n_jobs=1,
        verbosity=-1,
        objective=lambda y, raw: (raw - y, np.ones(len(raw))),
    )
    model.fit(X, make_target("binary"))
    with pytest.raises(ValueError, match="an objective of its user's own"):
        from_lightgbm(model)


def test_init_score_of_training_is_not_the_models():
    booster = train(dataset={"init_score": np.full(len(X), 3.0)})
    assert_same_model(booster)


def test_names():
    array = X[["plain", "rounded", "narrow"]].to_numpy()
    estimator = from_lightgbm(train(array))
    assert not hasattr(estimator, "feature_names_in_")
    assert_same(estimator.predict(array), train(array).predict(array))
    spaced = X.rename(columns={"plain": "so plain", "city": "home city"})
    booster = train(spaced)
    new = X_NEW.rename(columns={"plain": "so plain", "city": "home city"})
    assert from_lightgbm(booster).feature_names_in_[0] == "so_plain"
    estimator = from_lightgbm(booster, feature_names=spaced.columns)
    assert_same(estimator.predict(new), booster.predict(new))
    with pytest.raises(ValueError, match="2 names, the LightGBM model has 5"):
        from_lightgbm(booster, feature_names=["a", "b"])


# ---- missing values ------------------------------------------------------------------


@pytest.mark.parametrize("zero_as_missing", [False, True])
@pytest.mark.parametrize("use_missing", [False, True])
@pytest.mark.parametrize("has_gaps", [False, True])
def test_missing_values(has_gaps, use_missing, zero_as_missing):
    trained = X if has_gaps else X.fillna({"plain": 0.3, "rounded": 0, "narrow": 0})
    trained = trained.copy()
    trained.loc[::9, ["plain", "narrow"]] = 0
    booster = train(
        trained, num_leaves=40, use_missing=use_missing, zero_as_missing=zero_as_missing
    )
    estimator = assert_same_model(booster)
    numbers = X_NEW.copy()
    for value in (np.nan, 0.0, -0.0, 1e-35, -1e-35, 1.1e-35, -1.1e-35, 1e-300, np.inf):
        numbers[["plain", "rounded"]] = value
        numbers["narrow"] = np.float32(value)
        assert_same(estimator.predict(numbers), booster.predict(numbers))
    kinds = {
        int(kind) >> 2
        for line in booster.model_to_string().splitlines()
        if line.startswith("decision_type=")
        for kind in line.partition("=")[2].split()
        if not int(kind) & 1
    }
    if not use_missing:
        assert kinds == {0}
    elif zero_as_missing:
        assert kinds == {1}
    else:
        assert kinds == ({2} if has_gaps else {0})


def test_zero_as_missing_in_some_iterations():
    numbers = X[["plain", "rounded"]].copy()
    numbers.loc[::4, "rounded"] = 0
    first = train(numbers, zero_as_missing=True, num_leaves=31)
    rest = lightgbm.train(
        {"verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(numbers.fillna(1.0), SCORE),
        3,
        init_model=first,
    )
    # Those who know of no missing values read them as zeros, which is the same here.
    assert_same_model(rest, X_NEW[["plain", "rounded"]])
    mixed = lightgbm.train(
        {"verbosity": -1, "num_threads": 1, "num_leaves": 60},
        lightgbm.Dataset(numbers, SCORE),
        10,
        init_model=first,
    )
    with pytest.raises(ValueError, match="zero_as_missing in some iterations"):
        from_lightgbm(mixed)


def test_thresholds_are_exact():
    values = np.unique(X["plain"].dropna())
    booster = train(X[["plain"]], num_leaves=200, min_data_in_leaf=1, max_bin=500)
    estimator = from_lightgbm(booster)
    thresholds = estimator._model.nodes["value"][estimator._model.nodes["feature"] == 0]
    near = np.concatenate(
        [
            values,
            thresholds,
            np.nextafter(thresholds, np.inf),
            np.nextafter(thresholds, -np.inf),
        ]
    )
    for dtype in (np.float64, np.float32):
        X_near = pd.DataFrame({"plain": near.astype(dtype)})
        assert_same(estimator.predict(X_near), booster.predict(X_near))


def test_sparse():
    rng = np.random.default_rng(0)
    array = rng.normal(size=(800, 6)) * (rng.random((800, 6)) < 0.3)
    y = array @ np.arange(6) + array[:, 0] * array[:, 5]
    matrix = sparse.csr_matrix(array)
    for zero_as_missing in (False, True):
        booster = train(matrix, y, zero_as_missing=zero_as_missing)
        estimator = from_lightgbm(booster)
        assert_same(estimator.predict(matrix), booster.predict(matrix))
        assert_same(estimator.predict(array), booster.predict(array))


# ---- categories ----------------------------------------------------------------------


def make_codes():
    """Return an array with integers as categories, some of them large or missing."""
    rng = np.random.default_rng(0)
    array = np.column_stack(
        [
            rng.integers(0, 6, 1500),
            rng.normal(size=1500),
            rng.choice([3, 40, 41, 700, 100_000], 1500),
        ]
    ).astype(float)
    array[rng.random(1500) < 0.1, 0] = np.nan
    y = np.nan_to_num(array[:, 0]) % 3 + array[:, 1] + (array[:, 2] == 40)
    return array, y


def test_integers_as_categories():
    array, y = make_codes()
    options = {"categorical_feature": [0, 2]}
    booster = train(array, y, dataset=options, min_data_per_group=5)
    estimator = assert_same_model(booster, array)
    assert_works(estimator, array)
    assert estimator.categorical_features == [0, 2]
    assert_array_equal(estimator.is_categorical_, [True, False, True])
    odd = [np.nan, -1, -0.5, -1e10, 1e10, np.inf, -np.inf, 2.7, 3.99, 40.5, 5, 41, 9e9]
    new = np.column_stack([np.resize(odd, 1300), array[:1300, 1], np.repeat(odd, 100)])
    assert_same(estimator.predict(new), booster.predict(new))
    for dtype in (np.float32, np.int64):
        whole = np.nan_to_num(array).astype(dtype)
        assert_same(estimator.predict(whole), booster.predict(whole))
    frame = pd.DataFrame({"a": whole[:, 0], "b": array[:, 1], "c": whole[:, 2]})
    named = train(frame, y, dataset={"categorical_feature": ["a", "c"]})
    assert_same_model(named, frame)


def test_categories_are_known_by_value():
    booster = train()
    estimator = from_lightgbm(booster)
    expected = booster.predict(X_NEW)
    other = X_NEW.copy()
    other["city"] = other["city"].cat.set_categories(["Zug", *CITIES[::-1]])
    assert_array_equal(estimator.predict(other), expected)
    other["city"] = other["city"].astype(object)
    assert_array_equal(estimator.predict(other), expected)
    other["code"] = other["code"].astype(float)
    assert_array_equal(estimator.predict(other), expected)
    assert estimator._encoder.levels_[3] == list(CITIES)


@pytest.mark.parametrize("zero_as_missing", [False, True])
def test_ordered_categories(zero_as_missing):
    sizes = ["small", "medium", "large", "huge", "vast"]
    rng = np.random.default_rng(3)
    frames = [X.copy(), X_NEW.copy()]
    for frame in frames:
        drawn = rng.choice([*sizes, None], len(frame))
        frame["size"] = pd.Categorical(drawn, categories=sizes, ordered=True)
    train_frame, new = frames
    y = SCORE + 3 * np.abs(train_frame["size"].cat.codes - 2)
    booster = train(train_frame, y, zero_as_missing=zero_as_missing)
    estimator = assert_same_model(booster, new)
    assert estimator._encoder.levels_[5] == sizes
    levels = pd.concat(
        [tree_table(estimator, i).query("feature == 'size'") for i in range(4)]
    )["left_levels"]
    assert len(levels) > 3 and all(set(of_node) < set(sizes) for of_node in levels)
    # It may be linear in the codes of an ordered category.
    if not zero_as_missing:
        finite = new.replace([np.inf, -np.inf], 0)
        assert_same_model(train(train_frame, y, linear_tree=True), finite)


def test_columns_of_categories_that_a_model_does_not_tell():
    n_rows = len(X)
    frame = pd.DataFrame(
        {
            "flag": np.arange(n_rows) % 2,
            "size": pd.Categorical(
                np.resize(["s", "m", "l"], n_rows), ["s", "m", "l"], ordered=True
            ),
            "city": X["city"],
        }
    )
    y = 3 * frame["size"].cat.codes + SCORE
    booster = train(frame, y)
    with pytest.raises(ValueError, match="Pass category_columns"):
        from_lightgbm(booster)
    for columns in (["size", "city"], [1, 2]):
        assert_same_model(booster, frame, category_columns=columns)
    for columns, message in (
        (["size", "town"], "'town'"),
        ([1, 3], "positions from 0 to 2"),
        ([2, 1], "in the order of the columns"),
        ([1], "1 columns, the LightGBM model has lists of categories for 2"),
    ):
        with pytest.raises(ValueError, match=message):
            from_lightgbm(booster, category_columns=columns)
    frame["flag"] = SCORE
    with pytest.raises(ValueError, match="cannot have the categories"):
        from_lightgbm(train(frame, y), category_columns=[0, 1])


def test_constant_columns_of_categories():
    frame = X.copy()
    frame.insert(0, "constant", pd.Categorical(["always"] * len(X)))
    booster = train(frame)
    new = X_NEW.copy()
    new.insert(0, "constant", pd.Categorical(["always"] * len(X_NEW)))
    estimator = assert_same_model(booster, new)
    assert estimator._encoder.levels_[0] == ["always"]


# ---- linear trees --------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("boosting", ["gbdt", "dart", "rf"])
def test_linear_trees(objective, boosting):
    options = {"bagging_freq": 1, "bagging_fraction": 0.5} if boosting == "rf" else {}
    booster = train(
        y=make_target(objective),
        objective=objective,
        boosting=boosting,
        linear_tree=True,
        linear_lambda=0.1,
        **OBJECTIVES[objective],
        **options,
    )
    finite = X_NEW.replace([np.inf, -np.inf], np.nan)
    finite["rounded"] = finite["rounded"].clip(-5, 5)
    estimator = from_lightgbm(booster)
    assert estimator._model.has_linear_leaves
    assert_same(predict(estimator, finite), booster.predict(finite), 1e-10)
    assert_works(estimator, finite)
    # Where LightGBM predicts what is no number, it is the constant of the leaf.
    infinite = X_NEW.copy()
    infinite["plain"] = np.inf
    assert np.isfinite(predict(estimator, infinite)).all()


# ---- models that are hard to read ----------------------------------------------------


def test_constant_models():
    constant = train(min_data_in_leaf=len(X))
    assert constant.num_trees() == 1
    estimator = from_lightgbm(constant)
    assert_array_equal(estimator.predict(X_NEW), constant.predict(X_NEW))
    assert_array_equal(estimator.feature_importances_, 0)
    data = lightgbm.Dataset(X, SCORE)
    empty = lightgbm.Booster({"verbosity": -1, "num_threads": 1}, data)
    estimator = from_lightgbm(empty.model_to_string())
    assert estimator.n_iter_ == 0
    assert_array_equal(estimator.predict(X_NEW), 0)


def test_old_format():
    text = train(X[["plain", "narrow"]]).model_to_string()
    expected = from_lightgbm(text).predict(X_NEW[["plain", "narrow"]])
    gone = ("is_linear=", "leaf_weight=", "internal_weight=", "num_cat=", "tree_sizes=")
    lines = [line for line in text.splitlines() if not line.startswith(gone)]
    old = "\n".join(lines[: lines.index("end of trees") + 1])
    old = old.replace("version=v4", "version=v2")
    assert_array_equal(from_lightgbm(old).predict(X_NEW[["plain", "narrow"]]), expected)


@pytest.mark.parametrize(
    "objective", ["fair", "mape", "cross_entropy", "multiclassova", "lambdarank"]
)
def test_objectives_that_we_do_not_have(objective):
    y = make_target("multiclass" if objective == "multiclassova" else "binary")
    booster = train(
        y=y,
        n_rounds=1,
        objective=objective,
        num_class=3 if objective == "multiclassova" else 1,
        dataset={"group": [len(y)]} if objective == "lambdarank" else None,
    )
    with pytest.raises(ValueError, match=f"'{objective}.*which sklearnx does not have"):
        from_lightgbm(booster)


def damage(text, line, value):
    """Return a model with another value of the first line of that name."""
    lines = text.split("\n")
    place = next(i for i, found in enumerate(lines) if found.startswith(f"{line}="))
    lines[place] = f"{line}={value}"
    return "\n".join(lines)


@pytest.mark.parametrize(
    "line, value, message",
    [
        ("max_feature_idx", "many", "other values than numbers as 'max_feature_idx'"),
        ("max_feature_idx", "7", "5 values of 'feature_names'"),
        ("num_tree_per_iteration", "2", "num_tree_per_iteration=2, expected 1"),
        ("objective", "binary sigmoid:-1", "positive number as sigmoid"),
        ("objective", "multiclass num_class:x", "positive number as num_class"),
        ("objective", "poisson sqrt", "'poisson sqrt', which sklearnx does not have"),
        ("feature_infos", "none none none none", "4 values of 'feature_infos'"),
        ("feature_infos", "what none none none none", "'what' in 'feature_infos'"),
        ("feature_infos", "none none none none none", "by categories, but has 'none'"),
        ("feature_infos", "[a:b] [0:1] [0:1] 1:2 1:2", "'a' as a number"),
        ("tree_sizes", "1 2 3", "3 values of 'tree_sizes' in the header"),
        ("num_leaves", "11", "12 values of 'leaf_value' in tree 0, expected 11"),
        ("num_leaves", "-3", "'num_leaves' in tree 0, expected 1"),
        ("left_child", "1 " * 11, "not the child of one other"),
        ("left_child", "99999 " * 11, "'left_child' in tree 0"),
        ("split_feature", "9 " * 11, "'split_feature' in tree 0, expected 0 to 4"),
        ("leaf_value", "nan " * 12, "NaN as 'leaf_value'"),
        ("leaf_value", "inf " * 12, "infinite values as 'leaf_value'"),
        ("leaf_value", "1,0 " * 12, "other values than numbers as 'leaf_value'"),
        ("decision_type", "12 " * 11, "'decision_type' in tree 0"),
        ("leaf_count", "-1 " * 12, "out of range"),
        ("cat_boundaries", "0 1", "values of 'cat_boundaries'"),
        ("cat_threshold", "-1", "'cat_threshold'"),
        ("threshold", "0.5 " * 11, "0.5 as 'threshold' of a split on"),
    ],
)
def test_damaged_models(line, value, message):
    text = damage(train().model_to_string(), line, value)
    with pytest.raises(ValueError, match=message):
        from_lightgbm(text)


def test_categories_that_are_numbers_too():
    array, y = make_codes()
    booster = train(array, y, dataset={"categorical_feature": [0, 2]}, num_leaves=4)
    text = damage(booster.model_to_string(), "decision_type", "2 2 2")
    with pytest.raises(ValueError, match="and in other nodes by numbers"):
        from_lightgbm(text)


def test_random_damage():
    rng = np.random.default_rng(0)
    text = train(n_rounds=2, linear_tree=True).model_to_string()
    # Names of parameters are only looked for.
    n_chars = text.index("end of trees")
    for _ in range(300):
        start = rng.integers(n_chars)
        stop = start + rng.integers(0, 4)
        characters = rng.choice(list("0123456789-. \n=:e"), rng.integers(0, 3))
        damaged = text[:start] + "".join(characters) + text[stop:]
        try:
            estimator = from_lightgbm(damaged)
        except ValueError:
            continue
        if estimator.n_features_in_ == X_NEW.shape[1]:
            names = getattr(estimator, "feature_names_in_", X_NEW.columns)
            estimator.predict(X_NEW.set_axis(names, axis=1))


def test_damaged_linear_models():
    text = train(linear_tree=True).model_to_string()
    second = text.index("Tree=1")
    for line, value, message in (
        ("leaf_features", "3 4", "values of 'leaf_features'"),
        ("leaf_const", "nan " * 12, "NaN as 'leaf_const'"),
    ):
        damaged = text[:second] + damage(text[second:], line, value)
        with pytest.raises(ValueError, match=message):
            from_lightgbm(damaged)
    place = text.index("leaf_features=", second)
    end = text.index("\n", place)
    digits = text[place:end].replace("0", "3").replace("1", "3").replace("2", "3")
    with pytest.raises(ValueError, match="linear model of a category"):
        from_lightgbm(text[:place] + digits + text[end:])


def test_files_that_are_no_models(tmp_path):
    text = train().model_to_string()
    path = tmp_path / "model"
    for content, message in (
        (b"", "begins with ''"),
        (b"\x89PNG\xff\xfe\x00", "begins with"),
        (b'{"name": "tree"}', "begins with '{"),
        (text[: len(text) // 3].encode(), "cut off"),
        (text.replace("Tree=5", "Bush=5").encode(), "'tree_sizes'"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            from_lightgbm(path)
    for categories in ("[1, 2]", "[[[1]]]", "[1"):
        broken = text[: text.index("pandas_categorical:")]
        with pytest.raises(ValueError, match="in JSON"):
            from_lightgbm(f"{broken}pandas_categorical:{categories}\n")
    found = "pandas_categorical:["
    too_many = text.replace(found, f'{found}["a"], ["b"], ')
    with pytest.raises(ValueError, match="lists in 'pandas_categorical'"):
        from_lightgbm(too_many)
    with pytest.raises(FileNotFoundError):
        from_lightgbm(tmp_path / "none")
    with pytest.raises(TypeError, match=r"got builtins\.int"):
        from_lightgbm(3)


# ---- real data -----------------------------------------------------------------------


def test_real_data():
    data = read_data("adult").drop(columns="split").sample(20_000, random_state=0)
    y = data.pop("income").to_numpy()
    model = lightgbm.LGBMClassifier(n_estimators=40, n_jobs=1, verbosity=-1)
    model.fit(data[:10_000], y[:10_000])
    estimator = from_lightgbm(model, feature_names=data.columns)
    new = data[10_000:].copy()
    for name in new.select_dtypes("category"):
        new[name] = new[name].cat.add_categories("never seen")
        new.loc[new.sample(300, random_state=1).index, name] = "never seen"
    assert_same(estimator.predict_proba(new), model.predict_proba(new))
    assert_array_equal(estimator.predict(new), model.predict(new))
