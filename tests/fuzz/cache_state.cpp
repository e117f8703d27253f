// A saved state of a KV cache, its checksums made right so that the rules behind them are met: what loads must be sound enough to be
// changed, and saved again.
#include <bit>
#include <cstring>
#include <mla/kv_cache.hpp>
#include <vector>

#include "cache/state_file.hpp"
#include "fuzz.hpp"
#include "platform/checksum.hpp"

namespace {

using namespace mla;
using namespace mla::cache;

void repair(std::vector<std::byte>& state) {
  StateHeader header;
  if (state.size() < sizeof header) return;
  std::memcpy(&header, state.data(), sizeof header);
  header.total_bytes = state.size();
  header.checksum = 0;
  const std::uint64_t most = state.size();
  if (header.n_pages > most || header.n_rows > most || header.n_sequences > most || header.n_entries > most || header.n_layers > 64 ||
      header.row_bytes > most)
    return;
  const std::uint64_t tables = header.n_pages * sizeof(StatePage) + header.n_rows * sizeof(StateRow) +
                               header.n_sequences * sizeof(StateSequence) + header.n_entries * sizeof(StateEntry);
  if (tables > most - sizeof header) return;
  platform::Checksum sum;
  sum.update(&header, sizeof header);
  sum.update(state.data() + sizeof header, tables);
  header.checksum = sum.value();
  std::memcpy(state.data(), &header, sizeof header);
  std::uint64_t at = sizeof header + tables;
  for (std::uint64_t i = 0; i < header.n_pages; ++i) {
    StatePage page;
    std::memcpy(&page, state.data() + sizeof header + i * sizeof page, sizeof page);
    const std::uint64_t bytes = static_cast<std::uint64_t>(std::popcount(page.live)) * header.n_layers * header.row_bytes;
    if (bytes > most || at + bytes + sizeof(std::uint64_t) > most) return;
    const std::uint64_t rows = platform::checksum(std::span(state).subspan(at, bytes));
    std::memcpy(state.data() + at + bytes, &rows, sizeof rows);
    at += bytes + sizeof rows;
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr CacheShape shape{.n_layers = 2, .n_heads = 2, .n_nope = 4, .n_rope = 4, .n_value = 4, .n_latent = 8};
  const auto input = std::as_bytes(std::span(data, size));
  std::vector<std::byte> state(input.begin(), input.end());
  repair(state);
  return fuzz::accept_errors([&] {
    KvCache cache(shape, {.n_ctx = 256});
    cache.load(state);
    const auto saved = cache.save();
    KvCache again(shape, {.n_ctx = 256});
    again.load(saved);
    if (again.save() != saved) std::abort();
    cache.seq_cp(0, 5, 0, -1);
    cache.seq_rm(0, 1, 3);
    cache.defrag();
  });
}
