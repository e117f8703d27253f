// What the kernel's files say about memory, on machines and in containers that are folders here.
#include "platform/memory_room.hpp"

#include <filesystem>
#include <limits>

#include "catch.hpp"
#include "scratch_folder.hpp"

using namespace mla;

namespace {

struct Machine {
  ScratchFolder folder;
  platform::KernelFiles files{folder / "proc", folder / "cgroup"};

  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
    write_bytes(folder / name, text);
  }
  void available(std::uint64_t kilobytes) const {
    put("proc/meminfo", "MemTotal:       99 kB\nMemFree:   1 kB\nMemAvailable:   " + std::to_string(kilobytes) + " kB\nBuffers: 5 kB\n");
  }
  platform::MemoryRoom room() const { return platform::memory_room(files); }
};

}  // namespace

TEST_CASE("memory room: what the machine has") {
  const Machine machine;
  CHECK(machine.room().bytes == std::numeric_limits<std::uint64_t>::max());  // nothing says anything
  machine.available(1000);
  CHECK(machine.room().bytes == 1'024'000);
  CHECK(machine.room().limit == "the machine");
  CHECK(platform::memory_room().bytes < (std::uint64_t{1} << 50));  // the one that this runs on
}

TEST_CASE("memory room: control groups of version 2, limited anywhere above the process") {
  const Machine machine;
  machine.available(1'000'000);
  machine.put("proc/self/cgroup", "0::/outer/inner\n");
  machine.put("cgroup/outer/inner/memory.max", "max\n");
  machine.put("cgroup/outer/inner/memory.current", "1000\n");
  CHECK(machine.room().limit == "the machine");
  machine.put("cgroup/outer/memory.max", "500000\n");
  machine.put("cgroup/outer/memory.current", "300000\n");
  CHECK(machine.room().bytes == 200'000);
  CHECK(machine.room().limit == "the control group /outer");
  machine.put("cgroup/outer/memory.stat", "anon 100\nfile 200000\ninactive_file 100000\nactive_file 50000\nslab 7\n");
  CHECK(machine.room().bytes == 350'000);  // pages of files can be dropped
  machine.put("cgroup/outer/inner/memory.max", "1500\n");
  CHECK(machine.room().bytes == 500);
  CHECK(machine.room().limit == "the control group /outer/inner");
  machine.put("cgroup/outer/inner/memory.current", "1600\n");  // a limit that was lowered
  CHECK(machine.room().bytes == 0);
}

TEST_CASE("memory room: a container that sees its own group as the root") {
  const Machine machine;
  machine.available(1'000'000);
  for (const char* group : {"/", "/docker/0123", "/../sibling"}) {
    machine.put("proc/self/cgroup", std::string("0::") + group + "\n");
    machine.put("cgroup/memory.max", "700\n");
    machine.put("cgroup/memory.current", "600\n");
    CHECK(machine.room().bytes == 100);
    CHECK(machine.room().limit == "the control group /");
  }
}

TEST_CASE("memory room: control groups of version 1") {
  const Machine machine;
  machine.available(1'000'000'000);
  machine.put("proc/self/cgroup", "9:name=systemd:/x\n4:cpu,memory:/box\n1:cpu:/y\n0::/\n");
  machine.put("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");  // none, as version 1 says it
  machine.put("cgroup/memory/memory.usage_in_bytes", "123456\n");
  CHECK(machine.room().limit == "the machine");
  machine.put("cgroup/memory/box/memory.limit_in_bytes", "1000000\n");
  machine.put("cgroup/memory/box/memory.usage_in_bytes", "900000\n");
  machine.put("cgroup/memory/box/memory.stat", "inactive_file 1\ntotal_inactive_file 500000\ntotal_active_file 100000\n");
  CHECK(machine.room().bytes == 700'000);
  CHECK(machine.room().limit == "the control group /box");
}

TEST_CASE("memory room: files that make no sense change nothing") {
  const Machine machine;
  machine.put("proc/meminfo", "MemAvailable\nMemAvailable: many kB\n");
  machine.put("proc/self/cgroup", "no colons\n0:one\n0::relative\n:::\n0::/a\n");
  machine.put("cgroup/a/memory.max", "\n");
  machine.put("cgroup/a/memory.current", "x\n");
  CHECK(machine.room().bytes == std::numeric_limits<std::uint64_t>::max());
}
