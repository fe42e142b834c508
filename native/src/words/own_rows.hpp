// A thread's own copies of the rows that are used most: those of frequent words, and of the nodes
// near the root of Huffman's tree. If threads changed them in the table itself, the rows would
// travel between the caches of the cores, and threads would wait for them: where cores share no
// cache, two threads would learn less than one.
//
// From time to time what a copy has gained is given to the table, and the copy goes on from what
// all have learned. The more often a row is used the sooner that is, but not in proportion: a
// period of pause / sqrt(uses) keeps the few rows that are used all the time from costing as much
// as all others together.
//
// Gains that threads found apart add up, but for one direction: that of what the rows of the other
// table have in common, which every pair pulls at. Each thread goes all of that way, and a sum of
// them would lead beyond it, from where the next leads farther. So there the mean is taken.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "aligned.hpp"
#include "chainrule/words/kernels.hpp"
#include "gains.hpp"

namespace chainrule::words {

class OwnRows {
public:
    // Rows [first, first + uses.size()) of a table of rows of `stride` floats, as the thread-th of
    // `threads` has them. `uses` says how often a thread is expected to use each in a piece, and
    // `pairs` with how many rows of the other table it meets then.
    OwnRows(float* table, std::int64_t first, std::vector<float> uses, std::int64_t stride,
            double pairs, int thread, int threads)
        : table_(table + first * stride), stride_(stride), pairs_(pairs), threads_(threads),
          first_(first), uses_(std::move(uses)), sum_(static_cast<std::size_t>(stride)),
          order_(uses_.size()) {
        const std::size_t size = uses_.size() * static_cast<std::size_t>(stride);
        memory_.resize(2 * size + 16);
        copies_ = aligned(memory_.data());
        before_ = copies_ + size;
        std::iota(order_.begin(), order_.end(), 0);
        std::stable_sort(order_.begin(), order_.end(), [this](std::int32_t a, std::int32_t b) {
            return uses_of(a) > uses_of(b);
        });
        for (std::size_t i = 0; i < order_.size();) {
            Class some;
            some.start = i;
            const int magnitude = magnitude_of(uses_of(order_[i]));
            for (; i < order_.size() && magnitude_of(uses_of(order_[i])) == magnitude; ++i)
                some.uses += static_cast<double>(uses_of(order_[i]));
            some.end = i;
            some.uses /= static_cast<double>(some.end - some.start);
            some.period = period(uses_of(order_[some.start]), threads);
            // Threads take turns.
            some.wait = some.period - some.period * thread / threads;
            classes_.push_back(some);
        }
    }

    // After how many pieces a row is exchanged that is used so often in each.
    static std::int64_t period(float uses, int threads) {
        const double pieces = pause / threads / std::sqrt(std::ldexp(1.0, magnitude_of(uses)));
        return std::max<std::int64_t>(static_cast<std::int64_t>(pieces), 1);
    }

    OwnRange range() const {
        const auto distance =
            reinterpret_cast<std::uintptr_t>(copies_) - reinterpret_cast<std::uintptr_t>(table_);
        return {first_, static_cast<std::int64_t>(uses_.size()),
                static_cast<std::int64_t>(distance)};
    }

    // What the rows have in common: their sum, each as often as it is used.
    const std::vector<float>& sum() const { return sum_; }

    // Copies the rows as they are now.
    void begin() {
        const auto size = static_cast<std::int64_t>(uses_.size()) * stride_;
        std::copy(table_, table_ + size, copies_);
        std::copy(table_, table_ + size, before_);
        std::fill(sum_.begin(), sum_.end(), 0.0f);
        for (const std::int32_t place : order_) add_to_sum(place, 1.0f);
        for (Class& some : classes_) some.pieces = 0;
    }

    // To be called after each piece, with the rate it was learned at, and what the rows of the
    // other table have in common.
    void exchange(double rate, const std::vector<float>& common) {
        rate_ = rate;
        for (Class& some : classes_) {
            ++some.pieces;
            if (--some.wait > 0) continue;
            const Parts parts = parts_of(some, common);
            for (std::size_t i = some.start; i < some.end; ++i) {
                add_to_sum(order_[i], -1.0f);
                merge(order_[i], parts, common);
                add_to_sum(order_[i], 1.0f);
            }
            some.wait = some.period;
            some.pieces = 0;
        }
    }

    // Gives the table what rows have gained since they were exchanged. Several threads may do so at
    // once, each for its share of the rows.
    void finish(const std::vector<float>& common, std::int32_t share, std::int32_t shares) {
        for (const Class& some : classes_) {
            if (some.pieces == 0) continue;
            const Parts parts = parts_of(some, common);
            for (std::size_t i = some.start; i < some.end; ++i)
                if (order_[i] % shares == share) merge(order_[i], parts, common);
        }
    }

private:
    // Rows order_[start], ..., order_[end - 1], which are used about as often as one another.
    struct Class {
        std::size_t start = 0, end = 0;
        double uses = 0.0;                  // in a piece, on average
        std::int64_t period = 1, wait = 1;  // pieces from one exchange to the next, and until it
        std::int64_t pieces = 0;            // since the last
    };

    // Uses are at least two to this power, and less than twice as many.
    static int magnitude_of(float uses) { return uses > 1e-9f ? std::ilogb(uses) : -30; }

    float uses_of(std::int32_t row) const { return uses_[static_cast<std::size_t>(row)]; }

    // What to multiply gains by, and how much of what is along the common direction goes on top.
    struct Parts {
        float all, along;
    };

    Parts parts_of(const Class& some, const std::vector<float>& common) const {
        const double uses = some.uses * static_cast<double>(some.pieces);
        const auto all = static_cast<float>(scale_of_gains(rate_, pairs_, uses, threads_));
        float squared = 0.0f;
        for (const float number : common) squared += number * number;
        const float mean = 1.0f / static_cast<float>(threads_);
        return {all, squared > 0.0f ? (mean - all) / squared : 0.0f};
    }

    void merge(std::int32_t place, const Parts& parts, const std::vector<float>& common) {
        const std::int64_t start = place * stride_;
        float *const row = table_ + start, *const copy = copies_ + start,
                     *const before = before_ + start;
        const float* const direction = common.data();
        std::array<float, line> sums{};  // one alone would wait for each addition
        for (std::int64_t d = 0; d < stride_; d += line)
            for (std::int64_t l = d; l < d + line; ++l)
                sums[l - d] += (copy[l] - before[l]) * direction[l];
        const float along = parts.along * std::accumulate(sums.begin(), sums.end(), 0.0f);
        for (std::int64_t d = 0; d < stride_; ++d) {
            const float now = row[d] + parts.all * (copy[d] - before[d]) + along * direction[d];
            row[d] = copy[d] = before[d] = now;
        }
    }

    void add_to_sum(std::int32_t place, float sign) {
        const float* const row = before_ + place * stride_;
        const float weight = sign * uses_of(place);
        for (std::size_t d = 0; d < sum_.size(); ++d) sum_[d] += weight * row[d];
    }

    // Rows are whole lines of the cache.
    static constexpr std::int64_t line = 16;

    // By this the total of the uses between two exchanges, by all threads, is bounded. A row that
    // is used once in a piece by two threads waits for sixteen pieces.
    static constexpr double pause = 32.0;

    float* table_;
    std::int64_t stride_;
    double pairs_;
    int threads_;
    std::int64_t first_;
    std::vector<float> uses_, memory_, sum_;
    std::vector<std::int32_t> order_;  // falling by uses
    std::vector<Class> classes_;
    float *copies_ = nullptr, *before_ = nullptr;
    double rate_ = 0.0;
};

}  // namespace chainrule::words
