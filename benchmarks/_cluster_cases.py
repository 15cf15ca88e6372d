"""What clusterers are measured on: a case for each bar, and some without.

A case is an entry of `CASES`: its table, who is fitted to it with which bar, and what
tells that both have found the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sklearn.datasets import load_iris

from benchmarks import _cluster_agreement as agreement
from benchmarks import _cluster_data as cluster_data
from benchmarks._cluster_libraries import OURS, SKLEARN, Entry

N_QUICK_ROWS = cluster_data.N_QUICK_ROWS
# Turns for each of other cases, where a fit takes milliseconds.
N_TURNS_OF_SMALL = 20


@dataclass(frozen=True)
class Case:
    """One work.

    Attributes
    ----------
    name, title : str
    make_data : callable
        ``make_data(is_quick)``, a `Data`.
    entries : list of Entry
        Ours first.
    compare : callable
        ``compare(data, own, peer)``, of `_cluster_agreement`.
    compare_others : callable or None
        The same for peers other than scikit-learn, where it is not to be the same.
    table : str or None
        The table of real data that has to be there.
    n_turns : int
        Turns for each that other cases have.
    """

    name: str
    title: str
    make_data: Callable
    entries: list
    compare: Callable
    compare_others: Callable | None = None
    table: str | None = None
    n_turns: int = 1

    def compare_with(self, entry):
        is_other = entry.library != SKLEARN and self.compare_others is not None
        return self.compare_others if is_other else self.compare


def make_case(name, title, make_data, estimator, parameters, compare, **options):
    """Ours beside scikit-learn, and other peers.

    bar, max_repeats : of scikit-learn
    others : dict
        Library -> bar.
    of_others : dict
        Library -> parameters that it has instead.
    variants : dict
        Name -> parameters that scikit-learn has instead in another entry, same bar.
    """
    bar, max_repeats = options.pop("bar", None), options.pop("max_repeats", None)
    entries = [
        Entry(OURS, estimator, parameters),
        Entry(SKLEARN, estimator, parameters, bar, max_repeats),
    ]
    for variant, changed in options.pop("variants", {}).items():
        own = {**parameters, **changed}
        entries.append(Entry(SKLEARN, estimator, own, bar, max_repeats, variant))
    of_others = options.pop("of_others", {})
    for library, other_bar in options.pop("others", {}).items():
        own = {**parameters, **of_others.get(library, {})}
        entries.append(Entry(library, estimator, own, other_bar))
    return Case(name, title, make_data, entries, compare, **options)


def _take_centers(data):
    return data.centers


def _make_blobs(n_rows, n_columns, n_blobs, spread, is_quick, n_clusters=None):
    n_rows = N_QUICK_ROWS if is_quick else n_rows
    return cluster_data.make_blobs(n_rows, n_columns, n_blobs, spread, n_clusters)


def _make_kmeans_blobs(is_quick):
    return _make_blobs(200_000, 20, 50, 0.2, is_quick, n_clusters=50)


def _make_kmeans_noise(is_quick):
    n_rows = N_QUICK_ROWS if is_quick else 200_000
    return cluster_data.make_noise(n_rows, 20, 50)


def _make_noisy(n_rows, n_columns, is_quick):
    n_rows = N_QUICK_ROWS if is_quick else n_rows
    return cluster_data.make_blobs_in_noise(n_rows, n_columns)


def _read_iris(is_quick):
    X = load_iris().data
    return cluster_data.Data(X, X[[0, 50, 100]])


FROM_CENTERS = {"init": _take_centers, "n_init": 1}
ELKAN = {"elkan": {"algorithm": "elkan"}}
_not_above = partial(agreement.compare_inertia, is_same=False)
_near = partial(agreement.compare_inertia, tolerance=0.01, is_same=False)


def _make_digits(n_clusters):
    return make_case(
        f"mnist_{n_clusters}",
        f"KMeans, mnist 10,000 x 784, k={n_clusters}",
        partial(cluster_data.read_digits, n_clusters),
        "KMeans",
        {"n_clusters": n_clusters, **FROM_CENTERS},
        agreement.compare_inertia,
        bar=0.6,
        variants=ELKAN,
        others={"intelex": None},
        compare_others=_not_above,
        table="mnist_10k",
    )


def _make_text(n_clusters):
    return make_case(
        f"text_{n_clusters}",
        f"KMeans, newsgroups20 TF-IDF, k={n_clusters}, 30 iterations",
        partial(cluster_data.read_newsgroups, n_clusters),
        "KMeans",
        {"n_clusters": n_clusters, "max_iter": 30, "tol": 0.0, **FROM_CENTERS},
        agreement.compare_inertia,
        variants=ELKAN,
        max_repeats=2,
        table="newsgroups20",
    )


def _make_agglomerative(linkage, bar):
    return make_case(
        linkage,
        f"AgglomerativeClustering {linkage}, 20,000 x 10",
        partial(_make_blobs, 20_000, 10, 20, 0.1),
        "AgglomerativeClustering",
        {"linkage": linkage, "n_clusters": 20},
        agreement.compare_labels,
        bar=bar,
        max_repeats=2,
    )


def _make_small(name, estimator, parameters, compare, **options):
    return make_case(
        f"small_{name}",
        f"{estimator}, iris",
        _read_iris,
        estimator,
        parameters,
        compare,
        n_turns=N_TURNS_OF_SMALL,
        **options,
    )


CASES = [
    make_case(
        "kmeans",
        "KMeans, 200,000 x 20, k=50, blobs",
        _make_kmeans_blobs,
        "KMeans",
        {"n_clusters": 50, **FROM_CENTERS},
        agreement.compare_inertia,
        bar=0.4,
        others={"intelex": 0.9},
        compare_others=_not_above,
    ),
    make_case(
        "kmeans_noise",
        "KMeans, 200,000 x 20, k=50, noise, 50 iterations",
        _make_kmeans_noise,
        "KMeans",
        {"n_clusters": 50, "max_iter": 50, "tol": 0.0, **FROM_CENTERS},
        agreement.compare_inertia,
        bar=0.4,
        others={"intelex": 0.9},
        compare_others=_not_above,
    ),
    make_case(
        "kmeans_plusplus",
        "KMeans, 200,000 x 20, k=50, blobs, k-means++",
        _make_kmeans_blobs,
        "KMeans",
        {"n_clusters": 50, "n_init": 1, "random_state": 0},
        agreement.compare_inertia,
        bar=0.4,
        # Draws other centres.
        others={"intelex": 0.9},
        compare_others=agreement.compare_nothing,
    ),
    _make_digits(10),
    _make_digits(500),
    _make_text(20),
    _make_text(100),
    make_case(
        "minibatch",
        "MiniBatchKMeans, 200,000 x 20, k=50",
        _make_kmeans_blobs,
        "MiniBatchKMeans",
        {"n_clusters": 50, "n_init": 1, "random_state": 0},
        _near,
        bar=0.5,
    ),
    make_case(
        "bisecting",
        "BisectingKMeans, 200,000 x 20, k=50",
        _make_kmeans_blobs,
        "BisectingKMeans",
        {"n_clusters": 50, "random_state": 0},
        _near,
        max_repeats=2,
    ),
    make_case(
        "dbscan_3d",
        "DBSCAN, 50,000 x 3, eps=0.05",
        partial(_make_noisy, 50_000, 3),
        "DBSCAN",
        {"eps": 0.05, "min_samples": 10},
        agreement.compare_labels,
        bar=0.33,
        others={"intelex": None},
    ),
    make_case(
        "dbscan_2d",
        "DBSCAN, 200,000 x 2, eps=0.02",
        partial(_make_noisy, 200_000, 2),
        "DBSCAN",
        {"eps": 0.02, "min_samples": 10},
        agreement.compare_labels,
        bar=0.33,
    ),
    make_case(
        "hdbscan_3d",
        "HDBSCAN, 50,000 x 3",
        partial(_make_noisy, 50_000, 3),
        "HDBSCAN",
        {"min_cluster_size": 10},
        agreement.compare_labels,
        bar=0.07,
        max_repeats=1,
        others={"fast_hdbscan": 1.0},
        # Does not count the row itself, and decides ties in another way.
        of_others={"fast_hdbscan": {"min_samples": 9}},
        compare_others=partial(agreement.compare_labels, min_ari=0.99),
    ),
    make_case(
        "hdbscan_50d",
        "HDBSCAN, 20,000 x 50",
        partial(_make_blobs, 20_000, 50, 20, 0.3),
        "HDBSCAN",
        {"min_cluster_size": 10},
        agreement.compare_labels,
        bar=0.3,
        max_repeats=1,
    ),
    make_case(
        "optics",
        "OPTICS, 5,000 x 2",
        partial(_make_noisy, 5_000, 2),
        "OPTICS",
        {"min_samples": 10},
        agreement.compare_labels,
        max_repeats=1,
    ),
    *(
        _make_agglomerative(linkage, bar)
        for linkage, bar in {
            "ward": 0.33,
            "single": 0.33,
            "complete": None,
            "average": None,
        }.items()
    ),
    make_case(
        "mean_shift",
        "MeanShift, 2,000 x 2",
        partial(_make_noisy, 2_000, 2),
        "MeanShift",
        {"bandwidth": 0.2},
        agreement.compare_labels,
        max_repeats=2,
    ),
    make_case(
        "mixture",
        "GaussianMixture full, 200,000 x 20, k=10",
        partial(_make_blobs, 200_000, 20, 10, 0.4),
        "GaussianMixture",
        {"n_components": 10, "random_state": 0},
        agreement.compare_bound,
        bar=0.4,
        max_repeats=3,
    ),
    *(
        make_case(
            f"mixture_{covariance_type}",
            f"GaussianMixture {covariance_type}, 200,000 x 20, k=10",
            partial(_make_blobs, 200_000, 20, 10, 0.4),
            "GaussianMixture",
            {
                "n_components": 10,
                "covariance_type": covariance_type,
                "random_state": 0,
            },
            agreement.compare_bound,
            max_repeats=3,
        )
        for covariance_type in ("tied", "diag", "spherical")
    ),
    _make_small(
        "kmeans",
        "KMeans",
        {"n_clusters": 3, **FROM_CENTERS},
        agreement.compare_inertia,
    ),
    _make_small("dbscan", "DBSCAN", {}, agreement.compare_labels),
    _make_small("hdbscan", "HDBSCAN", {}, agreement.compare_labels),
    _make_small("ward", "AgglomerativeClustering", {}, agreement.compare_labels),
    _make_small(
        "mixture",
        "GaussianMixture",
        {"n_components": 3, "random_state": 0},
        agreement.compare_bound,
    ),
]
