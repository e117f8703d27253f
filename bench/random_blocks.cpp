#include "random_blocks.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace bench {
namespace {

constexpr std::array<WeightType, 15> types{{
    {"f32", 0, 1, 4, ""}, {"f16", 1, 1, 2, ""}, {"bf16", 30, 1, 2, ""},
    {"q4_0", 2, 32, 18, ""}, {"q5_0", 6, 32, 22, ""}, {"q5_1", 7, 32, 24, ""}, {"q8_0", 8, 32, 34, ""}, {"iq4_nl", 20, 32, 18, ""},
    {"q4_k", 12, 256, 144, "q5_0"}, {"q5_k", 13, 256, 176, "q5_1"}, {"q6_k", 14, 256, 210, "q8_0"}, {"iq4_xs", 23, 256, 136, "iq4_nl"},
    {"iq1_s", 19, 256, 50, "iq4_nl"}, {"iq2_xxs", 16, 256, 66, "iq4_nl"}, {"iq3_xxs", 18, 256, 98, "iq4_nl"},
}};

// Standard deviations of uniformly random integers: 4, 5, 6 and 8 bits, and the 16 values of the IQ4 table.
constexpr float nibble = 4.61f, five_bits = 9.23f, six_bits = 18.47f, byte = 73.9f, iq4 = 69.0f;
constexpr float iq1_s = 7.18f, iq2_xxs = 53.4f, iq3_xxs = 143.0f;  // of blocks of random bytes with a scale of 1
constexpr float mean_scale = 38.0f;  // root mean square of the 6-bit scales below

// A normal positive float as half precision, truncated.
std::uint16_t half(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits >> 13) - ((127 - 15) << 10));
}

void put_half(std::byte* at, float value, bool negative = false) noexcept {
  const auto bits = static_cast<std::uint16_t>(half(value) | (negative ? 0x8000 : 0));
  std::memcpy(at, &bits, sizeof bits);
}

// Eight 6-bit scales and eight equal minima, packed in the 12 bytes that Q4_K and Q5_K have for them.
void put_k_scales(std::byte* at, std::uint64_t random) noexcept {
  std::array<unsigned, 8> scales;
  for (std::size_t i = 0; i < 8; ++i) scales[i] = 8 + static_cast<unsigned>(random >> (8 * i) & 0xff) * 56 / 256;
  for (std::size_t i = 0; i < 4; ++i) {
    const unsigned low = scales[i], high = scales[i + 4];
    at[i] = at[i + 4] = static_cast<std::byte>(low | (high >> 4) << 6);
    at[i + 8] = static_cast<std::byte>((high & 15) | (high & 15) << 4);
  }
}

// The scales of a block whose other bytes are random.
void put_scales(const WeightType& type, float deviation, std::mt19937_64& random, std::byte* block) noexcept {
  switch (type.number) {
    case 2: return put_half(block, deviation / nibble);
    case 6: return put_half(block, deviation / five_bits);
    case 7: return put_half(block, deviation / five_bits), put_half(block + 2, 15.5f * deviation / five_bits, true);
    case 8: return put_half(block, deviation / byte);
    case 20: return put_half(block, deviation / iq4);
    case 23: return put_half(block, deviation / (iq4 * six_bits));
    case 16: return put_half(block, deviation / iq2_xxs);
    case 18: return put_half(block, deviation / iq3_xxs);
    case 19: return put_half(block, deviation / iq1_s);
    case 14: return put_half(block + 208, deviation / (six_bits * byte));
    default: break;
  }
  const bool q4_k = type.number == 12;
  const float scale = deviation / ((q4_k ? nibble : five_bits) * mean_scale);
  put_half(block, scale), put_half(block + 2, (q4_k ? 7.5f : 15.5f) * scale);
  put_k_scales(block + 4, random());
}

void fill_floats(const WeightType& type, float deviation, std::mt19937_64& random, std::span<std::byte> out) {
  const float range = deviation * std::sqrt(3.0f);  // of a uniform distribution
  std::uniform_real_distribution<float> value(-range, range);
  for (std::size_t at = 0; at < out.size(); at += type.block_bytes) {
    const float v = value(random);
    const auto bits = std::bit_cast<std::uint32_t>(v);
    if (type.number == 0) std::memcpy(out.data() + at, &v, 4);
    else if (type.number == 30) std::memcpy(out.data() + at, reinterpret_cast<const std::byte*>(&bits) + 2, 2);
    else put_half(out.data() + at, std::max(std::abs(v), 1e-4f), v < 0);
  }
}

}  // namespace

const WeightType* find_weight_type(std::string_view name) noexcept {
  for (const WeightType& type : types)
    if (type.name == name) return &type;
  return nullptr;
}

std::vector<std::string> weight_type_names() {
  std::vector<std::string> names;
  for (const WeightType& type : types) names.emplace_back(type.name);
  return names;
}

void fill_random_blocks(const WeightType& type, float deviation, std::mt19937_64& random, std::span<std::byte> out) {
  if (type.block_values == 1) return fill_floats(type, deviation, random, out);
  for (std::size_t at = 0; at < out.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t bits = random();
    std::memcpy(out.data() + at, &bits, std::min(sizeof bits, out.size() - at));
  }
  for (std::size_t at = 0; at < out.size(); at += type.block_bytes) put_scales(type, deviation, random, out.data() + at);
}

}  // namespace bench
