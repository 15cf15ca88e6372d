"""ONNX models say what our estimators say, asked by onnxruntime."""

import sys
from datetime import date

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import ensemble as sklearn_ensemble
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from sklearnx._boosting.losses import make_loss
from sklearnx._io.assembly import assemble
from sklearnx._io.onnx.converting import register_converters, to_onnx
from sklearnx._io.onnx.forest import number_nodes, read_forest
from sklearnx._io.sklearn import from_sklearn
from sklearnx._io.source_columns import SourceColumns
from sklearnx._io.source_trees import SourceTree
from sklearnx.ensemble import (
    BoostingClassifier,
    BoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.preprocessing import OrderedTargetEncoder
from tests.contracts.estimators import over_variants
from tests.io._models import SCORE, SMALL, OwnLoss, X, fit_regressor
from tests.io._tables import (
    assert_same,
    make_hard_table,
    measure_difference,
    read_data,
)

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")
pd = pytest.importorskip("pandas")

X_NEW = make_hard_table(10_000)
NUMBERS = ["plain", "rounded", "narrow"]
# Of operators of machine learning; the last is the default.
VERSIONS = (2, 3, 4, 5)
DTYPES = {
    "tensor(string)": object,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


def fit_classifier(X=X, y=None, n_classes=2, **settings):
    if y is None:
        y = np.digitize(SCORE, np.quantile(SCORE, np.arange(1, n_classes) / n_classes))
    return HistGradientBoostingClassifier(**{**SMALL, **settings}).fit(X, y)


def run(model, X):
    """Return the outputs of a model."""
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    inputs = session.get_inputs()
    if hasattr(X, "columns"):
        columns = [X[[name]].to_numpy(object) for name in X.columns]
    elif len(inputs) > 1:
        columns = [X[:, [j]] for j in range(X.shape[1])]
    else:
        columns = [X]
    rows = {
        tensor.name: values.astype(DTYPES[tensor.type])
        for tensor, values in zip(inputs, columns, strict=True)
    }
    return session.run(None, rows)


def assert_onnx_agrees(estimator, X=X_NEW, like=None, tolerance=1e-12, **settings):
    """Check what onnxruntime says of the rows; return the model."""
    model = to_onnx(estimator, X if like is None else like, **settings)
    outputs = run(model, X)
    if hasattr(estimator, "predict_proba"):
        labels, probabilities = outputs
        assert_array_equal(labels, estimator.predict(X))
        expected = estimator.predict_proba(X)
        assert_same(probabilities, expected, max(tolerance, 1e-7))
    else:
        (predicted,) = outputs
        if predicted.dtype == np.float32:
            tolerance = max(tolerance, 1e-6)
        expected = estimator.predict(X).reshape(len(X), -1)
        assert_same(predicted, expected, tolerance)
    return model


def to_float32(X):
    """Return an array of float32, or a frame whose numbers are."""
    with np.errstate(over="ignore"):
        is_frame = hasattr(X, "columns")
        return X.astype(dict.fromkeys(NUMBERS, np.float32) if is_frame else np.float32)


def to_array(X):
    """Return the numbers of a frame."""
    return X[NUMBERS].to_numpy(np.float64)


# ---- estimators alone ----------------------------------------------------------------


def is_boosting(case):
    return case.is_predictor and not (case.is_linear or case.is_clusterer)


@over_variants(keep=is_boosting)
def test_variants(case, settings):
    rng = np.random.default_rng(0)
    array = np.column_stack([rng.integers(0, 9, 600), rng.normal(size=(600, 3))])
    score = np.sin(array[:, 0]) + array[:, 1] * array[:, 2]
    array[rng.random(array.shape) < 0.05] = np.nan
    new = rng.normal(size=(2000, 4)) * 3
    new[:, 0] = np.round(new[:, 0])
    new[rng.random(new.shape) < 0.05] = np.nan
    estimator = case.make_estimator(**settings)
    if not hasattr(estimator, "predict_proba"):
        # DART rounds linear models of leaves, to far less than this.
        assert_onnx_agrees(estimator.fit(array, np.exp(score)), new, tolerance=1e-9)
        return
    for n_classes in (2, 3):
        y = np.digitize(score, [0.0, 0.5][: n_classes - 1])
        assert_onnx_agrees(estimator.fit(array, y), new)


@pytest.mark.parametrize("version", VERSIONS[1:])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_frames(n_classes, version):
    estimator = fit_classifier(n_classes=n_classes, max_iter=30)
    model = assert_onnx_agrees(
        estimator, tolerance=1e-6, target_opset={"": 18, "ai.onnx.ml": version}
    )
    types = [value.type.tensor_type.elem_type for value in model.graph.input]
    assert [value.name for value in model.graph.input] == list(X.columns)
    assert types == [11, 11, 1, 8, 1]  # double, double, float, string, float
    used = {node.op_type for node in model.graph.node}
    assert ("TreeEnsemble" in used) == (version == 5)


@pytest.mark.parametrize("version", VERSIONS)
def test_float32_rows(version):
    estimator = fit_classifier(to_float32(X), n_classes=3, max_iter=30)
    new = to_float32(X_NEW)
    tolerance = 1e-6 if version == 2 else 1e-7
    target_opset = {"": 18, "ai.onnx.ml": version}
    model = to_onnx(estimator, target_opset=target_opset)
    assert {value.type.tensor_type.elem_type for value in model.graph.input} == {1, 8}
    labels, probabilities = run(model, new)
    assert_same(probabilities, estimator.predict_proba(new), tolerance)
    assert_array_equal(labels, estimator.predict(new))
    assert_onnx_agrees(estimator, new, tolerance=tolerance, target_opset=target_opset)


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_at_thresholds(version):
    # Thresholds are in the middle of two numbers of float32, or far from any.
    rng = np.random.default_rng(0)
    array = rng.normal(size=(2000, 2)).astype(np.float32)
    array[:, 1] = np.nextafter(np.float32(1), np.float32(2)) ** rng.integers(0, 9, 2000)
    y = array[:, 0] + 10.0 * (array[:, 1] > 1.0000005)
    estimator = fit_regressor(array, y, max_bins=1000, min_samples_leaf=1, max_iter=50)
    nodes = estimator._model.nodes
    splits = nodes[nodes["feature"] >= 0]
    for feature in range(2):
        thresholds = splits["value"][splits["feature"] == feature]
        assert np.any(thresholds != thresholds.astype(np.float32))
        below = thresholds.astype(np.float32)
        near = np.concatenate(
            [below, *(np.nextafter(below, np.float32(to)) for to in (-10, 10))]
        )
        new = np.full((len(near), 2), array[0])
        new[:, feature] = near
        target_opset = {"": 18, "ai.onnx.ml": version}
        model = to_onnx(estimator, new, target_opset=target_opset)
        expected = estimator.predict(new)
        assert_allclose(run(model, new)[0].ravel(), expected, rtol=1e-5)
        # Rows on either side of a threshold get other predictions.
        assert len(np.unique(expected)) > 1


@pytest.mark.parametrize("n_trees", [1, 300])
def test_bits(n_trees):
    array = to_array(X)
    estimator = fit_regressor(array, max_iter=n_trees)
    new = to_array(X_NEW)
    assert_array_equal(
        run(to_onnx(estimator, new), new)[0][:, 0], estimator.predict(new)
    )


@pytest.mark.parametrize(
    "loss",
    [
        "squared_error",
        "absolute_error",
        "huber",
        "quantile",
        "poisson",
        "gamma",
        "tweedie",
    ],
)
def test_losses(loss):
    quantile = 0.3 if loss == "quantile" else None
    estimator = fit_regressor(y=np.exp(SCORE / 3), loss=loss, quantile=quantile)
    assert_onnx_agrees(estimator)


@pytest.mark.parametrize("link", ["identity", "log", "logit"])
def test_own_losses(link):
    y = 1 / (1 + np.exp(-SCORE))
    assert_onnx_agrees(fit_regressor(y=y, loss=OwnLoss(link)))


@pytest.mark.parametrize("boosting", ["plain", "dart", "random_forest", "ordered"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_boosting(boosting, n_classes):
    subsample = 0.6 if boosting == "random_forest" else 1.0
    estimator = fit_classifier(
        n_classes=n_classes, boosting=boosting, subsample=subsample
    )
    assert_onnx_agrees(estimator)


@pytest.mark.parametrize("version", VERSIONS[1:])
@pytest.mark.parametrize("boosting", ["plain", "random_forest"])
def test_several_outputs(boosting, version):
    y = np.column_stack([SCORE, SCORE**2, -SCORE])
    subsample = 0.6 if boosting == "random_forest" else 1.0
    estimator = fit_regressor(y=y, boosting=boosting, subsample=subsample)
    assert estimator._model.has_vector_leaves
    tolerance = 1e-12 if version == 5 else 1e-6
    assert_onnx_agrees(
        estimator, tolerance=tolerance, target_opset={"": 18, "ai.onnx.ml": version}
    )
    positive = np.exp(y[:, [0, 2]] / 3)
    assert_onnx_agrees(fit_regressor(y=positive, loss="poisson"))


@pytest.mark.parametrize("version", VERSIONS[1:])
@pytest.mark.parametrize("boosting", ["plain", "dart", "random_forest"])
def test_linear_leaves(boosting, version):
    subsample = 0.6 if boosting == "random_forest" else 1.0
    far = X.assign(rounded=X["rounded"] + 2000.0)
    settings = {"linear_leaves": True, "boosting": boosting, "subsample": subsample}
    new = X_NEW.copy()
    # What is far off is clipped; missing and infinite numbers are left.
    new["rounded"] = new["rounded"].clip(-5, 5).where(new["rounded"] < 1e300) + 2000.0
    new["narrow"] = new["narrow"].clip(-5, 5)
    assert np.isinf(new["plain"]).any() and new["rounded"].isna().any()
    tolerance = 1e-9 if version == 5 else 1e-5
    target_opset = {"": 18, "ai.onnx.ml": version}
    estimator = fit_regressor(far, SCORE + 1000, **settings)
    assert estimator._model.has_linear_leaves
    assert_onnx_agrees(estimator, new, tolerance=tolerance, target_opset=target_opset)
    if version == 5:
        estimator = fit_classifier(far, n_classes=3, **settings)
        assert estimator._model.has_linear_leaves
        assert_onnx_agrees(estimator, new)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_means_of_levels(n_classes):
    frame = X.assign(third=X["city"].astype(str).str[0] + X["code"].astype(str).str[0])
    new = X_NEW.assign(
        third=X_NEW["city"].astype(str).str[0] + X_NEW["code"].astype(str).str[0]
    )
    estimator = fit_classifier(
        frame, n_classes=n_classes, categorical_encoding="ordered_target", max_iter=40
    )
    asked = {
        estimator._derived.columns_[feature - frame.shape[1]].features
        for feature in estimator._model.nodes["feature"]
        if feature >= frame.shape[1]
    }
    assert {len(features) for features in asked} == {1, 2}
    assert_onnx_agrees(estimator, new)
    settings = {"categorical_encoding": {"code": "ordered_target"}, "max_iter": 40}
    assert_onnx_agrees(fit_regressor(frame, **settings), new)


def test_presets():
    y = np.digitize(SCORE, [0, 2])
    assert_onnx_agrees(BoostingClassifier(max_iter=40, random_state=0).fit(X, y))
    assert_onnx_agrees(BoostingRegressor(max_iter=40, random_state=0).fit(X, SCORE))


def test_missing_values_alone():
    array = X[["plain", "rounded"]].to_numpy()
    y = np.where(np.isnan(array[:, 0]), 5.0, 0.0) + 0.1 * np.nan_to_num(array[:, 1])
    estimator = fit_regressor(array, y)
    assert np.isinf(estimator._model.nodes["value"]).any()
    new = X_NEW[["plain", "rounded"]].to_numpy()
    for version in VERSIONS[1:]:
        assert_onnx_agrees(
            estimator, new, tolerance=1e-6, target_opset={"ai.onnx.ml": version}
        )
    assert set(fit_regressor(max_iter=40)._model.nodes["missing_left"]) == {0, 1}


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_many_levels(version):
    rng = np.random.default_rng(0)
    levels = np.array([f"é{i}" for i in range(1500)], dtype=object)
    effect = rng.normal(size=1500)
    codes = rng.integers(0, 1500, 8000)
    frame = pd.DataFrame({"level": levels[codes], "number": rng.normal(size=8000)})
    frame.loc[::9, "level"] = None
    y = effect[codes] * frame["number"].to_numpy()
    estimator = fit_regressor(frame, y, min_samples_leaf=5, max_leaf_nodes=100)
    new = frame.copy()
    new.loc[::7, "level"] = "never seen"
    tolerance = 1e-12 if version == 5 else 1e-6
    target_opset = {"": 18, "ai.onnx.ml": version}
    assert_onnx_agrees(estimator, new, tolerance=tolerance, target_opset=target_opset)


def test_levels_of_arrays():
    rng = np.random.default_rng(0)
    values = np.array([0.1, 2.0, 3.0, 500.0, np.nan, -4.0])
    array = np.column_stack([rng.choice(values, 1000), rng.normal(size=1000)])
    y = 2.0 * (array[:, 0] == 3) - 2.0 * np.isnan(array[:, 0]) - (array[:, 0] == 0.1)
    settings = {"categorical_features": [0], "min_samples_leaf": 1}
    estimator = fit_regressor(array, y + 0.1 * array[:, 1], **settings)
    new = array.copy()
    new[:400, 0] = np.resize([-1, 4, 499, 1e6, -0.0, np.inf, 1e300, 3.00000001], 400)
    assert_onnx_agrees(estimator, new)
    coarse = fit_regressor(np.where(array == 0.1, 0.5, array), y, **settings)
    for version in VERSIONS[1:]:
        assert_onnx_agrees(
            coarse, new, tolerance=1e-6, target_opset={"ai.onnx.ml": version}
        )
    # float32 has no 0.1, and nothing to tell 3.00000001 by.
    new = to_float32(new)
    assert_onnx_agrees(estimator, new)
    model = assert_onnx_agrees(estimator, new, target_opset={"ai.onnx.ml": 3})
    assert len(model.graph.input) == 1
    with pytest.raises(NotImplementedError, match="column of float64 needs version 4"):
        to_onnx(estimator, array, target_opset={"ai.onnx.ml": 3})

    whole = np.nan_to_num(array, nan=7).astype(np.int64)
    estimator = fit_regressor(whole, y, **settings)
    model = to_onnx(estimator, whole)
    assert_allclose(run(model, whole)[0][:, 0], estimator.predict(whole), rtol=1e-6)
    truth = (array > 0)[:, ::-1]
    estimator = fit_regressor(truth, y, categorical_features=[0, 1])
    model = to_onnx(estimator, truth)
    assert_allclose(run(model, truth)[0][:, 0], estimator.predict(truth), rtol=1e-6)


def test_objects():
    rng = np.random.default_rng(0)
    array = np.empty((1000, 2), dtype=object)
    array[:, 0] = rng.choice(["a", "b", "c", None, np.nan], 1000)
    array[:, 1] = rng.normal(size=1000)
    y = (array[:, 0] == "b") - 2.0 * (array[:, 0] == "c") + array[:, 1].astype(float)
    estimator = fit_regressor(array, y, categorical_features=[0])
    new = array.copy()
    new[:100, 0] = ""
    new[100:200, 0] = "d"
    model = assert_onnx_agrees(estimator, new)
    assert [value.name for value in model.graph.input] == ["x0", "x1"]
    estimator = fit_regressor(array.tolist(), y, categorical_features=[0])
    assert run(to_onnx(estimator, array.tolist()), new)[0].shape == (1000, 1)
    texts = np.array([["a", "x"], ["b", "y"], ["a", "y"]] * 99, dtype=object)
    estimator = fit_regressor(texts, np.arange(297), categorical_features=[0, 1])
    assert len(to_onnx(estimator, texts).graph.input) == 1
    assert len(to_onnx(estimator).graph.input) == 1
    assert_allclose(
        run(to_onnx(estimator), texts)[0][:, 0], estimator.predict(texts), rtol=1e-6
    )


def test_texts_of_missing_values_may_be_levels():
    frame = pd.DataFrame({"level": ["None", "", "nan", "x"] * 100})
    frame.loc[::5, "level"] = None
    y = np.array([0.0, 1.0, 2.0, 3.0] * 100)
    estimator = fit_regressor(frame, y, min_samples_leaf=1, learning_rate=1.0)
    known = frame.dropna()
    predicted = run(to_onnx(estimator, frame), known)[0][:, 0]
    assert_allclose(predicted, estimator.predict(known), rtol=1e-6)
    assert len(np.unique(predicted)) == 4


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_frames(library):
    pytest.importorskip(library)
    frame = X.assign(city=X["city"].astype(object), code=X["code"].cat.codes)
    frame = frame.rename(columns={"city": "home city", "plain": "größe"})
    frame["code"] = frame["code"].astype(np.int64)
    estimator = fit_regressor(frame, categorical_features=["home city", "code"])
    expected = run(to_onnx(estimator, frame), frame)[0]
    if library == "polars":
        native = sys.modules["polars"].from_pandas(frame)
    else:
        native = sys.modules["pyarrow"].Table.from_pandas(frame)
    model = to_onnx(estimator, native)
    names = [value.name for value in model.graph.input]
    assert names[0] == "größe" and "home_city" in names
    assert_allclose(run(model, frame)[0], expected, rtol=1e-6)


@pytest.mark.parametrize("classes", [[-5, 7, 100], ["no", "yes", "é"], [2.0, 0.0, 1.0]])
@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_classes(classes, n_classes):
    classes = np.array(classes)[:n_classes]
    y = classes[np.digitize(SCORE, [0, 2][: n_classes - 1])]
    estimator = fit_classifier(X[NUMBERS], y)
    new = X_NEW[NUMBERS]
    labels, probabilities = run(to_onnx(estimator, new), new)
    assert_array_equal(labels, estimator.predict(new))
    assert labels.dtype == (object if classes.dtype.kind == "U" else np.int64)
    assert_allclose(probabilities, estimator.predict_proba(new), atol=1e-7)
    assert probabilities.shape == (len(new), n_classes)
    truth = fit_classifier(X[NUMBERS], SCORE > 0)
    assert_array_equal(run(to_onnx(truth, new), new)[0], truth.predict(new))


def test_options():
    new = X_NEW[NUMBERS]
    two, three = (fit_classifier(X[NUMBERS], n_classes=n) for n in (2, 3))
    raw = two.decision_function(new)
    found = run(to_onnx(two, new, options={"raw_scores": True, "zipmap": False}), new)
    assert_same(found[1], np.column_stack([-raw, raw]), 1e-12)
    found = run(to_onnx(three, new, options={"raw_scores": True, "zipmap": False}), new)
    assert_same(found[1], three.decision_function(new), 1e-12)
    named = fit_classifier(X[NUMBERS], np.where(SCORE > 0, "high", "low"))
    options = {"zipmap": False, "output_class_labels": True}
    assert run(to_onnx(named, new, options=options), new)[2].tolist() == ["high", "low"]
    positions = run(to_onnx(named, new, options={"zipmap": False, "nocl": True}), new)[
        0
    ]
    assert_array_equal(named.classes_[positions], named.predict(new))
    columns = run(to_onnx(named, new, options={"zipmap": "columns"}), new)
    assert_allclose(np.column_stack(columns[1:]), named.predict_proba(new), atol=1e-7)


def test_models_without_splits():
    estimator = fit_regressor(min_samples_leaf=len(X), max_iter=3)
    for version in VERSIONS:
        model = to_onnx(estimator, X, target_opset={"ai.onnx.ml": version})
        assert_allclose(run(model, X_NEW)[0][:, 0], estimator.predict(X_NEW))
    estimator._model = estimator._model.truncated(0)
    predicted = run(to_onnx(estimator, X), X_NEW)[0]
    assert_allclose(predicted, np.full((10_000, 1), SCORE.mean()))
    # Trees of a single leaf among others.
    estimator = fit_classifier(n_classes=3, min_split_gain=60.0)
    sizes = np.diff(estimator._model.offsets)
    assert sizes.min() == 1 < sizes.max()
    assert_onnx_agrees(estimator)
    assert_onnx_agrees(estimator, tolerance=1e-6, target_opset={"ai.onnx.ml": 4})


def grow_randomly(rng, n_levels, depth=5):
    """Return a SourceTree of leaves that are often equal."""
    left, right, feature, threshold, value, levels = [-1], [-1], [0], [0.0], [0.0], {}
    leaves = [(0, 0)]
    while leaves:
        node, node_depth = leaves.pop()
        value[node] = float(rng.integers(0, 3))
        if node_depth == depth or (node > 0 and rng.random() < 0.2):
            continue
        left[node], right[node] = len(left), len(left) + 1
        feature[node] = int(rng.integers(0, 3))
        n = n_levels[feature[node]]
        if n > 0:
            levels[node] = np.flatnonzero(rng.random(n) < rng.random())
        else:
            threshold[node] = rng.normal()
        for array, default in ((left, -1), (right, -1), (feature, 0)):
            array += [default, default]
        threshold += [0.0, 0.0]
        value += [0.0, 0.0]
        leaves += [(left[node], node_depth + 1), (right[node], node_depth + 1)]
    missing_left = rng.random(len(left)) < 0.5
    arrays = map(np.array, (left, right, feature, threshold))
    return SourceTree(*arrays, missing_left, np.array(value), levels)


@pytest.mark.parametrize("version", VERSIONS[1:])
@pytest.mark.parametrize("has_unknown", [False, True])
def test_random_trees(has_unknown, version):
    rng = np.random.default_rng(0)
    n_levels = np.array([4, 90, 0])
    levels = [[f"a{i}" for i in range(4)], [f"b{i}" for i in range(90)], None]
    trees = [
        grow_randomly(rng, n_levels + has_unknown * (n_levels > 0)) for _ in range(60)
    ]
    frame = pd.DataFrame(
        {
            "a": rng.choice([*levels[0], "never seen", None], 3000),
            "b": rng.choice([*levels[1], *["never seen", None] * 20], 3000),
            "c": np.where(rng.random(3000) < 0.2, np.nan, rng.normal(size=3000)),
        }
    )
    for tree in trees:
        estimator = assemble(
            HistGradientBoostingRegressor(),
            [tree],
            init_score=[0.0],
            loss=make_loss("squared_error"),
            n_features=3,
            feature_names=["a", "b", "c"],
            levels=levels,
            columns=SourceColumns(3, has_unknown=has_unknown),
            handle_unknown="unknown" if has_unknown else "missing",
        )
        model = to_onnx(estimator, frame, target_opset={"": 18, "ai.onnx.ml": version})
        assert_array_equal(run(model, frame)[0][:, 0], estimator.predict(frame))


def test_columns_of_other_libraries():
    rng = np.random.default_rng(0)
    array = rng.choice([0.0, 1e-40, 0.1, 0.5, -0.5, np.nan, 1.0], (2000, 3))
    trees = [grow_randomly(rng, np.zeros(3)) for _ in range(20)]
    for settings in (
        {"zero_is_missing": [1]},
        {"missing_value": 0.1},
        {"missing_value": 0.1, "rounds_to_float32": True},
    ):
        estimator = assemble(
            HistGradientBoostingRegressor(),
            trees,
            init_score=[0.0],
            loss=make_loss("squared_error"),
            n_features=3,
            columns=SourceColumns(3, **settings),
        )
        assert_onnx_agrees(estimator, array)


@pytest.mark.parametrize("left, right", [([1, -1, 3], [2, -1, 4]), ([1, 3], [2, 4])])
def test_numbers_of_nodes(left, right):
    # There is onnxruntime that takes a root for a leaf if its children, one of them a
    # leaf, have the same number.
    left, right = (np.array(side + [-1] * (5 - len(side))) for side in (left, right))
    tree = SourceTree(left, right, *np.zeros((3, 5), dtype=int), np.arange(5.0))
    forest = read_forest(
        assemble(
            HistGradientBoostingRegressor(),
            [tree] * 5,
            init_score=[0.0],
            loss=make_loss("squared_error"),
            n_features=1,
        )._model,
        np.zeros(1, dtype=int),
        np.zeros(1, dtype=int),
    )
    number = number_nodes(forest)
    is_split = forest.feature >= 0
    assert sorted(number[is_split]) == list(range(10))
    assert sorted(number[~is_split]) == list(range(15))
    assert (
        number[forest.left[forest.roots]] != number[forest.right[forest.roots]]
    ).all()


def test_reference():
    from onnx.reference import ReferenceEvaluator

    rows = X_NEW[:100].copy()
    rows["city"] = rows["city"].astype(object).where(rows["city"].notna(), "")
    estimator = fit_regressor(max_iter=3)
    model = to_onnx(estimator, X)
    dtypes = [np.float64, np.float64, np.float32, str, np.float32]
    feeds = {
        name: rows[[name]].to_numpy(object).astype(dtype)
        for name, dtype in zip(rows.columns, dtypes, strict=True)
    }
    (predicted,) = ReferenceEvaluator(model).run(None, feeds)
    assert_same(predicted[:, 0], estimator.predict(rows), 1e-12)


def test_file(tmp_path):
    estimator = fit_regressor()
    model = to_onnx(estimator, X, path=tmp_path / "model.onnx")
    assert onnx.load(tmp_path / "model.onnx") == model
    types = skl2onnx.common.data_types
    initial_types = [
        (
            name,
            (types.StringTensorType if name == "city" else types.DoubleTensorType)(
                [None, 1]
            ),
        )
        for name in X.columns[::-1]
    ]
    model = to_onnx(estimator, initial_types=initial_types)
    assert_same(run(model, X_NEW[X.columns[::-1]])[0][:, 0], estimator.predict(X_NEW))
    initial_types = [("rows", types.FloatTensorType([None, 3]))]
    estimator = fit_regressor(to_float32(to_array(X)))
    model = to_onnx(estimator, initial_types=initial_types)
    new = to_float32(to_array(X_NEW))
    assert model.graph.input[0].name == "rows"
    assert_same(run(model, new)[0][:, 0], estimator.predict(new), 1e-6)


# ---- models of other libraries -------------------------------------------------------


def test_scikit_learn():
    model = sklearn_ensemble.HistGradientBoostingClassifier(**SMALL)
    model.fit(X, np.digitize(SCORE, [0, 2]))
    assert_onnx_agrees(from_sklearn(model))
    numbers = X[NUMBERS].fillna(0).to_numpy(np.float64)
    model = sklearn_ensemble.GradientBoostingRegressor(n_estimators=12)
    assert_onnx_agrees(from_sklearn(model.fit(numbers, SCORE)), to_array(X_NEW))


def test_lightgbm():
    lightgbm = pytest.importorskip("lightgbm")
    from sklearnx._io.lightgbm.reading import from_lightgbm

    quiet = {"verbosity": -1, "num_threads": 1}
    numbers = X[["plain", "rounded", "city"]].copy()
    numbers.loc[::5, "plain"] = 0
    for settings in (
        {"zero_as_missing": True},
        {"reg_sqrt": True},
        {"objective": "poisson"},
        {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
    ):
        target = np.abs(SCORE) if settings.get("objective") else SCORE
        booster = lightgbm.train(
            {**quiet, **settings}, lightgbm.Dataset(numbers, target), 12
        )
        new = X_NEW[["plain", "rounded", "city"]]
        assert_onnx_agrees(from_lightgbm(booster), new)
    # Integers lose their fractions.
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.choice([2.0, 3.0, 500.0], 1000), "b": 1.0})
    frame["b"] = rng.normal(size=1000)
    data = lightgbm.Dataset(
        frame, (frame["a"] == 3) + frame["b"], categorical_feature=["a"]
    )
    estimator = from_lightgbm(lightgbm.train(quiet, data, 8))
    frame.loc[:299, "a"] = np.resize([-1, -0.5, 2.9, 3.7, 1e10, np.nan, np.inf], 300)
    assert_onnx_agrees(estimator, frame)
    assert_onnx_agrees(estimator, frame.astype(np.float32))


def test_xgboost():
    xgboost = pytest.importorskip("xgboost")
    from sklearnx._io.xgboost.reading import from_xgboost

    frame = X.assign(code=X["code"].astype("str").astype("category"))
    y = np.digitize(SCORE, [0, 2])
    settings = {"n_estimators": 12, "n_jobs": 1}
    model = xgboost.XGBClassifier(enable_categorical=True, **settings)
    estimator = from_xgboost(model.fit(frame, y))
    new = X_NEW.assign(code=X_NEW["code"].astype("str").astype("category"))
    # XGBoost rounds sums to float32.
    assert_onnx_agrees(estimator, new, tolerance=1e-5)
    array = to_array(X)
    array[::20, 1] = 0.1
    model = xgboost.XGBRegressor(missing=0.1, num_parallel_tree=2, **settings)
    estimator = from_xgboost(model.fit(np.nan_to_num(array, nan=0.1), SCORE))
    new = to_array(X_NEW)
    new[::20, 1] = 0.1
    assert_onnx_agrees(estimator, new, tolerance=1e-5)
    assert_onnx_agrees(estimator, to_float32(new), tolerance=1e-5)


def test_catboost():
    catboost = pytest.importorskip("catboost")
    from sklearnx._io.catboost.reading import from_catboost

    settings = {
        "iterations": 12,
        "thread_count": 1,
        "verbose": False,
        "allow_writing_files": False,
    }
    array = to_array(X)
    model = catboost.CatBoostClassifier(**settings)
    estimator = from_catboost(model.fit(array, np.digitize(SCORE, [0, 2])))
    assert_onnx_agrees(estimator, to_array(X_NEW))
    frame = make_strings(X)[["plain", "city"]]
    model = catboost.CatBoostRegressor(cat_features=["city"], **settings)
    with pytest.raises(ValueError, match="CatBoost, and asks for hashes"):
        to_onnx(from_catboost(model.fit(frame, SCORE)), frame)


# ---- inside estimators of scikit-learn -----------------------------------------------


def make_columns(**settings):
    """Return an encoder of the categories, and scaled numbers behind them."""
    return ColumnTransformer(
        [
            ("encoder", settings["encoder"], ["city", "code"]),
            ("scaler", StandardScaler(), NUMBERS),
        ]
    )


def make_strings(X):
    """Return a frame whose categories are strings without gaps."""
    city = X["city"].astype(object).where(X["city"].notna(), "?")
    code = X["code"].astype(object).where(X["code"].notna(), "?").astype(str)
    numbers = {name: X[name].astype(np.float64) for name in NUMBERS}
    return pd.DataFrame({**numbers, "city": city, "code": code})


def test_scaled_numbers():
    array = to_array(X)
    y = np.digitize(SCORE, [0, 2])
    pipeline = make_pipeline(StandardScaler(), HistGradientBoostingClassifier(**SMALL))
    new = to_array(X_NEW)
    new = new[np.isfinite(new).all(axis=1) | np.isnan(new).any(axis=1)]
    new = new[~np.isinf(new).any(axis=1)]
    assert_onnx_agrees(pipeline.fit(array, y), new)


@pytest.mark.parametrize(
    "encoder, categorical",
    [
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), None),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), [0, 1]),
        (OrderedTargetEncoder(target_type="continuous", random_state=0), None),
    ],
)
def test_column_transformers(encoder, categorical):
    frame, new = make_strings(X), make_strings(X_NEW)
    new = new[np.isfinite(new[NUMBERS]).all(axis=1)]
    estimator = HistGradientBoostingRegressor(categorical_features=categorical, **SMALL)
    pipeline = make_pipeline(make_columns(encoder=encoder), estimator)
    assert_onnx_agrees(pipeline.fit(frame, SCORE), new)
    classifier = BoostingClassifier(
        categorical_features=categorical, max_iter=12, random_state=0
    )
    pipeline = make_pipeline(make_columns(encoder=encoder), classifier)
    assert_onnx_agrees(pipeline.fit(frame, np.digitize(SCORE, [0, 2])), new)


@pytest.mark.parametrize(
    "target_type, y",
    [
        ("continuous", SCORE),
        ("binary", SCORE > 0),
        ("multiclass", np.digitize(SCORE, [0, 2])),
    ],
)
def test_encoder(target_type, y):
    encoder = OrderedTargetEncoder(target_type=target_type, random_state=0)
    frame, new = X[["city", "code"]], X_NEW[["city", "code"]]
    encoder.fit(frame, y)
    for like in (new, None):
        (encoded,) = run(to_onnx(encoder, like), new)
        assert_same(encoded, encoder.transform(new), 1e-15)
    array = frame.to_numpy(object)
    encoder.fit(array[:, 1:].astype(np.float64), y)
    new = new[["code"]].to_numpy(object).astype(np.float64)
    (encoded,) = run(to_onnx(encoder, new), new)
    assert_same(encoded, encoder.transform(new), 1e-15)
    # Columns that fit saw no level of.
    encoder.fit(np.full((len(y), 1), np.nan), y)
    (encoded,) = run(to_onnx(encoder, new), new)
    assert_allclose(encoded, encoder.transform(new))


def test_encoder_before_other_estimators():
    encoder = OrderedTargetEncoder(target_type="continuous", random_state=0)
    frame, new = make_strings(X), make_strings(X_NEW)
    new = new[np.isfinite(new[NUMBERS]).all(axis=1)]
    strings = ["city", "code"]
    pipeline = make_pipeline(encoder, LogisticRegression())
    pipeline.fit(frame[strings], SCORE > 0)
    assert_onnx_agrees(pipeline, new[strings], tolerance=1e-5)
    settings = {**SMALL, "max_iter": 100}
    pipeline = make_pipeline(encoder, HistGradientBoostingRegressor(**settings))
    assert_onnx_agrees(pipeline.fit(frame[strings], SCORE), new[strings])


def test_trees_of_others():
    array = X[NUMBERS].fillna(0).to_numpy(np.float32)
    new = X_NEW[NUMBERS].fillna(0).clip(-5, 5).to_numpy(np.float32)
    y = np.digitize(SCORE, [0, 2])
    ours = HistGradientBoostingClassifier(**SMALL)
    forest = sklearn_ensemble.RandomForestClassifier(5, max_depth=4, random_state=0)
    parts = [("ours", ours), ("forest", forest)]
    for together in (
        sklearn_ensemble.VotingClassifier(
            parts, voting="soft", flatten_transform=False
        ),
        sklearn_ensemble.StackingClassifier(parts, cv=2),
    ):
        together.fit(array, y)
        model = to_onnx(together, new)
        versions = {item.domain: item.version for item in model.opset_import}
        assert versions["ai.onnx.ml"] < 5
        labels, probabilities = run(model, new)
        assert_allclose(probabilities, together.predict_proba(new), atol=1e-5)
        assert np.mean(labels == together.predict(new)) > 0.999


def test_wrappers():
    array = to_float32(to_array(X))
    new = to_float32(to_array(X_NEW))
    y = np.digitize(SCORE, [0, 2])
    search = GridSearchCV(
        HistGradientBoostingClassifier(**SMALL), {"max_leaf_nodes": [4, 8]}, cv=2
    )
    assert_onnx_agrees(search.fit(array, y), new)
    calibrated = CalibratedClassifierCV(HistGradientBoostingClassifier(**SMALL), cv=2)
    calibrated.fit(array, SCORE > 0)
    _, probabilities = run(to_onnx(calibrated, new), new)
    assert measure_difference(probabilities, calibrated.predict_proba(new)) < 1e-5
    bag = sklearn_ensemble.BaggingRegressor(
        HistGradientBoostingRegressor(**SMALL), 3, random_state=0
    )
    assert_onnx_agrees(bag.fit(array, SCORE), new, tolerance=1e-6)


def test_skl2onnx_itself():
    register_converters()
    array = to_float32(to_array(X))
    new = to_float32(to_array(X_NEW))
    pipeline = make_pipeline(HistGradientBoostingClassifier(**SMALL))
    pipeline.fit(array, np.where(SCORE > 0, "high", "low"))
    labels, probabilities = run(skl2onnx.to_onnx(pipeline, new), new)
    assert_array_equal(labels, pipeline.predict(new))
    found = [[row["high"], row["low"]] for row in probabilities]
    assert_allclose(found, pipeline.predict_proba(new), atol=1e-6)


# ---- what is refused -----------------------------------------------------------------


def test_refused_columns():
    estimator = fit_regressor()
    with pytest.raises(ValueError, match=r"'city' are strings, those .* are numbers"):
        to_onnx(estimator, X.assign(city=1.0))
    with pytest.raises(ValueError, match=r"'code' are numbers, those .* are strings"):
        to_onnx(estimator, X.assign(code="1"))
    with pytest.raises(ValueError, match="numbers in column 'plain' are strings"):
        to_onnx(estimator, X.assign(plain="1"))
    with pytest.raises(ValueError, match="fitted on 5 columns, and gets 4"):
        to_onnx(estimator, X.drop(columns="plain"))
    with pytest.raises(ValueError, match="2 dimensions, got 1"):
        to_onnx(estimator, np.zeros(5))
    types = skl2onnx.common.data_types
    with pytest.raises(ValueError, match="do not tell how many columns"):
        initial_types = [(name, types.FloatTensorType([None, None])) for name in "ab"]
        to_onnx(estimator, initial_types=initial_types)
    days = pd.Series([date(2020, 1, 1), date(2020, 1, 2)] * 100, dtype="category")
    estimator = fit_regressor(pd.DataFrame({"day": days}), np.arange(200.0) % 2)
    with pytest.raises(ValueError, match=r"column 'day' are of type date"):
        to_onnx(estimator)


def test_refused_versions(monkeypatch):
    with pytest.raises(NotImplementedError, match="does not hold need version 3"):
        to_onnx(fit_regressor(), X, target_opset={"ai.onnx.ml": 2})
    for versions in ({"ai.onnx.ml": 1}, {"": 10}):
        with pytest.raises(NotImplementedError, match=r"need version (2|11) of the"):
            to_onnx(fit_regressor(), X, target_opset=versions)
    monkeypatch.setattr("sklearnx._io.onnx.ensemble.MAX_CHAIN", 5)
    estimator = fit_regressor(max_iter=50)
    to_onnx(estimator, X)
    with pytest.raises(NotImplementedError, match="more than 5 need version 5"):
        to_onnx(estimator, X, target_opset={"ai.onnx.ml": 4})


def test_refused_estimators(monkeypatch):
    with pytest.raises(NotFittedError):
        to_onnx(HistGradientBoostingRegressor())
    pipeline = make_pipeline(StandardScaler(), HistGradientBoostingRegressor(**SMALL))
    with pytest.raises(ValueError, match="Pipeline does not know the types"):
        to_onnx(pipeline.fit(X[NUMBERS], SCORE))
    from sklearn._loss.loss import ExponentialLoss

    estimator = fit_classifier(X[NUMBERS], loss=ExponentialLoss())
    with pytest.raises(ValueError, match="'ExponentialLoss' has the link 'other'"):
        to_onnx(estimator)
    monkeypatch.delitem(sys.modules, "sklearnx._io.onnx.registration")
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match="skl2onnx is not installed"):
        to_onnx(fit_regressor())


# ---- real data -----------------------------------------------------------------------


def test_real_data():
    data = read_data("adult").drop(columns="split").sample(20_000, random_state=0)
    y = data.pop("income").to_numpy()
    estimator = HistGradientBoostingClassifier(**{**SMALL, "max_iter": 100})
    estimator.fit(data[:10_000], y[:10_000])
    new = data[10_000:].copy()
    for name in new.select_dtypes("category"):
        new[name] = new[name].cat.add_categories("never seen")
        new.loc[new.sample(300, random_state=1).index, name] = "never seen"
    assert_onnx_agrees(estimator, new)
    estimator = BoostingClassifier(max_iter=100, random_state=0)
    assert_onnx_agrees(estimator.fit(data[:10_000], y[:10_000]), new)
