"""Frames of pandas, polars and pyarrow: same model, names checked, categories taken."""

import numpy as np
import pytest
from sklearn.base import is_classifier

from tests.contracts._helpers import (
    COLUMN_NAMES,
    assert_same_bits,
    assert_same_model,
    compute_outputs,
    fit_and_compute,
    make_data,
)
from tests.contracts.estimators import over_cases

over_libraries = pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])


def make_frame(library, columns):
    """A frame of `columns` (name -> values), strings as they are."""
    module = pytest.importorskip(library)
    if library == "pyarrow":
        return module.table(columns)
    return module.DataFrame(columns)


def make_columns(X, names=COLUMN_NAMES):
    return {name: X[:, COLUMN_NAMES.index(name)].copy() for name in names}


@over_libraries
@over_cases()
def test_frame_is_array(case, library):
    X, y = make_data(case)
    frame = make_frame(library, make_columns(X))
    estimator = case.make_estimator().fit(frame, y)
    assert estimator.feature_names_in_.tolist() == COLUMN_NAMES
    assert estimator.n_features_in_ == len(COLUMN_NAMES)
    expected = fit_and_compute(case.make_estimator(), X, y)
    assert_same_model(case, compute_outputs(estimator, frame), expected)


@pytest.mark.parametrize(
    "names, message",
    [
        (COLUMN_NAMES[::-1], "Feature names must be in the same order"),
        (COLUMN_NAMES[1:], "seen at fit time, yet now missing:\n- age"),
        (["size", *COLUMN_NAMES[1:]], "Feature names unseen at fit time:\n- size"),
    ],
    ids=["order", "missing", "unseen"],
)
@over_libraries
@over_cases(keep=lambda case: case.knows_new_rows)
def test_names_are_checked(case, library, names, message):
    X, y = make_data(case)
    columns = make_columns(X)
    estimator = case.make_estimator().fit(make_frame(library, columns), y)
    columns["size"] = columns["age"]
    wrong = make_frame(library, {name: columns[name] for name in names})
    for method in compute_outputs(estimator, make_frame(library, make_columns(X))):
        with pytest.raises(ValueError, match=message):
            getattr(estimator, method)(wrong)


@over_libraries
@over_cases(keep=lambda case: case.knows_new_rows)
def test_names_on_one_side_warn(case, library):
    X, y = make_data(case)
    frame = make_frame(library, make_columns(X))
    estimator = case.make_estimator().fit(frame, y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        compute_outputs(estimator, X)
    estimator = case.make_estimator().fit(X, y)
    with pytest.warns(UserWarning, match="X has feature names, but"):
        compute_outputs(estimator, frame)


def make_mixed_columns(n_samples, labels, random_state=0):
    """Numbers, booleans and labels with gaps, and a target made of all three."""
    rng = np.random.default_rng(random_state)
    level = rng.integers(0, len(labels), size=n_samples)
    columns = {
        "size": rng.normal(size=n_samples),
        "is_new": rng.random(n_samples) < 0.4,
        "colour": [None if k == 0 else labels[k] for k in level],
    }
    effect = rng.normal(size=len(labels))[level]
    return columns, effect + columns["size"] + 2 * columns["is_new"]


def make_category_frame(library, columns):
    """A frame with the strings of `columns` as the library's categories."""
    frame = make_frame(library, columns)
    if library == "pandas":
        return frame.astype({"colour": "category"})
    if library == "polars":
        return frame.with_columns(
            frame["colour"].cast(pytest.importorskip(library).Categorical)
        )
    at = frame.column_names.index("colour")
    return frame.set_column(at, "colour", frame["colour"].dictionary_encode())


def fit_mixed(case, frame, signal):
    y = signal > np.median(signal) if is_classifier(case.make_estimator()) else signal
    return case.make_estimator().fit(frame, y)


accepts_categories = over_cases(keep=lambda case: case.accepts_categories)
LABELS = ["red", "green", "blue", "grey", "black", "white", "ochre"]


@pytest.mark.parametrize("make", [make_frame, make_category_frame])
@over_libraries
@accepts_categories
def test_categories(case, library, make):
    pytest.importorskip("pandas")
    columns, signal = make_mixed_columns(400, LABELS)
    frame = make_category_frame("pandas", columns)
    expected = compute_outputs(fit_mixed(case, frame, signal), frame)
    frame = make(library, columns)
    outputs = compute_outputs(fit_mixed(case, frame, signal), frame)
    assert_same_bits(outputs, expected)


@over_libraries
@accepts_categories
def test_labels_may_be_renamed(case, library):
    columns, signal = make_mixed_columns(400, LABELS)
    frame = make_category_frame(library, columns)
    expected = compute_outputs(fit_mixed(case, frame, signal), frame)
    # The reverse of the alphabet's order, and of no meaning.
    new_names = {name: f"{100 - i} {name}" for i, name in enumerate(sorted(LABELS))}
    columns["colour"] = [new_names.get(name) for name in columns["colour"]]
    frame = make_category_frame(library, columns)
    assert_same_bits(compute_outputs(fit_mixed(case, frame, signal), frame), expected)


@over_libraries
@accepts_categories
def test_unseen_category_is_missing(case, library):
    columns, signal = make_mixed_columns(400, LABELS)
    estimator = fit_mixed(case, make_category_frame(library, columns), signal)
    missing = make_category_frame(library, {**columns, "colour": ["red", None] * 200})
    unseen = make_category_frame(library, {**columns, "colour": ["red", "pink"] * 200})
    assert_same_bits(
        compute_outputs(estimator, unseen), compute_outputs(estimator, missing)
    )


@accepts_categories
def test_predictions_do_not_depend_on_the_batch(case):
    """The codes of a batch's own categories are of no importance."""
    pandas = pytest.importorskip("pandas")
    columns, signal = make_mixed_columns(400, LABELS)
    frame = make_category_frame("pandas", columns)
    estimator = fit_mixed(case, frame, signal)
    expected = compute_outputs(estimator, frame)
    batch = pandas.DataFrame(columns).iloc[100:110]
    batch = batch.assign(colour=batch["colour"].astype("category"))
    assert_same_bits(
        compute_outputs(estimator, batch),
        {name: output[100:110] for name, output in expected.items()},
    )
