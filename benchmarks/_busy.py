"""Fit times beside another process that keeps a core busy, and inside a grid search."""

import os
import statistics
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from sklearn.model_selection import GridSearchCV

from benchmarks._boosters import OURS, Settings, find_installed
from benchmarks._data import make_events
from benchmarks._table import format_table
from benchmarks._timing import compute_ratio, run_interleaved

N_ROWS, N_QUICK_ROWS = 200_000, 3_000
N_ROUNDS, N_QUICK_ROUNDS = 30, 3
N_ROWS_OF_SEARCH, N_QUICK_ROWS_OF_SEARCH = 20_000, 500
GRID = {"learning_rate": [0.05, 0.1, 0.2]}
# With a core busy, two threads take no more of one's time than this.
MAX_RATIO = 1.3


@contextmanager
def busy_core(is_pinned):
    """Another process that spins until the end of the block, on one core if pinned."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        if is_pinned:
            os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def idle_machine():
    yield


def find_loads():
    """What else runs beside the fits: name -> context."""
    loads = {"nothing": idle_machine, "a process": partial(busy_core, False)}
    if hasattr(os, "sched_setaffinity"):
        loads["a process on one core"] = partial(busy_core, True)
    return loads


def measure_fits(names, n_threads, n_repeats, is_quick):
    """Times of a fit on one thread and on `n_threads`, under each load.

    Returns
    -------
    rows : list of dict
        One for each library and load; "ratio" is the median of the pairs.
    """
    boosters = find_installed(names)
    n_rounds = N_QUICK_ROUNDS if is_quick else N_ROUNDS
    settings = Settings("classification", n_rounds=n_rounds)
    X, y = make_events(N_QUICK_ROWS if is_quick else N_ROWS)
    for booster in boosters.values():
        booster.warm_up(settings)
    fits = {
        (name, count): partial(booster.fit, replace(settings, n_threads=count), X, y)
        for name, booster in boosters.items()
        for count in (1, n_threads)
    }
    rows = []
    for load, context in find_loads().items():
        with context():
            _, seconds = run_interleaved(fits, n_repeats)
        rows += [
            {
                "beside": load,
                "library": name,
                "1 thread s": statistics.median(seconds[name, 1]),
                f"{n_threads} threads s": statistics.median(seconds[name, n_threads]),
                "ratio": compute_ratio(seconds[name, n_threads], seconds[name, 1]),
                "fit_seconds": {
                    str(count): seconds[name, count] for count in (1, n_threads)
                },
            }
            for name in boosters
        ]
    return rows


def measure_searches(names, n_jobs, n_repeats, is_quick):
    """Times of a grid search on one process and on `n_jobs`, estimators unset.

    Returns
    -------
    rows : list of dict
        One for each library; "ratio" is the median of the pairs.
    """
    boosters = find_installed(names)
    n_rounds = N_QUICK_ROUNDS if is_quick else 100
    settings = Settings("classification", n_rounds=n_rounds, n_threads=None)
    X, y = make_events(N_QUICK_ROWS_OF_SEARCH if is_quick else N_ROWS_OF_SEARCH)
    searches = {
        (name, count): GridSearchCV(
            booster.make_model(settings), GRID, cv=3, n_jobs=count, refit=False
        )
        for name, booster in boosters.items()
        for count in (1, n_jobs)
    }
    fits = {key: partial(search.fit, X, y) for key, search in searches.items()}
    # Once untimed, which starts the processes and imports the libraries in them.
    run_interleaved(fits, 1)
    _, seconds = run_interleaved(fits, n_repeats)
    return [
        {
            "library": name,
            "1 job s": statistics.median(seconds[name, 1]),
            f"{n_jobs} jobs s": statistics.median(seconds[name, n_jobs]),
            "ratio": compute_ratio(seconds[name, n_jobs], seconds[name, 1]),
            "search_seconds": {
                str(count): seconds[name, count] for count in (1, n_jobs)
            },
        }
        for name in boosters
    ]


def measure_busy(names, n_threads, n_repeats, is_quick):
    return {
        "fits": measure_fits(names, n_threads, n_repeats, is_quick),
        "searches": measure_searches(names, n_threads, n_repeats, is_quick),
    }


def print_busy(figures, n_threads):
    print(f"\nFits of {n_threads} threads over one, beside another process")
    print(format_table([_hide(row, "fit_seconds") for row in figures["fits"]]))
    for row in figures["fits"]:
        if row["library"] == OURS and row["beside"] != "nothing":
            verdict = "met" if row["ratio"] <= MAX_RATIO else "NOT met"
            print(
                f"{OURS} beside {row['beside']}: {row['ratio']:.2f}, bar "
                f"{MAX_RATIO:.1f}: {verdict}"
            )
    print(f"\nGridSearchCV(n_jobs={n_threads}) over n_jobs=1, estimators unset")
    print(format_table([_hide(row, "search_seconds") for row in figures["searches"]]))


def _hide(row, key):
    return {name: cell for name, cell in row.items() if name != key}
