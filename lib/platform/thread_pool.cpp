// The library's own thread pool: a Team and the threads that work in it.
#include "platform/thread_pool.hpp"

#include <system_error>

#include "platform/fail.hpp"

namespace mla {
namespace platform {

OwnThreadPool::OwnThreadPool(int n_threads, int n_processors) : team_(n_threads, n_processors) {
  try {
    threads_.reserve(static_cast<std::size_t>(n_threads - 1));
    for (int thread = 1; thread < n_threads; ++thread) threads_.emplace_back([this, thread] { team_.work(thread); });
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

}  // namespace platform

int default_threads() { return platform::default_threads(platform::this_topology()); }

std::shared_ptr<ThreadPool> make_thread_pool(int n_threads) {
  if (n_threads < 0 || n_threads > max_threads) fail(Status::invalid_argument, "{} threads: use 0 (automatic) to {}", n_threads, max_threads);
  const platform::Topology topology = platform::this_topology();
  return std::make_shared<platform::OwnThreadPool>(n_threads == 0 ? platform::default_threads(topology) : n_threads,
                                                   platform::usable_processors(topology));
}

}  // namespace mla
