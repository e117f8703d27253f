// Memory nodes: which threads, rows of weights and memory belong to which.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mla/types.hpp>
#include <span>
#include <string>
#include <vector>

#include "platform/topology.hpp"

namespace mla::platform {

/// The row tiles of a weight matrix, shared out among nodes in order: each gets one run of neighbours.
struct RowSplit {
  int n_nodes = 1;

  std::int64_t first_tile(std::int64_t n_tiles, int node) const noexcept { return n_tiles * node / n_nodes; }
  int node_of(std::int64_t n_tiles, std::int64_t tile) const noexcept { return static_cast<int>(((tile + 1) * n_nodes - 1) / n_tiles); }
};

/// Where the memory comes from that the calling thread touches first. Nodes are the operating system's ids. An interface, so that
/// tests can tell what would happen on machines that they don't run on.
class NodeMemory {
 public:
  virtual ~NodeMemory() = default;
  /// From `node` while it has any.
  virtual void prefer(int node) const noexcept = 0;
  /// From these nodes, page by page in turn.
  virtual void interleave(std::span<const int> nodes) const noexcept = 0;
  /// What the calling thread does now, for restore(); opaque.
  virtual std::vector<unsigned long> save() const = 0;
  virtual void restore(const std::vector<unsigned long>& saved) const noexcept = 0;
};

/// This machine's, through libnuma, which is loaded when it is first asked for. Throws Error(unsupported) where it is not installed
/// or the kernel has no memory policies.
std::shared_ptr<const NodeMemory> libnuma_memory();

/// Ids of the nodes that hold the pages at these addresses; -1 for one that isn't in memory. Empty where the system doesn't tell.
std::vector<int> nodes_of_pages(std::span<const std::byte* const> pages);

/// How a model and its contexts use the nodes of a machine. Immutable.
struct NumaPlan {
  Numa mode = Numa::none;
  Topology topology;  ///< of the processors to use; under Numa::isolate those of one node
  std::shared_ptr<const NodeMemory> memory;  ///< none where there is one node

  int n_nodes() const noexcept { return static_cast<int>(topology.nodes.size()); }
  bool splits() const noexcept { return mode == Numa::split && n_nodes() > 1; }
  bool replicates() const noexcept { return mode == Numa::replicate && n_nodes() > 1; }
  RowSplit rows() const noexcept { return {splits() ? n_nodes() : 1}; }
  /// Index of the node where the calling thread runs now.
  int node_here() const noexcept;
};

/// The plan for a machine; nullptr for Numa::none. `memory` is asked for where there are several nodes; libnuma's if left out.
std::shared_ptr<const NumaPlan> plan_numa(Numa mode, const Topology& machine, std::shared_ptr<const NodeMemory> memory = nullptr);

/// Bytes that a node has left; pages of files count, as the kernel drops them when it needs room. 0 where it doesn't tell.
std::uint64_t node_room(int node, const KernelFolders& folders = {});

/// The processor that the calling thread runs on.
int current_processor() noexcept;

/// While it lives, memory that the calling thread touches first comes from where it says; then as before. Does nothing without a plan
/// or where there is one node. Destroyed by the thread that made it.
class TouchOn {
 public:
  explicit TouchOn(const NumaPlan* plan);
  ~TouchOn();
  TouchOn(const TouchOn&) = delete;
  TouchOn& operator=(const TouchOn&) = delete;

  /// Index of a node; cheap where it is the same as before.
  void node(int index) noexcept;
  /// All nodes of the plan in turn.
  void all_nodes() noexcept;

 private:
  const NumaPlan* plan_;
  int index_ = -1;
  std::vector<unsigned long> before_;
};

/// Where each thread of a pool runs: [n_threads]; that of the caller, the first, is only counted with.
struct ThreadPlan {
  int n_processors = 1;                      ///< threads that can run at once
  std::vector<int> nodes;                    ///< index of each thread's node
  std::vector<std::vector<int>> processors;  ///< that each thread may run on; empty: as it comes
};

/// `by_node`: threads in equal shares on all nodes, each bound to its node's processors. `pin`: each on one processor, cores before
/// their second hardware threads. `here`: the processor that the caller runs on.
ThreadPlan plan_threads(const Topology& topology, int n_threads, bool by_node, bool pin, int here);

}  // namespace mla::platform
