"""Categories as levels, as means of the target, and level by level."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.inspection import partial_dependence
from sklearn.metrics import log_loss

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.inspection import tree_table
from tests.ensemble._data import assert_same_bits

pd = pytest.importorskip("pandas")

ENCODINGS = ("auto", "partition", "ordered_target", "onehot")
SETTINGS = {"max_iter": 12, "max_leaf_nodes": 8, "random_state": 0}


def make_frame(n_rows=1200, n_rare=300, random_state=0):
    """Return a frame with levels of few and of many rows, and their effects."""
    rng = np.random.default_rng(random_state)
    rare = rng.integers(0, n_rare, n_rows)
    frequent = rng.integers(0, 12, n_rows)
    X = pd.DataFrame(
        {
            "rare": pd.Categorical(np.char.add("r", rare.astype(str))),
            "frequent": pd.Categorical(np.char.add("f", frequent.astype(str))),
            "number": rng.normal(size=n_rows),
        }
    )
    effects = np.random.default_rng(17).normal(size=n_rare)
    signal = effects[rare] + np.sin(frequent) + X["number"].to_numpy()
    return X, signal + 0.3 * rng.normal(size=n_rows)


def fit(X, y, **settings):
    return HistGradientBoostingRegressor(**{**SETTINGS, **settings}).fit(X, y)


# -- what it is for --------------------------------------------------------------------


def test_levels_of_few_rows_are_better_read_by_their_means():
    X, y = make_frame(12_000, 2000)
    scores = {
        encoding: fit(
            X[:6000], y[:6000], categorical_encoding=encoding, max_iter=50
        ).score(X[6000:], y[6000:])
        for encoding in ENCODINGS
    }
    assert scores["auto"] > scores["partition"] + 0.01
    assert scores["ordered_target"] > scores["onehot"] + 0.05


@pytest.mark.parametrize("encoding", ["auto", "ordered_target"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_target_of_pure_noise_stays_noise(encoding, early_stopping):
    # Levels of five rows, which would tell their own targets.
    rng = np.random.default_rng(0)
    n = 50_000
    levels = rng.integers(0, 10_000, (2, 2 * n)).astype(str)
    X = pd.DataFrame({"a": pd.Categorical(levels[0]), "b": pd.Categorical(levels[1])})
    y = (rng.random(2 * n) < 0.3).astype(int)
    model = HistGradientBoostingClassifier(
        categorical_encoding=encoding,
        early_stopping=early_stopping,
        restore_best=True,
        random_state=0,
    ).fit(X[:n], y[:n])
    assert model._derived is not None
    constant = log_loss(y[n:], np.full(n, y[:n].mean()))
    assert log_loss(y[n:], model.predict_proba(X[n:])) < 1.01 * constant


def test_auto_leaves_levels_of_many_rows_as_they_are():
    X, y = make_frame()
    frequent = X[["frequent", "number"]]
    models = [
        fit(frequent, y, categorical_encoding=encoding)
        for encoding in ("auto", "partition")
    ]
    assert_same_bits(models[0].predict(frequent), models[1].predict(frequent))
    assert models[0]._derived is None
    assert fit(X, y, categorical_encoding="auto")._derived.features.tolist() == [0]


def test_numbers_are_not_encoded():
    X, y = make_frame()
    numbers = X[["number"]]
    for encoding in ENCODINGS:
        model = fit(numbers, y, categorical_encoding=encoding)
        assert_same_bits(model.predict(numbers), fit(numbers, y).predict(numbers))


def test_a_split_by_onehot_has_one_level_on_the_left():
    X, y = make_frame()
    settings = {"max_leaf_nodes": 100, "min_samples_leaf": 5, "max_iter": 1}
    table = tree_table(fit(X, y, categorical_encoding="onehot", **settings))
    levels = table.loc[table["feature"].isin(["rare", "frequent"]), "left_levels"]
    assert len(levels) > 5
    assert all(len(some) <= 1 for some in levels)  # none: missing values alone


# -- how it is said --------------------------------------------------------------------


def test_by_column():
    X, y = make_frame()
    by_name = {"rare": "ordered_target", "frequent": "onehot"}
    model = fit(X, y, categorical_encoding=by_name)
    assert model._derived.features.tolist() == [0]
    table = tree_table(model)
    assert set(table["feature"].dropna()) <= {
        "frequent",
        "number",
        "mean y of rare",
        "rows of rare",
    }
    assert "mean y of rare" in set(table["feature"])
    array = np.column_stack([X[name].cat.codes for name in ("rare", "frequent")])
    array = np.column_stack([array, X["number"]])
    by_position = fit(
        array,
        y,
        categorical_features=[0, 1],
        categorical_encoding={0: "ordered_target", 1: "onehot"},
    )
    assert_same_bits(by_position.predict(array), model.predict(X))


@pytest.mark.parametrize(
    "encoding, error, message",
    [
        ("target", ValueError, "The 'categorical_encoding' parameter .* must be"),
        (None, ValueError, "The 'categorical_encoding' parameter .* must be"),
        ({"other": "auto"}, ValueError, r"not columns of X: \['other'\]"),
        ({"rare": "target"}, ValueError, r"\['rare'\] must be one of"),
    ],
)
def test_errors(encoding, error, message):
    X, y = make_frame(100)
    with pytest.raises(error, match=message):
        fit(X, y, categorical_encoding=encoding)


# -- levels are known by value ---------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_names_and_their_order_do_not_matter(encoding):
    X, y = make_frame()
    expected = fit(X, y, categorical_encoding=encoding).predict(X)
    renamed = X.copy()
    for name in ("rare", "frequent"):
        values = [f"{len(v)}{v[::-1]}" for v in X[name].astype(str)]
        renamed[name] = pd.Categorical(values, categories=sorted(set(values)))
    assert_same_bits(
        fit(renamed, y, categorical_encoding=encoding).predict(renamed), expected
    )
    # Of the rows to be predicted the dtype lists other levels, in another order.
    model = fit(X, y, categorical_encoding=encoding)
    some = X.iloc[:50].copy()
    for name in ("rare", "frequent"):
        values = some[name].astype(str)
        listed = ["new", *sorted(set(values), reverse=True)]
        some[name] = pd.Categorical(values, categories=listed)
    assert_same_bits(model.predict(some), expected[:50])
    assert_same_bits(model.predict(X.iloc[:1]), expected[:1])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_missing_and_unseen_levels(encoding):
    X, y = make_frame()
    X.loc[::7, "rare"] = np.nan
    model = fit(X, y, categorical_encoding=encoding)
    others = X.iloc[:20].copy()
    others["rare"] = np.nan
    missing = model.predict(others)
    others["rare"] = pd.Categorical(["never seen"] * 20)
    assert_same_bits(model.predict(others), missing)
    assert np.isfinite(missing).all()
    strict = fit(X, y, categorical_encoding=encoding, handle_unknown="error")
    with pytest.raises(ValueError, match="never seen"):
        strict.predict(others)
    X["rare"] = pd.Categorical([None] * len(X), categories=["a"])
    assert np.isfinite(fit(X, y, categorical_encoding=encoding).predict(X)).all()


# -- all else works with it ------------------------------------------------------------


WITH_MEANS = {
    "plain": {},
    "ordered": {"boosting": "ordered"},
    "dart": {"boosting": "dart", "drop_rate": 0.5, "skip_drop": 0.0},
    "forest": {"boosting": "random_forest", "subsample": 0.5},
    "goss": {"subsample": 0.5, "sampling": "goss"},
    "linear leaves": {"linear_leaves": True},
    "restrained": {"l1_regularization": 0.1, "path_smoothing": 2.0},
    "columns drawn": {"max_features": 0.5, "feature_weights": {"rare": 2.0}},
    "interactions": {"interaction_cst": [{0, 1}, {1, 2}]},
    "monotonic": {"monotonic_cst": {"number": 1}},
    "by level": {"grow_policy": "depthwise"},
    "symmetric": {"grow_policy": "symmetric"},
    "medians": {"loss": "absolute_error"},
    "random splits": {"extra_trees": True},
    "one row in a leaf": {"min_samples_leaf": 1, "max_leaf_nodes": None},
}


@pytest.mark.parametrize("name", WITH_MEANS)
@pytest.mark.parametrize("encoding", ["ordered_target", "onehot"])
def test_with_other_options(name, encoding):
    X, y = make_frame()
    settings = {"categorical_encoding": encoding, **WITH_MEANS[name]}
    model = fit(X, y, **settings, n_jobs=1)
    expected = model.predict(X)
    assert np.isfinite(expected).all()
    assert model.score(X, y) > 0.1
    assert_same_bits(fit(X, y, **settings, n_jobs=3).predict(X), expected)
    assert_same_bits(pickle.loads(pickle.dumps(model)).predict(X), expected)
    np.testing.assert_allclose(list(model.staged_predict(X))[-1], expected)
    importances = model.feature_importances_
    np.testing.assert_allclose(importances.sum(), 1)
    # Alone, levels of four rows have too few to be told from noise.
    assert importances[0 if encoding == "ordered_target" else 1] > 0
    assert model.feature_split_counts_.shape == (3,)
    assert len(tree_table(model)) > 3


@pytest.mark.parametrize("encoding", ["ordered_target", "onehot"])
def test_monotonic_columns_stay_so(encoding):
    X, y = make_frame()
    model = fit(X, y, categorical_encoding=encoding, monotonic_cst={"number": 1})
    grid = X.iloc[np.repeat(np.arange(30), 40)].copy()
    grid["number"] = np.tile(np.linspace(-3, 3, 40), 30)
    assert (np.diff(model.predict(grid).reshape(30, 40)) >= 0).all()


def test_columns_that_may_not_meet_do_not():
    X, y = make_frame()
    model = fit(
        X, y, categorical_encoding="ordered_target", interaction_cst="no_interactions"
    )
    names = model._name_columns()
    assert not any(
        "rare, frequent" in name for name in tree_table(model)["feature"].dropna()
    )
    assert "mean y of rare, frequent" in names or "mean y of frequent, rare" in names


@pytest.mark.parametrize("encoding", ["ordered_target", "onehot"])
@pytest.mark.parametrize("n_columns", [1, 3])
def test_several_classes_and_outputs(encoding, n_columns):
    X, y = make_frame()
    Y = np.column_stack([y, -y, X["number"]])[:, :n_columns]
    model = fit(X, Y if n_columns > 1 else y, categorical_encoding=encoding)
    assert model.score(X, Y if n_columns > 1 else y) > 0.3
    classes = np.digitize(
        y, np.quantile(y, np.arange(1, n_columns + 1) / (n_columns + 1))
    )
    classifier = HistGradientBoostingClassifier(
        **SETTINGS, categorical_encoding=encoding
    ).fit(X, classes)
    assert classifier.score(X, classes) > 0.5
    again = clone(classifier).set_params(n_jobs=3).fit(X, classes)
    assert_same_bits(again.predict_proba(X), classifier.predict_proba(X))


@pytest.mark.parametrize("boosting", ["plain", "dart"])
def test_warm_start_goes_on_as_one_fit(boosting):
    X, y = make_frame()
    settings = {"categorical_encoding": "ordered_target", "boosting": boosting}
    expected = fit(X, y, **settings).predict(X)
    model = fit(X, y, **settings, max_iter=5, warm_start=True)
    assert_same_bits(model.set_params(max_iter=12).fit(X, y).predict(X), expected)


def test_a_snapshot_is_gone_on_from(tmp_path):
    X, y = make_frame()
    settings = {"categorical_encoding": "ordered_target", "snapshot": tmp_path / "fit"}
    fit(X, y, **settings, max_iter=5)
    expected = fit(X, y, categorical_encoding="ordered_target")
    assert_same_bits(fit(X, y, **settings).predict(X), expected.predict(X))
    with pytest.raises(ValueError, match="categorical_encoding: 'ordered_target' in"):
        fit(X, y, **{**settings, "categorical_encoding": "auto"})
    other = y.copy()
    other[0] += 1
    with pytest.raises(ValueError, match="y: other values"):
        fit(X, other, **settings)


def test_rows_that_are_scored_are_read_as_in_predict():
    X, y = make_frame()
    model = fit(
        X[:800],
        y[:800],
        categorical_encoding="ordered_target",
        early_stopping=False,
    )
    followed = HistGradientBoostingRegressor(
        **SETTINGS, categorical_encoding="ordered_target", early_stopping=True, tol=0
    ).fit(
        X[:800],
        y[:800],
        X_val=X[800:],
        y_val=y[800:],
        eval_sets={"a": (X[800:], y[800:])},
    )
    assert_same_bits(model.predict(X), followed.predict(X))
    losses = [np.mean((y[800:] - p) ** 2) / 2 for p in model.staged_predict(X[800:])]
    np.testing.assert_allclose(-followed.validation_score_[1:], losses, rtol=1e-9)
    np.testing.assert_allclose(
        followed.evals_result_["a"]["loss"][1:], losses, rtol=1e-9
    )


def test_validation_rows_are_not_among_those_that_means_are_taken_of():
    X, y = make_frame()
    model = HistGradientBoostingRegressor(
        **SETTINGS,
        categorical_encoding="ordered_target",
        early_stopping=True,
        validation_fraction=0.25,
    ).fit(X, y)
    rows = dict(zip(model._name_columns(), range(99), strict=False))["rows of rare"]
    table = model._read_table(X, 1)
    is_level = X["rare"] == X["rare"].iloc[0]
    assert 0 <= table.columns[rows][0] <= is_level.sum()
    counts = table.columns[rows]
    shares = [counts[i] / (X["rare"] == X["rare"].iloc[i]).sum() for i in range(100)]
    assert 0.6 < np.mean(shares) < 0.9


def test_weights_count_rows():
    X, y = make_frame()
    settings = {"categorical_encoding": "ordered_target"}
    model = HistGradientBoostingRegressor(**SETTINGS, **settings)
    weights = np.ones(len(y))
    weights[::3] = 0
    kept = weights > 0
    weighted = clone(model).fit(X, y, sample_weight=weights)
    alone = clone(model).fit(X[kept], y[kept])
    assert_same_bits(weighted.predict(X[kept]), alone.predict(X[kept]))


def test_partial_dependence():
    X, y = make_frame()
    model = fit(X, y, categorical_encoding="ordered_target")
    with pytest.raises(NotImplementedError, match="use method='brute'"):
        partial_dependence(
            model, X, ["rare"], method="recursion", categorical_features=["rare"]
        )
    partial_dependence(model, X, ["number"], method="recursion")
    found = partial_dependence(
        model, X, ["frequent"], method="brute", categorical_features=["frequent"]
    )
    assert np.ptp(found["average"]) > 0.5
