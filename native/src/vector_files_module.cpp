// chainrule._native.words: what Python sees of reading files of vectors.

#include <stdexcept>
#include <string>

#include "bound_array.hpp"
#include "chainrule/words/vector_files.hpp"
#include "words_module.hpp"

namespace nb = nanobind;

namespace chainrule {
namespace {

using namespace words;

int64_t find_rows_in(const nb::object& data, int64_t offset, int64_t size, const nb::object& starts,
                     const nb::object& ends) {
    const Array<const char> bytes(data, "data");
    const Array<int64_t> first(starts, "starts", true), last(ends, "ends", true);
    last.need(first.size());
    if (offset < 0 || offset > bytes.size() || size < 1 || size > bytes.size())
        throw std::invalid_argument("offset or size out of range");
    const nb::gil_scoped_release released;
    return find_rows(bytes.data(), bytes.size(), offset, first.size(), size, first.data(),
                     last.data());
}

int64_t copy_rows_of(const nb::object& data, const nb::object& ends, const nb::object& table) {
    const Array<const char> bytes(data, "data");
    const Array<const int64_t> last(ends, "ends");
    const Array<float> to(table, "table", true);
    if (last.size() == 0) return -1;
    const int64_t size = to.size() / last.size();
    last.within(0, bytes.size() - size * static_cast<int64_t>(sizeof(float)));
    const nb::gil_scoped_release released;
    return copy_rows(bytes.data(), last.data(), last.size(), size, to.data());
}

int64_t find_lines_in(const nb::object& data, int64_t offset, const nb::object& ends) {
    const Array<const char> bytes(data, "data");
    const Array<int64_t> last(ends, "ends", true);
    if (offset < 0 || offset > bytes.size()) throw std::invalid_argument("offset out of range");
    const nb::gil_scoped_release released;
    return find_lines(bytes.data(), bytes.size(), offset, last.size(), last.data());
}

// Python's own conversion, exact and the same in every locale.
double exact_decimal(const char* begin, const char* end) {
    const std::string text(begin, end);
    const nb::gil_scoped_acquire acquired;
    const double value = PyOS_string_to_double(text.c_str(), nullptr, nullptr);
    if (value == -1.0 && PyErr_Occurred()) PyErr_Clear();
    return value;
}

int64_t parse_lines_of(const nb::object& data, const nb::object& starts, const nb::object& ends,
                       bool with_words, const nb::object& word_ends, const nb::object& table) {
    const Array<const char> bytes(data, "data");
    const Array<const int64_t> first(starts, "starts"), last(ends, "ends");
    const Array<int64_t> words(word_ends, "word_ends", true);
    const Array<float> to(table, "table", true);
    if (first.size() == 0) return -1;
    last.need(first.size());
    words.need(first.size());
    first.within(0, bytes.size() + 1);
    last.within(0, bytes.size() + 1);
    for (int64_t i = 0; i < first.size(); ++i)
        if (last.data()[i] < first.data()[i]) throw std::invalid_argument("a line ends too soon");
    const nb::gil_scoped_release released;
    return parse_lines(bytes.data(), first.data(), last.data(), first.size(),
                       to.size() / first.size(), with_words, words.data(), to.data(),
                       exact_decimal);
}

// Words of the data as Python's texts; the one that cannot be decoded ends the list.
nb::list decode_words(const nb::object& data, const nb::object& starts, const nb::object& ends,
                      const char* errors) {
    const Array<const char> bytes(data, "data");
    const Array<const int64_t> first(starts, "starts"), last(ends, "ends");
    last.need(first.size());
    first.within(0, bytes.size() + 1);
    last.within(0, bytes.size() + 1);
    nb::list words;
    for (int64_t i = 0; i < first.size(); ++i) {
        const int64_t length = last.data()[i] - first.data()[i];
        if (length < 0) throw std::invalid_argument("a word ends too soon");
        PyObject* word = PyUnicode_DecodeUTF8(bytes.data() + first.data()[i], length, errors);
        if (!word) {
            if (!PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) throw nb::python_error();
            PyErr_Clear();
            return words;
        }
        words.append(nb::steal(word));
    }
    return words;
}

}  // namespace

void bind_vector_files(nb::module_& words) {
    words.def("find_rows", &find_rows_in);
    words.def("copy_rows", &copy_rows_of);
    words.def("find_lines", &find_lines_in);
    words.def("parse_lines", &parse_lines_of);
    words.def("decode_words", &decode_words);
}

}  // namespace chainrule
