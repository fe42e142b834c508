// Continuous bag of words: the mean or sum of the words around a centre predicts its targets.
// Compiled once for each instruction set.
//
// The unit of descent is a group of windows that share their negatives, usually one window.

#include "hidden.hpp"
#include "simd_kernels.hpp"

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

// The hidden row of m contexts, and what its pairs with n rows y move by.
template <int n>
void combine_and_judge(float* const* contexts, int64_t m, float scale, float* row, float* const* y,
                       int64_t size, const float* labels, float rate, float* dots, Losses& losses,
                       Coming& coming) {
    Vector sums[n] = {};
    for (int64_t d = 0; d < size; d += width) {
        if (d % 16 == 0)
            for (int64_t r = 0; r < coming.count; ++r)
                CHAINRULE_PREFETCH_TO_WRITE(coming.rows[r] + d);
        Vector hidden = load(contexts[0] + d);
        for (int64_t i = 1; i < m; ++i) hidden += load(contexts[i] + d);
        hidden *= splat(scale);
        store(row + d, hidden);
        for (int j = 0; j < n; ++j) sums[j] += hidden * load(y[j] + d);
    }
    store_sixteen(dots, lane_sums<n>(sums, nullptr));
    errors<false, 1>(
        dots, [&](int) { return load_twice(labels); }, [](int) { return Sixteen{}; },
        [](int) { return padding<n, 1>.lane; }, rate, losses);
}

// y_j += moves_j row, and every context gains factor sum_j moves_j y_j.
template <int n>
void update_and_share(float* const* contexts, int64_t m, float factor, const float* row,
                      float* const* y, int64_t size, const float* moves) {
    Vector move[n];
    for (int j = 0; j < n; ++j) move[j] = splat(moves[j]);
    for (int64_t d = 0; d < size; d += width) {
        const Vector hidden = load(row + d);
        Vector gained{};
        for (int j = 0; j < n; ++j) {
            const Vector old = load(y[j] + d);
            gained += move[j] * old;
            store(y[j] + d, old + move[j] * hidden);
        }
        gained *= splat(factor);
        for (int64_t i = 0; i < m; ++i) store(contexts[i] + d, load(contexts[i] + d) + gained);
    }
}

using Combine = void (*)(float* const*, int64_t, float, float*, float* const*, int64_t,
                         const float*, float, float*, Losses&, Coming&);
using Share = void (*)(float* const*, int64_t, float, const float*, float* const*, int64_t,
                       const float*);
constexpr Combine combine_by[] = {combine_and_judge<1>, combine_and_judge<2>, combine_and_judge<3>,
                                  combine_and_judge<4>, combine_and_judge<5>, combine_and_judge<6>};
constexpr Share share_by[] = {update_and_share<1>, update_and_share<2>, update_and_share<3>,
                              update_and_share<4>, update_and_share<5>, update_and_share<6>};

// One window whose targets are all different and one block; nothing is frozen.
void descend_window(const Tables& tables, const Windows& windows, int64_t window, int64_t target,
                    int64_t n, const Model& model, float rate, Scratch& scratch, Losses& losses,
                    Coming& coming) {
    const int64_t m = list_contexts(windows, window, scratch, scratch.x);
    list_output_rows(tables, windows.targets + target, n, scratch.y);
    combine_by[n - 1](scratch.x, m, scale_of_hidden(model, m), scratch.hidden, scratch.y,
                      tables.size, windows.labels + target, rate, scratch.dots, losses, coming);
    ++scratch.predictions;
    if (rate == 0.0f) return;
    share_by[n - 1](scratch.x, m, part_of_context(model, m), scratch.hidden, scratch.y, tables.size,
                    scratch.dots);
}

// Any group.
void descend_group(const Tables& tables, const Windows& windows, int64_t window, int64_t count,
                   int64_t target, int64_t n, bool repeats, const Model& model, float rate,
                   Scratch& scratch, Losses& losses, Coming& coming) {
    float *const rows = scratch.hidden, *const before = rows + count * tables.stride;
    for (int64_t k = 0; k < count; ++k) {
        const int64_t m = list_contexts(windows, window + k, scratch, scratch.x);
        combine(tables, scratch.x, m, scale_of_hidden(model, m), rows + k * tables.stride,
                before + k * tables.stride, coming);
    }
    for (int64_t k = 0; k < count; ++k) {
        scratch.x[k] = rows + k * tables.stride;
        for (int64_t i = 0; i < count; ++i)
            scratch.uses[k * scratch.limit + i] = i == k ? 1.0f : 0.0f;
    }
    descend_rows(tables, windows, count, count, target, n, repeats, rate, scratch, losses, coming);
    for (int64_t k = 0; k < count && rate != 0.0f; ++k) {
        const int64_t m = list_contexts(windows, window + k, scratch, scratch.x);
        give_back(tables, scratch.x, m, part_of_context(model, m), rows + k * tables.stride,
                  before + k * tables.stride);
    }
}

}  // namespace

void cbow(const Tables& tables, const Windows& windows, int64_t first, int64_t last,
          const Model& model, float rate, Scratch& scratch) {
    int64_t window = first > 0 ? windows.window_end[first - 1] : 0;
    int64_t target = first > 0 ? windows.target_end[first - 1] : 0;
    const bool frozen = tables.frozen_input || tables.frozen_output;
    Losses losses;
    list_words(tables, windows, scratch);
    for (int64_t g = first; g < last; ++g) {
        const int64_t soon = g + ahead < last ? g + ahead : last - 1;
        Coming coming{scratch.coming, list_rows(tables, windows, model, soon, scratch), 0};
        const int64_t count = windows.window_end[g] - window, n = windows.target_end[g] - target;
        const bool repeats = windows.repeats[g] & repeated_targets;
        if (n == 0) {
            // A vocabulary of one word has no negatives, and a tree of one leaf no nodes.
        } else if (count == 1 && n <= columns && !repeats && !frozen) {
            descend_window(tables, windows, window, target, n, model, rate, scratch, losses,
                           coming);
        } else {
            descend_group(tables, windows, window, count, target, n, repeats, model, rate, scratch,
                          losses, coming);
        }
        window += count;
        target += n;
    }
    scratch.loss += losses.total();
}

}  // namespace chainrule::words::CHAINRULE_SIMD
