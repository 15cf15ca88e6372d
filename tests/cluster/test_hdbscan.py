"""HDBSCAN against scikit-learn's, and what ours adds."""

import pickle
import threading
import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn import cluster as sklearn_cluster
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score, pairwise_distances
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from sklearnx._cluster import spanning_tree
from sklearnx.cluster import HDBSCAN, plot_condensed_tree


def make_data(n=600, n_columns=2, seed=0):
    rng = np.random.default_rng(seed)
    X, _ = make_blobs(n * 9 // 10, n_columns, centers=6, random_state=seed)
    noise = rng.uniform(X.min(axis=0), X.max(axis=0), (n - len(X), n_columns))
    return rng.permutation(np.vstack([X, noise]))


X = make_data(450)


def make_tables():
    rng = np.random.default_rng(0)
    axis = np.arange(6.0)
    return {
        "plane": X,
        "float32": X.astype(np.float32),
        "columns": make_data(240, 15),
        "rounded": np.round(X, 1),
        "twins": np.repeat(X[:100], 4, axis=0)[rng.permutation(400)],
        "grid": np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3),
        "line": np.outer(np.arange(80.0), np.ones(3)),
        "constant": np.zeros((30, 2)),
        "far": np.vstack([X[:200], 1e7 * X[:3]]),
        "two": X[:2],
    }


TABLES = make_tables()
OPTIONS = {
    "default": {},
    "size": {"min_cluster_size": 15},
    "samples": {"min_samples": 1},
    "leaf": {"cluster_selection_method": "leaf", "min_cluster_size": 8},
    "epsilon": {"cluster_selection_epsilon": 0.7, "min_samples": 2},
    "leaf epsilon": {
        "cluster_selection_method": "leaf",
        "cluster_selection_epsilon": 1.1,
    },
    "single": {"allow_single_cluster": True},
    "single epsilon": {"allow_single_cluster": True, "cluster_selection_epsilon": 0.9},
    "max size": {"max_cluster_size": 60},
    "alpha": {"alpha": 1.7},
    "brute": {"algorithm": "brute", "alpha": 0.8},
    "manhattan": {"metric": "manhattan"},
    "chebyshev": {"metric": "chebyshev", "min_samples": 3},
    "minkowski": {"metric": "minkowski", "metric_params": {"p": 1}},
    "canberra": {"metric": "canberra"},
    "cosine": {"metric": "cosine"},
}


def check_same(ours, theirs):
    assert np.array_equal(ours.labels_, theirs.labels_)
    assert ours.labels_.dtype == theirs.labels_.dtype
    np.testing.assert_array_equal(ours.probabilities_, theirs.probabilities_)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("table", TABLES)
def test_same_as_sklearn(table, options):
    data, params = TABLES[table], OPTIONS[options]
    if len(data) == 2:
        params = {**params, "min_samples": 2}
    ours = HDBSCAN(copy=False, **params).fit(data)
    try:
        theirs = sklearn_cluster.HDBSCAN(copy=True, **params).fit(data)
    except (TypeError, IndexError):
        # scikit-learn fails where epsilon meets a single cluster.
        assert "cluster_selection_epsilon" in params
        return
    theirs_tree = theirs._single_linkage_tree_
    if options == "brute" or (options == "cosine" and table != "plane"):
        # Distances of scikit-learn's matrix are rounded otherwise, so ties fall apart.
        np.testing.assert_allclose(
            ours.single_linkage_tree_["value"],
            theirs_tree["value"],
            rtol=1e-6,
            atol=2e-5,
        )
        return
    check_same(ours, theirs)
    assert np.array_equal(ours.single_linkage_tree_, theirs_tree)
    for cut in (0.1, 0.4, 1.0):
        assert np.array_equal(
            ours.dbscan_clustering(cut), theirs.dbscan_clustering(cut)
        )


@pytest.mark.parametrize("min_cluster_size", [5, 30])
def test_same_as_sklearn_without_all_pairs(min_cluster_size, monkeypatch):
    monkeypatch.setattr(spanning_tree, "MAX_SCANNED", 0)
    for n_columns in (3, 10):
        data = make_data(2000, n_columns)
        theirs = sklearn_cluster.HDBSCAN(min_cluster_size, copy=True).fit(data)
        ours = HDBSCAN(min_cluster_size, copy=False).fit(data)
        check_same(ours, theirs)
        tree = theirs._single_linkage_tree_
        assert np.array_equal(ours.single_linkage_tree_, tree)


def test_precomputed_as_sklearn():
    D = pairwise_distances(X)
    D_before = D.copy()
    for alpha in (1.0, 1.4):
        ours = HDBSCAN(metric="precomputed", alpha=alpha, copy=False).fit(D)
        theirs = sklearn_cluster.HDBSCAN(
            metric="precomputed", alpha=alpha, copy=True
        ).fit(D)
        check_same(ours, theirs)
    assert np.array_equal(D, D_before)
    # Missing distances.
    D[D > 8] = np.inf
    ours = HDBSCAN(metric="precomputed", copy=False).fit(D)
    check_same(ours, sklearn_cluster.HDBSCAN(metric="precomputed", copy=True).fit(D))


def test_sparse_precomputed():
    n_neighbors = NearestNeighbors(n_neighbors=60).fit(X)
    graph = n_neighbors.kneighbors_graph(mode="distance")
    graph = graph.maximum(graph.T).tocsr()
    before = graph.copy()
    ours = HDBSCAN(metric="precomputed", copy=False).fit(graph)
    assert (abs(graph - before)).nnz == 0
    theirs = sklearn_cluster.HDBSCAN(metric="precomputed", copy=True).fit(graph)
    check_same(ours, theirs)
    # Some rows are at no distance.
    graph.data[graph.data < 0.1] = 0.0
    assert HDBSCAN(metric="precomputed", copy=False).fit(graph).labels_.max() > 0


def test_sparse_rows_as_dense():
    # Integers, whose products are not rounded.
    data = np.unique(np.round(8 * X), axis=0)
    ours = HDBSCAN(copy=False).fit(sparse.csr_array(data))
    dense = HDBSCAN(algorithm="brute", copy=False).fit(data)
    check_same(ours, dense)
    assert np.array_equal(ours.single_linkage_tree_, dense.single_linkage_tree_)
    assert np.array_equal(ours.predict(sparse.csr_array(data)), ours.labels_)


def test_callable_metric():
    def metric(a, b):
        return np.abs(a - b).sum()

    ours = HDBSCAN(metric=metric, copy=False).fit(X[:150])
    theirs = sklearn_cluster.HDBSCAN(metric=metric, copy=True).fit(X[:150])
    check_same(ours, theirs)
    assert np.array_equal(ours.predict(X[:20]), ours.labels_[:20])


def test_haversine():
    data = np.radians(X[:300] * 5)
    theirs = sklearn_cluster.HDBSCAN(metric="haversine", copy=True).fit(data)
    ours = HDBSCAN(metric="haversine", copy=False).fit(data)
    assert np.array_equal(ours.labels_, theirs.labels_)
    # Its tree rounds core distances otherwise.
    np.testing.assert_allclose(ours.probabilities_, theirs.probabilities_, rtol=1e-12)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_rows_that_are_not_finite(container):
    data = X.copy()
    data[3, 0] = np.inf
    data[7] = np.nan
    data[20] = [np.nan, -np.inf]
    finite = np.isfinite(data).all(axis=1)
    model = HDBSCAN(copy=False, store_centers="centroid").fit(container(data))
    clean = HDBSCAN(copy=False, store_centers="centroid").fit(container(data[finite]))
    assert model.labels_[3] == -2
    assert model.labels_[[7, 20]].tolist() == [-3, -3]
    assert model.probabilities_[3] == 0
    assert np.isnan(model.probabilities_[[7, 20]]).all()
    assert np.isnan(model.core_distances_[~finite]).all()
    assert model.outlier_scores_[3] == 1
    assert np.array_equal(model.labels_[finite], clean.labels_)
    assert np.array_equal(model.centroids_, clean.centroids_)
    assert np.array_equal(
        model.dbscan_clustering(0.5)[finite], clean.dbscan_clustering(0.5)
    )
    memberships = model.membership_vectors()
    assert np.array_equal(memberships[finite], clean.membership_vectors())
    # Trees speak of the rows of the table.
    edges, rows = model.minimum_spanning_tree_, np.flatnonzero(finite)
    assert np.array_equal(edges["start"], rows[clean.minimum_spanning_tree_["start"]])
    tree, clean_tree = model.condensed_tree_, clean.condensed_tree_
    is_row = tree["child"] < len(data)
    assert np.array_equal(tree["child"][is_row], rows[clean_tree["child"][is_row]])
    assert tree["parent"].min() == len(data)
    merges = model.single_linkage_tree_
    assert merges["cluster_size"][-1] == len(data)
    assert set(merges["left_node"][-3:]) == {3, 7, 20}
    theirs = sklearn_cluster.HDBSCAN(copy=True).fit(container(data))
    check_same(model, theirs)
    # New rows likewise.
    assert np.array_equal(model.predict(container(data)), model.labels_)


@pytest.mark.parametrize("n_columns", [2, 14])
def test_same_bits_on_any_number_of_threads(n_columns):
    data = make_data(2600, n_columns)
    models = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads):
            models.append(HDBSCAN(copy=False).fit(data))
    models.append(HDBSCAN(copy=False, n_jobs=1).fit(data))
    for other in models[1:]:
        assert np.array_equal(models[0].labels_, other.labels_)
        assert np.array_equal(models[0].probabilities_, other.probabilities_)
        assert np.array_equal(models[0].condensed_tree_, other.condensed_tree_)
        assert np.array_equal(models[0].predict(data + 0.1), other.predict(data + 0.1))


def test_fits_in_many_threads():
    data = make_data(3000, 3)
    wanted = HDBSCAN(copy=False).fit_predict(data)
    found = [None] * 4

    def fit(i):
        found[i] = HDBSCAN(copy=False).fit_predict(data)

    threads = [threading.Thread(target=fit, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(labels, wanted) for labels in found)


def test_ties_by_distance_do_not_depend_on_the_order_of_rows():
    data = make_data(2500, 3)
    order = np.random.default_rng(1).permutation(len(data))
    options = {"ties": "distance", "cluster_selection_method": "leaf", "copy": False}
    labels = HDBSCAN(**options).fit_predict(data)
    other = HDBSCAN(**options).fit_predict(data[order])
    assert adjusted_rand_score(labels[order], other) == 1.0
    scanned = HDBSCAN(cluster_selection_method="leaf", copy=False)
    assert (
        adjusted_rand_score(
            scanned.fit_predict(data)[order], scanned.fit_predict(data[order])
        )
        < 1.0
    )


def test_recluster():
    model = HDBSCAN(copy=False).fit(X)
    for params in (
        {"min_cluster_size": 20},
        {"cluster_selection_method": "leaf"},
        {"allow_single_cluster": True, "cluster_selection_epsilon": 1.0},
        {"max_cluster_size": 50, "store_centers": "both"},
    ):
        new = model.recluster(**params)
        fitted = HDBSCAN(**{"min_samples": 5, "copy": False, **params}).fit(X)
        assert np.array_equal(new.labels_, fitted.labels_)
        assert np.array_equal(new.probabilities_, fitted.probabilities_)
        assert np.array_equal(new.condensed_tree_, fitted.condensed_tree_)
        assert np.array_equal(new.predict(X + 0.2), fitted.predict(X + 0.2))
        assert new.get_params() == fitted.get_params()
        assert hasattr(new, "medoids_") == ("store_centers" in params)
        assert np.shares_memory(new.single_linkage_tree_, model.single_linkage_tree_)
    assert model.min_cluster_size == 5
    with pytest.raises(ValueError, match=r"cannot change \['metric', 'min_samples'\]"):
        model.recluster(min_samples=3, metric="l1")
    with pytest.raises(ValueError, match="min_cluster_size"):
        model.recluster(min_cluster_size=1)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"min_samples": 1},
        {"alpha": 1.3},
        {"algorithm": "brute", "alpha": 1.3},
        {"metric": "chebyshev"},
        {"metric": "canberra"},
        {"metric": "cosine"},
        {"allow_single_cluster": True, "cluster_selection_epsilon": 5.0},
    ],
)
@pytest.mark.parametrize("table", ["plane", "twins", "columns"])
def test_predict(table, params):
    data = TABLES[table]
    model = HDBSCAN(copy=False, **params).fit(data)
    labels, probabilities = model.approximate_predict(data)
    # Where several rows are equal, as the first of them.
    _, first, place = np.unique(data, axis=0, return_index=True, return_inverse=True)
    first = first[place.ravel()]
    assert np.array_equal(labels, model.labels_[first])
    np.testing.assert_array_equal(probabilities, model.probabilities_[first])

    rng = np.random.default_rng(2)
    queries = np.vstack([data[:80] + rng.normal(scale=0.3, size=(80, data.shape[1]))])
    labels, probabilities = model.approximate_predict(queries)
    assert np.array_equal(model.predict(queries), labels)
    for i in range(len(queries)):
        label, probability = predict_one(model, data, queries[i], params)
        assert labels[i] == label
        np.testing.assert_allclose(probabilities[i], probability, rtol=1e-9)


def predict_one(model, data, query, params):
    """The label of a new row, from the arrays of a model and a walk up the tree."""
    metric = params.get("metric", "euclidean")
    alpha = params.get("alpha", 1.0)
    distances = pairwise_distances(query[None], data, metric=metric)[0]
    k = model._fitted_min_samples
    core = np.sort(distances)[k - 2] if k > 1 else 0.0
    if params.get("algorithm") == "brute":
        core /= alpha
    weights = np.maximum(np.maximum(model.core_distances_, core), distances / alpha)
    row = np.lexsort((distances, weights.round(12)))[0]
    tree = model.condensed_tree_
    parents = {int(c): (int(p), v) for p, c, v, _ in tree.tolist()}
    cluster, value = parents[row]
    value = min(value, 1 / weights[row])
    while cluster in parents and parents[cluster][1] > value:
        cluster = parents[cluster][0]
    # The label of a row that is selected in the same cluster.
    n = len(data)
    names = {}
    for other, label in enumerate(model.labels_.tolist()):
        if label >= 0:
            names.setdefault(label, set()).add(parents[other][0])
    selected = model._clustering.selection.clusters + n
    inside = cluster
    while inside not in selected:
        if inside not in parents:
            return -1, 0.0
        inside = parents[inside][0]
    label = selected.tolist().index(inside)
    if inside == n and value < 1 / params["cluster_selection_epsilon"]:
        return -1, 0.0
    last = tree["value"][tree["parent"] == inside].max()
    return label, 1.0 if np.isinf(value) else min(value, last) / last


def test_predict_precomputed():
    D = pairwise_distances(X)
    model = HDBSCAN(metric="precomputed", copy=False).fit(D)
    assert np.array_equal(model.predict(D[:50]), model.labels_[:50])
    queries = X[:50] + 0.1
    assert np.array_equal(
        model.predict(pairwise_distances(queries, X)),
        HDBSCAN(copy=False).fit(X).predict(queries),
    )
    with pytest.raises(ValueError, match="Memberships need rows"):
        model.membership_vectors()
    with pytest.raises(ValueError, match="features"):
        model.predict(D[:5, :7])


@pytest.mark.parametrize("params", [{}, {"metric": "cosine"}, {"min_cluster_size": 25}])
def test_memberships(params):
    model = HDBSCAN(copy=False, **params).fit(X)
    memberships = model.membership_vectors()
    n_clusters = model.labels_.max() + 1
    assert memberships.shape == (len(X), n_clusters)
    assert (memberships >= 0).all()
    assert (memberships.sum(axis=1) <= 1 + 1e-12).all()
    np.testing.assert_allclose(model.membership_vectors(X), memberships, atol=1e-12)
    assert model.membership_vectors(X[:7] + 0.1).shape == (7, n_clusters)
    wanted = weigh_all(model, params.get("metric", "euclidean"))
    np.testing.assert_allclose(memberships, wanted, rtol=1e-7, atol=1e-12)


def weigh_all(model, metric):
    """Memberships from the condensed tree, row by row."""
    n, tree = len(X), model.condensed_tree_
    parents = {int(c): (int(p), v) for p, c, v, _ in tree.tolist()}

    def path(cluster):
        out = [cluster]
        while out[-1] in parents:
            out.append(parents[out[-1]][0])
        return out

    selected = model._clustering.selection.clusters + n
    last = {c: tree["value"][tree["parent"] == c].max() for c in set(tree["parent"])}
    inner = {int(p) for p, c, *_ in tree.tolist() if c >= n}
    deaths, nearest = [], []
    for cluster in selected:
        within = [c for c in last if cluster in path(c)]
        deaths.append(max(last[c] for c in within))
        exemplars = [
            i
            for i in range(n)
            if parents[i][0] in set(within) - inner
            and parents[i][1] == last[parents[i][0]]
        ]
        # Products would leave exemplars at a distance from themselves.
        measure = cdist if metric == "euclidean" else pairwise_distances
        distances = measure(X, X[exemplars], metric=metric)
        nearest.append(distances.min(axis=1))
    deaths, nearest = np.array(deaths), np.array(nearest).T
    out = np.zeros((n, len(selected)))
    for i in range(n):
        own = path(parents[i][0])
        partings = []
        for cluster in selected:
            other = path(cluster)
            common = next(c for c in own if c in other)
            value = parents[i][1]
            if common not in (own[0], cluster):
                value = min(value, parents[own[own.index(common) - 1]][1])
            partings.append(value)
        share = np.minimum(np.array(partings) / deaths, 1.0)
        near = 1 / np.maximum(nearest[i], 1e-12 * nearest[i].max())
        product = near / near.sum() * np.exp(-1 / share)
        out[i] = share.max() * product / product.sum()
    return out


def test_memberships_without_clusters_and_among_duplicates():
    none = HDBSCAN(min_cluster_size=300, copy=False).fit(X)
    assert none.membership_vectors().shape == (len(X), 0)
    twins = np.repeat([[0.0, 0.0], [3.0, 0.0], [9.0, 9.0]], 8, axis=0)
    model = HDBSCAN(copy=False).fit(twins)
    memberships = model.membership_vectors()
    assert np.isfinite(memberships).all()
    assert np.array_equal(memberships.argmax(axis=1), model.labels_)
    assert np.isfinite(model.membership_vectors([[1.0, 0.5]])).all()


def test_centers():
    model = HDBSCAN(copy=False, store_centers="both", min_cluster_size=20).fit(X)
    theirs = sklearn_cluster.HDBSCAN(
        copy=True, store_centers="both", min_cluster_size=20
    ).fit(X)
    np.testing.assert_allclose(model.centroids_, theirs.centroids_, rtol=1e-12)
    np.testing.assert_array_equal(model.medoids_, theirs.medoids_)


def test_pickle_and_clone():
    model = HDBSCAN(copy=False, ties="distance").fit(X)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict(X + 0.1), model.predict(X + 0.1))
    assert np.array_equal(
        copy.recluster(min_cluster_size=20).labels_,
        model.recluster(min_cluster_size=20).labels_,
    )
    assert not hasattr(clone(model), "labels_")
    assert not hasattr(clone(model), "condensed_tree_")


def test_scores_of_outliers():
    data = np.vstack([X, [[60.0, 60.0]]])
    scores = HDBSCAN(copy=False).fit(data).outlier_scores_
    assert scores.argmax() == len(X)
    assert scores.min() == 0
    assert scores.max() <= 1


def test_copy_warns_and_changes_nothing():
    data = X.copy()
    with pytest.warns(FutureWarning, match="default value of `copy` will change"):
        HDBSCAN().fit(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        HDBSCAN(copy=False).fit(data)
    assert np.array_equal(data, X)


def test_does_not_see_later_changes_of_the_table():
    data = X.copy()
    model = HDBSCAN(copy=False).fit(data)
    wanted = model.predict(X[:50] + 0.1)
    data[:] = 0
    assert np.array_equal(model.predict(X[:50] + 0.1), wanted)


@pytest.mark.parametrize(
    ("params", "data", "match"),
    [
        ({}, X[:1], "n_samples=1 while HDBSCAN requires more than one sample"),
        ({"min_samples": 9}, X[:8], r"min_samples \(9\) must be at most"),
        ({}, np.full((9, 2), np.nan), r"min_samples \(5\) must be at most"),
        ({"ties": "row"}, X, "ties"),
        ({"alpha": 0.0}, X, "alpha"),
        ({"metric": "precomputed"}, X, "has shape"),
        ({"metric": "cosine", "algorithm": "kd_tree"}, X, "not a valid metric"),
    ],
)
def test_errors(params, data, match):
    with pytest.raises(ValueError, match=match):
        HDBSCAN(copy=False, **params).fit(data)


def test_plot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    model = HDBSCAN(copy=False, min_cluster_size=20).fit(X)
    ax = plot_condensed_tree(model)
    assert len(ax.patches) == model.labels_.max() + 1
    assert {text.get_text() for text in ax.texts} == {
        str(label) for label in range(model.labels_.max() + 1)
    }
    twins = HDBSCAN(copy=False).fit(np.repeat(X[:9], 8, axis=0))
    assert np.isfinite(plot_condensed_tree(twins).get_ylim()).all()
