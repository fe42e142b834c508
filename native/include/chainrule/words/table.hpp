// Words with their numbers and counts: the table that a text is counted with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace chainrule::words {

// Each different word gets a number, the first one 0, in the order in which they come.
//
// Words are bytes of any kind and length. Open addressing: a slot holds 32 bits of the word's hash
// and its number; the words themselves lie end to end, filled up with zeros to whole 8 bytes, so
// that words are compared 8 bytes at a time.
class WordTable {
public:
    WordTable();

    // The number of a word; it is counted once more. `readable` bytes may be read from its start.
    int32_t add(const char* word, int64_t size, int64_t readable);
    int32_t add(std::string_view word) {
        return add(word.data(), static_cast<int64_t>(word.size()),
                   static_cast<int64_t>(word.size()));
    }
    // The number of a word, or -1.
    int32_t find(std::string_view word) const;

    int64_t size() const { return static_cast<int64_t>(entries_.size()); }
    int64_t count(int64_t place) const { return entries_[static_cast<size_t>(place)].count; }
    void set_count(int64_t place, int64_t count) {
        entries_[static_cast<size_t>(place)].count = count;
    }
    std::string_view word(int64_t place) const {
        const Entry& entry = entries_[static_cast<size_t>(place)];
        return {bytes_.data() + entry.start, static_cast<size_t>(entry.size)};
    }

private:
    struct Entry {
        int64_t start, size, count;
    };
    struct Slot {
        uint32_t tag;
        int32_t place;
    };

    bool equal(const Entry& entry, const char* word, int64_t size, int64_t readable) const;
    int32_t insert(size_t at, uint32_t tag, const char* word, int64_t size);
    void grow();

    std::vector<Slot> slots_;
    std::vector<Entry> entries_;
    std::vector<char> bytes_;
};

// What the characters of a text are to its words, for each Unicode code point.
enum class Character : uint8_t { separator = 0, letter = 1, number = 2, inner = 3 };

// Which words of a text are taken, and how numbers are written.
struct WordRule {
    const uint8_t* characters;  // a Character for each code point, up to 0x10ffff
    int64_t minimum;            // characters of the shortest word
    bool drop_numbers;          // leave out words without a letter
    bool mask_numbers;          // write 0 for each number's character
};

// Words and ends of lines, appended to `ids` and `ends`: an end is the count of words before it in
// this text. Words are what lies between spaces, tabs, and the like: those of ASCII alone.
void read_spaced(WordTable& table, std::string_view text, std::vector<int32_t>& ids,
                 std::vector<int64_t>& ends);

// The same for words of letters, marks and numbers, with inner characters between two of them.
// The text is UTF-8; bytes that are not are separators.
void read_words(WordTable& table, std::string_view text, const WordRule& rule,
                std::vector<int32_t>& ids, std::vector<int64_t>& ends);

}  // namespace chainrule::words
