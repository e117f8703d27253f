// Calls that meet another one at work on the same object, objects freed in any order, and fork().
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "capi/demo.hpp"

namespace {

/// Runs something once in the abort callback of a decode.
struct Meddler {
  std::function<void()> act;
  int n_calls = 0;
  static int poll(void* data) {
    auto& meddler = *static_cast<Meddler*>(data);
    if (meddler.n_calls++ == 0) meddler.act();
    return 0;
  }
};

void check_in_use(mla_status status) {
  CHECK(status == MLA_INVALID_ARGUMENT);
  CHECK_THAT(mla_last_error(), Catch::Matchers::Contains("in use by another call"));
}

// What a test of a whole process does in a child: 0 where all went as it should.
template <typename Body>
int in_child(Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);  // what hangs is killed
    ::_exit(body() ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

std::vector<float> decode(const demo::Model& model, const demo::Context& context, const std::vector<mla_token>& tokens) {
  const mla_batch batch = demo::batch_of(tokens);
  demo::ok(mla_context_decode(context.get(), &batch));
  return demo::logits(model, context);
}

}  // namespace

TEST_CASE("a context and its cache refuse calls while they compute") {
  const demo::Model model = demo::load();
  const auto tokens = demo::some_tokens(model, 8);
  const mla_batch batch = demo::batch_of(tokens);
  Meddler meddler;
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.abort = Meddler::poll, options.abort_user_data = &meddler;
  const demo::Context context = demo::make_context(model, &options);
  mla_kv_cache* cache = mla_context_cache(context.get());
  const auto meddle = [&] {
    const float* logits = nullptr;
    check_in_use(mla_context_decode(context.get(), &batch));
    check_in_use(mla_context_logits(&logits, context.get()));
    check_in_use(mla_kv_cache_clear(cache));
    check_in_use(mla_kv_cache_save(cache, "/nowhere/state", 0));
    mla_context* second = nullptr;
    mla_context_options borrow = MLA_CONTEXT_OPTIONS_INIT;
    borrow.cache = cache;
    check_in_use(mla_context_new(&second, model.get(), &borrow));
    mla_context_free(context.get());  // refused: it is still there below
    CHECK_THAT(mla_last_error(), Catch::Matchers::Contains("in use by another call"));
  };
  SECTION("on the same thread, from a callback") { meddler.act = meddle; }
  SECTION("on another thread") {
    meddler.act = [&] { std::thread(meddle).join(); };
  }
  demo::ok(mla_context_decode(context.get(), &batch));
  CHECK(meddler.n_calls > 0);
  CHECK(mla_kv_cache_seq_len(cache, 0) == 8);
  demo::ok(mla_kv_cache_clear(cache));
}

TEST_CASE("a sampler refuses calls of its own mask") {
  struct Mask {
    mla_sampler* sampler = nullptr;
    int n_calls = 0;
    static int run(void* data, float* logits, int32_t n_vocab) {
      auto& mask = *static_cast<Mask*>(data);
      ++mask.n_calls;
      mla_token token = 0;
      mla_sampler* copy = nullptr;
      check_in_use(mla_sampler_sample(&token, mask.sampler, logits, n_vocab));
      check_in_use(mla_sampler_accept(mask.sampler, 1));
      check_in_use(mla_sampler_copy(&copy, mask.sampler));
      check_in_use(mla_sampler_reset(mask.sampler));
      mla_sampler_free(mask.sampler);
      return 0;
    }
  } mask;
  mla_sampler_options options = MLA_SAMPLER_OPTIONS_INIT;
  options.mask = Mask::run, options.mask_user_data = &mask;
  demo::ok(mla_sampler_new(&mask.sampler, &options));
  const demo::Sampler owner(mask.sampler);
  const float logits[4] = {0, 1, 2, 3};
  mla_token token = -1;
  demo::ok(mla_sampler_sample(&token, mask.sampler, logits, 4));
  CHECK(token >= 0);
  CHECK(mask.n_calls == 1);
}

TEST_CASE("objects may be freed in any order") {
  std::vector<int> order = {0, 1, 2, 3, 4, 5};
  do {
    demo::Model model = demo::load();
    mla_cache_shape shape = MLA_CACHE_SHAPE_INIT;
    demo::ok(mla_model_cache_shape(&shape, model.get()));
    mla_kv_cache* cache = nullptr;
    demo::ok(mla_kv_cache_new(&cache, &shape, nullptr));
    mla_thread_pool* pool = nullptr;
    mla_thread_pool_options two = MLA_THREAD_POOL_OPTIONS_INIT;
    two.n_threads = 2;
    demo::ok(mla_thread_pool_new(&pool, &two));
    mla_text_stream* stream = nullptr;
    demo::ok(mla_text_stream_new(&stream, demo::tokenizer(model), 0));
    mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
    options.cache = cache, options.thread_pool = pool;
    demo::Context first = demo::make_context(model, &options);
    options.cache = mla_context_cache(first.get());
    demo::Context second = demo::make_context(model, &options);
    const auto tokens = demo::some_tokens(model, 3);
    const mla_batch batch = demo::batch_of(tokens);
    for (const int freed : order) {
      if (second) demo::ok(mla_context_decode(second.get(), &batch));
      if (freed == 0) model.reset();
      if (freed == 1) mla_kv_cache_free(cache);
      if (freed == 2) mla_thread_pool_free(pool);
      if (freed == 3) first.reset();
      if (freed == 4) second.reset();
      if (freed == 5) mla_text_stream_free(stream);
    }
  } while (std::next_permutation(order.begin(), order.begin() + 4));  // 24 orders are all that differ in what keeps what alive
}

TEST_CASE("contexts that share the library's pool compute what each would alone") {
  const demo::Model model = demo::load();
  mla_thread_pool* pool = nullptr;
  mla_thread_pool_options two = MLA_THREAD_POOL_OPTIONS_INIT;
  two.n_threads = 2;
  demo::ok(mla_thread_pool_new(&pool, &two));
  CHECK(pool->n_threads == 2);
  std::atomic<int> n_run{0};
  pool->run(
      pool->user_data, 5, [](void* data, int32_t, int32_t) { ++*static_cast<std::atomic<int>*>(data); }, &n_run);  // as a host may, too
  CHECK(n_run == 5);
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT, two_of_its_own = MLA_CONTEXT_OPTIONS_INIT;
  options.thread_pool = pool, two_of_its_own.n_threads = 2;
  const demo::Context first = demo::make_context(model, &options), second = demo::make_context(model, &options);
  const demo::Context alone = demo::make_context(model, &two_of_its_own);
  mla_thread_pool_free(pool);
  const auto tokens = demo::some_tokens(model, 50);
  std::vector<float> of_first, of_second;
  std::thread other([&] { of_first = decode(model, first, tokens); });
  of_second = decode(model, second, tokens);
  other.join();
  const auto expected = decode(model, alone, tokens);
  CHECK(of_first == expected);
  CHECK(of_second == expected);
}

TEST_CASE("after fork() a context of the parent refuses to compute, and a new one goes on with its cache") {
  const demo::Model model = demo::load();
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.n_threads = 3;
  demo::Context context = demo::make_context(model, &options);
  const auto tokens = demo::some_tokens(model, 70), more = demo::some_tokens(model, 2, 9);
  (void)decode(model, context, tokens);
  const int status = in_child([&] {
    const mla_batch batch = demo::batch_of(more);
    if (mla_context_decode(context.get(), &batch) != MLA_UNSUPPORTED) return false;
    if (std::string(mla_last_error()).find("fork()") == std::string::npos) return false;
    mla_context_options own = MLA_CONTEXT_OPTIONS_INIT;
    own.n_threads = 1;  // the thread sanitizer doesn't let a child start threads
    own.cache = mla_context_cache(context.get());
    mla_context* child = nullptr;
    if (mla_context_new(&child, model.get(), &own) != MLA_OK || mla_context_decode(child, &batch) != MLA_OK) return false;
    if (mla_kv_cache_seq_len(own.cache, 0) != 72) return false;
    context.reset();  // doesn't wait for threads that aren't here
    mla_context_free(child);
    return true;
  });
  CHECK(status == 0);
  CHECK(mla_kv_cache_seq_len(mla_context_cache(context.get()), 0) == 70);
  (void)decode(model, context, more);  // the parent goes on
}

TEST_CASE("fork() while another thread computes leaves a child that neither hangs nor crashes") {
  const demo::Model model = demo::load();
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.n_threads = 2;
  demo::Context context = demo::make_context(model, &options);
  std::atomic<bool> computing{false};
  std::thread other([&] {
    const auto tokens = demo::some_tokens(model, 2000);
    const mla_batch batch = demo::batch_of(tokens);
    computing = true;
    demo::ok(mla_context_decode(context.get(), &batch));
  });
  while (!computing) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const int status = in_child([&] {
    const mla_token token = 300;
    mla_batch batch = MLA_BATCH_INIT;
    batch.n = 1, batch.tokens = &token;
    const bool refused = mla_context_decode(context.get(), &batch) != MLA_OK;
    context.reset();
    return refused;
  });
  other.join();
  CHECK(status == 0);
}
