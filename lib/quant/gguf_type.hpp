// The types that weights can have in memory. Apart from types.hpp so that files compiled for a wide instruction set
// can include it (see kernels.hpp).
#pragma once
#include <stdint.h>

namespace mla::quant {

/// The values are the type numbers of GGUF files; those from 133 on are ik_llama.cpp's.
enum class Type : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  iq2_xxs = 16,
  iq2_xs = 17,
  iq3_xxs = 18,
  iq1_s = 19,
  iq4_nl = 20,
  iq3_s = 21,
  iq2_s = 22,
  iq4_xs = 23,
  iq1_m = 29,
  bf16 = 30,
  mxfp4 = 39,
  q6_0 = 133,
  iq2_k = 137,
  iq3_k = 138,
  iq4_k = 139,
  iq5_k = 140,
  iq6_k = 141,
  iq4_ks = 144,
  iq2_ks = 145,
  iq4_kss = 146,
  iq5_ks = 152,
  iq3_ks = 156,
  iq2_kl = 157,
  // Rows of IQ1_S_R4 and IQ1_M_R4 tensors, which no file holds apart: numbers of our own, refused where a file has them.
  iq1_s_row = 500,
  iq1_m_row = 501,
  // Of Hugging Face folders; the scales of its 128 × 128 blocks are apart (kernels/matrix.hpp). In no GGUF file.
  f8_e4m3 = 502,
};

}  // namespace mla::quant
