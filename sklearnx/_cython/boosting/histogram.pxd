from libc.stdint cimport int64_t, uint32_t

from sklearnx._cython.common.dtypes cimport binned_t, hist_bin_t, quantized_t


cdef struct workspace_t:
    int n_slots
    int64_t** packed  # a slot: (n_narrow, PACKED_STRIDE), all zero between calls
    hist_bin_t** partial  # a slot but the first: a histogram


cdef workspace_t* allocate_workspace(const binned_t* binned, int n_slots) noexcept nogil

cdef void free_workspace(workspace_t* workspace) noexcept nogil

cdef void build_histogram(
    const binned_t* binned,
    const quantized_t* quantized,
    const uint32_t* rows,
    int64_t n_rows,
    workspace_t* workspace,
    hist_bin_t* histogram,
    int n_threads,
) noexcept nogil
