// How the gains of a row add up that threads found apart from one another, each from the same
// start.
#pragma once

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

}  // namespace chainrule::words
