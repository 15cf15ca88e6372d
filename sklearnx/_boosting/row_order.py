"""The order of the training rows: those that trees keep together next to each other.

A node's rows lie as far apart as the order of the data has them, and each costs as much
time to be fetched as to be added to a histogram. Trees of later rounds part the rows
much as those of the first ones do, so that once there are a few, the rows of a leaf are
put next to each other. Sums over rows are exact: the order changes no bit of the model.

    order of the data      3 1 2 2 1 3 1 ...     leaf of each row
    after reordering       1 1 1 2 2 3 3 ...
"""

import numpy as np

from sklearnx._cython.boosting.binning import fill_blocks
from sklearnx._cython.boosting.reordering import (
    gather_columns,
    reorder_columns,
    sort_by_leaf,
)

# Rounds after which rows are reordered. It takes as long as a round or two, and makes
# later ones shorter, by a twentieth (400,000 rows) to a third (5,000,000).
N_ROUNDS_BEFORE = 4
# Data of fewer bytes are in the cache of a core, whatever their order.
MIN_BYTES = 1 << 21
BYTES_PER_GRADIENT = 8


def profits_from_order(matrix):
    """Return whether it may save time to reorder the rows of a matrix.

    Features that are stored by entry are as far apart in any order.
    """
    row_bytes = BYTES_PER_GRADIENT + sum(block.shape[1] for block in matrix.blocks)
    return len(matrix.entry_rows) == 0 and matrix.n_rows * row_bytes >= MIN_BYTES


def find_order(trees, matrix, n_threads):
    """Return an order with the rows of a leaf next to each other.

    Parameters
    ----------
    trees : list of Tree
        Those of a round, grown on the matrix. Rows are sorted by the leaves of the
        last, those of one of its leaves by the leaves of the tree before, and so on.
    matrix : BinnedMatrix
    n_threads : int

    Returns
    -------
    order : uint32 array of shape (n_rows,)
        What is row `order[i]` is to be row `i`.
    """
    order = None
    for tree in trees:
        leaves = tree.find_binned_leaves(matrix, n_threads)
        order = sort_by_leaf(leaves, len(tree.nodes), order)
    return order


def reorder_matrix(matrix, order, spare, n_threads):
    """Reorder the rows of a BinnedMatrix without entries in place.

    IN: order (n_rows,). OUT: spare, bytes for a column.
    """
    for columns in (matrix.columns, matrix.wide):
        reorder_columns(columns, order, spare, n_threads)
    fill_blocks(matrix, n_threads)


def copy_reordered(values, order, n_threads):
    """Return float64 values of shape (n_rows,) or (n_rows, n_outputs), reordered.

    IN: order (n_rows,).
    """
    values = np.asfortranarray(values)
    reordered = np.empty_like(values)
    gather_columns(
        np.atleast_2d(values.T), order, np.atleast_2d(reordered.T), n_threads
    )
    return reordered
