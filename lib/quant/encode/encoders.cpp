#include "quant/encode/encoders.hpp"

#include "quant/kernels.hpp"

namespace mla::quant::MLA_QUANT_ISA {

constinit const Encoder encoders[] = {
    {Type::q4_0, encode_q4_0},     {Type::q5_0, encode_q5_0},     {Type::q6_0, encode_q6_0}, {Type::q2_k, encode_q2_k},
    {Type::q3_k, encode_q3_k},     {Type::q4_k, encode_q4_k},     {Type::q5_k, encode_q5_k}, {Type::q6_k, encode_q6_k},
    {Type::iq4_nl, encode_iq4_nl}, {Type::iq4_xs, encode_iq4_xs}, {},
};

}  // namespace mla::quant::MLA_QUANT_ISA
