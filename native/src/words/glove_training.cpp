#include "chainrule/words/glove_training.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "../denormals.hpp"
#include "../thread_pool.hpp"
#include "chainrule/cpu.hpp"
#include "random_bits.hpp"

namespace chainrule::words {
namespace {

constexpr std::int64_t cells_in_piece = std::int64_t{stripes} * stripes;
// What an entry takes, about, and from when on helpers are worth their call.
constexpr double nanoseconds_per_number = 1.0, worth_sharing = 20e3;

DescendGlove kernel() {
#if defined(__x86_64__) || defined(_M_X64)
    switch (supported_level()) {
        case SimdLevel::avx512: return avx512::glove;
        case SimdLevel::avx2: return avx2::glove;
        default: break;
    }
#endif
    return baseline::glove;
}

std::int64_t cell_in_piece(const GloveEntry& entry) {
    const std::int64_t stripe = entry.row % stripes;
    return (entry.column - entry.row % stripes + stripes) % stripes * stripes + stripe;
}

std::uint64_t key_of(std::uint64_t seed, std::uint64_t purpose) {
    return mixed(mixed(seed + golden) + purpose);
}

}  // namespace

std::int64_t cells_of(std::int64_t entries, std::int64_t piece) {
    return (entries + piece - 1) / piece * cells_in_piece;
}

void arrange(const Counts& counts, const GloveWeighing& weighing, std::uint64_t seed,
             std::int64_t piece, GloveEntry* arranged, std::int64_t* cell_ends) {
    const std::int64_t total = counts.rows > 0 ? counts.row_ends[counts.rows - 1] : 0;
    const std::int64_t pieces = (total + piece - 1) / piece;
    const std::uint64_t key = key_of(seed, 0);
    const auto piece_of = [&](std::int64_t k) {
        return index_of(mixed(key + static_cast<std::uint64_t>(k)), pieces);
    };
    std::vector<std::int64_t> place(static_cast<std::size_t>(pieces) + 1);
    for (std::int64_t k = 0; k < total; ++k) ++place[piece_of(k) + 1];
    for (std::size_t i = 1; i < place.size(); ++i) place[i] += place[i - 1];
    const std::vector<std::int64_t> bounds = place;
    for (std::int64_t row = 0, k = 0; row < counts.rows; ++row)
        for (; k < counts.row_ends[row]; ++k) {
            const double count = counts.values[k];
            const double share = std::min(count / weighing.x_max, 1.0);
            arranged[place[piece_of(k)]++] = {
                static_cast<std::int32_t>(row), counts.columns[k],
                static_cast<float>(std::log(count)),
                share < 1.0 ? static_cast<float>(std::pow(share, weighing.alpha)) : 1.0f};
        }
    // The order of the matrix stays within a cell, where a row's entries follow one another.
    std::vector<GloveEntry> copy;
    for (std::int64_t p = 0; p < pieces; ++p) {
        GloveEntry* const start = arranged + bounds[static_cast<std::size_t>(p)];
        copy.assign(start, arranged + bounds[static_cast<std::size_t>(p) + 1]);
        std::array<std::int64_t, cells_in_piece + 1> cell{};
        for (const GloveEntry& entry : copy)
            ++cell[static_cast<std::size_t>(cell_in_piece(entry)) + 1];
        for (std::size_t c = 1; c < cell.size(); ++c) {
            cell[c] += cell[c - 1];
            cell_ends[p * cells_in_piece + static_cast<std::int64_t>(c) - 1] =
                bounds[static_cast<std::size_t>(p)] + cell[c];
        }
        for (const GloveEntry& entry : copy)
            start[cell[static_cast<std::size_t>(cell_in_piece(entry))]++] = entry;
    }
}

GloveTraining::GloveTraining(const GloveTables& tables, const GloveEntry* entries,
                             const std::int64_t* cell_ends, std::int64_t cells, std::uint64_t seed,
                             int workers)
    : tables_(tables), entries_(entries), cell_ends_(cell_ends), pieces_(cells / cells_in_piece),
      seed_(seed), workers_(workers), descend_(kernel()) {}

double GloveTraining::descend_cell(std::int64_t cell, float rate) const {
    const std::int64_t begin = cell > 0 ? cell_ends_[cell - 1] : 0;
    return descend_(tables_, entries_ + begin, cell_ends_[cell] - begin, rate);
}

double GloveTraining::descend_diagonal(std::int64_t first_cell, float rate) {
    std::array<double, stripes> losses{};
    const std::int64_t begin = first_cell > 0 ? cell_ends_[first_cell - 1] : 0;
    const double work = nanoseconds_per_number * static_cast<double>(tables_.size) *
                        static_cast<double>(cell_ends_[first_cell + stripes - 1] - begin);
    struct Context {
        GloveTraining* training;
        double* losses;
        std::int64_t first_cell;
        float rate;
    } context{this, losses.data(), first_cell, rate};
    const auto run_one = [](void* given, int i, int) {
        const auto& [training, losses, first, rate] = *static_cast<Context*>(given);
        const DenormalsFlushed flushed(true);
        losses[i] = training->descend_cell(first + i, rate);
    };
    thread_pool().run(stripes, work < worth_sharing ? 1 : workers_, work, run_one, &context);
    return std::accumulate(losses.begin(), losses.end(), 0.0);
}

Outcome GloveTraining::run(std::uint64_t epoch, std::int64_t first, double rate, double seconds) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(seconds));
    order_.resize(static_cast<std::size_t>(pieces_));
    std::iota(order_.begin(), order_.end(), 0);
    const std::uint64_t key = key_of(seed_, 1 + epoch);
    for (std::uint64_t i = order_.size(); i > 1; --i)
        std::swap(order_[i - 1], order_[index_of(mixed(key + i), static_cast<std::int64_t>(i))]);
    Outcome outcome{first, 0.0, 0};
    do {
        const std::int64_t cell = order_[static_cast<std::size_t>(outcome.next)] * cells_in_piece;
        for (int diagonal = 0; diagonal < stripes; ++diagonal)
            outcome.loss += descend_diagonal(cell + diagonal * stripes, static_cast<float>(rate));
        outcome.predictions +=
            cell_ends_[cell + cells_in_piece - 1] - (cell > 0 ? cell_ends_[cell - 1] : 0);
        ++outcome.next;
    } while (outcome.next < pieces_ && Clock::now() < end);
    return outcome;
}

}  // namespace chainrule::words
