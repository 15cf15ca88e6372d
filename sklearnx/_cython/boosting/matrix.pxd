from libc.stdint cimport uint8_t

from sklearnx._cython.common.dtypes cimport binned_t, column_group_t


cdef class BinnedMatrix:
    cdef binned_t binned
    cdef column_group_t* groups  # the blocks, then their parts
    cdef readonly object blocks, columns, wide
    cdef readonly object n_bins, offsets, has_missing, is_categorical
    cdef object narrow_features, wide_features, positions, is_wide
    cdef readonly object max_counts

    cdef void _bind(self)
    cdef void _bind_groups(self) except *
    cdef void _set_max_counts(self)
    cdef void _bind_group(
        self, int group_idx, uint8_t[:, ::1] codes, int first, int column, int n_columns
    )
