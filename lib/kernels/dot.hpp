// Dot product of two float rows.
#pragma once
#include <cstdint>

#include "platform/cpu.hpp"

namespace mla::kernels {

using DotFn = float (*)(const float* a, const float* b, std::int64_t n);

/// Of the instruction set in use, and of a given one (for tests).
DotFn active_dot();
DotFn dot_kernel(platform::Isa isa) noexcept;

}  // namespace mla::kernels
