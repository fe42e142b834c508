// The full softmax: every word of the vocabulary is a target, and one of them is right. For small
// vocabularies, and to compare with: its cost grows with the vocabulary. Compiled once for each
// instruction set.

#include <math.h>

#include "hidden.hpp"
#include "simd_kernels.hpp"

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

// Turns the dots of a row with all targets into what they move by; returns the cross-entropy.
float cross_entropy(float* dots, int64_t count, int64_t right, float scale) {
    float most = -3.0e38f, sum = 0.0f;
    for (int64_t t = 0; t < count; ++t) most = dots[t] > most ? dots[t] : most;
    const float dot = dots[right];
    for (int64_t t = 0; t < count; ++t) {
        float e = dots[t] - most;
        e = e < lowest ? lowest : e;  // Not a number stays none.
        exp_of_negative<float, int32_t, 1>(&e);
        dots[t] = e;
    }
    for (int64_t t = 0; t < count; ++t) sum += dots[t];
    for (int64_t t = 0; t < count; ++t) dots[t] *= -scale / sum;
    dots[right] += scale;
    return most - dot + logf(sum);
}

}  // namespace

void softmax(const Tables& tables, const Windows& windows, int64_t first, int64_t last,
             const Model& model, float rate, Scratch& scratch) {
    const int64_t blocks = block_count(model.vocabulary);
    Coming none{scratch.coming, 0, 0};
    list_words(tables, windows, scratch);
    for (int64_t g = first; g < last; ++g) {
        const int64_t centre = windows.targets[windows.target_end[g] - 1];
        float *const row = scratch.hidden, *const before = row + tables.stride;
        int64_t m;
        if (model.kind == Kind::cbow) {
            const int64_t contexts = list_contexts(windows, g, scratch, scratch.x);
            combine(tables, scratch.x, contexts, scale_of_hidden(model, contexts), row, before,
                    none);
            scratch.x[0] = row;
            scratch.uses[0] = 1.0f;
            m = 1;
        } else {
            m = gather_rows(windows, g, 1, windows.repeats[g] & repeated_rows, scratch);
        }
        cut_into_blocks(model.vocabulary, m, scratch.blocks);
        // All dots of a row lie side by side, and what its last block writes beyond them.
        const int64_t stride = model.vocabulary + lanes;
        for (int64_t b = 0; b < blocks; ++b)
            scratch.blocks[b].first = scratch.blocks[b].start, scratch.blocks[b].stride = stride;
        for (int64_t t = 0; t < model.vocabulary; ++t)
            scratch.y[t] = tables.output + t * tables.stride;
        set_frozen_aside(tables, scratch.x, model.kind == Kind::cbow ? 0 : m, scratch.y,
                         model.vocabulary, scratch);
        multiply_blocks(tables, scratch.blocks, blocks, scratch, none);
        for (int64_t i = 0; i < m; ++i) {
            const float loss = cross_entropy(scratch.dots + i * stride, model.vocabulary, centre,
                                             rate * scratch.uses[i]);
            scratch.loss += scratch.uses[i] * loss;
            scratch.predictions += static_cast<int64_t>(scratch.uses[i]);
        }
        if (rate == 0.0f) continue;
        update_blocks(tables, m, scratch.blocks, blocks, scratch, none);
        if (model.kind == Kind::cbow) {
            const int64_t contexts = list_contexts(windows, g, scratch, scratch.x);
            give_back(tables, scratch.x, contexts, part_of_context(model, contexts), row, before);
        }
    }
}

}  // namespace chainrule::words::CHAINRULE_SIMD
