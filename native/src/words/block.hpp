// One step of logistic regression between a few rows x and a few rows y, all of them learned:
//
//   loss = sum_ij weight_ij (ln(1 + exp(x_i . y_j)) - label_j x_i . y_j)
//
// Both sides move against the gradient at the old values of both. Up to six rows y are one block:
// a column of them, and of what they gain, stays in registers while the rows x pass by, so that
// every number is read once and written once. More rows y are several blocks, between which what
// the rows x gain is kept aside.
//
// Included by the files that are compiled once for each instruction set.
#pragma once

#include "chainrule/words/kernels.hpp"
#include "logistic.hpp"
#include "vectors.hpp"

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

// Rows that will be needed soon. They are fetched line by line between the arithmetic: many at once
// would wait for one another, and the arithmetic for them.
struct Coming {
    const float** rows;  // at least one
    int64_t count, taken;
    // Another one; the first again where all are taken.
    const float* take() { return rows[taken < count ? taken++ : 0]; }
};

// dots[i * lanes + j] = x_i . y_j, and 0 in the lanes from n on.
template <int n>
void multiply(float* const* x, int64_t m, float* const* y, int64_t size, float* dots,
              Coming& coming) {
    int64_t i = 0;
    for (; i + 2 <= m; i += 2) {
        const float* const next = coming.take();
        Vector first[n] = {}, second[n] = {};
        const float *a = x[i], *b = x[i + 1];
        for (int64_t d = 0; d < size; d += width) {
            CHAINRULE_PREFETCH(next + d);
            const Vector va = load(a + d), vb = load(b + d);
            for (int j = 0; j < n; ++j) {
                const Vector right = load(y[j] + d);
                first[j] += va * right;
                second[j] += vb * right;
            }
        }
        lane_sums<n>(first, dots + i * lanes);
        lane_sums<n>(second, dots + (i + 1) * lanes);
    }
    if (i < m) {
        Vector sums[n] = {};
        for (int64_t d = 0; d < size; d += width) {
            const Vector left = load(x[i] + d);
            for (int j = 0; j < n; ++j) sums[j] += left * load(y[j] + d);
        }
        lane_sums<n>(sums, dots + i * lanes);
    }
}

// Turns dots into what each pair moves by, -rate times the derivative; returns the loss.
inline float errors(float* dots, const float* weights, const float* labels, int64_t m, float rate) {
    float loss[lanes] = {};
    for (int64_t i = 0; i < m; ++i) {
        float* row = dots + i * lanes;
        const float* weight = weights + i * lanes;
        for (int j = 0; j < lanes; ++j) {
            const float dot = row[j], size = dot < 0.0f ? -dot : dot;
            const float e = exp_of_negative(-size);
            const float larger = 1.0f / (1.0f + e);  // the logistic function of |dot|
            const float logistic = dot < 0.0f ? 1.0f - larger : larger;
            const float positive = dot < 0.0f ? 0.0f : dot;
            row[j] = rate * weight[j] * (labels[j] - logistic);
            loss[j] += weight[j] * (positive - labels[j] * dot + log_of_one_plus(e));
        }
    }
    float sum = 0.0f;
    for (int j = 0; j < lanes; ++j) sum += loss[j];
    return sum;
}

// y_j += sum_i moves_ij x_i, and to_i = from_i + sum_j moves_ij y_j, each from the other's old
// value. Both `from` and `to` may be x.
template <int n>
void update(float* const* x, float* const* from, float* const* to, int64_t m, float* const* y,
            int64_t size, const float* moves, Coming& coming) {
    for (int64_t d = 0; d < size; d += width) {
        if (d % 16 == 0)
            for (int64_t r = coming.taken; r < coming.count; ++r)
                CHAINRULE_PREFETCH(coming.rows[r] + d);
        Vector old[n], sum[n];
        for (int j = 0; j < n; ++j) sum[j] = old[j] = load(y[j] + d);
        for (int64_t i = 0; i < m; ++i) {
            const Vector left = load(x[i] + d);
            Vector gained = from == x ? left : load(from[i] + d);
            const float* move = moves + i * lanes;
            for (int j = 0; j < n; ++j) {
                const Vector factor = splat(move[j]);
                gained += factor * old[j];
                sum[j] += factor * left;
            }
            store(to[i] + d, gained);
        }
        for (int j = 0; j < n; ++j) store(y[j] + d, sum[j]);
    }
    coming.taken = coming.count;
}

using Multiply = void (*)(float* const*, int64_t, float* const*, int64_t, float*, Coming&);
using Update = void (*)(float* const*, float* const*, float* const*, int64_t, float* const*,
                        int64_t, const float*, Coming&);
constexpr Multiply multiply_by[] = {multiply<1>, multiply<2>, multiply<3>,
                                    multiply<4>, multiply<5>, multiply<6>};
constexpr Update update_by[] = {update<1>, update<2>, update<3>, update<4>, update<5>, update<6>};

// Rows that may not change are replaced by copies, whose changes are forgotten.
inline void set_frozen_aside(const Tables& tables, int64_t m, int64_t n, Scratch& scratch) {
    if (!tables.frozen_input && !tables.frozen_output) return;
    float* copy = scratch.copies;
    const auto replace = [&](float** rows, int64_t count, const float* table,
                             const uint8_t* frozen) {
        for (int64_t i = 0; frozen && i < count; ++i) {
            if (!frozen[(rows[i] - table) / tables.stride]) continue;
            for (int64_t d = 0; d < tables.size; d += width) store(copy + d, load(rows[i] + d));
            rows[i] = copy;
            copy += tables.stride;
        }
    };
    replace(scratch.x, m, tables.input, tables.frozen_input);
    replace(scratch.y, n, tables.output, tables.frozen_output);
}

// Blocks of as equal a size as may be.
inline int64_t block_count(int64_t targets) { return (targets + columns - 1) / columns; }
inline int64_t block_start(int64_t block, int64_t targets) {
    return block * targets / block_count(targets);
}

}  // namespace
}  // namespace chainrule::words::CHAINRULE_SIMD
