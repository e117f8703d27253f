// The library's own thread pool: a Team and the threads that work in it.
#include "platform/thread_pool.hpp"

#include <sched.h>

#include <array>
#include <system_error>

#include "platform/fail.hpp"

namespace mla {
namespace platform {

namespace {

// A mask that the system refuses, because the processors it may use have changed, leaves the thread where it was.
void run_on(const std::vector<int>& processors) noexcept {
  if (processors.empty()) return;
  constexpr std::size_t n = std::size_t{1} << 14;
  std::array<cpu_set_t, n / CPU_SETSIZE> sets{};
  for (const int id : processors)
    if (static_cast<std::size_t>(id) < n) CPU_SET_S(static_cast<std::size_t>(id), sizeof sets, sets.data());
  sched_setaffinity(0, sizeof sets, sets.data());
}

}  // namespace

OwnThreadPool::OwnThreadPool(const ThreadPlan& plan) : workers_(std::make_unique<Workers>(plan)) {
  Team& team = workers_->team;
  const int n_threads = team.n_threads();
  try {
    workers_->threads.reserve(static_cast<std::size_t>(n_threads - 1));
    for (int thread = 1; thread < n_threads; ++thread) {
      team.set_node(thread, plan.nodes[static_cast<std::size_t>(thread)]);
      workers_->threads.emplace_back([&team, thread, processors = plan.processors[static_cast<std::size_t>(thread)]] {
        run_on(processors);
        team.work(thread);
      });
    }
  } catch (const std::system_error& error) {
    fail(Status::out_of_memory, "cannot start {} threads: {}", n_threads, error.what());
  }
}

// In a child there is nobody to join, and even the locks can't be destroyed: that would wait for threads that aren't here.
OwnThreadPool::~OwnThreadPool() {
  if (!process_.is_here()) (void)workers_.release();
}

void OwnThreadPool::run(int n_tasks, TaskRef task) {
  process_.require("this thread pool");
  workers_->team.run(n_tasks, task);
}

OwnThreadPool::Workers::~Workers() {
  team.stop();
  for (std::thread& thread : threads) thread.join();
}

std::shared_ptr<ThreadPool> make_thread_pool(int n_threads, bool pin, const NumaPlan* plan) {
  if (n_threads < 0 || n_threads > max_threads) fail(Status::invalid_argument, "{} threads: use 0 (automatic) to {}", n_threads, max_threads);
  const Topology topology = plan != nullptr ? plan->topology : this_topology();
  if (n_threads == 0) n_threads = default_threads(topology);
  return std::make_shared<OwnThreadPool>(plan_threads(topology, n_threads, plan != nullptr && plan->memory, pin, current_processor()));
}

}  // namespace platform

int default_threads() { return platform::default_threads(platform::this_topology()); }

std::shared_ptr<ThreadPool> make_thread_pool(const ThreadPoolOptions& options) {
  const auto plan = options.numa == Numa::none ? nullptr : platform::plan_numa(options.numa, platform::this_topology());
  return platform::make_thread_pool(options.n_threads, options.pin, plan.get());
}

std::shared_ptr<ThreadPool> make_thread_pool(int n_threads) { return make_thread_pool(ThreadPoolOptions{.n_threads = n_threads}); }

}  // namespace mla
