#include "platform/topology.hpp"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

#include "platform/cpu_quota.hpp"

namespace mla::platform {
namespace {

std::optional<std::string> first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) ? std::optional(line) : std::nullopt;
}

std::optional<long> number(const std::string& path) {
  const auto line = first_line(path);
  long value = 0;
  if (!line || std::from_chars(line->data(), line->data() + line->size(), value).ec != std::errc{}) return std::nullopt;
  return value;
}

std::vector<int> number_list(const std::string& path) { return parse_number_list(first_line(path).value_or("")); }

// Processors of one core share the list of siblings; its first names the core. Older kernels call the file otherwise.
int core_of(int id, const std::string& folder) {
  for (const char* name : {"/topology/core_cpus_list", "/topology/thread_siblings_list"})
    if (const std::vector<int> siblings = number_list(folder + name); !siblings.empty()) return siblings.front();
  return id;
}

// Speeds differ a little between good cores of one kind and a lot between kinds: efficiency cores reach two thirds and less.
constexpr double slow_share = 0.75;

// Marks the slow kind: by the kernel's list of fast cores (Intel), by capacity (Arm), by the highest clock (others).
void mark_performance(std::vector<Processor>& processors, const std::string& sys) {
  if (const std::vector<int> fast = number_list(sys + "/devices/cpu_core/cpus"); !fast.empty()) {
    const auto is_fast = [&](const Processor& p) { return std::ranges::find(fast, p.id) != fast.end(); };
    if (std::ranges::any_of(processors, is_fast))
      for (Processor& p : processors) p.performance = is_fast(p);
    return;
  }
  for (const char* measure : {"/cpu_capacity", "/cpufreq/cpuinfo_max_freq"}) {
    std::vector<long> speeds;
    for (const Processor& p : processors)
      if (const auto speed = number(sys + "/devices/system/cpu/cpu" + std::to_string(p.id) + measure)) speeds.push_back(*speed);
    if (speeds.size() != processors.size() || speeds.empty()) continue;
    const auto least = static_cast<double>(std::ranges::max(speeds)) * slow_share;
    for (std::size_t i = 0; i < speeds.size(); ++i) processors[i].performance = static_cast<double>(speeds[i]) >= least;
    return;
  }
}

void read_nodes(Topology& t, const std::string& sys) {
  for (const int node : number_list(sys + "/devices/system/node/online")) {
    const std::vector<int> members = number_list(sys + "/devices/system/node/node" + std::to_string(node) + "/cpulist");
    for (Processor& p : t.processors)
      if (std::ranges::find(members, p.id) != members.end()) p.node = node;
  }
  std::set<int> used;
  for (const Processor& p : t.processors) used.insert(p.node);
  t.nodes.assign(used.begin(), used.end());
}

}  // namespace

std::vector<int> parse_number_list(const std::string& text) {
  std::vector<int> numbers;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const char *begin = part.data(), *end = begin + part.size();
    int first = 0, last = 0;
    const auto [dash, error] = std::from_chars(begin, end, first);
    if (error != std::errc{} || first < 0) return {};
    last = first;
    if (dash != end && *dash == '-' && std::from_chars(dash + 1, end, last).ec != std::errc{}) return {};
    if (last < first || last - first > (1 << 16)) return {};
    for (int i = first; i <= last; ++i) numbers.push_back(i);
  }
  return numbers;
}

int Topology::node_index(int processor) const noexcept {
  for (const Processor& p : processors)
    if (p.id == processor) return static_cast<int>(std::ranges::find(nodes, p.node) - nodes.begin());
  return 0;
}

std::vector<int> Topology::processors_of(int index) const {
  std::vector<int> ids;
  for (const Processor& p : processors)
    if (p.node == nodes[static_cast<std::size_t>(index)]) ids.push_back(p.id);
  return ids;
}

std::vector<int> affinity_mask() {
  // The kernel refuses a mask smaller than its own: machines with more than 1,024 processors need a larger one.
  for (std::size_t n = CPU_SETSIZE; n <= (std::size_t{1} << 16); n *= 2) {
    std::vector<cpu_set_t> sets(n / CPU_SETSIZE);
    const std::size_t bytes = sets.size() * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, sets.data()) != 0) continue;
    std::vector<int> mask;
    for (std::size_t i = 0; i < n; ++i)
      if (CPU_ISSET_S(i, bytes, sets.data())) mask.push_back(static_cast<int>(i));
    return mask;
  }
  return {0};
}

Topology read_topology(const std::vector<int>& mask, const KernelFolders& folders) {
  Topology t;
  for (const int id : mask)
    t.processors.push_back({id, 0, core_of(id, folders.sys + "/devices/system/cpu/cpu" + std::to_string(id)), true});
  mark_performance(t.processors, folders.sys);
  read_nodes(t, folders.sys);
  t.quota = read_cpu_quota(folders);
  return t;
}

Topology this_topology() { return read_topology(affinity_mask()); }

int usable_processors(const Topology& t) noexcept {
  const int n = std::max(1, static_cast<int>(t.processors.size()));
  return t.quota > 0 ? std::min(n, t.quota) : n;
}

int default_threads(const Topology& t) {
  std::set<int> cores;
  for (const Processor& p : t.processors)
    if (p.performance) cores.insert(p.core);
  const int n = std::max(1, static_cast<int>(cores.size()));
  return t.quota > 0 ? std::min(n, t.quota) : n;
}

}  // namespace mla::platform
