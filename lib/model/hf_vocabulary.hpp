// The tokenizer of a Hugging Face folder as GGUF metadata.
#pragma once
#include <mla/host.hpp>
#include <string>

#include "format/key_values.hpp"
#include "model/hf_config.hpp"

namespace mla::model {

/// A folder without tokenizer.json gives a file without tokenizer, and a word to the log.
void write_hf_vocabulary(format::KeyValues& keys, const std::string& folder, int n_vocab, LogSink* log);

/// All metadata of a folder's model but for what depends on the types of its tensors.
format::KeyValues hf_metadata(const std::string& folder, const HfModel& model, ConfigForm form, LogSink* log);

}  // namespace mla::model
