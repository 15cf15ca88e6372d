"""OPTICS against a plain one and scikit-learn's."""

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn import cluster as sklearn_cluster
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import DataConversionWarning
from threadpoolctl import threadpool_limits

from sklearnx.cluster import (
    OPTICS,
    cluster_optics_dbscan,
    cluster_optics_xi,
    compute_optics_graph,
)

ATTRIBUTES = ["ordering_", "core_distances_", "reachability_", "predecessor_"]


def order_plainly(D, min_samples, max_eps=np.inf):
    """The definition, on a matrix of distances."""
    core = np.partition(D, min_samples - 1, axis=1)[:, min_samples - 1]
    core = np.round(np.where(core > max_eps, np.inf, core), 15)
    n = len(D)
    reach, predecessor = np.full(n, np.inf), np.full(n, -1)
    coming, ordering = list(range(n)), []
    while coming:
        row = min(coming, key=lambda i: (reach[i], i))
        coming.remove(row)
        ordering.append(row)
        for j in coming:
            new = np.round(max(core[row], D[row, j]), 15)
            if core[row] < np.inf and D[row, j] <= max_eps and new < reach[j]:
                reach[j], predecessor[j] = new, row
    return np.array(ordering), core, reach, predecessor


def make_points(n_columns, seed, n=80):
    """Blobs; on a lattice with ties and duplicates; or noise, by the seed."""
    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        X, _ = make_blobs(
            n, n_columns, centers=6, center_box=(-4, 4), random_state=seed
        )
        return X
    if seed % 3 == 1:
        return np.round(2 * rng.normal(size=(n, n_columns))) / 2
    return rng.uniform(-2, 2, size=(n, n_columns))


def assert_same(model, expected, attributes=ATTRIBUTES):
    for name in attributes:
        other = getattr(expected, name)
        if name == "cluster_hierarchy_":
            other = other.reshape(-1, 2)
        np.testing.assert_array_equal(getattr(model, name), other, err_msg=name)


@pytest.mark.filterwarnings("ignore:All reachability values")
@pytest.mark.parametrize("n_columns", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("max_eps", [np.inf, 1.5])
def test_order_of_definition(n_columns, max_eps):
    for seed in range(3):
        X = make_points(n_columns, seed)
        expected = order_plainly(cdist(X, X), 4, max_eps)
        model = OPTICS(min_samples=4, max_eps=max_eps)
        model.fit(X)
        for name, values in zip(ATTRIBUTES, expected, strict=True):
            np.testing.assert_array_equal(getattr(model, name), values, err_msg=name)
        for dtype in (np.float32, np.float64):
            np.testing.assert_array_equal(
                clone(model).fit(X.astype(np.float32).astype(dtype)).ordering_,
                clone(model).fit(X.astype(np.float32)).ordering_,
            )


METRICS = ["minkowski", "manhattan", "chebyshev", "power", "canberra", "cosine"]


@pytest.mark.filterwarnings("ignore:All reachability values")
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("max_eps", [np.inf, 0.8])
def test_same_as_scikit_learn(metric, max_eps):
    is_slow = metric in ("canberra", "cosine")
    for seed in range(2 if is_slow else 3):
        X = make_points(3, seed, n=30 if is_slow else 50)
        options = {
            "min_samples": 3 + seed,
            "max_eps": max_eps,
            "metric": "minkowski" if metric == "power" else metric,
            "p": 3 if metric == "power" else 2,
            "xi": [0.02, 0.1, 0.3][seed],
            "predecessor_correction": seed != 1,
        }
        ours = OPTICS(**options).fit(X)
        theirs = sklearn_cluster.OPTICS(**options).fit(X)
        assert_same(ours, theirs, [*ATTRIBUTES, "labels_", "cluster_hierarchy_"])
        options.update(cluster_method="dbscan", eps=0.7)
        ours = OPTICS(**options).fit(X)
        theirs = sklearn_cluster.OPTICS(**options).fit(X)
        assert_same(ours, theirs, ["labels_"])
        assert not hasattr(ours, "cluster_hierarchy_")


@pytest.mark.parametrize("max_eps", [np.inf, 1.0])
def test_distance_matrices(max_eps):
    rng = np.random.default_rng(0)
    for seed in range(3):
        D = cdist(make_points(2, seed), make_points(2, seed))
        model = OPTICS(metric="precomputed", max_eps=max_eps).fit(D)
        expected = order_plainly(D, 5, max_eps)
        for name, values in zip(ATTRIBUTES, expected, strict=True):
            np.testing.assert_array_equal(getattr(model, name), values, err_msg=name)
        # What is not stored is far.
        stored = sparse.csr_matrix(D * (rng.uniform(size=D.shape) < 0.7))
        model = OPTICS(metric="precomputed", max_eps=max_eps).fit(stored)
        theirs = sklearn_cluster.OPTICS(metric="precomputed", max_eps=max_eps)
        assert_same(model, theirs.fit(stored), [*ATTRIBUTES, "labels_"])


def test_sparse_rows():
    X = make_points(4, 0)
    X[np.abs(X) < 1] = 0
    dense = OPTICS(metric="manhattan").fit(X)
    model = OPTICS(metric="manhattan").fit(sparse.csc_array(X))
    assert_same(model, dense, [*ATTRIBUTES, "labels_", "cluster_hierarchy_"])


@pytest.mark.parametrize("min_samples", [2, 17, 60, 0.3, 1.0])
def test_core_distances(min_samples):
    """Also of many neighbours."""
    X = make_points(3, 0, n=60)
    k = min_samples if min_samples > 1 else int(min_samples * len(X))
    model = OPTICS(min_samples=min_samples, min_cluster_size=2).fit(X)
    np.testing.assert_allclose(
        model.core_distances_, np.sort(cdist(X, X), axis=1)[:, k - 1], rtol=1e-14
    )


def test_duplicates_and_constants():
    X = np.repeat(make_points(2, 0, n=20), 40, axis=0)
    model = OPTICS().fit(X)
    assert (model.core_distances_ == 0).all()
    assert (model.reachability_ > 0).sum() == 20
    first = np.repeat(np.arange(0, 800, 40), 40)
    np.testing.assert_array_equal(
        model.predecessor_[model.reachability_ == 0], first[model.reachability_ == 0]
    )
    constant = OPTICS(min_samples=2).fit(np.ones((50, 3)))
    np.testing.assert_array_equal(constant.ordering_, np.arange(50))
    np.testing.assert_array_equal(constant.labels_, np.zeros(50))


def test_same_at_any_number_of_threads():
    X, _ = make_blobs(3000, 4, centers=15, random_state=0)
    models = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads, user_api="openmp"):
            models.append(OPTICS(min_samples=8, n_jobs=3).fit(X))
    for model in models[1:]:
        assert_same(models[0], model, [*ATTRIBUTES, "labels_", "cluster_hierarchy_"])
    assert models[0].labels_.max() > 5


# ---------------------------------------------------------------------- steep areas


def make_plot(seed, n=80):
    """A reachability plot with ties, level parts and infinite values."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        steps = rng.choice([1.0, 1.0, 0.5, 2.0, 1.1, 1 / 1.1], n)
        reach = np.exp(np.clip(np.cumsum(np.log(steps)), -3, 3))
    else:
        reach = rng.integers(1, 5, n) * np.where(rng.uniform(size=n) < 0.3, 4.0, 1.0)
    reach[rng.uniform(size=n) < 0.03] = np.inf
    reach[0] = np.inf
    predecessor = np.array([rng.integers(max(i, 1)) for i in range(n)])
    predecessor[np.isinf(reach)] = -1
    ordering = rng.permutation(n)
    of_rows = np.empty(n)
    of_rows[ordering] = reach
    before = np.empty(n, dtype=int)
    before[ordering] = np.where(predecessor < 0, -1, ordering[predecessor])
    return of_rows, before, ordering


@pytest.mark.parametrize("corrects", [True, False])
@pytest.mark.parametrize("xi", [0, 0.05, 0.3, 0.9])
def test_steep_areas_as_in_scikit_learn(xi, corrects):
    n_found = 0
    for seed in range(30):
        reach, predecessor, ordering = make_plot(seed)
        options = {
            "reachability": reach,
            "predecessor": predecessor,
            "ordering": ordering,
            "min_samples": 2 + seed % 5,
            "min_cluster_size": [None, 2, 0.1][seed % 3],
            "xi": xi,
            "predecessor_correction": corrects,
        }
        labels, clusters = cluster_optics_xi(**options)
        expected = sklearn_cluster.cluster_optics_xi(**options)
        np.testing.assert_array_equal(labels, expected[0])
        np.testing.assert_array_equal(clusters, expected[1].reshape(-1, 2))
        n_found += len(clusters)
    assert n_found > 0 or xi == 0.9


def test_largest_steepness():
    """Only an infinite fall is as steep; scikit-learn divides by zero."""
    reach, predecessor, ordering = make_plot(1)
    labels, clusters = cluster_optics_xi(
        reachability=reach,
        predecessor=predecessor,
        ordering=ordering,
        min_samples=2,
        xi=1,
    )
    assert clusters.shape[1] == 2
    assert len(labels) == len(reach)


def test_cuts():
    X = make_points(2, 0)
    graph = compute_optics_graph(
        X,
        min_samples=4,
        max_eps=np.inf,
        metric="minkowski",
        p=2,
        metric_params=None,
        algorithm="auto",
        leaf_size=30,
        n_jobs=None,
    )
    ordering, core_distances, reach, _ = graph
    for eps in (0.2, 0.5, 0.8, 2.0):
        options = {
            "reachability": reach,
            "core_distances": core_distances,
            "ordering": ordering,
            "eps": eps,
        }
        labels = cluster_optics_dbscan(**options)
        expected = sklearn_cluster.cluster_optics_dbscan(**options)
        np.testing.assert_array_equal(labels, expected)
        # Core samples are of the clusters of DBSCAN.
        dbscan = sklearn_cluster.DBSCAN(eps=eps, min_samples=4).fit(X)
        pairs = set(
            zip(
                labels[dbscan.core_sample_indices_],
                dbscan.labels_[dbscan.core_sample_indices_],
                strict=True,
            )
        )
        assert len(pairs) == dbscan.labels_.max() + 1


# --------------------------------------------------------------------- as an estimator


def test_caches_the_order(tmp_path):
    X = make_points(2, 0)
    model = OPTICS(memory=str(tmp_path)).fit(X)
    cached = OPTICS(memory=str(tmp_path), xi=0.3).fit(X)
    assert_same(model, cached)
    assert_same(model, OPTICS().fit(X), [*ATTRIBUTES, "labels_"])
    assert any(tmp_path.rglob("output.pkl"))


def test_is_scikit_learns():
    assert issubclass(OPTICS, sklearn_cluster.OPTICS)
    assert OPTICS().get_params() == sklearn_cluster.OPTICS().get_params()
    X = make_points(2, 0)
    np.testing.assert_array_equal(OPTICS().fit_predict(X), OPTICS().fit(X).labels_)


def test_truth_values():
    X = np.random.default_rng(0).uniform(size=(30, 6)) < 0.5
    model = OPTICS(metric="jaccard").fit(X)
    with pytest.warns(DataConversionWarning, match="converted to boolean"):
        assert_same(OPTICS(metric="jaccard").fit(X.tolist()), model)


@pytest.mark.parametrize(
    "options, X, message",
    [
        ({"min_samples": 10}, np.eye(3), "min_samples must be no greater than"),
        ({"min_samples": 2, "min_cluster_size": 9}, np.eye(3), "min_cluster_size must"),
        ({"min_samples": 1}, np.eye(3), "'min_samples' parameter"),
        (
            {"max_eps": 1, "eps": 2, "cluster_method": "dbscan"},
            np.eye(9),
            "smaller than 1",
        ),
        ({}, [[np.nan, 1.0]] * 9, "contains NaN"),
        ({"metric": "precomputed"}, np.ones((9, 7)), "must be square"),
        ({"metric": "precomputed"}, -np.eye(9), "Negative values"),
        ({"metric": "cosine", "algorithm": "kd_tree"}, np.eye(9), "not valid"),
    ],
)
@pytest.mark.filterwarnings("ignore:All reachability values")
def test_errors(options, X, message):
    with pytest.raises(ValueError, match=message):
        OPTICS(**options).fit(X)


def test_warns_where_nothing_is_reached():
    with pytest.warns(UserWarning, match="All reachability values are inf"):
        model = OPTICS(max_eps=1e-9).fit(make_points(2, 0))
    assert (model.labels_ == -1).all()
    assert model.cluster_hierarchy_.shape == (0, 2)
