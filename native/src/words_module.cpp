// chainrule._native.words: what Python sees of the training of word embeddings.

#include "words_module.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "bound_array.hpp"
#include "chainrule/words/training.hpp"
#include "table_module.hpp"
#include "thread_pool.hpp"

namespace nb = nanobind;

namespace chainrule {
namespace {

using namespace words;

template <class T>
T setting(const nb::dict& settings, const char* name) {
    return nb::cast<T>(settings[name]);
}

nb::object copied(const void* data, int64_t bytes) {
    return nb::steal(PyBytes_FromStringAndSize(static_cast<const char*>(data), bytes));
}

class PyTraining {
public:
    PyTraining(const nb::object& ids, const nb::object& ends, const nb::object& keep,
               const nb::object& alias, const nb::object& path_ends, const nb::object& path_nodes,
               const nb::object& path_codes, const nb::object& input, const nb::object& output,
               const nb::object& frozen_input, const nb::object& frozen_output,
               const nb::object& input_uses, const nb::object& output_uses,
               const nb::dict& settings)
        : ids_(ids, "ids"), ends_(ends, "ends"), keep_(keep, "keep"), alias_(alias, "alias"),
          path_ends_(path_ends, "path_ends"), path_nodes_(path_nodes, "path_nodes"),
          path_codes_(path_codes, "path_codes"), input_(input, "input", true),
          output_(output, "output", true), frozen_input_(frozen_input, "frozen_input"),
          frozen_output_(frozen_output, "frozen_output"), input_uses_(input_uses, "input_uses"),
          output_uses_(output_uses, "output_uses") {
        const auto stride = setting<int64_t>(settings, "stride");
        const auto size = setting<int64_t>(settings, "size");
        drawing_.seed = setting<uint64_t>(settings, "seed");
        drawing_.window = setting<int>(settings, "window");
        drawing_.shrink = setting<bool>(settings, "shrink");
        drawing_.negatives = setting<int>(settings, "negatives");
        drawing_.share = setting<int>(settings, "share");
        drawing_.uses = setting<int>(settings, "uses");
        drawing_.centre = setting<bool>(settings, "centre");
        drawing_.paths = setting<bool>(settings, "paths");
        drawing_.node_offset = setting<int64_t>(settings, "node_offset");
        if (drawing_.window < 1 || drawing_.window > 100000 || drawing_.negatives < 0 ||
            drawing_.negatives > 100000 || drawing_.share < 1 || drawing_.share > 1000 ||
            drawing_.uses < 1 || drawing_.uses > 1000 || size < 1 || stride < size ||
            stride % 16 != 0)
            throw std::invalid_argument("settings out of range");
        const auto piece = setting<int64_t>(settings, "piece");
        const auto workers = setting<int>(settings, "workers");
        if (piece < 1 || workers < 1 || workers > ThreadPool::most_threads)
            throw std::invalid_argument("pieces or workers out of range");
        const int64_t vocabulary = keep_.size();
        rows_in_ = input_.size() / stride;
        rows_out_ = output_.size() / stride;
        input_.need(std::max<int64_t>(vocabulary, 1) * stride);
        ids_.within(0, vocabulary);
        ends_.rising_to(ids_.size());
        if (drawing_.negatives > 0) alias_.need(vocabulary);
        if (drawing_.centre) output_.need(vocabulary * stride);
        for (int64_t i = 0; i < alias_.size(); ++i)
            if (static_cast<int64_t>(alias_.data()[i] >> 32) >= vocabulary)
                throw std::invalid_argument("alias names a row that is not there");
        if (frozen_input_.data()) frozen_input_.need(rows_in_);
        if (input_uses_.data()) input_uses_.need(vocabulary);
        if (output_uses_.data()) output_uses_.need(rows_out_);
        for (const auto* uses : {&input_uses_, &output_uses_})
            if (!std::all_of(uses->data(), uses->data() + uses->size(),
                             [](float number) { return number >= 0.0f; }))
                throw std::invalid_argument("uses of rows must be at least 0");
        if (frozen_output_.data()) frozen_output_.need(rows_out_);
        if (drawing_.paths) {
            path_ends_.need(vocabulary);
            path_ends_.rising_to(path_nodes_.size());
            path_nodes_.within(0, rows_out_ - drawing_.node_offset);
            path_codes_.need(path_nodes_.size());
        }
        const Kind kind = setting<bool>(settings, "unit_norm") ? Kind::unit_norm
                          : setting<bool>(settings, "cbow")    ? Kind::cbow
                                                               : Kind::skipgram;
        // Its windows are a word with its neighbours, and it has one table.
        if (kind == Kind::unit_norm &&
            (drawing_.window != 1 || drawing_.shrink || drawing_.share != 1 || !drawing_.centre ||
             drawing_.paths || setting<bool>(settings, "softmax") ||
             setting<bool>(settings, "deterministic") || input_.data() != output_.data()))
            throw std::invalid_argument("settings out of range");
        training_ = std::make_unique<Training>(
            Corpus{ids_.data(), ids_.size(), ends_.data(), ends_.size()},
            Vocabulary{vocabulary, keep_.data(), alias_.data(), path_ends_.data(),
                       path_nodes_.data(), path_codes_.data()},
            drawing_,
            Model{kind, setting<bool>(settings, "softmax"), drawing_.window,
                  setting<bool>(settings, "mean"), setting<bool>(settings, "divided"),
                  setting<float>(settings, "contrast"), vocabulary},
            Tables{input_.data(),
                   output_.data(),
                   stride,
                   size,
                   frozen_input_.data(),
                   frozen_output_.data(),
                   {},
                   {}},
            Uses{input_uses_.data(), output_uses_.data()}, rows_out_, piece, workers,
            setting<bool>(settings, "deterministic"));
    }

    int64_t pieces() const { return training_->pieces(); }

    std::tuple<int64_t, double, int64_t> run(uint64_t epoch, int64_t first, double rate,
                                             double final_rate, double seconds) {
        check_piece(first);
        const nb::gil_scoped_release released;
        const Outcome outcome = training_->run(epoch, first, rate, final_rate, seconds);
        return {outcome.next, outcome.loss, outcome.predictions};
    }

    void settle() {
        const nb::gil_scoped_release released;
        training_->settle();
    }

    std::tuple<double, int64_t> measure(uint64_t epoch, const std::vector<int64_t>& chosen) {
        for (const int64_t piece : chosen) check_piece(piece);
        const nb::gil_scoped_release released;
        const Outcome outcome =
            training_->measure(epoch, chosen.data(), static_cast<int64_t>(chosen.size()));
        return {outcome.loss, outcome.predictions};
    }

    nb::dict draw(uint64_t epoch, int64_t piece) {
        check_piece(piece);
        const Windows windows = training_->draw(epoch, piece);
        const int64_t groups = windows.groups;
        const int64_t count = groups ? windows.window_end[groups - 1] : 0;
        const int64_t targets = groups ? windows.target_end[groups - 1] : 0;
        nb::dict parts;
        parts["ids"] = copied(windows.ids, windows.id_count * 4);
        parts["window_ends"] = copied(windows.window_end, groups * 8);
        parts["centres"] = copied(windows.centre, count * 4);
        parts["firsts"] = copied(windows.first, count * 4);
        parts["lasts"] = copied(windows.last, count * 4);
        parts["target_ends"] = copied(windows.target_end, groups * 8);
        parts["targets"] = copied(windows.targets, targets * 4);
        parts["labels"] = copied(windows.labels, targets * 4);
        parts["repeats"] = copied(windows.repeats, groups);
        return parts;
    }

    // One step on some groups of a piece.
    std::tuple<double, int64_t> descend(uint64_t epoch, int64_t piece, int64_t first, int64_t last,
                                        double rate) {
        check_piece(piece);
        Windows windows = training_->draw(epoch, piece);
        if (first < 0 || last < first || last > windows.groups)
            throw std::invalid_argument("there are no such groups");
        const nb::gil_scoped_release released;
        const Outcome outcome = training_->descend(windows, first, last, static_cast<float>(rate));
        return {outcome.loss, outcome.predictions};
    }

private:
    void check_piece(int64_t piece) const {
        if (piece < 0 || piece >= pieces()) throw std::invalid_argument("there is no such piece");
    }

    Array<const int32_t> ids_;
    Array<const int64_t> ends_;
    Array<const uint32_t> keep_;
    Array<const uint64_t> alias_;
    Array<const int64_t> path_ends_;
    Array<const int32_t> path_nodes_;
    Array<const uint8_t> path_codes_;
    Array<float> input_, output_;
    Array<const uint8_t> frozen_input_, frozen_output_;
    Array<const float> input_uses_, output_uses_;
    Drawing drawing_{};
    int64_t rows_in_ = 0, rows_out_ = 0;
    std::unique_ptr<Training> training_;
};

}  // namespace

void bind_words(nb::module_& module) {
    nb::module_ words = module.def_submodule("words", "Training of word embeddings.");
    nb::class_<PyTraining>(words, "Training")
        .def(nb::init<const nb::object&, const nb::object&, const nb::object&, const nb::object&,
                      const nb::object&, const nb::object&, const nb::object&, const nb::object&,
                      const nb::object&, const nb::object&, const nb::object&, const nb::object&,
                      const nb::object&, const nb::dict&>(),
             nb::arg("ids"), nb::arg("ends"), nb::arg("keep"), nb::arg("alias").none(),
             nb::arg("path_ends").none(), nb::arg("path_nodes").none(),
             nb::arg("path_codes").none(), nb::arg("input"), nb::arg("output"),
             nb::arg("frozen_input").none(), nb::arg("frozen_output").none(),
             nb::arg("input_uses").none(), nb::arg("output_uses").none(), nb::arg("settings"))
        .def_prop_ro("pieces", &PyTraining::pieces)
        .def("run", &PyTraining::run, nb::arg("epoch"), nb::arg("first"), nb::arg("rate"),
             nb::arg("final_rate"), nb::arg("seconds"))
        .def("settle", &PyTraining::settle)
        .def("measure", &PyTraining::measure, nb::arg("epoch"), nb::arg("pieces"))
        .def("draw", &PyTraining::draw, nb::arg("epoch"), nb::arg("piece"))
        .def("descend", &PyTraining::descend, nb::arg("epoch"), nb::arg("piece"), nb::arg("first"),
             nb::arg("last"), nb::arg("rate"));
    bind_word_table(words);
    bind_counting(words);
    bind_glove(words);
    bind_vector_files(words);
}

}  // namespace chainrule
