#include "platform/team.hpp"

#include <algorithm>
#include <utility>

#include "platform/spin.hpp"

namespace mla::platform {

// Long enough to bridge the serial parts between two operations of a forward pass; an idle context then costs nothing.
constexpr std::chrono::microseconds spin_time{150};

Team::Team(int n_threads, int n_processors)
    : n_threads_(n_threads),
      n_processors_(n_processors),
      spin_time_(n_threads <= n_processors ? spin_time : std::chrono::microseconds(0)),
      queues_(std::make_unique<Queue[]>(static_cast<std::size_t>(n_threads))),
      nodes_(std::make_unique<std::atomic<int>[]>(static_cast<std::size_t>(n_threads))),
      active_(n_threads) {}

void Team::run(const Share& share, TaskRef task) {
  const std::span<const int> ends = share.ends;
  const int n_tasks = ends.back();
  if (n_tasks <= 0) return;
  const std::lock_guard lead(leading_);
  set_active(share.n_threads);
  // Nobody reads these now: the tasks of the last operation are done, and its queues are empty.
  task_ = task;
  unfinished_.store(n_tasks, std::memory_order_relaxed);
  n_queues_.store(static_cast<int>(ends.size()), std::memory_order_relaxed);
  by_node_.store(share.by_node, std::memory_order_relaxed);
  std::uint64_t begin = 0;
  for (std::size_t q = 0; q < ends.size(); ++q) {
    const auto end = static_cast<std::uint64_t>(ends[q]);
    queues_[q].word.store(end << 32 | begin, std::memory_order_release);
    begin = end;
  }
  epoch_.fetch_add(2);  // sequentially consistent, as is the count of sleepers: one side sees the other
  if (sleepers_.load() > 0) wake(n_tasks);
  take_tasks(0, share.leader_node);
  for (Spin spin; unfinished_.load(std::memory_order_acquire) > 0;) spin.pause();
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void Team::wake(int n_tasks) noexcept {
  const int useful = std::min({n_tasks, active_.load(), n_processors_}) - 1;
  if (useful <= 0) return;
  { const std::lock_guard lock(mutex_); }  // who counted itself as asleep has seen the new epoch or is waiting by now
  if (useful >= sleepers_.load()) return wake_.notify_all();
  for (int i = 0; i < useful; ++i) wake_.notify_one();
}

void Team::take_tasks(int thread, int node) noexcept {
  const int n_queues = n_queues_.load(std::memory_order_relaxed);
  const int home = by_node_.load(std::memory_order_relaxed) ? node : thread;
  int done = 0;
  for (int i = 0; i < n_queues; ++i)
    done += take_from(queues_[static_cast<std::size_t>((home + i) % n_queues)], thread);
  if (done > 0) unfinished_.fetch_sub(done, std::memory_order_release);
}

// One that comes late may read the number of queues and the kind of home of different operations: it then only begins elsewhere, or
// misses queues that the others empty. Whoever takes a task holds the operation open until it subtracts it from `unfinished_`: all that it takes meanwhile belongs to that one.
int Team::take_from(Queue& queue, int thread) noexcept {
  constexpr std::uint64_t low = 0xffffffff;
  for (int done = 0;; ++done) {
    std::uint64_t word = queue.word.load(std::memory_order_relaxed);
    if ((word & low) >= word >> 32) return done;
    word = queue.word.fetch_add(1, std::memory_order_acquire);
    if ((word & low) >= word >> 32) return done;
    call(static_cast<int>(word & low), thread);
  }
}

void Team::call(int task, int thread) noexcept {
  try {
    task_.fn(task_.data, task, thread);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
  }
}

void Team::work(int thread) noexcept {
  // One variable says both what there is to do and whether to stop: between two, a thread could miss a stop and sleep for ever.
  for (std::uint32_t seen; !is_stop(seen = epoch_.load(std::memory_order_acquire));) {
    if (thread < active_.load(std::memory_order_relaxed))
      take_tasks(thread, nodes_[static_cast<std::size_t>(thread)].load(std::memory_order_relaxed));
    await_change(seen, thread);
  }
}

void Team::await_change(std::uint32_t seen, int thread) noexcept {
  if (thread >= active_.load(std::memory_order_relaxed)) {
    std::unique_lock lock(mutex_);
    return park_.wait(lock, [&] { return thread < active_.load() || is_stop(epoch_.load()); });
  }
  for (Spin spin; spin.elapsed() < spin_time_ && !spin.crowded(); spin.pause())
    if (epoch_.load(std::memory_order_acquire) != seen) return;
  std::unique_lock lock(mutex_);
  sleepers_.fetch_add(1);
  wake_.wait(lock, [&] { return epoch_.load() != seen || thread >= active_.load(); });
  sleepers_.fetch_sub(1);
}

void Team::set_active(int n_threads) noexcept {
  n_threads = std::clamp(n_threads, 1, n_threads_);
  if (active_.load(std::memory_order_relaxed) == n_threads) return;
  {
    const std::lock_guard lock(mutex_);
    active_.store(n_threads);
  }
  wake_.notify_all();  // who has to sleep apart from now on
  park_.notify_all();
}

void Team::stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    epoch_.fetch_or(1);
  }
  wake_.notify_all();
  park_.notify_all();
}

}  // namespace mla::platform
