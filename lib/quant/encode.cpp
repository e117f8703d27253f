#include "quant/encode.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numeric>

#include "platform/fail.hpp"
#include "quant/dispatch.hpp"
#include "quant/quantize.hpp"

namespace mla::quant {
namespace {

// Types whose nearest values are the best ones, or as good as.
bool is_plain(Type type) noexcept { return type == Type::f32 || type == Type::f16 || type == Type::bf16 || type == Type::q8_0; }

}  // namespace

bool can_encode(Type type) noexcept { return is_plain(type) || find_encoder(type, platform::Isa::scalar) != nullptr; }

void encode(Type type, const float* in, const float* weights, void* out, std::int64_t n) {
  if (!can_encode(type))
    fail(Status::unsupported,
         "cannot quantise to {} in this version: use F32, F16, BF16, Q4_0, Q5_0, Q6_0, Q8_0, Q2_K to Q6_K, IQ4_NL or IQ4_XS",
         traits(type).name);
  encode_on(platform::active_isa(), type, in, weights, out, n);
}

void encode_on(platform::Isa isa, Type type, const float* in, const float* weights, void* out, std::int64_t n) noexcept {
  if (is_plain(type)) return find_quantizer(type, isa)(in, out, n);
  find_encoder(type, isa)(in, weights, out, n);
}

// Without a branch in the loop, which compilers then do in vectors.
float find_not_finite(std::span<const float> values) noexcept {
  constexpr std::uint32_t exponent = 0x7f800000;
  std::uint32_t found = 0;
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    found |= (bits & exponent) == exponent ? bits : 0;
  }
  return std::bit_cast<float>(found);
}

void level_weights(std::span<float> weights) noexcept {
  constexpr float least = 1e-5f;
  const double mean = std::accumulate(weights.begin(), weights.end(), 0.0) / static_cast<double>(std::max<std::size_t>(weights.size(), 1));
  for (float& weight : weights) weight = mean > 0 ? std::max(static_cast<float>(weight / mean), least) : 1.0f;
}

const float* value_weights(Type type, std::span<const float> values, const float* importances, std::vector<float>& scratch) {
  if (type != Type::q2_k || importances == nullptr) return importances;
  const std::span columns(importances, values.size());
  if (std::ranges::adjacent_find(columns, std::ranges::not_equal_to()) == columns.end()) return importances;
  constexpr std::size_t block = 256;
  scratch.assign(columns.begin(), columns.end());
  for (std::size_t begin = 0; begin < values.size(); begin += block) {
    const auto square = [&](std::size_t i) { return static_cast<double>(values[i]) * values[i]; };  // a float's may not fit a float
    double squares = 0;
    for (std::size_t i = begin; i < begin + block; ++i) squares += square(i);
    const double per_mean = squares > 0 ? block / squares : 0;
    for (std::size_t i = begin; i < begin + block; ++i) scratch[i] *= static_cast<float>(std::sqrt(1 + square(i) * per_mean));
  }
  return scratch.data();
}

}  // namespace mla::quant
