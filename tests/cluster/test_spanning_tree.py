"""Core distances and spanning trees against plain algorithms of Prim and Kruskal."""

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist

from sklearnx._cluster import spanning_tree
from sklearnx._cluster.kd_tree import EUCLIDEAN, make_metric
from sklearnx._cluster.row_distances import (
    KernelDistances,
    MatrixDistances,
    PairwiseDistances,
    is_symmetric,
    span_by_rows,
    span_graph,
)
from sklearnx._cluster.single_linkage import cut_merges, link_edges
from sklearnx._cluster.spanning_tree import find_twins, span_by_kd_tree

METRICS = {
    "euclidean": EUCLIDEAN,
    "cityblock": make_metric("manhattan"),
    "chebyshev": make_metric("chebyshev"),
}


def measure(X, name="euclidean"):
    """Distances of all pairs, added up column by column as the kernels do."""
    X = X.astype(np.float64)
    gaps = np.abs(X[:, None, :] - X[None, :, :])
    if name == "chebyshev":
        return gaps.max(axis=2)
    out = np.zeros((len(X), len(X)))
    for j in range(X.shape[1]):
        out += gaps[:, :, j] ** 2 if name == "euclidean" else gaps[:, :, j]
    return np.sqrt(out) if name == "euclidean" else out


def weigh(distances, min_samples, alpha):
    core = np.sort(distances, axis=1)[:, min_samples - 1]
    return core, np.maximum(np.maximum(core[:, None], core[None, :]), distances / alpha)


def scan(weights):
    """Prim's algorithm on all pairs: edges in order, lowest rows and first sources."""
    n = len(weights)
    reach, source = np.full(n, np.inf), np.zeros(n, dtype=int)
    outside = np.ones(n, dtype=bool)
    current, edges = 0, []
    for _ in range(n - 1):
        outside[current] = False
        is_less = outside & (weights[current] < reach)
        reach[is_less] = weights[current][is_less]
        source[is_less] = current
        current = int(np.argmin(np.where(outside, reach, np.inf)))
        edges.append((source[current], current, reach[current]))
    return np.array(edges)


def join_by_distance(weights, distances):
    """Kruskal's algorithm, edges sorted by weight, distance, lower and higher row."""
    n = len(weights)
    low, high = np.triu_indices(n, 1)
    order = np.lexsort((high, low, distances[low, high], weights[low, high]))
    names = np.arange(n)
    edges = []
    for a, b in zip(low[order], high[order]):
        if names[a] != names[b]:
            names[names == names[b]] = names[a]
            edges.append((a, b, weights[a, b]))
    return np.array(edges)


def make_tables():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 3))
    clusters = np.vstack([rng.normal(size=(60, 2)), 20 + rng.normal(size=(60, 2))])
    axis = np.arange(5.0)
    return {
        "random": X,
        "clusters": clusters,
        "float32": X.astype(np.float32),
        "twins": np.repeat(X[:25], 6, axis=0)[rng.permutation(150)],
        "pairs": np.repeat(X[:60], 2, axis=0)[rng.permutation(120)],
        "grid": np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3),
        "line": np.outer(np.arange(90.0), np.ones(2)),
        "constant": np.ones((40, 2)),
        "far": np.vstack([X, 1e6 * X[:5]]),
        "columns": rng.normal(size=(100, 20)),
        "two": X[:2],
    }


TABLES = make_tables()


def by_ends(edges):
    return np.stack(
        [
            np.minimum(edges.start, edges.stop),
            np.maximum(edges.start, edges.stop),
            edges.weights,
        ],
        axis=1,
    )


@pytest.fixture(params=["all pairs", "k-d tree"])
def way(request, monkeypatch):
    if request.param == "k-d tree":
        monkeypatch.setattr(spanning_tree, "MAX_SCANNED", 0)
    return request.param


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("table", TABLES)
def test_ties_by_distance(table, name):
    X = TABLES[table]
    distances = measure(X, name)
    for min_samples, alpha in ((1, 1.0), (2, 1.0), (5, 1.7)):
        min_samples = min(min_samples, len(X))
        core, weights = weigh(distances, min_samples, alpha)
        wanted = join_by_distance(weights, distances)
        for n_threads in (1, 2, 3):
            found = span_by_kd_tree(
                X,
                min_samples,
                METRICS[name],
                alpha=alpha,
                ties="distance",
                n_threads=n_threads,
            )
            assert np.array_equal(found.core, core)
            assert np.array_equal(by_ends(found.spanning_tree), wanted)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("table", TABLES)
def test_ties_by_scan(table, name, way):
    X = TABLES[table]
    distances = measure(X, name)
    for min_samples, alpha in ((1, 1.0), (2, 1.0), (5, 1.7), (12, 1.0)):
        min_samples = min(min_samples, len(X))
        core, weights = weigh(distances, min_samples, alpha)
        wanted = scan(weights)
        wanted = wanted[np.argsort(wanted[:, 2])]
        for n_threads in (1, 2):
            found = span_by_kd_tree(
                X, min_samples, METRICS[name], alpha=alpha, n_threads=n_threads
            )
            edges = found.spanning_tree
            assert np.array_equal(found.core, core)
            assert np.array_equal(edges.weights, wanted[:, 2])
            assert np.array_equal(edges.start, wanted[:, 0])
            assert np.array_equal(edges.stop, wanted[:, 1])


def test_scan_of_tied_core_distances_without_all_pairs(monkeypatch):
    # Rows of a few kinds: core distances of 0, and others that tie at every radius.
    monkeypatch.setattr(spanning_tree, "MAX_SCANNED", 0)
    monkeypatch.setattr(spanning_tree, "MAX_TIED_SCANNED", 0)
    rng = np.random.default_rng(3)
    X = np.repeat(rng.normal(size=(80, 2)), rng.integers(1, 9, size=80), axis=0)
    X = X[rng.permutation(len(X))]
    distances = measure(X)
    for min_samples in (2, 4, 70):
        _, weights = weigh(distances, min_samples, 1.0)
        wanted = scan(weights)
        wanted = wanted[np.argsort(wanted[:, 2])]
        edges = span_by_kd_tree(X, min_samples, EUCLIDEAN).spanning_tree
        assert np.array_equal(edges.weights, wanted[:, 2])
        assert np.array_equal(edges.start, wanted[:, 0])
        assert np.array_equal(edges.stop, wanted[:, 1])


def test_minkowski(way):
    X = TABLES["random"]
    metric = make_metric("minkowski", 3.0)
    distances = cdist(X, X, "minkowski", p=3.0)
    _, weights = weigh(distances, 4, 1.3)
    edges = span_by_kd_tree(X, 4, metric, alpha=1.3).spanning_tree
    np.testing.assert_allclose(edges.weights, np.sort(scan(weights)[:, 2]), rtol=1e-12)


def test_large_table_on_threads():
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(8000, 3)), 9 * rng.normal(size=(4000, 3))])
    for ties in ("scan", "distance"):
        trees = [
            span_by_kd_tree(X, 5, EUCLIDEAN, ties=ties, n_threads=n).spanning_tree
            for n in (1, 2, 3)
        ]
        for other in trees[1:]:
            assert np.array_equal(trees[0].start, other.start)
            assert np.array_equal(trees[0].stop, other.stop)
            assert np.array_equal(trees[0].weights, other.weights)


def test_rows_of_distances():
    X = TABLES["random"]
    distances = measure(X)
    for min_samples, alpha in ((3, 1.0), (5, 1.7)):
        core, weights = weigh(distances, min_samples, alpha)
        wanted = scan(weights)
        wanted = wanted[np.argsort(wanted[:, 2])]
        for source in (
            KernelDistances(X, "euclidean", {}),
            MatrixDistances(distances),
        ):
            found = span_by_rows(source, min_samples, alpha=alpha)
            assert np.array_equal(found.core, core)
            assert np.array_equal(found.spanning_tree.weights, wanted[:, 2])
            assert np.array_equal(found.spanning_tree.start, wanted[:, 0])
            assert np.array_equal(found.spanning_tree.stop, wanted[:, 1])
        # As a chain: core distances are scaled too, and edges follow one another.
        _, weights = weigh(distances / alpha, min_samples, 1.0)
        wanted = scan(weights)
        order = np.argsort(wanted[:, 2])
        chain = span_by_rows(
            MatrixDistances(distances), min_samples, alpha=alpha, as_chain=True
        )
        assert np.array_equal(chain.spanning_tree.stop, wanted[order, 1])
        before = np.concatenate([[0], wanted[:-1, 1]])
        assert np.array_equal(chain.spanning_tree.start, before[order])


def test_pairwise_distances_in_blocks(monkeypatch):
    X = TABLES["random"]
    whole = span_by_rows(PairwiseDistances(X, "cosine", {}), 4, as_chain=True)
    monkeypatch.setattr("sklearnx._cluster.row_distances.MAX_MATRIX_BYTES", 0)
    monkeypatch.setattr("sklearnx._cluster.row_distances.BLOCK_BYTES", 8 * 150 * 7)
    parts = span_by_rows(PairwiseDistances(X, "cosine", {}), 4, as_chain=True)
    np.testing.assert_allclose(whole.core, parts.core, atol=1e-14)
    np.testing.assert_allclose(
        whole.spanning_tree.weights, parts.spanning_tree.weights, atol=1e-14
    )
    for metric in ("seuclidean", "mahalanobis"):
        source = PairwiseDistances(X, metric, {})
        np.testing.assert_allclose(source.rows(0, 7), source.matrix()[:7])


def test_graph():
    distances = measure(TABLES["clusters"])
    reach = np.where(distances > 30, 0.0, distances)
    graph = sparse.csr_matrix(reach)
    # Without an entry on the diagonal a row is not its own neighbour.
    core, _ = weigh(np.where(reach > 0, reach, np.inf), 4, 1.0)
    weights = np.where(
        reach > 0, np.maximum(np.maximum(core[:, None], core), reach), np.inf
    )
    found = span_graph(graph, 4)
    np.testing.assert_array_equal(found.core, core)
    edges = found.spanning_tree
    assert np.array_equal(edges.weights, np.sort(scan(weights)[:, 2]))
    assert np.array_equal(edges.weights, weights[edges.start, edges.stop])
    assert link_edges(edges)["cluster_size"][-1] == len(weights)


def test_symmetry():
    distances = measure(TABLES["random"])
    assert is_symmetric(distances)
    assert is_symmetric(sparse.csr_matrix(distances))
    distances[3, 140] += 1e-3
    assert not is_symmetric(distances)
    assert not is_symmetric(sparse.csr_matrix(distances))


def test_twins():
    X = np.array([[1.0, 0.0], [2.0, 0.0], [1.0, -0.0], [2.0, 0.0], [1.0, 0.0], [3, 3]])
    firsts, twins = find_twins(X, np.array([4, 0, 5, 3, 2, 1]))
    pairs = sorted(zip(firsts.tolist(), twins.tolist()))
    assert pairs == [(0, 2), (0, 4), (1, 3)]


@pytest.mark.parametrize("ties", ["scan", "distance"])
def test_merges(ties):
    X = TABLES["clusters"]
    edges = span_by_kd_tree(X, 3, EUCLIDEAN, ties=ties).spanning_tree
    merges = link_edges(edges)
    n = len(X)
    members = {i: {i} for i in range(n)}
    for i, merge in enumerate(merges):
        left, right = members[merge["left_node"]], members[merge["right_node"]]
        assert not left & right
        assert edges.start[i] in left
        assert edges.stop[i] in right
        members[n + i] = left | right
        assert merge["cluster_size"] == len(members[n + i])
    assert members[2 * n - 2] == set(range(n))
    assert np.array_equal(merges["value"], edges.weights)
    # A cut gives the components of the graph of smaller weights.
    _, weights = weigh(measure(X), 3, 1.0)
    for cut in (0.2, 0.5, 100.0):
        count, components = sparse.csgraph.connected_components(weights < cut)
        labels = cut_merges(merges, cut, 1)
        assert len(set(labels)) == count
        assert len(set(zip(labels, components))) == count
        sizes = np.bincount(components)
        noise = cut_merges(merges, cut, 4) == -1
        assert np.array_equal(noise, sizes[components] < 4)
