"""Constraints on what trees may do, in the form that the grower reads."""

import numpy as np


def encode_interactions(groups, n_features):
    """Return a mask of shape (n_groups, n_features), None for no constraint.

    Parameters
    ----------
    groups : list of sets of int, or None
        Features that may meet on a path from the root to a leaf.
    n_features : int
    """
    if groups is None:
        return None
    mask = np.zeros((len(groups), n_features), dtype=np.uint8)
    for group, features in zip(mask, groups, strict=True):
        group[list(features)] = 1
    return mask


def encode_monotonic(monotonic_cst, is_categorical):
    """Return the sign of each feature's constraint as int8 array.

    Raises
    ------
    ValueError
        If a categorical feature, which has no order, is constrained.
    """
    if is_categorical is not None and np.any(monotonic_cst[is_categorical]):
        raise ValueError("Categorical features cannot have monotonic constraints.")
    return np.ascontiguousarray(monotonic_cst, dtype=np.int8)


def clip_refitted_leaves(nodes, weights, monotonic_cst, leaf_nodes, values):
    """Hold values that leaves got from their rows to the monotonic constraints.

    The grower sees to the constraints by values that follow from the gradients. Where a
    loss finds its leaves' values otherwise, each constrained split gets a bound between
    the means of its children, which nothing below may cross.

    Parameters
    ----------
    nodes : NODE_DTYPE array of shape (n_nodes,)
        Of one tree; children come after their parent.
    weights : float64 array of shape (n_nodes,)
        Of the rows of each node.
    monotonic_cst : int8 array of shape (n_features,)
    leaf_nodes : int32 array of shape (n_leaves,)
    values : float64 array of shape (n_leaves,)
        Of these leaves.

    Returns
    -------
    values : float64 array of shape (n_leaves,)
    """
    splits = np.flatnonzero(nodes["feature"] >= 0)
    means = np.zeros(len(nodes))
    means[leaf_nodes] = values
    for node in splits[::-1]:
        left = nodes["left"][node]
        share = weights[left] / (weights[left] + weights[left + 1])
        means[node] = share * means[left] + (1 - share) * means[left + 1]
    lower, upper = np.full(len(nodes), -np.inf), np.full(len(nodes), np.inf)
    for node in splits:
        low = nodes["left"][node]
        high = low + 1
        lower[low] = lower[high] = lower[node]
        upper[low] = upper[high] = upper[node]
        cst = monotonic_cst[nodes["feature"][node]]
        if cst == 0:
            continue
        middle = means[low] / 2 + means[high] / 2
        middle = min(max(middle, lower[node]), upper[node])
        if cst < 0:
            low, high = high, low
        upper[low] = lower[high] = middle
    return np.clip(values, lower[leaf_nodes], upper[leaf_nodes])
