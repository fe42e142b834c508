// Logistic regression's error and loss without branches, for loops that the compiler vectorises.
// Included by the files that are compiled once for each instruction set.
#pragma once

#include <stdint.h>

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

// A number F is a float or a vector of floats, and Whole an int32_t or a vector of as many.

// Where e^x is next to nothing.
constexpr float lowest = -87.0f;

// What numbers x become, k of them in step: one alone would wait for each of its own results.
template <int k, class Function>
inline void in_step(Function function) {
    for (int v = 0; v < k; ++v) function(v);
}

// e^x for k numbers -87 <= x <= 0, to 2e-7 of its value.
template <class F, class Whole, int k>
inline void exp_of_negative(F* x) {
    F n[k], r[k], p[k];
    in_step<k>(
        [&](int v) { n[v] = x[v] * 1.44269504f + 12582912.0f; });  // adding 1.5 * 2^23 rounds
    in_step<k>([&](int v) { r[v] = x[v] - (n[v] - 12582912.0f) * 0.693359375f; });
    in_step<k>([&](int v) { r[v] = r[v] + (n[v] - 12582912.0f) * 2.12194440e-4f; });
    in_step<k>([&](int v) { p[v] = r[v] * 1.3888889e-3f + 8.3333333e-3f; });
    constexpr float factors[] = {4.1666667e-2f, 1.6666667e-1f, 0.5f};
    for (const float factor : factors) in_step<k>([&](int v) { p[v] = p[v] * r[v] + factor; });
    in_step<k>([&](int v) {
        Whole bits;
        __builtin_memcpy(&bits, &n[v], sizeof bits);
        bits = (bits - (0x4b400000 - 127)) << 23;
        __builtin_memcpy(&n[v], &bits, sizeof bits);
    });
    in_step<k>([&](int v) { x[v] = (p[v] * (r[v] * r[v]) + r[v] + 1.0f) * n[v]; });
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
