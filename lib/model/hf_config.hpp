// A Hugging Face config.json of a model of DeepSeek's attention.
#pragma once
#include <string>

#include "format/key_values.hpp"
#include "model/config.hpp"

namespace mla::model {

struct HfModel {
  Config config;
  bool tied_embeddings = false;  ///< the output is the embedding table
  bool is_fp8 = false;           ///< matrices may be F8_E4M3, with one scale for 128 × 128 values
};

/// Throws Error: bad_file for a key that is missing or makes no sense, unsupported for a setting that changes the
/// mathematics and isn't known here; names file and key.
HfModel read_hf_config(const std::string& folder);

/// What the model is, and its name: the folder's.
void write_general(format::KeyValues& keys, std::string folder);

/// The metadata that a config becomes: with k_b and v_b split, or with kv_b whole; with the layers of multi-token prediction, or without.
struct ConfigForm {
  bool split_latent = true;
  bool mtp = false;
};
void write_config(format::KeyValues& keys, const Config& config, ConfigForm form);

}  // namespace mla::model
