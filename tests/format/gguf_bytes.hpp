// Builds the bytes of GGUF files, right or wrong, without the library's writer.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

struct GgufBytes {
  enum Type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

  template <typename T>
  static std::string raw(T value) {
    const auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(value);
    return {bytes.begin(), bytes.end()};
  }
  static std::string text(std::string_view value) { return raw(std::uint64_t{value.size()}) + std::string(value); }

  GgufBytes& key(std::string_view name, std::uint32_t type, std::string_view value) {
    keys += text(name) + raw(type) + std::string(value);
    ++n_keys;
    return *this;
  }
  GgufBytes& array_key(std::string_view name, std::uint32_t element_type, std::uint64_t count, std::string_view values) {
    return key(name, array, raw(element_type) + raw(count) + std::string(values));
  }
  GgufBytes& tensor(std::string_view name, const std::vector<std::uint64_t>& shape, std::uint32_t type, std::uint64_t offset) {
    tensors += text(name) + raw(static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t size : shape) tensors += raw(size);
    tensors += raw(type) + raw(offset);
    ++n_tensors;
    return *this;
  }
  /// The file, with `data_bytes` of tensor data.
  std::string bytes(std::size_t data_bytes = 0, std::size_t alignment = 32) const {
    std::string out = magic + raw(version) + raw(n_tensors) + raw(n_keys) + keys + tensors;
    out.resize((out.size() + alignment - 1) / alignment * alignment + data_bytes);
    return out;
  }

  std::string magic = "GGUF", keys, tensors;
  std::uint32_t version = 3;
  std::uint64_t n_tensors = 0, n_keys = 0;
};
