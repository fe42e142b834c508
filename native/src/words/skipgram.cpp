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

// The words around the centre of a window; a repeated one once, and how often it occurs in
// scratch.uses. Returns how many there are.
int64_t gather_window(const Tables& tables, const Windows& windows, int64_t window, bool repeats,
                      float** rows, Scratch& scratch) {
    int64_t m = 0;
    for (int64_t p = windows.first[window]; p < windows.last[window]; ++p) {
        float* const row = input_row(tables, windows.ids[p]);
        rows[m] = row;
        if (!repeats) {
            m += p != windows.centre[window];
        } else if (p != windows.centre[window]) {
            int64_t i = 0;
            while (rows[i] != row) ++i;
            scratch.uses[i] = i < m ? scratch.uses[i] + 1.0f : 1.0f;
            m += i == m;
        }
    }
    return m;
}

// One window whose targets are all different. Its words meet the targets; the side that makes fewer
// blocks is held in registers.
void descend_window(const Tables& tables, const Windows& windows, int64_t window, int64_t target,
                    int64_t n, bool repeats, float rate, Scratch& scratch, Losses& losses,
                    Coming& coming) {
    const int64_t words = windows.last[window] - windows.first[window] - 1;
    const bool of_rows = block_count(words) < block_count(n);
    float **const inputs = of_rows ? scratch.y : scratch.x,
                  **const outputs = of_rows ? scratch.x : scratch.y;
    const int64_t m = gather_window(tables, windows, window, repeats, inputs, scratch);
    for (int64_t j = 0; j < n; ++j) outputs[j] = output_row(tables, windows.targets[target + j]);
    set_frozen_aside(tables, inputs, m, outputs, n, scratch);
    const int64_t rows = of_rows ? n : m;
    const int64_t blocks = cut_into_blocks(of_rows ? m : n, rows, scratch);
    for (int64_t b = 0; b < blocks && repeats; ++b) {
        const Block& block = scratch.blocks[b];
        float* const weights = scratch.weights + b * scratch.block;
        for (int64_t i = 0; i < rows; ++i)
            for (int64_t j = 0; j < lanes; ++j)
                weights[i * lanes + j] =
                    j < block.count ? scratch.uses[of_rows ? block.start + j : i] : 0.0f;
    }
    const float* const labels = windows.labels + target;
    const auto labels_of = [&](int64_t b) {
        return of_rows ? labels : labels + scratch.blocks[b].start;
    };
    using Labels = decltype(labels_of);
    const auto predict =
        of_rows ? repeats ? predict_blocks<true, true, Labels> : predict_blocks<false, true, Labels>
        : repeats ? predict_blocks<true, false, Labels>
                  : predict_blocks<false, false, Labels>;
    predict(tables, scratch.blocks, blocks, rate, scratch, losses, coming, labels_of);
    scratch.predictions += words;
    if (blocks == 1 && scratch.blocks[0].count == columns && rows <= most_in_place)
        update_in_place_by[rows - 1](scratch.x, scratch.y, tables.size, scratch.dots, coming);
    else update_blocks(tables, rows, scratch.blocks, blocks, scratch, coming);
}

// Several windows whose targets are all different. All of their rows meet the negatives in one
// block and the centres in another, where a row counts for the windows it stands in.
void descend_windows(const Tables& tables, const Windows& windows, int64_t window, int64_t count,
                     int64_t target, int64_t n, float rate, Scratch& scratch, Losses& losses,
                     Coming& coming) {
    int32_t first[lanes] = {}, last[lanes] = {}, centre[lanes] = {};
    int32_t low = windows.first[window], high = windows.last[window];
    for (int64_t k = 0; k < count; ++k) {
        first[k] = windows.first[window + k];
        last[k] = windows.last[window + k];
        centre[k] = windows.centre[window + k];
        low = first[k] < low ? first[k] : low;
        high = last[k] > high ? last[k] : high;
    }
    float *const negative = scratch.weights, *const own = scratch.weights + scratch.block;
    int64_t m = 0;
    for (int32_t p = low; p < high; ++p) {
        float inside[lanes], total = 0.0f;
        for (int j = 0; j < lanes; ++j)
            inside[j] = p >= first[j] && p < last[j] && p != centre[j] ? 1.0f : 0.0f;
        for (int j = 0; j < lanes; ++j) total += inside[j];
        if (total == 0.0f) continue;
        float* const row = input_row(tables, windows.ids[p]);
        scratch.x[m] = row;
        int64_t i = 0;
        while (scratch.x[i] != row) ++i;
        float *const times = negative + i * lanes, *const own_times = own + i * lanes;
        for (int j = 0; j < lanes; ++j) {
            times[j] = (i < m ? times[j] : 0.0f) + (j < n - count ? total : 0.0f);
            own_times[j] = (i < m ? own_times[j] : 0.0f) + inside[j];
        }
        scratch.predictions += static_cast<int64_t>(total);
        m += i == m;
    }
    for (int64_t j = 0; j < n; ++j) scratch.y[j] = output_row(tables, windows.targets[target + j]);
    set_frozen_aside(tables, scratch.x, m, scratch.y, n, scratch);
    scratch.blocks[0] = {count, n - count, 0, m};
    scratch.blocks[1] = {0, count, 0, m};
    predict_blocks<true, false>(
        tables, scratch.blocks, 2, rate, scratch, losses, coming,
        [&](int64_t b) { return windows.labels + target + scratch.blocks[b].start; });
    update_blocks(tables, m, scratch.blocks, 2, scratch, coming);
}

}  // namespace

void skipgram(const Tables& tables, const Windows& windows, int64_t first, int64_t last,
              const Model& model, float rate, Scratch& scratch) {
    int64_t window = first > 0 ? windows.window_end[first - 1] : 0;
    int64_t target = first > 0 ? windows.target_end[first - 1] : 0;
    Losses losses;
    for (int64_t g = first; g < last; ++g) {
        const int64_t soon = g + ahead < last ? g + ahead : last - 1;
        Coming coming{scratch.coming, list_rows(tables, windows, model, soon, scratch.coming), 0};
        const int64_t count = windows.window_end[g] - window, n = windows.target_end[g] - target;
        const bool rows = windows.repeats[g] & repeated_rows;
        const bool targets = windows.repeats[g] & repeated_targets;
        if (n == 0) {
            // A vocabulary of one word has no negatives, and a tree of one leaf no nodes.
        } else if (count == 1 && !targets) {
            descend_window(tables, windows, window, target, n, rows, rate, scratch, losses, coming);
        } else if (count <= columns && n > count && n - count <= columns && !targets) {
            descend_windows(tables, windows, window, count, target, n, rate, scratch, losses,
                            coming);
        } else {
            const int64_t m = gather_rows(tables, windows, window, count, rows, scratch);
            descend_rows(tables, windows, m, count, target, n, targets, rate, scratch, losses,
                         coming);
        }
        window += count;
        target += n;
    }
    scratch.loss += losses.total();
}

Kernels kernels() { return {skipgram, cbow, softmax, unit_norm}; }

}  // namespace chainrule::words::CHAINRULE_SIMD
