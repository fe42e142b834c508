// Parts of matrices copied so that tiles read them end to end.
#pragma once

#include "tiles.hpp"

namespace chainrule::CHAINRULE_SIMD {
namespace {

// A matrix by its strides.
template <class T>
struct Matrix {
    const T* start;
    int64_t row, column;

    const T* at(int64_t i, int64_t j) const { return start + i * row + j * column; }
    Matrix from(int64_t i, int64_t j) const { return {at(i, j), row, column}; }
};

// Columns [0, used) of `count` rows of b, in rows of `full` entries, with zeros after them.
template <class T>
void pack_columns(const Matrix<T>& b, int64_t count, int64_t used, int64_t full, T* to) {
    constexpr int w = width<T>, side = block<T>;
    if (b.column == 1) {
        for (int64_t p = 0; p < count; ++p, to += full) {
            const T* from = b.at(p, 0);
            int64_t j = 0;
            for (; j + w <= used; j += w) store(to + j, load<Vector<T>>(from + j));
            for (; j < full; j += w)
                store(to + j, j < used ? load_part(from + j, used - j) : Vector<T>{});
        }
        return;
    }
    for (int64_t j = 0; j < full; j += side) {
        int64_t p = 0;
        if (b.row == 1)
            for (; p + side <= count; p += side) {
                Block<T> square[side];
                for (int i = 0; i < side; ++i)
                    square[i] = j + i < used ? load<Block<T>>(b.at(p, j + i)) : Block<T>{};
                transpose(square);
                for (int i = 0; i < side; ++i) store(to + (p + i) * full + j, square[i]);
            }
        for (; p < count; ++p)
            for (int i = 0; i < side; ++i)
                to[p * full + j + i] = j + i < used ? *b.at(p, j + i) : T{0};
    }
}

// `count` columns of `rows` rows of a, as chunks where rows are contiguous, else as columns. Up to
// a vector after them is overwritten.
template <class T>
void pack_rows(const Matrix<T>& a, int64_t rows, int64_t count, T* to) {
    if (a.column == 1) {
        int64_t p = 0;
        for (; p + chunk <= count; p += chunk)
            for (int64_t i = 0; i < rows; ++i, to += chunk)
                __builtin_memcpy(to, a.at(i, p), chunk * sizeof(T));
        for (int64_t i = 0; i < rows; ++i)
            for (int64_t q = 0; q < count - p; ++q) to[i * chunk + q] = *a.at(i, p + q);
        return;
    }
    for (int64_t p = 0; p < count; ++p, to += rows) {
        if (a.row == 1)
            for (int64_t i = 0; i < rows; i += width<T>)
                store(to + i, load_part(a.at(i, p), rows - i < width<T> ? rows - i : width<T>));
        else
            for (int64_t i = 0; i < rows; ++i) to[i] = *a.at(i, p);
    }
}

}  // namespace
}  // namespace chainrule::CHAINRULE_SIMD
