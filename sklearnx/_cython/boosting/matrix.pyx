"""The binned training data, as kernels see it."""

from typing import NamedTuple

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free

from sklearnx._cython.common.dtypes cimport MAX_NARROW_BINS, WORD_STRIDE

# Bytes of codes in a row of a block: half a cache line.
BLOCK_BYTES = 32
CACHE_LINE = 64
# What partitions may read beyond the last code of a column.
CODES_BEYOND = 127
# Narrow cells of a part of a block at most, and what one costs before its bins are
# searched.
PART_CELLS = 16
COST_OF_CELL = 8
# Entries of a row that a block of sparse features holds on average, and how many such
# blocks threads can share out at most.
BLOCK_ENTRIES = 16
MAX_SPARSE_BLOCKS = 8


class Layout(NamedTuple):
    """How the codes of features are stored.

    Attributes
    ----------
    storage : uint8 array of shape (n_features,)
        `NARROW`, `WIDE`, `SPARSE` or `NONE`.
    positions : int32 array of shape (n_features,)
        Column of each among those of its storage.
    default_codes : int32 array of shape (n_features,)
        Of features without a column of their own; -1 for others.
    first_codes : int32 array of shape (n_features,)
        In a shared column the first code that stands for one of the feature, from 1 on.
    """

    storage: np.ndarray
    positions: np.ndarray
    default_codes: np.ndarray
    first_codes: np.ndarray


NARROW, WIDE, SPARSE, NONE = range(4)


def make_plain_layout(n_bins, is_stored=True):
    """Return the layout with a column for each feature that is stored.

    Parameters
    ----------
    n_bins : int array of shape (n_features,)
    is_stored : bool array of shape (n_features,), default=True
    """
    n_bins = np.asarray(n_bins)
    storage = np.where(n_bins + 1 > MAX_NARROW_BINS, WIDE, NARROW)
    storage = np.where(is_stored, storage, NONE).astype(np.uint8)
    positions = np.zeros(len(n_bins), dtype=np.int32)
    for kind in (NARROW, WIDE):
        members = np.flatnonzero(storage == kind)
        positions[members] = np.arange(len(members))
    return Layout(
        storage,
        positions,
        np.full(len(n_bins), -1, dtype=np.int32),
        np.zeros(len(n_bins), dtype=np.int32),
    )


cdef class BinnedMatrix:
    """Codes of the training data, one per row and feature, and what they stand for.

    Parameters
    ----------
    n_rows : int
    n_bins : int32 array of shape (n_features,)
        Bins of each feature without the missing one, whose code is `n_bins`.
    is_categorical : uint8 array of shape (n_features,)
    layout : Layout, default=None
        None means a column for each feature.
    entries : tuple of arrays, default=None
        Of sparse features: starts (n_sparse + 1,), int64; rows, uint32, ascending for
        each feature; codes, uint8, none of them the default one.

    Attributes
    ----------
    blocks : list of uint8 arrays of shape (n_rows, stride)
        Codes of all columns, narrow ones first, in the order that histograms read: a
        block holds the cells of some columns next to each other for each row, about
        `BLOCK_BYTES` at most.
    columns : uint8 array of shape (n_columns, n_rows)
        Those of the narrow columns in the order that partitions read.
    wide : uint16 or uint32 array of shape (n_wide, n_rows)
        The same of features with more than 256 bins.
    entry_starts, entry_rows, entry_codes : arrays
        Those of sparse features.
    offsets : int64 array of shape (n_features + 1,)
        Where the bins of a feature begin in a histogram. Features that are not stored
        have none there.
    used : int32 array of shape (n_used,)
        Features that are stored, ascending.
    has_missing : uint8 array of shape (n_features,)
    max_counts : int64 array of shape (n_columns,)
        Rows in the fullest bin of each narrow column, or more; what a shared one has
        as 0 does not count.
    wide_max_counts : int64 array of shape (n_wide,)
        The same of wide columns.
    """

    def __cinit__(self):
        self.groups = NULL
        self.sparse = NULL

    def __init__(self, n_rows, n_bins, is_categorical, layout=None, entries=None):
        n_bins = np.ascontiguousarray(n_bins, dtype=np.int32)
        self.layout = make_plain_layout(n_bins) if layout is None else layout
        storage, positions = self.layout.storage, self.layout.positions
        narrow = np.flatnonzero(storage == NARROW)
        wide = np.flatnonzero(storage == WIDE)
        n_columns = int(positions[narrow].max()) + 1 if len(narrow) else 0
        wide_dtype = np.uint16
        if len(wide) and n_bins[wide].max() > np.iinfo(np.uint16).max:
            wide_dtype = np.uint32
        columns = np.empty(n_columns * n_rows + CODES_BEYOND, dtype=np.uint8)
        self.columns = columns[: n_columns * n_rows].reshape(n_columns, n_rows)
        self.wide = np.empty((len(wide), n_rows), dtype=wide_dtype)
        self.n_bins = n_bins
        widths = np.where(storage == NONE, 0, n_bins.astype(np.int64) + 1)
        self.offsets = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
        self.has_missing = np.zeros(len(n_bins), dtype=np.uint8)
        self.is_categorical = np.ascontiguousarray(is_categorical, dtype=np.uint8)
        self._all_max_counts = np.full(n_columns + len(wide), n_rows, dtype=np.int64)
        self.max_counts, self.wide_max_counts = np.split(
            self._all_max_counts, [n_columns]
        )
        members = np.concatenate([narrow, wide])
        columns_of = positions[members] + np.where(
            storage[members] == WIDE, n_columns, 0
        )
        order = np.lexsort((self.layout.first_codes[members], columns_of))
        self._members = members[order].astype(np.int32)
        self._member_starts = np.searchsorted(
            columns_of[order], np.arange(n_columns + len(wide) + 1)
        ).astype(np.int32)
        self.used = np.flatnonzero(storage != NONE).astype(np.int32)
        self._dense = self.used[storage[self.used] != SPARSE]
        if entries is None:
            dtypes = np.int64, np.uint32, np.uint8
            entries = [np.zeros(n, dtype) for n, dtype in zip((1, 0, 0), dtypes)]
        self.entry_starts, self.entry_rows, self.entry_codes = entries
        self._bind()
        columns = np.arange(n_columns)
        self.join_columns(columns, np.full(n_columns, MAX_NARROW_BINS))
        self._bind_entries()

    def __dealloc__(self):
        free(self.groups)
        free(self.sparse)

    def join_columns(self, cells, n_codes):
        """Let narrow columns share cells. The blocks are to be filled afterwards.

        Of a cell's columns with codes c_0, c_1, ... it holds c_0 + n_0 (c_1 + n_1 ...),
        so that the product of their numbers of codes may be `MAX_NARROW_BINS` at most.

        Parameters
        ----------
        cells : int array of shape (n_columns,)
            That of each narrow column, from 0 on.
        n_codes : int array of shape (n_columns,)
            All codes that are there are below.
        """
        n_columns, n_cells = len(cells), int(cells.max(initial=-1)) + 1
        # Those of a cell with more codes first: their sums are neighbours.
        order = np.lexsort((-n_codes, cells))
        self._cell_columns = order.astype(np.int32)
        self._cell_starts = np.searchsorted(
            cells[order], np.arange(n_cells + 1)
        ).astype(np.int32)
        self._cell_codes = n_codes[order].astype(np.int32)
        gap = WORD_STRIDE - MAX_NARROW_BINS
        wide_features = self._members[len(self._members) - len(self.wide) :]
        # Words of cells, of wide columns, and of columns that share a cell.
        is_alone = np.bincount(cells, minlength=n_cells)[cells] == 1
        n_words = np.where(is_alone, 0, WORD_STRIDE)
        n_words = np.append(self.n_bins[wide_features] + 1 + gap, n_words)
        ends = n_cells * WORD_STRIDE + np.cumsum(n_words, dtype=np.int64)
        starts = np.roll(ends - n_words, n_columns)
        starts[:n_columns] = np.where(
            is_alone, cells * WORD_STRIDE, starts[:n_columns]
        )
        self._word_starts = starts
        self.binned.n_words = ends[-1] if len(ends) else 0
        self._bind_cells()
        self._bind_groups()

    cdef void _bind(self) except *:
        cdef:
            uint8_t[:, ::1] columns = self.columns
            int64_t[::1] max_counts = self._all_max_counts
            uint16_t[:, ::1] wide16
            uint32_t[:, ::1] wide32
            int32_t[::1] used = self.used
            int32_t[::1] dense = self._dense
            int32_t[::1] members = self._members
            int32_t[::1] member_starts = self._member_starts
            int32_t[::1] positions = self.layout.positions
            int32_t[::1] default_codes = self.layout.default_codes
            int32_t[::1] first_codes = self.layout.first_codes
            uint8_t[::1] storage = self.layout.storage
            int32_t[::1] n_bins = self.n_bins
            int64_t[::1] offsets = self.offsets
            uint8_t[::1] has_missing = self.has_missing
            uint8_t[::1] is_categorical = self.is_categorical
        self.binned.n_rows = columns.shape[1]
        self.binned.n_features = n_bins.shape[0]
        self.binned.n_used = used.shape[0]
        self.binned.n_dense = dense.shape[0]
        self.binned.n_columns = columns.shape[0]
        self.binned.n_wide = len(self.wide)
        self.binned.n_sparse = len(self.entry_starts) - 1
        self.binned.used = NULL
        self.binned.dense = NULL
        self.binned.max_counts = NULL
        self.binned.columns = NULL
        self.binned.members = NULL
        self.binned.wide16 = NULL
        self.binned.wide32 = NULL
        if self.binned.n_used > 0:
            self.binned.used = &used[0]
        if self.binned.n_dense > 0:
            self.binned.dense = &dense[0]
        if members.shape[0] > 0:
            self.binned.max_counts = &max_counts[0]
            self.binned.members = &members[0]
        if columns.shape[1] > 0 and self.binned.n_columns > 0:
            self.binned.columns = &columns[0, 0]
        if columns.shape[1] > 0 and self.binned.n_wide > 0:
            if self.wide.dtype == np.uint16:
                wide16 = self.wide
                self.binned.wide16 = &wide16[0, 0]
            else:
                wide32 = self.wide
                self.binned.wide32 = &wide32[0, 0]
        self.binned.member_starts = &member_starts[0]
        self.binned.storage = &storage[0]
        self.binned.positions = &positions[0]
        self.binned.default_codes = &default_codes[0]
        self.binned.first_codes = &first_codes[0]
        self.binned.n_bins = &n_bins[0]
        self.binned.offsets = &offsets[0]
        self.binned.has_missing = &has_missing[0]
        self.binned.is_categorical = &is_categorical[0]

    cdef void _bind_cells(self) except *:
        cdef:
            int64_t[::1] word_starts = self._word_starts
            int32_t[::1] cell_columns = self._cell_columns
            int32_t[::1] cell_starts = self._cell_starts
            int32_t[::1] cell_codes = self._cell_codes
        self.binned.n_cells = cell_starts.shape[0] - 1
        self.binned.cell_starts = &cell_starts[0]
        self.binned.cell_columns = self.binned.cell_codes = NULL
        self.binned.word_starts = NULL
        if cell_columns.shape[0] > 0:
            self.binned.cell_columns = &cell_columns[0]
            self.binned.cell_codes = &cell_codes[0]
        if word_starts.shape[0] > 0:
            self.binned.word_starts = &word_starts[0]
        self.binned.updates_per_row = (
            self.binned.n_cells
            + self.binned.n_wide
            + len(self.entry_rows) // max(self.binned.n_rows, 1)
        )

    cdef void _bind_groups(self) except *:
        """Make the blocks and describe them, and their parts for threads to share out.

        Parts are for few rows, with which it takes about as long to add them to a cell
        as to search 256 bins, the most that so few rows are in.
        """
        cdef int n_wide = self.binned.n_wide, n_cells = self.binned.n_cells
        sizes = np.repeat([1, self.wide.itemsize], [n_cells, n_wide])
        n_bins = np.minimum(self.n_bins[self._members] + 1, MAX_NARROW_BINS)
        ends = np.cumsum(np.append(0, n_bins))
        n_bins = np.diff(ends[self._member_starts])  # of columns
        n_bins[: self.binned.n_columns] = n_bins[self._cell_columns]
        starts = np.append(
            self._cell_starts[:-1], self.binned.n_columns + np.arange(n_wide)
        )
        costs = np.full(len(sizes), COST_OF_CELL)
        if len(costs):
            n_bins = np.add.reduceat(n_bins, starts)
            costs += COST_OF_CELL * n_bins // MAX_NARROW_BINS
        costs = np.minimum(costs, PART_CELLS * COST_OF_CELL)
        blocks = _split_evenly(sizes, BLOCK_BYTES)
        parts = [_split_into_parts(costs[block]) for block in blocks]
        self.binned.n_blocks = len(blocks)
        self.binned.n_groups = sum(map(len, parts))
        free(self.groups)
        self.groups = <column_group_t*> calloc(
            self.binned.n_blocks + self.binned.n_groups + 1, sizeof(column_group_t)
        )
        if self.groups == NULL:
            raise MemoryError()
        self.binned.blocks = self.groups
        self.binned.groups = self.groups + self.binned.n_blocks
        self.blocks, self._places, self._group_arrays = [], [], []
        group = self.binned.n_blocks
        for block_idx, cells in enumerate(blocks):
            places, width = _find_places(sizes[cells])
            self.blocks.append(_make_block(self.n_rows, _choose_stride(width)))
            self._places.append(places)
            self._bind_group(block_idx, block_idx, cells.start, places)
            for part in parts[block_idx]:
                first = cells.start + part.start
                self._bind_group(group, block_idx, first, places[part])
                group += 1

    cdef void _bind_group(
        self, int group_idx, int block_idx, int first, const int32_t[::1] places
    ) except *:
        """Describe the cells of a block from `first` on.

        IN: places of them in a row of the block.
        """
        cdef:
            column_group_t* group = &self.groups[group_idx]
            uint8_t[:, ::1] codes = self.blocks[block_idx]
            int n = <int> places.shape[0]
            const int32_t[::1] columns, features
        group.codes = NULL
        if codes.shape[0] > 0:
            group.codes = &codes[0, places[0]]
        group.stride = <int32_t> codes.shape[1]
        group.first = first
        group.n_narrow = min(max(self.binned.n_cells - first, 0), n)
        group.n_wide = n - group.n_narrow
        group.wide_size = self.wide.itemsize
        group.wide_place = 0
        if group.n_wide > 0:
            group.wide_place = places[group.n_narrow] - places[0]
        group.max_count = codes.shape[0]
        starts = self._cell_starts
        narrow = slice(*starts[[min(i, len(starts) - 1) for i in (first, first + n)]])
        first_wide = self.binned.n_columns + max(first - self.binned.n_cells, 0)
        wide = np.arange(first_wide, first_wide + group.n_wide, dtype=np.int32)
        columns = np.append(self._cell_columns[narrow], wide)
        features = np.concatenate(
            [self._members[slice(*self._member_starts[[i, i + 1]])] for i in columns]
        )
        self._group_arrays += [columns, features]
        group.n_columns = <int32_t> columns.shape[0]
        group.n_features = <int32_t> features.shape[0]
        group.columns = &columns[0]
        group.features = &features[0]

    cdef void _bind_entries(self) except *:
        """Store the entries of sparse features once more by row, some features a block.

        A thread that adds rows takes a block; hence blocks of about as many entries.
        """
        cdef:
            const int64_t[::1] starts = self.entry_starts
            const uint32_t[::1] rows = self.entry_rows
            const uint8_t[::1] codes = self.entry_codes
            const int32_t[::1] features
            const int64_t[::1] bins, row_starts
            const uint32_t[::1] entries
            int64_t n_entries = rows.shape[0]
            int block, n_blocks
            int64_t n_sparse = self.binned.n_sparse
        self._sparse_arrays = []
        self.binned.entry_starts = &starts[0]
        self.binned.n_sparse_blocks = 0
        if n_sparse == 0 or self.binned.n_rows == 0:
            return
        if n_entries > 0:
            self.binned.entry_rows = &rows[0]
            self.binned.entry_codes = &codes[0]
        n_blocks = int(
            min(
                max(n_entries // (BLOCK_ENTRIES * self.binned.n_rows), 1),
                MAX_SPARSE_BLOCKS,
                n_sparse,
            )
        )
        self.sparse = <sparse_block_t*> calloc(n_blocks, sizeof(sparse_block_t))
        if self.sparse == NULL:
            raise MemoryError()
        self.binned.n_sparse_blocks = n_blocks
        self.binned.sparse_blocks = self.sparse
        sparse_features = np.flatnonzero(self.layout.storage == SPARSE)
        order = np.argsort(self.layout.positions[sparse_features])
        sparse_features = sparse_features[order].astype(np.int32)
        shares = np.arange(n_blocks + 1) * n_entries // n_blocks
        ends = np.searchsorted(self.entry_starts, shares)
        ends[0], ends[n_blocks] = 0, n_sparse
        for block in range(n_blocks):
            first, last = int(ends[block]), int(ends[block + 1])
            arrays = (
                *_store_by_row(
                    self.binned.n_rows, starts[first : last + 1], rows, codes
                ),
                sparse_features[first:last],
                self.offsets[sparse_features[first:last]],
            )
            self._sparse_arrays.append(arrays)
            row_starts, entries, features, bins = arrays
            self.sparse[block].starts = &row_starts[0]
            self.sparse[block].n_features = <int32_t> features.shape[0]
            if entries.shape[0] > 0:
                self.sparse[block].entries = &entries[0]
            if features.shape[0] > 0:
                self.sparse[block].features = &features[0]
                self.sparse[block].bins = &bins[0]

    cdef void _set_max_counts(self):
        """Take over `max_counts` to the groups."""
        cdef:
            column_group_t* group
            int i, j
        for i in range(self.binned.n_blocks + self.binned.n_groups):
            group = &self.groups[i]
            group.max_count = 0
            for j in range(group.n_columns):
                group.max_count = max(
                    group.max_count, self.binned.max_counts[group.columns[j]]
                )

    @property
    def n_rows(self):
        return self.binned.n_rows

    @property
    def n_features(self):
        return len(self.n_bins)

    @property
    def rows(self):
        """Codes of the narrow columns by row, copied from the blocks."""
        cells = self._read_blocks(0, self.binned.n_cells, np.uint8)
        codes = np.empty((self.n_rows, self.binned.n_columns), dtype=np.uint8)
        for cell, first, last in zip(
            cells.T, self._cell_starts[:-1], self._cell_starts[1:]
        ):
            rest = cell.astype(np.int64)
            for i in range(first, last):
                rest, codes[:, self._cell_columns[i]] = np.divmod(
                    rest, self._cell_codes[i]
                )
        return codes

    @property
    def wide_rows(self):
        """The same of the wide columns."""
        n_cells = self.binned.n_cells
        return self._read_blocks(
            n_cells, n_cells + self.binned.n_wide, self.wide.dtype
        )

    def _read_blocks(self, start, stop, dtype):
        codes = np.empty((self.n_rows, stop - start), dtype=dtype)
        cell, size = 0, codes.itemsize
        for block, places in zip(self.blocks, self._places, strict=True):
            for place in places:
                if start <= cell < stop:
                    items = np.ascontiguousarray(block[:, place : place + size])
                    codes[:, cell - start] = items.view(dtype)[:, 0]
                cell += 1
        return codes

    def column(self, feature):
        """Return the codes of a feature.

        Of features with a column of their own they are for writing too. Those of a
        feature that is not stored are all the default one.
        """
        layout = self.layout
        position, default = layout.positions[feature], layout.default_codes[feature]
        n_bins, storage = self.n_bins[feature], layout.storage[feature]
        if storage == WIDE:
            return self.wide[position]
        if storage == NARROW and default < 0:
            return self.columns[position]
        if storage == NARROW:
            # What is left of the default code, and what is right of it.
            others = np.delete(np.arange(n_bins + 1), default).astype(np.uint8)
            first = layout.first_codes[feature]
            codes = np.full(MAX_NARROW_BINS, default, dtype=np.uint8)
            codes[first : first + n_bins] = others
            return codes[self.columns[position]]
        codes = np.full(self.n_rows, default, dtype=np.uint8)
        if storage == SPARSE:
            some = slice(self.entry_starts[position], self.entry_starts[position + 1])
            codes[self.entry_rows[some]] = self.entry_codes[some]
        return codes


def _store_by_row(
    int64_t n_rows,
    const int64_t[::1] starts,
    const uint32_t[::1] rows,
    const uint8_t[::1] codes,
):
    """Return where the entries of each row begin, and the entries.

    IN: starts (n_features + 1,), rows, codes of the entries by column.
    """
    cdef:
        int64_t first = starts[0], last = starts[starts.shape[0] - 1]
        int64_t i, row, count, total = 0
        uint32_t feature
        int64_t[::1] row_starts = np.zeros(n_rows + 1, dtype=np.int64)
        int64_t[::1] places
        uint32_t[::1] entries = np.empty(last - first, dtype=np.uint32)
    for i in range(first, last):
        row_starts[rows[i] + 1] += 1
    for row in range(n_rows):
        count = row_starts[row + 1]
        row_starts[row + 1] = total + count
        total += count
    places = np.array(row_starts[:n_rows])
    for feature in range(starts.shape[0] - 1):
        for i in range(starts[feature], starts[feature + 1]):
            entries[places[rows[i]]] = feature << 8 | codes[i]
            places[rows[i]] += 1
    return np.asarray(row_starts), np.asarray(entries)


def _split_evenly(costs, largest):
    """Cut columns into as few parts as can be, about as even as can be.

    Parameters
    ----------
    costs : int array of shape (n_columns,)
    largest : int
        What a part may cost, a little more if it is not all the same for all columns.

    Returns
    -------
    parts : list of slices
    """
    n_parts = -(-costs.sum() // largest)
    middles = 2 * np.cumsum(costs) - costs
    parts = middles * n_parts // max(2 * costs.sum(), 1)
    # A dear column may be more than a part, which leaves another one empty.
    bounds = np.flatnonzero(np.diff(parts, prepend=-1, append=n_parts))
    pairs = zip(bounds[: len(bounds) - 1], bounds[1:])
    return [slice(int(start), int(stop)) for start, stop in pairs]


def _split_into_parts(costs):
    """Cut the columns of a block into parts, two at least for two threads to share."""
    return _split_evenly(
        costs, min(PART_CELLS * COST_OF_CELL, (costs.sum() + 1) // 2)
    )


def _find_places(sizes):
    """Return where in a row of a block the code of each column is, and the width.

    IN: sizes (n_columns,) of the codes, those of 1 byte before others, all the same.
    """
    ends = np.cumsum(sizes)
    n_narrow = np.count_nonzero(sizes == 1)
    ends[n_narrow:] += -n_narrow % sizes[len(sizes) - 1]
    return (ends - sizes).astype(np.int32), int(ends[len(ends) - 1])


def _make_block(n_rows, stride):
    """Return an array (n_rows, stride) of bytes that begins with a cache line."""
    block = np.empty(n_rows * stride + CACHE_LINE, dtype=np.uint8)
    first = -block.ctypes.data % CACHE_LINE
    return block[first : first + n_rows * stride].reshape(n_rows, stride)


def _choose_stride(width):
    """Return how far apart rows of a block are.

    A row that lies in two cache lines costs two accesses, which a little more memory
    avoids.
    """
    power = 1
    while power < width:
        power *= 2
    return power if 4 * width >= 3 * power else width
