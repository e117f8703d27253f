// Rows of a tensor as floats, however the file stores them.
#pragma once
#include <cstdint>
#include <vector>

#include "format/gguf.hpp"

namespace mla::model {

/// Rows that are stored together: reading begins at a multiple of this number and takes a multiple of it, or all that are left.
std::int64_t rows_stored_together(const format::TensorInfo& tensor) noexcept;

/// Rows first … first + n - 1, counted through all matrices of the tensor, to `out` [n, row width]; `scratch` is memory to work in.
void read_rows(const format::TensorInfo& tensor, std::int64_t first, std::int64_t n, float* out, std::vector<std::byte>& scratch);

}  // namespace mla::model
