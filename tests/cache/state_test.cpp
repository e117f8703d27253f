// save() and load(): what comes back, what a state weighs, and everything that must be refused.
#include <mla/error.hpp>
#include <random>

#include "marked_rows.hpp"
#include "refusal.hpp"
#include "scratch_folder.hpp"

using namespace mla;

namespace {

// Pages of rows in a type that may hold any bits, as the marked ones do.
KvCacheOptions marked(int n_pages) { return {.n_ctx = 64 * n_pages, .type_k = CacheType::f16}; }

// Three sequences that share a beginning; removed rows leave holes.
void fill(KvCache& cache) {
  KvCache::Impl::Transaction transaction(cache.impl());
  for (Position p = 0; p < 150; ++p) add(transaction, cache.impl(), 4, p, static_cast<std::uint16_t>(2 * p), 1000 + p);
  transaction.commit();
  cache.seq_cp(4, 0, 0, 140);
  cache.seq_cp(4, 9, 64, -1);
  for (Position p = 140; p < 200; p += 2) add(cache, 0, p, static_cast<std::uint16_t>(3000 + p));
  cache.seq_rm(4, 20, 30);
}

void check_equal(const KvCache& a, const KvCache& b, std::initializer_list<SequenceId> sequences = {0, 1, 4, 9}) {
  for (const SequenceId seq : sequences) CHECK(contents(a, seq) == contents(b, seq));
  CHECK(a.n_pages_used() == b.n_pages_used());
}

CacheShape with(int CacheShape::*member, int value) {
  CacheShape shape = small;
  shape.*member = value;
  return shape;
}

}  // namespace

TEST_CASE("a saved cache comes back with all sequences, what they share, and their tokens") {
  const ScratchFolder folder;
  KvCache cache(small, marked(8));
  fill(cache);
  cache.save(folder / "all.state");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
  const std::vector<std::byte> state = cache.save();
  const std::string file = read_bytes(folder / "all.state");
  CHECK(std::equal(state.begin(), state.end(), file.begin(), file.end(), [](std::byte a, char b) { return static_cast<char>(a) == b; }));

  KvCache from_file(small, marked(8)), from_memory(small, marked(8));
  from_file.load(folder / "all.state");
  check_equal(from_file, cache);
  add(from_memory, 1, 7);  // goes away
  from_memory.load(state);
  check_equal(from_memory, cache);
  CHECK(from_memory.save() == state);

  add(from_memory, 4, 150, 77);  // goes on; pages are shared as before
  CHECK(contents(from_memory, 9) == contents(cache, 9));
  CHECK(from_file.reuse_prefix(1, std::vector<Token>{1000, 1001, 1002, 5}) == 3);
}

TEST_CASE("one sequence is saved by itself and loaded under any number") {
  KvCache cache(small, marked(8)), other(small, marked(8));
  fill(cache);
  const auto state = cache.save(4);
  add(other, 0, 5, 50), add(other, 7, 5, 70);
  other.load(state, 7);
  CHECK(contents(other, 7) == contents(cache, 4));
  CHECK(contents(other, 0) == std::map<Position, std::uint16_t>{{5, 50}});
  CHECK(other.n_pages_used() == 4);
  cache.load(state, 1);  // beside the original
  CHECK(contents(cache, 1) == contents(cache, 4));
  other.load(state);  // replaces all
  CHECK(other.seq_len(0) == 0);
  CHECK(contents(other, 4) == contents(cache, 4));
  CHECK(other.n_pages_used() == 3);
  check_refused([&] { other.load(cache.save(), 4); }, Status::invalid_argument, {"memory", "of 4 sequences"});
  check_refused([&] { (void)cache.save(33); }, Status::invalid_argument, {"sequence 33 is empty"});
  check_refused([&] { (void)cache.save(-2); }, Status::invalid_argument, {"sequence id -2"});
  other.load(KvCache(small, marked(1)).save());
  CHECK(other.bytes() == 0);
}

TEST_CASE("a state weighs its rows and at most 1 % more, for every type and layout") {
  constexpr CacheShape v2_lite{.n_layers = 27, .n_heads = 16, .n_nope = 128, .n_rope = 64, .n_value = 128, .n_latent = 512};
  for (const CacheLayout layout : {CacheLayout::latent, CacheLayout::expanded})
    for (const CacheType type : all_cache_types) {
      KvCache cache(v2_lite, {.layout = layout, .n_ctx = 128, .type_k = type, .type_v = type}), again(v2_lite, cache.options());
      cache.fill_random(0, 100);
      cache.seq_cp(0, 1);  // shared rows are stored once
      const auto state = cache.save();
      CHECK(static_cast<double>(state.size()) <= 1.01 * 100 * static_cast<double>(cache.row_bytes()));
      again.load(state);
      CHECK(again.save() == state);
    }
}

TEST_CASE("states of other models, shapes, layouts and types are refused") {
  KvCache cache(small, marked(8));
  fill(cache);
  cache.bind({{}, 17});
  const auto state = cache.save();
  const auto refused = [&](const CacheShape& shape, const KvCacheOptions& options, const char* text) {
    KvCache other(shape, options);
    check_refused([&] { other.load(state); }, Status::invalid_argument, {text});
  };
  for (const auto member :
       {&CacheShape::n_layers, &CacheShape::n_heads, &CacheShape::n_nope, &CacheShape::n_rope, &CacheShape::n_value, &CacheShape::n_latent})
    refused(with(member, 96), {}, "another shape");
  refused(small, {.layout = CacheLayout::expanded}, "another layout or row type: this cache is expanded, q16_row/q16_row");
  refused(small, {.type_k = CacheType::bf16}, "this cache is latent, bf16");
  KvCache foreign(small, marked(8)), unknown(small, {.type_k = CacheType::f16, .type_v = CacheType::q4_0});
  foreign.bind({{}, 18});
  check_refused([&] { foreign.load(state); }, Status::invalid_argument, {"another model"});
  unknown.load(state);  // and the latent layout has no values, whatever their type
  CHECK_THROWS_WITH(unknown.bind({{}, 18}), Catch::Contains("another model"));
  unknown.bind({{}, 17});
}

TEST_CASE("damaged states are refused whole, and the cache stays as it was") {
  KvCache source(small, marked(8)), cache(small, marked(10));
  fill(source);
  const auto state = source.save();
  fill(cache);
  add(cache, 1, 3, 33);
  const auto expected = cache.save();
  const int pages = cache.n_pages_used();
  std::mt19937 random(5);
  const auto refuse = [&](const std::vector<std::byte>& damaged, const std::string& what) {
    INFO(what);
    Status status = Status::ok;
    try {
      cache.load(damaged);
    } catch (const Error& error) {
      status = error.status();
    }
    REQUIRE((status == Status::bad_file || status == Status::unsupported));
    REQUIRE(cache.n_pages_used() == pages);
  };
  for (std::size_t byte = 0; byte < state.size(); byte += byte < 3000 ? 1 : 1 + random() % 7) {
    auto damaged = state;
    damaged[byte] ^= static_cast<std::byte>(1u << random() % 8);
    refuse(damaged, "byte " + std::to_string(byte));
  }
  for (std::size_t size = 0; size < state.size(); size += 1 + random() % 100)
    refuse({state.begin(), state.begin() + static_cast<std::ptrdiff_t>(size)}, "cut to " + std::to_string(size));
  auto longer = state;
  longer.push_back(std::byte{0});
  refuse(longer, "one byte more");
  CHECK(cache.save() == expected);
}

TEST_CASE("rows of q16_row whose products could overflow are refused, though their checksum is right") {
  const KvCacheOptions options{.n_ctx = 256};
  for (const std::int16_t forged : {std::int16_t{16384}, std::int16_t{-16384}, std::int16_t{8210}}) {  // too large; too large a norm where all 32 are
    KvCache source(small, options), cache(small, options);
    cache.fill_random(0, 10), source.fill_random(0, 100);
    const auto expected = cache.save();
    const std::vector<std::int16_t> values(32, forged);
    std::memcpy(source.impl().row({1, 7}, 1), values.data(), values.size() * sizeof forged);
    check_refused([&] { cache.load(source.save()); }, Status::bad_file, {"rows that no cache writes"});
    CHECK(cache.save() == expected);
  }
}

TEST_CASE("a state that doesn't fit, or can't be read or written: one error each") {
  const ScratchFolder folder;
  KvCache cache(small, marked(8)), narrow(small, marked(4));
  fill(cache);
  add(narrow, 2, 0, 9);
  check_refused([&] { narrow.load(cache.save()); }, Status::cache_full, {"of 4 pages", "3 of the cache's 4"});
  CHECK(contents(narrow, 2) == std::map<Position, std::uint16_t>{{0, 9}});
  check_refused([&] { cache.load(folder / "none.state"); }, Status::not_found, {"none.state"});
  check_refused([&] { cache.save(folder / "none/x.state"); }, Status::not_found, {"x.state"});
  write_bytes(folder / "text",
              "once upon a time, and so on, and so on, and so on, and so on, and so on, and so on, and so on, and so on, and so on");
  check_refused([&] { cache.load(folder / "text"); }, Status::bad_file, {"text", "not a saved KV cache"});
  write_bytes(folder / "old.state", "the last one");
  check_refused([&] { cache.save(folder / "old.state", 77); }, Status::invalid_argument, {"sequence 77"});
  CHECK(read_bytes(folder / "old.state") == "the last one");
}
