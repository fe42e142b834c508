// Which step runs an operation; steps too small for a file of their own.

#include "steps.hpp"

#include <cmath>
#include <cstring>

#include "extent.hpp"
#include "philox.hpp"
#include "ranged.hpp"

namespace chainrule {
namespace {

class RandomUniform final : public Ranged<RandomUniform> {
public:
    RandomUniform(const Slot& key, const Slot& out, int64_t stream)
        : key_(key), out_(out), count_(entries(out)), stream_(static_cast<uint64_t>(stream)),
          is_float_(out.dtype == DType::f32) {
        divide((count_ + 3) / 4, 4 * static_cast<double>(count_));
    }

    // Blocks of four numbers, as the generator makes them.
    void part(Frame& frame, int64_t begin, int64_t end) {
        uint64_t key[2];
        std::memcpy(key, key_.in(frame), sizeof key);
        Philox generator(key[0], stream_, key[1], static_cast<uint64_t>(begin));
        char* out = out_.in(frame);
        const int64_t last = std::min(count_, 4 * end);
        for (int64_t i = 4 * begin; i < last; ++i) {
            const uint64_t bits = generator.next();
            if (is_float_)
                reinterpret_cast<float*>(out)[i] = static_cast<float>(bits >> 40) * 0x1p-24f;
            else reinterpret_cast<double*>(out)[i] = static_cast<double>(bits >> 11) * 0x1p-53;
        }
    }

private:
    Place key_, out_;
    int64_t count_;
    uint64_t stream_;
    bool is_float_;
};

class Callback final : public Step {
public:
    explicit Callback(int number) : number_(number) {}
    void run(Frame& frame) override { (*frame.call)(number_); }

private:
    int number_;
};

class CheckFinite final : public Step {
public:
    explicit CheckFinite(const Slot& slot) : place_(slot), is_float_(slot.dtype == DType::f32) {}
    void run(Frame& frame) override {
        const char* at = place_.in(frame);
        const double value = is_float_ ? static_cast<double>(*reinterpret_cast<const float*>(at))
                                       : *reinterpret_cast<const double*>(at);
        frame.stopped = !std::isfinite(value);
    }

private:
    Place place_;
    bool is_float_;
};

}  // namespace

std::unique_ptr<Step> make_step(const Description& d, const Op& op, Scratch& scratch) {
    switch (op.code) {
        case OpCode::callback: return std::make_unique<Callback>(static_cast<int>(op.ints[0]));
        case OpCode::check_finite: return std::make_unique<CheckFinite>(d.input(op, 0));
        case OpCode::scan: return make_scan(d, op, scratch);
        default: break;
    }
    if (entries(d.output(op, 0)) == 0) return nullptr;
    switch (op.code) {
        case OpCode::elementwise: return make_elementwise(d, op, scratch);
        case OpCode::reduce: return make_reduce(d, op, scratch);
        case OpCode::map_rows: return make_map_rows(d, op, scratch);
        case OpCode::cross_entropy: return make_cross_entropy(d, op, scratch);
        case OpCode::multiply: return make_multiply(d, op, scratch);
        case OpCode::argsort: return make_argsort(d, op, scratch);
        case OpCode::matrices: return make_matrices(d, op, scratch);
        case OpCode::gather:
        case OpCode::scatter_add: return make_indexed(d, op, scratch);
        case OpCode::combine_rows:
        case OpCode::first_rows:
        case OpCode::put_rows: return make_table_rows(d, op, scratch);
        default:
            return std::make_unique<RandomUniform>(d.input(op, 0), d.output(op, 0), op.ints[0]);
    }
}

}  // namespace chainrule
