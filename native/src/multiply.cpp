// Products of matrices: which of the own kernels and BLAS does each.

#include "row_access.hpp"

namespace chainrule {
namespace {

template <class T, class Integer>
using Gemm = void (*)(const char*, const char*, const Integer*, const Integer*, const Integer*,
                      const T*, const T*, const Integer*, const T*, const Integer*, const T*, T*,
                      const Integer*);

class Multiply final : public Ranged<Multiply> {
public:
    Multiply(const Description& d, const Op& op, Scratch& scratch)
        : a_(d.input(op, 0), 2), b_(d.input(op, 1), 2), c_(d.output(op, 0), 2),
          has_bias_(op.ints[1] != 0), has_gate_(op.ints[2] != 0),
          bias_(d.input(op, has_bias_ ? 2 : 0)),
          gate_(d.input(op, has_gate_ ? op.inputs.size() - 1 : 0), 2),
          dtype_(d.output(op, 0).dtype) {
        const Slot &a = d.input(op, 0), &b = d.input(op, 1), &c = d.output(op, 0);
        const size_t n = c.shape.size();
        // A stride along an axis of length 1 says nothing; BLAS wants it to look regular.
        const auto stride = [](const Slot& s, size_t axis, int64_t otherwise) {
            return s.shape[axis] == 1 ? otherwise : s.strides[axis];
        };
        product_.m = c.shape[n - 2];
        product_.n = c.shape[n - 1];
        product_.k = a.shape[n - 1];
        product_.a_row = a.strides[n - 2];
        product_.a_column = stride(a, n - 1, 1);
        product_.b_row = b.strides[n - 2];
        product_.b_column = stride(b, n - 1, 1);
        product_.c_row = stride(c, n - 2, c.shape[n - 1]);
        product_.relu = op.ints[0] != 0;
        product_.times = op.ints[2] == 2;
        if (has_gate_) product_.gate_row = d.input(op, op.inputs.size() - 1).strides[n - 2];
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
        scratch.need(row_kernels(dtype_).prepare(product_));
        multiply_ = row_kernels(dtype_).multiply;
        is_single_ = c_.count == 1 && !use_blas_;
        split(work * static_cast<double>(c_.count));
    }

    void part(Frame& frame, int64_t begin, int64_t end) {
        if (is_single_ && begin == 0 && end == strips_) {
            Product p = product_;
            p.scratch = frame.scratch;
            p.a = a_.place.in(frame);
            p.b = b_.place.in(frame);
            p.c = c_.place.in(frame);
            p.bias = has_bias_ ? bias_.in(frame) : nullptr;
            p.gate = has_gate_ ? gate_.place.in(frame) : nullptr;
            multiply_(p);
            return;
        }
        const int64_t item = a_.item;
        while (begin < end) {
            const int64_t matrix = begin / strips_, first = begin % strips_;
            const int64_t last = std::min(strips_, first + end - begin);
            begin += last - first;
            Product p = product_;
            p.is_cut = false;
            p.scratch = frame.scratch;
            const char* a = a_.begin(frame, matrix);
            const char* b = b_.begin(frame, matrix);
            char* c = c_.begin(frame, matrix);
            const char* bias = has_bias_ ? bias_.in(frame) : nullptr;
            const char* gate = has_gate_ ? gate_.begin(frame, matrix) : nullptr;
            const int64_t start = first * strip_;
            if (by_columns_) {
                p.n = std::min(p.n, last * strip_) - start;
                b += start * p.b_column * item;
                c += start * item;
                if (bias) bias += start * item;
                if (gate) gate += start * item;
            } else {
                p.m = std::min(p.m, last * strip_) - start;
                a += start * p.a_row * item;
                c += start * p.c_row * item;
                if (gate) gate += start * p.gate_row * item;
            }
            p.a = a;
            p.b = b;
            p.c = c;
            p.bias = bias;
            p.gate = gate;
            if (!use_blas_) multiply_(p);
            else if (dtype_ == DType::f32) call_blas<float>(p, blas().sgemm);
            else call_blas<double>(p, blas().dgemm);
        }
    }

private:
    // Whether rows or columns are runs of entries that do not overlap.
    static bool fits(int64_t row, int64_t column, int64_t rows, int64_t columns) {
        return (column == 1 && row >= std::max<int64_t>(columns, 1) && row < INT32_MAX) ||
               (row == 1 && column >= std::max<int64_t>(rows, 1) && column < INT32_MAX);
    }

    // Strips of c along the longer side, which share the smaller operand.
    void split(double work) {
        const bool stacked = c_.count >= 8;
        by_columns_ = !stacked && product_.n >= product_.m;
        strip_ = stacked ? product_.m : by_columns_ ? 64 : 24;
        const int64_t side = by_columns_ ? product_.n : product_.m;
        strips_ = (side + strip_ - 1) / strip_;
        // BLAS may round otherwise where a matrix is cut otherwise.
        divide(c_.count * strips_, work / (dtype_ == DType::f32 ? 20 : 10), 1, use_blas_);
    }

    template <class T>
    static void call_blas(const Product& product, void* function) {
        if (blas().wide) call_blas_of<T, int64_t>(product, function);
        else call_blas_of<T, int32_t>(product, function);
    }

    // Fortran reads rows as columns: the transposes are multiplied, in the other order.
    template <class T, class Integer>
    static void call_blas_of(const Product& p, void* function) {
        T* c = static_cast<T*>(p.c);
        const bool a_plain = p.a_column == 1 && p.a_row >= p.k;
        const bool b_plain = p.b_column == 1 && p.b_row >= p.n;
        const char ta = a_plain ? 'N' : 'T', tb = b_plain ? 'N' : 'T';
        const auto m = static_cast<Integer>(p.m), n = static_cast<Integer>(p.n),
                   k = static_cast<Integer>(p.k);
        const auto lda = static_cast<Integer>(a_plain ? p.a_row : p.a_column);
        const auto ldb = static_cast<Integer>(b_plain ? p.b_row : p.b_column);
        const auto ldc = static_cast<Integer>(p.c_row);
        const T one = 1, zero = 0;
        reinterpret_cast<Gemm<T, Integer>>(function)(
            &tb, &ta, &n, &m, &k, &one, static_cast<const T*>(p.b), &ldb,
            static_cast<const T*>(p.a), &lda, &zero, c, &ldc);
        if (!p.bias && !p.relu && !p.gate) return;
        for (int64_t i = 0; i < p.m; ++i)
            finish_row(p, c + i * p.c_row, static_cast<const T*>(p.bias),
                       p.gate ? static_cast<const T*>(p.gate) + i * p.gate_row : nullptr);
    }

    // What follows the product, for a row; one loop for each, since the row stays in the cache.
    template <class T>
    static void finish_row(const Product& p, T* c, const T* bias, const T* gate) {
        if (bias)
            for (int64_t j = 0; j < p.n; ++j) c[j] += bias[j];
        if (p.relu)
            for (int64_t j = 0; j < p.n; ++j) c[j] = c[j] <= T{0} ? T{0} : c[j];
        if (gate && p.times)
            for (int64_t j = 0; j < p.n; ++j) c[j] *= gate[j];
        else if (gate)
            for (int64_t j = 0; j < p.n; ++j) c[j] *= gate[j] > T{0} ? T{1} : T{0};
    }

    Rows a_, b_, c_;
    bool has_bias_, has_gate_, use_blas_, is_single_, by_columns_ = false;
    Place bias_;
    Rows gate_;
    DType dtype_;
    Product product_{};
    void (*multiply_)(const Product&);
    int64_t strip_ = 1, strips_ = 1;
};

}  // namespace

std::unique_ptr<Step> make_multiply(const Description& d, const Op& op, Scratch& scratch) {
    return std::make_unique<Multiply>(d, op, scratch);
}

}  // namespace chainrule
