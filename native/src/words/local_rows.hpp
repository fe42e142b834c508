// Copies of those rows of the tables that one piece needs, for threads that must not see what the
// others do meanwhile.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "chainrule/words/kernels.hpp"

namespace chainrule::words {

class LocalRows {
public:
    LocalRows(const float* table, const std::uint8_t* frozen, std::int64_t rows,
              std::int64_t stride)
        : table_(table), frozen_(frozen), stride_(stride),
          place_(static_cast<std::size_t>(rows), -1) {}

    // Replaces rows of the table by places among the copies.
    void copy(const std::int32_t* rows, std::int64_t count, std::vector<std::int32_t>& places) {
        for (std::int32_t row : rows_) place_[static_cast<std::size_t>(row)] = -1;
        rows_.clear();
        places.resize(static_cast<std::size_t>(count));
        for (std::int64_t i = 0; i < count; ++i) {
            std::int32_t& place = place_[static_cast<std::size_t>(rows[i])];
            if (place < 0) {
                place = static_cast<std::int32_t>(rows_.size());
                rows_.push_back(rows[i]);
            }
            places[static_cast<std::size_t>(i)] = place;
        }
        const std::size_t size = rows_.size() * static_cast<std::size_t>(stride_);
        if (memory_.size() < size + 16) memory_.resize(size + 16);
        start_ = memory_.data();
        start_ += (64 - reinterpret_cast<std::uintptr_t>(start_) % 64) % 64 / sizeof(float);
        local_frozen_.clear();
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const float* row = table_ + rows_[i] * stride_;
            std::copy(row, row + stride_, start_ + static_cast<std::int64_t>(i) * stride_);
            if (frozen_) local_frozen_.push_back(frozen_[rows_[i]]);
        }
    }

    float* start() const { return start_; }
    const std::uint8_t* frozen() const { return frozen_ ? local_frozen_.data() : nullptr; }

    // Turns the copies into what they have gained, while the table is as it was.
    void subtract() {
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const float* row = table_ + rows_[i] * stride_;
            float* copy = start_ + static_cast<std::int64_t>(i) * stride_;
            for (std::int64_t d = 0; d < stride_; ++d) copy[d] -= row[d];
        }
    }

    // Adds the gains of every `parts`-th row, from `part` on, to the table.
    void add_to(float* table, std::int32_t part, std::int32_t parts) const {
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            if (rows_[i] % parts != part) continue;
            float* row = table + rows_[i] * stride_;
            const float* gain = start_ + static_cast<std::int64_t>(i) * stride_;
            for (std::int64_t d = 0; d < stride_; ++d) row[d] += gain[d];
        }
    }

private:
    const float* table_;
    const std::uint8_t* frozen_;
    std::int64_t stride_;
    float* start_ = nullptr;
    std::vector<std::int32_t> place_, rows_;
    std::vector<float> memory_;
    std::vector<std::uint8_t> local_frozen_;
};

}  // namespace chainrule::words
