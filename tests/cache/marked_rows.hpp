// What the cache's tests share: a small cache whose rows carry marks, so that a row that was moved or copied can be recognised.
#pragma once
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <vector>

#include "cache/kv_cache_impl.hpp"
#include "catch.hpp"

constexpr mla::CacheShape small{.n_layers = 2, .n_heads = 2, .n_nope = 32, .n_rope = 8, .n_value = 32, .n_latent = 32};

// Adds a token whose rows are filled with a mark, so that copies can be recognised.
inline void add(mla::KvCache::Impl::Transaction& transaction, mla::KvCache::Impl& cache, mla::SequenceId seq, mla::Position position,
                std::uint16_t mark, mla::Token token = mla::cache::no_token) {
  const mla::cache::RowRef ref = transaction.append(seq, position, token);
  for (int layer = 0; layer < cache.shape.n_layers; ++layer) {
    const auto value = static_cast<std::uint16_t>(mark + layer);
    std::memcpy(cache.row(ref, layer), &value, sizeof value);
  }
}

inline void add(mla::KvCache& cache, mla::SequenceId seq, mla::Position position, std::uint16_t mark = 0) {
  mla::KvCache::Impl::Transaction transaction(cache.impl());
  add(transaction, cache.impl(), seq, position, mark);
  transaction.commit();
}

// position → mark of layer 0, checking that layer 1 agrees.
inline std::map<mla::Position, std::uint16_t> contents(const mla::KvCache& cache, mla::SequenceId seq) {
  std::vector<mla::cache::PageView> views;
  cache.impl().view(seq, 1 << 30, views);
  std::map<mla::Position, std::uint16_t> found;
  for (const mla::cache::PageView& page : views) {
    for (int row = 0; row < mla::cache::page_rows; ++row) {
      if (!(page.live >> row & 1)) continue;
      std::uint16_t first, second;
      const std::byte* at = page.data + static_cast<std::size_t>(row) * cache.impl().format.bytes;
      std::memcpy(&first, at, sizeof first);
      std::memcpy(&second, at + cache.impl().layer_bytes(), sizeof second);
      REQUIRE(second == static_cast<std::uint16_t>(first + 1));
      REQUIRE(found.emplace(page.positions[row], first).second);
    }
  }
  return found;
}
