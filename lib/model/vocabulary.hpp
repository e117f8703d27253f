// The tokenizer's data in a GGUF file.
#pragma once
#include <mla/tokenizer.hpp>

#include "format/gguf.hpp"

namespace mla::model {

/// Throws Error: unsupported if the file has no tokenizer, bad_file if its keys contradict each other or the number of
/// token ids, n_vocab.
TokenizerData read_vocabulary(const format::GgufFile& file, int n_vocab);

}  // namespace mla::model
