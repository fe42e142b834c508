// Steps on rows of a table that index arrays name, when the table is too tall to be looked at.

#include "row_access.hpp"

namespace chainrule {
namespace {

// The first entry of each row that an array of indices names, found by a hash table: the work grows
// with the number of indices and not with the height of the table.
class FirstEntries {
public:
    FirstEntries(const Slot& indices, int64_t height, Scratch& scratch)
        : place_(indices), count_(entries(indices)), height_(height) {
        while ((int64_t{1} << bits_) < 2 * count_) ++bits_;
        scratch.need(bytes());
    }

    // For each entry the number of the first one that names the same row, in scratch memory.
    const int32_t* find(const Frame& frame) const {
        const int64_t* indices = reinterpret_cast<const int64_t*>(place_.in(frame));
        int32_t* slots = reinterpret_cast<int32_t*>(frame.scratch);
        int32_t* firsts = slots + capacity();
        std::memset(slots, 0xff, static_cast<size_t>(capacity()) * sizeof(int32_t));
        for (int64_t i = 0; i < count_; ++i) {
            const int64_t row = checked(indices[i], height_, 0);
            uint64_t at = static_cast<uint64_t>(row) * 0x9E3779B97F4A7C15u >> (64 - bits_);
            while (slots[at] >= 0 && checked(indices[slots[at]], height_, 0) != row)
                at = (at + 1) & static_cast<uint64_t>(capacity() - 1);
            if (slots[at] < 0) slots[at] = static_cast<int32_t>(i);
            firsts[i] = slots[at];
        }
        return firsts;
    }

    int64_t count() const { return count_; }

private:
    int64_t capacity() const { return int64_t{1} << bits_; }
    int64_t bytes() const { return (capacity() + count_) * static_cast<int64_t>(sizeof(int32_t)); }

    Place place_;
    int64_t count_, height_;
    int bits_ = 1;
};

// Each row becomes the sum of all rows of the same index.
class CombineRows final : public Step {
public:
    CombineRows(const Description& d, const Op& op, Scratch& scratch)
        : firsts_(d.input(op, 0), op.ints[0], scratch), rows_(d.input(op, 1)),
          out_(d.output(op, 0)), length_(entries(d.output(op, 0)) / firsts_.count()),
          is_float_(d.output(op, 0).dtype == DType::f32) {}

    void run(Frame& frame) override {
        if (is_float_) combine<float>(frame);
        else combine<double>(frame);
    }

private:
    template <class T>
    void combine(const Frame& frame) const {
        const int32_t* firsts = firsts_.find(frame);
        const T* rows = reinterpret_cast<const T*>(rows_.in(frame));
        T* out = reinterpret_cast<T*>(out_.in(frame));
        const size_t bytes = static_cast<size_t>(length_) * sizeof(T);
        for (int64_t i = 0; i < firsts_.count(); ++i) {
            const T* row = rows + i * length_;
            T* sum = out + firsts[i] * length_;
            if (firsts[i] == i) std::memcpy(sum, row, bytes);
            else
                for (int64_t j = 0; j < length_; ++j) sum[j] += row[j];
        }
        for (int64_t i = 0; i < firsts_.count(); ++i)
            if (firsts[i] != i) std::memcpy(out + i * length_, out + firsts[i] * length_, bytes);
    }

    FirstEntries firsts_;
    Place rows_, out_;
    int64_t length_;
    bool is_float_;
};

// Whether each index is the first that names its row.
class FirstRows final : public Step {
public:
    FirstRows(const Description& d, const Op& op, Scratch& scratch)
        : firsts_(d.input(op, 0), op.ints[0], scratch), out_(d.output(op, 0)) {}

    void run(Frame& frame) override {
        const int32_t* firsts = firsts_.find(frame);
        char* out = out_.in(frame);
        for (int64_t i = 0; i < firsts_.count(); ++i) out[i] = firsts[i] == i;
    }

private:
    FirstEntries firsts_;
    Place out_;
};

// Rows written over those of a table; of several for one row the first stays.
class PutRows final : public Step {
public:
    PutRows(const Description& d, const Op& op)
        : indices_(d.input(op, 0)), rows_(d.input(op, 1)), table_(d.output(op, 0)),
          count_(entries(d.input(op, 0))), height_(d.output(op, 0).shape[0]),
          bytes_(entries(d.output(op, 0)) / height_ * item_size(d.output(op, 0).dtype)) {}

    void run(Frame& frame) override {
        const int64_t* indices = reinterpret_cast<const int64_t*>(indices_.in(frame));
        const char* rows = rows_.in(frame);
        char* table = table_.in(frame);
        for (int64_t i = count_ - 1; i >= 0; --i)
            std::memcpy(table + checked(indices[i], height_, 0) * bytes_, rows + i * bytes_,
                        static_cast<size_t>(bytes_));
    }

private:
    Place indices_, rows_, table_;
    int64_t count_, height_, bytes_;
};

}  // namespace

std::unique_ptr<Step> make_table_rows(const Description& d, const Op& op, Scratch& scratch) {
    switch (op.code) {
        case OpCode::combine_rows: return std::make_unique<CombineRows>(d, op, scratch);
        case OpCode::first_rows: return std::make_unique<FirstRows>(d, op, scratch);
        default: return std::make_unique<PutRows>(d, op);
    }
}

}  // namespace chainrule
