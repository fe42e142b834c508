// Skip-gram: every word of a window predicts the targets of its centre. Compiled once for each
// instruction set.
//
// The unit of descent is a group of windows that share their negatives, usually one window: the
// gradient of the summed loss at the values before. A word that occurs several times in it is one
// row that counts several times.
//
// Source: S. Ji, N. Satish, S. Li and P. Dubey, Parallelizing Word2Vec in shared and distributed
// memory (2016), for negatives that a window shares.

#include "group.hpp"
#include "simd_kernels.hpp"

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

// One window without repeated words, whose targets are one block.
void descend_plain(const Tables& tables, const Windows& windows, int64_t window, int64_t target,
                   int64_t n, float rate, Scratch& scratch, Coming& coming) {
    int64_t m = 0;
    for (int64_t p = windows.first[window]; p < windows.last[window]; ++p) {
        scratch.x[m] = tables.input + windows.ids[p] * tables.stride;
        m += p != windows.centre[window];
    }
    for (int64_t j = 0; j < n; ++j)
        scratch.y[j] = tables.output + windows.targets[target + j] * tables.stride;
    set_frozen_aside(tables, m, n, scratch);
    multiply_by[n - 1](scratch.x, m, scratch.y, tables.size, scratch.dots, coming);
    scratch.loss += errors(scratch.dots, scratch.ones + (n - 1) * scratch.block,
                           windows.labels + target, m, rate);
    scratch.predictions += m;
    update_by[n - 1](scratch.x, scratch.x, scratch.x, m, scratch.y, tables.size, scratch.dots,
                     coming);
}

// Any group.
void descend_group(const Tables& tables, const Windows& windows, int64_t window, int64_t count,
                   int64_t target, int64_t n, uint8_t repeats, float rate, Scratch& scratch,
                   Coming& coming) {
    const int64_t m = gather_rows(tables, windows, window, count, repeats & repeated_rows, scratch);
    descend_rows(tables, windows, m, count, target, n, repeats & repeated_targets, rate, scratch,
                 coming);
}

}  // namespace

void skipgram(const Tables& tables, const Windows& windows, int64_t first, int64_t last,
              const Model& model, float rate, Scratch& scratch) {
    int64_t window = first > 0 ? windows.window_end[first - 1] : 0;
    int64_t target = first > 0 ? windows.target_end[first - 1] : 0;
    for (int64_t g = first; g < last; ++g) {
        const int64_t soon = g + ahead < last ? g + ahead : last - 1;
        Coming coming{scratch.coming, list_rows(tables, windows, model, soon, scratch.coming), 0};
        const int64_t count = windows.window_end[g] - window, n = windows.target_end[g] - target;
        if (n == 0) {
            // A vocabulary of one word has no negatives, and a tree of one leaf no nodes.
        } else if (count == 1 && n <= columns && !windows.repeats[g])
            descend_plain(tables, windows, window, target, n, rate, scratch, coming);
        else
            descend_group(tables, windows, window, count, target, n, windows.repeats[g], rate,
                          scratch, coming);
        window += count;
        target += n;
    }
}

Kernels kernels() { return {skipgram, cbow, softmax}; }

}  // namespace chainrule::words::CHAINRULE_SIMD
