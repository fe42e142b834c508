// Copies of those rows of the tables that one piece needs, for threads that must not see what the
// others do meanwhile.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "aligned.hpp"
#include "chainrule/words/kernels.hpp"

namespace chainrule::words {

class LocalRows {
public:
    LocalRows(const float* table, const std::uint8_t* frozen, std::int64_t rows,
              std::int64_t stride)
        : table_(table), frozen_(frozen), stride_(stride),
          place_(static_cast<std::size_t>(rows), -1) {}

    // Copies `rows`, which may be named several times, and says which of the copies each is.
    void copy(const std::int32_t* rows, std::int64_t count, std::vector<std::int32_t>& places) {
        forget();
        places.resize(static_cast<std::size_t>(count));
        for (std::int64_t i = 0; i < count; ++i) places[static_cast<std::size_t>(i)] = use(rows[i]);
        copy_rows();
    }

    // Copies all rows, each to its place in the table; those of `used` will be used the most.
    void copy_all(const std::int32_t* used, std::int64_t count) {
        forget();
        for (std::size_t row = 0; row < place_.size(); ++row) use(static_cast<std::int32_t>(row));
        std::fill(uses_.begin(), uses_.end(), 0.0f);
        for (std::int64_t i = 0; i < count; ++i) use(used[i]);
        copy_rows();
    }

    float* start() const { return start_; }
    const std::uint8_t* frozen() const { return frozen_ ? local_frozen_.data() : nullptr; }

    // The copy of a row and how often it was used; null where it was not copied.
    const float* copy_of(std::int32_t row, float& uses) const {
        const std::int32_t place = place_[static_cast<std::size_t>(row)];
        if (place < 0) return nullptr;
        uses = uses_[static_cast<std::size_t>(place)];
        return start_ + place * stride_;
    }

    // The rows that were copied.
    const std::vector<std::int32_t>& rows() const { return rows_; }

private:
    void forget() {
        for (std::int32_t row : rows_) place_[static_cast<std::size_t>(row)] = -1;
        rows_.clear();
        uses_.clear();
    }

    std::int32_t use(std::int32_t row) {
        std::int32_t& place = place_[static_cast<std::size_t>(row)];
        if (place < 0) {
            place = static_cast<std::int32_t>(rows_.size());
            rows_.push_back(row);
            uses_.push_back(0.0f);
        }
        uses_[static_cast<std::size_t>(place)] += 1.0f;
        return place;
    }

    void copy_rows() {
        const std::size_t size = rows_.size() * static_cast<std::size_t>(stride_);
        if (memory_.size() < size + 16) memory_.resize(size + 16);
        start_ = aligned(memory_.data());
        local_frozen_.clear();
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const float* row = table_ + rows_[i] * stride_;
            std::copy(row, row + stride_, start_ + static_cast<std::int64_t>(i) * stride_);
            if (frozen_) local_frozen_.push_back(frozen_[rows_[i]]);
        }
    }

    const float* table_;
    const std::uint8_t* frozen_;
    std::int64_t stride_;
    float* start_ = nullptr;
    std::vector<std::int32_t> place_, rows_;
    std::vector<float> uses_, memory_;
    std::vector<std::uint8_t> local_frozen_;
};

}  // namespace chainrule::words
