// The library's own thread pool, which its executor can tell more than a host's.
#pragma once
#include <mla/host.hpp>
#include <thread>
#include <vector>

#include "platform/team.hpp"
#include "platform/topology.hpp"

namespace mla::platform {

class OwnThreadPool final : public ThreadPool {
 public:
  /// n_threads-1 threads beside the caller, of which `n_processors` can run at once. Throws Error(out_of_memory).
  OwnThreadPool(int n_threads, int n_processors);
  ~OwnThreadPool() override { end_threads(); }

  int n_threads() const noexcept override { return team_.n_threads(); }
  void run(int n_tasks, TaskRef task) override { team_.run(n_tasks, task); }

  Team& team() noexcept { return team_; }

 private:
  void end_threads() noexcept;

  Team team_;
  std::vector<std::thread> threads_;
};

}  // namespace mla::platform
