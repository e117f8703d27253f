#include "attention/probe.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>

namespace mla::attention {
namespace {

// Values in -1 … 1 that do not repeat within a row.
float made_up(std::uint32_t i) noexcept { return static_cast<float>(static_cast<std::int32_t>(i * 2654435761u)) * 0x1p-31f; }

}  // namespace

Probe::Probe(const CacheShape& s, const cache::RowFormat& format, const LatentWeights& weights, std::span<float> workspace, platform::Executor& executor,
             int n_queries, int n_rows)
    : shape_(s),
      format_(format),
      weights_(weights),
      workspace_(workspace),
      executor_(executor),
      q_(static_cast<std::size_t>(n_queries) * static_cast<std::size_t>(s.n_heads) * static_cast<std::size_t>(s.n_nope + s.n_rope)),
      out_(static_cast<std::size_t>(n_queries) * static_cast<std::size_t>(s.n_heads) * static_cast<std::size_t>(s.n_value)),
      query_positions_(static_cast<std::size_t>(n_queries)) {
  const auto n_pages = static_cast<std::size_t>((n_rows + cache::page_rows - 1) / cache::page_rows);
  rows_.resize(n_pages * cache::page_rows * format.bytes);
  key_positions_.resize(n_pages * cache::page_rows);
  std::iota(key_positions_.begin(), key_positions_.end(), 0);
  for (std::size_t i = 0; i < q_.size(); ++i) q_[i] = 0.05f * made_up(static_cast<std::uint32_t>(i));
  std::vector<float> values(static_cast<std::size_t>(s.n_latent));
  for (std::size_t row = 0; row < key_positions_.size(); ++row) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = made_up(static_cast<std::uint32_t>(row * values.size() + i));
    for (const cache::RowPart* part : {&format.key, &format.rope}) cache::write_part(*part, values.data(), rows_.data() + row * format.bytes);
  }
}

double Probe::run(Form form, int n_queries, int n_keys) {
  const int n = n_keys + n_queries;
  pages_.clear();
  for (int first = 0; first < n; first += cache::page_rows) {
    const int in_page = std::min(cache::page_rows, n - first);
    const std::uint64_t live = in_page == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << in_page) - 1;
    pages_.push_back({rows_.data() + static_cast<std::size_t>(first) * format_.bytes, key_positions_.data() + first, live, first, first + in_page - 1});
  }
  std::iota(query_positions_.begin(), query_positions_.begin() + n_queries, n_keys);
  const SequenceRows sequence{0, n_queries, pages_};
  const Params params{shape_, CacheLayout::latent, &format_, 0, weights_, q_.data(), query_positions_.data(), {&sequence, 1}, out_.data()};
  const auto start = std::chrono::steady_clock::now();
  if (form == Form::expanded)
    expanded_form(params, params.sequences, executor_);
  else
    absorbed_form(params, params.sequences, workspace_, executor_);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace mla::attention
