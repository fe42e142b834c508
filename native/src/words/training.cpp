#include "chainrule/words/training.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "../denormals.hpp"
#include "chainrule/cpu.hpp"

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

Descend kernel_of(const Model& model) {
    const Kernels all = kernels();
    if (model.softmax) return all.softmax;
    return model.kind == Kind::cbow ? all.cbow : all.skipgram;
}

}  // namespace

WorkingMemory::WorkingMemory(const Limits& limits, std::int64_t share, std::int64_t stride) {
    const std::int64_t block = limits.rows * lanes;
    // Blocks of targets that are shared, and those of the centres of a group by two.
    const std::int64_t blocks = (limits.targets + columns - 1) / columns + share + 1;
    const std::int64_t uses = limits.rows * (share + 1), targets = limits.targets + lanes;
    numbers_.resize(static_cast<std::size_t>((2 * limits.rows + targets + 2 * share) * stride +
                                             2 * blocks * block + blocks * lanes + columns * block +
                                             uses + 2 * targets + 16));
    pointers_.resize(static_cast<std::size_t>(2 * limits.rows + 2 * targets + share));
    blocks_.resize(static_cast<std::size_t>(blocks));
    // Rows begin at a line of the cache.
    float* free = numbers_.data();
    free += (64 - reinterpret_cast<std::uintptr_t>(free) % 64) % 64 / sizeof(float);
    const auto take = [&free](std::int64_t count) {
        float* const taken = free;
        free += count;
        return taken;
    };
    scratch_.limit = limits.rows;
    scratch_.block = block;
    scratch_.blocks = blocks_.data();
    scratch_.x = pointers_.data();
    scratch_.moved = scratch_.x + limits.rows;
    scratch_.y = scratch_.moved + limits.rows;
    scratch_.coming = const_cast<const float**>(scratch_.y + targets);
    scratch_.coming[0] = free;
    scratch_.rows = take(limits.rows * stride);
    scratch_.copies = take((limits.rows + targets) * stride);
    scratch_.hidden = take(2 * share * stride);
    scratch_.dots = take(blocks * block);
    scratch_.weights = take(blocks * block);
    scratch_.labels = take(blocks * lanes);
    scratch_.ones = take(columns * block);
    scratch_.uses = take(uses);
    scratch_.times = take(targets);
    scratch_.answers = take(targets);
    for (std::int64_t n = 1; n <= columns; ++n)
        for (std::int64_t i = 0; i < block; ++i)
            scratch_.ones[(n - 1) * block + i] = i % lanes < n ? 1.0f : 0.0f;
}

Training::Training(const Corpus& corpus, const Vocabulary& vocabulary, const Drawing& drawing,
                   const Model& model, const Tables& tables, std::int64_t piece, int workers)
    : corpus_(corpus), model_(model), tables_(tables), piece_(piece), descend_(kernel_of(model)) {
    Limits most = limits(drawing, vocabulary);
    if (model.softmax) most.targets = vocabulary.size;
    for (int i = 0; i < workers; ++i)
        workers_.push_back(
            std::make_unique<Worker>(Worker{Drawer(corpus, vocabulary, drawing),
                                            WorkingMemory(most, drawing.share, tables.stride)}));
}

std::int64_t Training::pieces() const { return (corpus_.words + piece_ - 1) / piece_; }

Windows Training::draw(std::uint64_t epoch, std::int64_t piece) {
    const std::int64_t begin = piece * piece_;
    return workers_[0]->drawer.draw(epoch, begin, std::min(begin + piece_, corpus_.words));
}

Outcome Training::descend(const Windows& windows, std::int64_t first, std::int64_t last,
                          float rate) {
    Scratch scratch = workers_[0]->memory.scratch();
    descend_(tables_, windows, first, last, model_, rate, scratch);
    return {0, scratch.loss, scratch.predictions};
}

Outcome Training::run(std::uint64_t epoch, std::int64_t first, double rate, double final_rate,
                      double seconds) {
    std::atomic<std::int64_t> next{first};
    std::vector<Outcome> outcomes(workers_.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < workers_.size(); ++i)
        threads.emplace_back(
            [&, i] { work(*workers_[i], epoch, rate, final_rate, seconds, next, outcomes[i]); });
    work(*workers_[0], epoch, rate, final_rate, seconds, next, outcomes[0]);
    for (std::thread& thread : threads) thread.join();
    Outcome all{std::min(next.load(), pieces()), 0.0, 0};
    for (const Outcome& one : outcomes) all.loss += one.loss, all.predictions += one.predictions;
    return all;
}

void Training::work(Worker& worker, std::uint64_t epoch, double rate, double final_rate,
                    double seconds, std::atomic<std::int64_t>& next, Outcome& outcome) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    const DenormalsFlushed flushed(true);
    Scratch scratch = worker.memory.scratch();
    // A piece that is taken is done, so what follows the last of them is where to go on.
    do {
        const std::int64_t piece = next.fetch_add(1);
        if (piece >= pieces()) break;
        const std::int64_t begin = piece * piece_;
        const double share = static_cast<double>(begin) / static_cast<double>(corpus_.words);
        const Windows windows =
            worker.drawer.draw(epoch, begin, std::min(begin + piece_, corpus_.words));
        descend_(tables_, windows, 0, windows.groups, model_,
                 static_cast<float>(rate + (final_rate - rate) * share), scratch);
    } while (Clock::now() < end);
    outcome.loss = scratch.loss;
    outcome.predictions = scratch.predictions;
}

}  // namespace chainrule::words
