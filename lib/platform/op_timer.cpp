#include "platform/op_timer.hpp"

#include <algorithm>
#include <utility>

namespace mla::platform {

const char* op_name(Op op) noexcept {
  constexpr std::array<const char*, n_ops> names = {
      "embed", "norm", "q", "kv_a", "rope", "cache", "q_k_b", "rows", "kv_b", "kq", "softmax", "kqv", "kqv_merge", "v_b",
      "attention_wait", "kqv_out", "residual", "router", "experts_sort", "experts_gate_up", "experts_down", "experts_sum",
      "shared_gate_up", "shared_down", "dense_gate_up", "dense_down", "output"};
  return names[static_cast<std::size_t>(op)];
}

void OpTimer::enable(int n_threads) {
  n_threads_ = std::max(n_threads, 1);
  threads_.resize(static_cast<std::size_t>(n_threads_));
}

void OpTimer::add(Totals& totals, Op op, double seconds, Work work) noexcept {
  OpTotal& total = totals[static_cast<std::size_t>(op)];
  total.seconds += seconds;
  ++total.calls;
  total.work += work;
}

double OpTimer::seconds_since_lap() noexcept {
  const Clock::time_point now = Clock::now();
  return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
}

OpTimer::ThreadLaps OpTimer::thread_laps(int thread) noexcept {
  ThreadLaps laps;
  if (!enabled()) return laps;
  laps.totals_ = &threads_[static_cast<std::size_t>(thread)].totals;
  laps.last_ = Clock::now();
  return laps;
}

void OpTimer::join(Op waiting) noexcept {
  if (!enabled()) return;
  double rest = seconds_since_lap();
  for (PerThread& thread : threads_)
    for (std::size_t op = 0; op < n_ops; ++op) {
      OpTotal& part = thread.totals[op];
      if (part.calls == 0) continue;
      const double seconds = part.seconds / n_threads_;
      OpTotal& total = totals_[op];
      total.seconds += seconds;
      total.calls += part.calls;
      total.work += part.work;
      rest -= seconds;
      part = {};
    }
  add(totals_, waiting, std::max(rest, 0.0), {});
}

}  // namespace mla::platform
