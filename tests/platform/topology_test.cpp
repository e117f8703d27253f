#include "catch.hpp"

#include <numeric>
#include <set>
#include <vector>

#include "platform/kernel_folders.hpp"
#include "platform/topology.hpp"

using namespace mla::platform;

namespace {

std::vector<int> first(int n) {
  std::vector<int> ids(static_cast<std::size_t>(n));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

// Cores of two hardware threads each, numbered as on most machines: 0 … n-1, then their siblings.
void two_threads_per_core(FakeKernel& kernel, int n_cores, const char* file) {
  for (int i = 0; i < 2 * n_cores; ++i)
    kernel.cpu(i, std::string("topology/") + file, std::to_string(i % n_cores) + "," + std::to_string(i % n_cores + n_cores));
}

}  // namespace

TEST_CASE("lists of numbers as the kernel writes them") {
  CHECK(parse_number_list("0-3,8,10-11") == std::vector<int>{0, 1, 2, 3, 8, 10, 11});
  CHECK(parse_number_list("5") == std::vector<int>{5});
  for (const char* bad : {"", "x", "3-1", "0-99999999", "-1", "1-x"}) CHECK(parse_number_list(bad).empty());
}

TEST_CASE("a kernel that tells nothing: one node, equal cores") {
  const FakeKernel kernel;
  const Topology t = read_topology({0, 1, 4}, kernel.folders());
  CHECK(t.processors.size() == 3);
  CHECK(t.nodes == std::vector<int>{0});
  CHECK(t.quota == 0);
  CHECK(default_threads(t) == 3);
  CHECK(usable_processors(t) == 3);
  CHECK(default_threads(Topology{}) == 1);
  CHECK(usable_processors(Topology{}) == 1);
}

TEST_CASE("hardware threads of one core count once, in the mask only") {
  for (const char* file : {"core_cpus_list", "thread_siblings_list"}) {
    FakeKernel kernel;
    two_threads_per_core(kernel, 4, file);
    CHECK(default_threads(read_topology(first(8), kernel.folders())) == 4);
    CHECK(usable_processors(read_topology(first(8), kernel.folders())) == 8);
    CHECK(default_threads(read_topology({0, 4, 5}, kernel.folders())) == 2);
  }
}

TEST_CASE("hybrid processors: the fast cores, as Intel, Arm and others tell them") {
  SECTION("lists of either kind: 2 fast cores of two threads, 4 slow ones") {
    FakeKernel kernel;
    kernel.file("sys/devices/cpu_core/cpus", "0-3").file("sys/devices/cpu_atom/cpus", "4-7");
    for (int i = 0; i < 4; ++i) kernel.cpu(i, "topology/core_cpus_list", i < 2 ? "0-1" : "2-3");
    CHECK(default_threads(read_topology(first(8), kernel.folders())) == 2);
    CHECK(default_threads(read_topology({4, 5, 6}, kernel.folders())) == 3);  // only slow ones to be had
  }
  SECTION("capacity") {
    FakeKernel kernel;
    for (int i = 0; i < 8; ++i) kernel.cpu(i, "cpu_capacity", i < 4 ? "280" : i < 7 ? "866" : "1024");
    CHECK(default_threads(read_topology(first(8), kernel.folders())) == 4);
    CHECK(default_threads(read_topology(first(6), kernel.folders())) == 2);
  }
  SECTION("highest clock; good cores differ a little") {
    FakeKernel kernel;
    for (int i = 0; i < 6; ++i) kernel.cpu(i, "cpufreq/cpuinfo_max_freq", i < 2 ? "5100000" : i < 4 ? "4900000" : "3300000");
    CHECK(default_threads(read_topology(first(6), kernel.folders())) == 4);
  }
  SECTION("a speed that is missing for one says nothing about the others") {
    FakeKernel kernel;
    kernel.cpu(0, "cpu_capacity", "200").cpu(1, "cpu_capacity", "1024");
    CHECK(default_threads(read_topology(first(3), kernel.folders())) == 3);
  }
}

TEST_CASE("two and four memory nodes") {
  for (const int n_nodes : {2, 4}) {
    FakeKernel kernel;
    kernel.file("sys/devices/system/node/online", "0-" + std::to_string(n_nodes - 1));
    for (int node = 0; node < n_nodes; ++node)
      kernel.file("sys/devices/system/node/node" + std::to_string(node) + "/cpulist",
                  std::to_string(4 * node) + "-" + std::to_string(4 * node + 3));
    const Topology t = read_topology(first(4 * n_nodes), kernel.folders());
    REQUIRE(t.nodes == first(n_nodes));
    for (int id = 0; id < 4 * n_nodes; ++id) CHECK(t.node_index(id) == id / 4);
    CHECK(t.processors_of(1) == std::vector<int>{4, 5, 6, 7});
    const Topology part = read_topology({5, 6}, kernel.folders());  // a mask within node 1
    CHECK(part.nodes == std::vector<int>{1});
    CHECK(part.node_index(6) == 0);
  }
}

TEST_CASE("quotas of control groups, nested ones too") {
  SECTION("version 2: the smallest up to the root, whole processors") {
    FakeKernel kernel;
    kernel.file("proc/self/cgroup", "0::/user.slice/job").file("sys/fs/cgroup/user.slice/job/cpu.max", "max 100000");
    CHECK(read_topology(first(16), kernel.folders()).quota == 0);
    kernel.file("sys/fs/cgroup/user.slice/cpu.max", "650000 100000");
    CHECK(read_topology(first(16), kernel.folders()).quota == 6);
    kernel.file("sys/fs/cgroup/cpu.max", "50000 100000");
    const Topology t = read_topology(first(16), kernel.folders());
    CHECK(t.quota == 1);
    CHECK(default_threads(t) == 1);
    CHECK(usable_processors(t) == 1);
  }
  SECTION("version 2 in a container: the group's path is the host's, the quota at the root of what is mounted") {
    FakeKernel kernel;
    kernel.file("proc/self/cgroup", "0::/docker/0123").file("sys/fs/cgroup/cpu.max", "400000 100000");
    CHECK(default_threads(read_topology(first(16), kernel.folders())) == 4);
  }
  SECTION("version 2 beside version 1") {
    FakeKernel kernel;
    kernel.file("proc/self/cgroup", "1:cpu:/\n0::/a").file("sys/fs/cgroup/unified/a/cpu.max", "300000 100000");
    CHECK(read_topology(first(16), kernel.folders()).quota == 3);
  }
  SECTION("version 1") {
    FakeKernel kernel;
    kernel.file("proc/self/cgroup", "4:cpuset:/\n3:cpu,cpuacct:/box/inner");
    kernel.file("sys/fs/cgroup/cpu/box/inner/cpu.cfs_quota_us", "-1").file("sys/fs/cgroup/cpu/box/inner/cpu.cfs_period_us", "100000");
    CHECK(read_topology(first(16), kernel.folders()).quota == 0);
    kernel.file("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "250000")
        .file("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000");
    CHECK(read_topology(first(16), kernel.folders()).quota == 2);
  }
  SECTION("files that make no sense grant nothing and take nothing") {
    FakeKernel kernel;
    kernel.file("proc/self/cgroup", "nonsense\n0::relative\n0::/").file("sys/fs/cgroup/cpu.max", "100000 0");
    CHECK(read_topology(first(16), kernel.folders()).quota == 0);
  }
}

TEST_CASE("this machine") {
  const Topology t = this_topology();
  CHECK(t.processors.size() == affinity_mask().size());
  REQUIRE_FALSE(t.nodes.empty());
  std::set<int> seen;
  for (int i = 0; i < static_cast<int>(t.nodes.size()); ++i)
    for (const int id : t.processors_of(i)) CHECK(seen.insert(id).second);
  CHECK(seen.size() == t.processors.size());
  CHECK(default_threads(t) >= 1);
  CHECK(default_threads(t) <= usable_processors(t));
}
