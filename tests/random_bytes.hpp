// Bytes that are the same in every run.
#pragma once
#include <cstddef>
#include <random>
#include <vector>

inline std::vector<std::byte> random_bytes(std::size_t n) {
  std::mt19937 random(static_cast<unsigned>(n));
  std::vector<std::byte> bytes(n);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}
