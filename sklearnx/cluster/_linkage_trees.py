"""The functions that build the trees of agglomerative clustering."""

from __future__ import annotations

import warnings
from numbers import Integral

import numpy as np

from sklearnx._cluster import agglomeration
from sklearnx._cluster.connectivity import complete_graph, measure_edges
from sklearnx._cluster.merge_trees import find_parents
from sklearnx._compat import Interval, validate_params

_PARTIAL_TREE_MESSAGE = (
    "Partial build of the tree is implemented only for structured clustering (i.e. "
    "with explicit connectivity). The algorithm will build the full tree and only "
    "retain the lower branches required for the specified number of clusters"
)


def _as_rows(X, *, n_min):
    X = np.asarray(X)
    if X.ndim == 1:
        X = X.reshape(-1, 1)
    if len(X) < n_min:
        raise ValueError(f"X must have at least {n_min} rows, and has {len(X)}.")
    return X


def _check_finite(X):
    if X.dtype.kind == "f" and not np.isfinite(X).all():
        raise ValueError("X must hold finite values only.")


def _count_merges(n_clusters, n_samples):
    if n_clusters is None:
        return n_samples - 1
    if n_clusters > n_samples:
        raise ValueError(
            "Cannot provide more clusters than samples. "
            f"{n_clusters} n_clusters was asked, and there are {n_samples} "
            "samples."
        )
    return n_samples - n_clusters


def _pack_tree(children, n_components, n_leaves, parents, distances, return_distance):
    tree = children, n_components, n_leaves, parents
    return (*tree, distances) if return_distance else tree


@validate_params(
    {
        "X": ["array-like"],
        "connectivity": ["array-like", "sparse matrix", None],
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "return_distance": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def ward_tree(X, *, connectivity=None, n_clusters=None, return_distance=False):
    """Build the hierarchy of clusters by Ward's criterion.

    Those two clusters are merged, again and again, that raise the sum of squared
    distances of the rows to the means of their clusters least.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows to cluster. One dimension is a single column.

    connectivity : {array-like, sparse matrix} of shape (n_samples, n_samples), \
            default=None
        Only clusters with an edge between them are merged, an edge being an entry that
        is not 0 on either side of the diagonal. None merges any.

    n_clusters : int, default=None
        Stop at so many clusters, which saves time. None builds the whole tree, as does
        a `connectivity` of None.

    return_distance : bool, default=False
        Whether the distances of what is merged are returned as well.

    Returns
    -------
    children : ndarray of shape (n_merges, 2), dtype intp
        The two nodes that each merge unites to node ``n_samples + i``. Nodes below
        ``n_samples`` are rows. Merges are in the order of their distances.

    n_connected_components : int
        Number of components of `connectivity`, 1 without.

    n_leaves : int
        Number of rows.

    parents : ndarray of shape (n_samples + n_merges,), dtype intp, or None
        The node above each node, the node itself at the top. None without
        `connectivity`.

    distances : ndarray of shape (n_merges,), dtype float64
        Only with `return_distance`. For means :math:`c` and numbers of rows :math:`n`,

        .. math:: d(A, B) = \\sqrt{\\frac{2 n_A n_B}{n_A + n_B}} \\|c_A - c_B\\|.

    Raises
    ------
    ValueError
        If there are fewer than two rows, values that are not finite, or more clusters
        than rows, or `connectivity` has another shape.

    See Also
    --------
    linkage_tree : The same for other distances of clusters.
    AgglomerativeClustering : Labels as well.

    Notes
    -----
    Without `connectivity`, chains of nearest neighbours [1]_ are followed on the means
    of the clusters, which stand in a tree of boxes; memory is linear in `n_samples`.
    Distances differ from those of SciPy's ``linkage`` by rounding only, and what is
    merged where distances are equal.

    References
    ----------
    .. [1] D. Müllner. "Modern hierarchical, agglomerative clustering algorithms".
       arXiv:1109.2378 (2011). Figure 4.
    .. [2] F. Murtagh and P. Legendre. "Ward's hierarchical agglomerative clustering
       method: which algorithms implement Ward's criterion?". Journal of Classification
       31 (2014), pages 274-295.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import ward_tree
    >>> children, *_ = ward_tree(np.array([[0.0], [1.0], [5.0], [7.0]]))
    >>> children
    array([[0, 1],
           [2, 3],
           [4, 5]])
    """
    X = _as_rows(X, n_min=2 if connectivity is None else 1)
    _check_finite(X)
    n_samples = len(X)
    if connectivity is None:
        if n_clusters is not None:
            warnings.warn(_PARTIAL_TREE_MESSAGE, stacklevel=2)
        children, distances = agglomeration.build_ward_tree(X)
        return _pack_tree(children, 1, n_samples, None, distances, return_distance)

    graph, n_components = complete_graph(X, connectivity, "euclidean")
    n_merges = _count_merges(n_clusters, n_samples)
    children, distances = agglomeration.build_connected_ward_tree(X, graph, n_merges)
    parents = find_parents(children, n_samples, n_samples + n_merges)
    return _pack_tree(
        children, n_components, n_samples, parents, distances, return_distance
    )


def linkage_tree(
    X,
    connectivity=None,
    n_clusters=None,
    linkage="complete",
    affinity="euclidean",
    return_distance=False,
):
    """Build the hierarchy of clusters by the distances of their rows.

    The two clusters of the least distance are merged, again and again.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
        Rows to cluster, or their distances if `affinity` is "precomputed". One
        dimension is a single column.

    connectivity : {array-like, sparse matrix} of shape (n_samples, n_samples), \
            default=None
        Only clusters with an edge between them are merged, an edge being an entry that
        is not 0 on either side of the diagonal. None merges any.

    n_clusters : int, default=None
        Stop at so many clusters, which saves time. None builds the whole tree, as does
        a `connectivity` of None.

    linkage : {"average", "complete", "single"}, default="complete"
        The distance of two clusters: the average, the largest or the least of the
        distances of a row of one and a row of the other.

    affinity : str or callable, default="euclidean"
        Metric of the rows. With `connectivity`, what
        `sklearn.metrics.pairwise.paired_distances` takes. Without, a name of
        `scipy.spatial.distance.pdist`, "l1", "l2", "manhattan", or a function that
        gives the matrix of all distances. With ``linkage="single"`` also all names that
        `sklearn.metrics.DistanceMetric` needs no parameters for.

    return_distance : bool, default=False
        Whether the distances of what is merged are returned as well.

    Returns
    -------
    children : ndarray of shape (n_merges, 2), dtype intp
        The two nodes that each merge unites to node ``n_samples + i``. Nodes below
        ``n_samples`` are rows. Merges are in the order of their distances.

    n_connected_components : int
        Number of components of `connectivity`, 1 without.

    n_leaves : int
        Number of rows.

    parents : ndarray of shape (n_nodes,), dtype intp, or None
        The node above each node, the node itself at the top. None without
        `connectivity`.

    distances : ndarray of shape (n_merges,), dtype float64
        Only with `return_distance`.

    Raises
    ------
    ValueError
        If `linkage` is unknown, if there are fewer than two rows, distances that are
        not finite, rows of zeros with "cosine", more clusters than rows, or if
        `connectivity` or a matrix of distances has a wrong shape.

    See Also
    --------
    ward_tree : Ward's criterion.
    AgglomerativeClustering : Labels as well.

    Notes
    -----
    Single linkage is a minimum spanning tree, found point by point, with boxes around
    points that are left out where none of them can be nearer; memory is linear in
    `n_samples`. So it is, a little slower, for metrics other than the Euclidean,
    Manhattan and Chebyshev distances. Average and complete linkage follow chains of
    nearest neighbours [1]_ on all distances, which take ``4 * n_samples**2`` bytes.
    Equal distances are resolved as by scikit-learn.

    References
    ----------
    .. [1] D. Müllner. "Modern hierarchical, agglomerative clustering algorithms".
       arXiv:1109.2378 (2011). Figures 4 and 6.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearnx.cluster import linkage_tree
    >>> X = np.array([[0.0], [1.0], [5.0], [7.0]])
    >>> *_, distances = linkage_tree(X, linkage="average", return_distance=True)
    >>> distances
    array([1. , 2. , 5.5])
    """
    choices = dict.fromkeys(("complete", "average", "single"))
    if linkage not in choices:
        raise ValueError(
            f"Unknown linkage option, linkage should be one of {choices.keys()}, "
            f"but {linkage} was given"
        )
    X = _as_rows(X, n_min=2 if connectivity is None else 1)
    _check_finite(X)
    n_samples = len(X)
    if isinstance(affinity, str) and affinity == "cosine" and not X.any(axis=1).all():
        raise ValueError("Cosine affinity cannot be used when X contains zero vectors")

    if connectivity is None:
        if n_clusters is not None:
            warnings.warn(_PARTIAL_TREE_MESSAGE, stacklevel=2)
        children, distances = _build_free_tree(X, affinity, linkage)
        return _pack_tree(children, 1, n_samples, None, distances, return_distance)

    graph, n_components = complete_graph(X, connectivity, affinity)
    n_merges = _count_merges(n_clusters, n_samples)
    lengths = measure_edges(X, graph, affinity)
    if linkage == "single":
        children, distances = agglomeration.build_connected_single_tree(graph, lengths)
    else:
        children, distances = agglomeration.build_connected_linkage_tree(
            graph, lengths, n_merges, linkage
        )
    parents = find_parents(children, n_samples, n_samples + n_merges)
    return _pack_tree(
        children, n_components, n_samples, parents, distances, return_distance
    )


def _build_free_tree(X, affinity, linkage):
    """The tree without connectivity."""
    if not callable(affinity) and affinity == "precomputed" and len(X) != X.shape[1]:
        raise ValueError(
            f"Distance matrix should be square, got matrix of shape {X.shape}"
        )
    if linkage == "single" and agglomeration.knows_rows_metric(affinity):
        return agglomeration.build_single_tree(X, affinity)
    return agglomeration.build_linkage_tree(X, affinity, linkage)
