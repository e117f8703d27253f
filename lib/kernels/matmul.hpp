// Activations times a weight matrix that stays in its block format.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/matrix.hpp"
#include "platform/executor.hpp"

namespace mla::kernels {

/// y[i, j] = sum over k of x[i, k] · w[j, k], for i < m and every row j of w.
struct MatmulParams {
  const float* x;  ///< [m, w.cols], rows ldx apart
  std::int64_t ldx;
  std::int64_t m;
  Matrix w;  ///< [n, k]
  float* y;  ///< [m, w.rows], rows ldy apart
  std::int64_t ldy;
};

/// Rows of w that one task takes: a tile of them, dequantised in strips of `tile_columns`, stays in a core's cache.
constexpr std::int64_t tile_rows = 64;
constexpr std::int64_t tile_columns = 2048;
/// Scratch that matmul_on_this_thread() needs, in floats: a strip, or one whole row.
std::size_t matmul_scratch_floats(std::int64_t widest_row) noexcept;

/// The product on the calling thread; picks the first of the candidates (matmul.cpp) that suits.
void matmul_on_this_thread(const MatmulParams& p, std::span<float> scratch);

/// The product, its weight rows shared out among the executor's threads.
void matmul(const MatmulParams& p, platform::Executor& executor);

/// Number of row tiles of a matrix, and the part of the product that belongs to one.
inline std::int64_t n_tiles(const Matrix& w) noexcept { return (w.rows + tile_rows - 1) / tile_rows; }
MatmulParams tile_of(const MatmulParams& p, std::int64_t tile) noexcept;

/// Dequantise a row, multiply in double: the oracle of the tests.
void matmul_reference(const MatmulParams& p);

/// All of w as floats, rows ldw apart.
void dequantize_matrix(const Matrix& w, float* out, std::int64_t ldw) noexcept;

}  // namespace mla::kernels
