"""Where the codes of features are stored: alone, several in a column, or as entries.

Of many features most codes are the same one: zeros of one-hot columns and of counts.
What other codes they have are their entries. Features without an entry in common share
a column ("exclusive feature bundling": Ke et al., "LightGBM", NIPS 2017, section 4);
where too few come together, entries are all that is stored.

No split is lost by it, and none gained: sums of the default code are those of the node
less those of all other codes, and all of them are integers.
"""

from typing import NamedTuple

import numpy as np

from sklearnx._cython.boosting.binning import count_codes, fill_rows
from sklearnx._cython.boosting.bundling import (
    choose_bundles,
    extract_entries,
    write_entries,
)
from sklearnx._cython.boosting.matrix import (
    NARROW,
    NONE,
    SPARSE,
    BinnedMatrix,
    Layout,
)

# Of all rows: with that many entries a feature has a column of its own. With fewer,
# only one code can be the default one, whether the table is dense or sparse.
MAX_SHARE = 0.5
# What takes as long as to add a row by a column, shared or not: an entry takes as long
# as so many columns, and the first look at the entries of a row as so many.
COLUMNS_PER_ENTRY = 16
COLUMNS_PER_ROW = 16
# A code of a column takes as long as so many rows, in the nodes of a tree together.
ROWS_PER_CODE = 250
# Codes that a byte can hold, and rows that make each worth having for several columns.
MAX_CODES = 256
ROWS_PER_SHARED_CODE = 40


class Entries(NamedTuple):
    """The codes of features other than a default one.

    Attributes
    ----------
    features : int64 array of shape (n_listed,)
        Ascending.
    default_codes : int32 array of shape (n_listed,)
    starts : int64 array of shape (n_listed + 1,)
    rows : uint32 array of shape (n_entries,)
        Ascending for each feature.
    codes : uint8 array of shape (n_entries,)
    """

    features: np.ndarray
    default_codes: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    codes: np.ndarray

    @property
    def counts(self):
        """Entries of each feature."""
        return np.diff(self.starts)

    def of(self, i):
        """Return the rows and codes of the feature at a place of the list."""
        some = slice(self.starts[i], self.starts[i + 1])
        return self.rows[some], self.codes[some]

    def take(self, places):
        """Return the entries of the features at some places of the list."""
        counts = self.counts[places]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        index = np.arange(starts[-1]) + np.repeat(
            self.starts[:-1][places] - starts[:-1], counts
        )
        return Entries(
            self.features[places],
            self.default_codes[places],
            starts,
            self.rows[index],
            self.codes[index],
        )

    def merge(self, other):
        """Return these and the entries of other features."""
        if len(self.features) == 0 or len(other.features) == 0:
            return other if len(self.features) == 0 else self
        both = Entries(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.default_codes, other.default_codes]),
            np.concatenate([self.starts, self.starts[-1] + other.starts[1:]]),
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.codes, other.codes]),
        )
        return both.take(np.argsort(both.features))


NO_ENTRIES = Entries(
    np.empty(0, dtype=np.int64),
    np.empty(0, dtype=np.int32),
    np.zeros(1, dtype=np.int64),
    np.empty(0, dtype=np.uint32),
    np.empty(0, dtype=np.uint8),
)


def find_entries(matrix, counts, n_threads):
    """Return the entries of the features that most rows have the same code of.

    Parameters
    ----------
    matrix : BinnedMatrix
        With a column for each feature.
    counts : int64 array of shape (n_columns, 256)
        Rows of each code.
    n_threads : int

    Returns
    -------
    entries : Entries
    """
    default_codes = counts.argmax(axis=1).astype(np.int32)
    n_entries = matrix.n_rows - counts.max(axis=1)
    positions = np.flatnonzero(n_entries < MAX_SHARE * matrix.n_rows)
    starts = np.concatenate([[0], np.cumsum(n_entries[positions])]).astype(np.int64)
    default_codes = default_codes[positions]
    rows, codes = extract_entries(
        matrix.columns, positions, default_codes, starts, n_threads
    )
    narrow = np.flatnonzero(matrix.layout.storage == NARROW)
    return Entries(narrow[positions], default_codes, starts, rows, codes)


def bundle_columns(matrix, entries, counts, min_samples, n_threads):
    """Return the same codes in as few columns as can be.

    Parameters
    ----------
    matrix : BinnedMatrix
        With a column for each feature, save that those in `entries` may have none.
    entries : Entries
    counts : int64 array of shape (n_columns, 256)
        Rows of each code.
    min_samples : float
        A feature with fewer entries cannot be split.
    n_threads : int

    Returns
    -------
    matrix : BinnedMatrix
        Its rows are filled. The same one if all keep their columns.
    """
    layout = plan_layout(
        matrix.n_rows, matrix.n_bins, matrix.layout, entries, min_samples
    )
    if all(map(np.array_equal, layout, matrix.layout)):
        _fill_rows(matrix, counts, n_threads)
        return matrix
    is_sparse = layout.storage[entries.features] == SPARSE
    bundled = BinnedMatrix(
        matrix.n_rows,
        matrix.n_bins,
        matrix.is_categorical,
        layout,
        entries.take(np.flatnonzero(is_sparse))[2:],
    )
    bundled.has_missing[...] = matrix.has_missing
    bundled.wide[...] = matrix.wide
    bundled.wide_max_counts[...] = matrix.wide_max_counts
    listed = np.zeros(matrix.n_features, dtype=bool)
    listed[entries.features] = True
    for feature in np.flatnonzero((layout.storage == NARROW) & ~listed):
        bundled.columns[layout.positions[feature]] = matrix.column(feature)
    _write_columns(bundled, entries)
    _fill_rows(bundled, count_codes(bundled, n_threads), n_threads)
    return bundled


def _fill_rows(matrix, counts, n_threads):
    """Fill the rows of a matrix with columns.

    Parameters
    ----------
    matrix : BinnedMatrix
    counts : int64 array of shape (n_columns, 256)
        Rows of each code.
    n_threads : int
    """
    n_codes = count_used_codes(counts)
    cells = plan_cells(matrix.n_rows, n_codes)
    if cells.max(initial=-1) + 1 < len(cells):
        matrix.join_columns(cells, n_codes)
    fill_rows(matrix, counts, n_threads)


def count_used_codes(counts):
    """Return for each column how many codes there are up to the last one in use."""
    return MAX_CODES - np.argmax(counts[:, ::-1] > 0, axis=1)


def plan_cells(n_rows, n_codes):
    """Choose which narrow columns share a byte of a row.

    A row is added to the bins of a pair of codes by one addition, as to those of one
    code, and the sums of either column are found from those of pairs once all rows are
    added. Columns go where they fit, those with most codes first.

    Parameters
    ----------
    n_rows : int
    n_codes : int array of shape (n_columns,)

    Returns
    -------
    cells : int array of shape (n_columns,)
        That of each column. Cells are numbered by their first column.
    """
    leaders = np.arange(len(n_codes))
    max_codes = min(MAX_CODES, n_rows // ROWS_PER_SHARED_CODE)
    may_share = np.flatnonzero(n_codes <= max_codes // 2)
    order = may_share[np.argsort(-n_codes[may_share], kind="stable")]
    products = np.full(len(order), 1)
    leaders_of_cells, n_cells = np.empty(len(order), dtype=np.int64), 0
    for column in order:
        fits = np.flatnonzero(products[:n_cells] * n_codes[column] <= max_codes)
        if len(fits):
            cell = fits[0]
        else:
            cell, n_cells = n_cells, n_cells + 1
            leaders_of_cells[cell] = column
        products[cell] *= n_codes[column]
        leaders[column] = leaders_of_cells[cell]
    firsts = np.full(len(n_codes), len(n_codes))
    np.minimum.at(firsts, leaders, np.arange(len(n_codes)))
    return np.unique(firsts[leaders], return_inverse=True)[1]


def _write_columns(matrix, entries):
    """Write the codes of the listed features that are stored by column."""
    layout = matrix.layout
    all_codes = np.arange(256)
    for i in np.flatnonzero(layout.storage[entries.features] == NARROW):
        feature = entries.features[i]
        column = matrix.columns[layout.positions[feature]]
        default = entries.default_codes[i]
        column_codes = all_codes
        if layout.default_codes[feature] < 0:
            column[:] = default
        else:
            first = layout.first_codes[feature]
            column_codes = first + all_codes - (all_codes > default)
            if first == 1:
                column[:] = 0
        write_entries(*entries.of(i), column_codes.astype(np.uint8), column)


def plan_layout(n_rows, n_bins, layout, entries, min_samples):
    """Choose how features are stored.

    Parameters
    ----------
    n_rows : int
    n_bins : int32 array of shape (n_features,)
    layout : Layout
        Of a matrix as `bundle_columns` gets.
    entries : Entries
    min_samples : float
        A feature with fewer entries is not stored.

    Returns
    -------
    layout : Layout
    """
    features, n_entries = entries.features, entries.counts
    n_features = len(n_bins)
    storage = layout.storage.copy()
    storage[features] = NARROW
    default_codes = np.full(n_features, -1, dtype=np.int32)
    first_codes = np.zeros(n_features, dtype=np.int32)
    is_used = n_entries >= min_samples
    storage[features[~is_used]] = NONE
    default_codes[features[~is_used]] = entries.default_codes[~is_used]

    may_share = np.flatnonzero(is_used & (n_entries < MAX_SHARE * n_rows))
    order = may_share[np.argsort(-n_entries[may_share], kind="stable")]
    n_codes = n_bins[features]
    bundles = choose_bundles(n_rows, entries.starts, entries.rows, n_codes, order)
    n_bundles = bundles.max(initial=-1) + 1
    sizes = np.bincount(bundles[may_share], minlength=n_bundles)
    shares = np.bincount(
        bundles[may_share], weights=n_entries[may_share] / n_rows, minlength=n_bundles
    )
    n_shared_codes = np.bincount(
        bundles[may_share], weights=n_codes[may_share], minlength=n_bundles
    )
    columns = 1 + ROWS_PER_CODE * n_shared_codes / n_rows
    savings = columns - COLUMNS_PER_ENTRY * shares
    is_stored_by_column = savings <= 0
    if savings[~is_stored_by_column].sum() <= COLUMNS_PER_ROW:
        is_stored_by_column[:] = True
    sparse = may_share[~is_stored_by_column[bundles[may_share]]]
    storage[features[sparse]] = SPARSE
    default_codes[features[sparse]] = entries.default_codes[sparse]
    together = may_share[(is_stored_by_column & (sizes > 1))[bundles[may_share]]]
    default_codes[features[together]] = entries.default_codes[together]

    # A bundle is where its first feature would be.
    leaders = np.arange(n_features)
    positions = layout.positions.copy()
    for bundle in np.flatnonzero(is_stored_by_column & (sizes > 1)):
        members = together[bundles[together] == bundle]
        leaders[features[members]] = features[members[0]]
        first_codes[features[members]] = 1 + np.cumsum(
            np.concatenate([[0], n_codes[members[:-1]]])
        )
    for kind in (NARROW, SPARSE):
        stored = np.flatnonzero(storage == kind)
        _, positions[stored] = np.unique(leaders[stored], return_inverse=True)
    return Layout(storage, positions, default_codes, first_codes)
