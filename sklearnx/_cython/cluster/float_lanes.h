// Sixteen float32 numbers side by side, which compilers keep in the registers of whatever
// SIMD level a function is compiled for. Each lane is rounded by itself: the level changes
// no bit.
#pragma once

#include <stdint.h>
#include <string.h>

#include "skx_math.h"

enum { SKX_FLOATS = 16 };

#if defined(__GNUC__) || defined(__clang__)
typedef float skx_floats_t __attribute__((vector_size(64)));
typedef int32_t skx_ints_t __attribute__((vector_size(64)));
typedef float skx_floats_at_t __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t skx_ints_at_t __attribute__((vector_size(64), aligned(4), may_alias));
#define SKX_LOAD_FLOATS(from) (*(const skx_floats_at_t *)(from))
#define SKX_LOAD_INTS(from) (*(const skx_ints_at_t *)(from))
#define SKX_STORE_FLOATS(to, lanes) (*(skx_floats_at_t *)(to) = (lanes))
#define SKX_STORE_INTS(to, lanes) (*(skx_ints_at_t *)(to) = (lanes))
#define SKX_FILL_FLOATS(x) ((skx_floats_t){} + (float)(x))
#define SKX_FILL_INTS(x) ((skx_ints_t){} + (int32_t)(x))
// Lane by lane; the mask is what a comparison gives.
#define SKX_WHERE(mask, a, b) ((mask) ? (a) : (b))
#define SKX_BITS_OF(lanes) ((skx_ints_t)(lanes))
#define SKX_FLOATS_OF(bits) ((skx_floats_t)(bits))
#else
template <typename T>
struct skx_sixteen_t {
    T v[16];
#define SKX_LANEWISE(R, op)                                                          \
    skx_sixteen_t<R> operator op(const skx_sixteen_t &o) const {                     \
        skx_sixteen_t<R> out;                                                        \
        for (int i = 0; i < 16; ++i) out.v[i] = (R)(v[i] op o.v[i]);                 \
        return out;                                                                  \
    }
    SKX_LANEWISE(T, +)
    SKX_LANEWISE(T, -)
    SKX_LANEWISE(T, *)
    SKX_LANEWISE(int32_t, >)
    SKX_LANEWISE(int32_t, <=)
#undef SKX_LANEWISE
    skx_sixteen_t<T> halved() const {
        skx_sixteen_t<T> out;
        for (int i = 0; i < 16; ++i) out.v[i] = v[i] >> 1;
        return out;
    }
};
typedef skx_sixteen_t<float> skx_floats_t;
typedef skx_sixteen_t<int32_t> skx_ints_t;
template <typename To, typename From>
static inline To skx_copy_lanes(const From *from) {
    To lanes;
    memcpy(&lanes, from, sizeof lanes);
    return lanes;
}
template <typename Lanes, typename T>
static inline Lanes skx_fill_lanes(T x) {
    Lanes lanes;
    for (int i = 0; i < 16; ++i) lanes.v[i] = x;
    return lanes;
}
template <typename T>
static inline skx_sixteen_t<T> skx_where(
    const skx_ints_t &mask, const skx_sixteen_t<T> &a, const skx_sixteen_t<T> &b) {
    skx_sixteen_t<T> out;
    for (int i = 0; i < 16; ++i) out.v[i] = mask.v[i] ? a.v[i] : b.v[i];
    return out;
}
#define SKX_LOAD_FLOATS(from) skx_copy_lanes<skx_floats_t>(from)
#define SKX_LOAD_INTS(from) skx_copy_lanes<skx_ints_t>(from)
#define SKX_STORE_FLOATS(to, lanes) (*(skx_floats_t *)(to) = (lanes))
#define SKX_STORE_INTS(to, lanes) (*(skx_ints_t *)(to) = (lanes))
#define SKX_FILL_FLOATS(x) skx_fill_lanes<skx_floats_t>((float)(x))
#define SKX_FILL_INTS(x) skx_fill_lanes<skx_ints_t>((int32_t)(x))
#define SKX_WHERE(mask, a, b) skx_where(mask, a, b)
template <typename To, typename From>
static inline To skx_reinterpret(const From &from) {
    return skx_copy_lanes<To>(&from);
}
#define SKX_BITS_OF(lanes) skx_reinterpret<skx_ints_t>(lanes)
#define SKX_FLOATS_OF(bits) skx_reinterpret<skx_floats_t>(bits)
#endif

#if defined(__GNUC__) || defined(__clang__)
#define SKX_HALF_BITS(bits) ((bits) >> 1)
#else
#define SKX_HALF_BITS(bits) (bits).halved()
#endif

// Square roots to a relative error below 1e-6, by Newton's method for 1 / sqrt(x) from a
// start that halves the exponent. Zero gives zero; what is below 1e-36 may come out as
// anything below 1e-18; infinity and NaN give NaN or infinity.
#define SKX_ROOT_ERROR 1e-6f
#define SKX_SET_ROOTS(x, roots)                                                      \
    do {                                                                             \
        const skx_floats_t half_ = (x) * SKX_FILL_FLOATS(0.5f);                      \
        skx_floats_t inverse_ = SKX_FLOATS_OF(                                       \
            SKX_FILL_INTS(0x5f3759df) - SKX_HALF_BITS(SKX_BITS_OF(x)));              \
        for (int step_ = 0; step_ < 3; ++step_) {                                    \
            inverse_ = inverse_ *                                                    \
                       (SKX_FILL_FLOATS(1.5f) - half_ * inverse_ * inverse_);        \
        }                                                                            \
        (roots) = (x) * inverse_;                                                    \
    } while (0)

// Whether any lane of a comparison holds.
SKX_INLINE bool skx_is_any(const skx_ints_t *mask) {
    int64_t words[8];
    memcpy(words, mask, sizeof words);
    return (((words[0] | words[1]) | (words[2] | words[3])) |
            ((words[4] | words[5]) | (words[6] | words[7]))) != 0;
}
