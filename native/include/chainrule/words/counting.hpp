// How often words stand near each other, counted in bounded memory.
//
// Pairs of frequent words have a cell each in a table whose rows get shorter as words get rarer.
// All others are written down one by one, sorted when there is no more room, and added up; the
// runs that come of that go to files when they outgrow their share of the memory. In the end
// everything is merged in order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "chainrule/words/drawing.hpp"

namespace chainrule::words {

enum class Sides : std::uint8_t { both, left, right };
enum class Weights : std::uint8_t { flat, linear, harmonic };

struct Counting {
    std::int64_t vocabulary;
    int window;           // words on a side at most
    Sides sides;          // of a word on which others are counted
    Weights weights;      // of a pair by its distance d: 1, (window + 1 - d) / window, or 1 / d
    std::int64_t memory;  // bytes, about
    std::filesystem::path folder;  // for runs that do not fit
};

class PairCounter {
public:
    explicit PairCounter(const Counting& counting);

    // Pairs whose later word lies in [begin, end) of the corpus.
    void count(const Corpus& corpus, std::int64_t begin, std::int64_t end);

    // After the last count: writes where each row of the matrix ends, which has entries for both
    // orders of a pair where both sides are counted, and how many entries there are.
    std::int64_t finish(std::int64_t* row_ends);

    // Columns, rising in each row, and values.
    void write(const std::int64_t* row_ends, std::int32_t* columns, double* values);

    // Runs that were written to files.
    int files() const { return files_; }

private:
    // The sum for a pair, which is a row in the high half and a column in the low one.
    struct Sum {
        std::uint64_t pair;
        double value;
    };
    struct Run {
        std::vector<Sum> sums;
        std::filesystem::path file;  // where the sums are, if not here
    };
    class Cursor;
    // Cells of a row: that of a column below `limit` is cells_[start + column].
    struct Row {
        std::int64_t start;
        std::int32_t limit;
    };
    struct Touch {
        std::int64_t cell;
        double weight;
    };

    template <Sides sides>
    void count_sides(const Corpus& corpus, std::int64_t begin, std::int64_t end);
    void sort_buffer();
    void close_run();
    template <class Sink>
    void merge(Sink sink) const;

    Counting counting_;
    std::vector<double> weight_;  // by distance
    int word_bits_, distance_bits_;
    std::vector<Row> rows_;
    std::vector<double> cells_;
    std::vector<Touch> touched_, coming_;  // cells of the last centre and of this one
    // Pairs that have no cell: row, column and distance in the bits of a number.
    std::size_t room_, used_ = 0;
    std::unique_ptr<std::uint64_t[]> buffer_, sorted_;
    std::vector<Run> runs_;
    std::int64_t kept_ = 0;  // sums in memory
    int files_ = 0;
};

}  // namespace chainrule::words
