"""How fit times grow with rows, with columns and with threads.

The time of a round of n rows is taken to be a + b n. Both come from a line through
fits of few rows and many rounds; a is the fixed cost of a tree. Time per row and round
is what is left without a, over n. It counts all of a fit: binning, too.
"""

import math
import statistics
from dataclasses import replace
from functools import partial

from benchmarks._boosters import OURS, Settings, find_installed
from benchmarks._data import make_columns, make_many_events
from benchmarks._table import format_table
from benchmarks._timing import compute_ratio, fit_line, run_interleaved

SMALL_ROWS = (2_000, 4_000, 8_000, 16_000)
ROWS = (200_000, 500_000, 1_000_000, 2_000_000, 5_000_000)
COLUMNS = (10, 30, 100, 300, 1_000)
ROWS_OF_COLUMNS = 100_000
QUICK_SMALL_ROWS, QUICK_ROWS = (500, 1_000), (5_000, 10_000)
QUICK_COLUMNS, QUICK_ROWS_OF_COLUMNS = (10, 20), 2_000
N_COLUMNS = 28  # of the data that grows by rows
N_ROUNDS, N_QUICK_ROUNDS = 20, 3
# Of fits of few rows: so many that what a fit costs once hardly counts.
N_SMALL_ROUNDS, N_QUICK_SMALL_ROUNDS = 200, 10
# Our bars: growth of the time per row and round from the fewest of ROWS to the most,
# exponent of the growth with columns over the last decade, gain by two threads.
MAX_GROWTH = 1.25
MAX_EXPONENT = 1.05
MIN_SPEEDUP = 1.7


def time_fits(boosters, settings, thread_counts, X, y, n_repeats):
    """Median fit times, in turns.

    Returns
    -------
    rows : list of dict
        One for each library and number of threads, with all its times.
    """
    fits = {
        (name, n_threads): partial(
            booster.fit, replace(settings, n_threads=n_threads), X, y
        )
        for name, booster in boosters.items()
        for n_threads in thread_counts
    }
    _, seconds = run_interleaved(fits, n_repeats)
    return [
        {
            "library": name,
            "threads": n_threads,
            "n_rows": X.shape[0],
            "n_columns": X.shape[1],
            "n_rounds": settings.n_rounds,
            "fit_seconds": seconds[name, n_threads],
            "seconds": statistics.median(seconds[name, n_threads]),
        }
        for name, n_threads in fits
    ]


def measure_scaling(names, n_threads, n_repeats, is_quick):
    """Fit times over rows, columns and threads, and what they say.

    Returns
    -------
    figures : dict
        n_rounds (of few rows others); lists of timings by_rows and by_columns, and of
        what follows from them, of_rows and of_columns.
    """
    boosters = find_installed(names)
    n_rounds = N_QUICK_ROUNDS if is_quick else N_ROUNDS
    settings = Settings("classification", n_rounds=n_rounds, n_threads=n_threads)
    thread_counts = sorted({1, n_threads})
    for booster in boosters.values():
        booster.warm_up(settings)
    small = QUICK_SMALL_ROWS if is_quick else SMALL_ROWS
    large = QUICK_ROWS if is_quick else ROWS
    X, y = make_many_events(max(large))
    by_rows = []
    for n_rows in small:
        n_small_rounds = N_QUICK_SMALL_ROUNDS if is_quick else N_SMALL_ROUNDS
        by_rows += time_fits(
            boosters,
            replace(settings, n_rounds=n_small_rounds),
            thread_counts,
            X[:n_rows],
            y[:n_rows],
            n_repeats,
        )
    for n_rows in large:
        by_rows += time_fits(
            boosters, settings, thread_counts, X[:n_rows], y[:n_rows], n_repeats
        )
    del X, y
    n_rows = QUICK_ROWS_OF_COLUMNS if is_quick else ROWS_OF_COLUMNS
    by_columns = []
    for n_columns in QUICK_COLUMNS if is_quick else COLUMNS:
        X, y = make_columns(n_rows, n_columns)
        by_columns += time_fits(boosters, settings, thread_counts, X, y, n_repeats)
        del X, y
    return {
        "n_rounds": n_rounds,
        "by_rows": by_rows,
        "by_columns": by_columns,
        "of_rows": summarize_rows(by_rows, small),
        "of_columns": summarize_columns(by_columns),
    }


def group_timings(timings):
    """(library, threads) -> its timings, by growing size."""
    groups = {}
    for timing in timings:
        groups.setdefault((timing["library"], timing["threads"]), []).append(timing)
    return groups


def summarize_rows(timings, small):
    """Fixed cost of a tree, time per row and round, and gain by threads."""
    rows = []
    single = {}
    for (library, n_threads), group in group_timings(timings).items():
        few = [timing for timing in group if timing["n_rows"] in small]
        fixed, _ = fit_line(
            [timing["n_rows"] for timing in few],
            [timing["seconds"] / timing["n_rounds"] for timing in few],
        )
        fixed = max(fixed, 0.0)
        for timing in group:
            n_rows = timing["n_rows"]
            if n_threads == 1:
                single[library, n_rows] = timing["fit_seconds"]
            rows.append(
                {
                    "library": library,
                    "threads": n_threads,
                    "rows": n_rows,
                    "rounds": timing["n_rounds"],
                    "is_large": n_rows not in small,
                    "fit s": timing["seconds"],
                    "tree us": 1e6 * fixed,
                    "ns per row and round": 1e9
                    * (timing["seconds"] / timing["n_rounds"] - fixed)
                    / n_rows,
                    "speed-up": compute_ratio(
                        single[library, n_rows], timing["fit_seconds"]
                    ),
                }
            )
    return rows


def summarize_columns(timings):
    """Time per row, column and round, and the exponent from a size to the next."""
    rows = []
    for (library, n_threads), group in group_timings(timings).items():
        before = None
        for timing in group:
            n_values = timing["n_rows"] * timing["n_columns"]
            exponent = None
            if before is not None:
                exponent = math.log(timing["seconds"] / before["seconds"]) / math.log(
                    timing["n_columns"] / before["n_columns"]
                )
            before = timing
            rows.append(
                {
                    "library": library,
                    "threads": n_threads,
                    "columns": timing["n_columns"],
                    "fit s": timing["seconds"],
                    "ns per value and round": 1e9
                    * timing["seconds"]
                    / (n_values * timing["n_rounds"]),
                    "exponent": exponent,
                }
            )
    return rows


def judge_scaling(figures):
    """A line for each bar, of ours on each number of threads."""
    lines = []
    for (_, n_threads), group in group_timings(
        [row for row in figures["of_rows"] if row["library"] == OURS]
    ).items():
        large = [row for row in group if row["is_large"]]
        times = [row["ns per row and round"] for row in large]
        growth = max(times) / times[0]
        lines.append(
            f"{_count(n_threads)}, {large[0]['rows']:,} to {large[-1]['rows']:,} rows: "
            f"time per row and round grows by {growth:.2f}, bar {MAX_GROWTH:.2f}: "
            f"{_say(growth <= MAX_GROWTH)}"
        )
        if n_threads > 1:
            speedup = min(row["speed-up"] for row in large)
            lines.append(
                f"{n_threads} threads over one, the least of these sizes: "
                f"{speedup:.2f}, bar {MIN_SPEEDUP:.1f}: {_say(speedup >= MIN_SPEEDUP)}"
            )
    for (_, n_threads), group in group_timings(
        [row for row in figures["of_columns"] if row["library"] == OURS]
    ).items():
        exponent = group[-1]["exponent"]
        lines.append(
            f"{_count(n_threads)}, {group[-2]['columns']:,} to "
            f"{group[-1]['columns']:,} columns: time grows with the power "
            f"{exponent:.2f} of them, bar {MAX_EXPONENT:.2f}: "
            f"{_say(exponent <= MAX_EXPONENT)}"
        )
    return lines


def _count(n_threads):
    return "1 thread" if n_threads == 1 else f"{n_threads} threads"


def _say(is_met):
    return "met" if is_met else "NOT met"


def print_scaling(figures):
    print(f"\nRows: {N_COLUMNS} columns; the fixed cost of a tree is apart")
    shown = [
        {name: cell for name, cell in row.items() if name != "is_large"}
        for row in figures["of_rows"]
    ]
    print(format_table(shown))
    n_rows = figures["by_columns"][0]["n_rows"]
    print(f"\nColumns: {n_rows:,} rows, {figures['n_rounds']} rounds")
    print(format_table(figures["of_columns"]))
    for line in judge_scaling(figures):
        print(line)
