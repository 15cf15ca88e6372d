"""Quality: held-out losses on every real table, against all peers.

``python -m benchmarks quality`` measures two modes. Matched: 200 rounds at a rate of
0.1, all rows of the training part. Stopped: up to 1,500 rounds at a rate of 0.05 until
50 of them brought nothing, judged by the same rows for everyone, best round kept.
Besides, each library keeps its defaults. Figures of peers are kept by version, table
and split (``--cache``), so that a second run measures ours alone; fit times that were
kept were measured at another time, and are marked by a star.
"""

import argparse
import ast
import json
import math
import sys
from pathlib import Path

import numpy as np

from benchmarks._boosters import DISTRIBUTIONS
from benchmarks._data import find_folder
from benchmarks._losses import LOSS_NAMES, compare_losses, compute_loss
from benchmarks._quality_cache import DEFAULT_FILE, FigureCache
from benchmarks._quality_libraries import LIBRARIES, MODES, OURS, Ours
from benchmarks._quality_sets import QUALITY_SETS
from benchmarks._table import find_versions, format_table, format_versions
from benchmarks._timing import measure

N_SPLITS = 5
# What a quick run takes of each part, and how many rounds.
N_QUICK_ROWS, N_QUICK_ROUNDS = 500, 10
# No worse than the best peer by more than this and one standard error.
TOLERANCE = 0.005
SHARE_OF_SETS = 0.9
# Below these peers by so much in the geometric mean, with all tables and without one.
MATCHED_PEERS = ("LightGBM", "scikit-learn")
MATCHED_BAR, MATCHED_BAR_WITHOUT = 0.990, 0.997
WITHOUT = "amazon_employee_access"


# ---- measuring -----------------------------------------------------------------------


def fit_once(library, task, mode, split, n_threads):
    """Return the loss, the seconds of the fit and the rounds of one model."""
    split = split.with_frames(library.prepare)
    fitted, seconds = measure(library.fit, task, mode, split, n_threads)
    test = split.test
    predicted = library.predict(fitted, task, test.X)
    classes = np.unique(split.train.y) if task == "classification" else None
    return {
        "loss": compute_loss(task, test.y, predicted, classes, test.weight),
        "seconds": seconds,
        "n_rounds": int(fitted.n_rounds),
    }


def measure_set(quality_set, mode, libraries, cache, options):
    """Return for each library a figure a split, measured in turns or found."""
    figures = {name: [] for name in libraries}
    digest = quality_set.find_digest()
    splits = quality_set.draw_splits(
        options.splits, mode.patience is not None, options.n_rows
    )
    for index, split in enumerate(splits):
        for name, library in libraries.items():
            keys = (
                f"{name} {library.find_version()}, {options.threads} threads",
                f"{mode}, {options.n_rows or 'all'} rows",
                f"{quality_set.name} {digest}",
                str(index),
            )
            figure = None if isinstance(library, Ours) else cache.find(*keys)
            if figure is None:
                figure = fit_once(
                    library, quality_set.task, mode, split, options.threads
                )
                if not isinstance(library, Ours):
                    cache.keep(figure, *keys)
                figure = {**figure, "is_kept": False}
            else:
                figure = {**figure, "is_kept": True}
            figures[name].append(figure)
        print(f"{quality_set.name}, {mode.name}: split {index} done", file=sys.stderr)
    return figures


# ---- judging -------------------------------------------------------------------------


def get_losses(figures, name):
    return [figure["loss"] for figure in figures[name]]


def find_best_peer(figures):
    """The peer with the smallest mean loss, None if there is no peer."""
    peers = [name for name in figures if is_peer(name)]
    if not peers:
        return None
    return min(peers, key=lambda name: np.mean(get_losses(figures, name)))


def is_peer(name):
    return name in LIBRARIES and not isinstance(LIBRARIES[name], Ours)


def summarize_set(quality_set, figures):
    """A row for each library, compared with the best peer."""
    best = find_best_peer(figures) or OURS
    rows = []
    for name in figures:
        losses = get_losses(figures, name)
        kept = any(figure["is_kept"] for figure in figures[name])
        seconds = np.mean([figure["seconds"] for figure in figures[name]])
        comparison = compare_losses(losses, get_losses(figures, best), TOLERANCE)
        rows.append(
            {
                "table": quality_set.name,
                "library": name,
                "measure": LOSS_NAMES[quality_set.task],
                "mean": float(np.mean(losses)),
                "s.d.": float(np.std(losses, ddof=1)) if len(losses) > 1 else None,
                "ratio": comparison["ratio"],
                "s.e. %": comparison["s.e. %"],
                "ok": comparison["ok"],
                "rounds": float(np.mean([f["n_rounds"] for f in figures[name]])),
                "fit s": f"{seconds:#.4g}{'*' if kept else ''}",
                "losses": losses,
            }
        )
    return rows


def compute_geometric_mean(ratios):
    return math.exp(np.mean(np.log(ratios)))


def compute_ranks(rows_of_sets):
    """Mean rank of each library over the tables, 1 being the smallest loss."""
    ranks = {}
    for rows in rows_of_sets:
        means = np.array([row["mean"] for row in rows])
        for row in rows:
            below, equal = np.sum(means < row["mean"]), np.sum(means == row["mean"])
            ranks.setdefault(row["library"], []).append(below + (equal + 1) / 2)
    return {name: float(np.mean(of_sets)) for name, of_sets in ranks.items()}


def summarize(rows_of_sets):
    """A row for each library, over all tables."""
    ranks = compute_ranks(rows_of_sets)
    summary = []
    for name, rank in ranks.items():
        own = [row for rows in rows_of_sets for row in rows if row["library"] == name]
        summary.append(
            {
                "library": name,
                "mean rank": rank,
                "ratio to best peer": compute_geometric_mean(
                    [row["ratio"] for row in own]
                ),
                "best or close": sum(row["ok"] for row in own),
                "of": len(own),
            }
        )
    return sorted(summary, key=lambda row: row["mean rank"])


def compute_ratio(rows_of_sets, name, peer, without=None):
    """Geometric mean over the tables of a library's loss over a peer's, or None."""
    ratios = []
    for rows in rows_of_sets:
        means = {row["library"]: row["mean"] for row in rows}
        if rows[0]["table"] != without and {name, peer} <= set(means):
            ratios.append(means[name] / means[peer])
    return compute_geometric_mean(ratios) if ratios else None


def judge(mode, rows_of_sets, name):
    """Bars of one of our libraries: what, measured, bar, whether it is met."""
    verdicts = []
    if mode.patience is None:
        for peer in MATCHED_PEERS:
            for without, bar in ((None, MATCHED_BAR), (WITHOUT, MATCHED_BAR_WITHOUT)):
                ratio = compute_ratio(rows_of_sets, name, peer, without)
                if ratio is not None:
                    what = f"loss over {peer}'s"
                    if without is not None:
                        what += f", without {without}"
                    verdicts.append((what, ratio, bar, ratio <= bar))
        return verdicts
    # Ordered by rank.
    summary = summarize(rows_of_sets)
    (own,) = (row for row in summary if row["library"] == name)
    best = next((row for row in summary if is_peer(row["library"])), None)
    if best is None:
        return verdicts
    share = own["best or close"] / own["of"]
    ratio, rank = own["ratio to best peer"], own["mean rank"]
    return [
        ("share of tables best or close", share, SHARE_OF_SETS, share >= SHARE_OF_SETS),
        ("loss over the best peer's of each table", ratio, 1.0, ratio <= 1.0),
        (
            f"mean rank against {best['library']}'s",
            rank,
            best["mean rank"],
            rank <= best["mean rank"],
        ),
    ]


# ---- printing and drawing ------------------------------------------------------------


def print_mode(mode, description, rows_of_sets, names_of_ours):
    print(f"\nQuality, {mode.name}: {description}; ratios to the best peer")
    shown = [
        {
            **{key: value for key, value in row.items() if key != "losses"},
            "ok": "yes" if row["ok"] else "no",
        }
        for rows in rows_of_sets
        for row in rows
    ]
    print(format_table(shown))
    print(f"\n{mode.name}, over {len(rows_of_sets)} tables")
    print(format_table(summarize(rows_of_sets)))
    for name in names_of_ours:
        for what, value, bar, is_met in judge(mode, rows_of_sets, name):
            verdict = "met" if is_met else "NOT met"
            print(f"{name}: {what} {value:.4f}, bar {bar:.4f}: {verdict}")


def describe(mode, n_rows=None):
    parts = [f"{mode.n_rounds} rounds", f"rate {mode.learning_rate}"]
    if mode.patience is not None:
        parts[0] += " at most"
        parts.append(f"patience {mode.patience}")
    if n_rows is not None:
        parts.append(f"{n_rows:,} rows")
    return ", ".join(parts)


def draw(figures):
    """A figure with a plot for each mode: ratios to the best peer, table by table."""
    from matplotlib.figure import Figure

    modes = {name: figures[name] for name in MODES if name in figures}
    figure = Figure(figsize=(6.5 * len(modes), 5), layout="constrained")
    axes = figure.subplots(1, len(modes), squeeze=False)[0]
    for ax, (name, of_mode) in zip(axes, modes.items(), strict=True):
        rows_of_sets = of_mode["tables"]
        tables = [rows[0]["table"] for rows in rows_of_sets]
        libraries = dict.fromkeys(
            row["library"] for rows in rows_of_sets for row in rows
        )
        for library in libraries:
            points = [
                (row["ratio"], place)
                for place, rows in enumerate(rows_of_sets)
                for row in rows
                if row["library"] == library
            ]
            ax.plot(
                *zip(*points),
                "D" if not is_peer(library) else "o",
                label=library,
                alpha=0.8,
            )
        ax.axvline(1.0, color="gray", linewidth=0.8)
        ax.set_yticks(range(len(tables)), tables)
        ax.invert_yaxis()
        ax.grid(axis="y", alpha=0.3)
        ax.set(
            xlabel="loss over the best peer's",
            title=f"{name}: {of_mode['description']}",
        )
    axes[0].legend(fontsize="small")
    figure.suptitle(format_versions(figures["versions"]), fontsize="small")
    return figure


# ---- command -------------------------------------------------------------------------


def parse_variant(text):
    """A name and the parameters of an estimator of ours, from ``NAME={...}``."""
    name, _, options = text.partition("=")
    try:
        options = ast.literal_eval(options)
    except (SyntaxError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not NAME={{'parameter': value, ...}}"
        ) from error
    return name, Ours(**options)


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks quality", description=__doc__.splitlines()[0]
    )
    tables = [quality_set.name for quality_set in QUALITY_SETS]
    peers = [name for name in LIBRARIES if is_peer(name)]
    parser.add_argument("--quick", action="store_true", help="few rows and rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the ratios")
    parser.add_argument(
        "--modes", nargs="+", choices=list(MODES), default=list(MODES), metavar="MODE"
    )
    parser.add_argument(
        "--tables",
        nargs="+",
        choices=tables,
        default=tables,
        metavar="TABLE",
        help=f"of {', '.join(tables)}; default: all",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=peers,
        default=peers,
        metavar="NAME",
        help=f"of {', '.join(peers)}; default: all that are installed",
    )
    parser.add_argument(
        "--variant",
        type=parse_variant,
        action="append",
        default=[],
        metavar="NAME={...}",
        help="ours with other parameters, as a library of its own",
    )
    parser.add_argument("--splits", type=int, default=N_SPLITS)
    parser.add_argument(
        "--rows",
        type=int,
        metavar="N",
        help="fit at most so many rows; default: 100,000",
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--cache",
        type=Path,
        default=DEFAULT_FILE,
        metavar="FILE",
        help="where figures of peers are kept; default: beside this file",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="measure all peers, and keep nothing"
    )
    return parser.parse_args(arguments)


def find_libraries(options, mode):
    """The libraries that can run, ours first; a note for each that cannot."""
    libraries = {OURS: LIBRARIES[OURS], **dict(options.variant)}
    for name in options.peers:
        obstacle = LIBRARIES[name].find_obstacle(mode)
        if obstacle is not None:
            print(f"{name}: {obstacle}, skipped")
        else:
            libraries[name] = LIBRARIES[name]
    return libraries


def main(arguments):
    options = parse_arguments(arguments)
    options.n_rows = N_QUICK_ROWS if options.quick else options.rows
    cache = FigureCache(None if options.fresh or options.quick else options.cache)
    versions = find_versions(DISTRIBUTIONS)
    print(format_versions(versions))
    figures = {"versions": versions, "threads": options.threads}
    for name in options.modes:
        mode = MODES[name]
        if options.quick:
            mode = mode.shortened(N_QUICK_ROUNDS)
        libraries = find_libraries(options, mode)
        rows_of_sets = []
        for quality_set in QUALITY_SETS:
            if quality_set.name not in options.tables:
                continue
            if not quality_set.is_present():
                print(f"{quality_set.name}: not in {find_folder()}, skipped")
                continue
            of_set = measure_set(quality_set, mode, libraries, cache, options)
            rows_of_sets.append(summarize_set(quality_set, of_set))
        if not rows_of_sets:
            continue
        description = describe(mode, options.n_rows)
        figures[name] = {"description": description, "tables": rows_of_sets}
        names_of_ours = [n for n in libraries if not is_peer(n)]
        print_mode(mode, description, rows_of_sets, names_of_ours)
        if options.json:
            options.json.write_text(json.dumps(figures, indent=1))
    if options.picture and any(name in figures for name in MODES):
        draw(figures).savefig(options.picture, dpi=120)
    return 0
