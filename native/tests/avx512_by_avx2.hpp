// The files compiled for AVX-512, for a processor without it: included before each of them where
// CMake is given AVX512_BY_AVX2. Their vectors of 64 bytes become pairs of 32 bytes by the compiler
// (GCC); the few instructions that they name are functions here. So what they do with wider vectors
// is tested on any machine with AVX2, though not the instructions that the compiler would choose.
#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstdint>
#include <cstring>

// Their code asks for it by these two; without the second, sums are written without assembly.
#define __AVX512F__ 1
#undef __FMA__

namespace avx512_by_avx2 {

template <class T, class V>
inline V load_masked(unsigned mask, const void* from) {
    T entries[sizeof(V) / sizeof(T)] = {};
    for (unsigned i = 0; i < sizeof(V) / sizeof(T); ++i)
        if (mask >> i & 1u) entries[i] = static_cast<const T*>(from)[i];
    V v;
    std::memcpy(&v, entries, sizeof v);
    return v;
}

template <class T, class V>
inline void store_masked(void* to, unsigned mask, const V& v) {
    for (unsigned i = 0; i < sizeof(V) / sizeof(T); ++i)
        if (mask >> i & 1u) static_cast<T*>(to)[i] = v[i];
}

template <class V, class F>
inline V each(unsigned mask, const V& a, const V& b, const F& f) {
    V v{};
    for (unsigned i = 0; i < sizeof(V) / sizeof(float); ++i)
        if (mask >> i & 1u) v[i] = f(a[i], b[i]);
    return v;
}

// For each quarter of the result four numbers of a or b, as `chosen` says.
template <class F>
inline __m512 chosen_quarters(unsigned mask, const __m512& a, const __m512& b, const F& chosen) {
    __m512 v{};
    for (int quarter = 0; quarter < 4; ++quarter)
        for (int i = 0; i < 4; ++i) {
            const int at = 4 * quarter + i, from = chosen(quarter, i);
            if (mask >> at & 1u) v[at] = from < 16 ? a[from] : b[from - 16];
        }
    return v;
}

}  // namespace avx512_by_avx2

#define _mm512_maskz_loadu_ps(mask, from) avx512_by_avx2::load_masked<float, __m512>(mask, from)
#define _mm512_maskz_loadu_pd(mask, from) avx512_by_avx2::load_masked<double, __m512d>(mask, from)
#define _mm512_mask_storeu_ps(to, mask, v) avx512_by_avx2::store_masked<float>(to, mask, v)
#define _mm512_mask_storeu_pd(to, mask, v) avx512_by_avx2::store_masked<double>(to, mask, v)
// The second operand where one of them is not a number, as the instructions do.
#define _mm512_maskz_max_ps(mask, a, b) \
    avx512_by_avx2::each(mask, a, b, [](float x, float y) { return x > y ? x : y; })
#define _mm512_maskz_min_ps(mask, a, b) \
    avx512_by_avx2::each(mask, a, b, [](float x, float y) { return x < y ? x : y; })
#define _mm512_maskz_rsqrt14_ps(mask, a) \
    avx512_by_avx2::each(mask, a, a, [](float x, float) { return 1.0f / std::sqrt(x); })
#define _mm512_maskz_unpacklo_ps(mask, a, b)           \
    avx512_by_avx2::chosen_quarters(mask, a, b, [](int quarter, int i) { \
        return 4 * quarter + i / 2 + (i % 2 ? 16 : 0);  \
    })
#define _mm512_maskz_unpackhi_ps(mask, a, b)           \
    avx512_by_avx2::chosen_quarters(mask, a, b, [](int quarter, int i) { \
        return 4 * quarter + 2 + i / 2 + (i % 2 ? 16 : 0);  \
    })
#define _mm512_maskz_shuffle_ps(mask, a, b, order)           \
    avx512_by_avx2::chosen_quarters(mask, a, b, [](int quarter, int i) { \
        return 4 * quarter + ((order) >> (2 * i) & 3) + (i < 2 ? 0 : 16);  \
    })
#define _mm512_maskz_shuffle_f32x4(mask, a, b, order)           \
    avx512_by_avx2::chosen_quarters(mask, a, b, [](int quarter, int i) { \
        return 4 * ((order) >> (2 * quarter) & 3) + i + (quarter < 2 ? 0 : 16);  \
    })
