// The vector implementations; MLA_QUANT_ISA is the namespace of the instruction set that the file is compiled for.
// Each takes n values, a multiple of the format's block size. ref/ describes the formats and is their oracle.
#pragma once
#include <stdint.h>

namespace mla::quant::MLA_QUANT_ISA {

// float_rows.cpp
void dequantize_f16(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_bf16(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_f8_e4m3(const void* blocks, float* out, int64_t n) noexcept;
void quantize_f16(const float* in, void* blocks, int64_t n) noexcept;
void quantize_bf16(const float* in, void* blocks, int64_t n) noexcept;

// blocks_of_32.cpp
void dequantize_q4_0(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_q4_1(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_q5_0(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_q5_1(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_q6_0(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_q8_0(const void* blocks, float* out, int64_t n) noexcept;

// k_quants.cpp
void dequantize_q2_k(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_q3_k(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_q4_k(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_q5_k(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_q6_k(const void* blocks, float* out, int64_t n) noexcept;

// iq4.cpp
void dequantize_iq4_nl(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq4_xs(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_mxfp4(const void* blocks, float* out, int64_t n) noexcept;

// ik_quants.cpp
void dequantize_iq2_k(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq3_k(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq4_k(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq5_k(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq6_k(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq2_ks(const void* header, const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq3_ks(const void* header, const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq4_ks(const void* header, const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq4_kss(const void* header, const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq5_ks(const void* header, const void* blocks, float* out, int64_t n) noexcept;

// codebooks.cpp
void dequantize_iq1_s(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq1_m(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq1_s_row(const void* header, const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq1_m_row(const void* header, const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq2_xxs(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq2_xs(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq2_s(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq3_xxs(const void* blocks, float* out, int64_t n) noexcept;
void dequantize_iq3_s(const void* blocks, float* out, int64_t n) noexcept;

}  // namespace mla::quant::MLA_QUANT_ISA
