// Systems of equations, inverses, Cholesky factors and determinants of stacks of matrices.
//
// Small matrices are factorised here, large ones by LAPACK where it has been loaded. LAPACK reads
// columns where these arrays have rows, so it sees transposes.
//
// Source: G. H. Golub and C. F. Van Loan, Matrix Computations (2013), chapters 3 and 4.

#include <cmath>
#include <utility>

#include "lapack.hpp"
#include "ranged.hpp"
#include "row_access.hpp"

namespace chainrule {
namespace {

// b -= factor * a, entry by entry.
template <class T>
void subtract(T* b, const T* a, T factor, int64_t n) {
    for (int64_t i = 0; i < n; ++i) b[i] -= factor * a[i];
}

// The factors of a matrix whose rows have been exchanged, in its place; `rows[i]` is where row i
// came from. Gives the sign of the exchanges, 0 where a pivot is 0.
template <class T>
int eliminate(T* a, int64_t n, int64_t* rows) {
    int sign = 1;
    bool singular = false;
    for (int64_t i = 0; i < n; ++i) rows[i] = i;
    for (int64_t k = 0; k < n; ++k) {
        int64_t pivot = k;
        for (int64_t i = k + 1; i < n; ++i)
            if (std::abs(a[i * n + k]) > std::abs(a[pivot * n + k])) pivot = i;
        if (pivot != k) {
            std::swap_ranges(a + k * n, a + k * n + n, a + pivot * n);
            std::swap(rows[k], rows[pivot]);
            sign = -sign;
        }
        if (a[k * n + k] == T{0}) {
            singular = true;
            continue;
        }
        for (int64_t i = k + 1; i < n; ++i) {
            const T factor = a[i * n + k] /= a[k * n + k];
            subtract(a + i * n + k + 1, a + k * n + k + 1, factor, n - k - 1);
        }
    }
    return singular ? 0 : sign;
}

// x of a triangular a with x in the place of b; a diagonal of ones may stand for the one there is.
template <class T>
void substitute(const T* a, int64_t n, T* b, int64_t columns, bool lower, bool ones) {
    for (int64_t step = 0; step < n; ++step) {
        const int64_t i = lower ? step : n - 1 - step;
        const int64_t begin = lower ? 0 : i + 1, end = lower ? i : n;
        for (int64_t k = begin; k < end; ++k)
            subtract(b + i * columns, b + k * columns, a[i * n + k], columns);
        if (!ones)
            for (int64_t j = 0; j < columns; ++j) b[i * columns + j] /= a[i * n + i];
    }
}

// The lower factor in the place of a symmetric matrix; whether it is positive definite.
template <class T>
bool factor_symmetric(T* a, int64_t n) {
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j <= i; ++j) {
            T sum = a[i * n + j];
            for (int64_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
            if (i == j && !(sum > T{0})) return false;
            a[i * n + j] = i == j ? std::sqrt(sum) : sum / a[j * n + j];
        }
    return true;
}

template <class T>
void transpose(T* to, const T* from, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
}

class Matrices final : public Ranged<Matrices> {
public:
    Matrices(const Description& d, const Op& op, Scratch& scratch)
        : kind_(static_cast<MatrixFunction>(op.ints[0])), dtype_(d.input(op, 0).dtype),
          a_(d.input(op, 0), 2), b_(d.input(op, op.inputs.size() - 1), 2),
          out_(d.output(op, 0), is_scalar() ? 0 : 2), n_(d.input(op, 0).shape.back()),
          columns_(d.input(op, op.inputs.size() - 1).shape.back()) {
        const bool is_float = dtype_ == DType::f32;
        const Lapack& table = lapack();
        use_lapack_ = n_ >= lapack_rows && n_ < INT32_MAX && columns_ < INT32_MAX &&
                      table.getrf[is_float ? 0 : 1] != nullptr;
        matrix_bytes_ = (n_ * n_ * a_.item + 63) / 64 * 64;
        right_bytes_ = (n_ * columns_ * a_.item + 63) / 64 * 64;
        scratch.need(matrix_bytes_ + 2 * right_bytes_ + 8 * n_ + 64);
        const double n = static_cast<double>(n_);
        divide(a_.count, static_cast<double>(a_.count) * (100 + n * n * n));
    }

    void part(Frame& frame, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            if (dtype_ == DType::f32) one<float>(frame, i);
            else one<double>(frame, i);
        }
    }

private:
    bool is_scalar() const { return kind_ >= MatrixFunction::det; }

    template <class T>
    void one(Frame& frame, int64_t number) {
        T* a = reinterpret_cast<T*>(frame.scratch);
        copy_range<false>(a_.item, frame.scratch, a_.begin(frame, number), a_.inner(), 0,
                          a_.length);
        T* out = reinterpret_cast<T*>(out_.begin(frame, number));
        // Numbers for rows, which LAPACK takes as its own kind of integers, come after the
        // matrices.
        auto* rows = reinterpret_cast<int64_t*>(frame.scratch + matrix_bytes_ + 2 * right_bytes_);
        switch (kind_) {
            case MatrixFunction::solve:
            case MatrixFunction::solve_lower:
            case MatrixFunction::solve_upper: solve(frame, number, a, out, rows); break;
            case MatrixFunction::inv: invert(a, out, rows); break;
            case MatrixFunction::cholesky: cholesky(a, out); break;
            default: determinant(a, out, rows);
        }
    }

    template <class T>
    void solve(Frame& frame, int64_t number, T* a, T* out, int64_t* rows) const {
        char* memory = frame.scratch + matrix_bytes_;
        copy_range<false>(b_.item, memory, b_.begin(frame, number), b_.inner(), 0, b_.length);
        T* b = reinterpret_cast<T*>(memory);
        const bool lower = kind_ == MatrixFunction::solve_lower;
        const bool triangular = kind_ != MatrixFunction::solve;
        if (triangular)
            for (int64_t i = 0; i < n_; ++i)
                if (a[i * n_ + i] == T{0})
                    throw SingularMatrix("singular matrix: resolution failed at diagonal " +
                                         std::to_string(i));
        if (use_lapack_) {
            T* turned = reinterpret_cast<T*>(memory + right_bytes_);
            transpose(turned, b, n_, columns_);
            if (lapack().wide) solve_by<T, int64_t>(a, turned, rows);
            else solve_by<T, int32_t>(a, turned, rows);
            transpose(out, turned, columns_, n_);
            return;
        }
        if (triangular) {
            std::memcpy(out, b, static_cast<size_t>(b_.length * b_.item));
            substitute(a, n_, out, columns_, lower, false);
            return;
        }
        if (eliminate(a, n_, rows) == 0) throw SingularMatrix("Singular matrix");
        for (int64_t i = 0; i < n_; ++i)
            std::memcpy(out + i * columns_, b + rows[i] * columns_,
                        static_cast<size_t>(columns_ * b_.item));
        substitute(a, n_, out, columns_, true, true);
        substitute(a, n_, out, columns_, false, false);
    }

    // `a` is taken for its transpose, whose transpose is wanted.
    template <class T, class Integer>
    void solve_by(T* a, T* turned, int64_t* rows) const {
        auto n = static_cast<Integer>(n_), columns = static_cast<Integer>(columns_);
        auto* pivots = reinterpret_cast<Integer*>(rows);
        Integer info = 0;
        char turn = 'T', whole = 'N', upper = 'U', lower = 'L';
        if (kind_ != MatrixFunction::solve) {
            char* side = kind_ == MatrixFunction::solve_lower ? &upper : &lower;
            reinterpret_cast<Trtrs<T, Integer>>(lapack().trtrs[number_of<T>()])(
                side, &turn, &whole, &n, &columns, a, &n, turned, &n, &info);
            return;
        }
        factorise<T, Integer>(a, pivots);
        reinterpret_cast<Getrs<T, Integer>>(lapack().getrs[number_of<T>()])(
            &turn, &n, &columns, a, &n, pivots, turned, &n, &info);
    }

    template <class T, class Integer>
    void factorise(T* a, Integer* pivots) const {
        if (!factors<T, Integer>(a, pivots)) throw SingularMatrix("Singular matrix");
    }

    template <class T, class Integer>
    bool factors(T* a, Integer* pivots) const {
        auto n = static_cast<Integer>(n_);
        Integer info = 0;
        reinterpret_cast<Getrf<T, Integer>>(lapack().getrf[number_of<T>()])(&n, &n, a, &n, pivots,
                                                                            &info);
        return info == 0;
    }

    template <class T>
    void invert(T* a, T* out, int64_t* rows) const {
        std::memset(out, 0, static_cast<size_t>(n_ * n_) * sizeof(T));
        if (use_lapack_) {
            for (int64_t i = 0; i < n_; ++i) out[i * n_ + i] = T{1};
            if (lapack().wide) invert_by<T, int64_t>(a, out, rows);
            else invert_by<T, int32_t>(a, out, rows);
            return;
        }
        if (eliminate(a, n_, rows) == 0) throw SingularMatrix("Singular matrix");
        for (int64_t i = 0; i < n_; ++i) out[i * n_ + rows[i]] = T{1};
        substitute(a, n_, out, n_, true, true);
        substitute(a, n_, out, n_, false, false);
    }

    // The inverse of the transpose, which is the transpose of the inverse.
    template <class T, class Integer>
    void invert_by(T* a, T* out, int64_t* rows) const {
        auto n = static_cast<Integer>(n_);
        auto* pivots = reinterpret_cast<Integer*>(rows);
        Integer info = 0;
        char whole = 'N';
        factorise<T, Integer>(a, pivots);
        reinterpret_cast<Getrs<T, Integer>>(lapack().getrs[number_of<T>()])(&whole, &n, &n, a, &n,
                                                                            pivots, out, &n, &info);
    }

    // Of the symmetric part.
    template <class T>
    void cholesky(T* a, T* out) const {
        for (int64_t i = 0; i < n_; ++i)
            for (int64_t j = 0; j <= i; ++j) {
                const T half = T(0.5) * (a[i * n_ + j] + a[j * n_ + i]);
                out[i * n_ + j] = half;
                out[j * n_ + i] = i == j ? half : T{0};
            }
        const bool done = !use_lapack_    ? factor_symmetric(out, n_)
                          : lapack().wide ? cholesky_by<T, int64_t>(out)
                                          : cholesky_by<T, int32_t>(out);
        if (!done) throw SingularMatrix("Matrix is not positive definite");
    }

    template <class T, class Integer>
    bool cholesky_by(T* out) const {
        auto n = static_cast<Integer>(n_);
        Integer info = 0;
        char upper = 'U';
        reinterpret_cast<Potrf<T, Integer>>(lapack().potrf[number_of<T>()])(&upper, &n, out, &n,
                                                                            &info);
        return info == 0;
    }

    template <class T>
    void determinant(T* a, T* out, int64_t* rows) const {
        int sign = !use_lapack_    ? eliminate(a, n_, rows)
                   : lapack().wide ? sign_by<T, int64_t>(a, rows)
                                   : sign_by<T, int32_t>(a, rows);
        T product = static_cast<T>(sign), logarithm = 0;
        for (int64_t i = 0; i < n_; ++i) {
            const T pivot = a[i * n_ + i];
            product *= pivot;
            logarithm += std::log(std::abs(pivot));
            if (pivot < T{0}) sign = -sign;
        }
        const bool singular = sign == 0;
        if (kind_ == MatrixFunction::det) *out = singular ? T{0} : product;
        else if (kind_ == MatrixFunction::signdet) *out = static_cast<T>(sign);
        else *out = singular ? -std::numeric_limits<T>::infinity() : logarithm;
    }

    template <class T, class Integer>
    int sign_by(T* a, int64_t* rows) const {
        auto* pivots = reinterpret_cast<Integer*>(rows);
        if (!factors<T, Integer>(a, pivots)) return 0;
        int sign = 1;
        for (int64_t i = 0; i < n_; ++i)
            if (pivots[i] != static_cast<Integer>(i + 1)) sign = -sign;
        return sign;
    }

    template <class T>
    static constexpr size_t number_of() {
        return sizeof(T) == 4 ? 0 : 1;
    }

    MatrixFunction kind_;
    DType dtype_;
    Rows a_, b_, out_;
    int64_t n_, columns_, matrix_bytes_, right_bytes_;
    bool use_lapack_;
};

}  // namespace

std::unique_ptr<Step> make_matrices(const Description& d, const Op& op, Scratch& scratch) {
    return std::make_unique<Matrices>(d, op, scratch);
}

}  // namespace chainrule
