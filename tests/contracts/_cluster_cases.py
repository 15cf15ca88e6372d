"""The clusterers and the mixture, for the list of all estimators."""

from sklearnx import cluster, mixture
from tests.contracts._case import EstimatorCase


def _draws_centers(settings):
    """A centre is drawn with a probability that is not that of the row twice."""
    return True


_CASES = {
    "KMeans": {
        "small_settings": {"n_clusters": 3, "random_state": 0},
        "search_grid": {"n_clusters": [3, 1]},
        "variants": {
            "elkan": {"algorithm": "elkan"},
            "random": {"init": "random", "n_init": 2},
        },
        "draws_rows": _draws_centers,
    },
    "MiniBatchKMeans": {
        "small_settings": {"n_clusters": 3, "random_state": 0, "batch_size": 100},
        "search_grid": {"n_clusters": [3, 1]},
        "variants": {"no labels": {"compute_labels": False}},
        "draws_rows": _draws_centers,
    },
    "BisectingKMeans": {
        "small_settings": {"n_clusters": 3, "random_state": 0},
        "search_grid": {"n_clusters": [3, 1]},
        "variants": {"largest": {"bisecting_strategy": "largest_cluster"}},
        "draws_rows": _draws_centers,
    },
    "DBSCAN": {
        "small_settings": {"eps": 0.6},
        "variants": {
            "brute": {"algorithm": "brute"},
            "manhattan": {"metric": "manhattan", "eps": 1.2},
        },
        "many_rows": 6_000,
        "min_weight": 1,
    },
    "HDBSCAN": {
        "small_settings": {"min_cluster_size": 10, "copy": True},
        "variants": {
            "leaves": {"cluster_selection_method": "leaf"},
            "manhattan": {"metric": "manhattan"},
            "single": {"allow_single_cluster": True},
        },
        "many_rows": 3_000,
        # Edges of one weight are taken in another order.
        "is_other_when_sparse": True,
    },
    "OPTICS": {
        "small_settings": {"min_samples": 5},
        "variants": {"cut": {"cluster_method": "dbscan", "eps": 0.6}},
        "many_rows": 2_000,
    },
    "AgglomerativeClustering": {
        "small_settings": {"n_clusters": 3},
        "variants": {
            **{name: {"linkage": name} for name in ("single", "complete", "average")},
            "threshold": {"n_clusters": None, "distance_threshold": 5.0},
        },
        "many_rows": 2_000,
    },
    "FeatureAgglomeration": {
        "small_settings": {"n_clusters": 2},
        "variants": {"complete": {"linkage": "complete"}},
        "many_rows": 2_000,
    },
    "MeanShift": {
        "small_settings": {"bandwidth": 1.5},
        "variants": {"binned": {"bin_seeding": True}},
        "many_rows": 1_000,
    },
    "GaussianMixture": {
        "small_settings": {"n_components": 3, "random_state": 0},
        "search_grid": {"n_components": [3, 1]},
        "variants": {
            name: {"covariance_type": name} for name in ("diag", "spherical", "tied")
        },
        "checked": ("tied",),
        "draws_rows": lambda settings: settings.get("n_components", 1) > 1,
        "many_rows": 10_000,
    },
}

# One for each way to make threads.
_TRIED_IN_PROCESSES = {"GaussianMixture", "HDBSCAN", "KMeans"}


def _find_class(name):
    return getattr(cluster if hasattr(cluster, name) else mixture, name)


CLUSTER_CASES = [
    EstimatorCase(
        _find_class(name),
        is_clusterer=True,
        is_tried_in_processes=name in _TRIED_IN_PROCESSES,
        **settings,
    )
    for name, settings in _CASES.items()
]
