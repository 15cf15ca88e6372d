"""Our clusterers beside those that we leave to scikit-learn, and in its tools."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import (
    AffinityPropagation,
    Birch,
    SpectralClustering,
    SpectralCoclustering,
)
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import grid_to_graph
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import BayesianGaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsTransformer, kneighbors_graph
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearnx.cluster import (
    DBSCAN,
    OPTICS,
    AgglomerativeClustering,
    BisectingKMeans,
    FeatureAgglomeration,
    KMeans,
    MiniBatchKMeans,
    kmeans_plusplus,
)
from sklearnx.mixture import GaussianMixture
from tests._versions import needs_sklearn_1_9

CENTERS = np.array([[0, 0, 0, 0], [6, 0, 3, 0], [0, 6, -3, 0], [6, 6, 0, 0]])
K_MEANS = [
    KMeans(4, random_state=0, n_init=3),
    MiniBatchKMeans(4, random_state=0, n_init=3),
    BisectingKMeans(4, random_state=0, n_init=3),
]
THEIRS = [
    AffinityPropagation(random_state=0, preference=-200),
    Birch(n_clusters=4),
    SpectralClustering(4, random_state=0, affinity="nearest_neighbors"),
]


def name_of(value):
    return type(value).__name__


over_k_means = pytest.mark.parametrize("estimator", K_MEANS, ids=name_of)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 240)
    return CENTERS[y] + 0.5 * rng.normal(size=(240, 4)), y


@pytest.fixture(scope="module")
def frame(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    frame = pandas.DataFrame(X, columns=["east", "north", "height", "noise"])
    return frame.assign(kind=np.array(["a", "b"])[y % 2])


# ---- transformers --------------------------------------------------------------------


@pytest.mark.parametrize("library", ["pandas", "polars"])
@over_k_means
def test_distances_in_a_frame(estimator, library, data):
    pytest.importorskip(library)
    X, y = data
    estimator = clone(estimator).set_output(transform=library).fit(X)
    table = estimator.transform(X)
    assert type(table).__module__.partition(".")[0] == library
    prefix = name_of(estimator).lower()
    assert list(table.columns) == [f"{prefix}{i}" for i in range(4)]
    distances = np.asarray(table)
    assert_array_equal(distances.argmin(axis=1), estimator.labels_)
    own = estimator.cluster_centers_[estimator.labels_]
    assert_allclose(distances.min(axis=1), np.linalg.norm(X - own, axis=1))
    assert adjusted_rand_score(y, estimator.labels_) == 1


def test_pooled_columns_in_a_frame(frame):
    numbers = frame.drop(columns="kind")
    pooled = FeatureAgglomeration(3).set_output(transform="pandas")
    table = pooled.fit_transform(numbers)
    assert list(table.columns) == [f"featureagglomeration{i}" for i in range(3)]
    for label in range(3):
        columns = numbers.loc[:, pooled.labels_ == label]
        assert_allclose(table.iloc[:, label], columns.mean(axis=1))
    assert list(table.index) == list(numbers.index)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@over_k_means
def test_column_transformer(estimator, library, frame):
    module = pytest.importorskip(library)
    if library == "polars":
        frame = module.DataFrame({name: frame[name].tolist() for name in frame})
    position = ["east", "north"]
    features = ColumnTransformer(
        [
            ("place", make_pipeline(StandardScaler(), clone(estimator)), position),
            ("kind", OneHotEncoder(sparse_output=False), ["kind"]),
        ],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform=library)
    table = features.fit_transform(frame)
    prefix = name_of(estimator).lower()
    names = [f"{prefix}{i}" for i in range(4)]
    assert list(table.columns) == [*names, "kind_a", "kind_b", "height", "noise"]
    again = features.transform(frame)
    assert_allclose(np.asarray(again, float), np.asarray(table, float))


def test_selected_columns(frame):
    selector = make_column_selector(dtype_include=np.number)
    chain = make_pipeline(
        ColumnTransformer([("numbers", StandardScaler(), selector)]),
        GaussianMixture(4, random_state=0, n_init=3),
    )
    labels = chain.fit_predict(frame)
    assert adjusted_rand_score(labels, chain.predict(frame)) == 1
    assert_allclose(chain.predict_proba(frame).sum(axis=1), 1)


def test_union_with_components(data):
    X, y = data
    union = FeatureUnion(
        [("distances", KMeans(4, random_state=0)), ("components", PCA(2))]
    )
    classifier = make_pipeline(union, LogisticRegression()).fit(X, y)
    assert classifier.score(X, y) > 0.99


def test_text():
    texts = ["red apple pie", "green apple pie", "old fast car", "new fast car"] * 4
    chain = make_pipeline(TfidfVectorizer(), KMeans(2, random_state=0, n_init=5))
    labels = chain.fit_predict(texts)
    assert_array_equal(labels == labels[0], [True, True, False, False] * 4)
    assert_array_equal(chain.predict(texts), labels)


# ---- pipelines -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        *K_MEANS,
        AgglomerativeClustering(4),
        DBSCAN(eps=0.5),
        GaussianMixture(4, random_state=0, n_init=3),
        OPTICS(min_samples=20, xi=0.1),
    ],
    ids=name_of,
)
def test_behind_a_scaler(estimator, data):
    X, y = data
    chain = make_pipeline(StandardScaler(), PCA(3), clone(estimator))
    labels = chain.fit_predict(X)
    assert adjusted_rand_score(y[labels >= 0], labels[labels >= 0]) > 0.95
    assert silhouette_score(X, labels) > 0.4
    copied = pickle.loads(pickle.dumps(chain))
    fitted = copied[-1]
    if hasattr(fitted, "labels_"):
        assert_array_equal(fitted.labels_, labels)
    if hasattr(chain, "predict"):
        assert_array_equal(copied.predict(X), chain.predict(X))


@pytest.mark.parametrize("theirs", THEIRS, ids=name_of)
@needs_sklearn_1_9
def test_theirs_behind_ours(theirs, data):
    X, y = data
    chain = make_pipeline(KMeans(6, random_state=0, n_init=3), clone(theirs))
    assert adjusted_rand_score(y, chain.fit_predict(X)) > 0.95


def test_ours_at_the_end_of_birch(data):
    X, y = data
    birch = Birch(threshold=0.5, n_clusters=AgglomerativeClustering(4)).fit(X)
    assert isinstance(birch.n_clusters, AgglomerativeClustering)
    assert adjusted_rand_score(y, birch.labels_) > 0.95
    birch = Birch(threshold=0.5, n_clusters=KMeans(4, random_state=0, n_init=5)).fit(X)
    assert adjusted_rand_score(y, birch.predict(X)) > 0.95


def test_biclusters_of_distances(data):
    X, y = data
    table = np.exp(-KMeans(4, random_state=0, n_init=3).fit_transform(X))
    model = SpectralCoclustering(4, random_state=0).fit(table)
    assert adjusted_rand_score(y, model.row_labels_) > 0.95


def test_means_start_their_mixture(data):
    X, _ = data
    centers, _ = kmeans_plusplus(X, 4, random_state=0)
    centers = KMeans(4, init=centers).fit(X).cluster_centers_
    mixture = GaussianMixture(4, means_init=centers, random_state=0).fit(X)
    assert_allclose(mixture.means_, centers, atol=0.2)
    theirs = BayesianGaussianMixture(n_components=4, random_state=0, n_init=2).fit(X)
    assert adjusted_rand_score(theirs.predict(X), mixture.predict(X)) > 0.95


@pytest.mark.parametrize("estimator", [DBSCAN(eps=0.9), OPTICS(min_samples=5)])
def test_graph_of_neighbours(estimator, data):
    X, _ = data
    graph = KNeighborsTransformer(n_neighbors=len(X) - 1, mode="distance")
    chain = make_pipeline(graph, clone(estimator).set_params(metric="precomputed"))
    assert_array_equal(chain.fit_predict(X), clone(estimator).fit_predict(X))


def test_connectivity_of_an_image():
    image = np.zeros((8, 8))
    image[:3, :3], image[5:, 5:] = 1.0, 2.0
    X = image.reshape(-1, 1)
    connectivity = grid_to_graph(8, 8)
    model = AgglomerativeClustering(3, connectivity=connectivity).fit(X)
    assert adjusted_rand_score(image.ravel().astype(int), model.labels_) == 1
    columns = FeatureAgglomeration(3, connectivity=connectivity).fit(X.T)
    assert_array_equal(columns.labels_, model.labels_)
    assert_allclose(columns.inverse_transform(columns.transform(X.T)), X.T)


def test_connectivity_of_neighbours(data):
    X, y = data
    graph = kneighbors_graph(X, 10, include_self=False)
    model = AgglomerativeClustering(4, connectivity=graph, linkage="average")
    with pytest.warns(UserWarning, match="connected components"):
        labels = model.fit_predict(X)
    assert adjusted_rand_score(y, labels) == 1


# ---- searches ------------------------------------------------------------------------


def compute_negative_bic(mixture, X, y=None):
    return -mixture.bic(X)


def test_search_by_bic(data):
    X, _ = data
    search = GridSearchCV(
        GaussianMixture(random_state=0, n_init=2),
        {"n_components": [1, 2, 4, 6], "covariance_type": ["full", "spherical"]},
        scoring=compute_negative_bic,
        cv=2,
    ).fit(X)
    assert search.best_params_ == {"n_components": 4, "covariance_type": "spherical"}
    assert len(search.predict(X)) == len(X)


def test_search_of_features(data):
    X, y = data
    chain = make_pipeline(KMeans(random_state=0, n_init=3), LogisticRegression())
    grid = {"kmeans__n_clusters": [1, 4]}
    search = GridSearchCV(chain, grid, cv=3).fit(X[:, :2], y)
    assert search.best_params_ == {"kmeans__n_clusters": 4}


# ---- tables --------------------------------------------------------------------------


@over_k_means
def test_sparse_tables(estimator, data):
    X, _ = data
    X = np.where(np.abs(X) < 1.5, 0.0, X)
    dense = clone(estimator).fit(X)
    for container in (sparse.csr_array, sparse.csr_matrix):
        model = clone(estimator).fit(container(X))
        assert_array_equal(model.labels_, dense.labels_)
        assert_allclose(model.transform(container(X)), dense.transform(X), atol=1e-8)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_names_of_columns(library, data):
    module = pytest.importorskip(library)
    X, _ = data
    columns = {name: X[:, j].copy() for j, name in enumerate("abcd")}
    make = module.table if library == "pyarrow" else module.DataFrame
    model = GaussianMixture(2, random_state=0).fit(make(columns))
    assert model.feature_names_in_.tolist() == list("abcd")
    expected = GaussianMixture(2, random_state=0).fit(X)
    assert_allclose(model.means_, expected.means_)
