"""scikit-learn's callbacks, which it has from 1.9 on."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV

from sklearnx._compat import SKLEARN_VERSION
from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import (
    assert_same_bits,
    make_classification_data,
    make_regression_data,
)

has_callbacks = pytest.mark.skipif(
    SKLEARN_VERSION < (1, 9), reason="scikit-learn has callbacks from 1.9 on"
)


class Recorder:
    """Keeps what it is told, and stops after some iterations."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append(("setup", context.task_name, context.max_subtasks))

    def teardown(self, estimator, context):
        self.calls.append(("teardown", context.task_name, context.max_subtasks))

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.calls.append(("begin", context.task_name, context.task_id))
        self.seen = X, y, metadata

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.calls.append(("end", context.task_name, context.task_id))
        self.fitted = fitted_estimator
        return self.stop_after is not None and context.task_id + 1 >= self.stop_after


class Scores(Recorder):
    """Predicts with each of the estimators that it gets."""

    def __init__(self, X):
        super().__init__()
        self.X = X
        self.predictions = []

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "iteration":
            self.predictions.append(fitted_estimator.predict(self.X))


class Failing(Recorder):
    def on_fit_task_end(self, estimator, context):
        super().on_fit_task_end(estimator, context)
        if context.task_id == 3:
            raise RuntimeError("no more")


@pytest.mark.skipif(SKLEARN_VERSION >= (1, 9), reason="scikit-learn has callbacks")
def test_absent_before():
    assert not hasattr(HistGradientBoostingRegressor(), "set_callbacks")


@has_callbacks
def test_order_of_the_calls():
    X, y = make_regression_data()
    recorder = Recorder()
    model = HistGradientBoostingRegressor(max_iter=3)
    assert model.set_callbacks(recorder) is model
    weight = np.ones(len(y))
    model.fit(X, y, sample_weight=weight)
    rounds = [(when, "iteration", i) for i in range(3) for when in ("begin", "end")]
    assert recorder.calls == [
        ("setup", "fit", 3),
        ("begin", "fit", 0),
        *rounds,
        ("end", "fit", 0),
        ("teardown", "fit", 3),
    ]
    X_seen, y_seen, metadata = recorder.seen
    assert X_seen is X and y_seen is y
    assert metadata["sample_weight"] is weight


@has_callbacks
def test_callbacks_change_no_bit_and_leave_nothing():
    X, y = make_regression_data()
    plain = HistGradientBoostingRegressor(max_iter=5).fit(X, y)
    watched = HistGradientBoostingRegressor(max_iter=5).set_callbacks(Scores(X))
    watched.fit(X, y)
    assert_same_bits(watched.predict(X), plain.predict(X))
    assert set(vars(watched)) == set(vars(plain)) | {"_skl_callbacks"}
    watched.set_callbacks()
    assert set(vars(watched)) == set(vars(plain))


@has_callbacks
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_estimators_of_the_iterations_are_the_stages(n_outputs):
    X, y = make_regression_data()
    y = y if n_outputs == 1 else np.stack([y, X[:, 0]], axis=1)
    scores = Scores(X)
    model = HistGradientBoostingRegressor(max_iter=5).set_callbacks(scores).fit(X, y)
    for prediction, stage in zip(
        scores.predictions, model.staged_predict(X), strict=True
    ):
        assert_same_bits(prediction, stage)


@has_callbacks
@pytest.mark.parametrize("n_classes", [2, 3])
def test_estimators_of_the_iterations_of_a_classifier(n_classes):
    X, y = make_classification_data(n_classes=n_classes)
    labels = np.array(["a", "b", "c"])[y]
    recorder = Recorder(stop_after=2)
    model = HistGradientBoostingClassifier(max_iter=5).set_callbacks(recorder)
    model.fit(X, labels)
    assert_same_bits(recorder.fitted.predict_proba(X), model.predict_proba(X))
    assert recorder.fitted.score(X, labels) == model.score(X, labels)


@has_callbacks
def test_a_callback_stops():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(max_iter=50).set_callbacks(Recorder(4))
    model.fit(X, y)
    assert model.n_iter_ == 4
    plain = HistGradientBoostingRegressor(max_iter=4).fit(X, y)
    assert_same_bits(model.predict(X), plain.predict(X))


@has_callbacks
def test_warm_start_counts_the_iterations_to_come():
    X, y = make_regression_data()
    recorder = Recorder()
    model = HistGradientBoostingRegressor(max_iter=3, warm_start=True).fit(X, y)
    model.set_params(max_iter=8).set_callbacks(recorder).fit(X, y)
    assert recorder.calls[0] == ("setup", "fit", 5)
    assert len(recorder.calls) == 2 + 2 + 2 * 5
    recorder.calls.clear()
    model.fit(X, y)
    assert recorder.calls[0] == ("setup", "fit", 0)


@has_callbacks
def test_a_callback_that_fails():
    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(max_iter=5).fit(X, y)
    expected, before = model.predict(X), set(vars(model))
    failing = Failing()
    model.set_params(max_iter=9).set_callbacks(failing)
    with pytest.raises(RuntimeError, match="no more"):
        model.fit(X[:300], y[:300])
    assert failing.calls[-1][0] == "teardown"
    assert_same_bits(model.predict(X), expected)
    assert set(vars(model)) == before | {"_skl_callbacks"}


@has_callbacks
def test_scoring_monitor():
    from sklearn.callback import ScoringMonitor

    X, y = make_regression_data()
    monitor = ScoringMonitor(scoring="neg_mean_squared_error")
    model = HistGradientBoostingRegressor(max_iter=6).set_callbacks(monitor).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    assert_allclose(
        [row["neg_mean_squared_error"] for row in rows],
        [-mean_squared_error(y, stage) for stage in model.staged_predict(X)],
    )


@has_callbacks
def test_progress_bar(capsys):
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    X, y = make_regression_data()
    model = HistGradientBoostingRegressor(max_iter=4).set_callbacks(ProgressBar())
    model.fit(X, y)
    output = capsys.readouterr().out
    assert "HistGradientBoostingRegressor - fit" in output and "100%" in output


@has_callbacks
def test_inside_a_search():
    """A callback of the estimator inside is called for each of its clones."""
    X, y = make_regression_data()
    recorder = Recorder()
    model = HistGradientBoostingRegressor(max_iter=2).set_callbacks(recorder)
    assert clone(model)._skl_callbacks == [recorder]
    GridSearchCV(model, {"max_leaf_nodes": [2, 3]}, cv=2).fit(X, y)
    assert len([call for call in recorder.calls if call[0] == "teardown"]) == 5


@has_callbacks
def test_not_a_callback():
    with pytest.raises(TypeError, match="FitCallback"):
        HistGradientBoostingRegressor().set_callbacks(print)
