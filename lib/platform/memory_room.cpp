#include "platform/memory_room.hpp"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

namespace mla::platform {
namespace {

// The number behind `key` in lines of "key value".
std::optional<std::uint64_t> value_in(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t value = 0;
    if (words >> name && name == key && words >> value) return value;
  }
  return std::nullopt;
}

// A file that is one number; empty for "max" and for none.
std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

struct Version {
  const char* folder;  // of the hierarchy, in the control groups' folder
  const char *limit, *used, *inactive_file, *active_file;
};
constexpr Version version_1 = {"/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "total_active_file"};
constexpr Version version_2 = {"", "memory.max", "memory.current", "inactive_file", "active_file"};

void narrow_to_group(const Version& v, const std::string& root, std::string group, MemoryRoom& room) {
  // Up to the root: a group's limit holds for all below it. Groups that a container doesn't see have no files here.
  while (true) {
    const std::string folder = root + v.folder + group + "/";
    const auto limit = number_in(folder + v.limit), used = number_in(folder + v.used);
    if (limit && used) {
      const std::string counters = folder + "memory.stat";
      const std::uint64_t cached = value_in(counters, v.inactive_file).value_or(0) + value_in(counters, v.active_file).value_or(0);
      const std::uint64_t held = *used - std::min(*used, cached), free = *limit - std::min(*limit, held);
      if (free < room.bytes) room = {free, "the control group " + (group.empty() ? "/" : group)};
    }
    if (group.empty()) return;
    group.resize(group.rfind('/'));
  }
}

}  // namespace

MemoryRoom memory_room(const KernelFiles& files) {
  MemoryRoom room;
  if (const auto kilobytes = value_in(files.proc + "/meminfo", "MemAvailable:")) room = {*kilobytes << 10, "the machine"};
  std::ifstream groups(files.proc + "/self/cgroup");  // lines of number:controllers:path
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers = ",";
    controllers.append(line, first + 1, second - first - 1) += ',';
    std::string group = line.substr(second + 1);
    while (!group.empty() && group.back() == '/') group.pop_back();
    if (!group.empty() && group.front() != '/') continue;
    if (controllers == ",,") narrow_to_group(version_2, files.cgroup, group, room);
    if (controllers.find(",memory,") != std::string::npos) narrow_to_group(version_1, files.cgroup, group, room);
  }
  return room;
}

}  // namespace mla::platform
