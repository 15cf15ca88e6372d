"""Condensed trees, and selection from them, against plain recursion."""

from itertools import pairwise

import numpy as np
import pytest

from sklearnx._cluster.condensed_tree import (
    condense_merges,
    find_deaths,
    measure_clusters,
    score_outliers,
)
from sklearnx._cluster.kd_tree import EUCLIDEAN
from sklearnx._cluster.membership import merge_lambdas
from sklearnx._cluster.selection import label_points, select_clusters
from sklearnx._cluster.single_linkage import MERGE_DTYPE, link_edges
from sklearnx._cluster.spanning_tree import span_by_kd_tree
from sklearnx.cluster._condensed_plot import place_icicles, trace_icicles


def make_merges():
    rng = np.random.default_rng(0)
    centers = 12 * rng.normal(size=(9, 2))
    X = np.vstack([c + rng.normal(size=(40, 2)) for c in centers])
    X = np.vstack([X, rng.uniform(-30, 30, size=(60, 2))])
    twins = np.vstack([X[:100], np.repeat(X[:4], 11, axis=0)])
    return {
        "clusters": link_edges(span_by_kd_tree(X, 5, EUCLIDEAN).spanning_tree),
        "single": link_edges(span_by_kd_tree(X, 1, EUCLIDEAN).spanning_tree),
        "twins": link_edges(span_by_kd_tree(twins, 3, EUCLIDEAN).spanning_tree),
        "two": np.array([(0, 1, 1.5, 2)], dtype=MERGE_DTYPE),
    }


MERGES = make_merges()


class Cluster:
    """A cluster of the condensed tree: when what leaves it, and clusters within."""

    def __init__(self, birth, points):
        self.birth = birth
        self.points = points
        self.leaving = {}
        self.within = []


def condense(merges, min_size):
    """The root cluster, by recursion over the hierarchy."""
    n = len(merges) + 1

    def points_of(node):
        if node < n:
            return [int(node)]
        merge = merges[node - n]
        return points_of(merge["left_node"]) + points_of(merge["right_node"])

    def follow(node, cluster):
        merge = merges[node - n]
        value = 1 / merge["value"] if merge["value"] > 0 else np.inf
        parts = [merge["left_node"], merge["right_node"]]
        points = [points_of(part) for part in parts]
        large = [len(own) >= min_size for own in points]
        for part, own, is_large in zip(parts, points, large):
            if all(large):
                cluster.within.append(Cluster(value, own))
                follow(part, cluster.within[-1])
            elif is_large:
                follow(part, cluster)
            else:
                cluster.leaving.update(dict.fromkeys(own, value))

    root = Cluster(0.0, list(range(n)))
    follow(2 * n - 2, root)
    return root


def list_clusters(root):
    """All clusters, a level at a time."""
    level, out = [root], []
    while level:
        out += level
        level = [child for cluster in level for child in cluster.within]
    return out


def last_lambda(cluster):
    values = list(cluster.leaving.values()) + [c.birth for c in cluster.within]
    return max(values)


def stability_of(cluster):
    with np.errstate(invalid="ignore"):
        own = sum(value - cluster.birth for value in cluster.leaving.values())
        for child in cluster.within:
            own += (child.birth - cluster.birth) * len(child.points)
    return own


def match(table):
    """The numbers of a table's clusters, by the points in them."""
    points = [[] for _ in range(table.n_clusters)]
    for point, cluster in enumerate(table.point_cluster.tolist()):
        while cluster >= 0:
            points[cluster].append(point)
            cluster = int(table.parent[cluster])
    return {frozenset(own): number for number, own in enumerate(points)}


@pytest.mark.parametrize("min_size", [2, 5, 30, 1000])
@pytest.mark.parametrize("name", MERGES)
def test_condensed_tree(name, min_size):
    merges = MERGES[name]
    n = len(merges) + 1
    rows = condense_merges(merges, min_size)
    table = measure_clusters(rows, n)
    clusters = list_clusters(condense(merges, min_size))
    numbers = match(table)
    assert len(rows) == n + len(clusters) - 1
    assert len(numbers) == len(clusters) == table.n_clusters
    assert rows["parent"].min() == n
    assert (rows["child"] != n).all()
    for cluster in clusters:
        number = numbers[frozenset(cluster.points)]
        assert table.size[number] == len(cluster.points)
        assert table.birth[number] == cluster.birth
        assert table.max_lambda[number] == last_lambda(cluster)
        np.testing.assert_allclose(
            table.stability[number], stability_of(cluster), rtol=1e-9
        )
        for child in cluster.within:
            assert table.parent[numbers[frozenset(child.points)]] == number
        for point, value in cluster.leaving.items():
            assert table.point_cluster[point] == number
            assert table.point_lambda[point] == value
    # The same in the rows.
    assert (table.parent[1:] < np.arange(1, table.n_clusters)).all()
    is_point = rows["child"] < n
    assert (rows["cluster_size"][is_point] == 1).all()
    assert np.array_equal(np.sort(rows["child"][is_point]), np.arange(n))


def select(root, method, allow_root, max_size):
    """Selected clusters by recursion."""
    if method == "leaf":
        return [c for c in list_clusters(root) if not c.within and c is not root]

    def best(cluster):
        within = [best(child) for child in cluster.within]
        total = sum(own for own, _ in within)
        chosen = [c for _, some in within for c in some]
        if cluster is root and not allow_root:
            return total, chosen
        stability = stability_of(cluster)
        size = len(cluster.points)
        if cluster is root:
            size = sum(len(child.points) for child in cluster.within)
        if total > stability or size > max_size:
            return total, chosen
        return stability, [cluster]

    return best(root)[1]


@pytest.mark.parametrize("allow_root", [False, True])
@pytest.mark.parametrize("method", ["eom", "leaf"])
@pytest.mark.parametrize("max_size", [None, 45])
@pytest.mark.parametrize("name", ["clusters", "single"])
def test_selection(name, method, allow_root, max_size):
    merges = MERGES[name]
    for min_size in (3, 10, 30):
        table = measure_clusters(condense_merges(merges, min_size), len(merges) + 1)
        root = condense(merges, min_size)
        wanted = select(root, method, allow_root, max_size or 10**9)
        numbers = match(table)
        selection = select_clusters(
            table,
            method=method,
            allow_single_cluster=allow_root,
            max_cluster_size=max_size,
        )
        assert selection.clusters.tolist() == sorted(
            numbers[frozenset(c.points)] for c in wanted
        )
        if root in wanted:
            continue
        labels, probabilities = label_points(table, selection)
        for label, number in enumerate(selection.clusters):
            (cluster,) = [c for c in wanted if numbers[frozenset(c.points)] == number]
            assert set(np.flatnonzero(labels == label)) == set(cluster.points)
            own = probabilities[cluster.points]
            last = last_lambda(cluster)
            lambdas = np.minimum(table.point_lambda[cluster.points], last)
            np.testing.assert_array_equal(own, lambdas / last)
        is_noise = np.ones(len(labels), dtype=bool)
        for cluster in wanted:
            is_noise[cluster.points] = False
        assert np.array_equal(labels == -1, is_noise)
        assert (probabilities[is_noise] == 0).all()


def test_epsilon_merges_clusters_that_split_below():
    merges = MERGES["single"]
    table = measure_clusters(condense_merges(merges, 5), len(merges) + 1)
    for epsilon in (0.5, 1.0, 3.0):
        plain = select_clusters(table)
        merged = select_clusters(table, epsilon=epsilon)
        distances = 1 / table.birth[merged.clusters]
        is_top = table.parent[merged.clusters] == 0
        assert (distances[~is_top] >= epsilon).all()
        assert len(merged.clusters) <= len(plain.clusters)
        # Nothing that was in a cluster has become noise.
        before, after = label_points(table, plain)[0], label_points(table, merged)[0]
        assert (after[before >= 0] >= 0).all()
    # A large epsilon leaves the children of the root, or the root.
    top = select_clusters(table, epsilon=1e9)
    assert (table.parent[top.clusters] == 0).all()
    root = select_clusters(table, epsilon=1e9, allow_single_cluster=True)
    assert root.clusters.tolist() == [0]


def test_root_alone():
    merges = MERGES["clusters"]
    table = measure_clusters(condense_merges(merges, 200), len(merges) + 1)
    assert table.n_clusters == 1
    none = select_clusters(table)
    labels, _ = label_points(table, none)
    assert (labels == -1).all()
    alone = select_clusters(table, allow_single_cluster=True)
    labels, probabilities = label_points(table, alone)
    is_last = table.point_lambda == table.max_lambda[0]
    assert np.array_equal(labels == 0, is_last)
    assert (probabilities[is_last] == 1).all()
    # With an epsilon, whatever is connected at that distance.
    wide = select_clusters(table, allow_single_cluster=True, epsilon=2.0)
    labels, _ = label_points(table, wide)
    assert np.array_equal(labels == 0, table.point_lambda >= 0.5)


@pytest.mark.parametrize("name", MERGES)
def test_outlier_scores(name):
    merges = MERGES[name]
    table = measure_clusters(condense_merges(merges, 5), len(merges) + 1)
    scores = score_outliers(table)
    deaths = find_deaths(table)

    def death(cluster):
        return max([last_lambda(cluster)] + [death(child) for child in cluster.within])

    numbers = match(table)
    for cluster in list_clusters(condense(merges, 5)):
        last = death(cluster)
        assert deaths[numbers[frozenset(cluster.points)]] == last
        for point, value in cluster.leaving.items():
            wanted = 0.0 if value == last else 1.0 - value / last
            assert scores[point] == wanted


def test_where_clusters_part():
    merges = MERGES["single"]
    table = measure_clusters(condense_merges(merges, 5), len(merges) + 1)
    selected = select_clusters(table, method="leaf").clusters
    lambdas = merge_lambdas(table, selected, np.arange(table.n_clusters))

    def ancestors(cluster):
        path = []
        while cluster >= 0:
            path.append(cluster)
            cluster = int(table.parent[cluster])
        return path

    for cluster in range(table.n_clusters):
        own = ancestors(cluster)
        for column, other in enumerate(selected.tolist()):
            path = ancestors(other)
            if cluster in path or other in own:
                assert lambdas[cluster, column] == np.inf
                continue
            common = next(c for c in own if c in path)
            child = own[own.index(common) - 1]
            assert lambdas[cluster, column] == table.birth[child]


@pytest.mark.parametrize("name", MERGES)
def test_icicles(name):
    merges = MERGES[name]
    table = measure_clusters(condense_merges(merges, 5), len(merges) + 1)
    left = place_icicles(table)
    for cluster, (lambdas, counts) in enumerate(trace_icicles(table)):
        assert len(lambdas) == len(counts) + 1
        assert lambdas[0] == table.birth[cluster]
        assert lambdas[-1] == table.max_lambda[cluster]
        assert (lambdas[1:] >= lambdas[:-1]).all()
        assert counts[0] == table.size[cluster]
        assert (counts > 0).all()
        parent = table.parent[cluster]
        if parent >= 0:
            assert left[cluster] >= left[parent]
            right = left[cluster] + table.size[cluster]
            assert right <= left[parent] + table.size[parent]
        children = np.flatnonzero(table.parent == cluster)
        for a, b in pairwise(children):
            assert left[b] == left[a] + table.size[a]
