// What a decode hands out for some of its rows: logits, or embeddings.
#pragma once
#include <cstdint>
#include <memory>
#include <mla/host.hpp>
#include <span>
#include <vector>

#include "platform/memory.hpp"

namespace mla::engine {

/// One vector for each row of a batch that asked for it, in the batch's order. Memory only grows.
class RowOutputs {
 public:
  /// `what` is static, and what errors name.
  RowOutputs(const char* what, int width, std::shared_ptr<Allocator> allocator) : what_(what), width_(static_cast<std::size_t>(width)), allocator_(std::move(allocator)) {}

  void clear() noexcept { index_.clear(); }
  /// Room for the rows of a batch of n that are `wanted`, [n] or empty. Throws Error(out_of_memory).
  void place(std::span<const std::uint8_t> wanted, std::size_t n);
  /// Of the batch's rows begin … end-1, those that asked: where each is computed, `places` [end - begin], is appended to `rows`.
  /// Returns where their vectors belong, one after another.
  float* collect(int begin, int end, std::span<const int> places, std::vector<int>& rows);

  /// Of a row of the batch. Throws Error(invalid_argument) if it didn't ask.
  std::span<const float> of_row(int row) const;
  /// The last row that asked; -1: none.
  int last_row() const noexcept;

 private:
  const char* what_;
  std::size_t width_;
  std::shared_ptr<Allocator> allocator_;
  std::vector<int> index_;  // [batch] vector of a row, or -1
  platform::Buffer memory_;
};

}  // namespace mla::engine
