// Rows of a tensor as floats, however the file stores them.
#pragma once
#include <cstdint>
#include <vector>

#include "format/gguf.hpp"

namespace mla::model {

/// Rows first … first + n - 1, counted through all matrices of the tensor, to `out` [n, row width]; `scratch` is memory to work in.
/// Where rows are stored together, in panels or interleaved, `first` is a multiple of 16, and so is n, unless it reaches the end.
void read_rows(const format::TensorInfo& tensor, std::int64_t first, std::int64_t n, float* out, std::vector<std::byte>& scratch);

}  // namespace mla::model
