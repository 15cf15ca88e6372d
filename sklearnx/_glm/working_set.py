"""The columns that coordinate descent works on, with their Gram matrix.

Columns are gathered once (`column_store`), and only the new rows and columns of the
Gram matrix are computed when columns join. Sets of folds are in `fold_sets`.
"""

from __future__ import annotations

import numpy as np

from sklearnx._glm.column_store import (
    N_LIKELY,
    DenseStore,
    SparseStore,
    WholeStore,
    gather_columns,
)


class ColumnSet:
    """Some columns of a design, in the order in which they joined.

    Parameters
    ----------
    design : DenseDesign or SparseDesign

    columns : ndarray of int
        The first columns.

    Attributes
    ----------
    columns : ndarray of int
    """

    def __init__(self, design, columns):
        self.design = design
        self.columns = columns
        self._mask = np.zeros(design.n_columns, dtype=bool)
        self._mask[columns] = True

    @property
    def is_whole(self):
        """Whether it holds all columns."""
        return len(self.columns) == self.design.n_columns

    def contains(self):
        """Whether each column of the design is in the set, of bool."""
        return self._mask

    def change(self, kept, joining):
        """Keep the columns at some positions, and let others join behind them."""
        if len(kept) < len(self.columns):
            self._mask[self.columns] = False
            self.columns = self.columns[kept]
            self._mask[self.columns] = True
        self.columns = np.concatenate([self.columns, joining])
        self._mask[joining] = True


class WorkingSet(ColumnSet):
    """Columns with the Gram matrix of one sample, or several of the same weights.

    Parameters
    ----------
    design : DenseDesign or SparseDesign

    sample : Sample

    columns : ndarray of int
        The first columns.

    gram : ndarray of shape (n_columns, n_columns) or None, default=None
        The Gram matrix of all columns if it is known; `columns` must then be all.

    gathered : GatheredColumns, ColumnsInPlace or None, default=None
        Of the design, where several sets take columns from it.

    Attributes
    ----------
    columns : ndarray of int
    """

    def __init__(self, design, sample, columns, gram=None, gathered=None):
        super().__init__(design, columns)
        self.sample = sample
        self._gathered = gathered
        self._norms2 = np.empty(0)
        self._store = _make_store(design, columns, gathered)
        n_used = design.n_rows
        if sample.weights is not None:
            n_used = np.count_nonzero(sample.weights)
        n_likely = min(n_used, design.n_columns, N_LIKELY)
        self._gram = _GrowingSquare(n_likely) if gram is None else _Fixed(gram)

    def change(self, kept, joining):
        if len(kept) == self.design.n_columns:
            return
        if self.is_whole:
            self._store = _make_store(self.design, self.columns[kept], self._gathered)
        else:
            self._store.change(kept, joining)
        if len(kept) < len(self.columns):
            self._gram.keep(kept[kept < self._gram.size])
            self._norms2 = self._norms2[kept[kept < len(self._norms2)]]
        super().change(kept, joining)

    def gram(self, n_threads=None):
        """The centred, weighted Gram matrix of the columns.

        Its rows are contiguous, but need not follow each other closely. n_threads: of
        its products, None for those of the design.
        """
        square, sample = self._gram, self.sample
        n_known = square.size
        if n_known < len(self.columns):
            centre = None if sample.x_mean is None else sample.x_mean[self.columns]
            square.extend(len(self.columns))
            self._store.extend_gram(
                square.values, n_known, sample.weights, centre, n_threads
            )
            silence_constants(square.values, n_known, find_floor(sample, centre))
        return square.values

    def squared_norms(self):
        """The diagonal of `gram`."""
        n_known = len(self._norms2)
        if n_known < len(self.columns):
            columns, sample = self.columns[n_known:], self.sample
            centre = None if sample.x_mean is None else sample.x_mean[columns]
            joined = self.design.take_columns(columns).squared_norms(
                sample.weights, centre
            )
            joined[joined <= find_floor(sample, centre)] = 0.0
            self._norms2 = np.concatenate([self._norms2, joined])
        return self._norms2

    def list_columns(self):
        """The columns as `descend_columns` takes them."""
        return self._store.list_columns()

    def t_dot(self, rows):
        """X[:, columns].T @ rows."""
        if len(self.columns) == 0:
            return np.zeros((0, rows.shape[1]))
        return self._store.t_dot(rows)

    def fit_rows(self, coefs, rows=None):
        """X[rows][:, columns] @ coefs: coefs (n_set, n_outputs), rows None for all."""
        if len(self.columns) == 0:
            n_rows = self.design.n_rows if rows is None else len(rows)
            return np.zeros((n_rows, coefs.shape[1]))
        rows = None if rows is None else as_slice(rows)
        return self._store.dot(np.ascontiguousarray(coefs), rows)


def _make_store(design, columns, gathered):
    if np.array_equal(columns, np.arange(design.n_columns)):
        return WholeStore(design)
    if design.is_sparse:
        return SparseStore(design, columns)
    return DenseStore(gathered or gather_columns(design), columns)


def use_known_gram(design, sample, gram):
    """The working set of all columns whose Gram matrix is given."""
    columns = np.arange(design.n_columns)
    gram = np.ascontiguousarray(gram, dtype=np.float64)
    return WorkingSet(design, sample, columns, gram)


class _GrowingSquare:
    """A symmetric matrix with room for more rows and columns."""

    def __init__(self, n_likely):
        self.size = 0
        self._n_likely = n_likely
        self._room = np.empty((0, 0))

    @property
    def values(self):
        return self._room[: self.size, : self.size]

    def extend(self, n):
        """Make room for n rows and columns; the new ones are to be filled."""
        n_known = self.size
        if n > len(self._room):
            # Exact the first time: many sets never grow. Memory that is not written to
            # costs nothing, so there is room for as many as there may be at once.
            length = n if n_known == 0 else max(n + n // 4, self._n_likely)
            room = np.empty((length, length))
            room[:n_known, :n_known] = self.values
            self._room = room
        self.size = n

    def keep(self, kept):
        """Keep rows and columns at some positions."""
        n = len(kept)
        self._room[:n, :n] = self.values[np.ix_(kept, kept)]
        self.size = n


class _Fixed:
    """A matrix of all columns, which does not grow."""

    def __init__(self, values):
        self.values = values
        self.size = len(values)


def as_slice(rows):
    """Sorted positions as a slice where they are consecutive, so as not to copy."""
    if len(rows) > 0 and rows[-1] - rows[0] == len(rows) - 1:
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def find_floor(sample, centre):
    """Sums of squares below which a column is constant but for rounding.

    Each row less its mean is off by eps times the mean.
    """
    if centre is None:
        return 0.0
    return sample.total * (4 * np.finfo(np.float64).eps * centre) ** 2


def silence_constants(gram, start, floor):
    """Zero rows and columns from `start` on whose diagonal is at most the floor."""
    diagonal = gram.diagonal()[start:]
    is_constant = diagonal <= np.broadcast_to(floor, len(gram))[start:]
    if is_constant.any() and diagonal[is_constant].any():
        positions = start + np.flatnonzero(is_constant)
        gram[positions] = 0.0
        gram[:, positions] = 0.0
