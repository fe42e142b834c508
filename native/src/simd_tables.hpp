// What the files that are compiled for one instruction set give one another.
#pragma once

#include "chainrule/kernels.hpp"

namespace chainrule::CHAINRULE_SIMD {

RowKernels row_kernels_f32();
RowKernels row_kernels_f64();
RowKernels row_kernels_i64();
void multiply_f32(const Product& product);
void multiply_f64(const Product& product);
int64_t prepare_f32(Product& product);
int64_t prepare_f64(Product& product);

}  // namespace chainrule::CHAINRULE_SIMD
