// Logistic regression's error and loss without branches, for loops that the compiler vectorises.
// Included by the files that are compiled once for each instruction set.
#pragma once

#include <stdint.h>

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

// e^x for x <= 0, to 2e-7 of its value; 0 below -87.
inline float exp_of_negative(float x) {
    const float z = x < -87.0f ? -87.0f : x;
    const float shifted = z * 1.44269504f + 12582912.0f;  // adding 1.5 * 2^23 rounds
    const float n = shifted - 12582912.0f;
    const float r = (z - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.3888889e-3f;
    p = p * r + 8.3333333e-3f;
    p = p * r + 4.1666667e-2f;
    p = p * r + 1.6666667e-1f;
    p = p * r + 0.5f;
    const float e = p * (r * r) + r + 1.0f;
    const int32_t bits = __builtin_bit_cast(int32_t, shifted) - 0x4b400000;
    return e * __builtin_bit_cast(float, (bits + 127) << 23);
}

// ln(1 + e) for 0 <= e <= 1, to 2e-7: ln(1 + e) / e interpolated at Chebyshev's points.
inline float log_of_one_plus(float e) {
    float p = 0.005126102f;
    p = p * e - 0.029074065f;
    p = p * e + 0.077516086f;
    p = p * e - 0.13602248f;
    p = p * e + 0.19076881f;
    p = p * e - 0.24835399f;
    p = p * e + 0.33318120f;
    p = p * e - 0.49999446f;
    p = p * e + 0.99999994f;
    return p * e;
}

}  // namespace
}  // namespace chainrule::words::CHAINRULE_SIMD
