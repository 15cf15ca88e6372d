"""Categorical columns of least squares: dependent levels, many levels, bad scales."""

import numpy as np
import pytest
import sklearn.linear_model
from sklearn.base import clone
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from sklearnx.io import load, save, to_onnx
from sklearnx.linear_model import (
    ElasticNet,
    GroupLassoCV,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    MCPRegression,
    MultiTaskLasso,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    infer,
)
from tests.linear_model._categories import (
    PRECISE,
    encode,
    make_frame,
    make_target,
    pandas,
    sort_coefs,
)

CATEGORIES = {"categorical_features": "from_dtype"}


def sum_squares(model, X, y, weights=None):
    return np.average((y - model.predict(X)) ** 2, weights=weights)


# ---- LinearRegression ----------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_targets", [None, 2])
def test_predictions_of_all_levels(n_targets, weighted):
    frame, score = make_frame()
    y = score + np.random.default_rng(1).normal(size=len(score))
    if n_targets:
        y = np.column_stack([y, y**2])
    weights = np.random.default_rng(2).random(len(y)) if weighted else None
    table, names = encode(frame)
    expected = sklearn.linear_model.LinearRegression().fit(table, y, weights)
    model = LinearRegression(**CATEGORIES).fit(frame, y, weights)
    np.testing.assert_allclose(model.predict(frame), expected.predict(table))
    # The most frequent levels are what others are compared with.
    kept = model.get_coef_names().tolist()
    assert set(names) - set(kept) == {
        f"{column}={frame[column].value_counts().index[0]}"
        for column in ("town", "size")
    }
    of_kept = LinearRegression().fit(
        table[:, [names.index(name) for name in kept]], y, weights
    )
    np.testing.assert_allclose(model.coef_, of_kept.coef_, atol=1e-12)
    np.testing.assert_allclose(model.intercept_, of_kept.intercept_)
    assert not hasattr(model, "rank_")


def test_without_intercept_the_norm_is_least():
    frame, score = make_frame()
    table, names = encode(frame)
    y = score + np.random.default_rng(1).normal(size=len(score))
    expected = np.linalg.lstsq(table, y, rcond=1e-10)[0]
    model = LinearRegression(fit_intercept=False, **CATEGORIES).fit(frame, y)
    np.testing.assert_allclose(sort_coefs(model, names), expected, atol=1e-11)


@pytest.mark.parametrize("weighted", [False, True])
def test_levels_within_levels(weighted):
    frame, score = make_frame()
    country = {"Rome": "Italy", "Oslo": "Norway", "Bonn": "D", "Bern": "CH"}
    frame["town"] += np.where(frame["rooms"] > 2, " N", " S")
    frame["country"] = frame["town"].str[:4].map(country)
    y = score + np.random.default_rng(1).normal(size=len(score))
    weights = np.random.default_rng(2).random(len(y)) if weighted else None
    table, names = encode(frame, ["town", "size", "country"])
    model = LinearRegression(**CATEGORIES).fit(frame, y, weights)
    kept = table[:, [names.index(name) for name in model.get_coef_names()]]
    root = np.ones(len(y)) if weights is None else np.sqrt(weights)
    centred = kept - np.average(kept, axis=0, weights=weights)
    target = y - np.average(y, weights=weights)
    expected = np.linalg.lstsq(root[:, None] * centred, root * target, rcond=1e-10)[0]
    np.testing.assert_allclose(model.coef_, expected, atol=1e-10)
    everything = sklearn.linear_model.LinearRegression().fit(table, y, weights)
    np.testing.assert_allclose(model.predict(frame), everything.predict(table))
    ridge = Ridge(alpha=0, **CATEGORIES).fit(frame, y, weights)
    np.testing.assert_allclose(ridge.coef_, expected, atol=1e-10)


@pytest.mark.parametrize(
    "model", [LinearRegression(positive=True), Ridge(alpha=0, positive=True)]
)
def test_all_levels_where_none_may_be_negative(model):
    frame, score = make_frame()
    y = score - 2 * (frame["size"] == "L").to_numpy()
    table, _ = encode(frame)
    expected = sklearn.linear_model.LinearRegression(positive=True).fit(table, y)
    model = clone(model).set_params(**CATEGORIES).fit(frame, y)
    assert len(model.coef_) == table.shape[1]
    assert (model.coef_ >= 0).all()
    np.testing.assert_allclose(model.predict(frame), expected.predict(table), atol=1e-8)


def test_more_levels_than_rows_are_interpolated():
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({c: rng.integers(0, 60, 90).astype(str) for c in "abcd"})
    y = rng.normal(size=90)
    table, _ = encode(frame, list("abcd"))
    model = LinearRegression(**CATEGORIES).fit(frame, y)
    expected = sklearn.linear_model.LinearRegression().fit(table, y)
    np.testing.assert_allclose(model.predict(frame), expected.predict(table), atol=1e-6)


def test_inference_with_reference_levels():
    frame, score = make_frame()
    y = score + np.random.default_rng(1).normal(size=len(score))
    model = LinearRegression(**CATEGORIES).fit(frame, y)
    table, names = encode(frame)
    kept = table[:, [names.index(name) for name in model.get_coef_names()]]
    found = infer(model, frame, y)
    expected = infer(LinearRegression().fit(kept, y), kept, y)
    np.testing.assert_allclose(found.standard_errors, expected.standard_errors)
    assert "town=Oslo" in str(found)


# ---- scales --------------------------------------------------------------------------


def make_scaled_frame(n_rows=3000, stamps=True):
    """Numbers far from zero, and of sizes far from each other, beside categories."""
    frame, score = make_frame(n_rows)
    rng = np.random.default_rng(3)
    frame["year"] = 2000 + 5 * frame["age"]
    frame["income"] = 1e6 + 2e5 * rng.normal(size=n_rows)
    if stamps:
        frame["stamp"] = 1.6e9 + 1e3 * rng.normal(size=n_rows)
        score = score + (frame["stamp"].to_numpy() - 1.6e9) / 1e3
    score = score + (frame["income"].to_numpy() - 1e6) / 4e5
    return frame.drop(columns="age"), score


def encode_scaled(frame):
    """One-hot columns, numbers less their means in units of their spread."""
    table, _ = encode(frame)
    numbers = frame.drop(columns=["town", "size"]).to_numpy(float)
    table[:, : numbers.shape[1]] = (numbers - numbers.mean(axis=0)) / numbers.std(
        axis=0
    )
    return table


@pytest.mark.parametrize("model", [LinearRegression(), Ridge(alpha=0)])
def test_scales_cost_no_digits(model):
    frame, score = make_scaled_frame()
    y = score + np.random.default_rng(1).normal(size=len(score))
    table = encode_scaled(frame)
    expected = table @ np.linalg.lstsq(table, y, rcond=1e-10)[0]
    model = clone(model).set_params(**CATEGORIES).fit(frame, y)
    np.testing.assert_allclose(model.predict(frame), expected, atol=1e-6)


@pytest.mark.parametrize("cv", [None, 3])
def test_scales_in_cross_validated_ridge(cv):
    frame, score = make_scaled_frame(stamps=False)
    y = score + np.random.default_rng(1).normal(size=len(score))
    model = RidgeCV(alphas=[1.0], cv=cv, **CATEGORIES).fit(frame, y)
    expected = Ridge(alpha=1.0, **CATEGORIES).fit(frame, y)
    np.testing.assert_allclose(model.predict(frame), expected.predict(frame))


@pytest.mark.parametrize(
    "model",
    [
        PoissonRegressor(alpha=0, tol=1e-8),
        PoissonRegressor(alpha=1e-6, l1_ratio=0.5, tol=1e-8),
        LogisticRegression(C=np.inf, tol=1e-8),
    ],
)
def test_numbers_far_from_zero_take_few_iterations(model):
    frame, score = make_scaled_frame()
    y = make_target(model, 0.5 * score)
    model = clone(model).set_params(**CATEGORIES).fit(frame, y)
    assert np.max(model.n_iter_) < 40
    # Nearly no penalty: as of standardised numbers.
    expected = clone(model).set_params(categorical_features=None)
    expected.fit(encode_scaled(frame), y)
    if isinstance(model, LogisticRegression):
        np.testing.assert_allclose(
            model.predict_proba(frame),
            expected.predict_proba(encode_scaled(frame)),
            atol=1e-5,
        )
    else:
        np.testing.assert_allclose(
            model.predict(frame), expected.predict(encode_scaled(frame)), rtol=1e-3
        )


@pytest.mark.parametrize("model", [Lasso(alpha=0.01), MCPRegression(alpha=0.01)])
def test_descent_on_numbers_far_from_zero(model):
    frame, score = make_scaled_frame()
    y = score + np.random.default_rng(1).normal(size=len(score))
    table = encode(frame)[0]
    expected = clone(model).fit(table, y)
    model = clone(model).set_params(**CATEGORIES).fit(frame, y)
    np.testing.assert_allclose(model.predict(frame), expected.predict(table), atol=0.05)
    assert sum_squares(model, frame, y) < 1.1 * sum_squares(
        LinearRegression(**CATEGORIES).fit(frame, y), frame, y
    )


def test_many_levels_beside_numbers_far_from_zero():
    rng = np.random.default_rng(0)
    n_rows = 6000
    frame = pandas.DataFrame(
        {
            "street": rng.integers(0, 2500, n_rows).astype(str),
            "year": 2000 + 5 * rng.normal(size=n_rows),
        }
    )
    y = (frame["year"] - 2000 > rng.logistic(size=n_rows)).to_numpy()
    model = LogisticRegression(C=0.1, tol=1e-6, max_iter=60, **CATEGORIES)
    model.fit(frame, y)
    # The year can be shifted as the intercept is free.
    frame["year"] -= 2000
    shifted = clone(model).fit(frame, y)
    np.testing.assert_allclose(model.coef_, shifted.coef_, atol=1e-3)


# ---- many levels ---------------------------------------------------------------------


def make_wide_frame(n_rows=900):
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {
            "street": rng.integers(0, 500, n_rows).astype(str),
            "area": rng.normal(size=n_rows) + 3,
            "owner": rng.integers(0, 300, n_rows).astype(str),
        }
    )
    effects = rng.normal(size=500) * (rng.random(500) < 0.1)
    y = effects[frame["street"].astype(int)] + 0.3 * frame["area"].to_numpy()
    return frame, y + 0.1 * rng.normal(size=n_rows)


@pytest.mark.parametrize(
    "model",
    [
        Lasso(alpha=1e-3, **PRECISE),
        ElasticNet(alpha=1e-3, l1_ratio=0.3, **PRECISE),
        LassoCV(alphas=8, eps=0.05, cv=3, **PRECISE),
        MCPRegression(alpha=2e-3, **PRECISE),
        MultiTaskLasso(alpha=1e-3, **PRECISE),
        RidgeCV(alphas=[0.1, 1.0]),
    ],
    ids=lambda model: type(model).__name__,
)
def test_working_sets_of_levels(model):
    frame, y = make_wide_frame()
    if isinstance(model, MultiTaskLasso):
        y = np.column_stack([y, y[::-1]])
    table, names = encode(frame, ["street", "owner"])
    assert table.shape[1] > 700
    expected = clone(model).fit(table, y)
    model = clone(model).set_params(**CATEGORIES).fit(frame, y)
    np.testing.assert_allclose(model.predict(frame), expected.predict(table), atol=1e-5)
    if not np.any(expected.coef_ == 0):
        # Of others some levels can stand for each other.
        np.testing.assert_allclose(sort_coefs(model, names), expected.coef_, atol=1e-6)


# ---- parameters ----------------------------------------------------------------------


def test_group_lasso_cv_of_levels():
    frame, score = make_frame()
    y = make_target(GroupLassoCV(), score)
    table, names = encode(frame)
    groups = [0, 1, 2, 2, 2, 2, 3, 3, 3]
    expected = GroupLassoCV(groups, alphas=5, cv=3, tol=1e-8).fit(table, y)
    model = GroupLassoCV(alphas=5, cv=3, tol=1e-8, **CATEGORIES).fit(frame, y)
    np.testing.assert_allclose(model.mse_path_, expected.mse_path_, rtol=1e-4)
    np.testing.assert_allclose(sort_coefs(model, names), expected.coef_, atol=1e-4)


@pytest.mark.parametrize("precompute", [True, np.eye(9)])
def test_precompute(precompute):
    frame, score = make_frame()
    expected = Lasso(alpha=0.01, **CATEGORIES).fit(frame, score)
    model = Lasso(alpha=0.01, precompute=precompute, **CATEGORIES).fit(frame, score)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-3)


def test_weights_and_bounds_of_levels():
    frame, score = make_frame()
    model = Lasso(alpha=0.1, **CATEGORIES).fit(frame, score)
    names = model.get_coef_names().tolist()
    factors = np.ones(9)
    factors[names.index("size=S")] = 0
    free = Lasso(alpha=0.1, penalty_weights=factors, **CATEGORIES).fit(frame, score)
    assert free.coef_[names.index("size=S")] < model.coef_[names.index("size=S")] - 0.1
    bounded = Lasso(alpha=0.01, bounds=(0, 0.2), **CATEGORIES).fit(frame, score)
    assert bounded.coef_.min() >= 0 and bounded.coef_.max() <= 0.2
    with pytest.raises(ValueError, match=r"expected \(9,\)"):
        free.set_params(penalty_weights=np.ones(4)).fit(frame, score)


def test_warm_start_with_other_levels():
    frame, score = make_frame()
    model = Lasso(alpha=0.01, warm_start=True, **CATEGORIES).fit(frame, score)
    kept = (frame["town"] != "Bern").to_numpy()
    model.fit(frame[kept], score[kept])
    expected = Lasso(alpha=0.01, **CATEGORIES).fit(frame[kept], score[kept])
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-3)


def test_no_penalty_leaves_out_the_reference():
    frame, score = make_frame()
    y = score + np.random.default_rng(1).normal(size=len(score))
    expected = LinearRegression(**CATEGORIES).fit(frame, y)
    with pytest.warns(UserWarning, match="With alpha=0"):
        model = Lasso(alpha=0, tol=1e-12, **CATEGORIES).fit(frame, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-6)
    ridge = RidgeClassifier(alpha=0, **CATEGORIES).fit(frame, y > 0)
    assert ridge.get_coef_names().tolist() == expected.get_coef_names().tolist()


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_input_that_is_not_checked():
    frame, score = make_frame()
    expected = Lasso(alpha=0.01, **CATEGORIES).fit(frame, score)
    model = Lasso(alpha=0.01, **CATEGORIES).fit(frame, score, check_input=False)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    # A table without categories forgets them.
    X = np.random.default_rng(0).normal(size=(len(score), 4))
    model.set_params(categorical_features=None).fit(X, score, check_input=False)
    assert model.predict(X).shape == score.shape


class _SplitByTown(GroupKFold):
    """A splitter that looks at the table."""

    def split(self, X, y, groups=None):
        return super().split(X, y, X["town"])

    def get_n_splits(self, X=None, y=None, groups=None):
        return self.n_splits


@pytest.mark.parametrize(
    "model",
    [
        LassoCV(alphas=3),
        RidgeCV(),
        RidgeClassifierCV(),
        LogisticRegressionCV(Cs=2, l1_ratios=(0,), use_legacy_attributes=False),
    ],
    ids=lambda model: type(model).__name__,
)
def test_splitters_see_the_frame(model):
    frame, score = make_frame()
    y = make_target(model, score)
    model = clone(model).set_params(cv=_SplitByTown(2), **CATEGORIES)
    if hasattr(model, "scoring"):
        model.set_params(scoring="accuracy" if hasattr(y[0], "lower") else "r2")
    model.fit(frame, y)
    assert np.isfinite(model.score(frame, y))


@pytest.mark.parametrize(
    "model",
    [LinearRegression(), Lasso(alpha=0.01), RidgeClassifierCV(), LassoCV(alphas=3)],
    ids=lambda model: type(model).__name__,
)
def test_files(model, tmp_path):
    frame, score = make_frame()
    model = clone(model).set_params(**CATEGORIES)
    model.fit(frame, make_target(model, score))
    save(model, tmp_path / "model")
    loaded = load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    assert loaded.get_coef_names().tolist() == model.get_coef_names().tolist()
    pytest.importorskip("onnx")
    with pytest.raises(ValueError, match="levels of categories"):
        to_onnx(model, frame)


@pytest.mark.parametrize("model", [LinearRegression(), LassoCV(alphas=5, cv=2)])
def test_bits_do_not_depend_on_threads(model):
    frame, score = make_frame(60_000)
    results = []
    for limit in (1, 2, 3):
        with threadpool_limits(limit):
            model = clone(model).set_params(**CATEGORIES).fit(frame, score)
            results.append(np.append(model.coef_, model.predict(frame)))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
