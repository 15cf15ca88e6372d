"""Mean shift: against a naive climb and scikit-learn's."""

import numpy as np
import pytest
import sklearn.cluster as peer
from sklearn.datasets import make_blobs
from threadpoolctl import threadpool_limits

from sklearnx._cython.cluster import mean_shift as kernels
from sklearnx.cluster import MeanShift, estimate_bandwidth, get_bin_seeds, mean_shift


def make_table(n=150, d=3, seed=0, dtype=np.float64):
    X, _ = make_blobs(n, d, centers=4, random_state=seed)
    return X.astype(dtype)


def climb_naively(X, seed, bandwidth, max_iter):
    mean, n_iter = seed, 0
    while True:
        squares = ((X.astype(np.float64) - mean.astype(np.float64)) ** 2).sum(axis=1)
        inside = X[squares <= bandwidth**2]
        if len(inside) == 0:
            return mean, 0, n_iter
        last, mean = mean, inside.mean(axis=0, dtype=np.float64).astype(X.dtype)
        moved = np.linalg.norm(mean.astype(np.float64) - last)
        if moved <= 1e-3 * bandwidth or n_iter == max_iter:
            return mean, len(inside), n_iter
        n_iter += 1


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n, d, max_iter", [(1, 1, 300), (700, 2, 300), (300, 9, 2)])
@pytest.mark.parametrize("bandwidth", [0.5, 2.0, 100.0])
def test_climb_is_the_naive_one(dtype, n, d, max_iter, bandwidth):
    X = make_table(n, d, dtype=dtype)
    seeds = np.concatenate([X[:20], X[:3] + 1000]).astype(dtype)
    means, counts = seeds.copy(), np.empty(len(seeds), np.int64)
    n_iter = np.empty(len(seeds), np.int64)
    kernels.climb(X, bandwidth, max_iter, means, counts, n_iter, 2)
    for i, seed in enumerate(seeds):
        mean, count, moves = climb_naively(X, seed, bandwidth, max_iter)
        np.testing.assert_allclose(
            means[i], mean, rtol=1e-12 if dtype == np.float64 else 1e-6
        )
        assert (counts[i], n_iter[i]) == (count, moves)


def test_points_at_the_bandwidth_are_inside():
    X = np.array([[0.0, 0.0], [3.0, 4.0], [30.0, 40.0]])
    means, counts = X.copy(), np.empty(3, np.int64)
    kernels.climb(X, 5.0, 0, means, counts, np.empty(3, np.int64))
    np.testing.assert_array_equal(counts, [2, 2, 1])
    np.testing.assert_array_equal(means[0], [1.5, 2.0])


@pytest.mark.parametrize("n", [1, 40, 3500])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.97, 1.0])
@pytest.mark.parametrize("with_ties", [False, True])
def test_kth_distances_are_exact(n, share, with_ties):
    X = np.random.RandomState(0).normal(size=(n, 2))
    if with_ties:
        X = np.round(X)
    k = max(1, int(share * n))
    distances = np.empty(n)
    kernels.find_kth_distances(X, k, distances, 2)
    for i in range(0, n, 97):
        squares = (X[:, 0] - X[i, 0]) ** 2 + (X[:, 1] - X[i, 1]) ** 2
        assert distances[i] == np.sqrt(np.partition(squares, k - 1)[k - 1])


def test_apart_is_the_naive_selection():
    X = np.random.RandomState(0).uniform(size=(400, 3))
    is_selected = np.empty(400, np.uint8)
    kernels.select_apart(X, 0.2, is_selected)
    kept = []
    for row in X:
        kept.append(
            all(
                np.sum((row - X[j]) ** 2) > 0.2**2
                for j, is_kept in enumerate(kept)
                if is_kept
            )
        )
    np.testing.assert_array_equal(is_selected, kept)
    assert 33 < sum(kept) < 400


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bandwidth": 2.0},
        {"bandwidth": 2.0, "max_iter": 1},
        {"bandwidth": 1.0, "bin_seeding": True, "cluster_all": False},
        {"bandwidth": 3.0, "bin_seeding": True, "min_bin_freq": 3},
        {"bandwidth": 4.0, "seeds": [[0.0, 1.0, 2.0], [-5.0, -4.0, 0.0]]},
    ],
)
def test_clusters_are_scikit_learns(options, dtype):
    for seed in range(2):
        X = make_table(70, seed=seed, dtype=dtype)
        if "seeds" in options:
            options = {**options, "seeds": X[:5] + 0.5}
        ours, theirs = MeanShift(**options).fit(X), peer.MeanShift(**options).fit(X)
        assert ours.cluster_centers_.dtype == theirs.cluster_centers_.dtype
        rtol = 1e-4 if dtype == np.float32 else 1e-9
        np.testing.assert_allclose(
            ours.cluster_centers_, theirs.cluster_centers_, rtol=rtol
        )
        np.testing.assert_array_equal(ours.labels_, theirs.labels_)
        assert ours.n_iter_ == theirs.n_iter_
        if options.get("cluster_all", True):
            np.testing.assert_array_equal(ours.predict(X), ours.labels_)
        assert isinstance(ours, peer.MeanShift)


def test_function_and_class_agree():
    X = make_table()
    centers, labels = mean_shift(X, bandwidth=2.0, cluster_all=False)
    model = MeanShift(bandwidth=2.0, cluster_all=False).fit(X)
    np.testing.assert_array_equal(centers, model.cluster_centers_)
    np.testing.assert_array_equal(labels, model.labels_)
    assert -1 in labels


@pytest.mark.parametrize("quantile", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("d", [2, 20])
def test_bandwidth_is_scikit_learns(quantile, d):
    X = make_table(620, d)
    for options in ({}, {"n_samples": 100, "random_state": 3}):
        ours = estimate_bandwidth(X, quantile=quantile, **options)
        theirs = peer.estimate_bandwidth(X, quantile=quantile, **options)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_bins_are_scikit_learns(dtype):
    X = make_table(300, 2, dtype=dtype)
    X[:50] *= 0.01  # some on both sides of zero
    for size, least in ((1.0, 1), (2.5, 3), (0.3, 2)):
        ours, theirs = get_bin_seeds(X, size, least), peer.get_bin_seeds(X, size, least)
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    with pytest.warns(UserWarning, match="Binning data failed"):
        assert get_bin_seeds(X, 1e-9) is X
    assert get_bin_seeds(X, 0) is X


def test_bits_do_not_depend_on_threads():
    X = make_table(600, 4)
    results = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads):
            model = MeanShift().fit(X)
        results.append((model.cluster_centers_.tobytes(), model.labels_.tobytes()))
    assert results[0] == results[1] == results[2]


def test_odd_tables():
    assert MeanShift(bandwidth=1).fit([[3.0]]).labels_ == [0]
    constant = MeanShift().fit(np.ones((40, 2)))
    assert constant.n_iter_ == 0 and (constant.labels_ == 0).all()
    far = MeanShift(bandwidth=1.0).fit([[1e300], [-1e300]])
    np.testing.assert_array_equal(far.labels_, [0, 1])
    for options, message in (
        (
            {"bandwidth": 0.1, "seeds": [[9.0, 9.0]]},
            "No point was within bandwidth=0.1",
        ),
        ({"bandwidth": 0.1, "seeds": [[9.0]]}, "seeds has 1 columns, but X has 2"),
        ({"bandwidth": 0.1, "seeds": [[np.nan, 1.0]]}, "seeds contains NaN"),
        (
            {"bandwidth": 1.0, "bin_seeding": True, "min_bin_freq": 99},
            "min_bin_freq=99",
        ),
        ({"bandwidth": 0.0}, "bandwidth"),
    ):
        with pytest.raises(ValueError, match=message):
            MeanShift(**options).fit(np.zeros((5, 2)))
    with pytest.raises(ValueError, match="NaN"):
        MeanShift().fit([[np.nan]])
