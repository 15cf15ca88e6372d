"""Fit times and held-out losses of every library on a case, beside its bar."""

import statistics
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np

from benchmarks._boosters import Settings, find_installed, is_ours
from benchmarks._data import find_folder, has_table
from benchmarks._isolation import fit_isolated, stored
from benchmarks._losses import LOSS_NAMES, compare_losses, compute_loss
from benchmarks._table import format_table
from benchmarks._timing import compute_ratio, measure, order_turn

# Above the best peer's loss by no more than this and one standard error.
LOSS_TOLERANCE = 0.002
# The library that peaks of memory are held against.
MEMORY_REFERENCE = "LightGBM"


@dataclass
class Runner:
    """A library on a number of threads, and what it has been measured to take."""

    name: str
    booster: object
    settings: Settings

    def __post_init__(self):
        self.figures = []  # a dict for each split and turn, in the same order for all
        self.failure = None

    def run(self, split, folder):
        """Fit and judge once; a peer that fails is left out from then on."""
        if self.failure is not None:
            return
        try:
            self.figures.append(
                self._fit(split)
                if folder is None
                else fit_isolated(self.name, self.settings, folder)
            )
        except Exception as error:
            if is_ours(self.name):
                raise
            self.failure = f"{type(error).__name__}: {error}".splitlines()[0]

    def _fit(self, split):
        booster, settings = self.booster, self.settings
        X_train, X_test = booster.prepare(split.X_train, split.X_test)
        model, fit_seconds = measure(
            booster.fit, settings, X_train, split.y_train, split.weight_train
        )
        predicted, predict_seconds = measure(booster.predict, model, settings, X_test)
        loss = compute_loss(
            settings.task,
            split.y_test,
            predicted,
            np.unique(split.y_train) if settings.is_classification else None,
            split.weight_test,
        )
        return {
            "fit_seconds": fit_seconds,
            "predict_seconds": predict_seconds,
            "loss": loss,
            "peak_bytes": None,
        }

    def collect(self, n_repeats):
        """Lists of times, of losses (a split each) and the peak of memory."""
        peaks = [figure["peak_bytes"] for figure in self.figures]
        return {
            "threads": self.settings.n_threads,
            "fit_seconds": [figure["fit_seconds"] for figure in self.figures],
            "predict_seconds": [figure["predict_seconds"] for figure in self.figures],
            "losses": [figure["loss"] for figure in self.figures[::n_repeats]],
            "peak_bytes": None if None in peaks else max(peaks),
        }


def make_runners(case, names, n_rounds, n_threads):
    """Ours on `n_threads`, peers on as many and, if the case says so, on 1 as well."""
    settings = Settings(case.task, n_rounds=n_rounds, n_threads=n_threads)
    runners = []
    for name, booster in find_installed(names).items():
        counts = {n_threads}
        if case.tries_one_thread and not is_ours(name):
            counts.add(1)
        runners += [
            Runner(name, booster, replace(settings, n_threads=count))
            for count in sorted(counts)
        ]
    return runners


def measure_case(case, names, *, n_rounds, n_threads, n_splits, n_repeats, is_quick):
    """Run the libraries in turns on each split.

    Returns
    -------
    result : dict or None
        Figures of each library, ratios and verdicts; None if the data is not there.
    """
    if case.table is not None and not has_table(case.table):
        print(f"{case.name}: {case.table} is not in {find_folder()}, skipped")
        return None
    runners = make_runners(case, names, n_rounds, n_threads)
    is_isolated = case.memory_bar is not None
    turn, shape = 0, None
    for split in case.draw_splits(n_splits, is_quick):
        if shape is None:
            shape = split.X_train.shape
            for runner in runners:
                runner.failure = runner.booster.find_obstacle(split.X_train)
                if runner.failure is None and not is_isolated:
                    runner.booster.warm_up(runner.settings)
        arrays = {
            key: getattr(split, key)
            for key in ("X_train", "y_train", "X_test", "y_test")
        }
        with stored(**arrays) if is_isolated else nullcontext() as folder:
            for _ in range(n_repeats):
                for runner in order_turn(runners, turn):
                    runner.run(split, folder)
                turn += 1
        print(f"{case.name}: {turn} turns done", file=sys.stderr)
    libraries = {}
    for runner in runners:
        if runner.failure is not None:
            print(f"{case.name}: {runner.name} is left out: {runner.failure}")
            continue
        figures = runner.collect(n_repeats)
        before = libraries.get(runner.name)
        if before is None or _median_fit(figures) < _median_fit(before):
            libraries[runner.name] = figures
    return {
        "case": case.name,
        "ours": case.ours,
        "title": case.title,
        "measure": LOSS_NAMES[case.task],
        "n_rows": shape[0],
        "n_columns": shape[1],
        "n_rounds": n_rounds,
        "libraries": libraries,
        **judge(case, libraries),
    }


def _median_fit(figures):
    return statistics.median(figures["fit_seconds"])


def judge(case, libraries):
    """Hold our figures against those of the fastest and of the best peer.

    Returns
    -------
    verdicts : dict
        Empty if there is no peer; otherwise dicts time, loss and, if the case has a bar
        for it, memory: against which peer, by how much, and whether that is within the
        bar.
    """
    peers = {name: figures for name, figures in libraries.items() if not is_ours(name)}
    if not peers or case.ours not in libraries:
        return {}
    ours = libraries[case.ours]
    fastest = min(peers, key=lambda name: _median_fit(peers[name]))
    ratio = compute_ratio(ours["fit_seconds"], peers[fastest]["fit_seconds"])
    best = min(peers, key=lambda name: np.mean(peers[name]["losses"]))
    comparison = compare_losses(ours["losses"], peers[best]["losses"], LOSS_TOLERANCE)
    verdicts = {
        "time": {
            "peer": fastest,
            "ratio": ratio,
            "bar": case.bar,
            "ok": ratio <= case.bar,
        },
        "loss": {"peer": best, **comparison},
    }
    reference = peers.get(MEMORY_REFERENCE)
    if case.memory_bar is not None and reference and reference["peak_bytes"]:
        ratio = ours["peak_bytes"] / reference["peak_bytes"]
        verdicts["memory"] = {
            "peer": MEMORY_REFERENCE,
            "ratio": ratio,
            "bar": case.memory_bar,
            "ok": ratio <= case.memory_bar,
        }
    return verdicts


def print_case(result):
    libraries = result["libraries"]
    ours = libraries[result["ours"]]
    first = next(iter(libraries.values()))
    print(
        f"\n{result['case']}: {result['title']}; {result['n_rows']:,} x "
        f"{result['n_columns']:,} fitted, {result['n_rounds']} rounds, "
        f"{len(first['losses'])} splits, {len(first['fit_seconds'])} fits each"
    )
    rows = []
    for name, figures in libraries.items():
        row = {
            "library": name,
            "threads": figures["threads"],
            "fit s": _median_fit(figures),
            "ours / its": compute_ratio(ours["fit_seconds"], figures["fit_seconds"]),
            "predict s": statistics.median(figures["predict_seconds"]),
            result["measure"]: float(np.mean(figures["losses"])),
        }
        if any(other["peak_bytes"] for other in libraries.values()):
            peak = figures["peak_bytes"]
            row["peak MB"] = None if peak is None else peak / 1e6
        rows.append(row)
    print(format_table(rows))
    for verdict in describe_verdicts(result):
        print(verdict)


def describe_verdicts(result):
    """A line for each bar."""
    lines = []
    for key, what in (("time", "fit time"), ("memory", "peak memory")):
        if key in result:
            verdict = result[key]
            lines.append(
                f"{what} {verdict['ratio']:.3f} of {verdict['peer']}'s, bar "
                f"{verdict['bar']:.2f}: {_say(verdict)}"
            )
    if "loss" in result:
        verdict = result["loss"]
        error = verdict["s.e. %"]
        lines.append(
            f"{result['measure']} {100 * (verdict['ratio'] - 1):+.2f} % against "
            f"{verdict['peer']}'s, bar {100 * LOSS_TOLERANCE:.1f} % and one standard "
            f"error ({'unknown' if error is None else f'{error:.2f} %'}): "
            f"{_say(verdict)}"
        )
    return lines


def _say(verdict):
    return "met" if verdict["ok"] else "NOT met"


def print_summary(results, is_quick):
    """A line for each case."""
    rows = [
        {
            "case": result["case"],
            "ours": result["ours"],
            "fastest peer": result["time"]["peer"],
            "time ratio": result["time"]["ratio"],
            "bar": result["time"]["bar"],
            "time": _say(result["time"]),
            "best peer": result["loss"]["peer"],
            "loss %": 100 * (result["loss"]["ratio"] - 1),
            "loss": _say(result["loss"]),
            "memory": _say(result["memory"]) if "memory" in result else "-",
        }
        for result in results
        if "time" in result
    ]
    if rows:
        print("\nSpeed: ours over the fastest peer, loss against the best peer's")
        if is_quick:
            print("(of a quick run, which is too small for the bars to mean much)")
        print(format_table(rows))
