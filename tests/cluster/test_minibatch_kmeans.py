"""MiniBatchKMeans against scikit-learn's, whose random draws it makes."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import cluster as sklearn_cluster
from sklearn.datasets import make_blobs
from threadpoolctl import threadpool_limits

from sklearnx._cluster.minibatch import RowDraws, StopRule
from sklearnx._cython.cluster.minibatch import (
    move_centers,
    move_centers_csr,
    take_rows,
)
from sklearnx.cluster import MiniBatchKMeans
from tests._versions import needs_sklearn_1_9


@pytest.fixture(scope="module")
def blobs():
    X, _ = make_blobs(3000, 6, centers=12, cluster_std=2.0, random_state=0)
    return X


def make_sparse(n_rows=1500, n_columns=30, seed=0):
    return sp.random(n_rows, n_columns, density=0.2, format="csr", random_state=seed)


def make_step(n_rows=200, n_columns=11, n_centers=7, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.randn(n_rows, n_columns) * (rng.rand(n_rows, n_columns) < 0.6)
    labels = rng.randint(0, n_centers - 1, n_rows).astype(np.int32)  # none in the last
    weights = rng.rand(n_rows) * (labels != 1)  # and weight zero in another
    centers = rng.randn(n_centers, n_columns)
    counts = rng.randint(0, 5, n_centers).astype(float)
    return X, weights, labels, centers, counts


def move_naively(X, weights, labels, centers, counts):
    moved, counts = centers.copy(), counts.copy()
    inertia = 0.0
    for c in range(len(centers)):
        own = labels == c
        weight = weights[own].sum()
        inertia += (weights[own] * ((X[own] - centers[c]) ** 2).sum(axis=1)).sum()
        if weight > 0:
            total = centers[c] * counts[c] + weights[own] @ X[own]
            counts[c] += weight
            moved[c] = total / counts[c]
    return moved, counts, inertia


# The kernels


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("with_weights", [True, False])
@pytest.mark.parametrize("n_columns", [1, 8, 11])
def test_steps_are_weighted_means(dtype, with_weights, n_columns):
    X, weights, labels, centers, counts = make_step(n_columns=n_columns)
    X, weights, centers = (a.astype(dtype) for a in (X, weights, centers))
    if not with_weights:
        weights = np.ones_like(weights)
    expected, expected_counts, expected_inertia = move_naively(
        X.astype(float), weights.astype(float), labels, centers.astype(float), counts
    )
    given = weights if with_weights else None
    csr = sp.csr_matrix(X)
    results = []
    for n_threads in (1, 2, 3):
        moved, own_counts = np.empty_like(centers), counts.copy()
        inertia = move_centers(X, given, labels, centers, own_counts, moved, n_threads)
        results.append((inertia, moved, own_counts))
    moved, own_counts = np.empty_like(centers), counts.copy()
    inertia = move_centers_csr(
        csr.data, csr.indices, csr.indptr, given, labels, centers, own_counts, moved, 2
    )
    rtol = 1e-11 if dtype == np.float64 else 1e-5
    for result in (*results, (inertia, moved, own_counts)):
        np.testing.assert_allclose(result[0], expected_inertia, rtol=rtol)
        np.testing.assert_allclose(result[1], expected, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(result[2], expected_counts, rtol=rtol)
    for result in results[1:]:
        for one, other in zip(result, results[0]):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("n_rows", [1, 7, 1000])
@pytest.mark.parametrize("kind", ["equal", "skewed", "zeros"])
def test_draws_are_those_of_choice(n_rows, kind):
    rng = np.random.RandomState(0)
    weights = np.ones(n_rows)
    if kind == "skewed":
        weights = rng.rand(n_rows) ** 30 + 1e-300
    elif kind == "zeros":
        weights = (rng.rand(n_rows) < 0.1).astype(float)
        weights[n_rows // 2] = 1.0
    shares = weights / weights.sum()
    draws = RowDraws(shares)
    ours, theirs = np.random.RandomState(5), np.random.RandomState(5)
    for size in (1, 50, 300):
        rows = draws.draw(ours, size)
        np.testing.assert_array_equal(rows, theirs.choice(n_rows, size, p=shares))
        assert (weights[rows] > 0).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_are_taken(dtype):
    X = np.random.RandomState(0).randn(100, 9).astype(dtype)
    rows = np.random.RandomState(1).randint(0, 100, 5000)
    for n_threads in (1, 3):
        taken = np.empty((5000, 9), dtype=dtype)
        take_rows(X, rows, taken, n_threads)
        np.testing.assert_array_equal(taken, X[rows])


def test_stop_rule():
    options = {"tol": 0.5, "max_no_improvement": 2, "verbose": False}
    rule = StopRule(999, 100, 50, **options)  # a share of 0.2
    assert not rule.has_converged(1, 1e9, 0.0)  # says nothing but of the seeding
    assert not rule.has_converged(2, 1000.0, 1.0)
    assert not rule.has_converged(3, 500.0, 1.0)
    assert rule.smoothed == pytest.approx(0.8 * 10 + 0.2 * 5)
    assert not rule.has_converged(4, 2000.0, 1.0)
    assert rule.has_converged(5, 2000.0, 1.0)
    rule = StopRule(999, 100, 50, **options)
    assert not rule.has_converged(1, 1000.0, 0.1)
    assert rule.has_converged(2, 900.0, 0.5)


# The estimator


@pytest.fixture(autouse=True)
def _calm_scikit_learn():
    """One thread for its OpenMP loops, which wait busily while others compute."""
    with threadpool_limits(1, user_api="openmp"):
        yield


def assert_same(ours, theirs, rtol=1e-7):
    np.testing.assert_allclose(
        ours.cluster_centers_, theirs.cluster_centers_, rtol=rtol, atol=rtol
    )
    assert ours.n_steps_ == theirs.n_steps_
    np.testing.assert_allclose(ours.inertia_, theirs.inertia_, rtol=rtol)
    if hasattr(theirs, "labels_"):
        np.testing.assert_array_equal(ours.labels_, theirs.labels_)
        assert ours.labels_.dtype == theirs.labels_.dtype


@pytest.mark.parametrize(
    "params",
    [
        {"n_clusters": 12},
        {"n_clusters": 12, "init": "random", "batch_size": 100},
        {"n_clusters": 40, "batch_size": 64, "reassignment_ratio": 0.5},
        {"n_clusters": 3, "tol": 1e-2, "max_no_improvement": None},
        # Of two rows next to each other rounding may choose, where rows are few.
        {"n_clusters": 20, "init_size": 1000, "n_init": 3, "max_iter": 2},
        {"n_clusters": 5, "compute_labels": False, "batch_size": 5000},
        {"n_clusters": 4, "init": lambda X, k, random_state: X[:k].copy()},
    ],
)
@pytest.mark.parametrize("is_sparse", [False, True])
@needs_sklearn_1_9
def test_same_draws_and_results_as_scikit_learn(blobs, params, is_sparse):
    X = make_sparse() if is_sparse else blobs
    if is_sparse and callable(params.get("init")):
        params = {**params, "init": lambda X, k, random_state: X[:k].toarray()}
    weights = np.random.RandomState(1).randint(0, 3, X.shape[0])
    for sample_weight in (None, weights):
        ours = MiniBatchKMeans(**params, random_state=3)
        theirs = sklearn_cluster.MiniBatchKMeans(**params, random_state=3)
        ours.fit(X, sample_weight=sample_weight)
        theirs.fit(X, sample_weight=sample_weight)
        assert_same(ours, theirs)
        assert ours.n_iter_ == theirs.n_iter_


@pytest.mark.parametrize("is_sparse", [False, True])
def test_partial_fit_is_scikit_learns(blobs, is_sparse):
    X = make_sparse() if is_sparse else blobs
    weights = np.random.RandomState(1).rand(X.shape[0])
    params = {"n_clusters": 15, "random_state": 0, "reassignment_ratio": 0.1}
    ours = MiniBatchKMeans(**params)
    theirs = sklearn_cluster.MiniBatchKMeans(**params)
    for start in range(0, 1500, 250):
        part = slice(start, start + 250)
        ours.partial_fit(X[part], sample_weight=weights[part])
        theirs.partial_fit(X[part], sample_weight=weights[part])
        assert_same(ours, theirs)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), atol=1e-6)
    np.testing.assert_allclose(ours.score(X), theirs.score(X), rtol=1e-9)


@needs_sklearn_1_9
def test_partial_fit_goes_on_after_fit(blobs):
    ours = MiniBatchKMeans(4, random_state=0).fit(blobs)
    theirs = sklearn_cluster.MiniBatchKMeans(4, random_state=0).fit(blobs)
    before = ours.cluster_centers_
    kept = before.copy()
    for _ in range(3):
        ours.partial_fit(blobs[:500])
        theirs.partial_fit(blobs[:500])
    assert_same(ours, theirs)
    # What the user may hold is not written to.
    np.testing.assert_array_equal(before, kept)


def test_float32_stays_float32(blobs):
    X = blobs.astype(np.float32)
    narrow = MiniBatchKMeans(6, random_state=0).fit(X)
    assert narrow.cluster_centers_.dtype == np.float32
    assert narrow.transform(X).dtype == np.float32
    wide = MiniBatchKMeans(6, random_state=0).fit(blobs)
    np.testing.assert_allclose(
        narrow.cluster_centers_, wide.cluster_centers_, rtol=1e-3, atol=1e-3
    )
    # A batch of another dtype is converted to that of the centres.
    narrow.partial_fit(blobs[:100])
    assert narrow.cluster_centers_.dtype == np.float32


def test_threads_change_no_bit(blobs):
    results = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads):
            fitted = MiniBatchKMeans(50, random_state=0).fit(blobs)
            fitted.partial_fit(blobs)
        results.append(fitted)
    for fitted in results[1:]:
        np.testing.assert_array_equal(
            fitted.cluster_centers_, results[0].cluster_centers_
        )
        assert fitted.inertia_ == results[0].inertia_


def test_rows_of_weight_zero_are_not_drawn(blobs):
    X = np.vstack([blobs, np.full((3000, 6), 1e6)])
    weights = np.repeat([1.0, 0.0], 3000)
    fitted = MiniBatchKMeans(5, random_state=0).fit(X, sample_weight=weights)
    assert fitted.cluster_centers_.max() < 100


def test_partial_fit_of_weight_two_is_the_row_twice(blobs):
    # On the same centres, as the draws of seeds differ.
    init = blobs[:7].copy()
    rows = np.arange(500)
    weights = 1.0 + (rows % 2)
    weighted = MiniBatchKMeans(7, init=init, n_init=1, reassignment_ratio=0)
    weighted.partial_fit(blobs[rows], sample_weight=weights)
    repeated = MiniBatchKMeans(7, init=init, n_init=1, reassignment_ratio=0)
    repeated.partial_fit(blobs[np.repeat(rows, weights.astype(int))])
    np.testing.assert_allclose(
        weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-12
    )
    np.testing.assert_allclose(weighted.inertia_, repeated.inertia_, rtol=1e-12)


@pytest.mark.parametrize(
    "X, n_clusters",
    [
        (np.ones((30, 2)), 3),  # constants
        (np.zeros((1, 2)), 1),  # one row
        (np.arange(4.0).reshape(-1, 1), 4),  # a row a cluster
    ],
)
def test_edge_cases(X, n_clusters):
    fitted = MiniBatchKMeans(n_clusters, random_state=0).fit(X)
    assert np.isfinite(fitted.cluster_centers_).all()
    assert fitted.labels_.max() < n_clusters
    assert np.isfinite(fitted.inertia_)


def test_all_centers_may_be_light(blobs):
    # With a ratio above 1, where scikit-learn fails.
    fitted = MiniBatchKMeans(3, random_state=0, reassignment_ratio=2.0, max_iter=1)
    fitted.fit(blobs)
    assert np.isfinite(fitted.cluster_centers_).all()


@pytest.mark.parametrize(
    "params, X, sample_weight, message",
    [
        ({"n_clusters": 5}, np.zeros((4, 1)), None, "n_samples=4 should be >= n_cl"),
        ({"n_clusters": 1}, [[np.inf]], None, "infinity"),
        ({"n_clusters": 1}, [[1.0]], [0.0], "Sample weights must contain at least"),
        ({"n_clusters": 1}, [[1.0], [2.0]], [1.0, -1.0], "sample_weight"),
        ({"n_clusters": 1, "init": np.zeros((2, 1))}, [[1.0]], None, "does not match"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_errors(params, X, sample_weight, message, method):
    with pytest.raises(ValueError, match=message):
        getattr(MiniBatchKMeans(**params), method)(X, sample_weight=sample_weight)


def test_warns_of_a_small_init_size(blobs):
    with pytest.warns(RuntimeWarning, match=r"init_size=2 should be larger than"):
        MiniBatchKMeans(5, init_size=2, random_state=0).fit(blobs)
