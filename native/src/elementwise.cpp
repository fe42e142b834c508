// Elementwise arithmetic over blocks, compiled once for each instruction set.

#include <utility>

#include "angles.hpp"
#include "chainrule/kernels.hpp"
#include "chains.hpp"
#include "error_function.hpp"
#include "functions.hpp"
#include "library.hpp"
#include "simd_tables.hpp"

#if defined(__clang__)
#define CHAINRULE_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define CHAINRULE_INDEPENDENT _Pragma("GCC ivdep")
#else
#define CHAINRULE_INDEPENDENT
#endif

namespace chainrule::CHAINRULE_SIMD {
namespace {

using boolean = uint8_t;

template <class T> struct TypeOf;
template <> struct TypeOf<float> {
    static constexpr DType value = DType::f32;
};
template <> struct TypeOf<double> {
    static constexpr DType value = DType::f64;
};
template <> struct TypeOf<int64_t> {
    static constexpr DType value = DType::i64;
};
template <> struct TypeOf<int32_t> {
    static constexpr DType value = DType::i32;
};
template <> struct TypeOf<boolean> {
    static constexpr DType value = DType::boolean;
};

template <class F, class R, class A>
void unary(void* out, const void* first, const void*, const void*, int64_t n, unsigned) {
    R* r = static_cast<R*>(out);
    const A* a = static_cast<const A*>(first);
    CHAINRULE_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) r[i] = F::of(a[i]);
}

// As many entries at a time as fill some vectors; the last ones are filled up. So a short array
// costs no more than a round one, and entries that are not plain are few enough to be done singly.
template <class F, class T>
void careful_unary(void* out, const void* first, const void*, const void*, int64_t n, unsigned) {
    constexpr int64_t width = 64 / sizeof(T);
    T* r = static_cast<T*>(out);
    const T* a = static_cast<const T*>(first);
    for (int64_t start = 0; start < n; start += width) {
        const int64_t count = n - start < width ? n - start : width;
        T x[width], y[width];
        bool plain = true;
        for (int64_t i = 0; i < width; ++i) x[i] = i < count ? a[start + i] : T{1};
        for (int64_t i = 0; i < width; ++i) plain &= F::is_plain(x[i]);
        for (int64_t i = 0; i < width; ++i) y[i] = F::of(x[i]);
        if (!plain)
            for (int64_t i = 0; i < width; ++i)
                if (!F::is_plain(x[i])) y[i] = F::otherwise(x[i]);
        for (int64_t i = 0; i < count; ++i) r[start + i] = y[i];
    }
}

template <class F, class T>
void careful_binary(void* out, const void* first, const void* second, const void*, int64_t n,
                    unsigned scalars) {
    constexpr int64_t width = 64 / sizeof(T);
    T* r = static_cast<T*>(out);
    const T* a = static_cast<const T*>(first);
    const T* b = static_cast<const T*>(second);
    const int64_t a_step = scalars & 1u ? 0 : 1, b_step = scalars & 2u ? 0 : 1;
    for (int64_t start = 0; start < n; start += width) {
        const int64_t count = n - start < width ? n - start : width;
        T x[width], y[width], z[width];
        bool plain = true;
        for (int64_t i = 0; i < width; ++i) {
            x[i] = i < count ? a[(start + i) * a_step] : T{1};
            y[i] = i < count ? b[(start + i) * b_step] : T{1};
        }
        for (int64_t i = 0; i < width; ++i) plain &= F::is_plain(x[i], y[i]);
        for (int64_t i = 0; i < width; ++i) z[i] = F::of(x[i], y[i]);
        if (!plain)
            for (int64_t i = 0; i < width; ++i)
                if (!F::is_plain(x[i], y[i])) z[i] = F::otherwise(x[i], y[i]);
        for (int64_t i = 0; i < count; ++i) r[start + i] = z[i];
    }
}

template <class F, class R, class A>
void binary(void* out, const void* first, const void* second, const void*, int64_t n,
            unsigned scalars) {
    R* r = static_cast<R*>(out);
    const A* a = static_cast<const A*>(first);
    const A* b = static_cast<const A*>(second);
    if (scalars & 1u) {
        const A x = *a;
        CHAINRULE_INDEPENDENT
        for (int64_t i = 0; i < n; ++i) r[i] = F::of(x, b[i]);
    } else if (scalars & 2u) {
        const A y = *b;
        CHAINRULE_INDEPENDENT
        for (int64_t i = 0; i < n; ++i) r[i] = F::of(a[i], y);
    } else {
        CHAINRULE_INDEPENDENT
        for (int64_t i = 0; i < n; ++i) r[i] = F::of(a[i], b[i]);
    }
}

template <class T>
void select(void* out, const void* condition, const void* first, const void* second, int64_t n,
            unsigned scalars) {
    T* r = static_cast<T*>(out);
    const boolean* c = static_cast<const boolean*>(condition);
    const T* a = static_cast<const T*>(first);
    const T* b = static_cast<const T*>(second);
    switch (scalars >> 1) {
        case 3: {
            const T x = *a, y = *b;
            CHAINRULE_INDEPENDENT
            for (int64_t i = 0; i < n; ++i) r[i] = c[i] ? x : y;
            break;
        }
        case 2: {
            const T y = *b;
            CHAINRULE_INDEPENDENT
            for (int64_t i = 0; i < n; ++i) r[i] = c[i] ? a[i] : y;
            break;
        }
        case 1: {
            const T x = *a;
            CHAINRULE_INDEPENDENT
            for (int64_t i = 0; i < n; ++i) r[i] = c[i] ? x : b[i];
            break;
        }
        default:
            CHAINRULE_INDEPENDENT
            for (int64_t i = 0; i < n; ++i) r[i] = c[i] ? a[i] : b[i];
    }
}

#define UNARY(name, expression) \
    struct name { template <class T> static T of(T x) { return expression; } };
#define BINARY(name, expression) \
    struct name { template <class T> static T of(T x, T y) { return expression; } };
#define TEST(name, expression) \
    struct name { template <class T> static boolean of(T x) { return expression; } };
#define COMPARE(name, expression) \
    struct name { template <class T> static boolean of(T x, T y) { return expression; } };

// The arguments are read as declarations by the formatter.
// clang-format off
BINARY(Add, x + y)
BINARY(Subtract, x - y)
BINARY(Multiply, x * y)
BINARY(Divide, x / y)
BINARY(Maximum, ((x >= y) | (x != x)) ? x : y)
BINARY(Minimum, ((x <= y) | (x != x)) ? x : y)
BINARY(Gate, x * (y > T{0} ? T{1} : T{0}))
BINARY(MaskedProduct, x == T{0} ? T{0} : x * y)
BINARY(LogAddExp, logarithm_of_sum(x, y))
BINARY(Arctan2, library_atan2(x, y))
BINARY(Hypot, library_hypot(x, y))
BINARY(LeakyRelu, x > T{0} ? x : y * x)
BINARY(Both, T(x & y))
BINARY(Either, T(x | y))

UNARY(Negative, -x)
UNARY(Square, x * x)
UNARY(Reciprocal, T{1} / x)
UNARY(Absolute, x < T{0} ? -x : x)
UNARY(FloatAbsolute, library_fabs(x))
UNARY(Sqrt, library_sqrt(x))
UNARY(Cbrt, library_cbrt(x))
UNARY(Exp, exponential(x))
UNARY(Exp2, library_exp2(x))
UNARY(Expm1, exponential_minus_1(x))
UNARY(Log, logarithm(x))
UNARY(Log2, library_log2(x))
UNARY(Log10, library_log10(x))
UNARY(Log1p, logarithm_of_1_plus(x))
UNARY(Tan, library_tan(x))
UNARY(Arcsin, library_asin(x))
UNARY(Arccos, library_acos(x))
UNARY(Arctan, library_atan(x))
UNARY(Sinh, library_sinh(x))
UNARY(Cosh, library_cosh(x))
UNARY(Tanh, hyperbolic_tangent(x))
UNARY(Arcsinh, library_asinh(x))
UNARY(Arccosh, library_acosh(x))
UNARY(Arctanh, library_atanh(x))
UNARY(Erf, error_function(x))
UNARY(Softplus, soft_plus(x))
UNARY(Sigmoid, logistic(x))
UNARY(Relu, ((x >= T{0}) | (x != x)) ? x : T{0})
UNARY(Silu, x * logistic(x))
UNARY(Gelu, T(0.5) * x * (T{1} + error_function(x * T(0.70710678118654752440))))
UNARY(Floor, library_floor(x))
UNARY(Ceil, library_ceil(x))
UNARY(Trunc, library_trunc(x))
UNARY(Rint, library_rint(x))
UNARY(Sign, x > T{0} ? T{1} : (x < T{0} ? T{-1} : x))
UNARY(Same, x)
UNARY(Not, T(x == 0))

TEST(IsNan, x != x)
TEST(IsFinite, (x - x) == T{0})
TEST(IsInf, (x == x) & ((x - x) != T{0}))
TEST(IsTrue, x != T{0})
COMPARE(Greater, x > y)
COMPARE(GreaterEqual, x >= y)
COMPARE(Less, x < y)
COMPARE(LessEqual, x <= y)
COMPARE(Equal, x == y)
COMPARE(NotEqual, x != y)
// clang-format on

struct Elu {
    template <class T> static T of(T x, T alpha) {
        return x > T{0} ? x : alpha * exponential_minus_1(x);
    }
};

// Functions that are computed in another way where an operand is not plain.
struct Sin {
    template <class T> static T of(T x) { return sine(x); }
    template <class T> static T otherwise(T x) { return library_sin(x); }
    template <class T> static bool is_plain(T x) { return library_fabs(x) <= T(largest_angle); }
};

struct Cos {
    template <class T> static T of(T x) { return cosine(x); }
    template <class T> static T otherwise(T x) { return library_cos(x); }
    template <class T> static bool is_plain(T x) { return library_fabs(x) <= T(largest_angle); }
};

// In float32 by logarithm and exponential in float64, whose errors vanish when it is rounded.
struct Power {
    static float of(float x, float y) {
        return static_cast<float>(
            exponential(static_cast<double>(y) * logarithm(static_cast<double>(x))));
    }
    static float otherwise(float x, float y) { return library_pow(x, y); }
    static bool is_plain(float x, float y) {
        return (x > 0.0f) & (x < HUGE_VALF) & (library_fabs(y) < HUGE_VALF);
    }
    static double of(double x, double y) { return library_pow(x, y); }
};

// The remainder has the sign of the divisor, and the quotient is rounded down.
struct Remainder {
    template <class T> static T of(T x, T y) {
        T r = library_fmod(x, y);
        if (r != T{0}) {
            if ((y < T{0}) != (r < T{0})) r += y;
        } else if (r == T{0}) {
            r = y < T{0} ? -T{0} : T{0};
        }
        return r;
    }
};

// Of integers; what is divided by 0 gives 0, as in NumPy. A divisor of -1 is taken by itself, for
// the quotient of the least number is none.
struct IntegerRemainder {
    static int64_t of(int64_t x, int64_t y) {
        if (y == 0 || y == -1) return 0;
        const int64_t r = x % y;
        return r != 0 && (r < 0) != (y < 0) ? r + y : r;
    }
};

struct IntegerFloorDivide {
    static int64_t of(int64_t x, int64_t y) {
        if (y == 0) return 0;
        if (y == -1) return static_cast<int64_t>(uint64_t{0} - static_cast<uint64_t>(x));
        const int64_t quotient = x / y;
        return x % y != 0 && (x < 0) != (y < 0) ? quotient - 1 : quotient;
    }
};

struct FloorDivide {
    template <class T> static T of(T x, T y) {
        if (y == T{0}) return x / y;
        const T r = library_fmod(x, y);
        T quotient = (x - r) / y;
        if (r != T{0} && (y < T{0}) != (r < T{0})) quotient -= T{1};
        if (quotient != T{0}) {
            const T down = library_floor(quotient);
            return quotient - down > T(0.5) ? down + T{1} : down;
        }
        return x / y < T{0} ? -T{0} : T{0};
    }
};

template <class R>
struct To {
    template <class T> static R of(T x) { return static_cast<R>(x); }
};

// Chains of numbers.
struct Numbers {
    template <class T> static T square(T x) { return Square::of(x); }
    template <class T> static T sqrt(T x) { return Sqrt::of(x); }
    template <class T> static T tanh(T x) { return Tanh::of(x); }
    template <class T> static T softplus(T x) { return Softplus::of(x); }
    template <class T> static T sigmoid(T x) { return Sigmoid::of(x); }
};

template <class F, class T, int... i, int... j, int... k>
void loop_of(char* const* results, const char* const* arrays, const char* const* singles, int64_t n,
             std::integer_sequence<int, i...>, std::integer_sequence<int, j...>,
             std::integer_sequence<int, k...>) {
    T* const to[] = {reinterpret_cast<T*>(results[k])...};
    const T* const from[] = {reinterpret_cast<const T*>(arrays[i])...};
    const T single[] = {*reinterpret_cast<const T*>(singles[j])...};
    CHAINRULE_INDEPENDENT
    for (int64_t at = 0; at < n; ++at) {
        const T entry[] = {from[i][at]...};
        T result[sizeof...(k)];
        F::template of<Numbers>(entry, single, result);
        ((to[k][at] = result[k]), ...);
    }
}

template <class F, class T>
void chain_loop(char* const* results, const char* const* arrays, const char* const* singles,
                int64_t n) {
    loop_of<F, T>(results, arrays, singles, n, std::make_integer_sequence<int, F::arrays>{},
                  std::make_integer_sequence<int, F::singles>{},
                  std::make_integer_sequence<int, F::results>{});
}

template <class T, class... F>
const ChainLoop* chain_loops(ChainList<F...>) {
    static constexpr ChainLoop loops[] = {&chain_loop<F, T>...};
    return loops;
}

#define ENTRY_1(name, F, type, R, A) \
    {name "." type, &unary<F, R, A>, 1, TypeOf<R>::value, {TypeOf<A>::value, {}, {}}}
#define ENTRY_2(name, F, type, R, A) \
    {name "." type, &binary<F, R, A>, 2, TypeOf<R>::value, {TypeOf<A>::value, TypeOf<A>::value, {}}}
#define CAREFUL_1(name, F, type, T) \
    {name "." type, &careful_unary<F, T>, 1, TypeOf<T>::value, {TypeOf<T>::value, {}, {}}}
#define CAREFUL_2(name, F, type, T) \
    {name "." type, &careful_binary<F, T>, 2, TypeOf<T>::value, \
     {TypeOf<T>::value, TypeOf<T>::value, {}}}
#define ENTRY_3(name, type, T)                                                         \
    {name "." type, &select<T>, 3, TypeOf<T>::value,                                   \
     {DType::boolean, TypeOf<T>::value, TypeOf<T>::value}}
#define FLOATS_1(name, F) ENTRY_1(name, F, "f32", float, float), ENTRY_1(name, F, "f64", double, double)
#define FLOATS_2(name, F) ENTRY_2(name, F, "f32", float, float), ENTRY_2(name, F, "f64", double, double)
#define TESTS(name, F) ENTRY_1(name, F, "f32", boolean, float), ENTRY_1(name, F, "f64", boolean, double)
#define NUMBERS_2(name, F) FLOATS_2(name, F), ENTRY_2(name, F, "i64", int64_t, int64_t)
#define COMPARISONS(name, F)                                                                   \
    ENTRY_2(name, F, "f32", boolean, float), ENTRY_2(name, F, "f64", boolean, double),         \
        ENTRY_2(name, F, "i64", boolean, int64_t), ENTRY_2(name, F, "bool", boolean, boolean)
#define CONVERSIONS(R, type)                                                                   \
    ENTRY_1("convert." type, To<R>, "f32", R, float), ENTRY_1("convert." type, To<R>, "f64", R, double), \
        ENTRY_1("convert." type, To<R>, "i64", R, int64_t),                                    \
        ENTRY_1("convert." type, To<R>, "i32", R, int32_t),                                    \
        ENTRY_1("convert." type, To<R>, "bool", R, boolean)

const BlockEntry entries[] = {
    NUMBERS_2("add", Add),
    NUMBERS_2("subtract", Subtract),
    NUMBERS_2("multiply", Multiply),
    NUMBERS_2("maximum", Maximum),
    NUMBERS_2("minimum", Minimum),
    ENTRY_2("add", Either, "bool", boolean, boolean),
    ENTRY_2("multiply", Both, "bool", boolean, boolean),
    ENTRY_2("maximum", Either, "bool", boolean, boolean),
    ENTRY_2("minimum", Both, "bool", boolean, boolean),
    ENTRY_2("logical_and", Both, "bool", boolean, boolean),
    ENTRY_2("logical_or", Either, "bool", boolean, boolean),
    ENTRY_1("logical_not", Not, "bool", boolean, boolean),
    FLOATS_2("divide", Divide),
    CAREFUL_2("power", Power, "f32", float),
    ENTRY_2("power", Power, "f64", double, double),
    FLOATS_2("arctan2", Arctan2),
    FLOATS_2("hypot", Hypot),
    FLOATS_2("logaddexp", LogAddExp),
    FLOATS_2("remainder", Remainder),
    FLOATS_2("floor_divide", FloorDivide),
    ENTRY_2("remainder", IntegerRemainder, "i64", int64_t, int64_t),
    ENTRY_2("floor_divide", IntegerFloorDivide, "i64", int64_t, int64_t),
    FLOATS_2("gate", Gate),
    FLOATS_2("masked_product", MaskedProduct),
    FLOATS_2("leaky_relu", LeakyRelu),
    FLOATS_2("elu", Elu),
    FLOATS_1("negative", Negative),
    ENTRY_1("negative", Negative, "i64", int64_t, int64_t),
    FLOATS_1("square", Square),
    ENTRY_1("square", Square, "i64", int64_t, int64_t),
    FLOATS_1("abs", FloatAbsolute),
    ENTRY_1("abs", Absolute, "i64", int64_t, int64_t),
    FLOATS_1("sign", Sign),
    ENTRY_1("sign", Sign, "i64", int64_t, int64_t),
    FLOATS_1("relu", Relu),
    ENTRY_1("relu", Relu, "i64", int64_t, int64_t),
    FLOATS_1("reciprocal", Reciprocal),
    FLOATS_1("sqrt", Sqrt),
    FLOATS_1("cbrt", Cbrt),
    FLOATS_1("exp", Exp),
    FLOATS_1("exp2", Exp2),
    FLOATS_1("expm1", Expm1),
    FLOATS_1("log", Log),
    FLOATS_1("log2", Log2),
    FLOATS_1("log10", Log10),
    FLOATS_1("log1p", Log1p),
    CAREFUL_1("sin", Sin, "f32", float),
    CAREFUL_1("sin", Sin, "f64", double),
    CAREFUL_1("cos", Cos, "f32", float),
    CAREFUL_1("cos", Cos, "f64", double),
    FLOATS_1("tan", Tan),
    FLOATS_1("arcsin", Arcsin),
    FLOATS_1("arccos", Arccos),
    FLOATS_1("arctan", Arctan),
    FLOATS_1("sinh", Sinh),
    FLOATS_1("cosh", Cosh),
    FLOATS_1("tanh", Tanh),
    FLOATS_1("arcsinh", Arcsinh),
    FLOATS_1("arccosh", Arccosh),
    FLOATS_1("arctanh", Arctanh),
    FLOATS_1("erf", Erf),
    FLOATS_1("sigmoid", Sigmoid),
    FLOATS_1("silu", Silu),
    FLOATS_1("gelu", Gelu),
    FLOATS_1("softplus", Softplus),
    FLOATS_1("floor", Floor),
    FLOATS_1("ceil", Ceil),
    FLOATS_1("trunc", Trunc),
    FLOATS_1("rint", Rint),
    TESTS("isnan", IsNan),
    TESTS("isfinite", IsFinite),
    TESTS("isinf", IsInf),
    COMPARISONS("greater", Greater),
    COMPARISONS("greater_equal", GreaterEqual),
    COMPARISONS("less", Less),
    COMPARISONS("less_equal", LessEqual),
    COMPARISONS("equal", Equal),
    COMPARISONS("not_equal", NotEqual),
    ENTRY_3("where", "f32", float),
    ENTRY_3("where", "f64", double),
    ENTRY_3("where", "i64", int64_t),
    ENTRY_3("where", "i32", int32_t),
    ENTRY_3("where", "bool", boolean),
    CONVERSIONS(float, "f32"),
    CONVERSIONS(double, "f64"),
    CONVERSIONS(int64_t, "i64"),
    CONVERSIONS(int32_t, "i32"),
    ENTRY_1("convert.bool", IsTrue, "f32", boolean, float),
    ENTRY_1("convert.bool", IsTrue, "f64", boolean, double),
    ENTRY_1("convert.bool", IsTrue, "i64", boolean, int64_t),
    ENTRY_1("convert.bool", IsTrue, "i32", boolean, int32_t),
    ENTRY_1("convert.bool", IsTrue, "bool", boolean, boolean),
};

}  // namespace

const KernelTable& table() {
    static constexpr int count = sizeof(entries) / sizeof(entries[0]);
    static const KernelTable kernels = [] {
        KernelTable made{entries, count, row_kernels_f32(), row_kernels_f64(), row_kernels_i64()};
        made.f32.loops = chain_loops<float>(Chains{});
        made.f64.loops = chain_loops<double>(Chains{});
        return made;
    }();
    return kernels;
}

}  // namespace chainrule::CHAINRULE_SIMD
