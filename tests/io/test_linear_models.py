"""Linear models as files, from scikit-learn's, and in ONNX."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as sklearn_linear_model
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearnx import linear_model
from sklearnx._compat import SKLEARN_VERSION
from sklearnx.io import from_sklearn, load, read_metadata, save, to_onnx
from tests.contracts._helpers import (
    COLUMN_NAMES,
    assert_same_bits,
    compute_outputs,
    make_data,
)
from tests.contracts.estimators import over_cases, over_variants

pytestmark = pytest.mark.filterwarnings(
    # scikit-learn's solvers of the settings that are small for ours.
    "ignore::sklearn.exceptions.ConvergenceWarning"
)

over_linear_cases = over_cases(keep=lambda case: case.is_linear)
over_linear_variants = over_variants(keep=lambda case: case.is_linear)
over_theirs = over_cases(
    keep=lambda case: case.is_linear and hasattr(sklearn_linear_model, case.name)
)


# ---- files ---------------------------------------------------------------------------


@over_linear_cases
def test_pipeline_in_a_file(case, tmp_path):
    X, y = make_data(case)
    pipeline = make_pipeline(StandardScaler(), case.make_estimator()).fit(X, y)
    save(pipeline, tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert type(loaded[-1]) is case.estimator_class
    assert_same_bits(compute_outputs(loaded, X), compute_outputs(pipeline, X))


@over_linear_cases
def test_metadata(case, tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = make_data(case)
    frame = pandas.DataFrame(X, columns=COLUMN_NAMES)
    save(case.make_estimator().fit(frame, y), tmp_path / "model")
    schema = read_metadata(tmp_path / "model")["schema"]
    assert [column["name"] for column in schema["columns"]] == COLUMN_NAMES
    is_class = is_classifier(case.estimator_class())
    assert schema["classes"] == ([0, 1, 2] if is_class else None)


def test_sparse_coefficients_in_a_file(tmp_path):
    X, y = np.eye(6), np.arange(6) % 2
    model = linear_model.LogisticRegression().fit(X, y).sparsify()
    save(model, tmp_path / "model")
    assert_array_equal(load(tmp_path / "model").predict(X), model.predict(X))


# ---- from scikit-learn ---------------------------------------------------------------


def fit_theirs(case, X, y, **settings):
    theirs = getattr(sklearn_linear_model, case.name)
    settings = {**case.small_settings, **settings}
    if SKLEARN_VERSION < (1, 7) and isinstance(settings.get("alphas"), int):
        settings["n_alphas"] = settings.pop("alphas")
    known = {name: settings[name] for name in settings if hasattr(theirs(), name)}
    return theirs(**known).fit(X, y)


@over_theirs
def test_from_sklearn(case):
    pandas = pytest.importorskip("pandas")
    X, y = make_data(case)
    frame = pandas.DataFrame(X, columns=COLUMN_NAMES)
    model = fit_theirs(case, frame, y)
    estimator = from_sklearn(model)
    assert type(estimator) is case.estimator_class
    assert estimator.feature_names_in_.tolist() == COLUMN_NAMES
    parameters = estimator.get_params()
    # What `penalty` says is said by others, and some had other defaults.
    shared = (parameters.keys() & model.get_params().keys()) - {"penalty"}
    if SKLEARN_VERSION < (1, 8):
        shared -= {"alphas", "eta0", "l1_ratio", "l1_ratios", "store_cv_results"}
    assert {name: parameters[name] for name in shared} == {
        name: model.get_params()[name] for name in shared
    }
    outputs = compute_outputs(estimator, frame)
    expected = compute_outputs(model, frame)
    assert outputs.keys() == expected.keys()
    for method, output in outputs.items():
        assert_allclose(output, expected[method], rtol=1e-10, atol=1e-12)
    before = estimator.coef_.copy()
    model.coef_ += 1
    assert_array_equal(estimator.coef_, before)
    # It is as good as one that was fitted here.
    estimator.fit(frame, y)


@over_theirs
def test_from_sklearn_in_a_file(case, tmp_path):
    X, y = make_data(case)
    estimator = from_sklearn(fit_theirs(case, X, y))
    save(estimator, tmp_path / "model")
    outputs = compute_outputs(load(tmp_path / "model"), X)
    assert_same_bits(outputs, compute_outputs(estimator, X))


@pytest.mark.parametrize(
    "penalty, settings",
    [
        ("l1", {"l1_ratio": 1.0}),
        ("l2", {"l1_ratio": 0.0}),
        ("elasticnet", {"l1_ratio": 0.3}),
        (None, {"C": np.inf}),
    ],
)
def test_penalty_from_sklearn(penalty, settings):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 4))
    y = X[:, 0] + rng.normal(size=100) > 0
    given = {"l1_ratio": 0.3} if penalty == "elasticnet" else {}
    model = sklearn_linear_model.LogisticRegression(
        penalty=penalty, solver="saga", tol=1e-8, max_iter=10_000, **given
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model.fit(X, y)
    estimator = from_sklearn(model)
    for name, value in settings.items():
        assert getattr(estimator, name) == value
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        estimator.fit(X, y)
    assert_allclose(estimator.coef_, model.coef_, rtol=1e-3, atol=1e-4)


def test_partial_fit_goes_on():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = (X[:, 0] > 0).astype(int)
    for average in (False, True):
        model = sklearn_linear_model.SGDClassifier(average=average, shuffle=False)
        estimator = from_sklearn(model.partial_fit(X, y, classes=[0, 1]))
        model.partial_fit(X, y)
        estimator.partial_fit(X, y)
        assert estimator.t_ == model.t_
        assert_allclose(estimator.coef_, model.coef_, rtol=1e-6)


def test_refused_models():
    X, y = np.eye(6), np.arange(6.0)
    with pytest.raises(NotFittedError):
        from_sklearn(sklearn_linear_model.Ridge())
    with pytest.raises(TypeError, match=r"sklearn\.linear_model that sklearnx has"):
        from_sklearn(sklearn_linear_model.Lars().fit(X, y))
    with pytest.raises(TypeError, match=r"got sklearnx\.linear_model"):
        from_sklearn(linear_model.Ridge().fit(X, y))
    model = sklearn_linear_model.LogisticRegression().fit(X, y % 3)
    model.solver = "liblinear"
    with pytest.raises(ValueError, match="OneVsRestClassifier"):
        from_sklearn(model)


# ---- ONNX ----------------------------------------------------------------------------


def run(model, X):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx").checker.check_model(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [tensor.name for tensor in session.get_inputs()]
    if len(names) == 1:
        return session.run(None, {names[0]: X})
    return session.run(None, {name: X[[name]].to_numpy() for name in names})


def assert_onnx_agrees(estimator, X, model, rtol=1e-10):
    outputs = run(model, X)
    if not is_classifier(estimator):
        expected = estimator.predict(X)
        predicted = outputs[0].reshape(expected.shape)
        assert_allclose(predicted, expected, rtol=rtol, atol=rtol)
        return
    labels, numbers = outputs
    assert_array_equal(labels, estimator.predict(X))
    method = "predict_proba" if hasattr(estimator, "predict_proba") else None
    expected = getattr(estimator, method or "decision_function")(X)
    if expected.ndim == 1:
        expected = np.column_stack([-expected, expected])
    assert_allclose(numbers, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@over_linear_variants
def test_onnx(case, settings, dtype):
    pytest.importorskip("skl2onnx")
    X, y = make_data(case)
    X = X.astype(dtype)
    estimator = case.make_estimator(**settings).fit(X, y)
    rtol = 1e-10 if dtype is np.float64 else 2e-5
    assert_onnx_agrees(estimator, X, to_onnx(estimator, X), rtol)
    if is_classifier(estimator):
        # Two classes, one coefficient for each column.
        estimator = case.make_estimator(**settings).fit(X, y == 1)
        assert_onnx_agrees(estimator, X, to_onnx(estimator, X), rtol)


@over_linear_cases
def test_onnx_of_frames(case):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("skl2onnx")
    X, y = make_data(case)
    frame = pandas.DataFrame(X, columns=COLUMN_NAMES)
    estimator = case.make_estimator().fit(frame, y)
    assert_onnx_agrees(estimator, frame, to_onnx(estimator, frame))
    # The scaler that skl2onnx writes rounds to float32.
    pipeline = make_pipeline(StandardScaler(), estimator).fit(frame, y)
    assert_onnx_agrees(pipeline, frame, to_onnx(pipeline, frame), 1e-4)


@over_linear_cases
def test_onnx_without_rows(case):
    pytest.importorskip("skl2onnx")
    X, y = make_data(case)
    X = X.astype(np.float32)
    estimator = case.make_estimator().fit(X, y)
    assert_onnx_agrees(estimator, X, to_onnx(estimator), 2e-5)


@pytest.mark.parametrize("version", [11, 12, 13, 18])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_onnx_of_losses(n_classes, version):
    pytest.importorskip("skl2onnx")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = np.array(["a", "b", "c"])[X[:, :n_classes].argmax(axis=1)]
    for loss in ("modified_huber", "log_loss", "hinge"):
        estimator = linear_model.SGDClassifier(loss=loss, random_state=0).fit(X, y)
        # Far from the rows of any class, all have a share of zero.
        far = np.vstack([X, np.full((1, 4), -50.0), np.full((1, 4), 50.0)])
        model = to_onnx(estimator, X, target_opset=version)
        assert_onnx_agrees(estimator, far, model)
        raw = run(
            to_onnx(estimator, X, options={"zipmap": False, "raw_scores": True}), X
        )
        expected = estimator.decision_function(X)
        if n_classes == 2:
            expected = np.column_stack([-expected, expected])
        assert_allclose(raw[1], expected, atol=1e-10)


def test_refused_in_onnx():
    pytest.importorskip("skl2onnx")
    X = np.eye(6)
    labels = np.arange(18).reshape(6, 3) % 2
    estimator = linear_model.RidgeClassifier().fit(X, labels)
    with pytest.raises(ValueError, match="several labels"):
        to_onnx(estimator, X)


# ---- categorical columns -------------------------------------------------------------


def test_categories(tmp_path):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    colours = ["red", "green", None]
    frame = pandas.DataFrame(
        {"size": rng.normal(size=200), "colour": rng.choice(colours, 200)}
    ).astype({"colour": "category"})
    y = np.exp(frame["size"] / 2) + (frame["colour"] == "red")
    model = linear_model.PoissonRegressor(categorical_features="from_dtype")
    save(model.fit(frame, y), tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert_array_equal(loaded.predict(frame), model.predict(frame))
    assert loaded.get_coef_names().tolist() == model.get_coef_names().tolist()
    size, colour = read_metadata(tmp_path / "model")["schema"]["columns"]
    assert size == {"name": "size", "kind": "number"}
    assert colour["kind"] == "category"
    assert {"red", "green"} <= set(colour["levels"])
    pytest.importorskip("skl2onnx")
    with pytest.raises(ValueError, match="levels of categories"):
        to_onnx(model, frame)
