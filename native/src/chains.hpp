// Chains of instructions that have a loop of their own, in which nothing leaves the registers.
//
// Each is written once, for any kind of values. Of numbers it is the body of the loop
// (elementwise.cpp); of terms it tells for which op lists the loop stands (blocks.cpp). Arrays and
// single numbers are numbered in the order in which the results name them first.
#pragma once

namespace chainrule {
namespace {

// The update rules of optimisers; p is the parameter, g its gradient.
struct Descent {
    static constexpr int arrays = 2, singles = 1, results = 1;
    template <class M, class X>
    static void of(const X* a, const X* s, X* r) {
        const X &p = a[0], &g = a[1], &rate = s[0];
        r[0] = p - rate * g;
    }
};

struct Momentum {
    static constexpr int arrays = 3, singles = 2, results = 2;
    template <class M, class X>
    static void of(const X* a, const X* s, X* r) {
        const X &v = a[0], &g = a[1], &p = a[2], &momentum = s[0], &rate = s[1];
        const X velocity = momentum * v + g;
        r[0] = velocity;
        r[1] = p - rate * velocity;
    }
};

struct Nesterov {
    static constexpr int arrays = 3, singles = 2, results = 2;
    template <class M, class X>
    static void of(const X* a, const X* s, X* r) {
        const X &v = a[0], &g = a[1], &p = a[2], &momentum = s[0], &rate = s[1];
        const X velocity = momentum * v + g;
        r[0] = velocity;
        r[1] = p - rate * (g + momentum * velocity);
    }
};

struct Adagrad {
    static constexpr int arrays = 3, singles = 2, results = 2;
    template <class M, class X>
    static void of(const X* a, const X* s, X* r) {
        const X &sum = a[0], &g = a[1], &p = a[2], &rate = s[0], &epsilon = s[1];
        const X squares = sum + M::square(g);
        r[0] = squares;
        r[1] = p - rate * (g / (M::sqrt(squares) + epsilon));
    }
};

struct RMSprop {
    static constexpr int arrays = 3, singles = 4, results = 2;
    template <class M, class X>
    static void of(const X* a, const X* s, X* r) {
        const X &mean = a[0], &g = a[1], &p = a[2], &rate = s[2], &epsilon = s[3];
        const X squares = s[0] * mean + s[1] * M::square(g);
        r[0] = squares;
        r[1] = p - rate * (g / (M::sqrt(squares) + epsilon));
    }
};

struct Adam {
    static constexpr int arrays = 4, singles = 7, results = 3;
    template <class M, class X>
    static void of(const X* a, const X* s, X* r) {
        const X &m = a[0], &g = a[1], &v = a[2], &p = a[3], &rate = s[4], &epsilon = s[6];
        const X means = s[0] * m + s[1] * g;
        const X squares = s[2] * v + s[3] * M::square(g);
        r[0] = means;
        r[1] = squares;
        r[2] = p - rate * means / (M::sqrt(squares) * s[5] + epsilon);
    }
};

struct AdamW {
    static constexpr int arrays = 4, singles = 8, results = 3;
    template <class M, class X>
    static void of(const X* a, const X* s, X* r) {
        const X &m = a[0], &g = a[1], &v = a[2], &p = a[3], &rate = s[5], &epsilon = s[7];
        const X means = s[0] * m + s[1] * g;
        const X squares = s[2] * v + s[3] * M::square(g);
        r[0] = means;
        r[1] = squares;
        r[2] = p * s[4] - rate * means / (M::sqrt(squares) * s[6] + epsilon);
    }
};

// An activation with its derivative, and losses with theirs.
struct TanhWithSlope {
    static constexpr int arrays = 1, singles = 1, results = 2;
    template <class M, class X>
    static void of(const X* a, const X* s, X* r) {
        const X y = M::tanh(a[0]);
        r[0] = y;
        r[1] = s[0] - y * y;
    }
};

struct SigmoidLoss {
    static constexpr int arrays = 2, singles = 2, results = 2;
    template <class M, class X>
    static void of(const X* a, const X* s, X* r) {
        const X &x = a[0], &target = a[1];
        r[0] = M::softplus(x) - target * x;
        r[1] = s[0] * target + s[1] * M::sigmoid(x);
    }
};

struct ScaledSum {
    static constexpr int arrays = 2, singles = 1, results = 1;
    template <class M, class X>
    static void of(const X* a, const X* s, X* r) {
        r[0] = a[0] + s[0] * a[1];
    }
};

template <class... F>
struct ChainList {
    static constexpr int count = sizeof...(F);
};
using Chains = ChainList<Descent, Momentum, Nesterov, Adagrad, RMSprop, Adam, AdamW, TanhWithSlope,
                         SigmoidLoss, ScaledSum>;
constexpr int most_chain_values = 8;  // of each kind

}  // namespace
}  // namespace chainrule
