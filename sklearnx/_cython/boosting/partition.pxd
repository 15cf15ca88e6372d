from libc.stdint cimport int64_t, uint8_t, uint32_t

from sklearnx._cython.common.dtypes cimport binned_t


cdef int64_t partition_rows(
    const binned_t* binned,
    int feature,
    const uint8_t* goes_left,
    const int64_t* weights,
    const uint32_t* source,
    uint32_t* rows,
    int64_t n_rows,
    uint32_t* left_buffer,
    uint32_t* right_buffer,
    bint sums_left,
    int64_t* side_weight,
    int n_threads,
) noexcept nogil
