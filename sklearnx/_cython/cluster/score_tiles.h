// Scores of all centres for blocks of rows: the filter in front of exact distances.
//
//     score(x, c) = x'c - |c|**2 / 2        so that  |x - c|**2 = |x|**2 - 2 score(x, c)
//
// of rows and centres moved by one shift, scaled by one power of two and rounded to
// float32. The nearest centre has the largest score. Rounding can change a score by at
// most `tolerance * (|x| |c| + |c|**2 / 2)`: where two scores are closer, whoever asks
// looks at exact distances. So float32, twice as fast as double, and the instruction set
// decide how long something takes, and never what comes out.
//
// Rows stand in blocks of 16, column by column; centres in panels of 8:
//
//     block[k][0..15]    panel[k][0..7]    k = 0, ..., n_columns - 1
//     scores[c][r] = sum_k panel[k][c] * block[k][r]          8 by 48, in registers
//
// (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", TOMS
// 2008; the bound on rounding is that of N. J. Higham, "Accuracy and Stability of
// Numerical Algorithms", 2002, section 3.1, for sums of chunks.)
#pragma once

#include <float.h>
#include <stdint.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "panels.h"
#include "parallel_parts.h"
#include "skx_math.h"

enum { SKX_BLOCK = 16, SKX_PANEL = 8, SKX_CHUNK = 128, SKX_MAX_BLOCKS = 3 };
enum { SKX_TILE_ROWS = SKX_BLOCK * SKX_MAX_BLOCKS };

#define SKX_FLOAT_UNIT 5.9604644775390625e-8  // 2**-24, half the step of float32 at 1

#if SKX_HAS_X86_CODE
template <int N_BLOCKS, int N_CENTERS>
SKX_FMA_512 static void skx_score_512(
    const float *const *blocks, const float *panel, const float *bias,
    int64_t n_columns, float *scores) {
    for (int64_t first = 0; first < n_columns; first += SKX_CHUNK) {
        const int64_t last = std::min(first + SKX_CHUNK, n_columns);
        __m512 sums[N_CENTERS][N_BLOCKS];
        for (int c = 0; c < N_CENTERS; ++c) {
            for (int r = 0; r < N_BLOCKS; ++r) sums[c][r] = _mm512_setzero_ps();
        }
        for (int64_t k = first; k < last; ++k) {
            __m512 rows[N_BLOCKS];
            for (int r = 0; r < N_BLOCKS; ++r) {
                rows[r] = _mm512_loadu_ps(blocks[r] + 16 * k);
            }
#pragma GCC unroll 8
            for (int c = 0; c < N_CENTERS; ++c) {
                const __m512 factor = _mm512_set1_ps(panel[8 * k + c]);
                for (int r = 0; r < N_BLOCKS; ++r) {
                    sums[c][r] = _mm512_fmadd_ps(factor, rows[r], sums[c][r]);
                }
            }
        }
        for (int c = 0; c < N_CENTERS; ++c) {
            for (int r = 0; r < N_BLOCKS; ++r) {
                float *place = scores + 16 * (c * N_BLOCKS + r);
                const __m512 start =
                    first == 0 ? _mm512_set1_ps(bias[c]) : _mm512_loadu_ps(place);
                _mm512_storeu_ps(place, _mm512_add_ps(start, sums[c][r]));
            }
        }
    }
}

template <int N_BLOCKS, int N_CENTERS>
SKX_FMA_256 static void skx_score_256(
    const float *const *blocks, const float *panel, const float *bias,
    int64_t n_columns, float *scores) {
    // 16 registers hold 4 by 16 sums, a row and a factor.
    enum { N = N_CENTERS < 4 ? N_CENTERS : 4 };
    for (int r = 0; r < N_BLOCKS; ++r) {
        for (int half = 0; half < N_CENTERS; half += N) {
            for (int64_t first = 0; first < n_columns; first += SKX_CHUNK) {
                const int64_t last = std::min(first + SKX_CHUNK, n_columns);
                __m256 sums[N][2];
                for (int c = 0; c < N; ++c) sums[c][0] = sums[c][1] = _mm256_setzero_ps();
                for (int64_t k = first; k < last; ++k) {
                    const float *row = blocks[r] + 16 * k;
                    const __m256 low = _mm256_loadu_ps(row), high = _mm256_loadu_ps(row + 8);
#pragma GCC unroll 4
                    for (int c = 0; c < N; ++c) {
                        const __m256 factor = _mm256_set1_ps(panel[8 * k + half + c]);
                        sums[c][0] = _mm256_fmadd_ps(factor, low, sums[c][0]);
                        sums[c][1] = _mm256_fmadd_ps(factor, high, sums[c][1]);
                    }
                }
                for (int c = 0; c < N; ++c) {
                    for (int side = 0; side < 2; ++side) {
                        float *place = scores + 16 * ((half + c) * N_BLOCKS + r) + 8 * side;
                        const __m256 start = first == 0 ? _mm256_set1_ps(bias[half + c])
                                                        : _mm256_loadu_ps(place);
                        _mm256_storeu_ps(place, _mm256_add_ps(start, sums[c][side]));
                    }
                }
            }
        }
    }
}
#endif

template <int N_BLOCKS, int N_CENTERS>
static void skx_score_plain(
    const float *const *blocks, const float *panel, const float *bias,
    int64_t n_columns, float *scores) {
    enum { N = N_CENTERS < 2 ? N_CENTERS : 2 };
    for (int r = 0; r < N_BLOCKS; ++r) {
        for (int half = 0; half < N_CENTERS; half += N) {
            for (int64_t first = 0; first < n_columns; first += SKX_CHUNK) {
                const int64_t last = std::min(first + SKX_CHUNK, n_columns);
                float sums[N][16] = {{0}};
                for (int64_t k = first; k < last; ++k) {
                    const float *row = blocks[r] + 16 * k;
                    for (int c = 0; c < N; ++c) {
                        const float factor = panel[8 * k + half + c];
                        for (int i = 0; i < 16; ++i) sums[c][i] += factor * row[i];
                    }
                }
                for (int c = 0; c < N; ++c) {
                    float *place = scores + 16 * ((half + c) * N_BLOCKS + r);
                    for (int i = 0; i < 16; ++i) {
                        place[i] = (first == 0 ? bias[half + c] : place[i]) + sums[c][i];
                    }
                }
            }
        }
    }
}

// The tiles of 1 to 3 blocks by 1, 2, 4 or 8 centres, chosen once by the processor.
struct skx_score_tiles_t {
    typedef void (*function_t)(
        const float *const *blocks, const float *panel, const float *bias,
        int64_t n_columns, float *scores);
    function_t of[SKX_MAX_BLOCKS][4];

    skx_score_tiles_t() {
#define SKX_SET_TILES(name)                                                          \
    do {                                                                             \
        const function_t chosen[SKX_MAX_BLOCKS][4] = {                               \
            {name<1, 1>, name<1, 2>, name<1, 4>, name<1, 8>},                        \
            {name<2, 1>, name<2, 2>, name<2, 4>, name<2, 8>},                        \
            {name<3, 1>, name<3, 2>, name<3, 4>, name<3, 8>}};                       \
        memcpy(of, chosen, sizeof of);                                               \
    } while (0)
        SKX_SET_TILES(skx_score_plain);
#if SKX_HAS_X86_CODE
        if (__builtin_cpu_supports("avx512f")) {
            SKX_SET_TILES(skx_score_512);
        } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
            SKX_SET_TILES(skx_score_256);
        }
#endif
#undef SKX_SET_TILES
    }
};

// The frame that rows and centres are moved to: (x - shift) * scale.
struct skx_frame_t {
    const double *shift;  // (n_columns,)
    double scale;         // a power of two
};

// A power of two that makes numbers up to `largest` about 1.
static inline double skx_scale_to_one(double largest) {
    int exponent = 0;
    if (largest > 0.0 && largest <= DBL_MAX) frexp(largest, &exponent);
    return ldexp(1.0, -std::min(std::max(exponent, -1000), 1000));
}

// Centres ready to be scored against. A last panel of few centres is computed in part.
struct skx_scorer_t {
    int64_t n_columns, n_centers, n_panels;
    std::vector<float> panels, bias;
    double max_norm;   // of the centres, in the frame
    double tolerance;  // see above

    const float *panel(int64_t p) const { return panels.data() + p * 8 * n_columns; }

    int n_in_panel(int64_t p) const {
        return (int)std::min(n_centers - p * 8, (int64_t)8);
    }

    // Write scores (n_in_panel(p), n_blocks, 16), and perhaps a few lines more.
    void score(
        int64_t p, const float *const *blocks, int n_blocks, float *scores) const {
        static const skx_score_tiles_t tiles;
        const int n = n_in_panel(p), width = n > 4 ? 3 : n > 2 ? 2 : n - 1;
        tiles.of[n_blocks - 1][width](
            blocks, panel(p), bias.data() + 8 * p, n_columns, scores);
    }
};

SKX_CLONES static double skx_pack_center(
    const double *values, int64_t n_columns, float *panel) {
    double sum = 0.0;
    for (int64_t k = 0; k < n_columns; ++k) {
        const float value = (float)values[k];
        panel[8 * k] = value;
        sum += (double)value * value;
    }
    return sum;
}

// Rows and centres whose numbers in the frame reach this are left to exact distances.
#define SKX_MAX_NORM 1e15

// Numbers of centres below which one thread prepares them.
#define SKX_SMALL_CENTERS 50000

// What rounding does to sums of n_terms products with centres of at most this norm.
static inline double skx_find_tolerance(int64_t n_terms, double max_norm) {
    if (!(max_norm < SKX_MAX_NORM)) return INFINITY;
    const int64_t chunk = std::min(n_terms, (int64_t)SKX_CHUNK);
    const int64_t n_chunks = (n_terms + SKX_CHUNK - 1) / SKX_CHUNK;
    return 1.05 * SKX_FLOAT_UNIT * (double)(chunk + n_chunks + 8);
}

// One panel for each task: centres may be many.
template <typename T>
static inline void skx_prepare_scorer(
    const T *centers, int64_t n_centers, int64_t n_columns, const skx_frame_t &frame,
    skx_parallel_t run, int n_threads, skx_scorer_t *scorer) {
    scorer->n_columns = n_columns;
    scorer->n_centers = n_centers;
    scorer->n_panels = (n_centers + 7) / 8;
    scorer->panels.assign(scorer->n_panels * 8 * n_columns, 0.0f);
    scorer->bias.assign(scorer->n_panels * 8, -FLT_MAX);
    std::vector<double> squares(n_centers);
    auto pack = [&](int64_t p) {
        std::vector<double> moved(n_columns);
        for (int64_t j = 8 * p; j < std::min(8 * p + 8, n_centers); ++j) {
            const T *center = centers + j * n_columns;
            for (int64_t k = 0; k < n_columns; ++k) {
                moved[k] = ((double)center[k] - frame.shift[k]) * frame.scale;
            }
            float *panel = scorer->panels.data() + p * 8 * n_columns + j % 8;
            squares[j] = skx_pack_center(moved.data(), n_columns, panel);
            scorer->bias[j] = (float)(-0.5 * squares[j]);
        }
    };
    const bool is_small = n_centers * n_columns < SKX_SMALL_CENTERS;
    skx_run_tasks(run, scorer->n_panels, is_small ? 1 : n_threads, pack);
    double largest = 0.0;
    for (double square : squares) {
        largest = square > largest || square != square ? square : largest;
    }
    scorer->max_norm = sqrt(largest);
    scorer->tolerance = skx_find_tolerance(n_columns, scorer->max_norm);
}
