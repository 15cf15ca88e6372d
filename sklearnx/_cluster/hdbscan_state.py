"""What is kept of a hierarchy: arrays from which all else follows without a distance.

The k-d tree is built anew from the rows, merges and clusters from the spanning tree, so
that nothing a kernel follows has to be believed.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from sklearnx._cluster.hdbscan import Distances
from sklearnx._cluster.kd_tree import build_kd_tree
from sklearnx._cluster.single_linkage import SpanningTree
from sklearnx._cluster.spanning_tree import Reachability


def pack_hierarchy(reachability, distances, rows):
    """Plain values of a hierarchy.

    Parameters
    ----------
    reachability : Reachability

    distances : Distances

    rows : ndarray or sparse matrix, or None
        The finite rows of the table, where there is no k-d tree that has them.
    """
    tree, edges = reachability.kd_tree, reachability.spanning_tree
    return {
        "core": reachability.core,
        "start": edges.start,
        "stop": edges.stop,
        "weights": edges.weights,
        "has_tree": tree is not None,
        "rows": rows if tree is None else tree.restore_rows(),
        "metric": distances.metric,
        "params": distances.params,
        "alpha": distances.alpha,
        "as_matrix": distances.as_matrix,
        "n_jobs": distances.n_jobs,
    }


def unpack_hierarchy(packed, n_threads=1):
    """The hierarchy of `pack_hierarchy`: its reachability, distances and rows.

    Raises
    ------
    ValueError
        If the arrays are not those of a hierarchy.
    """
    core = _check_array(packed["core"], "f", "core distances")
    n = len(core)
    ends = [_check_ends(packed[name], n) for name in ("start", "stop")]
    weights = _check_array(packed["weights"], "f", "weights")
    if len(weights) != n - 1 or np.isnan(weights).any() or np.isnan(core).any():
        raise ValueError("weights are not those of a spanning tree")
    _check_tree(*ends, n)
    rows = packed["rows"]
    if rows.ndim != 2 or rows.shape[0] != n:
        raise ValueError("the hierarchy is not that of the rows")
    tree = None
    if packed["has_tree"]:
        if sparse.issparse(rows) or not np.isfinite(rows).all():
            raise ValueError("the rows of a k-d tree are dense and finite")
        tree, rows = build_kd_tree(np.asarray(rows, np.float64), n_threads), None
    distances = Distances(
        packed["metric"],
        dict(packed["params"]),
        float(packed["alpha"]),
        as_matrix=bool(packed["as_matrix"]),
        n_jobs=packed["n_jobs"],
    )
    return Reachability(core, SpanningTree(*ends, weights), tree), distances, rows


def _check_array(values, kind, name):
    values = np.asarray(values)
    if values.ndim != 1 or values.dtype.kind != kind:
        raise ValueError(f"{name} are not an array of one dimension and of their type")
    return np.ascontiguousarray(values, dtype=np.float64 if kind == "f" else np.int32)


def _check_ends(values, n):
    values = _check_array(values, "i", "ends of edges")
    if len(values) != n - 1 or n < 2 or values.min() < 0 or values.max() >= n:
        raise ValueError("edges join rows that are not there")
    return values


def _check_tree(start, stop, n):
    """So many edges less one that connect all rows have no circle."""
    ones = np.ones(n - 1, dtype=np.int8)
    graph = sparse.coo_array((ones, (start, stop)), shape=(n, n)).tocsr()
    if sparse.csgraph.connected_components(graph, return_labels=False) != 1:
        raise ValueError("the edges do not connect all rows")
