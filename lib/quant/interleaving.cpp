#include "quant/interleaving.hpp"

#include "quant/interleaved/blocks.hpp"

namespace mla::quant {
namespace {

using namespace interleaved;

constexpr Interleaving layouts[] = {
    {202, "Q4_0_R8", Type::q4_0, 8, restore_q4_0_r8},
    {206, "Q5_0_R4", Type::q5_0, 4, restore_q5_0_r4},
    {208, "Q8_0_R8", Type::q8_0, 8, restore_q8_0_r8},
    {210, "Q2_K_R4", Type::q2_k, 4, restore_q2_k_r4},
    {211, "Q3_K_R4", Type::q3_k, 4, restore_q3_k_r4},
    {212, "Q4_K_R4", Type::q4_k, 4, restore_q4_k_r4},
    {213, "Q5_K_R4", Type::q5_k, 4, restore_q5_k_r4},
    {214, "Q6_K_R4", Type::q6_k, 4, restore_q6_k_r4},
    {216, "IQ2_XXS_R4", Type::iq2_xxs, 4, restore_iq2_xxs_r4},
    {217, "IQ2_XS_R4", Type::iq2_xs, 4, restore_iq2_xs_r4},
    {218, "IQ3_XXS_R4", Type::iq3_xxs, 4, restore_iq3_xxs_r4},
    {219, "IQ1_S_R4", Type::iq1_s_row, 4, restore_iq1_s_r4},
    {220, "IQ4_NL_R4", Type::iq4_nl, 4, restore_iq4_nl_r4},
    {221, "IQ3_S_R4", Type::iq3_s, 4, restore_iq3_s_r4},
    {222, "IQ2_S_R4", Type::iq2_s, 4, restore_iq2_s_r4},
    {223, "IQ4_XS_R8", Type::iq4_xs, 8, restore_iq4_xs_r8},
    {229, "IQ1_M_R4", Type::iq1_m_row, 4, restore_iq1_m_r4},
    {233, "Q6_0_R4", Type::q6_0, 4, restore_q6_0_r4},
    {337, "IQ2_K_R4", Type::iq2_k, 4, restore_iq2_k_r4},
    {338, "IQ3_K_R4", Type::iq3_k, 4, restore_iq3_k_r4},
    {339, "IQ4_K_R4", Type::iq4_k, 4, restore_iq4_k_r4},
    {340, "IQ5_K_R4", Type::iq5_k, 4, restore_iq5_k_r4},
    {344, "IQ4_KS_R4", Type::iq4_ks, 4, restore_iq4_ks_r4},
    {352, "IQ5_KS_R4", Type::iq5_ks, 4, restore_iq5_ks_r4},
    {353, "MXFP4_R8", Type::mxfp4, 8, restore_mxfp4_r8},
};

}  // namespace

const Interleaving* find_interleaving(std::uint32_t gguf_number) noexcept {
  for (const Interleaving& layout : layouts)
    if (layout.number == gguf_number) return &layout;
  return nullptr;
}

void restore_rows(const Interleaving& layout, const std::byte* in, std::byte* out, std::int64_t n_rows, std::int64_t n_columns) noexcept {
  const TypeTraits& t = traits(layout.base);
  const auto row = row_bytes(layout.base, n_columns), header = static_cast<std::size_t>(t.header_bytes);
  const auto block = static_cast<std::size_t>(t.block_bytes), rows = static_cast<std::size_t>(layout.rows);
  const auto n_blocks = static_cast<std::size_t>(n_columns / t.block_size);
  std::memset(out, 0, static_cast<std::size_t>(n_rows) * row);
  for (std::int64_t first = 0; first < n_rows; first += layout.rows, in += rows * row, out += rows * row) {
    for (std::size_t r = 0; r < rows; ++r) std::memcpy(out + r * row, in + r * header, header);
    const auto* group = reinterpret_cast<const std::uint8_t*>(in + rows * header);
    for (std::size_t b = 0; b < n_blocks; ++b)
      for (std::size_t r = 0; r < rows; ++r)
        layout.restore(group + b * rows * block, static_cast<int>(r), reinterpret_cast<std::uint8_t*>(out + r * row + header + b * block));
  }
}

}  // namespace mla::quant
