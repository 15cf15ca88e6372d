"""Trees with vector leaves, node by node, against the oracle's."""

import numpy as np
import pytest

from sklearnx._boosting.growth import GROW_POLICIES
from sklearnx._cython.boosting.growing import TreeGrower
from tests.boosting import oracle
from tests.boosting._helpers import (
    N_THREADS,
    make_codes,
    make_edges,
    make_matrix,
    make_quantized,
)
from tests.boosting.vector_oracle import find_direction, grow_vectors


class Problem:
    """Random codes, and gradients of several outputs."""

    def __init__(
        self,
        n_rows=300,
        n_bins=(5, 12, 30),
        categorical=(),
        *,
        n_outputs=3,
        missing=0.1,
        gradients="normal",
        has_hessians=True,
        weights="none",
        seed=0,
    ):
        rng = np.random.default_rng(seed)
        self.n_outputs = n_outputs
        self.n_bins = list(n_bins)
        self.is_categorical = np.isin(np.arange(len(n_bins)), categorical)
        self.codes = make_codes(rng, n_rows, self.n_bins, missing)
        self.matrix = make_matrix(self.codes, self.n_bins, self.is_categorical)
        self.edges = make_edges(self.n_bins)
        self.gradients, self.hessians = [], []
        for _ in range(n_outputs):
            effects = [rng.normal(size=n + 1) for n in self.n_bins]
            signal = sum(e[c] for e, c in zip(effects, self.codes.T, strict=True))
            gradient = signal + rng.normal(size=n_rows)
            if gradients == "ties":
                gradient = rng.integers(-1, 2, size=n_rows).astype(float)
            elif gradients == "scales":
                gradient *= 10.0 ** rng.integers(-3, 4)
            self.gradients.append(gradient)
            self.hessians.append(
                rng.uniform(0, 0.25, size=n_rows) if has_hessians else None
            )
        self.weights = {
            "none": None,
            "integer": rng.integers(1, 4, size=n_rows).astype(float),
            "real": rng.uniform(0.1, 3, size=n_rows),
        }[weights]

    def quantize(self, make):
        """Return what `make` returns for each output."""
        return [
            make(gradient, hessian, self.weights)
            for gradient, hessian in zip(self.gradients, self.hessians, strict=True)
        ]

    def grow(self, *, rows=None, tree_idx=0, grow_policy="leafwise", **options):
        """Return the grower and what it grew."""
        grower = TreeGrower(
            self.matrix,
            self.edges,
            grow_policy=GROW_POLICIES[grow_policy],
            n_outputs=self.n_outputs,
            **options,
        )
        return grower, grower.grow(self.quantize(make_quantized), tree_idx, rows)

    def check(self, **options):
        """Compare with the oracle."""
        grower, (nodes, stats, bitsets) = self.grow(**options)
        options.pop("histogram_budget", None)
        expected = grow_vectors(
            self.codes,
            self.n_bins,
            self.is_categorical,
            self.quantize(oracle.quantize),
            **options,
        )
        assert len(nodes) == len(stats) == len(expected)
        assert grower.vectors.shape == (len(nodes), self.n_outputs)
        for i, node in enumerate(expected):
            assert nodes[i]["left"] == node.left
            assert stats[i]["n_samples"] == len(node.rows)
            assert stats[i]["depth"] == node.depth
            assert grower.vectors[i].tolist() == node.values
            assert stats[i]["value"] == 0
            if not node.left:
                assert nodes[i]["feature"] == -1
                assert nodes[i]["value"] == 0
                continue
            gain, feature, left_codes = node.split
            assert nodes[i]["feature"] == feature
            assert stats[i]["gain"] == gain
            self._check_codes(nodes[i], stats[i], bitsets, feature, left_codes)
        for leaf, start, stop in zip(
            grower.leaf_nodes,
            grower.leaf_offsets[:-1],
            grower.leaf_offsets[1:],
            strict=True,
        ):
            rows = grower.leaf_rows[start:stop]
            np.testing.assert_array_equal(rows, expected[leaf].rows)
        return nodes

    def _check_codes(self, node, stats, bitsets, feature, left_codes):
        n = self.n_bins[feature]
        left_codes = [code for code in left_codes if code < n]
        if self.is_categorical[feature]:
            words = bitsets[node["bitset"] : node["bitset"] + n // 32 + 1]
            bits = np.unpackbits(words.view(np.uint8), bitorder="little")
            assert np.flatnonzero(bits[:n]).tolist() == sorted(left_codes)
        else:
            assert stats["bin"] == max(left_codes)


def draw_case(seed):
    """Return the arguments of a random problem, and of its grower."""
    rng = np.random.default_rng(seed)

    def choose(*values):
        return values[rng.integers(len(values))]

    n_features = choose(1, 3, 4)
    problem = {
        "n_rows": choose(1, 30, 80, 150, 300, 300),
        "n_bins": [choose(1, 3, 8, 8, 40, 300) for _ in range(n_features)],
        "n_outputs": choose(2, 3, 5),
        "categorical": np.flatnonzero(rng.random(n_features) < 0.4),
        "missing": choose(0, 0.2, 0.2, 0.9),
        "gradients": choose("normal", "normal", "ties", "scales"),
        "has_hessians": choose(False, True),
        "weights": choose("none", "integer", "real"),
        "seed": seed,
    }
    options = {
        "grow_policy": choose(*sorted(GROW_POLICIES)),
        "max_leaf_nodes": choose(0, 7, 31),
        "max_depth": choose(0, 0, 0, 3),
        "min_samples_leaf": choose(1, 2, 7),
        "min_child_weight": choose(1e-300, 1e-3, 1e-3, 2.0),
        "l1_regularization": choose(0.0, 0.0, 0.5),
        "l2_regularization": choose(0.0, 1.5),
        "min_split_gain": choose(0.0, 0.0, 1.0),
        "max_delta_step": choose(np.inf, np.inf, 0.4),
        "path_smoothing": choose(0.0, 0.0, 3.0),
        "extra_trees": choose(False, False, True),
        "seed": choose(0, 1, 2**64 - 1),
        "tree_idx": choose(0, 1, 1000),
        "histogram_budget": choose(0, 2**29),
    }
    if choose(False, True):
        mask = rng.random(n_features) < 0.5
        options["one_level_splits"] = mask.astype(np.uint8)
    return problem, options


@pytest.mark.parametrize("seed", range(200))
def test_random_trees(seed):
    problem, options = draw_case(seed)
    Problem(**problem).check(**options)


@pytest.mark.parametrize("grow_policy", sorted(GROW_POLICIES))
def test_many_rows(grow_policy):
    # Enough for 12-bit words.
    problem = Problem(9000, (30, 12), (1,), weights="integer")
    assert len(problem.check(grow_policy=grow_policy, max_leaf_nodes=8)) == 15


def test_drawn_rows():
    rows = np.flatnonzero(np.random.default_rng(0).random(300) < 0.6).astype(np.uint32)
    Problem(300).check(rows=rows, min_samples_leaf=5)


@pytest.mark.parametrize("n_rows", [300, 20_000])
@pytest.mark.parametrize("grow_policy", sorted(GROW_POLICIES))
def test_threads_do_not_matter(grow_policy, n_rows):
    problem = Problem(n_rows, (5, 12, 30, 300), (1,))
    results = []
    for n_threads in N_THREADS:
        grower, arrays = problem.grow(n_threads=n_threads, grow_policy=grow_policy)
        results.append([grower.vectors.tobytes(), *(a.tobytes() for a in arrays)])
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("extra_trees", [False, True])
@pytest.mark.parametrize("grow_policy", sorted(GROW_POLICIES))
def test_equal_outputs_grow_the_tree_of_one(grow_policy, extra_trees):
    problem = Problem(400, (5, 12, 30), (1,), n_outputs=4)
    problem.gradients = problem.gradients[:1] * 4
    problem.hessians = problem.hessians[:1] * 4
    options = {"extra_trees": extra_trees, "min_samples_leaf": 5}
    grower, (nodes, stats, bitsets) = problem.grow(grow_policy=grow_policy, **options)
    vectors = grower.vectors
    alone = TreeGrower(
        problem.matrix,
        problem.edges,
        grow_policy=GROW_POLICIES[grow_policy],
        **options,
    )
    expected, expected_stats, expected_bitsets = alone.grow(
        problem.quantize(make_quantized)[0], 0
    )
    for name in ("feature", "left", "bitset", "missing_left"):
        np.testing.assert_array_equal(nodes[name], expected[name])
    is_split = nodes["feature"] >= 0
    np.testing.assert_array_equal(nodes["value"][is_split], expected["value"][is_split])
    np.testing.assert_array_equal(bitsets, expected_bitsets)
    for output in range(4):
        np.testing.assert_array_equal(vectors[:, output], expected_stats["value"])
    np.testing.assert_allclose(stats["gain"], 4 * expected_stats["gain"], rtol=1e-15)
    for name in ("sum_hessians", "n_samples", "depth", "bin"):
        np.testing.assert_array_equal(stats[name], expected_stats[name])


def test_levels_are_sorted_along_the_direction_in_which_they_vary_most():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 4)) * [1.0, 0.1, 2.0, 0.2] @ rng.normal(size=(4, 4))
    shares = rng.uniform(size=40)
    direction = find_direction(points, shares)
    _, vectors = np.linalg.eigh((points.T * shares) @ points)
    first = vectors[:, -1] / vectors[np.argmax(np.abs(vectors[:, -1])), -1]
    np.testing.assert_allclose(direction, first, atol=1e-3)


def test_a_category_is_cut_where_the_outputs_agree():
    # No output alone sees more than half of what sets levels 0 to 3 apart from the
    # others; their own orders are spoilt by a level each.
    rng = np.random.default_rng(1)
    codes = np.repeat(np.arange(8), 100)[:, np.newaxis]
    gradients = np.where(codes < 4, 1.0, -1.0) + rng.normal(size=(800, 3)) * 0.01
    for output in range(3):
        gradients[codes[:, 0] == output, output] = -1.5
    problem = Problem(800, (8,), (0,))
    problem.matrix = make_matrix(codes, [8], np.array([True]))
    problem.codes = codes
    problem.gradients = list(np.ascontiguousarray(gradients.T))
    problem.hessians = [None] * 3
    problem.check(max_leaf_nodes=2)
    _, (_, _, bitsets) = problem.grow(max_leaf_nodes=2)
    assert bitsets[0] in (0b1111, 0b11110000)


def test_every_output_needs_the_child_weight():
    # The second output has hessians on one side of the first feature only.
    codes = np.repeat([[0], [1]], 50, axis=0)
    problem = Problem(100, (2,), n_outputs=2, missing=0)
    problem.matrix = make_matrix(codes, [2])
    problem.codes = codes
    problem.gradients = [np.where(codes[:, 0] == 0, 1.0, -1.0), np.zeros(100)]
    problem.hessians = [np.ones(100), np.where(codes[:, 0] == 0, 1.0, 0.0)]
    _, (nodes, _, _) = problem.grow(min_child_weight=1e-3)
    assert len(nodes) == 1
    problem.hessians[1] = np.ones(100)
    _, (nodes, _, _) = problem.grow(min_child_weight=1e-3)
    assert len(nodes) == 3
