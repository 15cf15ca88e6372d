"""Held-out losses on real tables, each library against scikit-learn's."""

import sys

import numpy as np
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from benchmarks._boosters import OURS, Settings, find_installed
from benchmarks._data import find_folder
from benchmarks._losses import LOSS_NAMES, compare_losses, compute_loss
from benchmarks._table import format_table
from benchmarks._timing import compute_ratio, measure

REFERENCE = "scikit-learn"
# No worse than the reference by more than this and one standard error.
TOLERANCE = 0.003


def split_rows(task, y, n_splits, test_size=0.25):
    splitter = StratifiedShuffleSplit if task == "classification" else ShuffleSplit
    splits = splitter(n_splits, test_size=test_size, random_state=0)
    return splits.split(np.zeros((len(y), 1)), y)


def measure_table(table, boosters, n_rounds, n_splits, n_threads, n_rows=None):
    """Held-out losses and fit times of every library on one table, split by split."""
    settings = Settings(table.task, n_rounds=n_rounds, n_threads=n_threads)
    X, y = table.load()
    classes = np.unique(y) if settings.is_classification else None
    losses = {name: [] for name in boosters}
    seconds = {name: [] for name in boosters}
    for train, test in split_rows(table.task, y, n_splits):
        train = train[:n_rows]
        for name, booster in boosters.items():
            X_train, X_test = booster.prepare(X.iloc[train], X.iloc[test])
            model, duration = measure(booster.fit, settings, X_train, y[train])
            predicted = booster.predict(model, settings, X_test)
            losses[name].append(compute_loss(table.task, y[test], predicted, classes))
            seconds[name].append(duration)
    return losses, seconds


def measure_accuracy(tables, names, n_rounds, n_splits, n_threads, n_rows=None):
    """One row a table and library, each against scikit-learn.

    At most `n_rows` rows are fitted; None means all of a split.
    """
    boosters = find_installed(names)
    rows = []
    for table in tables:
        if not table.is_present():
            print(f"{table.name}: not in {find_folder()}, skipped")
            continue
        losses, seconds = measure_table(
            table, boosters, n_rounds, n_splits, n_threads, n_rows
        )
        print(f"{table.name}: done", file=sys.stderr)
        for name in boosters:
            rows.append(
                {
                    "table": table.name,
                    "library": name,
                    "measure": LOSS_NAMES[table.task],
                    "mean": float(np.mean(losses[name])),
                    **compare_losses(losses[name], losses[REFERENCE], TOLERANCE),
                    "fit s": float(np.mean(seconds[name])),
                    "fit ratio": compute_ratio(seconds[name], seconds[REFERENCE]),
                    "losses": losses[name],
                }
            )
    return rows


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
