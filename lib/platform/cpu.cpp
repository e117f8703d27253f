#include "platform/cpu.hpp"

#include <cstdlib>
#include <string>

#include "platform/fail.hpp"

namespace mla::platform {

const char* to_string(Isa isa) noexcept {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
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
#endif
  return Isa::scalar;
}

Isa active_isa() {
  static const Isa isa = [] {
    const Isa detected = detected_isa();
    const char* wanted = std::getenv("MLA_ISA");
    if (wanted == nullptr || *wanted == '\0') return detected;
    for (const Isa candidate : {Isa::scalar, Isa::avx2, Isa::avx512}) {
      if (std::string(wanted) != to_string(candidate)) continue;
      if (candidate > detected)
        fail(Status::invalid_argument, "MLA_ISA={}: this processor has only {}", wanted, to_string(detected));
      return candidate;
    }
    fail(Status::invalid_argument, "MLA_ISA={} is not an instruction set: use scalar, avx2 or avx512", wanted);
  }();
  return isa;
}

}  // namespace mla::platform
