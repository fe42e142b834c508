// A contiguous buffer of Python's, held while the core reads or writes it.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>

namespace chainrule {

class Held {
public:
    Held() = default;
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
        if (held_) PyBuffer_Release(&view_);
    }
    char* take(PyObject* object, bool writable) {
        if (PyObject_GetBuffer(object, &view_, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE) != 0)
            throw nanobind::python_error();
        held_ = true;
        return static_cast<char*>(view_.buf);
    }
    int64_t bytes() const { return view_.len; }

private:
    Py_buffer view_{};
    bool held_ = false;
};

}  // namespace chainrule
