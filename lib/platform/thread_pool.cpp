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

OwnThreadPool::OwnThreadPool(const ThreadPlan& plan) : team_(static_cast<int>(plan.nodes.size()), plan.n_processors) {
  const int n_threads = team_.n_threads();
  try {
    threads_.reserve(static_cast<std::size_t>(n_threads - 1));
    for (int thread = 1; thread < n_threads; ++thread) {
      team_.set_node(thread, plan.nodes[static_cast<std::size_t>(thread)]);
      threads_.emplace_back([this, thread, processors = plan.processors[static_cast<std::size_t>(thread)]] {
        run_on(processors);
        team_.work(thread);
      });
    }
  } catch (const std::system_error& error) {
    end_threads();
    fail(Status::out_of_memory, "cannot start {} threads: {}", n_threads, error.what());
  } catch (...) {
    end_threads();
    throw;
  }
}

void OwnThreadPool::end_threads() noexcept {
  team_.stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
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
