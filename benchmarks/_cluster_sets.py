"""The sets of clustering_2d: how near clusterers come to the known labels."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import estimate_bandwidth
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from benchmarks._cluster_data import draw_rows
from benchmarks._cluster_libraries import OURS, SKLEARN, find_class, make_model
from benchmarks._data import read_table

TABLE = "clustering_2d"
N_QUICK_SETS = 2
# Of ours below scikit-learn's: the rounding of the index itself.
TOLERANCE = 1e-12


@dataclass(frozen=True)
class LabelledSet:
    """Points, scaled to unit variance, with known labels."""

    name: str
    X: np.ndarray
    y: np.ndarray
    n_clusters: int


@dataclass(frozen=True)
class Trial:
    """An estimator with parameters that follow from the set.

    Attributes
    ----------
    title, estimator : str
    choose : callable
        ``choose(labelled_set)``, the parameters.
    max_rows : int or None
        Larger sets are left out, as scikit-learn takes long for them.
    """

    title: str
    estimator: str
    choose: Callable
    max_rows: int | None = None


def read_sets():
    """The sets that have labels, by name; 'noise' is a label like others."""
    table = read_table(TABLE)
    sets = []
    for name, frame in table.groupby("dataset", observed=True):
        labels = frame["label"].astype(str).to_numpy()
        known = set(labels) - {"noise"}
        if len(known) < 2:
            continue
        X = frame[["x", "y", "z"]].dropna(axis=1, how="all").to_numpy(float)
        X = StandardScaler().fit_transform(X)
        y = np.unique(labels, return_inverse=True)[1]
        sets.append(LabelledSet(str(name), X, y, len(known)))
    return sets


def _choose_centers(labelled):
    centers = draw_rows(labelled.X, labelled.n_clusters)
    return {"n_clusters": labelled.n_clusters, "init": centers, "n_init": 1}


def _choose_clusters(labelled):
    return {"n_clusters": labelled.n_clusters, "random_state": 0}


def _choose_components(labelled):
    return {"n_components": labelled.n_clusters, "random_state": 0}


def _choose_radius(labelled):
    """Nine of ten points have four others within it."""
    neighbors = NearestNeighbors(n_neighbors=5).fit(labelled.X)
    distances = neighbors.kneighbors(labelled.X)[0][:, -1]
    return {"eps": float(np.quantile(distances, 0.9)), "min_samples": 5}


def _choose_size(labelled):
    return {"min_cluster_size": max(5, len(labelled.X) // 50)}


def _choose_bandwidth(labelled):
    bandwidth = estimate_bandwidth(labelled.X, quantile=0.15, random_state=0)
    return {"bandwidth": bandwidth, "bin_seeding": True}


def _make_agglomerative(linkage):
    return Trial(
        linkage,
        "AgglomerativeClustering",
        lambda labelled: {"n_clusters": labelled.n_clusters, "linkage": linkage},
    )


TRIALS = [
    Trial("KMeans", "KMeans", _choose_centers),
    Trial("Bisecting", "BisectingKMeans", _choose_clusters),
    Trial("MiniBatch", "MiniBatchKMeans", _choose_centers),
    Trial("DBSCAN", "DBSCAN", _choose_radius),
    Trial("HDBSCAN", "HDBSCAN", _choose_size),
    Trial("OPTICS", "OPTICS", lambda labelled: {"min_samples": 10}, max_rows=3_500),
    *(_make_agglomerative(name) for name in ("ward", "single", "complete", "average")),
    Trial("MeanShift", "MeanShift", _choose_bandwidth, max_rows=3_500),
    Trial("mixture", "GaussianMixture", _choose_components),
]


def compute_index(library, trial, labelled, n_threads):
    """Adjusted Rand index of the labels that a library's estimator gives."""
    parameters = trial.choose(labelled)
    if trial.estimator == "MiniBatchKMeans":
        parameters["random_state"] = 0
    model = make_model(library, trial.estimator, parameters, n_threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = model.fit_predict(labelled.X)
    return adjusted_rand_score(labelled.y, labels)


def compare_on_set(labelled, trials, n_threads):
    """Title -> (our index, scikit-learn's) of a set, None where it is left out."""
    indices = {}
    for trial in trials:
        is_large = trial.max_rows is not None and len(labelled.X) > trial.max_rows
        indices[trial.title] = (
            None
            if is_large
            else [
                compute_index(library, trial, labelled, n_threads)
                for library in (OURS, SKLEARN)
            ]
        )
    return indices


def format_pair(pair):
    """Our index, and what it is above scikit-learn's if it is another."""
    if pair is None:
        return "-"
    own, peer = pair
    difference = f" ({own - peer:+.3f})" if abs(own - peer) > TOLERANCE else ""
    return f"{own:.3f}{difference}"


def is_below(pair):
    return pair is not None and pair[0] < pair[1] - TOLERANCE


def measure_sets(n_threads, is_quick):
    """A row for each set, and the names of what is below scikit-learn's."""
    trials = [trial for trial in TRIALS if find_class(OURS, trial.estimator)]
    sets = read_sets()
    if is_quick:
        sets = sorted(sets, key=lambda labelled: len(labelled.X))[:N_QUICK_SETS]
    rows, below = [], []
    for labelled in sets:
        indices = compare_on_set(labelled, trials, n_threads)
        cells = {title: format_pair(pair) for title, pair in indices.items()}
        size = {"rows": f"{len(labelled.X):,}", "k": labelled.n_clusters}
        rows.append({"set": labelled.name, **size, **cells})
        below += [
            f"{labelled.name} {t}" for t, pair in indices.items() if is_below(pair)
        ]
    return rows, below
