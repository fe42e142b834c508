#pragma once

#include <nanobind/nanobind.h>

namespace chainrule {

// Puts the submodule `words`, the training of word embeddings, into the extension module.
void bind_words(nanobind::module_& module);

}  // namespace chainrule
