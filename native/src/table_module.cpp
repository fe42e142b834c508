// chainrule._native.words.WordTable: what Python sees of the counting of words.

#include "table_module.hpp"

#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "chainrule/words/table.hpp"
#include "held.hpp"

namespace nb = nanobind;

namespace chainrule {
namespace {

using words::WordRule;
using words::WordTable;

constexpr int64_t code_points = 0x110000;

template <class T>
nb::bytes bytes_of(const std::vector<T>& values) {
    return nb::bytes(values.data(), values.size() * sizeof(T));
}

std::string_view view(const Held& held, const char* start) {
    return {start, static_cast<size_t>(held.bytes())};
}

std::string_view utf8(nb::handle word, size_t place) {
    Py_ssize_t size = 0;
    if (!PyUnicode_Check(word.ptr()))
        throw nb::type_error(("word " + std::to_string(place) + " is not a str").c_str());
    const char* start = PyUnicode_AsUTF8AndSize(word.ptr(), &size);
    if (!start) throw nb::python_error();
    return {start, static_cast<size_t>(size)};
}

// The GIL is kept throughout: it is what keeps two threads from one table.
class PyWordTable {
public:
    std::tuple<nb::bytes, nb::bytes> read(const nb::object& text) {
        Held held;
        const char* start = held.take(text.ptr(), false);
        clear();
        words::read_spaced(*table_, view(held, start), ids_, ends_);
        return {bytes_of(ids_), bytes_of(ends_)};
    }

    std::tuple<nb::bytes, nb::bytes> read_words(const nb::object& text,
                                                const nb::object& characters, int64_t minimum,
                                                bool drop_numbers, bool mask_numbers) {
        Held held, kinds;
        const char* start = held.take(text.ptr(), false);
        const char* first = kinds.take(characters.ptr(), false);
        if (kinds.bytes() != code_points)
            throw std::invalid_argument("characters has not one byte for each code point");
        clear();
        const WordRule rule{reinterpret_cast<const uint8_t*>(first), minimum, drop_numbers,
                            mask_numbers};
        words::read_words(*table_, view(held, start), rule, ids_, ends_);
        return {bytes_of(ids_), bytes_of(ends_)};
    }

    nb::bytes add(const nb::list& tokens) {
        clear();
        const size_t size = tokens.size();
        for (size_t i = 0; i < size; ++i) ids_.push_back(table_->add(utf8(tokens[i], i)));
        return bytes_of(ids_);
    }

    nb::bytes find(const nb::list& tokens) {
        const size_t size = tokens.size();
        ids_.resize(size);
        WordTable::Token some[WordTable::most_tokens];
        for (size_t start = 0; start < size; start += WordTable::most_tokens) {
            const size_t count = std::min(WordTable::most_tokens, size - start);
            for (size_t i = 0; i < count; ++i)
                some[i] = table_->token_of(utf8(tokens[start + i], start + i));
            table_->find(some, count, ids_.data() + start);
        }
        return bytes_of(ids_);
    }

    nb::bytes counts() const {
        std::vector<int64_t> counts;
        for (int64_t i = 0; i < table_->size(); ++i) counts.push_back(table_->count(i));
        return bytes_of(counts);
    }

    nb::list words_at(const nb::object& places) const {
        nb::list result;
        each(places, [&](int64_t place) {
            const std::string_view word = table_->word(place);
            result.append(nb::steal(
                PyUnicode_DecodeUTF8(word.data(), static_cast<Py_ssize_t>(word.size()), "strict")));
            if (PyErr_Occurred()) throw nb::python_error();
        });
        return result;
    }

    // Keeps the words at these places, numbered in that order, with their counts.
    void keep(const nb::object& places) {
        auto kept = std::make_unique<WordTable>();
        each(places, [&](int64_t place) {
            kept->set_count(kept->add(table_->word(place)), table_->count(place));
        });
        table_ = std::move(kept);
    }

    // All words end to end, and where each ends.
    std::tuple<nb::bytes, nb::bytes> dump() const {
        std::vector<char> text;
        std::vector<int64_t> ends;
        for (int64_t i = 0; i < table_->size(); ++i) {
            const std::string_view word = table_->word(i);
            text.insert(text.end(), word.begin(), word.end());
            ends.push_back(static_cast<int64_t>(text.size()));
        }
        return {bytes_of(text), bytes_of(ends)};
    }

    // Fills an empty table with what `dump` and `counts` gave.
    void restore(const nb::object& text, const nb::object& ends, const nb::object& counts) {
        Held held, held_ends, held_counts;
        const char* start = held.take(text.ptr(), false);
        const char* end_bytes = held_ends.take(ends.ptr(), false);
        const char* count_bytes = held_counts.take(counts.ptr(), false);
        if (table_->size()) throw std::invalid_argument("the table is not empty");
        if (held_ends.bytes() != held_counts.bytes() || held_ends.bytes() % 8)
            throw std::invalid_argument("ends and counts differ in length");
        int64_t before = 0;
        for (int64_t i = 0; i < held_ends.bytes() / 8; ++i) {
            int64_t end = 0, count = 0;
            std::memcpy(&end, end_bytes + 8 * i, 8);
            std::memcpy(&count, count_bytes + 8 * i, 8);
            if (end < before || end > held.bytes())
                throw std::invalid_argument("end " + std::to_string(i) + " is out of order");
            const int32_t place = table_->add({start + before, static_cast<size_t>(end - before)});
            if (place != i)
                throw std::invalid_argument("word " + std::to_string(i) + " is there twice");
            table_->set_count(place, count);
            before = end;
        }
    }

    int64_t size() const { return table_->size(); }

private:
    void clear() {
        ids_.clear();
        ends_.clear();
    }

    // Calls for each of the int32 places, all of which must be there.
    template <class Function>
    void each(const nb::object& places, const Function& function) const {
        Held held;
        const char* start = held.take(places.ptr(), false);
        for (int64_t i = 0; i + 4 <= held.bytes(); i += 4) {
            int32_t place = 0;
            std::memcpy(&place, start + i, 4);
            if (place < 0 || place >= table_->size())
                throw std::invalid_argument("there is no word " + std::to_string(place));
            function(place);
        }
    }

    std::unique_ptr<WordTable> table_ = std::make_unique<WordTable>();
    std::vector<int32_t> ids_;
    std::vector<int64_t> ends_;
};

// The words of a block with other numbers, and the ends of its lines: see words::renumber.
std::tuple<nb::bytes, nb::bytes> renumbered(const nb::object& ids, const nb::object& numbers,
                                            const nb::object& ends) {
    Held held_ids, held_numbers, held_ends;
    const auto* first = reinterpret_cast<const int32_t*>(held_ids.take(ids.ptr(), false));
    const auto* table = reinterpret_cast<const int32_t*>(held_numbers.take(numbers.ptr(), false));
    const auto* lines = reinterpret_cast<const int64_t*>(held_ends.take(ends.ptr(), false));
    const int64_t count = held_ids.bytes() / 4, size = held_numbers.bytes() / 4;
    const int64_t line_count = held_ends.bytes() / 8;
    const auto there = [size](int32_t id) { return id >= -1 && id < size; };
    bool all_there = true;
    for (int64_t i = 0; i < count; ++i) all_there &= there(first[i]);
    if (!all_there)
        throw std::invalid_argument("there is no word " +
                                    std::to_string(*std::find_if_not(first, first + count, there)));
    int64_t before = 0;
    for (int64_t i = 0; i < line_count; ++i) {
        if (lines[i] < before || lines[i] > count)
            throw std::invalid_argument("end " + std::to_string(i) + " is out of order");
        before = lines[i];
    }
    // One more, for what is written before it is known to be left out.
    std::vector<int32_t> kept(static_cast<size_t>(count) + 1);
    std::vector<int64_t> kept_ends(static_cast<size_t>(line_count));
    const int64_t written =
        words::renumber(first, count, table, lines, line_count, kept.data(), kept_ends.data());
    kept.resize(static_cast<size_t>(written));
    return {bytes_of(kept), bytes_of(kept_ends)};
}

}  // namespace

void bind_word_table(nb::module_& words) {
    nb::class_<PyWordTable>(words, "WordTable")
        .def(nb::init<>())
        .def("read", &PyWordTable::read, nb::arg("text"))
        .def("read_words", &PyWordTable::read_words, nb::arg("text"), nb::arg("characters"),
             nb::arg("minimum"), nb::arg("drop_numbers"), nb::arg("mask_numbers"))
        .def("add", &PyWordTable::add, nb::arg("tokens"))
        .def("find", &PyWordTable::find, nb::arg("tokens"))
        .def("counts", &PyWordTable::counts)
        .def("words", &PyWordTable::words_at, nb::arg("places"))
        .def("keep", &PyWordTable::keep, nb::arg("places"))
        .def("dump", &PyWordTable::dump)
        .def("restore", &PyWordTable::restore, nb::arg("text"), nb::arg("ends"), nb::arg("counts"))
        .def("__len__", &PyWordTable::size);
    words.def("renumbered", &renumbered, nb::arg("ids"), nb::arg("numbers"), nb::arg("ends"));
}

}  // namespace chainrule
