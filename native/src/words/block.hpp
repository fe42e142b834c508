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

#include <math.h>

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

inline float* input_row(const Tables& tables, int64_t row) {
    return tables.input + row * tables.stride;
}

inline float* output_row(const Tables& tables, int64_t row) {
    const int64_t place = row - tables.own_first;
    const bool own = static_cast<uint64_t>(place) < static_cast<uint64_t>(tables.own_count);
    return (own ? tables.own : tables.output) + (own ? place : row) * tables.stride;
}

// The losses of a piece. Logarithms are taken of products, one for all factors of a lane.
class Losses {
public:
    // Adds `part` and, for every lane, ln(factor) with 1 <= factor <= 2.
    void add(Vector part, Vector factor) {
        sum_ += part;
        product_ *= factor;
        if (++terms_ == 60) settle();
    }
    double total() {
        settle();
        float products[width];
        int32_t powers[width];
        store(products, product_);
        __builtin_memcpy(powers, &powers_, sizeof powers);
        for (int i = 0; i < width; ++i)
            total_ += 0.6931471805599453 * powers[i] + static_cast<double>(logf(products[i]));
        product_ = splat(1.0f);
        powers_ = Whole{};
        return total_;
    }

private:
    // Keeps the product between 1 and 2, and the powers of two that it has lost.
    void settle() {
        float sums[width];
        store(sums, sum_);
        for (int i = 0; i < width; ++i) total_ += static_cast<double>(sums[i]);
        sum_ = Vector{};
        Whole bits;
        __builtin_memcpy(&bits, &product_, sizeof bits);
        powers_ += (bits >> 23) - 127;
        bits = (bits & 0x7fffff) | 0x3f800000;
        __builtin_memcpy(&product_, &bits, sizeof bits);
        terms_ = 0;
    }

    Vector sum_ = {}, product_ = splat(1.0f);
    Whole powers_ = {};
    int terms_ = 0;
    double total_ = 0.0;
};

// Ones in the first lanes, by how many there are.
alignas(32) constexpr float ones[columns + 1][lanes] = {
    {}, {1}, {1, 1}, {1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1}};

// A vector of the numbers for the lanes from `lane` on; where it is wider than they, of two rows.
inline Vector of_lanes(const float* row, const float* next, int64_t lane) {
    if constexpr (width <= lanes) {
        return load(row + lane);
    } else {
        Vector both;
        __builtin_memcpy(&both, row, lanes * sizeof(float));
        __builtin_memcpy(reinterpret_cast<float*>(&both) + lanes, next, lanes * sizeof(float));
        return both;
    }
}

// The numbers of two rows; where a vector has lanes for one row only, of the first.
inline Vector of_two(float first, float second) {
    if constexpr (width <= lanes) {
        return splat(first);
    } else {
        float both[2 * lanes];
        for (int j = 0; j < lanes; ++j) both[j] = first, both[lanes + j] = second;
        return load(both);
    }
}

// The part of `errors` for so many vectors from the k-th number on.
template <bool weighted, bool of_rows, int vectors>
inline void errors_in_step(float* dots, const float* weights, int64_t count, const float* labels,
                           int64_t k, int64_t end, float rate, Losses& losses) {
    const Vector zero{}, one = splat(1.0f), least = splat(lowest);
    // A label of 1 is one of 0 with all signs turned.
    Vector sign[vectors], dot[vectors], e[vectors], probability[vectors];
    in_step<vectors>([&](int v) {
        const int64_t at = k + v * width, row = at / lanes;
        Vector label;
        if constexpr (of_rows) label = of_two(labels[row], labels[row + (width > lanes ? 1 : 0)]);
        else label = of_lanes(labels, labels, width < lanes ? at % lanes : 0);
        sign[v] = one - (label + label);
        dot[v] = sign[v] * load(dots + at);
        e[v] = larger(least, negative(dot[v]));
    });
    exp_of_negative<Vector, Whole, vectors>(e);
    in_step<vectors>([&](int v) { probability[v] = (dot[v] < zero ? e[v] : one) / (one + e[v]); });
    in_step<vectors>([&](int v) {
        const int64_t at = k + v * width;
        const Vector move = splat(-rate) * sign[v] * probability[v], linear = larger(zero, dot[v]);
        if constexpr (weighted) {
            const Vector weight = load(weights + at);
            store(dots + at, weight * move);
            losses.add(weight * (linear + log_of_one_plus(e[v])), one);
        } else {
            const int64_t next = at + width <= end ? count : 0;
            const Vector there = of_lanes(ones[count], ones[next], width < lanes ? at % lanes : 0);
            store(dots + at, move);
            losses.add(linear, one + e[v] * there);
        }
    });
}

template <int number>
struct Number {
    static constexpr int value = number;
};

// Turns dots into what each pair moves by, -rate times the derivative. Labels are those of the
// targets, which are the columns y or, where `of_rows`, the rows x. Without weights the pairs of
// the first `count` lanes count once. One row more than m may be overwritten.
template <bool weighted, bool of_rows>
void errors(float* dots, float* weights, int64_t count, const float* labels, int64_t m, float rate,
            Losses& given) {
    Losses losses = given;  // A copy can stay in registers.
    constexpr bool wide = width > lanes;
    for (int j = 0; j < lanes && wide && m % 2 == 1; ++j) {
        dots[m * lanes + j] = 0.0f;
        if constexpr (weighted) weights[m * lanes + j] = 0.0f;
    }
    const int64_t end = m * lanes;
    int64_t k = 0;
    const auto some = [&](auto number) {
        constexpr int vectors = decltype(number)::value;
        for (; k + vectors * width <= end; k += vectors * width)
            errors_in_step<weighted, of_rows, vectors>(dots, weights, count, labels, k, end, rate,
                                                       losses);
    };
    some(Number<6>{});
    some(Number<4>{});
    some(Number<2>{});
    some(Number<1>{});
    if (k < end)
        errors_in_step<weighted, of_rows, 1>(dots, weights, count, labels, k, end, rate, losses);
    given = losses;
}

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
            CHAINRULE_PREFETCH_TO_WRITE(next + d);
            const Vector va = load(a + d), vb = load(b + d);
            for (int j = 0; j < n; ++j) {
                const Vector right = in_register(load(y[j] + d));
                first[j] += va * right;
                second[j] += vb * right;
            }
        }
        lane_sums<n>(first, second, dots + i * lanes);
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

// y_j += sum_i moves_ij x_i, and to_i = from_i + sum_j moves_ij y_j, each from the other's old
// value. Both `from` and `to` may be x.
template <int n>
void update(float* const* x, float* const* from, float* const* to, int64_t m, float* const* y,
            int64_t size, const float* moves, Coming& coming) {
    for (int64_t d = 0; d < size; d += width) {
        if (d % 16 == 0)
            for (int64_t r = coming.taken; r < coming.count; ++r)
                CHAINRULE_PREFETCH_TO_WRITE(coming.rows[r] + d);
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

// The same in place for as many rows x as are known in advance: without a loop over them, the
// processor need not guess where it ends.
template <int m>
void update_in_place(float* const* x, float* const* y, int64_t size, const float* moves,
                     Coming& coming) {
    for (int64_t d = 0; d < size; d += width) {
        if (d % 16 == 0)
            for (int64_t r = coming.taken; r < coming.count; ++r)
                CHAINRULE_PREFETCH_TO_WRITE(coming.rows[r] + d);
        Vector old[columns], sum[columns];
        for (int j = 0; j < columns; ++j) sum[j] = old[j] = load(y[j] + d);
        CHAINRULE_UNROLL
        for (int i = 0; i < m; ++i) {
            const Vector left = load(x[i] + d);
            Vector gained = left, more = {};
            for (int j = 0; j < columns; ++j) {
                const Vector factor = splat(moves[i * lanes + j]);
                Vector& chain = j % 2 == 0 ? gained : more;
                chain += factor * old[j];
                sum[j] += factor * left;
            }
            store(x[i] + d, gained + more);
        }
        for (int j = 0; j < columns; ++j) store(y[j] + d, sum[j]);
    }
    coming.taken = coming.count;
}

using Multiply = void (*)(float* const*, int64_t, float* const*, int64_t, float*, Coming&);
using Update = void (*)(float* const*, float* const*, float* const*, int64_t, float* const*,
                        int64_t, const float*, Coming&);
using UpdateInPlace = void (*)(float* const*, float* const*, int64_t, const float*, Coming&);
constexpr Multiply multiply_by[] = {multiply<1>, multiply<2>, multiply<3>,
                                    multiply<4>, multiply<5>, multiply<6>};
constexpr Update update_by[] = {update<1>, update<2>, update<3>, update<4>, update<5>, update<6>};
constexpr UpdateInPlace update_in_place_by[] = {
    update_in_place<1>, update_in_place<2>, update_in_place<3>, update_in_place<4>,
    update_in_place<5>, update_in_place<6>, update_in_place<7>, update_in_place<8>,
    update_in_place<9>, update_in_place<10>};
constexpr int64_t most_in_place = sizeof update_in_place_by / sizeof *update_in_place_by;

// Rows that may not change are replaced by copies, whose changes are forgotten.
inline void set_frozen_aside(const Tables& tables, float** inputs, int64_t m, float** outputs,
                             int64_t n, Scratch& scratch) {
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
    replace(inputs, m, tables.input, tables.frozen_input);
    replace(outputs, n, tables.output, tables.frozen_output);
}

// Blocks of as equal a size as may be.
inline int64_t block_count(int64_t targets) { return (targets + columns - 1) / columns; }
inline int64_t block_start(int64_t block, int64_t targets) {
    return block * targets / block_count(targets);
}

// Cuts n targets into blocks that all m rows x meet; returns how many.
inline int64_t cut_into_blocks(int64_t n, int64_t m, Scratch& scratch) {
    scratch.blocks[0] = {0, n, 0, m};
    if (n <= columns) return 1;
    const int64_t count = block_count(n);
    for (int64_t b = 0; b < count; ++b) {
        const int64_t start = block_start(b, n);
        scratch.blocks[b] = {start, block_start(b + 1, n) - start, 0, m};
    }
    return count;
}

}  // namespace
}  // namespace chainrule::words::CHAINRULE_SIMD
