// How each interleaved layout gives back one block of one row: `group` is the same block of all rows of a group, mixed; `row`
// is the row's number in the group; `block` is zero before. Groups and blocks as in ik_llama.cpp's files.
#pragma once
#include <cstdint>
#include <cstring>

namespace mla::quant::interleaved {

// blocks_of_32.cpp
void restore_q4_0_r8(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_q5_0_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_q6_0_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_q8_0_r8(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_iq4_nl_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_mxfp4_r8(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;

// k_quants.cpp
void restore_q2_k_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_q3_k_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_q4_k_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_q5_k_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_q6_k_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;

// ik_quants.cpp
void restore_iq2_k_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_iq3_k_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_iq4_k_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_iq5_k_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_iq4_ks_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_iq5_ks_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_iq4_xs_r8(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;

// codebooks.cpp
void restore_iq1_s_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_iq1_m_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_iq2_xxs_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_iq2_xs_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_iq2_s_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_iq3_xxs_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;
void restore_iq3_s_r4(const std::uint8_t* group, int row, std::uint8_t* block) noexcept;

}  // namespace mla::quant::interleaved
