// Blocks of the codebook types as integers, for products with 8-bit activations. Files compiled for a wide instruction set include this header,
// so it holds declarations only.
#pragma once
#include <stdint.h>

#include "quant/gguf_type.hpp"

namespace mla::quant {

/// A block of 256 weights: number i is d · scale[i / 16] · q[i].
struct alignas(64) IntegerBlock {
  int8_t q[256];  ///< at least -127
  int16_t scale[16];
  float d;
};

using UnpackFn = void (*)(const void* blocks, IntegerBlock* out, int64_t n_blocks) noexcept;

void unpack_iq1_s(const void* blocks, IntegerBlock* out, int64_t n_blocks) noexcept;
void unpack_iq1_m(const void* blocks, IntegerBlock* out, int64_t n_blocks) noexcept;
void unpack_iq2_xxs(const void* blocks, IntegerBlock* out, int64_t n_blocks) noexcept;
void unpack_iq2_xs(const void* blocks, IntegerBlock* out, int64_t n_blocks) noexcept;
void unpack_iq2_s(const void* blocks, IntegerBlock* out, int64_t n_blocks) noexcept;
void unpack_iq3_xxs(const void* blocks, IntegerBlock* out, int64_t n_blocks) noexcept;
void unpack_iq3_s(const void* blocks, IntegerBlock* out, int64_t n_blocks) noexcept;

}  // namespace mla::quant
