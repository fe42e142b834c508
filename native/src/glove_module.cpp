// chainrule._native.words: what Python sees of training GloVe.

#include <nanobind/stl/tuple.h>

#include <memory>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "bound_array.hpp"
#include "chainrule/words/glove_training.hpp"
#include "thread_pool.hpp"
#include "words_module.hpp"

namespace nb = nanobind;

namespace chainrule {
namespace {

using namespace words;

void arrange_entries(const nb::object& row_ends_object, const nb::object& columns_object,
                     const nb::object& values_object, double x_max, double alpha, uint64_t seed,
                     int64_t piece, const nb::object& entries_object,
                     const nb::object& cell_ends_object) {
    const Array<const int64_t> row_ends(row_ends_object, "row_ends");
    const Array<const int32_t> columns(columns_object, "columns");
    const Array<const double> values(values_object, "values");
    const Array<GloveEntry> entries(entries_object, "entries", true);
    const Array<int64_t> cell_ends(cell_ends_object, "cell_ends", true);
    if (piece < 1 || !(x_max > 0.0)) throw std::invalid_argument("settings out of range");
    row_ends.rising_to(columns.size());
    columns.within(0, row_ends.size());
    values.need(columns.size());
    entries.need(columns.size());
    cell_ends.need(cells_of(columns.size(), piece));
    const nb::gil_scoped_release released;
    arrange(Counts{row_ends.data(), columns.data(), values.data(), row_ends.size()},
            GloveWeighing{x_max, alpha}, seed, piece, entries.data(), cell_ends.data());
}

class PyGloveTraining {
public:
    // The arrays of a side: vectors, sums, biases, sums of biases, frozen rows or None.
    PyGloveTraining(const nb::tuple& row, const nb::tuple& column, int64_t size, int64_t stride,
                    const nb::object& entries, const nb::object& cell_ends, uint64_t seed,
                    int workers)
        : row_(row), column_(column), entries_(entries, "entries"),
          cell_ends_(cell_ends, "cell_ends") {
        if (size < 1 || stride < size || stride % 16 != 0 || workers < 1 ||
            workers > ThreadPool::most_threads)
            throw std::invalid_argument("settings out of range");
        const int64_t rows = row_.rows(stride), columns = column_.rows(stride);
        if (cell_ends_.size() % (stripes * stripes) != 0)
            throw std::invalid_argument("cell_ends has another number of cells");
        cell_ends_.rising_to(entries_.size());
        // Threads may only share what no two of them touch, so cells must be what they seem.
        int64_t k = 0;
        for (int64_t cell = 0; cell < cell_ends_.size(); ++cell)
            for (; k < cell_ends_.data()[cell]; ++k) {
                const auto& [i, j, logarithm, weight] = entries_.data()[k];
                if (i < 0 || i >= rows || j < 0 || j >= columns)
                    throw std::invalid_argument("entries names a row that is not there");
                if (i % stripes != cell % stripes ||
                    j % stripes != (cell + cell / stripes) % stripes)
                    throw std::invalid_argument("entries are not in their cells");
            }
        training_ = std::make_unique<GloveTraining>(
            GloveTables{row_.side(), column_.side(), stride, size}, entries_.data(),
            cell_ends_.data(), cell_ends_.size(), seed, workers);
    }

    int64_t pieces() const { return training_->pieces(); }

    std::tuple<int64_t, double, int64_t> run(uint64_t epoch, int64_t first, double rate,
                                             double seconds) {
        if (first < 0 || first >= pieces()) throw std::invalid_argument("there is no such piece");
        const nb::gil_scoped_release released;
        const Outcome outcome = training_->run(epoch, first, rate, seconds);
        return {outcome.next, outcome.loss, outcome.predictions};
    }

private:
    struct Side {
        explicit Side(const nb::tuple& parts)
            : vectors(parts[0], "vectors", true), sums(parts[1], "sums", true),
              biases(parts[2], "biases", true), bias_sums(parts[3], "bias_sums", true),
              frozen(parts[4], "frozen") {}
        int64_t rows(int64_t stride) const {
            const int64_t count = biases.size();
            vectors.need(count * stride);
            sums.need(count * stride);
            bias_sums.need(count);
            if (frozen.data()) frozen.need(count);
            return count;
        }
        GloveSide side() const {
            return {vectors.data(), sums.data(), biases.data(), bias_sums.data(), frozen.data()};
        }
        Array<float> vectors, sums, biases, bias_sums;
        Array<const uint8_t> frozen;
    };

    Side row_, column_;
    Array<const GloveEntry> entries_;
    Array<const int64_t> cell_ends_;
    std::unique_ptr<GloveTraining> training_;
};

}  // namespace

void bind_glove(nb::module_& words) {
    words.def("glove_cells", &cells_of, nb::arg("entries"), nb::arg("piece"));
    words.def("glove_arrange", &arrange_entries, nb::arg("row_ends"), nb::arg("columns"),
              nb::arg("values"), nb::arg("x_max"), nb::arg("alpha"), nb::arg("seed"),
              nb::arg("piece"), nb::arg("entries"), nb::arg("cell_ends"));
    nb::class_<PyGloveTraining>(words, "GloveTraining")
        .def(nb::init<const nb::tuple&, const nb::tuple&, int64_t, int64_t, const nb::object&,
                      const nb::object&, uint64_t, int>(),
             nb::arg("row"), nb::arg("column"), nb::arg("size"), nb::arg("stride"),
             nb::arg("entries"), nb::arg("cell_ends"), nb::arg("seed"), nb::arg("workers"))
        .def_prop_ro("pieces", &PyGloveTraining::pieces)
        .def("run", &PyGloveTraining::run, nb::arg("epoch"), nb::arg("first"), nb::arg("rate"),
             nb::arg("seconds"));
}

}  // namespace chainrule
