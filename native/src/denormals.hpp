// Subnormal numbers as zero while an object lives. A model that fits well computes with numbers so
// small that processors need a hundred times as long for them.
#pragma once

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace chainrule {

class DenormalsFlushed {
public:
    explicit DenormalsFlushed(bool wanted) : wanted_(wanted) {
        if (!wanted_) return;
        before_ = get();
#if defined(__x86_64__) || defined(_M_X64)
        set(before_ | 0x8040u);  // results (FTZ) and operands (DAZ)
#else
        set(before_ | (std::uint64_t{1} << 24));
#endif
    }
    ~DenormalsFlushed() {
        if (wanted_) set(before_);
    }
    DenormalsFlushed(const DenormalsFlushed&) = delete;
    DenormalsFlushed& operator=(const DenormalsFlushed&) = delete;

private:
#if defined(__x86_64__) || defined(_M_X64)
    using Word = unsigned;
    static Word get() { return _mm_getcsr(); }
    static void set(Word word) { _mm_setcsr(word); }
#elif defined(__aarch64__) && defined(__GNUC__)
    using Word = std::uint64_t;
    static Word get() {
        Word word;
        __asm__ volatile("mrs %0, fpcr" : "=r"(word));
        return word;
    }
    static void set(Word word) { __asm__ volatile("msr fpcr, %0" : : "r"(word)); }
#else
    using Word = std::uint64_t;
    static Word get() { return 0; }
    static void set(Word) {}
#endif
    bool wanted_;
    Word before_ = 0;
};

}  // namespace chainrule
