#include "chainrule/words/vector_files.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace chainrule::words {

std::int64_t find_rows(const char* data, std::int64_t bytes, std::int64_t offset, std::int64_t rows,
                       std::int64_t size, std::int64_t* starts, std::int64_t* ends) {
    const std::int64_t floats = size * std::int64_t{sizeof(float)};
    for (std::int64_t row = 0; row < rows; ++row) {
        while (offset < bytes && data[offset] == '\n') ++offset;
        const auto reach = static_cast<std::size_t>(std::min(bytes - offset, longest_word));
        const void* space = std::memchr(data + offset, ' ', reach);
        if (!space) return row;
        const std::int64_t end = static_cast<const char*>(space) - data;
        if (floats > bytes - end - 1) return row;
        starts[row] = offset;
        ends[row] = end;
        offset = end + 1 + floats;
    }
    return rows;
}

std::int64_t copy_rows(const char* data, const std::int64_t* ends, std::int64_t rows,
                       std::int64_t size, float* table) {
    constexpr std::uint32_t exponent = 0x7f800000u;
    for (std::int64_t row = 0; row < rows; ++row, table += size) {
        std::memcpy(table, data + ends[row] + 1, static_cast<std::size_t>(size) * sizeof(float));
        std::uint32_t odd = 0;
        for (std::int64_t i = 0; i < size; ++i) {
            std::uint32_t bits;
            std::memcpy(&bits, table + i, sizeof bits);
            odd |= static_cast<std::uint32_t>((bits & exponent) == exponent);
        }
        if (odd) return row;
    }
    return -1;
}

std::int64_t find_lines(const char* data, std::int64_t bytes, std::int64_t offset,
                        std::int64_t rows, std::int64_t* ends) {
    std::int64_t row = 0;
    for (; row < rows && offset < bytes; ++row) {
        const void* found =
            std::memchr(data + offset, '\n', static_cast<std::size_t>(bytes - offset));
        ends[row] = found ? static_cast<const char*>(found) - data : bytes;
        offset = ends[row] + 1;
    }
    return row;
}

namespace {

bool is_gap(char c) { return c == ' ' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A float lies below 10**39. Of 19 digits, 10**-64 leaves nothing.
constexpr int lowest = -64, highest = 38;
constexpr std::array<double, highest - lowest + 1> powers = {
    1e-64, 1e-63, 1e-62, 1e-61, 1e-60, 1e-59, 1e-58, 1e-57, 1e-56, 1e-55, 1e-54, 1e-53, 1e-52,
    1e-51, 1e-50, 1e-49, 1e-48, 1e-47, 1e-46, 1e-45, 1e-44, 1e-43, 1e-42, 1e-41, 1e-40, 1e-39,
    1e-38, 1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29, 1e-28, 1e-27, 1e-26,
    1e-25, 1e-24, 1e-23, 1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13,
    1e-12, 1e-11, 1e-10, 1e-9,  1e-8,  1e-7,  1e-6,  1e-5,  1e-4,  1e-3,  1e-2,  1e-1,  1e0,
    1e1,   1e2,   1e3,   1e4,   1e5,   1e6,   1e7,   1e8,   1e9,   1e10,  1e11,  1e12,  1e13,
    1e14,  1e15,  1e16,  1e17,  1e18,  1e19,  1e20,  1e21,  1e22,  1e23,  1e24,  1e25,  1e26,
    1e27,  1e28,  1e29,  1e30,  1e31,  1e32,  1e33,  1e34,  1e35,  1e36,  1e37,  1e38};

// Reads a number; returns where it ends, or null where there is none or it is too large.
const char* parse_number(const char* p, const char* end, float& value, Decimal decimal) {
    const char* begin = p;
    const bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) ++p;
    std::uint64_t digits = 0;
    std::int64_t exponent = 0;
    bool any = false;
    // More digits than fit say nothing that a float could hold.
    constexpr std::uint64_t full = (UINT64_MAX - 9) / 10;
    for (; p < end && is_digit(*p); ++p, any = true) {
        if (digits <= full) digits = digits * 10 + static_cast<std::uint64_t>(*p - '0');
        else ++exponent;
    }
    if (p < end && *p == '.') {
        ++p;
        for (; p < end && is_digit(*p); ++p, any = true) {
            if (digits > full) continue;
            digits = digits * 10 + static_cast<std::uint64_t>(*p - '0');
            --exponent;
        }
    }
    if (!any) return nullptr;
    if (p < end && (*p == 'e' || *p == 'E')) {
        ++p;
        const bool down = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+')) ++p;
        if (p == end || !is_digit(*p)) return nullptr;
        std::int64_t given = 0;
        for (; p < end && is_digit(*p); ++p)
            given = std::min<std::int64_t>(given * 10 + (*p - '0'), INT32_MAX);
        exponent += down ? -given : given;
    }
    float size = 0;
    if (digits != 0 && exponent > highest) return nullptr;
    if (digits != 0 && exponent >= lowest) {
        // Wrong by three roundings of 2**-53 and the digits left out, by less than 2**-51 together.
        // Where that could make another float of it, the exact way decides.
        constexpr double doubt = 1.0 / (std::uint64_t{1} << 50);
        const double near =
            static_cast<double>(digits) * powers[static_cast<std::size_t>(exponent - lowest)];
        size = static_cast<float>(near * (1 - doubt));
        if (size != static_cast<float>(near * (1 + doubt)))
            size = static_cast<float>(std::fabs(decimal(begin, p)));
        if (!std::isfinite(size)) return nullptr;
    }
    value = negative ? -size : size;
    return p;
}

// `size` numbers and nothing else.
bool parse_numbers(const char* p, const char* end, std::int64_t size, float* row, Decimal decimal) {
    for (std::int64_t i = 0; i < size; ++i) {
        const char* begin = p;
        while (p < end && is_gap(*p)) ++p;
        if (i > 0 && p == begin) return false;
        p = parse_number(p, end, row[i], decimal);
        if (!p) return false;
    }
    return p == end;
}

// Where the last `size` fields begin; null where there are fewer.
const char* before_fields(const char* begin, const char* end, std::int64_t size) {
    for (; size > 0; --size) {
        while (end > begin && is_gap(end[-1])) --end;
        if (end == begin) return nullptr;
        while (end > begin && !is_gap(end[-1])) --end;
    }
    return end;
}

// Returns where the word ends, or null for a line of another form.
const char* parse_line(const char* begin, const char* end, std::int64_t size, bool with_words,
                       float* row, Decimal decimal) {
    if (end > begin && end[-1] == '\r') --end;
    while (end > begin && is_gap(end[-1])) --end;
    if (!with_words) return parse_numbers(begin, end, size, row, decimal) ? begin : nullptr;
    const char* gap = std::find_if(begin, end, is_gap);
    if (gap != begin && gap != end && parse_numbers(gap, end, size, row, decimal)) return gap;
    gap = before_fields(begin, end, size);
    if (!gap || !parse_numbers(gap, end, size, row, decimal)) return nullptr;
    while (gap > begin && is_gap(gap[-1])) --gap;
    return gap == begin ? nullptr : gap;
}

}  // namespace

std::int64_t parse_lines(const char* data, const std::int64_t* starts, const std::int64_t* ends,
                         std::int64_t rows, std::int64_t size, bool with_words,
                         std::int64_t* word_ends, float* table, Decimal decimal) {
    for (std::int64_t row = 0; row < rows; ++row, table += size) {
        const char* end =
            parse_line(data + starts[row], data + ends[row], size, with_words, table, decimal);
        if (!end) return row;
        word_ends[row] = end - data;
    }
    return -1;
}

}  // namespace chainrule::words
