// Continuous batching with the demo model: whatever else happens, every answer is the one it would be alone.
#include "server/scheduler.hpp"

#include "demo_server.hpp"
#include "scratch_folder.hpp"

using namespace server;
using namespace std::chrono_literals;

namespace {

SchedulerOptions options(int n_slots) { return {.n_slots = n_slots, .n_ctx = 2048, .n_queue = 100, .cache_ram = 1 << 26}; }

mla::ContextOptions context_options() { return {.cache_type_k = mla::CacheType::f32, .n_threads = 2}; }

struct Fixture {
  explicit Fixture(const SchedulerOptions& o) : scheduler(demo(), context_options(), o, metrics) {}

  std::shared_ptr<AnswerStream> submit(Job job) {
    job.out = scheduler.new_stream();
    const auto out = job.out;
    REQUIRE(scheduler.submit({std::move(job)}) == Refusal::none);
    return out;
  }
  /// Until the scheduler has nothing to do; fails after a minute.
  void wait_idle() {
    for (int i = 0; i < 6000; ++i) {
      const Load load = scheduler.load();
      if (load.n_busy == 0 && load.n_waiting == 0) return;
      std::this_thread::sleep_for(10ms);
    }
    FAIL("slots are stuck");
  }

  Metrics metrics;
  Scheduler scheduler;
};

Job greedy(std::vector<mla::Token> prompt, int max_tokens) {
  Job job;
  job.prompt = std::move(prompt);
  job.max_tokens = max_tokens;
  job.sampling.temperature = 0;
  job.ignore_end = true;
  return job;
}

/// What mla-run does: one sequence, token by token.
std::string alone(const std::vector<mla::Token>& prompt, int n) {
  mla::ContextOptions options = context_options();
  options.n_ctx = 4096;
  mla::Context context(demo(), options);
  mla::Sampler sampler({.temperature = 0});
  mla::TextStream text(demo()->tokenizer());
  context.decode(mla::Batch::of(prompt));
  std::string out;
  for (int i = 0; i < n; ++i) {
    const mla::Token token = sampler.sample(context.logits());
    out += text.push(token);
    context.decode(mla::Batch::of({token}, static_cast<mla::Position>(prompt.size()) + i));
  }
  return out + text.finish();
}

}  // namespace

TEST_CASE("many answers at once, in few slots, are those of each alone") {
  Fixture f(options(3));
  const std::vector<std::string> prompts{"In the beginning", "And he said", "She was", "The whale", "In the beginning of", "My dear"};
  std::vector<std::shared_ptr<AnswerStream>> streams;
  for (const std::string& prompt : prompts) streams.push_back(f.submit(greedy(demo_tokens(prompt), 40)));
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const Answer answer = collect(*streams[i])[0];
    INFO(prompts[i]);
    CHECK(answer.text == alone(demo_tokens(prompts[i]), 40));
    CHECK(answer.finish.reason == FinishReason::length);
    CHECK(answer.finish.n_generated == 40);
  }
}

TEST_CASE("answers end at stop strings, end tokens, limits and the end of the context") {
  Fixture f(options(2));
  const auto prompt = demo_tokens("In the beginning");
  const std::string text = alone(prompt, 60);
  Job job = greedy(prompt, 60);
  job.stop = {text.substr(20, 9)};
  job.n_logprobs = 2;
  const Answer stopped = collect(*f.submit(job))[0];
  CHECK(stopped.text == text.substr(0, text.find(job.stop[0])));
  CHECK(stopped.finish.reason == FinishReason::stop);
  CHECK(stopped.n_logprobs == stopped.finish.n_generated);

  const Answer full = collect(*f.submit(greedy(long_prompt(2040), 100)))[0];
  CHECK(full.finish.reason == FinishReason::length);
  CHECK(full.finish.n_generated == 8);

  const Answer none = collect(*f.submit(greedy(prompt, 0)))[0];
  CHECK(none.text.empty());
  CHECK(none.finish.n_generated == 0);
}

TEST_CASE("what was computed before is not computed again, and gives the same text") {
  Fixture f(options(2));
  const auto prompt = long_prompt(500);
  const Answer cold = collect(*f.submit(greedy(prompt, 20)))[0];
  CHECK(cold.finish.n_cached == 0);
  const Answer warm = collect(*f.submit(greedy(prompt, 20)))[0];
  CHECK(warm.finish.n_cached == 499);
  CHECK(warm.text == cold.text);
  Job uncached = greedy(prompt, 20);
  uncached.cache_prompt = false;
  CHECK(collect(*f.submit(uncached))[0].finish.n_cached == 0);

  // Two at once: the second waits for the first one's prompt instead of computing it too.
  const auto other = long_prompt(1500, 299);
  const auto first = f.submit(greedy(other, 5)), second = f.submit(greedy(other, 5));
  CHECK(collect(*first)[0].finish.n_cached == 0);
  CHECK(collect(*second)[0].finish.n_cached == 1499);
}

TEST_CASE("clients that go, queued or running, free their places and disturb nobody") {
  Fixture f(options(2));
  const auto prompt = demo_tokens("And he said");
  const auto steady = f.submit(greedy(prompt, 300));
  for (int i = 0; i < 20; ++i) {
    const auto running = f.submit(greedy(long_prompt(1800, 300 + i), 200)), queued = f.submit(greedy(prompt, 200));
    std::this_thread::sleep_for(5ms);
    queued->cancel();
    running->cancel();
  }
  CHECK(collect(*steady)[0].text == alone(prompt, 300));
  f.wait_idle();
}

TEST_CASE("a client that doesn't read is paused, and others go on") {
  Fixture f(options(2));
  const auto prompt = demo_tokens("In the beginning");
  const auto slow = f.submit(greedy(prompt, 1500));
  const auto quick = f.submit(greedy(demo_tokens("She was"), 600));
  CHECK(collect(*quick)[0].finish.n_generated == 600);
  CHECK_FALSE(slow->has_room());
  CHECK(f.scheduler.load().n_busy >= 1);
  CHECK(collect(*slow)[0].text == alone(prompt, 1500));
}

TEST_CASE("the queue has an end, and a stopped scheduler fails what it can't finish") {
  SchedulerOptions o = options(1);
  o.n_queue = 1;
  Fixture f(o);
  std::vector<std::shared_ptr<AnswerStream>> streams;
  int n_full = 0;
  for (int i = 0; i < 4; ++i) {
    Job job = greedy(long_prompt(100, 300 + i), 1900);
    job.out = f.scheduler.new_stream();
    streams.push_back(job.out);
    n_full += f.scheduler.submit({job}) == Refusal::full;
  }
  CHECK(n_full >= 1);
  f.scheduler.drain(0ms);
  CHECK(collect(*streams[0])[0].finish.reason == FinishReason::failed);
  Job late = greedy(long_prompt(10), 1);
  late.out = f.scheduler.new_stream();
  CHECK(f.scheduler.submit({late}) == Refusal::stopping);
}

TEST_CASE("saved prompts serve the next process; embeddings are those of the context") {
  const ScratchFolder folder;
  SchedulerOptions o = options(2);
  o.cache_dir = folder.path();
  o.cache_disk = 1 << 30;
  const auto prompt = long_prompt(1000);
  std::string text;
  {
    Fixture f(o);
    text = collect(*f.submit(greedy(prompt, 20)))[0].text;
    f.wait_idle();
  }
  Fixture f(o);
  const Answer warm = collect(*f.submit(greedy(prompt, 20)))[0];
  CHECK(warm.finish.n_cached == 999);
  CHECK(warm.text == text);

  Job job = greedy(prompt, 0);
  job.embedding = true;
  mla::ContextOptions whole = context_options();
  mla::Context context(demo(), whole);
  mla::Batch batch = mla::Batch::of(prompt);
  batch.keep_embedding.back() = 1;
  context.decode(batch);
  const std::vector<float> embedding = collect(*f.submit(job))[0].finish.embedding;
  const auto expected = context.embedding(999);
  REQUIRE(embedding.size() == expected.size());
  for (std::size_t i = 0; i < embedding.size(); ++i) CHECK(std::abs(embedding[i] - expected[i]) < 0.02f);
}
