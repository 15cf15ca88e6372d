"""The one accessor of the rows that are put into clusters around centres.

Algorithms ask rows for labels, sums and distances and never for their storage, so that
none of them has a twin for sparse data. Sums are double whatever the rows hold, and no
bit depends on the number of threads. Centres are of the dtype of the rows.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.utils.sparsefuncs import mean_variance_axis

from sklearnx._cython.cluster import (
    assignment,
    center_bounds,
    cluster_sums,
    seeding,
)

# Dense tables are kept in float32, packed for the tiles, up to this size (in bytes).
MAX_PACKED = 1 << 30


def make_rows(X, n_threads=1):
    """Return the accessor of a table.

    Parameters
    ----------
    X : ndarray in C order or CSR matrix of shape (n_rows, n_columns)
        Of float32 or float64. It is not copied.

    n_threads : int, default=1
        Threads of each call.
    """
    if sparse.issparse(X):
        return SparseRows(X, n_threads)
    return DenseRows(X, n_threads)


class _Rows:
    """What dense and sparse rows have in common.

    Attributes
    ----------
    n_rows, n_columns : int
    dtype : dtype
        float32 or float64.
    n_threads : int
    """

    def _describe(self, X, n_threads):
        self.n_rows, self.n_columns = X.shape
        self.dtype = X.dtype
        self.n_threads = n_threads

    def _as_centers(self, centers):
        return np.ascontiguousarray(centers, dtype=self.dtype)

    def assign(self, centers, with_distances=False):
        """Find the nearest centre of each row, the first of equally near ones.

        Returns
        -------
        labels : ndarray of shape (n_rows,), dtype int32
        squared_distances : ndarray of shape (n_rows,), dtype float64, or None
        """
        labels = np.empty(self.n_rows, dtype=np.int32)
        distances = np.empty(self.n_rows) if with_distances else None
        self._assign(self._as_centers(centers), labels, distances)
        return labels, distances

    def measure_assigned(self, centers, labels):
        """Squared distance of each row to the centre of its label, float64."""
        distances = np.empty(self.n_rows)
        self._measure_assigned(self._as_centers(centers), labels, distances)
        return distances

    def measure_all(self, centers):
        """Squared distances (n_rows, n_centers) to all centres, float64."""
        centers = self._as_centers(centers)
        distances = np.empty((self.n_rows, len(centers)))
        self._measure_all(centers, distances)
        return distances

    def sum_clusters(self, labels, n_clusters, sample_weight=None):
        """Weighted sums of the rows of each cluster.

        Returns
        -------
        sums : ndarray of shape (n_clusters, n_columns), dtype float64
        weights : ndarray of shape (n_clusters,), dtype float64
        """
        sums = ClusterSums(self, n_clusters, sample_weight)
        sums.update(labels)
        return sums.values.sum(axis=0), sums.weights.sum(axis=0)

    def start_assignment(self, n_clusters):
        """Labels that follow centres as they move; see `Assignment`."""
        return Assignment(self, n_clusters)

    def find_inertia(self, centers, labels, sample_weight=None):
        """Weighted sum of squared distances of all rows to their centres."""
        distances = self.measure_assigned(centers, labels)
        if sample_weight is not None:
            distances *= sample_weight
        return float(distances.sum())


class DenseRows(_Rows):
    """Rows of an array in C order."""

    def __init__(self, X, n_threads=1):
        self._describe(X, n_threads)
        self.X = X
        self._packed = None

    def _assign(self, centers, labels, distances):
        assignment.assign_nearest(self.X, centers, labels, distances, self.n_threads)

    def _measure_assigned(self, centers, labels, out):
        assignment.measure_assigned(self.X, centers, labels, out, self.n_threads)

    def _measure_all(self, centers, out):
        assignment.measure_all(self.X, centers, out, self.n_threads)

    def move_rows(self, weights, old_labels, labels, sums, cluster_weights, counts):
        """Bring sums up to date; see `ClusterSums`."""
        cluster_sums.move_rows(
            self.X,
            weights,
            old_labels,
            labels,
            sums,
            cluster_weights,
            counts,
            self.n_threads,
        )

    def take_rows(self, indices):
        """The accessor of some rows; they are copied."""
        return DenseRows(self.X[indices], self.n_threads)

    def to_dense(self, indices):
        """Some rows as an array in C order; a copy."""
        return self.X[indices]

    def find_moments(self):
        """Means and variances of the columns, float64."""
        mean, variance = np.empty(self.n_columns), np.empty(self.n_columns)
        cluster_sums.find_moments(self.X, mean, variance, self.n_threads)
        return mean, variance

    def pack(self):
        """The rows in float32 in the order that tiles read, made at the first call.

        Returns
        -------
        shift : ndarray of shape (n_columns,)
        scale : float
        blocks : ndarray of float32, or None where they would be too large
        squares : ndarray of shape (n_rows,), dtype float32, or None
        """
        if self._packed is None:
            shift, variance = self.find_moments()
            spread = np.sqrt(variance.sum())
            scale = 1.0
            if 0.0 < spread < np.inf:
                scale = 2.0 ** -min(max(np.frexp(spread)[1], -1000), 1000)
            n_blocks = -(-self.n_rows // 16)
            blocks = squares = None
            if 64 * n_blocks * self.n_columns <= MAX_PACKED:
                blocks = np.empty(16 * n_blocks * self.n_columns, dtype=np.float32)
                squares = np.empty(self.n_rows, dtype=np.float32)
                seeding.pack_table(
                    self.X, shift, scale, blocks, squares, self.n_threads
                )
            self._packed = shift, scale, blocks, squares
        return self._packed

    def start_assignment(self, n_clusters):
        """Labels that follow centres as they move; see `Assignment`."""
        if n_clusters == 1:
            return Assignment(self, n_clusters)
        return BoundedAssignment(self, n_clusters)

    def make_limits(self):
        """What `seed_next` keeps up of each row besides the distance."""
        limits = np.zeros((2, -(-self.n_rows // 16) * 16), dtype=np.float32)
        limits[0] = np.inf
        limits[0, : self.n_rows] = -np.inf
        return limits

    def seed_next(self, weights, closest, limits, sums, shares, first_row):
        """Choose one more centre by k-means++, and return its row."""
        return seeding.seed_next(
            self.X,
            *self.pack(),
            weights,
            closest,
            limits,
            sums,
            shares,
            first_row,
            self.n_threads,
        )


class SparseRows(_Rows):
    """Rows in CSR format, with int32 indices."""

    def __init__(self, X, n_threads=1):
        self._describe(X, n_threads)
        self.X = X
        self._arrays = (
            X.data,
            np.asarray(X.indices, dtype=np.int32),
            np.asarray(X.indptr, dtype=np.int32),
        )

    def _assign(self, centers, labels, distances):
        assignment.assign_nearest_sparse(
            *self._arrays, centers, labels, distances, self.n_threads
        )

    def _measure_assigned(self, centers, labels, out):
        assignment.measure_assigned_sparse(
            *self._arrays, centers, labels, out, self.n_threads
        )

    def _measure_all(self, centers, out):
        assignment.measure_all_sparse(*self._arrays, centers, out, self.n_threads)

    def move_rows(self, weights, old_labels, labels, sums, cluster_weights, counts):
        """Bring sums up to date; see `ClusterSums`."""
        cluster_sums.move_rows_sparse(
            *self._arrays,
            weights,
            old_labels,
            labels,
            sums,
            cluster_weights,
            counts,
            self.n_threads,
        )

    def take_rows(self, indices):
        """The accessor of some rows; they are copied."""
        return SparseRows(self.X[indices], self.n_threads)

    def to_dense(self, indices):
        """Some rows as an array in C order; a copy."""
        return self.X[indices].toarray()

    def find_moments(self):
        """Means and variances of the columns, float64."""
        mean, variance = mean_variance_axis(self.X, axis=0)
        return mean.astype(np.float64), variance.astype(np.float64)

    def make_limits(self):
        """Nothing more is kept up of sparse rows."""

    def seed_next(self, weights, closest, _, sums, shares, first_row):
        """Choose one more centre by k-means++, and return its row."""
        return seeding.seed_next_sparse(
            *self._arrays,
            self.n_columns,
            weights,
            closest,
            sums,
            shares,
            first_row,
            self.n_threads,
        )


class Assignment:
    """The nearest centres of all rows, found anew at each update.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,), dtype int32
        All -1 before the first update.
    """

    def __init__(self, rows, n_clusters):
        self._rows = rows
        self.labels = np.full(rows.n_rows, -1, dtype=np.int32)

    def update(self, centers):
        """Find the nearest of these centres; return how many labels have changed."""
        labels, _ = self._rows.assign(centers)
        n_changed = np.count_nonzero(labels != self.labels)
        self.labels[:] = labels
        return n_changed


class BoundedAssignment:
    """The same of dense rows and at least two centres, most rows left out by bounds."""

    def __init__(self, rows, n_clusters):
        self._rows = rows
        self._centers = None
        self.labels = np.full(rows.n_rows, -1, dtype=np.int32)
        self._upper = np.empty(rows.n_rows, dtype=np.float32)
        self._lower = np.empty(rows.n_rows, dtype=np.float32)

    def update(self, centers):
        """Find the nearest of these centres; return how many labels have changed."""
        n_changed = center_bounds.assign_bounded(
            self._rows.X,
            *self._rows.pack(),
            self._centers,
            centers,
            self.labels,
            self._upper,
            self._lower,
            self._rows.n_threads,
        )
        self._centers = centers
        return n_changed


class ClusterSums:
    """Weighted sums of the rows of each cluster, kept up as labels change.

    Attributes
    ----------
    values : ndarray of shape (2, n_clusters, n_columns)
        The sum is the first half plus the second, what rounding took from the first.
    weights : ndarray of shape (2, n_clusters)
        In the same way.
    counts : ndarray of shape (n_clusters,), dtype int64
        Rows whose weight is not zero.
    """

    def __init__(self, rows, n_clusters, sample_weight=None):
        self._rows = rows
        self._sample_weight = sample_weight
        self._labels = None
        self.values = np.zeros((2, n_clusters, rows.n_columns))
        self.weights = np.zeros((2, n_clusters))
        self.counts = np.zeros(n_clusters, dtype=np.int64)

    def update(self, labels):
        """Take the rows from where they were to where they are; -1 is nowhere."""
        self._rows.move_rows(
            self._sample_weight,
            self._labels,
            labels,
            self.values,
            self.weights,
            self.counts,
        )
        if self._labels is None:
            self._labels = labels.copy()
        else:
            self._labels[:] = labels
