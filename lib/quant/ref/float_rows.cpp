#include "quant/ref/blocks.hpp"

namespace mla::quant::ref {
namespace {

template <float (*widen)(std::uint16_t) noexcept>
void widen_row(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* p = static_cast<const std::uint8_t*>(blocks);
  for (std::int64_t i = 0; i < n; ++i) {
    std::uint16_t half;
    std::memcpy(&half, p + 2 * i, sizeof half);
    out[i] = widen(half);
  }
}

template <std::uint16_t (*narrow)(float) noexcept>
void narrow_row(const float* in, void* blocks, std::int64_t n) noexcept {
  auto* p = static_cast<std::uint8_t*>(blocks);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint16_t half = narrow(in[i]);
    std::memcpy(p + 2 * i, &half, sizeof half);
  }
}

}  // namespace

void dequantize_f32(const void* blocks, float* out, std::int64_t n) noexcept {
  std::memcpy(out, blocks, static_cast<std::size_t>(n) * sizeof(float));
}
void dequantize_f16(const void* blocks, float* out, std::int64_t n) noexcept { widen_row<f16_to_f32>(blocks, out, n); }
void dequantize_f8_e4m3(const void* blocks, float* out, std::int64_t n) noexcept {
  const auto* p = static_cast<const std::uint8_t*>(blocks);
  for (std::int64_t i = 0; i < n; ++i) out[i] = f8_e4m3_to_f32(p[i]);
}
void dequantize_bf16(const void* blocks, float* out, std::int64_t n) noexcept { widen_row<bf16_to_f32>(blocks, out, n); }

void quantize_f32(const float* in, void* blocks, std::int64_t n) noexcept {
  std::memcpy(blocks, in, static_cast<std::size_t>(n) * sizeof(float));
}
void quantize_f16(const float* in, void* blocks, std::int64_t n) noexcept { narrow_row<f32_to_f16>(in, blocks, n); }
void quantize_bf16(const float* in, void* blocks, std::int64_t n) noexcept { narrow_row<f32_to_bf16>(in, blocks, n); }

}  // namespace mla::quant::ref
