// The bytes of a safetensors file.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

inline std::string safetensors_bytes(std::string_view header, std::string_view data = {}) {
  const auto size = std::bit_cast<std::array<char, 8>>(std::uint64_t{header.size()});
  return std::string(size.data(), size.size()) + std::string(header) + std::string(data);
}
