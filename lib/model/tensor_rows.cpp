#include "model/tensor_rows.hpp"

#include "kernels/panels.hpp"
#include "quant/dequantize.hpp"
#include "quant/interleaving.hpp"

namespace mla::model {

std::int64_t rows_stored_together(const format::TensorInfo& tensor) noexcept {
  if (tensor.in_panels) return kernels::panel_rows;
  const quant::Interleaving* layout = quant::find_interleaving(tensor.type);
  return layout != nullptr ? layout->rows : 1;
}

void read_rows(const format::TensorInfo& tensor, std::int64_t first, std::int64_t n, float* out, std::vector<std::byte>& scratch) {
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
