// Views of weight matrices, in whatever block format the file holds.
#pragma once
#include <cstddef>
#include <cstdint>

#include "quant/types.hpp"

namespace mla::kernels {

/// One factor for each block of 128 × 128 values of an f8_e4m3 matrix; blocks at the right and lower edge are cut.
struct BlockScales {
  static constexpr std::int64_t size = 128;
  const float* first = nullptr;  ///< [.., per_row]: of the block that the matrix' first value is in, and on
  std::int64_t per_row = 0;
  std::int64_t offset = 0;  ///< of the matrix' first row in its block

  static constexpr std::int64_t blocks(std::int64_t n) noexcept { return (n + size - 1) / size; }
  const float* of_row(std::int64_t row) const noexcept { return first + (offset + row) / size * per_row; }
  BlockScales from(std::int64_t row) const noexcept {
    return first == nullptr ? BlockScales{} : BlockScales{of_row(row), per_row, (offset + row) % size};
  }
};

/// A weight matrix [rows, cols]; each row is a whole number of blocks. Row-major, or in panels of sixteen rows
/// (kernels/panels.hpp), which take the same bytes. Doesn't own its memory.
struct Matrix {
  const std::byte* data = nullptr;
  quant::Type type = quant::Type::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::size_t row_bytes = 0;
  bool in_panels = false;
  BlockScales scales = {};
  bool fixed_order = false;  ///< products sum up in an order that follows from rows and cols alone, not from the other side's rows

  /// Of a matrix in panels only where a panel begins.
  const std::byte* row(std::int64_t i) const noexcept { return data + static_cast<std::size_t>(i) * row_bytes; }
  /// Rows first … first + count - 1 as a matrix of their own; whole panels of a matrix in panels.
  Matrix slice(std::int64_t first, std::int64_t count) const noexcept { 
    return {row(first), type, count, cols, row_bytes, in_panels, scales.from(first), fixed_order};
  }
  std::size_t bytes() const noexcept { return static_cast<std::size_t>(rows) * row_bytes; }
  explicit operator bool() const noexcept { return data != nullptr; }
};

/// Matrices of one shape and type, at equal distances or anywhere: experts, or heads. stack[i] is the i-th.
struct MatrixStack {
  Matrix first;
  std::int64_t count = 0;
  std::size_t stride = 0;  ///< bytes from one matrix to the next
  const Matrix* each = nullptr;  ///< [count], where they are at no equal distances; `first` is the first of them

  Matrix operator[](std::int64_t i) const noexcept {
    if (each != nullptr) return each[i];
    Matrix matrix = first;
    matrix.data += static_cast<std::size_t>(i) * stride;
    if (first.scales.first != nullptr) matrix.scales = first.scales.from(i * static_cast<std::int64_t>(stride / first.row_bytes));
    return matrix;
  }
  /// Whether one matrix begins where the one before ends; not so where each is a part of a larger one, or somewhere else.
  bool is_dense() const noexcept { return each == nullptr && stride == first.bytes(); }
  explicit operator bool() const noexcept { return static_cast<bool>(first); }
};

}  // namespace mla::kernels
