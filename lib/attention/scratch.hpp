// Memory of a task, handed out piece by piece. The same code that lays pieces out over a thread's scratch counts what they need.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace mla::attention {

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

/// Widths of a row's two parts, which are rounded apart: (nope | rope), or (latent | rope).
struct Widths {
  int first, second;
  int total() const noexcept { return first + second; }
};

/// Memory that will be read next.
using Ahead = std::span<const std::byte>;

/// Distance of rows of results: kernels write sixteen columns at once.
constexpr std::int64_t result_stride(int width) noexcept { return (std::int64_t{width} + 15) / 16 * 16; }

}  // namespace mla::attention
