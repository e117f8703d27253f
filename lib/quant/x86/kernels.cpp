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
    {Type::q6_0, dequantize_q6_0, nullptr},
    {Type::q8_0, dequantize_q8_0, nullptr},
    {Type::q2_k, dequantize_q2_k, nullptr},
    {Type::q3_k, dequantize_q3_k, nullptr},
    {Type::q4_k, dequantize_q4_k, nullptr},
    {Type::q5_k, dequantize_q5_k, nullptr},
    {Type::q6_k, dequantize_q6_k, nullptr},
    {Type::iq1_s, dequantize_iq1_s, nullptr},
    {Type::iq1_m, dequantize_iq1_m, nullptr},
    {Type::iq2_xxs, dequantize_iq2_xxs, nullptr},
    {Type::iq2_xs, dequantize_iq2_xs, nullptr},
    {Type::iq2_s, dequantize_iq2_s, nullptr},
    {Type::iq3_xxs, dequantize_iq3_xxs, nullptr},
    {Type::iq3_s, dequantize_iq3_s, nullptr},
    {Type::iq4_nl, dequantize_iq4_nl, nullptr},
    {Type::iq4_xs, dequantize_iq4_xs, nullptr},
    {Type::mxfp4, dequantize_mxfp4, nullptr},
    {Type::iq2_k, dequantize_iq2_k, nullptr},
    {Type::iq3_k, dequantize_iq3_k, nullptr},
    {Type::iq4_k, dequantize_iq4_k, nullptr},
    {Type::iq5_k, dequantize_iq5_k, nullptr},
    {Type::iq6_k, dequantize_iq6_k, nullptr},
    {Type::iq2_ks, nullptr, nullptr, dequantize_iq2_ks},
    {Type::iq3_ks, nullptr, nullptr, dequantize_iq3_ks},
    {Type::iq4_ks, nullptr, nullptr, dequantize_iq4_ks},
    {Type::iq4_kss, nullptr, nullptr, dequantize_iq4_kss},
    {Type::iq5_ks, nullptr, nullptr, dequantize_iq5_ks},
    {Type::iq1_s_row, nullptr, nullptr, dequantize_iq1_s_row},
    {Type::iq1_m_row, nullptr, nullptr, dequantize_iq1_m_row},
    {},
};

}  // namespace mla::quant::MLA_QUANT_ISA
