// A quota of one processor, given by a control group of the test's own where the system lets it make one.
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "platform/executor.hpp"
#include "platform/topology.hpp"

using namespace mla;
namespace fs = std::filesystem;

namespace {

bool write(const fs::path& file, const std::string& text) {
  std::ofstream out(file);
  return static_cast<bool>(out << text << std::flush);
}

// The group that this process is in, in the hierarchy whose controllers are these ("" in version 2).
std::optional<std::string> own_group(const std::string& controllers) {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (line.substr(first + 1, second - first - 1) == controllers) return line.substr(second + 1);
  }
  return std::nullopt;
}

// While it lives, this thread (the process's first) and all that it starts share one processor's time.
class QuotaOfOne {
 public:
  QuotaOfOne() {
    if (const auto group = own_group("cpu")) use("/sys/fs/cgroup/cpu" + *group, "tasks", "cpu.cfs_quota_us", "100000");
    if (!holds_)
      if (const auto group = own_group("")) use("/sys/fs/cgroup" + *group, "cgroup.procs", "cpu.max", "100000 100000");
  }
  ~QuotaOfOne() {
    if (holds_) write(parent_ / members_, std::to_string(::getpid()));
    std::error_code ignored;
    if (!child_.empty()) fs::remove(child_, ignored);
  }
  bool holds() const { return holds_; }

 private:
  void use(const fs::path& parent, const char* members, const char* quota_file, const char* quota) {
    std::error_code error;
    const fs::path child = parent / ("mla_test_" + std::to_string(::getpid()));
    if (!fs::create_directory(child, error)) return;
    parent_ = parent, child_ = child, members_ = members;
    holds_ =
        fs::exists(child / quota_file, error) && write(child / quota_file, quota) && write(child / members, std::to_string(::getpid()));
    if (!holds_) fs::remove(child, error), child_.clear();
  }
  fs::path parent_, child_;
  std::string members_;
  bool holds_ = false;
};

}  // namespace

TEST_CASE("two pools of eight threads under a quota of one processor finish") {
  const QuotaOfOne quota;
  if (!quota.holds()) {
    WARN("SKIPPED: this user can't make a control group with a quota");
    return;
  }
  CHECK(platform::this_topology().quota == 1);
  CHECK(default_threads() == 1);
  const auto compute = [](int n_threads) {
    platform::Executor executor(make_thread_pool(n_threads), {}, 16, nullptr);
    std::atomic<long> sum{0};
    for (int op = 0; op < 2000; ++op)
      executor.parallel_for(32, [&](int task, int) {
        volatile int x = 0;
        for (int i = 0; i < 10000; ++i) x = x + 1;
        sum += task;
      });
    return sum.load();
  };
  const long expected = compute(1);
  std::atomic<int> right{0};
  std::vector<std::thread> hosts;
  for (int host = 0; host < 2; ++host)
    hosts.emplace_back([&] {
      if (compute(8) == expected) ++right;
    });
  for (std::thread& host : hosts) host.join();
  CHECK(right == 2);
}
