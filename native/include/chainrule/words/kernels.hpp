// The descent of word embeddings: one table of functions for each instruction set.
//
// This header is read by files that are compiled once for each instruction set (see
// native/cmake/SimdSources.cmake), so it holds no inline function.
#pragma once

#include <stdint.h>

namespace chainrule::words {

constexpr int columns = 6;  // rows of the output table in a block, held in registers
constexpr int lanes = 8;    // the same, padded
constexpr int widest = 16;  // floats in a vector

// Rows [first, first + count) of a table that a thread has copies of, `apart` bytes from the rows.
struct OwnRange {
    int64_t first, count, apart;
};

// Rows of `stride` floats, aligned to 64 bytes; what lies beyond the `size` of a vector is zero.
struct Tables {
    float* input;
    float* output;
    int64_t stride;
    int64_t size;
    const uint8_t* frozen_input;  // of each row, whether it may not change; or null
    const uint8_t* frozen_output;
    OwnRange own_input, own_output;
};

// The windows of a piece of the corpus, drawn ahead. Windows that share their targets form a group.
struct Windows {
    const int32_t* ids;  // the kept words of the piece, and those around it
    int64_t id_count;
    int64_t groups;
    const int64_t* window_end;  // of each group: offset after its last window
    // Of each window: the position of its centre in ids, and [first, last) of all of it.
    const int32_t* centre;
    const int32_t* first;
    const int32_t* last;
    // Rows of the output table, and whether the model should say yes (1) or no (0) to them. In a
    // group of several windows the centres come first, each for its own window alone.
    const int64_t* target_end;  // of each group: offset after its last target
    const int32_t* targets;
    const float* labels;     // and `widest` more
    const uint8_t* repeats;  // of each group: which rows may occur twice in it
    // Of the targets of a group, those that are probably not in the cache: so many are known before
    // them, and so many of them there are at most.
    int64_t known, fetched;
};
constexpr uint8_t repeated_rows = 1, repeated_targets = 2;

enum class Kind : uint8_t { skipgram, cbow, unit_norm };

struct Model {
    Kind kind;
    bool softmax;    // over the whole vocabulary, instead of the targets
    int window;      // words on each side of a centre at most
    bool mean;       // CBOW: the mean of the contexts, not their sum
    bool divided;    // CBOW: each context word moves by its share of what their mean or sum does
    float contrast;  // unit norm: how much the negatives count
    int64_t vocabulary;
};

// Numbers of the pairs of rows and targets: one for each target, each row, or each pair, `lanes` of
// which stand for a row.
enum class By : uint8_t { target, row, pair };
struct PairNumbers {
    const float* start;
    By by;
};

// Targets [start, start + count) of a group, and the rows [low, high) that meet them. What belongs
// to row low + i and target start + j is number first + i * stride + j of scratch.dots.
struct Block {
    int64_t start, count, low, high, first, stride;
    PairNumbers labels;   // what is to be said
    PairNumbers weights;  // how often it counts; not used where all pairs count once
};

// Working memory of one thread, and what it counts.
struct Scratch {
    int64_t limit;  // rows in a group at most
    Block* blocks;
    float **x, **y;
    float** words;         // rows of the ids of a piece
    const float** coming;  // rows of a group that will be needed soon
    float* rows;           // limit rows of a table
    float* copies;         // a row for each of x and y
    float* hidden;         // two rows for each window: CBOW's means, and the same before the step
    float* dots;           // of each pair
    float* weights;        // of each pair: how often it counts
    float* own;            // of each row: `lanes` windows, how often it stands in them
    float* uses;           // of each window, and of all: how often a row stands in it
    float* times;          // how often a target occurs
    float* answers;        // what is to be said of it
    double loss;           // summed over the predictions
    int64_t predictions;
};

// One step of descent for each of the groups [first, last). At a rate of 0 tables are only read.
using Descend = void (*)(const Tables& tables, const Windows& windows, int64_t first, int64_t last,
                         const Model& model, float rate, Scratch& scratch);

struct Kernels {
    Descend skipgram, cbow, softmax, unit_norm;
};

// Implemented for each instruction set; those of the others are only there on x86-64.
namespace baseline {
Kernels kernels();
}
namespace avx2 {
Kernels kernels();
}
namespace avx512 {
Kernels kernels();
}

}  // namespace chainrule::words
