// Q4_0, Q5_0, Q6_0, IQ4_NL: 32 values that share one f16 scale.
#include "quant/encode/scaled.hpp"

namespace mla::quant::MLA_QUANT_ISA {
namespace {

// pack(index of each of the 32 values, block) writes what follows the scale.
template <typename Values, int block_bytes, typename Pack>
void encode_blocks(const float* in, const float* weights, void* blocks, int64_t n, Pack pack) {
  uint8_t* block = (uint8_t*)blocks;
  Blocks<32> b;
  for (int64_t done = 0; done < n; done += 32 * lanes) {
    const int n_blocks = n - done < 32 * lanes ? (int)((n - done) / 32) : lanes;
    const float *x = in + done, *w = weights != nullptr ? weights + done : nullptr;
    float last[2][32 * lanes] = {};
    if (n_blocks < lanes) {
      x = (const float*)memcpy(last[0], x, 32 * sizeof(float) * (size_t)n_blocks);
      if (w != nullptr) w = (const float*)memcpy(last[1], w, 32 * sizeof(float) * (size_t)n_blocks);
    }
    load_blocks(x, w, b);
    const Lanes scale = search_scale<Values>(b).scale();
    uint16_t half[lanes];
    Lanes stored;
    for (int k = 0; k < lanes; ++k) {
      half[k] = to_half(scale[k]);
      stored[k] = f16_to_f32(half[k]);
    }
    const Lanes inverse_scale = inverse(stored);
    uint8_t index[32 * lanes];
    store_indices<32>([&](int i) { return Values::index(Values::nearest(b.x[i] * inverse_scale)); }, index);
    for (int k = 0; k < n_blocks; ++k, block += block_bytes) {
      put_half(block, half[k]);
      pack(index + 32 * k, block + 2);
    }
  }
}

void pack_nibbles(const uint8_t* index, uint8_t* out) {
  for (int i = 0; i < 16; ++i) out[i] = (uint8_t)((index[i] & 15) | index[i + 16] << 4);
}

}  // namespace

void encode_q4_0(const float* in, const float* weights, void* blocks, int64_t n) noexcept {
  encode_blocks<WholeNumbers<-8, 7>, 18>(in, weights, blocks, n, pack_nibbles);
}

void encode_q5_0(const float* in, const float* weights, void* blocks, int64_t n) noexcept {
  encode_blocks<WholeNumbers<-16, 15>, 22>(in, weights, blocks, n, [](const uint8_t* index, uint8_t* out) {
    uint32_t fifth = 0;
    for (int i = 0; i < 32; ++i) fifth |= (uint32_t)(index[i] >> 4) << i;
    memcpy(out, &fifth, sizeof fifth);
    pack_nibbles(index, out + 4);
  });
}

void encode_q6_0(const float* in, const float* weights, void* blocks, int64_t n) noexcept {
  encode_blocks<WholeNumbers<-32, 31>, 26>(in, weights, blocks, n, [](const uint8_t* index, uint8_t* out) {
    for (int i = 0; i < 8; ++i)
      out[i] = (uint8_t)(index[i] >> 4 | index[i + 16] >> 4 << 2 | index[i + 8] >> 4 << 4 | index[i + 24] >> 4 << 6);
    pack_nibbles(index, out + 8);
  });
}

void encode_iq4_nl(const float* in, const float* weights, void* blocks, int64_t n) noexcept {
  encode_blocks<Iq4Values, 18>(in, weights, blocks, n, pack_nibbles);
}

}  // namespace mla::quant::MLA_QUANT_ISA
