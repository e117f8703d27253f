// Memory of a task, and sizes of what is kept in it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "platform/scratch.hpp"

namespace mla::attention {

using platform::Scratch;

/// Widths of a row's two parts, which are rounded apart: (nope | rope), or (latent | rope).
struct Widths {
  int first, second;
  int total() const noexcept { return first + second; }
};

/// Memory that will be read next.
using Ahead = std::span<const std::byte>;

/// Distance of rows of results: kernels write sixteen columns at once.
constexpr std::int64_t result_stride(int width) noexcept { return (std::int64_t{width} + 15) / 16 * 16; }

}  // namespace mla::attention
