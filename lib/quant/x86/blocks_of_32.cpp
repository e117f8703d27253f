#include "quant/x86/blocks.hpp"
#include "quant/x86/simd.hpp"

namespace mla::quant::MLA_QUANT_ISA {
namespace {

// The lanes whose bit (from bit `first` on) is clear in `bits`: all ones there, zeros elsewhere.
Ints clear_bits(uint32_t bits, int first) {
  const Ints wanted = 1 << (lane_numbers() + first);
  return ((int32_t)bits & wanted) == 0;
}

}  // namespace

void dequantize_q4_0(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 32, block += 18) {
    const float d = half_at(block);
    for (int j = 0; j < 16; j += lanes) {
      const Ints q = load_u8(block + 2 + j);
      store(out + i + j, d * to_float((q & 15) - 8));
      store(out + i + j + 16, d * to_float((q >> 4) - 8));
    }
  }
}

void dequantize_q4_1(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 32, block += 20) {
    const float d = half_at(block), m = half_at(block + 2);
    for (int j = 0; j < 16; j += lanes) {
      const Ints q = load_u8(block + 4 + j);
      store(out + i + j, d * to_float(q & 15) + m);
      store(out + i + j + 16, d * to_float(q >> 4) + m);
    }
  }
}

void dequantize_q5_0(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 32, block += 22) {
    const float d = half_at(block);
    const uint32_t fifth = u32_at(block + 2);
    for (int j = 0; j < 16; j += lanes) {
      const Ints q = load_u8(block + 6 + j);
      // A set fifth bit and the offset of -16 cancel; a clear one leaves -16, which shares no bit with q.
      store(out + i + j, d * to_float((q & 15) | (clear_bits(fifth, j) & -16)));
      store(out + i + j + 16, d * to_float((q >> 4) | (clear_bits(fifth, j + 16) & -16)));
    }
  }
}

void dequantize_q5_1(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 32, block += 24) {
    const float d = half_at(block), m = half_at(block + 2);
    const uint32_t fifth = u32_at(block + 4);
    for (int j = 0; j < 16; j += lanes) {
      const Ints q = load_u8(block + 8 + j);
      store(out + i + j, d * to_float((q & 15) | (~clear_bits(fifth, j) & 16)) + m);
      store(out + i + j + 16, d * to_float((q >> 4) | (~clear_bits(fifth, j + 16) & 16)) + m);
    }
  }
}

void dequantize_q6_0(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 32, block += 26) {
    const float d = half_at(block);
    const uint64_t high = u64_at(block + 2), both[2] = {high, high >> 4};  // a byte serves values j, j + 16, j + 8, j + 24
    for (int j = 0; j < 16; j += lanes) {
      const Ints q = load_u8(block + 10 + j), h = load_u8((const uint8_t*)both + j);
      store(out + i + j, d * to_float(((q & 15) | (h & 3) << 4) - 32));
      store(out + i + j + 16, d * to_float(((q >> 4) | (h & 12) << 2) - 32));
    }
  }
}

void dequantize_q8_0(const void* blocks, float* out, int64_t n) noexcept {
  const uint8_t* block = (const uint8_t*)blocks;
  for (int64_t i = 0; i < n; i += 32, block += 34) {
    const float d = half_at(block);
    for (int j = 0; j < 32; j += lanes) store(out + i + j, d * to_float(load_i8(block + 2 + j)));
  }
}

}  // namespace mla::quant::MLA_QUANT_ISA
