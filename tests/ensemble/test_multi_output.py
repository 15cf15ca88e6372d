"""Regression of several columns at once, by trees whose leaves hold vectors."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_linnerud
from sklearn.exceptions import DataConversionWarning
from sklearn.inspection import partial_dependence
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from sklearnx._boosting import bundling
from sklearnx._boosting import model as model_module
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearnx.inspection import plot_tree, tree_table
from tests.ensemble._data import assert_same_bits, compute_signal
from tests.ensemble.test_sparse import assert_same_model, unbundle
from tests.ensemble.test_sparse import make_data as make_sparse_data

Regressor = HistGradientBoostingRegressor
SMALL = {"max_iter": 12, "max_leaf_nodes": 7, "min_samples_leaf": 5, "random_state": 0}
OPTIONS = {
    "plain": {},
    "absolute error": {"loss": "absolute_error"},
    "huber": {"loss": "huber"},
    "quantile": {"loss": "quantile", "quantile": 0.3},
    "poisson": {"loss": "poisson"},
    "gamma": {"loss": "gamma"},
    "tweedie": {"loss": "tweedie"},
    "level by level": {"grow_policy": "depthwise"},
    "symmetric": {"grow_policy": "symmetric"},
    "ordered": {"boosting": "ordered"},
    "dart": {"boosting": "dart", "skip_drop": 0.0, "drop_rate": 0.3},
    "forest": {"boosting": "random_forest", "subsample": 0.6},
    "rows drawn": {"subsample": 0.5},
    "goss": {"subsample": 0.5, "sampling": "goss"},
    "mvs": {"subsample": 0.5, "sampling": "mvs"},
    "columns drawn": {"max_features": 0.5, "colsample_bytree": 0.8},
    "random splits": {"extra_trees": True},
    "restrained": {
        "l1_regularization": 0.1,
        "l2_regularization": 1.0,
        "max_delta_step": 0.5,
        "path_smoothing": 2.0,
    },
    "interactions": {"interaction_cst": [{0, 1}, {2, 3}]},
    "wide codes": {"max_bins": 400},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 3},
}
over_options = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def make_data(n_samples=500, n_outputs=3, random_state=0):
    """Columns of noise, with missing values and a category, and positive targets."""
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples, 4))
    signal = compute_signal(X)
    Y = [
        np.roll([signal, X[:, 0], X[:, 3] * (X[:, 1] > 0)], k, axis=0)[0]
        for k in range(n_outputs)
    ]
    Y = np.exp(np.transpose(Y) / 2) + rng.uniform(size=(n_samples, n_outputs))
    X[rng.random(X.shape) < 0.05] = np.nan
    X[:, 3] = np.clip(np.floor(2 * X[:, 3] + 4), 0, 9)
    return X, Y


def make_model(**settings):
    return Regressor(**{**SMALL, "categorical_features": [3], **settings})


# ---- what comes out ------------------------------------------------------------------


def test_shapes_and_attributes():
    X, Y = make_data()
    model = make_model().fit(X, Y)
    assert model.predict(X).shape == Y.shape
    assert model.predict(X).dtype == np.float64
    assert model.n_outputs_ == 3
    assert model.n_trees_per_iteration_ == 1
    assert model.n_iter_ == 12
    assert model.apply(X).shape == (len(X), 12)
    assert model.score(X, Y) == r2_score(Y, model.predict(X))
    assert 0.4 < model.score(X, Y) < 1
    assert model.feature_importances_.shape == (4,)
    assert_allclose(model.feature_importances_.sum(), 1)
    assert model.feature_split_counts_.sum() == np.sum(
        model._model.nodes["feature"] >= 0
    )
    assert [len(trees) for trees in model._predictors] == [1] * 12


def test_a_single_column_is_read_as_scikit_learn_does():
    X, Y = make_data()
    expected = make_model().fit(X, Y[:, 0])
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        model = make_model().fit(X, Y[:, :1])
    assert model.n_outputs_ == expected.n_outputs_ == 1
    assert_same_bits(model.predict(X), expected.predict(X))
    assert "vectors" not in model._model.get_arrays()


@pytest.mark.parametrize("kind", ["list", "frame", "polars", "object", "float32", "C"])
def test_kinds_of_targets(kind):
    X, Y = make_data()
    Y = Y.astype(np.float32).astype(np.float64)
    expected = make_model().fit(X, Y).predict(X)
    if kind in ("frame", "polars"):
        pd = pytest.importorskip("pandas" if kind == "frame" else "polars")
        Y = pd.DataFrame({f"y{k}": Y[:, k] for k in range(3)})
    else:
        Y = {
            "list": Y.tolist(),
            "object": Y.astype(object),
            "float32": Y.astype(np.float32),
            "C": np.ascontiguousarray(Y),
        }[kind]
    assert_same_bits(make_model().fit(X, Y).predict(X), expected)


def test_one_tree_has_the_means_of_its_leaves():
    X, Y = make_data()
    model = make_model(max_iter=1, learning_rate=1.0).fit(X, Y)
    leaves = model.apply(X)[:, 0]
    prediction = model.predict(X)
    for leaf in np.unique(leaves):
        expected = Y[leaves == leaf].mean(axis=0)
        assert_allclose(prediction[leaves == leaf], [expected] * sum(leaves == leaf))


def test_the_medians_of_leaves():
    X, Y = make_data()
    model = make_model(max_iter=1, learning_rate=1.0, loss="absolute_error").fit(X, Y)
    leaves = model.apply(X)[:, 0]
    prediction = model.predict(X)
    for leaf in np.unique(leaves):
        expected = np.median(Y[leaves == leaf], axis=0)
        assert_allclose(prediction[leaves == leaf], [expected] * sum(leaves == leaf))


@over_options
def test_equal_columns_make_the_model_of_one(options):
    X, Y = make_data()
    y = Y[:, 0]
    model = make_model(**options).fit(X, np.stack([y] * 4, axis=1))
    alone = make_model(**options).fit(X, y)
    assert model.n_iter_ == alone.n_iter_
    for column in model.predict(X).T:
        assert_same_bits(column, alone.predict(X))
    assert_array_equal(model.apply(X), alone.apply(X))
    assert_allclose(model.train_score_, alone.train_score_, rtol=1e-12)
    assert_allclose(model.validation_score_, alone.validation_score_, rtol=1e-12)
    assert_allclose(model.feature_importances_, alone.feature_importances_, rtol=1e-12)


@over_options
def test_threads_do_not_matter(options):
    X, Y = make_data(3000)
    models = [make_model(n_jobs=n, **options).fit(X, Y) for n in (1, 2, 5)]
    for model in models[1:]:
        assert_same_bits(model.predict(X), models[0].predict(X))
        assert_same_bits(model._model.vectors, models[0]._model.vectors)


@over_options
def test_stages_and_limits(options):
    X, Y = make_data()
    model = make_model(**options).fit(X, Y)
    stages = [stage.copy() for stage in model.staged_predict(X)]
    assert len(stages) == model.n_iter_
    assert_allclose(stages[-1], model.predict(X), rtol=1e-12)
    for n_iter in (1, 3):
        limited = model.predict(X, n_iter=n_iter)
        assert_allclose(limited, stages[n_iter - 1], rtol=1e-12)


@over_options
def test_what_training_follows_is_what_is_predicted(options):
    """The raw scores of rounds, in and out of the sample, are those of the model."""
    X, Y = make_data()
    settings = {"early_stopping": True, "validation_fraction": None}
    model = make_model(**{**options, **settings, "n_iter_no_change": 50})
    model.fit(X, Y, eval_sets={"same": (X, Y)})
    loss = model._loss
    raw = np.ascontiguousarray(model._raw_predict(X).T)
    score = loss.compute_score(np.asfortranarray(Y), raw)
    if "huber" not in options.values():  # its delta changes once more
        assert_allclose(-model.train_score_[-1], score, rtol=1e-9)
        assert_allclose(model.evals_result_["same"]["loss"][-1], score, rtol=1e-9)
    assert_allclose(model.evals_result_["same"]["loss"], -model.train_score_, rtol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        options
        for name, options in OPTIONS.items()
        if "subsample" not in options and len(options) != 2 and name != "ordered"
    ],
)
def test_a_weight_of_two_is_the_row_twice(options):
    X, Y = make_data()
    weights = np.random.default_rng(1).integers(0, 3, len(X))
    options = {**options, "min_samples_leaf": 1}
    if options.get("early_stopping"):
        options["validation_fraction"] = None
    weighted = make_model(**options).fit(X, Y, weights)
    repeated = make_model(**options).fit(
        np.repeat(X, weights, axis=0), np.repeat(Y, weights, axis=0)
    )
    assert_same_bits(weighted.predict(X), repeated.predict(X))


def test_columns_of_other_scales_keep_their_precision():
    X, Y = make_data()
    scales = np.array([1e-9, 1.0, 1e9])
    for options in ({}, OPTIONS["dart"], OPTIONS["forest"]):
        model = make_model(**options, max_iter=30).fit(X, Y * scales)
        # The last column decides on the splits, the others follow it.
        leaves = model.apply(X)
        alone = make_model(**options, max_iter=30).fit(X, Y[:, 2])
        residual = Y - model.predict(X) / scales
        assert (residual.std(axis=0) < Y.std(axis=0)).all()
        assert_array_equal(leaves[:, 0], alone.apply(X)[:, 0])


# ---- losses --------------------------------------------------------------------------


def test_the_loss_is_the_mean_over_columns():
    X, Y = make_data()
    model = make_model(early_stopping=True, validation_fraction=None).fit(X, Y)
    assert_allclose(
        -2 * model.train_score_[-1], mean_squared_error(Y, model.predict(X))
    )
    model = make_model(
        early_stopping=True, validation_fraction=None, loss="absolute_error"
    ).fit(X, Y)
    assert_allclose(-model.train_score_[-1], mean_absolute_error(Y, model.predict(X)))


class OwnLoss:
    """The squared error; each column is asked about by itself."""

    def gradient(self, y_true, raw_prediction):
        assert y_true.ndim == raw_prediction.ndim == 1
        return raw_prediction - y_true

    def hessian(self, y_true, raw_prediction):
        return np.ones_like(raw_prediction)


def test_own_loss():
    X, Y = make_data()
    own = make_model(loss=OwnLoss()).fit(X, Y).predict(X)
    assert_allclose(own, make_model().fit(X, Y).predict(X), rtol=1e-6)


def test_scikit_learns_losses():
    from sklearn._loss import HalfMultinomialLoss, HalfSquaredError

    X, Y = make_data()
    theirs = make_model(loss=HalfSquaredError()).fit(X, Y).predict(X)
    assert_allclose(theirs, make_model().fit(X, Y).predict(X), rtol=1e-6)
    with pytest.raises(ValueError, match="loss='HalfMultinomialLoss' has 3 raw"):
        make_model(loss=HalfMultinomialLoss(n_classes=3)).fit(X, Y)


@pytest.mark.parametrize(
    "loss, value", [("poisson", -1.0), ("gamma", 0.0), ("tweedie", -1.0)]
)
def test_targets_out_of_range(loss, value):
    X, Y = make_data()
    Y[7, 1] = value
    message = f"loss='{loss}' requires .* Column 1 of y"
    with pytest.raises(ValueError, match=message):
        make_model(loss=loss).fit(X, Y)


def test_huber_has_a_delta_for_each_column():
    X, Y = make_data()
    model = make_model(loss="huber").fit(X, Y * [1, 10, 100])
    deltas = [part.delta for part in model._loss.parts]
    assert deltas[2] > 5 * deltas[1] > 25 * deltas[0]


# ---- what fit takes ------------------------------------------------------------------


def test_init_score():
    X, Y = make_data()
    offset = np.random.default_rng(3).normal(size=Y.shape)
    model = make_model().fit(X, Y, init_score=offset)
    shifted = make_model().fit(X, Y - offset)
    assert_allclose(
        model.predict(X, init_score=offset), shifted.predict(X) + offset, rtol=1e-6
    )
    *_, last = model.staged_predict(X, init_score=offset)
    assert_allclose(last, model.predict(X, init_score=offset))
    for wrong in (offset[:, 0], offset[:, :2], offset.T):
        with pytest.raises(ValueError, match=r"init_score has shape .* \(500, 3\)"):
            make_model().fit(X, Y, init_score=wrong)


def test_validation_rows_and_metrics():
    X, Y = make_data(800)
    train, val = slice(0, 500), slice(500, 800)
    model = make_model(
        max_iter=300,
        learning_rate=0.5,
        early_stopping=True,
        scoring="neg_mean_absolute_error",
        eval_metrics=["r2"],
    ).fit(X[train], Y[train], X_val=X[val], y_val=Y[val])
    assert model.n_iter_ < 300
    prediction = model.predict(X[val])
    assert_allclose(
        model.validation_score_[-1], -mean_absolute_error(Y[val], prediction)
    )
    assert_allclose(
        model.evals_result_["validation"]["r2"][-1], r2_score(Y[val], prediction)
    )
    with pytest.raises(ValueError, match=r"has 2 columns, .* has 3"):
        make_model().fit(X, Y, eval_sets={"other": (X, Y[:, :2])})
    with pytest.raises(ValueError, match=r"has 1 columns, .* has 3"):
        make_model(early_stopping=True).fit(X, Y, X_val=X, y_val=Y[:, 0])
    with pytest.raises(ValueError, match=r"has 3 columns, .* has 1"):
        make_model().fit(X, Y[:, 0], eval_sets={"other": (X, Y)})


def test_warm_start():
    X, Y = make_data()
    expected = make_model().fit(X, Y)
    model = make_model(max_iter=5, warm_start=True).fit(X, Y)
    model.set_params(max_iter=12).fit(X, Y)
    assert_same_bits(model.predict(X), expected.predict(X))
    before = model.predict(X)
    for y, n in ((Y[:, 0], 1), (Y[:, :2], 2)):
        with pytest.raises(ValueError, match=f"previous fit, 3, got {n}"):
            model.set_params(max_iter=13).fit(X, y)
        assert model.n_outputs_ == 3
        assert_same_bits(model.predict(X), before)


@pytest.mark.parametrize("boosting", ["plain", "dart", "random_forest"])
def test_warm_start_of_other_boosting(boosting):
    X, Y = make_data()
    options = {"boosting": boosting, "subsample": 0.7, "skip_drop": 0.0}
    model = make_model(**options, max_iter=5, warm_start=True).fit(X, Y)
    first = model.predict(X)
    copied = pickle.loads(pickle.dumps(model))
    model.set_params(max_iter=12).fit(X, Y)
    assert_allclose(
        model.predict(X), make_model(**options).fit(X, Y).predict(X), rtol=1e-9
    )
    # The first model's arrays are as they were.
    assert_same_bits(copied.predict(X), first)


@over_options
def test_copies(options):
    X, Y = make_data()
    model = make_model(**options).fit(X, Y)
    copied = pickle.loads(pickle.dumps(model))
    assert_same_bits(copied.predict(X), model.predict(X))
    again = clone(model).fit(X, Y)
    assert_same_bits(again.predict(X), model.predict(X))


@pytest.mark.parametrize(
    "settings",
    [
        {"linear_leaves": True},
        {"monotonic_cst": [1, 0, 0, 0], "categorical_features": None},
        {"monotonic_cst": {}},
    ],
)
def test_what_makes_no_sense(settings):
    X, Y = make_data()
    name = next(iter(settings))
    with pytest.raises(ValueError, match=f"{name}.* not supported .* y of 3 columns"):
        make_model(**settings).fit(X, Y)
    if settings[name]:
        assert not get_tags(make_model(**settings)).target_tags.multi_output


def test_classifiers_take_one_column():
    X, Y = make_data()
    with pytest.raises(ValueError, match="y should be a 1d array"):
        HistGradientBoostingClassifier().fit(X, (Y > 1).astype(int))
    assert get_tags(Regressor()).target_tags.multi_output
    assert not get_tags(HistGradientBoostingClassifier()).target_tags.multi_output


def test_bad_targets():
    X, Y = make_data()
    Y[3, 1] = np.nan
    with pytest.raises(ValueError, match="Input y contains NaN"):
        make_model().fit(X, Y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make_model().fit(X, np.ones((len(X) - 1, 3)))
    with pytest.raises(ValueError, match="could not convert string to float"):
        make_model().fit(X, np.full(Y.shape, "a"))
    with pytest.raises((ValueError, TypeError)):
        make_model().fit(X, sparse.csr_array(np.nan_to_num(Y)))
    with pytest.raises(ValueError):
        make_model().fit(X, np.zeros((len(X), 2, 2)))


# ---- restraints ----------------------------------------------------------------------


def test_rows_and_weight_of_leaves():
    X, Y = make_data()
    model = make_model(min_samples_leaf=30, max_leaf_nodes=None).fit(X, Y)
    for i in range(12):
        tree = model._model.tree(i)
        assert tree.stats["n_samples"][tree.nodes["feature"] < 0].min() >= 30
    # The second column's hessians are its means, a hundredth of the others'.
    scales = np.array([1.0, 0.01, 1.0])
    model = make_model(loss="poisson", min_child_weight=1.0, max_iter=1)
    model.set_params(max_leaf_nodes=None, learning_rate=1e-9).fit(X, Y * scales)
    leaves = model.apply(X)[:, 0]
    for leaf in np.unique(leaves):
        assert model.predict(X)[leaves == leaf].sum(axis=0).min() >= 0.999
    assert 1 < len(np.unique(leaves)) < Y[:, 1].sum() * 0.01


def test_interaction_constraints():
    X, Y = make_data()
    model = make_model(interaction_cst=[{0, 1}, {2, 3}], max_iter=30).fit(X, Y)
    for i in range(30):
        nodes = model._model.tree(i).nodes
        paths = {0: set()}
        for j, node in enumerate(nodes):
            if node["feature"] < 0:
                assert paths[j] <= {0, 1} or paths[j] <= {2, 3}
                continue
            path = paths[j] | {int(node["feature"])}
            paths[node["left"]] = paths[node["left"] + 1] = path


def test_min_split_gain_is_of_all_columns_together():
    X, Y = make_data()
    gains = make_model(max_iter=1).fit(X, Y)._model.stats["gain"]
    least = np.median(gains[gains > 0])
    model = make_model(max_iter=1, min_split_gain=least).fit(X, Y)
    kept = model._model.stats["gain"]
    assert set(kept[kept > 0]) == set(gains[gains > least])


# ---- inspection ----------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_tables_of_trees(loss):
    pytest.importorskip("pandas")
    X, Y = make_data()
    model = make_model(loss=loss).fit(X, Y)
    leaves = model.apply(X)
    for output in range(3):
        tables = [tree_table(model, i, output) for i in range(12)]
        total = sum(
            t.loc[leaves[:, i], "value"].to_numpy() for i, t in enumerate(tables)
        )
        expected = model.predict(X)[:, output] - model._model.init_score[output]
        assert_allclose(total, expected, atol=1e-12)
        assert tables[0]["feature"].equals(tree_table(model, 0, 0)["feature"])
    with pytest.raises(ValueError, match="output must be an int from 0 to 2, got 3"):
        tree_table(model, 0, 3)


def test_pictures_of_trees():
    plt = pytest.importorskip("matplotlib.pyplot")
    X, Y = make_data()
    model = make_model(max_leaf_nodes=3).fit(X, Y)
    texts = []
    for output in range(2):
        ax = plot_tree(model, output=output)
        texts.append([text.get_text() for text in ax.texts])
        plt.close(ax.figure)
    assert texts[0] != texts[1]


@pytest.mark.parametrize("options", [{}, OPTIONS["forest"], OPTIONS["dart"]])
def test_partial_dependence(options):
    X, Y = make_data()
    model = make_model(categorical_features=None, **options).fit(np.nan_to_num(X), Y)
    X = np.nan_to_num(X)
    grid = np.linspace(-1, 1, 5)
    averages = model._compute_partial_dependence_recursion(grid[:, np.newaxis], [0])
    assert averages.shape == (3, 5)
    # Of a tree with no other feature both ways agree.
    alone = make_model(categorical_features=None, **options).fit(X[:, :1], Y)
    averages = alone._compute_partial_dependence_recursion(grid[:, np.newaxis], [0])
    expected = alone.predict(grid[:, np.newaxis]) - alone._model.init_score
    assert_allclose(averages.T, expected, atol=1e-12)
    brute = partial_dependence(alone, X[:, :1], [0], method="brute", kind="average")
    assert brute["average"].shape[0] == 3


# ---- hard edges ----------------------------------------------------------------------


def test_one_row():
    model = Regressor().fit([[1.0]], [[2.0, 3.0]])
    assert_array_equal(model.predict([[0.0], [5.0]]), [[2.0, 3.0]] * 2)


def test_constant_columns():
    X, Y = make_data()
    Y[:, 1] = 7.0
    model = make_model().fit(X, Y)
    assert_array_equal(model.predict(X)[:, 1], 7.0)
    assert r2_score(Y[:, 0], model.predict(X)[:, 0]) > 0.5
    model = make_model().fit(X, np.ones_like(Y))
    assert_array_equal(model.predict(X), 1.0)
    assert model.feature_importances_.sum() == 0


def test_many_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    Y = X @ rng.normal(size=(3, 150))
    model = Regressor(**SMALL).fit(X, Y)
    assert model.predict(X).shape == (200, 150)
    assert model.score(X, Y) > 0.5


@pytest.mark.parametrize(
    "options",
    [
        {"early_stopping": True},
        {"grow_policy": "symmetric"},
        {"max_bins": 2000, "grow_policy": "depthwise"},
        {"categorical_features": [0, 3, 18, 21]},
        {"categorical_features": [0, 3, 18, 21], "grow_policy": "symmetric"},
        {"boosting": "dart", "skip_drop": 0.0, "subsample": 0.5},
    ],
    ids=str,
)
def test_storage_does_not_matter(options, monkeypatch):
    # Have entries stored in small tables, too.
    monkeypatch.setattr(bundling, "COLUMNS_PER_ENTRY", 5)
    monkeypatch.setattr(bundling, "COLUMNS_PER_ROW", 0)
    monkeypatch.setattr(bundling, "ROWS_PER_CODE", 0)
    rng = np.random.default_rng(0)
    X, y = make_sparse_data()
    X[:, 21] = rng.integers(0, 60, size=len(y))
    Y = np.column_stack([y, np.nan_to_num(X[:, [0, 18]])])
    Y += rng.normal(size=Y.shape)
    csr = sparse.csr_array(X)
    settings = {**SMALL, "max_iter": 3, "max_leaf_nodes": 16, **options}
    fits = [
        Regressor(**settings, n_jobs=n_jobs).fit(table, Y)
        for table, n_jobs in ((X, 1), (csr, 1), (csr, 3))
    ]
    unbundle(monkeypatch)
    fits.append(Regressor(**settings).fit(csr, Y))
    expected = Regressor(**settings).fit(X, Y)
    assert expected._model.vectors.shape[0] > 30
    for model in fits:
        assert_same_model(model, expected)
    # Few rows of a sparse table are made dense at a time.
    monkeypatch.setattr(model_module, "MAX_DENSE_VALUES", 2000)
    assert_same_bits(expected.predict(csr), expected.predict(X))
    assert_array_equal(expected.apply(csr), expected.apply(X))
    for one, other in zip(
        expected.staged_predict(csr), expected.staged_predict(X), strict=True
    ):
        assert_same_bits(one, other)


def test_only_missing_values():
    X = np.full((60, 2), np.nan)
    Y = np.arange(120.0).reshape(60, 2)
    assert_allclose(Regressor().fit(X, Y).predict(X), [Y.mean(axis=0)] * 60)


# ---- other tools ---------------------------------------------------------------------


def test_searches_and_pipelines():
    X, Y = load_linnerud(return_X_y=True)
    model = make_pipeline(StandardScaler(), Regressor(max_iter=5, min_samples_leaf=2))
    search = GridSearchCV(
        model, {"histgradientboostingregressor__max_leaf_nodes": [2, 4]}, cv=2
    )
    search.fit(X, Y)
    assert search.predict(X).shape == Y.shape
    assert len(cross_val_score(model, X, Y, cv=2)) == 2


def test_correlated_columns_help_each_other():
    """Held out, one tree for all is better than trees of their own with few rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2300, 5))
    Y = compute_signal(X)[:, np.newaxis] + rng.normal(size=(2300, 8))
    train, test = slice(0, 300), slice(300, None)
    model = Regressor(max_iter=40).fit(X[train], Y[train])
    clean = np.repeat(compute_signal(X)[:, np.newaxis], 8, axis=1)
    joint = mean_squared_error(clean[test], model.predict(X[test]))
    alone = [
        Regressor(max_iter=40).fit(X[train], Y[train, k]).predict(X[test])
        for k in range(8)
    ]
    assert joint < 0.8 * mean_squared_error(clean[test], np.transpose(alone))
