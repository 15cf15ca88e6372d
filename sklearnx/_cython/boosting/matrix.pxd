from libc.stdint cimport int32_t

from sklearnx._cython.common.dtypes cimport binned_t, column_group_t


cdef class BinnedMatrix:
    cdef binned_t binned
    cdef column_group_t* groups
    cdef readonly object blocks, columns, wide
    cdef readonly object n_bins, offsets, has_missing, is_categorical
    cdef object narrow_features, wide_features, positions, is_wide, group_of_column

    cdef void _bind(self)
    cdef void _bind_groups(self) except *
