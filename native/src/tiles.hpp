// The innermost loop of a product of matrices: a tile of the result that stays in registers.
//
// A tile has some rows and some vectors of columns. Each step along k takes one row of b and one
// entry of each row of a.
//
// Source of the tiling: K. Goto and R. van de Geijn, Anatomy of high-performance matrix
// multiplication (2008).
#pragma once

#include <utility>

#include "vectors.hpp"

#if defined(__GNUC__)
#define CHAINRULE_INLINE __attribute__((always_inline)) inline
#define CHAINRULE_LAMBDA __attribute__((always_inline))
#else
#define CHAINRULE_INLINE inline
#define CHAINRULE_LAMBDA
#endif

namespace chainrule::CHAINRULE_SIMD {
namespace {

// Steps along k that are written out. Copies of a hold that many entries of the first row, then of
// the second, ..., then the next chunks.
constexpr int chunk = 4;

// As many sums as the registers hold beside a row of b and an entry of a; most often two vectors
// wide, four where there are few rows. One vector alone is for edges, which are not worth more
// code.
constexpr int most_rows(int vectors) {
    const int most = (registers == 32 ? 24 : 12) / vectors;
    return vectors == 1 ? most / 2 : most;
}

template <class T>
struct Tile {
    int64_t k;
    const T* a;
    int64_t a_row, a_column;  // one of them is 1: from a row to the next, or a column
    int64_t a_next;           // from a chunk of columns to the next
    int64_t a_step;           // from a tile to the one below
    const T* b;
    int64_t b_row;
    T* c;
    int64_t c_row;
    const T* bias;  // or null
    const T* gate;  // or null
    int64_t gate_row;
    bool first, last;  // whether this is the first part of k, and the last
    bool relu, times;
};

// Loops written out by the compiler's front end: what they index stays in registers then.
template <int i>
struct Constant {
    static constexpr int value = i;
};

template <class F, int... i>
CHAINRULE_INLINE void each_of(std::integer_sequence<int, i...>, const F& f) {
    (f(Constant<i>{}), ...);
}

template <int count, class F>
CHAINRULE_INLINE void unrolled(const F& f) {
    each_of(std::make_integer_sequence<int, count>{}, f);
}

// sum += x * y in the sum's own register. The compilers would also put it in the place of a factor,
// which moves the sums about until some of them are on the stack.
template <class V>
CHAINRULE_INLINE void accumulate(V& sum, const V& x, const V& y) {
#if defined(__GNUC__) && defined(__FMA__)
    if constexpr (sizeof(x[0]) == 4) __asm__("vfmadd231ps %1, %2, %0" : "+v"(sum) : "v"(x), "v"(y));
    else __asm__("vfmadd231pd %1, %2, %0" : "+v"(sum) : "v"(x), "v"(y));
#else
    sum += x * y;
#endif
}

// A vector made where it is used: kept through the innermost loop, it would push a sum out of the
// registers.
template <class V>
CHAINRULE_INLINE V made_here(V v) {
#if defined(__GNUC__) && defined(__FMA__)
    __asm__ volatile("" : "+v"(v));
#endif
    return v;
}

// `count` tiles of the same height, one below the other, against the same columns of b. `columns`:
// whether the columns of a are contiguous, not its rows.
template <class T, int rows, int vectors, bool columns>
void tiles(const Tile<T>& t, int64_t count) {
    using V = Vector<T>;
    const int64_t row = columns ? 1 : t.a_row, column = columns ? t.a_column : 1;
    const int64_t k = t.k, next = t.a_next, b_row = t.b_row, c_row = t.c_row;
    // What the first part of k adds to, and what follows the last, in an order like NumPy's.
    const int64_t start_row = t.first ? 0 : c_row;
    const bool adds = !t.first || t.bias, relu = t.last && t.relu, times = t.times;
    const T* gate = t.last ? t.gate : nullptr;
    const T* first = t.a;
    T* c = t.c;
    for (; count > 0; --count, first += t.a_step, c += rows * c_row) {
        V sum[rows][vectors];
        unrolled<rows * vectors>(
            [&](auto n) CHAINRULE_LAMBDA { sum[n.value / vectors][n.value % vectors] = V{}; });
        const T* a = first;
        const T* b = t.b;
        const auto step = [&](const T* left) CHAINRULE_LAMBDA {
            V right[vectors];
            unrolled<vectors>(
                [&](auto j) CHAINRULE_LAMBDA { right[j.value] = load<V>(b + j.value * width<T>); });
            unrolled<rows>([&](auto i) CHAINRULE_LAMBDA {
                const V entry = left[i.value * row] - V{};  // x - 0 is x, which x + 0 is not for -0
                unrolled<vectors>([&](auto j) CHAINRULE_LAMBDA {
                    accumulate(sum[i.value][j.value], entry, right[j.value]);
                });
            });
            b += b_row;
        };
        // What is written next is asked for now: it may have left the cache.
        unrolled<rows>([&](auto i)
                           CHAINRULE_LAMBDA { __builtin_prefetch(c + i.value * c_row, 1); });
        int64_t p = k;
        for (; p >= chunk; p -= chunk, a += next) {
            step(a);
            step(a + column);
            step(a + 2 * column);
            step(a + 3 * column);
        }
        for (; p > 0; --p, a += column) step(a);
        const auto each = [&](const auto& f) CHAINRULE_LAMBDA {
            unrolled<rows * vectors>([&](auto n) CHAINRULE_LAMBDA {
                constexpr int i = n.value / vectors, j = n.value % vectors;
                f(sum[i][j], i, j * width<T>);
            });
        };
        const T* start = t.first ? t.bias : c;
        if (adds)
            each([&](V& v, int i, int j)
                     CHAINRULE_LAMBDA { v += load<V>(start + i * start_row + j); });
        const V zero = made_here(V{});
        if (relu) each([&](V& v, int, int) CHAINRULE_LAMBDA { v = v <= zero ? zero : v; });
        if (gate) {
            if (times)
                each([&](V& v, int i, int j)
                         CHAINRULE_LAMBDA { v *= load<V>(gate + i * t.gate_row + j); });
            else {
                const V one = made_here(T{1} - V{});
                each([&](V& v, int i, int j) CHAINRULE_LAMBDA {
                    v *= load<V>(gate + i * t.gate_row + j) > zero ? one : zero;
                });
            }
            gate += rows * t.gate_row;
        }
        each([&](V& v, int i, int j) CHAINRULE_LAMBDA { store(c + i * c_row + j, v); });
    }
}

template <class T, int vectors, bool columns, int most>
void tiles_of_rows(int64_t rows, const Tile<T>& t, int64_t count) {
    if constexpr (most > 1)
        if (rows < most) return tiles_of_rows<T, vectors, columns, most - 1>(rows, t, count);
    tiles<T, most, vectors, columns>(t, count);
}

}  // namespace
}  // namespace chainrule::CHAINRULE_SIMD
