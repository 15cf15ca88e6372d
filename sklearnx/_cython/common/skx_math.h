// Elementary functions whose bits do not depend on the machine.
//
// libm's exp and log differ between platforms, and NumPy's between SIMD levels,
// so nothing that reaches a model may call them. What is here uses only
// operations that IEEE 754 rounds correctly (+ - * / and comparisons) and bit
// patterns, in an order that is written out. Compiled with -ffp-contract=off
// (NVRTC: --fmad=false) every compiler and device gives the same bits, scalar or
// vectorised.
//
// The functions have no branch, so a plain loop over an array is vectorised by
// the compiler. They assume rounding to nearest. Errors stay below 1.1 units in
// the last place (exp, log, log1p) and 2.5 (expit): tests/common/test_math.py.
//
// The name is not math.h because this folder is on the include path.
//
// Sources: the argument reduction is that of W. J. Cody and W. Waite, Software
// Manual for the Elementary Functions (1980). The logarithm has the form of
// fdlibm's e_log.c and s_log1p.c (K. C. Ng, Sun Microsystems, 1993). The
// polynomials are our own minimax fits (Remez exchange in 200 bits).
#pragma once

#if defined(__CUDACC_RTC__)
typedef unsigned long long skx_u64;
#define SKX_INLINE __device__ static __forceinline__
#else
#include <math.h>
#include <stdint.h>
#include <string.h>
typedef uint64_t skx_u64;
#if defined(__CUDACC__)
#define SKX_INLINE __host__ __device__ static __forceinline__
#elif defined(_MSC_VER)
#define SKX_INLINE static __forceinline
#else
#define SKX_INLINE static inline __attribute__((always_inline))
#endif
#endif

// Compiles a function several times and picks one at load time (GCC, with glibc's ifunc).
// Contraction to fused multiply-add is off, so that all give the same bits. Builds with
// sanitizers take minutes longer for each, and would find the same in all.
#if defined(__x86_64__) && defined(__ELF__) && defined(__GLIBC__) && \
    defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__) && \
    !defined(__SANITIZE_ADDRESS__)
#if __GNUC__ >= 12
#define SKX_CLONES \
    __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define SKX_CLONES __attribute__((target_clones("avx2", "default")))
#endif
#else
#define SKX_CLONES
#endif

// Whether functions may be written for one kind of x86-64 processor, and chosen at run
// time.
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__)) && \
    !defined(__CUDACC__) && !defined(__CUDACC_RTC__)
#define SKX_HAS_X86_CODE 1
#include <immintrin.h>
#else
#define SKX_HAS_X86_CODE 0
#endif

#if defined(_MSC_VER)
#define SKX_RESTRICT __restrict
#else
#define SKX_RESTRICT __restrict__
#endif

// Adding 1.5 * 2**52 rounds a double below 2**51 to an integer, which then stands
// in the low bits of the sum: rint and a conversion that every SIMD level has.
#define SKX_ROUNDER 6755399441055744.0

// ln 2 = LN2_HI + LN2_LO; 12 trailing zeros make k * LN2_HI exact for |k| < 2**12.
#define SKX_LN2_HI 0x1.62e42fefa3000p-1
#define SKX_LN2_LO 0x1.3de6af278ece6p-42
#define SKX_INV_LN2 1.4426950408889634

SKX_INLINE skx_u64 skx_bits(double x) {
    skx_u64 bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

SKX_INLINE double skx_from_bits(skx_u64 bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Masks, all ones or all zeros, in place of branches: compilers turn the operator ?:
// into jumps before they try to vectorise, and plain SSE2 has no 64-bit comparison.
SKX_INLINE skx_u64 skx_mask(bool condition) {
    return skx_bits(condition ? skx_from_bits(~(skx_u64)0) : 0.0);
}

SKX_INLINE skx_u64 skx_sign_mask(skx_u64 bits) {
    return (skx_u64)0 - (bits >> 63);
}

// a where the mask is set, else b.
SKX_INLINE double skx_select(skx_u64 mask, double a, double b) {
    return skx_from_bits((skx_bits(a) & mask) | (skx_bits(b) & ~mask));
}

// exp(x) = 2**k exp(r),  k = rint(x / ln 2),  |r| <= ln(2) / 2,
// exp(r) = 1 + r + r**2 Q(r),  Q of degree 9 with a relative error of 2**-57.8.
// 2**k is applied as two factors, so subnormal results are rounded once and
// everything from exp(-746) = 0 to exp(710) = inf follows without a branch.
//
// An upper limit below 709 keeps the result finite whatever x.
SKX_INLINE double skx_exp_limited(double x, double upper) {
    x = skx_select(skx_mask(x < -746.0), -746.0, x);
    x = skx_select(skx_mask(x > upper), upper, x);

    // 2046 is twice the exponent bias: k + 2046 > 0 stands in the low 12 bits.
    const double rounder = SKX_ROUNDER + 2046.0;
    const double shifted = x * SKX_INV_LN2 + rounder;
    const double k = shifted - rounder;
    const skx_u64 biased = skx_bits(shifted) & 0xFFFULL;
    const skx_u64 half = biased >> 1;

    const double r = (x - k * SKX_LN2_HI) - k * SKX_LN2_LO;
    const double r2 = r * r;
    const double r4 = r2 * r2;
    const double q01 = 0.5000000000000009 + r * 0.16666666666666424;
    const double q23 = 0.041666666666540765 + r * 0.00833333333349159;
    const double q45 = 0.0013888888941172221 + r * 0.00019841269507055536;
    const double q67 = 2.4801495401036317e-05 + r * 2.7557589670913282e-06;
    const double q89 = 2.762949374242807e-07 + r * 2.499812355923694e-08;
    const double q = (q01 + r2 * q23) + r4 * ((q45 + r2 * q67) + r4 * q89);
    const double exp_r = 1.0 + (r + r2 * q);

    return exp_r * skx_from_bits(half << 52) * skx_from_bits((biased - half) << 52);
}

SKX_INLINE double skx_exp(double x) {
    return skx_exp_limited(x, 710.0);
}

// log(x + low) for a normal x > 0 and |low| below half a unit in x's last place:
// x = 2**k (1 + f),  sqrt(1/2) <= 1 + f < sqrt(2),  s = f / (2 + f),
// log(1 + f) = 2 atanh(s) = f - f**2 / 2 + s (f**2 / 2 + s**2 R(s**2)),
// R of degree 6 with an absolute error of s**2 R below 2**-58.4.
SKX_INLINE double skx_log_normal(double x, double low_over_x, double k_offset) {
    // Moves the border between two values of k from 1 to sqrt(1/2).
    const skx_u64 root = 0x3FE6A09E667F3BCDULL;
    const skx_u64 shifted = skx_bits(x) + (0x3FF0000000000000ULL - root);
    const double k_biased = skx_from_bits((shifted >> 52) | 0x4330000000000000ULL);
    const double k = (k_biased - (4503599627370496.0 + 1023.0)) - k_offset;
    const double f = skx_from_bits((shifted & 0x000FFFFFFFFFFFFFULL) + root) - 1.0;

    const double s = f / (2.0 + f);
    const double z = s * s;
    const double z2 = z * z;
    const double p01 = 0.6666666666666722 + z * 0.3999999999947994;
    const double p23 = 0.28571428729899123 + z * 0.2222219971521342;
    const double p45 = 0.18183510241676992 + z * 0.15315330986637044;
    const double r =
        z * (p01 + z2 * (p23 + z2 * (p45 + z2 * 0.14783961094572184)));
    const double half_f2 = 0.5 * f * f;
    const double tail = s * (half_f2 + r) + (k * SKX_LN2_LO + low_over_x);
    return k * SKX_LN2_HI - ((half_f2 - tail) - f);
}

// What log gives for zeros (-inf), negative numbers (nan), inf and nan (themselves).
SKX_INLINE double skx_log_special(double x, double result) {
    const skx_u64 magnitude = skx_bits(x) & 0x7FFFFFFFFFFFFFFFULL;
    result = skx_select(skx_sign_mask(0x7FEFFFFFFFFFFFFFULL - magnitude), x, result);
    result = skx_select(
        skx_sign_mask(skx_bits(x)), skx_from_bits(0x7FF8000000000000ULL), result);
    return skx_select(
        skx_sign_mask(magnitude - 1), skx_from_bits(0xFFF0000000000000ULL), result);
}

SKX_INLINE double skx_log(double x) {
    const skx_u64 magnitude = skx_bits(x) & 0x7FFFFFFFFFFFFFFFULL;
    const skx_u64 is_subnormal = skx_sign_mask(magnitude - 0x0010000000000000ULL);
    const double normal = skx_select(is_subnormal, x * 0x1p54, x);
    const double k_offset = skx_select(is_subnormal, 54.0, 0.0);
    return skx_log_special(x, skx_log_normal(normal, 0.0, k_offset));
}

// log(1 + x) = log(u) + (1 + x - u) / u  with u = fl(1 + x); 1 + x - u is exact
// (Knuth's two-sum).
SKX_INLINE double skx_log1p(double x) {
    const double u = 1.0 + x;
    const double x_in_u = u - 1.0;
    const double low = (1.0 - (u - x_in_u)) + (x - x_in_u);
    return skx_log_special(u, skx_log_normal(u, low / u, 0.0));
}

// 1 / (1 + exp(-x)) by way of exp(-|x|), which cannot overflow.
SKX_INLINE double skx_expit(double x) {
    const double t = skx_exp(-fabs(x));
    return skx_select(skx_sign_mask(skx_bits(x)), t, 1.0) / (1.0 + t);
}

