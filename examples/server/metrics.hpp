// Counters for Prometheus.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "server/answer_stream.hpp"

namespace server {

/// How full the scheduler and its caches are at a moment.
struct Load {
  int n_slots = 0, n_busy = 0, n_waiting = 0;
  std::uint64_t cache_bytes = 0;  ///< of all rows in memory, sequences in work included
  std::uint64_t cache_capacity = 0;
  std::uint64_t n_cached_prompts = 0, n_evicted = 0;
  std::uint64_t n_saved_prompts = 0, saved_bytes = 0;  ///< on disk
};

/// Counts of durations in buckets, as Prometheus reads them. Any thread.
class Histogram {
 public:
  static constexpr std::array<double, 12> bounds{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120};  // seconds

  void add(double seconds);
  std::string text(const std::string& name, const std::string& help) const;

 private:
  mutable std::mutex mutex_;
  std::array<std::uint64_t, bounds.size() + 1> counts_{};
  double sum_ = 0;
};

/// Any thread.
class Metrics {
 public:
  void count_request(const std::string& path, int status);
  void count_answer(const Finish& finish);
  void count_cancelled() { ++cancelled_; }
  void count_step(int n_tokens, double seconds);

  Histogram first_token;     ///< from the request's arrival in the queue
  Histogram between_tokens;  ///< of one answer

  /// The text format of Prometheus, version 0.0.4.
  std::string text(const Load& load) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::uint64_t> requests_;
  std::atomic<std::uint64_t> prompt_tokens_{0}, cached_tokens_{0}, generated_tokens_{0}, answers_{0}, failed_{0}, cancelled_{0}, steps_{0},
      step_tokens_{0};
  std::atomic<double> step_seconds_{0};
};

}  // namespace server
