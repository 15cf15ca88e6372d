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
    group_bounds,
    seeding,
)

# Dense tables are kept in float32 too up to this size (in bytes).
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


def _find_scale(square):
    """A power of two that makes numbers of this mean square about 1."""
    root = np.sqrt(square)
    if not 0.0 < root < np.inf:
        return 1.0
    return 2.0 ** -min(max(np.frexp(root)[1], -1000), 1000)


class _Rows:
    """What dense and sparse rows have in common.

    Attributes
    ----------
    n_rows, n_columns : int
    dtype : dtype
        float32 or float64.
    n_threads : int
    has_bounds_of_rows : bool
        Whether there is `assign_bounded`.
    fits_in_float32 : bool
        Whether `assign_grouped` finds room for what it needs.
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

    def find_inertia(self, centers, labels, sample_weight=None):
        """Weighted sum of squared distances of all rows to their centres."""
        distances = self.measure_assigned(centers, labels)
        if sample_weight is not None:
            distances *= sample_weight
        return float(distances.sum())


class DenseRows(_Rows):
    """Rows of an array in C order."""

    has_bounds_of_rows = True

    def __init__(self, X, n_threads=1):
        self._describe(X, n_threads)
        self.X = X
        self._moments = None
        self._copy = None

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
        """Means and variances of the columns, float64; not to be written to."""
        if self._moments is None:
            mean, variance = np.empty(self.n_columns), np.empty(self.n_columns)
            cluster_sums.find_moments(self.X, mean, variance, self.n_threads)
            self._moments = mean, variance
        return self._moments

    def find_frame(self):
        """A shift and a scale, a power of two, that make the rows about 1.

        Returns
        -------
        shift : ndarray of shape (n_columns,)
        scale : float
        """
        shift, variance = self.find_moments()
        return shift, _find_scale(variance.sum())

    @property
    def fits_in_float32(self):
        """Whether the table may be kept in float32 too."""
        return 64 * -(-self.n_rows // 16) * self.n_columns <= MAX_PACKED

    def _keep(self, make):
        """What `make` writes of all rows in float32; only the last result is kept."""
        if self._copy is None or self._copy[0] is not make:
            self._copy = None
            self._copy = make, make(self)
        return self._copy[1]

    def pack(self):
        """The rows in float32 in the order that tiles read.

        Returns
        -------
        shift : ndarray of shape (n_columns,)
        scale : float
        blocks : ndarray of float32, or None where they would be too large
        squares : ndarray of shape (n_rows,), dtype float32, or None
        """
        if not self.fits_in_float32:
            return *self.find_frame(), None, None
        return *self.find_frame(), *self._keep(_make_blocks)

    def assign_bounded(self, *state):
        """Assign with two bounds of each row; see `BoundedAssignment`."""
        return center_bounds.assign_bounded(
            self.X, *self.pack(), *state, self.n_threads
        )

    def assign_grouped(self, *state):
        """Assign with bounds of groups of centres; see `BoundedAssignment`."""
        copy = self._keep(_make_rounded)
        return group_bounds.assign_grouped(
            self.X, *self.find_frame(), *copy, *state, self.n_threads
        )

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


def _make_blocks(rows):
    n_values = 16 * -(-rows.n_rows // 16) * rows.n_columns
    blocks = np.empty(n_values, dtype=np.float32)
    squares = np.empty(rows.n_rows, dtype=np.float32)
    seeding.pack_table(rows.X, *rows.find_frame(), blocks, squares, rows.n_threads)
    return blocks, squares


def _make_rounded(rows):
    values = np.empty(rows.X.shape, dtype=np.float32)
    squares = np.empty(rows.n_rows, dtype=np.float32)
    group_bounds.round_table(
        rows.X, *rows.find_frame(), values, squares, rows.n_threads
    )
    return values, squares


class SparseRows(_Rows):
    """Rows in CSR format, with int32 indices."""

    has_bounds_of_rows = False
    fits_in_float32 = True

    def __init__(self, X, n_threads=1):
        self._describe(X, n_threads)
        self.X = X
        self._arrays = (
            X.data,
            np.asarray(X.indices, dtype=np.int32),
            np.asarray(X.indptr, dtype=np.int32),
        )
        self._scaled_squares = None

    def _scale_squares(self):
        """A power of two, and the squared norms of the rows times it, in float32."""
        if self._scaled_squares is None:
            squares = self.measure_assigned(
                np.zeros((1, self.n_columns)), np.zeros(self.n_rows, dtype=np.int32)
            )
            scale = _find_scale(squares.mean())
            with np.errstate(over="ignore"):
                scaled = (squares * scale * scale).astype(np.float32)
            self._scaled_squares = scale, scaled
        return self._scaled_squares

    def assign_grouped(self, *state):
        """Assign with bounds of groups of centres; see `BoundedAssignment`."""
        return group_bounds.assign_grouped_sparse(
            *self._arrays, *self._scale_squares(), *state, self.n_threads
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

    def find_means(self, old_means, out):
        """Means of clusters, none of which may be without rows.

        Parameters
        ----------
        old_means, out : ndarray of shape (n_clusters, n_columns)
            Of the dtype of the rows, in C order.

        Returns
        -------
        shift : float
            Sum of the squared distances between old and new means.
        """
        return cluster_sums.find_means(
            self.values, self.weights, old_means, out, self._rows.n_threads
        )
