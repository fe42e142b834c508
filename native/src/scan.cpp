// Loops: a body run once for each entry of its sequences, on memory that is bound to its buffers.
//
// The body has no memory of its own. Its buffers are entries of the operands and results, which
// move on from step to step; a carry and its successor change places, or lie side by side in the
// history that is kept of it. So nothing is copied between two steps, and nothing allocated.

#include <algorithm>
#include <cstring>
#include <utility>

#include "extent.hpp"
#include "prefetch.hpp"
#include "steps.hpp"

namespace chainrule {
namespace {

class Scan final : public Step {
public:
    Scan(const Description& description, const Op& op, Scratch& scratch)
        : body_(description.bodies[static_cast<size_t>(op.ints[0])]), length_(op.ints[1]),
          backwards_(op.ints[2] != 0), base_(body_.buffers.size(), nullptr) {
        for (size_t buffer = 0; buffer < body_.buffers.size(); ++buffer)
            bind(description, op, buffer);
        for (const Op& inner : body_.ops)
            if (auto step = make_step(body_, inner, scratch)) steps_.push_back(std::move(step));
    }

    void take_scratch(const std::vector<char*>& memory) override {
        helpers_.resize(memory.size() - 1);
        for (auto& step : steps_) step->take_scratch(memory);
    }

    bool can_spread() const override {
        return std::any_of(steps_.begin(), steps_.end(),
                           [](const auto& step) { return step->can_spread(); });
    }

    void run(Frame& frame) override {
        start(frame);
        Frame inner = frame;
        inner.base = base_.data();
        if (frame.helpers) {
            for (size_t i = 0; i < helpers_.size(); ++i) {
                helpers_[i] = frame.helpers[i];
                helpers_[i].base = base_.data();
            }
            inner.helpers = helpers_.data();
        }
        for (int64_t left = length_; left > 0; --left) {
            if (left == 1)
                for (const Carry& carry : recorded_) base_[carry.after] = carry.last.in(frame);
            if (left > ahead)
                for (const Moving& moving : moving_)
                    for (int64_t line = 0; line < moving.asked; line += 64)
                        CHAINRULE_PREFETCH(base_[moving.buffer] + ahead * moving.bytes + line);
            for (auto& step : steps_) {
                step->run(inner);
                if (inner.stopped) {
                    frame.stopped = true;
                    return;
                }
            }
            for (const Moving& moving : moving_) base_[moving.buffer] += moving.bytes;
            for (const Carry& carry : carried_) std::swap(base_[carry.before], base_[carry.after]);
        }
    }

private:
    struct Fixed {
        size_t buffer;
        Place place;
    };
    struct Moving {
        size_t buffer;
        Place place;
        int64_t bytes;  // from one step to the next
        int64_t asked;  // of an entry, bytes that are fetched beforehand
    };
    struct Carry {
        size_t before, after;  // buffers of the body
        Place first, last, other;
        size_t bytes;
        int64_t entry_bytes;  // of the history, from one step to the next
    };

    // Short entries of many sequences are more streams than a processor follows by itself, and long
    // ones need no help.
    static constexpr int64_t ahead = 2, longest_asked = 1024;

    void bind(const Description& d, const Op& op, size_t buffer) {
        const int64_t* row = op.ints.data() + scan_ints + 4 * buffer;
        const auto operand = [&](int i) -> const Slot& {
            return d.input(op, static_cast<size_t>(row[i]));
        };
        const auto result = [&](int i) -> const Slot& {
            return d.output(op, static_cast<size_t>(row[i]));
        };
        const auto move = [&](const Slot& slot) {
            const int64_t bytes = slot.strides[0] * item_size(slot.dtype);
            return backwards_ ? -bytes : bytes;
        };
        const auto moves = [&](const Slot& slot) {
            const int64_t bytes = move(slot), size = slot.strides[0] * item_size(slot.dtype);
            moving_.push_back({buffer, Place(slot), bytes, size <= longest_asked ? size : 0});
        };
        switch (static_cast<Binding>(row[0])) {
            case Binding::whole: fixed_.push_back({buffer, Place(operand(1))}); break;
            case Binding::workspace: fixed_.push_back({buffer, Place(result(1))}); break;
            case Binding::entry: moves(operand(1)); break;
            case Binding::written_entry: moves(result(1)); break;
            case Binding::updated:
                fixed_.push_back({buffer, Place(result(2))});
                updated_.push_back({buffer, buffer, Place(operand(1)), Place(result(2)),
                                    Place(result(2)), bytes(operand(1)), 0});
                break;
            case Binding::carried:
                carried_.push_back({buffer, successor(op, buffer), Place(operand(1)),
                                    Place(result(2)), Place(result(3)), bytes(operand(1)), 0});
                break;
            case Binding::recorded: {
                const int64_t forth = move(result(3));
                const size_t after = successor(op, buffer);
                recorded_.push_back({buffer, after, Place(operand(1)), Place(result(2)),
                                     Place(result(3)), bytes(operand(1)), forth});
                // Both move along the history; the last step writes to its result instead.
                moving_.push_back({buffer, Place(result(3)), forth, 0});
                moving_.push_back({after, Place(result(3)), forth, 0});
                break;
            }
            case Binding::next: break;  // with the carry that it replaces
        }
    }

    static size_t bytes(const Slot& slot) {
        return static_cast<size_t>(entries(slot) * item_size(slot.dtype));
    }

    size_t successor(const Op& op, size_t buffer) const {
        size_t found = 0;
        for (size_t i = 0; i < body_.buffers.size(); ++i) {
            const int64_t* row = op.ints.data() + scan_ints + 4 * i;
            if (row[0] == static_cast<int64_t>(Binding::next) &&
                row[1] == static_cast<int64_t>(buffer))
                found = i;
        }
        return found;
    }

    // Everything in its place before the first step. Carries begin where the last of their changes
    // of place leaves them in the memory of the result.
    void start(const Frame& frame) {
        const int64_t first = backwards_ ? length_ - 1 : 0;
        for (const Fixed& fixed : fixed_) base_[fixed.buffer] = fixed.place.in(frame);
        for (const Moving& moving : moving_)
            base_[moving.buffer] =
                moving.place.in(frame) + first * (backwards_ ? -moving.bytes : moving.bytes);
        for (const Carry& carry : updated_) begin(carry.last.in(frame), carry, frame);
        for (const Carry& carry : carried_) {
            char *last = carry.last.in(frame), *other = carry.other.in(frame);
            if (length_ % 2 != 0) std::swap(last, other);
            base_[carry.before] = last;
            base_[carry.after] = other;
            begin(last, carry, frame);
        }
        for (const Carry& carry : recorded_) {
            if (length_ == 0) {
                begin(carry.last.in(frame), carry, frame);
                continue;
            }
            base_[carry.after] = base_[carry.before] + carry.entry_bytes;
            begin(base_[carry.before], carry, frame);
        }
    }

    static void begin(char* memory, const Carry& carry, const Frame& frame) {
        if (carry.bytes > 0) std::memcpy(memory, carry.first.in(frame), carry.bytes);
    }

    const Description& body_;
    int64_t length_;
    bool backwards_;
    std::vector<char*> base_;
    std::vector<Frame> helpers_;
    std::vector<Fixed> fixed_;
    std::vector<Moving> moving_;
    std::vector<Carry> updated_, carried_, recorded_;
    std::vector<std::unique_ptr<Step>> steps_;
};

}  // namespace

std::unique_ptr<Step> make_scan(const Description& description, const Op& op, Scratch& scratch) {
    return std::make_unique<Scan>(description, op, scratch);
}

}  // namespace chainrule
