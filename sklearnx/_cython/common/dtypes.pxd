from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t


cdef extern from "dtypes.h" nogil:
    ctypedef struct hist_bin_t:
        int64_t sum_gradients
        int64_t sum_hessians
        int64_t n_samples

    int PACKED_GRADIENT_SHIFT
    int PACKED_HESSIAN_SHIFT
    int64_t PACKED_HESSIAN_MASK
    int64_t PACKED_COUNT_MASK
    int PACKED_MAX_GRADIENT
    int PACKED_MAX_HESSIAN
    int PACKED_MAX_ROWS
    int PACKED_STRIDE

    ctypedef struct binned_t:
        int64_t n_rows
        int n_features
        int n_narrow
        int n_wide
        const uint8_t* rows
        const uint8_t* columns
        const uint16_t* wide16
        const uint32_t* wide32
        const int32_t* narrow_features
        const int32_t* wide_features
        const int32_t* positions
        const uint8_t* is_wide
        const int32_t* n_bins
        const int64_t* offsets
        const uint8_t* has_missing
        const uint8_t* is_categorical

    ctypedef struct quantized_t:
        const int64_t* packed
        const int64_t* gradients
        const int64_t* hessians
        const int64_t* leaf_gradients
        const int64_t* leaf_hessians
        const int64_t* weights
        double gradient_unit
        double hessian_unit
        double leaf_gradient_unit
        double leaf_hessian_unit
        double weight_unit
        double row_weight

    ctypedef struct split_t:
        double gain
        int32_t feature
        int32_t bin
        int32_t n_left_levels
        uint8_t missing_left
        uint8_t is_categorical
        int64_t left_gradients
        int64_t left_hessians
        int64_t left_n_samples
        double left_value
        double right_value

    ctypedef struct node_t:
        double value
        int32_t feature
        int32_t left
        int32_t bitset
        uint8_t missing_left
