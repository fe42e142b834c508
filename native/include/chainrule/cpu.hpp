// What the processor can do, asked once.
#pragma once

namespace chainrule {

// The instruction sets that files added with add_simd_sources are compiled for, in rising order.
enum class SimdLevel { baseline = 0, avx2 = 1, avx512 = 2 };

// The highest level that this processor and its operating system support; a lower one where the
// environment variable CHAINRULE_SIMD names it.
SimdLevel supported_level() noexcept;

const char* name(SimdLevel level) noexcept;

}  // namespace chainrule
