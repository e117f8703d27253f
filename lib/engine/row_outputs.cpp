#include "engine/row_outputs.hpp"

#include "platform/fail.hpp"

namespace mla::engine {

void RowOutputs::place(std::span<const std::uint8_t> wanted, std::size_t n) {
  index_.assign(n, -1);
  int count = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i]) index_[i] = count++;
  const std::size_t bytes = static_cast<std::size_t>(count) * width_ * sizeof(float);
  if (bytes > memory_.size()) memory_ = platform::Buffer(allocator_, bytes, what_);
}

float* RowOutputs::collect(int begin, int end, std::span<const int> places, std::vector<int>& rows) {
  rows.clear();
  int first = 0;
  for (int i = begin; i < end; ++i) {
    const int index = index_[static_cast<std::size_t>(i)];
    if (index < 0) continue;
    if (rows.empty()) first = index;
    rows.push_back(places[static_cast<std::size_t>(i - begin)]);
  }
  return memory_.as<float>().data() + static_cast<std::size_t>(first) * width_;
}

std::span<const float> RowOutputs::of_row(int row) const {
  if (row < 0 || row >= static_cast<int>(index_.size()))
    fail(Status::invalid_argument, "row {} of the last batch: it has {} rows", row, index_.size());
  const int index = index_[static_cast<std::size_t>(row)];
  if (index < 0) fail(Status::invalid_argument, "row {} of the last batch did not ask for {}", row, what_);
  return {reinterpret_cast<const float*>(memory_.data()) + static_cast<std::size_t>(index) * width_, width_};
}

int RowOutputs::last_row() const noexcept {
  auto row = static_cast<int>(index_.size()) - 1;
  while (row >= 0 && index_[static_cast<std::size_t>(row)] < 0) --row;
  return row;
}

}  // namespace mla::engine
