// Activations times a weight matrix that stays in its block format.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>

#include "kernels/int8.hpp"
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
  Int8Rows x8 = {};  ///< x rounded to 8 bits, or empty: the product is then computed in floats
};

/// Rounds rows of x [m, columns] for products with weights of these types into memory of at least int8_rows_bytes(m, columns);
/// empty where none of the types has an integer kernel on this processor.
Int8Rows round_rows(const float* x, std::int64_t ldx, std::int64_t m, std::int64_t columns, std::initializer_list<quant::Type> types,
                    std::span<std::byte> memory, platform::Executor& executor);

/// Rows of w that one task takes, or more (tile_height()): a tile of them, dequantised in strips of `tile_columns`, stays in a core's cache.
constexpr std::int64_t tile_rows = 64;
constexpr std::int64_t tile_columns = 2048;
/// Scratch that matmul_on_this_thread() needs, in floats: a strip, or one whole row.
std::size_t matmul_scratch_floats(std::int64_t widest_row) noexcept;

/// What the product of m rows with w has to do.
inline platform::Work work_of(const Matrix& w, std::int64_t m) noexcept {
  return {static_cast<std::uint64_t>(w.rows) * w.row_bytes, 2 * static_cast<std::uint64_t>(m * w.rows * w.cols)};
}

/// The product on the calling thread; picks the first of the candidates (matmul.cpp) that suits.
void matmul_on_this_thread(const MatmulParams& p, std::span<float> scratch);

/// The same for x that nobody else reads: block formats meet it rounded to 8 bits, which is done here, in the scratch.
void round_and_matmul_on_this_thread(MatmulParams p, std::span<float> scratch);

/// The product, its weight rows shared out among the executor's threads. Block formats meet activations of 8 bits where the
/// processor has a kernel for it: `memory`, at least int8_rows_bytes(m, w.cols), holds them, unless p.x8 does.
void matmul(MatmulParams p, std::span<std::byte> memory, platform::Executor& executor);

/// Rows index · height … of a matrix: what one task takes.
struct RowTile {
  std::int64_t index, height;
};
/// Height of the tiles that `n_matrices` matrices like w are cut into, for m activations in all. Many activations: tile_rows. Few: some
/// tiles for each thread, since a weight is then read once, and whoever begins to read at a new place waits for memory.
std::int64_t tile_height(const Matrix& w, std::int64_t n_matrices, std::int64_t m, int n_threads) noexcept;
inline std::int64_t n_tiles(const Matrix& w, std::int64_t height) noexcept { return (w.rows + height - 1) / height; }
MatmulParams tile_of(const MatmulParams& p, RowTile tile) noexcept;

/// The matrix as the calling thread multiplies with it: where it best reads it, a copy on its node if there is one, and in the order that
/// the executor asks for.
inline Matrix local(Matrix w, const platform::Executor& executor) noexcept {
  w.data = executor.local(w.data);
  w.fixed_order = executor.fixed_order();
  return w;
}

/// Dequantise a row, multiply in double: the oracle of the tests.
void matmul_reference(const MatmulParams& p);

/// Values first … first + n - 1 of a row of w, which is not in panels; both numbers are multiples of the type's block size.
void dequantize_part(const Matrix& w, std::int64_t row, std::int64_t first, std::int64_t n, float* out) noexcept;

/// All of w, rows or panels, as floats, rows ldw apart.
void dequantize_matrix(const Matrix& w, float* out, std::int64_t ldw) noexcept;

}  // namespace mla::kernels
