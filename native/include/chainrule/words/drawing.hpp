// What is random in training word embeddings: which words are kept, how wide a window is, which
// words serve as negatives.
//
// Every draw is a function of (seed, epoch, position in the corpus), so the windows of any piece of
// the corpus can be drawn at any time by any thread, and a long sentence can be cut anywhere.
//
// A drawn negative serves several windows that lie far from each other, so that its row is in the
// cache for all but the first. Each window alone has negatives as if they were drawn for it.
#pragma once

#include <cstdint>
#include <vector>

#include "chainrule/words/kernels.hpp"

namespace chainrule::words {

// The words of a text in order, as rows of the tables; `ends` holds the offset after each sentence.
struct Corpus {
    const std::int32_t* ids;
    std::int64_t words;
    const std::int64_t* ends;
    std::int64_t sentences;
};

struct Vocabulary {
    std::int64_t size;
    // A word is kept where 32 random bits are not above its number here.
    const std::uint32_t* keep;
    // Walker's alias method: where 32 random bits are below the low half, the row itself, else the
    // row that is the high half.
    const std::uint64_t* alias;
    // Huffman's tree, or null: the inner nodes from the root to each word, and which way it goes.
    const std::int64_t* path_ends;
    const std::int32_t* path_nodes;
    const std::uint8_t* path_codes;
};

struct Drawing {
    std::uint64_t seed;
    int window;
    bool shrink;               // windows of random width, up to `window`
    int negatives;             // for each group of windows
    int share;                 // how many windows share their negatives
    int uses;                  // how many groups, far from each other, a drawn negative serves
    bool centre;               // whether the centre's own row of the output table is a target
    bool paths;                // whether the nodes above the centre are
    std::int64_t node_offset;  // where their rows begin
};

// How large the groups of windows can be.
struct Limits {
    std::int64_t rows;     // of the input table
    std::int64_t targets;  // of the output table
};
Limits limits(const Drawing& drawing, const Vocabulary& vocabulary);

class Drawer {
public:
    Drawer(const Corpus& corpus, const Vocabulary& vocabulary, const Drawing& drawing);

    // The windows whose centres lie in [begin, end) of the corpus, valid until the next call.
    Windows draw(std::uint64_t epoch, std::int64_t begin, std::int64_t end);

private:
    void make_room(std::int64_t words);
    void keep_words(std::int64_t begin, std::int64_t end);
    void draw_sentence(std::int64_t from, std::int64_t centre_from, std::int64_t centre_to,
                       std::int64_t to);
    std::uint64_t bits_at(std::int64_t position) const;
    std::uint64_t random_of(std::int64_t slot, std::int64_t k) const;
    void draw_negatives(std::int64_t first, std::int64_t last);
    std::int64_t draw_again(std::int64_t slot, std::int64_t start, std::int64_t centres);
    void draw_all_windows();
    bool names_twice(std::int64_t start);
    void draw_words(std::int64_t open, std::int64_t close);
    void draw_path(std::int64_t word);
    void draw_targets(std::int64_t group);
    std::int64_t path_start(std::int64_t word) const {
        return word > 0 ? vocabulary_.path_ends[word - 1] : 0;
    }

    Corpus corpus_;
    Vocabulary vocabulary_;
    Drawing drawing_;
    std::int64_t most_targets_, known_ = 0, fetched_ = 0;
    std::uint64_t key_ = 0;
    std::int64_t count_ = 0, windows_ = 0, groups_ = 0, target_count_ = 0;
    std::vector<std::int32_t> ids_, centre_, first_, last_, targets_;
    std::vector<std::int64_t> positions_, window_end_, target_end_;
    std::vector<float> labels_;
    std::vector<std::uint8_t> repeats_;
    // Where a word was last, by some bits of its row, and from where on no word occurs twice.
    std::vector<std::int64_t> latest_, clean_from_;
    // Which group named a target last, by some bits of its row.
    std::vector<std::uint64_t> stamps_;
    std::uint64_t stamp_ = 0;
    // The negatives from slot lowest_ on, so many for each slot. A group's lie at these places,
    // seen from its own slot.
    std::int64_t fresh_ = 0, lowest_ = 0;
    std::vector<std::int32_t> negatives_;
    std::vector<std::int64_t> places_;
};

}  // namespace chainrule::words
