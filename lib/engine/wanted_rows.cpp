#include "engine/wanted_rows.hpp"

#include <algorithm>

namespace mla::engine {
namespace {

// Where each of `some` stands among `rows`.
void number(std::span<const int> some, std::span<const int> rows, std::vector<int>& numbers) {
  numbers.clear();
  for (const int row : some) numbers.push_back(static_cast<int>(std::ranges::lower_bound(rows, row) - rows.begin()));
}

}  // namespace

void WantedRows::find(const Ubatch& ubatch) {
  rows_.assign(ubatch.logit_rows.begin(), ubatch.logit_rows.end());
  rows_.insert(rows_.end(), ubatch.embedding_rows.begin(), ubatch.embedding_rows.end());
  std::ranges::sort(rows_);
  const auto repeated = std::ranges::unique(rows_);
  rows_.erase(repeated.begin(), repeated.end());
  number(ubatch.logit_rows, rows_, logit_rows_);
  number(ubatch.embedding_rows, rows_, embedding_rows_);

  positions_.clear();
  for (const int row : rows_) positions_.push_back(ubatch.positions[static_cast<std::size_t>(row)]);
  sequences_.clear();
  for (const attention::SequenceRows& sequence : ubatch.sequences) {
    const auto first = std::ranges::lower_bound(rows_, sequence.first_row), end = std::ranges::lower_bound(rows_, sequence.first_row + sequence.n_rows);
    if (first != end) sequences_.push_back({static_cast<int>(first - rows_.begin()), static_cast<int>(end - first), sequence.pages});
  }
}

void WantedRows::gather(float* table, std::int64_t width) const noexcept {
  for (std::size_t i = 0; i < rows_.size(); ++i)
    if (const auto to = static_cast<std::int64_t>(i); rows_[i] != to) std::copy_n(table + rows_[i] * width, width, table + to * width);
}

}  // namespace mla::engine
