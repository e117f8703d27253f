// Abort during load, prompt and generation: nothing more is computed, and the cache is as before.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "capi/demo.hpp"

namespace {

/// The host of a computation: tells when it has begun, stops it when told, and counts the operations that begin after it was stopped.
struct Watch {
  std::atomic<bool> computing{false}, stop{false}, stopped{false};
  std::atomic<int> n_operations{0}, n_after{0};

  static int poll(void* data) {
    auto& watch = *static_cast<Watch*>(data);
    watch.computing = true;
    if (!watch.stop) return 0;
    watch.stopped = true;
    return 1;
  }
  static void run(void* data, int32_t n_tasks, mla_task_fn fn, void* task_data) {
    auto& watch = *static_cast<Watch*>(data);
    ++watch.n_operations;
    if (watch.stopped) ++watch.n_after;
    for (int32_t task = 0; task < n_tasks; ++task) fn(task_data, task, 0);
  }
  void begin() {
    computing = stop = stopped = false;
    n_operations = n_after = 0;
  }
};

demo::Context watched_context(const demo::Model& model, Watch& watch, bool own_threads) {
  mla_thread_pool pool = MLA_THREAD_POOL_INIT;
  pool.n_threads = 2;
  pool.run = Watch::run;
  pool.user_data = &watch;
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.n_ctx = 8192;
  options.n_threads = 2;
  options.abort = Watch::poll;
  options.abort_user_data = &watch;
  if (!own_threads) options.thread_pool = &pool;
  return demo::make_context(model, &options);
}

/// decode(), stopped from another thread in the middle.
template <typename Stop>
void stopped_decode(const demo::Context& context, Watch& watch, const mla_batch& batch, Stop&& stop) {
  watch.begin();
  std::thread other([&] {
    while (!watch.computing) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    stop();
  });
  const mla_status status = mla_context_decode(context.get(), &batch);
  other.join();
  CHECK(status == MLA_ABORTED);
  const float* logits = nullptr;
  CHECK(mla_context_logits(&logits, context.get()) == MLA_INVALID_ARGUMENT);
  watch.stop = false;
}

}  // namespace

TEST_CASE("a progress callback stops a load wherever it says so") {
  mla_model_options options = MLA_MODEL_OPTIONS_INIT;
  options.no_mmap = 1;
  options.progress = [](void* data, const char*, std::uint64_t, std::uint64_t) { return (*static_cast<int*>(data))-- == 0 ? 1 : 0; };
  int n_stopped = 0;
  for (int calls = 0;; ++calls) {
    int calls_left = calls;
    options.progress_user_data = &calls_left;
    mla_model* model = nullptr;
    const mla_status status = mla_model_load(&model, demo::path().c_str(), &options);
    const demo::Model owner(model);
    if (calls_left >= 0) {  // it ended before the call that would have stopped it
      CHECK(status == MLA_OK);
      break;
    }
    ++n_stopped;
    CHECK(status == MLA_ABORTED);
    CHECK(model == nullptr);
    CHECK(calls_left == -1);  // it was the last call
  }
  CHECK(n_stopped >= 1);
}

TEST_CASE("a prompt stops, by callback and from another thread, and leaves no trace") {
  const demo::Model model = demo::load();
  Watch watch, undisturbed_watch;
  const demo::Context context = watched_context(model, watch, false), undisturbed = watched_context(model, undisturbed_watch, false);
  const std::vector<mla_token> history = demo::some_tokens(model, 33), prompt = demo::some_tokens(model, 6000, 2), next = {400};
  const mla_batch first = demo::batch_of(history), large = demo::batch_of(prompt), last = demo::batch_of(next);
  demo::ok(mla_context_decode(context.get(), &first));
  demo::ok(mla_context_decode(undisturbed.get(), &first));
  mla_kv_cache* cache = mla_context_cache(context.get());
  const std::uint64_t bytes = mla_kv_cache_bytes(cache);

  const auto as_before = [&] {
    CHECK(watch.n_operations > 0);
    CHECK(mla_kv_cache_seq_len(cache, 0) == 33);
    CHECK(mla_kv_cache_seq_pos_max(cache, 0) == 32);
    CHECK(mla_kv_cache_bytes(cache) == bytes);
  };
  for (int i = 0; i < 3; ++i) {
    stopped_decode(context, watch, large, [&] {
      mla_context_abort(context.get());
      watch.stopped = true;
    });
    CHECK(watch.n_after <= 1);  // one that looked just before
    as_before();
    stopped_decode(context, watch, large, [&] { watch.stop = true; });
    CHECK(watch.n_after == 0);
    as_before();
  }

  demo::ok(mla_context_decode(context.get(), &last));
  demo::ok(mla_context_decode(undisturbed.get(), &last));
  CHECK(demo::logits(model, context) == demo::logits(model, undisturbed));
}

TEST_CASE("generation stopped again and again gives the same logits as one left alone") {
  const demo::Model model = demo::load();
  Watch watch, undisturbed_watch;
  const demo::Context context = watched_context(model, watch, true), undisturbed = watched_context(model, undisturbed_watch, true);
  mla_kv_cache* cache = mla_context_cache(context.get());
  const std::vector<mla_token> tokens = demo::some_tokens(model, 300);

  std::atomic<bool> done{false};
  std::atomic<int> pause_us{1500};  // longer after each token that did not get through, as on a slow or busy machine
  std::thread other([&] {
    while (!done) {
      mla_context_abort(context.get());
      std::this_thread::sleep_for(std::chrono::microseconds(pause_us.load()));
    }
  });
  int n_aborted = 0;
  bool got_through = true, as_before = true, same_logits = true;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    mla_batch batch = MLA_BATCH_INIT;
    batch.n = 1, batch.tokens = &tokens[i];
    mla_status status = MLA_OK;
    for (int tries = 0; tries < 100; ++tries) {
      status = mla_context_decode(context.get(), &batch);
      if (status != MLA_ABORTED) break;
      ++n_aborted;
      pause_us = std::min(2 * pause_us, 1'000'000);
      as_before = as_before && mla_kv_cache_seq_len(cache, 0) == static_cast<int>(i);
    }
    if (status != MLA_OK || mla_context_decode(undisturbed.get(), &batch) != MLA_OK) {
      got_through = false;  // a hundred tries were not enough: the machine is too slow
      break;
    }
    pause_us = 1500;
    same_logits = same_logits && demo::logits(model, context) == demo::logits(model, undisturbed);
  }
  done = true;
  other.join();
  CHECK(n_aborted > 0);
  CHECK(as_before);
  CHECK(got_through);
  CHECK(same_logits);
}
