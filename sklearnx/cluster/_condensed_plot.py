"""A picture of the condensed tree of HDBSCAN."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearnx._cluster.condensed_tree import find_deaths


def plot_condensed_tree(hdbscan, *, ax=None, cmap="viridis", label_clusters=True):
    """Draw the clusters of a fitted `HDBSCAN` from the sparsest to the densest.

    Each cluster is an icicle that hangs from where it splits off its parent. Its width
    is the number of rows in it, which falls as lambda, the inverse of the distance,
    rises down the page and rows leave it as noise. Selected clusters are outlined: they
    are those of the largest area, of all that do not overlap, under
    ``cluster_selection_method="eom"``.

    Parameters
    ----------
    hdbscan : HDBSCAN
        Fitted.

    ax : matplotlib.axes.Axes, default=None
        Where to draw. None draws in a new figure.

    cmap : str or matplotlib.colors.Colormap, default="viridis"
        Colours of the number of rows.

    label_clusters : bool, default=True
        Whether selected clusters are outlined and have their labels below.

    Returns
    -------
    ax : matplotlib.axes.Axes
        The drawing.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import HDBSCAN, plot_condensed_tree
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> X[30:] += 10
    >>> ax = plot_condensed_tree(HDBSCAN(copy=False).fit(X))  # doctest: +SKIP
    """
    import matplotlib.pyplot as plt
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Rectangle

    check_is_fitted(hdbscan)
    table = hdbscan._clustering.table
    selected = hdbscan._clustering.selection.clusters
    if ax is None:
        _, ax = plt.subplots()
    left = place_icicles(table)
    deaths = np.minimum(table.max_lambda, _last_finite(table))
    shapes, sizes = [], []
    for cluster, (lambdas, counts) in enumerate(trace_icicles(table)):
        lambdas = np.minimum(lambdas, deaths[cluster])
        for start, stop, count in zip(lambdas[:-1], lambdas[1:], counts):
            middle = left[cluster] + table.size[cluster] / 2
            sides = middle - count / 2, middle + count / 2
            shapes.append(
                [
                    (sides[0], start),
                    (sides[1], start),
                    (sides[1], stop),
                    (sides[0], stop),
                ]
            )
            sizes.append(count)
    icicles = PolyCollection(shapes, array=np.array(sizes, dtype=float), cmap=cmap)
    ax.add_collection(icicles)
    ends = np.minimum(find_deaths(table), _last_finite(table))
    for label, cluster in enumerate(selected if label_clusters else ()):
        start, width = table.birth[cluster], table.size[cluster]
        outline = Rectangle(
            (left[cluster], start),
            width,
            ends[cluster] - start,
            fill=False,
            edgecolor="C3",
        )
        ax.add_patch(outline)
        ax.annotate(
            str(label),
            (left[cluster] + width / 2, ends[cluster]),
            xytext=(0, -2),
            textcoords="offset points",
            ha="center",
            va="top",
            color="C3",
        )
    ax.set(
        xlim=(0, table.size[0]),
        ylim=(1.08 * deaths.max(), 0),
        ylabel="lambda = 1 / distance",
        xticks=[],
    )
    ax.figure.colorbar(icicles, ax=ax, label="rows")
    return ax


def _last_finite(table):
    """A lambda to end clusters at which last to infinity, as duplicates do."""
    lambdas = np.concatenate([table.point_lambda, table.birth])
    finite = lambdas[np.isfinite(lambdas)]
    return 1.1 * finite.max() if finite.max() > 0 else 1.0


def place_icicles(table):
    """The left edge of each cluster, within its parent, side by side with its siblings.

    Parameters
    ----------
    table : ClusterTable
        The clusters.

    Returns
    -------
    left : ndarray of shape (n_clusters,), dtype float64
        In rows.
    """
    left = np.zeros(table.n_clusters)
    within = np.zeros(table.n_clusters, dtype=np.int64)
    np.add.at(within, table.parent[1:], table.size[1:])
    # What remains of the parent when it splits is in its middle.
    taken = (table.size - within) / 2
    for cluster in range(1, table.n_clusters):
        parent = table.parent[cluster]
        left[cluster] = left[parent] + taken[parent]
        taken[parent] += table.size[cluster]
    return left


def trace_icicles(table):
    """How many rows each cluster has between which lambdas.

    Parameters
    ----------
    table : ClusterTable
        The clusters.

    Returns
    -------
    traces : list of tuple of ndarray
        Of each cluster, lambdas of shape (n_steps + 1,) from its birth on, and the rows
        in it between each and the next.
    """
    order = np.lexsort((table.point_lambda, table.point_cluster))
    clusters = table.point_cluster[order]
    starts = np.searchsorted(clusters, np.arange(table.n_clusters + 1))
    traces = []
    for cluster in range(table.n_clusters):
        leaving = table.point_lambda[order[starts[cluster] : starts[cluster + 1]]]
        lambdas, counts = np.unique(leaving, return_counts=True)
        left = table.size[cluster] - np.cumsum(counts)
        sizes = np.concatenate([[table.size[cluster]], left])
        end = table.max_lambda[cluster]
        if len(lambdas) == 0 or lambdas[-1] < end:
            lambdas = np.append(lambdas, end)
        else:
            sizes = sizes[:-1]
        birth = table.birth[cluster : cluster + 1]
        traces.append((np.concatenate([birth, lambdas]), sizes))
    return traces
