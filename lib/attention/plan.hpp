// The rates that the choice between the forms goes by: counted, or measured.
#pragma once
#include <functional>
#include <map>
#include <mla/attention_plan.hpp>
#include <mla/kv_cache.hpp>
#include <mutex>
#include <utility>

#include "attention/latent_weights.hpp"
#include "cache/row_format.hpp"
#include "platform/executor.hpp"

namespace mla::attention {

/// Multiply-adds in place of nanoseconds: the same everywhere.
AttentionRates counted_rates(const CacheShape& shape) noexcept;

/// Queries that measuring takes scratch for.
constexpr int measured_queries = 256;

/// Runs both forms on made-up rows; `workspace` is that of the absorbed form. Where there are only scalar kernels, which would take
/// seconds, and for models too small to be timed, counts.
AttentionRates measured_rates(const CacheShape& shape, const cache::RowFormat& format, const LatentWeights& weights, std::span<float> workspace,
                              platform::Executor& executor);

/// What contexts of one model have measured. Any thread may call it.
class KnownRates {
 public:
  AttentionRates get(CacheType type, int n_threads, const std::function<AttentionRates()>& measure);

 private:
  std::mutex mutex_;
  std::map<std::pair<CacheType, int>, AttentionRates> rates_;
};

}  // namespace mla::attention
