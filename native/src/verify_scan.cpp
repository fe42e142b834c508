// Refuses loops whose bodies could leave the arrays that they are bound to.

#include <algorithm>

#include "extent.hpp"
#include "verify.hpp"

namespace chainrule {
namespace {

class ScanVerifier {
public:
    ScanVerifier(const Description& d, const Op& op) : d_(d), op_(op) {}

    void verify() {
        require(op_.ints.size() >= scan_ints && op_.ints[0] >= 0 &&
                    op_.ints[0] < static_cast<int64_t>(d_.bodies.size()),
                "a scan without its body");
        body_ = &d_.bodies[static_cast<size_t>(op_.ints[0])];
        const size_t buffers = body_->buffers.size();
        require(op_.ints.size() == scan_ints + 4 * buffers, "a scan whose body is not bound");
        length_ = op_.ints[1];
        require(length_ >= 0 && length_ <= largest, "a scan of an impossible length");
        require(op_.ints[2] == 0 || op_.ints[2] == 1, "a scan in an impossible direction");
        bound_.assign(op_.outputs.size(), false);
        items_.assign(buffers, 1);
        for (const Slot& slot : body_->slots) {
            int64_t& item = items_[static_cast<size_t>(slot.buffer)];
            item = std::max(item, item_size(slot.dtype));
        }
        followed_.assign(buffers, 0);
        for (size_t i = 0; i < buffers; ++i) bind(i);
        for (size_t i = 0; i < buffers; ++i) {
            const auto binding = static_cast<Binding>(row(i)[0]);
            const bool carry = binding == Binding::carried || binding == Binding::recorded;
            require(followed_[i] == (carry ? 1 : 0), "a carry without one successor");
        }
    }

private:
    const int64_t* row(size_t buffer) const { return op_.ints.data() + scan_ints + 4 * buffer; }

    void bind(size_t buffer) {
        using Kind = Buffer::Kind;
        const int64_t* ints = row(buffer);
        require(ints[0] >= 0 && ints[0] < bindings, "a buffer bound in an unknown way");
        switch (static_cast<Binding>(ints[0])) {
            case Binding::whole:
                is(buffer, Kind::input);
                return covers(buffer, operand(ints[1]), 0);
            case Binding::entry:
                is(buffer, Kind::input);
                return covers(buffer, operand(ints[1]), 1);
            case Binding::workspace:
                is(buffer, Kind::arena);
                return written(buffer, result(ints[1]), 0);
            case Binding::written_entry:
                is(buffer, Kind::output);
                return written(buffer, result(ints[1]), 1);
            case Binding::updated: is(buffer, Kind::updated_input); return state(buffer);
            case Binding::carried:
                is(buffer, Kind::input);
                state(buffer);
                return written(buffer, result(ints[3]), 0);
            case Binding::recorded:
                is(buffer, Kind::input);
                state(buffer);
                return written(buffer, result(ints[3]), 1);
            case Binding::next:
                is(buffer, Kind::output);
                require(ints[1] >= 0 && ints[1] < static_cast<int64_t>(followed_.size()),
                        "a successor of a carry that is not there");
                ++followed_[static_cast<size_t>(ints[1])];
                require(bytes(buffer) == bytes(static_cast<size_t>(ints[1])) &&
                            items_[buffer] <= items_[static_cast<size_t>(ints[1])],
                        "a successor of another size than its carry");
        }
    }

    int64_t bytes(size_t buffer) const { return body_->buffers[buffer].bytes; }

    void is(size_t buffer, Buffer::Kind kind) const {
        require(body_->buffers[buffer].kind == kind, "a buffer bound as one of another kind");
    }

    const Slot& operand(int64_t number) const {
        require(number >= 0 && number < static_cast<int64_t>(op_.inputs.size()),
                "a buffer bound to an operand that is not there");
        return d_.input(op_, static_cast<size_t>(number));
    }

    const Slot& result(int64_t number) {
        require(number >= 0 && number < static_cast<int64_t>(op_.outputs.size()),
                "a buffer bound to a result that is not there");
        require(!bound_[static_cast<size_t>(number)], "two buffers bound to one result");
        bound_[static_cast<size_t>(number)] = true;
        return d_.output(op_, static_cast<size_t>(number));
    }

    // The first value of a carry and the place of its last.
    void state(size_t buffer) {
        const Slot &first = operand(row(buffer)[1]), &last = result(row(buffer)[2]);
        require(is_contiguous(first) && size_of(first, 0) == bytes(buffer),
                "a carry that begins with another size");
        written(buffer, last, 0);
        require(size_of(last, 0) == bytes(buffer), "a carry that ends with another size");
    }

    static int64_t size_of(const Slot& slot, size_t from) {
        int64_t size = item_size(slot.dtype);
        for (size_t i = from; i < slot.shape.size(); ++i) size *= slot.shape[i];
        return size;
    }

    void written(size_t buffer, const Slot& slot, size_t skipped) const {
        require(is_contiguous(slot), "a scan whose result is not contiguous");
        covers(buffer, slot, skipped);
    }

    // Whether the array, or each of its entries, is as large as the buffer.
    void covers(size_t buffer, const Slot& slot, size_t skipped) const {
        if (skipped > 0)
            require(!slot.shape.empty() && slot.shape[0] == length_,
                    "a scan over an array of another length");
        if (skipped > 0 && length_ == 0) return;  // It never runs.
        const int64_t item = item_size(slot.dtype), wanted = items_[buffer];
        require(slot.offset % wanted == 0 && (skipped == 0 || slot.strides[0] * item % wanted == 0),
                "a scan over an array that is not aligned");
        if (size_of(slot, skipped) == 0) {
            require(bytes(buffer) == 0, "a buffer larger than what is bound to it");
            return;
        }
        int64_t reach = 1;
        for (size_t i = skipped; i < slot.shape.size(); ++i) {
            require(slot.shape[i] == 1 || slot.strides[i] >= 0, "a scan over an array backwards");
            reach += (slot.shape[i] - 1) * slot.strides[i];
        }
        require(bytes(buffer) <= reach * item, "a buffer larger than what is bound to it");
    }

    const Description& d_;
    const Op& op_;
    const Description* body_ = nullptr;
    int64_t length_ = 0;
    std::vector<bool> bound_;
    std::vector<int64_t> items_;
    std::vector<int> followed_;
};

}  // namespace

void verify_scan(const Description& description, const Op& op) {
    ScanVerifier(description, op).verify();
}

}  // namespace chainrule
