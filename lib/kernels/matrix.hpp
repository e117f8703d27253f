// Views of weight matrices, in whatever block format the file holds.
#pragma once
#include <cstddef>
#include <cstdint>

#include "quant/types.hpp"

namespace mla::kernels {

/// A weight matrix [rows, cols], row-major; each row is a whole number of blocks. Doesn't own its memory.
struct Matrix {
  const std::byte* data = nullptr;
  quant::Type type = quant::Type::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::size_t row_bytes = 0;

  const std::byte* row(std::int64_t i) const noexcept { return data + static_cast<std::size_t>(i) * row_bytes; }
  /// Rows first … first + count - 1 as a matrix of their own.
  Matrix slice(std::int64_t first, std::int64_t count) const noexcept { return {row(first), type, count, cols, row_bytes}; }
  explicit operator bool() const noexcept { return data != nullptr; }
};

/// Equal matrices at equal distances: experts, or heads. stack[i] is the i-th.
struct MatrixStack {
  Matrix first;
  std::int64_t count = 0;
  std::size_t stride = 0;  ///< bytes from one matrix to the next

  Matrix operator[](std::int64_t i) const noexcept {
    Matrix matrix = first;
    matrix.data += static_cast<std::size_t>(i) * stride;
    return matrix;
  }
  explicit operator bool() const noexcept { return static_cast<bool>(first); }
};

}  // namespace mla::kernels
