// The inner loops of a mixture, for each set of instructions, and the choice at run time.

#pragma once

#include <stdint.h>

#include "skx_math.h"

enum { MIXTURE_PANEL = 16 };  // rows side by side

#define SKX_UNROLL _Pragma("GCC unroll 8")

#if SKX_HAS_X86_CODE
#define SKX_TILE(name) skx_##name##_512
#define SKX_TILE_TARGET __attribute__((target("avx512f")))
#define SKX_VEC __m512d
#define SKX_VEC_LANES 8
#define SKX_LOAD(place) _mm512_loadu_pd(place)
#define SKX_STORE(place, value) _mm512_storeu_pd(place, value)
#define SKX_SET1(value) _mm512_set1_pd(value)
#define SKX_FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define SKX_TILE_OUTPUTS 8
#define SKX_TILE_SIDE 4
#include "mixture_tile_set.h"

// 16 registers.
#define SKX_TILE(name) skx_##name##_256
#define SKX_TILE_TARGET __attribute__((target("avx2,fma")))
#define SKX_VEC __m256d
#define SKX_VEC_LANES 4
#define SKX_LOAD(place) _mm256_loadu_pd(place)
#define SKX_STORE(place, value) _mm256_storeu_pd(place, value)
#define SKX_SET1(value) _mm256_set1_pd(value)
#define SKX_FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define SKX_TILE_OUTPUTS 4
#define SKX_TILE_SIDE 3
#include "mixture_tile_set.h"
#endif

// Whatever the compiler makes of pairs, or of single numbers.
#define SKX_TILE(name) skx_##name##_plain
#define SKX_TILE_TARGET
#if defined(__GNUC__) || defined(__clang__)
typedef double skx_pair_t __attribute__((vector_size(16)));
SKX_INLINE skx_pair_t skx_load_pair(const double *place) {
    skx_pair_t pair;
    memcpy(&pair, place, sizeof pair);
    return pair;
}
#define SKX_VEC skx_pair_t
#define SKX_VEC_LANES 2
#define SKX_LOAD(place) skx_load_pair(place)
#define SKX_STORE(place, value)                  \
    do {                                         \
        const skx_pair_t pair = (value);         \
        memcpy((place), &pair, sizeof pair);     \
    } while (0)
#define SKX_SET1(value) (skx_pair_t{(value), (value)})
#else
#define SKX_VEC double
#define SKX_VEC_LANES 1
#define SKX_LOAD(place) (*(place))
#define SKX_STORE(place, value) (*(place) = (value))
#define SKX_SET1(value) (value)
#endif
#define SKX_FMA(a, b, c) ((a) * (b) + (c))
#define SKX_TILE_OUTPUTS 4
#define SKX_TILE_SIDE 3
#include "mixture_tile_set.h"

struct skx_mixture_tiles_t {
    decltype(&skx_find_full_distances_plain) find_full_distances;
    decltype(&skx_project_panels_plain) project_panels;
    decltype(&skx_find_scaled_distances_plain) find_scaled_distances;
    decltype(&skx_add_products_plain) add_products;
    decltype(&skx_centre_plain) centre;
    int n_outputs;  // columns of a triangular factor that lie side by side

    skx_mixture_tiles_t() {
#define SKX_TAKE_TILES(set, outputs)                            \
    do {                                                        \
        find_full_distances = skx_find_full_distances_##set;      \
        project_panels = skx_project_panels_##set;              \
        find_scaled_distances = skx_find_scaled_distances_##set;  \
        add_products = skx_add_products_##set;                  \
        centre = skx_centre_##set;                              \
        n_outputs = outputs;                                    \
    } while (0)
        SKX_TAKE_TILES(plain, 4);
#if SKX_HAS_X86_CODE
        if (__builtin_cpu_supports("avx512f")) {
            SKX_TAKE_TILES(512, 8);
        } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
            SKX_TAKE_TILES(256, 4);
        }
#endif
#undef SKX_TAKE_TILES
    }
};

static inline const skx_mixture_tiles_t &skx_mixture_tiles() {
    static const skx_mixture_tiles_t tiles;
    return tiles;
}
