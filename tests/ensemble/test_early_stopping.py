"""When boosting stops, and which rows judge it."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import log_loss, make_scorer, mean_squared_error
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    PredefinedSplit,
    ShuffleSplit,
    TimeSeriesSplit,
)

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import (
    assert_same_bits,
    make_classification_data,
    make_regression_data,
)

SETTINGS = {"max_iter": 200, "early_stopping": True, "random_state": 0}


def fit_with_rows(X, y, train, validation, **settings):
    """Fit on some rows, judged by others that are passed."""
    model = HistGradientBoostingRegressor(**{**SETTINGS, **settings})
    return model.fit(X[train], y[train], X_val=X[validation], y_val=y[validation])


def assert_same_model(model, expected, X):
    assert model.n_iter_ == expected.n_iter_
    assert_same_bits(model.predict(X), expected.predict(X))
    assert_same_bits(model.validation_score_, expected.validation_score_)


class Recorder:
    """A splitter that keeps what it was asked and what it answered."""

    def __init__(self, splitter):
        self.splitter = splitter

    def split(self, X, y=None, groups=None):
        self.asked = X, y, groups
        for answer in self.splitter.split(X, y, groups):
            self.answer = answer
            yield answer


# -- when to stop ----------------------------------------------------------------------


def test_stops_when_scores_get_no_better():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(**SETTINGS).fit(X, y)
    assert model.do_early_stopping_
    assert 10 < model.n_iter_ < 200
    scores = model.validation_score_
    assert len(scores) == len(model.train_score_) == model.n_iter_ + 1
    # None of the last ten is better than the one before, and so it was never earlier.
    assert max(scores[-10:]) <= scores[-11] + model.tol
    for end in range(11, len(scores)):
        assert max(scores[end - 10 : end]) > scores[end - 11] + model.tol
    assert np.all(np.diff(model.train_score_) > 0)


@pytest.mark.parametrize("n_iter_no_change", [1, 3, 20])
def test_patience(n_iter_no_change):
    X, y = make_regression_data()
    settings = {**SETTINGS, "n_iter_no_change": n_iter_no_change}
    model = HistGradientBoostingRegressor(**settings).fit(X, y)
    scores = model.validation_score_
    last = scores[-n_iter_no_change:]
    assert model.n_iter_ < 200 and max(last) <= scores[-n_iter_no_change - 1] + 1e-7


def test_a_large_tolerance_stops_at_once():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(**SETTINGS, tol=10.0).fit(X, y)
    assert model.n_iter_ == model.n_iter_no_change


def test_auto():
    X, y = make_regression_data(10_001)
    settings = {"max_iter": 3}
    for n_samples, is_large in ((10_000, False), (10_001, True)):
        model = HistGradientBoostingRegressor(**settings)
        model.fit(X[:n_samples], y[:n_samples])
        assert model.do_early_stopping_ == is_large
        assert len(model.train_score_) == len(model.validation_score_) == 4 * is_large
    model = HistGradientBoostingRegressor(**settings)
    assert model.fit(X[:99], y[:99], X_val=X[99:], y_val=y[99:]).do_early_stopping_
    never = HistGradientBoostingRegressor(**settings, early_stopping=False).fit(X, y)
    assert not never.do_early_stopping_
    assert len(never.validation_score_) == 0


def test_training_rows_may_judge():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(
        **{**SETTINGS, "max_iter": 1000}, validation_fraction=None, tol=1e-4
    ).fit(X, y)
    assert len(model.validation_score_) == 0
    assert model.n_iter_ < 1000
    assert_allclose(
        model.train_score_[-1], -mean_squared_error(y, model.predict(X)) / 2
    )
    # All rows are trained on.
    plain = HistGradientBoostingRegressor(max_iter=model.n_iter_).fit(X, y)
    assert_same_bits(model.predict(X), plain.predict(X))


# -- the best iteration ----------------------------------------------------------------


@pytest.mark.parametrize("n_iter_no_change", [3, 20])
def test_best_iteration(n_iter_no_change):
    X, y = make_regression_data()
    settings = {**SETTINGS, "n_iter_no_change": n_iter_no_change}
    model = HistGradientBoostingRegressor(**settings).fit(X, y)
    scores = model.validation_score_
    assert model.best_iteration_ == np.argmax(scores) < model.n_iter_
    best = HistGradientBoostingRegressor(**settings, restore_best=True).fit(X, y)
    assert best.n_iter_ == best.best_iteration_ == model.best_iteration_
    assert_same_bits(best.predict(X), model.predict(X, n_iter=model.best_iteration_))
    # The curve shows why.
    assert_same_bits(best.validation_score_, scores)
    assert_same_bits(best.train_score_, model.train_score_)


def test_best_iteration_of_the_training_rows():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(
        **{**SETTINGS, "max_iter": 20}, validation_fraction=None
    ).fit(X, y)
    assert model.best_iteration_ == np.argmax(model.train_score_) == 20


def test_best_iteration_without_early_stopping():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(max_iter=5, restore_best=True).fit(X, y)
    assert model.best_iteration_ == model.n_iter_ == 5


@pytest.mark.parametrize("boosting", ["plain", "random_forest"])
def test_no_tree_is_best(boosting):
    # A target that no column says anything about.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)), rng.integers(3, size=300)
    model = HistGradientBoostingClassifier(
        early_stopping=True,
        restore_best=True,
        learning_rate=5.0,
        boosting=boosting,
        subsample=0.5,
        min_samples_leaf=1,
        random_state=0,
    ).fit(X, y)
    assert model.best_iteration_ == model.n_iter_ == 0
    assert len(model.validation_score_) > 10
    proba = model.predict_proba(X)
    assert_same_bits(proba, np.tile(proba[:1], (300, 1)))
    assert_allclose(proba[0], np.bincount(y) / 300, atol=0.02)
    assert_same_bits(model.predict_proba(X, n_iter=0), proba)
    assert not model.feature_importances_.any()
    assert list(model.staged_predict(X)) == []
    # There is something to go on from.
    model.set_params(warm_start=True, early_stopping=False, max_iter=3)
    assert model.fit(X, y).n_iter_ == 3


def make_mixed_frame(n_rows=400):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "x": rng.normal(size=n_rows),
            "z": rng.normal(size=n_rows),
            "level": rng.choice(list("abcdefghij"), n_rows),
        }
    )
    y = X.x + X.x * X.z + X.level.isin(list("acf")) + rng.normal(size=n_rows)
    return X, y.to_numpy()


@pytest.mark.parametrize("settings", [{}, {"linear_leaves": True}])
def test_what_the_best_iterations_need_is_all_that_is_kept(settings):
    X, y = make_mixed_frame()
    settings = {**SETTINGS, **settings, "n_iter_no_change": 30}
    model = HistGradientBoostingRegressor(**settings).fit(X, y)
    best = HistGradientBoostingRegressor(**settings, restore_best=True).fit(X, y)
    assert_same_bits(best.predict(X), model.predict(X, n_iter=model.best_iteration_))
    names = ["nodes", "bitsets"]
    if "linear_leaves" in settings:
        names += ["linear_leaves", "linear_terms"]
    for name in names:
        assert 0 < len(getattr(best._model, name)) < len(getattr(model._model, name))


def test_outputs_of_the_best_iteration():
    X, y = make_mixed_frame()
    targets = np.column_stack([y, X.z])
    model, best = (
        HistGradientBoostingRegressor(**SETTINGS, restore_best=restore_best).fit(
            X, targets
        )
        for restore_best in (False, True)
    )
    assert best.n_iter_ < model.n_iter_
    assert_same_bits(best.predict(X), model.predict(X, n_iter=best.n_iter_))


def test_warm_start_goes_on_from_the_best_iteration():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(
        **SETTINGS, restore_best=True, warm_start=True, eval_metrics=["r2"]
    ).fit(X, y)
    n_iter, scores = model.n_iter_, model.validation_score_
    model.set_params(early_stopping=False, max_iter=n_iter + 4).fit(X, y)
    assert model.n_iter_ == model.best_iteration_ == n_iter + 4
    assert_same_bits(model.validation_score_, scores[: n_iter + 1])
    assert len(model.evals_result_["validation"]["r2"]) == n_iter + 1


def test_best_iteration_of_a_fit_that_goes_on_with_early_stopping():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(max_iter=7, warm_start=True, random_state=0)
    model.fit(X, y)
    model.set_params(max_iter=200, early_stopping=True).fit(X, y)
    # There are no scores of the first seven.
    scores = model.validation_score_
    assert len(scores) == model.n_iter_ - 7
    assert model.best_iteration_ == 8 + np.argmax(scores)


def test_best_iteration_by_a_scorer_that_fails_at_times():
    X, y = make_regression_data()
    values = iter([0.1, np.nan, 0.4, 0.3, np.nan, 0.4, *[np.nan] * 200])
    nans = iter([np.nan] * 1000)

    def score(estimator, X, y):
        return next(values if len(y) < 100 else nans)

    model = HistGradientBoostingRegressor(**SETTINGS, scoring=score).fit(X, y)
    assert model.best_iteration_ == 2
    model.set_params(scoring=lambda estimator, X, y: np.nan).fit(X, y)
    assert model.best_iteration_ == model.n_iter_


def test_dart_cannot_go_back():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(boosting="dart", restore_best=True)
    with pytest.raises(ValueError, match="restore_best=True is not supported with"):
        model.fit(X, y)


# -- which rows ------------------------------------------------------------------------


@pytest.mark.parametrize("validation_fraction, n_expected", [(0.25, 150), (37, 37)])
def test_drawn_rows(validation_fraction, n_expected):
    """A share or a number; those rows and no others are set aside."""
    X, y = make_regression_data()
    drawn = HistGradientBoostingRegressor(
        **SETTINGS, validation_fraction=validation_fraction
    ).fit(X, y)
    splitter = ShuffleSplit(
        1, test_size=validation_fraction, random_state=int(drawn._random_seed)
    )
    ((train, validation),) = splitter.split(X)
    assert len(validation) == n_expected
    expected = fit_with_rows(X, y, np.sort(train), np.sort(validation))
    assert_same_model(drawn, expected, X)


def test_drawn_rows_have_the_shares_of_the_classes():
    X, y = make_classification_data(1000)
    is_in = (y == 0) | (np.arange(1000) % 25 == 0)
    X, y = X[is_in], y[is_in]
    seen = []

    def count(y_true, y_pred):
        seen.append(np.bincount(y_true, minlength=2))
        return 0.0

    HistGradientBoostingClassifier(
        **{**SETTINGS, "max_iter": 1}, scoring=make_scorer(count)
    ).fit(X, y)
    counts_train, counts_validation = seen[:2]
    assert_allclose(counts_validation / counts_validation.sum(), y_shares(y), atol=0.01)
    assert_array_equal(counts_train + counts_validation, np.bincount(y))


def y_shares(y):
    return np.bincount(y) / len(y)


def test_rows_that_are_set_aside_are_not_learned_from():
    """Whatever the target of the validation rows is, the trees are the same."""
    X, y = make_regression_data()
    is_last = np.arange(len(y)) >= 500
    splitter = PredefinedSplit(np.where(is_last, 0, -1))
    settings = {**SETTINGS, "max_iter": 30, "n_iter_no_change": 30}
    model = HistGradientBoostingRegressor(**settings, validation_fraction=splitter)
    expected = model.fit(X, y).predict(X)
    X_other, y_other = X.copy(), y.copy()
    X_other[is_last] = 1e6
    y_other[is_last] = -1e6
    assert_same_bits(model.fit(X_other, y_other).predict(X), expected)


@pytest.mark.parametrize("gap", [0, 20])
def test_rows_of_a_time_series(gap):
    """The last split has the most past, and only past."""
    X, y = make_regression_data()
    splitter = TimeSeriesSplit(n_splits=5, gap=gap)
    model = HistGradientBoostingRegressor(**SETTINGS, validation_fraction=splitter)
    expected = fit_with_rows(X, y, slice(0, 500 - gap), slice(500, 600))
    assert_same_model(model.fit(X, y), expected, X)


@pytest.mark.parametrize("splitter_class", [GroupShuffleSplit, GroupKFold])
def test_rows_of_groups(splitter_class):
    X, y = make_regression_data()
    groups = np.random.default_rng(0).integers(0, 30, len(y))
    settings = {} if splitter_class is GroupKFold else {"random_state": 0}
    recorder = Recorder(splitter_class(5, **settings))
    model = HistGradientBoostingRegressor(**SETTINGS, validation_fraction=recorder)
    model.fit(X, y, groups=groups)
    assert_array_equal(recorder.asked[1], y)
    assert_array_equal(recorder.asked[2], groups)
    train, validation = recorder.answer
    assert set(groups[train]).isdisjoint(groups[validation])
    expected = fit_with_rows(X, y, np.sort(train), np.sort(validation))
    assert_same_model(model, expected, X)


def test_rows_by_hand():
    X, y = make_regression_data()
    fold = np.where(np.arange(600) % 6 == 0, 0, -1)
    splitter = PredefinedSplit(fold)
    model = HistGradientBoostingRegressor(**SETTINGS, validation_fraction=splitter)
    assert_same_model(model.fit(X, y), fit_with_rows(X, y, fold < 0, fold == 0), X)


def test_rows_of_a_split_that_leaves_some_out():
    """Rows that are on neither side are not used."""

    class Halves:
        def split(self, X, y=None, groups=None):
            yield np.arange(299, -1, -1), np.arange(450, 600)

    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(**SETTINGS, validation_fraction=Halves())
    expected = fit_with_rows(X, y, slice(300), slice(450, 600))
    assert_same_model(model.fit(X, y), expected, X)


def test_splitter_and_weights_and_offset():
    X, y = make_regression_data()
    rng = np.random.default_rng(0)
    weight, offset = rng.uniform(size=600), rng.normal(size=600)
    splitter = TimeSeriesSplit(5)
    drawn = HistGradientBoostingRegressor(**SETTINGS, validation_fraction=splitter)
    drawn.fit(X, y, sample_weight=weight, init_score=offset)
    given = HistGradientBoostingRegressor(**SETTINGS).fit(
        X[:500],
        y[:500],
        sample_weight=weight[:500],
        init_score=offset[:500],
        X_val=X[500:],
        y_val=y[500:],
        sample_weight_val=weight[500:],
        init_score_val=offset[500:],
    )
    assert_same_model(drawn, given, X)


class SplitInto:
    def __init__(self, *splits):
        self.splits = splits

    def split(self, X, y=None, groups=None):
        yield from self.splits


@pytest.mark.parametrize(
    "validation_fraction, message",
    [
        (SplitInto(), "yields no split of 600 rows"),
        (SplitInto(([0, 1], [])), "2 training and 0 validation rows"),
        (SplitInto(([], [1])), "0 training and 1 validation rows"),
        (GroupKFold(2), "'groups' parameter should not be None"),
        (1.5, "'validation_fraction' parameter"),
        (0, "'validation_fraction' parameter"),
        (600, "test_size=600"),
        ("half", "'validation_fraction' parameter"),
    ],
)
def test_wrong_validation_fraction(validation_fraction, message):
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(
        **SETTINGS, validation_fraction=validation_fraction
    )
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


# -- rows that are given ---------------------------------------------------------------


def test_given_rows_do_not_cost_training_rows():
    X, y = make_regression_data(1000)
    settings = {**SETTINGS, "max_iter": 20, "n_iter_no_change": 20}
    plain = HistGradientBoostingRegressor(max_iter=20).fit(X[:600], y[:600])
    model = fit_with_rows(X, y, slice(600), slice(600, 1000), **settings)
    assert_same_bits(model.predict(X), plain.predict(X))
    assert_allclose(
        -2 * model.validation_score_[1:],
        [
            mean_squared_error(y[600:], prediction)
            for prediction in model.staged_predict(X[600:])
        ],
    )


@pytest.mark.parametrize(
    "given, message",
    [
        (["X_val"], "X_val is provided, but y_val was not provided"),
        (["y_val"], "y_val is provided, but X_val was not provided"),
    ],
)
def test_half_of_the_validation_rows(given, message):
    X, y = make_regression_data()
    data = {"X_val": X, "y_val": y}
    with pytest.raises(ValueError, match=message):
        HistGradientBoostingRegressor().fit(
            X, y, **{name: data[name] for name in given}
        )


def test_validation_rows_without_early_stopping():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(early_stopping=False)
    with pytest.raises(ValueError, match="early_stopping is False"):
        model.fit(X, y, X_val=X, y_val=y)


def test_wrong_validation_rows():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(**SETTINGS)
    with pytest.raises(ValueError, match="expecting 4 features"):
        model.fit(X, y, X_val=X[:, 1:], y_val=y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y, X_val=X, y_val=y[1:])
    with pytest.raises(ValueError, match="must not be negative"):
        model.fit(X, y, X_val=X, y_val=y, sample_weight_val=-np.ones(600))
    X, y = make_classification_data()
    classifier = HistGradientBoostingClassifier(**SETTINGS)
    with pytest.raises(ValueError, match="previously unseen labels"):
        classifier.fit(X, y, X_val=X, y_val=y + 1)


def test_validation_rows_go_through_a_pipeline():
    """In scikit-learn from 1.6 on, by `transform_input`."""
    import sklearn
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = make_regression_data()
    with sklearn.config_context(enable_metadata_routing=True):
        model = HistGradientBoostingRegressor(**SETTINGS)
        model.set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
        pipeline.fit(X[:400], y[:400], X_val=X[400:], y_val=y[400:])
    scaler = StandardScaler().fit(X[:400])
    expected = fit_with_rows(scaler.transform(X), y, slice(400), slice(400, 600))
    assert_same_bits(pipeline.predict(X), expected.predict(scaler.transform(X)))


# -- scoring ---------------------------------------------------------------------------


def compute_negative_error(estimator, X, y):
    return -mean_squared_error(y, estimator.predict(X))


@pytest.mark.parametrize(
    "scoring", ["neg_mean_squared_error", compute_negative_error, None]
)
def test_scores_of_a_scorer(scoring):
    X, y = make_regression_data()
    model = fit_with_rows(X, y, slice(400), slice(400, 600), scoring=scoring)
    staged = list(model.staged_predict(X[400:]))
    if scoring is None:
        from sklearn.metrics import r2_score

        expected = [r2_score(y[400:], prediction) for prediction in staged]
    else:
        expected = [-mean_squared_error(y[400:], prediction) for prediction in staged]
    assert_allclose(model.validation_score_[1:], expected)
    assert 10 < model.n_iter_ < 200


def test_a_scorer_sees_the_users_rows_and_labels():
    pd = pytest.importorskip("pandas")
    X, y = make_classification_data()
    X = pd.DataFrame(X, columns=list("abcd"), index=np.arange(600) + 1000)
    labels = np.array(["no", "yes"])[y]
    seen = []

    def score(estimator, X, y_true):
        seen.append((X, y_true))
        assert set(estimator.predict(X)) <= {"no", "yes"}
        probabilities = estimator.predict_proba(X)
        assert_array_equal(estimator.predict(X) == "yes", probabilities[:, 1] > 0.5)
        return -log_loss(y_true, probabilities)

    model = HistGradientBoostingClassifier(**SETTINGS, scoring=score).fit(X, labels)
    rows, y_seen = seen[1]
    assert list(rows.columns) == list("abcd")
    assert_array_equal(labels[rows.index - 1000], y_seen)
    by_loss = HistGradientBoostingClassifier(**SETTINGS).fit(X, labels)
    assert_allclose(model.validation_score_, by_loss.validation_score_)


def test_a_scorer_sees_a_part_of_many_training_rows():
    X, y = make_regression_data(30_000)
    n_rows = []

    def score(estimator, X, y_true):
        n_rows.append(len(y_true))
        return 0.0

    HistGradientBoostingRegressor(max_iter=1, scoring=score).fit(X, y)
    assert n_rows[:2] == [10_000, 3000]


def test_weighted_scorer():
    X, y = make_regression_data()
    weight = np.random.default_rng(0).uniform(size=600)
    settings = {**SETTINGS, "scoring": "neg_mean_squared_error"}
    model = HistGradientBoostingRegressor(**settings).fit(
        X[:400],
        y[:400],
        weight[:400],
        X_val=X[400:],
        y_val=y[400:],
        sample_weight_val=weight[400:],
    )
    expected = mean_squared_error(
        y[400:], model.predict(X[400:]), sample_weight=weight[400:]
    )
    assert_allclose(model.validation_score_[-1], -expected)


@pytest.mark.parametrize("scoring", ["wrong name", 3])
def test_wrong_scoring(scoring):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match=r"scoring|wrong name"):
        HistGradientBoostingRegressor(**SETTINGS, scoring=scoring).fit(X, y)


def test_a_splitter_sees_the_users_rows_and_labels():
    X, y = make_classification_data()
    frame, labels = pd.DataFrame(X), np.where(y == 0, "no", "yes")
    seen = []

    class Splitter:
        def split(self, X, y, groups=None):
            seen.append((X, y))
            yield np.arange(len(y) // 2), np.arange(len(y) // 2, len(y))

    HistGradientBoostingClassifier(
        max_iter=2, early_stopping=True, validation_fraction=Splitter()
    ).fit(frame.rename(columns=str), labels)
    assert isinstance(seen[0][0], pd.DataFrame)
    assert_array_equal(seen[0][1], labels)
