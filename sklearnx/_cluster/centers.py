"""Centres of clusters: weighted means, and members nearest to all others."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import pairwise_distances

from sklearnx._cluster.row_distances import BLOCK_BYTES
from sklearnx._linalg import one_blas_thread


def find_centroids(X, labels, weights, n_clusters):
    """Weighted means of the rows of each cluster.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, n_columns)
        The table.

    labels : ndarray of shape (n,)
        Clusters from 0 on; others are left out.

    weights : ndarray of shape (n,)
        Of a positive sum in each cluster.

    n_clusters : int
        Clusters.

    Returns
    -------
    centroids : ndarray of shape (n_clusters, n_columns), dtype float64
    """
    centroids = np.empty((n_clusters, X.shape[1]))
    for label in range(n_clusters):
        members = np.flatnonzero(labels == label)
        own = weights[members]
        with one_blas_thread():
            centroids[label] = (own @ X[members]) / own.sum()
    return centroids


def find_medoids(X, labels, weights, n_clusters, metric, params):
    """Rows of the least sum of weight times distance to all others of their cluster.

    Parameters are those of `find_centroids`, and the metric of
    `sklearn.metrics.pairwise_distances` with its parameters.

    Returns
    -------
    medoids : ndarray of shape (n_clusters, n_columns), dtype float64
    """
    medoids = np.empty((n_clusters, X.shape[1]))
    for label in range(n_clusters):
        members = np.flatnonzero(labels == label)
        data, own = X[members], weights[members]
        size = max(1, BLOCK_BYTES // (8 * len(members)))
        with one_blas_thread():
            sums = np.concatenate(
                [
                    pairwise_distances(
                        data[first : first + size], data, metric=metric, **params
                    )
                    @ own
                    for first in range(0, len(members), size)
                ]
            )
        medoid = data[[int(np.argmin(sums))]]
        medoids[label] = medoid if isinstance(medoid, np.ndarray) else medoid.toarray()
    return medoids
