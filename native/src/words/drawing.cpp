#include "chainrule/words/drawing.hpp"

#include <algorithm>

#include "../prefetch.hpp"
#include "random_bits.hpp"

namespace chainrule::words {
namespace {

constexpr std::uint64_t stream = 0xD1B54A32D192ED03u;
constexpr std::uint64_t low_half = 0xffffffffu;
// A negative that is a centre of its group is drawn again, so often at most.
constexpr int attempts = 8;
constexpr std::size_t slots = 2048;
// So many nodes from the root on are in the cache anyway.
constexpr std::int64_t known_nodes = 8;
// So far ahead is fetched what draws lead to.
constexpr std::int64_t prepared = 16;

// The row that 64 random bits lead to.
inline std::int32_t row_of(std::uint64_t random, const Vocabulary& vocabulary) {
    const std::uint64_t index = index_of(random, vocabulary.size);
    const std::uint64_t entry = vocabulary.alias[index], other = entry >> 32;
    const std::uint64_t itself =
        -static_cast<std::uint64_t>((random & low_half) < (entry & low_half));
    return static_cast<std::int32_t>(other ^ ((other ^ index) & itself));
}

inline std::uint8_t repeats_of(bool rows, bool targets) {
    return static_cast<std::uint8_t>((rows ? repeated_rows : 0) | (targets ? repeated_targets : 0));
}

// How many slots before its own a group finds the negatives of its k-th kind; those of the first
// are drawn for it. The steps grow, so that no two negatives meet twice, and are longer than a
// window, so that the words around differ.
std::int64_t lag(const Drawing& drawing, std::int64_t kind) {
    return (2 * std::int64_t{drawing.window} + 3) * kind + 3 * kind * (kind - 1) / 2;
}

}  // namespace

Limits limits(const Drawing& drawing, const Vocabulary& vocabulary) {
    std::int64_t deepest = 0, before = 0;
    for (std::int64_t i = 0; drawing.paths && i < vocabulary.size; ++i) {
        deepest = std::max(deepest, vocabulary.path_ends[i] - before);
        before = vocabulary.path_ends[i];
    }
    return {2 * std::int64_t{drawing.window} + drawing.share,
            (drawing.centre ? drawing.share + std::int64_t{drawing.negatives} : 0) + deepest};
}

Drawer::Drawer(const Corpus& corpus, const Vocabulary& vocabulary, const Drawing& drawing)
    : corpus_(corpus), vocabulary_(vocabulary), drawing_(drawing),
      most_targets_(limits(drawing, vocabulary).targets), latest_(slots), stamps_(slots) {
    known_ = drawing.centre ? 0 : known_nodes;
    fetched_ = most_targets_;
    if (drawing.negatives == 0) return;
    fresh_ = (drawing.negatives + drawing.uses - 1) / drawing.uses;
    if (!drawing.paths) fetched_ = drawing.share + fresh_;
    for (int k = 0; k < drawing.negatives; ++k)
        places_.push_back(k % fresh_ - lag(drawing, k / fresh_) * fresh_);
}

Windows Drawer::draw(std::uint64_t epoch, std::int64_t begin, std::int64_t end) {
    make_room(end - begin);
    key_ = mixed(mixed(drawing_.seed + golden) + epoch);
    if (drawing_.negatives > 0) draw_negatives(begin / drawing_.share, (end - 1) / drawing_.share);
    count_ = windows_ = groups_ = target_count_ = 0;
    std::fill(latest_.begin(), latest_.end(), -1);
    const std::int64_t* sentence =
        std::upper_bound(corpus_.ends, corpus_.ends + corpus_.sentences, begin);
    while (begin < end) {
        const std::int64_t start = sentence == corpus_.ends ? 0 : sentence[-1], stop = *sentence;
        const std::int64_t from = count_;
        // Words before the piece that its first windows reach, found backwards.
        for (std::int64_t left = begin; left > start && count_ - from < drawing_.window; --left)
            keep_words(left - 1, left);
        std::reverse(ids_.begin() + from, ids_.begin() + count_);
        const std::int64_t centre_from = count_, upto = std::min(end, stop);
        keep_words(begin, upto);
        const std::int64_t centre_to = count_;
        for (std::int64_t right = upto; right < stop && count_ - centre_to < drawing_.window;
             ++right)
            keep_words(right, right + 1);
        draw_sentence(from, centre_from, centre_to, count_);
        begin = upto;
        ++sentence;
    }
    if (drawing_.share == 1 && drawing_.centre && !drawing_.paths && drawing_.negatives > 0)
        draw_all_windows();
    else
        for (std::int64_t g = 0; g < groups_; ++g) draw_targets(g);
    return {ids_.data(),     count_,         groups_,         window_end_.data(),
            centre_.data(),  first_.data(),  last_.data(),    target_end_.data(),
            targets_.data(), labels_.data(), repeats_.data(), known_,
            fetched_};
}

void Drawer::make_room(std::int64_t words) {
    const auto windows = static_cast<std::size_t>(words);
    if (centre_.size() >= windows) return;
    centre_.resize(windows), first_.resize(windows), last_.resize(windows);
    window_end_.resize(windows), target_end_.resize(windows), repeats_.resize(windows);
    const std::size_t targets = windows * static_cast<std::size_t>(most_targets_);
    targets_.resize(targets), labels_.resize(targets + widest);
}

std::uint64_t Drawer::bits_at(std::int64_t position) const {
    return mixed(key_ + static_cast<std::uint64_t>(position + 1) * golden);
}

// Appends what is kept of [begin, end) to ids_, and where it stood to positions_, without branches.
void Drawer::keep_words(std::int64_t begin, std::int64_t end) {
    const auto room = static_cast<std::size_t>(count_ + end - begin);
    if (ids_.size() < room) ids_.resize(2 * room), positions_.resize(2 * room);
    std::int32_t* const ids = ids_.data();
    std::int64_t* const positions = positions_.data();
    std::int64_t count = count_;
    for (std::int64_t p = begin; p < end; ++p) {
        const std::int32_t id = corpus_.ids[p];
        if (p + 32 < end) CHAINRULE_PREFETCH(vocabulary_.keep + corpus_.ids[p + 32]);
        ids[count] = id;
        positions[count] = p;
        count += (bits_at(p) >> 32) <= vocabulary_.keep[id];
    }
    count_ = count;
}

// Windows of the centres [centre_from, centre_to) of a sentence whose kept words are [from, to).
void Drawer::draw_sentence(std::int64_t from, std::int64_t centre_from, std::int64_t centre_to,
                           std::int64_t to) {
    if (clean_from_.size() < ids_.size()) clean_from_.resize(ids_.size());
    // Words that share a slot are taken for repeats: seldom, and it costs time only.
    std::int64_t clean = from;
    for (std::int64_t p = from; p < to; ++p) {
        std::int64_t& latest = latest_[static_cast<std::size_t>(ids_.data()[p]) % slots];
        clean = std::max(clean, latest + 1);
        latest = p;
        clean_from_.data()[p] = clean;
    }
    const auto window = static_cast<std::uint64_t>(drawing_.window);
    std::int64_t open = windows_;
    const auto end_group = [this, &open] {
        window_end_.data()[groups_++] = windows_;
        open = windows_;
    };
    for (std::int64_t p = centre_from; p < centre_to; ++p) {
        std::int64_t reach = drawing_.window;
        if (drawing_.shrink)
            reach = 1 + static_cast<std::int64_t>(
                            ((bits_at(positions_.data()[p]) & low_half) * window) >> 32);
        const std::int64_t first = std::max(from, p - reach), last = std::min(to, p + reach + 1);
        if (last - first == 1) continue;
        centre_.data()[windows_] = static_cast<std::int32_t>(p);
        first_.data()[windows_] = static_cast<std::int32_t>(first);
        last_.data()[windows_] = static_cast<std::int32_t>(last);
        if (++windows_ - open == drawing_.share) end_group();
    }
    if (windows_ > open) end_group();
}

// The random bits of a draw: the k-th of a slot, which is as many words as windows share negatives.
std::uint64_t Drawer::random_of(std::int64_t slot, std::int64_t k) const {
    return mixed(bits_at(slot * drawing_.share) + static_cast<std::uint64_t>(k + 1) * stream);
}

// Draws the negatives that the groups of the slots [first, last] need.
void Drawer::draw_negatives(std::int64_t first, std::int64_t last) {
    lowest_ = first - lag(drawing_, (drawing_.negatives - 1) / fresh_);
    const std::int64_t count = (last - lowest_ + 1) * fresh_;
    negatives_.resize(static_cast<std::size_t>(count));
    std::uint64_t random[prepared];
    std::int64_t slot = lowest_, k = 0;
    for (std::int64_t i = 0; i < count + prepared; ++i) {
        if (i >= prepared)
            negatives_.data()[i - prepared] = row_of(random[i % prepared], vocabulary_);
        random[i % prepared] = random_of(slot, k);
        CHAINRULE_PREFETCH(vocabulary_.alias + index_of(random[i % prepared], vocabulary_.size));
        if (++k == fresh_) ++slot, k = 0;
    }
}

// Draws negatives that are none of the targets [start, centres); returns how many were found.
std::int64_t Drawer::draw_again(std::int64_t slot, std::int64_t start, std::int64_t centres) {
    std::int32_t* const targets = targets_.data();
    std::int64_t count = centres;
    for (int k = 0; k < drawing_.negatives; ++k) {
        std::uint64_t random = random_of(slot - lag(drawing_, k / fresh_), k % fresh_);
        for (int attempt = 0; attempt < attempts; ++attempt, random = mixed(random)) {
            const std::int32_t row = row_of(random, vocabulary_);
            if (std::find(targets + start, targets + centres, row) != targets + centres) continue;
            targets[count++] = row;
            break;
        }
    }
    return count - centres;
}

// The targets of all groups where each is one window, whose centre and negatives are they.
void Drawer::draw_all_windows() {
    const std::int64_t negatives = drawing_.negatives, fresh = fresh_, lowest = lowest_;
    const std::int32_t *const ids = ids_.data(), *const centres = centre_.data(),
                              *const firsts = first_.data(), *const lasts = last_.data();
    const std::int64_t *const positions = positions_.data(), *const places = places_.data(),
                              *const clean_from = clean_from_.data();
    const std::int32_t* const drawn = negatives_.data();
    std::uint64_t* const stamps = stamps_.data();
    for (std::int64_t w = 0; w < windows_; ++w) {
        const std::int32_t p = centres[w], centre = ids[p];
        const std::int64_t slot = positions[p];
        const std::int32_t* const own = drawn + (slot - lowest) * fresh;
        std::int32_t* const targets = targets_.data() + target_count_;
        float* const labels = labels_.data() + target_count_;
        targets[0] = centre, labels[0] = 1.0f;
        // Without branches, for none of them could be foreseen; seldom one is the centre.
        std::uint64_t is_centre = 0, named_twice = 0;
        const std::uint64_t stamp = ++stamp_;
        for (std::int64_t k = 0; k < negatives; ++k) {
            const std::int32_t row = own[places[k]];
            is_centre |= static_cast<std::uint64_t>(row == centre);
            std::uint64_t& latest = stamps[static_cast<std::uint32_t>(row) % slots];
            named_twice |= static_cast<std::uint64_t>(latest == stamp);
            latest = stamp;
            targets[1 + k] = row, labels[1 + k] = 0.0f;
        }
        const std::int64_t start = target_count_;
        target_count_ += 1 + negatives;
        if (is_centre) {
            target_count_ = start + 1;
            target_count_ += draw_again(slot, start, target_count_);
            named_twice = names_twice(start);
        }
        target_end_.data()[w] = target_count_;
        const bool repeated = clean_from[lasts[w] - 1] > firsts[w];
        repeats_.data()[w] = repeats_of(repeated, named_twice);
    }
}

// Whether a target from this one on occurs twice. Those that share a slot are taken for the same:
// seldom, and it costs time only.
bool Drawer::names_twice(std::int64_t start) {
    bool twice = false;
    ++stamp_;
    for (std::int64_t t = start; t < target_count_; ++t) {
        std::uint64_t& latest =
            stamps_.data()[static_cast<std::uint32_t>(targets_.data()[t]) % slots];
        twice |= latest == stamp_;
        latest = stamp_;
    }
    return twice;
}

// Appends a group's centres and negatives to the targets.
void Drawer::draw_words(std::int64_t open, std::int64_t close) {
    std::int32_t* const targets = targets_.data() + target_count_;
    float* const labels = labels_.data() + target_count_;
    const std::int64_t centres = close - open;
    for (std::int64_t k = 0; k < centres; ++k) {
        targets[k] = ids_.data()[centre_.data()[open + k]];
        labels[k] = 1.0f;
    }
    bool is_centre = false;
    std::int64_t slot = positions_.data()[centre_.data()[open]];
    if (drawing_.share > 1) slot /= drawing_.share;
    const std::int32_t* const drawn = negatives_.data() + (slot - lowest_) * fresh_;
    const std::int64_t* const places = places_.data();
    for (int k = 0; k < drawing_.negatives; ++k) {
        const std::int32_t row = drawn[places[k]];
        for (std::int64_t t = 0; t < centres; ++t) is_centre |= targets[t] == row;
        targets[centres + k] = row;
        labels[centres + k] = 0.0f;
    }
    target_count_ += centres;
    target_count_ +=
        is_centre ? draw_again(slot, target_count_ - centres, target_count_) : drawing_.negatives;
}

// Appends the nodes above a word to the targets.
void Drawer::draw_path(std::int64_t word) {
    std::int64_t count = target_count_;
    for (std::int64_t i = path_start(word); i < vocabulary_.path_ends[word]; ++i, ++count) {
        targets_.data()[count] =
            static_cast<std::int32_t>(drawing_.node_offset + vocabulary_.path_nodes[i]);
        labels_.data()[count] = vocabulary_.path_codes[i] ? 0.0f : 1.0f;
    }
    target_count_ = count;
}

void Drawer::draw_targets(std::int64_t group) {
    const std::int64_t open = group > 0 ? window_end_.data()[group - 1] : 0;
    const std::int64_t close = window_end_.data()[group], start = target_count_;
    if (drawing_.centre) draw_words(open, close);
    if (drawing_.paths) {
        const auto word_of = [this](std::int64_t window) {
            return std::int64_t{ids_.data()[centre_.data()[window]]};
        };
        // Here, for a compiler may drop calls of a function that does nothing else.
        if (const std::int64_t soon = group + prepared; soon < groups_) {
            const std::int64_t start_soon = path_start(word_of(window_end_.data()[soon - 1]));
            CHAINRULE_PREFETCH(vocabulary_.path_nodes + start_soon);
            CHAINRULE_PREFETCH(vocabulary_.path_codes + start_soon);
        }
        draw_path(word_of(open));
    }
    std::int64_t low = first_.data()[open], high = last_.data()[open];
    for (std::int64_t w = open + 1; w < close; ++w) {
        low = std::min<std::int64_t>(low, first_.data()[w]);
        high = std::max<std::int64_t>(high, last_.data()[w]);
    }
    // The nodes above a word are all different.
    const bool named_twice = drawing_.centre && names_twice(start);
    target_end_.data()[group] = target_count_;
    const bool repeated = clean_from_.data()[high - 1] > low;
    repeats_.data()[group] = repeats_of(repeated, named_twice);
}

}  // namespace chainrule::words
