// The library's own thread pool, which its executor can tell more than a host's.
#pragma once
#include <memory>
#include <mla/host.hpp>
#include <thread>
#include <vector>

#include "platform/numa.hpp"
#include "platform/process.hpp"
#include "platform/team.hpp"

namespace mla::platform {

class OwnThreadPool final : public ThreadPool {
 public:
  /// As many threads as the plan has, less the caller. Throws Error(out_of_memory).
  explicit OwnThreadPool(const ThreadPlan& plan);
  ~OwnThreadPool() override;

  int n_threads() const noexcept override { return workers_->team.n_threads(); }
  /// Throws Error(unsupported) in a child of the process that made it.
  void run(int n_tasks, TaskRef task) override;

  Team& team() noexcept { return workers_->team; }

 private:
  struct Workers {
    Team team;
    std::vector<std::thread> threads;

    explicit Workers(const ThreadPlan& plan) : team(static_cast<int>(plan.nodes.size()), plan.n_processors) {}
    ~Workers();
  };

  const ProcessMark process_;
  std::unique_ptr<Workers> workers_;
};

/// A pool for a context of a model with this plan, or for none. `n_threads` 0: as many as pay.
std::shared_ptr<ThreadPool> make_thread_pool(int n_threads, bool pin, const NumaPlan* plan);

}  // namespace mla::platform
