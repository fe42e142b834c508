// Rows that begin at a line of the cache.
#pragma once

#include <cstdint>

namespace chainrule::words {

// The first number from `start` on that begins a line: up to 15 before it are left out.
inline float* aligned(float* start) {
    return start + (64 - reinterpret_cast<std::uintptr_t>(start) % 64) % 64 / sizeof(float);
}

}  // namespace chainrule::words
