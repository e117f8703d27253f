#include "quant/dequantize.hpp"

#include "quant/dispatch.hpp"

namespace mla::quant {
namespace {

void run(DequantizeFn blocks_of, DequantizeRowFn blocks_of_row, Type type, const void* row, std::int64_t first, std::int64_t n,
         float* out) noexcept {
  const TypeTraits& t = traits(type);
  const auto* const blocks = static_cast<const std::byte*>(row) + t.header_bytes + first / t.block_size * t.block_bytes;
  if (blocks_of != nullptr)
    blocks_of(blocks, out, n);
  else
    blocks_of_row(row, blocks, out, n);
}

}  // namespace

void dequantize(Type type, const void* row, std::int64_t first, std::int64_t n, float* out) noexcept {
  run(active_dequantizer(type), active_row_dequantizer(type), type, row, first, n, out);
}

void dequantize(Type type, const void* row, float* out, std::int64_t n) noexcept { dequantize(type, row, 0, n, out); }

void dequantize_on(platform::Isa isa, Type type, const void* row, std::int64_t first, std::int64_t n, float* out) noexcept {
  run(find_dequantizer(type, isa), find_row_dequantizer(type, isa), type, row, first, n, out);
}

}  // namespace mla::quant
