// The arithmetic of the core: one table of functions for each instruction set.
//
// This header is read by files that are compiled once for each instruction set (see
// native/cmake/SimdSources.cmake), so it holds no inline function.
#pragma once

#include <stdint.h>

namespace chainrule {

// What the entries of an array are. The last ones are only moved, never computed with.
enum class DType : uint8_t { f32, f64, i64, i32, boolean, raw1, raw2, raw4, raw8 };

// Computes n entries of a result. Bit i of `scalars` is set where operand i is one value for all
// entries; never for the only operand, nor for the condition of a selection. The result may be an
// operand's own memory, entry for entry.
using BlockKernel = void (*)(void* out, const void* a, const void* b, const void* c, int64_t n,
                             unsigned scalars);

struct BlockEntry {
    const char* name;
    BlockKernel run;
    int arity;
    DType result;
    DType operands[3];
};

enum class RowReduction : uint8_t { sum, max, min, prod, logsumexp, norm, argmax, argmin };
enum class RowMap : uint8_t { softmax, log_softmax, cumsum, standardise };
constexpr int row_reductions = 8;
constexpr int row_maps = 4;

// Computes n entries of the results of a whole chain of instructions (see chains.hpp) from arrays
// and single numbers. A result may be an array's own memory, entry for entry.
using ChainLoop = void (*)(char* const* results, const char* const* arrays,
                           const char* const* singles, int64_t n);

// How a product is cut for the caches; chosen by `prepare`.
struct Cut {
    int vectors;
    int64_t depth, rows, columns;
    bool pack_a, pack_b, keep_b;
};

// A product of matrices: c = a b, then (+ bias), (and max(c, 0)), (times gate > 0, or times the
// gate), with strides counted in entries. `bias` has n entries, or is null; `gate` has the shape of
// c, or is null. Rows of c and of the gate are contiguous.
struct Product {
    int64_t m, n, k;
    const void* a;
    int64_t a_row, a_column;
    const void* b;
    int64_t b_row, b_column;
    void* c;
    int64_t c_row;
    const void* bias;
    const void* gate;
    int64_t gate_row;
    bool relu;
    bool times;   // whether the gate's entries are factors
    bool dots;    // set by `prepare`: entries are summed along rows of a, for few columns
    bool tall;    // set by `prepare`: the transpose is computed if nothing is to follow
    bool is_cut;  // set by `prepare`: whether `cut` holds, which it does not for a strip
    Cut cut;
    void* scratch;  // as many bytes as `prepare` says, aligned to 64
};

constexpr int64_t short_row = 15;

// Functions of one floating type.
struct RowKernels {
    // One row of n > 0 contiguous entries to one number (argmax and argmin: to an int64_t).
    void (*reduce[row_reductions])(void* out, const void* row, int64_t n);
    // One row to another of the same length, which may be the same; `parameter` is an epsilon.
    void (*map[row_maps])(void* out, const void* row, int64_t n, double parameter);
    // The same for `count` rows end to end, each of n <= short_row entries: softmax, logsumexp.
    void (*softmax_short)(void* out, const void* rows, int64_t count, int64_t n);
    void (*logsumexp_short)(void* out, const void* rows, int64_t count, int64_t n);
    // out[j] = the sum over i of rows[i * stride + j], for j < columns.
    void (*sum_columns)(void* out, const void* rows, int64_t count, int64_t columns,
                        int64_t stride);
    void (*multiply)(const Product& product);
    // Chooses how a product is computed; pointers do not matter. Returns the bytes of scratch that
    // it and any strip of its rows or columns need.
    int64_t (*prepare)(Product& product);
    const ChainLoop* loops;  // of the chains, in their order
};

struct KernelTable {
    const BlockEntry* blocks;
    int block_count;
    RowKernels f32, f64, i64;  // what there is not of integers is null
};

// Implemented for each instruction set; the tables of the others are only there on x86-64.
namespace baseline {
const KernelTable& table();
}
namespace avx2 {
const KernelTable& table();
}
namespace avx512 {
const KernelTable& table();
}

}  // namespace chainrule
