// What a model's weights take in memory, from the headers of its file.
#pragma once
#include "format/gguf.hpp"
#include "model/config.hpp"

namespace mla::model {

struct Footprint {
  std::uint64_t weights = 0;   ///< tensors that are used, bytes of the file
  std::uint64_t repacked = 0;  ///< copies of them in the kernels' layout, of a mapped file
  std::uint64_t derived = 0;   ///< as ModelInfo::derived_bytes
};

Footprint footprint(const format::GgufFile& file, const Config& config);

}  // namespace mla::model
