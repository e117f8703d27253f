#include "model/restore.hpp"

#include <algorithm>

namespace mla::model {

kernels::Matrix restore_interleaved(const quant::Interleaving& layout, const format::TensorInfo& tensor, std::int64_t rows, std::int64_t cols,
                                    const std::shared_ptr<Allocator>& allocator, const std::function<void()>& keep_going,
                                    std::vector<platform::Buffer>& owned) {
  constexpr std::size_t step_bytes = std::size_t{1} << 24;  // a few hundredths of a second
  const std::size_t row_bytes = quant::row_bytes(layout.base, cols);
  platform::Buffer& memory = owned.emplace_back(allocator, row_bytes * static_cast<std::size_t>(rows), tensor.name.c_str());
  const std::int64_t step = std::max<std::int64_t>(1, static_cast<std::int64_t>(step_bytes / row_bytes) / layout.rows) * layout.rows;
  for (std::int64_t first = 0; first < rows; first += step) {
    keep_going();
    const std::size_t offset = static_cast<std::size_t>(first) * row_bytes;
    quant::restore_rows(layout, tensor.data + offset, memory.data() + offset, std::min(step, rows - first), cols);
  }
  return {memory.data(), layout.base, rows, cols, row_bytes};
}

}  // namespace mla::model
