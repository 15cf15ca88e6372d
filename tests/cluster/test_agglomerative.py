"""Agglomerative clustering: against naive merges, SciPy's and scikit-learn's trees."""

import warnings

import numpy as np
import pytest
import sklearn.cluster as peer
from scipy import sparse
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist
from sklearn.neighbors import kneighbors_graph
from threadpoolctl import threadpool_limits

from sklearnx._cluster import agglomeration
from sklearnx._cython.cluster.distance_chain import fill_distances
from sklearnx._cython.cluster.ward_chain import find_ward_merges
from sklearnx.cluster import (
    AgglomerativeClustering,
    FeatureAgglomeration,
    linkage_tree,
    ward_tree,
)
from tests._versions import needs_sklearn_1_9

TABLES = ["normal", "integers", "decimals", "float32", "duplicates", "constant"]


def make_table(kind, n=90, d=4, seed=0):
    X = np.random.RandomState(seed).normal(size=(n, d))
    if kind == "integers":
        return np.floor(2 * X)
    if kind == "decimals":
        return np.round(X, 1)
    if kind == "float32":
        return X.astype(np.float32)
    if kind == "duplicates":
        return np.repeat(X[: n // 3 + 1], 3, axis=0)[:n]
    if kind == "constant":
        return np.ones((n, d))
    return X


def merge_naively(X):
    """Ward's merges on centroids, with a scan of all clusters for each neighbour."""
    n = len(X)
    centers, sizes, tops = X.copy(), np.ones(n), np.zeros(n)
    pairs, heights, chain = [], [], []

    def measure(i):
        squares = np.zeros(n)
        for column in centers.T:
            squares = squares + (column - column[i]) ** 2
        squares = 2.0 * sizes[i] * sizes / (sizes[i] + sizes) * squares
        squares[(sizes == 0) | (np.arange(n) == i)] = np.inf
        return squares

    for _ in range(n - 1):
        chain = chain or [int(np.flatnonzero(sizes)[0])]
        while True:
            squares = measure(chain[-1])
            nearest = int(squares.argmin())
            if len(chain) > 1 and not squares[nearest] < squares[chain[-2]]:
                break
            chain.append(nearest)
        a, b = sorted(chain[-2:])
        height = max(np.sqrt(squares[chain[-2]]), tops[a], tops[b])
        del chain[-2:]
        centers[b] = (sizes[a] * centers[a] + sizes[b] * centers[b]) / (
            sizes[a] + sizes[b]
        )
        sizes[b] += sizes[a]
        sizes[a] = 0
        tops[b] = height
        pairs.append((a, b))
        heights.append(height)
    return np.array(pairs), np.array(heights)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("n, d", [(2, 1), (33, 2), (300, 3), (257, 9)])
def test_ward_kernel_is_the_naive_one(kind, n, d):
    X = make_table(kind, n, d).astype(np.float64)
    pairs, heights = np.empty((len(X) - 1, 2), np.int32), np.empty(len(X) - 1)
    find_ward_merges(X, pairs, heights, 2)
    naive_pairs, naive_heights = merge_naively(X)
    np.testing.assert_array_equal(pairs, naive_pairs)
    np.testing.assert_array_equal(heights, naive_heights)


@pytest.mark.parametrize(
    "metric, name",
    [
        ("euclidean", "euclidean"),
        ("manhattan", "cityblock"),
        ("chebyshev", "chebyshev"),
    ],
)
@pytest.mark.parametrize("n, d", [(2, 3), (31, 1), (100, 7)])
def test_distances_are_scipys(metric, name, n, d):
    X = make_table("normal", n, d)
    condensed = np.empty(n * (n - 1) // 2)
    fill_distances(X, metric, condensed, 2)
    np.testing.assert_array_equal(condensed, pdist(X, name))


def test_ward_without_distances_is_scipys():
    X = make_table("normal", agglomeration.MAX_RECURRENT + 150, 5)
    children, _, _, _, distances = ward_tree(X, return_distance=True)
    expected = hierarchy.ward(X)
    np.testing.assert_array_equal(children, expected[:, :2])
    np.testing.assert_allclose(distances, expected[:, 2], rtol=1e-12)


@pytest.mark.parametrize("offset", [1e9, -1e9])
def test_ward_far_from_zero(offset):
    # Differences of so large values keep all digits that they have.
    X = np.round(make_table("normal", agglomeration.MAX_RECURRENT + 2, 3), 3)
    X = np.round(X * 1024) / 1024
    near = ward_tree(X, return_distance=True)
    far = ward_tree(X + offset, return_distance=True)
    np.testing.assert_allclose(far[4], near[4], rtol=1e-9)


def assert_same(ours, theirs):
    np.testing.assert_array_equal(ours.children_, theirs.children_)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    np.testing.assert_array_equal(ours.distances_, theirs.distances_)
    assert ours.n_clusters_ == theirs.n_clusters_
    assert ours.n_leaves_ == theirs.n_leaves_
    assert ours.n_connected_components_ == theirs.n_connected_components_


def largest_gaps(X):
    return np.abs(X[:, np.newaxis] - X).max(axis=-1).astype(np.float64)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize(
    "linkage, metric",
    [("ward", "euclidean"), pytest.param("ward", "l2", marks=needs_sklearn_1_9)]
    + [
        (linkage, metric)
        for linkage in ("single", "complete", "average")
        for metric in ("euclidean", "l1", "cosine", "precomputed", largest_gaps)
    ],
)
def test_trees_are_scikit_learns(kind, linkage, metric):
    X = make_table(kind)
    if metric == "cosine":
        X = np.abs(X) + 1
    if metric == "precomputed":
        X = largest_gaps(X)
    options = {"linkage": linkage, "metric": metric, "compute_distances": True}
    for more in ({"n_clusters": 5}, {"n_clusters": None, "distance_threshold": 1.0}):
        assert_same(
            AgglomerativeClustering(**options, **more).fit(X),
            peer.AgglomerativeClustering(**options, **more).fit(X),
        )


@pytest.mark.parametrize("metric", ["chebyshev", "minkowski", "canberra", "braycurtis"])
def test_single_linkage_of_other_metrics(metric):
    X = np.abs(make_table("decimals"))
    ours = linkage_tree(X, linkage="single", affinity=metric, return_distance=True)
    theirs = peer.linkage_tree(
        X, linkage="single", affinity=metric, return_distance=True
    )
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[4], theirs[4])


@pytest.mark.parametrize("n, d", [(2000, 2), (1500, 10), (700, 1)])
@pytest.mark.parametrize("kind", ["normal", "decimals"])
def test_larger_single_linkage(kind, n, d):
    X = make_table(kind, n, d)
    ours = linkage_tree(X, linkage="single", return_distance=True)
    theirs = peer.linkage_tree(X, linkage="single", return_distance=True)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[4], theirs[4])


@pytest.mark.parametrize("linkage", ["complete", "average"])
def test_chains_longer_than_a_part(linkage):
    # Rows of distances are scanned in parts of 4096.
    X = make_table("decimals", 4200, 2)
    condensed = pdist(X)
    pairs, heights = np.empty((len(X) - 1, 2), np.int32), np.empty(len(X) - 1)
    agglomeration.distance_chain.find_merges(condensed, linkage, pairs, heights, 2)
    expected = hierarchy.linkage(X, linkage)
    np.testing.assert_array_equal(np.sort(heights, kind="stable"), expected[:, 2])


CONNECTIVITIES = {
    "neighbors": lambda X: kneighbors_graph(X, 4),
    "dense": lambda X: kneighbors_graph(X, 12).toarray(),
    "all": lambda X: np.ones((len(X), len(X))),
    "coo": lambda X: sparse.coo_array(np.tri(len(X), k=-1) - np.tri(len(X), k=-4)),
}


@pytest.mark.parametrize("connectivity", CONNECTIVITIES)
@pytest.mark.parametrize("kind", ["normal", "integers", "float32", "duplicates"])
@pytest.mark.parametrize("linkage", ["ward", "single", "complete", "average"])
def test_connected_trees_are_scikit_learns(kind, linkage, connectivity):
    X = make_table(kind)
    metrics = ["euclidean"] if linkage == "ward" else ["euclidean", "l1", "precomputed"]
    for metric in metrics:
        for more in (
            {"n_clusters": 5},
            {"n_clusters": 30, "compute_full_tree": False},
            {"n_clusters": None, "distance_threshold": 1.0},
        ):
            options = {
                "linkage": linkage,
                "metric": metric,
                "compute_distances": True,
                "connectivity": CONNECTIVITIES[connectivity](X),
                **more,
            }
            table = largest_gaps(X) if metric == "precomputed" else X
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                assert_same(
                    AgglomerativeClustering(**options).fit(table),
                    peer.AgglomerativeClustering(**options).fit(table),
                )


def test_connectivity_may_be_a_function():
    X = make_table("normal")
    by_function = AgglomerativeClustering(
        connectivity=lambda X: kneighbors_graph(X, 20), linkage="average"
    ).fit(X)
    by_matrix = AgglomerativeClustering(
        connectivity=kneighbors_graph(X, 20), linkage="average"
    ).fit(X)
    np.testing.assert_array_equal(by_function.children_, by_matrix.children_)


def test_components_are_joined_with_a_warning():
    X = np.array([[0.0], [1.0], [10.0], [11.5], [30.0]])
    connectivity = np.zeros((5, 5))
    connectivity[0, 1] = connectivity[2, 3] = 1
    with pytest.warns(
        UserWarning, match="components of the connectivity matrix is 3 >"
    ):
        children, n_components, n_leaves, parents = ward_tree(
            X, connectivity=connectivity
        )
    assert (n_components, n_leaves) == (3, 5)
    np.testing.assert_array_equal(children[:2], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(parents[:4], [5, 5, 6, 6])


@pytest.mark.parametrize("linkage", ["ward", "single", "complete", "average"])
def test_bits_do_not_depend_on_threads(linkage):
    X = make_table("decimals", agglomeration.MAX_RECURRENT + 100, 3)
    trees = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads):
            model = AgglomerativeClustering(
                linkage=linkage, compute_distances=True
            ).fit(X)
        trees.append((model.children_.tobytes(), model.distances_.tobytes()))
    assert trees[0] == trees[1] == trees[2]


@pytest.mark.parametrize("linkage", ["ward", "single", "complete", "average"])
def test_odd_tables(linkage):
    model = AgglomerativeClustering(linkage=linkage, compute_distances=True)
    assert model.fit([[0.0], [2.0]]).distances_ == [2.0]
    constant = model.fit(np.full((200, 3), 1e300))
    assert (constant.distances_ == 0).all() and set(constant.labels_) == {0, 1}
    no_columns = "minimum of 1 is required"
    with pytest.raises(ValueError, match=no_columns):
        model.fit(np.empty((5, 0)))
    for bad, message in (
        ([[1.0]], "minimum of 2 is required"),
        ([[np.nan], [1.0]], "NaN"),
        ([[np.inf], [1.0]], "infinity"),
        ([[1e200], [-1e200], [0.0]], "distances between the rows of X must be finite"),
        (np.outer([1, -1] * 1500, [1e200]), "distances between the rows"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(bad)
    with pytest.raises(ValueError, match="Cannot extract more clusters than samples"):
        AgglomerativeClustering(n_clusters=4, linkage=linkage).fit(
            [[0.0], [1.0], [3.0]]
        )


def test_functions_check_what_they_get():
    X = make_table("normal")
    with pytest.raises(ValueError, match="Unknown linkage option"):
        linkage_tree(X, linkage="median")
    with pytest.raises(ValueError, match="zero vectors"):
        linkage_tree(X * (X > 5), affinity="cosine")
    with pytest.raises(ValueError, match="Wrong shape for connectivity matrix"):
        linkage_tree(X, connectivity=np.ones((3, 3)))
    with pytest.raises(ValueError, match="should be square"):
        linkage_tree(X, affinity="precomputed")
    with pytest.raises(ValueError, match="more clusters than samples"):
        ward_tree(X, connectivity=np.ones((90, 90)), n_clusters=91)
    for build in (ward_tree, linkage_tree):
        with pytest.raises(ValueError, match="at least 2 rows"):
            build(X[:1])
        with pytest.raises(ValueError, match="finite"):
            build(np.where(X > 1, np.nan, X))
        with pytest.warns(UserWarning, match="Partial build of the tree"):
            build(X, n_clusters=3)


def test_memory_keeps_the_tree(tmp_path):
    X = make_table("normal")
    options = {"memory": str(tmp_path), "linkage": "average", "n_clusters": 3}
    first = AgglomerativeClustering(**options).fit(X)
    assert list(tmp_path.rglob("output.pkl"))
    again = AgglomerativeClustering(**options).fit(X)
    np.testing.assert_array_equal(first.labels_, again.labels_)


@pytest.mark.parametrize("pooling_func", [np.mean, np.median, np.max])
@pytest.mark.parametrize("linkage", ["ward", "single", "complete", "average"])
def test_columns_are_pooled_as_by_scikit_learn(pooling_func, linkage):
    X = make_table("normal", 40, 30)
    options = {"n_clusters": 7, "linkage": linkage, "pooling_func": pooling_func}
    ours = FeatureAgglomeration(**options).fit(X)
    theirs = peer.FeatureAgglomeration(**options).fit(X)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    pooled = ours.transform(X)
    np.testing.assert_array_equal(pooled, theirs.transform(X))
    np.testing.assert_array_equal(
        ours.inverse_transform(pooled), theirs.inverse_transform(pooled)
    )
    np.testing.assert_array_equal(
        ours.get_feature_names_out(), theirs.get_feature_names_out()
    )
    assert isinstance(ours, peer.FeatureAgglomeration)
    assert not hasattr(ours, "fit_predict")


def test_pooling_in_parts(monkeypatch):
    X = make_table("float32", 40, 30)
    model = FeatureAgglomeration(n_clusters=4).fit(X)
    whole = model.transform(X)
    monkeypatch.setattr("sklearnx.cluster._feature_agglomeration._MAX_HELD", 70)
    np.testing.assert_array_equal(model.transform(X), whole)


def test_edges_in_parts(monkeypatch):
    X = make_table("normal")
    connectivity = sparse.block_diag([kneighbors_graph(X[:45], 3)] * 2, format="csr")
    with pytest.warns(UserWarning, match="Completing it"):
        whole = linkage_tree(X, connectivity=connectivity, return_distance=True)
    monkeypatch.setattr("sklearnx._cluster.connectivity.MAX_HELD", 50)
    with pytest.warns(UserWarning, match="Completing it"):
        parts = linkage_tree(X, connectivity=connectivity, return_distance=True)
    np.testing.assert_array_equal(whole[0], parts[0])
    np.testing.assert_array_equal(whole[4], parts[4])
