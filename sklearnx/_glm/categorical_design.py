"""A design of numbers and of categories, whose one-hot columns are never built.

A categorical column stands for the one-hot columns of its levels. What products sum
over rows are then sums by level, and a Gram matrix holds cross tables of counts:

              numbers            levels of a      levels of b
    numbers   Gram               sums by level    sums by level
    a         .                  counts           cross table
    b         .                  .                counts

Several columns are put into one table where it stays small: the cross tables of its
pairs of columns are its margins, so that one addition a row does the work of several.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np
from scipy import sparse

from sklearnx._cached_property import cached_property
from sklearnx._cython.linear.categories import (
    add_from_cells,
    sum_dense_in_cells,
    sum_in_cells,
    sum_sparse_in_cells,
)
from sklearnx._glm.design import make_design

# A table of so many numbers stays in the second cache, of so few in the first.
_N_CELLS_OF_PAIRS = 1 << 14
_N_CELLS = 1 << 12
_N_CELLS_READ = 1 << 10


@dataclass(frozen=True)
class _Table:
    """Some categorical columns as one.

    Attributes
    ----------
    columns : tuple of int
    sizes : tuple of int
        Cells along each.
    """

    columns: tuple
    sizes: tuple

    @property
    def n_cells(self):
        return prod(self.sizes)

    @property
    def axes(self):
        """Rows of (column, stride) in C order."""
        strides = [prod(self.sizes[i + 1 :]) for i in range(len(self.sizes))]
        return np.array(list(zip(self.columns, strides)), dtype=np.int64)

    def get_margin(self, cells, columns):
        """Return the sums over all columns but some: (*sizes, n_outputs)."""
        cells = cells.reshape(*self.sizes, -1)
        others = (i for i, column in enumerate(self.columns) if column not in columns)
        return cells.sum(axis=tuple(others))


class CategoricalDesign:
    """Columns of numbers, then one column for each level of categorical columns.

    Its methods are those of `DenseDesign`, where they are described.

    Parameters
    ----------
    numbers : ndarray or sparse matrix of shape (n_rows, n_numbers) or None
        Of float32 or float64.

    codes : list of int array of shape (n_rows,)
        Levels of each categorical column, at least one column. A negative code is no
        level: the row is zero in all columns of the levels.

    n_levels : list of int
        Levels of each categorical column.

    n_threads : int, default=1
    """

    # Most of its numbers are zeros, and no copy of it shall be dense.
    is_sparse = True

    def __init__(self, numbers, codes, n_levels, n_threads=1):
        self.n_rows = len(codes[0])
        self.n_levels = [int(n) for n in n_levels]
        self._codes = [_pack(of_column, n) for of_column, n in zip(codes, n_levels)]
        self._set_numbers(
            None if numbers is None else make_design(numbers, n_threads), n_threads
        )

    def _set_numbers(self, numbers, n_threads):
        """Set all that depends on the design of the numbers."""
        self.numbers = numbers
        self.n_threads = n_threads
        self.n_numbers = 0 if numbers is None else numbers.n_columns
        self.n_dense = 0 if numbers is None else numbers.n_dense
        self.n_columns = self.n_numbers + sum(self.n_levels)
        self.dtype = np.dtype(np.float64) if numbers is None else numbers.dtype
        # One more cell for rows without a level.
        self._sizes = [n + 1 for n in self.n_levels]
        ends = self.n_numbers + np.cumsum(self.n_levels)
        self._places = [
            slice(end - n, end) for end, n in zip(ends.tolist(), self.n_levels)
        ]

    @property
    def shape(self):
        return self.n_rows, self.n_columns

    @property
    def size(self):
        """Numbers and codes that are stored."""
        return self.n_rows * (self.n_numbers + len(self._codes))

    def max(self):
        """The largest number of the table, or 1."""
        if self.numbers is None or self.n_numbers == 0:
            return 1.0
        return max(1.0, self.numbers.X.max())

    def use_threads(self, n_threads):
        """Return the design with another number of threads."""
        other = copy(self)
        if self.numbers is not None:
            other.numbers = copy(self.numbers)
            other.numbers.n_threads = n_threads
        other.n_threads = n_threads
        return other

    def dot(self, coef):
        coef = np.asarray(coef, dtype=np.float64)
        if len(coef) != self.n_columns:
            raise ValueError(f"{len(coef)} coefficients for {self.n_columns} columns.")
        out = self._dot_numbers(coef)
        by_output = coef if coef.ndim == 2 else coef[:, None]
        tables = self._merge_columns(_N_CELLS_READ // by_output.shape[1])
        add_from_cells(
            self._codes,
            [table.axes for table in tables],
            [self._sum_coefficients(table, by_output) for table in tables],
            out.reshape(self.n_rows, -1),
            self.n_threads,
        )
        return out

    def _dot_numbers(self, coef):
        if self.numbers is None:
            return np.zeros((self.n_rows, *coef.shape[1:]))
        of_numbers = np.ascontiguousarray(coef[: self.n_numbers])
        return np.ascontiguousarray(self.numbers.dot(of_numbers), dtype=np.float64)

    def _sum_coefficients(self, table, coef):
        """Return what a row of each cell of a table gets: (n_cells, n_outputs)."""
        n_outputs = coef.shape[1]
        total = np.zeros((*table.sizes, n_outputs))
        for axis, column in enumerate(table.columns):
            of_cells = np.zeros((self._sizes[column], n_outputs))
            of_cells[:-1] = coef[self._places[column]]
            shape = [1] * len(table.sizes) + [n_outputs]
            shape[axis] = -1
            total += of_cells.reshape(shape)
        return total.reshape(-1, n_outputs)

    def t_dot(self, rows):
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        out = np.empty((self.n_columns, *rows.shape[1:]))
        if self.numbers is not None:
            out[: self.n_numbers] = self.numbers.t_dot(rows)
        by_output = rows.reshape(self.n_rows, -1)
        tables = self._merge_columns(_N_CELLS // by_output.shape[1])
        for table, cells in zip(tables, self._sum_in_cells(tables, by_output)):
            for column in table.columns:
                sums = table.get_margin(cells, [column])[:-1]
                out[self._places[column]] = sums.reshape(-1, *rows.shape[1:])
        return out

    def gram(self, weights=None, centre=None):
        weights = _as_weights(weights)
        first = self.n_numbers
        gram = np.empty((self.n_columns, self.n_columns))
        total = self._fill_cross_tables(gram, weights)
        sums = np.diagonal(gram).copy()
        numbers_centre = None if centre is None else centre[:first]
        if self.numbers is not None:
            gram[:first, :first] = self.numbers.gram(weights, numbers_centre)
            crossed, number_sums = self._cross_numbers(weights, numbers_centre)
            gram[first:, :first] = crossed
        if centre is not None:
            centre, sums = centre[first:], sums[first:]
            levels = gram[first:, first:]
            levels -= np.outer(sums, centre) + np.outer(centre, sums)
            levels += total * np.outer(centre, centre)
            if self.numbers is not None:
                gram[first:, :first] -= np.outer(centre, number_sums)
        gram[:first, first:] = gram[first:, :first].T
        return gram

    def _fill_cross_tables(self, gram, weights):
        """Write the cross tables of all pairs of columns; return the total weight."""
        tables = self._pair_tables
        values = None if weights is None else weights[:, None]
        all_cells = self._sum_in_cells(tables, values)
        for table, cells in zip(tables, all_cells):
            for a in table.columns:
                counts = table.get_margin(cells, [a])[:-1, 0]
                gram[self._places[a], self._places[a]] = np.diag(counts)
            for a, b in combinations(table.columns, 2):
                counts = table.get_margin(cells, [a, b])[:-1, :-1, 0]
                gram[self._places[a], self._places[b]] = counts
                gram[self._places[b], self._places[a]] = counts.T
        return all_cells[0].sum()

    def _cross_numbers(self, weights, centre):
        """Return sums of weights * (numbers - centre) by level, and of all rows."""
        n_numbers = self.n_numbers
        tables = self._merge_columns(_N_CELLS // n_numbers)
        arguments = (
            self._codes,
            [table.axes for table in tables],
            [table.n_cells for table in tables],
        )
        to_subtract = np.zeros(n_numbers) if centre is None else centre
        if self.numbers.is_sparse:
            matrix = self._numbers_by_row
            all_cells = sum_sparse_in_cells(
                *arguments, *matrix, n_numbers, weights, self.n_threads
            )
            values = None if weights is None else weights[:, None]
            counts = self._sum_in_cells(tables, values)
            for cells, of_cells in zip(all_cells, counts):
                cells -= of_cells * to_subtract
        else:
            all_cells = sum_dense_in_cells(
                *arguments,
                self.numbers.X,
                np.ascontiguousarray(to_subtract, dtype=np.float64),
                weights,
                self.n_threads,
            )
        crossed = np.empty((self.n_columns - n_numbers, n_numbers))
        for table, cells in zip(tables, all_cells):
            for column in table.columns:
                place = self._places[column]
                crossed[place.start - n_numbers : place.stop - n_numbers] = (
                    table.get_margin(cells, [column])[:-1]
                )
        return crossed, all_cells[0].sum(axis=0)

    @cached_property
    def _numbers_by_row(self):
        """The arrays of sparse numbers as the kernels take them."""
        matrix = self.numbers.X.tocsr()
        return (
            matrix.indptr.astype(np.int64),
            matrix.indices.astype(np.int32, copy=False),
            matrix.data,
        )

    def squared_norms(self, weights=None, centre=None):
        weights = _as_weights(weights)
        first = self.n_numbers
        norms = np.empty(self.n_columns)
        if self.numbers is not None:
            norms[:first] = self.numbers.squared_norms(
                weights, None if centre is None else centre[:first]
            )
        tables = self._merge_columns(_N_CELLS)
        values = None if weights is None else weights[:, None]
        all_cells = self._sum_in_cells(tables, values)
        for table, cells in zip(tables, all_cells):
            for column in table.columns:
                place = self._places[column]
                counts = table.get_margin(cells, [column])[:, 0]
                if centre is None:
                    norms[place] = counts[:-1]
                else:
                    # Of rows that have the level, and of those that do not.
                    of_level = centre[place]
                    others = counts.sum() - counts[:-1]
                    norms[place] = (
                        counts[:-1] * (1 - of_level) ** 2 + others * of_level**2
                    )
        return norms

    def take_columns(self, columns):
        """A design of some columns: of numbers alone that of the numbers.

        Columns of levels that are not in their order make a sparse one.
        """
        columns = np.asarray(columns)
        if self.numbers is not None and (columns < self.n_numbers).all():
            return self.numbers.take_columns(columns)
        if (np.diff(columns) > 0).all():
            return self._take_ascending(columns)
        distinct, places = np.unique(columns, return_inverse=True)
        matrix = self._build_columns(distinct).tocsc()
        if not np.array_equal(places, np.arange(len(distinct))):
            matrix = matrix[:, places]
        return make_design(matrix, self.n_threads)

    def _take_ascending(self, columns):
        numeric = columns[columns < self.n_numbers]
        numbers = self.numbers.take_columns(numeric) if len(numeric) > 0 else None
        codes, n_levels = [], []
        for of_column, place in zip(self._codes, self._places):
            is_taken = (columns >= place.start) & (columns < place.stop)
            levels = columns[is_taken] - place.start
            if len(levels) > 0:
                new_codes = np.full(place.stop - place.start + 1, -1)
                new_codes[levels] = np.arange(len(levels))
                codes.append(_pack(new_codes[of_column], len(levels)))
                n_levels.append(len(levels))
        return self._make(numbers, codes, n_levels)

    @cached_property
    def X(self):
        """The whole table as a CSR matrix, for what no product will do."""
        return self._build_columns(np.arange(self.n_columns)).tocsr()

    def _build_columns(self, columns):
        """Return some columns, ascending, as a COO matrix."""
        positions = np.full(self.n_columns, -1)
        positions[columns] = np.arange(len(columns))
        rows, places, values = [], [], []
        numeric = columns[columns < self.n_numbers]
        if len(numeric):
            taken = sparse.coo_array(self.numbers.take_columns(numeric).X)
            rows.append(taken.row)
            places.append(taken.col)
            values.append(taken.data)
        for codes, place in zip(self._codes, self._places):
            of_rows = np.append(positions[place], -1)[codes]
            has_level = np.flatnonzero(of_rows >= 0)
            rows.append(has_level)
            places.append(of_rows[has_level])
            values.append(np.ones(len(has_level), dtype=self.dtype))
        shape = self.n_rows, len(columns)
        places = np.concatenate(rows), np.concatenate(places)
        return sparse.coo_array((np.concatenate(values), places), shape=shape)

    def shift_numbers(self, centre):
        """A design of the dense numbers less their centre, which are copied."""
        numbers = self.numbers.to_array() - centre[: self.n_numbers]
        return self._make(make_design(numbers, self.n_threads), self._codes)

    def __getitem__(self, rows):
        # As arrays, for what splits and scores tables.
        return self.take_rows(rows)

    def take_rows(self, rows):
        numbers = None if self.numbers is None else self.numbers.take_rows(rows)
        return self._make(numbers, [codes[rows] for codes in self._codes])

    def _make(self, numbers, codes, n_levels=None):
        """A design of a part: a design of its numbers, and packed codes."""
        part = object.__new__(CategoricalDesign)
        part.n_levels = self.n_levels if n_levels is None else n_levels
        part._codes = codes
        part.n_rows = len(codes[0])
        part._set_numbers(numbers, self.n_threads)
        part.dtype = self.dtype
        return part

    def to_array(self):
        array = np.zeros((self.n_rows, self.n_columns), order="F")
        if self.numbers is not None:
            array[:, : self.n_numbers] = self.numbers.to_array()
        for codes, n, place in zip(self._codes, self.n_levels, self._places):
            rows = np.flatnonzero(codes < n)
            array[rows, place.start + codes[rows].astype(np.intp)] = 1
        return array

    def _sum_in_cells(self, tables, values):
        return sum_in_cells(
            self._codes,
            [table.axes for table in tables],
            [table.n_cells for table in tables],
            self.n_rows,
            values,
            self.n_threads,
        )

    def _make_table(self, columns):
        return _Table(tuple(columns), tuple(self._sizes[j] for j in columns))

    def _merge_columns(self, n_cells):
        """Return tables of at most so many cells that hold each column once.

        A column of more cells has a table of its own.
        """
        tables = []
        for column in sorted(range(len(self._sizes)), key=self._sizes.__getitem__):
            size = self._sizes[column]
            if tables and self._make_table(tables[-1]).n_cells * size <= n_cells:
                tables[-1].append(column)
            else:
                tables.append([column])
        return [self._make_table(columns) for columns in tables]

    @cached_property
    def _pair_tables(self):
        """Tables that hold each pair of columns together at least once.

        Each starts from the largest pair that is left and takes in, one by one, the
        column that brings most further pairs, while it is small enough.
        """
        sizes = self._sizes
        n_columns = len(sizes)
        if n_columns == 1:
            return [self._make_table([0])]
        left = set(combinations(range(n_columns), 2))
        tables = []
        while left:
            table = list(max(left, key=lambda pair: (sizes[pair[0]] * sizes[pair[1]],)))
            while True:
                n_cells = prod(sizes[j] for j in table)
                gains = [
                    (sum((min(i, j), max(i, j)) in left for i in table), -sizes[j], -j)
                    for j in range(n_columns)
                    if j not in table and n_cells * sizes[j] <= _N_CELLS_OF_PAIRS
                ]
                best = max(gains, default=(0,))
                if best[0] == 0:
                    break
                table.append(-best[2])
            left -= set(combinations(sorted(table), 2))
            tables.append(self._make_table(sorted(table)))
        return tables


def _pack(codes, n_levels):
    """Return codes in few bytes, those that are no level as the next after the last."""
    codes = np.asarray(codes)
    dtype = np.uint8 if n_levels < 2**8 else np.uint16 if n_levels < 2**16 else np.int32
    return np.where(codes < 0, n_levels, codes).astype(dtype)


def _as_weights(weights):
    return None if weights is None else np.ascontiguousarray(weights, dtype=np.float64)
