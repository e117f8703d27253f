#include "quant/x86/blocks.hpp"
#include "quant/x86/simd.hpp"

namespace mla::quant::MLA_QUANT_ISA {
namespace {

Floats load_bf16(const uint8_t* p) { return as_float(load_u16(p) << 16); }

void store_bf16(uint8_t* p, Floats x) {
  typedef uint32_t Words __attribute__((vector_size(4 * lanes)));  // sums wrap
  const Words bits = (Words)x, high = bits >> 16;
  const Words nearest_even = (bits + 0x7fff + (high & 1)) >> 16;
  const Words is_nan = (Words)((Ints)(bits & 0x7fffffff) > 0x7f800000);
  store_u16(p, (Ints)((is_nan & (high | 0x40)) | (~is_nan & nearest_even)));
}

// Codes of 8 bits: sign, exponent and mantissa move to where a half has them, which is then 2^-8 of the value, exactly, subnormals
// among them; the code that is not a number gets all bits of the exponent.
Floats load_f8_e4m3(const uint8_t* p) {
  const Halves half = (load_i8_as_halves(p) << 7) & (int16_t)0xbf80, is_nan = (Halves)((half & 0x7fff) == 0x3f80) & 0x4000;
  return halves_to_floats(half | is_nan) * 256.0f;
}

template <Floats (*load_lanes)(const uint8_t*), int bytes = 2>
void widen_row(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* in = (const uint8_t*)blocks;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store(out + i, load_lanes(in + bytes * i));
  if (i == n) return;
  uint8_t rest[bytes * lanes] = {};
  float values[lanes];
  memcpy(rest, in + bytes * i, bytes * (size_t)(n - i));
  store(values, load_lanes(rest));
  memcpy(out + i, values, 4 * (size_t)(n - i));
}

template <void (*store_lanes)(uint8_t*, Floats)>
void narrow_row(const float* in, void* blocks, int64_t n) noexcept {
  uint8_t* out = (uint8_t*)blocks;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) store_lanes(out + 2 * i, load(in + i));
  if (i == n) return;
  float rest[lanes] = {};
  uint8_t halves[2 * lanes];
  memcpy(rest, in + i, 4 * (size_t)(n - i));
  store_lanes(halves, load(rest));
  memcpy(out + 2 * i, halves, 2 * (size_t)(n - i));
}

}  // namespace

void dequantize_f16(const void* blocks, float* out, int64_t n) noexcept { widen_row<load_f16>(blocks, out, n); }
void dequantize_bf16(const void* blocks, float* out, int64_t n) noexcept { widen_row<load_bf16>(blocks, out, n); }
void dequantize_f8_e4m3(const void* blocks, float* out, int64_t n) noexcept { widen_row<load_f8_e4m3, 1>(blocks, out, n); }
void quantize_f16(const float* in, void* blocks, int64_t n) noexcept { narrow_row<store_f16>(in, blocks, n); }
void quantize_bf16(const float* in, void* blocks, int64_t n) noexcept { narrow_row<store_bf16>(in, blocks, n); }

}  // namespace mla::quant::MLA_QUANT_ISA
