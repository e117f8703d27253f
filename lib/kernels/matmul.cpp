#include "kernels/matmul.hpp"

#include <algorithm>
#include <vector>

#include "kernels/dot.hpp"
#include "kernels/panels.hpp"
#include "kernels/sgemm.hpp"
#include "quant/dequantize.hpp"

namespace mla::kernels {
namespace {

// y = x · wᵀ + beta · y for w in floats. oneDNN has a path for up to 8 rows that packs nothing; beyond it, packing pays only
// from about two hundred rows on, because our tiles of w are narrow (docs/kernels.md has the figures).
void multiply(SgemmParams p) {
  constexpr std::int64_t few = 8, many = 192;
  const std::int64_t m = p.m, step = m < many && !p.fixed_order ? few : m;
  for (std::int64_t first = 0; first < m; first += step) {
    p.m = std::min(step, m - first);
    sgemm(p);
    p.a += p.m * p.lda, p.c += p.m * p.ldc;
  }
}

// Float weights are multiplied where they are.
void float_weights_sgemm(const MatmulParams& p, std::span<float>) {
  multiply({p.x, p.ldx, reinterpret_cast<const float*>(p.w.data), static_cast<std::int64_t>(p.w.row_bytes / sizeof(float)),
            Transpose::yes, p.y, p.ldy, p.m, p.w.rows, p.w.cols, 0.0f, p.w.fixed_order});
}

// Few activations: each weight row is read once, into the first-level cache, and meets them all there.
void row_by_row(const MatmulParams& p, std::span<float> scratch) {
  const DotFn dot = active_dot();
  for (std::int64_t j = 0; j < p.w.rows; ++j) {
    const float* row = reinterpret_cast<const float*>(p.w.row(j));
    if (p.w.type != quant::Type::f32) {
      dequantize_part(p.w, j, 0, p.w.cols, scratch.data());
      row = scratch.data();
    }
    for (std::int64_t i = 0; i < p.m; ++i) p.y[i * p.ldy + j] = dot(row, p.x + i * p.ldx, p.w.cols);
  }
}

// Many activations: a strip of the tile is dequantised once for all of them.
void strips_sgemm(const MatmulParams& p, std::span<float> scratch) {
  for (std::int64_t first_row = 0; first_row < p.w.rows; first_row += tile_rows) {
    const std::int64_t n = std::min(tile_rows, p.w.rows - first_row);
    for (std::int64_t first = 0; first < p.w.cols; first += tile_columns) {
      const std::int64_t k = std::min(tile_columns, p.w.cols - first);
      for (std::int64_t j = 0; j < n; ++j)
        dequantize_part(p.w, first_row + j, first, k, scratch.data() + j * k);
      multiply({p.x + first, p.ldx, scratch.data(), k, Transpose::yes, p.y + first_row, p.ldy, p.m, n, k, first == 0 ? 0.0f : 1.0f, p.w.fixed_order});
    }
  }
}

bool has_int8_kernel(quant::Type type) {
  const Int8Kernels* const kernels = active_int8_kernels();
  return kernels != nullptr && kernels->find(type) != nullptr;
}
bool suits_int8(const MatmulParams& p) { return !p.x8.is_empty() && has_int8_kernel(p.w.type); }

void int8_product(const MatmulParams& p, std::span<float> scratch) {
  active_int8_kernels()->find(p.w.type)({p.x8, p.m, p.w.data, p.w.row_bytes, p.w.rows, p.w.cols, p.y, p.ldy, p.w.in_panels}, scratch.data());
}

struct Candidate {
  const char* name;
  bool (*suits)(const MatmulParams& p);
  void (*run)(const MatmulParams& p, std::span<float> scratch);
};

// First that suits wins. Where one kernel for few rows gives way to another for many is measured (docs/kernels.md).
constexpr Candidate candidates[] = {
    {"int8", suits_int8, int8_product},
    {"row by row", [](const MatmulParams& p) { return p.m < 6 && !p.w.fixed_order; }, row_by_row},
    {"f32 sgemm", [](const MatmulParams& p) { return p.w.type == quant::Type::f32; }, float_weights_sgemm},
    {"strips sgemm", [](const MatmulParams&) { return true; }, strips_sgemm},
};

}  // namespace

std::size_t matmul_scratch_floats(std::int64_t widest_row) noexcept {
  return static_cast<std::size_t>(std::max(tile_rows * tile_columns, widest_row));
}

void matmul_on_this_thread(const MatmulParams& p, std::span<float> scratch) {
  if (p.m == 0) return;
  for (const Candidate& candidate : candidates)
    if (candidate.suits(p)) return candidate.run(p, scratch);
}

void round_and_matmul_on_this_thread(MatmulParams p, std::span<float> scratch) {
  if (!has_int8_kernel(p.w.type)) return matmul_on_this_thread(p, scratch);
  const std::span<std::byte> memory = std::as_writable_bytes(scratch).subspan(int8_scratch_bytes);
  const auto rows_at_once = static_cast<std::int64_t>(memory.size() / int8_rows_bytes(1, p.w.cols));
  for (std::int64_t left = p.m; left > 0; left -= p.m) {
    p.m = std::min(left, rows_at_once);
    p.x8 = int8_rows_at(memory.data(), p.m, p.w.cols);
    for (std::int64_t i = 0; i < p.m; ++i) active_int8_kernels()->quantize(p.x + i * p.ldx, p.w.cols, p.x8.from(i));
    matmul_on_this_thread(p, scratch);
    p.x += p.m * p.ldx, p.y += p.m * p.ldy;
  }
}

std::int64_t tile_height(const Matrix& w, std::int64_t n_matrices, std::int64_t m, int n_threads) noexcept {
  constexpr std::int64_t few = 3, tiles_per_thread = 16;
  if (m > few * n_matrices) return tile_rows;
  const std::int64_t rows = n_matrices * w.rows / (tiles_per_thread * n_threads);
  return std::max<std::int64_t>(1, rows / tile_rows) * tile_rows;
}

MatmulParams tile_of(const MatmulParams& p, RowTile tile) noexcept {
  const std::int64_t first = tile.index * tile.height;
  return {p.x, p.ldx, p.m, p.w.slice(first, std::min(tile.height, p.w.rows - first)), p.y + first, p.ldy, p.x8};
}

Int8Rows round_rows(const float* x, std::int64_t ldx, std::int64_t m, std::int64_t columns, std::initializer_list<quant::Type> types,
                    std::span<std::byte> memory, platform::Executor& executor) {
  if (std::ranges::none_of(types, has_int8_kernel)) return {};
  const Int8Rows rows = int8_rows_at(memory.data(), m, columns);
  executor.parallel_for(static_cast<int>(m), [&](int i, int) { active_int8_kernels()->quantize(x + i * ldx, columns, rows.from(i)); });
  return rows;
}

void matmul(MatmulParams p, std::span<std::byte> memory, platform::Executor& executor) {
  if (p.m == 0) return;
  if (executor.observer() != nullptr) executor.observer()->observe(p.w.data, 0, p.x, p.ldx, p.m, executor);
  if (p.x8.is_empty()) p.x8 = round_rows(p.x, p.ldx, p.m, p.w.cols, {p.w.type}, memory, executor);
  const std::int64_t height = tile_height(p.w, 1, p.m, executor.n_threads());
  executor.parallel_for_rows(1, n_tiles(p.w, height), [&](std::int64_t, std::int64_t tile, int thread) {
    MatmulParams part = tile_of(p, {tile, height});
    part.w = local(part.w, executor);
    matmul_on_this_thread(part, executor.scratch(thread));
  });
}

void matmul_reference(const MatmulParams& p) {
  std::vector<float> row(static_cast<std::size_t>(p.w.cols));
  for (std::int64_t j = 0; j < p.w.rows; ++j) {
    dequantize_part(p.w, j, 0, p.w.cols, row.data());
    for (std::int64_t i = 0; i < p.m; ++i) {
      double sum = 0;
      for (std::int64_t k = 0; k < p.w.cols; ++k) sum += static_cast<double>(p.x[i * p.ldx + k]) * row[static_cast<std::size_t>(k)];
      p.y[i * p.ldy + j] = static_cast<float>(sum);
    }
  }
}

void dequantize_part(const Matrix& w, std::int64_t row, std::int64_t first, std::int64_t n, float* out) noexcept {
  quant::dequantize(w.type, w.row(row), first, n, out);
  if (w.scales.first == nullptr) return;
  const float* const scales = w.scales.of_row(row);
  for (std::int64_t i = 0; i < n;) {
    const std::int64_t block = (first + i) / BlockScales::size, end = std::min(n, (block + 1) * BlockScales::size - first);
    for (const float scale = scales[block]; i < end; ++i) out[i] *= scale;
  }
}

void dequantize_matrix(const Matrix& w, float* out, std::int64_t ldw) noexcept {
  if (w.in_panels)
    for (std::int64_t i = 0; i < w.rows; i += panel_rows) dequantize_panel(w.type, w.cols, w.row(i), out + i * ldw, ldw);
  else
    for (std::int64_t i = 0; i < w.rows; ++i) dequantize_part(w, i, 0, w.cols, out + i * ldw);
}

}  // namespace mla::kernels
