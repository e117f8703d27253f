// What takes long: many threads on one model, and many loads. Under the thread sanitizer the first says whether there are races.
#include <malloc.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "capi/demo.hpp"

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr auto time_under_load = std::chrono::seconds(60);
#else
constexpr auto time_under_load = std::chrono::seconds(10);
#endif
constexpr bool counts_memory =
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    false;  // the allocator is the sanitizer's, which has its own means
#else
    true;
#endif

/// A conversation of its own for each number: prompt, sampled text, sampler and cache. Empty if a call fails.
std::string text_of(const mla_model* model, const mla_tokenizer* tokenizer, int number, const mla_thread_pool* pool) {
  const std::string prompt = "In the beginning of day " + std::to_string(number);
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.n_ctx = 256, options.n_threads = 1 + number % 2, options.n_ubatch = 4 + number;
  options.attention = number % 3 == 0 ? MLA_ATTENTION_DEEPSEEK2 : MLA_ATTENTION_AUTO;
  options.cache_type_k = number % 4 == 1 ? MLA_CACHE_TYPE_Q8_0 : MLA_CACHE_TYPE_F16;
  if (number % 5 == 0) options.thread_pool = pool;
  mla_sampler_options sampling = MLA_SAMPLER_OPTIONS_INIT;
  sampling.seed = static_cast<uint64_t>(number);
  mla_context* context = nullptr;
  mla_sampler* sampler = nullptr;
  mla_text_stream* stream = nullptr;
  mla_token* tokens = nullptr;
  size_t n_tokens = 0;
  mla_token token = -1;
  std::string text;
  bool ok = mla_context_new(&context, model, &options) == MLA_OK && mla_sampler_new(&sampler, &sampling) == MLA_OK &&
            mla_text_stream_new(&stream, tokenizer, 0) == MLA_OK &&
            mla_tokenizer_encode(&tokens, &n_tokens, tokenizer, prompt.c_str(), MLA_NUL_TERMINATED, 0) == MLA_OK;
  mla_batch batch = MLA_BATCH_INIT;
  batch.n = static_cast<int32_t>(n_tokens), batch.tokens = tokens;
  for (int i = 0; ok && i < 24; ++i) {
    const float* logits = nullptr;
    const char* piece = nullptr;
    ok = mla_context_decode(context, &batch) == MLA_OK && mla_context_logits(&logits, context) == MLA_OK &&
         mla_sampler_sample(&token, sampler, logits, mla_tokenizer_size(tokenizer)) == MLA_OK &&
         mla_text_stream_push(&piece, nullptr, stream, token) == MLA_OK;
    if (ok) text += piece;
    batch.n = 1, batch.tokens = &token;
  }
  mla_free(tokens), mla_text_stream_free(stream), mla_sampler_free(sampler), mla_context_free(context);
  return ok ? text : "";
}

struct Held {
  std::size_t heap = 0, mappings = 0, descriptors = 0;

  static Held now() {
    Held held;
    if (counts_memory) held.heap = mallinfo2().uordblks + mallinfo2().hblkhd;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) ++held.mappings;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++held.descriptors;
    return held;
  }
};

}  // namespace

TEST_CASE("16 threads with 16 contexts on one model write what each writes alone") {
  constexpr int n = 16;
  const demo::Model model = demo::load();
  const mla_tokenizer* tokenizer = demo::tokenizer(model);
  mla_thread_pool* pool = nullptr;
  mla_thread_pool_options two = MLA_THREAD_POOL_OPTIONS_INIT;
  two.n_threads = 2;
  demo::ok(mla_thread_pool_new(&pool, &two));
  std::vector<std::string> alone;
  for (int i = 0; i < n; ++i) {
    alone.push_back(text_of(model.get(), tokenizer, i, pool));
    REQUIRE(alone.back() != "");
  }
  std::atomic<int> n_texts{0}, n_different{0};
  const auto end = std::chrono::steady_clock::now() + time_under_load;
  std::vector<std::thread> threads;
  for (int i = 0; i < n; ++i)
    threads.emplace_back([&, i] {
      do {
        ++n_texts;
        if (text_of(model.get(), tokenizer, i, pool) != alone[static_cast<std::size_t>(i)]) ++n_different;
      } while (std::chrono::steady_clock::now() < end);
    });
  for (std::thread& thread : threads) thread.join();
  mla_thread_pool_free(pool);
  WARN(n_texts << " texts");
  CHECK(n_texts >= n);
  CHECK(n_different == 0);
}

TEST_CASE("1,000 models loaded, used and freed leave nothing behind") {
  const auto cycle = [] {
    const demo::Model model = demo::load();
    mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
    options.n_ctx = 64, options.n_threads = 2, options.n_ubatch = 8;
    const demo::Context context = demo::make_context(model, &options);
    const mla_token token = 300;
    mla_batch batch = MLA_BATCH_INIT;
    batch.n = 1, batch.tokens = &token;
    demo::ok(mla_context_decode(context.get(), &batch));
  };
  constexpr int warm_up = 50;
  for (int i = 0; i < warm_up; ++i) cycle();
  const Held before = Held::now();
  for (int i = warm_up; i < 1000; ++i) cycle();
  const Held after = Held::now();
  WARN("heap " << before.heap << " to " << after.heap << " bytes, mappings " << before.mappings << " to " << after.mappings);
  CHECK(after.heap < before.heap + 16 * 950);  // half the smallest block a cycle
  CHECK(after.mappings < before.mappings + 20);
  CHECK(after.descriptors == before.descriptors);
}
