// A Hugging Face folder as the GGUF file that it could be: its weights where they are, or converted into memory.
#pragma once
#include <list>
#include <mla/model.hpp>
#include <string>
#include <vector>

#include "format/gguf.hpp"
#include "platform/memory.hpp"

namespace mla::model {

struct HfFolder {
  format::GgufFile file;                 ///< kv_b whole where weights are in place, k_b and v_b where they were converted
  std::list<std::vector<float>> scales = {};  ///< that tensors of `file` point to
  std::vector<platform::Buffer> memory = {};  ///< the same

  std::uint64_t memory_bytes() const noexcept;
};

/// options.load_type empty: matrices are views of the mapped files (of memory, without use_mmap), whatever their address. Throws Error like
/// Model::load(), naming the file and the key or tensor.
HfFolder open_hf_folder(const std::string& folder, const ModelOptions& options);

}  // namespace mla::model
