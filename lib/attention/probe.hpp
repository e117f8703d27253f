// Attention of one layer over made-up rows, to be timed.
#pragma once
#include <vector>

#include "attention/attention.hpp"

namespace mla::attention {

class Probe {
 public:
  /// All arguments outlive the probe. Memory for n_rows keys and queries.
  Probe(const CacheShape& shape, const cache::RowFormat& format, const LatentWeights& weights, std::span<float> workspace, platform::Executor& executor,
        int n_queries, int n_rows);

  /// Seconds for n_queries tokens behind n_keys others, which is at most the rows there are.
  double run(Form form, int n_queries, int n_keys);

 private:
  const CacheShape& shape_;
  const cache::RowFormat& format_;
  const LatentWeights& weights_;
  std::span<float> workspace_;
  platform::Executor& executor_;
  std::vector<float> q_, out_;
  std::vector<std::byte> rows_;
  std::vector<Position> key_positions_, query_positions_;
  std::vector<cache::PageView> pages_;
};

}  // namespace mla::attention
