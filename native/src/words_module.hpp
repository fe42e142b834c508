#pragma once

#include <nanobind/nanobind.h>

namespace chainrule {

// Puts the submodule `words`, the training of word embeddings, into the extension module.
void bind_words(nanobind::module_& module);

// Its parts beside word2vec's.
void bind_counting(nanobind::module_& words);
void bind_glove(nanobind::module_& words);
void bind_vector_files(nanobind::module_& words);

}  // namespace chainrule
