// The types of ik_llama.cpp whose rows are interleaved, 4 or 8 at a time ("_R4", "_R8"), and back to rows one after another.
#pragma once
#include <cstddef>
#include <cstdint>

#include "quant/types.hpp"

namespace mla::quant {

/// Block b of row `row` of a group, from the group's blocks b to a block of the base type, which is zero before.
using RestoreFn = void (*)(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;

/// A group is its rows' headers one after another, then, block by block, the blocks of all its rows mixed. It takes the bytes
/// that its rows take one after another.
struct Interleaving {
  std::uint32_t number;  ///< in GGUF files
  const char* name;      ///< "Q4_K_R4"
  Type base;             ///< of the rows once they are restored
  int rows;              ///< in a group
  RestoreFn restore;
};

/// nullptr: the number is not that of an interleaved type that can be restored.
const Interleaving* find_interleaving(std::uint32_t gguf_number) noexcept;

/// Rows of the base type from `n_rows` interleaved ones; n_rows is a multiple of layout.rows and n_columns one of the base's
/// block size (the caller has checked). The values are the same, bit for bit. `in` and `out` don't overlap, and each has
/// n_rows · row_bytes(layout.base, n_columns) bytes.
void restore_rows(const Interleaving& layout, const std::byte* in, std::byte* out, std::int64_t n_rows, std::int64_t n_columns) noexcept;

}  // namespace mla::quant
