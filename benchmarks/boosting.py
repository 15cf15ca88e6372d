"""Gradient boosting: speed on made data, accuracy on real tables.

``python -m benchmarks boosting`` runs both parts, ``--quick`` a small version of each
in under a minute. Take times on an idle machine only: the threads of OpenMP, which the
peers use, wait for each other in a loop, so that one other process can make them ten
times slower (``OMP_WAIT_POLICY=PASSIVE`` lessens that).
"""

import argparse
import json
import math
import sys
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from benchmarks._boosters import BOOSTERS, DISTRIBUTIONS, Settings
from benchmarks._data import TABLES, find_folder, make_events
from benchmarks._table import find_versions, format_table, format_versions
from benchmarks._timing import compute_ratio, measure, run_interleaved

OURS, REFERENCE = "sklearnx", "scikit-learn"
# No worse than the reference by more than this and one standard error.
TOLERANCE = 0.003


def find_installed(names):
    """The boosters that can run; a note for each that cannot."""
    installed = {}
    for name in names:
        if BOOSTERS[name].is_installed():
            installed[name] = BOOSTERS[name]
        else:
            print(f"{name}: not installed, skipped")
    return installed


def compute_loss(settings, y, predicted, classes=None):
    if settings.is_classification:
        return float(log_loss(y, predicted, labels=classes))
    return float(root_mean_squared_error(y, predicted))


def measure_speed(n_samples, n_rounds, n_threads, n_repeats):
    """Fit and predict times of every library on one numeric problem, in turns."""
    settings = Settings("classification", n_rounds=n_rounds, n_threads=n_threads)
    n_test = n_samples // 4
    X, y = make_events(n_samples + n_test)
    X_train, y_train, X_test, y_test = X[n_test:], y[n_test:], X[:n_test], y[:n_test]
    boosters = find_installed(BOOSTERS)
    fits = {
        name: partial(booster.fit, settings, X_train, y_train)
        for name, booster in boosters.items()
    }
    models, fit_seconds = run_interleaved(fits, n_repeats)
    predicts = {
        name: partial(booster.predict, models[name], settings, X_test)
        for name, booster in boosters.items()
    }
    predicted, predict_seconds = run_interleaved(predicts, n_repeats)
    return [
        {
            "library": name,
            "fit s": min(fit_seconds[name]),
            "fit ratio": compute_ratio(fit_seconds[name], fit_seconds[OURS]),
            "predict s": min(predict_seconds[name]),
            "predict ratio": compute_ratio(
                predict_seconds[name], predict_seconds[OURS]
            ),
            "log loss": compute_loss(settings, y_test, predicted[name]),
        }
        for name in boosters
    ]


def split_rows(table, y, n_splits):
    splitter = (
        StratifiedShuffleSplit if table.task == "classification" else ShuffleSplit
    )
    return splitter(n_splits, test_size=0.25, random_state=0).split(y[:, None], y)


def measure_table(table, boosters, n_rounds, n_splits, n_threads):
    """Held-out losses and fit times of every library on one table, split by split."""
    settings = Settings(table.task, n_rounds=n_rounds, n_threads=n_threads)
    X, y = table.load()
    classes = np.unique(y) if settings.is_classification else None
    losses = {name: [] for name in boosters}
    seconds = {name: [] for name in boosters}
    for train, test in split_rows(table, y, n_splits):
        for name, booster in boosters.items():
            X_train, X_test = booster.prepare(X.iloc[train], X.iloc[test])
            model, duration = measure(booster.fit, settings, X_train, y[train])
            predicted = booster.predict(model, settings, X_test)
            losses[name].append(compute_loss(settings, y[test], predicted, classes))
            seconds[name].append(duration)
    return losses, seconds


def compare_losses(losses, reference_losses):
    """Ratio of the means, standard error of the paired difference, and the verdict."""
    difference = np.subtract(losses, reference_losses)
    reference = float(np.mean(reference_losses))
    error = float(np.std(difference, ddof=1) / math.sqrt(len(difference)))
    return {
        "ratio": float(np.mean(losses)) / reference,
        "s.e. %": 100 * error / reference,
        "ok": bool(np.mean(difference) <= TOLERANCE * reference + error),
        "better": bool(np.mean(difference) < 0),
    }


def measure_accuracy(tables, names, n_rounds, n_splits, n_threads):
    """One row a table and library, each against scikit-learn."""
    boosters = find_installed(names)
    rows = []
    for table in tables:
        if not table.is_present():
            print(f"{table.name}: not in {find_folder()}, skipped")
            continue
        losses, seconds = measure_table(table, boosters, n_rounds, n_splits, n_threads)
        print(f"{table.name}: done", file=sys.stderr)
        for name in boosters:
            comparison = compare_losses(losses[name], losses[REFERENCE])
            rows.append(
                {
                    "table": table.name,
                    "library": name,
                    "measure": "RMSE" if table.task == "regression" else "log loss",
                    "mean": float(np.mean(losses[name])),
                    **comparison,
                    "fit s": float(np.mean(seconds[name])),
                    "fit ratio": compute_ratio(seconds[name], seconds[REFERENCE]),
                    "losses": losses[name],
                }
            )
    return rows


def print_speed(rows, description):
    print(f"\nSpeed: {description}; best of the runs, ratios to {OURS}")
    print(format_table(rows))


def print_accuracy(rows, description):
    print(f"\nAccuracy: {description}; ratios to {REFERENCE}")
    shown = []
    for row in rows:
        cells = {name: cell for name, cell in row.items() if name != "losses"}
        for name in ("ok", "better"):
            cells[name] = "yes" if row[name] else "no"
        if row["library"] == REFERENCE:
            cells.update({"ratio": None, "s.e. %": None, "ok": None, "better": None})
        shown.append(cells)
    print(format_table(shown))
    ours = [row for row in rows if row["library"] == OURS]
    n_ok, n_better = sum(row["ok"] for row in ours), sum(row["better"] for row in ours)
    is_met = n_ok == len(ours) and 2 * n_better > len(ours)
    print(
        f"{OURS}: no worse than {REFERENCE} by more than {TOLERANCE:.1%} and one "
        f"standard error on {n_ok} of {len(ours)}, better on {n_better}: "
        f"{'met' if is_met else 'NOT met'}"
    )


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks boosting", description=__doc__.splitlines()[0]
    )
    names = [table.name for table in TABLES]
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--part", choices=["speed", "accuracy"], help="only this one")
    parser.add_argument("--peers", action="store_true", help="accuracy of all peers")
    parser.add_argument("--tables", nargs="+", choices=names, metavar="TABLE")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, help="turns of the speed part")
    parser.add_argument("--splits", type=int, help="splits of the accuracy part")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse_arguments(arguments)
    versions = find_versions(DISTRIBUTIONS)
    print(format_versions(versions))
    figures = {"versions": versions, "threads": options.threads}
    if options.part != "accuracy":
        n_samples, n_rounds = (50_000, 30) if options.quick else (400_000, 100)
        n_repeats = options.repeats or 3
        rows = measure_speed(n_samples, n_rounds, options.threads, n_repeats)
        description = (
            f"{n_samples:,} x 28 float32, {n_rounds} rounds of 31 leaves, "
            f"{options.threads} threads"
        )
        print_speed(rows, description)
        figures["speed"] = rows
    if options.part != "speed":
        default = ["adult", "california_housing"] if options.quick else None
        wanted = options.tables or default or [table.name for table in TABLES]
        tables = [table for table in TABLES if table.name in wanted]
        n_rounds, n_splits = (50, 2) if options.quick else (200, 5)
        n_splits = options.splits or n_splits
        names = list(BOOSTERS) if options.peers else [OURS, REFERENCE]
        rows = measure_accuracy(tables, names, n_rounds, n_splits, options.threads)
        if rows:
            description = f"{n_rounds} rounds of 31 leaves, means of {n_splits} splits"
            print_accuracy(rows, description)
        figures["accuracy"] = rows
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0
