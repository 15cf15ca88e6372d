"""Whole trees, node by node, against the oracle's."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearnx._boosting.growth import GROW_POLICIES
from sklearnx._cython.boosting.growing import TreeGrower
from sklearnx._cython.boosting.predicting import find_leaves
from tests.boosting import oracle
from tests.boosting._helpers import (
    N_THREADS,
    make_codes,
    make_edges,
    make_matrix,
    make_quantized,
)


class Problem:
    """Random codes, gradients and weights of some kinds."""

    def __init__(
        self,
        n_rows=300,
        n_bins=(5, 12, 30),
        categorical=(),
        *,
        missing=0.1,
        gradients="normal",
        has_hessians=True,
        weights="none",
        seed=0,
    ):
        rng = np.random.default_rng(seed)
        self.n_bins = list(n_bins)
        self.is_categorical = np.isin(np.arange(len(n_bins)), categorical)
        self.codes = make_codes(rng, n_rows, self.n_bins, missing)
        self.matrix = make_matrix(self.codes, self.n_bins, self.is_categorical)
        self.edges = make_edges(self.n_bins)
        effects = [rng.normal(size=n + 1) for n in self.n_bins]
        signal = sum(e[c] for e, c in zip(effects, self.codes.T, strict=True))
        self.gradients = signal + rng.normal(size=n_rows)
        if gradients == "ties":  # few distinct values: many equal gains
            self.gradients = rng.integers(-1, 2, size=n_rows).astype(float)
        elif gradients == "outlier":
            self.gradients[rng.integers(n_rows)] = 1e9
        self.hessians = rng.uniform(0, 0.25, size=n_rows) if has_hessians else None
        self.weights = {
            "none": None,
            "integer": rng.integers(1, 4, size=n_rows).astype(float),
            "decades": 10 ** rng.uniform(-6, 6, size=n_rows),
        }[weights]

    def grow(
        self,
        *,
        grow_policy="leafwise",
        n_threads=1,
        tree_idx=0,
        rows=None,
        **options,
    ):
        """Return the grower and what it grew."""
        grower = TreeGrower(
            self.matrix,
            self.edges,
            grow_policy=GROW_POLICIES[grow_policy],
            n_threads=n_threads,
            **options,
        )
        return grower, grower.grow(self.make_quantized(), tree_idx, rows)

    def make_quantized(self):
        """Return QuantizedGradients."""
        return make_quantized(self.gradients, self.hessians, self.weights)

    def grow_arrays(self, **options):
        """Return what the grower grew."""
        return self.grow(**options)[1]

    def grow_slowly(self, **options):
        """Return the oracle's nodes."""
        fixed = oracle.quantize(self.gradients, self.hessians, self.weights)
        return oracle.grow(
            self.codes,
            self.n_bins,
            self.is_categorical,
            fixed,
            **options,
        )

    def check(self, **options):
        """Compare both; return the arrays."""
        fast_only = ("histogram_budget", "n_threads")
        slow_options = {k: v for k, v in options.items() if k not in fast_only}
        expected = self.grow_slowly(**slow_options)
        grower, (nodes, stats, bitsets) = self.grow(**options)
        assert len(nodes) == len(stats) == len(expected)
        for i, node in enumerate(expected):
            self._check_node(nodes[i], stats[i], bitsets, node)
        leaves = [i for i, node in enumerate(expected) if not node.left]
        assert sorted(grower.leaf_nodes.tolist()) == leaves
        assert grower.leaf_offsets[-1] == len(grower.leaf_rows)
        for leaf, start, stop in zip(
            grower.leaf_nodes,
            grower.leaf_offsets[:-1],
            grower.leaf_offsets[1:],
            strict=True,
        ):
            rows = grower.leaf_rows[start:stop]
            np.testing.assert_array_equal(rows, expected[leaf].rows)
        return nodes, stats, bitsets

    def _check_node(self, node, stats, bitsets, expected):
        assert node["left"] == expected.left
        assert stats["n_samples"] == expected.sums[2]
        assert stats["depth"] == expected.depth
        if not expected.left:
            assert node["feature"] == -1
            assert node["value"] == stats["value"] == expected.value
            assert stats["gain"] == 0
            return
        split = expected.split
        feature, n = split.feature, self.n_bins[split.feature]
        assert node["feature"] == feature
        assert stats["gain"] == split.gain
        assert stats["value"] == expected.value
        assert node["missing_left"] == split.goes_left[-1]
        if self.is_categorical[feature]:
            words = bitsets[node["bitset"] : node["bitset"] + n // 32 + 1]
            bits = np.unpackbits(words.view(np.uint8), bitorder="little")
            np.testing.assert_array_equal(bits[: n + 1], split.goes_left)
            assert not bits[n + 1 :].any()
        else:
            assert node["bitset"] == -1
            assert stats["bin"] == split.bin
            edge = self.edges[self.matrix.offsets[feature] + split.bin]
            assert node["value"] == edge


PROBLEMS = st.fixed_dictionaries(
    {
        "n_rows": st.sampled_from([1, 2, 30, 80, 150]),
        "n_bins": st.lists(
            st.sampled_from([1, 2, 3, 8, 40, 300]), min_size=1, max_size=5
        ),
        "categorical": st.sets(st.integers(0, 4)),
        "missing": st.sampled_from([0, 0.2, 0.9]),
        "gradients": st.sampled_from(["normal", "ties", "outlier"]),
        "has_hessians": st.booleans(),
        "weights": st.sampled_from(["none", "integer", "decades"]),
        "seed": st.integers(0, 2**32 - 1),
    }
)
OPTIONS = st.fixed_dictionaries(
    {
        "grow_policy": st.sampled_from(sorted(GROW_POLICIES)),
        "max_leaf_nodes": st.sampled_from([0, 2, 5, 31]),
        "max_depth": st.sampled_from([0, 1, 3]),
        "min_samples_leaf": st.sampled_from([1, 2, 7]),
        "min_child_weight": st.sampled_from([1e-300, 1e-3, 2.0]),
        "l1_regularization": st.sampled_from([0.0, 0.0, 0.5]),
        "l2_regularization": st.sampled_from([0.0, 1.5]),
        "min_split_gain": st.sampled_from([0.0, 0.0, 1.0]),
        "max_delta_step": st.sampled_from([np.inf, np.inf, 0.4]),
        "path_smoothing": st.sampled_from([0.0, 0.0, 3.0]),
        "extra_trees": st.sampled_from([False, False, True]),
        "max_features": st.sampled_from([1.0, 0.5, 0.01]),
        "colsample_bytree": st.sampled_from([1.0, 1.0, 0.7, 0.3]),
        "seed": st.integers(0, 2**64 - 1),
        "tree_idx": st.integers(0, 1000),
        "histogram_budget": st.sampled_from([0, 2**29]),
    }
)


@settings(
    max_examples=600,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(PROBLEMS, OPTIONS, st.booleans(), st.data())
def test_random_trees(problem, options, is_monotonic, data):
    n_features = len(problem["n_bins"])
    features = st.integers(0, n_features - 1)
    problem["categorical"] = [f for f in problem["categorical"] if f < n_features]
    if is_monotonic:
        signs = [data.draw(st.sampled_from([-1, 0, 1])) for _ in range(n_features)]
        options["monotonic_cst"] = np.array(signs, dtype=np.int8)
        options["monotonic_cst"][problem["categorical"]] = 0
    if problem["categorical"] and data.draw(st.booleans()):
        chosen = [data.draw(st.booleans()) for _ in range(n_features)]
        options["one_level_splits"] = np.array(chosen, dtype=np.uint8)
    if data.draw(st.booleans()):
        options["n_derived"] = data.draw(st.integers(1, n_features))
        options["derived_share"] = data.draw(st.sampled_from([0.01, 0.5, 0.7]))
    groups = data.draw(st.lists(st.sets(features, min_size=1), max_size=3))
    if groups:
        mask = [[f in group for f in range(n_features)] for group in groups]
        options["interaction_groups"] = np.array(mask, dtype=np.uint8)
    if data.draw(st.booleans()):
        weights = st.sampled_from([0.0, 1e-300, 0.5, 1.0, 1.0, 1e9])
        weights = data.draw(
            st.lists(weights, min_size=n_features, max_size=n_features).filter(any)
        )
        options["feature_weights"] = np.array(weights)
    Problem(**problem).check(**options)


@pytest.mark.parametrize("weights", ["none", "integer"])
@pytest.mark.parametrize("has_hessians", [False, True])
def test_narrow_values(has_hessians, weights):
    # Enough rows for 12 bits in histograms and 38 in leaves.
    problem = Problem(
        9000,
        [20, 300, 40, 5],
        [2],
        has_hessians=has_hessians,
        weights=weights,
    )
    problem.gradients = np.round(problem.gradients * 2**6) / 2**6
    quantized = make_quantized(problem.gradients, problem.hessians, problem.weights)
    assert quantized.is_narrow
    nodes, stats, _ = problem.check(min_samples_leaf=5)
    assert len(nodes) == 61
    # The values of leaves are those of fine sums, not of what histograms add.
    problem.gradients *= 1 + 2.0**-20
    finer, finer_stats, _ = problem.check(min_samples_leaf=5)
    np.testing.assert_array_equal(finer_stats["gain"], stats["gain"])
    is_leaf = nodes["feature"] < 0
    assert (finer["value"] != nodes["value"])[is_leaf].all()


def test_narrow_values_are_smoothed_by_fine_ones():
    # Towards the fine value of the parent, not the one that its gains came from.
    problem = Problem(9000, [20, 30], has_hessians=False, missing=0)
    assert make_quantized(problem.gradients).is_narrow
    nodes, stats, _ = problem.check(max_leaf_nodes=2, path_smoothing=1e9)
    mean = -problem.gradients.mean()
    assert nodes["value"][1:] == pytest.approx([mean] * 2, rel=1e-3)
    best = [
        -problem.gradients[problem.codes[:, nodes[0]["feature"]] <= stats[0]["bin"]],
        -problem.gradients[problem.codes[:, nodes[0]["feature"]] > stats[0]["bin"]],
    ]
    expected = [mean + (v.mean() - mean) * len(v) / (len(v) + 1e9) for v in best]
    assert nodes["value"][1:] == pytest.approx(expected, rel=1e-9)


def test_more_levels_than_16_bits():
    problem = Problem(3000, [70_000, 4], [0])
    # A few frequent levels far apart.
    levels = np.array([0, 31, 32, 65_535, 65_536, 69_999, 70_000])
    problem.codes[:, 0] = levels[np.arange(3000) % len(levels)]
    problem.gradients += np.arange(3000) % len(levels) % 3
    problem.matrix = make_matrix(problem.codes, problem.n_bins, problem.is_categorical)
    assert problem.matrix.wide.dtype == np.uint32
    nodes, _, bitsets = problem.check(max_leaf_nodes=5)
    assert (nodes["bitset"] >= 0).sum() > 1
    assert len(bitsets) == (nodes["bitset"] >= 0).sum() * (70_000 // 32 + 1)


def test_equal_features_lower_one():
    problem = Problem(300, [12, 12, 12])
    problem.codes[:, 1:] = problem.codes[:, :1]
    problem.matrix = make_matrix(problem.codes, problem.n_bins)
    nodes, _, _ = problem.check()
    assert set(nodes["feature"].tolist()) == {-1, 0}


def test_max_features_is_drawn_for_each_node():
    problem = Problem(2000, [30] * 8)
    drawn = set()
    for tree_idx in range(5):
        nodes, _, _ = problem.check(max_features=0.125, seed=3, tree_idx=tree_idx)
        features = nodes["feature"][nodes["feature"] >= 0]
        assert len(np.unique(features)) > 2
        drawn.add(tuple(features.tolist()))
    assert len(drawn) == 5
    # One feature at a time is as likely as another.
    firsts = [
        problem.grow(max_features=0.125, max_leaf_nodes=2, seed=seed)[1][0][0][
            "feature"
        ]
        for seed in range(400)
    ]
    assert np.bincount(firsts, minlength=8).min() > 25


def test_colsample_bytree_is_drawn_for_each_tree():
    problem = Problem(2000, [30] * 8)
    drawn = []
    for tree_idx in range(200):
        nodes, _, _ = (problem.check if tree_idx < 5 else problem.grow_arrays)(
            colsample_bytree=0.25, max_features=0.5, seed=3, tree_idx=tree_idx
        )
        drawn.append(set(nodes["feature"][nodes["feature"] >= 0].tolist()))
    assert {len(features) for features in drawn} == {2}
    counts = np.bincount([f for features in drawn for f in features], minlength=8)
    assert counts.min() > 25


@pytest.mark.parametrize("option", ["max_features", "colsample_bytree"])
def test_feature_weights(option):
    # The chance of a draw of one is the weight's share; of two by Efraimidis and
    # Spirakis that of drawing one after the other.
    problem = Problem(50, [4] * 4, missing=0)
    problem.gradients = problem.codes[:, 1] - 1.5
    weights = np.array([0.0, 1.0, 2.0, 5.0])
    options = {"feature_weights": weights, "max_leaf_nodes": 2, "min_samples_leaf": 1}

    def draw(share, n_draws=1500):
        firsts = [
            problem.grow_arrays(seed=seed, **{option: share}, **options)[0]
            for seed in range(n_draws)
        ]
        return np.array([nodes["feature"][0] for nodes in firsts])

    shares = np.bincount(draw(0.25), minlength=4) / 1500
    np.testing.assert_allclose(shares, weights / 8, atol=0.04)
    # Equal weights draw what no weights do.
    for seed in range(50):
        (nodes, *_), (others, *_) = (
            problem.grow_arrays(
                seed=seed, **{option: 0.5, **options, "feature_weights": weights}
            )
            for weights in (None, np.full(4, 3.0))
        )
        np.testing.assert_array_equal(nodes, others)
    # Of two drawn, the one that gains most is split on: drawn first, or second.
    expected = 1 / 8 + 2 / 8 * 1 / 6 + 5 / 8 * 1 / 3
    np.testing.assert_allclose(np.mean(draw(0.5) == 1), expected, atol=0.04)


def test_no_limit_of_leaves():
    problem = Problem(500, [200, 100, 90], has_hessians=False, missing=0)
    nodes, stats, _ = problem.check(max_leaf_nodes=0, min_samples_leaf=1)
    assert len(nodes) > 500
    # Nothing is left to split.
    assert stats["n_samples"][nodes["feature"] < 0].max() <= 2


@pytest.mark.parametrize("max_depth", [1, 2, 5])
def test_max_depth(max_depth):
    nodes, stats, _ = Problem(1000).check(
        max_leaf_nodes=0, max_depth=max_depth, min_samples_leaf=1
    )
    assert stats["depth"].max() == max_depth
    assert len(nodes) <= 2 ** (max_depth + 1) - 1


@pytest.mark.parametrize("min_samples_leaf", [1, 49, 50, 51])
def test_min_samples_leaf(min_samples_leaf):
    problem = Problem(100, [2], missing=0, has_hessians=False)
    problem.codes[:, 0] = np.arange(100) >= 50
    problem.gradients = problem.codes[:, 0] - 0.5
    problem.matrix = make_matrix(problem.codes, [2])
    nodes, _, _ = problem.check(min_samples_leaf=min_samples_leaf)
    assert len(nodes) == (3 if min_samples_leaf <= 50 else 1)


def test_single_node_has_no_value():
    nodes, stats, bitsets = Problem(30).check(min_samples_leaf=16)
    assert nodes["value"].tolist() == stats["value"].tolist() == [0]
    assert len(bitsets) == 0


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("budget", [0, 10**4, 10**5])
def test_histogram_budget(budget, n_threads):
    # Histograms that are dropped are built again from rows.
    problem = Problem(2000, [30, 50, 300], [1])
    _, expected = problem.grow(max_leaf_nodes=100, min_samples_leaf=3)
    _, arrays = problem.grow(
        max_leaf_nodes=100,
        min_samples_leaf=3,
        histogram_budget=budget,
        n_threads=n_threads,
    )
    for array, other in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, other)


def test_subset_of_rows():
    problem = Problem(1000, [20, 300, 6], [2])
    rows = np.flatnonzero(np.random.default_rng(0).random(1000) < 0.6)
    problem.check(rows=rows.astype(np.uint32))
    problem.check(rows=rows[:1].astype(np.uint32))


def test_rows_of_one_tree_are_not_those_of_the_next():
    problem = Problem(1000, [20, 300, 6], [2])
    quantized = make_quantized(problem.gradients, problem.hessians)
    grower = TreeGrower(problem.matrix, problem.edges)
    expected = grower.grow(quantized, 0)
    rows = np.arange(0, 1000, 3, dtype=np.uint32)
    assert grower.grow(quantized, 0, rows)[1]["n_samples"][0] == len(rows)
    assert sorted(grower.leaf_rows) == rows.tolist()
    for array, other in zip(grower.grow(quantized, 0), expected, strict=True):
        np.testing.assert_array_equal(array, other)


def test_second_tree_is_as_the_first():
    problem = Problem(3000, [20, 300, 6], [2], weights="integer")
    quantized = make_quantized(problem.gradients, problem.hessians, problem.weights)
    grower = TreeGrower(problem.matrix, problem.edges, max_features=0.5, seed=1)
    first = grower.grow(quantized, 0)
    other = grower.grow(quantized, 1)
    again = grower.grow(quantized, 0)
    assert not np.array_equal(first[0], other[0])
    for array, expected in zip(again, first, strict=True):
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("weights", ["none", "integer", "decades"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_features": 0.4},
        {"monotonic": True},
        {"extra_trees": True, "path_smoothing": 10.0},
        {"grow_policy": "depthwise"},
        {"grow_policy": "symmetric", "max_leaf_nodes": 32},
        {"l1_regularization": 5.0, "max_delta_step": 0.5},
    ],
)
def test_threads(options, weights):
    # Rows for several slots, chunks and leaves a thread; bins for several searches.
    n_bins = [255] * 8 + [60_000, 300, 2_000, 20]
    problem = Problem(250_000, n_bins, [8, 10, 11], weights=weights)
    options = dict(options, min_samples_leaf=5)
    if options.pop("monotonic", False):
        options["monotonic_cst"] = np.array([1, -1] + [0] * 10, dtype=np.int8)
    expected = None
    for n_threads in N_THREADS:
        grower, arrays = problem.grow(n_threads=n_threads, **options)
        raw = np.zeros(len(problem.codes))
        grower.add_leaf_values(np.arange(1.0, 1.0 + len(grower.leaf_nodes)), raw)
        arrays = (*arrays, raw, grower.leaf_rows, grower.leaf_nodes)
        assert raw.min() >= 1
        if expected is None:
            expected = [array.copy() for array in arrays]
        for array, other in zip(arrays, expected, strict=True):
            np.testing.assert_array_equal(array, other)


@pytest.mark.parametrize("grow_policy", GROW_POLICIES)
@pytest.mark.parametrize("weights", ["none", "integer"])
def test_rows_are_where_prediction_sends_them(weights, grow_policy):
    problem = Problem(5000, [20, 300, 40], [2], weights=weights)
    grower, (nodes, _, bitsets) = problem.grow(
        grow_policy=grow_policy, min_samples_leaf=3
    )
    n_bins = np.array(problem.n_bins)
    X = np.where(problem.codes == n_bins, np.nan, problem.codes.astype(float))
    leaves = np.empty((len(X), 1), dtype=np.int32)
    offsets = np.array([0, len(nodes)], dtype=np.int64)
    find_leaves(nodes.view(np.uint8), offsets, bitsets, X, leaves, 1)
    expected = np.repeat(grower.leaf_nodes, np.diff(grower.leaf_offsets))
    np.testing.assert_array_equal(leaves[grower.leaf_rows, 0], expected)


@pytest.mark.parametrize("scale", [2.0**-6, 2.0**6])
def test_scale_of_weights_that_are_no_integers(scale):
    # It does not tell how many rows a level has: the support of levels, the smoothing
    # of their values and what sorting them costs are counted in rows.
    problem = Problem(3000, [12, 40, 9], [0, 1], has_hessians=False)
    problem.weights = np.random.default_rng(0).uniform(0.5, 1.5, size=3000)
    nodes, stats, bitsets = problem.check()
    assert (nodes["bitset"] >= 0).sum() > 5
    problem.weights *= scale
    scaled_nodes, scaled_stats, scaled_bitsets = problem.check()
    np.testing.assert_array_equal(scaled_nodes, nodes)
    np.testing.assert_array_equal(scaled_bitsets, bitsets)
    np.testing.assert_array_equal(scaled_stats["gain"], scale * stats["gain"])


@pytest.mark.parametrize("path_smoothing", [0.0, 20.0])
def test_small_unit_of_weights(path_smoothing):
    # Such as weights that sum to 1.
    options = {"min_child_weight": 1e-300, "path_smoothing": path_smoothing}
    problem = Problem(3000, [12, 40, 30], [0, 1])
    problem.weights = np.random.default_rng(0).uniform(0.5, 1.5, size=3000)
    nodes, _, bitsets = problem.check(**options)
    problem.weights *= 2.0**-20
    scaled_nodes, _, scaled_bitsets = problem.check(**options)
    np.testing.assert_array_equal(scaled_nodes, nodes)
    np.testing.assert_array_equal(scaled_bitsets, bitsets)


def test_weight_is_repetition():
    problem = Problem(2000, [20, 30, 40], [1, 2], weights="integer", missing=0.02)
    repeats = problem.weights.astype(int)
    repeated = Problem(2000, [20, 30, 40], [1, 2], missing=0.02)
    repeated.codes = problem.codes.repeat(repeats, axis=0)
    repeated.matrix = make_matrix(
        repeated.codes, repeated.n_bins, repeated.is_categorical
    )
    repeated.gradients = problem.gradients.repeat(repeats)
    repeated.hessians = problem.hessians.repeat(repeats)
    options = {"min_samples_leaf": 1, "max_leaf_nodes": 100}
    _, (nodes, stats, bitsets) = problem.grow(**options)
    _, (other_nodes, other_stats, other_bitsets) = repeated.grow(**options)
    np.testing.assert_array_equal(nodes, other_nodes)
    np.testing.assert_array_equal(bitsets, other_bitsets)
    np.testing.assert_array_equal(stats["gain"], other_stats["gain"])


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_many_rows(n_threads):
    # Rows for several tasks of every stage; leaves whose rows are all in one of them.
    problem = Problem(150_000, [60, 255, 7], missing=0.01)
    problem.codes[:, 0] = np.arange(150_000) // 2500
    problem.matrix = make_matrix(problem.codes, [60, 255, 7])
    problem.gradients = problem.gradients + (problem.codes[:, 0] % 9 == 0)
    problem.check(max_leaf_nodes=12, n_threads=n_threads)


# ---- rows that reach leaves by other codes -------------------------------------------


def count_by_node(nodes, leaves):
    """Return which rows are in each node, (n_nodes, n_rows), from the leaf of each."""
    is_in = leaves == np.arange(len(nodes))[:, np.newaxis]
    for i in reversed(range(len(nodes))):
        if nodes[i]["feature"] >= 0:
            left = nodes[i]["left"]
            is_in[i] = is_in[left] | is_in[left + 1]
    return is_in


@pytest.mark.parametrize("n_rows", [300, 9000])  # wide and narrow integers
@pytest.mark.parametrize("weights", ["none", "integer", "decades"])
@pytest.mark.parametrize("grow_policy", sorted(GROW_POLICIES))
@pytest.mark.parametrize("is_sampled", [False, True])
def test_values_of_rows_with_other_codes(n_rows, weights, grow_policy, is_sampled):
    problem = Problem(n_rows, (8, 12, 30), [1], weights=weights)
    others = Problem(n_rows, (8, 12, 30), [1], weights=weights, seed=1)
    # Most rows go where they went before: leaves of any size.
    is_same = np.random.default_rng(0).random(problem.codes.shape) < 0.8
    others.codes = np.where(is_same, problem.codes, others.codes)
    others.matrix = make_matrix(others.codes, problem.n_bins, problem.is_categorical)
    rows = None
    if is_sampled:
        rows = np.flatnonzero(np.arange(n_rows) % 3).astype(np.uint32)
    limits = {"min_samples_leaf": 12, "min_child_weight": 0.5}
    options = {**limits, "grow_policy": grow_policy, "l2_regularization": 0.5}
    nodes, stats, bitsets = problem.grow_arrays(rows=rows, **options)
    quantized = problem.make_quantized()
    results = [
        TreeGrower(
            problem.matrix,
            problem.edges,
            n_threads=n_threads,
            **{**options, "grow_policy": GROW_POLICIES[grow_policy]},
        ).grow(quantized, 0, rows, None, others.matrix)
        for n_threads in N_THREADS
    ]
    for arrays in results[1:]:
        for one, other in zip(results[0], arrays, strict=True):
            np.testing.assert_array_equal(one, other)

    new_nodes, new_stats, new_bitsets = results[0]
    assert len(new_nodes) > 5
    is_split = nodes["feature"] >= 0
    for name in ("feature", "left", "bitset", "missing_left"):
        np.testing.assert_array_equal(new_nodes[name], nodes[name])
    np.testing.assert_array_equal(
        new_nodes["value"][is_split], nodes["value"][is_split]
    )
    np.testing.assert_array_equal(new_bitsets, bitsets)
    np.testing.assert_array_equal(new_stats["gain"], stats["gain"])

    missing = others.codes == np.array(problem.n_bins)
    values = np.where(missing, np.nan, others.codes)
    leaves = np.array([oracle.find_leaf(nodes, bitsets, x) for x in values])
    is_in = count_by_node(nodes, leaves)
    if rows is not None:
        is_in &= np.isin(np.arange(n_rows), rows)
    n_samples = is_in.sum(axis=1)
    np.testing.assert_array_equal(new_stats["n_samples"], n_samples)
    units = quantized.units[2:]
    sums_g = is_in @ quantized.leaf_gradients * units[0]
    sums_h = is_in @ quantized.leaf_hessians * units[1]
    np.testing.assert_allclose(new_stats["sum_hessians"], sums_h, rtol=1e-12)
    is_large = (n_samples >= 12) & (sums_h >= 0.5)
    parents = np.zeros(len(nodes), dtype=int)
    for i in np.flatnonzero(is_split):
        parents[nodes["left"][i]] = parents[nodes["left"][i] + 1] = i
    n_small = 0
    for i in np.flatnonzero(~is_split):
        source = i
        while source > 0 and not is_large[source]:
            source = parents[source]
        n_small += source != i
        expected = -sums_g[source] / (sums_h[source] + 0.5)
        np.testing.assert_allclose(new_nodes["value"][i], expected, rtol=1e-9)
    assert n_small > 0 or n_rows > 300 or grow_policy == "symmetric"


def test_leaves_that_other_codes_lead_no_row_to():
    # All rows go left; the right leaf, without rows, has the value of the root.
    codes = np.repeat([[0], [1]], 20, axis=0)
    matrix, reached = (make_matrix(some, [2]) for some in (codes, np.zeros((40, 1))))
    quantized = make_quantized(np.repeat([1.0, -1.0], 20), np.ones(40))
    grower = TreeGrower(matrix, make_edges([2]), min_samples_leaf=1)
    nodes, stats, _ = grower.grow(quantized, 0, None, None, reached)
    assert nodes["feature"].tolist() == [0, -1, -1]
    assert stats["n_samples"].tolist() == [40, 40, 0]
    assert nodes["value"][1:].tolist() == [0, 0]
    assert sorted(grower.leaf_offsets.tolist()) == [0, 40, 40]
    # A tree that found nothing says nothing, whatever rows lead to it.
    quantized = make_quantized(np.ones(40), np.ones(40))
    nodes, _, _ = grower.grow(quantized, 0, None, None, reached)
    assert nodes["value"].tolist() == [0]
