"""Rows drawn for each iteration, columns drawn for each tree."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss, mean_squared_error

from sklearnx._boosting.sampling import SAMPLERS, make_sampler
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import (
    assert_same_bits,
    compute_signal,
    make_classification_data,
    make_regression_data,
)

over_samplings = pytest.mark.parametrize("sampling", SAMPLERS)
SETTINGS = {"max_leaf_nodes": 8, "random_state": 0}


def make_regressor(**settings):
    return HistGradientBoostingRegressor(**{**SETTINGS, **settings})


def get_used_features(model):
    """Features that each tree splits on."""
    trees = [tree for trees in model._predictors for tree in trees]
    return [
        set(tree.nodes["feature"][tree.nodes["feature"] >= 0].tolist())
        for tree in trees
    ]


# ---- rows ----------------------------------------------------------------------------


@over_samplings
def test_all_rows_are_the_default(sampling):
    X, y = make_regression_data()
    plain = make_regressor().fit(X, y)
    drawn = make_regressor(sampling=sampling, subsample=1.0).fit(X, y)
    assert_same_bits(drawn.predict(X), plain.predict(X))


@pytest.mark.parametrize("subsample", [0.001, 0.25, 0.999])
@pytest.mark.parametrize("sampling", ["uniform", "goss"])
def test_trees_have_the_share(sampling, subsample):
    X, y = make_regression_data()
    model = make_regressor(sampling=sampling, subsample=subsample, max_iter=5)
    model.fit(X, y)
    counts = [trees[0].stats["n_samples"][0] for trees in model._predictors]
    assert counts == [max(1, round(subsample * len(y)))] * 5


@over_samplings
def test_trees_of_an_iteration_have_the_same_rows(sampling):
    X, y = make_classification_data(n_classes=3)
    model = HistGradientBoostingClassifier(
        sampling=sampling, subsample=0.3, max_iter=10, **SETTINGS
    ).fit(X, y)
    counts = [
        {tree.stats["n_samples"][0] for tree in trees} for trees in model._predictors
    ]
    assert all(len(of_iteration) == 1 for of_iteration in counts)
    if sampling == "mvs":
        # A number that varies about the share.
        counts = [count for (count,) in counts]
        assert len(set(counts)) > 1
        assert_allclose(np.mean(counts), 180, rtol=0.1)


def test_first_tree_is_that_of_the_drawn_rows():
    X, y = make_regression_data()
    model = make_regressor(subsample=0.4, max_iter=1, learning_rate=1.0).fit(X, y)
    rows = make_sampler("uniform", 0.4, int(model._random_seed), len(y)).draw(
        0, np.zeros((1, len(y))), None, None, 1
    )[0]
    leaves = model.apply(X)[:, 0]
    prediction = model.predict(X)
    for leaf in np.unique(leaves):
        in_leaf = np.intersect1d(np.flatnonzero(leaves == leaf), rows)
        assert len(in_leaf) >= 20
        # All rows of the leaf, those not drawn too.
        assert_allclose(prediction[leaves == leaf], y[in_leaf].mean())


@over_samplings
@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "huber", "poisson", "gamma"]
)
def test_scores_of_the_training_rows_are_the_models(loss, sampling):
    """Of all rows, drawn or not; also of losses that refit leaves."""
    X, y = make_regression_data()
    y = np.exp(0.5 * y)
    model = make_regressor(
        loss=loss,
        sampling=sampling,
        subsample=0.3,
        early_stopping=True,
        validation_fraction=None,
        scoring="neg_mean_absolute_error",
        n_iter_no_change=100,
    ).fit(X, y, eval_sets={"same": (X, y)})
    errors = [np.abs(stage - y).mean() for stage in model.staged_predict(X)]
    assert_allclose(-model.train_score_[1:], errors)
    assert errors[-1] < 0.6 * errors[0]


@over_samplings
def test_loss_is_close_to_that_of_all_rows(sampling):
    X, y = make_regression_data(4000)
    X_test, _ = make_regression_data(4000, random_state=1)
    signal = compute_signal(X_test)
    settings = {"max_iter": 150, "min_samples_leaf": 10, "early_stopping": False}
    every = make_regressor(**settings).fit(X, y)
    drawn = make_regressor(**settings, sampling=sampling, subsample=0.5).fit(X, y)
    error = mean_squared_error(signal, drawn.predict(X_test))
    assert error < 1.15 * mean_squared_error(signal, every.predict(X_test))


def test_goss_against_lightgbm():
    lightgbm = pytest.importorskip("lightgbm")
    X, y = make_classification_data(8000)
    X_test, y_test = make_classification_data(8000, random_state=1)
    settings = {"learning_rate": 0.1, "min_child_samples": 20, "num_leaves": 31}
    theirs = lightgbm.LGBMClassifier(
        data_sample_strategy="goss",
        top_rate=0.2,
        other_rate=0.1,
        n_estimators=60,
        n_jobs=1,
        verbose=-1,
        **settings,
    ).fit(X, y)
    ours = HistGradientBoostingClassifier(
        sampling="goss", subsample=0.3, max_iter=60, early_stopping=False
    ).fit(X, y)
    losses = [log_loss(y_test, model.predict_proba(X_test)) for model in (ours, theirs)]
    assert losses[0] < 1.03 * losses[1]


@over_samplings
@pytest.mark.parametrize(
    "settings",
    [
        {"early_stopping": True, "n_iter_no_change": 40},
        {"loss": "absolute_error"},
        {"loss": "huber", "colsample_bytree": 0.5},
        {"monotonic_cst": [0, 1, 0, 0]},
        {"interaction_cst": [{0, 1}, {2, 3}], "max_features": 0.5},
    ],
)
def test_warm_start(settings, sampling):
    X, y = make_regression_data()
    weight = np.random.default_rng(0).uniform(0, 2, size=len(y))
    settings = {"sampling": sampling, "subsample": 0.4, **settings}
    whole = make_regressor(max_iter=20, **settings).fit(X, y, weight)
    parts = make_regressor(max_iter=7, warm_start=True, **settings).fit(X, y, weight)
    parts.set_params(max_iter=20).fit(X, y, weight)
    assert_same_bits(parts.predict(X), whole.predict(X))
    assert_same_bits(parts.train_score_, whole.train_score_)


@over_samplings
def test_hard_data(sampling):
    rng = np.random.default_rng(0)
    settings = {"sampling": sampling, "subsample": 0.5, "min_samples_leaf": 1}
    for X, y in [
        (np.zeros((1, 1)), [3.0]),
        (np.zeros((2, 1)), [3.0, 4.0]),
        (np.full((30, 2), np.nan), rng.normal(size=30)),
        (rng.normal(size=(30, 2)), np.full(30, 5.0)),
        (rng.normal(size=(30, 2)), 1e200 * rng.normal(size=30)),
        (rng.normal(size=(30, 2)), 1e-200 * rng.normal(size=30)),
        (rng.normal(size=(30, 2)), np.where(np.arange(30) == 7, 1e15, 1.0)),
    ]:
        model = make_regressor(max_iter=5, **settings).fit(X, y)
        assert np.isfinite(model.predict(X)).all()
    model = HistGradientBoostingClassifier(max_iter=5, **settings)
    model.fit(np.arange(30)[:, np.newaxis], np.zeros(30))
    assert not model.predict([[3]]).any()


@over_samplings
def test_categories_and_offsets(sampling):
    pd = pytest.importorskip("pandas")
    X, y = make_regression_data(2000)
    levels = (3 * X[:, 1]).astype(int).astype(str)
    frame = pd.DataFrame({"a": X[:, 0], "b": levels, "c": X[:, 2]})
    offset = 0.5 * X[:, 0]
    model = make_regressor(sampling=sampling, subsample=0.5)
    model.fit(frame, y, init_score=offset, eval_sets={"same": (frame, y, None, offset)})
    error = mean_squared_error(y, model.predict(frame, init_score=offset))
    assert_allclose(2 * model.evals_result_["same"]["loss"][-1], error)
    assert error < 0.4 * y.var()


# ---- columns -------------------------------------------------------------------------


@pytest.mark.parametrize("max_features", [1.0, 0.5])
def test_a_tree_has_its_share_of_the_columns(max_features):
    X, y = make_regression_data(n_features=10)
    model = make_regressor(colsample_bytree=0.3, max_features=max_features).fit(X, y)
    used = get_used_features(model)
    assert max(map(len, used)) <= 3
    assert len(set(map(tuple, used))) > 20


def test_columns_differ_between_the_trees_of_an_iteration():
    X, y = make_classification_data(n_classes=3)
    model = HistGradientBoostingClassifier(colsample_bytree=0.25, max_iter=20)
    used = get_used_features(model.fit(X, y))
    trios = [used[i : i + 3] for i in range(0, 60, 3)]
    assert any(len(set(map(tuple, trio))) > 1 for trio in trios)


@pytest.mark.parametrize("option", ["colsample_bytree", "max_features"])
def test_feature_weights(option):
    X, y = make_regression_data(n_features=4)
    settings = {option: 0.25, "max_iter": 100}
    even = make_regressor(**settings).fit(X, y).feature_split_counts_
    counts = make_regressor(**settings, feature_weights=[0, 1, 1, 10]).fit(X, y)
    counts = counts.feature_split_counts_
    assert counts[0] == 0 and counts[3] > 1.5 * even[3]
    # Where nothing is drawn, nothing changes.
    plain = make_regressor().fit(X, y)
    weighted = make_regressor(feature_weights=[0, 1, 1, 10]).fit(X, y)
    assert_same_bits(weighted.predict(X), plain.predict(X))


def test_feature_weights_by_name():
    pd = pytest.importorskip("pandas")
    X, y = make_regression_data(n_features=4)
    frame = pd.DataFrame(X, columns=list("abcd"))
    settings = {"colsample_bytree": 0.5}
    by_name = make_regressor(**settings, feature_weights={"c": 3, "a": 0})
    by_position = make_regressor(**settings, feature_weights=np.array([0, 1, 3, 1]))
    assert_same_bits(
        by_name.fit(frame, y).predict(frame), by_position.fit(X, y).predict(X)
    )


@pytest.mark.parametrize(
    "weights, message",
    [
        ([1, 1], r"feature_weights has shape \(2,\), expected \(4,\)"),
        ([1, 1, 1, -1], "must be finite and non-negative"),
        ([1, 1, 1, np.nan], "must be finite and non-negative"),
        ([0, 0, 0, 0], "At least one of feature_weights must be positive"),
        ({"a": 1}, "X has no feature names"),
    ],
)
def test_wrong_feature_weights(weights, message):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match=message):
        make_regressor(feature_weights=weights).fit(X, y)


def test_weights_of_unknown_columns():
    pd = pytest.importorskip("pandas")
    X, y = make_regression_data()
    frame = pd.DataFrame(X, columns=list("abcd"))
    with pytest.raises(ValueError, match=r"not columns of X: \['e'\]"):
        make_regressor(feature_weights={"a": 1, "e": 2}).fit(frame, y)


@pytest.mark.parametrize("name", ["subsample", "colsample_bytree"])
@pytest.mark.parametrize("value", [0, -0.5, 1.5, "half", None])
def test_wrong_shares(name, value):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match=f"The '{name}' parameter .* must be a float"):
        make_regressor(**{name: value}).fit(X, y)
