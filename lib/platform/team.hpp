// Team: how threads share out the tasks of one operation after another.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mla/host.hpp>
#include <mutex>
#include <span>
#include <vector>

namespace mla::platform {

/// One thread leads, as thread 0: it calls run(), one operation at a time. The others, 1 … n_threads-1, are in work().
/// A task goes to whichever thread asks first, and an operation ends when its tasks are done, not when every thread has looked in:
/// a thread that sleeps or has no processor holds nobody up.
class Team {
 public:
  /// `n_processors`: how many threads can run at the same time. A larger team neither spins nor wakes more threads than that.
  Team(int n_threads, int n_processors);

  int n_threads() const noexcept { return n_threads_; }

  /// How the tasks of an operation are shared out.
  struct Share {
    std::span<const int> ends;  ///< queue q holds tasks ends[q-1] … ends[q]-1; from 1 to n_threads queues
    int n_threads;              ///< threads that take part, the leader included; the others sleep
    bool by_node = false;       ///< a queue belongs to the threads of a node; otherwise to the thread of its number
    int leader_node = 0;        ///< where the leader runs now
  };
  /// Runs all tasks and returns when they are done; the first exception of a task is rethrown then. A thread begins with the queue
  /// that belongs to it and goes on with those after it. Calls from several threads wait for each other: operations, not whole
  /// computations, take turns.
  void run(const Share& share, TaskRef task);
  void run(int n_tasks, TaskRef task) { run({{&n_tasks, 1}, n_threads_}, task); }

  /// The node where a thread in work() runs; 0 unless set. Not during run().
  void set_node(int thread, int node) noexcept { nodes_[static_cast<std::size_t>(thread)].store(node, std::memory_order_relaxed); }

  /// Takes tasks until stop(). On a thread of its own for each `thread` from 1 to n_threads-1.
  void work(int thread) noexcept;
  /// Ends every work(), now and in future until start(). Not during run().
  void stop() noexcept;
  /// Not during run(), nor before every work() has ended.
  void start() noexcept {
    if (is_stop(epoch_.load())) epoch_.fetch_add(1);
  }

 private:
  struct alignas(64) Queue {
    std::atomic<std::uint64_t> word{0};  // end << 32 | next: one that comes late can't mix the two of different operations
  };

  static bool is_stop(std::uint32_t epoch) noexcept { return epoch % 2 != 0; }
  void set_active(int n_threads) noexcept;
  void take_tasks(int thread, int node) noexcept;
  int take_from(Queue& queue, int thread) noexcept;
  void call(int task, int thread) noexcept;
  void await_change(std::uint32_t seen, int thread) noexcept;
  void wake(int n_tasks) noexcept;

  const int n_threads_, n_processors_;
  const std::chrono::nanoseconds spin_time_;
  std::mutex leading_;
  const std::unique_ptr<Queue[]> queues_;
  const std::unique_ptr<std::atomic<int>[]> nodes_;

  // Written where an operation begins, read by everybody who waits for one.
  alignas(64) std::atomic<std::uint32_t> epoch_{0};  // rises by two with each operation; odd: stopped
  std::atomic<int> n_queues_{0}, active_;
  std::atomic<bool> by_node_{false};
  TaskRef task_{};

  alignas(64) std::atomic<int> unfinished_{0};
  std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable wake_, park_;
  std::exception_ptr error_;
};

}  // namespace mla::platform
