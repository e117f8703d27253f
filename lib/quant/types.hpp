// The block formats of GGUF tensors: their numbers, names and sizes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "quant/gguf_type.hpp"

namespace mla::quant {

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
