#include "chainrule/words/counting.hpp"

#include <algorithm>
#include <bit>
#include <fstream>
#include <memory>
#include <queue>
#include <span>
#include <stdexcept>
#include <string>

#include "../prefetch.hpp"

namespace chainrule::words {
namespace {

constexpr std::size_t block = 1 << 14;  // sums read from a file at a time
constexpr int digit = 9;                // bits sorted by in a pass, at most

[[noreturn]] void fail(const char* what, const std::filesystem::path& path) {
    throw std::runtime_error(std::string(what) + " " + path.string() +
                             ": is there room on the disk?");
}

int bits_of(std::int64_t number) {
    return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(number)));
}

// Cells of rows whose i-th has columns below `product` / (i + 1).
std::int64_t cells_for(std::int64_t product, std::int64_t vocabulary, bool triangle) {
    std::int64_t cells = 0;
    for (std::int64_t i = 0; i < vocabulary && i < product; ++i)
        cells +=
            std::max<std::int64_t>(0, std::min(vocabulary, product / (i + 1)) - (triangle ? i : 0));
    return cells;
}

}  // namespace

// What is left of a run.
class PairCounter::Cursor {
public:
    explicit Cursor(const Run& run) : run_(&run) {
        if (run.file.empty()) {
            next_ = run.sums.data();
            end_ = next_ + run.sums.size();
        } else {
            stream_ = std::make_unique<std::ifstream>(run.file, std::ios::binary);
            refill();
        }
    }
    bool empty() const { return next_ == end_; }
    const Sum& sum() const { return *next_; }
    void step() {
        if (++next_ == end_ && stream_) refill();
    }

private:
    void refill() {
        buffer_.resize(block);
        stream_->read(reinterpret_cast<char*>(buffer_.data()),
                      static_cast<std::streamsize>(block * sizeof(Sum)));
        if (stream_->bad() || !stream_->is_open()) fail("cannot read", run_->file);
        next_ = buffer_.data();
        end_ = next_ + static_cast<std::size_t>(stream_->gcount()) / sizeof(Sum);
    }

    const Run* run_;
    const Sum *next_ = nullptr, *end_ = nullptr;
    std::unique_ptr<std::ifstream> stream_;
    std::vector<Sum> buffer_;
};

PairCounter::PairCounter(const Counting& counting)
    : counting_(counting), word_bits_(std::max(1, bits_of(counting.vocabulary - 1))),
      distance_bits_(bits_of(counting.window)) {
    if (2 * word_bits_ + distance_bits_ > 64)
        throw std::invalid_argument("the vocabulary and the window are too large to count pairs");
    const int window = counting.window;
    for (int d = 0; d <= window; ++d)
        weight_.push_back(d == 0                                  ? 0.0
                          : counting.weights == Weights::flat     ? 1.0
                          : counting.weights == Weights::harmonic ? 1.0 / d
                                                                  : (window + 1.0 - d) / window);
    // A quarter of the memory for cells, half for pairs one by one and a copy of them while they
    // are sorted, a quarter for runs.
    const std::int64_t size = counting.vocabulary;
    const std::int64_t room = counting.memory / 4 / static_cast<std::int64_t>(sizeof(double));
    const bool triangle = counting.sides == Sides::both;
    std::int64_t low = 0, high = size * size;
    while (low < high) {
        const std::int64_t middle = low + (high - low + 1) / 2;
        if (cells_for(middle, size, triangle) <= room) low = middle;
        else high = middle - 1;
    }
    rows_.resize(static_cast<std::size_t>(size));
    std::int64_t cells = 0;
    for (std::int64_t i = 0; i < size; ++i) {
        const std::int64_t first = triangle ? i : 0, last = std::min(size, low / (i + 1));
        rows_[static_cast<std::size_t>(i)] = {cells - first, static_cast<std::int32_t>(last)};
        cells += std::max<std::int64_t>(0, last - first);
    }
    // One at least, for places that are fetched and not used.
    cells_.resize(static_cast<std::size_t>(cells) + 1);
    touched_.resize(static_cast<std::size_t>(window));
    coming_.resize(static_cast<std::size_t>(window));
    room_ = static_cast<std::size_t>(
        std::max<std::int64_t>(counting.memory / 4 / 8, 4 * std::int64_t{window}));
    buffer_ = std::make_unique_for_overwrite<std::uint64_t[]>(room_);
}

void PairCounter::count(const Corpus& corpus, std::int64_t begin, std::int64_t end) {
    switch (counting_.sides) {
        case Sides::both: return count_sides<Sides::both>(corpus, begin, end);
        case Sides::left: return count_sides<Sides::left>(corpus, begin, end);
        case Sides::right: return count_sides<Sides::right>(corpus, begin, end);
    }
}

// Without branches that depend on words, which no processor foresees; and cells are changed one
// centre later than they are fetched.
template <Sides sides>
void PairCounter::count_sides(const Corpus& corpus, std::int64_t begin, std::int64_t end) {
    const std::int32_t* const ids = corpus.ids;
    const std::int64_t* sentence =
        std::upper_bound(corpus.ends, corpus.ends + corpus.sentences, begin);
    const Row* const rows = rows_.data();
    double* const cells = cells_.data();
    Touch *touched = touched_.data(), *coming = coming_.data();
    std::int64_t touched_count = 0;
    const auto touch = [&] {
        for (std::int64_t k = 0; k < touched_count; ++k)
            cells[touched[k].cell] += touched[k].weight;
    };
    for (std::int64_t q = begin; q < end; ++q) {
        while (q >= *sentence) ++sentence;
        const std::int64_t start = sentence == corpus.ends ? 0 : sentence[-1];
        const std::int64_t reach = std::min<std::int64_t>(counting_.window, q - start);
        if (used_ + static_cast<std::size_t>(reach) > room_) sort_buffer();
        std::uint64_t* const codes = buffer_.get();
        std::size_t used = used_;
        std::int64_t count = 0;
        const std::int32_t centre = ids[q];
        for (std::int64_t d = 1; d <= reach; ++d) {
            const std::int32_t other = ids[q - d];
            const std::int32_t row = sides == Sides::both    ? std::min(centre, other)
                                     : sides == Sides::right ? other
                                                             : centre;
            const std::int32_t column = sides == Sides::both    ? std::max(centre, other)
                                        : sides == Sides::right ? centre
                                                                : other;
            const Row cells_of_row = rows[row];
            const bool has_cell = column < cells_of_row.limit;
            const std::int64_t cell = has_cell ? cells_of_row.start + column : 0;
            CHAINRULE_PREFETCH_TO_WRITE(cells + cell);
            coming[count] = {cell, weight_[static_cast<std::size_t>(d)]};
            count += has_cell;
            codes[used] = ((static_cast<std::uint64_t>(row) << word_bits_ |
                            static_cast<std::uint64_t>(column))
                           << distance_bits_) |
                          static_cast<std::uint64_t>(d);
            used += !has_cell;
        }
        used_ = used;
        touch();
        std::swap(touched, coming);
        touched_count = count;
    }
    touch();
}

// Turns the buffer into a run. Pairs keep their order where they are equal, so sums are the same
// whatever else there is.
void PairCounter::sort_buffer() {
    if (used_ == 0) return;
    const int bits = 2 * word_bits_, passes = (bits + digit - 1) / digit;
    const int width = (bits + passes - 1) / passes;
    const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
    if (!sorted_) sorted_ = std::make_unique_for_overwrite<std::uint64_t[]>(room_);
    for (int pass = 0; pass < passes; ++pass) {
        const int shift = distance_bits_ + pass * width;
        std::vector<std::size_t> place(mask + 2);
        const std::span codes(buffer_.get(), used_);
        for (const std::uint64_t code : codes) ++place[(code >> shift & mask) + 1];
        for (std::size_t i = 1; i < place.size(); ++i) place[i] += place[i - 1];
        for (const std::uint64_t code : codes) sorted_[place[code >> shift & mask]++] = code;
        buffer_.swap(sorted_);
    }
    Run& run = runs_.emplace_back();
    const std::uint64_t low = (std::uint64_t{1} << word_bits_) - 1;
    const std::uint64_t distances = (std::uint64_t{1} << distance_bits_) - 1;
    for (const std::uint64_t code : std::span(buffer_.get(), used_)) {
        const std::uint64_t words = code >> distance_bits_;
        const std::uint64_t pair = (words >> word_bits_) << 32 | (words & low);
        if (run.sums.empty() || run.sums.back().pair != pair) run.sums.push_back({pair, 0.0});
        run.sums.back().value += weight_[code & distances];
    }
    used_ = 0;
    close_run();
}

// Sends the newest run to a file where memory is short.
void PairCounter::close_run() {
    Run& run = runs_.back();
    const auto room = counting_.memory / 4 / static_cast<std::int64_t>(sizeof(Sum));
    const auto count = static_cast<std::int64_t>(run.sums.size());
    if (kept_ + count <= room) {
        kept_ += count;
        run.sums.shrink_to_fit();
        return;
    }
    run.file = counting_.folder / ("pairs-" + std::to_string(files_++));
    std::ofstream stream(run.file, std::ios::binary);
    stream.write(reinterpret_cast<const char*>(run.sums.data()),
                 static_cast<std::streamsize>(run.sums.size() * sizeof(Sum)));
    stream.close();
    if (!stream) fail("cannot write", run.file);
    run.sums = {};
}

// Every pair once, in order.
template <class Sink>
void PairCounter::merge(Sink sink) const {
    std::vector<Cursor> cursors;
    for (const Run& run : runs_) cursors.emplace_back(run);
    // The smallest pair first, and of equal ones that of the older run.
    const auto later = [&](std::size_t a, std::size_t b) {
        const std::uint64_t x = cursors[a].sum().pair, y = cursors[b].sum().pair;
        return x != y ? x > y : a > b;
    };
    std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(later)> heap(later);
    for (std::size_t i = 0; i < cursors.size(); ++i)
        if (!cursors[i].empty()) heap.push(i);
    // The next pair of the runs.
    const auto take = [&]() {
        Sum sum = cursors[heap.top()].sum();
        sum.value = 0.0;
        while (!heap.empty() && cursors[heap.top()].sum().pair == sum.pair) {
            const std::size_t i = heap.top();
            heap.pop();
            sum.value += cursors[i].sum().value;
            cursors[i].step();
            if (!cursors[i].empty()) heap.push(i);
        }
        return sum;
    };
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        // A row's cells come before what has no cell.
        for (std::int32_t j = counting_.sides == Sides::both ? static_cast<std::int32_t>(i) : 0;
             j < rows_[i].limit; ++j)
            if (const double value = cells_[static_cast<std::size_t>(rows_[i].start + j)];
                value != 0.0)
                sink(i, static_cast<std::size_t>(j), value);
        while (!heap.empty() && cursors[heap.top()].sum().pair >> 32 == i) {
            const Sum sum = take();
            sink(i, static_cast<std::size_t>(sum.pair & 0xffffffffu), sum.value);
        }
    }
}

std::int64_t PairCounter::finish(std::int64_t* row_ends) {
    sort_buffer();
    buffer_.reset();
    sorted_.reset();
    std::fill(row_ends, row_ends + counting_.vocabulary, 0);
    const bool both = counting_.sides == Sides::both;
    merge([&](std::size_t row, std::size_t column, double) {
        ++row_ends[row];
        if (both && row != column) ++row_ends[column];
    });
    for (std::int64_t i = 1; i < counting_.vocabulary; ++i) row_ends[i] += row_ends[i - 1];
    return counting_.vocabulary > 0 ? row_ends[counting_.vocabulary - 1] : 0;
}

// Where both sides are counted, rows come in order, so each gets the columns before its own number
// from the rows above, also in order, and then its own.
void PairCounter::write(const std::int64_t* row_ends, std::int32_t* columns, double* values) {
    std::vector<std::int64_t> place(static_cast<std::size_t>(counting_.vocabulary));
    for (std::size_t i = 1; i < place.size(); ++i) place[i] = row_ends[i - 1];
    const auto put = [&](std::size_t row, std::size_t column, double value) {
        const std::int64_t at = place[row]++;
        columns[at] = static_cast<std::int32_t>(column);
        values[at] = value;
    };
    const bool both = counting_.sides == Sides::both;
    merge([&](std::size_t row, std::size_t column, double value) {
        // A word beside itself is on the left of one and on the right of the other.
        put(row, column, both && row == column ? 2.0 * value : value);
        if (both && row != column) put(column, row, value);
    });
}

}  // namespace chainrule::words
