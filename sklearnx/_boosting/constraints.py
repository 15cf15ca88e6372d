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
