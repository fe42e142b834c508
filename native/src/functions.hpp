// Exponentials and logarithms without branches, so that loops over them vectorise.
// Included by the files that are compiled once for each instruction set.
//
// Errors against the exact value, in units in the last place, over all of the range (measured by
// tests/run/test_functions.py), in float32 and in float64: exp 1.5, log 1.5, expm1 2, log1p 2,
// tanh 2.5, sigmoid 3, softplus 3, logaddexp 3 (of the greater operand); and from angles.hpp and
// error_function.hpp sin 1, cos 1, erf 2; power 1 in float32.
//
// Source: the logarithm follows K. C. Ng, fdlibm (1993).
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
    static constexpr float negligible = 30.0f;  // e^-30 and 2^-30 are nothing beside 1
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
    static constexpr double negligible = 60.0;
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
    // In pairs, which the processor computes side by side.
    const double r2 = r * r, r4 = r2 * r2;
    const double a = (1.0 / 6.0) * r + 0.5, b = (1.0 / 120.0) * r + 1.0 / 24.0;
    const double c = (1.0 / 5040.0) * r + 1.0 / 720.0, d = (1.0 / 362880.0) * r + 1.0 / 40320.0;
    const double e = (1.0 / 39916800.0) * r + 1.0 / 3628800.0;
    const double f = (1.0 / 6227020800.0) * r + 1.0 / 479001600.0;
    return ((f * r2 + e) * r4 + (d * r2 + c)) * r4 + (b * r2 + a);
}

// z = n ln(2) + r with |r| <= ln(2) / 2 and n integral; gives n + round.
template <class T>
inline T reduced_exponent(T z, T& r) {
    using F = Float<T>;
    const T shifted = z * static_cast<T>(1.44269504088896340736) + F::round;
    const T n = shifted - F::round;
    r = (z - n * F::ln2_high) - n * F::ln2_low;
    return shifted;
}

template <class T>
inline T exponential(T x) {
    using F = Float<T>;
    // Comparisons written so that a NaN passes through.
    T z = x < F::exp_low ? F::exp_low : x;
    z = z > F::exp_high ? F::exp_high : z;
    T r;
    const T n = reduced_exponent(z, r) - F::round;
    const T e = exp_tail(r) * (r * r) + r + static_cast<T>(1);
    // Two factors, for results that are subnormal or barely finite.
    const T half = n * static_cast<T>(0.5) + F::round;
    const T rest = (n - (half - F::round)) + F::round;
    return e * power_of_two(half) * power_of_two(rest);
}

// e^z for z <= 0 that is not below exp_low / 2: one power of two will do.
template <class T>
inline T decaying_exponential(T z) {
    T r;
    const T shifted = reduced_exponent(z, r);
    return (exp_tail(r) * (r * r) + r + static_cast<T>(1)) * power_of_two(shifted);
}

// e^z - 1 where |z| is so small that 2^n is an exact number beside 1.
template <class T>
inline T bounded_expm1(T z) {
    T r;
    const T shifted = reduced_exponent(z, r);
    const T scale = power_of_two(shifted);
    return (exp_tail(r) * (r * r) + r) * scale + (scale - static_cast<T>(1));
}

template <class T>
inline T exponential_minus_1(T x) {
    using F = Float<T>;
    T z = x < -F::negligible ? -F::negligible : x;
    z = z > F::exp_high ? F::exp_high : z;
    T r;
    const T n = reduced_exponent(z, r) - F::round;
    const T bounded = n > F::negligible ? F::negligible : n;
    const T inverse = power_of_two(F::round - bounded);  // 2^-n, nothing beside 1 where n is large
    const T e = (exp_tail(r) * (r * r) + r) + (static_cast<T>(1) - inverse);
    const T half = n * static_cast<T>(0.5) + F::round;
    const T rest = (n - (half - F::round)) + F::round;
    const T y = e * power_of_two(half) * power_of_two(rest);
    return x == T{0} ? x : y;  // -0 stays
}

inline float log_series(float z) {  // (atanh(s) / s - 1) * 2 with z = s^2 <= 0.0295
    float p = 0.22222222f;
    p = p * z + 0.28571429f;
    p = p * z + 0.4f;
    p = p * z + 0.66666667f;
    return p * z;
}

inline double log_series(double z) {
    const double z2 = z * z, z4 = z2 * z2;
    const double a = (2.0 / 5.0) * z + 2.0 / 3.0, b = (2.0 / 9.0) * z + 2.0 / 7.0;
    const double c = (2.0 / 13.0) * z + 2.0 / 11.0, d = (2.0 / 17.0) * z + 2.0 / 15.0;
    const double e = (2.0 / 21.0) * z + 2.0 / 19.0;
    const double p = ((2.0 / 23.0 * z2 + e) * z4 + (d * z2 + c)) * z4 + (b * z2 + a);
    return p * z;
}

// k and f with x = 2^k (1 + f) and 1 + f in [sqrt(1/2), sqrt(2)), for a normal x > 0.
template <class T>
inline T split_exponent(T x, T& f) {
    using F = Float<T>;
    using Bits = typename F::Bits;
    using Unsigned = typename F::Unsigned;
    const Bits root_half = bits_as<Bits>(static_cast<T>(0.70710678118654752440));
    const Bits one = bits_as<Bits>(static_cast<T>(1));
    // Without sign, because the sum passes the greatest integer where x is not a number.
    const Bits moved = static_cast<Bits>(static_cast<Unsigned>(bits_as<Bits>(x)) +
                                         static_cast<Unsigned>(one - root_half));
    constexpr Bits fraction_mask = (static_cast<Bits>(1) << F::digits) - 1;
    f = bits_as<T>(static_cast<Bits>((moved & fraction_mask) + root_half)) - static_cast<T>(1);
    // The biased exponent as a number: shifted without sign, put into the low bits of `round`.
    const Unsigned exponent = static_cast<Unsigned>(moved) >> F::digits;
    return (bits_as<T>(
                static_cast<Bits>(exponent + static_cast<Unsigned>(bits_as<Bits>(F::round)))) -
            F::round) -
           static_cast<T>(F::bias);
}

// ln(2^k (1 + f)) + correction
template <class T>
inline T assembled_logarithm(T k, T f, T correction) {
    using F = Float<T>;
    const T s = f / (static_cast<T>(2) + f);
    const T half_square = static_cast<T>(0.5) * f * f;
    const T r = log_series(s * s);
    return k * F::ln2_high -
           ((half_square - (s * (half_square + r) + (k * F::ln2_low + correction))) - f);
}

template <class T>
inline T logarithm(T x) {
    using F = Float<T>;
    const bool tiny = x < F::smallest;
    T f;
    const T k = split_exponent(tiny ? x * F::rescale : x, f) -
                (tiny ? static_cast<T>(F::rescale_exponent) : T{0});
    T y = assembled_logarithm(k, f, T{0});
    const T infinity = static_cast<T>(HUGE_VALF);
    y = x == T{0} ? -infinity : y;
    y = x == infinity ? infinity : y;
    return (x < T{0}) | (x != x) ? static_cast<T>(NAN) : y;
}

// ln(1 + x) for x > -1 that is not infinite: what 1 + x has lost is put back.
template <class T>
inline T finite_log1p(T x) {
    const T one = static_cast<T>(1), u = one + x;
    T f;
    const T k = split_exponent(u, f);
    const T lost = x > one ? one - (u - x) : x - (u - one);
    const bool exact = k == T{0};
    return assembled_logarithm(k, exact ? x : f, exact ? T{0} : lost / u);
}

template <class T>
inline T logarithm_of_1_plus(T x) {
    const T infinity = static_cast<T>(HUGE_VALF);
    T y = finite_log1p(x);
    y = x == T{0} ? x : y;
    y = x == static_cast<T>(-1) ? -infinity : y;
    y = x == infinity ? infinity : y;
    return (x < static_cast<T>(-1)) | (x != x) ? static_cast<T>(NAN) : y;
}

template <class T>
inline T hyperbolic_tangent(T x) {
    using F = Float<T>;
    const T size = x < T{0} ? -x : x;
    const T t = bounded_expm1(size > F::negligible / 2 ? F::negligible : size + size);
    const T y = t / (t + static_cast<T>(2));
    // Zeros and what is no number stay what they are.
    return size > T{0} ? (x < T{0} ? -y : y) : x;
}

template <class T>
inline T logistic(T x) {
    return static_cast<T>(1) / (static_cast<T>(1) + exponential(-x));
}

// ln(1 + e^x)
template <class T>
inline T soft_plus(T x) {
    const T size = x < T{0} ? -x : x;
    const T excess = finite_log1p(exponential(-size));
    return x > T{0} ? x + excess : excess;
}

// ln(e^x + e^y)
template <class T>
inline T logarithm_of_sum(T x, T y) {
    const T difference = x - y, size = difference < T{0} ? -difference : difference;
    const T sum = (difference < T{0} ? y : x) + finite_log1p(exponential(-size));
    return x == y ? x + static_cast<T>(0.69314718055994530942) : sum;
}

}  // namespace
}  // namespace chainrule::CHAINRULE_SIMD
