// Q4_0_R8, Q5_0_R4, Q6_0_R4, Q8_0_R8, IQ4_NL_R4, MXFP4_R8: 32 values of a row share one scale.
#include "quant/interleaved/blocks.hpp"
#include "quant/interleaved/values.hpp"

namespace mla::quant::interleaved {
namespace {

// The bytes of a block in runs of four, one run of each of 8 rows after another.
void take_runs(Bytes group, int row, int n_bytes, std::uint8_t* to) {
  for (int run = 0; run < n_bytes / 4; ++run) std::memcpy(to + 4 * run, group + 32 * run + 4 * row, 4);
}

}  // namespace

void restore_q4_0_r8(Bytes group, int row, std::uint8_t* block) noexcept {  // d[8], quants[128]
  copy_half(group, row, block);
  take_runs(group + 16, row, 16, block + 2);
}

void restore_q8_0_r8(Bytes group, int row, std::uint8_t* block) noexcept {  // d[8], quants[256]
  copy_half(group, row, block);
  take_runs(group + 16, row, 32, block + 2);
}

void restore_mxfp4_r8(Bytes group, int row, std::uint8_t* block) noexcept {  // exponent[8], quants[128]
  block[0] = group[row];
  take_runs(group + 8, row, 16, block + 1);
}

void restore_iq4_nl_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // d[4], quants[64]
  std::uint8_t q[32];
  copy_half(group, row, block);
  take_nibbles(group + 8, row, q);
  put_nibbles(q, block + 2);
}

void restore_q5_0_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // d[4], fifth bits[16], quants[64]
  std::uint8_t q[32];
  copy_half(group, row, block);
  take_nibbles(group + 24, row, q);
  take_bits(group + 8, row, {0, 16, 4, 20, 8, 24, 12, 28}, 4, q);
  for (int j = 0; j < 32; ++j) block[2 + j / 8] |= static_cast<std::uint8_t>((q[j] >> 4) << (j % 8));
  put_nibbles(q, block + 6);
}

void restore_q6_0_r4(Bytes group, int row, std::uint8_t* block) noexcept {  // d[4], two high bits[32], quants[64]
  std::uint8_t q[32];
  copy_half(group, row, block);
  take_nibbles(group + 40, row, q);
  constexpr int first[4] = {0, 4, 8, 12};  // of the four fields of a byte, from below
  for (int half = 0; half < 2; ++half)
    for (int i = 0; i < 4; ++i)
      for (int f = 0; f < 4; ++f)
        q[16 * half + first[f] + i] |= static_cast<std::uint8_t>((group[8 + 16 * half + 4 * row + i] >> (2 * f) & 3) << 4);
  // Byte j of the high bits serves values j and 16 + j in its low nibble, 8 + j and 24 + j in its high one.
  for (int j = 0; j < 32; ++j) block[2 + j % 8] |= static_cast<std::uint8_t>((q[j] >> 4) << (j % 16 / 8 * 4 + j / 16 * 2));
  put_nibbles(q, block + 10);
}

}  // namespace mla::quant::interleaved
