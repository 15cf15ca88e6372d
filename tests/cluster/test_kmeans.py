"""KMeans against scikit-learn's, and where scikit-learn's promises nothing."""

import pickle
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearnx.cluster import KMeans, k_means, kmeans_plusplus

AS_ROWS = [np.asarray, sparse.csr_matrix, sparse.csr_array]


def make_data(kind, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "blobs":
        return make_blobs(1500, 6, centers=9, cluster_std=3.0, random_state=seed)[0]
    if kind == "noise":
        return rng.normal(size=(1200, 15)) + 5.0
    if kind == "wide":
        return rng.normal(size=(400, 200))
    X = rng.normal(size=(900, 12))
    return np.where(rng.random(X.shape) < 0.7, 0.0, X)


def assert_same(model, other, rtol=1e-9):
    np.testing.assert_array_equal(model.labels_, other.labels_)
    np.testing.assert_allclose(model.inertia_, other.inertia_, rtol=rtol)
    np.testing.assert_allclose(
        model.cluster_centers_, other.cluster_centers_, rtol=1e3 * rtol, atol=1e-9
    )
    assert model.n_iter_ == other.n_iter_


def assert_same_bits(model, other):
    np.testing.assert_array_equal(model.labels_, other.labels_)
    np.testing.assert_array_equal(model.cluster_centers_, other.cluster_centers_)
    assert model.inertia_ == other.inertia_


@pytest.mark.parametrize("as_rows", AS_ROWS[:2])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("init", ["k-means++", "random", "array", "callable"])
@pytest.mark.parametrize("kind", ["blobs", "noise", "wide", "sparse"])
def test_equals_scikit_learn(kind, init, is_weighted, as_rows):
    X = make_data(kind)
    weights = np.random.default_rng(1).random(len(X)) if is_weighted else None
    if init == "array":
        init = X[:11].copy()
    elif init == "callable":
        # Of what it gets, which is centred if it is dense.
        def init(X, n_clusters, random_state):
            rows = X[random_state.choice(X.shape[0], n_clusters, replace=False)]
            return 1.1 * (rows.toarray() if sparse.issparse(rows) else rows)

    options = {"init": init, "n_init": 1, "random_state": 2}
    expected = SklearnKMeans(11, **options).fit(as_rows(X), sample_weight=weights)
    for algorithm in ("lloyd", "elkan"):
        model = KMeans(11, algorithm=algorithm, **options)
        assert_same(model.fit(as_rows(X), sample_weight=weights), expected)
        np.testing.assert_array_equal(model.predict(X), model.labels_)
        np.testing.assert_array_equal(model.predict(as_rows(X)), model.labels_)


@pytest.mark.parametrize("max_iter", [1, 3])
@pytest.mark.parametrize("tol", [0.0, 1e-2])
def test_stops_where_scikit_learn_stops(max_iter, tol):
    X = make_data("noise")
    options = {"max_iter": max_iter, "tol": tol, "init": X[:7], "n_init": 1}
    model = KMeans(7, **options).fit(X)
    assert_same(model, SklearnKMeans(7, **options).fit(X))
    np.testing.assert_array_equal(model.predict(X), model.labels_)


@pytest.mark.parametrize("kind", ["blobs", "noise"])
def test_float32(kind):
    X = make_data(kind).astype(np.float32)
    model = KMeans(6, init=X[:6], n_init=1).fit(X)
    double = KMeans(6, init=X[:6], n_init=1).fit(X.astype(np.float64))
    assert model.cluster_centers_.dtype == np.float32
    assert model.transform(X).dtype == np.float32
    np.testing.assert_allclose(model.inertia_, double.inertia_, rtol=1e-5)
    assert np.mean(model.labels_ == double.labels_) > 0.99
    # Either dtype can be predicted with either.
    np.testing.assert_array_equal(model.predict(X.astype(np.float64)), model.labels_)
    np.testing.assert_array_equal(
        double.predict(X), double.predict(X.astype(np.float64))
    )


@pytest.mark.parametrize("as_rows", AS_ROWS[:2])
def test_weights_are_repetitions(as_rows):
    X = make_data("blobs")
    counts = np.random.default_rng(0).integers(0, 4, size=len(X))
    options = {"init": X[:5], "n_init": 1, "tol": 0}
    weighted = KMeans(5, **options).fit(as_rows(X), sample_weight=counts)
    repeated = KMeans(5, **options).fit(as_rows(np.repeat(X, counts, axis=0)))
    np.testing.assert_array_equal(np.repeat(weighted.labels_, counts), repeated.labels_)
    np.testing.assert_allclose(weighted.inertia_, repeated.inertia_, rtol=1e-12)
    np.testing.assert_allclose(
        weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-12
    )


@pytest.mark.parametrize("as_rows", AS_ROWS[:2])
def test_rows_of_weight_zero_are_not_there(as_rows):
    X = make_data("blobs")
    X[:30] *= 100.0  # far away, so that empty clusters would be moved to them
    weights = np.ones(len(X))
    weights[:30] = 0.0
    start = np.vstack([X[40:44], np.full((1, X.shape[1]), 1e6)])
    options = {"init": start, "n_init": 1, "tol": 0}
    model = KMeans(5, **options).fit(as_rows(X), sample_weight=weights)
    without = KMeans(5, **options).fit(as_rows(X[30:]))
    np.testing.assert_array_equal(model.labels_[30:], without.labels_)
    np.testing.assert_allclose(
        model.cluster_centers_, without.cluster_centers_, rtol=1e-12
    )


@pytest.mark.parametrize("as_rows", AS_ROWS[:2])
def test_sums_of_means_are_exact(as_rows):
    # 1e16 + 1 - 1e16 is 0 in float64.
    X = np.array([[1e16], [1.0], [-1e16], [1e30], [1e30]])
    model = KMeans(2, init=[[0.0], [1e30]], n_init=1, tol=0).fit(as_rows(X))
    assert model.cluster_centers_[0, 0] == 1 / 3


@pytest.mark.parametrize("as_rows", AS_ROWS[:2])
@pytest.mark.parametrize("n_empty", [1, 3])
def test_relocation_of_empty_clusters(as_rows, n_empty):
    X = make_data("blobs")
    start = np.vstack([X[:6], np.full((n_empty, X.shape[1]), 1e4)])
    weights = np.random.default_rng(0).random(len(X))
    options = {"init": start, "n_init": 1, "max_iter": 20}
    model = KMeans(len(start), **options).fit(as_rows(X), sample_weight=weights)
    expected = SklearnKMeans(len(start), **options)
    expected.fit(as_rows(X), sample_weight=weights)
    assert_same(model, expected)
    assert len(np.unique(model.labels_)) == len(start)


def test_empty_cluster_beside_duplicates():
    X = np.array([[5.0], [5.0], [1.0], [1.0], [1.0]])
    with pytest.warns(ConvergenceWarning, match=r"clusters \(2\).*n_clusters \(4\)"):
        model = KMeans(4, init=[[1.0], [1.0], [5.0], [5.0]], n_init=1).fit(X)
    assert np.isfinite(model.cluster_centers_).all()
    assert model.inertia_ == 0.0
    np.testing.assert_array_equal(model.predict(X), model.labels_)


@pytest.mark.parametrize("as_rows", AS_ROWS[:2])
def test_result_does_not_depend_on_threads(as_rows):
    X = make_blobs(20_000, 4, centers=12, cluster_std=4.0, random_state=0)[0]
    weights = np.random.default_rng(0).random(len(X))
    model = KMeans(12, random_state=0, max_iter=12)
    models = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(limits=n_threads, user_api="openmp"):
            models.append(clone(model).fit(as_rows(X), sample_weight=weights))
    assert_same_bits(models[0], models[1])
    assert_same_bits(models[0], models[2])


def test_result_does_not_depend_on_packing(monkeypatch):
    X = make_data("noise")
    packed = KMeans(9, random_state=0).fit(X)
    monkeypatch.setattr("sklearnx._cluster.rows.MAX_PACKED", 0)
    assert_same_bits(packed, KMeans(9, random_state=0).fit(X))


def test_keeps_the_best_of_several_runs():
    X = make_data("blobs")
    single = []
    state = np.random.RandomState(0)
    for _ in range(6):
        model = KMeans(9, init="random", n_init=1, random_state=state).fit(X)
        single.append(model.inertia_)
    best = KMeans(9, init="random", n_init=6, random_state=0).fit(X)
    assert best.inertia_ == min(single) < max(single)


def test_does_not_touch_its_input():
    X = make_data("blobs")
    start = X[:9].copy()
    copies = X.copy(), start.copy()
    X.flags.writeable = start.flags.writeable = False
    model = KMeans(9, init=start, n_init=1, copy_x=False).fit(X)
    np.testing.assert_array_equal(X, copies[0])
    np.testing.assert_array_equal(start, copies[1])
    assert not np.shares_memory(model.cluster_centers_, start)
    fortran = KMeans(9, init=start, n_init=1).fit(np.asfortranarray(X))
    assert_same_bits(model, fortran)


@pytest.mark.parametrize("as_rows", AS_ROWS)
def test_transform_and_score(as_rows):
    X = make_data("sparse")
    weights = np.random.default_rng(0).random(len(X))
    model = KMeans(5, random_state=0).fit(as_rows(X), sample_weight=weights)
    centers = model.cluster_centers_
    expected = np.linalg.norm(X[:, None] - centers[None], axis=2)
    np.testing.assert_allclose(model.transform(as_rows(X)), expected, rtol=1e-7)
    np.testing.assert_array_equal(
        clone(model).fit_transform(as_rows(X), sample_weight=weights),
        model.transform(as_rows(X)),
    )
    score = model.score(as_rows(X), sample_weight=weights)
    np.testing.assert_allclose(score, -model.inertia_, rtol=1e-9)
    np.testing.assert_allclose(
        model.score(as_rows(X)), -np.square(expected.min(axis=1)).sum(), rtol=1e-9
    )
    zero = model.transform(centers).diagonal()
    np.testing.assert_allclose(zero, 0.0, atol=0.0 if as_rows is np.asarray else 1e-6)


def test_prediction_of_few_rows_is_checked():
    X = make_data("blobs")
    model = KMeans(5, random_state=0).fit(X)
    for n_rows in (1, 2, 7, 8, 9, 100):
        labels = model.predict(X[:n_rows])
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, model.labels_[:n_rows])
    np.testing.assert_array_equal(model.predict(X[:3].tolist()), model.labels_[:3])
    with pytest.raises(ValueError, match="features"):
        model.predict(X[:1, :-1].copy())
    with pytest.raises(ValueError, match="NaN"):
        model.predict(np.full((1, X.shape[1]), np.nan))
    with pytest.raises(ValueError, match="infinity"):
        model.predict(np.full((1, X.shape[1]), np.inf))
    with pytest.raises(ValueError, match="0 sample"):
        model.predict(X[:0])
    with pytest.raises(ValueError, match="2D"):
        model.predict(X[0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("as_rows", AS_ROWS[:2])
@pytest.mark.parametrize(
    "X",
    [
        np.zeros((20, 3)),
        np.ones((1, 1)),
        np.full((9, 2), 1e150),
        np.repeat([[1.0, 2.0], [3.0, 4.0]], 10, axis=0),
        np.full((9, 2), 1e-300),
    ],
    ids=["zeros", "one", "huge", "duplicates", "tiny"],
)
def test_degenerate_rows(X, as_rows):
    for init in ("k-means++", "random"):
        for n_clusters in {1, min(4, len(X)), len(X)}:
            model = KMeans(n_clusters, init=init, n_init=2, random_state=0)
            model.fit(as_rows(X))
            assert np.isfinite(model.cluster_centers_).all()
            if n_clusters >= len(np.unique(X, axis=0)):
                assert 0.0 <= model.inertia_ < 1e-12 * max(1.0, np.square(X).sum())
            np.testing.assert_array_equal(model.predict(as_rows(X)), model.labels_)


def test_as_many_clusters_as_rows():
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = KMeans(40, random_state=0).fit(X)
    assert model.inertia_ == 0.0
    assert sorted(model.labels_) == list(range(40))


def test_one_cluster_is_the_mean():
    X = make_data("noise")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = KMeans(1, random_state=0).fit(X)
    np.testing.assert_allclose(model.cluster_centers_[0], X.mean(axis=0), rtol=1e-12)
    with pytest.warns(RuntimeWarning, match="single"):
        KMeans(1, algorithm="elkan").fit(X)


@pytest.mark.parametrize(
    "X, options, weights, message",
    [
        (np.full((5, 2), np.nan), {}, None, "NaN"),
        (np.full((5, 2), np.inf), {}, None, "infinity"),
        (np.ones((5, 2)), {"n_clusters": 6}, None, "n_samples=5 should be >="),
        (np.ones((5, 2)), {"init": np.ones((3, 2))}, None, "number of clusters 2"),
        (np.ones((5, 2)), {"init": np.ones((2, 3))}, None, "number of features"),
        (np.ones((5, 2)), {"init": np.full((2, 2), np.nan)}, None, "NaN"),
        (np.ones((5, 2)), {}, np.zeros(5), "[Ww]eight"),
        (np.ones((5, 2)), {}, -np.ones(5), "sample_weight"),
        (np.ones((5, 2)), {}, np.ones(4), "sample_weight"),
        (np.outer([1, -1, 2], [1e200]), {}, None, "overflow"),
        (np.ones((5, 2)), {"tol": -1.0}, None, "tol"),
        (np.ones((5, 2)), {"algorithm": "full"}, None, "algorithm"),
    ],
)
def test_bad_input(X, options, weights, message):
    model = KMeans(**{"n_clusters": 2, "n_init": 1, **options})
    with pytest.raises(ValueError, match=message):
        model.fit(X, sample_weight=weights)


def test_warns_of_runs_from_one_array():
    X = make_data("blobs")
    with pytest.warns(RuntimeWarning, match="Explicit initial center position"):
        model = KMeans(3, init=X[:3], n_init=5).fit(X)
    assert_same_bits(model, KMeans(3, init=X[:3]).fit(X))


def test_outlier_beyond_float32():
    X = make_data("blobs")
    X[3] = 1e25
    model = KMeans(4, random_state=0).fit(X)
    assert np.sum(model.labels_ == model.labels_[3]) == 1
    # All the others as without it, from the same start.
    others = np.delete(np.arange(len(X)), 3)
    start = np.delete(model.cluster_centers_, model.labels_[3], axis=0)
    without = KMeans(3, init=start, n_init=1, tol=0).fit(X[others])
    np.testing.assert_allclose(model.inertia_, without.inertia_, rtol=0.5)
    distances = np.linalg.norm(X[:, None] - model.cluster_centers_[None], axis=2)
    np.testing.assert_array_equal(model.labels_, distances.argmin(axis=1))


def test_pipeline_output_and_names():
    frame, _ = load_iris(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), KMeans(3, random_state=0))
    out = model.set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns) == ["kmeans0", "kmeans1", "kmeans2"]
    np.testing.assert_array_equal(out.to_numpy().argmin(axis=1), model.predict(frame))
    model = KMeans(3, random_state=0).fit(frame)
    assert list(model.feature_names_in_) == list(frame.columns)
    with pytest.warns(UserWarning, match="feature names"):
        model.predict(frame.to_numpy())
    assert isinstance(model, SklearnKMeans)


def test_pickle_and_clone():
    X = make_data("blobs")
    model = KMeans(3, random_state=0).fit(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.labels_)
    assert_same_bits(clone(model).fit(X), model)


def test_verbose(capsys):
    X = make_data("noise")
    KMeans(3, random_state=0, verbose=1, tol=0).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Initialization complete"
    inertias = [float(line.split("inertia ")[1][:-1]) for line in lines[1:-1]]
    assert len(inertias) > 2 and inertias == sorted(inertias, reverse=True)
    assert lines[-1].endswith("strict convergence.")
    KMeans(3, random_state=0, verbose=1, tol=0.1).fit(X)
    assert "within tolerance" in capsys.readouterr().out


def test_functions():
    X = make_data("blobs")
    model = KMeans(4, random_state=0).fit(X)
    centers, labels, inertia, n_iter = k_means(X, 4, random_state=0, return_n_iter=True)
    np.testing.assert_array_equal(centers, model.cluster_centers_)
    np.testing.assert_array_equal(labels, model.labels_)
    assert (inertia, n_iter) == (model.inertia_, model.n_iter_)
    centers, indices = kmeans_plusplus(X, 4, random_state=0)
    np.testing.assert_array_equal(centers, X[indices])
    with pytest.raises(ValueError, match="n_samples=2 should be >= n_clusters=4"):
        kmeans_plusplus(X[:2], 4)
    with pytest.raises(ValueError, match="x_squared_norms"):
        kmeans_plusplus(X, 4, x_squared_norms=np.ones(3))


def test_fits_at_once_in_many_threads():
    X = make_blobs(6000, 8, centers=6, random_state=0)[0]
    expected = KMeans(6, random_state=0).fit(X)
    models = [KMeans(6, random_state=0) for _ in range(4)]
    threads = [threading.Thread(target=model.fit, args=(X,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for model in models:
        assert_same_bits(model, expected)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers of signals")
def test_interrupt():
    X = np.random.default_rng(0).normal(size=(60_000, 16))

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        start = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            KMeans(1000, init=X[:1000], n_init=1, tol=0, max_iter=10**6).fit(X)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.perf_counter() - start < 5
