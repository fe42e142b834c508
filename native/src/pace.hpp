// Whether a program's helpers pay, found out by trying.
#pragma once

#include <algorithm>
#include <cstdint>

namespace chainrule {

// Steps of a program run now with helpers and now without, until medians of their times tell which
// is faster; then that way for a while. A cost model would not know how busy the machine is.
class Pace {
public:
    // How to run the next step.
    bool shared() const noexcept { return shared_; }

    // What it took, in nanoseconds.
    void took(int64_t nanoseconds) noexcept {
        if (left_ > 0) {
            if (--left_ == 0) begin(true);
            return;
        }
        // The first one with helpers finds them asleep, and the first of all its memory untouched.
        if (shared_ && !warm_) {
            warm_ = true;
            return;
        }
        samples_[count_++] = nanoseconds;
        spent_ += nanoseconds;
        if (count_ < (spent_ < long_trial ? most_samples : least_samples)) return;
        std::nth_element(samples_, samples_ + count_ / 2, samples_ + count_);
        const int64_t median = samples_[count_ / 2];
        if (shared_) {
            with_ = median;
            begin(false);
            return;
        }
        const bool pays = with_ < median - median / 10;
        settled_ = pays == paid_ ? std::min(2 * settled_, longest) : shortest;
        paid_ = shared_ = pays;
        left_ = settled_ * count_;
    }

private:
    static constexpr int least_samples = 3, most_samples = 9, shortest = 8, longest = 1024;
    static constexpr int64_t long_trial = 5'000'000;

    void begin(bool shared) noexcept {
        shared_ = shared;
        warm_ = false;
        count_ = 0;
        spent_ = 0;
    }

    int64_t samples_[most_samples] = {}, spent_ = 0, with_ = 0;
    int count_ = 0, settled_ = shortest, left_ = 0;
    bool shared_ = true, warm_ = false, paid_ = true;
};

}  // namespace chainrule
