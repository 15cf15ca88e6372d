"""Bundled columns and sparse entries: the codes and sums of columns of their own."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from sklearnx._boosting import binning, bundling
from sklearnx._boosting.binning import BinMapper
from sklearnx._boosting.bundling import (
    NO_ENTRIES,
    Entries,
    bundle_columns,
    find_entries,
    plan_layout,
)
from sklearnx._boosting.encoding import Table
from sklearnx._boosting.growth import GROW_POLICIES
from sklearnx._cython.boosting.binned_predicting import find_binned_leaves
from sklearnx._cython.boosting.binning import (
    count_codes,
    find_edges,
    find_stored_edges,
    map_stored_values,
)
from sklearnx._cython.boosting.bundling import choose_bundles, extract_entries
from sklearnx._cython.boosting.growing import TreeGrower
from sklearnx._cython.boosting.histogram import build
from sklearnx._cython.boosting.matrix import (
    NARROW,
    NONE,
    SPARSE,
    WIDE,
    BinnedMatrix,
    Layout,
    make_plain_layout,
)
from sklearnx._cython.boosting.partition import split
from tests.boosting import oracle
from tests.boosting._helpers import (
    N_THREADS,
    make_codes,
    make_edges,
    make_matrix,
    make_quantized,
)

PACKED_MAX_ROWS = 2**13
PAIR_MAX_ROWS = 2**12
MAX_OPEN_BUNDLES = 64
MAX_SHARED_CODES = 255
COLUMNS_PER_ENTRY = bundling.COLUMNS_PER_ENTRY
COLUMNS_PER_ROW = bundling.COLUMNS_PER_ROW


@pytest.fixture(scope="module", autouse=True)
def cheap_entries():
    """Have entries stored in small tables, too: below a fifth of the rows."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(bundling, "COLUMNS_PER_ENTRY", 5)
        monkeypatch.setattr(bundling, "COLUMNS_PER_ROW", 0)
        monkeypatch.setattr(bundling, "ROWS_PER_CODE", 0)
        yield


# ---- codes that are mostly the same one ----------------------------------------------


def make_rare_codes(rng, n_rows, n_bins, share, defaults=None):
    """Return codes whose default one all but a share of the rows have."""
    if defaults is None:
        defaults = [rng.integers(0, n, endpoint=True) for n in n_bins]
    codes = np.tile(np.asarray(defaults), (n_rows, 1))
    others = make_codes(rng, n_rows, n_bins)
    return np.where(rng.random(codes.shape) < share, others, codes)


def make_exclusive_codes(rng, n_rows, n_bins, share=1.0):
    """Return codes of which at most one in a row is not the default one."""
    codes = make_rare_codes(rng, n_rows, n_bins, 0.0)
    owners = rng.integers(0, len(n_bins), size=n_rows)
    others = make_codes(rng, n_rows, n_bins)
    is_other = owners[:, np.newaxis] == np.arange(len(n_bins))
    is_other &= rng.random((n_rows, 1)) < share
    return np.where(is_other, others, codes)


def make_one_hot(rng, n_rows, n_levels):
    levels = rng.integers(0, n_levels, size=n_rows)
    return (levels[:, np.newaxis] == np.arange(n_levels)).astype(int)


def make_all_storages(rng, n_rows):
    """Return codes of every storage, and the numbers of bins."""
    groups = [
        ([2] * 5, make_one_hot(rng, n_rows, 5)),
        ([5, 255, 300], make_codes(rng, n_rows, [5, 255, 300])),
        ([3, 60, 1, 120, 4], None),
        ([2, 30, 255, 2], make_rare_codes(rng, n_rows, [2, 30, 255, 2], 0.02)),
        ([3], np.full((n_rows, 1), 2)),
        ([40], make_rare_codes(rng, n_rows, [40], 0.4)),
        ([2] * 3, make_one_hot(rng, n_rows, 3)),
        ([6], make_rare_codes(rng, n_rows, [6], 2 / n_rows)),
    ]
    codes = [
        make_exclusive_codes(rng, n_rows, n_bins) if part is None else part
        for n_bins, part in groups
    ]
    n_bins = [n for part, _ in groups for n in part]
    # Neighbours in a bundle are not neighbours in the table.
    order = rng.permutation(len(n_bins))
    return np.hstack(codes)[:, order], np.array(n_bins)[order].tolist()


def make_shared(rng, n_rows):
    """Nothing but shared columns, so that rows are cut into slots."""
    n_bins = [2] * 4 + [9, 80, 1, 30]
    exclusive = make_exclusive_codes(rng, n_rows, n_bins[4:])
    return np.hstack([make_one_hot(rng, n_rows, 4), exclusive]), n_bins


def make_sparse(rng, n_rows):
    """Nothing but entries, few of a feature."""
    n_bins = [2, 255, 17]
    return make_rare_codes(rng, n_rows, n_bins, 0.05), n_bins


def make_many_columns(rng, n_rows):
    """More columns than a block has, of several kinds."""
    n_bins = [2 + 7 * i % 254 for i in range(40)]
    codes = [make_codes(rng, n_rows, n_bins)]
    for _ in range(30):
        codes.append(make_one_hot(rng, n_rows, 3))
        n_bins += [2] * 3
    return np.hstack(codes), n_bins


def make_many_entries(rng, n_rows):
    """So many sparse features that there are several blocks of them."""
    n_bins = [2 + i % 20 for i in range(400)]
    return make_rare_codes(rng, n_rows, n_bins, 0.09), n_bins


TABLES = {
    "all storages": make_all_storages,
    "shared": make_shared,
    "sparse": make_sparse,
    "many columns": make_many_columns,
    "many entries": make_many_entries,
}
over_tables = pytest.mark.parametrize("table", TABLES)


def list_entries(codes, n_bins):
    """Return the entries of codes (n_rows, n_features) as NumPy finds them."""
    features, defaults, rows, others = [], [], [], []
    for feature, (column, n) in enumerate(zip(codes.T, n_bins, strict=True)):
        counts = np.bincount(column, minlength=n + 1)
        entry_rows = np.flatnonzero(column != counts.argmax())
        if n > 255 or len(entry_rows) >= bundling.MAX_SHARE * len(codes):
            continue
        features.append(feature)
        defaults.append(counts.argmax())
        rows.append(entry_rows)
        others.append(column[entry_rows])
    return Entries(
        np.array(features, dtype=np.int64),
        np.array(defaults, dtype=np.int32),
        np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64),
        np.concatenate([*rows, []]).astype(np.uint32),
        np.concatenate([*others, []]).astype(np.uint8),
    )


def find_all(matrix, n_threads=1):
    return find_entries(matrix, count_codes(matrix, n_threads), n_threads)


def bundle(codes, n_bins, is_categorical=None, min_samples=1, n_threads=1):
    """Return the plain and the bundled matrix of codes."""
    plain = make_matrix(codes, n_bins, is_categorical)
    counts = count_codes(plain, n_threads)
    return plain, bundle_columns(
        plain, find_all(plain, n_threads), counts, min_samples, n_threads
    )


def test_columns_that_share_nothing_stay():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 20, size=(1000, 3))
    codes[:, :2] *= rng.random((1000, 2)) < 0.4
    plain, bundled = bundle(codes, [20, 20, 20])
    assert len(find_all(plain).features) == 2
    assert bundled is plain
    np.testing.assert_array_equal(bundled.rows, codes)


def make_sparse_feature(n_rows, rows, codes, n_bins, default):
    """Return a matrix of one sparse feature with the given entries."""
    layout = Layout(
        np.array([SPARSE], dtype=np.uint8),
        np.zeros(1, dtype=np.int32),
        np.array([default], dtype=np.int32),
        np.zeros(1, dtype=np.int32),
    )
    starts = np.array([0, len(rows)], dtype=np.int64)
    entries = starts, np.asarray(rows, np.uint32), np.asarray(codes, np.uint8)
    return BinnedMatrix(n_rows, [n_bins], [False], layout, entries)


def assert_same_entries(one, other):
    for got, expected in zip(one, other, strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)


def check_columns(matrix, codes):
    for feature in matrix.used:
        np.testing.assert_array_equal(matrix.column(feature), codes[:, feature])


# ---- entries -------------------------------------------------------------------------


@pytest.mark.parametrize("n_threads", N_THREADS)
@over_tables
def test_find_entries(table, n_threads):
    codes, n_bins = TABLES[table](np.random.default_rng(0), 3000)
    entries = find_all(make_matrix(codes, n_bins), n_threads)
    assert_same_entries(entries, list_entries(codes, n_bins))
    assert entries.counts.sum() == len(entries.rows)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_extract_entries(n_threads):
    # Of some columns in any order, entries in the first and the last row, all, or none.
    columns = np.array([[7, 1, 7, 7, 2], [7] * 5, [0, 3, 0, 3, 0], [9] * 5, [0] * 5])
    rows, codes = extract_entries(
        columns.astype(np.uint8),
        np.array([3, 0, 4, 2, 1]),
        np.array([9, 7, 1, 3, 7], dtype=np.int32),
        np.array([0, 0, 2, 7, 10, 10]),
        n_threads,
    )
    assert rows.tolist() == [1, 4, 0, 1, 2, 3, 4, 0, 2, 4]
    assert codes.tolist() == [1, 2, 0, 0, 0, 0, 0, 0, 0, 0]
    nothing = extract_entries(
        columns.astype(np.uint8),
        np.array([1]),
        np.array([7], dtype=np.int32),
        np.zeros(2, dtype=np.int64),
        n_threads,
    )
    assert [len(array) for array in nothing] == [0, 0]


def test_take_and_merge():
    rng = np.random.default_rng(0)
    codes, n_bins = make_all_storages(rng, 500)
    entries = list_entries(codes, n_bins)
    n_listed = len(entries.features)
    parts = [entries.of(i) for i in range(n_listed)]
    for places in ([], [n_listed - 1], [0, 2, 5], np.arange(n_listed)):
        places = np.asarray(places, dtype=np.int64)
        some = entries.take(places)
        np.testing.assert_array_equal(some.features, entries.features[places])
        np.testing.assert_array_equal(some.default_codes, entries.default_codes[places])
        np.testing.assert_array_equal(some.counts, entries.counts[places])
        for i, place in enumerate(places):
            for got, expected in zip(some.of(i), parts[place], strict=True):
                np.testing.assert_array_equal(got, expected)
        rest = entries.take(np.setdiff1d(np.arange(n_listed), places))
        assert_same_entries(some.merge(rest), entries)
        assert_same_entries(rest.merge(some), entries)
    assert_same_entries(NO_ENTRIES.merge(entries), entries)
    assert_same_entries(entries.merge(NO_ENTRIES), entries)
    assert_same_entries(NO_ENTRIES.merge(NO_ENTRIES), NO_ENTRIES)


# ---- bundles -------------------------------------------------------------------------


def check_bundles(entries, n_rows, n_codes, order=None):
    """Return the bundles of all features."""
    n_codes = np.asarray(n_codes, dtype=np.int32)
    if order is None:
        order = np.argsort(-entries.counts, kind="stable")
    bundles = choose_bundles(n_rows, entries.starts, entries.rows, n_codes, order)
    assert np.all(bundles[order] >= 0)
    assert np.all(np.delete(bundles, order) == -1)
    numbers = np.unique(bundles[order])
    np.testing.assert_array_equal(numbers, np.arange(len(numbers)))
    for number in numbers:
        members = np.flatnonzero(bundles == number)
        rows = np.concatenate([entries.of(i)[0] for i in members])
        assert len(np.unique(rows)) == len(rows)
        assert n_codes[members].sum() <= MAX_SHARED_CODES
    return bundles


@over_tables
def test_bundles(table):
    n_rows = 2000
    codes, n_bins = TABLES[table](np.random.default_rng(0), n_rows)
    entries = list_entries(codes, n_bins)
    n_codes = np.array(n_bins)[entries.features]
    check_bundles(entries, n_rows, n_codes)
    some = np.arange(0, len(n_codes), 2)
    check_bundles(entries, n_rows, n_codes, some[::-1].copy())
    check_bundles(entries, n_rows, n_codes, some[:0])


@pytest.mark.parametrize("n_levels", [3, 64, 127, 128, 254, 255])
def test_one_hot_columns_are_one_bundle(n_levels):
    codes = make_one_hot(np.random.default_rng(0), 3000, n_levels)
    entries = list_entries(codes, [2] * n_levels)
    bundles = check_bundles(entries, 3000, [2] * n_levels)
    assert bundles.max() == (n_levels - 1) // 127
    _, matrix = bundle(codes, [2] * n_levels)
    check_columns(matrix, codes)


@pytest.mark.parametrize("n_rows", [1, 63, 64, 65, 200])
def test_rows_at_the_ends_of_words(n_rows):
    # A feature for each row: all go together, whatever bit of a word that is.
    entries = list_entries(np.eye(n_rows, dtype=int), [1] * n_rows)
    if n_rows == 1:
        entries = Entries(*(a[:0] for a in entries[:2]), np.zeros(1, int), *entries[3:])
    check_bundles(entries, n_rows, [1] * len(entries.features))
    twice = entries.take(np.repeat(np.arange(len(entries.features)), 2))
    bundles = check_bundles(twice, n_rows, [1] * len(twice.features))
    assert np.all(bundles[::2] != bundles[1::2])


@pytest.mark.parametrize("n_features", [MAX_OPEN_BUNDLES, MAX_OPEN_BUNDLES + 1, 200])
def test_more_bundles_than_are_open(n_features):
    # All meet in row 0. What comes later fits the bundles that are still open.
    n_rows, n_later = 1000, 10
    codes = np.zeros((n_rows, n_features + n_later), dtype=int)
    codes[0, :n_features] = 1
    codes[1 + np.arange(n_features), np.arange(n_features)] = 1
    codes[500 + np.arange(n_later), n_features + np.arange(n_later)] = 1
    n_codes = [2] * codes.shape[1]
    entries = list_entries(codes, n_codes)
    bundles = check_bundles(entries, n_rows, n_codes)
    assert bundles[:n_features].tolist() == list(range(n_features))
    # The first place, where the oldest bundle was.
    assert np.all(
        bundles[n_features:] == (n_features - 1) // MAX_OPEN_BUNDLES * MAX_OPEN_BUNDLES
    )


# ---- layouts -------------------------------------------------------------------------


def test_entries_have_to_save_something(monkeypatch):
    monkeypatch.setattr(bundling, "COLUMNS_PER_ENTRY", COLUMNS_PER_ENTRY)
    monkeypatch.setattr(bundling, "COLUMNS_PER_ROW", COLUMNS_PER_ROW)

    # So many columns, each with a share of entries.
    def store(n_features, n_entries):
        entries = count_out_entries(1600, [n_entries] * n_features)
        # No two of them fit one column.
        n_bins = np.full(n_features, 200, dtype=np.int32)
        plain = make_plain_layout(n_bins)
        return set(plan_layout(1600, n_bins, plain, entries, 5).storage.tolist())

    assert COLUMNS_PER_ENTRY == COLUMNS_PER_ROW == 16
    # An entry in 16 rows takes as long as a column, however many there are.
    assert store(100, 100) == {NARROW}
    # Half a column is saved by each, and 16 of them are lost.
    assert store(32, 50) == {NARROW}
    assert store(33, 50) == {SPARSE}
    # Of few rows, the codes of a column take longer than they do: 1 + 200 / 1600 * 8.
    monkeypatch.setattr(bundling, "ROWS_PER_CODE", 8)
    assert store(2000, 199) == {SPARSE}
    assert store(2000, 200) == {NARROW}


def count_out_entries(n_rows, counts):
    """Return entries of features, each with so many rows after the one before."""
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    rows = np.concatenate(
        [np.sort(np.arange(a, b) % n_rows) for a, b in pairwise(starts)]
    )
    return Entries(
        np.arange(len(counts)),
        np.zeros(len(counts), dtype=np.int32),
        starts,
        rows.astype(np.uint32),
        np.ones(starts[-1], dtype=np.uint8),
    )


# Entries of each feature among 1000 rows, and how these are stored.
@pytest.mark.parametrize(
    "counts, storage, is_shared",
    [
        ([200], [NARROW], [0]),
        ([199], [SPARSE], [0]),
        ([500], [NARROW], [0]),
        ([499, 499], [NARROW] * 2, [1, 1]),
        ([500, 499], [NARROW] * 2, [0, 0]),
        ([100, 100], [NARROW] * 2, [1, 1]),
        ([100, 99], [SPARSE] * 2, [0, 0]),
        ([500, 200, 4, 5], [NARROW, NARROW, NONE, NARROW], [0, 1, 0, 1]),
        ([4, 5], [NONE, SPARSE], [0, 0]),
        ([0], [NONE], [0]),
        # The last is in the way of the second only.
        ([400, 400, 400], [NARROW] * 3, [1, 1, 0]),
    ],
)
def test_plan_layout(counts, storage, is_shared):
    entries = count_out_entries(1000, counts)
    n_bins = np.full(len(counts), 2, dtype=np.int32)
    plain = make_plain_layout(n_bins)
    layout = plan_layout(1000, n_bins, plain, entries, 5)
    assert layout.storage.tolist() == storage
    has_default = np.array(is_shared) | np.isin(storage, [SPARSE, NONE])
    np.testing.assert_array_equal(layout.default_codes >= 0, has_default)
    np.testing.assert_array_equal(layout.first_codes > 0, is_shared)
    # Those of the plain one are still what they were.
    assert_same_entries(plain, make_plain_layout(n_bins))


@over_tables
def test_bundled_columns(table):
    n_rows = 3000
    codes, n_bins = TABLES[table](np.random.default_rng(0), n_rows)
    plain, matrix = bundle(codes, n_bins, min_samples=10)
    check_columns(matrix, codes)
    np.testing.assert_array_equal(matrix.rows, matrix.columns.T)
    np.testing.assert_array_equal(matrix.has_missing, plain.has_missing)
    layout, entries = matrix.layout, list_entries(codes, n_bins)
    rare = entries.features[entries.counts < 10]
    np.testing.assert_array_equal(np.flatnonzero(layout.storage == NONE), rare)
    widths = np.where(layout.storage == NONE, 0, np.array(n_bins) + 1)
    np.testing.assert_array_equal(np.diff(matrix.offsets), widths)
    for feature in rare:
        place = np.searchsorted(entries.features, feature)
        assert np.all(matrix.column(feature) == entries.default_codes[place])
    is_wide = np.array(n_bins) > 255
    np.testing.assert_array_equal(layout.storage == WIDE, is_wide)
    # Columns are numbered by their first features.
    for kind in (NARROW, SPARSE):
        positions = layout.positions[layout.storage == kind]
        firsts = positions[np.sort(np.unique(positions, return_index=True)[1])]
        np.testing.assert_array_equal(firsts, np.arange(len(firsts)))
    kinds = {
        "all storages": {NARROW, WIDE, SPARSE, NONE},
        "sparse": {SPARSE},
        "many entries": {SPARSE},
    }
    assert set(layout.storage.tolist()) == kinds.get(table, {NARROW})
    has_shared = np.any(layout.first_codes > 0)
    assert has_shared == (table not in ("sparse", "many entries"))
    is_shared = np.zeros(len(matrix.columns), dtype=int)
    narrow = layout.storage == NARROW
    is_shared[layout.positions[narrow]] = layout.default_codes[narrow] >= 0
    for column, first, largest in zip(
        matrix.columns, is_shared, matrix.max_counts, strict=True
    ):
        assert np.bincount(column)[first:].max() == largest


# ---- histograms ----------------------------------------------------------------------

WEIGHTS = {
    "none": lambda rng, n: None,
    "integer": lambda rng, n: rng.integers(1, 5, size=n).astype(float),
    "real": lambda rng, n: rng.uniform(0.1, 3, size=n),
    "heavy": lambda rng, n: rng.integers(1, 2**17, size=n).astype(float),
}


def make_gradients(rng, n_rows, weights="none", has_tail=False):
    gradients = rng.normal(size=n_rows)
    if has_tail:  # too heavy for one word
        gradients[0] = 1e9
    return make_quantized(
        gradients, rng.uniform(0.05, 0.25, n_rows), WEIGHTS[weights](rng, n_rows)
    )


def check_histograms(plain, bundled, quantized, rows, threads=N_THREADS):
    rows = np.asarray(rows, dtype=np.uint32)
    expected = build(plain, quantized, rows, 1)
    for n_threads in threads:
        got = build(bundled, quantized, rows, n_threads)
        for feature in bundled.used:
            start, stop = plain.offsets[feature : feature + 2]
            first = bundled.offsets[feature]
            np.testing.assert_array_equal(
                got[first : first + stop - start], expected[start:stop]
            )


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("has_tail", [False, True])
@over_tables
def test_histograms(table, has_tail, weights):
    rng = np.random.default_rng(0)
    n_rows = 9000 if table.startswith("many") else 30_000
    codes, n_bins = TABLES[table](rng, n_rows)
    plain, bundled = bundle(codes, n_bins)
    quantized = make_gradients(rng, n_rows, weights, has_tail)
    n_words = 1 + (has_tail or weights == "heavy")
    assert quantized.words.shape[1] == n_words
    check_histograms(plain, bundled, quantized, np.arange(n_rows))
    for n_some in (0, 1, 100, n_rows // 2):
        some = np.sort(rng.choice(n_rows, n_some, replace=False))
        check_histograms(plain, bundled, quantized, some, (1, 3))


@pytest.mark.parametrize("kind", ["one word", "two words"])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("excess", [-1, 0, 1, 20_000])
def test_full_bins_of_shared_columns(excess, sign, kind):
    # The largest values, in bins that just fit a word, or that have to be flushed; the
    # words of the default code run over in any case.
    n_full = excess + (PACKED_MAX_ROWS if kind == "one word" else PAIR_MAX_ROWS)
    n_rows = 60_000
    gradients = np.full(n_rows, sign * (1 - 2.0**-20))
    if kind == "two words":
        gradients[::1000] *= 1e-6
        gradients[-1] = 2.0**20
    quantized = make_quantized(gradients, np.full(n_rows, 1 - 2.0**-20))
    assert quantized.words.shape[1] == (1 if kind == "one word" else 2)
    codes = np.full((n_rows, 4), [0, 1, 3, 2])
    codes[:n_full, 0] = 3
    codes[n_full : n_full + 500, 1] = 0
    codes[-500:, 2] = 0
    codes[-5000:-1000, 3] = 0
    plain, bundled = bundle(codes, [3, 3, 3, 2])
    assert len(np.unique(bundled.layout.positions)) < 4 or bundled.entry_rows.size
    check_histograms(plain, bundled, quantized, np.arange(n_rows))
    check_histograms(plain, bundled, quantized, np.arange(0, n_rows, 2))


def test_histograms_one_after_the_other():
    # Nothing of the rows of one job is left in the words for the next one: trees.
    rng = np.random.default_rng(0)
    codes, n_bins = make_shared(rng, 20_000)
    plain, bundled = bundle(codes, n_bins)
    trees = [
        TreeGrower(matrix, make_edges(n_bins), max_leaf_nodes=100, n_threads=n_threads)
        for matrix, n_threads in ((plain, 1), (bundled, 1), (bundled, 3))
    ]
    for tree_idx in range(3):
        quantized = make_gradients(rng, 20_000)
        first, *others = (grower.grow(quantized, tree_idx) for grower in trees)
        for other in others:
            assert_same_tree(other, first)


# ---- partitions ----------------------------------------------------------------------


def check_split(matrix, codes, feature, goes_left, rows, n_threads=1):
    got = np.asarray(rows, dtype=np.uint32)
    left = goes_left[codes[got, feature]] == 1
    expected = np.concatenate([got[left], got[~left]])
    assert split(matrix, feature, goes_left.astype(np.uint8), got, n_threads) == sum(
        left
    )
    np.testing.assert_array_equal(got, expected)


def make_splits(rng, n_bins):
    """Yield tables of what goes left: intervals, with others than that, any."""
    codes = np.arange(n_bins + 1)
    missing = codes == n_bins
    cut = rng.integers(0, n_bins, endpoint=True)
    below = (codes <= cut) & ~missing
    yield from (below, below | missing, ~below, ~(below | missing))
    a, b = np.sort(rng.integers(0, n_bins, size=2, endpoint=True))
    inside = (codes >= a) & (codes <= b)
    yield from (inside, ~inside, inside ^ missing, ~(inside ^ missing))
    yield rng.random(n_bins + 1) < 0.5
    yield np.zeros(n_bins + 1, dtype=bool)
    yield np.ones(n_bins + 1, dtype=bool)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_splits(n_threads):
    rng = np.random.default_rng(0)
    n_rows = 20_000
    codes, n_bins = make_all_storages(rng, n_rows)
    _, matrix = bundle(codes, n_bins)
    rows = [np.sort(rng.choice(n_rows, n, replace=False)) for n in (0, 1, 15, 300)]
    rows += [np.arange(n_rows), np.flatnonzero(rng.random(n_rows) < 0.9)]
    for feature in matrix.used:
        for goes_left in make_splits(rng, n_bins[feature]):
            for some in rows:
                check_split(matrix, codes, feature, goes_left, some, n_threads)


def test_all_splits_of_few_codes():
    # All forms that a table of bytes can have: of a column of its own, a shared one,
    # and of entries.
    rng = np.random.default_rng(0)
    n_rows, n_bins = 200, [5] * 5
    codes = np.hstack(
        [
            make_codes(rng, n_rows, [5], 0.2),
            make_exclusive_codes(rng, n_rows, [5, 5, 5]),
            make_rare_codes(rng, n_rows, [5], 0.1),
        ]
    )
    _, matrix = bundle(codes, n_bins)
    assert matrix.layout.storage.tolist() == [NARROW] * 4 + [SPARSE]
    assert np.all(matrix.layout.first_codes[1:4] > 0)
    for feature in range(5):
        for table in np.ndindex(*[2] * 6):
            check_split(matrix, codes, feature, np.array(table), np.arange(n_rows))


@pytest.mark.parametrize("default", [0, 1, 2])
@pytest.mark.parametrize(
    "entry_rows",
    [[], [0], [999], [500, 501], range(1000), range(0, 1000, 7), [0, *range(600, 640)]],
    ids=str,
)
def test_leaps_over_entries(entry_rows, default):
    rng = np.random.default_rng(0)
    others = np.delete(np.arange(3), default)
    entry_codes = rng.choice(others, len(entry_rows))
    matrix = make_sparse_feature(1000, list(entry_rows), entry_codes, 2, default)
    codes = np.full((1000, 1), default)
    codes[list(entry_rows), 0] = entry_codes
    np.testing.assert_array_equal(matrix.column(0), codes[:, 0])
    row_sets = [[], [0], [999], [0, 999], range(1000), range(641, 1000), range(500)]
    row_sets += [np.sort(rng.choice(1000, n, replace=False)) for n in (1, 2, 5, 50)]
    for rows in row_sets:
        for table in ([1, 0, 0], [0, 1, 0], [0, 0, 1]):
            check_split(matrix, codes, 0, np.array(table), rows)


# ---- trees ---------------------------------------------------------------------------


def assert_same_tree(one, other):
    for got, expected in zip(one, other, strict=True):
        assert got.tobytes() == expected.tobytes()


def grow_both(codes, n_bins, is_categorical=None, rows=None, n_threads=1, **options):
    """Return the plain and the bundled matrix, and the tree that both grow."""
    rng = np.random.default_rng(1)
    plain, bundled = bundle(codes, n_bins, is_categorical)
    gradients = rng.normal(size=len(codes)) / 2
    for n, column in zip(n_bins, codes.T, strict=True):
        effects = rng.normal(size=n + 1)[column]
        # Those of rare codes are worth a split as well.
        gradients += effects / max(effects.std(), 1e-3)
    quantized = make_quantized(gradients, rng.uniform(0.1, 0.25, len(codes)))
    edges = make_edges(n_bins)
    stored = np.isin(np.arange(len(n_bins)), bundled.used)
    stored_edges = edges[np.repeat(stored, np.array(n_bins) + 1)]
    tree = TreeGrower(plain, edges, **options).grow(quantized, 0, rows)
    grower = TreeGrower(bundled, stored_edges, n_threads=n_threads, **options)
    assert_same_tree(grower.grow(quantized, 0, rows), tree)
    return plain, bundled, tree


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"min_samples_leaf": 1, "max_leaf_nodes": 0, "max_depth": 8},
        {"min_samples_leaf": 60, "max_leaf_nodes": 15},
        {"extra_trees": True},
        {"l2_regularization": 0.05, "max_leaf_nodes": 150, "min_samples_leaf": 3},
        {"max_features": 0.3, "colsample_bytree": 0.5},
        # Of waiting nodes hardly any keeps its histogram.
        {"histogram_budget": 1, "max_leaf_nodes": 150, "min_samples_leaf": 3},
    ],
    ids=str,
)
@pytest.mark.parametrize("grow_policy", GROW_POLICIES)
@pytest.mark.parametrize("table", ["all storages", "many entries"])
def test_trees(table, grow_policy, options):
    rng = np.random.default_rng(0)
    codes, n_bins = TABLES[table](rng, 1000 if table == "many entries" else 4000)
    options = {**options, "grow_policy": GROW_POLICIES[grow_policy]}
    if grow_policy == "symmetric":
        options["max_depth"] = 6
    *_, (nodes, _, _) = grow_both(codes, n_bins, n_threads=3, **options)
    assert len(nodes) >= 5


@pytest.mark.parametrize("n_threads", N_THREADS)
@over_tables
def test_binned_leaves(table, n_threads):
    rng = np.random.default_rng(0)
    n_rows = 1000 if table == "many entries" else 9000
    codes, n_bins = TABLES[table](rng, n_rows)
    # Categories in columns of all kinds.
    is_categorical = (rng.random(len(n_bins)) < 0.4) | (np.array(n_bins) > 60)
    # Half of the rows, so that others come to nodes that had no missing value.
    rows = np.flatnonzero(rng.random(n_rows) < 0.5).astype(np.uint32)
    plain, bundled, (nodes, stats, bitsets) = grow_both(
        codes,
        n_bins,
        is_categorical,
        rows,
        n_threads,
        min_samples_leaf=1,
        max_leaf_nodes=200,
    )
    is_split = nodes["feature"] >= 0
    kinds = bundled.layout.storage[nodes["feature"][is_split]]
    if table == "all storages":
        assert set(kinds) == {NARROW, SPARSE, WIDE}
        assert np.any(nodes["bitset"] >= 0) and np.any(nodes["bitset"][is_split] < 0)
    leaves = np.empty((2, n_rows), dtype=np.int32)
    bins = np.ascontiguousarray(stats["bin"])
    for matrix, found in zip((plain, bundled), leaves, strict=True):
        find_binned_leaves(
            matrix, nodes.view(np.uint8), bins, bitsets, found, n_threads
        )
    assert len(np.unique(leaves)) > 10
    np.testing.assert_array_equal(*leaves)


def test_nothing_to_split():
    codes, n_bins = np.full((100, 3), [1, 0, 2]), [2, 1, 2]
    codes[3, 0] = 0
    _, matrix = bundle(codes, n_bins, min_samples=2)
    assert len(matrix.used) == 0 and matrix.offsets[-1] == 0
    quantized = make_gradients(np.random.default_rng(0), 100)
    for policy in GROW_POLICIES.values():
        for n_threads in (1, 3):
            grower = TreeGrower(
                matrix, np.empty(0), grow_policy=policy, n_threads=n_threads
            )
            nodes, stats, _ = grower.grow(quantized, 0)
            assert nodes["feature"].tolist() == [-1]
            assert stats["n_samples"].tolist() == [100]
            assert grower.leaf_rows.tolist() == list(range(100))
    leaves = np.ones(100, dtype=np.int32)
    bins = np.ascontiguousarray(stats["bin"])
    bitsets = np.empty(0, dtype=np.uint32)
    find_binned_leaves(matrix, nodes.view(np.uint8), bins, bitsets, leaves, 2)
    assert not leaves.any()


@st.composite
def draw_tables(draw):
    """Return codes, bins and what goes left by a feature: small, and of any kind."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_rows = draw(st.integers(1, 60))
    n_bins = draw(st.lists(st.sampled_from([1, 2, 3, 30, 254, 255, 256]), min_size=1))
    share = draw(st.sampled_from([0.0, 0.01, 0.1, 0.3, 1.0]))
    make = draw(st.sampled_from([make_rare_codes, make_exclusive_codes]))
    return rng, make(rng, n_rows, n_bins, share), n_bins, draw(st.integers(1, 3))


@settings(
    max_examples=150,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(draw_tables())
def test_any_table(drawn):
    rng, codes, n_bins, min_samples = drawn
    plain, matrix = bundle(codes, n_bins, min_samples=min_samples)
    check_columns(matrix, codes)
    rows = np.flatnonzero(rng.random(len(codes)) < 0.7)
    quantized = make_quantized(rng.normal(size=len(codes)))
    check_histograms(plain, matrix, quantized, rows, (1, 2))
    for feature in matrix.used:
        goes_left = rng.integers(0, 2, size=n_bins[feature] + 1)
        check_split(matrix, codes, feature, goes_left, rows)
    # What is not stored could not be split.
    for feature in np.flatnonzero(matrix.layout.storage == NONE):
        assert len(codes) - np.bincount(codes[:, feature]).max() < min_samples


# ---- stored values -------------------------------------------------------------------


def make_stored_columns(rng, n_rows, dtype):
    """Return a CSC matrix whose columns are odd in one way each."""
    nonzero = rng.random(n_rows) < 0.3
    normal = np.round(rng.normal(size=n_rows), 2)
    columns = [
        np.where(nonzero, normal, 0),
        np.where(nonzero, -np.abs(normal) - 0.5, 0),
        np.where(nonzero, np.abs(normal) + 0.5, 0),
        np.zeros(n_rows),
        normal + 10 * (normal == 0),  # all stored
        np.where(nonzero, np.nan, 0),
        np.where(nonzero, rng.choice([np.inf, -np.inf, np.nan, 1, -1], n_rows), 0),
        np.where(nonzero, rng.normal(size=n_rows), 0),
        np.where(nonzero, 1.0, 0),
        np.where(nonzero, rng.normal(size=n_rows) * 1e-40, 0),
    ]
    dense = np.stack(columns, axis=1).astype(dtype)
    is_stored = (dense != 0) | (rng.random(dense.shape) < 0.1)
    is_stored[:, 3] = False
    matrix = sparse.csc_array(is_stored.astype(dtype))
    matrix.data[:] = dense.T[is_stored.T]
    # Zeros of both signs.
    is_zero = matrix.data == 0
    matrix.data[is_zero] *= rng.choice([-1, 1], is_zero.sum())
    return matrix, dense


STORED_WEIGHTS = {name: WEIGHTS[name] for name in ("none", "integer")}


@pytest.mark.parametrize("min_weight", [0, 3])
@pytest.mark.parametrize("max_bins", [2, 3, 7, 255])
@pytest.mark.parametrize("weights", STORED_WEIGHTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stored_edges(dtype, weights, max_bins, min_weight):
    rng = np.random.default_rng(0)
    matrix, dense = make_stored_columns(rng, 2000, dtype)
    weights = WEIGHTS[weights](rng, 2000)
    columns = np.ascontiguousarray(dense.T)
    expected = find_edges(columns, weights, max_bins, 1, min_weight)
    weights_of_rows = np.ones(2000) if weights is None else weights
    is_stored = sparse.csc_array(
        (np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape
    )
    weights_of_zeros = weights_of_rows.sum() - weights_of_rows @ is_stored
    starts = matrix.indptr.astype(np.int64)
    for n_threads in N_THREADS:
        edges = find_stored_edges(
            matrix.data,
            starts,
            None if weights is None else weights[matrix.indices],
            weights_of_zeros,
            max_bins,
            n_threads,
            min_weight,
        )
        for got, of_dense in zip(edges, expected, strict=True):
            np.testing.assert_array_equal(got, of_dense)
        n_bins = np.array([len(e) + 1 for e in edges], dtype=np.int32)
        n_edges = np.concatenate([[0], np.cumsum(n_bins - 1)])
        codes, has_missing = map_stored_values(
            matrix.data, starts, np.concatenate(edges), n_edges[:-1], n_bins, n_threads
        )
        for j, of_dense in enumerate(expected):
            some = slice(*matrix.indptr[j : j + 2])
            of_column = oracle.map_values(dense[:, j], of_dense)
            np.testing.assert_array_equal(codes[some], of_column[matrix.indices[some]])
        np.testing.assert_array_equal(has_missing, np.isnan(dense).any(axis=0))


def test_no_stored_values():
    nothing = np.empty(0)
    starts, zeros = np.zeros(4, dtype=np.int64), np.zeros(3, dtype=np.int64)
    for weights in (None, nothing):
        edges = find_stored_edges(nothing, starts, weights, np.full(3, 9.0), 255)
        assert [len(e) for e in edges] == [0, 0, 0]
    codes, has_missing = map_stored_values(
        nothing, starts, nothing, zeros, np.ones(3, dtype=np.int32), 1
    )
    assert len(codes) == 0 and has_missing.tolist() == [0, 0, 0]


def bin_table(X, rows=None, weights=None, n_threads=1, max_bins=255, **options):
    kind = {"matrix": X} if sparse.issparse(X) else {"dense": X}
    mapper = BinMapper(max_bins)
    table = Table(*X.shape, **kind)
    return mapper, mapper.fit_transform(table, rows, weights, n_threads, **options)


@pytest.mark.parametrize("max_bins", [2, 7, 255, 1000])
@pytest.mark.parametrize("weights", ["none", "integer", "real"])
@pytest.mark.parametrize("n_rows", [1, 300, 3000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mapper_of_sparse_tables(dtype, n_rows, weights, max_bins):
    rng = np.random.default_rng(0)
    matrix, dense = make_stored_columns(rng, n_rows, dtype)
    weights = WEIGHTS[weights](rng, n_rows)
    some = np.flatnonzero(rng.random(n_rows) < 0.5) if n_rows > 1 else None
    for rows in (None, some):
        own = weights if rows is None or weights is None else weights[rows]
        options = {"rows": rows, "weights": own, "max_bins": max_bins}
        expected, of_dense = bin_table(dense, **options)
        codes = np.stack([of_dense.column(j) for j in range(dense.shape[1])], axis=1)
        for table in (matrix, sparse.csr_array(matrix)):
            for n_threads in (1, 3):
                mapper, got = bin_table(table, n_threads=n_threads, **options)
                for a, b in zip(mapper.thresholds_, expected.thresholds_, strict=True):
                    np.testing.assert_array_equal(a, b)
                np.testing.assert_array_equal(mapper.edges_, expected.edges_)
                check_columns(got, codes)
                for name in ("used", "n_bins", "has_missing", "offsets"):
                    np.testing.assert_array_equal(
                        getattr(got, name), getattr(of_dense, name)
                    )


def test_mapper_of_more_rows_than_are_sampled(monkeypatch):
    monkeypatch.setattr(binning, "MAX_QUANTILE_ROWS", 500)
    rng = np.random.default_rng(0)
    matrix, dense = make_stored_columns(rng, 3000, np.float64)
    some = np.arange(0, 3000, 2)
    for name in ("none", "integer", "real"):
        for rows in (None, some):
            weights = WEIGHTS[name](rng, 3000 if rows is None else len(some))
            mapper, got = bin_table(matrix, rows, weights, max_bins=20)
            expected, of_dense = bin_table(dense, rows, weights, max_bins=20)
            for a, b in zip(mapper.thresholds_, expected.thresholds_, strict=True):
                np.testing.assert_array_equal(a, b)
            for j in of_dense.used:
                np.testing.assert_array_equal(got.column(j), of_dense.column(j))


@pytest.mark.parametrize("weights", ["none", "integer"])
def test_rare_features_are_not_stored(weights):
    n_rows = 1000
    weights = None if weights == "none" else np.full(n_rows, 4.0)
    X = np.zeros((n_rows, 6))
    for j, n in enumerate((0, 1, 4, 5, 19, 20)):
        X[:n, j] = 1
    for table in (X, sparse.csr_array(X)):
        mapper, matrix = bin_table(table, weights=weights, min_samples=20)
        assert matrix.used.tolist() == ([5] if weights is None else [3, 4, 5])
        np.testing.assert_array_equal(np.flatnonzero(mapper.is_stored_), matrix.used)
        assert len(mapper.edges_) == matrix.offsets[-1]
