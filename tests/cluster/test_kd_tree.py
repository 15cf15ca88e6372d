"""K-d trees and their queries against distances of all pairs."""

import pickle

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from sklearnx._cluster.kd_tree import (
    EUCLIDEAN,
    LEAF_SIZE,
    build_kd_tree,
    count_within,
    find_neighbors,
    make_metric,
)
from sklearnx._cython.cluster.visiting_order import list_near

METRICS = {
    "euclidean": make_metric("euclidean"),
    "cityblock": make_metric("manhattan"),
    "chebyshev": make_metric("chebyshev"),
    "minkowski": make_metric("minkowski", 3.0),
}


def measure(X, Y, name):
    options = {"p": 3.0} if name == "minkowski" else {}
    return cdist(X, Y, name, **options)


def make_tables(n, n_columns, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_columns))
    return {
        "random": X,
        "ties": np.round(2 * X),
        "constant": np.ones((n, n_columns)),
        "line": np.outer(np.arange(n, dtype=float), np.ones(n_columns)),
        "float32": np.asfortranarray(X.astype(np.float32)),
        "far": np.where(np.arange(n)[:, None] == 0, 1e150, X),
    }


SHAPES = [(1, 1), (2, 3), (16, 2), (17, 1), (333, 3), (300, 2), (200, 7)]


@pytest.mark.parametrize(("n", "n_columns"), SHAPES)
def test_tree_holds_all_points_in_boxes(n, n_columns):
    for X in make_tables(n, n_columns).values():
        tree = build_kd_tree(X)
        assert np.array_equal(np.sort(tree.rows), np.arange(n))
        assert np.array_equal(tree.restore_rows(), X.astype(np.float64))
        points = tree.points.transpose(0, 2, 1).reshape(-1, n_columns)
        assert np.isinf(points[n:]).all()
        n_leaves = len(tree.points)
        waiting = [(0, 0, n_leaves)]
        n_nodes = 0
        while waiting:
            node, first, count = waiting.pop()
            n_nodes += 1
            own = points[first * LEAF_SIZE : min(n, (first + count) * LEAF_SIZE)]
            assert np.array_equal(tree.lower[node], own.min(axis=0))
            assert np.array_equal(tree.upper[node], own.max(axis=0))
            if count > 1:
                left = (count + 1) // 2
                waiting.append((node + 1, first, left))
                waiting.append((node + 2 * left, first + left, count - left))
        assert n_nodes == len(tree.lower)


@pytest.mark.parametrize("n_columns", [1, 3])
def test_tree_does_not_depend_on_threads(n_columns):
    for X in make_tables(12_000, n_columns).values():
        trees = [build_kd_tree(X, n_threads) for n_threads in (1, 2, 3)]
        for other in trees[1:]:
            for array, same in zip(trees[0].arrays, other.arrays):
                assert np.array_equal(array, same)


def test_tree_of_strided_table():
    X = np.random.default_rng(0).normal(size=(100, 6))
    strided = X[::-2, ::3]
    same = build_kd_tree(np.ascontiguousarray(strided))
    for array, other in zip(build_kd_tree(strided).arrays, same.arrays):
        assert np.array_equal(array, other)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(("n", "n_columns"), SHAPES)
def test_neighbors(n, n_columns, name):
    metric = METRICS[name]
    for kind, X in make_tables(n, n_columns).items():
        if kind == "far" and name == "minkowski":
            continue  # the cube overflows
        k = min(n, 9)
        tree = build_kd_tree(X)
        distances, positions = find_neighbors(tree, k, metric=metric, n_threads=2)
        X = tree.restore_rows()
        every = measure(X, X, name)
        found = metric.restore(tree.in_rows(distances))
        np.testing.assert_allclose(
            found, np.sort(every, axis=1)[:, :k], rtol=1e-12, atol=1e-12
        )
        rows = tree.rows[tree.in_rows(positions)]
        by_row = np.take_along_axis(every, rows.astype(np.intp), axis=1)
        np.testing.assert_allclose(found, by_row, rtol=1e-12, atol=1e-12)
        assert all(len(set(row)) == k for row in rows)
        # Sorted by distance, then by row.
        same = distances[:, 1:] == distances[:, :-1]
        order = tree.rows[positions[:, 1:]] > tree.rows[positions[:, :-1]]
        assert order[same].all()
        assert (distances[:, 1:] >= distances[:, :-1]).all()


def test_neighbors_do_not_depend_on_threads_nor_on_what_is_kept():
    for X in make_tables(5000, 3).values():
        tree = build_kd_tree(X)
        distances, positions = find_neighbors(tree, 12)
        for n_threads in (2, 3):
            other = find_neighbors(tree, 12, n_threads=n_threads)
            assert np.array_equal(distances, other[0])
            assert np.array_equal(positions, other[1])
        kept, kept_positions, last = find_neighbors(tree, 12, n_kept=4)
        assert np.array_equal(kept, distances[:, :4])
        assert np.array_equal(kept_positions, positions[:, :4])
        assert np.array_equal(last, distances[:, -1])


@pytest.mark.parametrize("name", METRICS)
def test_neighbors_of_other_points(name):
    metric = METRICS[name]
    X = make_tables(500, 3)["random"]
    Y = 2 * make_tables(77, 3, seed=1)["random"]
    queries = build_kd_tree(Y)
    distances, _ = find_neighbors(build_kd_tree(X), 3, queries=queries, metric=metric)
    np.testing.assert_allclose(
        metric.restore(queries.in_rows(distances)),
        np.sort(measure(Y, X, name), axis=1)[:, :3],
        rtol=1e-12,
    )


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(("n", "n_columns"), SHAPES)
def test_counts(n, n_columns, name):
    metric = METRICS[name]
    for kind, X in make_tables(n, n_columns).items():
        if kind == "far":
            continue
        tree = build_kd_tree(X)
        X = tree.restore_rows()
        reduced = metric.reduce(measure(X, X, name))
        # Halfway between two distances, so that rounding does not matter.
        levels = np.unique(np.round(reduced.ravel(), 9))
        middle = len(levels) // 3
        radius = levels[middle : middle + 2].mean()
        wanted = (reduced <= radius).sum(axis=1)
        counts = count_within(tree, radius, metric=metric, n_threads=2)
        assert np.array_equal(tree.in_rows(counts), wanted)
        enough = count_within(tree, radius, metric=metric, enough=3)
        assert np.array_equal(
            np.minimum(tree.in_rows(enough), 3), np.minimum(wanted, 3)
        )


def test_near_lists():
    for kind, X in make_tables(600, 2).items():
        if kind in ("constant", "far"):
            continue
        tree = build_kd_tree(X)
        distances, _ = find_neighbors(tree, 6)
        core = distances[:, -1].copy()
        lists = [
            list_near(
                *tree.arrays, EUCLIDEAN.number, EUCLIDEAN.p, core, 10**6, n_threads
            )
            for n_threads in (1, 2, 3)
        ]
        start, near = lists[0]
        for other in lists[1:]:
            assert np.array_equal(start, other[0])
            assert np.array_equal(near, other[1])
        points = tree.restore_rows()[tree.rows]
        squares = np.zeros((len(X), len(X)))
        for column in points.T:
            squares += np.square(column[:, None] - column)
        wanted = (squares <= core[:, None]) & (core <= core[:, None])
        np.fill_diagonal(wanted, False)
        for p in range(len(X)):
            own = np.sort(near[start[p] : start[p + 1]])
            assert np.array_equal(own, np.flatnonzero(wanted[p]))
        few = list_near(*tree.arrays, 0, 2.0, core, wanted.sum() - 1, 2)
        assert few is None


def test_metrics_by_name():
    assert make_metric("minkowski", 1) == make_metric("l1") == make_metric("cityblock")
    assert make_metric("p", 2.0) == make_metric("l2") == EUCLIDEAN
    assert make_metric("minkowski", np.inf) == make_metric("infinity")
    assert make_metric("cosine") is None
    assert make_metric("minkowski", 0.5) is None
    assert make_metric(lambda a, b: 0.0) is None


def test_tree_pickles():
    tree = build_kd_tree(make_tables(50, 2)["random"])
    copy = pickle.loads(pickle.dumps(tree))
    for array, same in zip(tree.arrays, copy.arrays):
        assert np.array_equal(array, same)
