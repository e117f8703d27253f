#include <mla/error.hpp>

#include "marked_rows.hpp"

using namespace mla;

namespace {

constexpr CacheShape deepseek_671b{.n_layers = 61, .n_heads = 128, .n_nope = 128, .n_rope = 64, .n_value = 128, .n_latent = 512};

double mebibytes(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

TEST_CASE("bytes of the 671B geometry at 8,224 tokens in f16") {
  const int n_ctx = 8224;
  const std::uint64_t expanded = KvCache::bytes_at_capacity(deepseek_671b, {.layout = CacheLayout::expanded, .n_ctx = n_ctx, .type_k = CacheType::f16, .type_v = CacheType::f16});
  const std::uint64_t latent = KvCache::bytes_at_capacity(deepseek_671b, {.layout = CacheLayout::latent, .n_ctx = n_ctx, .type_k = CacheType::f16});
  const double row_expanded = 61.0 * (128 * (128 + 128) + 64) * 2, row_latent = 61.0 * (512 + 64) * 2;
  CHECK(static_cast<double>(expanded) == 129 * 64 * row_expanded);  // 129 pages hold 8,224 rows
  CHECK(static_cast<double>(latent) == 129 * 64 * row_latent);
  CHECK(mebibytes(expanded) <= 39192.50 + 64 * row_expanded / (1 << 20));
  CHECK(mebibytes(latent) <= 551.14 + 64 * row_latent / (1 << 20));
}

TEST_CASE("row formats") {
  CHECK(cache::RowFormat::of(small, {}).bytes == (32 + 8) * 2 + 2 * 4);
  CHECK(cache::RowFormat::of(small, {.type_k = CacheType::f16}).bytes == (32 + 8) * 2);
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
