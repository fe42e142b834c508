// The extension module chainrule._native: what Python sees of the core, and nothing else.

#include <nanobind/nanobind.h>

#include "chainrule/cpu.hpp"

namespace nb = nanobind;

NB_MODULE(_native, module) {
    module.doc() = "The native core of chainrule: op lists run over buffers.";
    module.def(
        "build_info",
        [] {
            nb::dict info;
            info["compiler"] = CHAINRULE_COMPILER;
            info["sanitize"] = CHAINRULE_SANITIZE;
            info["simd_levels"] = nb::str(CHAINRULE_SIMD_LEVELS).attr("split")();
            info["simd_level"] = chainrule::name(chainrule::supported_level());
            return info;
        },
        "How the core was built and which of its instruction sets this machine runs.");
}
