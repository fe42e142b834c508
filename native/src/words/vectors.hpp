// Vectors of floats as wide as the instruction set has them, and the sums over their lanes.
// Included by the files that are compiled once for each instruction set.
#pragma once

#include <stdint.h>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include "../prefetch.hpp"

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

#if defined(__AVX512F__)
constexpr int width = 16;
#elif defined(__AVX2__)
constexpr int width = 8;
#elif defined(__GNUC__)
constexpr int width = 4;
#else
constexpr int width = 1;
#endif

#if defined(__GNUC__)
typedef float Vector __attribute__((vector_size(width * sizeof(float))));
typedef int32_t Whole __attribute__((vector_size(width * sizeof(float))));
// GCC takes a function that only prefetches for one without effects, and drops calls of it.
#define CHAINRULE_INLINE __attribute__((always_inline)) inline
#if defined(__clang__)
#define CHAINRULE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CHAINRULE_UNROLL _Pragma("GCC unroll 16")
#endif
#else
typedef float Vector;
typedef int32_t Whole;
#define CHAINRULE_UNROLL
#define CHAINRULE_INLINE inline
#endif

inline Vector load(const float* p) {
    Vector v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

inline void store(float* p, Vector v) { __builtin_memcpy(p, &v, sizeof v); }

// The number in every lane: x - 0 is x, which x + 0 is not for -0.
inline Vector splat(float x) { return x - Vector{}; }

// The same vector, in a register: a compiler may otherwise read memory once for each of its uses.
inline Vector in_register(Vector v) {
#if defined(__AVX512F__) && defined(__FMA__) && defined(__GNUC__)
    __asm__("" : "+v"(v));
#elif !defined(__AVX512F__) && defined(__SSE2__) && defined(__GNUC__)
    __asm__("" : "+x"(v));
#endif
    return v;
}

// The larger number in every lane; b where it is none.
inline Vector larger(Vector a, Vector b) {
#if defined(__AVX512F__)
    // With a mask, as compilers warn of what the form without one leaves undefined.
    return _mm512_maskz_max_ps(0xffff, a, b);
#elif defined(__AVX2__)
    return _mm256_max_ps(a, b);
#elif defined(__SSE2__)
    return _mm_max_ps(a, b);
#else
    return a > b ? a : b;
#endif
}

// -|x|
inline Vector negative(Vector x) {
    Whole bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    bits |= static_cast<int32_t>(0x80000000u);
    __builtin_memcpy(&x, &bits, sizeof bits);
    return x;
}

CHAINRULE_INLINE void prefetch_row(const float* row, int64_t size) {
    for (int64_t d = 0; d < size; d += 16) CHAINRULE_PREFETCH_TO_WRITE(row + d);
}

// Both write the sums over the lanes of `count` <= 6 vectors to out[0], ..., and 0 up to out[7];
// the second those of `other` to next[0], ..., after the first.
#if defined(__AVX2__)
#if defined(__AVX512F__)
inline __m256 halved(Vector v) {
    __m256 low, high;
#if __has_builtin(__builtin_shufflevector)
    low = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
    high = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    __builtin_memcpy(&low, &v, sizeof low);
    __builtin_memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof low, sizeof high);
#endif
    return _mm256_add_ps(low, high);
}
#else
inline __m256 halved(Vector v) { return v; }
#endif

template <int count>
inline void lane_sums(const Vector* v, float* out) {
    const __m256 zero = _mm256_setzero_ps();
    const auto at = [&](int i) { return i < count ? halved(v[i < count ? i : 0]) : zero; };
    const auto pair = [&](int i) {
        return i < count ? _mm256_hadd_ps(at(i), i + 1 < count ? at(i + 1) : zero) : zero;
    };
    const __m256 a = count > 2 ? _mm256_hadd_ps(pair(0), pair(2)) : _mm256_hadd_ps(pair(0), zero);
    const __m256 b = count > 4 ? _mm256_hadd_ps(pair(4), zero) : zero;
    const __m256 low = _mm256_permute2f128_ps(a, b, 0x20),
                 high = _mm256_permute2f128_ps(a, b, 0x31);
    _mm256_storeu_ps(out, _mm256_add_ps(low, high));
}

template <int count>
inline void lane_sums(const Vector* v, const Vector* other, float* out, float* next) {
    const __m256 zero = _mm256_setzero_ps();
    // One in the low half, the other in the high half.
    const auto at = [&](int i) {
        if (i >= count) return zero;
        const __m256 low = halved(v[i < count ? i : 0]), high = halved(other[i < count ? i : 0]);
        return _mm256_add_ps(_mm256_blend_ps(low, high, 0xf0),
                             _mm256_permute2f128_ps(low, high, 0x21));
    };
    const __m256 a = _mm256_hadd_ps(_mm256_hadd_ps(at(0), at(1)), _mm256_hadd_ps(at(2), at(3)));
    const __m256 b = count > 4 ? _mm256_hadd_ps(_mm256_hadd_ps(at(4), at(5)), zero) : zero;
    _mm256_storeu_ps(out, _mm256_permute2f128_ps(a, b, 0x20));
    _mm256_storeu_ps(next, _mm256_permute2f128_ps(a, b, 0x31));
}
#else
template <int count>
inline void lane_sums(const Vector* v, float* out) {
    for (int i = 0; i < 8; ++i) {
        float parts[width] = {};
        if (i < count) __builtin_memcpy(parts, v + i, sizeof parts);
        for (int step = width / 2; step > 0; step /= 2)
            for (int lane = 0; lane < step; ++lane) parts[lane] += parts[lane + step];
        out[i] = parts[0];
    }
}

template <int count>
inline void lane_sums(const Vector* v, const Vector* other, float* out, float* next) {
    lane_sums<count>(v, out);
    lane_sums<count>(other, next);
}
#endif

}  // namespace
}  // namespace chainrule::words::CHAINRULE_SIMD
