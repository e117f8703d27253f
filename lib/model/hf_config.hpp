// A Hugging Face config.json of a DeepSeek-V2 or -V3 model.
#pragma once
#include <string>

#include "format/gguf_writer.hpp"
#include "model/config.hpp"

namespace mla::model {

struct HfModel {
  Config config;
  bool tied_embeddings = false;  ///< the output is the embedding table
};

/// Throws Error: bad_file for a key that is missing or makes no sense, unsupported for a setting that changes the
/// mathematics and isn't known here; names file and key.
HfModel read_hf_config(const std::string& folder);

/// The metadata that a config becomes, in the layout with k_b and v_b.
void write_config(format::GgufWriter& writer, const Config& config);

}  // namespace mla::model
