// Arrays of Python's that the core works on, checked before it does.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "held.hpp"

namespace chainrule {

// An array of Python's, held as long as the object that uses it.
template <class T>
class Array {
public:
    Array(const nanobind::object& object, const char* name, bool writable = false) : name_(name) {
        if (object.is_none()) return;
        start_ = reinterpret_cast<T*>(held_.take(object.ptr(), writable));
        if (held_.bytes() % static_cast<int64_t>(sizeof(T)) != 0 ||
            reinterpret_cast<uintptr_t>(start_) % alignof(T) != 0)
            fail("is not an aligned array of its type");
        size_ = held_.bytes() / static_cast<int64_t>(sizeof(T));
    }
    T* data() const { return start_; }
    int64_t size() const { return size_; }
    void need(int64_t size) const {
        if (size_ < size)
            fail("has " + std::to_string(size_) + " entries, not " + std::to_string(size));
    }
    // Every entry must lie in [low, high).
    void within(int64_t low, int64_t high) const {
        for (int64_t i = 0; i < size_; ++i)
            if (static_cast<int64_t>(start_[i]) < low || static_cast<int64_t>(start_[i]) >= high)
                fail("has " + std::to_string(start_[i]) + " at " + std::to_string(i) +
                     ", which is not in [" + std::to_string(low) + ", " + std::to_string(high) +
                     ")");
    }
    // Offsets must rise to `end`.
    void rising_to(int64_t end) const {
        int64_t before = 0;
        for (int64_t i = 0; i < size_; ++i) {
            if (start_[i] < before) fail("falls at " + std::to_string(i));
            before = start_[i];
        }
        if (before != end)
            fail("ends at " + std::to_string(before) + ", not at " + std::to_string(end));
    }

private:
    [[noreturn]] void fail(const std::string& what) const {
        throw std::invalid_argument(std::string(name_) + " " + what);
    }

    const char* name_;
    Held held_;
    T* start_ = nullptr;
    int64_t size_ = 0;
};

}  // namespace chainrule
