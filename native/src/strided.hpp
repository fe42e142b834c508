// Walks over strided arrays: copies of a range of entries, in C order, to and from memory.
#pragma once

#include <cstring>
#include <vector>

#include "chainrule/program.hpp"

namespace chainrule {

struct Axis {
    int64_t length, stride;  // the stride in entries
};

// Axes without those of length 1, neighbours joined where they are one run of entries.
inline std::vector<Axis> collapsed(const int64_t* shape, const int64_t* strides, size_t count) {
    std::vector<Axis> axes;
    for (size_t i = 0; i < count; ++i) {
        if (shape[i] == 1) continue;
        if (!axes.empty() && axes.back().stride == shape[i] * strides[i]) {
            axes.back().length *= shape[i];
            axes.back().stride = strides[i];
        } else {
            axes.push_back({shape[i], strides[i]});
        }
    }
    return axes;
}

// The position, in entries, of entry `index` in C order.
inline int64_t position_of(const std::vector<Axis>& axes, int64_t index) {
    int64_t position = 0;
    for (size_t i = axes.size(); i-- > 0;) {
        position += index % axes[i].length * axes[i].stride;
        index /= axes[i].length;
    }
    return position;
}

template <class T, bool to_memory>
void copy_run(T* packed, T* strided, int64_t stride, int64_t n) {
    if (stride == 1) {
        std::memcpy(to_memory ? strided : packed, to_memory ? packed : strided,
                    static_cast<size_t>(n) * sizeof(T));
    } else if (stride == 0 && !to_memory) {
        const T value = *strided;
        for (int64_t i = 0; i < n; ++i) packed[i] = value;
    } else {
        for (int64_t i = 0; i < n; ++i) {
            if (to_memory) strided[i * stride] = packed[i];
            else packed[i] = strided[i * stride];
        }
    }
}

// Entries [start, start + n) of the array at `base`, from (or to) contiguous memory.
template <class T, bool to_memory>
void copy_range_of(char* packed_bytes, char* base, const std::vector<Axis>& axes, int64_t start,
                   int64_t n) {
    T* packed = reinterpret_cast<T*>(packed_bytes);
    T* array = reinterpret_cast<T*>(base);
    if (axes.empty()) {
        if (n > 0) copy_run<T, to_memory>(packed, array, 1, 1);
        return;
    }
    const Axis last = axes.back();
    int64_t counter[32];
    int64_t index = start, position = 0;
    for (size_t i = axes.size(); i-- > 0;) {
        counter[i] = index % axes[i].length;
        position += counter[i] * axes[i].stride;
        index /= axes[i].length;
    }
    const size_t inner = axes.size() - 1;
    while (n > 0) {
        const int64_t left = last.length - counter[inner];
        const int64_t run = left < n ? left : n;
        copy_run<T, to_memory>(packed, array + position, last.stride, run);
        packed += run;
        n -= run;
        position -= counter[inner] * last.stride;
        counter[inner] = 0;
        for (size_t i = inner; i-- > 0;) {
            position += axes[i].stride;
            if (++counter[i] < axes[i].length) break;
            position -= counter[i] * axes[i].stride;
            counter[i] = 0;
        }
    }
}

template <bool to_memory>
void copy_range(int64_t item, char* packed, char* base, const std::vector<Axis>& axes,
                int64_t start, int64_t n) {
    switch (item) {
        case 1: return copy_range_of<uint8_t, to_memory>(packed, base, axes, start, n);
        case 2: return copy_range_of<uint16_t, to_memory>(packed, base, axes, start, n);
        case 4: return copy_range_of<uint32_t, to_memory>(packed, base, axes, start, n);
        default: return copy_range_of<uint64_t, to_memory>(packed, base, axes, start, n);
    }
}

}  // namespace chainrule
