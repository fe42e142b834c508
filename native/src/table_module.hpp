#pragma once

#include <nanobind/nanobind.h>

namespace chainrule {

// Puts the class WordTable, which counts the words of a text, into the submodule `words`.
void bind_word_table(nanobind::module_& words);

}  // namespace chainrule
