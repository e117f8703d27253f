// Waiting for something that another thread is about to do.
#pragma once
#include <chrono>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mla::platform {

inline void relax() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#else
  std::this_thread::yield();
#endif
}

/// One wait: call pause() as long as what is waited for hasn't happened. For the first 20 µs it only spins; then it also offers the
/// processor to other threads now and then, and notices when one took it.
class Spin {
 public:
  void pause() noexcept {
    if (crowded_) return std::this_thread::yield();
    relax();
    if (++rounds_ % rounds_per_look != 0) return;
    const auto now = Clock::now();
    if (rounds_ == rounds_per_look) begin_ = now;
    elapsed_ = now - begin_;
    if (elapsed_ < before_yielding || rounds_ % rounds_per_yield != 0) return;
    std::this_thread::yield();
    crowded_ = Clock::now() - now > someone_ran;
  }

  /// Time in this wait so far.
  std::chrono::nanoseconds elapsed() const noexcept { return elapsed_; }
  /// There are more threads that want to run than processors: another one ran when this one offered.
  bool crowded() const noexcept { return crowded_; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int rounds_per_look = 32, rounds_per_yield = 256;  // a pause takes 15 to 50 ns
  static constexpr std::chrono::microseconds before_yielding{20}, someone_ran{20};

  int rounds_ = 0;
  bool crowded_ = false;
  Clock::time_point begin_;
  std::chrono::nanoseconds elapsed_{0};
};

}  // namespace mla::platform
