"""Models of CatBoost predict as CatBoost does, on all that a table may hold."""

import copy
import json
import pickle
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.inspection import partial_dependence

from sklearnx._io.catboost.ctrs import read_ctrs
from sklearnx._io.catboost.features import read_features
from sklearnx._io.catboost.hashes import hash_levels
from sklearnx._io.catboost.reading import from_catboost
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.inspection import tree_table
from tests.io._tables import assert_same, assert_works, measure_difference, read_data

catboost = pytest.importorskip("catboost")
pd = pytest.importorskip("pandas")

N_ROWS = 1200
POLICIES = ("SymmetricTree", "Depthwise", "Lossguide")
SETTINGS = {
    "iterations": 12,
    "depth": 4,
    "thread_count": 1,
    "verbose": False,
    "allow_writing_files": False,
}
CATEGORIES = ["city", "code", "flag", "kind", "few"]


def make_numbers(n_rows=N_ROWS, seed=0):
    """Return a frame of numbers with gaps, and a score of its rows."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "plain": rng.normal(size=n_rows),
            "rounded": rng.normal(size=n_rows).round(1),
            "narrow": rng.normal(size=n_rows).astype(np.float32),
            "wide": 1e6 * rng.normal(size=n_rows),
            "whole": rng.integers(0, 5, n_rows),
        }
    )
    score = X["plain"] + X["rounded"] * X["narrow"] + X["wide"] / 1e6 - X["whole"]
    for name in ("plain", "rounded"):
        X.loc[rng.random(n_rows) < 0.1, name] = np.nan
    return X, score.to_numpy() + 0.3 * rng.normal(size=n_rows)


def make_hard_numbers(seed=1):
    """Return such a frame, with what training did not see."""
    X, _ = make_numbers(seed=seed)
    rng = np.random.default_rng(seed)
    for name, value in (
        ("plain", np.inf),
        ("plain", -np.inf),
        ("rounded", 1e300),
        ("rounded", -1e300),
        ("narrow", np.nan),
        ("narrow", np.float32(-3.4e38)),
        ("wide", np.nan),
        ("wide", 3.5e38),
    ):
        X.loc[rng.random(N_ROWS) < 0.04, name] = value
    return X


def make_mixed(n_rows=N_ROWS, seed=0, is_new=False):
    """Return a frame with categories of all types, and a score of its rows."""
    rng = np.random.default_rng(seed)
    cities = [*"abcdefghijklmnop", "Århus", "a town of a rather long name, " * 3]
    codes = [*range(-3, 12), 10**9]
    kinds = ["x", "y", "z", ""]
    if is_new:
        cities += ["new", "日本", "q" * 40]
        codes += [77, -(10**12)]
        kinds += ["w"]
    X = pd.DataFrame(
        {
            "size": rng.normal(size=n_rows),
            "city": pd.Categorical(rng.choice(cities, n_rows)),
            "code": rng.choice(codes, n_rows),
            "flag": rng.random(n_rows) < 0.4,
            "kind": rng.choice(np.array(kinds, dtype=object), n_rows),
            "few": pd.Categorical(rng.integers(0, 2 + is_new, n_rows)),
            "gap": rng.normal(size=n_rows).round(1),
        }
    )
    effect = X["city"].map(lambda name: len(name) % 5 + ord(name[0]) % 3)
    score = effect.astype(float) * (X["code"] % 3) + X["size"] * X["flag"]
    score += (X["kind"] == "x") * (X["code"] > 4) * 2
    X.loc[rng.random(n_rows) < 0.1, "gap"] = np.nan
    return X, (score + X["gap"].fillna(2) + 0.3 * rng.normal(size=n_rows)).to_numpy()


X, SCORE = make_numbers()
X_NEW = make_hard_numbers()
MIXED, MIXED_SCORE = make_mixed()
MIXED_NEW, _ = make_mixed(seed=1, is_new=True)


def train(y=SCORE, X=X, **parameters):
    return catboost.CatBoostRegressor(**{**SETTINGS, **parameters}).fit(X, y)


def train_classifier(y, X=X, **parameters):
    return catboost.CatBoostClassifier(**{**SETTINGS, **parameters}).fit(X, y)


def train_mixed(y=MIXED_SCORE, **parameters):
    parameters = {"cat_features": CATEGORIES, "iterations": 30, **parameters}
    return train(y, MIXED, **parameters)


def assert_same_model(model, X=X_NEW, source=None):
    """Check the estimator of a model, which is returned."""
    estimator = from_catboost(model if source is None else source)
    with np.errstate(over="ignore"):
        theirs = model.predict(X)
        if hasattr(estimator, "classes_"):
            assert_array_equal(estimator.classes_, model.classes_)
            assert estimator.classes_.dtype == model.classes_.dtype
            assert_array_equal(estimator.predict(X), theirs.ravel())
            assert_same(estimator.predict_proba(X), model.predict_proba(X))
        else:
            assert_same(estimator.predict(X), theirs)
    importances = model.get_feature_importance(type="PredictionValuesChange")
    assert_allclose(estimator.feature_importances_, importances / 100, atol=1e-12)
    assert estimator.n_iter_ == model.tree_count_
    return estimator


def to_json(model, folder):
    path = folder / "model.json"
    model.save_model(str(path), format="json")
    return json.loads(path.read_text())


def read_integers(described):
    """Return JSON as CatBoost's own reader takes it, which knows no other sums."""
    for table in described["ctr_data"].values():
        table["hash_map"] = [
            int(item) if isinstance(item, float) else item for item in table["hash_map"]
        ]
    return described


def from_json(described, folder):
    """Return CatBoost's own reading of JSON."""
    path = folder / "edited.json"
    path.write_text(json.dumps(described))
    model = catboost.CatBoostRegressor()
    model.load_model(str(path), format="json")
    return model


# -- numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("nan_mode", ["Min", "Max"])
@pytest.mark.parametrize("grow_policy", POLICIES)
def test_trees(grow_policy, nan_mode):
    model = train(grow_policy=grow_policy, nan_mode=nan_mode, depth=6)
    estimator = assert_same_model(model)
    assert estimator.is_categorical_ is None
    nodes = estimator._model.nodes
    sides = nodes["missing_left"][nodes["feature"] == 0]
    # The side of missing values mattered, where training had some.
    assert sides.all() if nan_mode == "Min" else not sides.any()


@pytest.mark.parametrize("grow_policy", POLICIES)
def test_values_next_to_borders(grow_policy):
    model = train(grow_policy=grow_policy)
    estimator = from_catboost(model)
    rows = []
    for column, borders in model.get_borders().items():
        for border in np.array(borders, dtype=np.float32):
            above = np.nextafter(border, np.float32(np.inf), dtype=np.float32)
            for value in (border, above, np.nextafter(float(border), np.inf)):
                rows.append(np.zeros(5))
                rows[-1][column] = value
    rows = pd.DataFrame(rows, columns=X.columns)
    assert_same(estimator.predict(rows), model.predict(rows))
    # Their float64 values are above borders; what CatBoost compares is not.
    assert not np.array_equal(rows, rows.astype(np.float32))


def test_many_borders():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 1))
    model = train(np.sin(20 * X[:, 0]), X, border_count=1000, iterations=60, depth=8)
    # CatBoost has 254 borders in a byte.
    assert len(model.get_borders()[0]) > 254
    assert_same_model(model, np.sort(rng.normal(size=(1000, 1)), axis=0))


def test_sparse_rows():
    X = sparse.random(800, 6, density=0.3, format="csr", random_state=0)
    y = X[:, 0].toarray().ravel() - X[:, 1].toarray().ravel()
    model = train(y, X)
    estimator = from_catboost(model)
    assert_same(estimator.predict(X), model.predict(X))


REGRESSION_LOSSES = {
    "RMSE": ("squared_error", {}),
    "MAE": ("absolute_error", {}),
    "Quantile:alpha=0.2": ("quantile", {"quantile": 0.2}),
    "Huber:delta=1": ("huber", {}),
    "Poisson": ("poisson", {}),
    "Tweedie:variance_power=1.3": ("tweedie", {"power": 1.3}),
    "MAPE": ("absolute_error", {}),
    "Expectile:alpha=0.4": ("squared_error", {}),
    "LogCosh": ("squared_error", {}),
    "Lq:q=3": ("squared_error", {}),
}


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_regression_losses(loss):
    name, parameters = REGRESSION_LOSSES[loss]
    y = np.exp(SCORE / 3) if loss.startswith(("Poisson", "Tweedie")) else SCORE
    estimator = assert_same_model(train(y, loss_function=loss))
    assert isinstance(estimator, HistGradientBoostingRegressor)
    assert estimator.get_params()["loss"] == name
    assert parameters.items() <= estimator.get_params().items()
    assert_same(
        estimator._raw_predict(X_NEW).ravel(),
        train(y, loss_function=loss).predict(X_NEW, prediction_type="RawFormulaVal"),
    )


@pytest.mark.parametrize("grow_policy", POLICIES)
def test_several_targets(grow_policy):
    y = np.column_stack([SCORE, -SCORE, SCORE**2])
    model = train(y, loss_function="MultiRMSE", grow_policy=grow_policy)
    estimator = assert_same_model(model)
    assert estimator.n_outputs_ == 3


def test_several_quantiles():
    model = train(loss_function="MultiQuantile:alpha=0.1,0.5,0.9")
    estimator = assert_same_model(model)
    assert [part.quantile for part in estimator._loss.parts] == [0.1, 0.5, 0.9]


LABELS = {
    "bool": np.array([False, True]),
    "int": np.array([-7, 3]),
    "float": np.array([0.5, 2.0]),
    "str": np.array(["no", "så"]),
}


@pytest.mark.parametrize("labels", LABELS)
def test_two_classes(labels):
    y = LABELS[labels][(SCORE > -2).astype(int)]
    estimator = assert_same_model(train_classifier(y))
    assert isinstance(estimator, HistGradientBoostingClassifier)
    assert estimator.decision_function(X_NEW).shape == (N_ROWS,)


@pytest.mark.parametrize("labels", LABELS)
def test_two_classes_by_softmax(labels):
    y = LABELS[labels][(SCORE > -2).astype(int)]
    estimator = assert_same_model(train_classifier(y, loss_function="MultiClass"))
    assert estimator.decision_function(X_NEW).shape == (N_ROWS,)


@pytest.mark.parametrize(
    "loss", ["CrossEntropy", "Focal:focal_alpha=0.3;focal_gamma=1"]
)
def test_other_losses_of_two_classes(loss):
    y = 1 / (1 + np.exp(-SCORE)) if loss == "CrossEntropy" else (SCORE > 0).astype(int)
    assert_same_model(train_classifier(y, loss_function=loss))


@pytest.mark.parametrize("grow_policy", POLICIES)
def test_several_classes(grow_policy):
    y = np.array(["u", "v", "w"])[np.digitize(SCORE, [-3, 0])]
    model = train_classifier(y, grow_policy=grow_policy)
    estimator = assert_same_model(model)
    raw = model.predict(X_NEW, prediction_type="RawFormulaVal")
    assert_same(estimator.decision_function(X_NEW), raw)


@pytest.mark.parametrize(
    "labels, parameters",
    [
        ([0, 2], {"classes_count": 4}),
        (["a", "c"], {"class_names": ["a", "b", "c"]}),
        ([1, 0], {"classes_count": 2}),
    ],
)
def test_classes_without_rows(labels, parameters):
    y = np.array(labels)[(SCORE > -2).astype(int)]
    model = train_classifier(y, loss_function="MultiClass", **parameters)
    estimator = from_catboost(model)
    assert_array_equal(estimator.classes_, model.classes_)
    assert_array_equal(estimator.predict(X_NEW), model.predict(X_NEW).ravel())
    assert_same(estimator.predict_proba(X_NEW), model.predict_proba(X_NEW))


def test_classes_in_an_order_of_their_own():
    y = np.array(["a", "b"])[(SCORE > -2).astype(int)]
    estimator = assert_same_model(train_classifier(y, class_names=["b", "a"]))
    assert estimator.classes_.tolist() == ["b", "a"]


def test_model_without_a_wrapper():
    model = catboost.CatBoost({**SETTINGS, "loss_function": "Logloss"})
    model.fit(X, np.array([4, 8])[(SCORE > -2).astype(int)])
    estimator = from_catboost(model)
    probabilities = model.predict(X_NEW, prediction_type="Probability")
    assert_same(estimator.predict_proba(X_NEW), probabilities)
    assert_array_equal(
        estimator.predict(X_NEW), model.predict(X_NEW, prediction_type="Class")
    )


# -- models that were changed ----------------------------------------------------------


def test_scale_and_bias():
    model = train_classifier(np.digitize(SCORE, [-3, 0]))
    model.set_scale_and_bias(0.4, [1, -2, 0.5])
    assert_same_model(model)


def test_sums_of_models():
    model = catboost.sum_models([train(), train(-(SCORE**2), depth=2)], weights=[2, -1])
    estimator = from_catboost(model)
    assert_same(estimator.predict(X_NEW), model.predict(X_NEW))
    y = np.digitize(SCORE, [-3, 0])
    model = catboost.sum_models([train_classifier(y), train_classifier(y, depth=2)])
    estimator = from_catboost(model)
    probabilities = model.predict(X_NEW, prediction_type="Probability")
    assert_same(estimator.predict_proba(X_NEW), probabilities)


def test_early_stopping():
    model = catboost.CatBoostRegressor(**{**SETTINGS, "iterations": 60})
    model.fit(X[:800], SCORE[:800], eval_set=(X[800:], SCORE[800:] + X["wide"][800:]))
    assert 1 <= model.tree_count_ < 60
    estimator = from_catboost(model)
    assert estimator.n_iter_ == estimator.max_iter == model.tree_count_
    assert measure_difference(estimator.predict(X_NEW), model.predict(X_NEW)) < 1e-12


@pytest.mark.parametrize("grow_policy", POLICIES)
def test_trees_of_one_leaf(grow_policy, tmp_path):
    described = to_json(train(grow_policy=grow_policy), tmp_path)
    if grow_policy == "SymmetricTree":
        described["oblivious_trees"][1] = {
            "splits": None,
            "leaf_values": [0.7],
            "leaf_weights": [N_ROWS],
        }
    else:
        described["trees"][1] = {"value": 0.7, "weight": N_ROWS}
    model = from_json(described, tmp_path)
    estimator = from_catboost(described)
    assert_same(estimator.predict(X), model.predict(X))
    assert (estimator.apply(X)[:, 1] == 0).all()


def test_model_without_trees(tmp_path):
    described = to_json(train(), tmp_path)
    described["oblivious_trees"] = []
    estimator = from_catboost(described)
    assert estimator.n_iter_ == 0
    bias = described["scale_and_bias"][1][0]
    assert_array_equal(estimator.predict(X_NEW), np.full(N_ROWS, bias))


def test_older_versions(tmp_path):
    model = train()
    described = to_json(model, tmp_path)
    scale, (bias,) = described["scale_and_bias"]
    described["scale_and_bias"] = [scale, bias]
    for tree in described["oblivious_trees"]:
        del tree["leaf_weights"]
    estimator = from_catboost(described)
    assert_same(estimator.predict(X_NEW), model.predict(X_NEW))
    assert not estimator.feature_importances_.any()
    with pytest.raises(NotImplementedError, match="sample weights"):
        partial_dependence(estimator, X_NEW, ["rounded"], method="recursion")


# -- where models come from ------------------------------------------------------------


def test_sources(tmp_path):
    model = train_mixed()
    binary, text = tmp_path / "model.cbm", tmp_path / "model"
    model.save_model(str(binary))
    model.save_model(str(text), format="json")
    expected = model.predict(MIXED_NEW)
    content = text.read_text()
    sources = [model, binary, str(binary), text, str(text), content]
    for source in (*sources, json.loads(content)):
        assert_same(from_catboost(source).predict(MIXED_NEW), expected)


def test_no_catboost(tmp_path, monkeypatch):
    model = train_mixed()
    expected = model.predict(MIXED_NEW)
    for format_ in ("cbm", "json"):
        model.save_model(str(tmp_path / format_), format=format_)
    monkeypatch.setitem(sys.modules, "catboost", None)
    for format_ in ("cbm", "json"):
        estimator = from_catboost(tmp_path / format_)
        assert_same(estimator.predict(MIXED_NEW), expected)
    with pytest.raises(TypeError, match="got CatBoostRegressor"):
        from_catboost(model)


# -- categories ------------------------------------------------------------------------

CTR_OPTIONS = {
    "default": {},
    "combinations": {"max_ctr_complexity": 4, "depth": 8},
    "some one-hot": {"one_hot_max_size": 4, "max_ctr_complexity": 3, "depth": 7},
    "only one-hot": {"one_hot_max_size": 255},
    "all types": {
        "simple_ctr": [
            "Borders",
            "Counter",
            "BinarizedTargetMeanValue:Prior=0.3",
            "Buckets:TargetBorderCount=3",
        ],
        "combinations_ctr": [
            "Borders:TargetBorderCount=4",
            "Counter:Prior=0.7",
            "BinarizedTargetMeanValue:TargetBorderCount=3:CtrBorderCount=40",
        ],
        "max_ctr_complexity": 3,
    },
    "counters": {
        "simple_ctr": "Counter:Prior=0.7",
        "combinations_ctr": "Counter:Prior=0.4",
        "counter_calc_method": "Full",
    },
    "by column": {
        "per_feature_ctr": [
            "1:Borders:TargetBorderCount=3:Prior=0.5,Counter:Prior=0",
            "2:Buckets:TargetBorderCount=2:Prior=1",
        ]
    },
    "several targets": {
        "simple_ctr": ["Borders:TargetBorderCount=1", "Borders:TargetBorderCount=5"]
    },
    "ordered": {"boosting_type": "Ordered"},
    "missing right": {"nan_mode": "Max", "max_ctr_complexity": 4, "depth": 8},
    "depthwise": {"grow_policy": "Depthwise", "max_ctr_complexity": 3},
    "leafwise": {"grow_policy": "Lossguide", "one_hot_max_size": 5},
}


@pytest.mark.parametrize("options", CTR_OPTIONS)
def test_categories(options, tmp_path):
    model = train_mixed(**CTR_OPTIONS[options])
    estimator = assert_same_model(model, MIXED_NEW)
    assert estimator.is_categorical_.tolist() == [
        name in CATEGORIES for name in MIXED.columns
    ]
    if options != "several targets":
        path = tmp_path / "model.json"
        model.save_model(str(path), format="json")
        assert_same_model(model, MIXED_NEW, source=path)


def test_parts_of_combinations():
    model = train_mixed(
        one_hot_max_size=4, max_ctr_complexity=4, depth=8, nan_mode="Max", iterations=60
    )
    estimator = assert_same_model(model, MIXED_NEW)
    projections = estimator._derived._projections
    assert any(len(projection.categories) > 1 for projection in projections)
    assert any(projection.levels for projection in projections)
    # Borders of a column with missing values too.
    gap = MIXED.columns.get_loc("gap")
    borders = [border for projection in projections for border in projection.borders]
    assert any(column == gap and is_high for column, _, is_high in borders)


@pytest.mark.parametrize("grow_policy", POLICIES)
def test_categories_of_several_classes(grow_policy):
    model = train_classifier(
        np.digitize(MIXED_SCORE, [1, 3, 6]),
        MIXED,
        cat_features=CATEGORIES,
        grow_policy=grow_policy,
        simple_ctr=["Buckets", "Borders", "Counter"],
    )
    estimator = assert_same_model(model, MIXED_NEW)
    texts = [text for _, text in estimator._derived.columns_]
    assert any(text.startswith("Buckets[3]") for text in texts)
    assert any(text.startswith("Borders[2]") for text in texts)


@pytest.mark.parametrize(
    "old, new",
    [
        ("Counter", "FeatureFreq"),
        ("BinarizedTargetMeanValue", "FloatTargetMeanValue"),
    ],
)
def test_types_that_only_gpus_make(old, new, tmp_path):
    model = train_mixed(simple_ctr=[old], combinations_ctr=[old])
    text = json.dumps(to_json(model, tmp_path)).replace(old, new)
    assert new in text
    described = read_integers(json.loads(text))
    theirs = from_json(described, tmp_path).predict(MIXED_NEW)
    assert_same(from_catboost(described).predict(MIXED_NEW), theirs)


@pytest.mark.parametrize("type_", ["Borders", "BinarizedTargetMeanValue", "Counter"])
def test_statistics_on_borders(type_, tmp_path):
    options = f"{type_}:Prior=0.3:Prior=0.77"
    model = train_mixed(
        simple_ctr=[options], combinations_ctr=[options], one_hot_max_size=1
    )
    described = read_integers(to_json(model, tmp_path))
    features = read_features(described["features_info"])
    ctrs, projections = read_ctrs(described, features)
    rng = np.random.default_rng(0)
    for ctr, of_json in zip(ctrs, described["features_info"]["ctrs"], strict=True):
        values = projections[ctr.projection].ctrs[ctr.position]
        borders = rng.choice(values, len(of_json["borders"]))
        of_json["borders"] = np.sort(borders).tolist()
    assert sum(len(ctr.borders) for ctr in ctrs) > 20
    for tree in described["oblivious_trees"]:
        for split in tree["splits"]:
            # It tells of the border that was there.
            del split["split_type"]
    theirs = from_json(described, tmp_path).predict(MIXED_NEW)
    assert_same(from_catboost(described).predict(MIXED_NEW), theirs)


def test_arrays_of_objects():
    columns = [MIXED.columns.get_loc(name) for name in CATEGORIES]
    rows = MIXED.astype({"city": object, "few": object}).to_numpy(dtype=object)
    new = MIXED_NEW.astype({"city": object, "few": object}).to_numpy(dtype=object)
    model = train(MIXED_SCORE, rows, cat_features=columns)
    estimator = assert_same_model(model, new)
    assert_array_equal(estimator.predict(new.tolist()), estimator.predict(new))
    assert not hasattr(estimator, "feature_names_in_")
    frame = MIXED_NEW.set_axis(range(MIXED_NEW.shape[1]), axis=1)
    assert_array_equal(estimator.predict(frame), estimator.predict(new))


def test_arrays_of_integers():
    rng = np.random.default_rng(0)
    rows = rng.integers(-5, 20, (800, 3))
    y = np.cos(rows[:, 0]) + np.sin(rows[:, 1]) + 0.1 * rows[:, 2]
    model = train(y, rows, cat_features=[0, 1])
    new = rng.integers(-8, 25, (500, 3))
    estimator = assert_same_model(model, new)
    expected = estimator.predict(new)
    # Which CatBoost does not take: integers that are floats.
    for same in (new.astype(float), new.astype(np.float32), sparse.csr_matrix(new)):
        assert_array_equal(estimator.predict(same), expected)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_frames_of_other_libraries(library):
    module = pytest.importorskip(library)
    model = train_mixed()
    rows = MIXED_NEW.astype({"city": str, "few": int})
    if library == "polars":
        frame = module.DataFrame({name: rows[name].tolist() for name in rows})
    else:
        frame = module.table({name: rows[name].tolist() for name in rows})
    assert_same(from_catboost(model).predict(frame), model.predict(MIXED_NEW))


def test_missing_categories():
    gaps = MIXED.assign(kind=MIXED["kind"].mask(MIXED["kind"] == "z"))
    texts = gaps.assign(kind=gaps["kind"].astype(object).fillna("nan"))
    model = train(MIXED_SCORE, texts, cat_features=CATEGORIES)
    estimator = assert_same_model(model, texts)
    expected = estimator.predict(texts)
    # CatBoost takes no missing category; they are what `astype(str)` makes of NaN.
    for missing in (None, np.nan, pd.NA):
        rows = texts.assign(kind=texts["kind"].replace("nan", missing))
        assert rows["kind"].isna().any()
        assert_array_equal(estimator.predict(rows), expected)
    rows = gaps.assign(kind=gaps["kind"].astype("category"))
    assert_array_equal(estimator.predict(rows), expected)


def test_single_rows():
    model = train_mixed()
    estimator = from_catboost(model)
    expected = estimator.predict(MIXED_NEW)
    predictor = estimator.compile_predictor()
    for row in range(5):
        assert_array_equal(estimator.predict(MIXED_NEW[row : row + 1]), expected[[row]])
        assert predictor(MIXED_NEW.iloc[row].to_dict()) == expected[row]
    estimator = from_catboost(train())
    expected = estimator.predict(X_NEW)
    predictor = estimator.compile_predictor()
    for row in range(50):
        assert predictor(X_NEW.iloc[row].to_dict()) == expected[row]


def test_hashes(tmp_path):
    levels = ["".join(chr(97 + (i * j) % 26) for j in range(i)) for i in range(200)]
    levels += ["Århus", "日本", "A", "b" * 500, -3, 0, 10**18, np.uint64(2**64 - 1)]
    pool = catboost.Pool(
        pd.DataFrame({"level": pd.Series(levels * 2, dtype=object)}),
        np.arange(2 * len(levels)) % 2,
        cat_features=["level"],
    )
    model = catboost.CatBoostClassifier(**{**SETTINGS, "iterations": 1}).fit(pool)
    path = tmp_path / "hashes.json"
    model.save_model(str(path), format="json", pool=pool)
    info = json.loads(path.read_text())["features_info"]
    theirs = {item["value"]: item["hash"] for item in info["cat_features_hash"]}
    ours = dict(zip(map(str, levels), hash_levels(levels).view(np.uint32).tolist()))
    assert len(theirs) == len(levels)
    assert ours == theirs


def test_numbers_that_are_equal_are_one_level():
    hashes = hash_levels([1, 1.0, True, np.float32(1), np.int8(1), "1", b"1"])
    assert len(set(hashes.tolist())) == 1
    hashes = hash_levels([None, np.nan, pd.NA, pd.NaT, "nan"])
    assert len(set(hashes.tolist())) == 1
    assert hash_levels([1.5]) == hash_levels(["1.5"])


# -- what estimators tell --------------------------------------------------------------


def test_names_and_parameters():
    model = train_mixed(
        learning_rate=0.2, depth=5, l2_leaf_reg=2.5, min_data_in_leaf=3, border_count=64
    )
    estimator = from_catboost(model)
    assert estimator.feature_names_in_.tolist() == MIXED.columns.tolist()
    assert estimator.n_features_in_ == MIXED.shape[1]
    parameters = estimator.get_params()
    expected = {
        "loss": "squared_error",
        "learning_rate": 0.2,
        "max_depth": 5,
        "max_leaf_nodes": None,
        "l2_regularization": 2.5,
        "min_samples_leaf": 3,
        "grow_policy": "symmetric",
        "max_bins": 65,
        "max_iter": 30,
        "categorical_features": [1, 2, 3, 4, 5],
    }
    assert {name: parameters[name] for name in expected} == expected
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(MIXED_NEW[MIXED_NEW.columns[::-1]])
    # Another fit with the same parameters goes its own way.
    fitted = clone(estimator).fit(MIXED, MIXED_SCORE)
    assert fitted._derived is None


def test_leafwise_parameters():
    model = train(grow_policy="Lossguide", max_leaves=9)
    parameters = from_catboost(model).get_params()
    assert parameters["grow_policy"] == "leafwise"
    assert parameters["max_leaf_nodes"] == 9
    parameters = from_catboost(train(grow_policy="Depthwise")).get_params()
    assert parameters["grow_policy"] == "depthwise"
    assert parameters["max_leaf_nodes"] is None


@pytest.mark.parametrize("grow_policy", POLICIES)
def test_all_else(grow_policy):
    assert_works(from_catboost(train(grow_policy=grow_policy)), X_NEW)
    y = np.digitize(SCORE, [-3, 0])
    estimator = from_catboost(train_classifier(y, grow_policy=grow_policy))
    assert_works(estimator, X_NEW)
    with pytest.raises(NotFittedError):
        clone(estimator).predict(X_NEW)


def test_all_else_with_categories():
    model = train_mixed()
    estimator = from_catboost(model)
    predicted = estimator.predict(MIXED_NEW)
    copied = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(copied.predict(MIXED_NEW), predicted)
    stages = list(estimator.staged_predict(MIXED_NEW))
    theirs = list(model.staged_predict(MIXED_NEW))
    assert len(stages) == len(theirs) == 30
    for ours, their in zip(stages, theirs, strict=True):
        assert measure_difference(ours, their) < 1e-12
    assert_same(estimator.predict(MIXED_NEW, n_iter=7), theirs[6])
    names = estimator._name_columns()
    assert len(names) == len(set(names)) == estimator._derived.n_columns
    split_on = {
        name
        for iteration in range(estimator.n_iter_)
        for name in tree_table(estimator, iteration)["feature"].dropna()
    }
    assert any(name.startswith("Borders 0.5/1 of ") for name in split_on)
    assert estimator.feature_split_counts_[1] > 0
    # Rows that statistics are of are not to be found by the shares of nodes.
    with pytest.raises(NotImplementedError, match="brute"):
        partial_dependence(estimator, MIXED_NEW, ["city"], method="recursion")
    found = partial_dependence(
        estimator, MIXED_NEW, ["code"], method="brute", categorical_features=["code"]
    )
    assert np.ptp(found["average"]) > 0


def test_leaves():
    model = train()
    leaves = from_catboost(model).apply(X_NEW)
    with np.errstate(over="ignore"):
        theirs = model.calc_leaf_indexes(X_NEW)
    for ours, their in zip(leaves.T, theirs.T, strict=True):
        pairs = set(zip(ours.tolist(), their.tolist()))
        # Leaves that no training row came to may be one of ours.
        assert len({their for _, their in pairs}) == len(pairs)
        assert len({ours for ours, _ in pairs}) > 3


def test_statistics_of_nodes():
    estimator = from_catboost(train(learning_rate=0.5, l2_leaf_reg=0, iterations=1))
    table = tree_table(estimator)
    leaves = estimator.apply(X)[:, 0]
    counts = np.bincount(leaves, minlength=len(table))
    is_leaf = table["feature"].isna()
    assert_array_equal(table.loc[is_leaf, "n_samples"], counts[is_leaf])
    assert table["n_samples"].iloc[0] == N_ROWS
    mean = estimator.predict(X).mean() - estimator._model.init_score[0]
    assert_allclose(table["value"].iloc[0], mean, atol=1e-12)
    assert (table.loc[~is_leaf, "gain"] >= 0).all()


def test_averages_over_training_rows():
    # Trees of one split each: the shares of nodes do not matter.
    estimator = from_catboost(train(depth=1, iterations=40))
    recursion, brute = (
        partial_dependence(estimator, X.fillna(0), ["wide"], method=method)["average"]
        for method in ("recursion", "brute")
    )
    assert_allclose(np.diff(recursion), np.diff(brute), atol=1e-12)
    assert np.ptp(recursion) > 0.1


def test_weighted_rows():
    weights = np.random.default_rng(0).random(N_ROWS)
    model = catboost.CatBoostRegressor(**SETTINGS).fit(X, SCORE, sample_weight=weights)
    estimator = assert_same_model(model)
    assert not estimator._model.stats["n_samples"].any()
    with pytest.raises(NotImplementedError, match="sample weights"):
        partial_dependence(estimator, X_NEW, ["rounded"], method="recursion")


# -- what is refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss, y",
    [
        ("MultiClassOneVsAll", np.digitize(SCORE, [-3, 0])),
        ("RMSEWithUncertainty", SCORE),
        ("LogLinQuantile", np.exp(SCORE / 3)),
    ],
)
def test_losses_that_we_lack(loss, y):
    model = catboost.CatBoost({**SETTINGS, "loss_function": loss}).fit(X, y)
    with pytest.raises(ValueError, match=f"'{loss}', which sklearnx does not have"):
        from_catboost(model)


def test_ranking():
    model = catboost.CatBoostRanker(**SETTINGS, loss_function="QueryRMSE")
    model.fit(X, SCORE, group_id=np.arange(N_ROWS) // 10)
    with pytest.raises(ValueError, match="'QueryRMSE', which sklearnx does not have"):
        from_catboost(model)


def test_texts_and_embeddings():
    rng = np.random.default_rng(0)
    words = np.array(["a b c", "d e", "a e f"])[rng.integers(0, 3, 200)]
    rows = pd.DataFrame({"size": rng.normal(size=200), "words": words})
    y = (words == "d e").astype(int)
    model = train_classifier(y, rows, text_features=["words"], iterations=2)
    with pytest.raises(ValueError, match="text features"):
        from_catboost(model)
    rows["words"] = list(rng.normal(size=(200, 4)))
    model = train_classifier(y, rows, embedding_features=["words"], iterations=2)
    with pytest.raises(ValueError, match="embedding features"):
        from_catboost(model)


def test_probability_threshold():
    model = train_classifier((SCORE > 0).astype(int))
    model.set_probability_threshold(0.3)
    with pytest.raises(ValueError, match="FixedThresholdClassifier"):
        from_catboost(model)
    model.set_probability_threshold(0.5)
    assert_same_model(model)


def test_tables_that_json_confuses(tmp_path):
    model = train_mixed(**CTR_OPTIONS["several targets"])
    described = to_json(model, tmp_path)
    with pytest.raises(ValueError, match="'Borders' for several TargetBorderCount"):
        from_catboost(described)


def test_what_is_no_model(tmp_path):
    with pytest.raises(TypeError, match="got int"):
        from_catboost(3)
    with pytest.raises(ValueError, match="not trained"):
        from_catboost(catboost.CatBoostRegressor())
    with pytest.raises(FileNotFoundError):
        from_catboost(tmp_path / "nothing.json")
    with pytest.raises(ValueError, match="neither CatBoost's JSON nor"):
        from_catboost('{"model_info": ')
    with pytest.raises(ValueError, match="it lacks 'features_info'"):
        from_catboost("{}")
    path = tmp_path / "list.json"
    path.write_text("[1, 2]")
    with pytest.raises(ValueError, match="expected an object"):
        from_catboost(path)
    path.write_bytes(b"\x00\xff\xfe")
    with pytest.raises(ValueError, match="neither CatBoost's JSON nor"):
        from_catboost(path)
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="neither CatBoost's JSON nor"):
        from_catboost(path)


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    model = train_mixed(one_hot_max_size=4, max_ctr_complexity=3, iterations=5)
    return to_json(model, tmp_path_factory.mktemp("models"))


def change(described, path, value):
    """Return JSON with another value at a place."""
    described = copy.deepcopy(described)
    place = described
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return described


FEATURES, TREE = ("features_info",), ("oblivious_trees", 0)


@pytest.mark.parametrize(
    "path, value, message",
    [
        ((*TREE, "splits", 0, "split_index"), 10**6, "'split_index' is 1000000"),
        ((*TREE, "splits", 0, "split_index"), -1, "'split_index' is -1"),
        ((*TREE, "splits", 0, "split_index"), "0", "expected an integer"),
        ((*TREE, "splits", 0, "split_type"), "Estimated", "is not number"),
        ((*TREE, "leaf_values"), [0.0, 1.0], "'leaf_values' has 2 numbers"),
        ((*TREE, "leaf_values", 0), float("nan"), "too large"),
        ((*TREE, "leaf_values", 0), None, "expected numbers"),
        ((*TREE, "leaf_values", 0), 10**400, "too large"),
        ((*TREE, "leaf_weights", 0), -1, "negative"),
        (("oblivious_trees",), {}, "expected a list"),
        (("trees",), [], "not one of 'oblivious_trees' and 'trees'"),
        (("scale_and_bias",), [1], "'scale_and_bias' has 1 items"),
        (("scale_and_bias",), [1, [0.5, 1]], "2 biases"),
        ((*FEATURES, "float_features", 0, "flat_feature_index"), 99, "below 7"),
        ((*FEATURES, "float_features", 0, "flat_feature_index"), 1, "the same"),
        ((*FEATURES, "float_features", 0, "feature_index"), 1, "number the columns"),
        ((*FEATURES, "float_features", 0, "borders"), ["a"], "expected numbers"),
        ((*FEATURES, "float_features", 0, "nan_value_treatment"), "?", "'AsFalse'"),
        ((*FEATURES, "categorical_features", 2, "values"), [1 << 40], "32 bits"),
        ((*FEATURES, "ctrs", 0, "ctr_type"), "Median", "'ctr_type' is 'Median'"),
        ((*FEATURES, "ctrs", 0, "identifier"), "?", "it lacks '\\?'"),
        ((*FEATURES, "ctrs", 0, "elements", 0, "cat_feature_index"), 9, "there are 5"),
        ((*FEATURES, "ctrs", 0, "target_border_idx"), 5, "'target_border_idx' is 5"),
        ((*FEATURES, "text_features"), [{}], "text features"),
        (("ctr_data",), {}, "it lacks"),
        (("model_info", "params", "loss_function"), None, "it lacks 'loss_function'"),
        (("model_info", "params", "loss_function"), "RMSE", "expected an object"),
        (
            ("model_info", "params", "loss_function", "type"),
            "MultiClass",
            "expected 2",
        ),
        ((*FEATURES, "ctrs", 0, "elements"), [], "no category"),
        (
            ("model_info", "params", "tree_learner_options", "depth"),
            -3,
            "'max_depth' parameter",
        ),
        (
            ("model_info", "params", "tree_learner_options", "grow_policy"),
            "Region",
            "'grow_policy' is 'Region'",
        ),
    ],
)
def test_malformed_json(described, path, value, message):
    from_catboost(described)
    with pytest.raises(ValueError, match=message):
        from_catboost(change(described, path, value))


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("class_to_label", [1, 0], "expected 2 and"),
        ("class_to_label", [0, 2], "'class_to_label' is"),
        ("class_to_label", [0, 0], "twice"),
        ("class_to_label", [0, 0.5], "holds 0.5"),
        ("class_names", ["a", "a"], "twice"),
        ("class_names", ["a", "b", "c"], "it has 3 classes"),
        ("class_names", [1, 2], "'class_names' is"),
        ("class_label_type", "Date", "'class_label_type' is 'Date'"),
    ],
)
def test_malformed_classes(key, value, message, tmp_path):
    y = np.array(["a", "b"])[(SCORE > 0).astype(int)]
    described = to_json(train_classifier(y, iterations=2), tmp_path)
    with pytest.raises(ValueError, match=message):
        from_catboost(change(described, ("model_info", "class_params", key), value))


def test_too_many_classes(tmp_path):
    model = train_classifier(np.digitize(SCORE, [-3, 0]), classes_count=3)
    described = to_json(model, tmp_path)
    path = ("model_info", "class_params", "classes_count")
    with pytest.raises(ValueError, match="1000000000 classes"):
        from_catboost(change(described, path, 10**9))


@pytest.mark.parametrize(
    "hash_map, message",
    [
        (["1", 2], "'hash_map' has 2 items"),
        (["x", 2, 3], "a hash of 'hash_map' is 'x'"),
        (["²", 2, 3], "a hash of 'hash_map'"),
        ([str(1 << 64), 2, 3], "expected 64 bits"),
        ([7, 2, 3], "expected a text"),
        (["7", 2, "3"], "expected numbers"),
    ],
)
def test_malformed_tables(described, hash_map, message):
    identifier = described["features_info"]["ctrs"][0]["identifier"]
    assert described["ctr_data"][identifier]["hash_stride"] == 3
    with pytest.raises(ValueError, match=message):
        from_catboost(change(described, ("ctr_data", identifier, "hash_map"), hash_map))


@pytest.mark.parametrize("grow_policy", ["SymmetricTree", "Depthwise"])
def test_damaged_files(grow_policy, tmp_path):
    model = train_mixed(iterations=3, max_ctr_complexity=2, grow_policy=grow_policy)
    path = tmp_path / "model.cbm"
    model.save_model(str(path))
    content = path.read_bytes()
    n_refused = 0
    rng = np.random.default_rng(0)
    for i in range(150):
        damaged = bytearray(content)
        if i % 3 == 0:
            damaged = damaged[: rng.integers(4, len(content))]
        elif i % 3 == 1:
            place = rng.integers(8, len(content) - 4)
            damaged[place : place + 4] = rng.bytes(4)
        else:
            # Where offsets and sizes are small numbers.
            places = [j for j in rng.integers(8, len(content), 40) if damaged[j] == 0]
            for place in places[:3]:
                damaged[place] = 255
        path.write_bytes(damaged)
        try:
            from_catboost(path).predict(MIXED_NEW)
        except ValueError as error:
            assert len(str(error)) > 20
            n_refused += 1
    # Some bytes are of texts or values that may be anything.
    assert n_refused > 50


# -- real data -------------------------------------------------------------------------


@pytest.mark.parametrize("grow_policy", ["SymmetricTree", "Lossguide"])
def test_adult(grow_policy):
    table = read_data("adult")[:10_000]
    y = table["income"].astype(str)
    rows = table.drop(columns=["income", "split"])
    names = [name for name in rows if isinstance(rows[name].dtype, pd.CategoricalDtype)]
    assert len(names) > 5
    assert rows[names].isna().to_numpy().any()
    texts = rows.copy()
    for name in names:
        texts[name] = rows[name].astype(object).fillna("nan")
    model = train_classifier(
        y[:6000],
        texts[:6000],
        cat_features=names,
        iterations=20,
        depth=6,
        max_ctr_complexity=3,
        grow_policy=grow_policy,
    )
    estimator = assert_same_model(model, texts)
    # As they are, with missing ones.
    assert_array_equal(estimator.predict_proba(rows), estimator.predict_proba(texts))
