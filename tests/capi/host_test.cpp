// What a host may replace, through C: allocator, thread pool, log, progress, metadata.
#include <cstdlib>
#include <cstring>
#include <thread>

#include "capi/demo.hpp"

namespace {

struct Counter {
  std::size_t n_allocated = 0, n_freed = 0, bytes = 0;
  std::size_t limit = SIZE_MAX;
};

void* allocate(void* data, std::size_t bytes, std::size_t alignment) {
  auto& counter = *static_cast<Counter*>(data);
  if (bytes > counter.limit - counter.bytes) return nullptr;
  counter.bytes += bytes;
  ++counter.n_allocated;
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void deallocate(void* data, void* memory, std::size_t bytes) {
  auto& counter = *static_cast<Counter*>(data);
  counter.bytes -= bytes;
  ++counter.n_freed;
  std::free(memory);
}

mla_allocator counting(Counter& counter) { return {sizeof(mla_allocator), allocate, deallocate, &counter}; }

// A thread for each task: as unlike the library's own pool as can be.
void run_on_new_threads(void* data, int32_t n_tasks, mla_task_fn fn, void* task_data) {
  const int n_threads = *static_cast<int*>(data);
  for (int32_t begin = 0; begin < n_tasks; begin += n_threads) {
    std::vector<std::thread> threads;
    for (int32_t task = begin; task < std::min(n_tasks, begin + n_threads); ++task)
      threads.emplace_back(fn, task_data, task, task - begin);
    for (std::thread& thread : threads) thread.join();
  }
}

void forget_the_last(void*, int32_t n_tasks, mla_task_fn fn, void* task_data) {
  for (int32_t task = 0; task + 1 < n_tasks; ++task) fn(task_data, task, 0);
}

void wrong_thread(void*, int32_t n_tasks, mla_task_fn fn, void* task_data) {
  for (int32_t task = 0; task < n_tasks; ++task) fn(task_data, task, 1000);
}

}  // namespace

TEST_CASE("an allocator of the host's serves model, cache and buffers, and gets everything back") {
  Counter counter;
  {
    const mla_allocator allocator = counting(counter);
    mla_model_options read = MLA_MODEL_OPTIONS_INIT;
    read.no_mmap = 1;
    read.allocator = &allocator;
    const demo::Model model = demo::load(&read);
    CHECK(counter.bytes >= std::filesystem::file_size(demo::path()));
    mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
    options.allocator = &allocator;
    const std::size_t before = counter.n_allocated;
    const demo::Context context = demo::make_context(model, &options);
    CHECK(counter.n_allocated > before);
    const std::vector<mla_token> tokens = demo::some_tokens(model, 9);
    const mla_batch batch = demo::batch_of(tokens);
    demo::ok(mla_context_decode(context.get(), &batch));

    counter.limit = counter.bytes;  // nothing more: the next page fails, and the context survives it
    const std::vector<mla_token> many = demo::some_tokens(model, 200);
    const mla_batch large = demo::batch_of(many);
    CHECK(mla_context_decode(context.get(), &large) == MLA_OUT_OF_MEMORY);
    CHECK(mla_kv_cache_seq_len(mla_context_cache(context.get()), 0) == 9);
    counter.limit = SIZE_MAX;
    demo::ok(mla_context_decode(context.get(), &large));
  }
  CHECK(counter.bytes == 0);
  CHECK(counter.n_allocated == counter.n_freed);
}

TEST_CASE("no memory for the model is MLA_OUT_OF_MEMORY") {
  Counter counter;
  counter.limit = 4096;
  const mla_allocator allocator = counting(counter);
  mla_model_options options = MLA_MODEL_OPTIONS_INIT;
  options.no_mmap = 1;
  options.allocator = &allocator;
  mla_model* model = reinterpret_cast<mla_model*>(&counter);
  CHECK(mla_model_load(&model, demo::path().c_str(), &options) == MLA_OUT_OF_MEMORY);
  CHECK(model == nullptr);
  CHECK(counter.bytes == 0);
}

TEST_CASE("a thread pool of the host's computes what the library's own does") {
  const demo::Model model = demo::load();
  const std::vector<mla_token> tokens = demo::some_tokens(model, 40);
  const mla_batch batch = demo::batch_of(tokens);
  int n_threads = 3;
  const mla_thread_pool pool = {sizeof(mla_thread_pool), n_threads, run_on_new_threads, &n_threads, 0};
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.n_threads = 3;
  const demo::Context own = demo::make_context(model, &options);
  options.thread_pool = &pool;
  const demo::Context hosted = demo::make_context(model, &options);
  CHECK(mla_context_n_threads(hosted.get()) == 3);
  demo::ok(mla_context_decode(own.get(), &batch));
  demo::ok(mla_context_decode(hosted.get(), &batch));
  CHECK(demo::logits(model, own) == demo::logits(model, hosted));
}

namespace {

// A team for each call: the caller is task 0.
void run_all_at_once(void* n_calls, int32_t n_tasks, mla_task_fn fn, void* task_data) {
  ++*static_cast<int*>(n_calls);
  std::vector<std::thread> threads;
  for (int32_t task = 1; task < n_tasks; ++task) threads.emplace_back(fn, task_data, task, task);
  fn(task_data, 0, 0);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("a thread pool that promises concurrent tasks is called once for a decode") {
  const demo::Model model = demo::load();
  const std::vector<mla_token> tokens = demo::some_tokens(model, 40);
  const mla_batch batch = demo::batch_of(tokens);
  int n_calls = 0;
  const mla_thread_pool pool = {sizeof(mla_thread_pool), 3, run_all_at_once, &n_calls, 1};
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.n_threads = 2, options.n_threads_batch = 4;
  const demo::Context own = demo::make_context(model, &options);
  CHECK(mla_context_n_threads(own.get()) == 2);
  CHECK(mla_context_n_threads_batch(own.get()) == 4);
  options.thread_pool = &pool;
  const demo::Context hosted = demo::make_context(model, &options);
  CHECK(mla_context_n_threads(hosted.get()) == 2);
  CHECK(mla_context_n_threads_batch(hosted.get()) == 3);
  demo::ok(mla_context_decode(own.get(), &batch));
  demo::ok(mla_context_decode(hosted.get(), &batch));
  CHECK(n_calls == 1);
  CHECK(demo::logits(model, own) == demo::logits(model, hosted));
}

TEST_CASE("a thread pool that breaks its promise is an error, not a crash") {
  const demo::Model model = demo::load();
  const std::vector<mla_token> tokens = demo::some_tokens(model, 40);
  const mla_batch batch = demo::batch_of(tokens);
  for (const auto run : {forget_the_last, wrong_thread}) {
    const mla_thread_pool pool = {sizeof(mla_thread_pool), 2, run, nullptr, 0};
    mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
    options.thread_pool = &pool;
    const demo::Context context = demo::make_context(model, &options);
    CHECK(mla_context_decode(context.get(), &batch) == MLA_INVALID_ARGUMENT);
    CHECK_THAT(mla_last_error(), Catch::Matchers::Contains("thread pool"));
    CHECK(mla_kv_cache_seq_len(mla_context_cache(context.get()), 0) == 0);
  }
}

TEST_CASE("progress and log reach the host; overrides reach the loader") {
  struct Seen {
    std::string phases;
    std::uint64_t done = 0, total = 0;
    std::vector<std::string> lines;
  } seen;
  mla_model_options options = MLA_MODEL_OPTIONS_INIT;
  options.no_mmap = 1;
  options.progress = [](void* data, const char* phase, std::uint64_t done, std::uint64_t total) {
    auto& s = *static_cast<Seen*>(data);
    s.phases += phase;
    s.done = done, s.total = total;
    return 0;
  };
  options.progress_user_data = &seen;
  options.log = [](void* data, mla_log_level, const char* message) { static_cast<Seen*>(data)->lines.emplace_back(message); };
  options.log_user_data = &seen;
  demo::load(&options);
  CHECK_THAT(seen.phases, Catch::Matchers::Contains("read"));
  CHECK(seen.done == seen.total);
  for (const std::string& line : seen.lines) CHECK(line.find('\n') == line.npos);

  const mla_override override = {"deepseek2.context_length", "77"};
  options.overrides = &override, options.n_overrides = 1;
  mla_model_info info = MLA_MODEL_INFO_INIT;
  const demo::Model model = demo::load(&options);
  demo::ok(mla_model_get_info(&info, model.get()));
  CHECK(info.n_ctx_train == 77);

  const mla_override wrong = {"deepseek2.no_such_key", "1"};
  options.overrides = &wrong;
  mla_model* none = nullptr;
  CHECK(mla_model_load(&none, demo::path().c_str(), &options) == MLA_INVALID_ARGUMENT);
  CHECK_THAT(mla_last_error(), Catch::Matchers::Contains("deepseek2.no_such_key"));
}
