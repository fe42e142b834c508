// Products of matrices in tiles that stay in registers, compiled once for each instruction set.
//
// A tile of c has up to six rows and two vectors of columns. Column panels of b are copied end to
// end where they are used often or lie unfavourably; a is read where it lies, with any strides.
// Against a BLAS this saves the calls, the copies of a and the passes of bias and activation.
//
// Source of the tiling: K. Goto and R. van de Geijn, Anatomy of high-performance matrix
// multiplication (2008).

#include "simd_tables.hpp"

namespace chainrule::CHAINRULE_SIMD {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

#if defined(__GNUC__)
template <class T>
struct VectorOf {
    typedef T Type __attribute__((vector_size(vector_bytes)));
    static constexpr int width = vector_bytes / sizeof(T);
};
#else
template <class T>
struct VectorOf {
    typedef T Type;
    static constexpr int width = 1;
};
#endif

constexpr int64_t depth = 384;  // How much of k is summed before c is written.
constexpr int tile_rows = 6;

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

template <class T>
struct Part {
    int64_t k;
    const T* a;
    int64_t a_row, a_column;
    const T* b;
    int64_t b_row;
    T* c;
    int64_t c_row;
    const T* bias;  // added in the first part of k, or null
    bool first, relu;
};

template <class T, int rows, int vectors>
void tile(const Part<T>& part) {
    using V = typename VectorOf<T>::Type;
    constexpr int width = VectorOf<T>::width;
    V sum[rows][vectors];
    for (int j = 0; j < vectors; ++j) {
        const V start = part.first && part.bias ? load<V>(part.bias + j * width) : V{};
        for (int i = 0; i < rows; ++i)
            sum[i][j] = part.first ? start : load<V>(part.c + i * part.c_row + j * width);
    }
    const T* a = part.a;
    const T* b = part.b;
    for (int64_t p = 0; p < part.k; ++p, a += part.a_column, b += part.b_row) {
        V right[vectors];
        for (int j = 0; j < vectors; ++j) right[j] = load<V>(b + j * width);
        for (int i = 0; i < rows; ++i) {
            const V left = a[i * part.a_row] - V{};  // x - 0 is x, which x + 0 is not for -0
            for (int j = 0; j < vectors; ++j) sum[i][j] += left * right[j];
        }
    }
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < vectors; ++j) {
            V v = sum[i][j];
            if (part.relu) v = v <= V{} ? V{} : v;
            store(part.c + i * part.c_row + j * width, v);
        }
}

template <class T, int vectors>
void tile_of(int64_t rows, const Part<T>& part) {
    switch (rows) {
        case 1: return tile<T, 1, vectors>(part);
        case 2: return tile<T, 2, vectors>(part);
        case 3: return tile<T, 3, vectors>(part);
        case 4: return tile<T, 4, vectors>(part);
        case 5: return tile<T, 5, vectors>(part);
        default: return tile<T, 6, vectors>(part);
    }
}

// Columns [column, column + used) of the product, where `used` is at most `vectors` vectors.
template <class T, int vectors>
void panel(const Product& product, int64_t column, int64_t used) {
    constexpr int full = vectors * VectorOf<T>::width;
    const T* b = static_cast<const T*>(product.b) + column * product.b_column;
    T* c = static_cast<T*>(product.c) + column;
    const T* bias = product.bias ? static_cast<const T*>(product.bias) + column : nullptr;
    T* packed = static_cast<T*>(product.scratch);
    T edge[tile_rows * full], edge_bias[full];
    const bool partial = used < full;
    if (partial && bias) {
        for (int j = 0; j < full; ++j) edge_bias[j] = j < used ? bias[j] : T{0};
        bias = edge_bias;
    }
    const bool pack = partial || product.b_column != 1 || product.m > 4 * tile_rows;
    for (int64_t start = 0; start == 0 || start < product.k; start += depth) {
        const int64_t count = product.k - start < depth ? product.k - start : depth;
        const bool last = start + depth >= product.k;
        const T* right = b + start * product.b_row;
        if (pack) {
            if (product.b_column == 1 && !partial) {
                for (int64_t p = 0; p < count; ++p)
                    for (int j = 0; j < full; ++j)
                        packed[p * full + j] = right[p * product.b_row + j];
            } else {
                for (int j = 0; j < full; ++j)
                    for (int64_t p = 0; p < count; ++p)
                        packed[p * full + j] =
                            j < used ? right[p * product.b_row + j * product.b_column] : T{0};
            }
            right = packed;
        }
        for (int64_t row = 0; row < product.m; row += tile_rows) {
            const int64_t rows = product.m - row < tile_rows ? product.m - row : tile_rows;
            T* target = c + row * product.c_row;
            Part<T> part{
                count,
                static_cast<const T*>(product.a) + row * product.a_row + start * product.a_column,
                product.a_row,
                product.a_column,
                right,
                pack ? full : product.b_row,
                target,
                product.c_row,
                bias,
                start == 0,
                last && product.relu};
            if (!partial) {
                tile_of<T, vectors>(rows, part);
                continue;
            }
            part.c = edge;
            part.c_row = full;
            if (start > 0)
                for (int64_t i = 0; i < rows; ++i)
                    for (int64_t j = 0; j < full; ++j)
                        edge[i * full + j] = j < used ? target[i * product.c_row + j] : T{0};
            tile_of<T, vectors>(rows, part);
            for (int64_t i = 0; i < rows; ++i)
                for (int64_t j = 0; j < used; ++j)
                    target[i * product.c_row + j] = edge[i * full + j];
        }
    }
}

template <class T>
void multiply(const Product& product) {
    constexpr int width = VectorOf<T>::width;
    int64_t column = 0;
    while (column < product.n) {
        const int64_t left = product.n - column;
        if (left > width) {
            panel<T, 2>(product, column, left < 2 * width ? left : 2 * width);
            column += 2 * width;
        } else {
            panel<T, 1>(product, column, left);
            column += width;
        }
    }
}

}  // namespace

void multiply_f32(const Product& product) { multiply<float>(product); }
void multiply_f64(const Product& product) { multiply<double>(product); }

}  // namespace chainrule::CHAINRULE_SIMD
