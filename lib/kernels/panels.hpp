// Panels: sixteen rows of a block-quantised matrix, their 32-bit words interleaved, so that one load has the same word of
// neighbouring rows. A panel takes the bytes that the rows take, and every instruction set reads the same layout.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/matrix.hpp"
#include "kernels/panel/layout.hpp"
#include "quant/types.hpp"

namespace mla::kernels {

/// nullptr for types that have no panels: their products are computed in floats.
const PanelLayout* panel_layout(quant::Type type) noexcept;

/// Whether this matrix can be kept in panels: rows of a type that has them, sixteen at a time.
bool fits_panels(const Matrix& w) noexcept;

/// Sixteen rows of w, from `first_row` on, into a panel of 16 · w.row_bytes, with the best instruction set there is; and back, to
/// the same bytes.
void rows_to_panel(const Matrix& w, std::int64_t first_row, std::byte* panel) noexcept;
void panel_to_rows(quant::Type type, std::int64_t cols, const std::byte* panel, std::byte* rows) noexcept;

/// The sixteen rows of a panel as floats, ldw apart: the values of the rows to the bit.
void dequantize_panel(quant::Type type, std::int64_t cols, const std::byte* panel, float* out, std::int64_t ldw) noexcept;

}  // namespace mla::kernels
