// Writes GGUF version 3 files: metadata, then tensors one after another.
#pragma once
#include <cstdint>
#include <functional>
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
  explicit GgufWriter(const std::string& path, platform::Unfinished unfinished = platform::Unfinished::removed);

  void add_uint(const std::string& key, std::uint32_t value);
  void add_float(const std::string& key, float value);
  void add_bool(const std::string& key, bool value);
  void add_string(const std::string& key, std::string_view value);
  void add_strings(const std::string& key, std::span<const std::string> values);
  /// A value of any type, as a reader gave it.
  void add_value(const std::string& key, const GgufValue& value);
  void add_ints(const std::string& key, std::span<const std::int32_t> values);

  /// shape: row width first.
  void add_tensor(const std::string& name, std::vector<std::uint64_t> shape, quant::Type type);
  /// The same with GGUF's number of the type and the tensor's size, for types that are only copied.
  void add_tensor(const std::string& name, std::vector<std::uint64_t> shape, std::uint32_t number, std::uint64_t bytes);

  /// Returns how many tensors are in the file already, whole: the caller goes on with the next. They are where an earlier writer with
  /// Unfinished::kept and the same header and `source` (whatever the tensors are made from) left them, and have been read back;
  /// `keep_going` is called meanwhile, and throws to stop.
  std::size_t begin_data(std::uint64_t source = 0, const std::function<void()>& keep_going = [] {});
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
  template <typename T>
  void put(const T& value);
  void put_text(std::string_view text);
  void put_scalar(std::uint32_t type, const GgufScalar& value);
  void begin_key(const std::string& key, std::uint32_t type);
  std::string header() const;
  void pad();
  void put_bytes(std::span<const std::byte> bytes);
  void end_section();

  std::string path_;
  platform::FileWriter file_;
  std::optional<platform::PartJournal> journal_;
  platform::Checksum section_;  // of the header, then of each tensor
  std::string keys_;  // encoded metadata
  std::uint64_t n_keys_ = 0;
  std::vector<Tensor> tensors_;
  std::size_t current_ = 0;         // tensor in work
  std::uint64_t current_bytes_ = 0;  // of it, written so far
};

}  // namespace mla::format
