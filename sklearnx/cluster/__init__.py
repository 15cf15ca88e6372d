"""Clustering, with scikit-learn's names, exact algorithms and kernels of our own."""

from sklearnx.cluster._agglomerative import AgglomerativeClustering
from sklearnx.cluster._bisecting_kmeans import BisectingKMeans
from sklearnx.cluster._condensed_plot import plot_condensed_tree
from sklearnx.cluster._dbscan import DBSCAN, dbscan
from sklearnx.cluster._feature_agglomeration import FeatureAgglomeration
from sklearnx.cluster._hdbscan import HDBSCAN
from sklearnx.cluster._k_selection import NClustersSelection, select_n_clusters
from sklearnx.cluster._kmeans import KMeans, k_means, kmeans_plusplus
from sklearnx.cluster._linkage_trees import linkage_tree, ward_tree
from sklearnx.cluster._mean_shift import (
    MeanShift,
    estimate_bandwidth,
    get_bin_seeds,
    mean_shift,
)
from sklearnx.cluster._minibatch_kmeans import MiniBatchKMeans
from sklearnx.cluster._optics import (
    OPTICS,
    cluster_optics_dbscan,
    cluster_optics_xi,
    compute_optics_graph,
)

__all__ = [
    "DBSCAN",
    "HDBSCAN",
    "OPTICS",
    "AgglomerativeClustering",
    "BisectingKMeans",
    "FeatureAgglomeration",
    "KMeans",
    "MeanShift",
    "MiniBatchKMeans",
    "NClustersSelection",
    "cluster_optics_dbscan",
    "cluster_optics_xi",
    "compute_optics_graph",
    "dbscan",
    "estimate_bandwidth",
    "get_bin_seeds",
    "k_means",
    "kmeans_plusplus",
    "linkage_tree",
    "mean_shift",
    "plot_condensed_tree",
    "select_n_clusters",
    "ward_tree",
]
