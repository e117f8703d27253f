#include "platform/executor.hpp"

#include <algorithm>

#include "platform/fail.hpp"
#include "platform/thread_pool.hpp"

namespace mla::platform {

constexpr int max_queues = 16;

// The callback may be costly (a scripting language's lock, say), the promise to the host is 200 ms.
constexpr auto poll_interval = std::chrono::milliseconds(20);

Executor::Executor(std::shared_ptr<ThreadPool> pool, AbortCallback abort, std::size_t scratch_floats,
                   const std::shared_ptr<Allocator>& allocator)
    : pool_(std::move(pool)),
      active_(pool_->n_threads()),
      ends_(static_cast<std::size_t>(active_)),
      callback_(std::move(abort)),
      scratch_floats_((scratch_floats + 15) / 16 * 16),
      owner_(std::this_thread::get_id()) {
  scratch_ = Buffer(allocator, scratch_bytes(scratch_floats, pool_->n_threads()), "thread scratch");
  if (auto* own = dynamic_cast<OwnThreadPool*>(pool_.get())) {
    team_ = &own->team();
  } else if (pool_->concurrent() && n_threads() > 1) {
    host_team_ = std::make_unique<Team>(n_threads(), usable_processors(this_topology()));
    team_ = host_team_.get();
  }
}

Executor::~Executor() {
  if (!process_.is_here()) (void)host_team_.release();  // as OwnThreadPool does
}

void Executor::use_threads(int n_threads) noexcept {
  if (team_ != nullptr) active_ = std::clamp(n_threads, 1, pool_->n_threads());
  ops_.set_threads(active_);
}

void Executor::run(int n_tasks, TaskRef task) {
  if (team_ == nullptr) return pool_->run(n_tasks, task);
  // Each thread begins with a run of neighbouring tasks, so that it reads weights and writes results in one piece; who is done takes
  // from others. Looking for those costs a cache miss each, so large teams share queues.
  const int n_queues = std::min({n_tasks, active_, max_queues});
  for (int i = 0; i < n_queues; ++i)
    ends_[static_cast<std::size_t>(i)] = static_cast<int>(std::int64_t{n_tasks} * (i + 1) / n_queues);
  team_->run({std::span<const int>(ends_).first(static_cast<std::size_t>(n_queues)), active_}, task);
}

void Executor::start() noexcept {
  aborted_.store(false, std::memory_order_relaxed);
  owner_ = std::this_thread::get_id();
  last_poll_ = {};
}

void Executor::place(const NumaPlan* plan, const Replicas* replicas) noexcept {
  plan_ = plan;
  replicas_ = plan != nullptr && replicas != nullptr && replicas->bytes > 0 ? replicas : nullptr;
  rows_ = plan != nullptr ? plan->rows() : RowSplit{};
}

Executor::RowTask Executor::row_task(std::int64_t task, std::int64_t n_groups, std::int64_t n_tiles) const noexcept {
  std::int64_t first = 0, width = n_tiles;
  for (int node = 0; rows_.n_nodes > 1; ++node) {
    first = rows_.first_tile(n_tiles, node);
    width = rows_.first_tile(n_tiles, node + 1) - first;
    if (task < n_groups * width) break;
    task -= n_groups * width;
  }
  return {task / width, first + task % width};
}

void Executor::run_rows(std::int64_t n_groups, std::int64_t n_tiles, TaskRef task) {
  const int n_tasks = static_cast<int>(n_groups * n_tiles), n_nodes = rows_.n_nodes;
  if (team_ == nullptr || n_nodes == 1 || n_nodes > n_threads()) return run(n_tasks, task);
  for (int node = 0; node < n_nodes; ++node)
    ends_[static_cast<std::size_t>(node)] = static_cast<int>(n_groups * rows_.first_tile(n_tiles, node + 1));
  team_->run({std::span<const int>(ends_).first(static_cast<std::size_t>(n_nodes)), active_, true, plan_->node_here()}, task);
}

std::span<float> Executor::scratch(int thread) noexcept {
  return scratch_.as<float>().subspan(static_cast<std::size_t>(thread) * scratch_floats_, scratch_floats_);
}

bool Executor::stop_requested() {
  if (aborted_.load(std::memory_order_relaxed)) return true;
  if (!callback_ || std::this_thread::get_id() != owner_) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_poll_ < poll_interval) return false;
  last_poll_ = now;
  if (callback_()) abort();
  return aborted_.load(std::memory_order_relaxed);
}

void Executor::throw_if_aborted() {
  if (stop_requested()) fail(Status::aborted, "the computation was aborted by the host");
}

}  // namespace mla::platform
