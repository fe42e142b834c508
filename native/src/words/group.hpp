// The general case of a group of windows: several windows, repeated words, any number of targets.
// Included by the files that are compiled once for each instruction set.
#pragma once

#include "block.hpp"

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

// scratch.dots of all blocks.
inline void multiply_blocks(const Tables& tables, const Block* blocks, int64_t count,
                            Scratch& scratch, Coming& coming) {
    for (int64_t b = 0; b < count; ++b) {
        const Block& block = blocks[b];
        multiply_by[block.count - 1](scratch.x + block.low, block.high - block.low,
                                     scratch.y + block.start, tables.size,
                                     scratch.dots + b * scratch.block + block.low * lanes, coming);
    }
}

// The same, turned into what pairs move by. labels(b) are those of the columns of a block, or of
// its rows.
template <bool weighted, bool of_rows, class Labels>
inline void predict_blocks(const Tables& tables, const Block* blocks, int64_t count, float rate,
                           Scratch& scratch, Losses& losses, Coming& coming, const Labels& labels) {
    multiply_blocks(tables, blocks, count, scratch, coming);
    for (int64_t b = 0; b < count; ++b) {
        const Block& block = blocks[b];
        const int64_t at = b * scratch.block + block.low * lanes;
        errors<weighted, of_rows>(scratch.dots + at, scratch.weights + at, block.count, labels(b),
                                  block.high - block.low, rate, losses);
    }
}

// Moves all rows by what stands in scratch.dots now. The first block takes all rows x, whose gains
// are kept in scratch.rows until the last.
inline void update_blocks(const Tables& tables, int64_t m, const Block* blocks, int64_t count,
                          Scratch& scratch, Coming& coming) {
    float** const in_place = scratch.x;
    for (int64_t i = 0; i < m; ++i) scratch.moved[i] = scratch.rows + i * tables.stride;
    bool copied = false;
    for (int64_t b = 0; b < count; ++b) {
        const Block& block = blocks[b];
        const bool last = b + 1 == count && block.low == 0 && block.high == m;
        float** from = b == 0 ? in_place : scratch.moved;
        float** to = last ? in_place : scratch.moved;
        copied = last;
        update_by[block.count - 1](scratch.x + block.low, from + block.low, to + block.low,
                                   block.high - block.low, scratch.y + block.start, tables.size,
                                   scratch.dots + b * scratch.block + block.low * lanes, coming);
    }
    if (copied) return;
    for (int64_t i = 0; i < m; ++i)
        for (int64_t d = 0; d < tables.size; d += width)
            store(scratch.x[i] + d, load(scratch.moved[i] + d));
}

// One step for rows x and y with weights[block][row * lanes + target] of each pair.
inline void descend_blocks(const Tables& tables, int64_t m, int64_t n, const Block* blocks,
                           int64_t count, float rate, Scratch& scratch, Losses& losses,
                           Coming& coming) {
    set_frozen_aside(tables, scratch.x, scratch.x[0] == scratch.hidden ? 0 : m, scratch.y, n,
                     scratch);
    predict_blocks<true, false>(tables, blocks, count, rate, scratch, losses, coming,
                                [&](int64_t b) { return scratch.labels + b * lanes; });
    update_blocks(tables, m, blocks, count, scratch, coming);
}

// The distinct rows around the centres of the windows, in scratch.x, and how often each of them
// stands in the k-th window: scratch.uses[k * limit + i]. Returns how many rows there are.
inline int64_t gather_rows(const Tables& tables, const Windows& windows, int64_t window,
                           int64_t count, bool repeats, Scratch& scratch) {
    int64_t low = windows.first[window], high = windows.last[window], m = 0;
    for (int64_t w = window + 1; w < window + count; ++w) {
        low = windows.first[w] < low ? windows.first[w] : low;
        high = windows.last[w] > high ? windows.last[w] : high;
    }
    for (int64_t p = low; p < high; ++p) {
        float* row = input_row(tables, windows.ids[p]);
        int64_t i = repeats ? 0 : m;
        while (i < m && scratch.x[i] != row) ++i;
        bool used = i < m;
        for (int64_t k = 0; k < count; ++k) {
            const int64_t w = window + k;
            const bool inside =
                p >= windows.first[w] && p < windows.last[w] && p != windows.centre[w];
            float& uses = scratch.uses[k * scratch.limit + i];
            uses = (i < m ? uses : 0.0f) + (inside ? 1.0f : 0.0f);
            used |= inside;
        }
        scratch.x[i] = row;
        m += i == m && used;
    }
    return m;
}

// The distinct rows of targets [start, start + n), from scratch.y[at] on; how often each occurs, in
// scratch.times, and what is to be said of it, in scratch.answers. Returns how many there are.
inline int64_t gather_targets(const Tables& tables, const Windows& windows, int64_t start,
                              int64_t n, bool repeats, int64_t at, Scratch& scratch) {
    int64_t end = at;
    for (int64_t t = start; t < start + n; ++t) {
        float* row = output_row(tables, windows.targets[t]);
        int64_t j = repeats ? at : end;
        while (j < end && scratch.y[j] != row) ++j;
        scratch.times[j] = j < end ? scratch.times[j] + 1.0f : 1.0f;
        scratch.y[j] = row;
        scratch.answers[j] = windows.labels[t];
        end += j == end;
    }
    return end - at;
}

// The distinct rows of the centres of a group, from scratch.y[at] on; windows of the same centre
// become one. Returns how many there are.
inline int64_t gather_centres(const Tables& tables, const Windows& windows, int64_t start,
                              int64_t n, int64_t m, int64_t at, Scratch& scratch) {
    int64_t count = 0;
    for (int64_t k = 0; k < n; ++k) {
        float* row = output_row(tables, windows.targets[start + k]);
        int64_t j = 0;
        while (j < count && scratch.y[at + j] != row) ++j;
        float* uses = scratch.uses + j * scratch.limit;
        const float* more = scratch.uses + k * scratch.limit;
        for (int64_t i = 0; i < m && j != k; ++i) uses[i] = j < count ? uses[i] + more[i] : more[i];
        scratch.y[at + j] = row;
        scratch.answers[at + j] = windows.labels[start + k];
        count += j == count;
    }
    return count;
}

// Weights and answers of a block whose pairs count uses[row] * times[target] each; where every
// target has uses of its own, those.
inline void weigh(const Block& block, int64_t b, const float* uses, bool own, Scratch& scratch) {
    float* weights = scratch.weights + b * scratch.block;
    float times[lanes];
    for (int64_t j = 0; j < lanes; ++j) {
        const bool there = j < block.count;
        scratch.labels[b * lanes + j] = there ? scratch.answers[block.start + j] : 0.0f;
        times[j] = !there ? 0.0f : own ? 1.0f : scratch.times[block.start + j];
    }
    for (int64_t i = block.low; i < block.high; ++i)
        for (int64_t j = 0; j < lanes; ++j)
            weights[i * lanes + j] =
                j < block.count ? times[j] * uses[own ? j * scratch.limit + i : i] : 0.0f;
}

// One step for the m rows in scratch.x, whose pairs count scratch.uses. Rows of targets that all
// windows share meet all of them; those of a centre only the rows of its own window.
inline void descend_rows(const Tables& tables, const Windows& windows, int64_t m, int64_t count,
                         int64_t target, int64_t n, bool repeats, float rate, Scratch& scratch,
                         Losses& losses, Coming& coming) {
    float* total = scratch.uses + count * scratch.limit;
    for (int64_t i = 0; i < m; ++i) {
        total[i] = 0.0f;
        for (int64_t k = 0; k < count; ++k) total[i] += scratch.uses[k * scratch.limit + i];
        scratch.predictions += static_cast<int64_t>(total[i]);
    }
    const int64_t own = count > 1 ? count : 0;
    const int64_t shared =
        gather_targets(tables, windows, target + own, n - own, repeats, 0, scratch);
    int64_t blocks = cut_into_blocks(shared, m, scratch);
    for (int64_t b = 0; b < blocks; ++b) weigh(scratch.blocks[b], b, total, false, scratch);
    const int64_t centres = gather_centres(tables, windows, target, own, m, shared, scratch);
    for (int64_t k = 0; k < centres; k += 2) {
        Block block{shared + k, k + 1 < centres ? 2 : 1, 0, m};
        const float* uses = scratch.uses + k * scratch.limit;
        if (blocks > 0) {
            const auto idle = [&](int64_t i) {
                return uses[i] == 0.0f && (block.count == 1 || uses[scratch.limit + i] == 0.0f);
            };
            while (idle(block.low)) ++block.low;
            while (idle(block.high - 1)) --block.high;
        }
        scratch.blocks[blocks] = block;
        weigh(block, blocks, uses, true, scratch);
        ++blocks;
    }
    descend_blocks(tables, m, shared + centres, scratch.blocks, blocks, rate, scratch, losses,
                   coming);
}

constexpr int64_t ahead = 2;  // groups

// The rows that a group will need and that those before it do not.
inline int64_t list_rows(const Tables& tables, const Windows& windows, const Model& model,
                         int64_t group, const float** rows) {
    const int64_t start = group > 0 ? windows.target_end[group - 1] : 0;
    int64_t count = 0;
    for (int64_t t = start; t < windows.target_end[group]; ++t)
        rows[count++] = output_row(tables, windows.targets[t]);
    const int64_t window = group > 0 ? windows.window_end[group - 1] : 0;
    for (int64_t w = window; w < windows.window_end[group]; ++w) {
        const int64_t position = windows.centre[w] + model.window;
        if (position < windows.id_count) rows[count++] = input_row(tables, windows.ids[position]);
    }
    return count;
}

}  // namespace
}  // namespace chainrule::words::CHAINRULE_SIMD
