// A small model as a Hugging Face folder: config.json and one safetensors file, to be converted, whole or damaged.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tiny_model.hpp"

struct HfTensor {
  std::string name, dtype;
  std::vector<std::uint64_t> shape;  ///< slowest first
  std::string bytes;
};

struct HfFolder {
  nlohmann::json config;
  std::vector<HfTensor> tensors;

  HfTensor& tensor(const std::string& name);  ///< throws std::out_of_range
  void remove_tensor(const std::string& name);
  void write_config(const std::string& folder) const;
  /// `shift` spaces in the header put the data at odd addresses.
  void write_weights(const std::string& path, std::size_t shift = 0) const;
  void write(const std::string& folder) const;
};

/// The weights of a model in the original layout, as F32.
HfFolder hf_folder(const TinyModel& original, const TinyShape& shape);
