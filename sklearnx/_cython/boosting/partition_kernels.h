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

// Of each narrow code whether it goes left, a bit each.
typedef struct {
    uint32_t bits[8];
} skx_left_codes_t;

// IN: goes_left (n_codes,), 0 or 1.
static inline skx_left_codes_t skx_pack_left_codes(const uint8_t *goes_left, int n_codes) {
    skx_left_codes_t packed = {};
    for (int code = 0; code < n_codes; ++code) {
        packed.bits[code / 32] |= (uint32_t)goes_left[code] << (code % 32);
    }
    return packed;
}

#if SKX_HAS_X86_CODE
// The same, 16 rows at a time. Reads up to 127 bytes beyond the last code.
__attribute__((target("avx512f,avx512bw,avx512vl,popcnt"))) static int64_t
skx_split_rows_avx512(
    const uint8_t *codes, const skx_left_codes_t *left_codes, const uint8_t *goes_left,
    const uint32_t *rows, int64_t n_rows, uint32_t *left, uint32_t *right) {
    const __m512i table = _mm512_castsi256_si512(
        _mm256_loadu_si256((const __m256i *)left_codes->bits));
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i byte = _mm512_set1_epi32(255), low = _mm512_set1_epi32(31);
    const __m512i near = _mm512_set1_epi32(128);
    int64_t n_left = 0, i = 0;
    for (; i + 16 <= n_rows; i += 16) {
        const __m512i row = _mm512_loadu_si512(rows + i);
        const __m512i place =
            _mm512_sub_epi32(row, _mm512_set1_epi32((int32_t)rows[i]));
        __m512i code;
        if (_mm512_cmplt_epu32_mask(place, near) == 0xffff) {
            // All are in the next 128 codes: take the pair that each is in, then the half.
            const uint8_t *first = codes + rows[i];
            const __m512i pair = _mm512_permutex2var_epi16(
                _mm512_loadu_si512(first), _mm512_srli_epi32(place, 1),
                _mm512_loadu_si512(first + 64));
            const __m512i half = _mm512_slli_epi32(_mm512_and_si512(place, one), 3);
            code = _mm512_and_si512(_mm512_srlv_epi32(pair, half), byte);
        } else {
            code = _mm512_and_si512(_mm512_i32gather_epi32(row, codes, 1), byte);
        }
        const __m512i word =
            _mm512_permutexvar_epi32(_mm512_srli_epi32(code, 5), table);
        const __m512i bit = _mm512_sllv_epi32(one, _mm512_and_si512(code, low));
        const __mmask16 goes = _mm512_test_epi32_mask(word, bit);
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

// Split by narrow codes; `left_codes` are goes_left once more. A gather reads row numbers
// as signed, so that there may not be more than 2^31 of them.
static inline int64_t skx_split_narrow_rows(
    const uint8_t *codes, const skx_left_codes_t *left_codes, int64_t n_rows_in_all,
    const uint8_t *goes_left, const uint32_t *rows, int64_t n_rows, uint32_t *left,
    uint32_t *right) {
#if SKX_HAS_X86_CODE
    static const bool has_avx512 = __builtin_cpu_supports("avx512f") &&
                                   __builtin_cpu_supports("avx512bw") &&
                                   __builtin_cpu_supports("avx512vl");
    if (has_avx512 && n_rows_in_all <= INT32_MAX) {
        return skx_split_rows_avx512(
            codes, left_codes, goes_left, rows, n_rows, left, right);
    }
#endif
    return skx_split_rows(codes, goes_left, rows, n_rows, left, right);
}
