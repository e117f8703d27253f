// Shared by the types whose indices stand for entries of a codebook.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>

namespace mla::quant::ref {

/// The n values of an entry times scale; bit j of `signs` makes value j negative.
template <std::size_t n>
void put_signed(float scale, const std::int8_t (&entry)[n], unsigned signs, float* out) noexcept {
  for (std::size_t j = 0; j < n; ++j) {
    const float product = scale * static_cast<float>(entry[j]);
    out[j] = signs >> j & 1u ? -product : product;
  }
}

/// Seven stored signs; the eighth makes the number of negative values even.
inline unsigned signs_of_seven(unsigned bits) noexcept { return (bits & 127u) | (static_cast<unsigned>(std::popcount(bits & 127u)) & 1u) << 7; }

}  // namespace mla::quant::ref
