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
#include "chainrule/words/kernels.hpp"

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

// The number of each lane.
inline Whole lane_numbers() {
    int32_t numbers[width];
    for (int lane = 0; lane < width; ++lane) numbers[lane] = lane;
    Whole result;
    __builtin_memcpy(&result, numbers, sizeof result);
    return result;
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

// Sixteen numbers: eight for one row and eight for another.
constexpr int parts = widest / width;
struct Sixteen {
    Vector part[parts];
};

inline Sixteen load_sixteen(const float* p) {
    Sixteen result;
    for (int v = 0; v < parts; ++v) result.part[v] = load(p + v * width);
    return result;
}

inline void store_sixteen(float* p, const Sixteen& numbers) {
    for (int v = 0; v < parts; ++v) store(p + v * width, numbers.part[v]);
}

// The same eight for both rows; sixteen may be read.
inline Sixteen load_twice(const float* p) {
    Sixteen result;
#if defined(__AVX512F__)
    const Vector numbers = load(p);
    result.part[0] = _mm512_maskz_shuffle_f32x4(0xffff, numbers, numbers, 0x44);
#else
    for (int v = 0; v < parts; ++v) result.part[v] = load(p + v * width % (widest / 2));
#endif
    return result;
}

// One number for each row.
inline Sixteen spread(float first, float second) {
    Sixteen result;
#if defined(__AVX512F__)
    result.part[0] = lane_numbers() < widest / 2 ? splat(first) : splat(second);
#else
    for (int v = 0; v < parts; ++v) result.part[v] = splat(v < parts / 2 ? first : second);
#endif
    return result;
}

// The sums over the lanes of `count` <= 6 vectors of one row and of another, which may be null:
// then they are nothing. So are the numbers behind the sums of a row.
#if defined(__AVX512F__)
// In each quarter of the first result, the sums over that quarter of the first four vectors, and in
// the second those of the others.
template <int count>
inline void quarter_sums(const Vector* v, Vector* out) {
    constexpr __mmask16 all = 0xffff;
    const auto at = [&](int i) { return i < count ? v[i < count ? i : 0] : Vector{}; };
    const auto pair = [&](int i) -> Vector {
        if (i >= count) return Vector{};
        return (Vector)_mm512_maskz_unpacklo_ps(all, at(i), at(i + 1)) +
               (Vector)_mm512_maskz_unpackhi_ps(all, at(i), at(i + 1));
    };
    const auto four = [&](int i) -> Vector {
        if (i >= count) return Vector{};
        const Vector low = pair(i), high = pair(i + 2);
        return (Vector)_mm512_maskz_shuffle_ps(all, low, high, 0x44) +
               (Vector)_mm512_maskz_shuffle_ps(all, low, high, 0xee);
    };
    out[0] = four(0), out[1] = four(4);
}

// Quarters 0 and 2 of both vectors, and with them quarters 1 and 3.
inline Vector add_quarters(Vector a, Vector b) {
    return (Vector)_mm512_maskz_shuffle_f32x4(0xffff, a, b, 0x88) +
           (Vector)_mm512_maskz_shuffle_f32x4(0xffff, a, b, 0xdd);
}

template <int count>
inline Sixteen lane_sums(const Vector* row, const Vector* other) {
    Vector first[2] = {}, second[2] = {};
    quarter_sums<count>(row, first);
    if (other) quarter_sums<count>(other, second);
    return {{add_quarters(add_quarters(first[0], first[1]), add_quarters(second[0], second[1]))}};
}
#elif defined(__AVX2__)
template <int count>
inline __m256 sums_of_row(const Vector* v) {
    const __m256 zero = _mm256_setzero_ps();
    const auto at = [&](int i) { return i < count ? (__m256)v[i < count ? i : 0] : zero; };
    const auto pair = [&](int i) { return i < count ? _mm256_hadd_ps(at(i), at(i + 1)) : zero; };
    const __m256 a = _mm256_hadd_ps(pair(0), pair(2));
    const __m256 b = count > 4 ? _mm256_hadd_ps(pair(4), zero) : zero;
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

template <int count>
inline Sixteen lane_sums(const Vector* row, const Vector* other) {
    const __m256 zero = _mm256_setzero_ps();
    if (!other) return {{sums_of_row<count>(row), zero}};
    // One in the low half, the other in the high half.
    const auto at = [&](int i) {
        if (i >= count) return zero;
        const __m256 low = row[i < count ? i : 0], high = other[i < count ? i : 0];
        return _mm256_add_ps(_mm256_blend_ps(low, high, 0xf0),
                             _mm256_permute2f128_ps(low, high, 0x21));
    };
    const __m256 a = _mm256_hadd_ps(_mm256_hadd_ps(at(0), at(1)), _mm256_hadd_ps(at(2), at(3)));
    const __m256 b = count > 4 ? _mm256_hadd_ps(_mm256_hadd_ps(at(4), at(5)), zero) : zero;
    return {{_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31)}};
}
#else
template <int count>
inline Sixteen lane_sums(const Vector* row, const Vector* other) {
    float sums[widest] = {};
    for (int i = 0; i < (other ? 2 : 1) * count; ++i) {
        float lane[width];
        store(lane, i < count ? row[i] : other[i - count]);
        for (int step = width / 2; step > 0; step /= 2)
            for (int k = 0; k < step; ++k) lane[k] += lane[k + step];
        sums[i < count ? i : widest / 2 + i - count] = lane[0];
    }
    return load_sixteen(sums);
}
#endif

// The sums of one row, and the zeros behind them, written to out[0], ..., out[7].
template <int count>
inline void write_lane_sums(const Vector* row, float* out) {
    const Sixteen sums = lane_sums<count>(row, nullptr);
    float numbers[widest];
    store_sixteen(numbers, sums);
    __builtin_memcpy(out, numbers, widest / 2 * sizeof(float));
}

}  // namespace
}  // namespace chainrule::words::CHAINRULE_SIMD
