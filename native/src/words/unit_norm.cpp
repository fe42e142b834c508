// Vectors of length 1, each to be like the mean of its two neighbours'. Compiled once for each
// instruction set.
//
//   loss = 1 - c . (l + r) / 2 + contrast c . (mean of the negatives)
//
// is 1 - sum_i share_i c . x_i over distinct rows x_i. All rows take a step against the gradient at
// their old values and are brought back to length 1.

#include "group.hpp"
#include "simd_kernels.hpp"

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

// x . y and x . x.
inline void products(const float* x, const float* y, int64_t size, float* out) {
    Vector sums[2] = {};
    for (int64_t d = 0; d < size; d += width) {
        const Vector a = load(x + d);
        sums[0] += a * load(y + d);
        sums[1] += a * a;
    }
    write_lane_sums<2>(sums, out);
}

// What brings a row of this squared length to length 1; a row of length 0 stays.
inline float to_unit(float squared) {
    return squared > 1e-12f ? 1.0f / __builtin_sqrtf(squared) : 1.0f;
}

// Rows that meet a centre, and by which share.
struct Star {
    float** rows;
    float* shares;
    int64_t count;
    float own;  // the share of the centre itself

    void add(float* row, const float* centre, float share) {
        if (row == centre) {
            own += share;
            return;
        }
        int64_t i = 0;
        while (i < count && rows[i] != row) ++i;
        shares[i] = i < count ? shares[i] + share : share;
        rows[i] = row;
        count += i == count;
    }
};

inline bool is_frozen(const uint8_t* frozen, const float* row, const float* table, int64_t stride) {
    return frozen && frozen[(row - table) / stride];
}

}  // namespace

void unit_norm(const Tables& tables, const Windows& windows, int64_t first, int64_t last,
               const Model& model, float rate, Scratch& scratch) {
    const int64_t size = tables.size, stride = tables.stride;
    list_words(tables, windows, scratch);
    for (int64_t g = first; g < last; ++g) {
        if (g + ahead < last) {
            const int64_t count = list_rows(tables, windows, model, g + ahead, scratch);
            for (int64_t i = 0; i < count; ++i) prefetch_row(scratch.coming[i], size);
        }
        // A word at the end of a sentence has one neighbour, and is nobody's centre.
        if (windows.last[g] - windows.first[g] != 3) continue;
        const int32_t* const ids = windows.ids + windows.first[g];
        float* const centre = tables.input + ids[1] * stride;
        Star star{scratch.y, scratch.times, 0, 0.0f};
        star.add(tables.input + ids[0] * stride, centre, 0.5f);
        star.add(tables.input + ids[2] * stride, centre, 0.5f);
        const int64_t start = (g > 0 ? windows.target_end[g - 1] : 0) + 1;
        const int64_t negatives = windows.target_end[g] - start;
        for (int64_t t = start; t < windows.target_end[g]; ++t)
            star.add(tables.input + windows.targets[t] * stride, centre,
                     -model.contrast / static_cast<float>(negatives));
        float *const old = scratch.hidden, *const moved = old + stride;
        const Vector own = splat(1.0f + 2.0f * rate * star.own);
        for (int64_t d = 0; d < size; d += width) {
            const Vector c = load(centre + d);
            store(old + d, c);
            store(moved + d, own * c);
        }
        float sums[8];
        products(old, old, size, sums);
        const float squared = sums[0];
        float loss = 1.0f - star.own * squared;
        for (int64_t i = 0; i < star.count; ++i) {
            float* const row = star.rows[i];
            const float share = star.shares[i], step = rate * share;
            products(row, old, size, sums);
            loss -= share * sums[0];
            const float scale = to_unit(sums[1] + 2.0f * step * sums[0] + step * step * squared);
            const Vector factor = splat(step), unit = splat(scale);
            const bool stays =
                rate == 0.0f || is_frozen(tables.frozen_input, row, tables.input, stride);
            for (int64_t d = 0; d < size; d += width) {
                const Vector x = load(row + d);
                store(moved + d, load(moved + d) + factor * x);
                if (!stays) store(row + d, unit * (x + factor * load(old + d)));
            }
        }
        if (rate != 0.0f && !is_frozen(tables.frozen_input, centre, tables.input, stride)) {
            products(moved, moved, size, sums);
            const Vector unit = splat(to_unit(sums[0]));
            for (int64_t d = 0; d < size; d += width) store(centre + d, unit * load(moved + d));
        }
        scratch.loss += loss;
        ++scratch.predictions;
    }
}

}  // namespace chainrule::words::CHAINRULE_SIMD
