// The block formats of GGUF tensors: their numbers, names and sizes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mla::quant {

/// The values are the type numbers of GGUF files.
enum class Type : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  iq4_nl = 20,
  iq4_xs = 23,
  bf16 = 30,
};

struct TypeTraits {
  const char* name;  // as GGUF tools spell it: "Q4_K"
  int block_size;    // values in a block
  int block_bytes;
};

/// nullptr: a type number that this version does not know.
const TypeTraits* find_traits(std::uint32_t gguf_number) noexcept;
const TypeTraits& traits(Type type) noexcept;

/// Case-insensitive.
std::optional<Type> parse_type(std::string_view name);

/// Bytes of a row; n_columns is a multiple of the block size (the caller has checked).
std::size_t row_bytes(Type type, std::int64_t n_columns);

}  // namespace mla::quant
