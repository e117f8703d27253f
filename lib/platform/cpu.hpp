// Which instruction set the kernels use: found once, overridable by the environment variable MLA_ISA.
#pragma once

namespace mla::platform {

/// In ascending order for one architecture; neon has the dot product instructions.
enum class Isa : int { scalar = 0, avx2 = 1, avx512 = 2, neon = 3 };

const char* to_string(Isa isa) noexcept;

/// The best set this processor has.
Isa detected_isa() noexcept;

/// The set in use: detected_isa(), or what MLA_ISA (scalar, avx2, avx512, neon) names.
/// Throws Error(invalid_argument) if MLA_ISA is misspelt or names a set that the processor lacks.
Isa active_isa();

}  // namespace mla::platform
