// Steps that take rows to numbers or to rows: sums, softmax, cross-entropy.

#include "row_access.hpp"

namespace chainrule {
namespace {

// What rows take on one thread, roughly: so much for each entry, and something for each row.
double row_nanoseconds(const Rows& rows, double entry) {
    return static_cast<double>(rows.count) * (10 + entry * static_cast<double>(rows.length));
}

class Reduce final : public Ranged<Reduce> {
public:
    Reduce(const Slot& in, const Slot& out, RowReduction kind, size_t axes, Scratch& scratch)
        : rows_(in, axes), out_(out), item_(item_size(out.dtype)),
          kernel_(row_kernels(in.dtype).reduce[static_cast<size_t>(kind)]),
          columns_(row_kernels(in.dtype).sum_columns) {
        const auto& outer = rows_.outer();
        by_columns_ = kind == RowReduction::sum && columns_ && !outer.empty() &&
                      outer.back().stride == 1 && rows_.inner().size() == 1;
        if (!rows_.one_run) scratch.need(rows_.length * rows_.item);
        divide(rows_.count, row_nanoseconds(rows_, kind == RowReduction::logsumexp ? 2 : 0.2),
               by_columns_ ? 64 : 1);
    }

    void part(Frame& frame, int64_t begin, int64_t end) {
        char* out = out_.in(frame);
        if (rows_.length == 0) {
            std::memset(out + begin * item_, 0, static_cast<size_t>((end - begin) * item_));
            return;
        }
        if (by_columns_) {
            const int64_t columns = rows_.outer().back().length;
            while (begin < end) {
                const int64_t count = std::min(columns - begin % columns, end - begin);
                columns_(out + begin * item_, rows_.begin(frame, begin), rows_.length, count,
                         rows_.inner()[0].stride);
                begin += count;
            }
            return;
        }
        for (int64_t row = begin; row < end; ++row)
            kernel_(out + row * item_, rows_.packed(frame, row, frame.scratch), rows_.length);
    }

private:
    Rows rows_;
    Place out_;
    int64_t item_;
    void (*kernel_)(void*, const void*, int64_t);
    void (*columns_)(void*, const void*, int64_t, int64_t, int64_t);
    bool by_columns_;
};

class MapRows final : public Ranged<MapRows> {
public:
    MapRows(const Slot& in, const Slot& out, RowMap kind, double parameter, Scratch& scratch)
        : in_(in, 1), out_(out, 1), parameter_(parameter),
          kernel_(row_kernels(in.dtype).map[static_cast<size_t>(kind)]),
          short_(row_kernels(in.dtype).softmax_short) {
        is_short_ = kind == RowMap::softmax && in_.length <= short_row && in_.end_to_end() &&
                    out_.end_to_end();
        scratch.need(in_.length * in_.item);
        divide(in_.count, row_nanoseconds(in_, 2));
    }

    void part(Frame& frame, int64_t begin, int64_t end) {
        if (is_short_) {
            short_(out_.begin(frame, begin), in_.begin(frame, begin), end - begin, in_.length);
            return;
        }
        for (int64_t row = begin; row < end; ++row) {
            const char* from = in_.packed(frame, row, frame.scratch);
            char* to = out_.one_run ? out_.begin(frame, row) : frame.scratch;
            kernel_(to, from, in_.length, parameter_);
            if (!out_.one_run) out_.unpack(frame, row, frame.scratch);
        }
    }

private:
    Rows in_, out_;
    double parameter_;
    bool is_short_;
    void (*kernel_)(void*, const void*, int64_t, double);
    void (*short_)(void*, const void*, int64_t, int64_t);
};

class CrossEntropy final : public Ranged<CrossEntropy> {
public:
    CrossEntropy(const Slot& logits, const Slot& labels, const Slot& out, Scratch& scratch)
        : logits_(logits, 1), labels_(labels, 0), out_(out), is_float_(out.dtype == DType::f32),
          last_(logits.shape.size() - 1),
          is_short_(logits_.length <= short_row && logits_.end_to_end()),
          kernel_(row_kernels(out.dtype).reduce[static_cast<size_t>(RowReduction::logsumexp)]),
          short_(row_kernels(out.dtype).logsumexp_short) {
        scratch.need(logits_.length * logits_.item);
        divide(logits_.count, row_nanoseconds(logits_, 2));
    }

    void part(Frame& frame, int64_t begin, int64_t end) {
        if (is_float_) part_as<float>(frame, begin, end);
        else part_as<double>(frame, begin, end);
    }

private:
    template <class T>
    void part_as(Frame& frame, int64_t begin, int64_t end) {
        T* out = reinterpret_cast<T*>(out_.in(frame));
        if (is_short_) {
            short_(out + begin, logits_.begin(frame, begin), end - begin, logits_.length);
            if (labels_.is_even()) return subtract_chosen(frame, out, begin, end);
        }
        for (int64_t row = begin; row < end; ++row) {
            const T* x = reinterpret_cast<const T*>(logits_.packed(frame, row, frame.scratch));
            const int64_t label = *reinterpret_cast<const int64_t*>(labels_.begin(frame, row));
            const T chosen = x[checked(label, logits_.length, last_)];
            if (!is_short_) kernel_(out + row, x, logits_.length);
            out[row] -= chosen;
        }
    }

    template <class T>
    void subtract_chosen(const Frame& frame, T* out, int64_t begin, int64_t end) const {
        const T* x = reinterpret_cast<const T*>(logits_.begin(frame, begin));
        const auto* label = reinterpret_cast<const int64_t*>(labels_.begin(frame, begin));
        const int64_t length = logits_.length, step = labels_.spacing();
        for (int64_t row = begin; row < end; ++row, x += length, label += step)
            out[row] -= x[checked(*label, length, last_)];
    }

    Rows logits_, labels_;
    Place out_;
    bool is_float_;
    size_t last_;
    bool is_short_;
    void (*kernel_)(void*, const void*, int64_t);
    void (*short_)(void*, const void*, int64_t, int64_t);
};

}  // namespace

std::unique_ptr<Step> make_reduce(const Description& d, const Op& op, Scratch& scratch) {
    return std::make_unique<Reduce>(d.input(op, 0), d.output(op, 0),
                                    static_cast<RowReduction>(op.ints[0]),
                                    static_cast<size_t>(op.ints[1]), scratch);
}

std::unique_ptr<Step> make_map_rows(const Description& d, const Op& op, Scratch& scratch) {
    return std::make_unique<MapRows>(d.input(op, 0), d.output(op, 0),
                                     static_cast<RowMap>(op.ints[0]), op.floats[0], scratch);
}

std::unique_ptr<Step> make_cross_entropy(const Description& d, const Op& op, Scratch& scratch) {
    return std::make_unique<CrossEntropy>(d.input(op, 0), d.input(op, 1), d.output(op, 0), scratch);
}

}  // namespace chainrule
