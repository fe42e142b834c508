// Random bits that are a function of what they are for.
#pragma once

#include <cstdint>

namespace chainrule::words {

constexpr std::uint64_t golden = 0x9E3779B97F4A7C15u;

// The finaliser of splitmix64: G. Steele, D. Lea and C. Flood, Fast splittable pseudorandom number
// generators (2014).
inline std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

// A number below `size` from 64 random bits.
inline std::uint64_t index_of(std::uint64_t random, std::int64_t size) {
    return ((random >> 32) * static_cast<std::uint64_t>(size)) >> 32;
}

}  // namespace chainrule::words
