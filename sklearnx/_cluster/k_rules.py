"""Which number of clusters curves over it speak for."""

from __future__ import annotations

import numpy as np


def find_elbow(n_clusters, inertia):
    """The number of clusters after which the inertia falls slowest.

    The point of the curve that is farthest below the straight line through its ends,
    with both axes scaled to [0, 1].

    Parameters
    ----------
    n_clusters : ndarray of shape (n,)
        Ascending.

    inertia : ndarray of shape (n,)
        Falling, but for noise.

    Returns
    -------
    position : int or None
        None where the curve has less than three points or lies nowhere below the line.

    References
    ----------
    V. Satopää, J. Albrecht, D. Irwin and B. Raghavan. "Finding a 'Kneedle' in a
    Haystack: Detecting Knee Points in System Behavior". ICDCS Workshops 2011. Section
    III, without smoothing.
    """
    fall = inertia[0] - inertia[-1] if len(inertia) > 2 else 0.0
    if not fall > 0.0:
        return None
    right = (n_clusters - n_clusters[0]) / (n_clusters[-1] - n_clusters[0])
    below = (inertia[0] - inertia) / fall - right
    position = int(np.argmax(below))
    return position if below[position] > 0.0 else None


def find_largest(values):
    """The position of the largest value, the first of equal ones; None if all NaN."""
    if np.isnan(values).all():
        return None
    return int(np.nanargmax(values))
