#include "platform/numa.hpp"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <tuple>

#include "platform/fail.hpp"

namespace mla::platform {

int current_processor() noexcept { return std::max(0, sched_getcpu()); }

int NumaPlan::node_here() const noexcept { return n_nodes() > 1 ? topology.node_index(current_processor()) : 0; }

std::shared_ptr<const NumaPlan> plan_numa(Numa mode, const Topology& machine, std::shared_ptr<const NodeMemory> memory) {
  if (mode == Numa::none) return nullptr;
  auto plan = std::make_shared<NumaPlan>(NumaPlan{mode, machine, nullptr});
  if (machine.nodes.size() < 2) return plan;
  plan->memory = memory ? std::move(memory) : libnuma_memory();
  if (mode == Numa::isolate) {
    const int node = machine.nodes[static_cast<std::size_t>(machine.node_index(current_processor()))];
    std::erase_if(plan->topology.processors, [&](const Processor& p) { return p.node != node; });
    plan->topology.nodes = {node};
  }
  return plan;
}

std::uint64_t node_room(int node, const KernelFolders& folders) {
  std::ifstream file(fmt::format("{}/devices/system/node/node{}/meminfo", folders.sys, node));
  std::uint64_t kilobytes = 0, shared = 0;
  std::string word, id, name, unit;
  for (std::uint64_t value = 0; file >> word >> id >> name >> value;) {  // Node 0 MemFree: 123 kB
    if (name == "MemFree:" || name == "FilePages:") kilobytes += value;
    if (name == "Shmem:") shared = value;
    std::getline(file, unit);
  }
  return (kilobytes - std::min(kilobytes, shared)) * 1024;
}

TouchOn::TouchOn(const NumaPlan* plan) : plan_(plan != nullptr && plan->memory ? plan : nullptr) {
  if (plan_ != nullptr) before_ = plan_->memory->save();
}

TouchOn::~TouchOn() {
  if (plan_ != nullptr) plan_->memory->restore(before_);
}

void TouchOn::node(int index) noexcept {
  if (plan_ != nullptr && index != index_) plan_->memory->prefer(plan_->topology.nodes[static_cast<std::size_t>(index)]);
  index_ = index;
}

void TouchOn::all_nodes() noexcept {
  if (plan_ != nullptr) plan_->memory->interleave(plan_->topology.nodes);
  index_ = -1;
}

namespace {

// Fast cores first, and each core's first hardware thread before any second one.
std::vector<Processor> in_order_of_use(const Topology& t) {
  struct Ranked {
    Processor processor;
    int sibling;
  };
  std::vector<Ranked> ranked;
  for (const Processor& p : t.processors)
    ranked.push_back({p, static_cast<int>(std::ranges::count_if(ranked, [&](const Ranked& r) { return r.processor.core == p.core; }))});
  std::ranges::stable_sort(ranked, {}, [](const Ranked& r) { return std::tuple(r.sibling, !r.processor.performance); });
  std::vector<Processor> order;
  for (const Ranked& r : ranked) order.push_back(r.processor);
  return order;
}

// The processor for a thread of `node`: the first that nobody has, else any.
int take_processor(std::vector<Processor>& free, const Topology& t, int node, bool by_node) {
  const auto fits = [&](const Processor& p) { return !by_node || t.node_index(p.id) == node; };
  const auto found = std::ranges::find_if(free, fits);
  if (found == free.end()) return -1;
  const int id = found->id;
  free.erase(found);
  return id;
}

}  // namespace

ThreadPlan plan_threads(const Topology& t, int n_threads, bool by_node, bool pin, int here) {
  ThreadPlan plan;
  plan.n_processors = usable_processors(t);
  plan.nodes.assign(static_cast<std::size_t>(n_threads), 0);
  plan.processors.resize(static_cast<std::size_t>(n_threads));
  const int n_nodes = by_node ? std::max(1, static_cast<int>(t.nodes.size())) : 1, home = by_node ? t.node_index(here) : 0;
  std::vector<Processor> free = in_order_of_use(t);
  if (const auto callers = std::ranges::find(free, here, &Processor::id); callers != free.end()) free.erase(callers);
  for (int thread = 0; thread < n_threads; ++thread) {
    const auto i = static_cast<std::size_t>(thread);
    const int node = (home + static_cast<int>(std::int64_t{thread} * n_nodes / n_threads)) % n_nodes;
    plan.nodes[i] = node;
    if (thread == 0) continue;
    if (const int processor = pin ? take_processor(free, t, node, by_node) : -1; processor >= 0)
      plan.processors[i] = {processor};
    else if (by_node)
      plan.processors[i] = t.processors_of(node);
  }
  return plan;
}

}  // namespace mla::platform
