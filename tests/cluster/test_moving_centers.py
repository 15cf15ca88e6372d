"""Labels that follow centres: bounds leave out distances and never change a label."""

import numpy as np
import pytest
from scipy import sparse

from sklearnx._cluster.assignments import BoundedAssignment, start_assignment
from sklearnx._cluster.rows import make_rows
from sklearnx._cython.cluster.group_bounds import CENTERS_PER_GROUP

ALGORITHMS = ["lloyd", "elkan"]
STEPS = (1.0, 0.1, 1e-3, 1e-6, 0.0, 1.0, 0.3)


def make_table(n_rows, n_columns, dtype, seed=1):
    X = np.random.default_rng(seed).normal(size=(n_rows, n_columns))
    return X.astype(dtype)


def thin_out(X, share=0.7):
    X = X.copy()
    X[np.random.default_rng(2).random(X.shape) < share] = 0.0
    return sparse.csr_matrix(X)


def check_moves(rows, centers, algorithm, spread, steps=STEPS):
    """Move centres; labels have to be those of a full search each time."""
    rng = np.random.default_rng(3)
    assignment = start_assignment(rows, len(centers), algorithm)
    before = np.full(rows.n_rows, -1)
    for step in steps:
        noise = rng.normal(scale=spread * step, size=centers.shape)
        centers = (centers + noise).astype(rows.dtype)
        n_changed = assignment.update(centers)
        np.testing.assert_array_equal(assignment.labels, rows.assign(centers)[0])
        assert n_changed == np.sum(assignment.labels != before)
        before = assignment.labels.copy()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("spread", [0.01, 1.0])
@pytest.mark.parametrize("n_columns", [2, 20, 150])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_dense_rows(n_columns, spread, dtype, algorithm):
    X = make_table(3001, n_columns, dtype)
    check_moves(make_rows(X, 2), X[:37], algorithm, spread)


@pytest.mark.parametrize("n_clusters", [2, 7, 8, 9, 64, 101])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_numbers_of_clusters(n_clusters, algorithm):
    X = make_table(700, 12, np.float64)
    check_moves(make_rows(X), X[:n_clusters], algorithm, 0.3)


@pytest.mark.parametrize("n_rows", [1, 2, 239, 240, 241, 961])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_numbers_of_rows(n_rows, algorithm):
    X = make_table(n_rows, 700, np.float32)
    centers = make_table(11, 700, np.float32, seed=5)
    check_moves(make_rows(X, 2), centers, algorithm, 0.1)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("spread", [0.01, 1.0])
@pytest.mark.parametrize("n_columns", [1, 20, 300])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_sparse_rows(n_columns, spread, dtype, algorithm):
    X = thin_out(make_table(1501, n_columns, dtype))
    centers = make_table(37, n_columns, dtype, seed=5) * dtype(0.5)
    check_moves(make_rows(X, 2), centers, algorithm, spread)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("as_rows", [np.asarray, sparse.csr_matrix])
def test_ties_and_equal_centers(algorithm, as_rows):
    rng = np.random.default_rng(0)
    X = rng.integers(-2, 3, size=(900, 3)).astype(np.float64)
    centers = rng.integers(-2, 3, size=(40, 3)).astype(np.float64)
    rows = make_rows(as_rows(X))
    assignment = start_assignment(rows, len(centers), algorithm)
    for _ in range(4):
        assignment.update(centers)
        distances = np.square(X[:, None] - centers).sum(axis=2)
        np.testing.assert_array_equal(assignment.labels, distances.argmin(axis=1))
        centers = centers[rng.permutation(40)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("as_rows", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("kind", ["offset", "mixed scales", "huge", "tiny", "close"])
def test_numbers_at_which_float32_fails(algorithm, as_rows, kind):
    rng = np.random.default_rng(0)
    X, centers = rng.normal(size=(500, 6)), rng.normal(size=(20, 6))
    if kind == "offset":
        X, centers = X + 1e6, centers + 1e6
    if kind == "mixed scales":
        X *= 10.0 ** rng.integers(-60, 60, size=(500, 1))
        centers *= 10.0 ** rng.integers(-60, 60, size=(20, 1))
    if kind in ("huge", "tiny"):
        factor = 1e140 if kind == "huge" else 1e-140
        X, centers = X * factor, centers * factor
    if kind == "close":
        centers = centers[0] + 1e-9 * centers
    rows = make_rows(as_rows(X))
    check_moves(rows, centers, algorithm, 0.1 * np.abs(centers).min(), STEPS[:4])


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("as_rows", [np.asarray, sparse.csr_matrix])
def test_group_bounds_hold_and_are_tight(n_threads, as_rows):
    n_rows, n_clusters = 200, 21
    X = make_table(n_rows, 30, np.float64)
    rows, centers = make_rows(as_rows(X), n_threads), X[:n_clusters] + 0.1
    n_groups = -(-n_clusters // CENTERS_PER_GROUP)
    labels = np.full(n_rows, -1, dtype=np.int32)
    upper = np.empty(n_rows, dtype=np.float32)
    lower = np.empty(n_rows * n_groups, dtype=np.float32)
    is_sparse = sparse.issparse(rows.X)
    unit = rows._scale_squares()[0] if is_sparse else rows.find_frame()[1]
    old = None
    for step in (0.0, 0.1, 0.01, 0.01):
        rng = np.random.default_rng(4)
        centers = centers + step * rng.normal(size=centers.shape)
        rows.assign_grouped(old, centers, labels, upper, lower)
        distances = unit * np.sqrt(np.square(X[:, None] - centers).sum(axis=2))
        np.testing.assert_array_equal(labels, distances.argmin(axis=1))
        nearest = distances[np.arange(n_rows), labels]
        distances[np.arange(n_rows), labels] = np.inf
        least = np.stack(
            [
                distances[:, start : start + CENTERS_PER_GROUP].min(axis=1)
                for start in range(0, n_clusters, CENTERS_PER_GROUP)
            ]
        )
        bounds = lower.reshape(n_groups, n_rows)
        assert (upper >= nearest).all()
        assert (bounds <= least).all()
        if old is None:
            np.testing.assert_allclose(upper, nearest, rtol=2e-3)
            np.testing.assert_allclose(bounds, least, rtol=2e-3)
        old = centers


def count_bounds(rows, n_clusters, algorithm):
    assignment = start_assignment(rows, n_clusters, algorithm)
    if not isinstance(assignment, BoundedAssignment):
        return 0
    return len(assignment._lower)


def test_choice_of_bounds(monkeypatch):
    short = make_rows(np.zeros((100, 20)))
    long = make_rows(np.zeros((100, 400)))
    text = make_rows(sparse.csr_matrix((100, 20)))
    of_groups = 100 * 8
    assert count_bounds(long, 1, "elkan") == 0
    assert count_bounds(short, 64, "auto") == count_bounds(short, 64, "lloyd") == 100
    assert (
        count_bounds(long, 64, "auto") == count_bounds(long, 64, "elkan") == of_groups
    )
    assert count_bounds(long, 5, "auto") == 100
    assert count_bounds(text, 64, "auto") == of_groups
    assert count_bounds(text, 64, "lloyd") == 0
    # Without the room for groups, fewer bounds do.
    monkeypatch.setattr("sklearnx._cluster.assignments.MAX_BOUNDS", 4 * of_groups - 1)
    assert count_bounds(long, 64, "elkan") == 100
    assert count_bounds(text, 64, "elkan") == 0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tables_without_room_for_float32(algorithm, monkeypatch):
    monkeypatch.setattr("sklearnx._cluster.rows.MAX_PACKED", 0)
    X = make_table(900, 9, np.float64)
    assert count_bounds(make_rows(X), 20, algorithm) == 900
    check_moves(make_rows(X), X[:20], algorithm, 0.1)


def test_copies_in_float32_replace_each_other():
    X = make_table(900, 9, np.float64)
    rows = make_rows(X)
    check_moves(rows, X[:20], "lloyd", 0.1)
    check_moves(rows, X[:20], "elkan", 0.1)
    check_moves(rows, X[:20], "lloyd", 0.1)
