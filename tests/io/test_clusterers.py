"""Clusterers as files: what hangs on their arrays is built anew, or refused."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.metrics import pairwise_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearnx._cluster.bisection import BisectingTree
from sklearnx._cluster.hdbscan_state import pack_hierarchy, unpack_hierarchy
from sklearnx.cluster import HDBSCAN, FeatureAgglomeration, KMeans
from sklearnx.io import load, save
from sklearnx.mixture import GaussianMixture

TABLES = (
    "core_distances_",
    "labels_",
    "probabilities_",
    "outlier_scores_",
    "minimum_spanning_tree_",
    "single_linkage_tree_",
    "condensed_tree_",
)


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return np.vstack([rng.normal(center, 0.4, (60, 3)) for center in (0, 3, 7)])


def assert_same_hierarchy(received, model):
    for name in TABLES:
        assert getattr(received, name).tobytes() == getattr(model, name).tobytes(), name


@pytest.mark.parametrize(
    "estimator",
    [KMeans(3, random_state=0), GaussianMixture(3, random_state=0), HDBSCAN(copy=True)],
    ids=lambda estimator: type(estimator).__name__,
)
def test_pipeline_in_a_file(estimator, X, tmp_path):
    chain = make_pipeline(StandardScaler(), estimator).fit(X)
    save(chain, tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert type(loaded[-1]) is type(estimator)
    assert_array_equal(loaded.predict(X), chain.predict(X))


def test_pooling_in_a_file(X, tmp_path):
    model = FeatureAgglomeration(2, pooling_func=np.median).fit(X)
    save(model, tmp_path / "model")
    assert_array_equal(load(tmp_path / "model").transform(X), model.transform(X))


@pytest.mark.parametrize(
    "settings, change",
    [
        ({}, lambda X: X),
        ({}, lambda X: X.astype(np.float32)),
        ({"alpha": 1.3, "algorithm": "brute"}, lambda X: X),
        ({"metric": "cosine"}, lambda X: X),
        ({"store_centers": "both"}, lambda X: X),
        ({}, lambda X: np.hstack([X] * 6)),
        ({}, lambda X: sparse.csr_array(X)),
        ({"metric": "precomputed"}, pairwise_distances),
    ],
    ids=["", "float32", "brute", "cosine", "centres", "wide", "sparse", "distances"],
)
def test_hierarchies_in_a_file(settings, change, X, tmp_path):
    X = change(X)
    model = HDBSCAN(min_cluster_size=10, copy=True, **settings).fit(X)
    save(model, tmp_path / "model")
    for received in (load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert_same_hierarchy(received, model)
        assert_array_equal(received.predict(X[:9]), model.predict(X[:9]))
        other = received.recluster(min_cluster_size=30)
        assert_array_equal(other.labels_, model.recluster(min_cluster_size=30).labels_)


def test_hierarchy_of_some_rows_in_a_file(X, tmp_path):
    X = X.copy()
    X[3, 1], X[90, 0] = np.nan, np.inf
    model = HDBSCAN(min_cluster_size=10, copy=True).fit(X)
    save(model, tmp_path / "model")
    assert_same_hierarchy(load(tmp_path / "model"), model)
    state = model.__getstate__()
    state["_kinds"] = np.zeros(len(X), dtype=np.int32)
    with pytest.raises(ValueError, match="finite rows"):
        HDBSCAN().__setstate__(state)


def test_not_fitted(tmp_path):
    save(HDBSCAN(min_cluster_size=7), tmp_path / "model")
    assert load(tmp_path / "model").min_cluster_size == 7


@pytest.mark.parametrize(
    "name, change",
    [
        ("start", lambda values: values + 1000),
        ("start", lambda values: values - 1),
        ("stop", lambda values: values[:-1]),
        ("stop", lambda values: values.astype(float)),
        # Two edges that are one leave a row out.
        ("both", lambda values: np.concatenate([values[:1], values[:-1]])),
        ("weights", lambda values: values[1:]),
        ("weights", lambda values: np.full_like(values, np.nan)),
        ("core", lambda values: values[:-1]),
        ("core", lambda values: values[:, None]),
        ("rows", lambda values: values[:-1]),
        ("rows", lambda values: np.full_like(values, np.inf)),
        ("rows", lambda values: values[:, 0]),
    ],
)
def test_hierarchies_that_are_none(name, change, X):
    model = HDBSCAN(copy=True).fit(X)
    packed = pack_hierarchy(model._reachability, model._distances, model._rows)
    assert unpack_hierarchy(packed)[0].kd_tree is not None
    for key in ("start", "stop") if name == "both" else (name,):
        packed[key] = change(packed[key])
    with pytest.raises(ValueError):
        unpack_hierarchy(packed)


@pytest.mark.parametrize(
    "left, is_tree",
    [
        ([-1], True),
        ([1, 3, -1, -1, -1], True),
        ([1, -1, 3, -1, -1], True),
        ([0, -1, -1], False),
        ([1, -1], False),
        ([1, 1, -1], False),
        ([1, 3, 3, -1, -1], False),
        ([3, -1, -1, 1, -1], False),
        ([1, -2, -1], False),
        ([], False),
    ],
)
def test_trees_of_bisection(left, is_tree):
    arrays = {"centers": np.zeros((len(left), 2)), "left": np.array(left, dtype=int)}
    if is_tree:
        leaves = BisectingTree.from_arrays(arrays).find_leaves()
        assert len(leaves) == (len(left) + 1) // 2
        return
    with pytest.raises(ValueError):
        BisectingTree.from_arrays(arrays)
