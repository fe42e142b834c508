// Training word embeddings by windows: pieces of the corpus, worked off by threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
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

class WorkingMemory {
public:
    WorkingMemory(const Limits& limits, std::int64_t share, std::int64_t stride);
    Scratch scratch() const { return scratch_; }

private:
    std::vector<float> numbers_;
    std::vector<float*> pointers_;
    std::vector<Block> blocks_;
    Scratch scratch_{};
};

class Training {
public:
    Training(const Corpus& corpus, const Vocabulary& vocabulary, const Drawing& drawing,
             const Model& model, const Tables& tables, std::int64_t piece, int workers);

    std::int64_t pieces() const;

    // Trains on the pieces of an epoch from `first` on, until they are done or `seconds` are over.
    // The rate falls from `rate` at the epoch's beginning to `final_rate` at its end.
    Outcome run(std::uint64_t epoch, std::int64_t first, double rate, double final_rate,
                double seconds);

    // One step for each of the groups [first, last) of a piece, to look at.
    Outcome descend(const Windows& windows, std::int64_t first, std::int64_t last, float rate);

    // The windows of one piece, valid until the next call of anything here.
    Windows draw(std::uint64_t epoch, std::int64_t piece);

private:
    struct Worker {
        Drawer drawer;
        WorkingMemory memory;
    };
    void work(Worker& worker, std::uint64_t epoch, double rate, double final_rate, double seconds,
              std::atomic<std::int64_t>& next, Outcome& outcome);

    Corpus corpus_;
    Model model_;
    Tables tables_;
    std::int64_t piece_;
    Descend descend_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace chainrule::words
