"""Encoders of categories: time beside scikit-learn's.

``python -m benchmarks encoders`` encodes made categories of few and of many levels, in
turns with `sklearn.preprocessing.TargetEncoder`.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.preprocessing import TargetEncoder

from benchmarks._table import find_versions, format_table, format_versions
from benchmarks._timing import compute_ratio, run_interleaved
from sklearnx.preprocessing import OrderedTargetEncoder

N_COLUMNS = 5


def make_frame(n_rows, n_levels, kind):
    """Columns of text, of pandas' categories or of integers, and a binary target."""
    rng = np.random.default_rng(0)
    codes = rng.integers(n_levels, size=(n_rows, N_COLUMNS))
    frame = pd.DataFrame(codes, columns=[f"c{i}" for i in range(N_COLUMNS)])
    if kind != "integers":
        frame = frame.map("level {}".format)
    if kind == "categories":
        frame = frame.astype("category")
    return frame, rng.integers(2, size=n_rows)


def measure(n_rows, n_threads, n_repeats):
    rows = []
    for kind in ("text", "categories", "integers"):
        for n_levels in (10, 10_000):
            X, y = make_frame(n_rows, n_levels, kind)
            ours = OrderedTargetEncoder(random_state=0, n_jobs=n_threads).fit(X, y)
            theirs = TargetEncoder().fit(X, y)
            for method, arguments in (("fit_transform", (X, y)), ("transform", (X,))):
                _, seconds = run_interleaved(
                    {
                        "ours": partial(getattr(ours, method), *arguments),
                        "theirs": partial(getattr(theirs, method), *arguments),
                    },
                    n_repeats,
                )
                rows.append(
                    {
                        "columns": kind,
                        "levels": n_levels,
                        "method": method,
                        "sklearnx s": float(np.median(seconds["ours"])),
                        "scikit-learn s": float(np.median(seconds["theirs"])),
                        "ratio": compute_ratio(seconds["ours"], seconds["theirs"]),
                    }
                )
    return rows


def main(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks encoders", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--quick", action="store_true", help="few rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args(arguments)
    versions = find_versions(["sklearnx", "numpy", "pandas", "scikit-learn"])
    print(format_versions(versions))
    n_rows = 2_000 if options.quick else 200_000
    rows = measure(n_rows, options.threads, options.repeats)
    print(f"\n{n_rows:,} rows, {N_COLUMNS} columns, two classes")
    print(format_table(rows))
    if options.json:
        options.json.write_text(json.dumps({"versions": versions, "rows": rows}))
    return 0
