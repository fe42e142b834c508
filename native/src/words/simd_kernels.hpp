// The kernels that the files compiled for one instruction set define.
#pragma once

#include "chainrule/words/kernels.hpp"

namespace chainrule::words::CHAINRULE_SIMD {

void skipgram(const Tables& tables, const Windows& windows, int64_t first, int64_t last,
              const Model& model, float rate, Scratch& scratch);
void cbow(const Tables& tables, const Windows& windows, int64_t first, int64_t last,
          const Model& model, float rate, Scratch& scratch);
void softmax(const Tables& tables, const Windows& windows, int64_t first, int64_t last,
             const Model& model, float rate, Scratch& scratch);
void unit_norm(const Tables& tables, const Windows& windows, int64_t first, int64_t last,
               const Model& model, float rate, Scratch& scratch);

}  // namespace chainrule::words::CHAINRULE_SIMD
