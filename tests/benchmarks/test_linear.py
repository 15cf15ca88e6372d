"""The benchmark of linear models runs, and compares what it says."""

import json

import numpy as np
import pytest
from sklearn.linear_model import (
    HuberRegressor,
    Lasso,
    LassoCV,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
)

from benchmarks import _linear_objectives as objectives
from benchmarks import linear
from benchmarks._linear_data import Data
from benchmarks._linear_libraries import OURS
from benchmarks._linear_predicting import ESTIMATORS
from sklearnx._compat import SKLEARN_VERSION

pytestmark = pytest.mark.skipif(
    SKLEARN_VERSION < (1, 9),
    reason="the benchmark gives scikit-learn the parameters of 1.9",
)


def test_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SKLEARNX_DATA", str(tmp_path))
    file = tmp_path / "figures.json"
    arguments = ["--quick", "--peers", "scikit-learn", "--json", str(file)]
    assert linear.main(arguments) == 0
    figures = json.loads(file.read_text())
    made = [case.title for case in linear.ALL_CASES if case.table is None]
    assert list(dict.fromkeys(row["work"] for row in figures["fits"])) == made
    for row in figures["fits"]:
        if row["peer"] == "-":
            assert row["ours s"] > 0
            continue
        assert row["peer"].startswith("scikit-learn")
        assert row["ratio"] > 0
        # Both converged to the same, unless they took the rows in other orders.
        limit = 0.5 if row["work"].startswith("SGD") else 1e-2
        assert abs(float(row["excess"])) < limit, row
        assert (row["ok"] == "-") == (row["bar"] is None)
    predicted = {row["class"] for row in figures["predictions"]}
    assert predicted == set(ESTIMATORS)
    output = capsys.readouterr().out
    assert "newsgroups is left out: there is no newsgroups20." in output
    assert "2 threads" in output


def test_one_case_without_peers(capsys):
    arguments = ["--quick", "--only", "ridge", "--peers", "none", "--repeats", "1"]
    assert linear.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("Ridge,") for line in lines) == 1
    assert "Predictions" not in lines


def test_each_case_begins_with_ours():
    names = [case.name for case in linear.ALL_CASES]
    assert len(set(names)) == len(names)
    for case in linear.ALL_CASES:
        assert case.entries[0].library == OURS
        entries = [entry.name for entry in case.entries]
        assert len(set(entries)) == len(entries)


@pytest.mark.parametrize(
    "ratio, excess, bar, expected",
    [
        (0.5, 0.0, None, "-"),
        (0.5, 1e-9, 0.5, "yes"),
        (0.5, -1.0, 0.5, "yes"),
        (0.51, 0.0, 0.5, "no"),
        (0.1, 1e-7, 0.5, "no"),
    ],
)
def test_judge(ratio, excess, bar, expected):
    assert linear.judge(ratio, excess, bar) == expected


def _make_data(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    score = X @ [1.0, -0.5, 0.0, 0.2]
    targets = {
        "number": score + rng.normal(size=80),
        "class": (score + rng.normal(size=80) > 0).astype(int),
        "classes": np.digitize(score + rng.normal(size=80), [-1, 1]),
        "count": rng.poisson(np.exp(score)).astype(float),
    }
    return Data(X, targets[kind])


def test_bound_of_the_lasso_is_reached():
    data = _make_data("number")
    model = LassoCV(alphas=[0.1], cv=3, tol=1e-14).fit(data.X, data.y)
    assert objectives.compare_lasso_with_bound(data, model) == pytest.approx(1, 1e-10)
    model.coef_ = model.coef_ + 0.01
    assert objectives.compare_lasso_with_bound(data, model) > 1 + 1e-6


@pytest.mark.parametrize(
    "estimator, kind, objective",
    [
        (
            Lasso(alpha=0.1, tol=1e-12),
            "number",
            lambda data, model: objectives.squared_error(data, model, l1=0.1),
        ),
        (
            LogisticRegression(C=0.3, tol=1e-10),
            "class",
            lambda data, model: objectives.log_loss(data, model, C=0.3),
        ),
        (
            LogisticRegression(C=0.3, tol=1e-10),
            "classes",
            lambda data, model: objectives.log_loss(data, model, C=0.3),
        ),
        (
            LogisticRegression(
                C=0.3, l1_ratio=1, solver="saga", tol=1e-10, max_iter=10_000
            ),
            "class",
            lambda data, model: objectives.log_loss(data, model, C=0.3, l1_ratio=1),
        ),
        (
            PoissonRegressor(alpha=0.1, tol=1e-10),
            "count",
            lambda data, model: objectives.poisson(data, model, alpha=0.1),
        ),
        (
            HuberRegressor(alpha=0.1, tol=1e-10, max_iter=1000),
            "number",
            lambda data, model: objectives.huber(data, model, 1.35, alpha=0.1),
        ),
        (
            QuantileRegressor(quantile=0.3, alpha=0.01),
            "number",
            lambda data, model: objectives.pinball(data, model, 0.3, alpha=0.01),
        ),
    ],
)
def test_objectives_are_least_at_the_fitted_model(estimator, kind, objective):
    data = _make_data(kind)
    model = estimator.fit(data.X, data.y)
    least = objective(data, model)
    rng = np.random.default_rng(1)
    coef = np.array(model.coef_)
    for _ in range(20):
        model.coef_ = coef + 1e-2 * rng.normal(size=coef.shape)
        assert objective(data, model) > least
