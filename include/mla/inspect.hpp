// What is in a model file, without loading it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <mla/kv_cache.hpp>

namespace mla {

struct FileInfo {
  struct Key {
    std::string name;
    std::string type;   ///< "uint32", "string", "array of string", …
    std::string value;  ///< text; of a long array the first entries and its length
  };
  struct Tensor {
    std::string name;
    std::string type;  ///< "Q4_K", or "type 99" for one that this version doesn't know
    std::vector<std::uint64_t> shape;  ///< row width first
    std::uint64_t bytes = 0;           ///< 0 if the type isn't known
    std::string layout;                ///< "rows", or "panels16" in a file of mla-quantize --layout native
  };

  std::string path;  ///< of the first part
  int version = 0;   ///< of GGUF
  int n_parts = 0;
  std::uint64_t file_bytes = 0;    ///< all parts together
  std::uint64_t tensor_bytes = 0;
  std::uint64_t n_parameters = 0;
  std::vector<Key> keys;
  std::vector<Tensor> tensors;
  std::optional<CacheShape> cache_shape;  ///< of a model that libmla can run
  std::string problem;                    ///< why it can't run it; empty if it can
};

/// Reads only headers: works on files larger than memory, and on types and architectures that libmla can't run.
/// Throws Error: not_found, io_error, bad_file; names file and key or tensor.
FileInfo inspect_file(const std::string& path);

}  // namespace mla
