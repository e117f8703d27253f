// How much more memory this process may take before the system or its control group runs out.
#pragma once
#include <cstdint>
#include <limits>
#include <string>

namespace mla::platform {

/// Where the kernel's files are: injectable, so that tests can show machines that they don't run on.
struct KernelFiles {
  std::string proc = "/proc";
  std::string cgroup = "/sys/fs/cgroup";
  std::string sys = "/sys";
};

struct MemoryRoom {
  std::uint64_t bytes = std::numeric_limits<std::uint64_t>::max();  ///< the largest number: nothing says how much
  std::string limit;  ///< what sets it, for messages: "the machine", "the control group /a/b"
};

/// The least of MemAvailable and, for the process's control group and all above it (version 2, or the memory controller of
/// version 1), the limit less what is used. Pages of files count as free: the kernel drops them when it needs room.
MemoryRoom memory_room(const KernelFiles& files = {});

}  // namespace mla::platform
