#include "catch.hpp"

#include <atomic>
#include <chrono>
#include <mla/error.hpp>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "platform/executor.hpp"
#include "platform/team.hpp"

using namespace mla;

TEST_CASE("every task runs once, on a thread of the pool") {
  for (const int n_threads : {1, 2, 3, 8}) {
    const auto pool = make_thread_pool(n_threads);
    REQUIRE(pool->n_threads() == n_threads);
    platform::Executor executor(pool, {}, 16, nullptr);
    for (const int n_tasks : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(n_tasks));
      std::atomic<bool> strange_thread{false};
      executor.parallel_for(n_tasks, [&](int task, int thread) {
        ++runs[static_cast<std::size_t>(task)];
        if (thread < 0 || thread >= n_threads) strange_thread = true;
      });
      CHECK_FALSE(strange_thread);
      for (const auto& count : runs) CHECK(count == 1);
    }
  }
}

TEST_CASE("thousands of short operations, with pauses in which the threads sleep") {
  platform::Executor executor(make_thread_pool(4), {}, 16, nullptr);
  std::atomic<int> sum{0};
  for (int round = 0; round < 3000; ++round) {
    executor.parallel_for(5, [&](int task, int) { sum += task; });
    if (round % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(sum == 3000 * 10);
}

TEST_CASE("a team that is stopped while its threads begin, or sleep, ends and begins anew") {
  for (int i = 0; i < 3000; ++i) {
    platform::Team team(2, 2);
    std::thread worker([&] { team.work(1); });
    for (std::atomic<int> pause = i % 1000 * 10; pause > 0;) --pause;
    team.stop();
    worker.join();
    team.start();
    worker = std::thread([&] { team.work(1); });
    std::atomic<int> count{0};
    team.run(3, TaskRef{[](void* data, int, int) { ++*static_cast<std::atomic<int>*>(data); }, &count});
    team.stop();
    worker.join();
    REQUIRE(count == 3);
  }
}

TEST_CASE("an exception from a task reaches the caller, and the pool goes on working") {
  platform::Executor executor(make_thread_pool(3), {}, 16, nullptr);
  const auto throwing = [&] { executor.parallel_for(100, [](int task, int) { if (task == 50) throw std::runtime_error("task 50"); }); };
  CHECK_THROWS_WITH(throwing(), "task 50");
  std::atomic<int> count{0};
  executor.parallel_for(100, [&](int, int) { ++count; });
  CHECK(count == 100);
}

TEST_CASE("each thread has scratch of its own, aligned to a cache line") {
  platform::Executor executor(make_thread_pool(3), {}, 17, nullptr);
  for (int thread = 0; thread < 3; ++thread) {
    CHECK(executor.scratch(thread).size() >= 17);
    CHECK(reinterpret_cast<std::uintptr_t>(executor.scratch(thread).data()) % 64 == 0);
  }
  CHECK(executor.scratch(0).data() + executor.scratch(0).size() <= executor.scratch(1).data());
}

TEST_CASE("abort stops an operation, from the callback and from another thread") {
  using namespace std::chrono_literals;
  constexpr int n_threads = 2, n_tasks = 100'000;
  bool stop = false;
  std::atomic<bool> stopped{false};
  platform::Executor executor(make_thread_pool(n_threads), [&] { return stop && (stopped = true); }, 16, nullptr);
  executor.start();
  executor.parallel_for(4, [](int, int) {});

  // Each thread may have begun one task without having heard of it.
  std::atomic<int> ran{0}, ran_after{0};
  const auto slow = [&] {
    executor.parallel_for(n_tasks, [&](int, int) {
      ++ran;
      if (stopped) ++ran_after;
      std::this_thread::sleep_for(1ms);
    });
  };
  stop = true;
  CHECK_THROWS_AS(slow(), Error);
  CHECK(stopped);
  CHECK(ran < n_tasks);
  CHECK(ran_after <= n_threads);

  stop = stopped = false;
  ran = ran_after = 0;
  executor.start();
  std::thread other([&] {
    while (ran < 2 * n_threads) std::this_thread::sleep_for(1ms);
    executor.abort();
    stopped = true;
  });
  CHECK_THROWS_AS(slow(), Error);
  other.join();
  CHECK(ran < n_tasks);
  CHECK(ran_after <= n_threads);
}

TEST_CASE("thread counts that can't be") {
  CHECK_THROWS_AS(make_thread_pool(-1), Error);
  CHECK_THROWS_AS(make_thread_pool(5000), Error);
  CHECK(make_thread_pool()->n_threads() >= 1);
}
