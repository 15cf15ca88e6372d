"""The binned training data, as kernels see it."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free

from sklearnx._cython.common.dtypes cimport MAX_NARROW_BINS

# Columns that a block of rows holds: half a cache line.
BLOCK_COLUMNS = 32
# Columns of a part of a block.
PART_COLUMNS = 16


cdef class BinnedMatrix:
    """Codes of the training data, one per row and feature, and what they stand for.

    Parameters
    ----------
    n_rows : int
    n_bins : int32 array of shape (n_features,)
        Bins of each feature without the missing one, whose code is `n_bins`.
    is_categorical : uint8 array of shape (n_features,)

    Attributes
    ----------
    blocks : list of uint8 arrays of shape (n_rows, stride)
        Codes of the features with at most 256 bins, in the order that histograms read:
        a block holds `BLOCK_COLUMNS` of them at most, next to each other for each row.
    columns : uint8 array of shape (n_narrow, n_rows)
        The same in the order that partitions read.
    wide : uint16 or uint32 array of shape (n_wide, n_rows)
        Codes of the other features.
    offsets : int64 array of shape (n_features + 1,)
        Where the bins of a feature begin in a histogram.
    has_missing : uint8 array of shape (n_features,)
    max_counts : int64 array of shape (n_narrow,)
        Rows in the fullest bin of each narrow feature, or more.
    """

    def __cinit__(self):
        self.groups = NULL

    def __init__(self, n_rows, n_bins, is_categorical):
        n_bins = np.ascontiguousarray(n_bins, dtype=np.int32)
        is_wide = (n_bins + 1 > MAX_NARROW_BINS).astype(np.uint8)
        positions = np.empty(len(n_bins), dtype=np.int32)
        narrow_features = np.flatnonzero(is_wide == 0).astype(np.int32)
        wide_features = np.flatnonzero(is_wide).astype(np.int32)
        positions[narrow_features] = np.arange(len(narrow_features))
        positions[wide_features] = np.arange(len(wide_features))
        wide_dtype = np.uint16
        if len(wide_features) and n_bins.max() > np.iinfo(np.uint16).max:
            wide_dtype = np.uint32
        self.blocks = [
            np.empty((n_rows, _choose_stride(width)), dtype=np.uint8)
            for width in _split_evenly(len(narrow_features), BLOCK_COLUMNS)
        ]
        # Partitions read a little beyond the last code.
        columns = np.empty(len(narrow_features) * n_rows + 3, dtype=np.uint8)
        self.columns = columns[: len(narrow_features) * n_rows].reshape(
            len(narrow_features), n_rows
        )
        self.wide = np.empty((len(wide_features), n_rows), dtype=wide_dtype)
        self.n_bins = n_bins
        self.offsets = np.concatenate(
            [[0], np.cumsum(n_bins.astype(np.int64) + 1)]
        ).astype(np.int64)
        self.has_missing = np.zeros(len(n_bins), dtype=np.uint8)
        self.is_categorical = np.ascontiguousarray(is_categorical, dtype=np.uint8)
        self.narrow_features = narrow_features
        self.wide_features = wide_features
        self.positions = positions
        self.is_wide = is_wide
        self.max_counts = np.full(len(narrow_features), n_rows, dtype=np.int64)
        self._bind()
        self._bind_groups()

    def __dealloc__(self):
        free(self.groups)

    cdef void _bind(self):
        cdef:
            uint8_t[:, ::1] columns = self.columns
            int64_t[::1] max_counts = self.max_counts
            uint16_t[:, ::1] wide16
            uint32_t[:, ::1] wide32
            int32_t[::1] narrow_features = self.narrow_features
            int32_t[::1] wide_features = self.wide_features
            int32_t[::1] positions = self.positions
            uint8_t[::1] is_wide = self.is_wide
            int32_t[::1] n_bins = self.n_bins
            int64_t[::1] offsets = self.offsets
            uint8_t[::1] has_missing = self.has_missing
            uint8_t[::1] is_categorical = self.is_categorical
        self.binned.n_rows = columns.shape[1]
        self.binned.n_features = n_bins.shape[0]
        self.binned.n_narrow = narrow_features.shape[0]
        self.binned.n_wide = wide_features.shape[0]
        self.binned.max_counts = NULL
        self.binned.columns = NULL
        self.binned.wide16 = NULL
        self.binned.wide32 = NULL
        self.binned.narrow_features = NULL
        self.binned.wide_features = NULL
        if columns.shape[1] > 0 and self.binned.n_narrow > 0:
            self.binned.max_counts = &max_counts[0]
            self.binned.columns = &columns[0, 0]
            self.binned.narrow_features = &narrow_features[0]
        if columns.shape[1] > 0 and self.binned.n_wide > 0:
            self.binned.wide_features = &wide_features[0]
            if self.wide.dtype == np.uint16:
                wide16 = self.wide
                self.binned.wide16 = &wide16[0, 0]
            else:
                wide32 = self.wide
                self.binned.wide32 = &wide32[0, 0]
        self.binned.positions = &positions[0]
        self.binned.is_wide = &is_wide[0]
        self.binned.n_bins = &n_bins[0]
        self.binned.offsets = &offsets[0]
        self.binned.has_missing = &has_missing[0]
        self.binned.is_categorical = &is_categorical[0]

    cdef void _bind_groups(self) except *:
        """Describe the blocks, and parts of them for threads to share out."""
        widths = _split_evenly(self.binned.n_narrow, BLOCK_COLUMNS)
        parts = [_split_evenly(width, PART_COLUMNS) for width in widths]
        self.binned.n_blocks = len(widths)
        self.binned.n_groups = sum(map(len, parts))
        self.groups = <column_group_t*> calloc(
            self.binned.n_blocks + self.binned.n_groups + 1, sizeof(column_group_t)
        )
        if self.groups == NULL:
            raise MemoryError()
        self.binned.blocks = self.groups
        self.binned.groups = self.groups + self.binned.n_blocks
        column, group = 0, len(widths)
        for block_idx, block in enumerate(self.blocks):
            self._bind_group(block_idx, block, 0, column, widths[block_idx])
            first = 0
            for width in parts[block_idx]:
                self._bind_group(group, block, first, column, width)
                first += width
                column += width
                group += 1

    cdef void _bind_group(
        self, int group_idx, uint8_t[:, ::1] codes, int first, int column, int n_columns
    ):
        cdef column_group_t* group = &self.groups[group_idx]
        group.codes = NULL
        if codes.shape[0] > 0:
            group.codes = &codes[0, first]
        group.stride = <int32_t> codes.shape[1]
        group.first = column
        group.n_columns = n_columns
        group.max_count = codes.shape[0]

    cdef void _set_max_counts(self):
        """Take over `max_counts` to the groups."""
        cdef:
            column_group_t* group
            int i, column
        for i in range(self.binned.n_blocks + self.binned.n_groups):
            group = &self.groups[i]
            group.max_count = 0
            for column in range(group.first, group.first + group.n_columns):
                group.max_count = max(
                    group.max_count, self.binned.max_counts[column]
                )

    @property
    def n_rows(self):
        return self.columns.shape[1]

    @property
    def n_features(self):
        return len(self.n_bins)

    @property
    def rows(self):
        """Codes of the narrow features by row, copied from the blocks."""
        widths = _split_evenly(self.binned.n_narrow, BLOCK_COLUMNS)
        if not widths:
            return np.empty((self.n_rows, 0), dtype=np.uint8)
        return np.hstack(
            [
                block[:, :width]
                for block, width in zip(self.blocks, widths, strict=True)
            ]
        )

    def column(self, feature):
        """Return the codes of a feature, for writing and reading."""
        group = self.wide if self.is_wide[feature] else self.columns
        return group[self.positions[feature]]


def _split_evenly(n, largest):
    """Return sizes of at most `largest`, as few and as even as can be, summing to n."""
    n_parts = -(-n // largest)
    return [n * (i + 1) // n_parts - n * i // n_parts for i in range(n_parts)]


def _choose_stride(width):
    """Return how far apart rows of a block are.

    A row that lies in two cache lines costs two accesses, which a little more memory
    avoids.
    """
    power = 1
    while power < width:
        power *= 2
    return power if 4 * width >= 3 * power else width
