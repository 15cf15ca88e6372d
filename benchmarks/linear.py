"""Linear models: fit times, objectives and predictions beside the peers.

``python -m benchmarks linear`` fits each case in turns, every other turn backwards,
with equal threads. The ratio to a peer is the median of the ratios of each turn; what
is compiled at run time is compiled before. A bar is met if the ratio is, and if our
objective is no higher than the peer's, to 1e-8 of it. Take times on an idle machine
only.
"""

import argparse
import json
import statistics
from pathlib import Path

from benchmarks._data import has_table
from benchmarks._entries import OURS, find_entries, fit_in_turns
from benchmarks._linear_cases import CASES
from benchmarks._linear_libraries import DISTRIBUTIONS, limit_threads
from benchmarks._linear_predicting import measure_predictions
from benchmarks._linear_small import SMALL_CASES
from benchmarks._table import find_versions, format_table, format_versions
from benchmarks._timing import compute_ratio

N_REPEATS, N_QUICK_REPEATS = 7, 2
# Of the peer's objective.
TOLERANCE = 1e-8
PREDICTING = "predict"
ALL_CASES = [*CASES, *SMALL_CASES]


def compute_excess(case, data, own, peer):
    """Our objective over the peer's, relative to it."""
    if case.is_selection:
        value, reference = (case.objective(data, model, peer) for model in (own, peer))
    else:
        value, reference = (case.objective(data, model) for model in (own, peer))
    return (value - reference) / abs(reference)


def judge(ratio, excess, bar):
    """'yes' or 'no', or '-' where there is no bar."""
    if bar is None:
        return "-"
    return "yes" if ratio <= bar and excess <= TOLERANCE else "no"


def measure_case(case, peers, n_threads, n_repeats, is_quick):
    """A row for each peer of a case, or for us alone if there is none."""
    entries = find_entries(case, peers)
    with limit_threads(n_threads):
        # Compiles what is compiled at run time, and reads what is read once.
        fit_in_turns(entries, case.make_data(True), n_threads, 1)
        data = case.make_data(is_quick)
        models, seconds = fit_in_turns(entries, data, n_threads, n_repeats)
    rows = [
        compare(case, data, entry, models, seconds)
        for entry in entries.values()
        if entry.library != OURS
    ]
    if not rows and OURS in entries:
        rows.append(make_row(case, seconds[OURS]))
    return rows


def make_row(case, own_seconds):
    """Our time alone; the columns of a peer are empty."""
    return {
        "work": case.title,
        "ours s": statistics.median(own_seconds),
        "peer": "-",
        "its s": None,
        "ratio": None,
        "bar": None,
        "excess": None,
        "ok": "-",
    }


def compare(case, data, entry, models, seconds):
    """Ours, if it is there, beside one peer."""
    name = entry.name
    row = {
        "work": case.title,
        "ours s": None,
        "peer": name,
        "its s": statistics.median(seconds[name]),
        "ratio": None,
        "bar": entry.bar,
        "excess": None,
        "ok": "-",
    }
    if OURS not in models:
        return row
    ratio = compute_ratio(seconds[OURS], seconds[name])
    excess = compute_excess(case, data, models[OURS], models[name])
    row["ours s"] = statistics.median(seconds[OURS])
    return row | {
        "ratio": ratio,
        "excess": f"{excess:.1e}",
        "ok": judge(ratio, excess, entry.bar),
    }


def measure_cases(options):
    n_repeats = options.repeats or (N_QUICK_REPEATS if options.quick else N_REPEATS)
    rows = []
    for case in ALL_CASES:
        if options.only is not None and case.name not in options.only:
            continue
        if case.table is not None and not has_table(case.table):
            print(f"{case.name} is left out: there is no {case.table}.")
            continue
        rows += measure_case(
            case,
            options.peers,
            options.threads,
            n_repeats * (1 if options.quick else case.n_turns),
            options.quick,
        )
    return rows


def parse_arguments(arguments):
    names = [*(case.name for case in ALL_CASES), PREDICTING]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks linear", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--quick", action="store_true", help="small data")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=names,
        metavar="NAME",
        help=f"of {', '.join(names)}; default: all",
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        metavar="NAME",
        help="beginnings of names, or none; default: all that are installed",
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, help="turns of each case")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse_arguments(arguments)
    versions = find_versions(DISTRIBUTIONS)
    print(format_versions(versions))
    figures = {"versions": versions, "fits": measure_cases(options)}
    if figures["fits"]:
        size = " of small data" if options.quick else ""
        print(f"\nFits{size}, {options.threads} threads")
        print(format_table(figures["fits"]))
    if options.only is None or PREDICTING in options.only:
        figures["predictions"] = measure_predictions(options.threads, options.quick)
    if figures.get("predictions"):
        print("\nPredictions")
        print(format_table(figures["predictions"]))
    if options.json:
        options.json.write_text(json.dumps(figures))
    return 0
