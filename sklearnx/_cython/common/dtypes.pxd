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
    int PAIR_HESSIAN_SHIFT
    int PAIR_HESSIAN_BITS
    int64_t PAIR_COUNT_MASK
    int PAIR_MAX_ROWS
    int MAX_NARROW_BINS
    int WORD_STRIDE

    ctypedef struct column_group_t:
        const uint8_t* codes
        int32_t stride
        int32_t wide_place
        int32_t wide_size
        int32_t first
        int32_t n_narrow
        int32_t n_wide
        int32_t n_columns
        int32_t n_features
        const int32_t* columns
        const int32_t* features
        int64_t max_count

    ctypedef struct sparse_note_t:
        hist_bin_t entries
        double deviation

    int NARROW_STORAGE
    int WIDE_STORAGE
    int SPARSE_STORAGE
    int NO_STORAGE

    ctypedef struct sparse_block_t:
        const int64_t* starts
        const uint32_t* entries
        const int32_t* features
        const int64_t* bins
        int32_t n_features

    ctypedef struct binned_t:
        int64_t n_rows
        int n_features
        int n_used
        int n_dense
        int n_columns
        int n_cells
        int n_wide
        int n_sparse
        int n_groups
        int n_blocks
        int n_sparse_blocks
        int64_t updates_per_row
        const int32_t* used
        const int32_t* dense
        const uint8_t* storage
        const int32_t* positions
        const int32_t* n_bins
        const int64_t* offsets
        const int32_t* default_codes
        const int32_t* first_codes
        const uint8_t* has_missing
        const uint8_t* is_categorical
        const int32_t* cell_columns
        const int32_t* cell_starts
        const int32_t* cell_codes
        const column_group_t* blocks
        const column_group_t* groups
        const uint8_t* columns
        const uint16_t* wide16
        const uint32_t* wide32
        const int64_t* max_counts
        const int64_t* word_starts
        int64_t n_words
        const int32_t* members
        const int32_t* member_starts
        const sparse_block_t* sparse_blocks
        const int64_t* entry_starts
        const uint32_t* entry_rows
        const uint8_t* entry_codes

    int skx_translate_codes(
        const binned_t* binned, int feature, const uint8_t* by_code, uint8_t* by_column
    ) noexcept

    ctypedef struct leaf_term_t:
        int32_t gradient
        int32_t hessian

    ctypedef struct quantized_t:
        const int64_t* words
        int n_words
        int64_t rows_per_flush
        const leaf_term_t* leaf_terms
        const int64_t* weights
        int64_t sum_weights
        double gradient_unit
        double hessian_unit
        double leaf_gradient_unit
        double leaf_hessian_unit
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

    ctypedef struct linear_leaf_t:
        double intercept
        double quantum
        int64_t start
        int32_t n_terms

    ctypedef struct linear_term_t:
        double coefficient
        double centre
        int32_t feature
