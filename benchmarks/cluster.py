"""Clustering: fit times, agreement, memory and known labels beside the peers.

``python -m benchmarks cluster`` fits each case in turns, every other turn backwards,
with equal threads. The ratio to a peer is the median of the ratios of each turn. What
peers compile at run time is compiled before; of ours the first call counts, and stands
in a column of its own. A bar is met if the ratio is, and if both have found the same.
Take times on an idle machine only.
"""

import argparse
import json
import statistics
from pathlib import Path

from benchmarks._cluster_cases import CASES
from benchmarks._cluster_libraries import DISTRIBUTIONS
from benchmarks._cluster_scaling import SCALED, measure_memory, measure_scaling
from benchmarks._cluster_sets import TABLE, measure_sets
from benchmarks._data import has_table
from benchmarks._entries import OURS, find_entries, fit_in_turns
from benchmarks._linear_libraries import limit_threads
from benchmarks._table import find_versions, format_table, format_versions
from benchmarks._timing import compute_ratio

N_REPEATS, N_QUICK_REPEATS = 5, 1
MEMORY, SETS = "memory", "sets"
SCALINGS = {f"scaling_{name.lower()}": name for name in SCALED}
PARTS = [*(case.name for case in CASES), MEMORY, *SCALINGS, SETS]


def measure_case(case, peers, n_threads, n_repeats, is_quick):
    """A row for each peer of a case, or for us alone if there is none."""
    entries = find_entries(case, peers)
    if OURS not in entries:
        return []
    with limit_threads(n_threads):
        warmed = {name: entry for name, entry in entries.items() if entry.is_warmed}
        fit_in_turns(warmed, case.make_data(True), n_threads, 1)
        data = case.make_data(is_quick)
        models, seconds = fit_in_turns(entries, data, n_threads, n_repeats)
    if not warmed:
        return [make_row(case, seconds[OURS])]
    return [
        compare(case, data, entry, models, seconds, is_quick)
        for entry in warmed.values()
    ]


def make_row(case, own_seconds):
    """Our time alone; the columns of a peer are empty."""
    return {
        "work": case.title,
        "ours s": statistics.median(own_seconds),
        "first s": own_seconds[0],
        "peer": "-",
        "its s": None,
        "ratio": None,
        "bar": None,
        "found": "-",
        "ok": "-",
    }


def compare(case, data, entry, models, seconds, is_quick):
    """Ours beside one peer."""
    name = entry.name
    ratio = compute_ratio(seconds[OURS], seconds[name])
    found, is_same = case.compare_with(entry)(data, models[OURS], models[name])
    bar = None if is_quick else entry.bar
    return make_row(case, seconds[OURS]) | {
        "peer": name,
        "its s": statistics.median(seconds[name]),
        "ratio": ratio,
        "bar": entry.bar,
        "found": found,
        "ok": judge(ratio, is_same, bar),
    }


def judge(ratio, is_same, bar):
    """'yes' or 'no'; '-' where both found the same and there is no bar."""
    if not is_same:
        return "no"
    if bar is None:
        return "-"
    return "yes" if ratio <= bar else "no"


def measure_cases(options):
    n_repeats = options.repeats or (N_QUICK_REPEATS if options.quick else N_REPEATS)
    rows = []
    for case in CASES:
        if not is_asked(case.name, options):
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


def is_asked(name, options):
    return options.only is None or name in options.only


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks cluster", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--quick", action="store_true", help="small data")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        metavar="NAME",
        help=f"of {', '.join(PARTS)}; default: all",
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


def print_part(title, rows):
    if rows:
        print(f"\n{title}")
        print(format_table(rows), flush=True)


def main(arguments):
    options = parse_arguments(arguments)
    versions = find_versions(DISTRIBUTIONS)
    print(format_versions(versions))
    size = " of small data" if options.quick else ""
    figures = {"versions": versions, "fits": measure_cases(options)}
    print_part(f"Fits{size}, {options.threads} threads", figures["fits"])
    if is_asked(MEMORY, options):
        figures["memory"] = measure_memory(options.threads, options.quick)
        print_part("Peak memory, 20,000 x 10", figures["memory"])
        print("scikit-learn's single linkage is linear, too: the rest is libraries.")
    scaled = [name for part, name in SCALINGS.items() if is_asked(part, options)]
    figures["scaling"] = measure_scaling(scaled, options.threads, options.quick)
    print_part("Growth with rows", figures["scaling"])
    if is_asked(SETS, options):
        measure_labels(options, figures)
    if options.json:
        options.json.write_text(json.dumps(figures))
    return 0


def measure_labels(options, figures):
    if not has_table(TABLE):
        print(f"{SETS} is left out: there is no {TABLE}.")
        return
    with limit_threads(options.threads):
        figures["sets"], figures["below"] = measure_sets(options.threads, options.quick)
    print_part(
        "Adjusted Rand index of the known labels (above scikit-learn's)",
        figures["sets"],
    )
    print("Below scikit-learn's:", ", ".join(figures["below"]) or "none")
