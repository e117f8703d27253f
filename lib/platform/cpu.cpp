#include "platform/cpu.hpp"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
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

namespace {

// Whole processors that a cgroup (v2, then v1) grants; 0 where there is no quota.
int cgroup_processors() {
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (v2 >> quota >> period) {
    if (quota == "max" || period <= 0) return 0;
    return std::max(1, static_cast<int>(std::strtod(quota.c_str(), nullptr) / period));
  }
  std::ifstream v1_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double microseconds = 0;
  if (v1_quota >> microseconds && v1_period >> period && microseconds > 0 && period > 0)
    return std::max(1, static_cast<int>(microseconds / period));
  return 0;
}

}  // namespace

int usable_processors() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  try {
    if (const int granted = cgroup_processors(); granted > 0) count = std::min(count, granted);
  } catch (...) {  // no memory to read the quota: the mask will do
  }
  return std::max(1, count);
}

}  // namespace mla::platform
