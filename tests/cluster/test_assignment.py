"""Nearest centres, sums of clusters and k-means++ against plain NumPy."""

import math

import numpy as np
import pytest
from scipy import sparse
from sklearn.cluster import kmeans_plusplus

from sklearnx._cluster.rows import ClusterSums, make_rows
from sklearnx._cluster.seeding import choose_centers
from tests._versions import needs_sklearn_1_9

SHAPES = [
    (1, 1, 1),
    (5, 3, 2),
    (100, 1, 3),
    (1000, 20, 50),
    (997, 129, 13),
    (130, 300, 9),
    (961, 5, 8),
    (50, 17, 40),
]


def measure(X, centers):
    """All squared distances, of differences in double."""
    X, centers = X.astype(np.float64), centers.astype(np.float64)
    return np.stack([np.square(X - center).sum(axis=1) for center in centers], axis=1)


def make_case(n_rows, n_columns, n_centers, kind, dtype, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns))
    centers = rng.normal(size=(n_centers, n_columns))
    if kind == "offset":
        X, centers = X + 1e4, centers + 1e4
    if kind == "mixed scales":
        X *= 10.0 ** rng.integers(-8, 9, size=(n_rows, 1))
        centers *= 10.0 ** rng.integers(-8, 9, size=(n_centers, 1))
    if kind == "sparse":
        X[rng.random(X.shape) < 0.7] = 0.0
    return X.astype(dtype), centers.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["normal", "offset", "mixed scales", "sparse"])
@pytest.mark.parametrize("shape", SHAPES)
def test_labels_are_those_of_least_sums_of_squares(shape, kind, dtype):
    X, centers = make_case(*shape, kind, dtype)
    labels, distances = make_rows(X, 2).assign(centers, with_distances=True)
    expected = measure(X, centers)
    np.testing.assert_allclose(distances, expected.min(axis=1), rtol=1e-12)
    chosen = expected[np.arange(len(X)), labels]
    np.testing.assert_allclose(chosen, expected.min(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(make_rows(X).assign(centers)[0], labels)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SHAPES)
def test_sparse_rows(shape, dtype):
    X, centers = make_case(*shape, "sparse", dtype)
    rows = make_rows(sparse.csr_matrix(X), 2)
    labels, distances = rows.assign(centers, with_distances=True)
    expected = measure(X, centers)
    rtol = 1e-9
    np.testing.assert_allclose(distances, expected.min(axis=1), rtol=rtol)
    chosen = expected[np.arange(len(X)), labels]
    np.testing.assert_allclose(chosen, expected.min(axis=1), rtol=rtol)
    np.testing.assert_allclose(rows.measure_all(centers), expected, rtol=rtol)
    np.testing.assert_allclose(
        rows.measure_assigned(centers, labels), distances, rtol=rtol
    )
    # A single one is not scored first.
    for i in range(0, len(X), 100):
        alone = make_rows(sparse.csr_matrix(X[i : i + 1])).assign(centers)[0]
        np.testing.assert_array_equal(alone, labels[i : i + 1])


def test_sparse_rows_without_values():
    X = sparse.csr_matrix((30, 4))
    centers = np.array([[1.0, 0, 0, 0], [0.5, 0, 0, 0]])
    labels, distances = make_rows(X).assign(centers, with_distances=True)
    np.testing.assert_array_equal(labels, 1)
    np.testing.assert_array_equal(distances, 0.25)


@pytest.mark.parametrize("as_rows", [np.asarray, sparse.csr_matrix])
def test_ties_go_to_the_lower_index(as_rows):
    rng = np.random.default_rng(0)
    X = rng.integers(-2, 3, size=(500, 3)).astype(np.float64)
    centers = rng.integers(-2, 3, size=(40, 3)).astype(np.float64)
    labels, _ = make_rows(as_rows(X)).assign(centers)
    expected = measure(X, centers)
    assert (np.sum(expected == expected.min(axis=1)[:, None], axis=1) > 1).any()
    np.testing.assert_array_equal(labels, expected.argmin(axis=1))


@pytest.mark.parametrize("n_columns", [3, 40, 200])
def test_differences_below_float32_decide(n_columns):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, n_columns))
    center = rng.normal(size=n_columns)
    # Pairs that float32 cannot tell apart, and third ones far away.
    step = 1e-10 * rng.normal(size=n_columns)
    centers = np.stack([center, center + step, center + 100.0])
    labels, _ = make_rows(X).assign(centers)
    np.testing.assert_array_equal(labels, measure(X, centers).argmin(axis=1))
    assert 0 < labels.sum() < len(X)


def test_numbers_beyond_float32():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6)) * 10.0 ** rng.integers(-60, 60, size=(300, 1))
    centers = rng.normal(size=(9, 6)) * 10.0 ** rng.integers(-60, 60, size=(9, 1))
    labels, _ = make_rows(X).assign(centers)
    expected = measure(X, centers)
    chosen = expected[np.arange(len(X)), labels]
    np.testing.assert_allclose(chosen, expected.min(axis=1), rtol=1e-12)


@pytest.mark.parametrize("n_threads", [2, 3])
def test_threads_change_no_bit(n_threads):
    X, centers = make_case(5000, 7, 12, "normal", np.float64)
    labels, distances = make_rows(X, 1).assign(centers, with_distances=True)
    rows = make_rows(X, n_threads)
    other_labels, other_distances = rows.assign(centers, with_distances=True)
    np.testing.assert_array_equal(labels, other_labels)
    np.testing.assert_array_equal(distances, other_distances)
    sums = make_rows(X, 1).sum_clusters(labels, 12)[0]
    np.testing.assert_array_equal(sums, rows.sum_clusters(labels, 12)[0])
    for one, other in zip(make_rows(X, 1).find_moments(), rows.find_moments()):
        np.testing.assert_array_equal(one, other)
    chosen = [
        choose_centers(make_rows(X, n), 30, None, np.random.RandomState(0))[1]
        for n in (1, n_threads)
    ]
    np.testing.assert_array_equal(*chosen)


@pytest.mark.parametrize("as_rows", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("is_weighted", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sums_follow_moves_without_drift(as_rows, is_weighted, dtype):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(9000, 3)) * [1.0, 1e6, 1e-6]).astype(dtype)
    weights = rng.random(len(X)) if is_weighted else None
    if is_weighted:
        weights[::7] = 0.0
    rows = make_rows(as_rows(X), 2)
    sums = ClusterSums(rows, 4, weights)
    for _ in range(20):
        labels = rng.integers(0, 3, size=len(X)).astype(np.int32)
        sums.update(labels)
    factors = np.ones(len(X)) if weights is None else weights
    values = X.astype(np.float64) * factors[:, None]
    for j in range(4):
        of_cluster = labels == j
        exact = [math.fsum(column) for column in values[of_cluster].T]
        np.testing.assert_array_equal(sums.values[:, j].sum(axis=0), exact)
        weight = math.fsum(factors[of_cluster])
        assert sums.weights[:, j].sum() == weight
        assert sums.counts[j] == np.sum(factors[of_cluster] != 0)


@pytest.mark.parametrize("n_columns", [1, 9, 2000])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_means_and_how_far_they_moved(n_columns, dtype):
    X, old = make_case(600, n_columns, 40, "normal", dtype)
    weights = np.random.default_rng(1).random(len(X))
    labels = np.arange(len(X), dtype=np.int32) % 40
    found = []
    for n_threads in (1, 3):
        sums = ClusterSums(make_rows(X, n_threads), 40, weights)
        sums.update(labels)
        means = np.empty_like(old)
        found.append((sums.find_means(old, means), means.tobytes()))
    assert found[0] == found[1]
    for j in range(40):
        of_cluster = labels == j
        expected = np.average(X[of_cluster], axis=0, weights=weights[of_cluster])
        np.testing.assert_allclose(means[j], expected, rtol=1e-5, atol=1e-6)
    steps = means.astype(np.float64) - old
    np.testing.assert_allclose(found[0][0], np.square(steps).sum(), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_moments(dtype):
    rng = np.random.default_rng(0)
    X = (1e4 + rng.normal(size=(2000, 5))).astype(dtype)
    for rows in (make_rows(X), make_rows(sparse.csr_matrix(X))):
        mean, variance = rows.find_moments()
        rtol = 1e-3 if sparse.issparse(rows.X) and dtype == np.float32 else 1e-9
        np.testing.assert_allclose(mean, X.mean(axis=0, dtype=np.float64), rtol=1e-6)
        np.testing.assert_allclose(
            variance, X.astype(np.float64).var(axis=0), rtol=rtol
        )


@pytest.mark.parametrize("as_rows", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("is_weighted", [True, False])
@pytest.mark.parametrize("n_local_trials", [None, 1, 20])
@pytest.mark.parametrize("kind", ["normal", "offset", "sparse"])
@needs_sklearn_1_9
def test_seeding_draws_what_scikit_learn_draws(
    as_rows, is_weighted, n_local_trials, kind
):
    X, _ = make_case(1200, 6, 1, kind, np.float64)
    weights = np.random.default_rng(0).random(len(X)) if is_weighted else None
    expected = kmeans_plusplus(
        X, 25, sample_weight=weights, random_state=3, n_local_trials=n_local_trials
    )
    centers, indices = choose_centers(
        make_rows(as_rows(X), 2), 25, weights, np.random.RandomState(3), n_local_trials
    )
    np.testing.assert_array_equal(indices, expected[1])
    np.testing.assert_array_equal(centers, X[indices])


def test_seeding_of_unpacked_rows(monkeypatch):
    X, _ = make_case(2000, 9, 1, "normal", np.float32)
    expected = choose_centers(make_rows(X), 20, None, np.random.RandomState(0))
    monkeypatch.setattr("sklearnx._cluster.rows.MAX_PACKED", 0)
    rows = make_rows(X)
    chosen = choose_centers(rows, 20, None, np.random.RandomState(0))
    assert rows.pack()[2] is None
    np.testing.assert_array_equal(chosen[1], expected[1])


def test_seeding_with_few_distinct_rows():
    X = np.repeat(np.eye(3), 50, axis=0)
    indices = choose_centers(make_rows(X), 6, None, np.random.RandomState(0))[1]
    # The first three are all different; then nothing is left to gain.
    assert len(np.unique(X[indices[:3]], axis=0)) == 3
    weights = np.ones(len(X))
    weights[:60] = 0.0
    for as_rows in (np.asarray, sparse.csr_matrix):
        rows = make_rows(as_rows(X))
        indices = choose_centers(rows, 2, weights, np.random.RandomState(0))[1]
        assert (weights[indices] > 0).all()


def test_seeding_with_outliers_and_tiny_weights():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 4))
    X[17] *= 1e25
    weights = rng.random(len(X))
    for factor in (1.0, 1e-40, 1e40):
        expected = kmeans_plusplus(
            X, 12, sample_weight=weights * factor, random_state=0
        )[1]
        rows = make_rows(X)
        state = np.random.RandomState(0)
        indices = choose_centers(rows, 12, weights * factor, state)[1]
        np.testing.assert_array_equal(indices[:2], expected[:2])
        assert 17 in indices and len(set(indices)) == 12
