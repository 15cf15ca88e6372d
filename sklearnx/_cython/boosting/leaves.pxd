from libc.stdint cimport int64_t, uint32_t

from sklearnx._cython.common.dtypes cimport quantized_t


cdef bint sum_leaves(
    const quantized_t* quantized,
    const uint32_t* rows,
    const int64_t* offsets,
    int n_leaves,
    int64_t n_rows,
    int64_t* sums,
    int n_threads,
) noexcept nogil

cdef bint add_to_leaves(
    const double* values,
    const uint32_t* rows,
    const int64_t* offsets,
    int n_leaves,
    int64_t n_rows,
    double* raw,
    int n_threads,
) noexcept nogil
