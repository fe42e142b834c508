// Compares what programs compute on this processor with plain loops in long double: functions,
// products, rows and threads. Run once for each instruction set (CHAINRULE_SIMD names it), natively
// or in an emulator; needs neither Python nor a BLAS.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "chainrule/cpu.hpp"
#include "chainrule/program.hpp"

using namespace chainrule;
using Real = long double;

namespace {

int checks = 0, wrong = 0;
std::mt19937_64 generator(0);

template <class T>
constexpr DType dtype_of = std::is_same_v<T, float>    ? DType::f32
                           : std::is_same_v<T, double> ? DType::f64
                                                       : DType::i64;

template <class T>
const char* suffix() {
    return std::is_same_v<T, float> ? ".f32" : ".f64";
}

template <class T>
std::vector<T> uniform(size_t n, double low, double high) {
    std::uniform_real_distribution<double> between(low, high);
    std::vector<T> values(n);
    for (T& value : values) value = static_cast<T>(between(generator));
    return values;
}

// Whether `found` is off by more than so many units in the last place of `scale`.
template <class T>
void expect(T found, Real expected, Real scale, double units, const std::string& what) {
    ++checks;
    const Real size = std::fabs(scale) > 0 ? std::fabs(scale) : 1;
    const Real unit = std::ldexp(Real{1}, std::ilogb(size) - (std::is_same_v<T, float> ? 23 : 52));
    const Real error = std::fabs(static_cast<Real>(found) - expected);
    if (error <= static_cast<Real>(units) * unit) return;
    if (++wrong <= 20)
        std::printf("%s: %.17g, expected %.17Lg, off by %.1Lf units\n", what.c_str(),
                    static_cast<double>(found), expected, error / unit);
}

// An op list of one operation.
class Trial {
public:
    Trial(OpCode code, std::vector<int64_t> ints = {}, std::vector<double> floats = {}) {
        op_.code = code;
        op_.ints = std::move(ints);
        op_.floats = std::move(floats);
    }
    template <class T>
    void input(std::vector<T>& data, std::vector<int64_t> shape, std::vector<int64_t> strides) {
        op_.inputs.push_back(add(Buffer::Kind::input, data, std::move(shape), std::move(strides)));
        inputs_.push_back(reinterpret_cast<char*>(data.data()));
    }
    template <class T>
    void output(std::vector<T>& data, std::vector<int64_t> shape, std::vector<int64_t> strides) {
        op_.outputs.push_back(
            add(Buffer::Kind::output, data, std::move(shape), std::move(strides)));
        outputs_.push_back(reinterpret_cast<char*>(data.data()));
    }
    void instruction(const std::string& kernel, int operands) {
        const KernelTable& table = kernels();
        for (int i = 0; i < table.block_count; ++i)
            if (kernel == table.blocks[i].name) {
                op_.block.push_back({i, {0, operands > 1 ? 1 : 0, operands > 2 ? 2 : 0}});
                op_.results = {operands};
                return;
            }
        std::printf("no kernel %s\n", kernel.c_str());
        ++wrong;
    }
    void run(int threads = 1, int times = 1) {
        description_.ops = {op_};
        Program program(description_);
        const std::function<void(int)> call;
        for (int i = 0; i < times; ++i)
            program.run(inputs_.data(), outputs_.data(), call, false, 1, {}, {}, 0, threads);
    }

private:
    template <class T>
    int add(Buffer::Kind kind, const std::vector<T>& data, std::vector<int64_t> shape,
            std::vector<int64_t> strides) {
        const int number = static_cast<int>(description_.buffers.size());
        description_.buffers.push_back(
            {kind, static_cast<int64_t>(data.size() * sizeof(T)), std::string()});
        description_.slots.push_back(
            {number, 0, dtype_of<T>, std::move(shape), std::move(strides)});
        return number;
    }

    Description description_;
    Op op_;
    std::vector<char*> inputs_, outputs_;
};

struct Function {
    const char* name;
    Real (*exact)(Real);
    double low, high, units;
};

const Function functions[] = {
    {"exp", [](Real x) { return std::exp(x); }, -87, 88, 2},
    {"expm1", [](Real x) { return std::expm1(x); }, -3, 3, 2},
    {"log", [](Real x) { return std::log(x); }, 1e-30, 100, 2},
    {"log1p", [](Real x) { return std::log1p(x); }, -0.9, 9, 2},
    {"tanh", [](Real x) { return std::tanh(x); }, -12, 12, 3},
    {"sigmoid", [](Real x) { return 1 / (1 + std::exp(-x)); }, -30, 30, 4},
    {"erf", [](Real x) { return std::erf(x); }, -4, 4, 4},
    {"sqrt", [](Real x) { return std::sqrt(x); }, 0, 1e6, 1},
    {"reciprocal", [](Real x) { return 1 / x; }, 0.5, 1e6, 1},
    {"sin", [](Real x) { return std::sin(x); }, -3, 3, 2},
    {"arctan", [](Real x) { return std::atan(x); }, -9, 9, 2},
    {"cbrt", [](Real x) { return std::cbrt(x); }, 0, 1e6, 4},  // the C library's
    {"square", [](Real x) { return x * x; }, -9, 9, 1},
    {"relu", [](Real x) { return x > 0 ? x : 0; }, -9, 9, 0},
    {"abs", [](Real x) { return std::fabs(x); }, -9, 9, 0},
    {"rint", [](Real x) { return std::rint(x); }, -9, 9, 0},
};

struct Operator {
    const char* name;
    Real (*exact)(Real, Real);
};

const Operator operators[] = {
    {"add", [](Real x, Real y) { return x + y; }},
    {"subtract", [](Real x, Real y) { return x - y; }},
    {"multiply", [](Real x, Real y) { return x * y; }},
    {"divide", [](Real x, Real y) { return x / y; }},
    {"maximum", [](Real x, Real y) { return x > y ? x : y; }},
    {"minimum", [](Real x, Real y) { return x < y ? x : y; }},
    {"gate", [](Real x, Real y) { return y > 0 ? x : 0; }},
};

const int64_t lengths[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 1023, 2500};

template <class T>
void elementwise() {
    for (const Function& f : functions)
        for (int64_t n : lengths) {
            auto x = uniform<T>(static_cast<size_t>(n), f.low, f.high);
            std::vector<T> y(x.size());
            Trial trial(OpCode::elementwise);
            trial.input(x, {n}, {1});
            trial.output(y, {n}, {1});
            trial.instruction(std::string(f.name) + suffix<T>(), 1);
            trial.run();
            for (size_t i = 0; i < x.size(); ++i) {
                const Real exact = f.exact(x[i]);
                expect(y[i], exact, exact, f.units, f.name + std::string(suffix<T>()));
            }
        }
    for (const Operator& f : operators)
        for (int64_t n : lengths)
            for (int single = 0; single < 3; ++single) {  // which operand is one number for all
                auto x = uniform<T>(static_cast<size_t>(single == 1 ? 1 : n), -4, 4);
                auto y = uniform<T>(static_cast<size_t>(single == 2 ? 1 : n), 0.5, 4);
                std::vector<T> z(static_cast<size_t>(n));
                Trial trial(OpCode::elementwise);
                trial.input(x, {n}, {single == 1 ? 0 : 1});
                trial.input(y, {n}, {single == 2 ? 0 : 1});
                trial.output(z, {n}, {1});
                trial.instruction(std::string(f.name) + suffix<T>(), 2);
                trial.run();
                for (size_t i = 0; i < z.size(); ++i) {
                    const Real exact = f.exact(x[single == 1 ? 0 : i], y[single == 2 ? 0 : i]);
                    expect(z[i], exact, exact, 1, f.name + std::string(suffix<T>()));
                }
            }
}

template <class T>
void product(int64_t m, int64_t n, int64_t k, int layout) {
    const bool a_turned = layout & 1, b_turned = layout & 2, with_bias = layout & 4;
    auto a = uniform<T>(static_cast<size_t>(m * k), -1, 1);
    auto b = uniform<T>(static_cast<size_t>(k * n), -1, 1);
    auto bias = uniform<T>(static_cast<size_t>(n), -1, 1);
    const int64_t gate_kind = k % 3;  // none, open where positive, factors
    auto gate = uniform<T>(static_cast<size_t>(m * n), -1, 1);
    std::vector<T> c(static_cast<size_t>(m * n), T{99});
    // With a bias comes the rectifier.
    Trial trial(OpCode::multiply, {with_bias, with_bias, gate_kind});
    trial.input(a, {m, k}, a_turned ? std::vector<int64_t>{1, m} : std::vector<int64_t>{k, 1});
    trial.input(b, {k, n}, b_turned ? std::vector<int64_t>{1, k} : std::vector<int64_t>{n, 1});
    if (with_bias) trial.input(bias, {n}, {1});
    if (gate_kind > 0) trial.input(gate, {m, n}, {n, 1});
    trial.output(c, {m, n}, {n, 1});
    trial.run();
    for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
            Real sum = with_bias ? bias[static_cast<size_t>(j)] : 0, size = 1;
            for (int64_t p = 0; p < k; ++p) {
                const auto left = static_cast<size_t>(a_turned ? i + p * m : i * k + p);
                const auto right = static_cast<size_t>(b_turned ? p + j * k : p * n + j);
                const Real term = static_cast<Real>(a[left]) * b[right];
                sum += term;
                size += std::fabs(term);
            }
            if (with_bias && sum < 0) sum = 0;
            const Real factor = gate[static_cast<size_t>(i * n + j)];
            if (gate_kind > 0) sum *= gate_kind == 2 ? factor : factor > 0 ? Real{1} : Real{0};
            expect(c[static_cast<size_t>(i * n + j)], sum, size, 8,
                   "product " + std::to_string(m) + " " + std::to_string(n) + " " +
                       std::to_string(k) + " layout " + std::to_string(layout) + suffix<T>());
        }
}

template <class T>
void products() {
    const int64_t sides[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 25, 32, 33, 65};
    for (int64_t m : sides)
        for (int64_t n : sides) product<T>(m, n, 1 + (m * 7 + n * 3) % 40, (m + n) % 8);
    for (int layout = 0; layout < 8; ++layout) {
        product<T>(50, 70, 900, layout);
        product<T>(67, 130, 31, layout);
        product<T>(130, 3, 64, layout);
        product<T>(5, 300, 64, layout);
    }
}

template <class T>
Real reduced(RowReduction kind, const T* x, int64_t n) {
    Real sum = 0, product = 1, top = x[0], low = x[0];
    int64_t highest = 0, lowest = 0;
    for (int64_t i = 0; i < n; ++i) {
        sum += kind == RowReduction::norm        ? static_cast<Real>(x[i]) * x[i]
               : kind == RowReduction::logsumexp ? std::exp(static_cast<Real>(x[i]))
                                                 : static_cast<Real>(x[i]);
        product *= x[i];
        if (x[i] > x[highest]) highest = i;
        if (x[i] < x[lowest]) lowest = i;
        top = x[highest];
        low = x[lowest];
    }
    switch (kind) {
        case RowReduction::max: return top;
        case RowReduction::min: return low;
        case RowReduction::prod: return product;
        case RowReduction::logsumexp: return std::log(sum);
        case RowReduction::norm: return std::sqrt(sum);
        case RowReduction::argmax: return static_cast<Real>(highest);
        case RowReduction::argmin: return static_cast<Real>(lowest);
        default: return sum;
    }
}

template <class T>
void rows() {
    for (int64_t n : lengths)
        for (int kind = 0; kind < row_reductions; ++kind) {
            const auto reduction = static_cast<RowReduction>(kind);
            const bool position = reduction >= RowReduction::argmax;
            auto x = uniform<T>(static_cast<size_t>(3 * n), 0.9, 1.1);
            std::vector<T> y(3);
            std::vector<int64_t> places(3);
            Trial trial(OpCode::reduce, {kind, 1});
            trial.input(x, {3, n}, {n, 1});
            if (position) trial.output(places, {3}, {1});
            else trial.output(y, {3}, {1});
            trial.run();
            for (size_t row = 0; row < 3; ++row) {
                const Real exact = reduced(reduction, x.data() + static_cast<int64_t>(row) * n, n);
                const std::string what = "reduction " + std::to_string(kind) + suffix<T>();
                if (position) expect<double>(static_cast<double>(places[row]), exact, 1, 0, what);
                else expect(y[row], exact, exact, kind == 3 ? static_cast<double>(n) : 8, what);
            }
        }
    for (int64_t n : lengths)
        for (int kind = 0; kind < row_maps; ++kind) {
            auto x = uniform<T>(static_cast<size_t>(n), -2, 2);
            std::vector<T> y(x.size());
            Trial trial(OpCode::map_rows, {kind}, {1e-3});
            trial.input(x, {1, n}, {n, 1});
            trial.output(y, {1, n}, {n, 1});
            trial.run();
            Real sum = 0, total = 0, squares = 0, running = 0, sizes = 0;
            for (T v : x) {
                sum += std::exp(static_cast<Real>(v));
                total += v;
            }
            const auto count = static_cast<Real>(n);
            for (T v : x) squares += (v - total / count) * (v - total / count);
            for (size_t i = 0; i < x.size(); ++i) {
                running += x[i];
                sizes += std::fabs(static_cast<Real>(x[i]));
                const Real deviation = std::sqrt(squares / count + 1e-3L);
                const Real exact[] = {std::exp(static_cast<Real>(x[i])) / sum,
                                      static_cast<Real>(x[i]) - std::log(sum), running,
                                      (x[i] - total / count) / deviation};
                const Real scale[] = {exact[0], std::log(sum) + 2, sizes + 1, 2 / deviation};
                expect(y[i], exact[kind], scale[kind], kind == 2 ? 64 : 8,
                       "map " + std::to_string(kind) + suffix<T>());
            }
        }
}

// Several threads: the same bits.
template <class T>
void threads() {
    const int64_t n = 60'001, m = 150;
    auto x = uniform<T>(static_cast<size_t>(n), -4, 4);
    auto a = uniform<T>(static_cast<size_t>(m * m), -1, 1);
    std::vector<T> expected, found(x.size()), square(a.size());
    for (int count = 1; count <= 4; ++count) {
        Trial chain(OpCode::elementwise);
        chain.input(x, {n}, {1});
        chain.output(found, {n}, {1});
        chain.instruction(std::string("tanh") + suffix<T>(), 1);
        chain.run(count, 20);
        Trial product(OpCode::multiply, {0, 0, 0});
        product.input(a, {m, m}, {m, 1});
        product.input(a, {m, m}, {1, m});
        product.output(square, {m, m}, {m, 1});
        product.run(count, 20);
        std::vector<T> both = found;
        both.insert(both.end(), square.begin(), square.end());
        if (count == 1) expected = both;
        ++checks;
        if (std::memcmp(both.data(), expected.data(), both.size() * sizeof(T)) != 0) {
            std::printf("%d threads: other bits than one thread's\n", count);
            ++wrong;
        }
    }
}

template <class T>
void all() {
    elementwise<T>();
    products<T>();
    rows<T>();
    threads<T>();
}

}  // namespace

int main() {
    all<float>();
    all<double>();
    std::printf("%s: %d checks, %d wrong\n", name(supported_level()), checks, wrong);
    return wrong == 0 ? 0 : 1;
}
