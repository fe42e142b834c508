// Operations that are not elementwise.

#include "steps.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

#include "extent.hpp"
#include "philox.hpp"
#include "strided.hpp"

namespace chainrule {
namespace {

const RowKernels& row_kernels(DType dtype) {
    return dtype == DType::f32 ? kernels().f32 : kernels().f64;
}

int64_t product_of(const std::vector<int64_t>& lengths, size_t from, size_t to) {
    int64_t product = 1;
    for (size_t i = from; i < to; ++i) product *= lengths[i];
    return product;
}

std::vector<Axis> axes_of(const Slot& slot, size_t from, size_t to) {
    return collapsed(slot.shape.data() + from, slot.strides.data() + from, to - from);
}

bool is_one_run(const std::vector<Axis>& axes) {
    return axes.empty() || (axes.size() == 1 && axes[0].stride == 1);
}

// The rows of an array along some last axes: where each begins, and its entries as one run.
class Rows {
public:
    Rows(const Slot& slot, size_t axes)
        : place(slot), item(item_size(slot.dtype)),
          count(product_of(slot.shape, 0, slot.shape.size() - axes)),
          length(product_of(slot.shape, slot.shape.size() - axes, slot.shape.size())),
          outer_(axes_of(slot, 0, slot.shape.size() - axes)),
          inner_(axes_of(slot, slot.shape.size() - axes, slot.shape.size())),
          one_run(is_one_run(inner_)) {}

    char* begin(const Frame& frame, int64_t row) const {
        const int64_t position =
            outer_.size() == 1 ? row * outer_[0].stride : position_of(outer_, row);
        return place.in(frame) + position * item;
    }
    // The row where it lies, or copied to `memory`.
    char* packed(const Frame& frame, int64_t row, char* memory) const {
        char* start = begin(frame, row);
        if (one_run) return start;
        copy_range<false>(item, memory, start, inner_, 0, length);
        return memory;
    }
    void unpack(const Frame& frame, int64_t row, char* memory) const {
        copy_range<true>(item, memory, begin(frame, row), inner_, 0, length);
    }
    const std::vector<Axis>& outer() const { return outer_; }
    const std::vector<Axis>& inner() const { return inner_; }

    Place place;
    int64_t item, count, length;

private:
    std::vector<Axis> outer_, inner_;

public:
    bool one_run;
};

class WithScratch : public Step {
public:
    void take_scratch(char* memory) override { memory_ = memory; }

protected:
    char* memory_ = nullptr;
};

class Reduce final : public WithScratch {
public:
    Reduce(const Slot& in, const Slot& out, RowReduction kind, size_t axes, Scratch& scratch)
        : rows_(in, axes), out_(out), item_(item_size(out.dtype)),
          kernel_(row_kernels(in.dtype).reduce[static_cast<size_t>(kind)]),
          columns_(row_kernels(in.dtype).sum_columns) {
        const auto& outer = rows_.outer();
        by_columns_ = kind == RowReduction::sum && !outer.empty() && outer.back().stride == 1 &&
                      rows_.inner().size() == 1;
        if (!rows_.one_run) scratch.need(rows_.length * rows_.item);
    }

    void run(Frame& frame) override {
        char* out = out_.in(frame);
        if (rows_.length == 0) {
            std::memset(out, 0, static_cast<size_t>(rows_.count * item_));
            return;
        }
        if (by_columns_) {
            const int64_t columns = rows_.outer().back().length;
            for (int64_t row = 0; row < rows_.count; row += columns)
                columns_(out + row * item_, rows_.begin(frame, row), rows_.length, columns,
                         rows_.inner()[0].stride);
            return;
        }
        for (int64_t row = 0; row < rows_.count; ++row)
            kernel_(out + row * item_, rows_.packed(frame, row, memory_), rows_.length);
    }

private:
    Rows rows_;
    Place out_;
    int64_t item_;
    void (*kernel_)(void*, const void*, int64_t);
    void (*columns_)(void*, const void*, int64_t, int64_t, int64_t);
    bool by_columns_;
};

class MapRows final : public WithScratch {
public:
    MapRows(const Slot& in, const Slot& out, RowMap kind, double parameter, Scratch& scratch)
        : in_(in, 1), out_(out, 1), parameter_(parameter),
          kernel_(row_kernels(in.dtype).map[static_cast<size_t>(kind)]) {
        scratch.need(in_.length * in_.item);
    }

    void run(Frame& frame) override {
        for (int64_t row = 0; row < in_.count; ++row) {
            const char* from = in_.packed(frame, row, memory_);
            char* to = out_.one_run ? out_.begin(frame, row) : memory_;
            kernel_(to, from, in_.length, parameter_);
            if (!out_.one_run) out_.unpack(frame, row, memory_);
        }
    }

private:
    Rows in_, out_;
    double parameter_;
    void (*kernel_)(void*, const void*, int64_t, double);
};

// `index`, counted from the end where it is negative.
int64_t checked(int64_t index, int64_t length, size_t axis) {
    const int64_t wrapped = index < 0 ? index + length : index;
    if (wrapped < 0 || wrapped >= length)
        throw std::out_of_range("index " + std::to_string(index) + " is out of bounds for axis " +
                                std::to_string(axis) + " with size " + std::to_string(length));
    return wrapped;
}

class CrossEntropy final : public WithScratch {
public:
    CrossEntropy(const Slot& logits, const Slot& labels, const Slot& out, Scratch& scratch)
        : logits_(logits, 1), labels_(labels, 0), out_(out), is_float_(out.dtype == DType::f32),
          last_(logits.shape.size() - 1),
          kernel_(row_kernels(out.dtype).reduce[static_cast<size_t>(RowReduction::logsumexp)]) {
        scratch.need(logits_.length * logits_.item);
    }

    void run(Frame& frame) override {
        if (is_float_) run_as<float>(frame);
        else run_as<double>(frame);
    }

private:
    template <class T>
    void run_as(Frame& frame) {
        T* out = reinterpret_cast<T*>(out_.in(frame));
        for (int64_t row = 0; row < logits_.count; ++row) {
            const T* x = reinterpret_cast<const T*>(logits_.packed(frame, row, memory_));
            const int64_t label = *reinterpret_cast<const int64_t*>(labels_.begin(frame, row));
            const T chosen = x[checked(label, logits_.length, last_)];
            T total;
            kernel_(&total, x, logits_.length);
            out[row] = total - chosen;
        }
    }

    Rows logits_, labels_;
    Place out_;
    bool is_float_;
    size_t last_;
    void (*kernel_)(void*, const void*, int64_t);
};

// Gathers from, or adds to, entries or rows of `whole` that index arrays name.
class Indexed final : public WithScratch {
public:
    Indexed(const Description& d, const Op& op, bool scatter, Scratch& scratch)
        : scatter_(scatter), dtype_(d.slots[static_cast<size_t>(op.outputs[0])].dtype),
          whole_(slot(d, scatter ? op.outputs[0] : op.inputs[0]), inner_axes(d, op, scatter)),
          picked_(slot(d, scatter ? op.inputs[0] : op.outputs[0]), inner_axes(d, op, scatter)) {
        const Slot& whole = slot(d, scatter ? op.outputs[0] : op.inputs[0]);
        for (size_t i = 1; i < op.inputs.size(); ++i)
            indices_.push_back(
                {Rows(slot(d, op.inputs[i]), 0), whole.shape[i - 1], whole.strides[i - 1]});
        bytes_ = entries(whole) * whole_.item;
        scratch.need(picked_.length * picked_.item);
    }

    void run(Frame& frame) override {
        char* base = whole_.place.in(frame);
        if (scatter_) std::memset(base, 0, static_cast<size_t>(bytes_));
        const auto row_bytes = static_cast<size_t>(whole_.length * whole_.item);
        for (int64_t row = 0; row < picked_.count; ++row) {
            int64_t position = 0;
            for (size_t i = 0; i < indices_.size(); ++i) {
                const Index& index = indices_[i];
                const auto entry =
                    *reinterpret_cast<const int64_t*>(index.entries.begin(frame, row));
                position += checked(entry, index.length, i) * index.stride;
            }
            char* at = base + position * whole_.item;
            if (scatter_) {
                add(at, picked_.packed(frame, row, memory_));
            } else if (whole_.one_run) {
                std::memcpy(picked_.begin(frame, row), at, row_bytes);
            } else {
                copy_range<false>(whole_.item, picked_.begin(frame, row), at, whole_.inner(), 0,
                                  whole_.length);
            }
        }
    }

private:
    struct Index {
        Rows entries;
        int64_t length, stride;
    };

    static const Slot& slot(const Description& d, int index) {
        return d.slots[static_cast<size_t>(index)];
    }
    static size_t inner_axes(const Description& d, const Op& op, bool scatter) {
        return slot(d, scatter ? op.outputs[0] : op.inputs[0]).shape.size() -
               (op.inputs.size() - 1);
    }
    void add(char* to, const char* from) const {
        if (dtype_ == DType::f32) add_as<float>(to, from);
        else if (dtype_ == DType::f64) add_as<double>(to, from);
        else add_as<uint64_t>(to, from);
    }
    template <class T>
    void add_as(char* to, const char* from) const {
        T* sum = reinterpret_cast<T*>(to);
        const T* term = reinterpret_cast<const T*>(from);
        for (int64_t i = 0; i < picked_.length; ++i) sum[i] += term[i];
    }

    bool scatter_;
    DType dtype_;
    Rows whole_, picked_;
    std::vector<Index> indices_;
    int64_t bytes_;
};

template <class T, class Integer>
using Gemm = void (*)(const char*, const char*, const Integer*, const Integer*, const Integer*,
                      const T*, const T*, const Integer*, const T*, const Integer*, const T*, T*,
                      const Integer*);

class Multiply final : public WithScratch {
public:
    Multiply(const Description& d, const Op& op, Scratch& scratch)
        : a_(slot(d, op.inputs[0]), 2), b_(slot(d, op.inputs[1]), 2), c_(slot(d, op.outputs[0]), 2),
          bias_(slot(d, op.inputs.back())), has_bias_(op.inputs.size() == 3),
          dtype_(slot(d, op.outputs[0]).dtype) {
        const Slot &a = slot(d, op.inputs[0]), &b = slot(d, op.inputs[1]),
                   &c = slot(d, op.outputs[0]);
        const size_t n = c.shape.size();
        // A stride along an axis of length 1 says nothing; BLAS wants it to look regular.
        const auto stride = [](const Slot& s, size_t axis, int64_t otherwise) {
            return s.shape[axis] == 1 ? otherwise : s.strides[axis];
        };
        product_ = {c.shape[n - 2],
                    c.shape[n - 1],
                    a.shape[n - 1],
                    nullptr,
                    a.strides[n - 2],
                    stride(a, n - 1, 1),
                    nullptr,
                    b.strides[n - 2],
                    stride(b, n - 1, 1),
                    nullptr,
                    stride(c, n - 2, c.shape[n - 1]),
                    nullptr,
                    op.ints[0] != 0,
                    nullptr};
        if (a.shape[n - 2] == 1) product_.a_row = std::max<int64_t>(product_.k, 1);
        if (b.shape[n - 2] == 1) product_.b_row = std::max<int64_t>(product_.n, 1);
        const bool loaded =
            dtype_ == DType::f32 ? blas().sgemm != nullptr : blas().dgemm != nullptr;
        const double work = static_cast<double>(product_.m) * static_cast<double>(product_.n) *
                            static_cast<double>(product_.k);
        use_blas_ = loaded && work >= static_cast<double>(blas_threshold()) &&
                    fits(product_.a_row, product_.a_column, product_.m, product_.k) &&
                    fits(product_.b_row, product_.b_column, product_.k, product_.n) &&
                    product_.c_row >= product_.n &&
                    std::max({product_.m, product_.n, product_.k, product_.c_row}) < INT32_MAX;
        scratch.need(product_scratch);
    }

    void run(Frame& frame) override {
        const RowKernels& table = row_kernels(dtype_);
        product_.scratch = memory_;
        if (has_bias_) product_.bias = bias_.in(frame);
        for (int64_t i = 0; i < c_.count; ++i) {
            product_.a = a_.begin(frame, i);
            product_.b = b_.begin(frame, i);
            product_.c = c_.begin(frame, i);
            if (!use_blas_) table.multiply(product_);
            else if (dtype_ == DType::f32) call_blas<float>(blas().sgemm);
            else call_blas<double>(blas().dgemm);
        }
    }

private:
    static const Slot& slot(const Description& d, int index) {
        return d.slots[static_cast<size_t>(index)];
    }
    // Whether rows or columns are runs of entries that do not overlap.
    static bool fits(int64_t row, int64_t column, int64_t rows, int64_t columns) {
        return (column == 1 && row >= std::max<int64_t>(columns, 1) && row < INT32_MAX) ||
               (row == 1 && column >= std::max<int64_t>(rows, 1) && column < INT32_MAX);
    }

    template <class T>
    void call_blas(void* function) {
        if (blas().wide) call_blas_of<T, int64_t>(function);
        else call_blas_of<T, int32_t>(function);
    }

    // Fortran reads rows as columns: the transposes are multiplied, in the other order.
    template <class T, class Integer>
    void call_blas_of(void* function) {
        const Product& p = product_;
        T* c = static_cast<T*>(p.c);
        const T* bias = static_cast<const T*>(p.bias);
        if (bias)
            for (int64_t i = 0; i < p.m; ++i)
                std::memcpy(c + i * p.c_row, bias, static_cast<size_t>(p.n) * sizeof(T));
        const bool a_plain = p.a_column == 1 && p.a_row >= p.k;
        const bool b_plain = p.b_column == 1 && p.b_row >= p.n;
        const char ta = a_plain ? 'N' : 'T', tb = b_plain ? 'N' : 'T';
        const auto m = static_cast<Integer>(p.m), n = static_cast<Integer>(p.n),
                   k = static_cast<Integer>(p.k);
        const auto lda = static_cast<Integer>(a_plain ? p.a_row : p.a_column);
        const auto ldb = static_cast<Integer>(b_plain ? p.b_row : p.b_column);
        const auto ldc = static_cast<Integer>(p.c_row);
        const T one = 1, beta = bias ? T{1} : T{0};
        reinterpret_cast<Gemm<T, Integer>>(function)(
            &tb, &ta, &n, &m, &k, &one, static_cast<const T*>(p.b), &ldb,
            static_cast<const T*>(p.a), &lda, &beta, c, &ldc);
        if (p.relu)
            for (int64_t i = 0; i < p.m; ++i)
                for (int64_t j = 0; j < p.n; ++j) {
                    T& v = c[i * p.c_row + j];
                    v = v <= T{0} ? T{0} : v;
                }
    }

    Rows a_, b_, c_;
    Place bias_;
    bool has_bias_, use_blas_;
    DType dtype_;
    Product product_;
};

class RandomUniform final : public Step {
public:
    RandomUniform(const Slot& key, const Slot& out, int64_t stream)
        : key_(key), out_(out), count_(entries(out)), stream_(static_cast<uint64_t>(stream)),
          is_float_(out.dtype == DType::f32) {}

    void run(Frame& frame) override {
        uint64_t key[2];
        std::memcpy(key, key_.in(frame), sizeof key);
        Philox generator(key[0], stream_, key[1]);
        char* out = out_.in(frame);
        for (int64_t i = 0; i < count_; ++i) {
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
    const auto in = [&](size_t i) -> const Slot& {
        return d.slots[static_cast<size_t>(op.inputs[i])];
    };
    const auto out = [&](size_t i) -> const Slot& {
        return d.slots[static_cast<size_t>(op.outputs[i])];
    };
    switch (op.code) {
        case OpCode::callback: return std::make_unique<Callback>(static_cast<int>(op.ints[0]));
        case OpCode::check_finite: return std::make_unique<CheckFinite>(in(0));
        default: break;
    }
    if (entries(out(0)) == 0) return nullptr;
    switch (op.code) {
        case OpCode::elementwise: return make_elementwise(d, op, scratch);
        case OpCode::reduce:
            return std::make_unique<Reduce>(in(0), out(0), static_cast<RowReduction>(op.ints[0]),
                                            static_cast<size_t>(op.ints[1]), scratch);
        case OpCode::map_rows:
            return std::make_unique<MapRows>(in(0), out(0), static_cast<RowMap>(op.ints[0]),
                                             op.floats[0], scratch);
        case OpCode::cross_entropy:
            return std::make_unique<CrossEntropy>(in(0), in(1), out(0), scratch);
        case OpCode::multiply: return std::make_unique<Multiply>(d, op, scratch);
        case OpCode::gather: return std::make_unique<Indexed>(d, op, false, scratch);
        case OpCode::scatter_add: return std::make_unique<Indexed>(d, op, true, scratch);
        default: return std::make_unique<RandomUniform>(in(0), out(0), op.ints[0]);
    }
}

}  // namespace chainrule
