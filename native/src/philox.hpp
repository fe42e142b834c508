// Philox4x64-10, a counter-based generator: the same numbers as numpy.random.Philox.
//
// Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011).
#pragma once

#include <cstdint>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace chainrule {

class Philox {
public:
    // The key is (seed, stream); the step is the highest word of the counter. `block` blocks of
    // four numbers are left out.
    Philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t step, std::uint64_t block = 0)
        : key_{seed, stream}, step_(step), count_(block) {}

    std::uint64_t next() {
        if (used_ == 4) refill();
        return words_[used_++];
    }

private:
    static std::uint64_t multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& high) {
#if defined(_MSC_VER)
        return _umul128(a, b, &high);
#else
        const auto product = static_cast<unsigned __int128>(a) * b;
        high = static_cast<std::uint64_t>(product >> 64);
        return static_cast<std::uint64_t>(product);
#endif
    }

    void refill() {
        ++count_;
        std::uint64_t c[4] = {count_, 0, 0, step_}, k[2] = {key_[0], key_[1]};
        for (int round = 0; round < 10; ++round) {
            std::uint64_t high0, high1;
            const std::uint64_t low0 = multiply(0xD2E7470EE14C6C93u, c[0], high0);
            const std::uint64_t low1 = multiply(0xCA5A826395121157u, c[2], high1);
            c[0] = high1 ^ c[1] ^ k[0];
            c[1] = low1;
            c[2] = high0 ^ c[3] ^ k[1];
            c[3] = low0;
            k[0] += 0x9E3779B97F4A7C15u;
            k[1] += 0xBB67AE8584CAA73Bu;
        }
        for (int i = 0; i < 4; ++i) words_[i] = c[i];
        used_ = 0;
    }

    std::uint64_t key_[2], step_, count_, words_[4] = {};
    int used_ = 4;
};

}  // namespace chainrule
