#include "quant/kernels.hpp"

#include "quant/x86/blocks.hpp"

namespace mla::quant::MLA_QUANT_ISA {

constinit const Kernel kernels[] = {
    {Type::f16, dequantize_f16, quantize_f16},
    {Type::bf16, dequantize_bf16, quantize_bf16},
    {Type::f8_e4m3, dequantize_f8_e4m3, nullptr},
    {Type::q4_0, dequantize_q4_0, nullptr},
    {Type::q4_1, dequantize_q4_1, nullptr},
    {Type::q5_0, dequantize_q5_0, nullptr},
    {Type::q5_1, dequantize_q5_1, nullptr},
    {Type::q8_0, dequantize_q8_0, nullptr},
    {Type::q2_k, dequantize_q2_k, nullptr},
    {Type::q3_k, dequantize_q3_k, nullptr},
    {Type::q4_k, dequantize_q4_k, nullptr},
    {Type::q5_k, dequantize_q5_k, nullptr},
    {Type::q6_k, dequantize_q6_k, nullptr},
    {Type::iq4_nl, dequantize_iq4_nl, nullptr},
    {Type::iq4_xs, dequantize_iq4_xs, nullptr},
    {},
};

}  // namespace mla::quant::MLA_QUANT_ISA
