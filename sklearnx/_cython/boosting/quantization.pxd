from libc.stdint cimport int64_t, uint32_t

from sklearnx._cython.common.dtypes cimport leaf_term_t, quantized_t

cdef extern from "quantization_kernels.h" nogil:
    ctypedef struct skx_quantize_t:
        const double* factors
        bint integer_weights
        double gradient_scale
        double hessian_scale
        int gradient_shift
        int hessian_shift
        int leaf_gradient_shift
        int leaf_hessian_shift
        int n_words
        int64_t* words
        leaf_term_t* leaf_terms

    ctypedef struct skx_found_t:
        int64_t sum_gradients, sum_hessians
        int64_t max_gradient, max_hessian

    void skx_quantize(
        const skx_quantize_t* args, const double* gradients, const double* hessians,
        int64_t start, int64_t stop, skx_found_t* found
    ) noexcept


# Sums of squared gradients and of hessians, chunk by chunk.
cdef struct squares_t:
    const quantized_t* quantized
    const uint32_t* rows  # NULL: all
    int64_t n_rows
    int shift  # of the gradients
    int64_t* sum_squares  # of each chunk
    int64_t* sum_hessians


# What rows are quantised with, chunk by chunk.
cdef struct quantization_t:
    int64_t n_rows
    int n_chunks
    skx_quantize_t args
    const double* gradients  # of all rows, if they are at hand
    const double* hessians  # NULL: all are 1
    double* max_gradients  # of each chunk, as all below; infinite or NaN if any is
    double* max_hessians
    int64_t* sum_gradients  # of absolute values
    int64_t* sum_hessians
    bint sums_squares
    squares_t squares


cdef enum:
    ROWS_PER_QUANTIZATION = 1 << 12


cdef int count_chunks(int64_t n_rows) noexcept nogil

cdef void end_chunk(
    quantization_t* job, int chunk, const skx_found_t* found
) noexcept nogil


cdef class QuantizedGradients:
    cdef quantized_t quantized
    cdef readonly object weights, integer_weights
    cdef readonly object fixed_weights, words
    cdef object buffer, leaf_terms, guesses
    cdef readonly int n_fine_bits
    cdef int square_shift
    cdef readonly double sum_weights
    cdef double max_weight
    cdef int64_t n_rows
    cdef readonly bint is_narrow
    cdef int output
    cdef bint has_hessians
    cdef object maxima, sums
    cdef quantization_t job

    cdef start(self, bint has_hessians, int output)
    cdef bint finish(self) except -1
    cdef bint _is_right(self) except -1
    cdef void _prepare_words(self, bint is_narrow)
    cdef void _set_quantized(self, const skx_quantize_t* args)
