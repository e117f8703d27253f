// GGUF files: metadata and tensors, single or split into parts. Every size is checked before it is used.
#pragma once
#include <cstdint>
#include <memory>
#include <mla/host.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "platform/file.hpp"

namespace mla::format {

/// An array of metadata; integers of every width as int64 or uint64, both floats as double.
using GgufArray = std::variant<std::vector<std::int64_t>, std::vector<std::uint64_t>, std::vector<double>, std::vector<bool>,
                               std::vector<std::string>>;
using GgufScalar = std::variant<std::int64_t, std::uint64_t, double, bool, std::string, GgufArray>;

struct GgufValue {
  std::uint32_t type = 0;          ///< GGUF's number: 0 uint8 … 12 float64
  std::uint32_t element_type = 0;  ///< of an array (type 9)
  GgufScalar value;
};

/// Name of a metadata value type, such as "uint32".
const char* gguf_type_name(std::uint32_t type) noexcept;

/// A matrix of a tensor that is put together from several, or that has scales of its own.
struct TensorPiece {
  const std::byte* data = nullptr;
  const float* scales = nullptr;  ///< of blocks of 128 × 128 values, row by row
};

/// "STEM-00002-of-00009.gguf", the name of part 2 of 9 (counted from 1).
std::string gguf_part_path(std::string_view stem, std::size_t part, std::size_t n_parts);

struct TensorInfo {
  std::string name;
  std::vector<std::uint64_t> shape;  ///< GGUF's order: row width first; 1 to 4 sizes
  std::uint32_t type = 0;            ///< GGUF's number: a quant::Type, or an interleaved one (quant/interleaving.hpp)
  std::uint64_t offset = 0;          ///< in its part's file
  std::uint64_t bytes = 0;           ///< 0 for an unknown type
  const std::byte* data = nullptr;   ///< null for an unknown type
  int part = 0;
  bool in_panels = false;            ///< not rows one after another, but panels of sixteen (format/native_layout.hpp)
  std::vector<TensorPiece> pieces = {};  ///< of equal size, in files put together in memory only; `data` is that of the first

  /// How many of its bytes are at `data`.
  std::uint64_t bytes_at_data() const noexcept { return pieces.empty() ? bytes : bytes / pieces.size(); }
};

class GgufFile {
 public:
  struct Options {
    bool use_mmap = true;
    std::shared_ptr<Allocator> allocator = nullptr;  ///< for files that are read
    ProgressCallback progress = {};
    bool allow_unknown_types = false;  ///< for programs that only look; otherwise such a tensor refuses the file
  };

  GgufFile() = default;
  /// Opens version 2 and 3 files; of a split model any part may be named.
  /// Throws Error: not_found, io_error, bad_file, unsupported, out_of_memory, aborted; names file and key or tensor.
  static GgufFile open(const std::string& path, const Options& options);
  /// The same for an open descriptor of a file that isn't a part of a split model; it may be closed then. Throws also unsupported for a part.
  static GgufFile open(int descriptor, const Options& options);
  /// The same for a file in memory, which must outlive this and isn't a part of a split model. Throws also invalid_argument.
  static GgufFile borrow(std::span<const std::byte> bytes, const Options& options);

  /// What another kind of file holds, as a GGUF file would: its metadata and its tensors, which lie in `parts`, or in memory that outlives
  /// this. `path` is what errors name. Throws Error(bad_file) if a key or tensor occurs twice.
  static GgufFile assemble(const std::string& path, std::vector<platform::FileView> parts, std::vector<std::pair<std::string, GgufValue>> metadata,
                           std::vector<TensorInfo> tensors);

  const std::string& path() const noexcept { return parts_.front().path(); }  ///< of the first part
  std::vector<std::string> part_paths() const;
  int n_parts() const noexcept { return static_cast<int>(parts_.size()); }
  std::uint32_t version() const noexcept { return version_; }
  std::uint64_t file_bytes() const noexcept;

  const std::vector<TensorInfo>& tensors() const noexcept { return tensors_; }
  const TensorInfo* find(std::string_view name) const;
  /// The part whose bytes these are; nullptr if they are no file's.
  platform::FileView* part_with(const std::byte* data) noexcept;
  const std::vector<std::pair<std::string, GgufValue>>& metadata() const noexcept { return metadata_; }
  const GgufValue* find_key(std::string_view key) const;

  // Typed access: empty if the key is absent, Error(bad_file) that names file and key if it is of another type.
  std::optional<std::uint64_t> get_uint(std::string_view key) const;
  std::optional<double> get_float(std::string_view key) const;
  std::optional<bool> get_bool(std::string_view key) const;
  std::optional<std::string> get_string(std::string_view key) const;
  std::optional<std::vector<std::int64_t>> get_integers(std::string_view key) const;
  const std::vector<std::string>* get_strings(std::string_view key) const;  ///< nullptr if absent
  std::string require_string(std::string_view key) const;                   ///< bad_file if absent

 private:
  friend class GgufReader;
  [[noreturn]] void fail_type(std::string_view key, const GgufValue& value, const char* wanted) const;
  void index();
  void index_keys();

  std::uint32_t version_ = 0;
  std::vector<platform::FileView> parts_;
  std::vector<std::pair<std::string, GgufValue>> metadata_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string_view, std::size_t> tensor_index_, key_index_;
};

}  // namespace mla::format
