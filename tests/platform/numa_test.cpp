// Threads, rows and memory on machines of one, two and four nodes.
#include "platform/numa.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

#include "catch.hpp"
#include "fake_nodes.hpp"
#include "mla/error.hpp"
#include "platform/executor.hpp"
#include "platform/kernel_folders.hpp"
#include "platform/one_processor.hpp"
#include "platform/thread_pool.hpp"

using namespace mla;
using namespace mla::platform;

TEST_CASE("rows split among nodes: every tile on one of them, in order, shares that differ by one at most") {
  for (const int n_nodes : {1, 2, 4, 7})
    for (const std::int64_t n_tiles : {1, 2, 3, 5, 22, 31, 2020}) {
      const RowSplit split{n_nodes};
      CHECK(split.first_tile(n_tiles, 0) == 0);
      CHECK(split.first_tile(n_tiles, n_nodes) == n_tiles);
      for (int node = 0; node < n_nodes; ++node) {
        const std::int64_t first = split.first_tile(n_tiles, node), end = split.first_tile(n_tiles, node + 1);
        CHECK(end - first >= n_tiles / n_nodes);
        CHECK(end - first <= n_tiles / n_nodes + 1);
        for (std::int64_t tile = first; tile < end; ++tile) CHECK(split.node_of(n_tiles, tile) == node);
      }
    }
}

TEST_CASE("an operation over rows runs each tile of each matrix once, split or not, on few threads or many") {
  for (const int n_nodes : {1, 2, 4})
    for (const int n_threads : {1, 2, 3, 8}) {
      const auto plan = fake_plan(Numa::split, n_nodes);
      Executor executor(platform::make_thread_pool(n_threads, false, plan.get()), {}, 16, nullptr);
      executor.place(plan.get(), nullptr);
      for (const int n_groups : {1, 6})
        for (const int n_tiles : {0, 1, 2, 3, 22, 63}) {
          std::vector<std::atomic<int>> runs(static_cast<std::size_t>(n_groups * n_tiles));
          executor.parallel_for_rows(n_groups, n_tiles, [&](std::int64_t group, std::int64_t tile, int) {
            ++runs[static_cast<std::size_t>(group * n_tiles + tile)];
          });
          for (const auto& count : runs) CHECK(count == 1);
        }
    }
}

TEST_CASE("a thread takes the rows of its own node first") {
  if (affinity_mask().size() < 2) {
    WARN("SKIPPED: this needs two processors");
    return;
  }
  const auto plan = fake_plan(Numa::split, 2);
  Executor executor(platform::make_thread_pool(2, false, plan.get()), {}, 16, nullptr);
  executor.place(plan.get(), nullptr);
  const OnOneProcessor here;  // which keeps this thread on one node; the pool's are bound to theirs
  constexpr int n_tiles = 20;
  for (int round = 0; round < 50; ++round) {
    std::array<std::atomic<int>, 2> begun{};  // tiles of each node
    std::atomic<bool> too_early{false};
    executor.parallel_for_rows(1, n_tiles, [&](std::int64_t, std::int64_t tile, int) {
      const int node = plan->rows().node_of(n_tiles, tile), home = plan->node_here();
      ++begun[static_cast<std::size_t>(node)];
      // The other thread may have taken the last of them and not come to count it.
      if (node != home && begun[static_cast<std::size_t>(home)] < n_tiles / 2 - 1) too_early = true;
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    });
    CHECK_FALSE(too_early);
  }
}

TEST_CASE("threads in equal shares on the nodes, bound to their processors, the caller's node first") {
  const Topology t = fake_nodes(2, 4);
  for (const Processor& here : t.processors) {
    const ThreadPlan plan = plan_threads(t, 6, true, false, here.id);
    REQUIRE(plan.nodes.size() == 6);
    CHECK(plan.nodes[0] == t.node_index(here.id));
    CHECK(std::ranges::count(plan.nodes, 0) == 3);
    CHECK(plan.processors[0].empty());
    for (std::size_t i = 1; i < 6; ++i) CHECK(plan.processors[i] == t.processors_of(plan.nodes[i]));
  }
  const ThreadPlan anywhere = plan_threads(t, 3, false, false, 0);
  for (const auto& processors : anywhere.processors) CHECK(processors.empty());
}

TEST_CASE("pinned threads have processors of their own: fast cores, then slow ones, then second hardware threads") {
  Topology t;  // cores 0 and 1 with two threads each, 4 and 5 slow
  t.processors = {{0, 0, 0, true}, {1, 0, 1, true}, {2, 0, 0, true}, {3, 0, 1, true}, {4, 0, 4, false}, {5, 0, 5, false}};
  t.nodes = {0};
  const auto expected = std::vector<std::vector<int>>{{}, {0}, {4}, {5}, {2}, {3}, {}};
  CHECK(plan_threads(t, 7, false, true, 1).processors == expected);  // the caller has 1; no processor is left for the last
  std::set<int> seen;
  const Topology nodes = fake_nodes(4, 3);
  const ThreadPlan plan = plan_threads(nodes, 12, true, true, nodes.processors.front().id);
  for (std::size_t i = 1; i < 12; ++i) {
    REQUIRE(plan.processors[i].size() == 1);
    CHECK(nodes.node_index(plan.processors[i].front()) == plan.nodes[i]);
    CHECK(seen.insert(plan.processors[i].front()).second);
  }
}

TEST_CASE("only the pool's own threads are bound") {
  const std::vector<int> mask = affinity_mask();
  if (mask.size() < 2) {
    WARN("SKIPPED: this needs two processors");
    return;
  }
  const auto pool = make_thread_pool(ThreadPoolOptions{.n_threads = 2, .pin = true});
  std::mutex mutex;
  std::vector<std::vector<int>> masks(2);
  for (int round = 0; round < 10'000 && masks[1].empty(); ++round) {
    auto look = [&](int thread) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const std::lock_guard lock(mutex);
      masks[static_cast<std::size_t>(thread)] = affinity_mask();
    };
    pool->run(16, {[](void* data, int, int thread) { (*static_cast<decltype(look)*>(data))(thread); }, &look});
  }
  CHECK(masks[0] == mask);
  CHECK(masks[1].size() == 1);
  CHECK(affinity_mask() == mask);
}

TEST_CASE("plans: none, one node, and the node that a context isolates itself on") {
  CHECK(plan_numa(Numa::none, fake_nodes(4)) == nullptr);
  const auto single = plan_numa(Numa::split, fake_nodes(1));
  CHECK_FALSE(single->splits());
  CHECK(single->memory == nullptr);
  const auto plan = fake_plan(Numa::isolate, 2);
  CHECK(plan->n_nodes() == 1);
  for (const Processor& p : plan->topology.processors) CHECK(p.node == plan->topology.nodes.front());
  CHECK(fake_plan(Numa::split, 4)->splits());
  CHECK(fake_plan(Numa::replicate, 2)->replicates());
  CHECK_FALSE(fake_plan(Numa::distribute, 2)->splits());
}

TEST_CASE("names of the modes") {
  for (const Numa mode : {Numa::none, Numa::distribute, Numa::isolate, Numa::numactl, Numa::split, Numa::replicate})
    CHECK(parse_numa(to_string(mode)) == mode);
  CHECK_THROWS_WITH(parse_numa("mirror"), "unknown NUMA mode 'mirror': use none, distribute, isolate, numactl, split or replicate");
}

TEST_CASE("where memory is touched changes with the node only, and is put back") {
  const auto memory = std::make_shared<RecordedMemory>();
  const auto plan = fake_plan(Numa::split, 4, memory);
  {
    TouchOn touch(plan.get());
    for (const int node : {1, 1, 1, 3, 3}) touch.node(node);
    touch.all_nodes();
    touch.node(3);
  }
  CHECK(memory->calls(2) == 1);  // ids are twice the index
  CHECK(memory->calls(6) == 2);
  CHECK(memory->calls(-4) == 1);
  CHECK(memory->calls(RecordedMemory::restores) == 1);
  CHECK(memory->calls(RecordedMemory::wrong) == 0);
  TouchOn nothing(nullptr);
  nothing.node(5);
}

TEST_CASE("weights are read from the copy on the thread's node") {
  const auto plan = fake_plan(Numa::replicate, 2);
  std::vector<std::byte> weights(64), copy(64), other(64);
  const Replicas replicas{weights.data(), weights.size(), {0, copy.data() - weights.data()}};
  Executor executor(platform::make_thread_pool(2, false, plan.get()), {}, 16, nullptr);
  CHECK(executor.local(weights.data() + 5) == weights.data() + 5);
  executor.place(plan.get(), &replicas);
  std::atomic<int> wrong{0};
  executor.parallel_for(200, [&](int, int) {
    const int before = plan->node_here();
    const std::byte* const local = executor.local(weights.data() + 5);
    if (plan->node_here() == before && local != (before == 0 ? weights : copy).data() + 5) ++wrong;  // the caller may move in between
  });
  CHECK(wrong == 0);
  CHECK(executor.local(other.data()) == other.data());
  CHECK(executor.local(nullptr) == nullptr);
}

TEST_CASE("what a node has left: free pages and those of files, not of shared memory") {
  FakeKernel kernel;
  kernel.file(
      "sys/devices/system/node/node3/meminfo",
      "Node 3 MemTotal:       1000 kB\nNode 3 MemFree:         100 kB\nNode 3 FilePages:       50 kB\nNode 3 Shmem:           20 kB\n"
      "Node 3 HugePages_Total:     0");
  CHECK(node_room(3, kernel.folders()) == 130 * 1024);
  CHECK(node_room(4, kernel.folders()) == 0);
}

TEST_CASE("this machine's policy: pages come from the node that is preferred, and the policy is put back") {
  std::shared_ptr<const NodeMemory> memory;
  try {
    memory = libnuma_memory();
  } catch (const Error& error) {
    WARN("SKIPPED: " << error.what());
    return;
  }
  const Topology machine = this_topology();
  const auto before = memory->save();
  constexpr std::size_t page = 4096, n = 64;
  Buffer buffer(nullptr, n * page, "pages");
  NumaPlan plan{Numa::split, machine, memory};
  std::vector<const std::byte*> pages;
  {
    TouchOn touch(&plan);
    for (std::size_t i = 0; i < n; ++i) {
      touch.node(static_cast<int>(i % machine.nodes.size()));
      buffer.data()[i * page] = std::byte{1};
      pages.push_back(buffer.data() + i * page);
    }
  }
  CHECK(memory->save() == before);
  const std::vector<int> nodes = nodes_of_pages(pages);
  if (nodes.empty()) {
    WARN("SKIPPED: this system doesn't tell where pages are");
    return;
  }
  for (std::size_t i = 0; i < n; ++i) CHECK(nodes[i] == machine.nodes[i % machine.nodes.size()]);
}
