// Memory handed out piece by piece. The same code that lays pieces out counts what they need.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace mla::platform {

/// A copy goes on from where the original is: pieces of both share memory.
class Scratch {
 public:
  /// Counts only: pieces are null.
  Scratch() = default;
  /// `memory` is 64-byte aligned.
  explicit Scratch(std::span<float> memory) noexcept : begin_(reinterpret_cast<std::byte*>(memory.data())) {}

  template <typename T>
  T* take(std::int64_t n) noexcept {
    std::byte* const piece = begin_ == nullptr ? nullptr : begin_ + used_;
    used_ += (static_cast<std::size_t>(n) * sizeof(T) + 63) / 64 * 64;
    return reinterpret_cast<T*>(piece);
  }
  std::size_t floats() const noexcept { return used_ / sizeof(float); }

 private:
  std::byte* begin_ = nullptr;
  std::size_t used_ = 0;
};

}  // namespace mla::platform
