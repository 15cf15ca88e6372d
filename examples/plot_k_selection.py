"""
======================
How many clusters, k?
======================

`select_n_clusters` fits a clusterer for several numbers of clusters and scores each.
The fits share what they can, and silhouettes of all of them come from one pass over the
distances, so that ten numbers take little longer than one.
"""

# %%
# Five groups
# -----------
# Two of them nearly touch.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV

from sklearnx.cluster import AgglomerativeClustering, KMeans, select_n_clusters
from sklearnx.mixture import GaussianMixture

rng = np.random.default_rng(0)
centers = np.array([[0, 0], [2.2, 0.5], [7, 1], [4, 6], [-3, 5]])
X = np.vstack([rng.normal(center, 0.75, (250, 2)) for center in centers])
X = rng.permutation(X)

selection = select_n_clusters(KMeans(n_init=5, random_state=0), X, range(2, 11))
selection.plot()
print(selection)

# %%
# Dashed lines are what each rule chooses. The rules need not agree, and look at one
# number each; what the numbers come from says more.
#
# Silhouettes
# -----------
# The silhouette of a point compares its distance to its own cluster with that to the
# next one: 1 is well inside, below 0 would be better off elsewhere. A good number of
# clusters has bars that are alike.


def draw_silhouettes(ax, selection, k):
    at = np.flatnonzero(selection.n_clusters == k)[0]
    values = selection.silhouette_samples[at]
    labels = selection.labels[at][selection.silhouette_rows]
    first = 0
    for label in range(k):
        own = np.sort(values[labels == label])
        ax.fill_betweenx(np.arange(first, first + len(own)), 0, own, linewidth=0)
        first += len(own) + 15
    ax.axvline(selection.silhouette[at], color="0.3", linestyle=":")
    ax.set(xlim=(-0.25, 1), yticks=[], xlabel="silhouette", title=f"{k} clusters")


fig, axes = plt.subplots(2, 4, figsize=(12, 6), layout="constrained")
for k, (above, below) in zip((3, 4, 5, 6), axes.T):
    draw_silhouettes(above, selection, k)
    labels = selection.labels[list(selection.n_clusters).index(k)]
    below.scatter(*X.T, s=4, c=[f"C{label}" for label in labels], linewidths=0)
    below.set(xticks=[], yticks=[], aspect="equal")

# %%
# A hierarchy is cut, not fitted again
# ------------------------------------
# One tree of merges holds the clusters of every number.

of_tree = select_n_clusters(AgglomerativeClustering(), X, range(2, 11))
print(of_tree.best)

# %%
# Mixtures
# --------
# A mixture has a likelihood, which more components always improve; the Bayesian
# information criterion takes off what they cost. Less is better, so that the scorer of
# a search is its negative.


def score_bic(mixture, X, y=None):
    return -mixture.bic(X)


grid = {"n_components": range(1, 9), "covariance_type": ["spherical", "diag", "full"]}
search = GridSearchCV(
    GaussianMixture(n_init=3, random_state=0), grid, scoring=score_bic, cv=3
)
search.fit(X)

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for kind in grid["covariance_type"]:
    is_kind = search.cv_results_["param_covariance_type"] == kind
    bic = -search.cv_results_["mean_test_score"][is_kind]
    ax.plot(grid["n_components"], bic, marker="o", label=kind)
ax.set(xlabel="components", ylabel="BIC of held-out rows")
ax.legend(title="covariances")
print(search.best_params_)
