// Views of weight matrices, in whatever block format the file holds.
#pragma once
#include <cstddef>
#include <cstdint>

#include "quant/types.hpp"

namespace mla::kernels {

/// A weight matrix [rows, cols]; each row is a whole number of blocks. Row-major, or in panels of sixteen rows
/// (kernels/panels.hpp), which take the same bytes. Doesn't own its memory.
struct Matrix {
  const std::byte* data = nullptr;
  quant::Type type = quant::Type::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::size_t row_bytes = 0;
  bool in_panels = false;

  /// Of a matrix in panels only where a panel begins.
  const std::byte* row(std::int64_t i) const noexcept { return data + static_cast<std::size_t>(i) * row_bytes; }
  /// Rows first … first + count - 1 as a matrix of their own; whole panels of a matrix in panels.
  Matrix slice(std::int64_t first, std::int64_t count) const noexcept { return {row(first), type, count, cols, row_bytes, in_panels}; }
  std::size_t bytes() const noexcept { return static_cast<std::size_t>(rows) * row_bytes; }
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
  /// Whether one matrix begins where the one before ends; not so where each is a part of a larger one.
  bool is_dense() const noexcept { return stride == first.bytes(); }
  explicit operator bool() const noexcept { return static_cast<bool>(first); }
};

}  // namespace mla::kernels
