// exp, log, tanh and the logistic function without branches, so that loops over them vectorise.
// Included by the files that are compiled once for each instruction set.
//
// Errors against the exact value, in units in the last place, over all of the range (measured by
// tests/run/test_functions.py): exp 1.5, log 1.5, tanh 2.5, sigmoid 3, in float32 and in float64.
//
// Source: S. L. Moshier, Cephes mathematical library (1989): the rational functions of tanh; the
// logarithm follows K. C. Ng, fdlibm (1993).
#pragma once

#include <math.h>
#include <stdint.h>

namespace chainrule::CHAINRULE_SIMD {
namespace {

template <class To, class From>
inline To bits_as(From from) {
    return __builtin_bit_cast(To, from);
}

template <class T>
struct Float;

template <>
struct Float<float> {
    using Bits = int32_t;
    using Unsigned = uint32_t;
    static constexpr int digits = 23, bias = 127;
    static constexpr float round = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    static constexpr float exp_low = -104.0f, exp_high = 89.0f;
    static constexpr float smallest = 1.17549435e-38f, rescale = 33554432.0f;  // 2^25
    static constexpr int rescale_exponent = 25;
};

template <>
struct Float<double> {
    using Bits = int64_t;
    using Unsigned = uint64_t;
    static constexpr int digits = 52, bias = 1023;
    static constexpr double round = 6755399441055744.0;  // 1.5 * 2^52
    static constexpr double ln2_high = 6.93147180369123816490e-01;
    static constexpr double ln2_low = 1.90821492927058770002e-10;
    static constexpr double exp_low = -746.0, exp_high = 710.0;
    static constexpr double smallest = 2.2250738585072014e-308, rescale = 18014398509481984.0;
    static constexpr int rescale_exponent = 54;
};

// 2^n for an integral n that keeps it a normal number; `shifted` is n + Float<T>::round.
template <class T>
inline T power_of_two(T shifted) {
    using F = Float<T>;
    using Bits = typename F::Bits;
    const Bits n = bits_as<Bits>(shifted) - bits_as<Bits>(F::round);
    return bits_as<T>(static_cast<Bits>((n + F::bias) << F::digits));
}

inline float exp_tail(float r) {  // (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2
    float p = 1.9841270e-4f;
    p = p * r + 1.3888889e-3f;
    p = p * r + 8.3333333e-3f;
    p = p * r + 4.1666667e-2f;
    p = p * r + 1.6666667e-1f;
    return p * r + 0.5f;
}

inline double exp_tail(double r) {
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    return p * r + 0.5;
}

template <class T>
inline T exponential(T x) {
    using F = Float<T>;
    // Comparisons written so that a NaN passes through.
    T z = x < F::exp_low ? F::exp_low : x;
    z = z > F::exp_high ? F::exp_high : z;
    const T shifted = z * static_cast<T>(1.44269504088896340736) + F::round;
    const T n = shifted - F::round;
    const T r = (z - n * F::ln2_high) - n * F::ln2_low;
    const T e = exp_tail(r) * (r * r) + r + static_cast<T>(1);
    // Two factors, for results that are subnormal or barely finite.
    const T half = n * static_cast<T>(0.5) + F::round;
    const T rest = (n - (half - F::round)) + F::round;
    return e * power_of_two(half) * power_of_two(rest);
}

inline float log_series(float z) {  // (atanh(s) / s - 1) * 2 with z = s^2 <= 0.0295
    float p = 0.22222222f;
    p = p * z + 0.28571429f;
    p = p * z + 0.4f;
    p = p * z + 0.66666667f;
    return p * z;
}

inline double log_series(double z) {
    double p = 2.0 / 23.0;
    p = p * z + 2.0 / 21.0;
    p = p * z + 2.0 / 19.0;
    p = p * z + 2.0 / 17.0;
    p = p * z + 2.0 / 15.0;
    p = p * z + 2.0 / 13.0;
    p = p * z + 2.0 / 11.0;
    p = p * z + 2.0 / 9.0;
    p = p * z + 2.0 / 7.0;
    p = p * z + 2.0 / 5.0;
    p = p * z + 2.0 / 3.0;
    return p * z;
}

template <class T>
inline T logarithm(T x) {
    using F = Float<T>;
    using Bits = typename F::Bits;
    const bool tiny = x < F::smallest;
    const T scaled = tiny ? x * F::rescale : x;
    // Take the exponent so that the fraction lies in [sqrt(1/2), sqrt(2)).
    const Bits root_half = bits_as<Bits>(static_cast<T>(0.70710678118654752440));
    const Bits one = bits_as<Bits>(static_cast<T>(1));
    // Without sign, because the sum passes the greatest integer where x is not a number.
    using Unsigned = typename F::Unsigned;
    const Bits moved = static_cast<Bits>(static_cast<Unsigned>(bits_as<Bits>(scaled)) +
                                         static_cast<Unsigned>(one - root_half));
    constexpr Bits fraction_mask = (static_cast<Bits>(1) << F::digits) - 1;
    const T fraction = bits_as<T>(static_cast<Bits>((moved & fraction_mask) + root_half));
    // The biased exponent as a number: shifted without sign, put into the low bits of `round`.
    const Unsigned exponent = static_cast<Unsigned>(moved) >> F::digits;
    const T k =
        (bits_as<T>(static_cast<Bits>(exponent + static_cast<Unsigned>(bits_as<Bits>(F::round)))) -
         F::round) -
        static_cast<T>(F::bias) - (tiny ? static_cast<T>(F::rescale_exponent) : T{0});
    const T f = fraction - static_cast<T>(1);
    const T s = f / (static_cast<T>(2) + f);
    const T half_square = static_cast<T>(0.5) * f * f;
    const T r = log_series(s * s);
    T y = k * F::ln2_high - ((half_square - (s * (half_square + r) + k * F::ln2_low)) - f);
    const T infinity = static_cast<T>(HUGE_VALF);
    y = x == T{0} ? -infinity : y;
    y = x == infinity ? infinity : y;
    return (x < T{0}) | (x != x) ? static_cast<T>(NAN) : y;
}

inline float tanh_small(float x, float z) {
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    return p * z * x + x;
}

inline double tanh_small(double x, double z) {
    double p = -9.64399179425052238628e-1;
    p = p * z - 9.92877231001918586564e1;
    p = p * z - 1.61468768441708447952e3;
    double q = z + 1.12811678491632931402e2;
    q = q * z + 2.23548839060100448583e3;
    q = q * z + 4.84406305325125486048e3;
    return p / q * z * x + x;
}

template <class T>
inline T hyperbolic_tangent(T x) {
    const T size = x < T{0} ? -x : x;
    const T e = exponential(size + size);
    const T large = static_cast<T>(1) - static_cast<T>(2) / (e + static_cast<T>(1));
    const T small = tanh_small(x, x * x);
    const T signed_large = x < T{0} ? -large : large;
    return size < static_cast<T>(0.625) ? small : signed_large;
}

template <class T>
inline T logistic(T x) {
    return static_cast<T>(1) / (static_cast<T>(1) + exponential(-x));
}

// The C library's functions by type; its overloads for C++ are inline and may not be used here.
#define CHAINRULE_LIBRARY_1(name) \
    inline float library_##name(float x) { return ::name##f(x); } \
    inline double library_##name(double x) { return ::name(x); }
#define CHAINRULE_LIBRARY_2(name) \
    inline float library_##name(float x, float y) { return ::name##f(x, y); } \
    inline double library_##name(double x, double y) { return ::name(x, y); }
CHAINRULE_LIBRARY_1(exp2)
CHAINRULE_LIBRARY_1(expm1)
CHAINRULE_LIBRARY_1(log2)
CHAINRULE_LIBRARY_1(log10)
CHAINRULE_LIBRARY_1(log1p)
CHAINRULE_LIBRARY_1(cbrt)
CHAINRULE_LIBRARY_1(sin)
CHAINRULE_LIBRARY_1(cos)
CHAINRULE_LIBRARY_1(tan)
CHAINRULE_LIBRARY_1(asin)
CHAINRULE_LIBRARY_1(acos)
CHAINRULE_LIBRARY_1(atan)
CHAINRULE_LIBRARY_1(sinh)
CHAINRULE_LIBRARY_1(cosh)
CHAINRULE_LIBRARY_1(asinh)
CHAINRULE_LIBRARY_1(acosh)
CHAINRULE_LIBRARY_1(atanh)
CHAINRULE_LIBRARY_1(erf)
CHAINRULE_LIBRARY_1(sqrt)
CHAINRULE_LIBRARY_1(floor)
CHAINRULE_LIBRARY_1(ceil)
CHAINRULE_LIBRARY_1(trunc)
CHAINRULE_LIBRARY_1(rint)
CHAINRULE_LIBRARY_1(fabs)
CHAINRULE_LIBRARY_2(pow)
CHAINRULE_LIBRARY_2(atan2)
CHAINRULE_LIBRARY_2(hypot)
CHAINRULE_LIBRARY_2(fmod)
#undef CHAINRULE_LIBRARY_1
#undef CHAINRULE_LIBRARY_2

}  // namespace
}  // namespace chainrule::CHAINRULE_SIMD
