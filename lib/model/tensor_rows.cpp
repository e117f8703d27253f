#include "model/tensor_rows.hpp"

#include <algorithm>

#include "kernels/matmul.hpp"
#include "kernels/panels.hpp"
#include "quant/dequantize.hpp"
#include "quant/interleaving.hpp"

namespace mla::model {
namespace {

void read_pieces(const format::TensorInfo& tensor, std::int64_t first, std::int64_t n, float* out) {
  const auto type = static_cast<quant::Type>(tensor.type);
  const auto columns = static_cast<std::int64_t>(tensor.shape[0]);
  const std::size_t row_bytes = quant::row_bytes(type, columns);
  const auto rows = static_cast<std::int64_t>(tensor.bytes_at_data() / row_bytes);
  for (std::int64_t row = first, end = first + n; row < end;) {
    const format::TensorPiece& piece = tensor.pieces[static_cast<std::size_t>(row / rows)];
    const kernels::Matrix matrix{piece.data, type, rows, columns, row_bytes, false, {piece.scales, kernels::BlockScales::blocks(columns)}};
    const std::int64_t in_piece = std::min(end - row, rows - row % rows);
    kernels::dequantize_matrix(matrix.slice(row % rows, in_piece), out + (row - first) * columns, columns);
    row += in_piece;
  }
}

}  // namespace

void read_rows(const format::TensorInfo& tensor, std::int64_t first, std::int64_t n, float* out, std::vector<std::byte>& scratch) {
  if (!tensor.pieces.empty()) return read_pieces(tensor, first, n, out);
  const quant::Interleaving* layout = quant::find_interleaving(tensor.type);
  const quant::Type type = layout != nullptr ? layout->base : static_cast<quant::Type>(tensor.type);
  const auto columns = static_cast<std::int64_t>(tensor.shape[0]);
  const std::size_t row_bytes = quant::row_bytes(type, columns);
  const std::byte* rows = tensor.data + static_cast<std::size_t>(first) * row_bytes;
  if (layout != nullptr || tensor.in_panels) scratch.resize(static_cast<std::size_t>(n) * row_bytes);
  if (layout != nullptr) quant::restore_rows(*layout, rows, scratch.data(), n, columns);
  if (tensor.in_panels)
    for (std::int64_t at = 0; at < n; at += kernels::panel_rows)
      kernels::panel_to_rows(type, columns, rows + static_cast<std::size_t>(at) * row_bytes, scratch.data() + static_cast<std::size_t>(at) * row_bytes);
  if (layout != nullptr || tensor.in_panels) rows = scratch.data();
  for (std::int64_t r = 0; r < n; ++r) quant::dequantize(type, rows + static_cast<std::size_t>(r) * row_bytes, out + r * columns, columns);
}

}  // namespace mla::model
