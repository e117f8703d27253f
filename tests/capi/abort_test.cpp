// Abort during load, prompt and generation: within 200 ms, and the cache is as before.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "capi/demo.hpp"

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto limit = std::chrono::milliseconds(200);

/// An abort callback that tells when the computation has begun, and stops it when told.
struct Watch {
  std::atomic<bool> computing{false}, stop{false};
  static int poll(void* data) {
    auto& watch = *static_cast<Watch*>(data);
    watch.computing = true;
    return watch.stop;
  }
};

mla_context_options watched(Watch& watch) {
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.n_ctx = 8192;
  options.n_threads = 2;
  options.abort = Watch::poll;
  options.abort_user_data = &watch;
  return options;
}

template <typename Stop>
std::chrono::nanoseconds time_to_stop(const demo::Context& context, Watch& watch, const mla_batch& batch, Stop&& stop) {
  watch.computing = watch.stop = false;
  Clock::time_point asked;
  std::thread other([&] {
    while (!watch.computing) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    asked = Clock::now();
    stop();
  });
  const mla_status status = mla_context_decode(context.get(), &batch);
  const Clock::time_point stopped = Clock::now();
  other.join();
  CHECK(status == MLA_ABORTED);
  const float* logits = nullptr;
  CHECK(mla_context_logits(&logits, context.get()) == MLA_INVALID_ARGUMENT);
  watch.stop = false;
  return stopped - asked;
}

}  // namespace

TEST_CASE("a progress callback stops a load wherever it says so") {
  struct Stopper {
    int calls_left;
    Clock::time_point asked;
  };
  mla_model_options options = MLA_MODEL_OPTIONS_INIT;
  options.no_mmap = 1;
  options.progress = [](void* data, const char*, std::uint64_t, std::uint64_t) {
    auto& stopper = *static_cast<Stopper*>(data);
    stopper.asked = Clock::now();
    return stopper.calls_left-- == 0 ? 1 : 0;
  };
  int n_stopped = 0;
  for (int calls = 0;; ++calls) {
    Stopper stopper{calls, {}};
    options.progress_user_data = &stopper;
    mla_model* model = nullptr;
    const mla_status status = mla_model_load(&model, demo::path().c_str(), &options);
    const auto elapsed = Clock::now() - stopper.asked;
    const demo::Model owner(model);
    if (stopper.calls_left >= 0) {  // it ended before the call that would have stopped it
      CHECK(status == MLA_OK);
      break;
    }
    ++n_stopped;
    CHECK(status == MLA_ABORTED);
    CHECK(model == nullptr);
    CHECK(elapsed < limit);
  }
  CHECK(n_stopped >= 1);
}

TEST_CASE("a prompt stops, by callback and from another thread, and leaves no trace") {
  const demo::Model model = demo::load();
  Watch watch, undisturbed_watch;
  const mla_context_options options = watched(watch), same = watched(undisturbed_watch);
  const demo::Context context = demo::make_context(model, &options), undisturbed = demo::make_context(model, &same);
  const std::vector<mla_token> history = demo::some_tokens(model, 33), prompt = demo::some_tokens(model, 6000, 2), next = {400};
  const mla_batch first = demo::batch_of(history), large = demo::batch_of(prompt), last = demo::batch_of(next);
  demo::ok(mla_context_decode(context.get(), &first));
  demo::ok(mla_context_decode(undisturbed.get(), &first));
  mla_kv_cache* cache = mla_context_cache(context.get());
  const std::uint64_t bytes = mla_kv_cache_bytes(cache);

  // The best of three: other processes may hold up one of them.
  std::chrono::nanoseconds by_call = std::chrono::hours(1), by_callback = by_call;
  for (int i = 0; i < 3; ++i) {
    by_call = std::min(by_call, time_to_stop(context, watch, large, [&] { mla_context_abort(context.get()); }));
    by_callback = std::min(by_callback, time_to_stop(context, watch, large, [&] { watch.stop = true; }));
    CHECK(mla_kv_cache_seq_len(cache, 0) == 33);
    CHECK(mla_kv_cache_seq_pos_max(cache, 0) == 32);
    CHECK(mla_kv_cache_bytes(cache) == bytes);
  }
  INFO("stopped after " << by_call.count() / 1000 << " us by call, " << by_callback.count() / 1000 << " us by callback");
  CHECK(by_call < limit);
  CHECK(by_callback < limit);

  demo::ok(mla_context_decode(context.get(), &last));
  demo::ok(mla_context_decode(undisturbed.get(), &last));
  CHECK(demo::logits(model, context) == demo::logits(model, undisturbed));
}

TEST_CASE("generation stopped again and again gives the same logits as one left alone") {
  const demo::Model model = demo::load();
  Watch watch, undisturbed_watch;
  const mla_context_options options = watched(watch), same = watched(undisturbed_watch);
  const demo::Context context = demo::make_context(model, &options), undisturbed = demo::make_context(model, &same);
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
  bool as_before = true, same_logits = true;
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
      same_logits = false;
      break;
    }
    pause_us = 1500;
    same_logits = same_logits && demo::logits(model, context) == demo::logits(model, undisturbed);
  }
  done = true;
  other.join();
  CHECK(n_aborted > 0);
  CHECK(as_before);
  CHECK(same_logits);
}
