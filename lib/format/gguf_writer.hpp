// Writes GGUF version 3 files: metadata, then tensors one after another; in one file, or cut into parts.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/gguf.hpp"
#include "platform/checksum.hpp"
#include "platform/file.hpp"
#include "platform/part_journal.hpp"
#include "quant/types.hpp"

namespace mla::format {

/// Keys and tensors are announced first; begin_data() writes the header; then the tensors' bytes follow in the order
/// announced. The file appears under its name with finish(), whole; otherwise nothing stays behind, or, with Unfinished::kept, what a
/// later writer of the same header goes on from.
/// Throws Error(io_error) that names the file.
class GgufWriter {
 public:
  /// `max_part_bytes` (0: no limit): a model that takes more is cut between tensors into files "NAME-00001-of-00009.gguf" of at most so many
  /// bytes, but for a tensor that takes more by itself. The first has the metadata; they appear with finish(), the first one last.
  explicit GgufWriter(const std::string& path, std::uint64_t max_part_bytes = 0, platform::Unfinished unfinished = platform::Unfinished::removed);

  void add_uint(const std::string& key, std::uint32_t value);
  void add_float(const std::string& key, float value);
  void add_bool(const std::string& key, bool value);
  void add_string(const std::string& key, std::string_view value);
  void add_strings(const std::string& key, std::span<const std::string> values);
  /// A value of any type, as a reader gave it.
  void add_value(const std::string& key, const GgufValue& value);
  void add_ints(const std::string& key, std::span<const std::int32_t> values);
  /// That there are tensors in panels (format/native_layout.hpp): in every part.
  void add_native_layout();

  /// shape: row width first.
  void add_tensor(const std::string& name, std::vector<std::uint64_t> shape, quant::Type type);
  /// The same with GGUF's number of the type and the tensor's size, for types that are only copied.
  void add_tensor(const std::string& name, std::vector<std::uint64_t> shape, std::uint32_t number, std::uint64_t bytes);

  /// Returns how many tensors are in the files already, whole: the caller goes on with the next. They are where an earlier writer with
  /// Unfinished::kept and the same header and `source` (whatever the tensors are made from) left them, and have been read back;
  /// `keep_going` is called meanwhile, and throws to stop.
  /// Throws also Error(invalid_argument) if there would be more parts than the format can count.
  std::size_t begin_data(std::uint64_t source = 0, const std::function<void()>& keep_going = [] {});
  /// The files that finish() replaces or makes; known once begin_data() was called.
  const std::vector<std::string>& paths() const noexcept { return paths_; }
  /// A piece of the next tensor's bytes; a tensor may come in several pieces.
  void write(std::span<const std::byte> bytes);
  void finish();

 private:
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> shape;
    std::uint32_t type;
    std::uint64_t bytes;
  };
  struct Part {
    Part(const std::string& path, platform::Unfinished unfinished);
    platform::FileWriter file;
    std::optional<platform::PartJournal> journal;  // of a part that is kept
    platform::Checksum section;                    // of the header, then of each tensor
  };
  template <typename T>
  void put(const T& value);
  void put_text(std::string_view text);
  void put_scalar(std::uint32_t type, const GgufScalar& value);
  void begin_key(const std::string& key, std::uint32_t type);
  void plan_parts();
  std::string part_keys(std::size_t part);
  std::string part_header(std::size_t part);
  void begin_part(bool resume, const std::function<void()>& keep_going);
  bool end_part();
  void pad();
  void put_bytes(std::span<const std::byte> bytes);
  void end_section();

  std::string path_;
  std::uint64_t max_part_bytes_;
  platform::Unfinished unfinished_;
  std::uint64_t source_ = 0;
  std::string keys_;  // encoded metadata
  std::uint64_t n_keys_ = 0;
  bool native_ = false;
  std::vector<Tensor> tensors_;
  std::vector<std::size_t> part_ends_;  // of each part, the tensor behind its last
  std::vector<std::string> paths_;
  std::vector<std::unique_ptr<Part>> parts_;  // sealed, but for the last
  std::size_t current_ = 0;         // tensor in work
  std::uint64_t current_bytes_ = 0;  // of it, written so far
};

}  // namespace mla::format
