#include "catch.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <mla/error.hpp>
#include <random>
#include <vector>

#include "cache/kv_cache_impl.hpp"

using namespace mla;

namespace {

constexpr CacheShape small{.n_layers = 2, .n_heads = 2, .n_nope = 32, .n_rope = 8, .n_value = 32, .n_latent = 32};
constexpr CacheShape deepseek_671b{.n_layers = 61, .n_heads = 128, .n_nope = 128, .n_rope = 64, .n_value = 128, .n_latent = 512};

double mebibytes(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

// Adds a token whose rows are filled with a mark, so that copies can be recognised.
void add(KvCache::Impl::Transaction& transaction, KvCache::Impl& cache, SequenceId seq, Position position, std::uint16_t mark,
         Token token = cache::no_token) {
  const cache::RowRef ref = transaction.append(seq, position, token);
  for (int layer = 0; layer < cache.shape.n_layers; ++layer) {
    const auto value = static_cast<std::uint16_t>(mark + layer);
    std::memcpy(cache.row(ref, layer), &value, sizeof value);
  }
}

void add(KvCache& cache, SequenceId seq, Position position, std::uint16_t mark = 0) {
  KvCache::Impl::Transaction transaction(cache.impl());
  add(transaction, cache.impl(), seq, position, mark);
  transaction.commit();
}

// position → mark of layer 0, checking that layer 1 agrees.
std::map<Position, std::uint16_t> contents(const KvCache& cache, SequenceId seq) {
  std::vector<cache::PageView> views;
  cache.impl().view(seq, 1 << 30, views);
  std::map<Position, std::uint16_t> found;
  for (const cache::PageView& page : views) {
    for (int row = 0; row < cache::page_rows; ++row) {
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

}  // namespace

TEST_CASE("bytes of the 671B geometry at 8,224 tokens in f16") {
  const int n_ctx = 8224;
  const std::uint64_t expanded = KvCache::bytes_at_capacity(deepseek_671b, {.layout = CacheLayout::expanded, .n_ctx = n_ctx});
  const std::uint64_t latent = KvCache::bytes_at_capacity(deepseek_671b, {.layout = CacheLayout::latent, .n_ctx = n_ctx});
  const double row_expanded = 61.0 * (128 * (128 + 128) + 64) * 2, row_latent = 61.0 * (512 + 64) * 2;
  CHECK(static_cast<double>(expanded) == 129 * 64 * row_expanded);  // 129 pages hold 8,224 rows
  CHECK(static_cast<double>(latent) == 129 * 64 * row_latent);
  CHECK(mebibytes(expanded) <= 39192.50 + 64 * row_expanded / (1 << 20));
  CHECK(mebibytes(latent) <= 551.14 + 64 * row_latent / (1 << 20));
}

TEST_CASE("row formats") {
  CHECK(cache::RowFormat::of(small, {}).bytes == (32 + 8) * 2);
  const auto q8 = cache::RowFormat::of(small, {.type_k = CacheType::q8_0});
  CHECK(q8.bytes == 34 + 16);
  CHECK(q8.rope.type == CacheType::f16);
  const auto expanded = cache::RowFormat::of(small, {.layout = CacheLayout::expanded, .type_k = CacheType::f32, .type_v = CacheType::q8_0});
  CHECK(expanded.bytes == 64 * 4 + 8 * 4 + 2 * 34);
  CHECK(cache::RowFormat::of(small, {.type_k = CacheType::q6_0}).bytes == 26 + 16);
  CHECK(cache::RowFormat::of(small, {.type_k = CacheType::q4_0}).bytes == 18 + 16);
  CHECK(cache::RowFormat::of(small, {.type_k = CacheType::q8_row}).bytes == 32 + 4 + 16);
  CHECK(cache::RowFormat::of(small, {.layout = CacheLayout::expanded, .type_k = CacheType::q8_row, .type_v = CacheType::q4_0}).bytes ==
        2 * (32 + 4) + 16 + 2 * 18);
  CacheShape odd = small;
  odd.n_latent = 48;
  CHECK_THROWS_WITH(cache::RowFormat::of(odd, {.type_k = CacheType::q8_0}), Catch::Contains("multiple of 32") && Catch::Contains("latent"));
}

TEST_CASE("a copied sequence shares pages until one of the two writes") {
  KvCache cache(small, {.n_ctx = 512});
  for (Position p = 0; p < 100; ++p) add(cache, 0, p, static_cast<std::uint16_t>(p * 4));
  REQUIRE(cache.n_pages_used() == 2);
  cache.seq_cp(0, 1);
  CHECK(cache.n_pages_used() == 2);
  const auto before = contents(cache, 0);
  CHECK(contents(cache, 1) == before);

  add(cache, 1, 100, 4000);
  CHECK(cache.n_pages_used() == 3);  // the half-full page was copied, the full one is still shared
  CHECK(contents(cache, 0) == before);
  CHECK(contents(cache, 1).at(100) == 4000);
  CHECK(contents(cache, 1).size() == 101);
  CHECK(cache.bytes() == 3 * 64 * cache.row_bytes());

  cache.seq_keep(1);
  CHECK(cache.n_pages_used() == 2);
  CHECK(cache.seq_len(0) == 0);
  CHECK(cache.seq_pos_max(0) == -1);
}

TEST_CASE("a transaction that isn't committed leaves the cache as it was") {
  KvCache cache(small, {.n_ctx = 256});
  for (Position p = 0; p < 70; ++p) add(cache, 0, p, static_cast<std::uint16_t>(p));
  cache.seq_cp(0, 5, 0, 66);
  const auto zero = contents(cache, 0), five = contents(cache, 5);
  const auto bytes = cache.bytes();
  {
    KvCache::Impl::Transaction transaction(cache.impl());
    for (Position p = 70; p < 90; ++p) add(transaction, cache.impl(), 0, p, 7);
    add(transaction, cache.impl(), 9, 0, 7);
    CHECK(cache.seq_len(0) == 90);
    // Page 1 was copied for sequence 0, and a page taken for 9: none of the three is left for 5, which shares page 1.
    CHECK_THROWS_AS([&] { for (Position p = 66; p < 200; ++p) add(transaction, cache.impl(), 5, p, 8); }(), Error);
  }
  CHECK(contents(cache, 0) == zero);
  CHECK(contents(cache, 5) == five);
  CHECK(cache.seq_len(9) == 0);
  CHECK(cache.bytes() == bytes);
}

TEST_CASE("removing rows from the end makes their places free") {
  KvCache cache(small, {.n_ctx = 64});
  for (Position p = 0; p < 64; ++p) add(cache, 0, p);
  CHECK_THROWS_WITH(add(cache, 0, 64), Catch::Contains("full"));
  CHECK(cache.seq_rm(0, 60));
  for (Position p = 60; p < 64; ++p) add(cache, 0, p);
  CHECK(cache.seq_len(0) == 64);
  CHECK_THROWS_WITH(add(cache, 0, 63), Catch::Contains("not behind"));
  CHECK_FALSE(cache.seq_rm(0, 64));
  CHECK_FALSE(cache.seq_rm(1));
}

TEST_CASE("a new sequence starts from the pages of one that begins alike") {
  KvCache cache(small, {.n_ctx = 64 * 16});
  const auto append = [&](SequenceId seq, const std::vector<Token>& tokens, Position first = 0) {
    KvCache::Impl::Transaction transaction(cache.impl());
    for (std::size_t i = 0; i < tokens.size(); ++i)
      add(transaction, cache.impl(), seq, first + static_cast<Position>(i), static_cast<std::uint16_t>(100 * seq + 3), tokens[i]);
    transaction.commit();
  };
  std::vector<Token> tokens(150);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<Token>(i * 7 % 100);
  append(0, {tokens.begin(), tokens.begin() + 100});
  append(1, {tokens.begin(), tokens.begin() + 130});
  append(2, tokens, 5);        // not from position 0
  append(3, {-1, -1, -1, -1});  // rows of embeddings
  const int pages = cache.n_pages_used();

  CHECK(cache.reuse_prefix(7, tokens) == 130);
  CHECK(cache.n_pages_used() == pages);  // shared
  CHECK(contents(cache, 7) == contents(cache, 1));
  append(7, {1}, 130);
  CHECK(cache.seq_len(1) == 130);
  CHECK(cache.reuse_prefix(1, std::vector<Token>(tokens.begin(), tokens.begin() + 70)) == 70);  // its own rows
  CHECK(cache.seq_len(1) == 70);

  std::vector<Token> other = tokens;
  other[64] = 3333;
  CHECK(cache.reuse_prefix(1, other) == 64);
  CHECK(cache.seq_pos_max(1) == 63);
  CHECK(cache.reuse_prefix(1, std::vector<Token>{99}) == 0);
  CHECK(cache.seq_len(1) == 0);
  CHECK(cache.reuse_prefix(3, {}) == 0);
  CHECK_THROWS_WITH(cache.reuse_prefix(1, std::vector<Token>{-1}), Catch::Contains("token 0"));
}

TEST_CASE("arguments that can't be") {
  KvCache cache(small, {});
  CHECK_THROWS_AS(KvCache(CacheShape{}, {}), Error);
  CHECK_THROWS_AS(KvCache(small, {.n_ctx = 0}), Error);
  CacheShape huge = deepseek_671b;
  huge.n_heads = 1 << 24;
  CHECK_THROWS_AS(KvCache::bytes_at_capacity(huge, {}), Error);
  CHECK_THROWS_WITH(cache.seq_cp(3, 3), Catch::Contains("onto itself"));
  CHECK_THROWS_WITH(cache.seq_rm(-1), Catch::Contains("negative"));
}

TEST_CASE("10,000 random operations agree with a simple model of sequences") {
  KvCache cache(small, {.n_ctx = 64 * 24});
  std::map<SequenceId, std::map<Position, std::uint16_t>> model;
  std::mt19937 random(1);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const auto erase = [&](SequenceId seq, Position p0, Position p1) {
    const bool had = std::erase_if(model[seq], [&](const auto& row) { return row.first >= p0 && (p1 < 0 || row.first < p1); }) > 0;
    if (model[seq].empty()) model.erase(seq);
    return had;
  };
  for (int step = 0; step < 10000; ++step) {
    const SequenceId seq = pick(6), other = (seq + 1 + pick(5)) % 6;
    const Position p0 = pick(200), p1 = pick(4) == 0 ? -1 : p0 + pick(100);
    switch (pick(10)) {
      case 0: CHECK(cache.seq_rm(seq, p0, p1) == erase(seq, p0, p1)); break;
      case 1: {
        cache.seq_cp(seq, other, p0 / 2, p1);
        const auto source = model.contains(seq) ? model[seq] : std::map<Position, std::uint16_t>{};
        model[other] = source;
        erase(other, 0, p0 / 2);
        if (p1 >= 0 && model.contains(other)) erase(other, p1, -1);
        break;
      }
      case 2:
        if (pick(50) == 0) {
          cache.seq_keep(seq);
          std::erase_if(model, [&](const auto& item) { return item.first != seq; });
        }
        break;
      default: {
        const bool commit = pick(5) != 0;
        const int n = 1 + pick(40);
        const Position last = model.contains(seq) ? model[seq].rbegin()->first : -1;
        auto changed = model;
        try {
          KvCache::Impl::Transaction transaction(cache.impl());
          for (int i = 1; i <= n; ++i) {
            const auto mark = static_cast<std::uint16_t>(random());
            add(transaction, cache.impl(), seq, last + i, mark);
            changed[seq][last + i] = mark;
          }
          if (commit) {
            transaction.commit();
            model = changed;
          }
        } catch (const Error& error) {
          REQUIRE(error.status() == Status::cache_full);
          cache.seq_rm(seq);
          model.erase(seq);
        }
      }
    }
    if (step % 50 == 0)
      for (SequenceId s = 0; s < 6; ++s) {
        const auto expected = model.contains(s) ? model[s] : std::map<Position, std::uint16_t>{};
        REQUIRE(contents(cache, s) == expected);
        REQUIRE(cache.seq_len(s) == static_cast<int>(expected.size()));
        REQUIRE(cache.seq_pos_min(s) == (expected.empty() ? -1 : expected.begin()->first));
        REQUIRE(cache.seq_pos_max(s) == (expected.empty() ? -1 : expected.rbegin()->first));
      }
  }
  cache.clear();
  CHECK(cache.bytes() == 0);  // no page is lost
}
