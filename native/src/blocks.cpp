// Elementwise operations: a list of instructions over blocks of entries that stay in cache.
//
// Operands that are contiguous and results are used where they lie, single numbers stay single
// numbers, and everything else is copied into a block first.

#include <algorithm>
#include <climits>
#include <string>
#include <string_view>

#include "chains.hpp"
#include "extent.hpp"
#include "ranged.hpp"
#include "row_access.hpp"
#include "strided.hpp"

namespace chainrule {
namespace {

// What an instruction takes for an entry on one thread, in nanoseconds and roughly.
double nanoseconds_of(const BlockEntry& entry) {
    constexpr std::string_view quick[] = {
        "add",      "subtract", "multiply", "maximum", "minimum",       "negative",
        "square",   "abs",      "sign",     "relu",    "gate",          "masked_product",
        "where",    "divide",   "sqrt",     "greater", "greater_equal", "less",
        "convert.", "equal",    "isfinite", "logical", "not_equal",     "reciprocal",
    };
    const std::string_view name = entry.name;
    const bool is_quick = std::any_of(std::begin(quick), std::end(quick),
                                      [&](auto start) { return name.starts_with(start); });
    return (is_quick ? 0.025 : 0.25) * static_cast<double>(item_size(entry.operands[0]));
}

// Whether every entry is the same number in memory.
bool is_constant(const Slot& slot) {
    for (size_t i = 0; i < slot.shape.size(); ++i)
        if (slot.shape[i] > 1 && slot.strides[i] != 0) return false;
    return true;
}

// Chains of terms: what is computed, as text.
struct Term {
    std::string text;
};
Term term(const char* name, const Term& x) { return {std::string(name) + "(" + x.text + ")"}; }
Term term(const char* name, const Term& x, const Term& y) {
    return {std::string(name) + "(" + x.text + "," + y.text + ")"};
}
Term operator+(const Term& x, const Term& y) { return term("add", x, y); }
Term operator-(const Term& x, const Term& y) { return term("subtract", x, y); }
Term operator*(const Term& x, const Term& y) { return term("multiply", x, y); }
Term operator/(const Term& x, const Term& y) { return term("divide", x, y); }

struct Terms {
    static Term square(const Term& x) { return term("square", x); }
    static Term sqrt(const Term& x) { return term("sqrt", x); }
    static Term tanh(const Term& x) { return term("tanh", x); }
    static Term softplus(const Term& x) { return term("softplus", x); }
    static Term sigmoid(const Term& x) { return term("sigmoid", x); }
};

template <class F>
std::string text_of() {
    Term arrays[most_chain_values], singles[most_chain_values], results[most_chain_values];
    for (int i = 0; i < most_chain_values; ++i) {
        arrays[i].text = "array " + std::to_string(i);
        singles[i].text = "single " + std::to_string(i);
    }
    F::template of<Terms>(arrays, singles, results);
    std::string text;
    for (int i = 0; i < F::results; ++i) text += results[i].text + ";";
    return text;
}

template <class... F>
std::vector<std::string> texts_of(ChainList<F...>) {
    return {text_of<F>()...};
}

// The same text of an op list, all of one dtype; empty where it would become long.
class ListText {
public:
    ListText(const Description& d, const Op& op) : op_(op) {
        for (int input : op.inputs) {
            const Slot& slot = d.slots[static_cast<size_t>(input)];
            singles_.push_back(is_constant(slot) && entries(slot) > 1);
            contiguous_ = contiguous_ && (singles_.back() || is_contiguous(slot));
        }
        for (int output : op.outputs)
            contiguous_ = contiguous_ && is_contiguous(d.slots[static_cast<size_t>(output)]);
        if (!contiguous_ || op.block.empty() || op.block.size() > longest) return;
        for (int value : op.results) {
            append(value);
            text += ";";
        }
        if (text.size() > most_text) text.clear();
    }

    std::string text;
    std::vector<size_t> arrays, singles;  // inputs in the order in which they are named

private:
    static constexpr size_t longest = 24, most_text = 4096;

    void append(int value) {
        if (text.size() > most_text) return;
        const auto inputs = static_cast<int>(op_.inputs.size());
        if (value < inputs) {
            const auto input = static_cast<size_t>(value);
            auto& named = singles_[input] ? singles : arrays;
            const auto found = std::find(named.begin(), named.end(), input);
            text +=
                (singles_[input] ? "single " : "array ") + std::to_string(found - named.begin());
            if (found == named.end()) named.push_back(input);
            return;
        }
        const Instruction& instruction = op_.block[static_cast<size_t>(value - inputs)];
        const BlockEntry& entry = kernels().blocks[instruction.kernel];
        const std::string_view name = entry.name;
        text += std::string(name.substr(0, name.rfind('.'))) + "(";
        for (int i = 0; i < entry.arity; ++i) {
            if (i > 0) text += ",";
            append(instruction.operands[i]);
        }
        text += ")";
    }

    const Op& op_;
    std::vector<bool> singles_;
    bool contiguous_ = true;
};

class Elementwise final : public Ranged<Elementwise> {
public:
    Elementwise(const Description& description, const Op& op, Scratch& scratch) {
        const KernelTable& table = kernels();
        const auto slot = [&](int index) -> const Slot& {
            return description.slots[static_cast<size_t>(index)];
        };
        count_ = entries(slot(op.outputs[0]));
        const size_t inputs = op.inputs.size(), values = inputs + op.block.size();
        lies_.assign(values, Lies::scratch);
        items_.assign(values, 8);
        for (size_t i = 0; i < inputs; ++i) {
            const Slot& s = slot(op.inputs[i]);
            items_[i] = item_size(s.dtype);
            lies_[i] = is_contiguous(s) ? Lies::direct
                       : collapsed(s.shape.data(), s.strides.data(), s.shape.size()).size() == 1 &&
                               is_constant(s)
                           ? Lies::single
                           : Lies::loaded;
        }
        for (size_t t = 0; t < op.block.size(); ++t) {
            const BlockEntry& entry = table.blocks[op.block[t].kernel];
            items_[inputs + t] = item_size(entry.result);
            const int* v = op.block[t].operands;
            const auto single = [&](int i) {
                return lies_[static_cast<size_t>(v[i])] == Lies::single;
            };
            // Kernels want at least one operand that varies, and conditions always.
            if (entry.arity == 1 && single(0)) lies_[static_cast<size_t>(v[0])] = Lies::loaded;
            if (entry.arity == 2 && single(0) && single(1))
                lies_[static_cast<size_t>(v[0])] = Lies::loaded;
            if (entry.arity == 3 && single(0)) lies_[static_cast<size_t>(v[0])] = Lies::loaded;
        }
        // When each value is computed and read for the last time; results are read at the end.
        std::vector<int> last(values, -1);
        for (size_t t = 0; t < op.block.size(); ++t)
            for (int i = 0; i < table.blocks[op.block[t].kernel].arity; ++i)
                last[static_cast<size_t>(op.block[t].operands[i])] = static_cast<int>(t);
        std::vector<int> target(values, -1);
        for (size_t o = 0; o < op.results.size(); ++o) {
            const auto v = static_cast<size_t>(op.results[o]);
            const int computed = v < inputs ? INT_MAX : static_cast<int>(v - inputs);
            // An operand that this result overwrites while it is still needed is copied first.
            for (size_t i = 0; i < inputs; ++i)
                if (lies_[i] == Lies::direct && overlap(slot(op.outputs[o]), slot(op.inputs[i]))) {
                    const bool result_too = std::find(op.results.begin(), op.results.end(),
                                                      static_cast<int>(i)) != op.results.end();
                    if (last[i] > computed || result_too) lies_[i] = Lies::loaded;
                }
            if (v >= inputs && target[v] < 0 && is_contiguous(slot(op.outputs[o])))
                target[v] = static_cast<int>(o);
        }
        for (int v : op.results) last[static_cast<size_t>(v)] = INT_MAX;
        for (size_t v = inputs; v < values; ++v)
            if (target[v] >= 0) lies_[v] = Lies::direct;
        assign_registers(op, table, inputs, last);
        block_ = 1024;
        while (block_ > 256 && registers_ * block_ * 8 > 24576) block_ /= 2;
        if (count_ < block_) block_ = count_;
        register_bytes_ = (block_ * 8 + 63) / 64 * 64;
        scratch.need(register_bytes_ * registers_);
        double entry = 0;
        for (const Instruction& instruction : op.block)
            entry += nanoseconds_of(table.blocks[instruction.kernel]);
        for (size_t i = 0; i < inputs; ++i)
            entry += lies_[i] == Lies::loaded ? 1 : 0.04 * static_cast<double>(items_[i]);
        divide((count_ + block_ - 1) / block_, entry * static_cast<double>(count_));

        values_ = values;
        find_loop(description, op);
        for (size_t v = 0; v < values; ++v) {
            if (v < inputs && lies_[v] == Lies::loaded) {
                const Slot& s = slot(op.inputs[v]);
                loads_.push_back({v, Place(s), items_[v],
                                  collapsed(s.shape.data(), s.strides.data(), s.shape.size())});
            } else if (lies_[v] == Lies::direct || lies_[v] == Lies::single) {
                const Slot& s = v < inputs ? slot(op.inputs[v])
                                           : slot(op.outputs[static_cast<size_t>(target[v])]);
                places_.push_back({v, Place(s), lies_[v] == Lies::direct ? items_[v] * block_ : 0});
            }
        }
        for (size_t t = 0; t < op.block.size(); ++t) {
            const BlockEntry& entry = table.blocks[op.block[t].kernel];
            Call call{entry.run, inputs + t, {inputs + t, inputs + t, inputs + t}, 0};
            for (int i = 0; i < entry.arity; ++i) {
                call.operands[i] = static_cast<size_t>(op.block[t].operands[i]);
                if (lies_[call.operands[i]] == Lies::single) call.scalars |= 1u << i;
            }
            calls_.push_back(call);
        }
        for (size_t o = 0; o < op.results.size(); ++o) {
            const auto v = static_cast<size_t>(op.results[o]);
            if (target[v] == static_cast<int>(o)) continue;
            const Slot& s = slot(op.outputs[o]);
            stores_.push_back({v, Place(s), item_size(s.dtype),
                               collapsed(s.shape.data(), s.strides.data(), s.shape.size())});
        }
    }

    void take_scratch(const std::vector<char*>& memory) override {
        pointers_.resize(memory.size() * values_);
        for (size_t worker = 0; worker < memory.size(); ++worker)
            for (size_t v = 0; v < values_; ++v)
                if (register_of_[v] >= 0)
                    pointers_[worker * values_ + v] =
                        memory[worker] + register_of_[v] * register_bytes_;
    }

    bool has_own_loop() const override { return loop_ != nullptr; }

    void part(Frame& frame, int64_t begin, int64_t end) {
        if (loop_) {
            const int64_t start = begin * block_;
            char *results[most_chain_values], *arrays[most_chain_values];
            const char* singles[most_chain_values];
            for (size_t i = 0; i < to_.size(); ++i) results[i] = to_[i].in(frame) + start * item_;
            for (size_t i = 0; i < from_.size(); ++i)
                arrays[i] = from_[i].in(frame) + start * item_;
            for (size_t i = 0; i < single_.size(); ++i) singles[i] = single_[i].in(frame);
            loop_(results, arrays, singles, std::min(end * block_, count_) - start);
            return;
        }
        char** p = pointers_.data() + static_cast<size_t>(frame.worker) * values_;
        for (const Direct& direct : places_)
            p[direct.value] = direct.place.in(frame) + begin * direct.advance;
        for (int64_t block = begin; block < end; ++block) {
            const int64_t start = block * block_, n = std::min(block_, count_ - start);
            if (block > begin)
                for (const Direct& direct : places_) p[direct.value] += direct.advance;
            for (const Strided& load : loads_)
                copy_range<false>(load.item, p[load.value], load.place.in(frame), load.axes, start,
                                  n);
            for (const Call& call : calls_)
                call.run(p[call.result], p[call.operands[0]], p[call.operands[1]],
                         p[call.operands[2]], n, call.scalars);
            for (const Strided& store : stores_)
                this->store(store, p[store.value], store.place.in(frame), start, n);
        }
    }

private:
    enum class Lies : uint8_t { direct, single, loaded, scratch };
    struct Direct {
        size_t value;
        Place place;
        int64_t advance;
    };
    struct Strided {
        size_t value;
        Place place;
        int64_t item;
        std::vector<Axis> axes;
    };
    struct Call {
        BlockKernel run;
        size_t result, operands[3];
        unsigned scalars;
    };

    // The loop of the chain that this list is, if it is one.
    void find_loop(const Description& description, const Op& op) {
        static const std::vector<std::string> texts = texts_of(Chains{});
        const DType dtype = description.output(op, 0).dtype;
        if (dtype != DType::f32 && dtype != DType::f64) return;
        for (int slot : op.inputs)
            if (description.slots[static_cast<size_t>(slot)].dtype != dtype) return;
        for (const Instruction& step : op.block)
            if (kernels().blocks[step.kernel].result != dtype) return;
        const ListText list(description, op);
        const auto found = std::find(texts.begin(), texts.end(), list.text);
        if (found == texts.end()) return;
        loop_ = row_kernels(dtype).loops[found - texts.begin()];
        item_ = item_size(dtype);
        for (size_t input : list.arrays) from_.emplace_back(description.input(op, input));
        for (size_t input : list.singles) single_.emplace_back(description.input(op, input));
        for (size_t i = 0; i < op.outputs.size(); ++i) to_.emplace_back(description.output(op, i));
    }

    void store(const Strided& store, char* from, char* base, int64_t start, int64_t n) const {
        if (lies_[store.value] != Lies::single) {
            copy_range<true>(store.item, from, base, store.axes, start, n);
            return;
        }
        alignas(64) char copies[1024];
        const int64_t most = std::min(n, static_cast<int64_t>(sizeof copies) / store.item);
        for (int64_t i = 0; i < most; ++i)
            std::memcpy(copies + i * store.item, from, static_cast<size_t>(store.item));
        for (int64_t i = 0; i < n; i += most)
            copy_range<true>(store.item, copies, base, store.axes, start + i,
                             std::min(most, n - i));
    }

    // Values that live in scratch share it with those that are no longer needed.
    void assign_registers(const Op& op, const KernelTable& table, size_t inputs,
                          const std::vector<int>& last) {
        register_of_.assign(lies_.size(), -1);
        std::vector<int> free;
        const auto take = [&] {
            if (free.empty()) return registers_++;
            const int index = free.back();
            free.pop_back();
            return index;
        };
        for (size_t i = 0; i < inputs; ++i)
            if (lies_[i] == Lies::loaded) register_of_[i] = take();
        for (size_t t = 0; t < op.block.size(); ++t) {
            const size_t result = inputs + t;
            const int time = static_cast<int>(t);
            const int arity = table.blocks[op.block[t].kernel].arity;
            const auto release = [&](bool same_size) {
                for (int i = 0; i < arity; ++i) {
                    const auto v = static_cast<size_t>(op.block[t].operands[i]);
                    if (register_of_[v] >= 0 && last[v] == time && !released(v) &&
                        (items_[v] == items_[result]) == same_size) {
                        free.push_back(register_of_[v]);
                        released_.push_back(v);
                    }
                }
            };
            release(true);  // The result may take the place of an operand of its own size.
            if (lies_[result] == Lies::scratch) register_of_[result] = take();
            release(false);
            if (last[result] < 0 && register_of_[result] >= 0) free.push_back(register_of_[result]);
        }
    }

    bool released(size_t v) const {
        return std::find(released_.begin(), released_.end(), v) != released_.end();
    }

    int64_t count_ = 0, block_ = 0, register_bytes_ = 0;
    int registers_ = 0;
    std::vector<Lies> lies_;
    std::vector<int64_t> items_;
    std::vector<int> register_of_;
    std::vector<size_t> released_;
    size_t values_ = 0;
    std::vector<char*> pointers_;  // of each value, for each thread
    std::vector<Direct> places_;
    std::vector<Strided> loads_, stores_;
    std::vector<Call> calls_;
    ChainLoop loop_ = nullptr;
    int64_t item_ = 1;
    std::vector<Place> from_, single_, to_;
};

}  // namespace

std::unique_ptr<Step> make_elementwise(const Description& description, const Op& op,
                                       Scratch& scratch) {
    if (entries(description.slots[static_cast<size_t>(op.outputs[0])]) == 0) return nullptr;
    return std::make_unique<Elementwise>(description, op, scratch);
}

}  // namespace chainrule
