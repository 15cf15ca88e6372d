from libc.stdint cimport uint8_t

from sklearnx._cython.common.dtypes cimport (
    binned_t,
    column_group_t,
    sparse_block_t,
)


cdef class BinnedMatrix:
    cdef binned_t binned
    cdef column_group_t* groups  # the blocks, then their parts
    cdef sparse_block_t* sparse
    cdef readonly object blocks, columns, wide
    cdef readonly object n_bins, offsets, has_missing, is_categorical
    cdef readonly object layout, used, max_counts, wide_max_counts
    cdef readonly object entry_starts, entry_rows, entry_codes
    # What only keeps memory alive.
    cdef object _members, _member_starts, _wide_features, _sparse_arrays

    cdef void _bind(self) except *
    cdef void _bind_groups(self) except *
    cdef void _bind_entries(self) except *
    cdef void _set_max_counts(self)
    cdef void _bind_group(
        self, int group_idx, uint8_t[:, ::1] codes, int first, int column, int n_columns
    )
