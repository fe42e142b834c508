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

inline float* row_of(float* table, const OwnRange& range, int64_t row, int64_t stride) {
    // Without branches, for none of them could be foreseen.
    const auto place = static_cast<uint64_t>(row - range.first);
    const int64_t own = -static_cast<int64_t>(place < static_cast<uint64_t>(range.count));
    const auto address = reinterpret_cast<uintptr_t>(table + row * stride);
    return reinterpret_cast<float*>(address + static_cast<uintptr_t>(own & range.apart));
}

inline float* input_row(const Tables& tables, int64_t row) {
    return row_of(tables.input, tables.own_input, row, tables.stride);
}

inline float* output_row(const Tables& tables, int64_t row) {
    return row_of(tables.output, tables.own_output, row, tables.stride);
}

// The rows of n targets.
template <class Row>
inline void list_output_rows(const Tables& tables, const int32_t* targets, int64_t n, Row* rows) {
    if (tables.own_output.count == 0)
        for (int64_t j = 0; j < n; ++j) rows[j] = tables.output + targets[j] * tables.stride;
    else
        for (int64_t j = 0; j < n; ++j) rows[j] = output_row(tables, targets[j]);
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

// What a vector has where there is no pair: its loss is nothing.
constexpr float no_pair = -1000.0f;

// The number of each lane.
inline Whole lane_numbers() {
    int32_t numbers[width];
    for (int lane = 0; lane < width; ++lane) numbers[lane] = lane;
    Whole result;
    __builtin_memcpy(&result, numbers, sizeof result);
    return result;
}

// The part of `errors` for so many vectors from the k-th number on, the last of which has `there`
// numbers.
template <bool weighted, int vectors>
inline void errors_in_step(float* dots, const float* weights, const float* labels, int64_t k,
                           int64_t there, float rate, Losses& losses) {
    const Vector zero{}, one = splat(1.0f), least = splat(lowest);
    // A label of 1 is one of 0 with all signs turned.
    Vector sign[vectors], dot[vectors], e[vectors], probability[vectors];
    in_step<vectors>([&](int v) {
        const Vector label = load(labels + k + v * width);
        sign[v] = one - (label + label);
        dot[v] = sign[v] * load(dots + k + v * width);
        if (v == vectors - 1)
            dot[v] = lane_numbers() < static_cast<int32_t>(there) ? dot[v] : splat(no_pair);
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
            store(dots + at, move);
            losses.add(linear, one + e[v]);
        }
    });
}

template <int number>
struct Number {
    static constexpr int value = number;
};

// Turns dots of pairs into what each of them moves by, -rate times the derivative; without weights
// all count once. Up to `width` numbers more may be read and written.
template <bool weighted>
void errors(float* dots, const float* weights, const float* labels, int64_t pairs, float rate,
            Losses& given) {
    Losses losses = given;  // A copy can stay in registers.
    int64_t k = 0;
    const auto some = [&](auto number) {
        constexpr int vectors = decltype(number)::value;
        const int64_t left = pairs - k - (vectors - 1) * width;
        errors_in_step<weighted, vectors>(dots, weights, labels, k, left < width ? left : width,
                                          rate, losses);
        k += vectors * width;
    };
    while (k + 5 * width < pairs) some(Number<6>{});
    switch ((pairs - k + width - 1) / width) {
        case 5: some(Number<5>{}); break;
        case 4: some(Number<4>{}); break;
        case 3: some(Number<3>{}); break;
        case 2: some(Number<2>{}); break;
        case 1: some(Number<1>{}); break;
        default: break;
    }
    given = losses;
}

// dots[i * stride + j] = x_i . y_j; up to `lanes` numbers are written from each j = 0 on, in the
// order of the rows.
template <int n>
void multiply(float* const* x, int64_t m, float* const* y, int64_t size, float* dots,
              int64_t stride, Coming& coming) {
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
        lane_sums<n>(first, second, dots + i * stride, dots + (i + 1) * stride);
    }
    if (i < m) {
        Vector sums[n] = {};
        for (int64_t d = 0; d < size; d += width) {
            const Vector left = load(x[i] + d);
            for (int j = 0; j < n; ++j) sums[j] += left * load(y[j] + d);
        }
        lane_sums<n>(sums, dots + i * stride);
    }
}

// The places of rows y in registers: read anew, since what is stored to rows might have changed
// them, they would cost a tenth of an update.
template <int n>
struct Places {
    CHAINRULE_INLINE explicit Places(float* const* y) {
        CHAINRULE_UNROLL
        for (int j = 0; j < n; ++j) row[j] = y[j];
    }
    float* row[n];
};

// Where the new values of rows x lie while several blocks move them: one after the other, `stride`
// apart. The first block takes the rows themselves, the last gives them back.
struct Kept {
    float* rows;
    int64_t stride;
};

// y_j += sum_i moves_ij x_i, and x_i += sum_j moves_ij y_j, each from the other's old value.
template <int n, bool first, bool last>
void update(float* const* x, int64_t m, const Kept& kept, float* const* y, int64_t size,
            const float* moves, int64_t stride, Coming& coming) {
    const Places<n> places(y);
    for (int64_t d = 0; d < size; d += width) {
        if (d % 16 == 0)
            for (int64_t r = coming.taken; r < coming.count; ++r)
                CHAINRULE_PREFETCH_TO_WRITE(coming.rows[r] + d);
        Vector old[n], sum[n];
        for (int j = 0; j < n; ++j) sum[j] = old[j] = load(places.row[j] + d);
        const float* move = moves;
        float* middle = kept.rows + d;
        for (int64_t i = 0; i < m; ++i, move += stride, middle += kept.stride) {
            float* const row = x[i] + d;
            const Vector left = load(row);
            Vector gained = first ? left : load(middle);
            for (int j = 0; j < n; ++j) {
                const Vector factor = splat(move[j]);
                gained += factor * old[j];
                sum[j] += factor * left;
            }
            store(last ? row : middle, gained);
        }
        for (int j = 0; j < n; ++j) store(places.row[j] + d, sum[j]);
    }
    coming.taken = coming.count;
}

// The same in place for as many rows x as are known in advance: without a loop over them, the
// processor need not guess where it ends.
template <int m>
void update_in_place(float* const* x, float* const* y, int64_t size, const float* moves,
                     Coming& coming) {
    const Places<columns> places(y);
    for (int64_t d = 0; d < size; d += width) {
        if (d % 16 == 0)
            for (int64_t r = coming.taken; r < coming.count; ++r)
                CHAINRULE_PREFETCH_TO_WRITE(coming.rows[r] + d);
        Vector old[columns], sum[columns];
        for (int j = 0; j < columns; ++j) sum[j] = old[j] = load(places.row[j] + d);
        CHAINRULE_UNROLL
        for (int i = 0; i < m; ++i) {
            const Vector left = load(x[i] + d);
            Vector gained = left, more = {};
            for (int j = 0; j < columns; ++j) {
                const Vector factor = splat(moves[i * columns + j]);
                Vector& chain = j % 2 == 0 ? gained : more;
                chain += factor * old[j];
                sum[j] += factor * left;
            }
            store(x[i] + d, gained + more);
        }
        for (int j = 0; j < columns; ++j) store(places.row[j] + d, sum[j]);
    }
    coming.taken = coming.count;
}

using Multiply = void (*)(float* const*, int64_t, float* const*, int64_t, float*, int64_t, Coming&);
using Update = void (*)(float* const*, int64_t, const Kept&, float* const*, int64_t, const float*,
                        int64_t, Coming&);
using UpdateInPlace = void (*)(float* const*, float* const*, int64_t, const float*, Coming&);
constexpr Multiply multiply_by[] = {multiply<1>, multiply<2>, multiply<3>,
                                    multiply<4>, multiply<5>, multiply<6>};
template <bool first, bool last>
constexpr Update update_by[] = {update<1, first, last>, update<2, first, last>,
                                update<3, first, last>, update<4, first, last>,
                                update<5, first, last>, update<6, first, last>};
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
inline int64_t cut_into_blocks(int64_t n, int64_t m, Block* blocks) {
    blocks[0] = {0, n, 0, m, 0, n};
    if (n <= columns) return n > 0;
    const int64_t count = block_count(n);
    for (int64_t b = 0; b < count; ++b) {
        const int64_t start = block_start(b, n);
        blocks[b] = {start, block_start(b + 1, n) - start, 0, m, 0, 0};
    }
    return count;
}

// Numbers the pairs of blocks, those of a block one after the other; returns how many there are.
inline int64_t number_pairs(Block* blocks, int64_t count) {
    int64_t pairs = 0;
    for (int64_t b = 0; b < count; ++b) {
        Block& block = blocks[b];
        block.first = pairs, block.stride = block.count;
        pairs += (block.high - block.low) * block.count;
    }
    return pairs;
}

#if defined(__GNUC__)
typedef float Lanes __attribute__((vector_size(lanes * sizeof(float))));
#else
struct Lanes {
    float numbers[lanes];
};
#endif

// These two write `lanes` numbers for the pairs of each row of a block. Blocks come in their order,
// as what is too much for one lies in the next.

// Those from `numbers` on, for each row `step` further.
inline void spread_lanes(const Block& block, const float* numbers, int64_t step, float* pairs) {
    float* to = pairs + block.first;
    const int64_t rows = block.high - block.low, stride = block.stride;
    for (int64_t i = 0; i < rows; ++i, numbers += step, to += stride) {
        Lanes some;
        __builtin_memcpy(&some, numbers, sizeof some);
        __builtin_memcpy(to, &some, sizeof some);
    }
}

// The same number for all of a row.
inline void spread_rows(const Block& block, const float* numbers, float* pairs) {
    float* to = pairs + block.first;
    const int64_t rows = block.high - block.low, stride = block.stride;
    for (int64_t i = 0; i < rows; ++i, to += stride)
        for (int j = 0; j < lanes; ++j) to[j] = numbers[i];
}

}  // namespace
}  // namespace chainrule::words::CHAINRULE_SIMD
