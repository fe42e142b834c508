// Training word embeddings by windows: pieces of the corpus, worked off by threads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "chainrule/words/drawing.hpp"
#include "chainrule/words/kernels.hpp"

namespace chainrule::words {

// What a stretch of training came to.
struct Outcome {
    std::int64_t next = 0;  // the first piece that is not done
    double loss = 0.0;      // summed over the predictions
    std::int64_t predictions = 0;
};

// How often each row of a table is expected to be used for each word of the text, or null: then
// threads have no rows of their own.
struct Uses {
    const float* input;
    const float* output;
};

class WorkingMemory {
public:
    // For pieces with so many words, those around them included.
    WorkingMemory(const Limits& limits, std::int64_t share, std::int64_t stride,
                  std::int64_t words);
    Scratch scratch() const { return scratch_; }

private:
    std::vector<float> numbers_;
    std::vector<float*> pointers_;
    std::vector<Block> blocks_;
    Scratch scratch_{};
};

class LocalRows;
class Ways;

class Training {
public:
    // With how many rows of the other table a row meets at each of its uses, and how many rows of
    // the input table are given the same, so that what they have in common moves as often.
    struct Pairs {
        double input, output, alike;
    };

    // Several threads change the same tables at once, or, where all is to be deterministic, take
    // turns in rounds. Then the result depends on how many there are, but on nothing else.
    Training(const Corpus& corpus, const Vocabulary& vocabulary, const Drawing& drawing,
             const Model& model, const Tables& tables, const Uses& uses, std::int64_t output_rows,
             std::int64_t piece, int workers, bool deterministic);
    ~Training();

    std::int64_t pieces() const;

    // Trains on the pieces of an epoch from `first` on, until they are done or `seconds` are over.
    // The rate falls from `rate` at the epoch's beginning to `final_rate` at its end.
    Outcome run(std::uint64_t epoch, std::int64_t first, double rate, double final_rate,
                double seconds);

    // Brings what threads have learned apart into the tables, after any number of runs.
    void settle();

    // The loss of these pieces with the tables as they are.
    Outcome measure(std::uint64_t epoch, const std::int64_t* pieces, std::int64_t count);

    // One step for each of the groups [first, last) of a piece, to look at.
    Outcome descend(const Windows& windows, std::int64_t first, std::int64_t last, float rate);

    // The windows of one piece, valid until the next call of anything here.
    Windows draw(std::uint64_t epoch, std::int64_t piece);

private:
    using Clock = std::chrono::steady_clock;
    struct Worker;
    struct Stretch {
        std::uint64_t epoch;
        double rate, final_rate;
        Clock::time_point end;
    };

    template <class Function>
    void for_each_worker(double seconds, Function function);
    Windows draw(Worker& worker, std::uint64_t epoch, std::int64_t piece) const;
    std::pair<std::int64_t, std::int64_t> take(std::atomic<std::int64_t>& next,
                                               std::int64_t most) const;
    std::int64_t run_rounds(const Stretch& stretch, std::int64_t first);
    void add_gains(std::unique_ptr<LocalRows> Worker::* copies, float* table, const Ways& ways,
                   std::int32_t part, std::int64_t count);
    void descend_piece(Worker& worker, const Stretch& stretch, std::int64_t piece);

    Corpus corpus_;
    Model model_;
    Tables tables_;
    std::int64_t piece_;
    Descend descend_;
    bool in_rounds_;
    bool apart_ = false;  // whether threads have rows of their own that have not settled
    Pairs pairs_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace chainrule::words
