// How the gains of a row add up that threads found apart from one another, each from the same
// start.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace chainrule::words {

// A use takes a row some part of what is left of its way to where it is at rest. While uses are
// few, gains simply add up. Where they are many, each thread has gone most of the way already, and
// the sum would lead far beyond.
class Ways {
public:
    explicit Ways(double step) : log_left_(static_cast<float>(std::log1p(-step))) {
        for (std::size_t n = 0; n < known_.size(); ++n) known_[n] = way(static_cast<float>(n));
    }

    // How far a row has come after so many uses: 1 is all of its way.
    float after(float uses) const {
        const auto n = static_cast<std::size_t>(uses);
        return n < known_.size() ? known_[n] : way(uses);
    }

    // What to multiply gains by: as far as all uses together come, by as far as each came, summed.
    float scale(float uses, float summed) const {
        return summed > 0.0f ? after(uses) / summed : 1.0f;
    }

private:
    float way(float uses) const { return -std::expm1(log_left_ * uses); }

    float log_left_;
    std::array<float, 256> known_{};
};

// What to multiply the gains of a row by that each of some threads has used so often since it was
// exchanged, at this rate and meeting so many rows at a use. What all vectors have in common is
// learned fastest: each row that is met takes a row about a twenty-fourth of the rate along that
// way, as was found by trying. In all other directions gains would simply add up, but a sum that
// leads too far in this one comes back from farther each time.
inline double scale_of_gains(double rate, double pairs, double uses, int threads) {
    const double step = std::clamp(rate * pairs / 24.0, 1e-9, 0.9);
    const double left = std::log1p(-step) * std::max(uses, 1e-6);
    return std::expm1(threads * left) / (threads * std::expm1(left));
}

}  // namespace chainrule::words
