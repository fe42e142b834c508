// Logistic regression on the products of two rows with a few others: losses, and what each pair
// moves by. Included by the files that are compiled once for each instruction set.
#pragma once

#include <math.h>

#include "chainrule/words/kernels.hpp"
#include "logistic.hpp"
#include "vectors.hpp"

namespace chainrule::words::CHAINRULE_SIMD {
namespace {

template <int number>
struct Number {
    static constexpr int value = number;
};

// The losses of a piece. Logarithms are taken of products, one for all factors of a lane.
class Losses {
public:
    // Adds `part` and, for every lane, ln(factor) with 1 <= factor <= 2.
    void add(Vector part, Vector factor) {
        sum_ += part;
        product_ *= factor;
        if (++terms_ == 60) settle();
    }
    double total() {
        settle();
        float products[width];
        int32_t powers[width];
        store(products, product_);
        __builtin_memcpy(powers, &powers_, sizeof powers);
        for (int i = 0; i < width; ++i)
            total_ += 0.6931471805599453 * powers[i] + static_cast<double>(logf(products[i]));
        product_ = splat(1.0f);
        powers_ = Whole{};
        return total_;
    }

private:
    // Keeps the product between 1 and 2, and the powers of two that it has lost.
    void settle() {
        float sums[width];
        store(sums, sum_);
        for (int i = 0; i < width; ++i) total_ += static_cast<double>(sums[i]);
        sum_ = Vector{};
        Whole bits;
        __builtin_memcpy(&bits, &product_, sizeof bits);
        powers_ += (bits >> 23) - 127;
        bits = (bits & 0x7fffff) | 0x3f800000;
        __builtin_memcpy(&product_, &bits, sizeof bits);
        terms_ = 0;
    }

    Vector sum_ = {}, product_ = splat(1.0f);
    Whole powers_ = {};
    int terms_ = 0;
    double total_ = 0.0;
};

// Added to what is no product: where there is no pair, the loss is nothing.
template <int n, int rows>
struct Padding {
    constexpr Padding() {
        for (int i = 0; i < widest; ++i)
            lane[i] = i % lanes < n && i / lanes < rows ? 0.0f : -1000.0f;
    }
    float lane[widest] = {};
};
template <int n, int rows>
constexpr Padding<n, rows> padding;

// Turns the products of pairs of rows with others, sixteen numbers for two rows, into what each
// pair moves by: -rate times the derivative of its loss, weighted or not. Several sixteens go in
// step.
//
// labels(k), weights(k) and no_pairs(k) give those of the k-th sixteen; the last is a Padding's.
template <bool weighted, int count, class Labels, class Weights, class NoPairs>
inline void errors(float* products, Labels labels, Weights weights, NoPairs no_pairs, float rate,
                   Losses& losses) {
    constexpr int vectors = count * parts;
    const Vector zero{}, one = splat(1.0f), least = splat(lowest);
    Sixteen label[count];
    for (int k = 0; k < count; ++k) label[k] = labels(k);
    // A label of 1 is one of 0 with all signs turned.
    Vector sign[vectors], dot[vectors], e[vectors], probability[vectors];
    in_step<vectors>([&](int v) {
        const Vector said = label[v / parts].part[v % parts];
        sign[v] = one - (said + said);
        dot[v] =
            sign[v] * load(products + v * width) + load(no_pairs(v / parts) + v % parts * width);
        e[v] = larger(least, negative(dot[v]));
    });
    exp_of_negative<Vector, Whole, vectors>(e);
    in_step<vectors>([&](int v) { probability[v] = (dot[v] < zero ? e[v] : one) / (one + e[v]); });
    in_step<vectors>([&](int v) {
        const Vector move = splat(-rate) * sign[v] * probability[v], linear = larger(zero, dot[v]);
        if constexpr (weighted) {
            const Vector weight = weights(v / parts).part[v % parts];
            store(products + v * width, weight * move);
            losses.add(weight * (linear + log_of_one_plus(e[v])), one);
        } else {
            store(products + v * width, move);
            losses.add(linear, one + e[v]);
        }
    });
}

}  // namespace
}  // namespace chainrule::words::CHAINRULE_SIMD
