// The library's own thread pool: one operation at a time, tasks handed out by an atomic counter.
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mla/host.hpp>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "platform/cpu.hpp"
#include "platform/fail.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mla {
namespace {

void relax() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

// Operations follow each other within microseconds while a model runs, so a waiting thread first spins, about 50 µs;
// then it sleeps, so that an idle context costs nothing.
constexpr int spin_rounds = 1000;

class OwnThreadPool final : public ThreadPool {
 public:
  explicit OwnThreadPool(int n_threads) {
    try {
      threads_.reserve(static_cast<std::size_t>(n_threads - 1));
      for (int thread = 1; thread < n_threads; ++thread) threads_.emplace_back([this, thread] { work(thread); });
    } catch (const std::system_error& error) {
      stop();
      fail(Status::out_of_memory, "cannot start {} threads: {}", n_threads, error.what());
    } catch (...) {
      stop();
      throw;
    }
  }
  ~OwnThreadPool() override { stop(); }

  int n_threads() const noexcept override { return static_cast<int>(threads_.size()) + 1; }

  void run(int n_tasks, TaskRef task) override {
    if (n_tasks <= 0) return;
    task_ = task;
    n_tasks_ = n_tasks;
    next_.store(0, std::memory_order_relaxed);
    running_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
    {
      const std::lock_guard lock(mutex_);  // a thread about to sleep sees the new generation or is woken
      generation_.fetch_add(1, std::memory_order_release);
    }
    if (sleepers_.load() > 0) wake_.notify_all();
    take_tasks(0);
    while (running_.load(std::memory_order_acquire) > 0) wait_a_little();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void take_tasks(int thread) noexcept {
    for (int task; (task = next_.fetch_add(1, std::memory_order_relaxed)) < n_tasks_;) {
      try {
        task_.fn(task_.data, task, thread);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
      }
    }
  }

  void work(int thread) noexcept {
    std::uint64_t seen = 0;
    while (true) {
      seen = await_generation(seen);
      if (stopping_) return;
      take_tasks(thread);
      running_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::uint64_t await_generation(std::uint64_t seen) noexcept {
    for (int round = 0; round < spin_rounds; ++round) {
      if (const std::uint64_t now = generation_.load(std::memory_order_acquire); now != seen) return now;
      relax();
    }
    std::unique_lock lock(mutex_);
    sleepers_.fetch_add(1);
    wake_.wait(lock, [&] { return generation_.load(std::memory_order_acquire) != seen; });
    sleepers_.fetch_sub(1);
    return generation_.load(std::memory_order_acquire);
  }

  // The last tasks of the others: spin, but give the processor away when there are more threads than processors.
  static void wait_a_little() noexcept {
    thread_local int round = 0;
    if (++round % 64 == 0)
      std::this_thread::yield();
    else
      relax();
  }

  void stop() noexcept {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<int> sleepers_{0}, next_{0}, running_{0};
  std::atomic<bool> stopping_{false};
  TaskRef task_{};
  int n_tasks_ = 0;
  std::exception_ptr error_;
};

}  // namespace

std::shared_ptr<ThreadPool> make_thread_pool(int n_threads) {
  if (n_threads < 0 || n_threads > 4096) fail(Status::invalid_argument, "{} threads: use 0 (automatic) to 4096", n_threads);
  return std::make_shared<OwnThreadPool>(n_threads == 0 ? platform::usable_processors() : n_threads);
}

}  // namespace mla
