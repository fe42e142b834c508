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
                                     scratch.dots + block.first, block.stride, coming);
    }
}

// Moves all rows by what stands in scratch.dots now. The first block takes all rows x, whose new
// values are kept in scratch.rows until the last.
inline void update_blocks(const Tables& tables, int64_t m, const Block* blocks, int64_t count,
                          Scratch& scratch, Coming& coming) {
    bool last = false;
    for (int64_t b = 0; b < count; ++b) {
        const Block& block = blocks[b];
        last = b + 1 == count && block.low == 0 && block.high == m;
        const Kept kept{scratch.rows + block.low * tables.stride, tables.stride};
        const auto& update_by_size = b == 0 ? last ? update_by<true, true> : update_by<true, false>
                                     : last ? update_by<false, true>
                                            : update_by<false, false>;
        update_by_size[block.count - 1](scratch.x + block.low, block.high - block.low, kept,
                                        scratch.y + block.start, tables.size,
                                        scratch.dots + block.first, block.stride, coming);
    }
    if (last) return;
    for (int64_t i = 0; i < m; ++i)
        for (int64_t d = 0; d < tables.size; d += width)
            store(scratch.x[i] + d, load(scratch.rows + i * tables.stride + d));
}

// One step for rows x and y by the labels and, where `weighted`, the weights of their pairs.
template <bool weighted>
inline void descend_blocks(const Tables& tables, int64_t m, const Block* blocks, int64_t count,
                           float rate, Scratch& scratch, Losses& losses, Coming& coming) {
    for (int64_t b = 0; b < count; ++b) {
        const Block& one = blocks[b];
        judge_by<weighted>[one.count - 1](
            scratch.x + one.low, one.high - one.low, scratch.y + one.start, tables.size, one.labels,
            one.weights, rate, scratch.dots + one.first, losses, coming);
    }
    if (rate == 0.0f) return fetch(coming, tables.size);
    const Block& block = blocks[0];
    if (count == 1 && block.count == columns && block.low == 0 && block.high == m &&
        m <= most_in_place)
        update_in_place_by[m - 1](scratch.x, scratch.y, tables.size, scratch.dots, coming);
    else update_blocks(tables, m, blocks, count, scratch, coming);
}

// The distinct rows around the centres of the windows, in scratch.x, and how often each of them
// stands in the k-th window: scratch.uses[k * limit + i]. Returns how many rows there are.
inline int64_t gather_rows(const Windows& windows, int64_t window, int64_t count, bool repeats,
                           Scratch& scratch) {
    int64_t low = windows.first[window], high = windows.last[window], m = 0;
    for (int64_t w = window + 1; w < window + count; ++w) {
        low = windows.first[w] < low ? windows.first[w] : low;
        high = windows.last[w] > high ? windows.last[w] : high;
    }
    for (int64_t p = low; p < high; ++p) {
        float* const row = scratch.words[p];
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

// Weights and labels of a block whose pairs count uses[row] * times[target] each; where every
// target has uses of its own, those.
inline void weigh(Block& block, const float* uses, bool own, Scratch& scratch) {
    const float* const times = scratch.times + block.start;
    float* weights = scratch.weights + block.first;
    block.labels = {scratch.answers + block.start, By::target};
    block.weights = {weights, By::pair};
    for (int64_t i = block.low; i < block.high; ++i, weights += lanes)
        for (int64_t j = 0; j < block.count; ++j)
            weights[j] = own ? uses[j * scratch.limit + i] : times[j] * uses[i];
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
    const int64_t shared_blocks = cut_into_blocks(shared, m, scratch.blocks);
    const int64_t centres = gather_centres(tables, windows, target, own, m, shared, scratch);
    const auto uses_of = [&](int64_t k) { return scratch.uses + k * scratch.limit; };
    int64_t blocks = shared_blocks;
    for (int64_t k = 0; k < centres; k += 2) {
        Block& block = scratch.blocks[blocks];
        block = {shared + k, k + 1 < centres ? 2 : 1, 0, m, blocks * m * lanes, lanes, {}, {}};
        // The first block has to have all rows.
        if (blocks++ == 0) continue;
        const float* const uses = uses_of(k);
        const auto idle = [&](int64_t i) {
            return uses[i] == 0.0f && (block.count == 1 || uses[scratch.limit + i] == 0.0f);
        };
        while (idle(block.low)) ++block.low;
        while (idle(block.high - 1)) --block.high;
    }
    for (int64_t b = 0; b < blocks; ++b) {
        const bool is_shared = b < shared_blocks;
        weigh(scratch.blocks[b], is_shared ? total : uses_of(2 * (b - shared_blocks)), !is_shared,
              scratch);
    }
    set_frozen_aside(tables, scratch.x, scratch.x[0] == scratch.hidden ? 0 : m, scratch.y,
                     shared + centres, scratch);
    descend_blocks<true>(tables, m, scratch.blocks, blocks, rate, scratch, losses, coming);
}

// The rows of all ids of a piece, in scratch.words: windows share most of theirs.
inline void list_words(const Tables& tables, const Windows& windows, Scratch& scratch) {
    for (int64_t p = 0; p < windows.id_count; ++p)
        scratch.words[p] = input_row(tables, windows.ids[p]);
}

// The rows of ids [from, to), from out[0] on, where some more may be written.
inline void copy_words(const Scratch& scratch, int64_t from, int64_t to, float** out) {
    constexpr int64_t some = 8;
    for (; from < to; from += some, out += some)
        __builtin_memcpy(out, scratch.words + from, some * sizeof(float*));
}

// The words around the centre of a window, from rows[0] on, where some more may be written. Returns
// how many there are.
inline int64_t list_contexts(const Windows& windows, int64_t window, const Scratch& scratch,
                             float** rows) {
    const int64_t first = windows.first[window], centre = windows.centre[window];
    copy_words(scratch, first, centre, rows);
    copy_words(scratch, centre + 1, windows.last[window], rows + (centre - first));
    return windows.last[window] - first - 1;
}

constexpr int64_t ahead = 2;  // groups

// The rows that a group will need and that those before it do not.
inline int64_t list_rows(const Tables& tables, const Windows& windows, const Model& model,
                         int64_t group, Scratch& scratch) {
    const float** const rows = scratch.coming;
    const int64_t start = (group > 0 ? windows.target_end[group - 1] : 0) + windows.known;
    int64_t count = windows.target_end[group] - start;
    count = count < 0 ? 0 : count < windows.fetched ? count : windows.fetched;
    list_output_rows(tables, windows.targets + start, count, rows);
    const int64_t window = group > 0 ? windows.window_end[group - 1] : 0;
    for (int64_t w = window; w < windows.window_end[group]; ++w) {
        const int64_t position = windows.centre[w] + model.window;
        if (position < windows.id_count) rows[count++] = scratch.words[position];
    }
    return count;
}

}  // namespace
}  // namespace chainrule::words::CHAINRULE_SIMD
