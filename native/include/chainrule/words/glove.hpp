// GloVe: products of vectors that approach logarithms of counts. One function for each instruction
// set.
//
// This header is read by files that are compiled once for each instruction set (see
// native/cmake/SimdSources.cmake), so it holds no inline function.
#pragma once

#include <stdint.h>

namespace chainrule::words {

// One side of the model, rows or columns of the counts. Rows of `stride` floats, aligned to 64
// bytes; beyond the `size` of a vector the numbers are 0, and their sums 1.
struct GloveSide {
    float* vectors;
    float* sums;  // of squared steps, for each number, from 1 on
    float* biases;
    float* bias_sums;
    const uint8_t* frozen;  // of each vector, whether it may not change; or null
};

struct GloveTables {
    GloveSide row, column;
    int64_t stride, size;
};

// An entry of the matrix of counts.
struct GloveEntry {
    int32_t row, column;
    float logarithm;  // of the count
    float weight;     // min(count / x_max, 1) ^ alpha
};

// One step of AdaGrad for each entry, in their order; returns the summed loss before each.
using DescendGlove = double (*)(const GloveTables& tables, const GloveEntry* entries, int64_t count,
                                float rate);

namespace baseline {
double glove(const GloveTables& tables, const GloveEntry* entries, int64_t count, float rate);
}
namespace avx2 {
double glove(const GloveTables& tables, const GloveEntry* entries, int64_t count, float rate);
}
namespace avx512 {
double glove(const GloveTables& tables, const GloveEntry* entries, int64_t count, float rate);
}

}  // namespace chainrule::words
