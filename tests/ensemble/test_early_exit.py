"""`exit_margin`: rows whose class is clear are spared the remaining trees."""

import numpy as np
import pytest
from scipy import sparse

from sklearnx._boosting.early_exit import ITERATIONS_AT_A_TIME, find_margins
from sklearnx.ensemble import HistGradientBoostingClassifier
from tests.ensemble._data import assert_same_bits, make_classification_data

N_ITER = 45


def fit(n_classes=2, **settings):
    X, y = make_classification_data(600, n_classes=n_classes)
    settings = {"max_iter": N_ITER, "early_stopping": False, **settings}
    return HistGradientBoostingClassifier(**settings).fit(X, y), X


def compute_expected(model, X, margin, init_score=None):
    """Row by row, from the stages."""
    stages = list(model.staged_decision_function(X, init_score=init_score))
    expected = np.array(stages[-1])
    for i in range(len(X)):
        for stop in range(ITERATIONS_AT_A_TIME, N_ITER, ITERATIONS_AT_A_TIME):
            scores = np.atleast_1d(stages[stop - 1][i])
            best = np.sort(scores)[::-1]
            lead = abs(best[0]) if len(best) == 1 else best[0] - best[1]
            if lead > margin:
                expected[i] = stages[stop - 1][i]
                break
    return expected


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("margin", [0.0, 0.5, 1.5, 100.0, np.inf])
def test_against_the_stages(n_classes, margin):
    model, X = fit(n_classes)
    scores = model.decision_function(X, exit_margin=margin)
    assert_same_bits(scores, compute_expected(model, X, margin))
    if margin == 1.5:
        is_spared = scores != model.decision_function(X)
        assert 0.1 < is_spared.mean() < 1


def test_offset():
    model, X = fit()
    init_score = np.linspace(-2, 2, len(X))
    scores = model.decision_function(X, init_score=init_score, exit_margin=1.0)
    assert_same_bits(scores, compute_expected(model, X, 1.0, init_score))


def test_fewer_iterations():
    model, X = fit()
    scores = model.decision_function(X, n_iter=15, exit_margin=np.inf)
    assert_same_bits(scores, model.decision_function(X, n_iter=15))


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_a_row_depends_on_no_other(n_jobs):
    model, X = fit(3)
    model.set_params(n_jobs=n_jobs)
    together = model.predict_proba(X, exit_margin=1.0)
    alone = [model.predict_proba(X[i : i + 1], exit_margin=1.0)[0] for i in range(50)]
    assert_same_bits(together[:50], np.array(alone))
    assert_same_bits(together[::-1], model.predict_proba(X[::-1], exit_margin=1.0))
    assert_same_bits(
        together, model.predict_proba(sparse.csr_matrix(X), exit_margin=1.0)
    )
    classes = model.classes_[together.argmax(axis=1)]
    assert np.array_equal(model.predict(X, exit_margin=1.0), classes)


def test_margins():
    assert find_margins(np.array([[-2.0, 0.5]])).tolist() == [2.0, 0.5]
    raw = np.array([[1.0, 5.0], [4.0, 5.0], [2.5, -1.0]])
    assert find_margins(raw).tolist() == [1.5, 0.0]


@pytest.mark.parametrize("margin", [-1, np.nan, "1", [1.0]])
def test_wrong_margins(margin):
    model, X = fit()
    with pytest.raises(ValueError, match=r"exit_margin must be a number"):
        model.predict(X, exit_margin=margin)


def test_averages():
    model, X = fit(boosting="random_forest", subsample=0.5)
    with pytest.raises(ValueError, match="trees are averaged"):
        model.predict(X, exit_margin=1.0)
