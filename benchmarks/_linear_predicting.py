"""Predictions of linear models: many rows and one, beside scikit-learn's."""

import importlib
import statistics
import time
import warnings
from functools import partial

import numpy as np
import sklearn.linear_model

from benchmarks._linear_libraries import limit_threads
from benchmarks._timing import compute_ratio, run_interleaved

# Our time over scikit-learn's, at most; and microseconds of one row.
BAR, BAR_OF_ONE_ROW = 1.0, 15.0
N_COLUMNS, N_FITTED_ROWS = 50, 400
CALLS_OF_TURN = 200
# Class -> parameters, and what it predicts.
ESTIMATORS = {
    "LinearRegression": ({}, "number"),
    "Ridge": ({}, "number"),
    "RidgeCV": ({}, "number"),
    "RidgeClassifier": ({}, "class"),
    "RidgeClassifierCV": ({}, "class"),
    "Lasso": ({}, "number"),
    "LassoCV": ({"alphas": [0.1, 1.0]}, "number"),
    "ElasticNet": ({}, "number"),
    "ElasticNetCV": ({"alphas": [0.1, 1.0]}, "number"),
    "MultiTaskLasso": ({}, "numbers"),
    "MultiTaskLassoCV": ({"alphas": [0.1, 1.0]}, "numbers"),
    "MultiTaskElasticNet": ({}, "numbers"),
    "MultiTaskElasticNetCV": ({"alphas": [0.1, 1.0]}, "numbers"),
    "LogisticRegression": ({}, "class"),
    "LogisticRegressionCV": ({"Cs": 2}, "class"),
    "PoissonRegressor": ({"alpha": 1.0}, "count"),
    "GammaRegressor": ({"alpha": 1.0}, "count"),
    "TweedieRegressor": ({"alpha": 1.0, "power": 1.5}, "count"),
    "HuberRegressor": ({"max_iter": 1000}, "number"),
    "QuantileRegressor": ({"alpha": 0.1}, "number"),
    "SGDClassifier": ({"loss": "log_loss", "random_state": 0}, "class"),
    "SGDRegressor": ({"random_state": 0}, "number"),
}


def make_targets(X):
    """Targets of each kind from the same columns."""
    rng = np.random.default_rng(1)
    score = X[:, 0] + 0.5 * X[:, 1] + 0.1 * rng.standard_normal(len(X))
    return {
        "number": score,
        "numbers": np.stack([score, -score], axis=1),
        "class": np.digitize(score, [-0.5, 0.5]),
        "count": 1.0 + rng.poisson(np.exp(score)),
    }


def fit_pair(name):
    """Our estimator and scikit-learn's, fitted; None if ours is not there."""
    modules = importlib.import_module("sklearnx.linear_model"), sklearn.linear_model
    if not hasattr(modules[0], name):
        return None
    parameters, target = ESTIMATORS[name]
    X = np.random.default_rng(0).standard_normal((N_FITTED_ROWS, N_COLUMNS))
    y = make_targets(X)[target]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [getattr(module, name)(**parameters).fit(X, y) for module in modules]


def time_one_row(predict, X, n_calls):
    """Microseconds of a call with one row: the median."""
    seconds = []
    for i in range(n_calls):
        row = X[i % len(X)][np.newaxis]
        start = time.perf_counter()
        predict(row)
        seconds.append(time.perf_counter() - start)
    return 1e6 * statistics.median(seconds)


def measure_pair(name, method, models, X, n_repeats):
    """A row for one method of one class."""
    functions = {
        "ours": getattr(models[0], method),
        "theirs": getattr(models[1], method),
    }
    calls = {key: partial(predict, X) for key, predict in functions.items()}
    run_interleaved(calls, 1)
    _, seconds = run_interleaved(calls, n_repeats)
    ratio = compute_ratio(seconds["ours"], seconds["theirs"])
    one_row = {
        key: time_one_row(predict, X, CALLS_OF_TURN)
        for key, predict in functions.items()
    }
    is_met = ratio <= BAR and one_row["ours"] <= BAR_OF_ONE_ROW
    return {
        "class": name,
        "method": method,
        "rows": f"{len(X):,}",
        "ours ms": 1e3 * statistics.median(seconds["ours"]),
        "scikit-learn ms": 1e3 * statistics.median(seconds["theirs"]),
        "ratio": ratio,
        "one row us": one_row["ours"],
        "scikit-learn us": one_row["theirs"],
        "ok": "yes" if is_met else "no",
    }


def measure_predictions(n_threads, is_quick):
    """A row for each method of each class that is there."""
    X = np.random.default_rng(2).standard_normal(
        (1_000 if is_quick else 100_000, N_COLUMNS)
    )
    rows = []
    with limit_threads(n_threads):
        for name in ESTIMATORS:
            models = fit_pair(name)
            if models is None:
                continue
            for method in ("predict", "predict_proba"):
                if hasattr(models[0], method):
                    n_repeats = 3 if is_quick else 15
                    rows.append(measure_pair(name, method, models, X, n_repeats))
    return rows
