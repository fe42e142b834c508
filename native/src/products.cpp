// Products of matrices, compiled once for each instruction set.
//
// Against a BLAS this saves calls, copies where the matrices are small, and the passes of bias,
// activation and gate.

#include "dots.hpp"
#include "packing.hpp"
#include "simd_tables.hpp"

namespace chainrule::CHAINRULE_SIMD {
namespace {

// Of b, as much as stays in the first cache while a passes by; of a, what stays in the second.
constexpr int64_t most_depth = 384, most_rows_of_a = 144, most_columns = 2048;

int64_t parts(int64_t length, int64_t most) {
    return length > most ? (length + most - 1) / most : 1;
}

int64_t least(int64_t x, int64_t y) { return x < y ? x : y; }

// The length of parts of almost equal length, a multiple of `step`.
int64_t part(int64_t length, int64_t most, int64_t step) {
    const int64_t count = parts(length, most);
    const int64_t each = ((length + count - 1) / count + step - 1) / step * step;
    return each > 0 ? each : step;
}

template <class T>
Cut cut_of(const Product& p) {
    Cut cut{};
    cut.vectors = p.m <= most_rows(4) && p.n > 2 * width<T> ? 4 : p.n > width<T> ? 2 : 1;
    const int64_t panel = cut.vectors * width<T>;
    cut.depth = part(p.k, most_depth, chunk);
    const int64_t tiles = parts(p.m, most_rows(cut.vectors));
    // Copies of a pay where many panels of b meet it, and where its strides would not fit.
    cut.pack_a = (p.a_column != 1 && p.a_row != 1) || (p.n >= 12 * panel && p.m * p.k >= 8192);
    cut.rows = cut.pack_a ? part(p.m, most_rows_of_a, most_rows(cut.vectors)) : p.m;
    cut.columns = part(p.n, most_columns, panel);
    cut.pack_b = p.b_column != 1 || tiles > 4;
    cut.keep_b = cut.pack_b && p.m > cut.rows;
    return cut;
}

template <class T, int vectors>
class Multiplication {
public:
    Multiplication(const Product& p, const Cut& cut)
        : p_(p), cut_(cut), a_{static_cast<const T*>(p.a), p.a_row, p.a_column},
          b_{static_cast<const T*>(p.b), p.b_row, p.b_column} {
        packed_b_ = static_cast<T*>(p.scratch);
        packed_a_ = packed_b_ + (cut.keep_b ? cut.columns : panel) * cut.depth;
    }

    void run() {
        for (int64_t column = 0; column < p_.n; column += cut_.columns)
            for (int64_t start = 0; start == 0 || start < p_.k; start += cut_.depth)
                for (int64_t row = 0; row < p_.m; row += cut_.rows)
                    block(row, least(p_.m - row, cut_.rows), column,
                          least(p_.n - column, cut_.columns), start,
                          least(p_.k - start, cut_.depth));
    }

private:
    static constexpr int64_t panel = vectors * width<T>, rows_of_tile = most_rows(vectors);

    void block(int64_t row, int64_t rows, int64_t column, int64_t columns, int64_t start,
               int64_t count) {
        const int64_t tiles = parts(rows, rows_of_tile);
        const int64_t each = rows / tiles, more = rows % tiles;  // the first `more` have one more
        if (cut_.pack_a) {
            T* to = packed_a_;
            for (int64_t i = 0, t = 0; t < tiles; ++t) {
                const int64_t height = each + (t < more);
                pack_rows(a_.from(row + i, start), height, count, to);
                i += height;
                to += height * cut_.depth;
            }
        }
        Tile<T> tile{};
        tile.k = count;
        tile.c_row = p_.c_row;
        tile.gate_row = p_.gate_row;
        tile.first = start == 0;
        tile.last = start + count >= p_.k;
        tile.relu = p_.relu;
        tile.times = p_.times;
        for (int64_t j = column; j < column + columns; j += panel) {
            const int64_t used = least(p_.n - j, panel);
            const Matrix<T> right = b_.from(start, j);
            tile.b = right.start;
            tile.b_row = right.row;
            if (cut_.pack_b || used < panel) {
                T* to = cut_.keep_b ? packed_b_ + (j - column) * cut_.depth : packed_b_;
                if (row == 0 || !cut_.keep_b) pack_columns(right, count, used, panel, to);
                tile.b = to;
                tile.b_row = panel;
            }
            tile.bias = p_.bias ? static_cast<const T*>(p_.bias) + j : nullptr;
            // The higher tiles, then the others.
            for (int64_t t = 0; t < tiles;) {
                const int64_t height = each + (t < more), number = t < more ? more : tiles - more;
                const int64_t i = row + t * each + least(t, more);
                const bool chunks = cut_.pack_a && a_.column == 1;
                tile.a = cut_.pack_a ? packed_a_ + (i - row) * cut_.depth : a_.at(i, start);
                tile.a_row = a_.column != 1 ? 1 : chunks ? chunk : a_.row;
                tile.a_column = a_.column == 1 ? 1 : cut_.pack_a ? height : a_.column;
                tile.a_next = chunk * (chunks ? height : tile.a_column);
                tile.a_step = height * (cut_.pack_a ? cut_.depth : a_.row);
                tile.c = static_cast<T*>(p_.c) + i * p_.c_row + j;
                tile.gate =
                    p_.gate ? static_cast<const T*>(p_.gate) + i * p_.gate_row + j : nullptr;
                if (used == panel) run_tiles(height, tile, number);
                else run_edge(height, used, tile, number);
                t += number;
            }
        }
    }

    void run_tiles(int64_t rows, const Tile<T>& tile, int64_t count) const {
        if (a_.column == 1) tiles_of_rows<T, vectors, false, rows_of_tile>(rows, tile, count);
        else tiles_of_rows<T, vectors, true, rows_of_tile>(rows, tile, count);
    }

    // Tiles of which some columns are outside of the product: computed aside.
    void run_edge(int64_t rows, int64_t used, Tile<T> tile, int64_t count) const {
        T c[rows_of_tile * panel], gate[rows_of_tile * panel], bias[panel];
        T* target = tile.c;
        const T* factors = tile.gate;
        const int64_t c_row = tile.c_row, gate_row = tile.gate_row;
        tile.c = c;
        tile.c_row = panel;
        if (tile.gate) {
            tile.gate = gate;
            tile.gate_row = panel;
        }
        if (tile.bias) {
            copy_in(tile.bias, 0, 1, used, bias);
            tile.bias = bias;
        }
        for (; count > 0; --count, tile.a += tile.a_step, target += rows * c_row) {
            if (!tile.first) copy_in(target, c_row, rows, used, c);
            if (tile.gate) {
                copy_in(factors, gate_row, rows, used, gate);
                factors += rows * gate_row;
            }
            run_tiles(rows, tile, 1);
            for (int64_t i = 0; i < rows; ++i)
                for (int64_t j = 0; j < used; j += width<T>)
                    store_part(target + i * c_row + j, load<Vector<T>>(c + i * panel + j),
                               least(used - j, width<T>));
        }
    }

    static void copy_in(const T* from, int64_t row, int64_t rows, int64_t used, T* to) {
        for (int64_t i = 0; i < rows; ++i)
            for (int64_t j = 0; j < panel; j += width<T>)
                store(to + i * panel + j,
                      j < used ? load_part(from + i * row + j, least(used - j, width<T>))
                               : Vector<T>{});
    }

    const Product& p_;
    const Cut& cut_;
    Matrix<T> a_, b_;
    T *packed_a_, *packed_b_;
};

template <class T>
void multiply_tiles(const Product& product) {
    const Cut cut = product.is_cut ? product.cut : cut_of<T>(product);
    switch (cut.vectors) {
        case 1: return Multiplication<T, 1>(product, cut).run();
        case 2: return Multiplication<T, 2>(product, cut).run();
        default: return Multiplication<T, 4>(product, cut).run();
    }
}

// Whether the columns would leave much of a tile unused, and the rows would not: then the transpose
// is computed, as for the weights of a last layer.
template <class T>
bool is_tall(const Product& p) {
    const int64_t padded = (p.n + width<T> - 1) / width<T> * width<T>;
    return p.a_row == 1 && p.a_column != 1 && p.m >= width<T> && 5 * p.n <= 4 * padded &&
           p.n <= 2 * width<T>;
}

Product transposed(const Product& p, void* c, void* scratch) {
    Product t{};
    t.m = p.n, t.n = p.m, t.k = p.k;
    t.a = p.b, t.a_row = p.b_column, t.a_column = p.b_row;
    t.b = p.a, t.b_row = p.a_column, t.b_column = p.a_row;
    t.c = c, t.c_row = p.m;
    t.scratch = scratch;
    return t;
}

template <class T>
void multiply_tall(const Product& p) {
    T* c = static_cast<T*>(p.scratch);
    multiply_tiles<T>(transposed(p, c, c + (p.m * p.n + 15) / 16 * 16));
    T* to = static_cast<T*>(p.c);
    for (int64_t i = 0; i < p.m; ++i)
        for (int64_t j = 0; j < p.n; ++j) to[i * p.c_row + j] = c[j * p.m + i];
}

// What any strip of the product needs.
template <class T>
int64_t entries_for_tiles(const Product& p) {
    const Cut cut = cut_of<T>(p);
    const int64_t a = cut.pack_a ? most_rows_of_a + most_rows(1) : 0;
    const int64_t b = 4 * width<T> + (cut.keep_b ? least(p.n, most_columns) : 0);
    return (a + b) * cut.depth + 2 * width<T>;
}

template <class T>
int64_t prepare(Product& p) {
    p.cut = cut_of<T>(p);
    p.is_cut = true;
    p.dots = has_few_columns<T>(p);
    p.tall = !p.dots && is_tall<T>(p);
    int64_t entries = p.dots ? p.n * p.k : entries_for_tiles<T>(p);
    if (p.tall) entries += p.m * p.n + 16 + entries_for_tiles<T>(transposed(p, nullptr, nullptr));
    return entries * static_cast<int64_t>(sizeof(T));
}

template <class T>
void multiply(const Product& p) {
    if (p.dots) multiply_few_of<T, most_dots<T>>(p);
    else if (p.tall && !p.bias && !p.gate && !p.relu) multiply_tall<T>(p);
    else multiply_tiles<T>(p);
}

}  // namespace

void multiply_f32(const Product& product) { multiply<float>(product); }
void multiply_f64(const Product& product) { multiply<double>(product); }
int64_t prepare_f32(Product& product) { return prepare<float>(product); }
int64_t prepare_f64(Product& product) { return prepare<double>(product); }

}  // namespace chainrule::CHAINRULE_SIMD
