// Continuous bag of words: the mean or sum of the words around a centre predicts its targets.
// Compiled once for each instruction set.
//
// The unit of descent is a group of windows that share their negatives, usually one window.

#include "hidden.hpp"
#include "simd_kernels.hpp"

namespace chainrule::words::CHAINRULE_SIMD {

void cbow(const Tables& tables, const Windows& windows, int64_t first, int64_t last,
          const Model& model, float rate, Scratch& scratch) {
    int64_t window = first > 0 ? windows.window_end[first - 1] : 0;
    int64_t target = first > 0 ? windows.target_end[first - 1] : 0;
    for (int64_t g = first; g < last; ++g) {
        const int64_t soon = g + ahead < last ? g + ahead : last - 1;
        Coming coming{scratch.coming, list_rows(tables, windows, model, soon, scratch.coming), 0};
        const int64_t count = windows.window_end[g] - window, n = windows.target_end[g] - target;
        float *const rows = scratch.hidden, *const before = rows + count * tables.stride;
        for (int64_t k = 0; k < count; ++k) {
            const int64_t m = list_contexts(tables, windows, window + k, scratch);
            combine(tables, scratch.x, m, model.mean, rows + k * tables.stride,
                    before + k * tables.stride, coming);
        }
        for (int64_t k = 0; k < count; ++k) {
            scratch.x[k] = rows + k * tables.stride;
            for (int64_t i = 0; i < count; ++i)
                scratch.uses[k * scratch.limit + i] = i == k ? 1.0f : 0.0f;
        }
        if (n > 0)
            descend_rows(tables, windows, count, count, target, n,
                         windows.repeats[g] & repeated_targets, rate, scratch, coming);
        for (int64_t k = 0; k < count; ++k) {
            const int64_t m = list_contexts(tables, windows, window + k, scratch);
            give_back(tables, scratch.x, m, part_of_context(model, m), rows + k * tables.stride,
                      before + k * tables.stride);
        }
        window += count;
        target += n;
    }
}

}  // namespace chainrule::words::CHAINRULE_SIMD
