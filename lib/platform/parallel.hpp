// parallel_for: a lambda over the tasks of a ThreadPool.
#pragma once
#include <mla/host.hpp>
#include <type_traits>

namespace mla::platform {

/// Runs body(task, thread) for 0 <= task < n_tasks on the pool.
template <typename Body>
void parallel_for(ThreadPool& pool, int n_tasks, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  if (n_tasks == 1) {  // not worth waking anyone
    body(0, 0);
    return;
  }
  pool.run(n_tasks, TaskRef{[](void* data, int task, int thread) { (*static_cast<Plain*>(data))(task, thread); },
                            const_cast<void*>(static_cast<const void*>(&body))});
}

}  // namespace mla::platform
