"""Encodings of categories: held-out losses by the number of rows for a level.

``python -m benchmarks categories`` makes a binary target of two categories, whose
levels have effects of their own, twice as large in half of the rows, and of numbers. It
prints the log loss of each encoding over that of partitions, and the seconds of fits.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._losses import compute_loss
from benchmarks._table import find_versions, format_table, format_versions
from benchmarks._timing import measure
from sklearnx.ensemble import HistGradientBoostingClassifier

N_CATEGORIES = 2
ROWS_PER_LEVEL = (3, 6, 12, 16, 25, 50, 100)
ENCODINGS = ("partition", "ordered_target", "onehot", "auto")
N_ROUNDS = 100


def make_rows(n_rows, rows_per_level, seed):
    """Return a frame and its classes; effects of levels have a variance of 1."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n_rows, 4))
    logit = np.sin(2 * numbers[:, 0]) + numbers[:, 1] * numbers[:, 2] - 1
    columns = {f"x{j}": numbers[:, j] for j in range(4)}
    n_levels = n_rows // 2 // rows_per_level
    for j in range(N_CATEGORIES):
        codes = rng.integers(n_levels, size=n_rows)
        logit += rng.normal(size=n_levels)[codes] * (1 + (numbers[:, 3] > 0))
        columns[f"c{j}"] = pd.Categorical(codes.astype(str))
    y = rng.random(n_rows) < 1 / (1 + np.exp(-logit))
    return pd.DataFrame(columns), y.astype(int)


def fit_once(encoding, X, y, n_threads):
    """Return the loss of the second half of the rows, and the seconds of the fit."""
    model = HistGradientBoostingClassifier(
        max_iter=N_ROUNDS,
        early_stopping=False,
        categorical_encoding=encoding,
        random_state=0,
        n_jobs=n_threads,
    )
    half = len(X) // 2
    fitted, seconds = measure(model.fit, X[:half], y[:half])
    predicted = fitted.predict_proba(X[half:])
    return compute_loss("classification", y[half:], predicted, np.unique(y)), seconds


def measure_rows(n_rows, rows_per_level, options):
    """Return a row of the table: means over the splits."""
    losses, seconds = [], []
    for seed in range(options.splits):
        X, y = make_rows(2 * n_rows, rows_per_level, seed)
        fits = [fit_once(name, X, y, options.threads) for name in ENCODINGS]
        losses.append([loss for loss, _ in fits])
        seconds.append([time for _, time in fits])
    losses = np.array(losses)
    ratios = losses / losses[:, :1]
    row = {"rows a level": rows_per_level, "partition": float(losses[:, 0].mean())}
    for name, of_encoding in zip(ENCODINGS[1:], ratios.T[1:], strict=True):
        row[name] = float(of_encoding.mean())
        error = of_encoding.std(ddof=1) / np.sqrt(len(losses))
        row[f"{name} s.e."] = float(error)
    for name, of_encoding in zip(ENCODINGS, np.transpose(seconds), strict=True):
        row[f"{name} s"] = float(np.median(of_encoding))
    return row


def main(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks categories", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--quick", action="store_true", help="few rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--splits", type=int, default=5)
    options = parser.parse_args(arguments)
    versions = find_versions(["sklearnx", "numpy", "pandas"])
    print(format_versions(versions))
    n_rows = 1_000 if options.quick else 20_000
    rows = [measure_rows(n_rows, each, options) for each in ROWS_PER_LEVEL]
    print(f"\n{n_rows:,} rows to fit, log loss over that of partitions")
    print(format_table(rows))
    if options.json:
        options.json.write_text(json.dumps({"versions": versions, "rows": rows}))
    return 0
