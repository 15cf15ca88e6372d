from sklearnx._cython.common.dtypes cimport binned_t


cdef class BinnedMatrix:
    cdef binned_t binned
    cdef readonly object rows, columns, wide
    cdef readonly object n_bins, offsets, has_missing, is_categorical
    cdef object narrow_features, wide_features, positions, is_wide

    cdef void _bind(self)
