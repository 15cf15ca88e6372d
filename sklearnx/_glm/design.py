"""The one accessor of a table of numbers that linear models are fitted to.

Solvers ask a design for products and never for its storage, so that none of them has
a twin for sparse data. Sums are double whatever the table holds, and have a fixed
order, so that no bit depends on the number of threads.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import sparse

from sklearnx._cython.linear import dense_products, sparse_products

# Numbers of sparse columns that are made dense at a time.
MAX_DENSE_BLOCK = 1 << 22

# Results of a sparse product that parts of the table may be summed into.
MAX_SCATTERED = 1 << 18


def make_design(X, n_threads=1):
    """Return the design of a table.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_rows, n_columns)
        Of float32 or float64; C or F order, CSR or CSC. It is not copied.

    n_threads : int, default=1
        Threads of each product.
    """
    if hasattr(X, "use_threads"):
        return X.use_threads(n_threads)  # of numbers and categories, made by an encoder
    if sparse.issparse(X):
        return SparseDesign(X, n_threads)
    if any(stride % X.itemsize for stride in X.strides):
        X = np.ascontiguousarray(X)  # of a field of a structured array
    return DenseDesign(X, n_threads)


class DenseDesign:
    """A dense table.

    Attributes
    ----------
    n_rows, n_columns : int
    dtype : dtype
        Of the table, float32 or float64.
    is_sparse : bool
    n_dense : int
        Leading columns of dense numbers: `gram` takes their centre off each number, not
        off the sums, so that no digits are lost.
    n_threads : int
    """

    is_sparse = False

    def __init__(self, X, n_threads=1):
        self.X = X
        self.n_rows, self.n_columns = X.shape
        self.n_dense = self.n_columns
        self.dtype = X.dtype
        self.n_threads = n_threads

    def dot(self, coef):
        """X @ coef: coef (n_columns,) or (n_columns, n_outputs), float64."""
        return self._multiply(
            dense_products.dot, dense_products.matmul, coef, self.n_rows
        )

    def t_dot(self, rows):
        """X.T @ rows: rows (n_rows,) or (n_rows, n_outputs), float64."""
        return self._multiply(
            dense_products.t_dot, dense_products.t_matmul, rows, self.n_columns
        )

    def _multiply(self, by_vector, by_matrix, operand, n_results):
        """Call the kernel for an operand of one or of several columns."""
        operand = np.ascontiguousarray(operand, dtype=np.float64)
        out = np.empty((n_results, *operand.shape[1:]))
        if operand.ndim == 1 or operand.shape[1] == 1:
            by_vector(self.X, operand.reshape(-1), out.reshape(-1), self.n_threads)
        else:
            by_matrix(self.X, operand, out, self.n_threads)
        return out

    def gram(self, weights=None, centre=None):
        """(X - centre).T @ diag(weights) @ (X - centre), symmetric, float64.

        weights : (n_rows,) not negative, None for ones; centre : (n_columns,) or None.
        """
        out = np.empty((self.n_columns, self.n_columns))
        dense_products.gram(self.X, weights, centre, out, self.n_threads)
        return out

    def squared_norms(self, weights=None, centre=None):
        """The diagonal of `gram`."""
        out = np.empty(self.n_columns)
        dense_products.squared_norms(self.X, weights, centre, out, self.n_threads)
        return out

    def take_columns(self, columns):
        """A design of some columns (int array), in F order; they are copied."""
        columns = np.ascontiguousarray(columns, dtype=np.int64)
        taken = np.empty((len(columns), self.n_rows), dtype=self.dtype)
        dense_products.take_columns(self.X, columns, taken, self.n_threads)
        return DenseDesign(taken.T, self.n_threads)

    def take_rows(self, rows):
        """A design of some rows (int array); they are copied."""
        return DenseDesign(self.X[rows], self.n_threads)

    def to_array(self):
        """The table as a dense float64 array in F order; a copy if it is not one."""
        return np.asfortranarray(self.X, dtype=np.float64)


class SparseDesign:
    """A sparse table; see `DenseDesign`.

    It is kept as it is compressed, by rows or by columns. The other way is made once
    where a product needs it, because sums of parts of the lines would take more room.
    """

    is_sparse = True
    n_dense = 0

    def __init__(self, X, n_threads=1):
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        if X.indices.dtype != X.indptr.dtype:
            # SciPy makes them alike, as kernels want them.
            X = type(X)((X.data, X.indices, X.indptr), shape=X.shape)
        self.X = X
        self.n_rows, self.n_columns = X.shape
        self.dtype = X.dtype
        self.n_threads = n_threads
        self._by_format = {X.format: X}

    def dot(self, coef):
        return self._multiply("csr", coef, self.n_rows)

    def t_dot(self, rows):
        return self._multiply("csc", rows, self.n_columns)

    def _multiply(self, gathered, operand, n_results):
        """A product that gathers from lines of one format, or scatters the other's."""
        operand = np.ascontiguousarray(operand, dtype=np.float64)
        columns = operand.reshape(len(operand), math.prod(operand.shape[1:]))
        out = np.empty((n_results, columns.shape[1]))
        if gathered in self._by_format or out.size > MAX_SCATTERED:
            kernel, lines = sparse_products.gather, self._get(gathered)
        else:
            kernel, lines = sparse_products.scatter, self.X
        kernel(*_get_arrays(lines), columns, out, self.n_threads)
        return out.reshape(n_results, *operand.shape[1:])

    def _get(self, name):
        """The table in a format, made if it is not there yet."""
        if name not in self._by_format:
            lines = self.X.asformat(name)
            # SciPy takes the least integers that do; kernels want those of both alike.
            lines.indices = lines.indices.astype(self.X.indices.dtype, copy=False)
            lines.indptr = lines.indptr.astype(self.X.indices.dtype, copy=False)
            self._by_format[name] = lines
        return self._by_format[name]

    def gram(self, weights=None, centre=None):
        out = np.empty((self.n_columns, self.n_columns))
        rows = _get_arrays(self._get("csr"))
        if out.size <= MAX_SCATTERED:
            sparse_products.gram_of_rows(*rows, weights, out, self.n_threads)
        else:
            columns = _get_arrays(self._get("csc"))
            sparse_products.gram_of_columns(
                *columns, *rows, weights, out, self.n_threads
            )
        if centre is not None:
            sums, total = self._sum_columns(weights)
            out -= np.outer(sums, centre)
            out -= np.outer(centre, sums - total * centre)
        return out

    def extend_gram(self, gram, start, weights=None, centre=None):
        """Fill the columns and rows from `start` on of a matrix that `gram` returns.

        gram : (n_columns, n_columns), with contiguous rows.
        """
        step = max(1, MAX_DENSE_BLOCK // max(1, self.n_rows))
        for low in range(start, self.n_columns, step):
            high = min(low + step, self.n_columns)
            block = self.take_columns(np.arange(low, high)).to_array()
            block = np.array(block, order="C")
            if centre is not None:
                block -= centre[low:high]
            if weights is not None:
                block *= weights[:, None]
            products = self.t_dot(block)
            if centre is not None:
                products -= np.outer(centre, block.sum(axis=0))
            gram[:, low:high] = products
            gram[low:high] = products.T

    def squared_norms(self, weights=None, centre=None):
        out = np.empty(self.n_columns)
        rows = _get_arrays(self._get("csr"))
        sparse_products.scatter_squares(*rows, weights, out)
        if centre is not None:
            sums, total = self._sum_columns(weights)
            out -= centre * (2 * sums - total * centre)
        return out

    def _sum_columns(self, weights):
        """Weighted sums of the columns, and of the weights."""
        weights = np.ones(self.n_rows) if weights is None else weights
        return self.t_dot(weights), weights.sum()

    def take_columns(self, columns):
        """A design of some columns (int array), as CSC; they are copied."""
        return SparseDesign(self._get("csc")[:, columns], self.n_threads)

    def take_rows(self, rows):
        return SparseDesign(self._get("csr")[rows], self.n_threads)

    def to_array(self):
        return np.asfortranarray(self.X.toarray(), dtype=np.float64)


def _get_arrays(lines):
    """Arrays of a compressed table that kernels read."""
    return lines.indptr, lines.indices, lines.data
