"""DBSCAN against a plain one and scikit-learn's, on every way that finds neighbours."""

import pickle
import threading

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn import cluster as sklearn_cluster
from sklearn.base import clone
from sklearn.datasets import make_blobs
from threadpoolctl import threadpool_limits

from sklearnx._cluster import density
from sklearnx._cluster.kd_tree import EUCLIDEAN, make_metric
from sklearnx._cluster.metrics import make_neighbors_model
from sklearnx.cluster import DBSCAN, dbscan

DIMENSIONS = [1, 2, 3, 4, 5, 8, 20]


def measure(X, Y=None):
    """All squared distances, of differences in double, added up column by column."""
    X = X.astype(np.float64)
    Y = X if Y is None else Y.astype(np.float64)
    sums = np.zeros((len(X), len(Y)))
    for j in range(X.shape[1]):
        sums += np.square(X[:, j, np.newaxis] - Y[:, j])
    return sums


def expand(is_near, min_samples, weights=None):
    """DBSCAN as its inventors wrote it, on a matrix that says who is near."""
    n = len(is_near)
    weights = np.ones(n) if weights is None else weights
    is_core = is_near @ weights >= min_samples
    labels = np.full(n, -1)
    n_clusters = 0
    for i in range(n):
        if labels[i] >= 0 or not is_core[i]:
            continue
        labels[i] = n_clusters
        waiting = [i]
        while waiting:
            j = waiting.pop()
            if is_core[j]:
                new = np.flatnonzero(is_near[j] & (labels < 0))
                labels[new] = n_clusters
                waiting.extend(new)
        n_clusters += 1
    return labels, is_core


def make_points(n_columns, seed, n=300):
    """Blobs; on a lattice with ties and duplicates; or noise, by the seed."""
    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        X, _ = make_blobs(
            n, n_columns, centers=6, center_box=(-4, 4), random_state=seed
        )
    elif seed % 3 == 1:
        X = np.round(2 * rng.normal(size=(n, n_columns))) / 2
    else:
        X = rng.uniform(-2, 2, size=(n, n_columns))
    return X.astype(np.float32) if seed % 2 else X


def pick_eps(X, share=0.03):
    """A distance between two rows, so that there is a tie at it."""
    return float(np.sqrt(np.quantile(measure(X), share, method="lower"))) or 0.5


def make_weights(n, seed, lowest=0):
    rng = np.random.default_rng(seed)
    return rng.integers(lowest, 4, n) + rng.choice([0.0, 0.5], n)


def assert_same(model, labels, is_core):
    np.testing.assert_array_equal(model.labels_, labels)
    np.testing.assert_array_equal(model.core_sample_indices_, np.flatnonzero(is_core))


@pytest.mark.parametrize("n_columns", DIMENSIONS)
@pytest.mark.parametrize("min_samples", [1, 4, 25])
def test_labels_of_plain_algorithm(n_columns, min_samples):
    shares = []
    for seed in range(6):
        X = make_points(n_columns, seed)
        eps = pick_eps(X, 0.004 if min_samples < 25 else 0.05)
        is_near = measure(X) <= eps * eps
        model = DBSCAN(eps=eps, min_samples=min_samples).fit(X)
        assert_same(model, *expand(is_near, min_samples))
        shares.append(len(model.components_) / len(X))
        assert model.components_.dtype == X.dtype
        np.testing.assert_array_equal(model.components_, X[model.core_sample_indices_])
    assert any(0 < share < 1 for share in shares) == (min_samples > 1)


@pytest.mark.parametrize("n_columns", [2, 6])
@pytest.mark.parametrize("lowest", [0, -2])
def test_weights(n_columns, lowest):
    for seed in range(6):
        X = make_points(n_columns, seed)
        eps = pick_eps(X)
        weights = make_weights(len(X), seed, lowest)
        model = DBSCAN(eps=eps, min_samples=6).fit(X, sample_weight=weights)
        expected = expand(measure(X) <= eps * eps, 6, weights)
        assert_same(model, *expected)
        assert 0 < expected[1].sum() < len(X)


def test_grid_and_tree_agree(monkeypatch):
    """The same points on a grid, on a tree, and by scikit-learn's neighbours."""
    for seed in range(6):
        X = make_points(3, seed, n=400)
        eps = pick_eps(X, 0.01)
        weights = make_weights(len(X), seed) if seed % 2 else None
        on_grid = density.cluster_points(X, eps, 5, weights, EUCLIDEAN)
        with monkeypatch.context() as patch:
            patch.setattr(density, "MAX_GRID_COLUMNS", 0)
            on_tree = density.cluster_points(X, eps, 5, weights, EUCLIDEAN)
        model = make_neighbors_model("euclidean", None, None, radius=eps).fit(X)
        with monkeypatch.context() as patch:
            patch.setattr(density, "NEIGHBORS_PER_BLOCK", 1000)
            patch.setattr(density, "MAX_KEPT", seed * 1000)
            by_lists = density.cluster_neighbors(X, model, 5, weights)
        for other in (on_tree, by_lists):
            np.testing.assert_array_equal(on_grid[0], other[0])
            np.testing.assert_array_equal(on_grid[1], other[1])


METRICS = ["manhattan", "chebyshev", "minkowski", "l2", "cosine", "canberra", "hamming"]


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_of_scikit_learn(metric):
    for seed in range(4):
        X = make_points(4, 2 * seed)
        options = {"metric": metric, "p": 3 if metric == "minkowski" else None}
        name = {"manhattan": "cityblock", "l2": "euclidean"}.get(metric, metric)
        params = {"p": 3} if metric == "minkowski" else {}
        eps = np.quantile(cdist(X, X, name, **params), 0.04) * (1 + 1e-9) or 0.3
        weights = make_weights(len(X), seed) if seed % 2 else None
        for min_samples in (3, 15):
            options.update(eps=eps, min_samples=min_samples)
            ours = DBSCAN(**options).fit(X, sample_weight=weights)
            theirs = sklearn_cluster.DBSCAN(**options).fit(X, sample_weight=weights)
            np.testing.assert_array_equal(ours.labels_, theirs.labels_)
            np.testing.assert_array_equal(
                ours.core_sample_indices_, theirs.core_sample_indices_
            )


def test_callable_metric():
    X = make_points(3, 0, n=120)
    by_name = DBSCAN(eps=1.5, metric="cityblock").fit(X)
    by_function = DBSCAN(eps=1.5, metric=lambda a, b: abs(a - b).sum()).fit(X)
    np.testing.assert_array_equal(by_name.labels_, by_function.labels_)
    assert 0 < len(by_name.components_) < len(X)


def test_minkowski_without_power_is_euclidean():
    X = make_points(3, 0)
    np.testing.assert_array_equal(
        DBSCAN(metric="minkowski").fit(X).labels_, DBSCAN().fit(X).labels_
    )


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_array])
def test_sparse_rows(metric, container):
    X = make_points(5, 0)
    X[np.abs(X) < 1] = 0
    X += np.arange(5) == 0
    eps = {"cosine": 0.02, "euclidean": 1.3, "manhattan": 1.8}[metric]
    dense = DBSCAN(eps=eps, metric=metric).fit(X)
    model = DBSCAN(eps=eps, metric=metric).fit(container(X))
    np.testing.assert_array_equal(dense.labels_, model.labels_)
    assert sparse.issparse(model.components_)
    assert dense.labels_.max() > 0
    np.testing.assert_array_equal(dense.predict(X), model.predict(container(X)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_distance_matrices(dtype):
    """Also of distances that differ from the one side and the other."""
    rng = np.random.default_rng(0)
    for seed in range(6):
        D = np.sqrt(measure(make_points(2, seed, n=150))).astype(dtype)
        if seed % 2:
            D *= rng.uniform(0.5, 1.5, size=D.shape).astype(dtype)
        weights = make_weights(len(D), seed) if seed % 3 else None
        eps = np.quantile(D, 0.05)
        expected = expand(eps >= D, 6, weights)
        model = DBSCAN(eps=eps, min_samples=6, metric="precomputed")
        assert_same(model.fit(D, sample_weight=weights), *expected)
        # What is not stored is far; the diagonal need not be stored.
        stored = sparse.csr_matrix(np.where(1.5 * eps >= D, D, 0))
        stored.eliminate_zeros()
        is_near = (eps >= D) & ((stored.toarray() > 0) | np.eye(len(D), dtype=bool))
        assert_same(
            model.fit(stored, sample_weight=weights), *expand(is_near, 6, weights)
        )


def test_entries_stored_twice_are_added():
    D = sparse.csr_matrix(
        ([0.3, 0.3, 0.2, 0.2], [1, 1, 2, 1], [0, 2, 3, 4]), shape=(3, 3)
    )
    model = DBSCAN(eps=0.5, min_samples=2, metric="precomputed").fit(D)
    np.testing.assert_array_equal(model.labels_, [-1, 0, 0])
    assert D.nnz == 4


def test_border_goes_to_the_lowest_cluster():
    # Clusters at -2 and 2, whose cores come in any order; the border is at 0.
    X = np.array([0.0, 2, 2.1, 2.2, -2, -2.1, -2.2])[:, np.newaxis]
    for columns in (1, 5):
        rows = np.repeat(X, columns, axis=1) / np.sqrt(columns)
        for order in (
            [0, 1, 2, 3, 4, 5, 6],
            [4, 5, 6, 0, 1, 2, 3],
            [6, 0, 3, 1, 2, 4, 5],
        ):
            eps = 2.0000001
            is_near = measure(rows[order]) <= eps * eps
            labels, is_core = expand(is_near, 4)
            assert not is_core[order.index(0)]
            assert labels[order.index(0)] == 0
            assert labels.max() == 1
            assert_same(
                DBSCAN(eps=eps, min_samples=4).fit(rows[order]), labels, is_core
            )


def test_weights_are_rows_repeated():
    X = make_points(2, 0)
    times = np.random.default_rng(0).integers(0, 4, len(X))
    weighted = DBSCAN(min_samples=9).fit(X, sample_weight=times)
    repeated = DBSCAN(min_samples=9).fit(np.repeat(X, times, axis=0))
    np.testing.assert_array_equal(
        np.repeat(np.isin(np.arange(len(X)), weighted.core_sample_indices_), times),
        np.isin(np.arange(times.sum()), repeated.core_sample_indices_),
    )


def test_weights_of_tenths():
    """Ten tenths are one, whatever the order and the rounding of their sums."""
    X = np.zeros((10, 3))
    for columns in (3, 6):
        model = DBSCAN(min_samples=1).fit(
            np.zeros((10, columns)), sample_weight=np.full(10, 0.1)
        )
        np.testing.assert_array_equal(model.labels_, np.zeros(len(X)))


@pytest.mark.parametrize("n_columns", [2, 4, 7])
def test_same_at_any_number_of_threads(n_columns):
    X, _ = make_blobs(6000, n_columns, centers=40, random_state=0)
    weights = np.random.default_rng(0).uniform(0, 2, len(X))
    fits = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads, user_api="openmp"):
            for sample_weight in (None, weights):
                model = DBSCAN(eps={2: 0.12, 4: 0.8, 7: 2.0}[n_columns], n_jobs=3)
                fits.append(model.fit(X, sample_weight=sample_weight))
    for model, other in zip(fits, fits[2:], strict=False):
        np.testing.assert_array_equal(model.labels_, other.labels_)
        np.testing.assert_array_equal(
            model.core_sample_indices_, other.core_sample_indices_
        )
    assert fits[0].labels_.max() > 5


def test_from_many_threads_at_once():
    X, _ = make_blobs(5000, 3, centers=20, random_state=0)
    expected = DBSCAN().fit(X).labels_
    labels = [None] * 4

    def fit(i):
        labels[i] = DBSCAN().fit(X).labels_

    threads = [threading.Thread(target=fit, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in labels:
        np.testing.assert_array_equal(own, expected)


@pytest.mark.parametrize("n_columns", [1, 3, 4, 6])
def test_extremes(n_columns):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, n_columns))
    n = len(X)
    everything = np.zeros(n, dtype=int)
    nothing = np.full(n, -1)
    for eps in (1e3, 1e200):
        np.testing.assert_array_equal(DBSCAN(eps=eps).fit(X).labels_, everything)
        model = DBSCAN(eps=eps, min_samples=n + 1).fit(X)
        np.testing.assert_array_equal(model.labels_, nothing)
        assert model.components_.shape == (0, n_columns)
    for eps in (1e-12, 1e-170, 5e-324):
        np.testing.assert_array_equal(DBSCAN(eps=eps).fit(X).labels_, nothing)
        alone = DBSCAN(eps=eps, min_samples=1).fit(X)
        np.testing.assert_array_equal(alone.labels_, np.arange(n))
        doubled = DBSCAN(eps=eps, min_samples=2).fit(np.repeat(X, 2, axis=0))
        np.testing.assert_array_equal(doubled.labels_, np.repeat(np.arange(n), 2))
    for scale, shift in ((1e300, 0.0), (1e-140, 0.0), (1.0, 1e9)):
        moved = X * scale + shift
        eps = 0.3 * scale
        is_near = np.sqrt(measure(moved / scale)) <= 0.3
        labels, is_core = expand(is_near, 3)
        if scale < 1e300:  # whose squares are infinite
            assert_same(DBSCAN(eps=eps, min_samples=3).fit(moved), labels, is_core)
        else:
            assert np.isfinite(DBSCAN(eps=eps, min_samples=3).fit(moved).labels_).all()
    outlier = np.vstack([X, np.full((1, n_columns), 1e12)])
    np.testing.assert_array_equal(
        DBSCAN().fit(outlier).labels_, np.append(DBSCAN().fit(X).labels_, -1)
    )


@pytest.mark.parametrize("n_columns", [2, 3, 6])
def test_many_points_in_two_places(n_columns):
    """Cells of thousands of points that just touch, or just do not."""
    places = np.zeros((2, n_columns))
    places[1] = 0.7
    X = np.repeat(places, 20_000, axis=0)
    distance = np.sqrt(measure(places)[0, 1])
    for eps, n_clusters in ((distance * (1 + 1e-12), 1), (distance * (1 - 1e-12), 2)):
        labels = DBSCAN(eps=eps).fit(X).labels_
        np.testing.assert_array_equal(labels, np.repeat([0, n_clusters - 1], 20_000))
        noise = DBSCAN(eps=eps, min_samples=40_001).fit(X).labels_
        assert (noise == -1).all()


def test_large_cells_that_nearly_touch():
    """The search for a touching pair in cells of many different points."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        angles = rng.uniform(0, 2 * np.pi, (2, 1500))
        # Arcs of points around two corners of neighbouring cells.
        X = np.stack([np.cos(angles), np.sin(angles)], axis=-1) * 0.3
        X[1] += [1.2, rng.uniform(-0.3, 0.3)]
        gaps = measure(X[0], X[1])
        least = np.sqrt(gaps.min())
        X = X.reshape(-1, 2)
        for eps, n_clusters in ((least * (1 + 1e-12), 1), (least * (1 - 1e-12), 2)):
            assert DBSCAN(eps=eps, min_samples=2).fit(X).labels_.max() + 1 == n_clusters


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32, np.float16])
def test_dtypes_and_strides(order, dtype):
    for n_columns in (2, 5):
        X = np.asarray(2 * make_points(n_columns, 0)).astype(dtype)
        expected = DBSCAN(eps=2).fit(X.astype(np.float64))
        apart = np.zeros((2 * len(X), 2 * n_columns), dtype=dtype, order=order)
        apart[::2, ::2] = X
        model = DBSCAN(eps=2).fit(apart[::2, ::2])
        np.testing.assert_array_equal(model.labels_, expected.labels_)
        assert model.components_.dtype == dtype


# ---------------------------------------------------------------------------- predict


def predict_plainly(model, distances, eps):
    """Of the nearest core point, the lowest of several."""
    nearest = distances.argmin(axis=1)
    is_near = distances[np.arange(len(distances)), nearest] <= eps
    labels = model.labels_[model.core_sample_indices_[nearest]]
    return np.where(is_near, labels, -1)


@pytest.mark.parametrize("n_columns", [1, 3, 6])
def test_predict(n_columns):
    for seed in range(6):
        X = make_points(n_columns, seed)
        Y = np.vstack([X[::3], make_points(n_columns, seed + 3) * 1.2])
        eps = pick_eps(X)
        model = DBSCAN(eps=eps).fit(X)
        distances = measure(Y, X[model.core_sample_indices_])
        expected = predict_plainly(model, distances, eps * eps)
        np.testing.assert_array_equal(model.predict(Y), expected)
        cores = model.core_sample_indices_
        np.testing.assert_array_equal(model.predict(X[cores]), model.labels_[cores])
        assert (expected == -1).any()


def test_predict_by_distances():
    X, Y = make_points(2, 0), make_points(2, 3)
    model = DBSCAN(eps=0.25, metric="precomputed").fit(np.sqrt(measure(X)))
    D = np.sqrt(measure(Y, X))
    expected = predict_plainly(model, D[:, model.core_sample_indices_], 0.25)
    np.testing.assert_array_equal(model.predict(D), expected)
    stored = sparse.csr_matrix(np.where(D <= 0.6, D, 0))
    np.testing.assert_array_equal(model.predict(stored), expected)
    assert len(set(expected)) > 2


@pytest.mark.parametrize("metric", ["cosine", "minkowski"])
def test_predict_by_other_metrics(metric):
    X, Y = make_points(3, 0), make_points(3, 6)
    params = {"p": 1.5} if metric == "minkowski" else {}
    model = DBSCAN(
        eps=0.01 if metric == "cosine" else 0.8, metric=metric, metric_params=params
    ).fit(X)
    D = cdist(Y, X[model.core_sample_indices_], metric, **params)
    np.testing.assert_array_equal(
        model.predict(Y), predict_plainly(model, D, model.eps)
    )
    assert model.labels_.max() > 0


def test_predict_without_core_samples():
    X = np.eye(4)
    model = DBSCAN(eps=0.1).fit(X)
    np.testing.assert_array_equal(model.predict(X), np.full(4, -1))
    with pytest.raises(ValueError, match="4 features"):
        model.predict(np.ones((1, 3)))


# --------------------------------------------------------------------- as an estimator


def test_function_is_estimator():
    X = make_points(3, 0)
    weights = make_weights(len(X), 0)
    core_samples, labels = dbscan(X, 0.7, min_samples=6, sample_weight=weights)
    model = DBSCAN(0.7, min_samples=6)
    np.testing.assert_array_equal(model.fit_predict(X, sample_weight=weights), labels)
    np.testing.assert_array_equal(model.core_sample_indices_, core_samples)
    assert labels.dtype == np.intp


def test_is_scikit_learns_and_pickles():
    X = make_points(3, 0)
    model = clone(DBSCAN(eps=0.6)).fit(X)
    assert isinstance(model, sklearn_cluster.DBSCAN)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))
    ours, theirs = DBSCAN().get_params(), sklearn_cluster.DBSCAN().get_params()
    assert ours == theirs


@pytest.mark.parametrize(
    "options, X, message",
    [
        ({"eps": 0}, np.eye(3), "'eps' parameter"),
        ({"metric": "unknown"}, np.eye(3), "'metric' parameter"),
        ({}, [[np.nan, 1.0]], "contains NaN"),
        ({}, [[np.inf, 1.0]], "contains infinity"),
        ({"metric": "precomputed"}, np.ones((3, 2)), "must be square"),
        ({"metric": "precomputed"}, -np.eye(3), "Negative values"),
        (
            {"metric": "precomputed"},
            sparse.csr_matrix(-np.eye(3)),
            "Negative values in data passed to precomputed distance matrix",
        ),
        ({"metric": "cosine", "algorithm": "kd_tree"}, np.eye(3), "not valid"),
        ({"metric": "precomputed", "algorithm": "kd_tree"}, np.eye(3), "not valid"),
        ({"metric": "canberra"}, sparse.csr_matrix(np.eye(3)), "sparse input"),
    ],
)
def test_errors(options, X, message):
    with pytest.raises(ValueError, match=message):
        DBSCAN(**options).fit(X)


def test_metrics_by_number():
    """A power of the Minkowski metric that has a name is that metric."""
    for p, number in ((1, 1), (2, 0), (np.inf, 2), (3, 3)):
        assert make_metric("minkowski", p).number == number
