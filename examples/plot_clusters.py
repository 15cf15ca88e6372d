"""
======================
Clusterers on six sets
======================

What a group is depends on whom one asks. Here nine clusterers see the same six sets of
points: round groups, groups of different spread, stretched ones, two rings, two moons
and no group at all.
"""

# %%
# The sets
# --------
# Each has a number of groups that the clusterers which ask for one are told, and a
# radius for those that ask for it.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_blobs, make_circles, make_moons
from sklearn.preprocessing import StandardScaler

from sklearnx.cluster import (
    DBSCAN,
    HDBSCAN,
    OPTICS,
    AgglomerativeClustering,
    BisectingKMeans,
    KMeans,
    MeanShift,
    estimate_bandwidth,
)
from sklearnx.mixture import GaussianMixture

N_POINTS = 600
rng = np.random.default_rng(0)
centers = [[-4, -3], [0, 4], [4, -3]]
blobs, _ = make_blobs(N_POINTS, centers=centers, random_state=1)
varied, _ = make_blobs(
    N_POINTS, centers=centers, cluster_std=[1.0, 2.2, 0.4], random_state=1
)
rings, _ = make_circles(N_POINTS, factor=0.5, noise=0.05, random_state=0)
moons, _ = make_moons(N_POINTS, noise=0.06, random_state=0)
sets = {
    "round": (blobs, 3, 0.2),
    "of different spread": (varied, 3, 0.18),
    "stretched": (blobs @ [[0.6, -0.64], [-0.4, 0.85]], 3, 0.15),
    "rings": (rings, 2, 0.2),
    "moons": (moons, 2, 0.2),
    "none": (rng.random((N_POINTS, 2)), 3, 0.2),
}


def make_clusterers(X, n_clusters, radius):
    """The clusterers by name, with parameters for a set."""
    bandwidth = estimate_bandwidth(X, quantile=0.2)
    return {
        "KMeans": KMeans(n_clusters, random_state=0),
        "BisectingKMeans": BisectingKMeans(n_clusters, random_state=0),
        "MeanShift": MeanShift(bandwidth=bandwidth, bin_seeding=True),
        "Agglomerative\nward": AgglomerativeClustering(n_clusters),
        "Agglomerative\nsingle": AgglomerativeClustering(n_clusters, linkage="single"),
        "GaussianMixture": GaussianMixture(n_clusters, random_state=0),
        "DBSCAN": DBSCAN(eps=radius),
        "OPTICS": OPTICS(min_samples=12, xi=0.08, min_cluster_size=0.1),
        "HDBSCAN": HDBSCAN(min_cluster_size=15, copy=True),
    }


# %%
# The groups
# ----------
# Grey points are noise, which only the last three know of. The number in a corner is
# the time of the fit in milliseconds.

COLORS = np.array(["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"])

names = list(make_clusterers(blobs, 3, 0.2))
fig, axes = plt.subplots(len(sets), len(names), figsize=(14, 9.5), layout="constrained")
for ax, name in zip(axes[0], names):
    ax.set_title(name, fontsize=10)
for (set_name, (X, n_clusters, radius)), row in zip(sets.items(), axes):
    X = StandardScaler().fit_transform(X)
    row[0].set_ylabel(set_name)
    for clusterer, ax in zip(make_clusterers(X, n_clusters, radius).values(), row):
        start = perf_counter()
        labels = clusterer.fit_predict(X)
        milliseconds = 1e3 * (perf_counter() - start)
        colors = np.where(labels < 0, "#c8c8c8", COLORS[labels % len(COLORS)])
        ax.scatter(*X.T, s=4, c=colors, linewidths=0)
        ax.set(xticks=[], yticks=[], xlim=(-2.8, 2.8), ylim=(-2.8, 2.8))
        ax.text(
            0.98,
            0.02,
            f"{milliseconds:.1f}",
            transform=ax.transAxes,
            ha="right",
            fontsize=8,
            color="0.4",
        )

# %%
# Centres and ellipses divide the plane, whatever lies in it; chains of near points
# (single linkage, DBSCAN, HDBSCAN) follow any shape. Where nothing is to be found,
# HDBSCAN and OPTICS find little.
