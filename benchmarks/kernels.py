"""Speed of each compiled stage of boosting as a share of what one core can do at most.

Each stage is called through its Python door, on made data. Its limit is the speed of a
small C program (_limits.c) that does only what the stage cannot avoid, on the same data
and in turns with it; needs a C compiler ($CC, cc, gcc or clang).
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy import sparse

from benchmarks._data import make_events
from benchmarks._limits import NoCompilerError, load_limits, to_pointer
from benchmarks._table import find_versions, format_table, format_versions
from benchmarks._timing import run_interleaved
from sklearnx._boosting.binning import BinMapper
from sklearnx._boosting.encoding import Table
from sklearnx._cython.boosting import (
    binning,
    histogram,
    leaves,
    losses,
    partition,
    splitting,
)
from sklearnx._cython.boosting.growing import TreeGrower
from sklearnx._cython.boosting.matrix import BinnedMatrix
from sklearnx._cython.boosting.quantization import QuantizedGradients

N_BINS = 255
# One feature of that many bins: the door of the search costs as much as some hundreds.
N_BINS_OF_SEARCH = 50_000
# Nodes of few rows: what is left is the work on bins.
N_FEATURES_OF_BINS, N_ROWS_OF_BINS = 256, 512
# Text of documents of about a hundred words.
N_ROWS_OF_TEXT, N_FEATURES_OF_TEXT, DENSITY_OF_TEXT = 1 << 14, 5000, 0.02
# A sparse node has one row of so many.
DENSITY = 16


class Limit:
    """A function of _limits.c with its arguments, and how many items it works on."""

    def __init__(self, n_items, name, *arguments):
        self.n_items = n_items
        self.name = name
        self.arguments = arguments

    def bind(self, library):
        function = getattr(library, self.name)
        function.restype = None  # nobody reads the results
        return partial(function, *map(to_pointer, self.arguments))


@dataclass(frozen=True)
class Stage:
    """A stage, what it works through, and what bounds it.

    Attributes
    ----------
    name, unit : str
    n_items : int
        Units that a call works through.
    call : callable
    bound : str
        What the limits do, in words.
    limits : list of Limit
        The one that takes longest for an item is the limit.
    """

    name: str
    unit: str
    n_items: int
    call: Callable
    bound: str
    limits: list


class Problem:
    """Made data and what a round makes of it, for the stages to work on."""

    def __init__(self, n_rows):
        self.n_rows = n_rows
        X, y = make_events(n_rows)
        self.X, self.y = X, y.astype(float)
        self.columns = np.ascontiguousarray(X.T)
        edges = binning.find_edges(self.columns, None, N_BINS)
        self.n_bins = np.array([len(inner) + 1 for inner in edges], dtype=np.int32)
        self.edges = np.concatenate([np.append(e, [np.inf, np.inf]) for e in edges])
        n_features = X.shape[1]
        self.features = np.arange(n_features, dtype=np.int32)
        self.matrix = BinnedMatrix(n_rows, self.n_bins, np.zeros(n_features, np.uint8))
        self.map_values()
        counts = binning.count_codes(self.matrix, 1)
        binning.fill_rows(self.matrix, counts, 1)
        self.raw = np.random.default_rng(0).normal(scale=0.5, size=(1, n_rows))
        self.gradients = np.empty_like(self.raw)
        self.hessians = np.empty_like(self.raw)
        self.compute_gradients()
        self.quantized = QuantizedGradients(n_rows)
        self.quantize()
        self.rows = np.arange(n_rows, dtype=np.uint32)
        self.grower = TreeGrower(self.matrix, self.edges)
        self.grower.grow(self.quantized, 0)

    def map_values(self):
        binning.map_values(self.matrix, self.X, None, self.features, self.edges, 1)

    def compute_gradients(self):
        losses.compute_gradients(
            "log_loss", self.y, self.raw, self.gradients, self.hessians
        )

    def quantize(self):
        self.quantized.quantize(self.gradients[0], self.hessians[0], 1)

    def quantize_gradients(self):
        losses.quantize_gradients(
            "log_loss", self.y, self.raw, [self.quantized], has_hessians=True
        )


def make_stages(n_rows):
    """All stages, on `n_rows` rows of 28 columns."""
    problem = Problem(n_rows)
    return [
        *make_binning_stages(problem),
        *make_gradient_stages(problem),
        *make_row_stages(problem),
        *make_sparse_stages(),
        *make_bin_stages(),
        *make_leaf_stages(problem),
    ]


def make_binning_stages(problem):
    columns = problem.columns
    values = columns.view(np.uint32)
    codes = np.empty(columns.shape, dtype=np.uint8)
    edges = np.linspace(-1, 1, 256, dtype=np.float32)
    places = np.random.default_rng(0).integers(256, size=1 << 12, dtype=np.uint8)
    tables = (columns, values, columns.size, places, edges)
    return [
        Stage(
            "quantile binning",
            "value",
            columns.size,
            partial(binning.find_edges, columns, None, N_BINS),
            "one count of each value",
            [Limit(values.size, "count_values", values, values.size)],
        ),
        Stage(
            "mapping to codes",
            "value",
            columns.size,
            problem.map_values,
            "a place looked up, one comparison",
            [Limit(columns.size, "look_up", *tables, codes)],
        ),
    ]


def make_gradient_stages(problem):
    y, raw, n_rows = problem.y, problem.raw[0], problem.n_rows
    first, second = np.empty(n_rows), np.empty(n_rows)
    gradients, hessians = problem.gradients[0], problem.hessians[0]
    divide = Limit(n_rows, "divide", y, raw, first, second, n_rows)
    scale = Limit(n_rows, "scale_values", gradients, hessians, n_rows, first, second)
    return [
        Stage(
            "gradients (log loss)",
            "row",
            n_rows,
            problem.compute_gradients,
            "one division, 32 bytes",
            [divide],
        ),
        Stage(
            "fixed point",
            "row",
            n_rows,
            problem.quantize,
            "gradients read, 16 bytes written",
            [scale],
        ),
        Stage(
            "gradients in fixed point",
            "row",
            n_rows,
            problem.quantize_gradients,
            "one division, 32 bytes",
            [divide],
        ),
    ]


def make_row_stages(problem):
    """Partition and histograms, of all rows and of few."""
    matrix, quantized, n_rows = problem.matrix, problem.quantized, problem.n_rows
    rng = np.random.default_rng(0)
    some = np.flatnonzero(rng.random(n_rows) < 1 / DENSITY).astype(np.uint32)
    block, words = matrix.blocks[0], quantized.words
    stride, n_columns = block.shape[1], matrix.n_features
    table = np.zeros(8 * 256, dtype=np.int64)
    # An angle, whose values fall on either side at random.
    feature = 6
    goes_left = (np.arange(matrix.n_bins[feature] + 1) < 128).astype(np.uint8)
    moved = np.empty_like(problem.rows)

    def split(rows):
        moved[: len(rows)] = rows
        partition.split(matrix, feature, goes_left, moved[: len(rows)])

    def make_partition(name, rows):
        codes = matrix.column(feature)
        return Stage(
            name,
            "row",
            len(rows),
            partial(split, rows),
            "a code fetched, a row number read and written",
            [Limit(len(rows), "gather_codes", rows, codes, len(rows), moved)],
        )

    def make_histogram(name, rows, bound, *more):
        n_updates = len(rows) * n_columns
        arguments = (block, stride, words, len(rows), table)
        return Stage(
            name,
            "update",
            n_updates,
            partial(histogram.build, matrix, quantized, rows),
            bound,
            [Limit(n_updates, "add_to_table", *arguments), *more],
        )

    fetched = Limit(
        len(some) * n_columns, "gather_rows", some, len(some), block, stride, words
    )
    return [
        make_partition("partition, all rows", problem.rows),
        make_partition(f"partition, 1 row of {DENSITY}", some),
        make_histogram(
            "histogram, all rows",
            problem.rows,
            "a word in the nearest cache read, added to and written",
        ),
        make_histogram(
            f"histogram, 1 row of {DENSITY}",
            some,
            "the same, or rows fetched",
            fetched,
        ),
    ]


def make_sparse_stages():
    """Text, as it were: many features, of which a row has few."""
    rng = np.random.default_rng(0)
    n_rows, n_features = N_ROWS_OF_TEXT, N_FEATURES_OF_TEXT
    text = sparse.random(
        n_rows, n_features, DENSITY_OF_TEXT, format="csc", random_state=0
    )
    matrix = BinMapper().fit_transform(Table(n_rows, n_features, matrix=text))
    quantized = make_random_gradients(rng, n_rows)
    n_entries = len(matrix.entry_rows)
    n_bins = int(matrix.offsets[-1])
    bins = np.zeros(3 * n_bins, dtype=np.int64)
    places = rng.integers(n_bins, size=n_entries).astype(np.uint32)
    return [
        Stage(
            "histogram, sparse entries",
            "entry",
            n_entries,
            partial(
                histogram.build, matrix, quantized, np.arange(n_rows, dtype=np.uint32)
            ),
            "a bin read, added to and written",
            [Limit(n_entries, "add_to_bins", places, n_entries, bins)],
        )
    ]


def make_bin_stages():
    """What is done to bins, where there are few rows or none."""
    rng = np.random.default_rng(0)
    matrix, quantized = make_random_codes(rng)
    grower = TreeGrower(matrix, np.zeros(matrix.offsets[-1]), min_samples_leaf=1)
    rows = np.arange(N_ROWS_OF_BINS, dtype=np.uint32)
    # The children of every split but the last are searched.
    n_splits = len(grower.grow(quantized, 0, rows)[0]) // 2 - 1
    n_bins = int(matrix.offsets[-1])
    words = rng.integers(2**50, size=n_bins)
    bins, larger = np.zeros((2, 3 * n_bins), dtype=np.int64)
    one_feature = BinnedMatrix(1, [N_BINS_OF_SEARCH], np.zeros(1, np.uint8))
    sums = np.zeros(N_BINS_OF_SEARCH + 1, dtype=histogram.HIST_BIN_DTYPE)
    sums["sum_gradients"] = rng.integers(-(2**11), 2**11, size=len(sums))
    sums["sum_hessians"] = rng.integers(1, 2**12, size=len(sums))
    sums["n_samples"] = 1
    plain = sums.view(np.int64)
    return [
        Stage(
            "histogram, bins alone",
            "bin",
            n_bins,
            partial(histogram.build, matrix, quantized, rows[:0]),
            "a word unpacked into a bin",
            [Limit(n_bins, "unpack", words, n_bins, bins)],
        ),
        Stage(
            "bins, sibling and search of a split",
            "bin",
            n_bins * n_splits,
            partial(grower.grow, quantized, 0, rows),
            "a word unpacked and subtracted, both bins read",
            [Limit(n_bins, "unpack_and_subtract", words, n_bins, bins, larger)],
        ),
        Stage(
            "split search",
            "bin",
            N_BINS_OF_SEARCH,
            partial(splitting.find, one_feature, sums, 0),
            "a bin read, one division",
            [Limit(N_BINS_OF_SEARCH, "find_largest_quotient", plain, N_BINS_OF_SEARCH)],
        ),
    ]


def make_random_codes(rng):
    """Codes and gradients of so many rows that a word holds a bin, as is usual."""
    n_rows, n_features = 1 << 14, N_FEATURES_OF_BINS
    n_bins = np.full(n_features, N_BINS, dtype=np.int32)
    matrix = BinnedMatrix(n_rows, n_bins, np.zeros(n_features, np.uint8))
    for feature in range(n_features):
        codes = rng.integers(N_BINS, size=n_rows).astype(np.int32)
        binning.map_levels(matrix, codes, feature)
    binning.fill_rows(matrix, binning.count_codes(matrix, 1), 1)
    return matrix, make_random_gradients(rng, n_rows)


def make_random_gradients(rng, n_rows):
    quantized = QuantizedGradients(n_rows)
    quantized.quantize(rng.normal(size=n_rows), rng.uniform(0.1, 0.25, n_rows), 1)
    return quantized


def make_leaf_stages(problem):
    grower, quantized, n_rows = problem.grower, problem.quantized, problem.n_rows
    rows, offsets = np.asarray(grower.leaf_rows), grower.leaf_offsets
    values = np.linspace(-1, 1, len(grower.leaf_nodes))
    raw = problem.raw[0].copy()
    terms = np.zeros((n_rows, 2), dtype=np.int32)
    return [
        Stage(
            "leaf sums",
            "row",
            n_rows,
            partial(leaves.sum_gradients, quantized, rows, offsets),
            "12 bytes read",
            [Limit(n_rows, "sum_terms", rows, terms, n_rows)],
        ),
        Stage(
            "score update",
            "row",
            n_rows,
            partial(grower.add_leaf_values, values, raw),
            "12 bytes read, 8 written",
            [Limit(n_rows, "add_values", rows, n_rows, raw.copy())],
        ),
    ]


def measure_stage(stage, library, n_repeats):
    """Shortest time of an item in the stage and in its limit, in turns.

    Calls last milliseconds, so that some turns of many are not interrupted by anything.

    Parameters
    ----------
    stage : Stage
    library : ctypes.CDLL or None
        None: there are no limits.
    n_repeats : int

    Returns
    -------
    row : dict
        Nanoseconds of an item, and the limit's over the stage's.
    """
    functions = {"stage": stage.call}
    items = {"stage": stage.n_items}
    for limit in stage.limits if library is not None else []:
        functions[limit.name] = limit.bind(library)
        items[limit.name] = limit.n_items
    run_interleaved(functions, 1)  # the first call finds no memory and no cache ready
    _, seconds = run_interleaved(functions, n_repeats)
    best = {name: 1e9 * min(times) / items[name] for name, times in seconds.items()}
    row = {
        "stage": stage.name,
        "item": stage.unit,
        "ns": best["stage"],
        "million / s": 1e3 / best["stage"],
        "limit ns": None,
        "share %": None,
        "limit": stage.bound,
    }
    if len(best) > 1:
        row["limit ns"] = max(best[name] for name in best if name != "stage")
        row["share %"] = 100 * row["limit ns"] / row["ns"]
    return row


def measure_kernels(n_rows, n_repeats):
    """A row for each stage."""
    try:
        library = load_limits()
    except NoCompilerError as error:
        print(f"No limits, only times: {error}.")
        library = None
    return [measure_stage(stage, library, n_repeats) for stage in make_stages(n_rows)]


def main(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks kernels", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--quick", action="store_true", help="a second or two")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--rows", type=int, help="of the made data")
    parser.add_argument("--repeats", type=int, help="turns of each stage and its limit")
    options = parser.parse_args(arguments)
    versions = find_versions(["sklearnx", "numpy"])
    print(format_versions(versions))
    n_rows = options.rows or (20_000 if options.quick else 400_000)
    n_repeats = options.repeats or (3 if options.quick else 21)
    rows = measure_kernels(n_rows, n_repeats)
    print(f"\n{n_rows:,} x 28 float32, one thread; best of {n_repeats} turns")
    print(format_table(rows))
    if options.json:
        figures = {"versions": versions, "n_rows": n_rows, "kernels": rows}
        options.json.write_text(json.dumps(figures, indent=1))
    return 0
