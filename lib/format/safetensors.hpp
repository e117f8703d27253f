// Safetensors: the weights of a Hugging Face folder, in one file or in shards listed by an index.
#pragma once
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "platform/file.hpp"

namespace mla::format {

struct SafetensorsTensor {
  std::string dtype;                 ///< "F32", "F16", "BF16", "F8_E4M3", "I64", …
  std::vector<std::uint64_t> shape;  ///< row-major: slowest first
  const std::byte* data = nullptr;   ///< not aligned
  std::uint64_t bytes = 0;
  const std::string* path = nullptr;  ///< of the file it is in, for messages
};

/// All tensors of a folder, mapped, or read into memory. They stay where they are when it is moved, and when its files are.
class SafetensorsFolder {
 public:
  struct Options {
    bool use_mmap = true;
    std::shared_ptr<Allocator> allocator = nullptr;  ///< for files that are read
    ProgressCallback progress = {};
  };

  /// Reads model.safetensors.index.json and its shards, or else model.safetensors.
  /// Throws Error: not_found, io_error, bad_file; names the file and the tensor.
  static SafetensorsFolder open(const std::string& folder, const Options& options);
  static SafetensorsFolder open(const std::string& folder) { return open(folder, {}); }

  const std::map<std::string, SafetensorsTensor>& tensors() const noexcept { return tensors_; }
  const SafetensorsTensor* find(const std::string& name) const;
  /// The file that these bytes are in; nullptr if none.
  const platform::FileView* file_with(const std::byte* data) const noexcept;
  /// The mapped files, which its tensors point into, for who keeps them longer than this.
  std::vector<platform::FileView> take_files() &&;

 private:
  void add_file(const std::string& path, const Options& options);
  std::vector<platform::FileView> files_;
  std::list<std::string> paths_;  // which tensors name
  std::map<std::string, SafetensorsTensor> tensors_;
};

}  // namespace mla::format
