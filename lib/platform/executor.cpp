#include "platform/executor.hpp"

#include "platform/fail.hpp"

namespace mla::platform {

// The callback may be costly (a scripting language's lock, say), the promise to the host is 200 ms.
constexpr auto poll_interval = std::chrono::milliseconds(20);

Executor::Executor(std::shared_ptr<ThreadPool> pool, AbortCallback abort, std::size_t scratch_floats,
                   const std::shared_ptr<Allocator>& allocator)
    : pool_(std::move(pool)),
      callback_(std::move(abort)),
      scratch_floats_((scratch_floats + 15) / 16 * 16),
      owner_(std::this_thread::get_id()) {
  scratch_ = Buffer(allocator, scratch_floats_ * sizeof(float) * static_cast<std::size_t>(pool_->n_threads()), "thread scratch");
}

void Executor::start() noexcept {
  aborted_.store(false, std::memory_order_relaxed);
  owner_ = std::this_thread::get_id();
  last_poll_ = {};
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
