"""BisectingKMeans against scikit-learn's from the same random state."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import cluster as sklearn_cluster
from sklearn.datasets import make_blobs
from threadpoolctl import threadpool_limits

from sklearnx._cluster.bisection import BisectingTree, grow_tree
from sklearnx.cluster import BisectingKMeans
from tests._versions import needs_sklearn_1_9


@pytest.fixture(scope="module")
def blobs():
    X, _ = make_blobs(1000, 5, centers=9, cluster_std=1.5, random_state=1)
    return X + 100.0


def make_sparse(seed=0):
    X = sp.random(600, 40, density=0.2, format="csr", random_state=seed)
    return X


# The tree:       0
#              /     \
#             1       2          labels from left to right: 5, 6, 4, 2 have 0, 1, 2, 3
#           /   \
#          3     4
#         / \
#        5   6
TREE = BisectingTree(
    np.array([[0.0], [-4.0], [8.0], [-8.0], [0.0], [-9.0], [-7.0]]),
    np.array([1, 3, -1, 5, -1, -1, -1]),
)


def test_cuts_of_a_tree():
    assert TREE.find_leaves() == [5, 6, 4, 2]
    leaves = {4: [5, 6, 4, 2], 3: [3, 4, 2], 2: [1, 2], 1: [0]}
    labels = {4: [0, 1, 2, 3], 3: [0, 0, 1, 2], 2: [0, 0, 0, 1], 1: [0, 0, 0, 0]}
    for k in (1, 2, 3, 4):
        cut = TREE.cut(k)
        assert cut.find_leaves() == leaves[k]
        np.testing.assert_array_equal(TREE.map_labels(cut), labels[k])


def test_the_leaf_of_the_largest_score_is_split():
    X = np.array([0.0, 1.0, 10.0, 11.0, 14.0, 100.0])

    def split(indices):
        values = X[indices]
        threshold = values[:-1][np.diff(values).argmax()]
        sides = (values > threshold).astype(int)
        parts = [values[sides == side] for side in (0, 1)]
        return (
            sides,
            [[part.mean()] for part in parts],
            [part.var() * len(part) for part in parts],
        )

    tree, labels = grow_tree(6, 4, np.array([X.mean()]), None, split)
    np.testing.assert_array_equal(labels, [0, 0, 1, 1, 2, 3])
    np.testing.assert_array_equal(tree.left, [1, 3, -1, -1, 5, -1, -1])
    np.testing.assert_array_equal(
        tree.centers[tree.find_leaves()].ravel(), [0.5, 10.5, 14.0, 100.0]
    )


@pytest.fixture(autouse=True)
def _calm_scikit_learn():
    """One thread for its OpenMP loops, which wait busily while others compute."""
    with threadpool_limits(1, user_api="openmp"):
        yield


def assert_same(ours, theirs, rtol=1e-7):
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    assert ours.labels_.dtype == theirs.labels_.dtype
    np.testing.assert_allclose(
        ours.cluster_centers_, theirs.cluster_centers_, rtol=rtol, atol=rtol
    )
    np.testing.assert_allclose(ours.inertia_, theirs.inertia_, rtol=rtol)


@pytest.mark.parametrize(
    "params",
    [
        {"n_clusters": 9},
        {"n_clusters": 9, "init": "k-means++", "n_init": 3},
        {"n_clusters": 6, "algorithm": "elkan", "tol": 0.0},
        {"n_clusters": 7, "bisecting_strategy": "largest_cluster", "max_iter": 3},
        {"n_clusters": 1},
    ],
)
@pytest.mark.parametrize("is_sparse", [False, True])
def test_same_results_as_scikit_learn(blobs, params, is_sparse):
    X = make_sparse() if is_sparse else blobs
    weights = np.random.RandomState(0).randint(1, 4, X.shape[0])
    new = X[::2] * 1.1
    for sample_weight in (None, weights):
        ours = BisectingKMeans(**params, random_state=2)
        theirs = sklearn_cluster.BisectingKMeans(**params, random_state=2)
        ours.fit(X, sample_weight=sample_weight)
        theirs.fit(X, sample_weight=sample_weight)
        assert_same(ours, theirs)
        np.testing.assert_array_equal(ours.predict(new), theirs.predict(new))
        np.testing.assert_allclose(ours.transform(new), theirs.transform(new))


def test_prediction_goes_down_the_tree():
    # The nearest leaf of -1.5 is number 4, at 0, on the side of 1, whose centre is at
    # -4; that of 3 is number 4 as well, but it is nearer to 2, at 8, than to 1.
    X = np.array([[-20.0], [-7.5], [-1.5], [1.9], [3.0], [9.0]])
    fitted = BisectingKMeans(4, random_state=0).fit(X)
    fitted._bisecting_tree = TREE
    np.testing.assert_array_equal(fitted.predict(X), [0, 1, 2, 2, 3, 3])


def test_labels_are_those_of_prediction(blobs):
    for X in (blobs, make_sparse()):
        fitted = BisectingKMeans(10, random_state=0, tol=0).fit(X)
        np.testing.assert_array_equal(fitted.predict(X), fitted.labels_)
        assert set(fitted.labels_) == set(range(10))


def test_input_is_not_written_to(blobs):
    for copy_x in (True, False):
        X = blobs.copy()
        X.flags.writeable = False
        BisectingKMeans(3, random_state=0, copy_x=copy_x).fit(X)


def test_float32_stays_float32(blobs):
    narrow = BisectingKMeans(6, random_state=0).fit(blobs.astype(np.float32))
    wide = BisectingKMeans(6, random_state=0).fit(blobs)
    assert narrow.cluster_centers_.dtype == np.float32
    np.testing.assert_array_equal(narrow.labels_, wide.labels_)
    np.testing.assert_allclose(
        narrow.cluster_centers_, wide.cluster_centers_, rtol=1e-5
    )


def test_threads_change_no_bit(blobs):
    results = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads):
            results.append(BisectingKMeans(12, random_state=0).fit(blobs))
    for fitted in results[1:]:
        np.testing.assert_array_equal(fitted.labels_, results[0].labels_)
        np.testing.assert_array_equal(
            fitted.cluster_centers_, results[0].cluster_centers_
        )
        assert fitted.inertia_ == results[0].inertia_


@pytest.mark.parametrize("init", ["random", "k-means++"])
@pytest.mark.parametrize("strategy", ["biggest_inertia", "largest_cluster"])
@pytest.mark.parametrize(
    "X",
    [
        np.ones((20, 2)),  # constants
        np.repeat([[0.0], [1.0], [5.0]], 3, axis=0),  # fewer different rows
        np.array([[0.0], [1.0], [2.0], [3.0], [40.0], [50.0]]),  # a row a cluster
    ],
)
def test_duplicates_and_few_rows(X, strategy, init):
    for seed in range(5):
        fitted = BisectingKMeans(
            6, random_state=seed, init=init, bisecting_strategy=strategy
        ).fit(X)
        assert np.isfinite(fitted.cluster_centers_).all()
        n_different = len(np.unique(X, axis=0))
        assert len(set(fitted.labels_)) == n_different or n_different < 6
        assert np.isfinite(fitted.inertia_)


def test_rows_of_weight_zero_move_no_center(blobs):
    X = np.vstack([blobs, np.full((500, 5), 1e5)])
    weights = np.repeat([1.0, 0.0], [1000, 500])
    fitted = BisectingKMeans(5, random_state=0).fit(X, sample_weight=weights)
    assert fitted.cluster_centers_.max() < 1e3
    with pytest.raises(ValueError, match="positive sample_weight"):
        BisectingKMeans(3, random_state=0).fit(
            [[0.0], [1.0], [2.0], [3.0]], sample_weight=[1.0, 1.0, 0.0, 0.0]
        )


@pytest.mark.parametrize(
    "params, X, message",
    [
        ({"n_clusters": 3}, [[0.0], [1.0]], "n_samples=2 should be >= n_clusters=3"),
        ({"n_clusters": 1}, [[np.nan]], "NaN"),
        ({"init": np.zeros((8, 1))}, np.zeros((9, 1)), "'init' parameter"),
    ],
)
def test_errors(params, X, message):
    with pytest.raises(ValueError, match=message):
        BisectingKMeans(**params).fit(X)


@needs_sklearn_1_9
def test_callable_init(blobs):
    def init(X, n_clusters, random_state):
        assert n_clusters == 2
        return X[:2].copy()  # scikit-learn writes into what it gets

    ours = BisectingKMeans(5, init=init).fit(blobs)
    theirs = sklearn_cluster.BisectingKMeans(5, init=init).fit(blobs)
    assert_same(ours, theirs)
