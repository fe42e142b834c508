// CBOW's hidden rows: the mean or sum of the words around a centre, and what they are given back.
// Included by the files that are compiled once for each instruction set.
#pragma once

#include "group.hpp"

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

// By what the sum of m contexts is multiplied.
inline float scale_of_hidden(const Model& model, int64_t m) {
    return model.mean ? 1.0f / static_cast<float>(m) : 1.0f;
}

// Writes the hidden row of a window twice, and fetches a part of what comes.
inline void combine(const Tables& tables, float* const* contexts, int64_t m, float scale,
                    float* row, float* before, Coming& coming) {
    const int64_t taken = (coming.count + 1) / 2;
    for (int64_t d = 0; d < tables.size; d += width) {
        if (d % 16 == 0)
            for (int64_t r = coming.taken; r < taken; ++r)
                CHAINRULE_PREFETCH_TO_WRITE(coming.rows[r] + d);
        Vector sum = load(contexts[0] + d);
        for (int64_t i = 1; i < m; ++i) sum += load(contexts[i] + d);
        sum *= splat(scale);
        store(row + d, sum);
        store(before + d, sum);
    }
    coming.taken = taken > coming.taken ? taken : coming.taken;
}

// Gives every word around the centre what the hidden row has gained, or its share of that.
inline void give_back(const Tables& tables, float* const* contexts, int64_t m, float factor,
                      const float* row, const float* before) {
    for (int64_t i = 0; i < m; ++i)
        if (tables.frozen_input &&
            tables.frozen_input[(contexts[i] - tables.input) / tables.stride])
            continue;
        else
            for (int64_t d = 0; d < tables.size; d += width)
                store(contexts[i] + d,
                      load(contexts[i] + d) + splat(factor) * (load(row + d) - load(before + d)));
}

// By what a word around the centre moves, as a part of what the hidden row does. The derivative of
// a mean is 1 / m and of a sum 1. Programs of old give the whole for a mean and 1 / m for a sum.
inline float part_of_context(const Model& model, int64_t m) {
    return model.divided ? 1.0f / static_cast<float>(m) : 1.0f;
}

}  // namespace
}  // namespace chainrule::words::CHAINRULE_SIMD
