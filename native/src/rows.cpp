// Reductions and maps of contiguous rows, compiled once for each instruction set.

#include "functions.hpp"
#include "library.hpp"
#include "simd_tables.hpp"

namespace chainrule::CHAINRULE_SIMD {
namespace {

constexpr int lanes = short_row + 1;

// The sum in many partial sums, each over few entries: the error grows like the pairwise sum's.
template <class T, class F>
T total(const T* x, int64_t n, F term) {
    double sum = 0;
    int64_t i = 0;
    while (n - i >= lanes) {
        T partial[lanes] = {};
        const int64_t end = i + (n - i < 512 ? (n - i) / lanes * lanes : 512);
        if (n - i >= 512) {
            // Sums that need not wait for one another.
            T second[lanes] = {}, third[lanes] = {}, fourth[lanes] = {};
            for (; i < end; i += 4 * lanes) {
                for (int lane = 0; lane < lanes; ++lane) partial[lane] += term(x[i + lane]);
                for (int lane = 0; lane < lanes; ++lane) second[lane] += term(x[i + lanes + lane]);
                for (int lane = 0; lane < lanes; ++lane)
                    third[lane] += term(x[i + 2 * lanes + lane]);
                for (int lane = 0; lane < lanes; ++lane)
                    fourth[lane] += term(x[i + 3 * lanes + lane]);
            }
            for (int lane = 0; lane < lanes; ++lane)
                partial[lane] = (partial[lane] + second[lane]) + (third[lane] + fourth[lane]);
        }
        for (; i < end; i += lanes)
            for (int lane = 0; lane < lanes; ++lane) partial[lane] += term(x[i + lane]);
        for (int width = lanes / 2; width > 0; width /= 2)
            for (int lane = 0; lane < width; ++lane) partial[lane] += partial[lane + width];
        sum += static_cast<double>(partial[0]);
    }
    T rest = 0;
    for (; i < n; ++i) rest += term(x[i]);
    return static_cast<T>(sum + static_cast<double>(rest));
}

template <class T>
void sum(void* out, const void* row, int64_t n) {
    *static_cast<T*>(out) = total(static_cast<const T*>(row), n, [](T x) { return x; });
}

template <class T>
T largest(const T* x, int64_t n) {
    T top = x[0];
    bool nan = x[0] != x[0];
    for (int64_t i = 1; i < n; ++i) {
        top = x[i] > top ? x[i] : top;
        nan |= x[i] != x[i];
    }
    return nan ? static_cast<T>(NAN) : top;
}

template <class T>
void max(void* out, const void* row, int64_t n) {
    *static_cast<T*>(out) = largest(static_cast<const T*>(row), n);
}

template <class T>
void min(void* out, const void* row, int64_t n) {
    const T* x = static_cast<const T*>(row);
    T low = x[0];
    bool nan = x[0] != x[0];
    for (int64_t i = 1; i < n; ++i) {
        low = x[i] < low ? x[i] : low;
        nan |= x[i] != x[i];
    }
    *static_cast<T*>(out) = nan ? static_cast<T>(NAN) : low;
}

template <class T>
void prod(void* out, const void* row, int64_t n) {
    const T* x = static_cast<const T*>(row);
    T product = 1;
    for (int64_t i = 0; i < n; ++i) product *= x[i];
    *static_cast<T*>(out) = product;
}

// ln sum e^x, shifted by the maximum where that is finite.
template <class T>
T log_of_sum(const T* x, int64_t n) {
    const T top = largest(x, n);
    const T shift = (top - top) == T{0} ? top : T{0};
    return logarithm(total(x, n, [shift](T v) { return exponential(v - shift); })) + shift;
}

template <class T>
void logsumexp(void* out, const void* row, int64_t n) {
    *static_cast<T*>(out) = log_of_sum(static_cast<const T*>(row), n);
}

// Scaled by the largest size, so that squares neither overflow nor vanish.
template <class T>
void norm(void* out, const void* row, int64_t n) {
    const T* x = static_cast<const T*>(row);
    T top = 0;
    for (int64_t i = 0; i < n; ++i) {
        const T size = x[i] < T{0} ? -x[i] : x[i];
        top = size > top ? size : top;
    }
    const T scale = (top > T{0}) & ((top - top) == T{0}) ? top : T{1};
    const T squares = total(x, n, [scale](T v) { return (v / scale) * (v / scale); });
    *static_cast<T*>(out) = scale * library_sqrt(squares);
}

// The first of the greatest (or, with sign -1, the least) entries; the first NaN where there is
// one.
template <class T, int sign>
void position(void* out, const void* row, int64_t n) {
    const T* x = static_cast<const T*>(row);
    int64_t best = 0;
    for (int64_t i = 1; i < n && x[best] == x[best]; ++i)
        if (x[i] != x[i] || (sign > 0 ? x[i] > x[best] : x[i] < x[best])) best = i;
    *static_cast<int64_t*>(out) = best;
}

template <class T>
void softmax(void* out, const void* row, int64_t n, double) {
    const T* x = static_cast<const T*>(row);
    T* y = static_cast<T*>(out);
    const T top = largest(x, n);
    for (int64_t i = 0; i < n; ++i) y[i] = exponential(x[i] - top);
    const T scale = T{1} / total(y, n, [](T v) { return v; });
    for (int64_t i = 0; i < n; ++i) y[i] *= scale;
}

// Short rows together, as columns: each step is one for many rows. Sums run from left to right, as
// for single rows of this length.
constexpr int together = 32;

// What `finish(columns, tops, sums, first row, rows)` makes of the entries less their row's
// greatest, where that is finite, their exponentials and their sums.
template <class T, bool finite_only, class F>
void short_rows(const T* x, int64_t count, int64_t n, F finish) {
    T columns[short_row][together], top[together], sum[together];
    for (int64_t start = 0; start < count; start += together) {
        const int64_t some = count - start < together ? count - start : together;
        const int64_t filled = (some + 7) / 8 * 8;
        for (int64_t j = 0; j < n; ++j) {
            const T* entry = x + start * n + j;
            for (int64_t r = 0; r < some; ++r) columns[j][r] = entry[r * n];
            for (int64_t r = some; r < filled; ++r) columns[j][r] = 0;
        }
        for (int64_t r = 0; r < filled; ++r) top[r] = columns[0][r];
        for (int64_t j = 1; j < n; ++j)
            for (int64_t r = 0; r < filled; ++r) {
                const T y = columns[j][r];
                top[r] = (y > top[r]) | (y != y) ? y : top[r];  // a NaN stays
            }
        if (finite_only)
            for (int64_t r = 0; r < filled; ++r) top[r] = (top[r] - top[r]) == T{0} ? top[r] : T{0};
        for (int64_t r = 0; r < filled; ++r) sum[r] = 0;
        for (int64_t j = 0; j < n; ++j)
            for (int64_t r = 0; r < filled; ++r) {
                columns[j][r] = exponential(columns[j][r] - top[r]);
                sum[r] += columns[j][r];
            }
        finish(columns, top, sum, start, some);
    }
}

template <class T>
void softmax_short(void* out, const void* rows, int64_t count, int64_t n) {
    T* y = static_cast<T*>(out);
    short_rows<T, false>(
        static_cast<const T*>(rows), count, n,
        [=](const T(&columns)[short_row][together], const T*, T* sum, int64_t start, int64_t some) {
            for (int64_t r = 0; r < some; ++r) sum[r] = T{1} / sum[r];
            for (int64_t j = 0; j < n; ++j)
                for (int64_t r = 0; r < some; ++r) y[(start + r) * n + j] = columns[j][r] * sum[r];
        });
}

template <class T>
void logsumexp_short(void* result, const void* rows, int64_t count, int64_t n) {
    T* out = static_cast<T*>(result);
    short_rows<T, true>(
        static_cast<const T*>(rows), count, n,
        [=](const T(&)[short_row][together], const T* shift, T* sum, int64_t start, int64_t some) {
            for (int64_t r = 0; r < some; ++r) out[start + r] = logarithm(sum[r]) + shift[r];
        });
}

template <class T>
void log_softmax(void* out, const void* row, int64_t n, double) {
    const T* x = static_cast<const T*>(row);
    T* y = static_cast<T*>(out);
    const T shift = log_of_sum(x, n);
    for (int64_t i = 0; i < n; ++i) y[i] = x[i] - shift;
}

template <class T>
void cumsum(void* out, const void* row, int64_t n, double) {
    const T* x = static_cast<const T*>(row);
    T* y = static_cast<T*>(out);
    T sum = 0;
    for (int64_t i = 0; i < n; ++i) y[i] = sum += x[i];
}

// (x - mean) / sqrt(variance + epsilon)
template <class T>
void standardise(void* out, const void* row, int64_t n, double epsilon) {
    const T* x = static_cast<const T*>(row);
    T* y = static_cast<T*>(out);
    const T mean = total(x, n, [](T v) { return v; }) / static_cast<T>(n);
    const T variance =
        total(x, n, [mean](T v) { return (v - mean) * (v - mean); }) / static_cast<T>(n);
    const T scale = T{1} / library_sqrt(variance + static_cast<T>(epsilon));
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale;
}

// A tile of columns at a time stays in registers while it runs down the rows.
template <class T, int width>
void sum_tile(T* out, const T* x, int64_t count, int64_t stride) {
    T partial[width] = {};
    for (int64_t i = 0; i < count; ++i)
        for (int j = 0; j < width; ++j) partial[j] += x[i * stride + j];
    for (int j = 0; j < width; ++j) out[j] = partial[j];
}

template <class T>
void sum_columns(void* result, const void* rows, int64_t count, int64_t columns, int64_t stride) {
    T* out = static_cast<T*>(result);
    const T* x = static_cast<const T*>(rows);
    int64_t j = 0;
    for (; columns - j >= 32; j += 32) sum_tile<T, 32>(out + j, x + j, count, stride);
    for (; columns - j >= 8; j += 8) sum_tile<T, 8>(out + j, x + j, count, stride);
    for (; j < columns; ++j) sum_tile<T, 1>(out + j, x + j, count, stride);
}

template <class T>
RowKernels row_kernels(void (*multiply)(const Product&), int64_t (*prepare)(Product&)) {
    return {{&sum<T>, &max<T>, &min<T>, &prod<T>, &logsumexp<T>, &norm<T>, &position<T, 1>,
             &position<T, -1>},
            {&softmax<T>, &log_softmax<T>, &cumsum<T>, &standardise<T>},
            &softmax_short<T>,
            &logsumexp_short<T>,
            &sum_columns<T>,
            multiply,
            prepare,
            nullptr};
}

// Integers; sums and products are taken without sign, which wraps around.
void integer_sum(void* out, const void* row, int64_t n) {
    const uint64_t* x = static_cast<const uint64_t*>(row);
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += x[i];
    *static_cast<uint64_t*>(out) = sum;
}

void integer_product(void* out, const void* row, int64_t n) {
    const uint64_t* x = static_cast<const uint64_t*>(row);
    uint64_t product = 1;
    for (int64_t i = 0; i < n; ++i) product *= x[i];
    *static_cast<uint64_t*>(out) = product;
}

template <int sign>
void integer_extreme(void* out, const void* row, int64_t n) {
    const int64_t* x = static_cast<const int64_t*>(row);
    int64_t best = x[0];
    for (int64_t i = 1; i < n; ++i) best = (sign > 0 ? x[i] > best : x[i] < best) ? x[i] : best;
    *static_cast<int64_t*>(out) = best;
}

void integer_partial_sums(void* out, const void* row, int64_t n, double) {
    const uint64_t* x = static_cast<const uint64_t*>(row);
    uint64_t* y = static_cast<uint64_t*>(out);
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; ++i) y[i] = sum += x[i];
}

}  // namespace

RowKernels row_kernels_i64() {
    RowKernels kernels{};
    const auto set = [&](RowReduction kind, void (*kernel)(void*, const void*, int64_t)) {
        kernels.reduce[static_cast<int>(kind)] = kernel;
    };
    set(RowReduction::sum, &integer_sum);
    set(RowReduction::max, &integer_extreme<1>);
    set(RowReduction::min, &integer_extreme<-1>);
    set(RowReduction::prod, &integer_product);
    set(RowReduction::argmax, &position<int64_t, 1>);
    set(RowReduction::argmin, &position<int64_t, -1>);
    kernels.map[static_cast<int>(RowMap::cumsum)] = &integer_partial_sums;
    return kernels;
}
RowKernels row_kernels_f32() { return row_kernels<float>(&multiply_f32, &prepare_f32); }
RowKernels row_kernels_f64() { return row_kernels<double>(&multiply_f64, &prepare_f64); }

}  // namespace chainrule::CHAINRULE_SIMD
