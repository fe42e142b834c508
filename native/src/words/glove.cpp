// GloVe's descent. Compiled once for each instruction set.
//
//   loss = weight (x . y + b + d - logarithm)^2 / 2
//
// A number p with the derivative g moves by AdaGrad: by s = rate g over the root of the sum of its
// squared steps before, which s^2 is then added to. Biases have the rate 1. Derivatives are cut off
// at `largest`, so that no start, however bad, ends in infinities.
//
// Sources: J. Pennington, R. Socher and C. Manning, GloVe (2014), and their program, for the rates
// of the biases, the sums that begin with 1, and the cut.

#include "chainrule/words/glove.hpp"

#include "vectors.hpp"

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

constexpr float largest = 100.0f;
constexpr int64_t ahead = 3;  // entries

inline float clipped(float x, float limit) { return x > limit ? limit : x < -limit ? -limit : x; }

// 1 / sqrt(x), to 3e-7 of its value; and vectors between limits.
#if defined(__AVX512F__)
// With masks of all lanes, as compilers warn of what the forms without masks leave undefined.
inline Vector first_root(Vector x) { return _mm512_maskz_rsqrt14_ps(0xffff, x); }
inline Vector clipped(Vector x, Vector low, Vector high) {
    return _mm512_maskz_min_ps(0xffff, _mm512_maskz_max_ps(0xffff, x, low), high);
}
#elif defined(__AVX2__)
inline Vector first_root(Vector x) { return _mm256_rsqrt_ps(x); }
inline Vector clipped(Vector x, Vector low, Vector high) {
    return _mm256_min_ps(_mm256_max_ps(x, low), high);
}
#elif defined(__SSE2__) && defined(__GNUC__)
inline Vector first_root(Vector x) { return _mm_rsqrt_ps(x); }
inline Vector clipped(Vector x, Vector low, Vector high) {
    return _mm_min_ps(_mm_max_ps(x, low), high);
}
#else
inline Vector first_root(Vector x) {
    float parts[width];
    __builtin_memcpy(parts, &x, sizeof parts);
    for (int i = 0; i < width; ++i) parts[i] = 1.0f / __builtin_sqrtf(parts[i]);
    return load(parts);
}
inline Vector clipped(Vector x, Vector low, Vector high) {
    float parts[width], lows[width], highs[width];
    __builtin_memcpy(parts, &x, sizeof parts);
    __builtin_memcpy(lows, &low, sizeof lows);
    __builtin_memcpy(highs, &high, sizeof highs);
    for (int i = 0; i < width; ++i)
        parts[i] = parts[i] < lows[i] ? lows[i] : parts[i] > highs[i] ? highs[i] : parts[i];
    return load(parts);
}
#endif

// With a step of Newton's method.
inline Vector inverse_root(Vector x) {
    const Vector r = first_root(x);
    return r * (splat(1.5f) - splat(0.5f) * x * r * r);
}

inline float product(const float* x, const float* y, int64_t size) {
    Vector sums[2] = {};
    int64_t d = 0;
    for (; d + width < size; d += 2 * width) {
        sums[0] += load(x + d) * load(y + d);
        sums[1] += load(x + d + width) * load(y + d + width);
    }
    if (d < size) sums[0] += load(x + d) * load(y + d);
    float out[8];
    sums[0] += sums[1];
    write_lane_sums<1>(sums, out);
    return out[0];
}

inline void step(float* number, float* sum, float derivative) {
    *number -= derivative / __builtin_sqrtf(*sum);
    *sum += derivative * derivative;
}

// Moves both vectors, each by the other's old value, or one of them.
template <bool move_x, bool move_y>
inline void move(float* x, float* x_sums, float* y, float* y_sums, int64_t size, float error,
                 float rate) {
    const Vector factor = splat(rate * error);
    const Vector high = splat(rate * largest), low = -high;
    for (int64_t d = 0; d < size; d += width) {
        const Vector a = load(x + d), b = load(y + d);
        if constexpr (move_x) {
            const Vector s = clipped(factor * b, low, high), sums = load(x_sums + d);
            store(x + d, a - s * inverse_root(sums));
            store(x_sums + d, sums + s * s);
        }
        if constexpr (move_y) {
            const Vector s = clipped(factor * a, low, high), sums = load(y_sums + d);
            store(y + d, b - s * inverse_root(sums));
            store(y_sums + d, sums + s * s);
        }
    }
}

CHAINRULE_INLINE void fetch(const GloveSide& side, int64_t row, int64_t stride, int64_t size) {
    prefetch_row(side.vectors + row * stride, size);
    prefetch_row(side.sums + row * stride, size);
    CHAINRULE_PREFETCH_TO_WRITE(side.biases + row);
    CHAINRULE_PREFETCH_TO_WRITE(side.bias_sums + row);
}

}  // namespace

double glove(const GloveTables& tables, const GloveEntry* entries, int64_t count, float rate) {
    const auto& [rows, columns, stride, size] = tables;
    double loss = 0.0;
    for (int64_t k = 0; k < count; ++k) {
        // Entries that follow one another often have the same row.
        if (k + ahead < count) {
            const GloveEntry& coming = entries[k + ahead];
            fetch(columns, coming.column, stride, size);
            if (coming.row != entries[k + ahead - 1].row) fetch(rows, coming.row, stride, size);
        }
        const GloveEntry& entry = entries[k];
        const int64_t i = entry.row, j = entry.column;
        float *const x = rows.vectors + i * stride, *const y = columns.vectors + j * stride;
        float *const x_sums = rows.sums + i * stride, *const y_sums = columns.sums + j * stride;
        const float difference =
            product(x, y, size) + rows.biases[i] + columns.biases[j] - entry.logarithm;
        const float error = entry.weight * difference;
        loss += 0.5 * static_cast<double>(error) * static_cast<double>(difference);
        const bool move_x = !(rows.frozen && rows.frozen[i]);
        const bool move_y = !(columns.frozen && columns.frozen[j]);
        if (move_x && move_y) move<true, true>(x, x_sums, y, y_sums, size, error, rate);
        else if (move_x) move<true, false>(x, x_sums, y, y_sums, size, error, rate);
        else if (move_y) move<false, true>(x, x_sums, y, y_sums, size, error, rate);
        const float derivative = clipped(error, largest);
        step(rows.biases + i, rows.bias_sums + i, derivative);
        step(columns.biases + j, columns.bias_sums + j, derivative);
    }
    return loss;
}

}  // namespace chainrule::words::CHAINRULE_SIMD
