"""
======================================
From a table to a model that is served
======================================

The whole life of a model on a real table of mixed types: the Adult census, where the
income of a person is to be told from 12 columns, 8 of them categories, 3 with missing
values. A pipeline is cross-validated, tuned, compared with the other libraries that are
installed, drawn, saved, loaded in a fresh process and queried there. Run it with

.. code-block:: bash

    pip install ".[examples]" && python examples/adult_income.py

It takes a minute or two and writes its pictures into the folder that it names.
"""

# %%
# scikit-learn is always there to compare with; LightGBM, XGBoost and CatBoost take part
# if they can be imported.

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import joblib
import matplotlib

matplotlib.use("Agg")  # pictures go to files, a display is not needed

import matplotlib.pyplot as plt
import numpy as np
import sklearn.ensemble
from scipy.stats import loguniform, randint
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.inspection import PartialDependenceDisplay
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import RandomizedSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from sklearnx.datasets import load_adult
from sklearnx.ensemble import HistGradientBoostingClassifier

N_THREADS = joblib.cpu_count()
# The same for every library in the comparison.
N_ROUNDS, LEARNING_RATE, N_LEAVES, N_BINS = 200, 0.1, 31, 255
N_REPEATS = 3


# %%
# The pipeline
# ------------
# Two columns are left out: `fnlwgt` says how many people a row stands for, which is no
# property of the person, and `education_num` is `education` again. The others go to the
# model as they are: it needs no encoder and no imputer.


def make_model(**params):
    model = HistGradientBoostingClassifier(
        random_state=0, n_jobs=N_THREADS, **{"early_stopping": False, **params}
    )
    columns = make_column_transformer(
        ("drop", ["fnlwgt", "education_num"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    return make_pipeline(columns.set_output(transform="pandas"), model)


def compute_scores(y, proba):
    """Return the log loss and the accuracy of probabilities of more than 50K."""
    return log_loss(y, proba), accuracy_score(y == ">50K", proba > 0.5)


def cross_validate_model(X, y):
    scores = cross_validate(
        make_model(), X, y, cv=5, scoring=["neg_log_loss", "accuracy", "roc_auc"]
    )
    print("5 folds of the training rows, default parameters:")
    for label, values in {
        "log loss": -scores["test_neg_log_loss"],
        "accuracy": scores["test_accuracy"],
        "ROC AUC": scores["test_roc_auc"],
        "seconds to fit": scores["fit_time"],
    }.items():
        print(f"  {label:<15} {values.mean():.4f} +- {values.std():.4f}")


# %%
# Tuning
# ------
# A random search, each candidate judged by the log loss of three folds.


def tune_model(X, y):
    step = "histgradientboostingclassifier__"
    search = RandomizedSearchCV(
        make_model(),
        {
            step + "max_iter": randint(100, 400),
            step + "learning_rate": loguniform(0.03, 0.2),
            step + "max_leaf_nodes": randint(10, 50),
            step + "min_samples_leaf": randint(5, 60),
            step + "l2_regularization": loguniform(0.01, 30),
        },
        n_iter=16,
        cv=3,
        scoring="neg_log_loss",
        random_state=0,
    )
    start = time.perf_counter()
    search.fit(X, y)
    seconds = time.perf_counter() - start
    print(f"Tuned by random search, {3 * search.n_iter + 1} fits in {seconds:.1f} s:")
    for name, value in search.best_params_.items():
        print(f"  {name.removeprefix(step):<18} {value:.4g}")
    return search.best_estimator_


# %%
# Comparison
# ----------
# Every library gets the same rows, rounds, leaves, learning rate and threads, and the
# categories in the form in which it handles them natively. Runs are interleaved, so
# that a busy moment of the machine does not fall on one of them alone, and the median
# counts.


def make_contenders():
    """Return name -> (estimator, function that puts X into the form it wants)."""
    shared = {
        "max_iter": N_ROUNDS,
        "learning_rate": LEARNING_RATE,
        "max_leaf_nodes": N_LEAVES,
        "max_bins": N_BINS,
        "early_stopping": False,
        "random_state": 0,
    }
    contenders = {
        "sklearnx": (
            HistGradientBoostingClassifier(**shared, n_jobs=N_THREADS),
            lambda X: X,
        ),
        "scikit-learn": (
            sklearn.ensemble.HistGradientBoostingClassifier(**shared),
            lambda X: X,
        ),
    }
    if find_spec("lightgbm"):
        import lightgbm

        contenders["LightGBM"] = (
            lightgbm.LGBMClassifier(
                n_estimators=N_ROUNDS,
                learning_rate=LEARNING_RATE,
                num_leaves=N_LEAVES,
                max_bin=N_BINS,
                n_jobs=N_THREADS,
                verbose=-1,
            ),
            lambda X: X,
        )
    if find_spec("xgboost"):
        import xgboost

        contenders["XGBoost"] = (
            xgboost.XGBClassifier(
                n_estimators=N_ROUNDS,
                learning_rate=LEARNING_RATE,
                grow_policy="lossguide",
                max_leaves=N_LEAVES,
                max_depth=0,
                max_bin=N_BINS,
                enable_categorical=True,
                n_jobs=N_THREADS,
            ),
            lambda X: X,
        )
    if find_spec("catboost"):
        import catboost

        contenders["CatBoost"] = (
            catboost.CatBoostClassifier(
                n_estimators=N_ROUNDS,
                learning_rate=LEARNING_RATE,
                grow_policy="Lossguide",
                max_leaves=N_LEAVES,
                border_count=N_BINS - 1,
                cat_features=load_adult().categorical_feature_names,
                thread_count=N_THREADS,
                allow_writing_files=False,
                verbose=False,
            ),
            fill_missing_levels,
        )
    return contenders


def fill_missing_levels(X):
    """CatBoost takes categories as strings, none of them missing."""
    X = X.copy()
    for name in X.select_dtypes("category"):
        X[name] = X[name].astype(object).where(X[name].notna(), "missing")
    return X


def compare_with_peers(X_train, y_train, X_test, y_test):
    contenders = make_contenders()
    target = (y_train == ">50K").astype(int)
    fit_times = {name: [] for name in contenders}
    predict_times = {name: [] for name in contenders}
    probabilities = {}
    for _ in range(N_REPEATS):
        for name, (estimator, prepare) in contenders.items():
            X_fit, X_query = prepare(X_train), prepare(X_test)
            start = time.perf_counter()
            model = estimator.fit(X_fit, target)
            fitted = time.perf_counter()
            probabilities[name] = model.predict_proba(X_query)[:, 1]
            predict_times[name].append(time.perf_counter() - fitted)
            fit_times[name].append(fitted - start)
    print(
        f"{N_ROUNDS} rounds of {N_LEAVES} leaves, learning rate {LEARNING_RATE}, "
        f"{N_THREADS} threads, {len(X_train)} rows to fit and {len(X_test)} held out,\n"
        f"median of {N_REPEATS} interleaved runs:"
    )
    print(f"  {'':<14}{'fit s':>8}{'predict s':>11}{'log loss':>10}{'accuracy':>10}")
    for name, proba in probabilities.items():
        loss, accuracy = compute_scores(y_test, proba)
        print(
            f"  {name:<14}{statistics.median(fit_times[name]):8.2f}"
            f"{statistics.median(predict_times[name]):11.3f}"
            f"{loss:10.4f}{accuracy:10.4f}"
        )


# %%
# Serving
# -------
# The saved model is loaded by a process that knows nothing of this one, and asked for
# one row and for all held-out rows. The answers have to be the same to the last bit.


def serve_model(model, X):
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("model.joblib", "rows.joblib", "p")]
        joblib.dump(model, paths[0])
        joblib.dump(X, paths[1])
        size = paths[0].stat().st_size
        command = [sys.executable, Path(__file__).resolve(), "--answer", *paths]
        subprocess.run(list(map(str, command)), check=True)
        answer = joblib.load(paths[2])
    expected = model.predict_proba(X)
    if not (
        np.array_equal(answer["batch"], expected)
        and np.array_equal(answer["one"], expected[:1])
    ):
        raise AssertionError("the loaded model does not predict what the saved one did")
    print(
        f"Saved ({size / 1e6:.2f} MB), loaded in a fresh process and queried there:\n"
        f"  one row      {1e3 * answer['one_seconds']:8.2f} ms, "
        f"P(>50K) = {answer['one'][0, 1]:.4f}\n"
        f"  {len(X)} rows  {1e3 * answer['batch_seconds']:8.2f} ms\n"
        "  all predictions equal those of the saved model, bit for bit"
    )


def answer_queries(model_path, rows_path, answer_path):
    """What the fresh process does."""
    model, X = joblib.load(model_path), joblib.load(rows_path)
    answer = {}
    for name, rows in {"one": X.iloc[:1], "batch": X}.items():
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            answer[name] = model.predict_proba(rows)
            seconds.append(time.perf_counter() - start)
        answer[f"{name}_seconds"] = statistics.median(seconds)
    joblib.dump(answer, answer_path)


# %%
# Pictures
# --------


def draw_learning_curve(model, X_train, y_train, X_test, y_test):
    columns, booster = model[0], clone(model[-1])
    tables = {
        "training rows": (columns.transform(X_train), y_train),
        "held-out rows": (columns.transform(X_test), y_test),
    }
    booster.fit(*tables["training rows"], eval_sets=tables)
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, history in booster.evals_result_.items():
        ax.plot(history["loss"], label=name)
    ax.set(xlabel="rounds", ylabel="log loss", title="Learning curve")
    ax.legend()
    return figure


def draw_importances(model):
    names = model[:-1].get_feature_names_out()
    importances = model[-1].feature_importances_
    order = np.argsort(importances)
    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    bars = ax.barh(names[order], importances[order])
    ax.bar_label(bars, fmt="%.3f", padding=3, fontsize="small")
    ax.margins(x=0.12)
    ax.set(xlabel="share of the total gain", title="Feature importances")
    return figure


def draw_partial_dependence(model, X):
    # Whole numbers would be refused as too coarse for a grid.
    rows = X.sample(1000, random_state=0).astype(
        {"age": "float64", "hours_per_week": "float64"}
    )
    figure, axes = plt.subplots(
        1, 2, figsize=(8, 3.5), sharey=True, layout="constrained"
    )
    PartialDependenceDisplay.from_estimator(
        model, rows, ["age", "hours_per_week"], ax=axes, grid_resolution=40
    )
    axes[0].set_ylabel("mean P(>50K)")
    axes[1].set_ylabel("")
    figure.suptitle("Partial dependence")
    return figure


# %%
# The main job
# ------------


def main(folder):
    start = time.perf_counter()
    adult = load_adult()
    is_train = adult.split == "train"
    X_train, y_train = adult.data[is_train], adult.target[is_train]
    X_test, y_test = adult.data[~is_train], adult.target[~is_train]
    print(
        f"Adult census: {len(adult.data)} rows, {adult.data.shape[1]} columns "
        f"({len(adult.categorical_feature_names)} categorical), "
        f"{int(adult.data.isna().sum().sum())} missing cells\n"
    )
    cross_validate_model(X_train, y_train)
    print()
    model = tune_model(X_train, y_train)
    for label, fitted in {
        "tuned": model,
        "default parameters": make_model().fit(X_train, y_train),
    }.items():
        loss, accuracy = compute_scores(y_test, fitted.predict_proba(X_test)[:, 1])
        print(f"  held-out rows, {label}: log loss {loss:.4f}, accuracy {accuracy:.4f}")
    print()
    compare_with_peers(X_train, y_train, X_test, y_test)
    print()
    serve_model(model, X_test)
    print()

    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in {
        "learning_curve": draw_learning_curve(model, X_train, y_train, X_test, y_test),
        "importances": draw_importances(model),
        "partial_dependence": draw_partial_dependence(model, X_test),
    }.items():
        figure.savefig(folder / f"{name}.png", dpi=120)
    print(f"Pictures are in {folder.resolve()}")
    print(f"Done in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[1])
    parser.add_argument(
        "--output", type=Path, default=Path("adult_income_report"), help="for pictures"
    )
    parser.add_argument("--answer", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        answer_queries(*arguments.answer)
    else:
        main(arguments.output)
