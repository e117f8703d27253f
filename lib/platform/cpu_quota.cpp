#include "platform/cpu_quota.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "platform/topology.hpp"

namespace mla::platform {
namespace {

// Processors that the quota in one folder grants; 0: no quota there.
double quota_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  return std::strtod(quota.c_str(), nullptr) / period;
}

double quota_v1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  double quota = 0, period = 0;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period : 0;
}

// The smallest quota from `group` up to where the hierarchy is mounted. In a container the group's path may be the host's, of which
// only the end, or nothing, can be seen here: folders that aren't there grant anything.
double smallest_quota(const std::string& mount, std::string group, double (*quota_in)(const std::string&)) {
  double smallest = 0;
  while (true) {
    if (const double quota = quota_in(mount + group); quota > 0) smallest = smallest > 0 ? std::min(smallest, quota) : quota;
    if (group.empty()) return smallest;
    group.resize(group.find_last_of('/'));
  }
}

struct Membership {
  std::string controllers, group;  // "" and a path in version 2; "cpu,cpuacct" and a path in version 1
};

std::vector<Membership> memberships(const std::string& proc) {
  std::vector<Membership> found;
  std::ifstream file(proc + "/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string group = line.substr(second + 1);
    while (!group.empty() && group.back() == '/') group.pop_back();
    if (group.empty() || group.front() == '/') found.push_back({line.substr(first + 1, second - first - 1), std::move(group)});
  }
  return found;
}

bool names_cpu(std::string_view controllers) {
  for (std::size_t begin = 0; begin <= controllers.size();) {
    const std::size_t end = std::min(controllers.find(',', begin), controllers.size());
    if (controllers.substr(begin, end - begin) == "cpu") return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

int read_cpu_quota(const KernelFolders& folders) {
  const std::string root = folders.sys + "/fs/cgroup";
  double smallest = 0;
  const auto take = [&](double quota) {
    if (quota > 0) smallest = smallest > 0 ? std::min(smallest, quota) : quota;
  };
  for (const Membership& m : memberships(folders.proc)) {
    if (m.controllers.empty()) {
      take(smallest_quota(root, m.group, quota_v2));
      take(smallest_quota(root + "/unified", m.group, quota_v2));
    } else if (names_cpu(m.controllers)) {
      take(smallest_quota(root + "/cpu", m.group, quota_v1));
      take(smallest_quota(root + "/" + m.controllers, m.group, quota_v1));
    }
  }
  return smallest > 0 ? std::max(1, static_cast<int>(smallest)) : 0;
}

}  // namespace mla::platform
