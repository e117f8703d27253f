// OpTimer: where the time of a forward pass goes, by operation.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mla::platform {

/// The operations that are told apart; op_name() has the public names.
enum class Op : std::uint8_t {
  embed, norm, q, kv_a, rope, cache, q_k_b, rows, kv_b, kq, softmax, kqv, kqv_merge, v_b, attention_wait, kqv_out, residual,
  router, experts_sort, experts_gate_up, experts_down, experts_sum, shared_gate_up, shared_down, dense_gate_up, dense_down, output
};
constexpr std::size_t n_ops = static_cast<std::size_t>(Op::output) + 1;

const char* op_name(Op op) noexcept;

/// What an operation had to do: bytes of weights or cache rows that it read or wrote, and twice its multiply-adds.
struct Work {
  std::uint64_t bytes = 0, operations = 0;

  Work& operator+=(const Work& other) noexcept {
    bytes += other.bytes, operations += other.operations;
    return *this;
  }
  friend Work operator+(Work a, const Work& b) noexcept { return a += b; }
  friend Work operator*(Work a, std::uint64_t n) noexcept { return {a.bytes * n, a.operations * n}; }
};

struct OpTotal {
  double seconds = 0;
  std::uint64_t calls = 0;
  Work work;
};

/// A stopwatch with laps: each lap gives the time since the one before to an operation, so that the operations of a pass add up
/// to its wall time. Off until enable(), and then a lap costs a test of a flag.
/// Laps are taken by the thread that computes; inside a parallel operation, each thread has a stopwatch of its own (ThreadLaps).
class OpTimer {
  using Clock = std::chrono::steady_clock;
  using Totals = std::array<OpTotal, n_ops>;
  struct alignas(64) PerThread {
    Totals totals;
  };

 public:
  /// `n_threads`: the largest number of threads that a parallel operation has.
  void enable(int n_threads);
  void disable() noexcept { threads_.clear(); }
  bool enabled() const noexcept { return !threads_.empty(); }
  /// Threads that parallel operations have from now on: at least 1, at most what enable() was told.
  void set_threads(int n_threads) noexcept { n_threads_ = n_threads; }

  /// While one lives, laps are not taken; the time belongs to nothing.
  class Pause {
   public:
    explicit Pause(OpTimer& timer) noexcept : timer_(timer) { timer_.threads_.swap(threads_); }
    ~Pause() {
      timer_.threads_.swap(threads_);
      timer_.start();
    }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    OpTimer& timer_;
    std::vector<PerThread> threads_;
  };

  /// The time up to here belongs to nothing.
  void start() noexcept {
    if (enabled()) last_ = Clock::now();
  }
  void lap(Op op, Work work = {}) noexcept {
    if (enabled()) add(totals_, op, seconds_since_lap(), work);
  }

  /// The laps of one thread within a parallel operation.
  class ThreadLaps {
   public:
    void lap(Op op, Work work = {}) noexcept {
      if (totals_ == nullptr) return;
      const Clock::time_point now = Clock::now();
      add(*totals_, op, std::chrono::duration<double>(now - last_).count(), work);
      last_ = now;
    }

   private:
    friend class OpTimer;
    Totals* totals_ = nullptr;
    Clock::time_point last_;
  };
  ThreadLaps thread_laps(int thread) noexcept;

  /// Ends a lap that was a parallel operation. An operation that threads took laps of gets their sum divided by the number of
  /// threads: its share of the wall time, if the threads had equal shares of the work. What remains of the lap, in which
  /// threads waited for the last one, goes to `waiting`.
  void join(Op waiting) noexcept;

  const OpTotal& total(Op op) const noexcept { return totals_[static_cast<std::size_t>(op)]; }
  void reset() noexcept { totals_ = {}; }

 private:
  static void add(Totals& totals, Op op, double seconds, Work work) noexcept;
  double seconds_since_lap() noexcept;

  Clock::time_point last_;
  Totals totals_;
  std::vector<PerThread> threads_;  // empty: off
  int n_threads_ = 1;
};

}  // namespace mla::platform
