// Products with few columns: each entry of the result is the sum along a row of a.
//
// Tiles would compute mostly columns that are not there. Here the sums run along k in vectors, and
// those of several entries are added across in one go.
#pragma once

#include "chainrule/kernels.hpp"
#include "packing.hpp"

namespace chainrule::CHAINRULE_SIMD {
namespace {

template <class T>
constexpr int most_dots = block<T> < 4 ? block<T> : 4;

template <class T>
bool has_few_columns(const Product& p) {
    return p.n <= most_dots<T> && p.a_column == 1 && p.k >= block<T>;
}

// `rows` rows of a against n columns of b, which lie end to end: as many sums as a block has
// entries, or fewer; the others are zeros.
template <class T, int n, int rows>
CHAINRULE_INLINE Block<T> dots(const T* a, int64_t a_row, const T* b, int64_t k) {
    using V = Block<T>;
    constexpr int side = block<T>, count = n * rows;
    static_assert(count <= side);
    V sum[side];
    unrolled<side>([&](auto i) CHAINRULE_LAMBDA { sum[i.value] = V{}; });
    int64_t p = 0;
    for (; p + side <= k; p += side) {
        V right[n];
        unrolled<n>([&](auto j)
                        CHAINRULE_LAMBDA { right[j.value] = load<V>(b + j.value * k + p); });
        unrolled<rows>([&](auto i) CHAINRULE_LAMBDA {
            const V left = load<V>(a + i.value * a_row + p);
            unrolled<n>([&](auto j) CHAINRULE_LAMBDA {
                sum[i.value * n + j.value] += left * right[j.value];
            });
        });
    }
    transpose(sum);
    V total = sum[0];
    unrolled<side - 1>([&](auto i) CHAINRULE_LAMBDA { total += sum[i.value + 1]; });
    if (p == k) return total;
    T entries[side];
    store(entries, total);
    for (; p < k; ++p)
        unrolled<count>([&](auto e) CHAINRULE_LAMBDA {
            entries[e.value] += a[e.value / n * a_row + p] * b[e.value % n * k + p];
        });
    return load<V>(entries);
}

template <class T, int n>
void multiply_few(const Product& p) {
    using V = Block<T>;
    constexpr int rows = block<T> / n;
    const Matrix<T> b{static_cast<const T*>(p.b), p.b_row, p.b_column};
    T* columns = static_cast<T*>(p.scratch);
    for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < p.k; ++i) columns[j * p.k + i] = *b.at(i, j);
    const T* a = static_cast<const T*>(p.a);
    // The bias of each sum of a block.
    T offsets[block<T>] = {};
    if (p.bias)
        for (int e = 0; e < rows * n; ++e) offsets[e] = static_cast<const T*>(p.bias)[e % n];
    const V bias = load<V>(offsets);
    const bool end_to_end = p.c_row == n && !p.gate;
    for (int64_t i = 0; i < p.m;) {
        const int64_t count = p.m - i >= rows ? rows : 1;
        const T* left = a + i * p.a_row;
        V sums = count == rows ? dots<T, n, rows>(left, p.a_row, columns, p.k)
                               : dots<T, n, 1>(left, p.a_row, columns, p.k);
        if (p.bias) sums += bias;
        if (p.relu) sums = sums <= V{} ? V{} : sums;
        T* c = static_cast<T*>(p.c) + i * p.c_row;
        if (end_to_end && count * n == block<T>) {
            store(c, sums);
            i += count;
            continue;
        }
        T entries[block<T>];
        store(entries, sums);
        for (int64_t r = 0; r < count; ++r, ++i, c += p.c_row) {
            const T* gate = p.gate ? static_cast<const T*>(p.gate) + i * p.gate_row : nullptr;
            for (int64_t j = 0; j < n; ++j) {
                T v = entries[r * n + j];
                if (gate) v *= p.times ? gate[j] : gate[j] > T{0} ? T{1} : T{0};
                c[j] = v;
            }
        }
    }
}

template <class T, int most>
void multiply_few_of(const Product& p) {
    if constexpr (most > 1)
        if (p.n < most) return multiply_few_of<T, most - 1>(p);
    multiply_few<T, most>(p);
}

}  // namespace
}  // namespace chainrule::CHAINRULE_SIMD
