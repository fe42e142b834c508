// What the parts of the verifier share.
#pragma once

#include <stdexcept>
#include <string>

#include "chainrule/program.hpp"

namespace chainrule {

constexpr int64_t largest = int64_t{1} << 46;

[[noreturn]] inline void refuse(const std::string& what) { throw std::invalid_argument(what); }

inline void require(bool holds, const std::string& what) {
    if (!holds) refuse(what);
}

// What a scan binds to the buffers of its body; slots and body have been verified.
void verify_scan(const Description& description, const Op& op);

}  // namespace chainrule
