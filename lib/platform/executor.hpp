// Executor: runs the operations of a forward pass on a thread pool, and stops when the host asks.
#pragma once
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mla/host.hpp>
#include <span>
#include <thread>
#include <type_traits>
#include <vector>

#include "platform/input_observer.hpp"
#include "platform/memory.hpp"
#include "platform/numa.hpp"
#include "platform/op_timer.hpp"
#include "platform/process.hpp"
#include "platform/team.hpp"

namespace mla::platform {

/// Copies of weights on other nodes, each laid out as the first.
struct Replicas {
  const std::byte* first = nullptr;
  std::size_t bytes = 0;
  std::vector<std::ptrdiff_t> distances;  ///< from `first` to the copy of each node of the plan; 0 for the first's
};

/// A thread pool, a scratch area for each of its threads, and the host's wish to abort.
/// Belongs to one context; used by one thread at a time, abort() by any.
class Executor {
 public:
  Executor(std::shared_ptr<ThreadPool> pool, AbortCallback abort, std::size_t scratch_floats,
           const std::shared_ptr<Allocator>& allocator);
  ~Executor();

  /// Memory that it takes for scratch.
  static constexpr std::size_t scratch_bytes(std::size_t scratch_floats, int n_threads) noexcept {
    return (scratch_floats + 15) / 16 * 16 * sizeof(float) * static_cast<std::size_t>(n_threads);
  }

  int n_threads() const noexcept { return pool_->n_threads(); }

  /// Runs body(), in which operations follow each other. A pool whose host promised concurrent tasks is called once, for all of them;
  /// the threads then wait for each other in ways of our own. Throws Error(unsupported) in a child of the process that made it.
  template <typename Body>
  void session(Body&& body) {
    process_.require("this context");
    if (!host_team_) return body();
    auto member = [&](int thread) {
      if (thread > 0) return host_team_->work(thread);
      const EndOfSession end{*host_team_};
      body();
    };
    host_team_->start();
    pool_->run(n_threads(), TaskRef{[](void* data, int task, int) { (*static_cast<decltype(member)*>(data))(task); }, &member});
  }

  /// Forgets an earlier abort; called where a decode begins, on the thread that computes.
  void start() noexcept;
  /// Threads that take part in operations from now on, where the pool is the library's own or promised concurrent tasks.
  void use_threads(int n_threads) noexcept;
  /// Times the operations; off unless enabled. Used by the thread that computes.
  OpTimer& ops() noexcept { return ops_; }
  /// Who is told the inputs of products; nullptr, as at first: nobody. Outlives the executor.
  void watch(InputObserver* observer) noexcept { observer_ = observer; }
  InputObserver* observer() const noexcept { return observer_; }
  /// Whether sums are to be made in an order that follows from shapes alone: then a row's result is the same to the bit whatever the
  /// threads and the rows beside it. Not so at first.
  bool fixed_order() const noexcept { return fixed_order_; }
  void fix_order(bool on) noexcept { fixed_order_ = on; }
  void abort() noexcept { aborted_.store(true, std::memory_order_relaxed); }

  /// Scratch memory of a thread, 64-byte aligned; contents are lost between tasks.
  std::span<float> scratch(int thread) noexcept;

  /// What operations go by from now on; both outlive the executor. Without a plan, nodes are of no interest.
  void place(const NumaPlan* plan, const Replicas* replicas) noexcept;

  /// Where the calling thread best reads weights that `data` points to: there, or in the copy of its node.
  const std::byte* local(const std::byte* data) const noexcept {
    if (replicas_ == nullptr || static_cast<std::size_t>(data - replicas_->first) >= replicas_->bytes) return data;
    return data + replicas_->distances[static_cast<std::size_t>(plan_->node_here())];
  }

  /// Runs body(group, tile, thread) for the row tiles of n_groups equal weight matrices. Where rows are split among nodes, a thread
  /// first takes tiles that lie on its own.
  template <typename Body>
  void parallel_for_rows(std::int64_t n_groups, std::int64_t n_tiles, Body&& body) {
    auto guarded = [&](int task, int thread) {
      if (stop_requested()) return;
      const RowTask at = row_task(task, n_groups, n_tiles);
      body(at.group, at.tile, thread);
    };
    const std::int64_t n_tasks = n_groups * n_tiles;
    if (n_tasks == 1)
      guarded(0, 0);
    else if (n_tasks > 1)
      run_rows(n_groups, n_tiles, TaskRef{[](void* data, int task, int thread) { (*static_cast<decltype(guarded)*>(data))(task, thread); }, &guarded});
    throw_if_aborted();
  }

  /// Runs body(task, thread) for 0 <= task < n_tasks. Throws Error(aborted) if the host asked to stop:
  /// some tasks have then not run.
  template <typename Body>
  void parallel_for(int n_tasks, Body&& body) {
    auto guarded = [&](int task, int thread) {
      if (!stop_requested()) body(task, thread);
    };
    if (n_tasks == 1)
      guarded(0, 0);  // not worth waking anyone
    else if (n_tasks > 1)
      run(n_tasks, TaskRef{[](void* data, int task, int thread) { (*static_cast<decltype(guarded)*>(data))(task, thread); }, &guarded});
    throw_if_aborted();
  }

 private:
  struct EndOfSession {
    Team& team;
    ~EndOfSession() { team.stop(); }
  };

  struct RowTask {
    std::int64_t group, tile;
  };

  void run(int n_tasks, TaskRef task);
  void run_rows(std::int64_t n_groups, std::int64_t n_tiles, TaskRef task);
  /// Tasks are numbered node by node, within a node matrix by matrix.
  RowTask row_task(std::int64_t task, std::int64_t n_groups, std::int64_t n_tiles) const noexcept;
  bool stop_requested();
  void throw_if_aborted();

  const ProcessMark process_;
  std::shared_ptr<ThreadPool> pool_;
  std::unique_ptr<Team> host_team_;  // for a pool of concurrent tasks
  Team* team_ = nullptr;             // that, or the own pool's; none for a host's barrier-free dispatch
  int active_;
  std::vector<int> ends_;  // of the queues of an operation, [n_threads]
  const NumaPlan* plan_ = nullptr;
  const Replicas* replicas_ = nullptr;
  RowSplit rows_;
  AbortCallback callback_;
  Buffer scratch_;
  std::size_t scratch_floats_;
  std::atomic<bool> aborted_{false};
  std::thread::id owner_;
  std::chrono::steady_clock::time_point last_poll_;
  OpTimer ops_;
  InputObserver* observer_ = nullptr;
  bool fixed_order_ = false;
};

}  // namespace mla::platform
