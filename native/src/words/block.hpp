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

#include <stdint.h>

#include "chainrule/words/kernels.hpp"
#include "errors.hpp"

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

// All that is still to be fetched.
CHAINRULE_INLINE void fetch(Coming& coming, int64_t size) {
    for (; coming.taken < coming.count; ++coming.taken)
        prefetch_row(coming.rows[coming.taken], size);
}

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

// Calls use(i, rows, sums) with the products of x_i, and of x_(i+1) where there are two rows, with
// the rows y.
template <int n, class Use>
inline void for_each_pair(float* const* x, int64_t m, float* const* y, int64_t size, Coming& coming,
                          Use use) {
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
        use(i, Number<2>{}, lane_sums<n>(first, second));
    }
    if (i < m) {
        Vector sums[n] = {};
        for (int64_t d = 0; d < size; d += width) {
            const Vector left = load(x[i] + d);
            for (int j = 0; j < n; ++j) sums[j] += left * load(y[j] + d);
        }
        use(i, Number<1>{}, lane_sums<n>(sums, nullptr));
    }
}

// What the pairs of m rows x and n rows y move by, to dots[i * lanes + j]: see `errors`.
template <int n, bool weighted>
void judge(float* const* x, int64_t m, float* const* y, int64_t size, const PairNumbers& label,
           const PairNumbers& weight, float rate, float* dots, Losses& given, Coming& coming) {
    for_each_pair<n>(x, m, y, size, coming, [&](int64_t i, auto, const Sixteen& sums) {
        store_sixteen(dots + i * lanes, sums);
    });
    Losses losses = given;  // A copy can stay in registers.
    const Sixteen labels = load_twice(label.start);
    const auto of = [](const PairNumbers& numbers, int64_t i) {
        if (numbers.by == By::row) return spread(numbers.start[i], numbers.start[i + 1]);
        return numbers.by == By::pair ? load_sixteen(numbers.start + i * lanes)
                                      : load_twice(numbers.start);
    };
    int64_t i = 0;
    const auto some = [&](auto count) {
        errors<weighted, decltype(count)::value>(
            dots + i * lanes,
            [&](int k) { return label.by == By::target ? labels : of(label, i + 2 * k); },
            [&](int k) { return of(weight, i + 2 * k); },
            [&](int k) { return i + 2 * k + 1 < m ? padding<n, 2>.lane : padding<n, 1>.lane; },
            rate, losses);
        i += 2 * decltype(count)::value;
    };
    while (i + 4 < m) some(Number<3>{});
    if (i + 2 < m) some(Number<2>{});
    else if (i < m) some(Number<1>{});
    given = losses;
}

// dots[i * stride + j] = x_i . y_j; `lanes` numbers are written from each j = 0 on, in the order of
// the rows.
template <int n>
void multiply(float* const* x, int64_t m, float* const* y, int64_t size, float* dots,
              int64_t stride, Coming& coming) {
    for_each_pair<n>(x, m, y, size, coming, [&](int64_t i, auto rows, const Sixteen& sums) {
        float numbers[widest];
        store_sixteen(numbers, sums);
        for (int row = 0; row < decltype(rows)::value; ++row)
            __builtin_memcpy(dots + (i + row) * stride, numbers + row * lanes,
                             lanes * sizeof(float));
    });
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
                const Vector factor = splat(moves[i * lanes + j]);
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

using Judge = void (*)(float* const*, int64_t, float* const*, int64_t, const PairNumbers&,
                       const PairNumbers&, float, float*, Losses&, Coming&);
using Multiply = void (*)(float* const*, int64_t, float* const*, int64_t, float*, int64_t, Coming&);
using Update = void (*)(float* const*, int64_t, const Kept&, float* const*, int64_t, const float*,
                        int64_t, Coming&);
using UpdateInPlace = void (*)(float* const*, float* const*, int64_t, const float*, Coming&);
template <bool weighted>
constexpr Judge judge_by[] = {judge<1, weighted>, judge<2, weighted>, judge<3, weighted>,
                              judge<4, weighted>, judge<5, weighted>, judge<6, weighted>};
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
    const int64_t count = block_count(n);
    for (int64_t b = 0; b < count; ++b) {
        const int64_t start = block_start(b, n);
        blocks[b] = {start, block_start(b + 1, n) - start, 0, m, b * m * lanes, lanes, {}, {}};
    }
    return count;
}

}  // namespace
}  // namespace chainrule::words::CHAINRULE_SIMD
