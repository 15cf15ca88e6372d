// Splitting a stretch of rows in two, in order, without a branch.

#pragma once

#include <stdint.h>

#include "skx_math.h"

// A row is written to both sides, and stays on one: the other is overwritten.
// goes_left: 0 or 1 by code. left may be rows. Returns how many go left.
template <typename code_t>
static int64_t skx_split_rows(
    const code_t *codes, const uint8_t *goes_left, const uint32_t *rows, int64_t n_rows,
    uint32_t *left, uint32_t *right) {
    int64_t n_left = 0;
    for (int64_t i = 0; i < n_rows; ++i) {
        const uint32_t row = rows[i];
        const int64_t goes = goes_left[codes[row]];
        right[i - n_left] = row;
        left[n_left] = row;
        n_left += goes;
    }
    return n_left;
}

// A split as a stretch of codes and one more: a code goes left if it lies in the stretch,
// or else if `inverse`, and the other way round if it is `other` (256: none is).
typedef struct {
    int first, n;  // n < 0: the split is not of this form
    int inverse, other;
} skx_stretch_t;

#if SKX_HAS_X86_CODE
// The same, 16 rows at a time. Reads three bytes beyond the last code.
__attribute__((target("avx512f,avx512bw,avx512vl,popcnt"))) static int64_t
skx_split_rows_avx512(
    const uint8_t *codes, skx_stretch_t stretch, const uint8_t *goes_left,
    const uint32_t *rows, int64_t n_rows, uint32_t *left, uint32_t *right) {
    const __m512i first = _mm512_set1_epi32(stretch.first);
    const __m512i n_codes = _mm512_set1_epi32(stretch.n);
    const __m512i other = _mm512_set1_epi32(stretch.other);
    const __mmask16 inverse = (__mmask16)(stretch.inverse ? 0xffff : 0);
    const __m512i byte = _mm512_set1_epi32(255);
    int64_t n_left = 0, i = 0;
    for (; i + 16 <= n_rows; i += 16) {
        const __m512i row = _mm512_loadu_si512(rows + i);
        const __m512i code =
            _mm512_and_si512(_mm512_i32gather_epi32(row, codes, 1), byte);
        const __mmask16 is_inside =
            _mm512_cmplt_epu32_mask(_mm512_sub_epi32(code, first), n_codes);
        const __mmask16 goes = (__mmask16)(
            is_inside ^ inverse ^ _mm512_cmpeq_epu32_mask(code, other));
        _mm512_storeu_si512(
            right + i - n_left, _mm512_maskz_compress_epi32((__mmask16)~goes, row));
        _mm512_storeu_si512(left + n_left, _mm512_maskz_compress_epi32(goes, row));
        n_left += _mm_popcnt_u32(goes);
    }
    // `right` holds i - n_left rows so far.
    const int64_t n_rest = skx_split_rows(
        codes, goes_left, rows + i, n_rows - i, left + n_left, right + i - n_left);
    return n_left + n_rest;
}
#endif

static inline int64_t skx_sum_some_weights(
    const int64_t *weights, const uint32_t *rows, int64_t n_rows) {
    int64_t sum = 0;
    for (int64_t i = 0; i < n_rows; ++i) sum += weights[rows[i]];
    return sum;
}

#if SKX_HAS_X86_CODE
__attribute__((target("avx512f"))) static int64_t skx_sum_some_weights_avx512(
    const int64_t *weights, const uint32_t *rows, int64_t n_rows) {
    __m512i sum = _mm512_setzero_si512(), other = _mm512_setzero_si512();
    int64_t i = 0;
    for (; i + 16 <= n_rows; i += 16) {
        const __m256i row = _mm256_loadu_si256((const __m256i *)(rows + i));
        const __m256i next = _mm256_loadu_si256((const __m256i *)(rows + i + 8));
        sum = _mm512_add_epi64(sum, _mm512_i32gather_epi64(row, weights, 8));
        other = _mm512_add_epi64(other, _mm512_i32gather_epi64(next, weights, 8));
    }
    return _mm512_reduce_add_epi64(_mm512_add_epi64(sum, other)) +
           skx_sum_some_weights(weights, rows + i, n_rows - i);
}
#endif

// The weights of some rows, of no more than n_rows_in_all.
static inline int64_t skx_sum_weights(
    const int64_t *weights, int64_t n_rows_in_all, const uint32_t *rows,
    int64_t n_rows) {
#if SKX_HAS_X86_CODE
    static const bool has_avx512 = __builtin_cpu_supports("avx512f");
    if (has_avx512 && n_rows_in_all <= INT32_MAX) {
        return skx_sum_some_weights_avx512(weights, rows, n_rows);
    }
#endif
    return skx_sum_some_weights(weights, rows, n_rows);
}

// Describe a split by narrow codes. goes_left: (n_codes,), 0 or 1.
static inline skx_stretch_t skx_find_stretch(const uint8_t *goes_left, int n_codes) {
    skx_stretch_t stretch = {0, 0, goes_left[0], 256};
    int code = 0;
    while (code < n_codes && goes_left[code] == stretch.inverse) ++code;
    stretch.first = code;
    while (code < n_codes && goes_left[code] != stretch.inverse) ++code;
    stretch.n = code - stretch.first;
    for (; code < n_codes; ++code) {
        if (goes_left[code] == stretch.inverse) continue;
        if (stretch.other < 256) {
            stretch.n = -1;
            return stretch;
        }
        stretch.other = code;
    }
    return stretch;
}

// Split by narrow codes; `stretch` describes goes_left. A gather reads row numbers as
// signed, so that there may not be more than 2^31 of them.
static inline int64_t skx_split_narrow_rows(
    const uint8_t *codes, skx_stretch_t stretch, int64_t n_rows_in_all,
    const uint8_t *goes_left, const uint32_t *rows, int64_t n_rows, uint32_t *left,
    uint32_t *right) {
#if SKX_HAS_X86_CODE
    static const bool has_avx512 = __builtin_cpu_supports("avx512f") &&
                                   __builtin_cpu_supports("avx512bw") &&
                                   __builtin_cpu_supports("avx512vl");
    if (has_avx512 && stretch.n >= 0 && n_rows_in_all <= INT32_MAX) {
        return skx_split_rows_avx512(
            codes, stretch, goes_left, rows, n_rows, left, right);
    }
#endif
    return skx_split_rows(codes, goes_left, rows, n_rows, left, right);
}
