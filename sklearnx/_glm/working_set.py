"""The columns that coordinate descent works on, with their Gram matrices.

Columns are packed once, and only the new rows and columns of a Gram matrix are computed
when columns join. The Gram matrix of a fold is that of all rows less that of the rows
held out.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from sklearnx._glm.design import make_design

# A lasso has at most as many non-zeros as rows; room is made for so many, up to this.
N_LIKELY = 4096

# Numbers of a dense block of joining columns.
BLOCK_SIZE = 1 << 22


class WorkingSet:
    """Some columns of a design, in the order in which they joined.

    Parameters
    ----------
    design : DenseDesign or SparseDesign

    samples : list of Sample
        That Gram matrices are kept for. Those with the very same weights share one.
        Rows held out are held out of the first.

    columns : ndarray of int
        The first columns.

    gram : ndarray of shape (n_columns, n_columns) or None, default=None
        The Gram matrix of all columns if it is known, of all samples; `columns` must
        then be all.

    Attributes
    ----------
    columns : ndarray of int
    """

    def __init__(self, design, samples, columns, gram=None):
        self.design = design
        self.samples = samples
        self.columns = columns
        self._mask = np.zeros(design.n_columns, dtype=bool)
        self._mask[columns] = True
        self._packer = _Packer(design)
        self._packed = self._packer.append(columns)
        self._grams = {}
        for sample in samples:
            key = id(sample.weights)
            n_likely = min(design.n_rows, design.n_columns, N_LIKELY)
            self._grams[key] = (
                _GrowingSquare(n_likely) if gram is None else _Fixed(gram)
            )

    @property
    def is_whole(self):
        """Whether it holds all columns."""
        return len(self.columns) == self.design.n_columns

    @property
    def packed(self):
        """A design of the columns; those that joined are copied when it is needed."""
        n_packed = self._packed.n_columns
        if n_packed < len(self.columns):
            self._packed = self._packer.append(self.columns[n_packed:])
        return self._packed

    def contains(self):
        """Whether each column of the design is in the set, of bool."""
        return self._mask

    def change(self, kept, joining):
        """Keep the columns at some positions, and let others join behind them."""
        if len(kept) < len(self.columns):
            self._packed = self._packer.keep(kept[kept < self._packed.n_columns])
            for square in self._grams.values():
                square.keep(kept[kept < square.size])
            self._mask[self.columns] = False
            self.columns = self.columns[kept]
            self._mask[self.columns] = True
        self.columns = np.concatenate([self.columns, joining])
        self._mask[joining] = True

    def gram(self, sample):
        """The centred, weighted Gram matrix of the columns, for a sample of the set.

        Its rows are contiguous, but need not follow each other closely.
        """
        square = self._grams[id(sample.weights)]
        n_known, n = square.size, len(self.columns)
        if n_known < n:
            if n_known == 0:
                block = self._compute_gram(sample)
            else:
                block = self._compute_new_columns(sample, n_known)
            square.extend(block)
            _silence_constants(
                square.values, n_known, sample, self._centre_of(sample), self.samples
            )
        return square.values

    def _compute_gram(self, sample):
        """The Gram matrix from scratch."""
        centre = self._centre_of(sample)
        if sample.held_out is None:
            return self.packed.gram(sample.weights, centre)
        # With rows centred at the first sample's means c, and d = sample's means - c,
        # sum over the rest = gram of all - gram of those held out - total d d'.
        first = self.samples[0]
        rows, weights = sample.held_out, first.weights
        held = self.packed.take_rows(as_slice(rows)).gram(
            None if weights is None else weights[rows], self._centre_of(first)
        )
        gram = self.gram(first) - held
        if centre is not None:
            shift = centre - self._centre_of(first)
            gram -= sample.total * np.outer(shift, shift)
        return gram

    def _compute_new_columns(self, sample, start):
        """The columns of the Gram matrix from `start` on."""
        n = len(self.columns)
        if sample.held_out is not None:
            first = self.samples[0]
            result = self.gram(first)[:, start:] - self._multiply_new(
                first, start, sample.held_out
            )
            if sample.x_mean is not None:
                shift = self._centre_of(sample) - self._centre_of(first)
                result -= sample.total * np.outer(shift, shift[start:])
            return result
        result = np.empty((n, n - start))
        result[:] = self._multiply_new(sample, start, None)
        return result

    def _multiply_new(self, sample, start, rows):
        """Weighted products of centred columns with those from `start` on.

        rows : those to sum over, None for all; weights and centre are the sample's.
        """
        n = len(self.columns)
        centre = self._centre_of(sample)
        table, weights = self.packed, sample.weights
        if rows is not None:
            table = table.take_rows(as_slice(rows))
            weights = None if weights is None else weights[rows]
        result = np.empty((n, n - start))
        step = max(1, BLOCK_SIZE // max(1, table.n_rows))
        for low in range(start, n, step):
            high = min(low + step, n)
            block = table.take_columns(np.arange(low, high)).to_array()
            block = np.array(block, order="C")
            if centre is not None:
                block -= centre[low:high]
            if weights is not None:
                block *= weights[:, None]
            products = table.t_dot(block)
            if centre is not None:
                products -= np.outer(centre, block.sum(axis=0))
            result[:, low - start : high - start] = products
        return result

    def _centre_of(self, sample):
        return None if sample.x_mean is None else sample.x_mean[self.columns]


def use_known_gram(design, samples, gram):
    """The working set of all columns whose Gram matrix is given."""
    columns = np.arange(design.n_columns)
    gram = np.ascontiguousarray(gram, dtype=np.float64)
    return WorkingSet(design, samples, columns, gram)


class _Packer:
    """Columns of a design side by side, with room for more."""

    def __init__(self, design):
        self.design = design
        self.n = 0
        self.table = None

    def append(self, columns):
        """Append columns; return a design of all."""
        design = self.design
        n_all = design.n_columns
        if self.n == 0 and np.array_equal(columns, np.arange(n_all)):
            return design
        added = design.take_columns(columns).X
        n = self.n + len(columns)
        if design.is_sparse:
            added = sparse.csc_array(added)  # numbers beside categories are dense
            parts = [added] if self.table is None else [self.table, added]
            self.table = sparse.hstack(parts, format="csc")
        else:
            if self.table is None or n > self.table.shape[1]:
                n_room = min(n_all, max(2 * n, min(design.n_rows, N_LIKELY)))
                room = np.empty((design.n_rows, n_room), design.dtype, order="F")
                room[:, : self.n] = 0 if self.table is None else self.table[:, : self.n]
                self.table = room
            self.table[:, self.n : n] = added
        return self._use(n)

    def keep(self, kept):
        """Keep columns at some positions; return a design of them."""
        if self.design.is_sparse:
            self.table = self.table[:, kept]
        else:
            lines = self.table.T  # each contiguous
            lines[: len(kept)] = lines[kept]
        return self._use(len(kept))

    def _use(self, n):
        self.n = n
        return make_design(self.table[:, :n], self.design.n_threads)


class _GrowingSquare:
    """A symmetric matrix with room for more rows and columns."""

    def __init__(self, n_likely):
        self.size = 0
        self._n_likely = n_likely
        self._room = np.empty((0, 0))

    @property
    def values(self):
        return self._room[: self.size, : self.size]

    def extend(self, columns):
        """Append columns, of the full height, and the rows that mirror them."""
        n, n_known = len(columns), self.size
        if n > len(self._room):
            # Exact the first time: many sets never grow. Memory that is not written to
            # costs nothing, so there is room for as many as there may be at once.
            length = n if n_known == 0 else max(n + n // 4, self._n_likely)
            room = np.empty((length, length))
            room[:n_known, :n_known] = self.values
            self._room = room
        self._room[:n, n_known:n] = columns
        self._room[n_known:n, :n_known] = columns[:n_known].T
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


def _silence_constants(gram, start, sample, centre, samples):
    """Zero rows and columns from `start` on of what is constant but for rounding."""
    diagonal = gram.diagonal()[start:]
    eps = np.finfo(np.float64).eps
    floor = np.zeros(len(diagonal))
    if centre is not None:
        # Each row less its mean is off by eps times the mean.
        floor = sample.total * (4 * eps * centre[start:]) ** 2
        if sample.held_out is not None:
            scale = samples[0].x_mean is not None
            floor = floor + 64 * eps * diagonal.max(initial=0.0) * eps * scale
    is_constant = diagonal <= floor
    if is_constant.any() and diagonal[is_constant].any():
        positions = start + np.flatnonzero(is_constant)
        gram[positions] = 0.0
        gram[:, positions] = 0.0
