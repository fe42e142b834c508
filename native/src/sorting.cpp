// The order of the entries of rows, by merging: equal entries stay in the order they have.
//
// Source: D. E. Knuth, The Art of Computer Programming, volume 3 (1998), section 5.2.4.

#include "ranged.hpp"
#include "row_access.hpp"

namespace chainrule {
namespace {

// What is no number comes last.
template <class T>
bool before(T a, T b) {
    return a < b || (b != b && a == a);
}

constexpr int64_t run_length = 16;

// The order of n entries, in `order`; `other` has room for as many numbers.
template <class T>
void sort(const T* x, int64_t* order, int64_t* other, int64_t n) {
    for (int64_t start = 0; start < n; start += run_length) {
        const int64_t end = std::min(start + run_length, n);
        for (int64_t i = start; i < end; ++i) {
            int64_t at = i;
            for (; at > start && before(x[i], x[order[at - 1]]); --at) order[at] = order[at - 1];
            order[at] = i;
        }
    }
    int64_t *from = order, *to = other;
    for (int64_t width = run_length; width < n; width *= 2) {
        for (int64_t start = 0; start < n; start += 2 * width) {
            const int64_t middle = std::min(start + width, n), end = std::min(middle + width, n);
            int64_t left = start, right = middle;
            for (int64_t at = start; at < end; ++at) {
                const bool take_right =
                    left == middle || (right < end && before(x[from[right]], x[from[left]]));
                to[at] = take_right ? from[right++] : from[left++];
            }
        }
        std::swap(from, to);
    }
    if (from != order) std::memcpy(order, from, static_cast<size_t>(n) * sizeof *order);
}

class ArgSort final : public Ranged<ArgSort> {
public:
    ArgSort(const Slot& in, const Slot& out, Scratch& scratch)
        : dtype_(in.dtype), in_(in, 1), out_(out, 1),
          row_bytes_((in_.length * in_.item + 63) / 64 * 64) {
        scratch.need(row_bytes_ + 16 * in_.length);
        divide(in_.count, 20.0 * static_cast<double>(in_.count * in_.length));
    }

    void part(Frame& frame, int64_t begin, int64_t end) {
        auto* order = reinterpret_cast<int64_t*>(frame.scratch + row_bytes_);
        for (int64_t row = begin; row < end; ++row) {
            const char* x = in_.packed(frame, row, frame.scratch);
            switch (dtype_) {
                case DType::f32: sort_as<float>(x, order); break;
                case DType::f64: sort_as<double>(x, order); break;
                case DType::i64: sort_as<int64_t>(x, order); break;
                case DType::i32: sort_as<int32_t>(x, order); break;
                default: sort_as<uint8_t>(x, order);
            }
            out_.unpack(frame, row, reinterpret_cast<char*>(order));
        }
    }

private:
    template <class T>
    void sort_as(const char* x, int64_t* order) const {
        sort(reinterpret_cast<const T*>(x), order, order + in_.length, in_.length);
    }

    DType dtype_;
    Rows in_, out_;
    int64_t row_bytes_;
};

}  // namespace

std::unique_ptr<Step> make_argsort(const Description& d, const Op& op, Scratch& scratch) {
    return std::make_unique<ArgSort>(d.input(op, 0), d.output(op, 0), scratch);
}

}  // namespace chainrule
