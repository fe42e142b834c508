// The rows of an array along its last axes, for steps that work row by row.
#pragma once

#include <cstring>
#include <stdexcept>
#include <string>

#include "extent.hpp"
#include "ranged.hpp"
#include "strided.hpp"

namespace chainrule {

inline const RowKernels& row_kernels(DType dtype) {
    const KernelTable& table = kernels();
    return dtype == DType::f32 ? table.f32 : dtype == DType::i64 ? table.i64 : table.f64;
}

inline int64_t product_of(const std::vector<int64_t>& lengths, size_t from, size_t to) {
    int64_t product = 1;
    for (size_t i = from; i < to; ++i) product *= lengths[i];
    return product;
}

inline std::vector<Axis> axes_of(const Slot& slot, size_t from, size_t to) {
    return collapsed(slot.shape.data() + from, slot.strides.data() + from, to - from);
}

inline bool is_one_run(const std::vector<Axis>& axes) {
    return axes.empty() || (axes.size() == 1 && axes[0].stride == 1);
}

// The rows of an array along some last axes: where each begins, and its entries as one run.
class Rows {
public:
    Rows(const Slot& slot, size_t axes)
        : place(slot), item(item_size(slot.dtype)),
          count(product_of(slot.shape, 0, slot.shape.size() - axes)),
          length(product_of(slot.shape, slot.shape.size() - axes, slot.shape.size())),
          outer_(axes_of(slot, 0, slot.shape.size() - axes)),
          inner_(axes_of(slot, slot.shape.size() - axes, slot.shape.size())),
          one_run(is_one_run(inner_)) {}

    char* begin(const Frame& frame, int64_t row) const {
        const int64_t position =
            outer_.size() == 1 ? row * outer_[0].stride : position_of(outer_, row);
        return place.in(frame) + position * item;
    }
    // The row where it lies, or copied to `memory`.
    char* packed(const Frame& frame, int64_t row, char* memory) const {
        char* start = begin(frame, row);
        if (one_run) return start;
        copy_range<false>(item, memory, start, inner_, 0, length);
        return memory;
    }
    void unpack(const Frame& frame, int64_t row, char* memory) const {
        copy_range<true>(item, memory, begin(frame, row), inner_, 0, length);
    }
    // Whether the rows are evenly spaced: from each to the next so many entries.
    bool is_even() const { return outer_.size() <= 1; }
    int64_t spacing() const { return outer_.empty() ? 0 : outer_[0].stride; }
    // Whether the rows follow one another without a gap.
    bool end_to_end() const {
        return one_run && (outer_.empty() || (outer_.size() == 1 && outer_[0].stride == length));
    }
    const std::vector<Axis>& outer() const { return outer_; }
    const std::vector<Axis>& inner() const { return inner_; }

    Place place;
    int64_t item, count, length;

private:
    std::vector<Axis> outer_, inner_;

public:
    bool one_run;
};

[[noreturn]] inline void refuse(int64_t index, int64_t length, size_t axis) {
    throw std::out_of_range("index " + std::to_string(index) + " is out of bounds for axis " +
                            std::to_string(axis) + " with size " + std::to_string(length));
}

// `index`, counted from the end where it is negative.
inline int64_t checked(int64_t index, int64_t length, size_t axis) {
    const int64_t wrapped = index < 0 ? index + length : index;
    if (static_cast<uint64_t>(wrapped) >= static_cast<uint64_t>(length))
        refuse(index, length, axis);
    return wrapped;
}

}  // namespace chainrule
