// The block formats of weights: their numbers, names and sizes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "quant/gguf_type.hpp"

namespace mla::quant {

struct TypeTraits {
  const char* name;      // as GGUF tools spell it: "Q4_K"
  int block_size;        // values in a block
  int block_bytes;
  int header_bytes = 0;  // that a row begins with, before its blocks: a scale of the whole row
};

/// nullptr: a type number that no file may have, or whose rows can't be read one by one (see interleaving.hpp).
const TypeTraits* find_traits(std::uint32_t gguf_number) noexcept;
const TypeTraits& traits(Type type) noexcept;

/// Every type that weights can have in memory.
std::span<const Type> all_types() noexcept;

/// What GGUF tools call the number, whether or not this version reads it; "" if the number is unknown.
const char* type_name(std::uint32_t gguf_number) noexcept;

/// Case-insensitive; types of files only.
std::optional<Type> parse_type(std::string_view name);

/// Bytes of a row; n_columns is a multiple of the block size (the caller has checked).
std::size_t row_bytes(Type type, std::int64_t n_columns);

}  // namespace mla::quant
