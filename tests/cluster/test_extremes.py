"""Hard edges of every clusterer: a result without NaN, or an error that says why."""

import signal
import time
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score

from sklearnx import cluster, mixture

CLUSTERERS = {
    "KMeans": {"n_clusters": 3, "random_state": 0},
    "KMeans-elkan": {"n_clusters": 3, "random_state": 0, "algorithm": "elkan"},
    "KMeans-random": {"n_clusters": 3, "random_state": 0, "init": "random"},
    "MiniBatchKMeans": {"n_clusters": 3, "random_state": 0},
    "BisectingKMeans": {"n_clusters": 3, "random_state": 0},
    "DBSCAN": {},
    "DBSCAN-brute": {"algorithm": "brute"},
    "HDBSCAN": {"min_cluster_size": 5, "copy": True},
    "HDBSCAN-leaf": {
        "min_cluster_size": 5,
        "cluster_selection_method": "leaf",
        "copy": True,
    },
    "OPTICS": {"min_samples": 5},
    **{
        f"AgglomerativeClustering-{linkage}": {"n_clusters": 3, "linkage": linkage}
        for linkage in ("ward", "single", "complete", "average")
    },
    "MeanShift": {},
    "MeanShift-binned": {"bandwidth": 1.0, "bin_seeding": True},
    **{
        f"GaussianMixture-{shape}": {
            "n_components": 3,
            "covariance_type": shape,
            "random_state": 0,
        }
        for shape in ("full", "tied", "diag", "spherical")
    },
}
# Those that cannot do with fewer rows than groups.
COUNTED = ("KMeans", "MiniBatch", "Bisecting", "Agglomerative", "Gaussian")
# Squares of distances between such numbers are no longer numbers, or zero.
HUGE, TINY = 1e300, 1e-300


def make_estimator(name):
    cls = name.partition("-")[0]
    module = cluster if hasattr(cluster, cls) else mixture
    return getattr(module, cls)(**CLUSTERERS[name])


over_clusterers = pytest.mark.parametrize("name", CLUSTERERS)


def over(*beginnings):
    names = [name for name in CLUSTERERS if name.startswith(beginnings)]
    return pytest.mark.parametrize("name", names)


def make_groups(n_rows=60, n_columns=2, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n_rows)
    return 10.0 * y[:, None] + 0.5 * rng.normal(size=(n_rows, n_columns)), y


def fit(name, X, **options):
    """A fitted estimator and its labels; what else it knows is finite."""
    estimator = make_estimator(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = estimator.fit(X, **options).predict(X) if is_mixture(name) else None
        labels = estimator.fit(X, **options).labels_ if labels is None else labels
    assert labels.dtype.kind == "i"
    assert labels.shape == (len(X),)
    assert labels.min() >= -3
    assert_finite(estimator)
    return estimator, labels


def is_mixture(name):
    return name.startswith("Gaussian")


def assert_finite(estimator):
    for key, value in vars(estimator).items():
        if not key.endswith("_") or key.startswith("_"):
            continue
        values = np.asarray(value)
        if values.dtype.kind != "f":
            continue
        if key == "probabilities_":
            # Of a row with a missing value.
            values = values[estimator.labels_ != -3]
        assert not np.isnan(values).any(), key
        # Of no neighbour within reach.
        if key not in ("reachability_", "core_distances_"):
            assert np.isfinite(values).all(), key


def fit_or_refuse(name, X, **options):
    """The labels, or None after an error that is worth reading."""
    try:
        return fit(name, X, **options)[1]
    except ValueError as error:
        assert len(str(error)) > 20, error
        return None


# ---- few and equal rows --------------------------------------------------------------


@over_clusterers
@pytest.mark.parametrize("value", [0.0, 0.1, -7e5])
def test_equal_rows(name, value):
    labels = fit_or_refuse(name, np.full((40, 3), value))
    if name.startswith(("KMeans", "MiniBatch", "Bisecting", "DBSCAN")):
        assert labels is not None
        assert len(set(labels)) == 1 or name.startswith("Bisecting")


@over_clusterers
def test_rows_that_are_few_points(name):
    X = np.repeat([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]], 20, axis=0)
    labels = fit_or_refuse(name, X)
    if labels is not None and labels.max() > 0:
        assert adjusted_rand_score(np.repeat([0, 1, 2], 20), labels) == 1


@over_clusterers
@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_few_rows(name, n_rows):
    labels = fit_or_refuse(name, make_groups(n_rows)[0])
    if name.startswith(COUNTED) and n_rows < 3:
        assert labels is None


@over(*COUNTED)
def test_fewer_rows_than_groups_is_said(name):
    word = (
        "n_components"
        if is_mixture(name)
        else "n_clusters|n_samples|clusters than samples"
    )
    with pytest.raises(ValueError, match=word):
        make_estimator(name).fit(make_groups(2)[0])


@over_clusterers
def test_as_many_rows_as_groups(name):
    X = np.array([[0.0, 0.0], [5.0, 1.0], [1.0, 9.0]])
    labels = fit_or_refuse(name, X)
    if name.startswith(COUNTED) and labels is not None:
        assert len(set(labels)) == 3


@over_clusterers
def test_constant_column(name):
    X, y = make_groups()
    X = np.column_stack([X, np.full(len(X), 3.0)])
    _, labels = fit(name, X)
    assert adjusted_rand_score(y[labels >= 0], labels[labels >= 0]) > 0.5


@over_clusterers
def test_one_column(name):
    X, y = make_groups(n_columns=1)
    _, labels = fit(name, X)
    assert adjusted_rand_score(y[labels >= 0], labels[labels >= 0]) > 0.5


# ---- values --------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@over_clusterers
def test_missing_and_infinite_values(name, value):
    X, _ = make_groups()
    X[7, 1] = value
    if name.startswith("HDBSCAN"):
        labels = fit(name, X)[1]
        assert labels[7] == (-3 if np.isnan(value) else -2)
        rest = fit(name, np.delete(X, 7, axis=0))[1]
        assert_array_equal(np.delete(labels, 7), rest)
        return
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        make_estimator(name).fit(X)


@over_clusterers
@pytest.mark.parametrize("scale", [HUGE, TINY, 1e-160, 1e150])
def test_ends_of_the_range(name, scale):
    X, y = make_groups()
    labels = fit_or_refuse(name, scale * X)
    exact = ("AgglomerativeClustering-single", "AgglomerativeClustering-complete")
    if name in exact and labels is not None and 1e-200 < scale < 1e200:
        assert adjusted_rand_score(y, labels) == 1


@over("KMeans", "MiniBatch", "Bisecting", "HDBSCAN", "OPTICS", "Agglomerative")
def test_overflow_is_refused(name):
    X, _ = make_groups()
    with pytest.raises(ValueError, match="overflow"):
        make_estimator(name).fit(HUGE * X)


def test_random_starts_need_rows_with_weights():
    X, _ = make_groups()
    weights = np.zeros(len(X))
    weights[:2] = 1.0
    model = cluster.KMeans(3, init="random", random_state=0)
    with pytest.raises(ValueError, match=r"n_clusters=3 .* 2, the number of rows"):
        model.fit(X, sample_weight=weights)


@over_clusterers
def test_far_from_zero(name):
    X, y = make_groups()
    _, labels = fit(name, X + 1e7)
    assert adjusted_rand_score(y[labels >= 0], labels[labels >= 0]) > 0.5


@over_clusterers
def test_one_row_far_away(name):
    X, _ = make_groups()
    X[5] = 1e8
    labels = fit_or_refuse(name, X)
    if labels is not None:
        assert len(labels) == len(X)


# ---- storage -------------------------------------------------------------------------


@over_clusterers
@pytest.mark.parametrize("dtype", [np.float32, np.float16, int, np.int8, bool, object])
def test_types(name, dtype):
    X = np.round(make_groups()[0])
    if dtype is bool:
        X = X > 12
    labels = fit_or_refuse(name, X.astype(dtype))
    expected = fit_or_refuse(name, X.astype(float))
    assert (labels is None) == (expected is None)
    if labels is not None:
        assert adjusted_rand_score(labels, expected) > 0.999


@over_clusterers
@pytest.mark.parametrize(
    "convert",
    [np.asfortranarray, lambda X: X.repeat(2, axis=1)[:, ::2]],
    ids=["Fortran", "strided"],
)
def test_storage(name, convert):
    X, _ = make_groups(n_columns=4)
    stored = convert(X)
    stored.flags.writeable = False
    assert_array_equal(fit(name, stored)[1], fit(name, X)[1])


# ---- weights -------------------------------------------------------------------------


@over("KMeans", "MiniBatch", "Bisecting", "DBSCAN")
def test_rows_without_weight(name):
    X, y = make_groups()
    weight = np.ones(len(X))
    weight[::4] = 0
    _, labels = fit(name, X, sample_weight=weight)
    has_weight = (weight > 0) & (labels >= 0)
    assert adjusted_rand_score(y[has_weight], labels[has_weight]) > 0.5


@over("KMeans", "MiniBatch", "Bisecting", "DBSCAN")
def test_fewer_rows_with_weight_than_groups(name):
    X, _ = make_groups()
    weight = np.zeros(len(X))
    weight[:2] = 1
    fit_or_refuse(name, X, sample_weight=weight)


@over("KMeans", "MiniBatch", "Bisecting", "DBSCAN")
@pytest.mark.parametrize("value", [0.0, TINY, HUGE])
def test_equal_weights_at_the_ends(name, value):
    X, _ = make_groups()
    fit_or_refuse(name, X, sample_weight=np.full(len(X), value))


# ---- patience ------------------------------------------------------------------------


LONG = {
    "KMeans": {"n_clusters": 400, "n_init": 1, "max_iter": 10**6, "tol": 0.0},
    "DBSCAN": {"eps": 3.0},
    "HDBSCAN": {},
    "AgglomerativeClustering": {},
    "GaussianMixture": {"n_components": 30, "tol": 0.0, "max_iter": 10**6},
}


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no such timer")
@pytest.mark.parametrize("name", LONG)
def test_interrupts_are_heard(name):
    module = cluster if hasattr(cluster, name) else mixture
    estimator = getattr(module, name)(**LONG[name])
    X = np.random.default_rng(0).normal(size=(60_000, 6))

    def interrupt(*_):
        times.append(time.process_time())
        raise KeyboardInterrupt

    # In time of the processor, of which a busy machine takes nothing away.
    times = []
    previous = signal.signal(signal.SIGPROF, interrupt)
    start = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, 0.4)
    try:
        with warnings.catch_warnings(), pytest.raises(KeyboardInterrupt):
            warnings.simplefilter("ignore")
            for _ in range(1000):
                clone(estimator).fit(X)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, previous)
    # Python hears of the signal when the kernel returns: half a second of all threads.
    assert times[0] - start < 0.4 + 2.0


def test_inertia_of_weights_in_proportion():
    X, _ = make_groups()
    plain = fit("KMeans", X)[0]
    heavy = fit("KMeans", X, sample_weight=np.full(len(X), 1e6))[0]
    assert_allclose(heavy.inertia_, 1e6 * plain.inertia_)
    assert_array_equal(heavy.labels_, plain.labels_)
