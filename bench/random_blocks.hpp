// Random weights in the block formats of GGUF.
#pragma once
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// A number format of weights, as GGUF lays it out.
struct WeightType {
  std::string_view name;         ///< as on the command line
  std::uint32_t number;          ///< GGUF's
  int block_values;
  std::size_t block_bytes;
  std::string_view narrow;       ///< what stands in where a row is a multiple of 32 but not of block_values; empty: nothing has to

  std::size_t bytes(std::int64_t n) const noexcept { return static_cast<std::size_t>(n / block_values) * block_bytes; }
};

/// nullptr if there is none of this name.
const WeightType* find_weight_type(std::string_view name) noexcept;
std::vector<std::string> weight_type_names();

/// Fills `out`, whole blocks of a type, with weights of mean about 0 and standard deviation about `deviation`.
void fill_random_blocks(const WeightType& type, float deviation, std::mt19937_64& random, std::span<std::byte> out);

}  // namespace bench
