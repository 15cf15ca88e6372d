"""Curves of fit times over rows, columns and threads, drawn from measured figures.

``python -m benchmarks curves FIGURES.json PICTURE`` draws what
``python -m benchmarks boosting --part scaling --json FIGURES.json`` has measured. The
title names the versions and the machine.
"""

import argparse
import json
import textwrap
from pathlib import Path

from benchmarks._scaling import group_timings
from benchmarks._table import format_versions


def draw_curves(figures):
    """A figure of three plots: over rows, over columns, gain by threads."""
    from matplotlib.figure import Figure

    scaling, n_threads = figures["scaling"], figures["threads"]
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    axes = figure.subplots(1, 3)
    _draw(axes[0], scaling["of_rows"], "rows", "ns per row and round", n_threads)
    _draw(
        axes[1], scaling["of_columns"], "columns", "ns per value and round", n_threads
    )
    _draw(axes[2], scaling["of_rows"], "rows", "speed-up", n_threads)
    axes[2].set(ylim=0, ylabel=f"gain by {n_threads} threads over one")
    axes[2].legend(loc="lower left")
    n_rows = scaling["by_columns"][0]["n_rows"]
    n_columns = scaling["by_rows"][0]["n_columns"]
    axes[0].set_title(f"{n_columns} columns, fixed cost of a tree taken off")
    axes[1].set_title(f"{n_rows:,} rows")
    axes[2].set_title(f"{n_columns} columns")
    title = (
        f"{scaling['n_rounds']} rounds of 31 leaves, {n_threads} threads; "
        f"{format_versions(figures['versions'])}"
    )
    figure.suptitle("\n".join(textwrap.wrap(title, 130)), fontsize="small")
    return figure


def _draw(ax, rows, x, y, n_threads):
    rows = [row for row in rows if row.get("is_large", True)]
    for (library, threads), group in group_timings(rows).items():
        if threads == n_threads:
            ax.plot(
                [row[x] for row in group],
                [row[y] for row in group],
                marker="o",
                label=library,
            )
    sizes = sorted({row[x] for row in rows})
    ax.set(xscale="log", xlabel=x, ylabel=y, ylim=(0, None))
    ax.set_xticks(sizes, [format(size, ",") for size in sizes], fontsize="small")
    ax.set_xticks([], minor=True)


def main(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks curves", description=__doc__.splitlines()[0]
    )
    parser.add_argument("figures", type=Path, help="written by --json")
    parser.add_argument("picture", type=Path, help="svg, png or pdf")
    options = parser.parse_args(arguments)
    figures = json.loads(options.figures.read_text())
    if "scaling" not in figures:
        parser.error(f"{options.figures} holds no figures of --part scaling")
    draw_curves(figures).savefig(options.picture, dpi=120)
    return 0
