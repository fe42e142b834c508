// LAPACK's factorisations by pointers, with integers of 32 or 64 bits.
#pragma once

#include <cstdint>

namespace chainrule {

// One of each for float32 and float64; null where there is none.
struct Lapack {
    void *getrf[2] = {}, *getrs[2] = {}, *potrf[2] = {}, *trtrs[2] = {};
    bool wide = false;
};

inline Lapack& lapack() noexcept {
    static Lapack pointers;
    return pointers;
}

// Matrices smaller than this are factorised without it: a call costs more than it saves.
constexpr int64_t lapack_rows = 48;

template <class T, class Integer>
using Getrf = void (*)(Integer*, Integer*, T*, Integer*, Integer*, Integer*);
template <class T, class Integer>
using Getrs = void (*)(char*, Integer*, Integer*, T*, Integer*, Integer*, T*, Integer*, Integer*);
template <class T, class Integer>
using Potrf = void (*)(char*, Integer*, T*, Integer*, Integer*);
template <class T, class Integer>
using Trtrs = void (*)(char*, char*, char*, Integer*, Integer*, T*, Integer*, T*, Integer*,
                       Integer*);

}  // namespace chainrule
