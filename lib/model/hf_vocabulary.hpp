// The tokenizer of a Hugging Face folder as GGUF metadata.
#pragma once
#include <mla/host.hpp>
#include <string>

#include "format/key_values.hpp"

namespace mla::model {

/// A folder without tokenizer.json gives a file without tokenizer, and a word to the log.
void write_hf_vocabulary(format::KeyValues& keys, const std::string& folder, int n_vocab, LogSink* log);

}  // namespace mla::model
