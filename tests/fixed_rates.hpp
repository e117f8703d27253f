// Makes `auto` choose the same forms in every run and for every load of a model: what is measured depends on the machine and its other
// work.
#pragma once
#include <mla/attention_plan.hpp>

/// Multiplications for each head of V2 and V3 (docs/attention.md).
inline constexpr mla::AttentionRates fixed_rates{
    .expanded_pair = 320, .expanded_key = 131072, .absorbed_pair = 1088, .absorbed_query = 131072};
