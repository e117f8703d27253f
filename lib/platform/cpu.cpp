#include "platform/cpu.hpp"

#include <cstdlib>
#include <string>

#include "platform/fail.hpp"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace mla::platform {
namespace {

/// Whether a processor whose best set is `best` runs code for `isa`.
bool includes(Isa best, Isa isa) noexcept { return isa == Isa::scalar || isa == best || (isa == Isa::avx2 && best == Isa::avx512); }

}  // namespace

const char* to_string(Isa isa) noexcept {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
    case Isa::neon: return "neon";
  }
  return "unknown";
}

Isa detected_isa() noexcept {
#if defined(__x86_64__)
  // __builtin_cpu_supports also checks that the operating system saves the wide registers.
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    return Isa::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#elif defined(__aarch64__)
  if ((getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0) return Isa::neon;
#endif
  return Isa::scalar;
}

Isa active_isa() {
  static const Isa isa = [] {
    const Isa detected = detected_isa();
    const char* wanted = std::getenv("MLA_ISA");
    if (wanted == nullptr || *wanted == '\0') return detected;
    for (const Isa candidate : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::neon}) {
      if (std::string(wanted) != to_string(candidate)) continue;
      if (!includes(detected, candidate))
        fail(Status::invalid_argument, "MLA_ISA={}: this processor has only {}", wanted, to_string(detected));
      return candidate;
    }
    fail(Status::invalid_argument, "MLA_ISA={} is not an instruction set: use scalar, avx2, avx512 or neon", wanted);
  }();
  return isa;
}

}  // namespace mla::platform
