// KvCache::fill_random(): rows that look computed, in every layout and type, and a cache left whole when it can't.
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "cache/kv_cache_impl.hpp"
#include "refusal.hpp"

using namespace mla;

namespace {

constexpr CacheShape shape{.n_layers = 3, .n_heads = 2, .n_nope = 32, .n_rope = 8, .n_value = 32, .n_latent = 32};

// The bytes of all live rows of a sequence, layer by layer.
std::vector<std::string> rows_of(const KvCache& cache, SequenceId seq) {
  std::vector<cache::PageView> pages;
  cache.impl().view(seq, std::numeric_limits<Position>::max(), pages);
  std::vector<std::string> rows;
  for (int layer = 0; layer < shape.n_layers; ++layer)
    for (const cache::PageView& page : pages)
      for (int row = 0; row < cache::page_rows; ++row) {
        if (!(page.live >> row & 1)) continue;
        const std::size_t bytes = cache.impl().format.bytes;
        const std::byte* at =
            page.data + static_cast<std::size_t>(layer) * cache.impl().layer_bytes() + static_cast<std::size_t>(row) * bytes;
        rows.emplace_back(reinterpret_cast<const char*>(at), bytes);
      }
  return rows;
}

}  // namespace

TEST_CASE("random rows: positions go on, values are finite and spread over -1 to 1") {
  for (const CacheLayout layout : {CacheLayout::latent, CacheLayout::expanded})
    for (const CacheType type : all_cache_types) {
      KvCache cache(shape, {.layout = layout, .n_ctx = 256, .type_k = type, .type_v = type});
      cache.fill_random(5, 100);
      cache.fill_random(5, 50);
      CHECK(cache.seq_len(5) == 150);
      CHECK(cache.seq_pos_min(5) == 0);
      CHECK(cache.seq_pos_max(5) == 149);
      CHECK(cache.n_pages_used() == 3);
      double squares = 0, largest = 0;
      int n = 0;
      const cache::RowPart& part = cache.impl().format.key;
      std::vector<float> values(static_cast<std::size_t>(part.width));
      for (const auto& row : rows_of(cache, 5)) {
        cache::read_part(part, reinterpret_cast<const std::byte*>(row.data()), 0, part.width, values.data());
        for (const float v : values)
          squares += static_cast<double>(v) * v, largest = std::max(largest, std::abs(static_cast<double>(v))), ++n;
      }
      INFO(to_string(type));
      CHECK(squares / n > 0.25);  // a third, if uniform
      CHECK(squares / n < 0.42);
      CHECK(largest <= 1.01);
    }
}

TEST_CASE("random rows come from the seed, and neighbours differ") {
  KvCache cache(shape, {.n_ctx = 1024});
  cache.fill_random(0, 127, 1);
  cache.fill_random(1, 127, 1);
  cache.fill_random(2, 127, 2);
  const auto first = rows_of(cache, 0), other = rows_of(cache, 2);
  CHECK(rows_of(cache, 1) == first);
  CHECK(other != first);
  for (int layer = 0; layer < shape.n_layers; ++layer)
    CHECK(std::set<std::string>(first.begin() + layer * 127, first.begin() + (layer + 1) * 127).size() == 127);
}

TEST_CASE("random rows that can't be: one error, and the cache is as it was") {
  KvCache cache(shape, {.n_ctx = 128});
  cache.fill_random(0, 100);
  const auto before = rows_of(cache, 0);
  check_refused([&] { cache.fill_random(0, 29); }, Status::cache_full, {"2 pages"});
  check_refused([&] { cache.fill_random(1, 1000); }, Status::cache_full, {"2 pages"});
  check_refused([&] { cache.fill_random(0, -1); }, Status::invalid_argument, {"-1 random rows"});
  check_refused([&] { cache.fill_random(0, std::numeric_limits<int>::max()); }, Status::invalid_argument, {"last position is 99"});
  check_refused([&] { cache.fill_random(-2, 1); }, Status::invalid_argument, {"sequence id -2"});
  CHECK(rows_of(cache, 0) == before);
  CHECK(cache.seq_len(0) == 100);
  CHECK(cache.seq_len(1) == 0);
  CHECK(cache.n_pages_used() == 2);
  cache.fill_random(0, 28);
  cache.fill_random(0, 0);
  CHECK(cache.seq_len(0) == 128);
}
