// Reads the header of one GGUF part.
#pragma once
#include <cstring>
#include <span>
#include <string>

#include "format/gguf.hpp"

namespace mla::format {

/// A cursor over bytes that never reads behind their end.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  template <typename T>
  T read(const char* what) {
    T value;
    std::memcpy(&value, take(sizeof value, what), sizeof value);
    return value;
  }
  std::string read_string(const char* what);
  /// The next n bytes; `what` is what the error names if there are fewer.
  const std::byte* take(std::uint64_t n, const char* what);
  /// What errors name from here on: a kind, such as "tensor", and a name that must stay alive; both empty for nothing.
  void name_in_errors(std::string_view kind, std::string_view name) { kind_ = kind, name_ = name; }

  std::uint64_t position() const noexcept { return position_; }
  std::uint64_t remaining() const noexcept { return bytes_.size() - position_; }

 private:
  std::span<const std::byte> bytes_;
  const std::string& path_;
  std::string_view kind_, name_;
  std::uint64_t position_ = 0;
};

struct GgufPart {
  std::uint32_t version = 0;
  std::vector<std::pair<std::string, GgufValue>> metadata;
  std::vector<TensorInfo> tensors;
};

/// Parses and checks everything but what concerns several parts.
GgufPart read_gguf_part(const platform::FileView& file, int part, bool allow_unknown_types);

}  // namespace mla::format
