// A thread's own copies of rows that nearly every step changes: the nodes near the root of
// Huffman's tree. If threads changed them in the table itself, the rows would travel between the
// caches of the cores at every step.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "aligned.hpp"
#include "gains.hpp"

namespace chainrule::words {

class OwnRows {
public:
    OwnRows(float* table, std::int64_t first, std::int64_t count, std::int64_t stride)
        : table_(table + first * stride), first_(first), stride_(stride),
          size_(static_cast<std::size_t>(count * stride)), memory_(2 * size_ + 16),
          uses_(static_cast<std::size_t>(count)) {
        copies_ = aligned(memory_.data());
        before_ = copies_ + size_;
    }

    float* start() const { return copies_; }
    std::int64_t first() const { return first_; }
    std::int64_t count() const { return static_cast<std::int64_t>(uses_.size()); }

    // Copies the rows as they are now; `targets` are those that will be used.
    void copy(const std::int32_t* targets, std::int64_t target_count) {
        std::copy(table_, table_ + size_, copies_);
        std::copy(table_, table_ + size_, before_);
        std::fill(uses_.begin(), uses_.end(), 0.0f);
        for (std::int64_t t = 0; t < target_count; ++t) {
            const std::int64_t place = targets[t] - first_;
            if (place >= 0 && place < count()) uses_[static_cast<std::size_t>(place)] += 1.0f;
        }
    }

    // Adds to the table what the copies have gained, others having used the rows as often.
    void merge(const Ways& ways, int threads) {
        const auto all = static_cast<float>(threads);
        for (std::size_t i = 0; i < uses_.size(); ++i) {
            if (uses_[i] == 0.0f) continue;
            const float scale = ways.scale(all * uses_[i], all * ways.after(uses_[i]));
            const std::int64_t start = static_cast<std::int64_t>(i) * stride_;
            for (std::int64_t d = start; d < start + stride_; ++d)
                table_[d] += scale * (copies_[d] - before_[d]);
        }
    }

private:
    float* table_;
    std::int64_t first_, stride_;
    std::size_t size_;
    std::vector<float> memory_, uses_;
    float *copies_, *before_;
};

}  // namespace chainrule::words
