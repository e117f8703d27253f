// The library's own thread pool, which its executor can tell more than a host's.
#pragma once
#include <mla/host.hpp>
#include <thread>
#include <vector>

#include "platform/numa.hpp"
#include "platform/team.hpp"

namespace mla::platform {

class OwnThreadPool final : public ThreadPool {
 public:
  /// As many threads as the plan has, less the caller. Throws Error(out_of_memory).
  explicit OwnThreadPool(const ThreadPlan& plan);
  ~OwnThreadPool() override { end_threads(); }

  int n_threads() const noexcept override { return team_.n_threads(); }
  void run(int n_tasks, TaskRef task) override { team_.run(n_tasks, task); }

  Team& team() noexcept { return team_; }

 private:
  void end_threads() noexcept;

  Team team_;
  std::vector<std::thread> threads_;
};

/// A pool for a context of a model with this plan, or for none. `n_threads` 0: as many as pay.
std::shared_ptr<ThreadPool> make_thread_pool(int n_threads, bool pin, const NumaPlan* plan);

}  // namespace mla::platform
