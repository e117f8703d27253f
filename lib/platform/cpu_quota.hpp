// How much processor time the control groups of this process grant.
#pragma once

namespace mla::platform {

struct KernelFolders;

/// The smallest quota of the process's control group and those around it, version 1 or 2, in whole processors, at least 1; 0: none.
int read_cpu_quota(const KernelFolders& folders);

}  // namespace mla::platform
