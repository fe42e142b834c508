// Functions of the C library by type; its overloads for C++ are inline and may not be used here.
#pragma once

#include <math.h>

namespace chainrule::CHAINRULE_SIMD {
namespace {

#define CHAINRULE_LIBRARY_1(name) \
    inline float library_##name(float x) { return ::name##f(x); } \
    inline double library_##name(double x) { return ::name(x); }
#define CHAINRULE_LIBRARY_2(name) \
    inline float library_##name(float x, float y) { return ::name##f(x, y); } \
    inline double library_##name(double x, double y) { return ::name(x, y); }
CHAINRULE_LIBRARY_1(exp2)
CHAINRULE_LIBRARY_1(log2)
CHAINRULE_LIBRARY_1(log10)
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
