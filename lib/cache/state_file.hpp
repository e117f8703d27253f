// How sequences lie in a state file (docs/kv-cache.md), and where one is written to or read from.
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace mla::cache {

// All numbers are little-endian, as on every machine that this library runs on. A file is: header, StatePages, StateRows, StateSequences,
// StateEntries, then for each page its rows, layer by layer, and their checksum.

constexpr std::array<char, 8> state_magic{'m', 'l', 'a', '-', 'k', 'v', 's', '\n'};
constexpr std::uint32_t state_version = 1;

struct StateHeader {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t n_layers, n_heads, n_nope, n_rope, n_value, n_latent;
  std::uint32_t layout, type_k, type_v;  // CacheLayout, CacheType; type_v is 0 in the latent layout
  std::uint64_t row_bytes;               // of one layer
  std::uint64_t fingerprint;             // of the model; 0: unknown
  std::uint64_t n_pages, n_rows, n_sequences, n_entries;
  std::uint64_t total_bytes;  // of the file
  std::uint64_t checksum;     // of header (with 0 here) and tables
};
static_assert(sizeof(StateHeader) == 112);

struct StatePage {
  std::uint64_t live;  // bit r: row r is stored
};
struct StateRow {  // of all pages, one behind the other
  std::int32_t position, token;
};
struct StateSequence {  // in rising order of ids
  std::int32_t id;
  std::uint32_t n_entries;
};
struct StateEntry {  // of all sequences, one behind the other
  std::uint32_t page, reserved;
  std::uint64_t live;  // rows of the page that are the sequence's
};

class StateSink {
 public:
  virtual ~StateSink() = default;
  virtual void reserve(std::uint64_t) {}  // so many bytes will come
  virtual void write(std::span<const std::byte> bytes) = 0;
};

class StateSource {
 public:
  virtual ~StateSource() = default;
  virtual void read(std::span<std::byte> bytes) = 0;  // the next ones; never more than there are
  virtual std::uint64_t size() const noexcept = 0;
  virtual const std::string& name() const noexcept = 0;  // for errors
};

/// The pieces of memory that hold the live rows of a page in the order of the file, [n_layers, rows].
template <typename Byte, typename Visit>
void for_each_piece(std::span<Byte> page, std::uint64_t live, std::size_t n_layers, std::size_t row_bytes, Visit&& visit) {
  if (live == ~std::uint64_t{0}) return visit(page);
  const std::size_t layer_bytes = page.size() / n_layers;
  for (std::size_t layer = 0; layer < n_layers; ++layer)
    for (std::uint64_t left = live; left != 0;) {
      const int first = std::countr_zero(left), n = std::countr_one(left >> first);
      visit(page.subspan(layer * layer_bytes + static_cast<std::size_t>(first) * row_bytes, static_cast<std::size_t>(n) * row_bytes));
      left &= ~((~std::uint64_t{0} >> (64 - n)) << first);
    }
}

}  // namespace mla::cache
