// Source: R. Durstenfeld, Algorithm 235: random permutation (1964). Numbers up to a bound are drawn
// by the bits that it has, again where they are too large.

#include "shuffling.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace chainrule {

void shuffle(const BitGenerator& generator, int64_t* numbers, int64_t count) {
    // Draws first, then swaps: what is too large is overwritten by the next draw, without a branch
    // that nobody can predict.
    constexpr int64_t most = 256;
    uint32_t drawn[most];
    void* state = generator.state;
    for (int64_t last = count - 1; last > 0;) {
        const auto bits = static_cast<uint32_t>(std::bit_width(static_cast<uint64_t>(last)));
        const auto mask = static_cast<uint32_t>((uint64_t{1} << bits) - 1);
        const int64_t least = int64_t{1} << (bits - 1);  // that has as many bits
        const int64_t wanted = std::min(most, last - least + 1);
        for (int64_t found = 0; found < wanted;) {
            const uint32_t number = generator.next_uint32(state) & mask;
            drawn[found] = number;
            found += static_cast<int64_t>(number) <= last - found;
        }
        for (int64_t i = 0; i < wanted; ++i, --last) std::swap(numbers[last], numbers[drawn[i]]);
    }
}

}  // namespace chainrule
