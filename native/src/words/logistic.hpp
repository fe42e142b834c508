// Logistic regression's error and loss without branches, for loops that the compiler vectorises.
// Included by the files that are compiled once for each instruction set.
#pragma once

#include <stdint.h>

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

// A number F is a float or a vector of floats, and Whole an int32_t or a vector of as many.

// e^x for x <= 0, to 2e-7 of its value; 0 below -87.
template <class F, class Whole>
inline F exp_of_negative(F x) {
    const F lowest = F{} - 87.0f;
    const F z = x < lowest ? lowest : x;
    const F shifted = z * 1.44269504f + 12582912.0f;  // adding 1.5 * 2^23 rounds
    const F n = shifted - 12582912.0f;
    const F r = (z - n * 0.693359375f) + n * 2.12194440e-4f;
    F p = r * 1.3888889e-3f + 8.3333333e-3f;
    p = p * r + 4.1666667e-2f;
    p = p * r + 1.6666667e-1f;
    p = p * r + 0.5f;
    const F e = p * (r * r) + r + 1.0f;
    Whole bits;
    __builtin_memcpy(&bits, &shifted, sizeof bits);
    bits = (bits - (0x4b400000 - 127)) << 23;
    F power;
    __builtin_memcpy(&power, &bits, sizeof power);
    return e * power;
}

// ln(1 + e) for 0 <= e <= 1, to 2e-7: ln(1 + e) / e interpolated at Chebyshev's points.
template <class F>
inline F log_of_one_plus(F e) {
    F p = e * 0.005126102f - 0.029074065f;
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
