"""Sets and metrics that are followed round by round."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import log_loss, make_scorer, mean_squared_error, r2_score

from sklearnx.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from tests.ensemble._data import (
    assert_same_bits,
    make_classification_data,
    make_regression_data,
)

SETTINGS = {"max_iter": 15, "max_leaf_nodes": 8}


def compute_worst_error(estimator, X, y):
    return -np.abs(estimator.predict(X) - y).max()


def test_history_is_that_of_staged_predictions():
    X, y = make_regression_data()
    sets = {
        "near": make_regression_data(100, random_state=1),
        "far": (X + 2, y),
    }
    model = HistGradientBoostingRegressor(
        **SETTINGS, eval_metrics=["r2", compute_worst_error, "neg_mean_squared_error"]
    ).fit(X, y, eval_sets=sets)
    assert set(model.evals_result_) == {"near", "far"}
    for name, (X_eval, y_eval) in sets.items():
        history = model.evals_result_[name]
        assert list(history) == [
            "loss",
            "r2",
            "compute_worst_error",
            "neg_mean_squared_error",
        ]
        staged = list(model.staged_predict(X_eval))
        errors = [mean_squared_error(y_eval, prediction) for prediction in staged]
        # The first is that of the model without trees.
        assert all(len(scores) == model.n_iter_ + 1 for scores in history.values())
        assert_allclose(history["loss"][1:], np.array(errors) / 2)
        assert_allclose(history["neg_mean_squared_error"][1:], -np.array(errors))
        assert_allclose(
            history["r2"][1:], [r2_score(y_eval, prediction) for prediction in staged]
        )
        assert_allclose(
            history["compute_worst_error"][1:],
            [-np.abs(prediction - y_eval).max() for prediction in staged],
        )
        assert_allclose(history["loss"][0], np.mean((y_eval - y.mean()) ** 2) / 2)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_history_of_a_classifier(n_classes):
    X, y = make_classification_data(n_classes=n_classes)
    labels = np.array(["a", "b", "c"])[y]
    X_eval, y_eval = X[:200], labels[:200]
    weight = np.random.default_rng(0).uniform(size=200)
    model = HistGradientBoostingClassifier(
        **SETTINGS, eval_metrics=["neg_log_loss", "accuracy"]
    ).fit(
        X, labels, eval_sets={"plain": (X_eval, y_eval), "w": [X_eval, y_eval, weight]}
    )
    staged = list(model.staged_predict_proba(X_eval))
    for name, sample_weight in (("plain", None), ("w", weight)):
        expected = [
            log_loss(y_eval, probabilities, sample_weight=sample_weight)
            for probabilities in staged
        ]
        history = model.evals_result_[name]
        assert_allclose(history["loss"][1:], expected)
        assert_allclose(history["neg_log_loss"][1:], -np.array(expected))
        is_right = model.predict(X_eval) == y_eval
        assert_allclose(
            history["accuracy"][-1], np.average(is_right, weights=sample_weight)
        )


def test_following_changes_no_bit():
    X, y = make_regression_data()
    plain = HistGradientBoostingRegressor(**SETTINGS, random_state=0).fit(X, y)
    followed = HistGradientBoostingRegressor(
        **SETTINGS, random_state=0, eval_metrics=["r2"]
    ).fit(X, y, eval_sets={"same": (X, y)})
    assert_same_bits(followed.predict(X), plain.predict(X))
    assert plain.evals_result_ == {}


def test_rows_set_aside_are_a_set():
    X, y = make_regression_data()
    settings = {**SETTINGS, "early_stopping": True, "random_state": 0}
    model = HistGradientBoostingRegressor(**settings, eval_metrics=["r2"]).fit(
        X, y, eval_sets={"more": make_regression_data(50, random_state=1)}
    )
    assert set(model.evals_result_) == {"more", "validation"}
    history = model.evals_result_["validation"]
    assert_allclose(history["loss"], -model.validation_score_)
    assert history["r2"][-1] > 0.5 > history["r2"][0]
    # Scores of `scoring` are better if larger, and so are all but the loss.
    by_r2 = HistGradientBoostingRegressor(
        **settings, eval_metrics=["r2"], scoring="r2"
    ).fit(X, y)
    assert_same_bits(by_r2.evals_result_["validation"]["r2"], by_r2.validation_score_)


def test_length_of_the_history_when_stopped():
    X, y = make_regression_data()
    X_val, y_val = make_regression_data(200, random_state=1)
    model = HistGradientBoostingRegressor(max_iter=500, n_iter_no_change=3).fit(
        X, y, X_val=X_val, y_val=y_val, eval_sets={"same": (X_val, y_val)}
    )
    assert model.n_iter_ < 500
    assert_same_bits(model.evals_result_["same"]["loss"], -model.validation_score_)


def test_metric_of_ones_own():
    """A scorer object has the name of its class, a function its own."""
    X, y = make_regression_data()
    seen = []

    def count(y_true, y_pred):
        seen.append(len(y_true))
        return float(len(seen))

    model = HistGradientBoostingRegressor(
        **SETTINGS, eval_metrics=[make_scorer(count), compute_worst_error]
    ).fit(X, y, eval_sets={"few": (X[:7], y[:7])})
    assert seen == [7] * 16
    (own,) = set(model.evals_result_["few"]) - {"loss", "compute_worst_error"}
    assert_array_equal(model.evals_result_["few"][own], np.arange(1, 17))


def test_frames_and_categories():
    pd = pytest.importorskip("pandas")
    X, y = make_regression_data()
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 2] > 0, "x", "y")})
    model = HistGradientBoostingRegressor(**SETTINGS, eval_metrics=["r2"])
    part = frame.iloc[:100].assign(b=frame["b"].iloc[:100].astype("category"))
    model.fit(frame, y, eval_sets={"part": (part, y[:100])})
    assert_allclose(model.evals_result_["part"]["r2"][-1], model.score(part, y[:100]))


@pytest.mark.parametrize(
    "eval_sets, message",
    [
        ({"validation": ([[0.0]], [0.0])}, "other than 'train' and 'validation'"),
        ({3: ([[0.0]], [0.0])}, "must be strings other than"),
        ({"a": [[0.0]]}, r"eval_sets\['a'\] must be \(X, y\)"),
        ({"a": None}, r"eval_sets\['a'\] must be \(X, y\)"),
        ({"a": ([[0.0]], [0.0])}, "expecting 4 features"),
        ({"a": (np.zeros((2, 4)), [0.0])}, "inconsistent numbers of samples"),
        ({"a": (np.zeros((1, 4)), [0.0], [-1.0])}, "must not be negative"),
    ],
)
def test_wrong_sets(eval_sets, message):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match=message):
        HistGradientBoostingRegressor().fit(X, y, eval_sets=eval_sets)


@pytest.mark.parametrize(
    "eval_metrics, message",
    [
        ("r2", "'eval_metrics' parameter"),
        ([3], "names of scorers or scorers, got 3"),
        (["accurate"], "accurate"),
    ],
)
def test_wrong_metrics(eval_metrics, message):
    X, y = make_regression_data()
    with pytest.raises(ValueError, match=message):
        HistGradientBoostingRegressor(eval_metrics=eval_metrics).fit(X, y)


def test_not_a_dictionary():
    X, y = make_regression_data()
    with pytest.raises((TypeError, ValueError), match="eval_sets"):
        HistGradientBoostingRegressor().fit(X, y, eval_sets=[(X, y)])


def test_metrics_of_one_name_are_told_apart_or_refused():
    X, y = make_regression_data()
    scorers = [make_scorer(r2_score), make_scorer(mean_squared_error)]
    model = HistGradientBoostingRegressor(max_iter=2, eval_metrics=scorers)
    try:
        model.fit(X, y, eval_sets={"same": (X, y)})
    except ValueError as error:
        assert "eval_metrics" in str(error)
    else:
        assert len(model.evals_result_["same"]) == 3


def test_offset_of_a_set():
    X, y = make_regression_data()
    offset = np.linspace(-1, 1, len(y))
    model = HistGradientBoostingRegressor(max_iter=3).fit(
        X, y, init_score=offset, eval_sets={"same": (X, y, None, offset)}
    )
    residual = y - model.predict(X, init_score=offset)
    assert_allclose(model.evals_result_["same"]["loss"][-1], (residual**2).mean() / 2)
