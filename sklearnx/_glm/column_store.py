"""Where the columns of working sets lie: gathered from a design as they join.

A store holds the columns of one set, in the order in which they joined, and computes
its products. Dense columns are told by their places: in the table itself, if it is in F
order, else among those that are gathered once for all sets; those of a sparse table are
stacked.
"""

from __future__ import annotations

from copy import copy

import numpy as np
from scipy import sparse

from sklearnx._cython.linear.dense_products import dot_places, extend_gram
from sklearnx._glm.design import DenseDesign, make_design

# A lasso has at most as many non-zeros as rows; room is made for so many, up to this.
N_LIKELY = 4096


def gather_columns(design, n_sets=1):
    """Where the columns of a dense design are for so many sets."""
    if design.X.flags.f_contiguous:
        return ColumnsInPlace(design)
    return GatheredColumns(design, n_sets)


class ColumnsInPlace:
    """Columns of a design in F order, which need not be gathered.

    Attributes
    ----------
    table : DenseDesign
    """

    def __init__(self, design):
        self.table = design

    def gather(self, columns):
        """The places of columns."""
        return np.ascontiguousarray(columns, dtype=np.int64)


class GatheredColumns:
    """Columns of a dense design side by side, with room for more.

    Parameters
    ----------
    design : DenseDesign
    n_sets : int
        That will take columns from it.

    Attributes
    ----------
    table : DenseDesign
        Of the columns, in F order.
    """

    def __init__(self, design, n_sets=1):
        self.design = design
        self._places = np.full(design.n_columns, -1)
        n_likely = n_sets * min(design.n_rows, N_LIKELY)
        self._room = self._make_room(min(design.n_columns, n_likely))
        self.table = self._use(0)

    def gather(self, columns):
        """Let columns join that are not there; return the places of all."""
        joining = columns[self._places[columns] < 0]
        if len(joining) > 0:
            n_known = self.table.n_columns
            n = n_known + len(joining)
            if n > self._room.shape[1]:
                room = self._make_room(min(self.design.n_columns, 2 * n))
                room[:, :n_known] = self.table.X
                self._room = room
            self._room[:, n_known:n] = self.design.take_columns(joining).X
            self._places[joining] = np.arange(n_known, n)
            self.table = self._use(n)
        return self._places[columns]

    def _make_room(self, n_columns):
        # Memory that is not written to costs nothing.
        return np.empty((self.design.n_rows, n_columns), self.design.dtype, order="F")

    def _use(self, n):
        return DenseDesign(self._room[:, :n], self.design.n_threads)


class DenseStore:
    """Columns of a dense table by their places among those gathered.

    Parameters
    ----------
    gathered : GatheredColumns or ColumnsInPlace
    columns : ndarray of int
        The first columns.
    """

    def __init__(self, gathered, columns):
        self._gathered = gathered
        self._places = gathered.gather(columns)

    def change(self, kept, joining):
        """Keep the columns at some positions, and let others join behind them."""
        joined = self._gathered.gather(joining)
        self._places = np.concatenate([self._places[kept], joined])

    def extend_gram(self, gram, start, weights, centre, n_threads=None):
        """Fill the columns and rows from `start` on of a centred Gram matrix."""
        table = self._gathered.table
        n_threads = table.n_threads if n_threads is None else n_threads
        extend_gram(table.X, self._places, start, weights, centre, gram, n_threads)

    def dot(self, coefs, rows):
        """X[rows] @ coefs, rows None for all."""
        table, places = self._gathered.table, self._places
        if isinstance(rows, slice):  # of which there is a view
            return table.take_rows(rows).take_columns(places).dot(coefs)
        if rows is not None:
            return table.take_columns(places).take_rows(rows).dot(coefs)
        out = np.empty((table.n_rows, coefs.shape[1]))
        dot_places(table.X, places, coefs, out, table.n_threads)
        return out

    def list_columns(self):
        """The columns as `descend_columns` takes them."""
        return self._gathered.table.X.T.reshape(-1), None, None, self._places

    def t_dot(self, rows):
        """X.T @ rows."""
        return self._gathered.table.take_columns(self._places).t_dot(rows)


class SparseStore:
    """Columns of a sparse table, or of one with categories, side by side.

    Parameters
    ----------
    design : SparseDesign
    columns : ndarray of int
        The first columns.
    """

    def __init__(self, design, columns):
        self._design = design
        self._table = self._use(self._take(columns))

    def _take(self, columns):
        # Numbers beside categories are dense.
        return sparse.csc_array(self._design.take_columns(columns).X)

    def _use(self, X):
        return make_design(X, self._design.n_threads)

    def change(self, kept, joining):
        parts = [self._table.X[:, kept], self._take(joining)]
        self._table = self._use(sparse.hstack(parts, format="csc"))

    def extend_gram(self, gram, start, weights, centre, n_threads=None):
        table = copy(self._table)
        table.n_threads = table.n_threads if n_threads is None else n_threads
        if start == 0:
            gram[:] = table.gram(weights, centre)
        else:
            table.extend_gram(gram, start, weights, centre)

    def dot(self, coefs, rows):
        table = self._table if rows is None else self._table.take_rows(rows)
        return table.dot(coefs)

    def list_columns(self):
        return *list_sparse_columns(self._table.X), None

    def t_dot(self, rows):
        return self._table.t_dot(rows)


def list_sparse_columns(X):
    """The arrays of a CSC table as `descend_columns` takes them."""
    indices = X.indices.astype(np.int32, copy=False)
    return X.data, indices, X.indptr.astype(np.int64, copy=False)


class WholeStore:
    """All columns of a design, which are not copied.

    Parameters
    ----------
    design : DenseDesign or SparseDesign
    """

    def __init__(self, design):
        self._design = design

    def extend_gram(self, gram, start, weights, centre, n_threads=None):
        gram[:] = self._design.gram(weights, centre)

    def dot(self, coefs, rows):
        table = self._design if rows is None else self._design.take_rows(rows)
        return table.dot(coefs)

    def t_dot(self, rows):
        return self._design.t_dot(rows)
