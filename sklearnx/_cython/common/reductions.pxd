from libc.stdint cimport int64_t


cdef extern from "reduction_kernels.h" nogil:
    ctypedef struct skx_weighted_t:
        double value
        int64_t weight

    int skx_fixed_bits(int64_t n_rows) noexcept
    int skx_fixed_shift(double max_abs, int n_bits) noexcept
    double skx_fixed_value(int64_t high, int64_t low, int n_bits, int shift) noexcept
    int64_t skx_round(double x) noexcept
    void skx_add_one(
        double value, double scale, double low_scale, int64_t* high, int64_t* low
    ) noexcept
    void skx_add_unweighted(
        const double* values, int64_t n, double scale, double low_scale,
        int64_t* high, int64_t* low,
    ) noexcept
    void skx_add_weighted(
        const double* values, const double* weights, int64_t n, double scale,
        double low_scale, int64_t* high, int64_t* low,
    ) noexcept
    double skx_max_abs_unweighted(const double* values, int64_t n) noexcept
    double skx_max_abs_weighted(
        const double* values, const double* weights, int64_t n
    ) noexcept
    double skx_find_quantile(double* values, int64_t n, double q) noexcept
    double skx_find_weighted_quantile(
        skx_weighted_t* rows, int64_t n, double q
    ) noexcept


cdef double compute_max_abs(
    const double* values, const double* weights, int64_t n, int n_threads
) noexcept nogil

cdef double compute_sum(
    const double* values, const double* weights, int64_t n, int n_threads
) noexcept nogil

cdef double compute_weight_scale(
    const double* weights, int64_t n, int n_threads
) noexcept nogil
