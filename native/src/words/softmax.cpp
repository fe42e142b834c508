// The full softmax: every word of the vocabulary is a target, and one of them is right. For small
// vocabularies, and to compare with: its cost grows with the vocabulary. Compiled once for each
// instruction set.

#include <math.h>

#include "hidden.hpp"
#include "simd_kernels.hpp"

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

// Turns the dots of row i with all targets into what they move by; returns the cross-entropy.
float cross_entropy(Scratch& scratch, int64_t i, int64_t blocks, int64_t vocabulary, int64_t right,
                    float scale) {
    float most = -3.0e38f, sum = 0.0f, dot = 0.0f;
    for (int64_t b = 0; b < blocks; ++b) {
        const int64_t start = block_start(b, vocabulary), end = block_start(b + 1, vocabulary);
        const float* dots = scratch.dots + b * scratch.block + i * lanes;
        for (int64_t t = start; t < end; ++t) {
            most = dots[t - start] > most ? dots[t - start] : most;
            dot = t == right ? dots[t - start] : dot;
        }
    }
    for (int64_t b = 0; b < blocks; ++b) {
        float* dots = scratch.dots + b * scratch.block + i * lanes;
        const int64_t count = block_start(b + 1, vocabulary) - block_start(b, vocabulary);
        for (int64_t j = 0; j < lanes; ++j) {
            float e = dots[j] - most;
            e = j < count && !(e < lowest) ? e : lowest;  // Not a number stays none.
            exp_of_negative<float, int32_t, 1>(&e);
            dots[j] = j < count ? e : 0.0f;
            sum += dots[j];
        }
    }
    for (int64_t b = 0; b < blocks; ++b) {
        float* dots = scratch.dots + b * scratch.block + i * lanes;
        const int64_t at = right - block_start(b, vocabulary);
        for (int64_t j = 0; j < lanes; ++j)
            dots[j] = scale * ((j == at ? 1.0f : 0.0f) - dots[j] / sum);
    }
    return most - dot + logf(sum);
}

}  // namespace

void softmax(const Tables& tables, const Windows& windows, int64_t first, int64_t last,
             const Model& model, float rate, Scratch& scratch) {
    const int64_t blocks = block_count(model.vocabulary);
    Coming none{scratch.coming, 0, 0};
    for (int64_t g = first; g < last; ++g) {
        const int64_t centre = windows.targets[windows.target_end[g] - 1];
        float *const row = scratch.hidden, *const before = row + tables.stride;
        int64_t m;
        if (model.kind == Kind::cbow) {
            const int64_t contexts = list_contexts(tables, windows, g, scratch);
            combine(tables, scratch.x, contexts, scale_of_hidden(model, contexts), row, before,
                    none);
            scratch.x[0] = row;
            scratch.uses[0] = 1.0f;
            m = 1;
        } else {
            m = gather_rows(tables, windows, g, 1, windows.repeats[g] & repeated_rows, scratch);
        }
        for (int64_t b = 0; b < blocks; ++b)
            scratch.blocks[b] = {
                block_start(b, model.vocabulary),
                block_start(b + 1, model.vocabulary) - block_start(b, model.vocabulary), 0, m};
        for (int64_t t = 0; t < model.vocabulary; ++t)
            scratch.y[t] = tables.output + t * tables.stride;
        set_frozen_aside(tables, scratch.x, model.kind == Kind::cbow ? 0 : m, scratch.y,
                         model.vocabulary, scratch);
        multiply_blocks(tables, scratch.blocks, blocks, scratch, none);
        for (int64_t i = 0; i < m; ++i) {
            const float loss =
                cross_entropy(scratch, i, blocks, model.vocabulary, centre, rate * scratch.uses[i]);
            scratch.loss += scratch.uses[i] * loss;
            scratch.predictions += static_cast<int64_t>(scratch.uses[i]);
        }
        update_blocks(tables, m, scratch.blocks, blocks, scratch, none);
        if (model.kind == Kind::cbow) {
            const int64_t contexts = list_contexts(tables, windows, g, scratch);
            give_back(tables, scratch.x, contexts, part_of_context(model, contexts), row, before);
        }
    }
}

}  // namespace chainrule::words::CHAINRULE_SIMD
