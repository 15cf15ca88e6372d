"""The binned training data, as kernels see it."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t

from sklearnx._cython.common.dtypes cimport PACKED_STRIDE


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
    rows : uint8 array of shape (n_rows, n_narrow)
        Codes of the features with at most 256 bins, in the order that histograms read.
    columns : uint8 array of shape (n_narrow, n_rows)
        The same in the order that partitions read.
    wide : uint16 or uint32 array of shape (n_wide, n_rows)
        Codes of the other features.
    offsets : int64 array of shape (n_features + 1,)
        Where the bins of a feature begin in a histogram.
    has_missing : uint8 array of shape (n_features,)
    """

    def __init__(self, n_rows, n_bins, is_categorical):
        n_bins = np.ascontiguousarray(n_bins, dtype=np.int32)
        is_wide = (n_bins + 1 > PACKED_STRIDE).astype(np.uint8)
        positions = np.empty(len(n_bins), dtype=np.int32)
        narrow_features = np.flatnonzero(is_wide == 0).astype(np.int32)
        wide_features = np.flatnonzero(is_wide).astype(np.int32)
        positions[narrow_features] = np.arange(len(narrow_features))
        positions[wide_features] = np.arange(len(wide_features))
        wide_dtype = np.uint16
        if len(wide_features) and n_bins.max() > np.iinfo(np.uint16).max:
            wide_dtype = np.uint32
        self.rows = np.empty((n_rows, len(narrow_features)), dtype=np.uint8)
        self.columns = np.empty((len(narrow_features), n_rows), dtype=np.uint8)
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
        self._bind()

    cdef void _bind(self):
        cdef:
            uint8_t[:, ::1] rows = self.rows
            uint8_t[:, ::1] columns = self.columns
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
        self.binned.n_rows = rows.shape[0]
        self.binned.n_features = n_bins.shape[0]
        self.binned.n_narrow = narrow_features.shape[0]
        self.binned.n_wide = wide_features.shape[0]
        self.binned.rows = NULL
        self.binned.columns = NULL
        self.binned.wide16 = NULL
        self.binned.wide32 = NULL
        self.binned.narrow_features = NULL
        self.binned.wide_features = NULL
        if rows.shape[0] > 0 and self.binned.n_narrow > 0:
            self.binned.rows = &rows[0, 0]
            self.binned.columns = &columns[0, 0]
            self.binned.narrow_features = &narrow_features[0]
        if rows.shape[0] > 0 and self.binned.n_wide > 0:
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

    @property
    def n_rows(self):
        return self.rows.shape[0]

    @property
    def n_features(self):
        return len(self.n_bins)

    def column(self, feature):
        """Return the codes of a feature, for writing and reading."""
        group = self.wide if self.is_wide[feature] else self.columns
        return group[self.positions[feature]]
