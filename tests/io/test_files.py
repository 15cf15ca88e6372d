"""Saved estimators come back the same; files that are damaged, or not ours, do not."""

import datetime
import json
import os
import threading

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    LabelBinarizer,
    LabelEncoder,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier

import sklearnx
from sklearnx.ensemble import (
    BoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.io import ModelFileError, load, read_metadata, save
from sklearnx.preprocessing import OrderedTargetEncoder


def make_frame(n_samples=200, random_state=0):
    rng = np.random.default_rng(random_state)
    X = pd.DataFrame(
        {
            "size": rng.normal(size=n_samples),
            "rooms": rng.integers(1, 6, n_samples),
            "town": rng.choice(["a", "b", "c"], n_samples),
            "text": rng.choice(
                ["old house", "new flat", "old flat by the sea"], n_samples
            ),
        }
    )
    X.loc[::9, "size"] = np.nan
    y = (X["size"].fillna(0) + (X["town"] == "b") > 0.4).to_numpy().astype(int)
    return X, y


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def send(estimator, path):
    save(estimator, path)
    return load(path)


def to_plain(output):
    return output.toarray() if sparse.issparse(output) else np.asarray(output)


def assert_same_outputs(received, estimator, X):
    methods = ("predict_proba", "predict", "transform")
    methods = [method for method in methods if hasattr(estimator, method)]
    assert methods
    for method in methods:
        output = getattr(received, method)(X)
        expected = getattr(estimator, method)(X)
        assert type(output) is type(expected)
        np.testing.assert_array_equal(to_plain(output), to_plain(expected))


NUMBERS = [
    Binarizer(),
    FunctionTransformer(np.tanh),
    KBinsDiscretizer(3, strategy="uniform"),
    KNNImputer(),
    MaxAbsScaler(),
    MinMaxScaler(),
    Normalizer(),
    PCA(2),
    PolynomialFeatures(2),
    PowerTransformer(),
    QuantileTransformer(n_quantiles=10),
    RobustScaler(),
    SelectKBest(f_classif, k=2),
    SimpleImputer(strategy="median", add_indicator=True),
    SplineTransformer(),
    StandardScaler(),
    TruncatedSVD(2),
    FeatureUnion([("scaled", StandardScaler()), ("as they are", "passthrough")]),
]


@pytest.mark.parametrize("transformer", NUMBERS, ids=lambda each: type(each).__name__)
def test_transformers_of_numbers(transformer, path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    transformer.fit(X, (X[:, 0] > 0).astype(int))
    assert_same_outputs(send(transformer, path), transformer, X)


@pytest.mark.parametrize(
    "transformer",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(drop="first", sparse_output=False, dtype=np.float32),
        OneHotEncoder(min_frequency=30, handle_unknown="infrequent_if_exist"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
        TargetEncoder(),
        OrderedTargetEncoder(),
        SimpleImputer(strategy="most_frequent"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_transformers_of_categories(transformer, path):
    X, y = make_frame()
    X = X[["town", "text"]]
    transformer.fit(X, y)
    assert_same_outputs(send(transformer, path), transformer, X)


@pytest.mark.parametrize("vectorizer", [CountVectorizer(), TfidfVectorizer(min_df=2)])
def test_texts(vectorizer, path):
    X, _ = make_frame()
    vectorizer.fit(X["text"])
    received = send(vectorizer, path)
    assert_same_outputs(received, vectorizer, X["text"])
    assert received.vocabulary_ == vectorizer.vocabulary_


@pytest.mark.parametrize("encoder", [LabelEncoder(), LabelBinarizer()])
def test_labels(encoder, path):
    y = np.array(["b", "a", "c", "a"])
    encoder.fit(y)
    assert_same_outputs(send(encoder, path), encoder, y)


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_pipeline(output, path):
    X, y = make_frame()
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["size"]),
            ("town", OneHotEncoder(sparse_output=False), ["town"]),
            ("words", TfidfVectorizer(), "text"),
        ],
        remainder="passthrough",
        sparse_threshold=0,
    )
    if output == "pandas":
        columns.set_params(words="drop").set_output(transform="pandas")
    pipeline = Pipeline(
        [("columns", columns), ("model", HistGradientBoostingClassifier())]
    )
    pipeline.fit(X, y)
    received = send(pipeline, path)
    assert_same_outputs(received, pipeline, X)
    assert_same_outputs(received[:-1], pipeline[:-1], X)
    names = received[:-1].get_feature_names_out()
    assert names.tolist() == pipeline[:-1].get_feature_names_out().tolist()


@pytest.mark.parametrize(
    "model",
    [
        StackingClassifier(
            [("a", HistGradientBoostingClassifier(max_iter=3))],
            final_estimator=LogisticRegression(),
            cv=2,
        ),
        VotingClassifier(
            [("a", HistGradientBoostingClassifier(max_iter=3))], voting="soft"
        ),
        TransformedTargetRegressor(
            BoostingRegressor(max_iter=5), func=np.log1p, inverse_func=np.expm1
        ),
        Ridge(),
    ],
    ids=lambda each: type(each).__name__,
)
def test_estimators_around_ours(model, path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    model.fit(X, (X[:, 0] > 0).astype(int))
    assert_same_outputs(send(model, path), model, X)


def test_parts_that_are_shared_stay_shared(path):
    scaler = StandardScaler()
    received = send(FeatureUnion([("a", scaler), ("b", scaler)]), path)
    assert received.transformer_list[0][1] is received.transformer_list[1][1]


def test_not_fitted(path):
    model = HistGradientBoostingRegressor(
        max_iter=7,
        monotonic_cst={"a": 1},
        interaction_cst=[{0, 1}, (2,)],
        random_state=np.random.RandomState(3),
        categorical_features=["a"],
        tol=np.float32(0.5),
        l2_regularization=np.inf,
    )
    received = send(model, path)
    parameters, expected = received.get_params(), model.get_params()
    assert parameters.pop("random_state").rand() == expected.pop("random_state").rand()
    assert parameters == expected
    assert type(parameters["tol"]) is np.float32
    assert parameters["interaction_cst"][0] == {0, 1}


LEVELS = {
    "text": ["a", "ä\n\0", ""],
    "int": [1, 2, 2**70],
    "float": [0.5, -0.0, 1e300],
    "bool": [True, False],
    "date": [datetime.date(2020, 1, 2), datetime.date(1999, 12, 31)],
    "datetime": [datetime.datetime(2020, 1, 2, 3, 4, 5, 6)],
    "bytes": [b"a", b"\xff"],
}


@pytest.mark.parametrize("kind", LEVELS)
def test_levels(kind, path):
    levels = LEVELS[kind]
    values = np.empty(120, dtype=object)
    values[:] = (levels * 120)[:120]
    X = pd.DataFrame({"level": pd.Series(values, dtype=object), "x": np.arange(120.0)})
    y = np.array([levels.index(value) for value in values], dtype=float)
    model = HistGradientBoostingRegressor(
        categorical_features=["level"], max_iter=5, min_samples_leaf=2
    ).fit(X, y)
    received = send(model, path)
    assert received._encoder.levels_ == model._encoder.levels_
    assert list(map(type, received._encoder.levels_[0])) == list(
        map(type, model._encoder.levels_[0])
    )
    assert_same_outputs(received, model, X)


def test_levels_of_timestamps(path):
    days = pd.date_range("2020-01-01", periods=4)
    X = pd.DataFrame({"day": pd.Categorical(np.tile(days, 30))})
    model = HistGradientBoostingRegressor(max_iter=3).fit(X, np.arange(120.0) % 4)
    received = send(model, path)
    assert received._encoder.levels_ == model._encoder.levels_
    assert_same_outputs(received, model, X)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1]),
        np.array([0, 1], dtype=np.uint8),
        np.array(["no", "yes"]),
        np.array(["no", "yes"], dtype=object),
        np.array(["a", "b"], dtype="U100"),
        np.array([True, False]),
        np.array([1.0, 2.0, 3.0], dtype=np.float32),
    ],
    ids=lambda labels: f"{labels.dtype}",
)
def test_classes(labels, path):
    X = np.arange(120.0)[:, np.newaxis]
    y = np.resize(labels, 120)
    model = HistGradientBoostingClassifier(max_iter=3).fit(X, y)
    received = send(model, path)
    assert received.classes_.dtype == model.classes_.dtype
    assert_same_outputs(received, model, X)


# ---- what cannot be saved ------------------------------------------------------------


def double(x):
    return 2 * x


class Subclass(HistGradientBoostingRegressor):
    pass


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (FunctionTransformer(double), r"FunctionTransformer\.func.*that function"),
        (FunctionTransformer(os.system), r"FunctionTransformer\.func.*that function"),
        (FunctionTransformer(lambda x: x), "that function"),
        (
            make_pipeline(StandardScaler(), FunctionTransformer(double)),
            r"Pipeline\.steps\[1\]\[1\]\.func",
        ),
        (Subclass(), "type Subclass"),
        (HistGradientBoostingRegressor(loss=object()), r"\.loss.*type object"),
        (HistGradientBoostingRegressor(loss=Subclass), r"\.loss.*type Subclass"),
        (
            DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1]),
            r"DecisionTreeClassifier\.tree_.*type Tree",
        ),
        (open, "Cannot save builtin_function_or_method"),
    ],
    ids=range(9),
)
def test_what_cannot_be_saved(estimator, message, path):
    path.write_text("before")
    with pytest.raises(TypeError, match=message):
        save(estimator, path)
    assert path.read_text() == "before"
    assert os.listdir(path.parent) == [path.name]


def test_what_holds_itself(path):
    model = HistGradientBoostingRegressor()
    model.loss = model
    with pytest.raises(TypeError, match="holds itself"):
        save(model, path)


# ---- writing and reading -------------------------------------------------------------


@pytest.fixture
def model():
    X, y = make_frame()
    return HistGradientBoostingClassifier(max_iter=5).fit(X[["size", "town"]], y)


def test_the_same_model_is_the_same_file(model, tmp_path):
    for name in "ab":
        save(model, tmp_path / name)
    save(load(tmp_path / "a"), tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "c").read_bytes()


def test_metadata(model, path):
    save(make_pipeline("passthrough", model), path)
    metadata = read_metadata(path)
    assert metadata["format_version"] == 1
    assert metadata["versions"]["sklearnx"] == sklearnx.__version__
    columns = metadata["schema"]["columns"]
    assert [column["name"] for column in columns] == ["size", "town"]
    assert [column["kind"] for column in columns] == ["number", "category"]
    assert sorted(columns[1]["levels"]) == ["a", "b", "c"]
    assert metadata["schema"]["classes"] == [0, 1]


def test_arrays_are_not_copied(model, path):
    save(model, path)
    nodes = load(path)._model.nodes
    assert not nodes.flags.writeable and not nodes.flags.owndata
    base = nodes
    while isinstance(base, np.ndarray):
        base = base.base
    assert type(base).__name__ in ("mmap", "memoryview")


def test_a_file_in_use_may_be_replaced_or_removed(model, path):
    X, y = make_frame()
    X = X[["size", "town"]]
    expected = model.predict_proba(X)
    save(model, path)
    received = load(path)
    other = HistGradientBoostingClassifier(max_iter=2).fit(X, 1 - y)
    save(other, path)
    np.testing.assert_array_equal(received.predict_proba(X), expected)
    path.unlink()
    np.testing.assert_array_equal(received.predict_proba(X), expected)


def test_a_warm_start_goes_on(model, path):
    X, y = make_frame()
    X = X[["size", "town"]]
    save(model, path)
    fitted = [
        each.set_params(warm_start=True, max_iter=8).fit(X, y).predict_proba(X)
        for each in (load(path), joblib.load(_dump(model, path.with_suffix(".pkl"))))
    ]
    np.testing.assert_array_equal(*fitted)


def _dump(model, path):
    joblib.dump(model, path)
    return path


def test_permissions(model, path):
    save(model, path)
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    path.chmod(0o640)
    save(model, path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_readers_never_see_half_a_file(model, path):
    save(model, path)
    is_done = threading.Event()

    def write():
        while not is_done.is_set():
            save(model, path)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(100):
            load(path)
    finally:
        is_done.set()
        writer.join()


@pytest.mark.parametrize("target", ["no/such/folder/model", ""])
def test_where_nothing_can_be_written(target, model, tmp_path):
    with pytest.raises(OSError):
        save(model, tmp_path / target)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"abc",
        bytes(8),
        bytes(100),
        b"\xff" * 100,
        b"PK\x03\x04" + bytes(200),
        (2).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (10**9).to_bytes(8, "little") + b"{}",
        json.dumps({"a": 1}).encode(),
    ],
)
def test_other_files(data, path):
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"model file|cut short"):
        load(path)
    with pytest.raises(ModelFileError, match=r"model file|cut short"):
        read_metadata(path)


@pytest.mark.parametrize("place", [0, 9, 60, -1, -200])
def test_a_flipped_bit(place, model, path):
    save(model, path)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelFileError):
        load(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_that_was_cut(share, model, path):
    save(model, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ModelFileError, match=r"cut short|damaged|no checksum"):
        load(path)
