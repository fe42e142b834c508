// Sine and cosine without branches, for angles up to a million; float32 is computed in float64.
//
// Source: K. C. Ng, fdlibm (1993): the parts of pi / 2 and the polynomials.
#pragma once

#include "functions.hpp"

namespace chainrule::CHAINRULE_SIMD {
namespace {

constexpr double largest_angle = 1e6;

// x = n pi / 2 + r + low; the bits of n.
inline int64_t reduced_angle(double x, double& r, double& low) {
    const double shifted = x * 0.63661977236758134308 + Float<double>::round;
    const double n = shifted - Float<double>::round;
    // pi / 2 in three parts of 33 bits, whose products with n are exact, and the rest.
    const double w1 = n * 6.07710050630396597660e-11, w2 = n * 2.02226624871116645580e-21;
    const double t = x - n * 1.57079632673412561417;
    const double once = t - w1;
    const double lost = (t - once) - w1;
    const double twice = once - w2;
    const double more = ((once - twice) - w2) + lost - n * 8.47842766036889956997e-32;
    r = twice + more;
    low = (twice - r) + more;
    return bits_as<int64_t>(shifted);
}

inline double sine_near_0(double r, double low) {
    const double z = r * r, z2 = z * z;
    const double p = (8.33333333332248946124e-3 - 1.98412698298579493134e-4 * z) +
                     z2 * ((2.75573137070700676789e-6 - 2.50507602534068634195e-8 * z) +
                           z2 * 1.58969099521155010221e-10);
    const double cube = z * r;
    return r - ((z * (0.5 * low - cube * p) - low) + cube * 1.66666666666666324348e-1);
}

inline double cosine_near_0(double r, double low) {
    const double z = r * r, z2 = z * z;
    const double p = (4.16666666666666019037e-2 - 1.38888888888741095749e-3 * z) +
                     z2 * ((2.48015872894767294178e-5 - 2.75573143513906633035e-7 * z) +
                           z2 * (2.08757232129817482790e-9 - 1.13596475577881948265e-11 * z));
    const double half = 0.5 * z, w = 1.0 - half;
    return w + (((1.0 - w) - half) + (z * (z * p) - r * low));
}

inline double turned(int64_t quarter, double r, double low) {
    const double y = (quarter & 1) != 0 ? cosine_near_0(r, low) : sine_near_0(r, low);
    return (quarter & 2) != 0 ? -y : y;
}

inline double sine(double x) {
    double r, low;
    const int64_t quarter = reduced_angle(x, r, low);
    const double y = turned(quarter, r, low);
    return x == 0.0 ? x : y;
}

inline double cosine(double x) {
    double r, low;
    const int64_t quarter = reduced_angle(x, r, low);
    return turned(quarter + 1, r, low);
}

inline float sine(float x) { return static_cast<float>(sine(static_cast<double>(x))); }
inline float cosine(float x) { return static_cast<float>(cosine(static_cast<double>(x))); }

}  // namespace
}  // namespace chainrule::CHAINRULE_SIMD
