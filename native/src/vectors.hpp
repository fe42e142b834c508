// Vectors of the processor's width and of half of it, for files compiled once for each instruction
// set.
#pragma once

#include <stdint.h>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace chainrule::CHAINRULE_SIMD {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64, registers = 32;
#elif defined(__AVX__)
constexpr int vector_bytes = 32, registers = 16;
#else
constexpr int vector_bytes = 16, registers = 16;
#endif
// Vectors that can be transposed: 32 bytes where there are such, since wider shuffles are slow.
constexpr int block_bytes = vector_bytes < 32 ? vector_bytes : 32;

#if defined(__GNUC__)
template <class T>
struct VectorOf {
    typedef T Type __attribute__((vector_size(vector_bytes)));
    typedef T Block __attribute__((vector_size(block_bytes)));
};
#else
template <class T>
struct VectorOf {
    struct Type {
        T entry;
    };
};
#endif

template <class T>
using Vector = typename VectorOf<T>::Type;
template <class T>
using Block = typename VectorOf<T>::Block;
template <class T>
constexpr int width = sizeof(Vector<T>) / sizeof(T);
template <class T>
constexpr int block = sizeof(Block<T>) / sizeof(T);

template <class V, class T>
inline V load(const T* p) {
    V v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

template <class V, class T>
inline void store(T* p, V v) {
    __builtin_memcpy(p, &v, sizeof v);
}

// The first `count` entries of a vector; the others are 0, and their memory is not touched.
template <class T>
inline Vector<T> load_part(const T* p, int64_t count) {
    T entries[width<T>] = {};
    for (int64_t i = 0; i < count; ++i) entries[i] = p[i];
    return load<Vector<T>>(entries);
}

template <class T>
inline void store_part(T* p, Vector<T> v, int64_t count) {
    T entries[width<T>];
    store(entries, v);
    for (int64_t i = 0; i < count; ++i) p[i] = entries[i];
}

#if defined(__AVX512F__)
template <>
inline Vector<float> load_part(const float* p, int64_t count) {
    return (Vector<float>)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1u), p);
}
template <>
inline Vector<double> load_part(const double* p, int64_t count) {
    return (Vector<double>)_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1u), p);
}
template <>
inline void store_part(float* p, Vector<float> v, int64_t count) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1u), (__m512)v);
}
template <>
inline void store_part(double* p, Vector<double> v, int64_t count) {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << count) - 1u), (__m512d)v);
}
#elif defined(__AVX__)
constexpr int32_t first_entries[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
inline __m256i mask_of(int64_t dwords) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first_entries + 8 - dwords));
}
template <>
inline Vector<float> load_part(const float* p, int64_t count) {
    return (Vector<float>)_mm256_maskload_ps(p, mask_of(count));
}
template <>
inline Vector<double> load_part(const double* p, int64_t count) {
    return (Vector<double>)_mm256_maskload_pd(p, mask_of(2 * count));
}
template <>
inline void store_part(float* p, Vector<float> v, int64_t count) {
    _mm256_maskstore_ps(p, mask_of(count), (__m256)v);
}
template <>
inline void store_part(double* p, Vector<double> v, int64_t count) {
    _mm256_maskstore_pd(p, mask_of(2 * count), (__m256d)v);
}
#endif

// Rows to columns of a square of vectors.
#if defined(__AVX__)
inline void transpose(Block<float> (&v)[8]) {
    __m256 a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_ps((__m256)v[i], (__m256)v[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps((__m256)v[i], (__m256)v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; ++j) {
            b[i + 2 * j] = _mm256_shuffle_ps(a[i + j], a[i + j + 2], 0x44);
            b[i + 2 * j + 1] = _mm256_shuffle_ps(a[i + j], a[i + j + 2], 0xee);
        }
    for (int i = 0; i < 4; ++i) {
        v[i] = (Block<float>)_mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        v[i + 4] = (Block<float>)_mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}

inline void transpose(Block<double> (&v)[4]) {
    __m256d a[4];
    for (int i = 0; i < 4; i += 2) {
        a[i] = _mm256_unpacklo_pd((__m256d)v[i], (__m256d)v[i + 1]);
        a[i + 1] = _mm256_unpackhi_pd((__m256d)v[i], (__m256d)v[i + 1]);
    }
    for (int i = 0; i < 2; ++i) {
        v[i] = (Block<double>)_mm256_permute2f128_pd(a[i], a[i + 2], 0x20);
        v[i + 2] = (Block<double>)_mm256_permute2f128_pd(a[i], a[i + 2], 0x31);
    }
}
#else
template <class T>
inline void transpose_entries(Block<T> (&v)[block<T>]) {
    T entries[block<T>][block<T>], columns[block<T>][block<T>];
    __builtin_memcpy(entries, v, sizeof v);
    for (int i = 0; i < block<T>; ++i)
        for (int j = 0; j < block<T>; ++j) columns[j][i] = entries[i][j];
    __builtin_memcpy(v, columns, sizeof v);
}
inline void transpose(Block<float> (&v)[block<float>]) { transpose_entries<float>(v); }
inline void transpose(Block<double> (&v)[block<double>]) { transpose_entries<double>(v); }
#endif

}  // namespace
}  // namespace chainrule::CHAINRULE_SIMD
