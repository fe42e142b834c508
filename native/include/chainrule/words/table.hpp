// Words with their numbers and counts: the table that a text is counted with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace chainrule::words {

// Each different word gets a number, the first one 0, in the order in which they come.
//
// Words are bytes of any kind and length. Open addressing: a slot holds the number of a word. A
// word's first and last eight bytes lie beside its count, so that nearly all words are compared as
// two numbers; the whole words lie end to end. Frequent words come early and have low numbers: what
// is looked up again and again lies close together.
class WordTable {
public:
    static constexpr size_t most_tokens = 128;
    // A word with its first eight bytes as a number: the first byte is the lowest, and zeros fill
    // up what is shorter. The last eight of a longer word are another, else 0.
    struct Token {
        std::string_view word;
        uint64_t head, tail, hash;
    };

    WordTable();

    // The number of a word; it is counted once more.
    int32_t add(std::string_view word);
    // The same for several words, at most `most_tokens`: what they need of the memory is fetched
    // before the first of them is looked up.
    void add(const Token* tokens, size_t count, int32_t* places);
    // The numbers of words, at most `most_tokens`, or -1.
    void find(const Token* tokens, size_t count, int32_t* places) const;
    // A word as the table takes it; its slot is on its way into the cache.
    Token token_of(std::string_view word) const;
    // The same where the eight bytes before the word's end and behind its beginning can be read.
    Token token_inside(std::string_view word) const;

    int64_t size() const { return static_cast<int64_t>(entries_.size()); }
    int64_t count(int64_t place) const {
        return static_cast<int64_t>(entries_[static_cast<size_t>(place)].count);
    }
    void set_count(int64_t place, int64_t count);
    std::string_view word(int64_t place) const;

private:
    // A size that does not fit is the largest that does.
    static constexpr uint64_t long_size = 0xffff;
    struct Entry {
        uint64_t head, tail, count;
        uint64_t size : 16, start : 48;
    };

    Token token_of(std::string_view word, uint64_t head, uint64_t tail) const;
    void fetch(const Token* tokens, size_t count) const;
    bool is_at(size_t place, const Token& token) const;
    size_t slot_of(const Token& token) const;
    int32_t count_token(const Token& token);
    int32_t insert(size_t slot, const Token& token);
    void grow();

    std::vector<int32_t> slots_;  // a power of two of them
    size_t mask_;
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

// Gives words other numbers, and leaves out those that have none.
//
// `ids` are places in `numbers`, or -1; a word is left out where it is -1 or its number is. `ends`
// are offsets into ids, rising; each becomes the count of words before it that are kept. Returns
// how many words were written to `kept`, which has room for all.
int64_t renumber(const int32_t* ids, int64_t count, const int32_t* numbers, const int64_t* ends,
                 int64_t end_count, int32_t* kept, int64_t* kept_ends);

}  // namespace chainrule::words
