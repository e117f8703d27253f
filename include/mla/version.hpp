// Which libmla this is, and which instruction set it runs with.
#pragma once

namespace mla {

/// "0.1.0"
const char* version() noexcept;

/// The instruction set in use: "scalar", "avx2" or "avx512"; the environment variable MLA_ISA picks a lesser one.
/// Throws Error(invalid_argument) if MLA_ISA is misspelt or names a set that this processor lacks.
const char* isa_name();

}  // namespace mla
