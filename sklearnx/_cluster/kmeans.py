"""Lloyd's algorithm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearnx._cluster.assignments import start_assignment
from sklearnx._cluster.rows import ClusterSums


@dataclass
class Clustering:
    """What one run ends with.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,), dtype int32
    inertia : float
    centers : ndarray of shape (n_clusters, n_columns)
        Of the dtype of the rows.
    n_iter : int
    """

    labels: np.ndarray
    inertia: float
    centers: np.ndarray
    n_iter: int


def run_lloyd(
    rows,
    centers,
    sample_weight=None,
    *,
    algorithm="auto",
    max_iter=300,
    tol=0.0,
    report=None,
):
    """Alternate between nearest centres and means until nothing changes.

    Parameters
    ----------
    rows : accessor
        As `make_rows` returns it.

    centers : ndarray of shape (n_clusters, n_columns)
        The start, of the dtype of the rows.

    sample_weight : ndarray of shape (n_rows,), dtype float64, default=None
        Not negative. None for ones.

    algorithm : {"auto", "lloyd", "elkan"}, default="auto"
        As of `start_assignment`; all give the same clustering.

    max_iter : int, default=300

    tol : float, default=0.0
        Also stop when the centres move by squared distances of this sum.

    report : callable, default=None
        Called with lines of text on the progress.

    Returns
    -------
    clustering : Clustering
    """
    assignment = start_assignment(rows, len(centers), algorithm)
    sums = ClusterSums(rows, len(centers), sample_weight)
    is_strict = False
    centers = np.ascontiguousarray(centers)
    spare = None
    for iteration in range(max_iter):
        n_changed = assignment.update(centers)
        sums.update(assignment.labels)
        moved, shift = _move_centers(
            rows, sums, sample_weight, centers, assignment.labels, spare
        )
        # Those before are not needed any more; the first are not ours.
        spare = centers if iteration > 0 else None
        centers = moved
        if report is not None:
            inertia = rows.find_inertia(centers, assignment.labels, sample_weight)
            report(f"Iteration {iteration}, inertia {inertia}.")
        if n_changed == 0:
            if report is not None:
                report(f"Converged at iteration {iteration}: strict convergence.")
            is_strict = True
            break
        if shift <= tol:
            if report is not None:
                report(
                    f"Converged at iteration {iteration}: center shift {shift} within "
                    f"tolerance {tol}."
                )
            break
    if not is_strict:
        # So that labels are those of the last centres.
        assignment.update(centers)
    inertia = rows.find_inertia(centers, assignment.labels, sample_weight)
    return Clustering(assignment.labels, inertia, centers, iteration + 1)


def _move_centers(rows, sums, sample_weight, old_centers, labels, spare):
    """Means of all clusters, after rows have been found for those without any.

    They are written to `spare`, an array that is None or no longer needed, where all
    clusters have rows.

    Returns
    -------
    centers : ndarray of shape (n_clusters, n_columns)
    shift : float
        Sum of squared distances to the old centres.
    """
    if sums.counts.min() > 0:
        centers = np.empty_like(old_centers) if spare is None else spare
        return centers, sums.find_means(old_centers, centers)
    totals = sums.values.sum(axis=0)
    weights = sums.weights.sum(axis=0)
    _relocate_empty_clusters(rows, sample_weight, old_centers, labels, totals, weights)
    # A cluster that stays without rows goes to where the largest one is.
    is_empty = weights <= 0.0
    largest = int(np.argmax(weights))
    weights[is_empty] = 1.0
    means = totals / weights[:, np.newaxis]
    means[is_empty] = means[largest]
    centers = means.astype(rows.dtype, copy=False)
    steps = np.subtract(centers, old_centers, dtype=np.float64)
    return centers, float(np.square(steps).sum())


def _relocate_empty_clusters(rows, sample_weight, old_centers, labels, totals, weights):
    """Give each cluster without rows one of those farthest from their centres.

    IN/OUT: totals (n_clusters, n_columns) and weights (n_clusters,), sums over rows.
    """
    empty = np.flatnonzero(weights == 0.0)
    distances = rows.measure_assigned(old_centers, labels).astype(rows.dtype)
    if sample_weight is not None:
        distances[sample_weight == 0.0] = 0.0
    # More clusters than different rows, and none of them to be improved.
    if distances.max() == 0.0:
        return
    farthest = np.argpartition(distances, -len(empty))[: -len(empty) - 1 : -1]
    for cluster, row in zip(empty, farthest):
        weight = 1.0 if sample_weight is None else sample_weight[row]
        values = rows.to_dense([row])[0] * np.float64(weight)
        totals[labels[row]] -= values
        totals[cluster] = values
        weights[cluster] = weight
        weights[labels[row]] -= weight


def is_same_clustering(labels, other_labels, n_clusters):
    """Whether other labels are the same up to their names."""
    names = np.full(n_clusters, -1, dtype=other_labels.dtype)
    names[labels] = other_labels
    return bool((names[labels] == other_labels).all())
