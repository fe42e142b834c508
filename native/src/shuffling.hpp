// Random orders, drawn as NumPy draws them.
#pragma once

#include <cstdint>

namespace chainrule {

// What NumPy's generators of random bits give to C: numpy/random/bitgen.h.
struct BitGenerator {
    void* state;
    uint64_t (*next_uint64)(void*);
    uint32_t (*next_uint32)(void*);
    double (*next_double)(void*);
    uint64_t (*next_raw)(void*);
};

// Brings `count` < 2^32 numbers into a random order, the one that Generator.permuted gives.
void shuffle(const BitGenerator& generator, int64_t* numbers, int64_t count);

}  // namespace chainrule
