#include "chainrule/words/training.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "../denormals.hpp"
#include "../thread_pool.hpp"
#include "aligned.hpp"
#include "chainrule/cpu.hpp"
#include "gains.hpp"
#include "local_rows.hpp"
#include "own_rows.hpp"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace chainrule::words {
namespace {

Kernels kernels() {
#if defined(__x86_64__) || defined(_M_X64)
    switch (supported_level()) {
        case SimdLevel::avx512: return avx512::kernels();
        case SimdLevel::avx2: return avx2::kernels();
        default: break;
    }
#endif
    return baseline::kernels();
}

// Each thread has copies of so many rows of each table: of a text of millions of words they are
// half of all that is used. Only those are copied that each thread exchanges so often in an epoch:
// in a small text each would else learn from its part of it alone.
constexpr std::int64_t most_own = 1024, least_exchanges = 16;

// A thread takes several pieces in a row. A rare word mostly occurs where it has just occurred, and
// its rows then stay in the cache of one core. But a training shall be able to stop soon.
constexpr std::int64_t most_in_a_row = 16;
constexpr std::chrono::milliseconds longest_in_a_row{10};

// What counting the words of a large vocabulary has freed, the C library keeps, a hundredth of the
// tables: it goes back to the system before the training fills them.
void return_freed_memory() {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

// Seconds: about what a thread needs for a piece.
constexpr double little = 1e-3;

Descend kernel_of(const Model& model) {
    const Kernels all = kernels();
    if (model.kind == Kind::unit_norm) return all.unit_norm;
    if (model.softmax) return all.softmax;
    return model.kind == Kind::cbow ? all.cbow : all.skipgram;
}

// With how many rows of the other table a row meets at each of its uses, weighted by how much of
// what a pair says reaches it.
Training::Pairs pairs_of(const Drawing& drawing, const Model& model, const Vocabulary& vocabulary) {
    const double around = drawing.shrink ? drawing.window + 1.0 : 2.0 * drawing.window;
    double targets = drawing.centre ? 1.0 + drawing.negatives : 0.0;
    if (drawing.paths && vocabulary.size > 0)
        targets += static_cast<double>(vocabulary.path_ends[vocabulary.size - 1]) /
                   static_cast<double>(vocabulary.size);
    if (model.kind != Kind::cbow) return {around * targets, around, 1.0};
    const double mean = model.mean ? 1.0 / around : 1.0, part = model.divided ? 1.0 / around : 1.0;
    return {around * targets * mean * part, 1.0, around};
}

// How far a use takes a row on its way: the curvature of the loss of a pair is a quarter of the
// other row's square, which is two or so.
double step_of(double pairs, double rate) { return std::min(0.5 * rate * pairs, 0.9); }

}  // namespace

WorkingMemory::WorkingMemory(const Limits& limits, std::int64_t share, std::int64_t stride,
                             std::int64_t words) {
    // Blocks of targets that are shared, and those of the centres of a group by two.
    const std::int64_t blocks = (limits.targets + columns - 1) / columns + share + 1;
    // For each block `lanes` numbers a row, and two rows at a time.
    const std::int64_t pairs = limits.rows * blocks * lanes + widest;
    const std::int64_t uses = limits.rows * (share + 1), targets = limits.targets + widest;
    const std::int64_t own = limits.rows * lanes;
    numbers_.resize(static_cast<std::size_t>((2 * limits.rows + targets + 2 * share) * stride +
                                             2 * pairs + own + uses + 2 * targets + 16));
    // Pointers are copied by a few, so that some more are written.
    const std::int64_t rows = limits.rows + widest;
    pointers_.resize(static_cast<std::size_t>(rows + 2 * targets + share + words + widest));
    blocks_.resize(static_cast<std::size_t>(blocks));
    // Rows begin at a line of the cache.
    float* free = aligned(numbers_.data());
    const auto take = [&free](std::int64_t count) {
        float* const taken = free;
        free += count;
        return taken;
    };
    scratch_.limit = limits.rows;
    scratch_.blocks = blocks_.data();
    scratch_.x = pointers_.data();
    scratch_.y = scratch_.x + rows;
    scratch_.coming = const_cast<const float**>(scratch_.y + targets);
    scratch_.words = scratch_.y + 2 * targets + share;
    scratch_.coming[0] = free;
    scratch_.rows = take(limits.rows * stride);
    scratch_.copies = take((limits.rows + targets) * stride);
    scratch_.hidden = take(2 * share * stride);
    scratch_.dots = take(pairs);
    scratch_.weights = take(pairs);
    scratch_.own = take(own);
    scratch_.uses = take(uses);
    scratch_.times = take(targets);
    scratch_.answers = take(targets);
}

struct Training::Worker {
    Worker(Drawer own_drawer, WorkingMemory own_memory)
        : drawer(std::move(own_drawer)), memory(std::move(own_memory)) {}
    Drawer drawer;
    WorkingMemory memory;
    double loss = 0.0;
    std::int64_t predictions = 0;
    // In rounds: the copies, and the windows in their terms.
    std::unique_ptr<LocalRows> input, output;
    std::vector<std::int32_t> ids, targets;
    // Else, the rows that are used most.
    std::unique_ptr<OwnRows> own_input, own_output;
};

Training::~Training() = default;

Training::Training(const Corpus& corpus, const Vocabulary& vocabulary, const Drawing& drawing,
                   const Model& model, const Tables& tables, const Uses& uses,
                   std::int64_t output_rows, std::int64_t piece, int workers, bool deterministic)
    : corpus_(corpus), model_(model), tables_(tables), piece_(piece), descend_(kernel_of(model)),
      in_rounds_(deterministic && workers > 1), pairs_(pairs_of(drawing, model, vocabulary)) {
    // The first rows of a table, or the last.
    const auto own_rows = [&](float* table, const float* uses_of_rows, std::int64_t rows, bool last,
                              double pairs, int thread) -> std::unique_ptr<OwnRows> {
        const auto in_piece = [&](std::int64_t i) {
            return uses_of_rows[last ? rows - 1 - i : i] * static_cast<float>(piece);
        };
        const std::int64_t longest = pieces() / workers / least_exchanges;
        std::vector<float> own;
        for (std::int64_t i = 0; i < std::min(rows, most_own); ++i) {
            if (OwnRows::period(in_piece(i), workers) > longest) break;
            own.push_back(in_piece(i));
        }
        const std::int64_t first = last ? rows - static_cast<std::int64_t>(own.size()) : 0;
        if (last) std::reverse(own.begin(), own.end());
        return std::make_unique<OwnRows>(table, first, std::move(own), tables.stride, pairs, thread,
                                         workers);
    };
    return_freed_memory();
    Limits most = limits(drawing, vocabulary);
    most.rows = std::max(most.rows, most.targets);  // Targets may be the rows of a block.
    if (model.softmax) most.targets = vocabulary.size;
    for (int i = 0; i < workers; ++i) {
        workers_.push_back(std::make_unique<Worker>(
            Drawer(corpus, vocabulary, drawing),
            WorkingMemory(most, drawing.share, tables.stride, piece + 2 * drawing.window)));
        Worker& worker = *workers_.back();
        if (in_rounds_) {
            worker.input = std::make_unique<LocalRows>(tables.input, tables.frozen_input,
                                                       vocabulary.size, tables.stride);
            worker.output = std::make_unique<LocalRows>(
                tables.output, tables.frozen_output, model.softmax ? vocabulary.size : output_rows,
                tables.stride);
        } else if (workers > 1 && uses.input && uses.output) {
            worker.own_input = own_rows(tables.input, uses.input, vocabulary.size, false,
                                        pairs_.input * pairs_.alike, i);
            // The root is the last of the nodes.
            worker.own_output =
                own_rows(tables.output, uses.output, output_rows, drawing.paths, pairs_.output, i);
        }
    }
}

std::int64_t Training::pieces() const { return (corpus_.words + piece_ - 1) / piece_; }

Windows Training::draw(std::uint64_t epoch, std::int64_t piece) {
    return draw(*workers_[0], epoch, piece);
}

Windows Training::draw(Worker& worker, std::uint64_t epoch, std::int64_t piece) const {
    const std::int64_t begin = piece * piece_;
    return worker.drawer.draw(epoch, begin, std::min(begin + piece_, corpus_.words));
}

Outcome Training::descend(const Windows& windows, std::int64_t first, std::int64_t last,
                          float rate) {
    Scratch scratch = workers_[0]->memory.scratch();
    descend_(tables_, windows, first, last, model_, rate, scratch);
    return {0, scratch.loss, scratch.predictions};
}

template <class Function>
void Training::for_each_worker(double seconds, Function function) {
    struct Context {
        Training* training;
        Function* function;
    } context{this, &function};
    const int count = static_cast<int>(workers_.size());
    const auto run_one = [](void* given, int number, int) {
        const auto& [training, function] = *static_cast<Context*>(given);
        (*function)(*training->workers_[static_cast<std::size_t>(number)], number);
    };
    thread_pool().run(count, count, seconds * 1e9 * count, run_one, &context);
}

Outcome Training::run(std::uint64_t epoch, std::int64_t first, double rate, double final_rate,
                      double seconds) {
    const Stretch stretch{epoch, rate, final_rate,
                          Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                             std::chrono::duration<double>(seconds))};
    for (auto& worker : workers_) worker->loss = 0.0, worker->predictions = 0;
    Outcome outcome{first, 0.0, 0};
    if (in_rounds_) {
        outcome.next = run_rounds(stretch, first);
    } else {
        const bool begins = !apart_;
        apart_ = true;
        std::atomic<std::int64_t> next{first};
        // A piece that is taken is done, so what follows the last of them is where to go on.
        for_each_worker(seconds, [&](Worker& worker, int) {
            if (begins && worker.own_input) {
                worker.own_input->begin();
                worker.own_output->begin();
            }
            std::int64_t most = 1;
            Clock::time_point now = Clock::now();
            do {
                const auto [begin, end] = take(next, most);
                if (begin == end) break;
                for (std::int64_t piece = begin; piece < end; ++piece)
                    descend_piece(worker, stretch, piece);
                const Clock::duration took = Clock::now() - now, tick{1};
                now += took;
                const auto time = std::min<Clock::duration>(longest_in_a_row, stretch.end - now);
                most = std::clamp<std::int64_t>((end - begin) * time / std::max(took, tick), 1,
                                                most_in_a_row);
            } while (now < stretch.end);
        });
        outcome.next = next.load();
    }
    for (const auto& worker : workers_) {
        outcome.loss += worker->loss;
        outcome.predictions += worker->predictions;
    }
    return outcome;
}

// The next pieces [begin, end): `most`, or towards the last fewer, so that threads end together.
std::pair<std::int64_t, std::int64_t> Training::take(std::atomic<std::int64_t>& next,
                                                     std::int64_t most) const {
    const auto shares = 2 * static_cast<std::int64_t>(workers_.size());
    std::int64_t begin = next.load(), end = begin;
    do {
        const std::int64_t left = pieces() - begin;
        end = begin + std::clamp(left / shares, std::min<std::int64_t>(left, 1), most);
    } while (!next.compare_exchange_weak(begin, end));
    return {begin, end};
}

void Training::settle() {
    if (!apart_) return;
    apart_ = false;
    const auto parts = static_cast<std::int32_t>(workers_.size());
    // Each thread takes care of some rows, so that no two change the same.
    for_each_worker(little, [&](Worker&, int part) {
        for (auto& worker : workers_) {
            if (!worker->own_input) continue;
            worker->own_input->finish(worker->own_output->sum(), part, parts);
            worker->own_output->finish(worker->own_input->sum(), part, parts);
        }
    });
}

Outcome Training::measure(std::uint64_t epoch, const std::int64_t* chosen, std::int64_t count) {
    std::vector<Outcome> outcomes(static_cast<std::size_t>(count));
    std::atomic<std::int64_t> next{0};
    for_each_worker(little * static_cast<double>(count), [&](Worker& worker, int) {
        for (std::int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
            const Windows windows = draw(worker, epoch, chosen[i]);
            Scratch scratch = worker.memory.scratch();
            descend_(tables_, windows, 0, windows.groups, model_, 0.0f, scratch);
            outcomes[static_cast<std::size_t>(i)] = {0, scratch.loss, scratch.predictions};
        }
    });
    // In their order, so that the sum is the same however many threads there are.
    Outcome sum;
    for (const Outcome& outcome : outcomes) {
        sum.loss += outcome.loss;
        sum.predictions += outcome.predictions;
    }
    return sum;
}

// Each round every thread works on a piece of its own, with copies of the rows it needs, as they
// were before the round. What the copies gained is added to the tables in the order of the pieces.
std::int64_t Training::run_rounds(const Stretch& stretch, std::int64_t first) {
    const auto parts = static_cast<std::int32_t>(workers_.size());
    const Ways input_ways(step_of(pairs_.input, stretch.rate)),
        output_ways(step_of(pairs_.output, stretch.rate));
    do {
        const std::int64_t last = std::min(first + parts, pieces());
        for_each_worker(little, [&](Worker& worker, int i) {
            if (first + i < last) descend_piece(worker, stretch, first + i);
        });
        for_each_worker(little, [&](Worker&, int part) {
            add_gains(&Worker::input, tables_.input, input_ways, part, last - first);
            add_gains(&Worker::output, tables_.output, output_ways, part, last - first);
        });
        first = last;
    } while (first < pieces() && Clock::now() < stretch.end);
    return first;
}

// Adds what the copies of the first `count` workers gained to the rows that are this part's.
void Training::add_gains(std::unique_ptr<LocalRows> Worker::* copies, float* table,
                         const Ways& ways, std::int32_t part, std::int64_t count) {
    const auto parts = static_cast<std::int32_t>(workers_.size());
    const auto copies_of = [&](std::int64_t w) -> const LocalRows& {
        return *((*workers_[static_cast<std::size_t>(w)]).*copies);
    };
    std::vector<const float*> found(static_cast<std::size_t>(count));
    for (std::int64_t w = 0; w < count; ++w) {
        for (const std::int32_t row : copies_of(w).rows()) {
            if (row % parts != part) continue;
            float uses = 0.0f, all_uses = 0.0f, summed = 0.0f;
            // Whoever copied a row first takes care of it.
            bool is_first = true;
            for (std::int64_t u = 0; u < w && is_first; ++u)
                is_first = !copies_of(u).copy_of(row, uses);
            if (!is_first) continue;
            std::size_t number = 0;
            for (std::int64_t u = w; u < count; ++u) {
                const float* const copy = copies_of(u).copy_of(row, uses);
                if (!copy) continue;
                found[number++] = copy;
                all_uses += uses;
                summed += ways.after(uses);
            }
            float* const to = table + row * tables_.stride;
            if (number == 1) {
                std::copy(found[0], found[0] + tables_.stride, to);
                continue;
            }
            const float scale = ways.scale(all_uses, summed);
            for (std::int64_t d = 0; d < tables_.stride; ++d) {
                float gain = 0.0f;
                for (std::size_t n = 0; n < number; ++n) gain += found[n][d] - to[d];
                to[d] += scale * gain;
            }
        }
    }
}

void Training::descend_piece(Worker& worker, const Stretch& stretch, std::int64_t piece) {
    const DenormalsFlushed flushed(true);
    const std::int64_t begin = piece * piece_;
    const double done = static_cast<double>(begin) / static_cast<double>(corpus_.words);
    const auto rate = static_cast<float>(stretch.rate + (stretch.final_rate - stretch.rate) * done);
    Windows windows = draw(worker, stretch.epoch, piece);
    const std::int64_t targets = windows.groups > 0 ? windows.target_end[windows.groups - 1] : 0;
    Tables tables = tables_;
    if (in_rounds_) {
        worker.input->copy(windows.ids, windows.id_count, worker.ids);
        windows.ids = worker.ids.data();
        if (model_.softmax) {
            worker.output->copy_all(windows.targets, targets);
        } else {
            worker.output->copy(windows.targets, targets, worker.targets);
            windows.targets = worker.targets.data();
        }
        tables.input = worker.input->start();
        tables.output = worker.output->start();
        tables.frozen_input = worker.input->frozen();
        tables.frozen_output = worker.output->frozen();
    }
    if (worker.own_input) {
        tables.own_input = worker.own_input->range();
        tables.own_output = worker.own_output->range();
    }
    Scratch scratch = worker.memory.scratch();
    descend_(tables, windows, 0, windows.groups, model_, rate, scratch);
    if (worker.own_input) {
        worker.own_input->exchange(static_cast<double>(rate), worker.own_output->sum());
        worker.own_output->exchange(static_cast<double>(rate), worker.own_input->sum());
    }
    worker.loss += scratch.loss;
    worker.predictions += scratch.predictions;
}

}  // namespace chainrule::words
