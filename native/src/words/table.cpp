#include "chainrule/words/table.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

#include "../prefetch.hpp"

namespace chainrule::words {
namespace {

constexpr size_t first_slots = 1 << 12;
constexpr uint64_t ones = 0x0101010101010101;

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

// At least one of them; without a branch, as no processor foresees how long words are.
uint64_t lowest_bytes(uint64_t value, int64_t count) {
    const int64_t others = 8 * std::max<int64_t>(8 - count, 0);
    return value << others >> others;
}

// Fewer than eight bytes as a number, filled up with zeros.
uint64_t few(const char* from, size_t size) {
    char bytes[8] = {};
    if (size) std::memcpy(bytes, from, size);
    return eight(bytes);
}

constexpr uint64_t factor = 0x9e3779b97f4a7c15;

// Multiply and fold.
uint64_t hash_of(const WordTable::Token& token) {
    const std::string_view word = token.word;
    uint64_t hash = (token.head ^ static_cast<uint64_t>(word.size()) << 56) * factor;
    hash ^= hash >> 32;
    hash = (hash ^ token.tail) * factor;
    hash ^= hash >> 29;
    if (word.size() <= 16) return hash;
    for (size_t at = 8; at + 8 < word.size(); at += 8) {
        hash = (hash ^ eight(word.data() + at)) * factor;
        hash ^= hash >> 32;
    }
    return hash;
}

uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }

}  // namespace

WordTable::WordTable() : slots_(first_slots, Slot{0, -1}) {}

std::string_view WordTable::word(int64_t place) const {
    const auto at = static_cast<size_t>(place);
    const size_t start = entries_[at].start;
    const size_t end = at + 1 < entries_.size() ? entries_[at + 1].start : bytes_.size();
    return {bytes_.data() + start, end - start};
}

void WordTable::set_count(int64_t place, int64_t count) {
    if (count < 0 || count >= int64_t{1} << 48)
        throw std::invalid_argument("there is no count " + std::to_string(count));
    entries_[static_cast<size_t>(place)].count = static_cast<uint64_t>(count);
}

inline bool WordTable::is_at(size_t place, const Token& token) const {
    const Entry& entry = entries_[place];
    const size_t size = token.word.size();
    return entry.head == token.head && entry.tail == token.tail &&
           entry.size == std::min<uint64_t>(size, long_size) &&
           (size <= 16 || word(static_cast<int64_t>(place)) == token.word);
}

// Where the word is, or the empty slot where it is to be.
inline size_t WordTable::slot_of(uint64_t hash, const Token& token) const {
    const uint32_t tag = tag_of(hash);
    const size_t mask = slots_.size() - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        const Slot slot = slots_[at];
        if (slot.place < 0) return at;
        if (slot.tag == tag && is_at(static_cast<size_t>(slot.place), token)) return at;
    }
}

inline int32_t WordTable::add(uint64_t hash, const Token& token) {
    const size_t slot = slot_of(hash, token);
    const int32_t place = slots_[slot].place;
    if (place < 0) return insert(slot, hash, token);
    ++entries_[static_cast<size_t>(place)].count;
    return place;
}

int32_t WordTable::add(std::string_view word) {
    const Token token = token_of(word);
    return add(hash_of(token), token);
}

// The hashes of words; what looking them up needs is on its way into the cache.
inline void WordTable::fetch(const Token* tokens, size_t count, uint64_t* hashes) const {
    const size_t mask = slots_.size() - 1;
    for (size_t i = 0; i < count; ++i) {
        hashes[i] = hash_of(tokens[i]);
        CHAINRULE_PREFETCH(&slots_[hashes[i] & mask]);
    }
    for (size_t i = 0; i < count; ++i) {
        const int32_t place = slots_[hashes[i] & mask].place;
        if (place >= 0) CHAINRULE_PREFETCH(&entries_[static_cast<size_t>(place)]);
    }
}

void WordTable::add(const Token* tokens, size_t count, int32_t* places) {
    uint64_t hashes[most_tokens];
    fetch(tokens, count, hashes);
    for (size_t i = 0; i < count; ++i) places[i] = add(hashes[i], tokens[i]);
}

void WordTable::find(const Token* tokens, size_t count, int32_t* places) const {
    uint64_t hashes[most_tokens];
    fetch(tokens, count, hashes);
    for (size_t i = 0; i < count; ++i) places[i] = slots_[slot_of(hashes[i], tokens[i])].place;
}

int32_t WordTable::insert(size_t slot, uint64_t hash, const Token& token) {
    if (size_t(std::numeric_limits<int32_t>::max()) <= entries_.size())
        throw std::length_error("there are more than 2**31 - 1 different words");
    const auto place = static_cast<int32_t>(entries_.size());
    entries_.push_back({token.head, token.tail, bytes_.size(), 1,
                        std::min<uint64_t>(token.word.size(), long_size)});
    bytes_.insert(bytes_.end(), token.word.begin(), token.word.end());
    slots_[slot] = {tag_of(hash), place};
    if (entries_.size() * 2 > slots_.size()) grow();
    return place;
}

void WordTable::grow() {
    std::vector<Slot> wider(slots_.size() * 2, Slot{0, -1});
    const size_t mask = wider.size() - 1;
    for (size_t place = 0; place < entries_.size(); ++place) {
        const Entry& entry = entries_[place];
        const uint64_t hash = hash_of({word(static_cast<int64_t>(place)), entry.head, entry.tail});
        size_t at = hash & mask;
        while (wider[at].place >= 0) at = (at + 1) & mask;
        wider[at] = {tag_of(hash), static_cast<int32_t>(place)};
    }
    slots_.swap(wider);
}

WordTable::Token token_of(std::string_view word) {
    const size_t size = word.size();
    return {word, size >= 8 ? eight(word.data()) : few(word.data(), size),
            size > 8 ? eight(word.data() + size - 8) : 0};
}

namespace {

// The highest bit of each byte that is white space, nothing else.
uint64_t spaces(uint64_t text) {
    constexpr uint64_t high = 0x80 * ones;
    const uint64_t low = text & ~high;
    const uint64_t tab_or_more = low + (0x80 - '\t') * ones;
    const uint64_t beyond_return = low + (0x80 - '\r' - 1) * ones;
    const uint64_t other_than_blank = (low ^ (' ' * ones)) + 0x7f * ones;
    return ((tab_or_more & ~beyond_return) | ~other_than_blank) & ~text & high;
}

constexpr size_t together = 64;  // bytes

// A bit for each of so many bytes: whether it is white space.
uint64_t space_bits(const char* from) {
    // Moves the lowest bit of the k-th byte to the k-th bit of the highest byte.
    constexpr uint64_t gather = 0x0102040810204080;
    uint64_t bits = 0;
    for (size_t i = 0; i < together; i += 8)
        bits |= ((spaces(eight(from + i)) >> 7) * gather >> 56) << i;
    return bits;
}

}  // namespace

// Where words end is found for many bytes at a time: the next word need not wait for the end of the
// one before.
void read_spaced(WordTable& table, std::string_view text, std::vector<int32_t>& ids,
                 std::vector<int64_t>& ends) {
    WordTable::Token tokens[WordTable::most_tokens];
    size_t waiting = 0;
    const auto flush = [&] {
        ids.resize(ids.size() + waiting);
        table.add(tokens, waiting, ids.data() + ids.size() - waiting);
        waiting = 0;
    };
    const char *const first = text.data(), *const last = first + text.size();
    const auto take_word = [&](const char* start, const char* end) {
        const auto size = static_cast<size_t>(end - start);
        const uint64_t head =
            last - start >= 8 ? lowest_bytes(eight(start), end - start) : few(start, size);
        // Read in any case, so that there is no branch either.
        const uint64_t tail = end - first >= 8 ? eight(end - 8) : 0;
        tokens[waiting++] = {{start, size}, head, tail & -static_cast<uint64_t>(size > 8)};
        if (waiting == WordTable::most_tokens) flush();
    };
    const auto take_spaces = [&](const char* start, const char* end) {
        for (; start != end; ++start)
            if (*start == '\n') ends.push_back(static_cast<int64_t>(ids.size() + waiting));
    };
    const char* open = first;  // Where the word or the white space begins that has not ended.
    uint64_t before = 1;       // Whether white space is before these bytes.
    for (size_t at = 0; at <= text.size(); at += together) {
        // Behind the text is white space.
        char rest[together];
        const bool whole = text.size() - at >= together;
        if (!whole) std::fill(std::copy(first + at, last, rest), rest + together, ' ');
        const uint64_t bits = space_bits(whole ? first + at : rest);
        for (uint64_t edges = bits ^ (bits << 1 | before); edges; edges &= edges - 1) {
            const int edge = std::countr_zero(edges);
            const char* const end = first + at + edge;
            if (bits >> edge & 1) take_word(open, end);
            else take_spaces(open, end);
            open = end;
        }
        before = bits >> (together - 1);
    }
    take_spaces(open, last);
    flush();
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
