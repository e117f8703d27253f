// Runs the cells that share a context.
#pragma once
#include <memory>
#include <random>

#include <mla/context.hpp>

#include "report.hpp"

namespace bench {

enum class Fill { computed, random };

/// One context whose cache is filled to rising depths; each measurement starts at the depth reached.
class Bench {
 public:
  Bench(std::shared_ptr<const mla::Model> model, const mla::ContextOptions& options, Fill fill);

  int n_threads() const noexcept { return context_.n_threads(); }

  /// Fills the cache to `depth` tokens, which is not below the one before.
  void advance_to(int depth);

  /// Measures a cell at the depth reached: one run that doesn't count, then `repetitions` of them. `shown` is called after each.
  template <typename Shown>
  void measure(Result& cell, int repetitions, Shown&& shown) {
    rate(cell);
    context_.reset_op_timings();
    for (int i = 0; i < repetitions; ++i) {
      cell.samples.push_back(rate(cell));
      shown(cell);
    }
    cell.ops = context_.op_timings();
    cell.rates = context_.attention_rates();
  }

 private:
  double rate(const Result& cell);
  void decode_random(int n, int chunk);

  mla::Context context_;
  Fill fill_;
  int depth_ = 0;
  std::mt19937 random_;
  std::uniform_int_distribution<mla::Token> token_;
};

}  // namespace bench
