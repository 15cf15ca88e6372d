"""
================================================
How long clustering takes, beside scikit-learn's
================================================

Fits to tables of growing size, by every library that is installed. The page is built in
a few seconds and so on small data, on a machine that may have had other things to do:
read the shapes of the curves, not their levels. `python -m benchmarks cluster` in the
repository compares larger work, and checks that all have found the same.
"""

import importlib
import importlib.util
import warnings
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import threadpool_limits

N_THREADS = 2
# Past this many seconds a library is not asked for larger tables.
MAX_SECONDS = 0.2
LIBRARIES = {
    "sklearnx": ("sklearnx.cluster", "sklearnx.mixture"),
    "scikit-learn": ("sklearn.cluster", "sklearn.mixture"),
    "scikit-learn-intelex": ("sklearnex.cluster",),
    "fast_hdbscan": ("fast_hdbscan",),
}


def find_classes(name):
    """The class of this name in each library that has it."""
    classes = {}
    for library, modules in LIBRARIES.items():
        for module in modules:
            if importlib.util.find_spec(module.partition(".")[0]) is not None:
                found = getattr(importlib.import_module(module), name, None)
                if found is not None:
                    classes[library] = found
    return classes


def time_fit(model, X):
    """The better of two fits, in seconds."""
    seconds = []
    with threadpool_limits(N_THREADS), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            start = perf_counter()
            model.fit(X)
            seconds.append(perf_counter() - start)
            if seconds[0] > 5 * MAX_SECONDS:
                break
    return min(seconds)


def draw_times(ax, name, parameters, tables, title=None):
    """A curve for each library over tables, a dict of rows -> X."""
    for library, make in find_classes(name).items():
        rows, seconds = [], []
        for n_rows, X in tables.items():
            rows.append(n_rows)
            seconds.append(time_fit(make(**parameters), X))
            if seconds[-1] > MAX_SECONDS:
                break
        ax.plot(rows, seconds, marker="o", label=library)
    ax.set(xscale="log", yscale="log", xlabel="rows", title=title or name)
    ax.set_xticks(list(tables), [f"{rows:,}" for rows in tables], fontsize="small")
    ax.minorticks_off()
    ax.legend(fontsize="small")


def make_tables(sizes, n_columns, n_groups=20):
    """The first rows of groups in a cube, with noise between them."""
    rng = np.random.default_rng(0)
    n_rows = sizes[-1]
    centers = rng.random((n_groups, n_columns))
    group = rng.integers(0, n_groups, n_rows)
    X = centers[group] + 0.05 * rng.normal(size=(n_rows, n_columns))
    is_noise = rng.random(n_rows) < 0.1
    X[is_noise] = rng.random((is_noise.sum(), n_columns))
    return {size: X[:size].copy() for size in sizes}


# %%
# Centres and ellipses
# --------------------
# Ten columns, twenty groups.

tables = make_tables([1_000, 5_000, 20_000, 80_000], 10)
fig, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained", sharey=True)
start = {"n_clusters": 20, "n_init": 1, "random_state": 0}
draw_times(axes[0], "KMeans", start, tables)
draw_times(axes[1], "MiniBatchKMeans", start, tables)
draw_times(axes[2], "GaussianMixture", {"n_components": 5, "random_state": 0}, tables)
axes[0].set_ylabel("seconds")

# %%
# Densities
# ---------
# Three columns. Each library stops where its fits take too long for this page; what is
# compiled at run time is compiled in the first of two fits.

tables = make_tables([1_000, 4_000, 16_000, 64_000], 3)
fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
draw_times(axes[0], "DBSCAN", {"eps": 0.03, "min_samples": 10}, tables)
draw_times(axes[1], "HDBSCAN", {"min_cluster_size": 20}, tables)
axes[0].set_ylabel("seconds")

# %%
# Hierarchies
# -----------
# Ten columns.

tables = make_tables([500, 1_000, 2_000, 4_000, 8_000], 10)
fig, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained", sharey=True)
for ax, linkage in zip(axes, ("ward", "single", "average")):
    draw_times(ax, "AgglomerativeClustering", {"linkage": linkage}, tables, linkage)
axes[0].set_ylabel("seconds")
