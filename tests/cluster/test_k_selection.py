"""Scores of clusterings against scikit-learn's, and the choice of their number."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import cluster as sklearn_cluster
from sklearn import metrics as sklearn_metrics
from sklearn.datasets import make_blobs
from threadpoolctl import threadpool_limits

from sklearnx._cluster.cluster_scores import score_scatter, score_silhouettes
from sklearnx._cluster.k_rules import find_elbow, find_largest
from sklearnx.cluster import (
    AgglomerativeClustering,
    BisectingKMeans,
    KMeans,
    MiniBatchKMeans,
    select_n_clusters,
)
from sklearnx.metrics import silhouette_samples, silhouette_score

KS = [2, 3, 5, 8]


def make_labels(n_rows, ks=KS, seed=0):
    rng = np.random.RandomState(seed)
    return np.stack([rng.permutation(np.arange(n_rows) % k) for k in ks])


def make_rows(n_rows, n_columns, seed=1, offset=0.0):
    return offset + np.random.RandomState(seed).randn(n_rows, n_columns)


def find_silhouettes_naively(X, labels):
    """By the definition, row by row."""
    X = X.astype(np.float64)
    out = np.zeros(len(X))
    for i in range(len(X)):
        distances = np.sqrt(((X - X[i]) ** 2).sum(axis=1))
        own = labels == labels[i]
        if own.sum() == 1:
            continue
        a = distances[own].sum() / (own.sum() - 1)
        b = min(distances[labels == c].mean() for c in set(labels) - {labels[i]})
        out[i] = (b - a) / max(a, b) if max(a, b) > 0 else 0.0
    return out


# Sizes beside those of tiles, panels and blocks.
@pytest.mark.parametrize("shape", [(9, 1), (64, 2), (65, 7), (200, 8), (300, 150)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_silhouettes_are_those_of_the_definition(shape, dtype):
    X = make_rows(*shape).astype(dtype)
    labels = make_labels(shape[0])
    found = score_silhouettes(X, labels, np.arange(len(X)), 2)
    for line, one in zip(labels, found):
        np.testing.assert_allclose(one, find_silhouettes_naively(X, line), atol=1e-12)


def test_silhouettes_of_clusters_far_from_zero_and_tight():
    # The products of such rows cancel: scikit-learn is off in the sixth digit.
    X = make_rows(150, 3, offset=1e5)
    X[:50] += 1e4
    X[50:100] = X[50] + 1e-5 * make_rows(50, 3, seed=3)
    labels = np.repeat([0, 1, 2], 50)
    found = score_silhouettes(X, labels[np.newaxis], np.arange(150), 1)[0]
    np.testing.assert_allclose(found, find_silhouettes_naively(X, labels), rtol=1e-6)


def test_silhouettes_of_duplicates_are_exact():
    X = np.repeat([[0.1, 1e3], [0.3, 1e3], [7.0, 1e3]], 10, axis=0)
    labels = np.repeat([0, 1, 2], 10)
    assert (silhouette_samples(X, labels) == 1.0).all()
    # All rows equal: nothing to tell them apart.
    assert (silhouette_samples(np.ones((6, 2)), [0, 0, 0, 1, 1, 1]) == 0.0).all()


@pytest.mark.parametrize("shape", [(100, 6), (90, 5000)])
def test_silhouettes_of_sparse_rows(shape):
    X = sp.random(*shape, density=0.1, format="csr", random_state=0)
    X = sp.vstack([X[4], X[1:]], format="csr")  # a row twice
    labels = make_labels(shape[0])
    rows = np.arange(shape[0])
    sparse = score_silhouettes(X, labels, rows, 2)
    np.testing.assert_allclose(
        sparse, score_silhouettes(X.toarray(), labels, rows, 2), atol=1e-12
    )
    for one, other in zip(
        score_scatter(X, labels, 2), score_scatter(X.toarray(), labels, 2)
    ):
        np.testing.assert_allclose(one, other, rtol=1e-10)
    empty = sp.csr_matrix((6, 3))
    assert (silhouette_samples(empty, [0, 0, 1, 1, 2, 2]) == 0.0).all()


def test_strides_change_nothing():
    X = make_rows(70, 12)
    labels = make_labels(70)
    rows = np.arange(70)
    expected = score_silhouettes(X, labels, rows, 1)
    wide = np.zeros((140, 24))
    wide[::2, ::-2] = X
    for same in (np.asfortranarray(X), wide[::2, ::-2]):
        np.testing.assert_array_equal(
            score_silhouettes(same, labels, rows, 1), expected
        )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scores_of_scatter_are_scikit_learns(dtype):
    X = make_rows(700, 4).astype(dtype)
    X[:200] += 4
    labels = np.vstack([make_labels(700), (X[:, 0] > 2).astype(int)])
    scatter = score_scatter(X, labels, 2)
    X = X.astype(np.float64)
    for m, line in enumerate(labels):
        centers = np.array([X[line == c].mean(axis=0) for c in np.unique(line)])
        distances = np.sqrt(((X[:, np.newaxis] - centers) ** 2).sum(axis=2))
        own = distances[np.arange(700), line]
        np.testing.assert_allclose(scatter.within[m], (own**2).sum(), rtol=1e-10)
        np.testing.assert_allclose(
            scatter.calinski_harabasz[m],
            sklearn_metrics.calinski_harabasz_score(X, line),
            rtol=1e-9,
        )
        np.testing.assert_allclose(
            scatter.davies_bouldin[m],
            sklearn_metrics.davies_bouldin_score(X, line),
            rtol=1e-7,
        )
        distances[np.arange(700), line] = np.inf
        nearest = distances.min(axis=1)
        simplified = (nearest - own) / np.maximum(nearest, own)
        np.testing.assert_allclose(
            scatter.simplified_silhouette[m], simplified.mean(), rtol=1e-9
        )


def test_threads_change_no_bit():
    X = make_rows(3000, 5)
    labels = make_labels(3000)
    rows = np.arange(3000)
    silhouettes = score_silhouettes(X, labels, rows, 1)
    scatter = score_scatter(X, labels, 1)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(
            score_silhouettes(X, labels, rows, n_threads), silhouettes
        )
        np.testing.assert_array_equal(score_scatter(X, labels, n_threads), scatter)


def test_metrics_are_scikit_learns():
    X = make_rows(300, 3)
    labels = np.array(["c", "a", "b"])[make_labels(300)[1]]
    np.testing.assert_allclose(
        silhouette_samples(X, labels),
        sklearn_metrics.silhouette_samples(X, labels),
        atol=1e-12,
    )
    for sample_size in (None, 40):
        options = {"sample_size": sample_size, "random_state": 3}
        np.testing.assert_allclose(
            silhouette_score(X, labels, **options),
            sklearn_metrics.silhouette_score(X, labels, **options),
            rtol=1e-10,
        )


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_metrics_refuse_labels_without_silhouettes(labels):
    with pytest.raises(ValueError, match="Number of labels is"):
        silhouette_score([[0.0], [1.0], [2.0]], labels)


def test_metrics_refuse_values_whose_squares_overflow():
    with pytest.raises(ValueError, match="scale the features"):
        silhouette_score([[1e200], [-1e200], [0.0]], [0, 0, 1])


def test_rules():
    ks = np.arange(1, 6)
    # Below the line through its ends by 0, 0.45, 0.3, 0.15 and 0.
    assert find_elbow(ks, np.array([100.0, 30.0, 20.0, 10.0, 0.0])) == 1
    assert find_elbow(ks, np.array([10.0, 9.0, 8.0, 6.0, 0.0])) is None  # bends away
    assert find_elbow(ks, np.full(5, 3.0)) is None
    assert find_elbow(ks[:2], np.array([2.0, 1.0])) is None
    assert find_largest(np.array([np.nan, 1.0, 2.0, 2.0])) == 2
    assert find_largest(np.array([np.nan])) is None


@pytest.fixture(scope="module")
def blobs():
    # At corners of a tetrahedron: up to the last of them the inertia falls steadily.
    corners = 5.0 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    return make_blobs(400, centers=corners, cluster_std=1.2, random_state=2)[0]


@pytest.mark.parametrize("share_fits", [True, False])
def test_select_n_clusters(blobs, share_fits):
    selection = select_n_clusters(
        KMeans(random_state=0), blobs, range(1, 9), share_fits=share_fits
    )
    assert selection.best == {
        "inertia": 4,
        "silhouette": 4,
        "simplified_silhouette": 4,
        "calinski_harabasz": 4,
        "davies_bouldin": 4,
    }
    assert selection.best_estimator("inertia").n_clusters == 4
    for i, k in enumerate(range(1, 9)):
        fitted = selection.estimators[i]
        assert fitted.n_clusters == selection.n_clusters[i] == k
        np.testing.assert_array_equal(selection.labels[i], fitted.labels_)
        assert selection.inertia[i] == fitted.inertia_
        if k == 1:
            assert np.isnan(selection.silhouette[i])
            assert np.isnan(selection.davies_bouldin[i])
            continue
        np.testing.assert_allclose(
            selection.silhouette_samples[i],
            sklearn_metrics.silhouette_samples(blobs, selection.labels[i]),
            atol=1e-9,
        )
        np.testing.assert_allclose(
            selection.silhouette[i], selection.silhouette_samples[i].mean()
        )
        np.testing.assert_allclose(
            selection.davies_bouldin[i],
            sklearn_metrics.davies_bouldin_score(blobs, selection.labels[i]),
        )


def test_separate_fits_are_those_of_the_estimator(blobs):
    selection = select_n_clusters(
        KMeans(random_state=3), blobs, [5, 2], share_fits=False
    )
    for k, labels in zip([2, 5], selection.labels):
        alone = KMeans(k, random_state=3).fit(blobs)
        np.testing.assert_array_equal(labels, alone.labels_)


def test_shared_seeds_keep_the_best_of_n_init(blobs):
    once = select_n_clusters(KMeans(random_state=0, init="k-means++"), blobs)
    often = select_n_clusters(KMeans(random_state=0, n_init=5), blobs)
    assert (often.inertia <= once.inertia).all()
    assert (often.inertia < once.inertia).any()


@pytest.mark.parametrize(
    "estimator",
    [
        BisectingKMeans(random_state=0),
        BisectingKMeans(random_state=1, bisecting_strategy="largest_cluster"),
        AgglomerativeClustering(),
        AgglomerativeClustering(linkage="single"),
    ],
)
def test_trees_are_built_once_and_cut(blobs, estimator):
    shared = select_n_clusters(estimator, blobs, range(1, 8))
    separate = select_n_clusters(estimator, blobs, range(1, 8), share_fits=False)
    np.testing.assert_array_equal(shared.labels, separate.labels)
    np.testing.assert_array_equal(shared.silhouette, separate.silhouette)
    np.testing.assert_allclose(shared.inertia, separate.inertia, rtol=1e-12)
    for one, other in zip(shared.estimators, separate.estimators):
        assert one.get_params() == other.get_params()
        np.testing.assert_array_equal(one.labels_, other.labels_)
        if hasattr(one, "predict"):
            np.testing.assert_array_equal(one.predict(blobs), other.predict(blobs))
            np.testing.assert_array_equal(one.cluster_centers_, other.cluster_centers_)


def test_estimators_of_scikit_learn(blobs):
    selection = select_n_clusters(
        sklearn_cluster.AgglomerativeClustering(), blobs, [3, 4]
    )
    for k, labels in zip([3, 4], selection.labels):
        alone = sklearn_cluster.AgglomerativeClustering(k).fit(blobs)
        np.testing.assert_array_equal(labels, alone.labels_)
    # Without an inertia_ of its own: that around the means.
    centers = [blobs[labels == c].mean(axis=0) for c in range(4)]
    np.testing.assert_allclose(
        selection.inertia[1], ((blobs - np.array(centers)[labels]) ** 2).sum()
    )


def test_mini_batches_sparse_weights_and_float32(blobs):
    X = sp.csr_matrix(np.maximum(blobs, 0).astype(np.float32))
    weights = np.arange(400) % 3
    selection = select_n_clusters(
        MiniBatchKMeans(random_state=0), X, [2, 3], sample_weight=weights
    )
    for k, fitted in zip([2, 3], selection.estimators):
        alone = MiniBatchKMeans(k, random_state=0).fit(X, sample_weight=weights)
        assert fitted.inertia_ == alone.inertia_
    shared = select_n_clusters(KMeans(random_state=0), X, sample_weight=weights)
    assert np.isfinite(shared.silhouette).all()


def test_sample(blobs):
    selection = select_n_clusters(
        KMeans(random_state=0), blobs, [3, 4], sample_size=100, random_state=7
    )
    assert selection.silhouette_samples.shape == (2, 100)
    for score, labels in zip(selection.silhouette, selection.labels):
        expected = sklearn_metrics.silhouette_score(
            blobs, labels, sample_size=100, random_state=7
        )
        np.testing.assert_allclose(score, expected, rtol=1e-9)
    without = select_n_clusters(KMeans(random_state=0), blobs, [3], silhouette=False)
    assert without.silhouette_samples is None
    assert np.isnan(without.silhouette).all()
    assert "silhouette" not in without.best
    with pytest.raises(ValueError, match="chooses nothing here"):
        without.best_estimator()


def test_selection_has_the_same_bits_with_any_threads(blobs):
    X = np.vstack([blobs] * 4) + make_rows(1600, 3, seed=5)
    results = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads):
            results.append(select_n_clusters(KMeans(random_state=0), X, [2, 4, 7]))
    for result in results[1:]:
        for name in ("inertia", "silhouette", "davies_bouldin", "labels"):
            np.testing.assert_array_equal(
                getattr(result, name), getattr(results[0], name)
            )


def test_fewer_distinct_rows_than_clusters():
    X = np.repeat([[0.0], [1.0]], 5, axis=0)
    with pytest.warns(UserWarning, match="distinct clusters"):
        selection = select_n_clusters(KMeans(random_state=0), X, [2, 3])
    np.testing.assert_array_equal(selection.silhouette, [1.0, 1.0])
    assert selection.best["silhouette"] == 2


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((KMeans(), [[1.0], [2.0]], [3]), ValueError, "from 1 to n_samples=2"),
        ((KMeans(), [[1.0], [2.0]], [0]), ValueError, "from 1 to n_samples=2"),
        ((KMeans(), [[1.0], [2.0]], [1.5]), TypeError, "integers"),
        ((KMeans(), [[1.0], [2.0]], []), ValueError, "empty"),
        ((sklearn_cluster.DBSCAN(), [[1.0]], [1]), TypeError, "parameter n_clusters"),
        ((KMeans, [[1.0]], [1]), TypeError, "estimator"),
        ((KMeans(), [[np.nan]], [1]), ValueError, "NaN"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        select_n_clusters(*arguments)


def test_table_and_plot(blobs):
    selection = select_n_clusters(KMeans(random_state=0), blobs, [2, 4, 6])
    lines = repr(selection).split("\n")
    assert len(lines) == 4
    assert lines[2].count("*") == len(selection.best)
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    axes = selection.plot()
    assert len(axes) == 4
    np.testing.assert_array_equal(axes[0].lines[0].get_ydata(), selection.inertia)
    np.testing.assert_array_equal(axes[1].lines[0].get_ydata(), selection.silhouette)
    with pytest.raises(ValueError, match="4 Axes"):
        selection.plot(axes[:2])
    plt.close("all")
