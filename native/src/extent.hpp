// Where a slot's entries lie in its buffer.
#pragma once

#include <algorithm>
#include <utility>

#include "chainrule/program.hpp"

namespace chainrule {

inline int64_t entries(const Slot& slot) {
    int64_t size = 1;
    for (int64_t n : slot.shape) {
        if (n == 0) return 0;
        size *= n;
    }
    return size;
}

inline bool is_contiguous(const Slot& slot) {
    int64_t expected = 1;
    if (entries(slot) == 0) return true;
    for (size_t i = slot.shape.size(); i-- > 0;) {
        if (slot.shape[i] == 1) continue;
        if (slot.strides[i] != expected) return false;
        expected *= slot.shape[i];
    }
    return true;
}

// The first byte and the byte after the last one.
inline std::pair<int64_t, int64_t> extent(const Slot& slot) {
    const int64_t item = item_size(slot.dtype);
    int64_t low = slot.offset, high = slot.offset + item;
    if (entries(slot) == 0) return {slot.offset, slot.offset};
    for (size_t i = 0; i < slot.shape.size(); ++i) {
        const int64_t reach = (slot.shape[i] - 1) * slot.strides[i] * item;
        (reach < 0 ? low : high) += reach;
    }
    return {low, high};
}

// Whether the two may share memory (judged by their extents).
inline bool overlap(const Slot& a, const Slot& b) {
    if (a.buffer != b.buffer) return false;
    const auto [a_low, a_high] = extent(a);
    const auto [b_low, b_high] = extent(b);
    return a_low < b_high && b_low < a_high;
}

// Whether the two are the same entries in the same order.
inline bool same_place(const Slot& a, const Slot& b) {
    if (a.buffer != b.buffer || a.offset != b.offset || a.shape != b.shape ||
        item_size(a.dtype) != item_size(b.dtype))
        return false;
    for (size_t i = 0; i < a.shape.size(); ++i)
        if (a.shape[i] > 1 && a.strides[i] != b.strides[i]) return false;
    return true;
}

// Whether no two index tuples give the same entry: sorted by stride, each axis must step over the
// whole reach of the smaller ones.
inline bool writes_each_once(const Slot& slot) {
    if (entries(slot) == 0) return true;
    std::vector<std::pair<int64_t, int64_t>> axes;
    for (size_t i = 0; i < slot.shape.size(); ++i)
        if (slot.shape[i] > 1)
            axes.push_back(
                {slot.strides[i] < 0 ? -slot.strides[i] : slot.strides[i], slot.shape[i]});
    std::sort(axes.begin(), axes.end());
    int64_t reach = 0;
    for (const auto& [stride, length] : axes) {
        if (stride <= reach) return false;
        reach += stride * (length - 1);
    }
    return true;
}

}  // namespace chainrule
