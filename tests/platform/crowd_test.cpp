// More threads than processors, pools side by side, pools that are shared, and what is left when they end.
#include "catch.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <thread>
#include <vector>

#include "platform/executor.hpp"
#include "platform/one_processor.hpp"
#include "platform/topology.hpp"

using namespace mla;
using namespace std::chrono_literals;

namespace {

constexpr int most_looks = 60'000;  // a watchdog: a minute, of which none passes while the process is held up

std::size_t threads_of_process() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) ++n;
  return n;
}

// Threads that have ended may be listed for a moment still.
bool threads_go_down_to(std::size_t n) {
  for (int look = 0; look < most_looks; ++look, std::this_thread::sleep_for(1ms))
    if (threads_of_process() <= n) return true;
  return false;
}

// About what a token costs in operations: 400 of 32 tasks of a few microseconds.
long compute(platform::Executor& executor) {
  std::atomic<long> sum{0};
  for (int op = 0; op < 400; ++op)
    executor.parallel_for(32, [&](int task, int) {
      volatile int x = 0;
      for (int i = 0; i < 2000; ++i) x = x + 1;
      sum += task;
    });
  return sum;
}
constexpr long computed = 400L * 31 * 16;

template <typename Work>
double processor_time(const Work& work) {
  const std::clock_t begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin);
}

// How much more processor time the process takes for so many times compute() than one thread does: what it wastes in waiting shows
// here. Only where all threads share one processor: elsewhere one waits for another that may have to wait for other processes.
// The least of several: these may still share a core or its caches with us.
double waste(int times, void (*work)()) {
  double least = 1e9;
  for (int round = 0; round < 5; ++round) {
    platform::Executor alone(make_thread_pool(1), {}, 16, nullptr);
    const double seconds = processor_time([&] { REQUIRE(compute(alone) == computed); });
    least = std::min(least, processor_time(work) / (times * seconds));
  }
  return least;
}
constexpr double most_waste = 3;  // usually 1.1; threads that never give their processor away make it 6

// Two contexts' worth of eight threads each at once.
void two_pools_of_eight() {
  std::vector<std::thread> hosts;
  std::atomic<int> right{0};
  for (int host = 0; host < 2; ++host)
    hosts.emplace_back([&] {
      platform::Executor executor(make_thread_pool(8), {}, 16, nullptr);
      if (compute(executor) == computed) ++right;
    });
  for (std::thread& host : hosts) host.join();
  CHECK(right == 2);
}

}  // namespace

TEST_CASE("two pools of eight threads on one processor take about the processor time of one thread") {
  const OnOneProcessor here;
  CHECK(waste(2, two_pools_of_eight) < most_waste);
}

TEST_CASE("two pools of eight threads on all processors finish as well") { two_pools_of_eight(); }

TEST_CASE("a thread that slept takes part in a long operation") {
  if (platform::usable_processors(platform::this_topology()) < 2) {
    WARN("SKIPPED: this needs two processors");
    return;
  }
  platform::Executor executor(make_thread_pool(2), {}, 16, nullptr);
  for (const auto pause : {0ms, 10ms}) {
    std::this_thread::sleep_for(pause);
    std::atomic<int> of_second{0};
    executor.parallel_for(60, [&](int task, int thread) {
      of_second += thread;
      if (task != 0) return;
      for (int look = 0; of_second == 0 && look < most_looks; ++look) std::this_thread::sleep_for(1ms);
    });
    CHECK(of_second > 0);
  }
}

TEST_CASE("pools made before the processors are taken away still finish") {
  platform::Executor executor(make_thread_pool(4), {}, 16, nullptr);
  CHECK(compute(executor) == computed);
  const OnOneProcessor here;  // this thread; those of the pool stay where they are
  CHECK(compute(executor) == computed);
}

TEST_CASE("no thread stays when a pool ends, asleep or not") {
  const std::size_t before = threads_of_process();
  for (const auto pause : {0ms, 5ms}) {
    for (int round = 0; round < 20; ++round) {
      platform::Executor executor(make_thread_pool(6), {}, 16, nullptr);
      CHECK(threads_of_process() >= before + 5);
      executor.parallel_for(100, [](int, int) {});
      std::this_thread::sleep_for(pause);
    }
    CHECK(threads_go_down_to(before));
  }
}

TEST_CASE("a pool that several executors use from several threads") {
  const auto pool = make_thread_pool(3);
  std::vector<std::thread> hosts;
  std::atomic<int> right{0};
  for (int host = 0; host < 3; ++host)
    hosts.emplace_back([&, host] {
      platform::Executor executor(pool, {}, 16, nullptr);
      executor.use_threads(host + 1);
      if (compute(executor) == computed) ++right;
    });
  for (std::thread& host : hosts) host.join();
  CHECK(right == 3);
}

TEST_CASE("threads that don't take part see no task") {
  platform::Executor executor(make_thread_pool(6), {}, 16, nullptr);
  const auto highest_thread = [&] {
    std::atomic<int> highest{0};
    executor.parallel_for(64, [&](int, int thread) {
      int before = highest;
      while (before < thread && !highest.compare_exchange_weak(before, thread)) {}
      std::this_thread::sleep_for(100us);  // so that others come to it
    });
    return highest.load();
  };
  for (const int n : {6, 2, 1, 4, 6, 3}) {
    executor.use_threads(n);
    // Those that were about to look for tasks may look once more, whenever they get a processor.
    int without_others = 0;
    for (int round = 0; round < 1000 && without_others < 20; ++round) without_others = highest_thread() < n ? without_others + 1 : 0;
    CHECK(without_others == 20);
  }
}

namespace {

// What a host with OpenMP-like teams would pass: as many threads as tasks, the caller being task 0.
class TeamsOfHost final : public ThreadPool {
 public:
  int n_threads() const noexcept override { return 3; }
  bool concurrent() const noexcept override { return true; }
  void run(int n_tasks, TaskRef task) override {
    ++n_runs;
    std::exception_ptr error;
    std::vector<std::thread> threads;
    for (int i = 1; i < n_tasks; ++i) threads.emplace_back([=] { task.fn(task.data, i, i); });
    try {
      task.fn(task.data, 0, 0);
    } catch (...) {
      error = std::current_exception();
    }
    for (std::thread& thread : threads) thread.join();
    if (error) std::rethrow_exception(error);
  }
  int n_runs = 0;
};

}  // namespace

TEST_CASE("a host that promises concurrent tasks is called once for many operations") {
  const auto pool = std::make_shared<TeamsOfHost>();
  platform::Executor executor(pool, {}, 16, nullptr);
  for (int session = 1; session <= 20; ++session) {
    long sum = 0;
    executor.session([&] {
      executor.start();
      executor.use_threads(1 + session % 3);
      sum = compute(executor);
    });
    CHECK(sum == computed);
    CHECK(pool->n_runs == session);
  }
  const auto failing = [&] {
    executor.session([&] {
      executor.parallel_for(10, [](int task, int) {
        if (task == 7) throw std::runtime_error("task 7");
      });
    });
  };
  CHECK_THROWS_WITH(failing(), "task 7");
  long sum = 0;
  executor.session([&] { sum = compute(executor); });
  CHECK(sum == computed);
}
