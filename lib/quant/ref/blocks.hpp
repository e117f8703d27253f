// The scalar implementations: the fallback of every processor and the oracle of the vector ones.
// Each takes n values, a multiple of the format's block size. Layouts are those of GGUF files; products and sums
// are rounded in the order of the gguf Python package; those of ik_llama.cpp's own types in its order.
#pragma once
#include <cstdint>
#include <cstring>

#include "quant/half.hpp"

namespace mla::quant::ref {

// At any alignment. Files are little-endian, and so is every processor that this library supports.
inline std::uint16_t u16_at(const std::uint8_t* p) noexcept {
  std::uint16_t bits;
  std::memcpy(&bits, p, sizeof bits);
  return bits;
}
inline std::uint32_t u32_at(const std::uint8_t* p) noexcept {
  std::uint32_t bits;
  std::memcpy(&bits, p, sizeof bits);
  return bits;
}
inline float half_at(const std::uint8_t* p) noexcept { return f16_to_f32(u16_at(p)); }

// float_rows.cpp
void dequantize_f32(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_f16(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_bf16(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_f8_e4m3(const void* blocks, float* out, std::int64_t n) noexcept;
void quantize_f32(const float* in, void* blocks, std::int64_t n) noexcept;
void quantize_f16(const float* in, void* blocks, std::int64_t n) noexcept;
void quantize_bf16(const float* in, void* blocks, std::int64_t n) noexcept;

// blocks_of_32.cpp
void dequantize_q4_0(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_q4_1(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_q5_0(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_q5_1(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_q6_0(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_mxfp4(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_q8_0(const void* blocks, float* out, std::int64_t n) noexcept;
void quantize_q4_0(const float* in, void* blocks, std::int64_t n) noexcept;
void quantize_q6_0(const float* in, void* blocks, std::int64_t n) noexcept;
void quantize_q8_0(const float* in, void* blocks, std::int64_t n) noexcept;

// k_quants.cpp
void dequantize_q2_k(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_q3_k(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_q4_k(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_q5_k(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_q6_k(const void* blocks, float* out, std::int64_t n) noexcept;

// iq4.cpp
void dequantize_iq4_nl(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq4_xs(const void* blocks, float* out, std::int64_t n) noexcept;

// iq1.cpp
void dequantize_iq1_s(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq1_m(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq1_s_row(const void* header, const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq1_m_row(const void* header, const void* blocks, float* out, std::int64_t n) noexcept;

// iq2.cpp
void dequantize_iq2_xxs(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq2_xs(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq2_s(const void* blocks, float* out, std::int64_t n) noexcept;

// iq3.cpp
void dequantize_iq3_xxs(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq3_s(const void* blocks, float* out, std::int64_t n) noexcept;

// ik_k.cpp
void dequantize_iq2_k(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq3_k(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq4_k(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq5_k(const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq6_k(const void* blocks, float* out, std::int64_t n) noexcept;

// ik_ks.cpp: rows that begin with their scale
void dequantize_iq2_ks(const void* header, const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq2_kl(const void* header, const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq3_ks(const void* header, const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq4_ks(const void* header, const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq4_kss(const void* header, const void* blocks, float* out, std::int64_t n) noexcept;
void dequantize_iq5_ks(const void* header, const void* blocks, float* out, std::int64_t n) noexcept;

}  // namespace mla::quant::ref
