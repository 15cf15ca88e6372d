from libc.stdint cimport int32_t

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
    cdef object _places  # of a block: where in its rows the codes of each column are
    # What only keeps memory alive.
    cdef object _dense, _members, _member_starts, _all_max_counts, _word_starts
    cdef object _cell_columns, _cell_starts, _cell_codes, _group_arrays
    cdef object _sparse_arrays

    cdef void _bind(self) except *
    cdef void _bind_cells(self) except *
    cdef void _bind_groups(self) except *
    cdef void _bind_entries(self) except *
    cdef void _set_max_counts(self)
    cdef void _bind_group(
        self, int group_idx, int block_idx, int first, const int32_t[::1] places
    ) except *
