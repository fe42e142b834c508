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
int64_t gather_window(const Windows& windows, int64_t window, bool repeats, float** rows,
                      Scratch& scratch) {
    if (!repeats) return list_contexts(windows, window, scratch, rows);
    int64_t m = 0;
    for (int64_t p = windows.first[window]; p < windows.last[window]; ++p) {
        if (p == windows.centre[window]) continue;
        float* const row = rows[m] = scratch.words[p];
        int64_t i = 0;
        while (rows[i] != row) ++i;
        scratch.uses[i] = i < m ? scratch.uses[i] + 1.0f : 1.0f;
        m += i == m;
    }
    return m;
}

// The usual window: few words and as many targets as a block has, all different and none frozen.
void descend_plainly(const Tables& tables, const Windows& windows, int64_t window, int64_t target,
                     float rate, Scratch& scratch, Losses& losses, Coming& coming) {
    const int64_t m = list_contexts(windows, window, scratch, scratch.x);
    list_output_rows(tables, windows.targets + target, columns, scratch.y);
    judge<columns, false>(scratch.x, m, scratch.y, tables.size,
                          {windows.labels + target, By::target}, {}, rate, scratch.dots, losses,
                          coming);
    scratch.predictions += m;
    if (rate == 0.0f) return fetch(coming, tables.size);
    update_in_place_by[m - 1](scratch.x, scratch.y, tables.size, scratch.dots, coming);
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
    const int64_t m = gather_window(windows, window, repeats, inputs, scratch);
    list_output_rows(tables, windows.targets + target, n, outputs);
    set_frozen_aside(tables, inputs, m, outputs, n, scratch);
    const int64_t rows = of_rows ? n : m;
    Block* const blocks = scratch.blocks;
    const int64_t count = cut_into_blocks(of_rows ? m : n, rows, blocks);
    for (int64_t b = 0; b < count; ++b) {
        Block& block = blocks[b];
        const float* const labels = windows.labels + target;
        if (of_rows) {
            block.labels = {labels, By::row};
            block.weights = {scratch.uses + block.start, By::target};
        } else {
            block.labels = {labels + block.start, By::target};
            block.weights = {scratch.uses, By::row};
        }
    }
    const auto descend = repeats ? descend_blocks<true> : descend_blocks<false>;
    descend(tables, rows, blocks, count, rate, scratch, losses, coming);
    scratch.predictions += words;
}

// The rows of several windows in scratch.x; in scratch.own how often each stands in every one of
// them, `lanes` numbers a row, and in scratch.uses in all. Returns how many rows there are.
int64_t gather_windows(const Windows& windows, int64_t window, int64_t count, bool repeats,
                       Scratch& scratch) {
    int32_t low = windows.first[window], high = windows.last[window];
    for (int64_t w = window + 1; w < window + count; ++w) {
        low = windows.first[w] < low ? windows.first[w] : low;
        high = windows.last[w] > high ? windows.last[w] : high;
    }
    const int64_t span = high - low;
    float *const own = scratch.own, *const total = scratch.uses;
    int32_t first[lanes] = {}, last[lanes] = {}, centre[lanes] = {};
    for (int64_t k = 0; k < count; ++k) {
        first[k] = windows.first[window + k] - low, last[k] = windows.last[window + k] - low;
        centre[k] = windows.centre[window + k] - low;
        scratch.predictions += last[k] - first[k] - 1;
    }
    // Loops of a fixed length become a few instructions.
    const auto stands = [&](int32_t p, int64_t k) {
        return (first[k] <= p) & (p < last[k]) & (p != centre[k]) ? 1.0f : 0.0f;
    };
    for (int32_t p = 0; p < span; ++p)
        for (int k = 0; k < lanes; ++k) own[p * lanes + k] = stands(p, k);
    for (int32_t start = 0; start < span; start += widest) {
        float sums[widest] = {};
        for (int64_t k = 0; k < count; ++k)
            for (int p = 0; p < widest; ++p) sums[p] += stands(start + p, k);
        __builtin_memcpy(total + start, sums, sizeof sums);
    }
    if (!repeats) {
        // A word between the windows that stands in none counts nothing.
        copy_words(scratch, low, high, scratch.x);
        return span;
    }
    int64_t m = 0;
    for (int64_t p = 0; p < span; ++p) {
        if (total[p] == 0.0f) continue;
        float* const row = scratch.words[low + p];
        int64_t i = 0;
        while (i < m && scratch.x[i] != row) ++i;
        for (int j = 0; j < lanes; ++j)
            own[i * lanes + j] = (i < m ? own[i * lanes + j] : 0.0f) + own[p * lanes + j];
        total[i] = (i < m ? total[i] : 0.0f) + total[p];
        scratch.x[i] = row;
        m += i == m;
    }
    return m;
}

// Several windows whose targets are all different. All of their rows meet the negatives in one
// block and the centres in another, where a row counts for the windows it stands in.
void descend_windows(const Tables& tables, const Windows& windows, int64_t window, int64_t count,
                     int64_t target, int64_t n, bool repeats, float rate, Scratch& scratch,
                     Losses& losses, Coming& coming) {
    const int64_t m = gather_windows(windows, window, count, repeats, scratch);
    list_output_rows(tables, windows.targets + target, n, scratch.y);
    set_frozen_aside(tables, scratch.x, m, scratch.y, n, scratch);
    Block* const blocks = scratch.blocks;
    const float* const labels = windows.labels + target;
    blocks[0] = {
        count, n - count, 0, m, 0, lanes, {labels + count, By::target}, {scratch.uses, By::row}};
    blocks[1] = {0, count, 0, m, m * lanes, lanes, {labels, By::target}, {scratch.own, By::pair}};
    descend_blocks<true>(tables, m, blocks, 2, rate, scratch, losses, coming);
}

}  // namespace

void skipgram(const Tables& tables, const Windows& windows, int64_t first, int64_t last,
              const Model& model, float rate, Scratch& scratch) {
    int64_t window = first > 0 ? windows.window_end[first - 1] : 0;
    int64_t target = first > 0 ? windows.target_end[first - 1] : 0;
    Losses losses;
    list_words(tables, windows, scratch);
    const bool plain = !tables.frozen_input && !tables.frozen_output;
    for (int64_t g = first; g < last; ++g) {
        const int64_t soon = g + ahead < last ? g + ahead : last - 1;
        Coming coming{scratch.coming, list_rows(tables, windows, model, soon, scratch), 0};
        const int64_t count = windows.window_end[g] - window, n = windows.target_end[g] - target;
        const bool rows = windows.repeats[g] & repeated_rows;
        const bool targets = windows.repeats[g] & repeated_targets;
        if (n == 0) {
            // A vocabulary of one word has no negatives, and a tree of one leaf no nodes.
        } else if (plain && count == 1 && n == columns && !windows.repeats[g] &&
                   windows.last[window] - windows.first[window] - 1 <= most_in_place) {
            descend_plainly(tables, windows, window, target, rate, scratch, losses, coming);
        } else if (count == 1 && !targets) {
            descend_window(tables, windows, window, target, n, rows, rate, scratch, losses, coming);
        } else if (count <= columns && n > count && n - count <= columns && !targets) {
            descend_windows(tables, windows, window, count, target, n, rows, rate, scratch, losses,
                            coming);
        } else {
            const int64_t m = gather_rows(windows, window, count, rows, scratch);
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
