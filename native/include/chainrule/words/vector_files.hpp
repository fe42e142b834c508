// Rows of files that hold words with their vectors: where they lie, and the numbers in them.
//
// What a row lacks is not said here: these functions stop at it, and whoever called them looks
// again.
#pragma once

#include <cstdint>

namespace chainrule::words {

// A word is no longer than this, in bytes; a file whose words are longer is something else.
constexpr std::int64_t longest_word = 1 << 16;

// word2vec's binary form: bytes of a word, a space, `size` floats; newlines before a word are
// skipped. Finds up to `rows` rows from `offset`, and where each word starts and ends. Returns how
// many there are before the data ends within one.
std::int64_t find_rows(const char* data, std::int64_t bytes, std::int64_t offset, std::int64_t rows,
                       std::int64_t size, std::int64_t* starts, std::int64_t* ends);

// Copies the floats that follow the space after each word. Returns the first row with a number that
// is not finite, or -1.
std::int64_t copy_rows(const char* data, const std::int64_t* ends, std::int64_t rows,
                       std::int64_t size, float* table);

// Finds up to `rows` ends of lines from `offset`: each place of a newline, or the end of the data.
// Returns how many there are.
std::int64_t find_lines(const char* data, std::int64_t bytes, std::int64_t offset,
                        std::int64_t rows, std::int64_t* ends);

// The number that a text of the form of a number stands for, where that is hard to tell.
using Decimal = double (*)(const char* begin, const char* end);

// Lines of a word, where `with_words`, and `size` numbers, with spaces or tabs between; a word may
// hold spaces. Finds where each word ends and fills the table. Returns the first line of another
// form, or -1.
std::int64_t parse_lines(const char* data, const std::int64_t* starts, const std::int64_t* ends,
                         std::int64_t rows, std::int64_t size, bool with_words,
                         std::int64_t* word_ends, float* table, Decimal decimal);

}  // namespace chainrule::words
