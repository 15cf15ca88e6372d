"""
==============================
HDBSCAN and its condensed tree
==============================

HDBSCAN knows no distance within which points are neighbours: it looks at all of them.
As the distance shrinks, clusters fall apart and lose points. The condensed tree is the
record of that, and the clusters are those parts of it that last longest.
"""

# %%
# Data
# ----
# Five groups of different density, two of them close to each other, and noise. No
# single radius of DBSCAN finds all five.

import matplotlib.pyplot as plt
import numpy as np

from sklearnx.cluster import HDBSCAN, plot_condensed_tree

rng = np.random.default_rng(0)
groups = [
    ((0.0, 0.0), 0.25, 300),
    ((1.3, 0.4), 0.25, 300),
    ((6.0, 5.0), 0.9, 400),
    ((-4.0, 5.0), 0.5, 250),
    ((3.5, -3.5), 0.15, 150),
]
X = np.vstack(
    [
        *(rng.normal(center, spread, (n, 2)) for center, spread, n in groups),
        rng.uniform((-7, -7), (9, 9), (150, 2)),
    ]
)
model = HDBSCAN(min_cluster_size=30, min_samples=10, copy=True).fit(X)
n_clusters = model.labels_.max() + 1

# %%
# The tree
# --------
# From the top down the density grows: lambda is the inverse of the distance. An icicle
# is a cluster, as wide as it has points; it narrows as it loses points, and ends where
# it falls apart into two of at least `min_cluster_size`. The clusters that were
# selected are outlined. `condensed_tree_` is what the picture follows from, an array of
# what leaves which cluster.


def draw_points(ax, labels, strengths, colors, title):
    is_noise = labels < 0
    ax.scatter(*X[is_noise].T, s=5, color="0.8", linewidths=0)
    shades = np.array([plt.matplotlib.colors.to_rgb(color) for color in colors])
    members = shades[labels[~is_noise]]
    # The weaker a point belongs, the paler it is.
    strength = 0.15 + 0.85 * strengths[~is_noise, None]
    ax.scatter(*X[~is_noise].T, s=9, c=1 - strength * (1 - members), linewidths=0)
    ax.set(xticks=[], yticks=[], title=title, aspect="equal")


colors = [f"C{i}" for i in range(10)]
fig, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
draw_points(axes[0], model.labels_, model.probabilities_, colors, "clusters")
for label in range(n_clusters):
    axes[0].annotate(str(label), np.median(X[model.labels_ == label], axis=0) + 0.5)
plot_condensed_tree(model, ax=axes[1])
axes[1].set_title("condensed tree")

# %%
# Other clusters of the same tree
# -------------------------------
# `recluster` selects anew without computing a single distance. Larger clusters are
# asked for on the left; on the right the leaves, the parts that do not fall apart.

coarse = model.recluster(min_cluster_size=320)
leaves = model.recluster(cluster_selection_method="leaf", min_cluster_size=15)
fig, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
for ax, other, title in (
    (axes[0], coarse, "min_cluster_size=320"),
    (axes[1], leaves, "leaves, min_cluster_size=15"),
):
    draw_points(ax, other.labels_, other.probabilities_, colors, title)

# %%
# How much points belong, and to what
# -----------------------------------
# `membership_vectors` has a number for each point and cluster; new points have them as
# well. Outlier scores compare a point with the last ones of its cluster: a point at the
# rim of a dense group is more of an outlier than one at the rim of a wide one.

grid = np.stack(np.meshgrid(np.linspace(-7, 9, 160), np.linspace(-7, 9, 160)), axis=-1)
memberships = model.membership_vectors(grid.reshape(-1, 2)).reshape(160, 160, -1)
shades = np.array([plt.matplotlib.colors.to_rgb(colors[i]) for i in range(n_clusters)])
strength = memberships.sum(axis=2, keepdims=True)
mixed = memberships @ shades / np.maximum(strength, 1e-12)
picture = 1 - np.sqrt(np.clip(strength, 0, 1)) * (1 - mixed)

fig, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
axes[0].imshow(picture, origin="lower", extent=(-7, 9, -7, 9))
axes[0].set(xticks=[], yticks=[], title="membership of places")
scores = model.outlier_scores_
order = np.argsort(scores)
points = axes[1].scatter(*X[order].T, s=9, c=scores[order], cmap="viridis_r", lw=0)
axes[1].set(xticks=[], yticks=[], aspect="equal", title="outlier scores")
fig.colorbar(points, ax=axes[1], shrink=0.8)
