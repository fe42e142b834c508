#include "chainrule/words/table.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

#include "../prefetch.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace chainrule::words {
namespace {

constexpr size_t first_slots = 1 << 12;

// Eight bytes as a number, the first one the lowest.
uint64_t eight(const char* from) {
    uint64_t value;
    std::memcpy(&value, from, 8);
    if constexpr (std::endian::native == std::endian::big) {
        uint64_t turned = 0;
        for (int i = 0; i < 8; ++i) turned |= (value >> (8 * i) & 0xff) << (56 - 8 * i);
        return turned;
    }
    return value;
}

// Fewer than eight bytes as a number, filled up with zeros.
uint64_t few(const char* from, size_t size) {
    char bytes[8] = {};
    if (size) std::memcpy(bytes, from, size);
    return eight(bytes);
}

constexpr uint64_t factor = 0x9e3779b97f4a7c15;

// Multiply and fold.
inline uint64_t hash_of(std::string_view word, uint64_t head, uint64_t tail) {
    uint64_t hash = (head ^ static_cast<uint64_t>(word.size()) << 56) * factor;
    hash ^= hash >> 32;
    hash = (hash ^ tail) * factor;
    hash ^= hash >> 29;
    if (word.size() <= 16) return hash;
    for (size_t at = 8; at + 8 < word.size(); at += 8) {
        hash = (hash ^ eight(word.data() + at)) * factor;
        hash ^= hash >> 32;
    }
    return hash;
}

}  // namespace

WordTable::WordTable() : slots_(first_slots, -1), mask_(first_slots - 1) {}

std::string_view WordTable::word(int64_t place) const {
    const auto at = static_cast<size_t>(place);
    const size_t start = entries_[at].start;
    const size_t end = at + 1 < entries_.size() ? entries_[at + 1].start : bytes_.size();
    return {bytes_.data() + start, end - start};
}

void WordTable::set_count(int64_t place, int64_t count) {
    if (count < 0) throw std::invalid_argument("there is no count " + std::to_string(count));
    entries_[static_cast<size_t>(place)].count = static_cast<uint64_t>(count);
}

inline WordTable::Token WordTable::token_of(std::string_view word, uint64_t head,
                                            uint64_t tail) const {
    const uint64_t hash = hash_of(word, head, tail);
    CHAINRULE_PREFETCH(slots_.data() + (hash & mask_));
    return {word, head, tail, hash};
}

WordTable::Token WordTable::token_of(std::string_view word) const {
    const size_t size = word.size();
    return token_of(word, size >= 8 ? eight(word.data()) : few(word.data(), size),
                    size > 8 ? eight(word.data() + size - 8) : 0);
}

// Both numbers are read in any case and cut off without a branch, as no processor foresees how long
// words are.
inline WordTable::Token WordTable::token_inside(std::string_view word) const {
    constexpr uint64_t all = ~uint64_t{0};
    static constexpr struct {
        uint64_t head, tail;
    } masks[] = {{0, 0},         {all >> 56, 0}, {all >> 48, 0}, {all >> 40, 0}, {all >> 32, 0},
                 {all >> 24, 0}, {all >> 16, 0}, {all >> 8, 0},  {all, 0},       {all, all}};
    const auto& mask = masks[std::min<size_t>(word.size(), 9)];
    return token_of(word, eight(word.data()) & mask.head,
                    eight(word.data() + word.size() - 8) & mask.tail);
}

inline bool WordTable::is_at(size_t place, const Token& token) const {
    const Entry& entry = entries_[place];
    const size_t size = token.word.size();
    // One branch for all three.
    const uint64_t difference = (entry.head ^ token.head) | (entry.tail ^ token.tail) |
                                (entry.size ^ std::min<uint64_t>(size, long_size));
    return difference == 0 && (size <= 16 || word(static_cast<int64_t>(place)) == token.word);
}

// Where the word is, or the empty slot where it is to be.
inline size_t WordTable::slot_of(const Token& token) const {
    for (size_t at = token.hash & mask_;; at = (at + 1) & mask_) {
        const int32_t place = slots_[at];
        if (place < 0 || is_at(static_cast<size_t>(place), token)) return at;
    }
}

inline int32_t WordTable::count_token(const Token& token) {
    const size_t slot = slot_of(token);
    const int32_t place = slots_[slot];
    if (place < 0) return insert(slot, token);
    ++entries_[static_cast<size_t>(place)].count;
    return place;
}

int32_t WordTable::add(std::string_view word) { return count_token(token_of(word)); }

// What looking words up needs beside their slots is on its way into the cache.
inline void WordTable::fetch(const Token* tokens, size_t count) const {
    const int32_t* const slots = slots_.data();
    const Entry* const entries = entries_.data();
    for (size_t i = 0; i < count; ++i)
        CHAINRULE_PREFETCH(entries + std::max(slots[tokens[i].hash & mask_], 0));
}

void WordTable::add(const Token* tokens, size_t count, int32_t* places) {
    fetch(tokens, count);
    for (size_t i = 0; i < count; ++i) places[i] = count_token(tokens[i]);
}

void WordTable::find(const Token* tokens, size_t count, int32_t* places) const {
    fetch(tokens, count);
    for (size_t i = 0; i < count; ++i) places[i] = slots_[slot_of(tokens[i])];
}

int32_t WordTable::insert(size_t slot, const Token& token) {
    if (size_t(std::numeric_limits<int32_t>::max()) <= entries_.size())
        throw std::length_error("there are more than 2**31 - 1 different words");
    const auto place = static_cast<int32_t>(entries_.size());
    entries_.push_back({token.head, token.tail, 1, std::min<uint64_t>(token.word.size(), long_size),
                        bytes_.size()});
    bytes_.insert(bytes_.end(), token.word.begin(), token.word.end());
    slots_[slot] = place;
    if (entries_.size() * 2 > slots_.size()) grow();
    return place;
}

void WordTable::grow() {
    std::vector<int32_t> wider(slots_.size() * 2, -1);
    const size_t mask = wider.size() - 1;
    for (size_t place = 0; place < entries_.size(); ++place) {
        const Entry& entry = entries_[place];
        size_t at = hash_of(word(static_cast<int64_t>(place)), entry.head, entry.tail) & mask;
        while (wider[at] >= 0) at = (at + 1) & mask;
        wider[at] = static_cast<int32_t>(place);
    }
    slots_.swap(wider);
    mask_ = mask;
}

namespace {

constexpr size_t together = 64;  // bytes

// A bit for each of so many bytes: whether it is white space, and whether it ends a line.
struct Marks {
    uint64_t spaces = 0, line_ends = 0;
};

#if defined(__SSE2__)
Marks marks_of(const char* from) {
    Marks marks;
    for (size_t i = 0; i < together; i += 16) {
        const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
        const auto is = [&](char c) { return _mm_cmpeq_epi8(text, _mm_set1_epi8(c)); };
        // Those from the tab to the return, as numbers from 0 to 4.
        const __m128i since_tab = _mm_sub_epi8(text, _mm_set1_epi8('\t'));
        const __m128i few = _mm_min_epu8(since_tab, _mm_set1_epi8('\r' - '\t'));
        const __m128i spaces = _mm_or_si128(is(' '), _mm_cmpeq_epi8(since_tab, few));
        const auto bits = [](__m128i bytes) {
            return static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(bytes)));
        };
        marks.spaces |= bits(spaces) << i;
        marks.line_ends |= bits(is('\n')) << i;
    }
    return marks;
}
#else
constexpr uint64_t ones = 0x0101010101010101, high = 0x80 * ones;

// The highest bit of each byte that is c, nothing else.
uint64_t equal(uint64_t text, char c) {
    return ~(((text & ~high) ^ static_cast<uint64_t>(c) * ones) + 0x7f * ones) & ~text & high;
}

// The highest bit of each byte from the tab to the return.
uint64_t tab_to_return(uint64_t text) {
    const uint64_t low = text & ~high;
    return (low + (0x80 - '\t') * ones) & ~(low + (0x80 - '\r' - 1) * ones) & ~text & high;
}

Marks marks_of(const char* from) {
    // Moves the lowest bit of the k-th byte to the k-th bit of the highest byte.
    constexpr uint64_t gather = 0x0102040810204080;
    Marks marks;
    for (size_t i = 0; i < together; i += 8) {
        const uint64_t text = eight(from + i);
        const auto bits = [](uint64_t bytes) { return (bytes >> 7) * gather >> 56; };
        marks.spaces |= bits(tab_to_return(text) | equal(text, ' ')) << i;
        marks.line_ends |= bits(equal(text, '\n')) << i;
    }
    return marks;
}
#endif

}  // namespace

// Where words begin and end is found for many bytes at a time: the next word need not wait for the
// end of the one before.
void read_spaced(WordTable& table, std::string_view text, std::vector<int32_t>& ids,
                 std::vector<int64_t>& ends) {
    WordTable::Token tokens[WordTable::most_tokens];
    size_t waiting = 0;
    const char* const first = text.data();
    const char* open = first;  // Where the word begins that has not ended.
    uint64_t before = 1;       // Whether white space is before these bytes.
    for (size_t at = 0; at <= text.size(); at += together) {
        // Behind the text is white space.
        char rest[together];
        const bool whole = text.size() - at >= together;
        if (!whole)
            std::fill(std::copy(first + at, first + text.size(), rest), rest + together, ' ');
        const char* const here = first + at;
        const Marks marks = marks_of(whole ? here : rest);
        const uint64_t after_space = marks.spaces << 1 | before;
        before = marks.spaces >> (together - 1);
        uint64_t begun = ~marks.spaces & after_space;
        const uint64_t ended = marks.spaces & ~after_space;
        WordTable::Token* next = tokens + waiting;
        // Where no more words begin it is the end of these bytes, and the next ones tell.
        const auto next_word = [&] {
            open = here + std::countr_zero(begun);
            begun &= begun - 1;
        };
        const auto word_to = [&](int bit) {
            return std::string_view(open, static_cast<size_t>(here + bit - open));
        };
        if (after_space & 1) next_word();
        const auto take = [&](auto token_of) {
            for (uint64_t events = ended | marks.line_ends; events; events &= events - 1) {
                const int bit = std::countr_zero(events);
                if (ended >> bit & 1) {
                    *next++ = token_of(word_to(bit));
                    next_word();
                }
                if (marks.line_ends >> bit & 1)
                    ends.push_back(static_cast<int64_t>(ids.size()) + (next - tokens));
            }
        };
        // Whether eight bytes before each end and behind each beginning can be read.
        if (at >= 8 && text.size() - at >= together + 8)
            take([&](std::string_view word) { return table.token_inside(word); });
        else take([&](std::string_view word) { return table.token_of(word); });
        waiting = static_cast<size_t>(next - tokens);
        if (waiting + together / 2 > WordTable::most_tokens || !whole) {
            ids.resize(ids.size() + waiting);
            table.add(tokens, waiting, ids.data() + ids.size() - waiting);
            waiting = 0;
        }
    }
}

namespace {

struct Decoded {
    uint32_t code;
    int size;
};

// One character of UTF-8, or U+FFFD of one byte where there is none.
Decoded decoded(const unsigned char* at, const unsigned char* last) {
    const uint32_t first = *at;
    if (first < 0x80) return {first, 1};
    const int size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || last - at < size) return {0xfffd, 1};
    uint32_t code = first & (0xffu >> (size + 1));
    for (int i = 1; i < size; ++i) {
        if ((at[i] & 0xc0) != 0x80) return {0xfffd, 1};
        code = code << 6 | (at[i] & 0x3fu);
    }
    return code > 0x10ffff ? Decoded{0xfffd, 1} : Decoded{code, size};
}

}  // namespace

void read_words(WordTable& table, std::string_view text, const WordRule& rule,
                std::vector<int32_t>& ids, std::vector<int64_t>& ends) {
    const auto* at = reinterpret_cast<const unsigned char*>(text.data());
    const auto* const last = at + text.size();
    const auto kind_of = [&](const Decoded& c) {
        return static_cast<Character>(rule.characters[c.code]);
    };
    const auto in_word = [](Character kind) {
        return kind == Character::letter || kind == Character::number;
    };
    std::string masked;
    while (at != last) {
        Decoded c = decoded(at, last);
        Character kind = kind_of(c);
        if (!in_word(kind)) {
            if (c.code == '\n') ends.push_back(static_cast<int64_t>(ids.size()));
            at += c.size;
            continue;
        }
        const auto* const start = at;
        int64_t characters = 0;
        bool letters = false, numbers = false;
        masked.clear();
        while (true) {
            letters |= kind == Character::letter;
            numbers |= kind == Character::number;
            if (rule.mask_numbers) {
                if (kind == Character::number) masked.push_back('0');
                else masked.append(reinterpret_cast<const char*>(at), static_cast<size_t>(c.size));
            }
            ++characters;
            at += c.size;
            if (at == last) break;
            c = decoded(at, last);
            kind = kind_of(c);
            if (in_word(kind)) continue;
            // An inner character belongs to the word where the word goes on behind it.
            const auto* const behind = at + c.size;
            if (kind != Character::inner || behind == last ||
                !in_word(kind_of(decoded(behind, last))))
                break;
        }
        if (characters < rule.minimum || (rule.drop_numbers && !letters)) continue;
        if (rule.mask_numbers && numbers) ids.push_back(table.add(masked));
        else
            ids.push_back(
                table.add({reinterpret_cast<const char*>(start), static_cast<size_t>(at - start)}));
    }
}

int64_t renumber(const int32_t* ids, int64_t count, const int32_t* numbers, const int64_t* ends,
                 int64_t end_count, int32_t* kept, int64_t* kept_ends) {
    int64_t at = 0, written = 0;
    const auto until = [&](int64_t stop) {
        for (; at < stop; ++at) {
            const int32_t number = ids[at] < 0 ? -1 : numbers[ids[at]];
            kept[written] = number;
            written += number >= 0;
        }
    };
    for (int64_t line = 0; line < end_count; ++line) {
        until(ends[line]);
        kept_ends[line] = written;
    }
    until(count);
    return written;
}

}  // namespace chainrule::words
