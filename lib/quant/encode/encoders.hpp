// What the encoders of one instruction set are called. No inline code: files compiled for different ones include it.
#pragma once
#include <stdint.h>

#ifndef MLA_QUANT_ISA
#define MLA_QUANT_ISA ref
#endif

namespace mla::quant::MLA_QUANT_ISA {

// n values, a multiple of the type's block size, to blocks; weights [n], or nullptr for equal ones (see quant/encode.hpp).
void encode_q4_0(const float* in, const float* weights, void* blocks, int64_t n) noexcept;
void encode_q5_0(const float* in, const float* weights, void* blocks, int64_t n) noexcept;
void encode_q6_0(const float* in, const float* weights, void* blocks, int64_t n) noexcept;
void encode_iq4_nl(const float* in, const float* weights, void* blocks, int64_t n) noexcept;
void encode_iq4_xs(const float* in, const float* weights, void* blocks, int64_t n) noexcept;
void encode_q2_k(const float* in, const float* weights, void* blocks, int64_t n) noexcept;
void encode_q3_k(const float* in, const float* weights, void* blocks, int64_t n) noexcept;
void encode_q4_k(const float* in, const float* weights, void* blocks, int64_t n) noexcept;
void encode_q5_k(const float* in, const float* weights, void* blocks, int64_t n) noexcept;
void encode_q6_k(const float* in, const float* weights, void* blocks, int64_t n) noexcept;

}  // namespace mla::quant::MLA_QUANT_ISA
