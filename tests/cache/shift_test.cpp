// seq_add(): positions and the rope part of rows move together, copies of a sequence keep theirs, and what can't be changes nothing.
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <mla/error.hpp>
#include <vector>

#include "cache/kv_cache_impl.hpp"
#include "catch.hpp"

using namespace mla;

namespace {

constexpr CacheShape shape{.n_layers = 2, .n_heads = 2, .n_nope = 32, .n_rope = 8, .n_value = 32, .n_latent = 32};
const CacheModel model{{1.0, 0.1, 0.013, 0.0007}, 1};

// Pair i of an unrotated key of a layer.
std::pair<double, double> pair_of(int layer, int i) { return {std::sin(layer + 3 * i + 1), std::cos(2 * layer + i)}; }

std::vector<double> rotated(int layer, Position position) {
  std::vector<double> key;
  for (int i = 0; i < 4; ++i) {
    const auto [a, b] = pair_of(layer, i);
    const double angle = position * model.rope_frequencies[static_cast<std::size_t>(i)];
    key.push_back(a * std::cos(angle) - b * std::sin(angle));
    key.push_back(a * std::sin(angle) + b * std::cos(angle));
  }
  return key;
}

void append(KvCache& cache, SequenceId seq, Position first, int n) {
  KvCache::Impl& impl = cache.impl();
  KvCache::Impl::Transaction transaction(impl);
  for (Position position = first; position < first + n; ++position) {
    const cache::RowRef ref = transaction.append(seq, position, position);
    for (int layer = 0; layer < shape.n_layers; ++layer) {
      const auto key = rotated(layer, position);
      const std::vector<float> values(key.begin(), key.end());
      std::memset(impl.row(ref, layer), 0x11, impl.format.bytes);
      cache::write_part(impl.format.rope, values.data(), impl.row(ref, layer));
    }
  }
  transaction.commit();
}

// Largest error of the rope values, and the positions that were seen.
double worst_error(const KvCache& cache, SequenceId seq, std::vector<Position>& positions) {
  std::vector<cache::PageView> views;
  cache.impl().view(seq, std::numeric_limits<Position>::max(), views);
  const cache::RowFormat& format = cache.impl().format;
  double worst = 0;
  positions.clear();
  for (const cache::PageView& page : views)
    for (std::uint64_t live = page.live; live != 0; live &= live - 1) {
      const int row = std::countr_zero(live);
      positions.push_back(page.positions[row]);
      for (int layer = 0; layer < shape.n_layers; ++layer) {
        const std::byte* at =
            page.data + static_cast<std::size_t>(layer) * cache.impl().layer_bytes() + static_cast<std::size_t>(row) * format.bytes;
        float values[8];
        cache::read_part(format.rope, at, 0, 8, values);
        const auto expected = rotated(layer, page.positions[row]);
        for (std::size_t i = 0; i < 8; ++i) worst = std::max(worst, std::abs(values[i] - expected[i]));
        REQUIRE(at[0] == std::byte{0x11});  // the latent is not touched
      }
    }
  return worst;
}

std::vector<Position> range(Position first, Position end, Position delta = 0) {
  std::vector<Position> positions;
  for (Position p = first; p < end; ++p) positions.push_back(p + delta);
  return positions;
}

}  // namespace

TEST_CASE("a shift turns keys to their new positions, within one rounding of each write") {
  for (const CacheLayout layout : {CacheLayout::latent, CacheLayout::expanded})
    for (const CacheType type : all_cache_types) {
      KvCache cache(shape, {.layout = layout, .n_ctx = 512, .type_k = type, .type_v = type});
      cache.bind(model);
      append(cache, 0, 0, 200);
      const double rounding =
          type == CacheType::f32 ? 1e-6 : 1.5 * (type == CacheType::bf16 ? 0x1p-8 : 0x1p-11);  // keys are up to 1.42 long
      std::vector<Position> positions;
      INFO(to_string(layout == CacheLayout::latent ? AttentionMode::automatic : AttentionMode::deepseek2) << ", " << to_string(type));
      CHECK(worst_error(cache, 0, positions) <= rounding);
      cache.seq_add(0, 0, -1, 1000);
      CHECK(worst_error(cache, 0, positions) <= 2.5 * rounding);  // two roundings; a rotation carries the first into both values
      CHECK(positions == range(1000, 1200));
      CHECK(cache.seq_pos_min(0) == 1000);
      cache.seq_rm(0, 1000, 1050);
      cache.seq_add(0, 1050, 1200, -1050);
      CHECK(worst_error(cache, 0, positions) <= 4 * rounding);
      CHECK(positions == range(0, 150));
    }
}

TEST_CASE("a shift of a copy leaves the original alone and takes pages only for rows that move") {
  KvCache cache(shape, {.n_ctx = 64 * 6, .type_k = CacheType::f32});
  cache.bind(model);
  append(cache, 0, 0, 64 * 3);
  cache.seq_cp(0, 1);
  cache.seq_add(1, 64, -1, 7);
  CHECK(cache.n_pages_used() == 5);
  std::vector<Position> positions;
  CHECK(worst_error(cache, 0, positions) < 1e-6);
  CHECK(positions == range(0, 192));
  CHECK(worst_error(cache, 1, positions) < 1e-6);
  auto expected = range(0, 64), moved = range(64, 192, 7);
  expected.insert(expected.end(), moved.begin(), moved.end());
  CHECK(positions == expected);
  append(cache, 1, 199, 1);  // goes on behind it
  CHECK(cache.seq_pos_max(1) == 199);
}

TEST_CASE("shifts that can't be: one error, and the cache is as it was") {
  KvCache cache(shape, {.n_ctx = 64 * 4, .type_k = CacheType::f32});
  append(cache, 0, 10, 64 * 2);
  CHECK_THROWS_WITH(cache.seq_add(0, 0, -1, 5), Catch::Contains("bind()"));
  CHECK_THROWS_WITH(cache.bind({{1.0, 2.0}, 0}), Catch::Contains("2 rope frequencies"));
  cache.bind(model);
  CHECK_THROWS_WITH(cache.bind({model.rope_frequencies, 2}), Catch::Contains("another model"));
  cache.seq_cp(0, 1);
  cache.seq_cp(0, 2, 10, 74);
  append(cache, 3, 0, 65);
  REQUIRE(cache.n_pages_used() == 4);
  const auto refused = [&](Position p0, Position p1, Position delta, Status status, const char* text) {
    INFO(text);
    try {
      cache.seq_add(0, p0, p1, delta);
      FAIL("no error");
    } catch (const Error& error) {
      CHECK(error.status() == status);
      CHECK_THAT(error.what(), Catch::Contains(text));
    }
  };
  refused(0, -1, -11, Status::invalid_argument, "position 10 of sequence 0 would become -1");
  refused(20, -1, -1, Status::invalid_argument, "position 20 of sequence 0 would become 19");
  refused(10, 20, 1, Status::invalid_argument, "position 20 of sequence 0 would become 20");
  refused(0, -1, std::numeric_limits<Position>::max(), Status::invalid_argument, "would become 2147483657");
  refused(10, -1, 1, Status::cache_full, "all 4 pages");
  for (const SequenceId seq : {0, 1}) {
    std::vector<Position> positions;
    CHECK(worst_error(cache, seq, positions) < 1e-6);
    CHECK(positions == range(10, 138));
  }
  CHECK(cache.n_pages_used() == 4);
  CHECK_THROWS_WITH(cache.seq_add(-1, 0, -1, 1), Catch::Contains("negative"));
  cache.seq_add(9, 0, -1, 3);  // nothing there
  cache.seq_add(0, 0, -1, 0);
  cache.clear();
  cache.bind({model.rope_frequencies, 2});  // empty: any model may have it
}
