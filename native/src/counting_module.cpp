// chainrule._native.words: what Python sees of counting pairs of words.

#include <nanobind/stl/string.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "bound_array.hpp"
#include "chainrule/words/counting.hpp"
#include "words_module.hpp"

namespace nb = nanobind;

namespace chainrule {
namespace {

using namespace words;

class PyPairCounter {
public:
    PyPairCounter(int64_t vocabulary, int window, int sides, int weights, int64_t memory,
                  const std::string& folder)
        : vocabulary_(vocabulary),
          counter_(checked(vocabulary, window, sides, weights, memory, folder)) {}

    void count(const nb::object& ids_object, const nb::object& ends_object, int64_t begin,
               int64_t end) {
        const Array<const int32_t> ids(ids_object, "ids");
        const Array<const int64_t> ends(ends_object, "ends");
        if (begin < 0 || end < begin || end > ids.size() || entries_ >= 0)
            throw std::invalid_argument("there is nothing to count there");
        ends.rising_to(ids.size());
        const nb::gil_scoped_release released;
        // Words before `begin` are in the windows of those after it.
        const int64_t from = std::max<int64_t>(0, begin - window_);
        for (int64_t i = from; i < end; ++i)
            if (ids.data()[i] < 0 || ids.data()[i] >= vocabulary_)
                throw std::invalid_argument("ids has " + std::to_string(ids.data()[i]) + " at " +
                                            std::to_string(i) + ", which is not in [0, " +
                                            std::to_string(vocabulary_) + ")");
        counter_.count(Corpus{ids.data(), ids.size(), ends.data(), ends.size()}, begin, end);
    }

    int64_t finish(const nb::object& row_ends_object) {
        const Array<int64_t> row_ends(row_ends_object, "row_ends", true);
        row_ends.need(vocabulary_);
        const nb::gil_scoped_release released;
        return entries_ = counter_.finish(row_ends.data());
    }

    void write(const nb::object& row_ends_object, const nb::object& columns_object,
               const nb::object& values_object) {
        const Array<const int64_t> row_ends(row_ends_object, "row_ends");
        const Array<int32_t> columns(columns_object, "columns", true);
        const Array<double> values(values_object, "values", true);
        row_ends.need(vocabulary_);
        row_ends.rising_to(entries_);
        columns.need(entries_);
        values.need(entries_);
        const nb::gil_scoped_release released;
        counter_.write(row_ends.data(), columns.data(), values.data());
    }

    int files() const { return counter_.files(); }

private:
    Counting checked(int64_t vocabulary, int window, int sides, int weights, int64_t memory,
                     const std::string& folder) {
        if (vocabulary < 1 || vocabulary > INT32_MAX || window < 1 || window > 100000 ||
            sides < 0 || sides > 2 || weights < 0 || weights > 2 || memory < 0)
            throw std::invalid_argument("settings out of range");
        window_ = window;
        const auto* const bytes = reinterpret_cast<const char8_t*>(folder.data());
        return {vocabulary,
                window,
                static_cast<Sides>(sides),
                static_cast<Weights>(weights),
                memory,
                std::filesystem::path(std::u8string(bytes, bytes + folder.size()))};
    }

    int64_t vocabulary_, window_ = 0, entries_ = -1;
    PairCounter counter_;
};

}  // namespace

void bind_counting(nb::module_& words) {
    nb::class_<PyPairCounter>(words, "PairCounter")
        .def(nb::init<int64_t, int, int, int, int64_t, const std::string&>(), nb::arg("vocabulary"),
             nb::arg("window"), nb::arg("sides"), nb::arg("weights"), nb::arg("memory"),
             nb::arg("folder"))
        .def("count", &PyPairCounter::count, nb::arg("ids"), nb::arg("ends"), nb::arg("begin"),
             nb::arg("end"))
        .def("finish", &PyPairCounter::finish, nb::arg("row_ends"))
        .def("write", &PyPairCounter::write, nb::arg("row_ends"), nb::arg("columns"),
             nb::arg("values"))
        .def_prop_ro("files", &PyPairCounter::files);
}

}  // namespace chainrule
