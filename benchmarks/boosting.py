"""Gradient boosting: speed, accuracy, growth with size, manners on a busy machine.

``python -m benchmarks boosting`` runs the parts speed and accuracy, ``--part`` others;
``--quick`` a small version of each in under a minute. Take times on an idle machine
only: the threads of OpenMP, which the peers use, wait for each other in a loop, so that
one other process can make them ten times slower (``OMP_WAIT_POLICY=PASSIVE`` lessens
that; ``--part busy`` measures it).
"""

import argparse
import json
from pathlib import Path

from benchmarks._accuracy import REFERENCE, measure_accuracy, print_accuracy
from benchmarks._boosters import (
    DISTRIBUTIONS,
    OURS,
    OURS_OF_FEW_ROWS,
    find_boosters,
    is_ours,
)
from benchmarks._busy import measure_busy, print_busy
from benchmarks._cases import CASES
from benchmarks._data import TABLES
from benchmarks._scaling import measure_scaling, print_scaling
from benchmarks._speed import measure_case, print_case, print_summary
from benchmarks._table import find_versions, format_versions

N_QUICK_ROUNDS = 5


def run_speed(options):
    results = []
    for case in CASES:
        if options.cases is not None and case.name not in options.cases:
            continue
        result = measure_case(
            case,
            [*dict.fromkeys([OURS, case.ours]), *options.get_peers("all")],
            n_rounds=N_QUICK_ROUNDS if options.quick else case.n_rounds,
            n_threads=options.threads,
            n_splits=options.splits or (2 if options.quick else 5),
            n_repeats=options.repeats or (1 if options.quick else case.n_repeats),
            is_quick=options.quick,
        )
        if result is not None:
            print_case(result)
            results.append(result)
    print_summary(results, options.quick)
    return results


def run_accuracy(options):
    default = ["adult", "california_housing"] if options.quick else None
    wanted = options.tables or default or [table.name for table in TABLES]
    tables = [table for table in TABLES if table.name in wanted]
    n_rounds, n_splits = (50, 2) if options.quick else (200, 5)
    n_splits = options.splits or n_splits
    names = [OURS, *options.get_peers(REFERENCE)]
    if options.rows is not None:
        names.insert(1, OURS_OF_FEW_ROWS)
    if REFERENCE not in names:
        names.append(REFERENCE)
    rows = measure_accuracy(
        tables, names, n_rounds, n_splits, options.threads, options.rows
    )
    if rows:
        description = f"{n_rounds} rounds of 31 leaves, means of {n_splits} splits"
        if options.rows is not None:
            description += f", {options.rows} rows fitted"
        print_accuracy(rows, description)
    return rows


def run_scaling(options):
    figures = measure_scaling(
        [OURS, *options.get_peers("all")],
        options.threads,
        options.repeats or (1 if options.quick else 3),
        options.quick,
    )
    print_scaling(figures)
    return figures


def run_busy(options):
    figures = measure_busy(
        [OURS, *options.get_peers("all")],
        options.threads,
        options.repeats or (1 if options.quick else 5),
        options.quick,
    )
    print_busy(figures, options.threads)
    return figures


PARTS = {
    "speed": run_speed,
    "accuracy": run_accuracy,
    "scaling": run_scaling,
    "busy": run_busy,
}


class Options(argparse.Namespace):
    def get_peers(self, default):
        """Names of the peers that were asked for, otherwise those of `default`."""
        names = find_boosters([default] if self.peers is None else self.peers)
        return [name for name in names if not is_ours(name)]


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks boosting", description=__doc__.splitlines()[0]
    )
    tables = [table.name for table in TABLES]
    cases = [case.name for case in CASES]
    parser.add_argument("--quick", action="store_true", help="under a minute a part")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument(
        "--part",
        nargs="+",
        choices=list(PARTS),
        default=["speed", "accuracy"],
        metavar="PART",
        help=f"of {', '.join(PARTS)}; default: speed accuracy",
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        metavar="NAME",
        help="beginnings of names, all or none; default: all, of accuracy scikit-learn",
    )
    parser.add_argument(
        "--cases",
        nargs="+",
        choices=cases,
        metavar="CASE",
        help=f"of the speed part: {', '.join(cases)}; default: all",
    )
    parser.add_argument(
        "--tables",
        nargs="+",
        choices=tables,
        metavar="TABLE",
        help=f"of the accuracy part: {', '.join(tables)}; default: all",
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, help="turns, of the speed part a split")
    parser.add_argument("--splits", type=int, help="of the parts speed and accuracy")
    parser.add_argument(
        "--rows",
        type=int,
        help="of the accuracy part: fit so many rows, and our settings for few as well",
    )
    options = parser.parse_args(arguments, namespace=Options())
    try:
        options.get_peers("all")
    except ValueError as error:
        parser.error(str(error))
    return options


def main(arguments):
    options = parse_arguments(arguments)
    versions = find_versions(DISTRIBUTIONS)
    print(format_versions(versions))
    figures = {"versions": versions, "threads": options.threads}
    for part in options.part:
        figures[part] = PARTS[part](options)
        if options.json:
            # After each part, so that an interrupted run keeps what it has measured.
            options.json.write_text(json.dumps(figures, indent=1))
    return 0
