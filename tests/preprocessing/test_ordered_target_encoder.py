"""What OrderedTargetEncoder makes of columns and targets of any kind."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import TargetEncoder

from sklearnx.preprocessing import OrderedTargetEncoder


def make_frame(n_rows=400, random_state=0):
    rng = np.random.default_rng(random_state)
    X = pd.DataFrame(
        {
            "town": rng.choice(["Oslo", "Rome", "Bonn", None], n_rows),
            "floor": rng.integers(-2, 9, n_rows),
            "size": rng.choice([1.5, 2.5, np.nan], n_rows),
        }
    )
    signal = (X["town"] == "Rome") + 0.1 * X["floor"] + rng.normal(size=n_rows)
    return X, signal.to_numpy()


# ---- what it says --------------------------------------------------------------------


@pytest.mark.parametrize("smooth", [0.0, 3.0])
def test_encodings_are_those_of_scikit_learn(smooth):
    X, y = make_frame()
    for target in (y, y > 0, np.digitize(y, [-0.5, 0.5])):
        theirs = TargetEncoder(smooth=smooth).fit(X, target)
        ours = OrderedTargetEncoder(smooth=smooth).fit(X, target)
        assert_allclose(ours.transform(X), theirs.transform(X), rtol=1e-12)
        assert_allclose(ours.target_mean_, theirs.target_mean_)
        assert ours.target_type_ == theirs.target_type_
        names = theirs.get_feature_names_out().tolist()
        assert ours.get_feature_names_out().tolist() == names
        unseen = pd.DataFrame({"town": ["Graz"], "floor": [77], "size": [3.5]})
        assert_allclose(ours.transform(unseen), theirs.transform(unseen))


def test_attributes():
    X, y = make_frame()
    encoder = OrderedTargetEncoder(smooth=2.0).fit(X, y)
    assert sorted(map(str, encoder.categories_[0])) == ["Bonn", "None", "Oslo", "Rome"]
    assert encoder.categories_[0][-1] is None
    assert sorted(encoder.categories_[1]) == list(range(-2, 9))
    assert_array_equal(np.sort(encoder.categories_[2]), [1.5, 2.5, np.nan])
    assert encoder.classes_ is None
    for name, levels, encodings in zip(X, encoder.categories_, encoder.encodings_):
        for level, encoding in zip(levels, encodings, strict=True):
            rows = X[name].isna() if pd.isna(level) else X[name] == level
            expected = (y[rows].sum() + 2 * y.mean()) / (rows.sum() + 2)
            assert encoding == pytest.approx(expected, rel=1e-12)
    classes = OrderedTargetEncoder().fit(X, np.digitize(y, [-0.5, 0.5]))
    assert classes.classes_.tolist() == [0, 1, 2]
    assert len(classes.encodings_) == 9
    for first in (0, 3, 6):
        assert_allclose(np.sum(classes.encodings_[first : first + 3], axis=0), 1)


def test_missing_values_that_fit_did_not_see():
    X = np.array([["a"], ["b"], ["a"]], dtype=object)
    encoder = OrderedTargetEncoder(target_type="continuous").fit(X, [1.0, 2.0, 6.0])
    missing = np.array([[None], [np.nan]], dtype=object)
    assert encoder.transform(missing).ravel().tolist() == [3.0, 3.0]
    assert encoder.categories_[0].tolist() == ["a", "b"]


def test_training_rows_are_encoded_in_order():
    X = [["a"], ["b"], ["a"], ["a"], ["b"]]
    encoder = OrderedTargetEncoder(smooth=2.0, shuffle=False)
    encoded = encoder.fit_transform(X, ["no", "yes", "yes", "yes", "no"])
    prior = 0.6
    expected = [prior, prior, 1.2 / 3, 2.2 / 4, 2.2 / 3]
    assert_allclose(encoded.ravel(), expected, rtol=1e-15)
    assert encoder.classes_.tolist() == ["no", "yes"]


def test_seeds():
    X, y = make_frame()
    first, again, other = (
        OrderedTargetEncoder(random_state=seed).fit_transform(X, y)
        for seed in (0, 0, 1)
    )
    assert (first == again).all()
    assert (first != other).any()
    # Over many orders a row gets what its level has without it.
    encoder = OrderedTargetEncoder()
    mean = np.mean([encoder.fit_transform(X, y) for _ in range(300)], axis=0)
    assert abs(np.mean(mean[:, 0]) - y.mean()) < 0.02


@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_noise_stays_noise(kind):
    # Levels of one or two rows: their own targets would give them away.
    rng = np.random.default_rng(0)
    n_rows = 4_000
    X = rng.integers(0, 3_000, (n_rows, 1)).astype(str).astype(object)
    y = rng.normal(size=n_rows) if kind == "numbers" else rng.integers(2, size=n_rows)
    encoder = OrderedTargetEncoder(random_state=0)
    assert abs(np.corrcoef(encoder.fit_transform(X, y).ravel(), y)[0, 1]) < 0.05
    assert np.corrcoef(encoder.transform(X).ravel(), y)[0, 1] > 0.5
    if kind == "classes":
        X_new = rng.integers(0, 3_000, (n_rows, 1)).astype(str).astype(object)
        y_new = rng.integers(2, size=n_rows)
        model = make_pipeline(encoder, LogisticRegression()).fit(X, y)
        loss = log_loss(y_new, model.predict_proba(X_new))
        assert loss < 1.01 * np.log(2)


# ---- levels are values ---------------------------------------------------------------


def test_levels_are_known_by_value():
    X, y = make_frame()
    encoder = OrderedTargetEncoder(random_state=0)
    expected_train = encoder.fit_transform(X, y)
    expected = encoder.transform(X)
    # As a dtype with its categories in another order, and one that no row has.
    towns = pd.CategoricalDtype(["Rome", "Wien", "Oslo", "Bonn"])
    other = X.astype({"town": towns})
    assert_array_equal(encoder.transform(other), expected)
    assert_array_equal(encoder.fit_transform(other, y), expected_train)
    # Renamed.
    renamed = X.assign(town=X["town"].map({"Oslo": "x", "Rome": "b", "Bonn": "c"}))
    assert_array_equal(encoder.fit_transform(renamed, y), expected_train)
    assert_array_equal(encoder.transform(renamed), expected)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_frames(library):
    module = pytest.importorskip(library)
    X, y = make_frame()
    expected = OrderedTargetEncoder(random_state=0).fit_transform(X, y)
    table = module.Table if library == "pyarrow" else module
    frame = table.from_pandas(X)
    encoder = OrderedTargetEncoder(random_state=0)
    assert_array_equal(encoder.fit_transform(frame, y), expected)


def test_negative_numbers_are_levels():
    X = np.array([[-1.0], [-2.0], [-1.0], [np.nan]])
    encoder = OrderedTargetEncoder(target_type="continuous", smooth=0.0)
    encoded = encoder.fit(X, [1.0, 2.0, 3.0, 4.0]).transform(X)
    assert encoded.ravel().tolist() == [2.0, 2.0, 2.0, 4.0]
    assert_array_equal(encoder.categories_[0], [-1.0, -2.0, np.nan])


# ---- in pipelines --------------------------------------------------------------------


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output(library):
    pytest.importorskip(library)
    X, y = make_frame()
    encoder = OrderedTargetEncoder(random_state=0).set_output(transform=library)
    for frame in (encoder.fit_transform(X, y), encoder.transform(X)):
        assert type(frame).__module__.startswith(library)
        assert list(frame.columns) == ["town", "floor", "size"]
    classes = encoder.fit_transform(X, np.digitize(y, [-0.5, 0.5]))
    assert list(classes.columns)[:3] == ["town_0", "town_1", "town_2"]


def test_pipeline_and_search():
    X, y = make_frame(1_000)
    columns = make_column_transformer(
        (OrderedTargetEncoder(random_state=0), ["town", "floor"]),
    )
    model = make_pipeline(columns, LinearRegression())
    assert cross_val_score(model, X, y, cv=3).mean() > 0.15
    name = "columntransformer__orderedtargetencoder__smooth"
    search = GridSearchCV(model, {name: [0.5, 50.0]}, cv=3).fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 2


# ---- errors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, y, message",
    [
        ({}, [[1, 2], [3, 4], [5, 6]], "y should be a 1d array"),
        ({}, np.array([1, "a", None], dtype=object), "Unknown label type"),
        ({"target_type": "binary"}, [0, 1, 2], "target_type='binary', but y has 3"),
        ({"target_type": "multiclass"}, [0.5, 1.2, 2.7], "Unknown label type"),
        ({"target_type": "continuous"}, ["a", "b", "c"], "could not convert"),
        ({}, [1.5, np.nan, 2.0], "contains NaN"),
        ({}, None, "requires y to be passed"),
        ({"smooth": -1.0}, [0, 1, 0], "'smooth' parameter"),
    ],
)
def test_wrong_targets_and_parameters(settings, y, message):
    with pytest.raises(ValueError, match=message):
        OrderedTargetEncoder(**settings).fit([["a"], ["b"], ["a"]], y)


def test_bits_do_not_depend_on_threads():
    X, y = make_frame(20_000)
    classes = np.digitize(y, [-0.5, 0.5])
    for target in (y, classes):
        encoders = [
            OrderedTargetEncoder(random_state=0, n_jobs=n_jobs) for n_jobs in (1, 2, 4)
        ]
        encoded = [e.fit_transform(X, target).tobytes() for e in encoders]
        assert len(set(encoded)) == 1
        assert len({e.transform(X).tobytes() for e in encoders}) == 1


def test_one_row_and_one_class():
    encoder = OrderedTargetEncoder()
    assert encoder.fit_transform([["a"]], ["only"]).tolist() == [[0.0]]
    assert encoder.target_type_ == "binary"
    assert encoder.transform([["b"]]).tolist() == [[0.0]]
