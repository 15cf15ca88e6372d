"""Prediction: many rows, one row, and two callers at once, beside the peers.

``python -m benchmarks predicting`` fits models of 100 trees of 31 leaves to 28 numeric
columns, in float32, and asks each for probabilities, in turns. Symmetric trees are
compared with CatBoost's. Single rows are also asked of `compile_predictor`, and as a
frame of Adult's 14 columns; a model of 1,000 trees is loaded from its file. Take times
on an idle machine only.
"""

import argparse
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._boosters import (
    BOOSTERS,
    DISTRIBUTIONS,
    OURS,
    Booster,
    Ours,
    Settings,
    make_xgboost,
)
from benchmarks._table import find_versions, format_table, format_versions
from benchmarks._timing import compute_ratio, measure, run_interleaved
from sklearnx.datasets import load_adult
from sklearnx.ensemble import HistGradientBoostingClassifier
from sklearnx.io import load, save

N_COLUMNS = 28
# Of a caller beside another.
BATCH = 1000
# Of one row, to one library after the other. A turn begins with what another library
# has left in the caches, which no service has: few such calls should be among all.
CALLS_OF_TURN = 500
OURS_SYMMETRIC = f"{OURS}, symmetric"
# The time over that of a peer's, at most.
BARS = {
    (OURS, "XGBoost depth 6"): 0.5,
    (OURS, "LightGBM"): 0.12,
    (OURS_SYMMETRIC, "CatBoost symmetric"): 1.0,
}
# Microseconds of one row: median, 99th percentile.
BARS_OF_ONE_ROW = 20.0, 60.0
# Of other ways to ask us for one: median microseconds.
BARS_OF_WAYS = {"tuple": 5.0, "array": 5.0, "dict": 10.0, "frame of Adult": 150.0}
BAR_OF_TWO_CALLERS, BAR_OF_TWO_SINGLE_CALLERS = 1.7, 1.0
# Milliseconds to load so many trees.
BAR_OF_LOADING, N_LOADED_TREES = 20.0, 1000


class DepthwiseXGBoost(Booster):
    """XGBoost as it comes."""

    package = "xgboost"

    def make_model(self, settings, frame=None):
        return make_xgboost(
            settings.task,
            n_estimators=settings.n_rounds,
            max_depth=6,
            learning_rate=settings.learning_rate,
            n_jobs=settings.n_threads,
        )


def find_libraries():
    """The libraries that are installed by name, ours first."""
    libraries = {
        OURS: BOOSTERS[OURS],
        # Symmetric trees have a power of two of leaves.
        OURS_SYMMETRIC: Ours(grow_policy="symmetric", max_depth=5),
        "LightGBM": BOOSTERS["LightGBM"],
        "XGBoost depth 6": DepthwiseXGBoost(),
        "CatBoost symmetric": BOOSTERS["CatBoost symmetric"],
        "scikit-learn": BOOSTERS["scikit-learn"],
    }
    return {name: each for name, each in libraries.items() if each.is_installed()}


def make_data(n_rows):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, N_COLUMNS)).astype(np.float32)
    score = X[:, 0] + X[:, 1] * X[:, 2] + np.sin(3 * X[:, 3])
    return X, (score + rng.normal(size=n_rows) > 0).astype(int)


def measure_many_rows(libraries, models, settings, X, n_repeats):
    """A row for each pair of ours and a peer."""
    _, seconds = run_interleaved(
        {
            name: partial(library.predict, models[name], settings, X)
            for name, library in libraries.items()
        },
        n_repeats,
    )
    rows = []
    for own in (OURS, OURS_SYMMETRIC):
        for peer in libraries:
            if isinstance(libraries[peer], Ours):
                continue
            bar = BARS.get((own, peer))
            ratio = compute_ratio(seconds[own], seconds[peer])
            rows.append(
                {
                    "rows": f"{len(X):,}",
                    "library": own,
                    "ms": 1e3 * float(np.median(seconds[own])),
                    "peer": peer,
                    "its ms": 1e3 * float(np.median(seconds[peer])),
                    "ratio": ratio,
                    "bar": bar,
                    "ok": "-" if bar is None else "yes" if ratio <= bar else "no",
                }
            )
    return rows


def measure_one_row(libraries, models, settings, X, n_calls):
    """Microseconds of a call by library; turns of many calls, as a service has them."""
    seconds = {name: [] for name in libraries}
    for first in range(0, n_calls, CALLS_OF_TURN):
        for name, library in libraries.items():
            for i in range(first, first + CALLS_OF_TURN):
                row = X[i % len(X)][np.newaxis]
                start = time.perf_counter()
                library.predict(models[name], settings, row)
                seconds[name].append(time.perf_counter() - start)
    rows = []
    for name, of_library in seconds.items():
        figures = [1e6 * float(q) for q in np.quantile(of_library, [0.5, 0.99])]
        is_met = all(f <= bar for f, bar in zip(figures, BARS_OF_ONE_ROW, strict=True))
        rows.append(
            {
                "library": name,
                "median us": figures[0],
                "99th percentile us": figures[1],
                "ok": ("yes" if is_met else "no") if name == OURS else "-",
            }
        )
    return rows


def measure_ways(model, X, n_calls):
    """A row for each way to ask us about one row, besides the method and an array."""
    predictor = model.compile_predictor()
    asked = X[np.arange(n_calls) % len(X)]
    names = [f"column {j}" for j in range(N_COLUMNS)]
    named = HistGradientBoostingClassifier(max_iter=model.n_iter_)
    named = named.fit(pd.DataFrame(X, columns=names), model.predict(X))
    by_name = named.compile_predictor()
    adult, income = load_adult(return_X_y=True)
    of_adult = HistGradientBoostingClassifier(max_iter=model.n_iter_)
    of_adult.fit(adult, income)
    rows = {
        "tuple": (predictor, list(map(tuple, asked.tolist()))),
        "array": (predictor, list(asked)),
        "dict": (by_name, [dict(zip(names, row)) for row in asked.tolist()]),
        "frame of Adult": (
            of_adult.predict_proba,
            [adult[i : i + 1] for i in range(min(n_calls, len(adult)))],
        ),
    }
    return [
        {"way": way, **_summarize_calls(*rows[way], bar)}
        for way, bar in BARS_OF_WAYS.items()
    ]


def _summarize_calls(call, rows, bar):
    seconds = []
    for row in rows:
        start = time.perf_counter()
        call(row)
        seconds.append(time.perf_counter() - start)
    median, late = (1e6 * float(q) for q in np.quantile(seconds, [0.5, 0.99]))
    return {
        "median us": median,
        "99th percentile us": late,
        "bar": bar,
        "ok": "yes" if median <= bar else "no",
    }


def measure_loading(X, y, n_trees):
    """Milliseconds to load a model of so many trees, the median of some times."""
    model = HistGradientBoostingClassifier(max_iter=n_trees, early_stopping=False)
    model.fit(X[:20_000], y[:20_000])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save(model, path)
        return 1e3 * float(np.median([measure(load, path)[1] for _ in range(11)]))


def measure_two_callers(ask, seconds):
    """How many more questions two threads get answered than one."""

    def count(_):
        n_calls, stop = 0, time.perf_counter() + seconds
        while time.perf_counter() < stop:
            ask()
            n_calls += 1
        return n_calls

    with ThreadPoolExecutor(2) as pool:
        ratios = []
        for _ in range(5):
            alone = count(0)
            ratios.append(sum(pool.map(count, range(2))) / alone)
    return float(np.median(ratios))


def main(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks predicting", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--quick", action="store_true", help="few rows and trees")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args(arguments)
    versions = find_versions(DISTRIBUTIONS)
    print(format_versions(versions))
    n_rows = 2_000 if options.quick else 100_000
    settings = Settings(
        "classification",
        n_rounds=5 if options.quick else 100,
        n_threads=options.threads,
    )
    X, y = make_data(n_rows)
    libraries = find_libraries()
    models = {name: each.fit(settings, X, y) for name, each in libraries.items()}
    many = measure_many_rows(libraries, models, settings, X, options.repeats)
    print(
        f"\n{settings.n_rounds} trees, {N_COLUMNS} columns, {options.threads} threads"
    )
    print(format_table(many))
    one = measure_one_row(
        libraries, models, settings, X, 50 if options.quick else 2_000
    )
    print("\nOne row")
    print(format_table(one))
    model = models[OURS].set_params(n_jobs=1)
    ways = measure_ways(model, X, 50 if options.quick else 2_000)
    print(f"\nOne row, other ways to ask {OURS}")
    print(format_table(ways))
    seconds = 0.05 if options.quick else 1.0
    row, predictor = tuple(X[0].tolist()), model.compile_predictor()
    callers = {}
    for what, ask, bar in (
        (
            f"{BATCH:,} rows",
            partial(model.predict_proba, X[:BATCH]),
            BAR_OF_TWO_CALLERS,
        ),
        ("one row", partial(predictor, row), BAR_OF_TWO_SINGLE_CALLERS),
    ):
        callers[what] = ratio = measure_two_callers(ask, seconds)
        print(
            f"\nTwo callers with {what} each are answered {ratio:.2f} times as often "
            f"as one, bar {bar}: {'met' if ratio >= bar else 'NOT met'}"
        )
    n_trees = 20 if options.quick else N_LOADED_TREES
    loading = measure_loading(X, y, n_trees)
    verdict = "met" if loading <= BAR_OF_LOADING else "NOT met"
    print(
        f"\n{n_trees:,} trees are loaded in {loading:.1f} ms, bar {BAR_OF_LOADING}: "
        f"{verdict}"
    )
    if options.json:
        figures = {
            "versions": versions,
            "many": many,
            "one": one,
            "ways": ways,
            "callers": callers,
            "loading ms": loading,
        }
        options.json.write_text(json.dumps(figures, indent=1))
    return 0
