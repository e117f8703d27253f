// Prompts that were computed before, in memory and in files.
#include "server/prompt_cache.hpp"

#include <fstream>

#include <mla/context.hpp>

#include "demo_server.hpp"
#include "scratch_folder.hpp"

using namespace server;

namespace {

constexpr int page = mla::KvCache::page_rows;

struct Fixture {
  explicit Fixture(int n_ctx = 4096)
      : kv(std::make_shared<mla::KvCache>(demo()->cache_shape(), mla::KvCacheOptions{.n_ctx = n_ctx})),
        context(demo(), {.cache = kv}) {}

  std::unique_ptr<DiskCache> disk(const std::string& folder, std::uint64_t bytes = 1 << 30) {
    return std::make_unique<DiskCache>(folder, bytes, demo()->cache_model().fingerprint, kv->options());
  }
  void compute(mla::SequenceId seq, const std::vector<mla::Token>& tokens) { context.decode(mla::Batch::of(tokens, 0, seq)); }

  std::shared_ptr<mla::KvCache> kv;
  mla::Context context;
};

}  // namespace

TEST_CASE("the longest beginning comes back, without copies of its pages") {
  Fixture f;
  PromptCache cache(*f.kv, 10, 1 << 30, nullptr);
  const auto one = long_prompt(300);
  auto two = one;
  for (std::size_t i = 200; i < two.size(); ++i) two[i] = 1;
  f.compute(0, one);
  cache.keep(0, one);
  f.kv->seq_rm(0);
  const int n_pages = f.kv->n_pages_used();
  CHECK(cache.restore(1, two) == 200);
  CHECK(f.kv->seq_len(1) == 200);
  CHECK(f.kv->n_pages_used() == n_pages);
  CHECK(cache.restore(2, long_prompt(10, 301)) == 0);
  CHECK(f.kv->seq_len(2) == 0);
}

TEST_CASE("an answer takes the place of its prompt, and what is known already is not kept twice") {
  Fixture f;
  PromptCache cache(*f.kv, 10, 1 << 30, nullptr);
  const auto all = long_prompt(200);
  const std::vector<mla::Token> half(all.begin(), all.begin() + 100);
  f.compute(0, all);
  f.kv->seq_cp(0, 1, 0, 100);
  cache.keep(1, half);
  cache.keep(0, all);
  CHECK(cache.size() == 1);
  cache.keep(1, half);
  CHECK(cache.size() == 1);
}

TEST_CASE("those not used for longest go, until the rest is within the limit") {
  Fixture f;
  const std::uint64_t page_bytes = f.kv->row_bytes() * page;
  PromptCache cache(*f.kv, 10, 5 * page_bytes, nullptr);
  for (int i = 0; i < 3; ++i) {
    f.compute(0, long_prompt(2 * page, 300 + i));
    cache.keep(0, long_prompt(2 * page, 300 + i));
    f.kv->seq_rm(0);
  }
  CHECK(cache.restore(1, long_prompt(2 * page, 300)) > 0);  // used again: the second is the oldest now
  f.kv->seq_rm(1);
  cache.trim(0);
  CHECK(f.kv->n_pages_used() == 4);
  CHECK(cache.size() == 2);
  CHECK(cache.n_evicted() == 1);
  CHECK(cache.restore(1, long_prompt(2 * page, 300)) == 2 * page);
  CHECK(cache.restore(1, long_prompt(2 * page, 301)) == 0);
  CHECK(cache.restore(1, long_prompt(2 * page, 302)) == 2 * page);
}

TEST_CASE("saved prompts outlive the process, and give the same logits") {
  const ScratchFolder folder;
  const auto prompt = long_prompt(400);
  std::vector<float> expected;
  {
    Fixture f;
    PromptCache cache(*f.kv, 10, 1 << 30, f.disk(folder.path()));
    f.compute(0, prompt);
    cache.store(0, prompt);
    f.compute(1, long_prompt(100, 299));
    cache.store(1, long_prompt(100, 299));  // too short to be worth a file
    f.context.decode(mla::Batch::of({5}, 400, 0));
    expected.assign(f.context.logits().begin(), f.context.logits().end());
  }
  Fixture f;
  PromptCache cache(*f.kv, 10, 1 << 30, f.disk(folder.path()));
  CHECK(cache.disk()->size() == 1);
  CHECK(cache.restore(0, prompt) == 400);
  f.context.decode(mla::Batch::of({5}, 400, 0));
  CHECK(std::ranges::equal(f.context.logits(), expected));
  CHECK(cache.restore(1, std::vector<mla::Token>(prompt.begin(), prompt.begin() + 333)) == 333);
  CHECK(cache.restore(2, long_prompt(100, 299)) == 0);
}

TEST_CASE("files that are damaged, unfinished or of other caches do no harm") {
  const ScratchFolder folder;
  const auto prompt = long_prompt(400);
  {
    Fixture f;
    f.compute(0, prompt);
    f.disk(folder.path())->save(*f.kv, 0, prompt);
  }
  std::string state, tokens;
  for (const auto& file : std::filesystem::directory_iterator(folder.path()))
    (file.path().extension() == ".state" ? state : tokens) = file.path();
  REQUIRE_FALSE(state.empty());
  REQUIRE_FALSE(tokens.empty());
  const std::string good_state = read_bytes(state), good_tokens = read_bytes(tokens);

  Fixture f;
  const auto restored = [&] { return PromptCache(*f.kv, 10, 1 << 30, f.disk(folder.path())).restore(0, prompt); };
  SECTION("whole") { CHECK(restored() == 400); }
  SECTION("a damaged state") {
    std::string bad = good_state;
    bad[bad.size() / 2] ^= 1;
    write_bytes(state, bad);
    CHECK(restored() == 0);
    CHECK_FALSE(std::filesystem::exists(state));
  }
  SECTION("damaged tokens") {
    std::string bad = good_tokens;
    bad[20] ^= 1;
    write_bytes(tokens, bad);
    CHECK(restored() == 0);
  }
  SECTION("a state that was never finished") {
    std::filesystem::remove(state);
    write_bytes(state + ".part", good_state.substr(0, 100));
    CHECK(restored() == 0);
    CHECK_FALSE(std::filesystem::exists(state + ".part"));
  }
  SECTION("another row type") {
    const auto other = std::make_shared<mla::KvCache>(demo()->cache_shape(), mla::KvCacheOptions{.type_k = mla::CacheType::q8_0});
    DiskCache disk(folder.path(), 1 << 30, demo()->cache_model().fingerprint, other->options());
    CHECK(disk.size() == 0);
    CHECK(std::filesystem::exists(state));
  }
}

TEST_CASE("the folder stays within its limit, and a longer state takes the place of its beginning") {
  const ScratchFolder folder;
  Fixture f(8192);
  const auto disk = f.disk(folder.path(), f.kv->row_bytes() * 1400);
  f.compute(0, long_prompt(900));
  disk->save(*f.kv, 0, long_prompt(900));
  f.kv->seq_cp(0, 1, 0, 300);
  disk->save(*f.kv, 1, long_prompt(300));
  CHECK(disk->size() == 1);  // it is there already
  f.compute(2, long_prompt(600, 299));
  disk->save(*f.kv, 2, long_prompt(600, 299));
  CHECK(disk->size() == 1);  // the older one had to go
  CHECK(disk->match(long_prompt(600, 299)).length == 600);
  auto longer = long_prompt(600, 299);
  longer.insert(longer.end(), 300, 5);
  f.context.decode(mla::Batch::of(std::vector<mla::Token>(300, 5), 600, 2));
  disk->save(*f.kv, 2, longer);
  CHECK(disk->size() == 1);
  CHECK(disk->match(longer).length == 900);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2);
}
