#include "chainrule/words/table.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace chainrule::words {
namespace {

constexpr size_t first_slots = 1 << 12;

uint64_t eight(const char* from) {
    uint64_t value;
    std::memcpy(&value, from, 8);
    return value;
}

// The last `size` <= 8 bytes of a word, zeros after them.
uint64_t tail(const char* from, int64_t size, int64_t readable) {
    if (readable >= 8) {
        char bytes[8];
        std::memcpy(bytes, from, 8);
        if constexpr (std::endian::native == std::endian::little) {
            return size == 8 ? eight(bytes) : eight(bytes) & ((uint64_t{1} << (8 * size)) - 1);
        }
    }
    uint64_t value = 0;
    std::memcpy(&value, from, static_cast<size_t>(size));
    return value;
}

// Multiply and fold, 8 bytes at a time.
uint64_t hash_of(const char* word, int64_t size, int64_t readable) {
    constexpr uint64_t factor = 0x9e3779b97f4a7c15;
    uint64_t hash = static_cast<uint64_t>(size) * factor;
    for (; size > 8; word += 8, size -= 8, readable -= 8) {
        hash = (hash ^ eight(word)) * factor;
        hash ^= hash >> 32;
    }
    hash = (hash ^ tail(word, size, readable)) * factor;
    hash ^= hash >> 32;
    hash *= factor;
    return hash ^ (hash >> 29);
}

uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }

}  // namespace

WordTable::WordTable() : slots_(first_slots, Slot{0, -1}) {}

bool WordTable::equal(const Entry& entry, const char* word, int64_t size, int64_t readable) const {
    if (entry.size != size) return false;
    const char* mine = bytes_.data() + entry.start;
    for (; size > 8; mine += 8, word += 8, size -= 8, readable -= 8)
        if (eight(mine) != eight(word)) return false;
    return eight(mine) == tail(word, size, readable);
}

int32_t WordTable::add(const char* word, int64_t size, int64_t readable) {
    const uint64_t hash = hash_of(word, size, readable);
    const uint32_t tag = tag_of(hash);
    const size_t mask = slots_.size() - 1;
    size_t at = hash & mask;
    for (; slots_[at].place >= 0; at = (at + 1) & mask) {
        if (slots_[at].tag != tag) continue;
        Entry& entry = entries_[static_cast<size_t>(slots_[at].place)];
        if (!equal(entry, word, size, readable)) continue;
        ++entry.count;
        return slots_[at].place;
    }
    return insert(at, tag, word, size);
}

int32_t WordTable::find(std::string_view word) const {
    const auto size = static_cast<int64_t>(word.size());
    const uint64_t hash = hash_of(word.data(), size, size);
    const uint32_t tag = tag_of(hash);
    const size_t mask = slots_.size() - 1;
    for (size_t at = hash & mask; slots_[at].place >= 0; at = (at + 1) & mask)
        if (slots_[at].tag == tag &&
            equal(entries_[static_cast<size_t>(slots_[at].place)], word.data(), size, size))
            return slots_[at].place;
    return -1;
}

int32_t WordTable::insert(size_t at, uint32_t tag, const char* word, int64_t size) {
    if (size_t(std::numeric_limits<int32_t>::max()) <= entries_.size())
        throw std::length_error("there are more than 2**31 - 1 different words");
    const auto place = static_cast<int32_t>(entries_.size());
    const size_t start = bytes_.size();
    // Even an empty word has eight bytes, so that any word can be compared by whole eights.
    const size_t room = size ? (static_cast<size_t>(size) + 7) / 8 * 8 : 8;
    bytes_.resize(start + room, '\0');
    if (size) std::memcpy(bytes_.data() + start, word, static_cast<size_t>(size));
    entries_.push_back({static_cast<int64_t>(start), size, 1});
    slots_[at] = {tag, place};
    if (entries_.size() * 2 > slots_.size()) grow();
    return place;
}

void WordTable::grow() {
    std::vector<Slot> wider(slots_.size() * 2, Slot{0, -1});
    const size_t mask = wider.size() - 1;
    for (size_t place = 0; place < entries_.size(); ++place) {
        const Entry& entry = entries_[place];
        const uint64_t hash = hash_of(bytes_.data() + entry.start, entry.size,
                                      static_cast<int64_t>(bytes_.size()) - entry.start);
        size_t at = hash & mask;
        while (wider[at].place >= 0) at = (at + 1) & mask;
        wider[at] = {tag_of(hash), static_cast<int32_t>(place)};
    }
    slots_.swap(wider);
}

void read_spaced(WordTable& table, std::string_view text, std::vector<int32_t>& ids,
                 std::vector<int64_t>& ends) {
    static const std::array<bool, 256> space = [] {
        std::array<bool, 256> result{};
        for (const unsigned char c : {' ', '\t', '\n', '\v', '\f', '\r'}) result[c] = true;
        return result;
    }();
    const char* at = text.data();
    const char* const last = at + text.size();
    while (true) {
        for (; at != last && space[static_cast<unsigned char>(*at)]; ++at)
            if (*at == '\n') ends.push_back(static_cast<int64_t>(ids.size()));
        if (at == last) return;
        const char* const start = at;
        while (at != last && !space[static_cast<unsigned char>(*at)]) ++at;
        ids.push_back(table.add(start, at - start, last - start));
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
                table.add(reinterpret_cast<const char*>(start), at - start, last - start));
    }
}

}  // namespace chainrule::words
