// Topology: processors, cores and memory nodes of a machine, and how many threads it pays to have.
#pragma once
#include <string>
#include <vector>

namespace mla::platform {

/// A processor as the operating system counts them: a hardware thread.
struct Processor {
  int id = 0;
  int node = 0;             ///< memory node
  int core = 0;             ///< processors of one physical core have the same
  bool performance = true;  ///< of the fast kind, where a machine has several
};

/// A plain description, so that a test can write down a machine that it doesn't run on.
struct Topology {
  std::vector<Processor> processors;  ///< those that the process may use, by id
  std::vector<int> nodes;             ///< ids of the memory nodes that these belong to, ascending; at least one
  int quota = 0;                      ///< whole processors' worth of time that control groups grant; 0: no limit

  /// Index into `nodes` of a processor; 0 for one that isn't listed.
  int node_index(int processor) const noexcept;
  std::vector<int> processors_of(int node_index) const;
};

/// Where the kernel tells about itself; tests name folders of their own.
struct KernelFolders {
  std::string sys = "/sys", proc = "/proc";
};

/// Ids of the processors in this thread's affinity mask.
std::vector<int> affinity_mask();

/// The machine as `mask` sees it. What the kernel doesn't tell is taken to be one node, one thread per core and equal cores.
Topology read_topology(const std::vector<int>& mask, const KernelFolders& folders = {});
/// The machine as this thread sees it now.
Topology this_topology();

/// Threads that can run at the same time: the processors, capped by the quota; at least 1.
int usable_processors(const Topology& topology) noexcept;
/// Threads to start unless told otherwise: one for each physical core of the fast kind, capped by the quota; at least 1.
int default_threads(const Topology& topology);

/// The kernel's lists of numbers: "0-3,8,10-11". Empty for what isn't one.
std::vector<int> parse_number_list(const std::string& text);

}  // namespace mla::platform
