// What it costs to share an operation out among threads: docs/threads.md has the figures.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>

#include "platform/executor.hpp"
#include "platform/spin.hpp"

namespace {

using mla::platform::Executor;

void work_for(std::chrono::nanoseconds time) {
  for (const auto end = std::chrono::steady_clock::now() + time; std::chrono::steady_clock::now() < end;) mla::platform::relax();
}

// Operations one after the other, of range(1) tasks on range(0) threads, each task taking range(2) ns; range(3) ns alone between two.
void parallel_for(benchmark::State& state) {
  Executor executor(mla::make_thread_pool(static_cast<int>(state.range(0))), {}, 16, nullptr);
  const auto n_tasks = static_cast<int>(state.range(1));
  const std::chrono::nanoseconds task(state.range(2)), gap(state.range(3));
  executor.start();
  for (auto _ : state) {
    executor.parallel_for(n_tasks, [&](int, int) {
      if (task.count() > 0) work_for(task);
    });
    if (gap.count() > 0) work_for(gap);
  }
  const double n = static_cast<double>(state.range(1)), threads = static_cast<double>(state.range(0));
  state.counters["ideal_ns"] = static_cast<double>(state.range(2)) * n / threads + static_cast<double>(state.range(3));
}
BENCHMARK(parallel_for)
    ->ArgNames({"threads", "tasks", "task_ns", "gap_ns"})
    ->UseRealTime()
    ->Args({1, 2, 0, 0})
    ->Args({2, 2, 0, 0})
    ->Args({2, 32, 0, 0})
    ->Args({2, 2, 5000, 0})
    ->Args({2, 32, 5000, 0})
    ->Args({2, 32, 5000, 5000})
    ->Args({2, 32, 5000, 50000})
    ->Args({2, 32, 5000, 1000000});

}  // namespace

BENCHMARK_MAIN();
