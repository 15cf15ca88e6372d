"""Labels that follow centres as they move; bounds leave them what they are."""

from __future__ import annotations

import numpy as np

from sklearnx._cython.cluster.group_bounds import CENTERS_PER_GROUP

# Bounds of groups are kept up to this size (in bytes).
MAX_BOUNDS = 1 << 30
# Dense rows have bounds of groups from so many columns, and numbers in all centres, on.
MIN_COLUMNS = 100
MIN_CENTER_VALUES = 20_000


def start_assignment(rows, n_clusters, algorithm="auto"):
    """Return an assignment that has no labels yet.

    Parameters
    ----------
    rows : accessor
        As `make_rows` returns it.

    n_clusters : int

    algorithm : {"auto", "lloyd", "elkan"}, default="auto"
        Which bounds to keep: for rows, for groups of centres where memory allows, or
        what is likely to be faster. It changes no label.

    Returns
    -------
    assignment : Assignment
    """
    if n_clusters == 1:
        return Assignment(rows)
    if algorithm == "auto":
        algorithm = _choose_algorithm(rows, n_clusters)
    n_bounds = rows.n_rows * -(-n_clusters // CENTERS_PER_GROUP)
    if algorithm == "elkan" and 4 * n_bounds <= MAX_BOUNDS and rows.fits_in_float32:
        return BoundedAssignment(rows, rows.assign_grouped, n_bounds)
    if rows.has_bounds_of_rows:
        return BoundedAssignment(rows, rows.assign_bounded, rows.n_rows)
    return Assignment(rows)


def _choose_algorithm(rows, n_clusters):
    """What is faster as measured: groups where a distance costs much, or are many."""
    if not rows.has_bounds_of_rows:
        return "elkan"
    is_long = rows.n_columns >= MIN_COLUMNS
    is_large = rows.n_columns * n_clusters >= MIN_CENTER_VALUES
    return "elkan" if is_long and is_large else "lloyd"


class Assignment:
    """The nearest centres of all rows, found anew at each update.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,), dtype int32
        All -1 before the first update.
    """

    def __init__(self, rows):
        self._rows = rows
        self.labels = np.full(rows.n_rows, -1, dtype=np.int32)

    def update(self, centers):
        """Find the nearest of these centres; return how many labels have changed."""
        labels, _ = self._rows.assign(centers)
        n_changed = np.count_nonzero(labels != self.labels)
        self.labels[:] = labels
        return n_changed


class BoundedAssignment(Assignment):
    """The same, most distances left out by bounds.

    Parameters
    ----------
    rows : accessor

    assign : callable
        Of old centres (None at first), new centres, labels, upper and lower bounds; it
        brings the last three up to date and returns how many labels have changed.

    n_bounds : int
        Number of the lower bounds.
    """

    def __init__(self, rows, assign, n_bounds):
        super().__init__(rows)
        self._assign = assign
        self._centers = None
        self._upper = np.empty(rows.n_rows, dtype=np.float32)
        self._lower = np.empty(n_bounds, dtype=np.float32)

    def update(self, centers):
        """Find the nearest of these centres; return how many labels have changed."""
        n_changed = self._assign(
            self._centers, centers, self.labels, self._upper, self._lower
        )
        self._centers = centers
        return n_changed
