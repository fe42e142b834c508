#include "chainrule/cpu.hpp"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

#if defined(__x86_64__) || defined(_M_X64)
#define CHAINRULE_X86_64 1
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace chainrule {
namespace {

#ifdef CHAINRULE_X86_64

struct Registers {
    unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf) noexcept {
    Registers r;
#if defined(_MSC_VER)
    int out[4];
    __cpuidex(out, static_cast<int>(leaf), 0);
    r = {unsigned(out[0]), unsigned(out[1]), unsigned(out[2]), unsigned(out[3])};
#else
    __get_cpuid_count(leaf, 0, &r.a, &r.b, &r.c, &r.d);
#endif
    return r;
}

// The vector registers that the operating system saves when it switches threads.
unsigned saved_state() noexcept {
#if defined(_MSC_VER)
    return static_cast<unsigned>(_xgetbv(0));
#else
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
#endif
}

// Whether the files for AVX-512 were compiled for AVX2, see native/tests/avx512_by_avx2.hpp.
#ifdef CHAINRULE_AVX512_BY_AVX2
constexpr bool by_avx2 = true;
#else
constexpr bool by_avx2 = false;
#endif

constexpr bool has(unsigned word, unsigned bits) noexcept { return (word & bits) == bits; }

// Keep in step with the flags in native/cmake/SimdSources.cmake. The processor is asked directly
// because __builtin_cpu_supports needs a run-time library that not every compiler brings.
SimdLevel detect() noexcept {
    constexpr unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28;  // leaf 1, c
    constexpr unsigned avx2 = 1u << 5;                                      // leaf 7, b
    constexpr unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // f, dq, bw, vl
    constexpr unsigned ymm_state = 0x6, zmm_state = 0xe6;
    if (cpuid(0).a < 7 || !has(cpuid(1).c, fma | osxsave | avx)) return SimdLevel::baseline;
    const unsigned features = cpuid(7).b, state = saved_state();
    if (!has(features, avx2) || !has(state, ymm_state)) return SimdLevel::baseline;
    const bool wide = has(features, avx512) && has(state, zmm_state);
    return wide || by_avx2 ? SimdLevel::avx512 : SimdLevel::avx2;
}

#else

SimdLevel detect() noexcept { return SimdLevel::baseline; }

#endif

}  // namespace

SimdLevel supported_level() noexcept {
    static const SimdLevel level = [] {
        const SimdLevel most = detect();
        const char* wanted = std::getenv("CHAINRULE_SIMD");
        for (SimdLevel lower : {SimdLevel::baseline, SimdLevel::avx2})
            if (wanted && lower < most && std::strcmp(wanted, name(lower)) == 0) return lower;
        return most;
    }();
    return level;
}

const char* name(SimdLevel level) noexcept {
    switch (level) {
        case SimdLevel::avx512: return "avx512";
        case SimdLevel::avx2: return "avx2";
        default: return "baseline";
    }
}

}  // namespace chainrule
