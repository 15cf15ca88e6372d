"""Piecewise-linear trees: what a model of them predicts, and with which options."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.datasets import make_friedman1
from sklearn.inspection import partial_dependence
from sklearn.metrics import log_loss, mean_squared_error

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

SMALL = {
    "linear_leaves": True,
    "max_leaf_nodes": 8,
    "random_state": 0,
    "early_stopping": False,
}


def make_regressor(**settings):
    return HistGradientBoostingRegressor(**{**SMALL, **settings})


def make_gaps(X, share=0.1):
    """Return a copy of an array some of whose values are missing or infinite."""
    draws = np.random.default_rng(5).random(X.shape)
    return np.where(draws < share, np.nan, np.where(draws < 1.3 * share, np.inf, X))


# -- what is fitted --------------------------------------------------------------------


def test_one_tree_fits_a_line_and_extends_it():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = 3 + 2 * X[:, 0]
    model = make_regressor(max_iter=1, learning_rate=1.0, max_leaf_nodes=2).fit(X, y)
    X_far = 1000 * rng.normal(size=(50, 2))
    assert_allclose(model.predict(X_far), 3 + 2 * X_far[:, 0], rtol=1e-12)


@pytest.mark.parametrize("l2", [0.0, 5.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_leaves_are_ridge_regressions(weighted, l2):
    """Of what is left to explain, leaf by leaf, on the features of the path."""
    X, y = make_regression_data()
    weight = np.random.default_rng(1).uniform(0.5, 2, len(y)) if weighted else None
    model = make_regressor(
        max_iter=6, learning_rate=0.5, linear_l2_regularization=l2
    ).fit(X, y, sample_weight=weight)
    weight = np.ones(len(y)) if weight is None else weight
    leaves = model.apply(X)
    raw = np.full(len(y), np.average(y, weights=weight))
    n_linear = 0
    for iteration, (tree,) in enumerate(model._predictors):
        residual = y - raw
        for node in np.unique(leaves[:, iteration]):
            features, above = [], node
            while above != 0:
                parent = np.flatnonzero(
                    (tree.nodes["feature"] >= 0)
                    & ((above - tree.nodes["left"]) // 2 == 0)
                    & (above >= tree.nodes["left"])
                )[0]
                features.append(tree.nodes["feature"][parent])
                above = parent
            features = np.unique(features)
            rows = leaves[:, iteration] == node
            w = weight[rows]
            Z = X[rows][:, features]
            Z = Z - np.average(Z, axis=0, weights=w)
            mean = np.average(residual[rows], weights=w)
            coefficients = np.linalg.solve(
                Z.T @ (w[:, np.newaxis] * Z) + l2 * np.eye(len(features)),
                Z.T @ (w * (residual[rows] - mean)),
            )
            raw[rows] += 0.5 * (mean + Z @ coefficients)
            n_linear += 1
    assert n_linear == 6 * 8
    assert_allclose(model.predict(X), raw, atol=1e-6)


def test_lacking_values_get_the_constant():
    X, y = make_regression_data()
    model = make_regressor(max_iter=1, max_leaf_nodes=2).fit(X, y)
    nodes = model._predictors[0][0].nodes
    feature = nodes["feature"][0]
    constants = model._model.init_score[0] + nodes["value"][1:]
    X[0, feature], X[1, feature], X[2, feature] = np.nan, np.inf, -np.inf
    missing = constants[0] if nodes["missing_left"][0] else constants[1]
    expected = [missing, constants[1], constants[0]]
    assert model.predict(X[:3]).tolist() == expected
    # Other features may be missing.
    X[3:, feature - 1] = np.nan
    assert not np.isin(model.predict(X[3:]), constants).any()


def test_a_feature_that_is_missing_throughout_a_leaf_is_left_out():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 2))
    y = 2 * X[:, 1]
    X[:500, 0] = np.nan
    y[:500] += 50
    model = make_regressor(max_iter=1, learning_rate=1.0, max_leaf_nodes=4).fit(X, y)
    assert_allclose(model.predict(X[:500]), y[:500], rtol=1e-9)


def test_categories_split_but_have_no_coefficients():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    kind = rng.choice(list("abc"), size=600)
    slopes = {"a": 1.0, "b": -2.0, "c": 0.5}
    y = np.array([10 * slopes[k] + slopes[k] * v for k, v in zip(kind, x, strict=True)])
    frame = pd.DataFrame({"x": x.astype(np.float32), "kind": kind, "z": 0.0})
    model = make_regressor(max_iter=100, learning_rate=0.5).fit(frame, y)
    assert set(model._model.linear_terms["feature"]) == {0}
    assert_allclose(model.predict(frame), y, atol=0.1)
    # The layout of the numbers is of no importance.
    codes = np.column_stack(
        [x.astype(np.float32), [ord(k) for k in kind], np.zeros(600)]
    )
    plain = make_regressor(
        max_iter=100, learning_rate=0.5, categorical_features=[1]
    ).fit(codes, y)
    assert_same_bits(plain.predict(codes), model.predict(frame))


def test_constant_where_there_is_nothing_to_fit():
    X = np.arange(60.0)[:, np.newaxis] // 30
    y = X[:, 0] * 3 + 1
    model = make_regressor(max_iter=3).fit(X, y)
    assert not model._model.has_linear_leaves
    plain = make_regressor(max_iter=3, linear_leaves=False).fit(X, y)
    assert pickle.dumps(model._model) == pickle.dumps(plain._model)
    assert sorted(plain._model.get_arrays()) == [
        "adds_in_float32",
        "bitsets",
        "init_score",
        "is_average",
        "nodes",
        "offsets",
        "stats",
    ]


def test_few_rows_that_lack_nothing_make_no_line():
    """A leaf where fewer rows than `min_samples_leaf` have a value stays constant."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 1))
    y = np.sign(X[:, 0]) + X[:, 0]
    X[20:200] = np.nan
    y[20:200] = -2
    for min_samples_leaf in (5, 30):
        model = make_regressor(
            max_iter=1, max_leaf_nodes=2, min_samples_leaf=min_samples_leaf
        ).fit(X, y)
        (tree,) = model._predictors[0]
        n_finite = np.bincount(tree.find_leaves(X, 1)[~np.isnan(X[:, 0])])[1:]
        is_linear = tree.nodes["left"][1:] > 0
        assert (is_linear == (n_finite >= min_samples_leaf)).all()


# -- the same bits ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layouts(dtype):
    pd = pytest.importorskip("pandas")
    X, y = make_regression_data()
    X = np.where(np.abs(X) < 0.5, 0, X).astype(dtype)
    plain = make_regressor().fit(X, y)
    columns = pd.DataFrame({str(j): X[:, j].copy() for j in range(X.shape[1])})
    inputs = (
        np.asfortranarray(X),
        np.repeat(X, 2, axis=1)[:, ::2],
        X[::-1][::-1],
        sparse.csr_matrix(X),
        sparse.csc_matrix(X),
        columns,
    )
    for table in inputs:
        model = make_regressor().fit(table, y)
        assert_same_bits(model._model.linear_terms, plain._model.linear_terms)
        assert_same_bits(model.predict(table), plain.predict(X))


OPTIONS = {
    "plain": {},
    "rows drawn": {"subsample": 0.5},
    "goss": {"subsample": 0.5, "sampling": "goss"},
    "mvs": {"subsample": 0.5, "sampling": "mvs"},
    "dart": {"boosting": "dart", "drop_rate": 0.4, "skip_drop": 0.1},
    "forest": {"boosting": "random_forest", "subsample": 0.6},
    "restrained": {
        "l2_regularization": 1.0,
        "path_smoothing": 1.0,
        "max_features": 0.5,
    },
    "interactions": {"interaction_cst": [[0, 1], [2, 3]]},
    "random thresholds": {"extra_trees": True},
    "deep": {"max_leaf_nodes": None, "min_samples_leaf": 5},
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_follow_the_model(name, n_classes):
    """Rows that are trained on, and others, at any number of threads."""
    X, y = make_classification_data(n_classes=n_classes)
    X = make_gaps(X)
    losses = []
    for n_jobs in (1, 2, 3):
        model = HistGradientBoostingClassifier(
            **{**SMALL, "max_iter": 20, **OPTIONS[name], "n_jobs": n_jobs}
        ).set_params(early_stopping=True, validation_fraction=None, n_iter_no_change=50)
        model.fit(X, y, eval_sets={"same": (X, y)})
        losses.append(model.evals_result_["same"]["loss"].tolist())
        assert losses[-1] == losses[0]
        assert_allclose(-model.train_score_, losses[0], rtol=1e-13)
        assert_allclose(losses[0][-1], log_loss(y, model.predict_proba(X)))
    assert model._model.has_linear_leaves
    if name == "dart":
        return
    stages = list(model.staged_predict_proba(X))
    for n_iter in (1, 7, 20):
        assert_allclose(losses[0][n_iter], log_loss(y, stages[n_iter - 1]))
        part = model._raw_predict(X, n_iter=n_iter)
        assert_allclose(losses[0][n_iter], model._loss.compute_score(y * 1.0, part.T))


@pytest.mark.parametrize("boosting", ["plain", "dart"])
def test_training_rows_have_the_bits_of_predict(boosting, monkeypatch):
    from sklearnx._boosting.booster import Booster

    boosters = []
    init = Booster.__init__

    def keep(self, *args, **kwargs):
        boosters.append(self)
        init(self, *args, **kwargs)

    monkeypatch.setattr(Booster, "__init__", keep)
    X, y = make_regression_data()
    X = make_gaps(X).astype(np.float32)
    model = make_regressor(boosting=boosting, skip_drop=0.0, drop_rate=0.3).fit(X, y)
    raw = boosters[-1].scores.raw[0]
    if boosting == "plain":
        assert_same_bits(raw, model.predict(X))
    else:
        # The constant is added last instead of first.
        assert_allclose(raw, model.predict(X), rtol=1e-14)


@pytest.mark.parametrize("name", OPTIONS)
def test_warm_start(name):
    """In parts it is the whole, bit for bit."""
    X, y = make_regression_data()
    X = make_gaps(X)
    whole = make_regressor(**OPTIONS[name], max_iter=25).fit(X, y)
    parts = make_regressor(**OPTIONS[name], max_iter=5, warm_start=True).fit(X, y)
    first = parts._model
    before = pickle.dumps(first)
    for max_iter in (6, 25):
        parts.set_params(max_iter=max_iter).fit(X, y)
    assert_same_bits(parts.predict(X), whole.predict(X))
    assert pickle.dumps(first) == before
    loaded = pickle.loads(pickle.dumps(whole))
    assert_same_bits(loaded.predict(X), whole.predict(X))


def test_warm_start_with_other_leaves():
    X, y = make_regression_data()
    model = make_regressor(max_iter=10, warm_start=True).fit(X, y)
    linear = model.predict(X)
    model.set_params(linear_leaves=False, max_iter=20).fit(X, y)
    assert_same_bits(model.predict(X, n_iter=10), linear)
    model.set_params(boosting="dart", max_iter=30, skip_drop=0.0).fit(X, y)
    model.set_params(linear_leaves=True, max_iter=40).fit(X, y)
    assert model.n_iter_ == 40 and model.score(X, y) > 0.7


def test_a_forest_averages():
    X, y = make_regression_data()
    forest = make_regressor(
        boosting="random_forest", subsample=0.6, max_iter=7, warm_start=True
    ).fit(X, y)
    seven = forest.predict(X)
    raws = [y.mean() - forest._model.init_score[0] + seven]
    assert_allclose(raws[0], seven)
    forest.set_params(max_iter=12).fit(X, y)
    assert_allclose(forest.predict(X, n_iter=7), seven, rtol=1e-13)
    assert_allclose(list(forest.staged_predict(X))[6], seven, rtol=1e-13)


# -- how good it is --------------------------------------------------------------------


def sum_errors(make_data, missing=0.0):
    """Return errors of LightGBM's linear trees, of ours, and of constant leaves."""
    lightgbm = pytest.importorskip("lightgbm")
    errors = np.zeros(3)
    for seed in range(5):
        (X, y), (X_test, signal) = make_data(2 * seed), make_data(2 * seed + 1, 0.0)
        is_missing = np.random.default_rng(seed).random(X.shape) < missing
        X, X_test = (np.where(is_missing, np.nan, table) for table in (X, X_test))
        ours = make_regressor(max_iter=60)
        models = (
            lightgbm.LGBMRegressor(
                n_estimators=60, num_leaves=8, linear_tree=True, n_jobs=1, verbose=-1
            ),
            ours,
            make_regressor(max_iter=60, linear_leaves=False),
        )
        for i, model in enumerate(models):
            prediction = model.fit(X, y).predict(X_test)
            errors[i] += mean_squared_error(signal, prediction)
    return errors


def test_smooth_functions_against_lightgbm():
    def make_data(random_state, noise=1.0):
        return make_friedman1(1500, noise=noise, random_state=random_state)

    theirs, ours, constant = sum_errors(make_data)
    assert ours < 1.05 * theirs
    assert ours < 0.6 * constant


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_steps_against_lightgbm(missing):
    def make_data(random_state, noise=0.3):
        X, y = make_regression_data(2000, random_state=random_state)
        return X, y if noise else compute_signal(X)

    theirs, ours, constant = sum_errors(make_data, missing)
    assert ours < 1.05 * theirs
    assert ours < constant


def test_classes_against_lightgbm():
    lightgbm = pytest.importorskip("lightgbm")
    X, y = make_classification_data(3000, n_classes=3)
    X_test, y_test = make_classification_data(3000, n_classes=3, random_state=1)
    theirs = lightgbm.LGBMClassifier(
        n_estimators=40,
        num_leaves=8,
        linear_tree=True,
        linear_lambda=1.0,
        n_jobs=1,
        verbose=-1,
    ).fit(X, y)
    ours = HistGradientBoostingClassifier(
        **{**SMALL, "max_iter": 40, "linear_l2_regularization": 1.0}
    ).fit(X, y)
    loss = log_loss(y_test, ours.predict_proba(X_test))
    assert loss < 1.02 * log_loss(y_test, theirs.predict_proba(X_test))


@pytest.mark.parametrize("loss", ["poisson", "gamma", "tweedie"])
def test_log_links(loss):
    X, y = make_regression_data()
    y = np.exp(y)
    linear = make_regressor(loss=loss, linear_l2_regularization=1.0).fit(X, y)
    assert np.isfinite(linear.predict(X)).all() and linear.score(X, y) > 0.7


# -- edges -----------------------------------------------------------------------------


@pytest.mark.parametrize("y", [np.full(30, 3.0), np.arange(30.0) % 2])
@pytest.mark.parametrize("boosting", ["plain", "dart"])
def test_hard_data(y, boosting):
    X = np.arange(30.0)[:, np.newaxis]
    for X_train in (
        X,
        np.zeros((30, 1)),
        np.full((30, 1), np.nan),
        X * 1e300,
        X * 1e-320,
    ):
        model = make_regressor(boosting=boosting, min_samples_leaf=1)
        assert np.isfinite(model.fit(X_train, y).predict(X_train)).all()
    model = make_regressor().fit(X[:1], y[:1])
    assert model.predict(X[:1]) == y[:1]


def test_extreme_rows_at_predict():
    X, y = make_regression_data()
    X_far = np.full((4, X.shape[1]), 1e308) * np.array([[1], [-1], [0.5], [np.nan]])
    for boosting in ("plain", "dart"):
        model = make_regressor(boosting=boosting, max_iter=10).fit(X, y)
        prediction = model.predict(X_far)
        assert not np.isnan(prediction).any() and np.isfinite(prediction[3])


@pytest.mark.parametrize("loss", ["absolute_error", "quantile", "huber"])
def test_losses_that_refit_leaves_are_refused(loss):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match=f"linear_leaves=True.*'{loss}'"):
        make_regressor(loss=loss, quantile=0.5).fit(X, y)


def test_monotonic_constraints_are_refused():
    X, y = make_regression_data()
    with pytest.raises(ValueError, match=r"linear_leaves=True.*monotonic_cst"):
        make_regressor(monotonic_cst=[0, 1, 0, 0]).fit(X, y)
    make_regressor(monotonic_cst=[0, 0, 0, 0], max_iter=1).fit(X, y)


@pytest.mark.parametrize(
    "settings", [{"linear_leaves": "yes"}, {"linear_l2_regularization": -1.0}]
)
def test_wrong_parameters(settings):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match=next(iter(settings))):
        make_regressor(**settings).fit(X, y)


def test_partial_dependence():
    X, y = make_regression_data()
    model = make_regressor(max_iter=5).fit(X, y)
    with pytest.raises(NotImplementedError, match="method='brute'"):
        partial_dependence(model, X, [0], method="recursion")
    grid = partial_dependence(model, X, [0], method="brute", grid_resolution=5)
    first = X.copy()
    first[:, 0] = grid["grid_values"][0][2]
    assert_allclose(grid["average"][0][2], model.predict(first).mean())
