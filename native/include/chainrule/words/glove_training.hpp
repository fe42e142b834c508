// Training GloVe: entries in an order that looks random, in which threads never meet.
//
// Entries are dealt out to pieces at random. Those of a piece lie in `stripes` x `stripes` cells,
// by the remainders of row and column. The cells of a diagonal have no row and no column in common,
// so threads can take them as they like: the result is the same to the bit however many there are.
//
// Source: R. Gemulla and others, Large-scale matrix factorization with distributed stochastic
// gradient descent (2011), for the diagonals.
#pragma once

#include <cstdint>
#include <vector>

#include "chainrule/words/glove.hpp"
#include "chainrule/words/training.hpp"

namespace chainrule::words {

constexpr int stripes = 32;

// A sparse matrix of counts, row by row.
struct Counts {
    const std::int64_t* row_ends;
    const std::int32_t* columns;
    const double* values;
    std::int64_t rows;
};

struct GloveWeighing {
    double x_max, alpha;
};

// How many cells there are when so many entries are dealt out.
std::int64_t cells_of(std::int64_t entries, std::int64_t piece);

// Deals out the entries: `arranged` takes them cell after cell, and `cell_ends` where each cell
// ends, diagonal after diagonal and piece after piece.
void arrange(const Counts& counts, const GloveWeighing& weighing, std::uint64_t seed,
             std::int64_t piece, GloveEntry* arranged, std::int64_t* cell_ends);

class GloveTraining {
public:
    GloveTraining(const GloveTables& tables, const GloveEntry* entries,
                  const std::int64_t* cell_ends, std::int64_t cells, std::uint64_t seed,
                  int workers);

    std::int64_t pieces() const { return pieces_; }

    // Works off the pieces of an epoch, in an order of its own, from the `first` on, until they are
    // done or `seconds` are over.
    Outcome run(std::uint64_t epoch, std::int64_t first, double rate, double seconds);

private:
    double descend_diagonal(std::int64_t first_cell, float rate);
    double descend_cell(std::int64_t cell, float rate) const;

    GloveTables tables_;
    const GloveEntry* entries_;
    const std::int64_t* cell_ends_;
    std::int64_t pieces_;
    std::uint64_t seed_;
    int workers_;
    DescendGlove descend_;
    std::vector<std::int64_t> order_;  // of the pieces
};

}  // namespace chainrule::words
