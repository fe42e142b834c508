// The LSTM objective of objectives/lstm.py by hand: value, and gradient by back-propagation through
// time. What a compiled, specialised program takes, for comparison; see engines/cpp.py.
//
// The loops over bits are free of branches and of calls that do not vectorise, and the number of
// bits is known to the compiler. exp and tanh are polynomials (W. J. Cody and W. Waite, Software
// Manual for the Elementary Functions, 1980, with coefficients by Taylor's series), good to a few
// units in the last place.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int bits = 14;
constexpr int padded = 16;  // whole vectors; the last two entries are zeros with weights of zero

struct alignas(64) Row {
    double of[padded];
};

// e^x for |x| < 708: x = k ln 2 + r, and a series for e^r with |r| <= ln 2 / 2.
inline double exponential(double x) {
    x = x < -708.0 ? -708.0 : x > 708.0 ? 708.0 : x;
    const double shifted = x * 1.4426950408889634 + 6755399441055744.0;  // rounds to whole k
    int64_t k;
    std::memcpy(&k, &shifted, sizeof k);
    const double whole = shifted - 6755399441055744.0;
    double r = x - whole * 0.69314718036912382;
    r -= whole * 1.9082149292705877e-10;
    double p = 1.6059043836821613e-10;
    p = p * r + 2.0876756987868099e-09;
    p = p * r + 2.5052108385441719e-08;
    p = p * r + 2.7557319223985893e-07;
    p = p * r + 2.7557319223985891e-06;
    p = p * r + 2.4801587301587302e-05;
    p = p * r + 1.9841269841269841e-04;
    p = p * r + 1.3888888888888889e-03;
    p = p * r + 8.3333333333333332e-03;
    p = p * r + 4.1666666666666664e-02;
    p = p * r + 1.6666666666666666e-01;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    const int64_t scale = static_cast<int64_t>(static_cast<uint64_t>(k) << 52) + 0x3ff0000000000000;
    double power;
    std::memcpy(&power, &scale, sizeof power);
    return p * power;
}
inline double sigmoid(double x) { return 1.0 / (1.0 + exponential(-x)); }
inline double hyperbolic(double x) { return 1.0 - 2.0 / (exponential(2.0 * x) + 1.0); }

// What a step of a layer leaves for the way back.
struct Step {
    Row x, h, c, forget, entering, leaving, change, tanh_c;
};

struct Layer {
    Row weight[4], bias[4];  // forget, entering, leaving, change
};

class Model {
public:
    Model(int layers, int characters, const double* main, const double* extra, const double* state,
          const double* sequence)
        : layers_(static_cast<size_t>(layers)), steps_(static_cast<size_t>(characters) - 1),
          layer_(layers_), first_(2 * layers_), sequence_(steps_ + 1), tape_(steps_ * layers_),
          predicted_(steps_), weight_(steps_) {
        for (auto& layer : layer_)
            for (Row* row : {layer.weight, layer.bias})
                for (int gate = 0; gate < 4; ++gate) load(row[gate], main);
        for (Row& row : extra_) load(row, extra);
        for (Row& row : first_) load(row, state);
        for (Row& row : sequence_) load(row, sequence);
    }

    double value() {
        std::vector<Row>& carry = carry_;
        carry = first_;
        double total = 0.0;
        for (size_t t = 0; t < steps_; ++t) {
            Row x;
            for (int i = 0; i < padded; ++i) x.of[i] = sequence_[t].of[i] * extra_[0].of[i];
            for (size_t l = 0; l < layers_; ++l)
                forward(layer_[l], tape_[t * layers_ + l], carry[2 * l], carry[2 * l + 1], x);
            const Row& gold = sequence_[t + 1];
            Row& y = predicted_[t];
            double sum = 2.0, chosen = 0.0, count = 0.0;
            Row e;
            for (int i = 0; i < padded; ++i) {
                y.of[i] = x.of[i] * extra_[1].of[i] + extra_[2].of[i];
                e.of[i] = exponential(y.of[i]);
            }
            for (int i = 0; i < bits; ++i) {
                sum += e.of[i];
                chosen += gold.of[i] * y.of[i];
                count += gold.of[i];
            }
            total += chosen - count * std::log(sum);
            // The derivative of the step's term by y is gold - count * softmax.
            const double share = count / sum;
            for (int i = 0; i < padded; ++i) weight_[t].of[i] = gold.of[i] - share * e.of[i];
        }
        return -total / scale();
    }

    // The gradient by main and extra parameters.
    void gradient(double* main, double* extra) {
        value();
        std::vector<Layer> slope(layers_, Layer{});
        Row extra_slope[3] = {};
        std::vector<Row> back(2 * layers_, Row{});
        const double factor = -1.0 / scale();
        for (size_t t = steps_; t-- > 0;) {
            const Step& last = tape_[t * layers_ + layers_ - 1];
            Row dx;
            for (int i = 0; i < padded; ++i) {
                const double dy = i < bits ? weight_[t].of[i] * factor : 0.0;
                extra_slope[1].of[i] += dy * last.leaving.of[i] * last.tanh_c.of[i];
                extra_slope[2].of[i] += dy;
                dx.of[i] = dy * extra_[1].of[i];
            }
            for (size_t l = layers_; l-- > 0;)
                backward(layer_[l], slope[l], tape_[t * layers_ + l], back[2 * l], back[2 * l + 1],
                         dx);
            for (int i = 0; i < padded; ++i) extra_slope[0].of[i] += dx.of[i] * sequence_[t].of[i];
        }
        for (const Layer& layer : slope)
            for (const Row* row : {layer.weight, layer.bias})
                for (int gate = 0; gate < 4; ++gate) store(row[gate], main);
        for (const Row& row : extra_slope) store(row, extra);
    }

private:
    double scale() const { return static_cast<double>(steps_) * bits; }
    static void load(Row& row, const double*& from) {
        row = Row{};
        for (int i = 0; i < bits; ++i) row.of[i] = *from++;
    }
    static void store(const Row& row, double*& to) {
        for (int i = 0; i < bits; ++i) *to++ = row.of[i];
    }

    static void forward(const Layer& p, Step& s, Row& h, Row& c, Row& x) {
        for (int i = 0; i < padded; ++i) {
            s.x.of[i] = x.of[i];
            s.h.of[i] = h.of[i];
            s.c.of[i] = c.of[i];
            const double forget = sigmoid(x.of[i] * p.weight[0].of[i] + p.bias[0].of[i]);
            const double entering = sigmoid(h.of[i] * p.weight[1].of[i] + p.bias[1].of[i]);
            const double leaving = sigmoid(x.of[i] * p.weight[2].of[i] + p.bias[2].of[i]);
            const double change = hyperbolic(h.of[i] * p.weight[3].of[i] + p.bias[3].of[i]);
            const double cell = c.of[i] * forget + entering * change;
            const double tanh_c = hyperbolic(cell);
            s.forget.of[i] = forget;
            s.entering.of[i] = entering;
            s.leaving.of[i] = leaving;
            s.change.of[i] = change;
            s.tanh_c.of[i] = tanh_c;
            c.of[i] = cell;
            h.of[i] = x.of[i] = leaving * tanh_c;
        }
    }

    // dh and dc: by the layer's state after the step, then before it; dx: by its output, then
    // input.
    static void backward(const Layer& p, Layer& d, const Step& s, Row& dh, Row& dc, Row& dx) {
        for (int i = 0; i < padded; ++i) {
            const double out = dh.of[i] + dx.of[i];
            const double tanh_c = s.tanh_c.of[i], forget = s.forget.of[i];
            const double entering = s.entering.of[i], leaving = s.leaving.of[i];
            const double change = s.change.of[i];
            const double cell = dc.of[i] + out * leaving * (1.0 - tanh_c * tanh_c);
            const double z0 = cell * s.c.of[i] * forget * (1.0 - forget);
            const double z1 = cell * change * entering * (1.0 - entering);
            const double z2 = out * tanh_c * leaving * (1.0 - leaving);
            const double z3 = cell * entering * (1.0 - change * change);
            d.weight[0].of[i] += z0 * s.x.of[i];
            d.weight[1].of[i] += z1 * s.h.of[i];
            d.weight[2].of[i] += z2 * s.x.of[i];
            d.weight[3].of[i] += z3 * s.h.of[i];
            d.bias[0].of[i] += z0;
            d.bias[1].of[i] += z1;
            d.bias[2].of[i] += z2;
            d.bias[3].of[i] += z3;
            dc.of[i] = cell * forget;
            dh.of[i] = z1 * p.weight[1].of[i] + z3 * p.weight[3].of[i];
            dx.of[i] = z0 * p.weight[0].of[i] + z2 * p.weight[2].of[i];
        }
    }

    size_t layers_, steps_;
    std::vector<Layer> layer_;
    Row extra_[3];
    std::vector<Row> first_, carry_, sequence_;
    std::vector<Step> tape_;
    std::vector<Row> predicted_, weight_;
};

}  // namespace

#if defined(_WIN32)
#define EXPORTED extern "C" __declspec(dllexport)
#else
#define EXPORTED extern "C"
#endif

// Copies the arrays: (layers, 2, 4, 14), (3, 14), (layers, 2, 14) and (characters, 14).
EXPORTED void* lstm_new(int layers, int characters, const double* main, const double* extra,
                        const double* state, const double* sequence) {
    return new Model(layers, characters, main, extra, state, sequence);
}
EXPORTED void lstm_delete(void* model) { delete static_cast<Model*>(model); }
EXPORTED double lstm_value(void* model) { return static_cast<Model*>(model)->value(); }
EXPORTED void lstm_gradient(void* model, double* main, double* extra) {
    static_cast<Model*>(model)->gradient(main, extra);
}
